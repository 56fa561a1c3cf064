#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# check.sh RESULTS.json REPEAT.json LOG: holds the results of two runs, and what the first one
# printed, against the limits at the end, which are instructions per access on the stable kernel:
# what docs/speed.md explains, and one to five per cent. One "ok" or "not ok" line each, then "N passed,
# N failed, N skipped".
set -u
results=$1 repeat=$2 log=$3
passed=0 failed=0

# at_most TEXT VALUE LIMIT
at_most() {
	if [[ $2 =~ ^-?[0-9]+(\.[0-9]+)?$ ]] && awk -v v="$2" -v l="$3" 'BEGIN { exit !(v <= l) }'; then
		echo "ok - bench: $1: $2, at most $3"
		passed=$((passed + 1))
	else
		echo "not ok - bench: $1: ${2:-no value}, at most $3"
		failed=$((failed + 1))
	fi
}

# cost CASE PATH
cost() {
	jq -r --arg c "$1" --arg p "$2" \
		'.[] | select(.case == $c and .path == $p) | .instructions_per_access' "$results"
}

# calc EXPRESSION [DIGITS]; nothing if a value is missing
calc() {
	awk "BEGIN { printf \"%.${2-3}f\", $1 }" 2>/dev/null
}

# check_case NAME RATIO BPF VMM DECLINED: limits of bpf / kernel-c, bpf, vmm (which no slow VMM may flatter)
# and declined - none
check_case() {
	local name=$1 bpf
	bpf=$(cost "$name" bpf)
	at_most "$name: bpf / kernel-c" "$(calc "($bpf) / ($(cost "$name" kernel-c))")" "$2"
	at_most "$name: bpf" "$bpf" "$3"
	at_most "$name: vmm" "$(cost "$name" vmm)" "$4"
	at_most "$name: declined - none" \
		"$(calc "($(cost "$name" declined)) - ($(cost "$name" none))" 1)" "$5"
}

# The largest difference between the two runs; nothing if their rows are not the same.
difference() {
	jq -r -n --slurpfile a "$results" --slurpfile b "$repeat" '
		[$a[0], $b[0]] as [$a, $b] |
		if ($a | map([.case, .path])) == ($b | map([.case, .path])) and ($a | length) > 0 then
			[range($a | length) | ($a[.].instructions_per_access /
				$b[.].instructions_per_access - 1) | fabs] | max * 1e5 | ceil / 1e5
		else empty end'
}

check_case pmtimer.read 1.20 1620 3350 295
check_case pio.write 1.20 1510 3160 300
check_case hpet.counter.read 1.08 4105 6095 290
check_case hpet.counter.read32 1.08 4075 6055 290
check_case mmio.write 1.07 3880 5475 295
at_most "largest difference between two runs" "$(difference)" 0.005
at_most "attaching a program, ms" \
	"$(sed -n 's/^Attaching took at most \([0-9.]*\) ms\.$/\1/p' "$log")" 20
echo "$passed passed, $failed failed, 0 skipped"
[ "$failed" -eq 0 ]
