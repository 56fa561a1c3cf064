#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# suites.sh SUITE...: runs test suites on the host's side, each in the lab, and ends with one
# line "N passed, N failed, N skipped" over all of them. Everything is built before (make lab).
#   check         unit oracle lockstep lockstep-vm fuzz lint lab examples new verify bench, beside them
#                 vm-stable, and then boot demo
#   check-quick   unit lint verify, and the VM tests of refusals
#   vm-KERNEL     tests/vm on that kernel: stable, newest, rt, debug
# A suite that ends without such a line of its own has failed. Logs: build/check/SUITE.log.
set -u
cd "$(dirname "$0")/.." || exit 2
logs=build/check
mkdir -p "$logs"
passed=0 failed=0 skipped=0
# Else it goes on with the next suite where the one that runs has ended by itself.
trap 'exit 130' INT TERM HUP PIPE

run_suite() {
	case $1 in
	lab) lab/selftest ;;
	unit) lab/enter make LAB=1 B=/lightexit/build/lab -C tests/unit check ;;
	oracle) lab/enter make LAB=1 B=/lightexit/build/lab -C tests/oracle check \
		LX_SCALE="${LX_SCALE:-1}" ;;
	lockstep) lab/enter make LAB=1 B=/lightexit/build/lab -C tests/lockstep check ;;
	lockstep-vm) lab/run --cpus 1 --timeout $((900 * ${LX_SCALE:-1})) -- tests/lockstep/run.sh \
		--seed "${LX_SEED:-1}" --steps $((10000 * ${LX_SCALE:-1})) ;;
	fuzz) lab/enter make LAB=1 B=/lightexit/build/lab -C tests/lockstep fuzz ;;
	lint) lab/enter --bind "$(lab/checkpatch --dir):/lab" tests/lint.sh ;;
	examples) lab/run --timeout 300 -- examples/selftest.sh ;;
	boot) boots ;;
	new) lab/enter make LAB=1 B=/lightexit/build/lab -C loader check-new \
		check-install check-completion ;;
	verify) lab/run --timeout 300 -- tests/verify/run.sh ;;
	bench) tests/bench/run.sh --check ;;
	demo) lab/enter tests/demo.sh build/bench/results.json "$logs/boot.json" ;;
	litmus) tests/litmus/run.sh ;;
	firmware) tests/firmware/check.sh ;;
	vm-quick) lab/run --timeout 300 -- tests/vm/run.sh 'refusals*' ;;
	vm-debug) vm_debug ;;
	vm-*) lab/run --kernel "${1#vm-}" --timeout $((2400 * ${LX_SCALE:-1})) -- \
		env LX_SCALE="${LX_SCALE:-1}" tests/vm/run.sh ;;
	*) echo "unknown suite '$1'"; return 2 ;;
	esac
}

# On the debug kernel a system call takes ten times as long, and a fork twenty-five times: so
# fewer repetitions, in two machines side by side, and all time-outs times twenty.
vm_debug() {
	local part parts=() status=0 claims=$logs/vm-debug.claims
	rm -rf "$claims"
	mkdir "$claims"
	for part in 1 2; do
		(
			lab/run --kernel debug --timeout 9000 -- env LX_SCALE=0.3 LX_PATIENCE=20 \
				CLAIMS="$claims" tests/vm/run.sh 2>&1 | tee "$logs/vm-debug.$part.log"
			exit "${PIPESTATUS[0]}"
		) &
		parts+=($!)
	done
	for part in "${parts[@]}"; do
		wait "$part" || status=$?
	done
	for part in 1 2; do
		last_line "$logs/vm-debug.$part.log"
	done | sum_lines 2
	return $status
}

# A machine for each, which has stood still on a busy host, without a word from anybody
# (docs/decisions.md 18): then another one, up to three in all. Without ERMS and FSRM they
# take a quarter less time; docs/attach.md says so beside its figures.
boots() {
	local x try rc status=0
	for x in boot ide attach; do
		for try in 1 2 3; do
			lab/run --icount --cpu -erms,-fsrm --timeout 600 -- env BOOT_JSON="$logs/boot.json" \
				examples/selftest.sh "$x" >"$logs/boot.$x.log" 2>&1
			rc=$?
			cat "$logs/boot.$x.log"
			[ $rc -eq 124 ] || break
			echo "# examples/$x: try $try stood still"
		done
		[ $rc -eq 0 ] || status=$rc
	done
	for x in boot ide attach; do
		last_line "$logs/boot.$x.log"
	done | sum_lines 3
	return $status
}

# sum_lines N: of last lines, of which there should be N
sum_lines() {
	awk -v n="$1" '{ p += $1; f += $3; s += $5 } END {
		print p + 0 " passed, " f + n - NR " failed, " s + 0 " skipped" }'
}

last_line() {
	grep -E '^[0-9]+ passed, [0-9]+ failed(, [0-9]+ skipped)?$' "$1" | tail -n 1
}

# Adds a suite's last line, or else its TAP lines, to the sums; its status must agree with them.
count() {
	local name=$1 status=$2 seconds=$3 line p f s
	line=$(last_line "$logs/$name.log")
	[ "$line" ] || line="$(grep -c '^ok' "$logs/$name.log") passed, $(
		grep -c '^not ok' "$logs/$name.log") failed"
	read -r p _ f _ s _ <<<"$line"
	s=${s:-0}
	if [ "$status" -ne 0 ] && [ "$f" -eq 0 ]; then
		echo "not ok - $name ended with status $status"
		f=1
	elif [ $((p + f)) -eq 0 ]; then
		echo "not ok - $name ran no test"
		f=1
	fi
	if [[ $name == vm-* ]] && [ "$s" -ne 0 ]; then
		echo "not ok - $name skipped $s tests; it may skip none"
		f=$((f + 1))
	fi
	printf '== %s: %d passed, %d failed, %d skipped in %d s\n' "$name" "$p" "$f" "$s" "$seconds"
	passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
}

# The VM tests keep one CPU busy for as long as most others together: in `check` they run beside them,
# where there is another one. In a session of their own, so that they end with this script. Not
# beside boot: while an --icount machine waits for a busy host's disk its clock skips minutes.
beside=
start_beside() {
	echo "== $1: beside the others; $logs/$1.log"
	setsid tests/suites.sh "$1" >"$logs/beside.log" 2>&1 </dev/null &
	beside=$!
	trap 'kill -- "-$beside" 2>/dev/null' EXIT
}

end_beside() {
	local status=0
	echo "== $1"
	wait "$beside" || status=$?
	trap - EXIT
	cat "$logs/$1.log"
	count "$1" "$status" "$(sed -n "s/^== $1: .* in \([0-9]*\) s$/\1/p" "$logs/beside.log")"
}

suites=()
for s; do
	case $s in
	check) suites+=(unit oracle lockstep lockstep-vm fuzz lint lab examples new verify bench)
		if [ "$(nproc)" -gt 1 ]; then
			start_beside vm-stable
			suites+=(beside)
		else
			suites+=(vm-stable)
		fi
		suites+=(boot demo) ;;
	check-quick) suites+=(unit lint verify vm-quick) ;;
	*) suites+=("$s") ;;
	esac
done

for s in "${suites[@]}"; do
	[ "$s" != beside ] || { end_beside vm-stable; continue; }
	echo "== $s"
	start=$SECONDS
	run_suite "$s" 2>&1 </dev/null | tee "$logs/$s.log"
	count "$s" "${PIPESTATUS[0]}" $((SECONDS - start))
done
[ $((passed + failed)) -ne 0 ] || failed=1
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
