#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# fuzz.sh DIR SECONDS DEVICE...   the fuzz targets in DIR: each runs its kept corpus, then goes on
#                                 from it for so long. What it learns stays in DIR/corpus
# fuzz.sh DIR check DEVICE...     the kept corpus, and 5,000 inputs more, the same each time
# fuzz.sh DIR keep DEVICE...      the least of DIR/corpus that reaches as much is the kept one from
#                                 now on: tests/lockstep/corpus/DEVICE, an input a line
# An input that fails is in DIR/crash-*, and `DIR/DEVICE FILE` runs it again. Ends with "N passed,
# N failed, N skipped".
set -u
kept=$(dirname -- "$(readlink -f -- "$0")")/corpus
dir=$1 how=$2
shift 2
# Bytes of an input: more steps than that nobody wants to read.
LENGTH=512
passed=0 failed=0

# unpack DEVICE DIR
unpack() {
	local line n=0
	mkdir -p "$2"
	while read -r line; do
		[ "${line:0:1}" != '#' ] || continue
		printf '%b' "${line//??/\\x&}" >"$2/kept$n"
		n=$((n + 1))
	done <"$kept/$1"
}

keep() {
	local least file
	least=$(mktemp -d)
	"$dir/$1" -merge=1 -use_counters=0 -max_len=$LENGTH "$least" "$dir/corpus/$1" 2>/dev/null
	{
		echo "# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause"
		for file in "$least"/*; do
			od -An -v -tx1 "$file" | tr -d ' \n'
			echo
		done | sort
	} >"$kept/$1"
	rm -rf -- "$least"
}

fuzz() {
	local out corpus=$dir/corpus/$1 limit=-max_total_time=$how status n
	if [ "$how" = check ]; then
		corpus=$dir/check/$1 limit='-seed=1 -runs=5000'
		rm -rf -- "$corpus"
	fi
	unpack "$1" "$corpus"
	# shellcheck disable=SC2086
	out=$("$dir/$1" $limit -max_len=$LENGTH -artifact_prefix="$dir/crash-$1-" -print_final_stats=1 \
		"$corpus" 2>&1)
	status=$?
	n=$(sed -n 's/^stat::number_of_executed_units: *//p' <<<"$out")
	if [ "$status" -eq 0 ] && [ "${n:-0}" -gt 0 ]; then
		echo "ok - fuzz $1: $n inputs"
		passed=$((passed + 1))
	else
		tail -n 60 <<<"$out" | sed 's/^/# /'
		echo "not ok - fuzz $1"
		failed=$((failed + 1))
	fi
}

for device; do
	if [ "$how" = keep ]; then
		keep "$device"
	else
		fuzz "$device"
	fi
done
[ "$how" != keep ] || exit 0
echo "$passed passed, $failed failed, 0 skipped"
[ "$failed" -eq 0 ]
