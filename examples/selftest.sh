#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
# selftest.sh: in the lab's machine: the VMM's tests, the examples without the module and with
# it. The last line is "N passed, N failed, N skipped".
set -u
cd "$(dirname "$0")/.." || exit 2
B=${B:-$PWD/build/lab}
export LIGHTEXIT_BPF_DIR=$B/bpf
out=$(mktemp)

{
	tests/unit/run.sh "$B/examples/vmm-selftest"
	for check in examples/*/check.sh; do
		"$check" "$B/${check%/check.sh}" || echo "not ok - $check"
	done
} | tee "$out"
read -r passed failed < <(awk '/^[0-9]+ passed, [0-9]+ failed/ { p += $1; f += $3 }
	/^[a-z_]+: [0-9]+ passed/ { p += $2; f += $4 } END { print p + 0, f + 0 }' "$out")

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
# answered PATH: hpet's three registers, 2 vCPUs, no backward step; all reads by the program
answered() {
	"$B/examples/hpet" --path "$1" --vcpus 2 --reads 1000 --json >"$out" &&
		jq -e 'length == 3 and all(.[]; .backward_steps == 0 and .answered >= 2000)' "$out" >/dev/null
}
falls_back() {
	"$B/examples/hpet" --path auto --reads 100 2>&1 >/dev/null | grep -q module
}
check "hpet --path auto falls back without the module" falls_back
insmod "$B/kmod/$(uname -r)/kernel/lightexit.ko" || exit 2
check "regtable, with the program" examples/regtable/check.sh "$B/examples/regtable"
check "hpet --path bpf: programs answer every read" answered bpf
check "hpet --path auto takes the programs" answered auto
echo "$passed passed, $failed failed, 0 skipped"
[ "$failed" -eq 0 ]
