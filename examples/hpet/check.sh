#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
# Tests examples/hpet: see check-lib.sh.
# shellcheck source=examples/check-lib.sh
. "$(dirname "$0")/../check-lib.sh"

expect "table" 0 --path vmm --reads 2000
check "table: a header and three registers" test "$(wc -l <"$dir/out")" -eq 4
expect "two vCPUs" 0 --path vmm --reads 2000 --vcpus 2 --json
json "two vCPUs: each register read 4,000 times, each a heavy exit, none backward" '
	[.[].register] == ["hpet.counter", "hpet.counter32", "pmtimer"] and
	all(.[]; .path == "vmm" and .vcpus == 2 and .accesses == 4000 and .answered == null and
		.heavy_exits >= 4000 and .heavy_exits <= 4002 and .backward_steps == 0 and
		.ns_per_access > 0 and .min_step >= 0 and .max_step >= 1)'
expect "one register, kvmclock" 0 --path vmm --register pmtimer --clock kvm --reads 100 --json
json "one register: one row" 'length == 1 and .[0].register == "pmtimer"'
expect "timers" 0 --path vmm --timer all --interrupts 200 --json
# A one-shot: counter, comparator, counter; a level-triggered one: status, twice. And the set-up.
json "timers: two or three heavy exits for each interrupt" '
	[.[].timer] == ["one-shot", "periodic"] and
	all(.[]; .path == "vmm" and .interrupts >= 200 and .heavy_exits == .accesses) and
	.[0].accesses >= 600 and .[1].accesses >= 400'
expect "a timer, kvmclock, table" 0 --path vmm --timer periodic --clock kvm --interrupts 10
check "a timer: a header and a row" test "$(wc -l <"$dir/out")" -eq 2
# As a VMM that knows nothing of lightexit; it is stopped until it is attached to.
watched() {
	"$example" --path vmm --vcpus 2 --reads 30000 --json >"$dir/out" 2>"$dir/err" &
	vmm=$!
	until find "/proc/$vmm/fd" -lname '*kvm-vcpu*' | grep -q .; do
		kill -0 $vmm || return
	done
	kill -STOP $vmm
	lightexit attach --json --pid $vmm pmtimer hpet >"$dir/attached" 2>&1 &
	attach=$!
	until [ -s "$dir/attached" ] || ! kill -0 $attach 2>/dev/null; do
		sleep 0.1
	done
	kill -CONT $vmm
	wait $vmm && wait $attach
}

if has_module; then
	check "watched" watched
	json "watched: more than half of each counter's reads are answered, none goes backward" '
		length == 3 and all(.[]; .path == "vmm" and .accesses == 60000 and
			.heavy_exits < 30000 and .backward_steps == 0)'
	expect "timers, bpf" 0 --path bpf --timer all --interrupts 600 --json
	# An access that finds the timer's op in the lock passes.
	json "timers, bpf: heavy exits to set it up, and hardly one for an interrupt" '
		all(.[]; .path == "bpf" and .interrupts >= 600 and .answered >= 1000 and
			.answered + .heavy_exits == .accesses and .heavy_exits <= 10 + .interrupts / 20)'
	expect "bpf" 0 --path bpf --vcpus 2 --reads 1000 --json
	json "bpf: the programs answer every read" '
		length == 3 and all(.[]; .backward_steps == 0 and .answered >= 2000)'
fi
expect "no vCPU" 2 --vcpus 0
expect "too many vCPUs" 2 --vcpus 65
expect "a read has no step" 2 --reads 1
expect "not a number" 2 --reads 10x
expect "unknown register" 2 --register pit
expect "unknown timer" 2 --timer watchdog
expect "no interrupts" 2 --interrupts 0
expect "too often" 2 --period 100
expect "unknown clock" 2 --clock tsc
check_usage hpet --register hpet --reads 100
finish
