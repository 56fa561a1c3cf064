#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# coverage.sh DIR DEVICE...: which lines of each device's model the VMM's side has run, by
# gcov's counts in DIR. Fails below 95 %, and shows the lines that did not run.
set -u
LEAST=95
dir=$1
shift
passed=0 failed=0
work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT

# Lines of the model that ran, all of them, and those that did not.
count() {
	awk -F: '$1 ~ /^ *[0-9]+\*?$/ { ran++; all++ }
		$1 ~ /^ *[#=]+$/ { all++; missed = missed "#  " $0 "\n" }
		END { printf "%d %d\n%s", ran, all, missed }' "$1"
}

for device; do
	(cd "$work" && gcov -p -o "$dir/be_$device.gcda" "$dir/be_$device.o" >/dev/null 2>&1)
	file=$(compgen -G "$work/*#bpf-progs#${device}_model.h.gcov" | head -n 1)
	[ "$file" ] || { echo "not ok - coverage of $device: no counts"; failed=$((failed + 1)); continue; }
	{ read -r ran all; missed=$(cat); } < <(count "$file")
	line="coverage of ${device}_model.h: $ran of $all lines, $((ran * 100 / all)) %"
	if [ $((ran * 100)) -ge $((LEAST * all)) ]; then
		echo "ok - $line"
		passed=$((passed + 1))
	else
		echo "not ok - $line"
		failed=$((failed + 1))
	fi
	[ ! "$missed" ] || echo "$missed"
done
echo "$passed passed, $failed failed, 0 skipped"
[ "$failed" -eq 0 ]
