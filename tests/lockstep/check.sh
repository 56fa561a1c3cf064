#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# check.sh DIR OPTION... -- DEVICE...: the native rig with these options, then what it covers.
# Ends with "N passed, N failed, N skipped".
set -u
here=$(dirname -- "$(readlink -f -- "$0")")
dir=$1
shift
options=()
while [ "$1" != -- ]; do
	options+=("$1")
	shift
done
shift
out=$(mktemp)
trap 'rm -f -- "$out"' EXIT

rm -f -- "$dir"/*.gcda
{
	"$dir/lockstep" "${options[@]}" "$@"
	[ $? -le 1 ] || echo "not ok - the rig ended early"
	"$here/coverage.sh" "$dir" "$@"
} | tee "$out" | grep -v '^[0-9]* passed'
failed=$(grep -c '^not ok' "$out")
echo "$(grep -c '^ok' "$out") passed, $failed failed, 0 skipped"
[ "$failed" -eq 0 ]
