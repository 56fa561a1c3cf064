# SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
# shellcheck shell=sh
# What the examples' check.sh share, which source it: they test an example on this host's KVM,
# and with the module, its program too. Usage: check.sh PROGRAM
# Exit status 0: all passed; 77: skipped, no KVM.
set -u
example=$1
name=${example##*/}
passed=0 failed=0
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT

if [ ! -r /dev/kvm ] || [ ! -w /dev/kvm ]; then
	echo "$name: skipped: no access to /dev/kvm"
	exit 77
fi

# expect TEXT STATUS ARG...: the program's exit status; output in $dir/out and $dir/err. If it has not
# ended in ten minutes, also the end of its guest's console.
expect() {
	title=$1 want=$2
	shift 2
	timeout 600 "$example" "$@" >"$dir/out" 2>"$dir/err"
	got=$?
	if [ "$got" -eq 124 ] && [ -e "$dir/console" ]; then
		tail -n 30 "$dir/console"
	fi
	check "$title: exit status $got, not $want" test "$got" -eq "$want"
}

# check TEXT COMMAND...: the command succeeds
check() {
	text=$1
	shift
	if "$@" >/dev/null 2>&1; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		echo "$name: FAILED: $text"
		cat "$dir/out" "$dir/err"
	fi
}

# json TEXT FILTER: jq's filter of the output says true
json() {
	check "$1" jq -e "$2" "$dir/out"
}

# each TEXT COUNT PATTERN: so many lines of the guests' consoles, in $dir/console, have it
each() {
	n=$(grep -c -E "$3" "$dir/console")
	check "$1: $n of $2" test "$n" -eq "$2"
}

has_module() {
	[ -d /sys/module/lightexit ]
}

# check_usage DEVICE ARG...: what all examples do alike, the arguments being those of a short run
check_usage() {
	object=$dir/$1.bpf.o
	shift
	expect "no object, auto" 0 --path auto --bpf-dir "$dir" "$@"
	check "no object, auto: one line of why" test "$(wc -l <"$dir/err")" -eq 1
	check "no object, auto: names it" grep -q "not accelerated.*$object" "$dir/err"
	expect "no object, bpf" 1 --path bpf --bpf-dir "$dir" "$@"
	check "no object, bpf: names it" grep -q "$object" "$dir/err"
	check "no object, bpf: no table" test ! -s "$dir/out"
	expect "help" 0 --help
	expect "unknown path" 2 --path qemu
	expect "unknown option" 2 --frobnicate
	expect "an argument" 2 more
}

finish() {
	echo "$name: $passed passed, $failed failed"
	test "$failed" -eq 0
}
