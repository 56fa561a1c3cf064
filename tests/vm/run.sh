#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# run.sh [TEST...]: in the lab's machine: loads the module, runs the VM tests (all, or test_TEST...; with
# CLAIMS as in tests/unit/run.sh), checks that nothing is left behind, unloads the module. The last
# line is "N passed, N failed, N skipped". test_nomem is for kernels that inject faults.
set -u
cd "$(dirname "$0")/../.." || exit 2
B=${B:-$PWD/build/lab}
kmod=$B/kmod/$(uname -r)

# From memory: to open a file over 9p takes a round trip to the host, and Criterion executes the
# program anew for each test, with all its libraries. C has no locale's files to open.
export LC_ALL=C
mem=$(mktemp -d)
trap 'rm -rf "$mem"' EXIT
chmod 755 "$mem" # for tests that run as somebody else
mkdir "$mem"/{bpf,loader,vm,lib}
cp "$B"/bpf/*.o "$mem/bpf"
cp "$B/loader/lightexit" "$mem/loader"
find "$B/tests/vm" -maxdepth 1 -type f \( -name '*.bpf.o' -o -name '*.rom' -o -name 'test_*' ! -name '*.[od]' \) -exec cp -t "$mem/vm" {} +
ldd "$mem/vm/test_broker" "$mem/loader/lightexit" | awk '/=> \// { print $3 }' | sort -u | xargs cp -Lt "$mem/lib"
export LD_LIBRARY_PATH=$mem/lib PATH=$mem/loader:$PATH
export LIGHTEXIT_BPF_DIR=$mem/bpf LX_TEST_BPF_DIR=$mem/vm LX_KMOD_DIR=$kmod

tests=()
for t in "${@:-*}"; do
	while read -r bin; do
		[[ $bin == *.[od] ]] || { [[ $bin == *_nomem ]] && [ ! -e /proc/self/fail-nth ]; } ||
			tests+=("$bin")
	done < <(compgen -G "$mem/vm/test_$t" | sort)
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
