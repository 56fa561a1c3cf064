#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# run.sh: in the lab's machine: what the verifier and the module let through, and what they
# refuse, each for the reason that the program names. Loads the module if it is not loaded.
# The last line is "N passed, N failed, N skipped".
set -u
cd "$(dirname "$0")/../.." || exit 2
B=${B:-$PWD/build/lab}
src=tests/verify

# What BPF programs get from include/ and lx.bpf.h: each must be called by a program of good/,
# for what nothing calls never reaches the verifier.
declared() {
	sed -e '/^#if !defined(__bpf__)/,/^#endif \/\* user/d' include/lightexit/*.h bpf-progs/lx.bpf.h |
		sed -n -E 's/^(extern|static inline) .*[ *](lx_[a-z0-9_]+)\(.*/\2/p' | sort -u
}
called() {
	local name status=0
	[ "$(declared | wc -l)" -ge 9 ] || { echo "# found only: $(declared)"; return 1; }
	for name in $(declared); do
		grep -q "\<$name(" $src/good/*.bpf.c && continue
		echo "# nothing in $src/good calls $name()"
		status=1
	done
	return $status
}

loaded=
if [ ! -d /sys/module/lightexit ]; then
	insmod "$B/kmod/$(uname -r)/kernel/lightexit.ko" || exit 2
	loaded=1
fi
out=$(mktemp)
"$B/tests/verify/verify" "$B/tests/verify" $src "$B/bpf" | tee "$out" | grep -v '^[0-9]* passed'
read -r passed _ failed _ < <(grep -x '[0-9]* passed, [0-9]* failed, 0 skipped' "$out" ||
	echo '0 passed, 1 failed')
check() {
	if "${@:2}"; then
		echo "ok - $1"
		passed=$((passed + 1))
	else
		echo "not ok - $1"
		failed=$((failed + 1))
	fi
}
check "every kfunc and inline helper is called by a program that loads" called
[ -z "$loaded" ] || check "the module unloads" tests/rmmod.sh
echo "$passed passed, $failed failed, 0 skipped"
[ "$failed" -eq 0 ]
