#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
# Tests examples/boot: see check-lib.sh. Boots this host's own kernel. Leaves what it printed in the
# file BOOT_JSON, if that is set.
# shellcheck source=examples/check-lib.sh
. "$(dirname "$0")/../check-lib.sh"

# What a boot printed: without times, and without what is measured in it.
lines() {
	awk -v n="$1" '/\] Linux version /{ i++ } i == n' "$dir/console" | sed -E 's/^\[ *[0-9.]+\] //' |
		grep -v -E -e '^(tsc:|clocksource: tsc|Calibrating delay|smpboot: Total|sched_clock:)' \
			-e '^(audit:|Memory:|boot: (rtc|hwclock):|rtc_cmos .* setting system clock)' | sort
}

# Each frequency that Linux found for the TSC is within 0.5 % of the first.
same_mhz() {
	sed -n -E 's/.*tsc: (Detected|Refined TSC clocksource calibration:) ([0-9.]+) MHz.*/\2/p' \
		"$dir/console" | awk -v n="$1" '{ if (!f) f = $1; d = $1 / f - 1
			bad += d > 0.005 || d < -0.005 } END { exit !(NR == n && !bad) }'
}

# Each guest read the time from its RTC that it was outside.
rtc_right() {
	sed -n 's/.*boot: rtc: \([0-9]*\).*/\1/p' "$dir/console" | tr -d '\r' |
		awk -v n="$1" -v from="$from" -v to="$to" '{ bad += $1 < from - 1 || $1 > to }
			END { exit !(NR == n && !bad) }'
}

# boots N: what N boots printed
boots() {
	each "each powered off" "$1" 'boot: done'
	each "HPET" "$1" 'boot: clocksource hpet: ok'
	each "PM timer" "$1" 'boot: clocksource acpi_pm: ok'
	each "TSC against the PIT" "$1" \
		'tsc: (Fast TSC calibration using PIT|PIT calibration matches (HPET|PMTIMER))'
	each "TSC refined" "$1" 'tsc: Refined TSC clocksource calibration'
	each "complaints" 0 'lost interrupt|Unable to calibrate|unstable|BUG:|WARNING:|Call Trace'
	check "one frequency of the TSC" same_mhz $((2 * $1))
	check "the RTC's time" rtc_right "$1"
}

"$(dirname "$0")/initrd.sh" "$(dirname "$0")/init" "$dir/initrd" 2>"$dir/err" || {
	echo "$name: skipped: $(cat "$dir/err")"
	exit 77
}
from=$(date +%s)
if has_module; then
	expect "a boot on both paths" 0 --path bpf --compare --initrd "$dir/initrd" \
		--output "$dir/console" --json
	[ -z "${BOOT_JSON-}" ] || cp "$dir/out" "$BOOT_JSON"
	to=$(date +%s)
	boots 2
	lines 1 >"$dir/vmm"
	lines 2 >"$dir/bpf"
	diff "$dir/vmm" "$dir/bpf" >>"$dir/err"
	check "the same lines on both paths" cmp "$dir/vmm" "$dir/bpf"
	check "lines" test "$(wc -l <"$dir/vmm")" -ge 200
	json "at least 20 times fewer heavy exits" 'map(.path) == ["vmm", "bpf"] and
		.[0].heavy_exits >= 20000 and .[0].heavy_exits >= 20 * .[1].heavy_exits'
	json "each program has answered" '
		.[1].devices | map({ (.device): .answered }) | add |
		.uart >= 10000 and .rtc >= 50 and .pit >= 200 and .hpet >= 200 and .pmtimer >= 200 and
		.pciconf >= 100'
	# Not of registers: returns for signals.
	json "registers sum up to the exits" 'all(.[]; .heavy_exits - ([.registers[].heavy_exits] |
		add) | . >= 0 and . <= 10)'
	jq -r '.[] | "\(.path): \(.heavy_exits) heavy exits"' "$dir/out"
else
	expect "a boot" 0 --path vmm --initrd "$dir/initrd" --output "$dir/console"
	to=$(date +%s)
	boots 1
	check "a table" grep -q '^all heavy exits' "$dir/out"
fi
expect "no object, bpf" 1 --path bpf --bpf-dir "$dir" --initrd "$dir/initrd"
check "no object, bpf: names it" grep -q "$dir/uart.bpf.o" "$dir/err"
expect "no initramfs" 2
expect "an initramfs that is not there" 1 --path vmm --initrd "$dir/none"
expect "no kernel" 1 --path vmm --kernel "$0" --initrd "$dir/initrd"
check "no kernel: says so" grep -q "no bzImage" "$dir/err"
expect "too little memory for the initramfs" 2 --mem 63 --initrd "$dir/initrd"
expect "too long a command line" 1 --path vmm --initrd "$dir/initrd" \
	--append "$(printf '%2100s' x)"
expect "help" 0 --help
expect "unknown path" 2 --path qemu --initrd "$dir/initrd"
expect "an argument" 2 --initrd "$dir/initrd" more
finish
