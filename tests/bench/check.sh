#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# check.sh RESULTS.json REPEAT.json LOG: holds the results of two runs, and what the first one
# printed, against the limits at the end, which are instructions per access on the stable kernel:
# what docs/speed.md explains, and one to five per cent. One "ok" or "not ok" line each, then "N passed,
# N failed, N skipped".
set -u
results=$1 repeat=$2 log=$3
passed=0 failed=0

# at_most TEXT VALUE LIMIT; jq writes what is below 0.0001 with an exponent
at_most() {
	if [[ $2 =~ ^-?[0-9]+(\.[0-9]+)?(e-[0-9]+)?$ ]] && awk -v v="$2" -v l="$3" 'BEGIN { exit !(v <= l) }'; then
		echo "ok - bench: $1: $2, at most $3"
		passed=$((passed + 1))
	else
		echo "not ok - bench: $1: ${2:-no value}, at most $3"
		failed=$((failed + 1))
	fi
}

# figure CASE PATH FILTER: of that row
figure() {
	jq -r --arg c "$1" --arg p "$2" ".[] | select(.case == \$c and .path == \$p) | $3" "$results"
}

# cost CASE PATH
cost() {
	figure "$1" "$2" .instructions_per_access
}

# calc EXPRESSION [DIGITS]; nothing if a value is missing
calc() {
	awk "BEGIN { printf \"%.${2-3}f\", $1 }" 2>/dev/null
}

# check_case NAME RATIO BPF VMM DECLINED: limits of bpf / kernel-c, bpf, vmm (which no slow VMM may flatter)
# and declined - none
check_case() {
	local name=$1 bpf
	bpf=$(cost "$name" bpf)
	at_most "$name: bpf / kernel-c" "$(calc "($bpf) / ($(cost "$name" kernel-c))")" "$2"
	at_most "$name: bpf" "$bpf" "$3"
	at_most "$name: vmm" "$(cost "$name" vmm)" "$4"
	at_most "$name: declined - none" \
		"$(calc "($(cost "$name" declined)) - ($(cost "$name" none))" 1)" "$5"
}

# check_service NAME VMM BPF [KERNELS RATIO]: limits of vmm, bpf, and bpf / what KVM itself has
check_service() {
	local name=$1 bpf
	bpf=$(cost "$name" bpf)
	at_most "$name: vmm" "$(cost "$name" vmm)" "$2"
	at_most "$name: bpf" "$bpf" "$3"
	[ $# -lt 5 ] || at_most "$name: bpf / $4" "$(calc "($bpf) / ($(cost "$name" "$4"))")" "$5"
}

# check_attach NAME QEMU ATTACH RATIO: limits of an unmodified QEMU, of lightexit attach to it, and of the
# second over the first
check_attach() {
	local attach
	attach=$(cost "$1" attach)
	at_most "$1: qemu" "$(cost "$1" qemu)" "$2"
	at_most "$1: attach" "$attach" "$3"
	at_most "$1: attach / qemu" "$(calc "($attach) / ($(cost "$1" qemu))")" "$4"
}

# check_paced NAME LIMIT: of the reads that are passed for verification, at 10^5 a second
check_paced() {
	at_most "$1: verified at 100000 reads a second" "$(calc "$(sed -n \
		"s/^$1: of \([0-9]*\) reads, 100000 a second, \([0-9]*\) were passed.*/\2 \/ \1/p" "$log")")" "$2"
}

# check_beside NAME COST: what attach to another VM costs a VMM's exit
check_beside() {
	at_most "$1: beside - vmm" "$(calc "($(cost "$1" beside)) - ($(cost "$1" vmm))" 1)" "$2"
}

# check_exits NAME PATH HEAVY [ALL]: limits of the exits of each access
check_exits() {
	at_most "$1: $2: heavy exits" "$(figure "$1" "$2" '.heavy_exits / .accesses')" "$3"
	[ $# -lt 4 ] || at_most "$1: $2: all exits" "$(figure "$1" "$2" '.exits / .accesses')" "$4"
}

# difference FILTER: the largest one between the two runs, of those rows; nothing if the rows are not
# the same. Of what takes a few instructions a timer's tick may be half.
difference() {
	jq -r -n --slurpfile a "$results" --slurpfile b "$repeat" '
		[$a[0], $b[0]] | map(map(select('"$1"'))) as [$a, $b] |
		if ($a | map([.case, .path])) == ($b | map([.case, .path])) and ($a | length) > 0 then
			[range($a | length) | ($a[.].instructions_per_access -
				$b[.].instructions_per_access | fabs) /
				([$b[.].instructions_per_access, 1000] | max)] | max * 1e5 | ceil / 1e5
		else empty end'
}

check_case pmtimer.read 1.20 1620 3350 295
check_case pio.write 1.20 1510 3160 300
check_case hpet.counter.read 1.08 4105 6095 290
check_case hpet.counter.read32 1.08 4075 6055 290
check_case mmio.write 1.07 3880 5475 295
check_case pio.sector.in 2.90 158000 19200 420
check_case pio.sector.out 1.14 606000 1730000 74000
check_service ide.status 3300 1600
check_service ide.dma.read4k 80500 45500
check_service ide.pio.sector 80500 62500
check_service ide.pio.sector.out 1800000 648000
check_service pit.read 7270 3960 kvm 1.19
check_service pit.read.latched 11040 5660 kvm 1.17
check_service rtc.read 6745 3190
check_service pci.config.read 6505 3125
check_service doorbell 6320 4080 ioeventfd 1.11
check_service doorbell.pio 4000 1710 ioeventfd 1.28
check_service doorbell.awake 5520 3935
check_service doorbell.wake 12750 10900 ioeventfd 1.05
check_service queue.write 5515 3950 coalesced 1.06
check_service queue.write.pio 3195 1580 coalesced 1.14
check_service mirror.read 6090 4240
check_service virtio.interrupt 11800 8425
check_service virtio.request 51000 44900
check_service uart.out 3640 1845
check_service uart.out.poll 6850 3370
check_attach pmtimer.read 4960 2260 0.47
check_attach hpet.counter.read 7690 4700 0.635
check_attach pmtimer.read.2vcpus 4950 2225 0.47
check_attach hpet.counter.read.2vcpus 7700 4700 0.635
check_beside pmtimer.read 450
check_beside hpet.counter.read 570
check_beside pio.write 427
check_beside mmio.write 415
check_beside ide.status 430
check_paced pmtimer.read 0.01
check_paced hpet.counter.read 0.01
at_most "mirror.read: mirror" "$(cost mirror.read mirror)" 10
at_most "virtio.request: mirror" "$(cost virtio.request mirror)" 41900
at_most "virtio.interrupt: mirror" "$(cost virtio.interrupt mirror)" 5350
check_exits doorbell bpf 0
check_exits queue.write bpf 0.005
check_exits pmtimer.read qemu 1.01
check_exits pmtimer.read attach 0.005
check_exits hpet.counter.read qemu 1.01
check_exits hpet.counter.read attach 0.005
check_exits mirror.read mirror 0 0.002
check_exits virtio.interrupt vmm 2
check_exits virtio.interrupt mirror 0 1.005
check_exits virtio.request vmm 3
check_exits virtio.request mirror 0.01 4.1
check_exits ide.dma.read4k vmm 22
check_exits ide.dma.read4k bpf 1
check_exits ide.pio.sector bpf 2
check_exits ide.pio.sector.out bpf 1
check_exits uart.out vmm 1.0625
check_exits uart.out bpf 0.005
check_exits uart.out.poll bpf 0.005
# QEMU has threads of its own, and two vCPUs share the CPU as the scheduler has it; so do the threads
# of a request, which sleep.
at_most "largest difference between two runs" "$(difference '.path != "qemu" and .path != "attach" and
	.case != "virtio.request"')" 0.005
at_most "largest difference between two runs of requests" \
	"$(difference '.case == "virtio.request"')" 0.015
at_most "largest difference between two runs with QEMU" \
	"$(difference '(.path == "qemu" or .path == "attach") and (.case | endswith("2vcpus") | not)')" 0.03
at_most "largest difference between two runs with QEMU, 2 vCPUs" \
	"$(difference '.case | endswith("2vcpus")')" 0.1
at_most "attaching a program, ms" \
	"$(sed -n 's/^Attaching took at most \([0-9.]*\) ms\.$/\1/p' "$log")" 20
echo "$passed passed, $failed failed, 0 skipped"
[ "$failed" -eq 0 ]
