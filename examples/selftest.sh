#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
# selftest.sh [EXAMPLE...]: in the lab's machine: the VMM's tests, the examples without the module
# and with it; or the EXAMPLEs alone, with it. The last line is "N passed, N failed, N skipped".
set -u
cd "$(dirname "$0")/.." || exit 2
B=${B:-$PWD/build/lab}
export LIGHTEXIT_BPF_DIR=$B/bpf PATH=$B/loader:$PATH
out=$(mktemp)

# What boots a kernel has a suite of its own.
boots="boot ide attach"
all=()
for check in examples/*/check.sh; do
	x=$(basename "${check%/check.sh}")
	[[ " $boots " == *" $x "* ]] || all+=("$x")
done

examples() {
	local x
	for x; do
		"examples/$x/check.sh" "$B/examples/$x" || echo "not ok - examples/$x/check.sh"
	done
}

{
	if [ $# -eq 0 ]; then
		tests/unit/run.sh "$B/examples/vmm-selftest"
		echo "== without the module"
		examples "${all[@]}"
		set -- "${all[@]}"
	fi
	insmod "$B/kmod/$(uname -r)/kernel/lightexit.ko" || exit 2
	echo "== with it"
	examples "$@"
} | tee "$out"
[ "${PIPESTATUS[0]}" -eq 0 ] || exit 2
read -r passed failed < <(awk '/^[0-9]+ passed, [0-9]+ failed/ { p += $1; f += $3 }
	/^[a-z_]+: [0-9]+ passed/ { p += $2 }
	/^not ok - examples/ { f++ } END { print p + 0, f + 0 }' "$out")

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
# answered: --path auto takes the programs: 2 vCPUs, no backward step; all reads by the program
answered() {
	"$B/examples/hpet" --path auto --vcpus 2 --reads 1000 --json >"$out" &&
		jq -e 'length == 3 and all(.[]; .backward_steps == 0 and .answered >= 2000)' "$out" >/dev/null
}
falls_back() {
	"$B/examples/hpet" --path auto --reads 100 2>&1 >/dev/null | grep -q module
}
[ $# -gt 0 ] || check "hpet --path auto takes the programs" answered
tests/rmmod.sh || exit 2
[ $# -gt 0 ] || check "hpet --path auto falls back without the module" falls_back
echo "$passed passed, $failed failed, 0 skipped"
[ "$failed" -eq 0 ]
