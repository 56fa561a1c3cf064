#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# libvirt.sh: for test_service: see service-lib.sh; with libvirt's own daemon, which starts a domain,
# and finds it running when it is started again. Says what is wrong; the status is 0 if nothing is.
# shellcheck disable=SC2317 # until_true calls functions by their names
# shellcheck source=tests/vm/service-lib.sh
. "$(dirname "$0")/service-lib.sh"

# As root and without the rest of a host: cgroups, machined, virtlogd.
cat >/etc/libvirt/qemu.conf <<-END
	user = "root"
	group = "root"
	security_driver = "none"
	namespaces = []
	cgroup_controllers = []
	seccomp_sandbox = 0
	stdio_handler = "file"
END
vm='win10, by libvirt'
cat >"$tmp/domain" <<-END
	<domain type='kvm'>
	  <name>$vm</name>
	  <memory unit='MiB'>32</memory>
	  <os><type arch='x86_64' machine='q35'>hvm</type></os>
	  <features><acpi/></features>
	  <cpu mode='host-passthrough'/>
	  <clock><timer name='hpet' present='yes'/></clock>
	  <devices>
	    <emulator>$(command -v qemu-system-x86_64)</emulator>
	    <controller type='usb' model='none'/>
	    <memballoon model='none'/>
	  </devices>
	</domain>
END
virsh() { inside virsh --connect qemu:///system --quiet "$@"; }
answers() { virsh list >/dev/null 2>&1; }
start_libvirtd() {
	inside libvirtd 2>"$tmp/libvirtd" &
	until_true answers || {
		wrong "libvirtd does not answer"
		cat "$tmp/libvirtd"
		exit 1
	}
}
# It leaves its domains alone.
end_libvirtd() {
	inside pkill -x libvirtd
	wait $!
}

echo 'win* pmtimer hpet' >$conf
start_libvirtd
virsh create "$tmp/domain" || wrong "libvirt does not start the domain"
until_true has_devices 3 || wrong "it has started; $(devices) devices are attached, not two PM timers' and an HPET"
until_true has_state "$vm" active || wrong "it is attached; the unit is $(state "$vm")"

end_libvirtd
inside systemctl stop "$(unit "$vm")"
has_devices 0 || wrong "the unit was stopped; $(devices) devices are attached"
start_libvirtd
until_true has_devices 3 || wrong "libvirtd has found it running; $(devices) devices are attached"

virsh destroy "$vm" || wrong "libvirt does not end the domain"
until_true has_state "$vm" inactive || wrong "the domain has ended; the unit is $(state "$vm")"
has_devices 0 || wrong "the domain has ended; $(devices) devices are attached"
end_libvirtd
exit $status
