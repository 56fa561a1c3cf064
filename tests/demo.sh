#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# demo.sh RESULTS BOOT: inside lab/enter: has `make demo` report what the suites bench and boot have
# measured, and looks for each row, with all its cells. One "ok" or "not ok" line each, then
# "N passed, N failed, N skipped".
set -u
cd "$(dirname "$0")/.." || exit 2
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
passed=0 failed=0
number='-?[0-9]+(\.[0-9]+)?'

# check TEXT COMMAND...
check() {
	local text=$1
	shift
	if "$@" >/dev/null 2>>"$dir/err"; then
		echo "ok - demo: $text"
		passed=$((passed + 1))
	else
		echo "not ok - demo: $text"
		failed=$((failed + 1))
	fi
}

# lines FILE COUNT PATTERN: so many match it
lines() {
	[ "$(grep -c -E -e "$3" "$1")" -eq "$2" ]
}

# row TEXT COUNT: of the report, TEXT and COUNT numbers
row() {
	lines "$dir/report.md" 1 "^\| $1 (\| $number ){$2}\|\$"
}

if ! cp "$1" "$dir/results.json" || ! cp "$2" "$dir/boot.json"; then
	echo "not ok - demo: run the suites boot and bench before"
	echo "0 passed, 1 failed, 0 skipped"
	exit 1
fi
uname -r >"$dir/release"
check "a report" examples/demo.sh --report "$dir"
for register in "HPET counter, 8 bytes" "HPET counter, 4 bytes" "PM timer, 4 bytes" \
	"PIT count, 2 accesses" "RTC second, 2 accesses" "IDE status, 1 byte" \
	"PCI config, 2 accesses"; do
	check "$register, VMM" row "$register \| vmm" 4
	check "$register, BPF" row "$register \| bpf" 4
done
for device in UART RTC PIT HPET "PM timer" "PCI configuration" all; do
	check "a boot, $device" row "$device" 3
done
check "a boot, instructions" lines "$dir/report.md" 1 \
	'^The boots cost [0-9]+\.[0-9]+ billion instructions by the VMM, [0-9]+\.[0-9]+ with programs,'
check "a boot, fewer with programs" jq -e '.[1].cpu_seconds < .[0].cpu_seconds' "$dir/boot.json"
check "no other rows" lines "$dir/report.md" 25 '^\|'
check "no empty cell" lines "$dir/report.md" 0 '\| *\||null|nan'
check "the chart's registers" lines "$dir/exits.dat" 7 "^\"[^\"]+\"	$number	$number\$"
check "the chart's boot" lines "$dir/boot.dat" 1 "^\"[^\"]+\"	[0-9]+	[0-9]+\$"
check "a chart" test "$(head -c 4 "$dir/exits.png" | tail -c 3)" = PNG
[ "$failed" -eq 0 ] || cat "$dir/err"
echo "$passed passed, $failed failed, 0 skipped"
[ "$failed" -eq 0 ]
