#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# record-traces.sh DIR: in the lab's machine: records the traces of tests/unit/traces anew, of an
# unmodified QEMU, into DIR. Needs what `make lab` builds, and no module.
set -eu
cd "$(dirname "$0")/../.."
B=${B:-$PWD/build/lab}
export PATH=$B/loader:$PATH LIGHTEXIT_BPF_DIR=$B/bpf
out=$1
tmp=$(mktemp -d)
qemu=
trap '[ -z "$qemu" ] || kill "$qemu"; rm -rf "$tmp"' EXIT
mkdir -p "$out"
mkfifo "$tmp/monitor"

# start NAME ARG...: QEMU, paused
start() {
	qemu-system-x86_64 -nodefaults -no-user-config -display none -serial none -S -accel kvm \
		-name "guest=$1,debug-threads=on" -monitor stdio "${@:2}" <>"$tmp/monitor" >"$tmp/log" 2>&1 &
	qemu=$!
	sleep 2
}

end() {
	kill "$qemu"
	wait "$qemu" || :
	qemu=
}

# record NAME WHAT...: in the background, and begun
record() {
	rm -f "$tmp/said"
	lightexit record --pid "$qemu" --output "$out/$1.trace" --count 3000 --seconds 60 --json "${@:2}" >"$tmp/said" &
	recorder=$!
	until [ -s "$tmp/said" ]; do sleep 0.1; done
}

# Fields of struct torture, by their offset (tests/vm/qemu/torture.h)
put() {
	local bytes=$(($2 & 255)),$(($2 >> 8 & 255)),$(($2 >> 16 & 255)),$(($2 >> 24))
	# shellcheck disable=SC2046 # four numbers
	printf '%b' "$(printf '\\x%02x' $(tr , ' ' <<<"$bytes"))" |
		dd of="$tmp/mem" bs=1 seek=$((0x200000 + $1)) conv=notrunc status=none
}
get() {
	od -An -tu4 -j $((0x200000 + $1)) -N4 "$tmp/mem" | tr -d ' '
}
kind=8 go=12 addr=16 mask=20 writes=24 odd=28 online=4

# torture NAME WHAT FIELD VALUE...
torture() {
	local name=$1 what=$2
	start "$name" -machine q35,hpet=on,memory-backend=ram -smp 2 -cpu host -bios "$B/tests/vm/torture.rom" \
		-object "memory-backend-file,id=ram,share=on,size=32M,mem-path=$tmp/mem"
	echo cont >"$tmp/monitor"
	until [ "$(get $online)" = 2 ]; do sleep 0.1; done
	shift 2
	while [ $# -gt 0 ]; do
		put "$1" "$2"
		shift 2
	done
	record "$name" "$what"
	put $go 1
	wait "$recorder"
	end
}

torture torture_pmtimer pmtimer $kind 0 $addr 0x608 $mask 0xffffff $odd 200
torture torture_hpet hpet $kind 1 $addr 0xfed00000 $mask 0xffffffff $writes 300

# Without kvmclock SeaBIOS waits by the PM timer.
start seabios -machine q35 -smp 1 -m 32 -cpu host,-kvmclock -boot menu=on,splash-time=200
record seabios pmtimer pciconf
echo cont >"$tmp/monitor"
wait "$recorder"
end
