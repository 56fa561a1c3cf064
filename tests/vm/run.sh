#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# run.sh [TEST...]: in the lab's machine: loads the module, runs the VM tests (all, or
# test_TEST...), checks that nothing is left behind, unloads the module. The last line
# is "N passed, N failed, N skipped". test_nomem is for kernels that inject faults.
set -u
cd "$(dirname "$0")/../.." || exit 2
B=${B:-$PWD/build/lab}
kmod=$B/kmod/$(uname -r)
export LIGHTEXIT_BPF_DIR=$B/bpf LX_TEST_BPF_DIR=$B/tests/vm LX_KMOD_DIR=$kmod LX_BUILD=$B
export PATH=$B/loader:$PATH

tests=()
for t in "${@:-*}"; do
	while read -r bin; do
		[[ $bin == *.[od] ]] || { [[ $bin == *_nomem ]] && [ ! -e /proc/self/fail-nth ]; } ||
			tests+=("$bin")
	done < <(compgen -G "$B/tests/vm/test_$t")
done

insmod "$kmod/kernel/lightexit.ko" || exit 2
out=$(mktemp)
tests/unit/run.sh "${tests[@]}" | tee "$out"
read -r passed _ failed _ skipped _ < <(tail -n 1 "$out")

# After the tests: no reference to the module is left, and it unloads.
check() {
	local text=$1
	shift
	if "$@"; then
		echo "ok - $text"
		passed=$((passed + 1))
	else
		echo "not ok - $text"
		failed=$((failed + 1))
	fi
}
no_refs() {
	local i
	for i in {1..100}; do
		[ "$(cat /sys/module/lightexit/refcnt)" = 0 ] && return 0
		sleep 0.1
	done
	echo "# $i waits; refcnt is $(cat /sys/module/lightexit/refcnt)"
	bpftool link
	return 1
}
check "run: nothing refers to the module when all tests ended" no_refs
check "run: the module unloads" rmmod lightexit
echo "$passed passed, $failed failed, $((${skipped%,} + 0)) skipped"
[ "$failed" -eq 0 ]
