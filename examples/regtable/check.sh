#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
# Tests examples/regtable on this host's KVM; with the module, the program too. Usage: check.sh
# PROGRAM. Exit status 0: all passed; 77: skipped, no KVM.
set -u
regtable=$1
passed=0 failed=0
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT

if [ ! -r /dev/kvm ] || [ ! -w /dev/kvm ]; then
	echo "regtable: skipped: no access to /dev/kvm"
	exit 77
fi

# expect NAME STATUS ARG...: the program's exit status; output in $dir/out and $dir/err
expect() {
	name=$1 want=$2
	shift 2
	"$regtable" "$@" >"$dir/out" 2>"$dir/err"
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
		echo "regtable: FAILED: $text"
		cat "$dir/out" "$dir/err"
	fi
}

expect "table" 0 --path vmm --commands 100
check "table: a header and a row" test "$(wc -l <"$dir/out")" -eq 2
expect "vmm" 0 --path vmm --commands 300 --json
check "vmm: every access is a heavy exit, and the data of a command" jq -e '
	.path == "vmm" and .commands == 300 and .answered == null and .errors == 0 and
	.heavy_exits == .accesses + 300 and .polls >= 600' "$dir/out"
expect "no object, auto" 0 --path auto --bpf-dir "$dir" --commands 10 --json
check "no object, auto: names it" grep -q "not accelerated.*$dir/regtable.bpf.o" "$dir/err"
expect "no object, bpf" 1 --path bpf --bpf-dir "$dir" --commands 10
if [ -d /sys/module/lightexit ]; then
	expect "bpf" 0 --path bpf --commands 300 --json
	# Command and data; the control register, once. A poll may find the VMM changing the table.
	check "bpf: two heavy exits a command, and few more" jq -e '
		.path == "bpf" and .errors == 0 and .answered + .heavy_exits == .accesses + 300 and
		.answered >= 1000 and .heavy_exits >= 601 and .heavy_exits <= 700' "$dir/out"
fi
expect "help" 0 --help
expect "unknown path" 2 --path qemu
expect "no commands" 2 --commands 0
expect "not a number" 2 --latency x
expect "unknown option" 2 --frobnicate
expect "an argument" 2 more

echo "regtable: $passed passed, $failed failed"
test "$failed" -eq 0
