#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# check.sh [GUEST:WHEN[,WHEN]...]: has run.sh run these, by default all, each in a machine of its own: UEFI
# writes CR8, at which the emulator may abort (docs/decisions.md 18); then it is run again, up to
# 10 times. The last line is "N passed, N failed, N skipped".
set -u
cd "$(dirname "$0")/../.." || exit 2
log=build/check/firmware.guest.log
mkdir -p build/check
passed=0 failed=0
# SeaBIOS and Memtest86+ read the PM timer only before they say anything.
[ $# -gt 0 ] || set -- seabios:alone,first ipxe:alone,first memtest:alone,first ovmf:alone ovmf:first ovmf:late \
	ovmf_pc:first

aborted() {
	[ "$1" -eq 126 ] && grep -q 'assertion failed: (bql_locked())' $log
}

run_one() {
	local status try
	for ((try = 0; try < 10; try++)); do
		lab/run --cpus 1 --timeout 1200 --append 'highres=off nohz=off no_timer_check' -- \
			tests/firmware/run.sh "$1" >$log 2>&1
		status=$?
		aborted $status || return $status
		echo "# $1: the emulator has aborted; once more"
	done
	return $status
}

for guest; do
	run_one "$guest"
	status=$?
	cat $log
	read -r p f < <(awk '/^[0-9]+ passed, [0-9]+ failed/ { p = $1; f = $3 } END { print p + 0, f + 0 }' $log)
	passed=$((passed + p))
	failed=$((failed + (f > 0 ? f : status != 0)))
done
echo "$passed passed, $failed failed, 0 skipped"
[ "$failed" -eq 0 ]
