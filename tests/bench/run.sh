#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# run.sh [--check]: measures in the lab, twice, with the machine's clock counting instructions
# (make lab has built everything), and checks the limits. Leaves in build/bench/ results.json,
# the second run's repeat.json and what the runs printed. --check (make check's) ends with status
# 1 if a limit is exceeded; without it only a failed measurement is a failure, and QEMU's two vCPUs
# are measured by time as well: wall.json.
set -u
cd "$(dirname "$0")/../.." || exit 2
out=build/bench
mkdir -p "$out"

measure() {
	rm -f "$out/$1.json"
	lab/run --icount --timeout 1200 -- tests/bench/guest-run.sh --output "$out/$1.json"
}

# On two CPUs. With periodic ticks, as a guest without exits may keep a CPU (docs/decisions.md 18).
measure_time() {
	rm -f "$out/wall.json"
	lab/run --cpus 2 --timeout 300 --append 'highres=off nohz=off no_timer_check' -- \
		tests/bench/guest-run.sh --unit ns --accesses 4000 --path qemu --path attach \
		--case pmtimer.read.2vcpus --case hpet.counter.read.2vcpus --output "$out/wall.json"
}

echo "bench: run 1 of 2: the machine boots, then about a minute"
measure results | tee "$out/results.log"
[ "${PIPESTATUS[0]}" -eq 0 ] || exit 1
echo
echo "bench: run 2 of 2, to see that the figures repeat"
measure repeat >"$out/repeat.log" || { cat "$out/repeat.log"; exit 1; }
lab/enter tests/bench/check.sh "$out/results.json" "$out/repeat.json" "$out/results.log"
status=$?
echo "bench: $out/results.json"
[ "${1-}" != --check ] || exit "$status"
echo
echo "bench: QEMU's two vCPUs by time: $out/wall.json"
measure_time
