#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# run.sh GUEST:WHEN[,WHEN]...: in the lab's machine, of one CPU (docs/decisions.md 18): guests that
# nobody here wrote, of Debian's packages, in an unmodified QEMU: by themselves, with lightexit attached before
# their first instruction, and attached while they run. Each time they come to their usual end, and
# no answer was above the VMM's. One "ok" or "not ok" line each, then "N passed, N failed, N skipped".
set -u
cd "$(dirname "$0")/../.." || exit 2
B=${B:-$PWD/build/lab}
export LIGHTEXIT_BPF_DIR=$B/bpf PATH=$B/loader:$PATH
patience=$((180 * ${LX_PATIENCE:-1}))
dir=$(mktemp -d)
vm='' attach='' alone_mhz=0 passed=0 failed=0

kill_all() {
	[ -z "$attach" ] || kill -9 "$attach"
	[ -z "$vm" ] || kill -9 "$vm"
	rm -rf "$dir"
}
trap kill_all EXIT

# verdict STATUS TEXT
verdict() {
	if [ "$1" -eq 0 ]; then
		passed=$((passed + 1))
		echo "ok - $2"
	else
		failed=$((failed + 1))
		echo "not ok - $2"
	fi
}

# qemu ARG...: stopped before its first instruction; its serial line goes to $dir/console
qemu() {
	: >"$dir/console"
	coproc monitor {
		exec qemu-system-x86_64 -nodefaults -no-user-config -display none -no-reboot -S -accel kvm \
			-cpu host,-kvmclock -monitor stdio -serial "file:$dir/console" "$@" \
			2>"$dir/qemu" >/dev/null
	}
	vm=$!
	exec {hmp}>&"${monitor[1]}"
	until find "/proc/$vm/fd" -lname '*:kvm-vm' | grep -q .; do
		kill -0 $vm 2>/dev/null || return 1
		sleep 0.1
	done
}

end_qemu() {
	kill "$vm"
	wait "$vm"
	exec {hmp}>&-
	vm=
}

# until_said TEXT: waits for it
until_said() {
	local end=$((SECONDS + patience))
	until grep -q -a -F "$1" "$dir/console"; do
		if [ $SECONDS -ge $end ] || ! kill -0 "$vm" 2>/dev/null; then
			echo "# not in the console: '$1'; but:"
			tail -n 20 "$dir/console" | tr -d '\033\r' | sed 's/^/#   /'
			sed 's/^/# qemu: /' "$dir/qemu"
			return 1
		fi
		sleep 0.05
	done
}

start_attach() {
	lightexit attach --json --pid "$vm" pmtimer hpet >"$dir/attached" 2>"$dir/err" &
	attach=$!
	until [ -s "$dir/attached" ]; do
		kill -0 $attach 2>/dev/null || { sed 's/^/# /' "$dir/err"; return 1; }
		sleep 0.1
	done
}

# end_attach LEAST: at least so many reads were answered, and none too high
end_attach() {
	local told status=0
	kill -INT "$attach"
	wait "$attach" || status=$?
	attach=
	told=$(tail -n 1 "$dir/attached" | jq -r '[.devices[] | select(.handled + .passed > 0) |
		"\(.device) at \(.addr): \(.handled) answered, \(.passed) passed, \(.above) too high"] | join("; ")')
	echo "# ${told:-nothing was read}"
	tail -n 1 "$dir/attached" | jq -e --argjson least "$1" \
		'all(.devices[]; .above == 0) and ([.devices[].handled] | add) >= $least' >/dev/null || status=1
	return $status
}

# guest NAME WHEN LEAST BEGINNING END ARG...: WHEN: alone; first, attached before its first
# instruction; late, once it has said BEGINNING. LEAST: reads that are answered if it is attached
guest() {
	local name=$1 when=$2 least=$3 beginning=$4 end=$5 status=0 from=$SECONDS
	shift 5
	if ! qemu "$@"; then
		sed 's/^/# qemu: /' "$dir/qemu"
		vm=
		verdict 1 "$name, $when: no VM"
		return
	fi
	[ "$when" != first ] || start_attach || status=1
	echo cont >&"$hmp"
	until_said "$beginning" || status=1
	[ "$when" != late ] || start_attach || status=1
	[ $status -ne 0 ] || until_said "$end" || status=1
	[ -z "$attach" ] || end_attach "$least" || status=1
	end_qemu
	verdict $status "$name, $when ($((SECONDS - from)) s)"
}

# SeaBIOS places the PM timer, looks for devices, waits for a key, then for a disk, and gives up.
seabios() {
	guest seabios "$1" 100 SeaBIOS 'No bootable device.' -machine q35,graphics=off -m 64 \
		-device ich9-usb-ehci1 -device usb-tablet -boot menu=on,splash-time=2000
}

# UEFI comes to its shell, which waits five seconds.
ovmf() {
	guest ovmf "$1" 100 BdsDxe 'Shell>' -machine q35 -m 256 -bios /usr/share/ovmf/OVMF.fd
}

# The same where the PM timer is elsewhere.
ovmf_pc() {
	guest ovmf_pc "$1" 100 BdsDxe 'Shell>' -machine pc -m 256 -bios /usr/share/ovmf/OVMF.fd
}

# SeaBIOS starts iPXE, which waits for a key, gets an address, and finds nothing to boot.
ipxe() {
	guest ipxe "$1" 1 iPXE 'No more network devices' -machine q35,graphics=off -m 64 \
		-netdev user,id=net,ipv6=off -device virtio-net-pci,netdev=net
}

# Memtest86+ measures its CPU's clock by the PM timer, to a few per cent, and reads it no more.
memtest() {
	local mhz
	guest memtest "$1" 10 Memtest86+ '#4  [' -machine q35 -m 32 -kernel /boot/memtest86+x64.bin \
		-append console=ttyS0,115200
	mhz=$(sed -n 's/.*CLK.Temp: *\([0-9]*\)MHz.*/\1/p' "$dir/console" | head -n 1)
	if [ "$1" = alone ]; then
		alone_mhz=$mhz
	elif [ "$alone_mhz" -gt 0 ]; then
		[ $((10 * (mhz - alone_mhz))) -le "$mhz" ] && [ $((10 * (alone_mhz - mhz))) -le "$mhz" ]
		verdict $? "memtest, $1: measures $mhz MHz, alone $alone_mhz"
	fi
	! grep -q -a -E 'Errors: +[1-9]' "$dir/console"
	verdict $? "memtest, $1: finds no errors"
}

insmod "$B/kmod/$(uname -r)/kernel/lightexit.ko" || exit 2
for guest; do
	IFS=:, read -r -a words <<<"$guest"
	for when in "${words[@]:1}"; do
		"${words[0]}" "$when"
	done
done
tests/rmmod.sh || exit 2
echo "$passed passed, $failed failed, 0 skipped"
[ "$failed" -eq 0 ]
