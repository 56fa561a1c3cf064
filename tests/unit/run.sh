#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# run.sh TEST-PROGRAM...: runs Criterion programs, prints their TAP lines, and a
# last line "N passed, N failed, N skipped". A program that ends without
# reporting all the tests it announced counts as a failure; so does running nothing. Machines that
# share a directory CLAIMS share the programs: each is run by the first one to make an entry for it.
set -u

passed=0 failed=0 skipped=0

count()
{
	grep -cE "$1" <<<"$2"
}

run_one()
{
	local out plan ok bad skip status

	echo "# ${1##*/}" # before it runs: one may take minutes
	out=$("$1" --tap --color=never -j1 2>&1)
	status=$?
	grep -vE '^(TAP version|1\.\.|# ?(Criterion.*|Running.*)?$)' <<<"$out"
	plan=$(sed -n 's/^1\.\.\([0-9]*\)$/\1/p' <<<"$out")
	skip=$(count '^ok .*# SKIP' "$out")
	ok=$(($(count '^ok ' "$out") - skip))
	bad=$(count '^not ok ' "$out")
	if [ "${plan:-0}" -ne $((ok + bad + skip)) ] || { [ "$status" -ne 0 ] && [ "$bad" -eq 0 ]; }; then
		echo "not ok - ${1##*/} ended with status $status after $((ok + bad + skip)) of ${plan:-?} tests"
		bad=$((bad + 1))
	fi
	passed=$((passed + ok)) failed=$((failed + bad)) skipped=$((skipped + skip))
}

for program; do
	if [ -z "${CLAIMS-}" ] || mkdir "$CLAIMS/${program##*/}" 2>/dev/null; then
		run_one "$program"
	fi
done
if [ $((passed + failed)) -eq 0 ]; then
	echo "not ok - no test was run"
	failed=1
fi
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
