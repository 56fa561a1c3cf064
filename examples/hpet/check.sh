#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
# Tests examples/hpet on this host's KVM, on the VMM's own path. Usage: check.sh PROGRAM
# Exit status 0: all passed; 77: skipped, no KVM.
set -u
hpet=$1
passed=0 failed=0
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT

if [ ! -r /dev/kvm ] || [ ! -w /dev/kvm ]; then
	echo "hpet: skipped: no access to /dev/kvm"
	exit 77
fi

# expect NAME STATUS ARG...: the program's exit status; output in $dir/out and $dir/err
expect() {
	name=$1 want=$2
	shift 2
	"$hpet" "$@" >"$dir/out" 2>"$dir/err"
	got=$?
	check "$name: exit status $got, not $want" test "$got" -eq "$want"
}

# check TEXT COMMAND...: the command succeeds
check() {
	text=$1
	shift
	if "$@" >/dev/null 2>&1; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		echo "hpet: FAILED: $text"
		cat "$dir/out" "$dir/err"
	fi
}

expect "table" 0 --path vmm --reads 2000
check "table: a header and three registers" test "$(wc -l <"$dir/out")" -eq 4
expect "two vCPUs" 0 --path vmm --reads 2000 --vcpus 2 --json
check "two vCPUs: each register read 4,000 times, each a heavy exit, none backward" jq -e '
	[.[].register] == ["hpet.counter", "hpet.counter32", "pmtimer"] and
	all(.[]; .path == "vmm" and .vcpus == 2 and .accesses == 4000 and .answered == null and
		.heavy_exits >= 4000 and .heavy_exits <= 4002 and .backward_steps == 0 and
		.ns_per_access > 0 and .min_step >= 0 and .max_step >= 1)' "$dir/out"
expect "one register, kvmclock" 0 --path vmm --register pmtimer --clock kvm --reads 100 --json
check "one register: one row" jq -e 'length == 1 and .[0].register == "pmtimer"' "$dir/out"

expect "no object, auto" 0 --path auto --bpf-dir "$dir" --register hpet --reads 100 --json
check "no object, auto: one line of why" test "$(wc -l <"$dir/err")" -eq 1
check "no object, auto: names it" grep -q "not accelerated.*$dir/hpet.bpf.o" "$dir/err"
check "no object, auto: the VMM answers" jq -e 'all(.[]; .path == "vmm")' "$dir/out"
expect "no object, bpf" 1 --path bpf --bpf-dir "$dir" --reads 100
check "no object, bpf: names it" grep -q "$dir/hpet.bpf.o" "$dir/err"
check "no object, bpf: no table" test ! -s "$dir/out"

expect "help" 0 --help
expect "unknown path" 2 --path qemu
expect "no vCPU" 2 --vcpus 0
expect "too many vCPUs" 2 --vcpus 65
expect "a read has no step" 2 --reads 1
expect "not a number" 2 --reads 10x
expect "unknown register" 2 --register pit
expect "unknown clock" 2 --clock tsc
expect "unknown option" 2 --frobnicate
expect "an argument" 2 more

echo "hpet: $passed passed, $failed failed"
test "$failed" -eq 0
