#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# run.sh [FILE...]: has herd7 (Debian 14's herdtools7, or opam's; HERD7=PATH, HERD7_FLAGS) work out
# what an x86 CPU, or a C11 compiler, may make of the orders that include/lightexit relies on. Each
# file says what it models, and whether the state that it names is seen Never, or Sometimes: those
# are controls, without the fence or exchange in question. herd7 takes cmpxchg's operands in the
# other order. The last line is "N passed, N failed, N skipped".
set -u
cd "$(dirname "$0")" || exit 2
herd=${HERD7:-herd7}
read -r -a flags <<<"${HERD7_FLAGS-}"
passed=0 failed=0 skipped=0

# field NAME FILE
field() {
	sed -n "s/.*$1: \([A-Za-z0-9]*\).*/\1/p" "$2"
}

run_one() {
	local file=$1 want model seen
	want=$(field Expected "$file")
	model=$(field Model "$file")
	if ! command -v "$herd" >/dev/null; then
		echo "ok - litmus: ${file%.litmus} # SKIP there is no $herd"
		skipped=$((skipped + 1))
		return
	fi
	seen=$("$herd" ${flags[@]+"${flags[@]}"} ${model:+-model "$model.cat"} "$file" 2>&1)
	if [ "$want" ] && grep -q "^Observation ${file%.litmus} $want " <<<"$seen"; then
		echo "ok - litmus: ${file%.litmus}: $want"
		passed=$((passed + 1))
	else
		echo "not ok - litmus: ${file%.litmus}: not ${want:-said what is expected}"
		echo "# ${seen//$'\n'/$'\n# '}"
		failed=$((failed + 1))
	fi
}

[ $# -gt 0 ] || set -- *.litmus
for file; do
	run_one "$file"
done
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
