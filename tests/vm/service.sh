#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# service.sh: for test_service: see service-lib.sh; a QEMU, and the hook called as libvirt calls it.
# Says what is wrong; the status is 0 if nothing is.
# shellcheck disable=SC2317 # until_true calls functions by their names
# shellcheck source=tests/vm/service-lib.sh
. "$(dirname "$0")/service-lib.sh"

# domain NAME OPERATION: as libvirt's qemuProcessFinishStartup() and others do
domain() {
	inside $hook "$1" "$2" begin - <<-END || wrong "$1 $2: the hook's status is not 0"
		<domain type='kvm'><name>$1</name></domain>
	END
}

# A name as libvirt allows it; QEMU wants its commas doubled.
vm='win10, the one with a name that is far longer than what the kernel has for a process'
inside qemu-system-x86_64 -nodefaults -no-user-config -display none -S -accel kvm -machine q35,hpet=on \
	-name "guest=${vm//,/,,},debug-threads=on" -pidfile "$tmp/qemu" &
# The file is there before the VM.
has_vm() { [ -s "$tmp/qemu" ] && inside find "/proc/$(cat "$tmp/qemu")/fd" -lname "*:kvm-vm" | grep -q .; }
until_true has_vm

echo 'win* --dry-run pmtimer hpet' >$conf
domain "$vm" prepare
domain "$vm" start
domain "$vm" stopped
[ "$(state "$vm")" = inactive ] || wrong "prepare, start or stopped started the unit: $(state "$vm")"

domain bsd started
until_true has_state bsd failed || wrong "no VM bsd runs; the unit is $(state bsd)"
[ "$(result bsd)" = exit-code ] || wrong "no VM bsd runs; the unit's result is $(result bsd)"

echo 'win* pmtimer hpett' >$conf
domain "$vm" started
until_true has_state "$vm" failed || wrong "the rules have a mistake; the unit is $(state "$vm")"
has_devices 0 || wrong "the rules have a mistake, and something is attached"

echo 'bsd pmtimer' >$conf
domain "$vm" reconnect
until_true has_state "$vm" inactive || wrong "no rule is for it; the unit is $(state "$vm")"
[ "$(result "$vm")" = success ] || wrong "no rule is for it; the result is $(result "$vm")"

printf '%s\n' '# both' 'win10-* none' 'win* --dry-run pmtimer hpet' >$conf
domain "$vm" started
until_true has_devices 3 || wrong "$(devices) devices are attached, not two PM timers' and an HPET"
until_true has_state "$vm" active || wrong "it is attached; the unit is $(state "$vm")"
domain "$vm" reconnect
until_true is_idle
has_devices 3 || wrong "attached again: $(devices) devices"

inside kill "$(cat "$tmp/qemu")"
until_true has_state "$vm" inactive || wrong "the VM has ended; the unit is $(state "$vm")"
[ "$(result "$vm")" = success ] || wrong "the VM has ended; the result is $(result "$vm")"
exit $status
