#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# service.sh: in the lab's machine, for test_service: libvirt's hook and the unit, as installed, with
# a systemd and a QEMU in a PID namespace. The hook is called as libvirt calls it. Says what is
# wrong; the status is 0 if nothing is. systemd's log is on the machine's console.
# shellcheck disable=SC2317 # until_true and trap call functions by their names
set -u
loader=$(readlink -f "$LX_KMOD_DIR/../..")/loader
tmp=$(mktemp -d)
hook=/etc/libvirt/hooks/qemu.d/lightexit
conf=/etc/lightexit/attach.conf
installed=(/usr/local/bin/lightexit /usr/local/lib/lightexit /usr/local/lib/systemd /etc/libvirt /etc/lightexit)
status=0
init=

end() {
	[ -z "$init" ] || kill -9 "$init"
	rm -rf "${installed[@]}" "$tmp"
}
trap end EXIT

wrong() {
	echo "$*"
	status=1
}

# until COMMAND...: waits for at most 300 s, or LX_PATIENCE times that
until_true() {
	local i
	for ((i = 0; i < 3000 * ${LX_PATIENCE:-1}; i++)); do
		"$@" && return 0
		sleep 0.1
	done
	return 1
}

install -D "$(command -v lightexit)" /usr/local/bin/lightexit
mkdir -p /usr/local/lib/lightexit /etc/lightexit "$tmp/units"
cp "$LIGHTEXIT_BPF_DIR"/*_watch.bpf.o /usr/local/lib/lightexit
install -D -m 644 "$loader/lightexit-attach@.service" -t /usr/local/lib/systemd/system
install -D -m 755 "$loader/libvirt-hook" $hook
for target in sysinit basic shutdown test; do
	printf '[Unit]\nDefaultDependencies=no\n' >"$tmp/units/$target.target"
done

# No units but ours: the host's would start half of Debian.
unshare --pid --uts --fork --mount --mount-proc --kill-child env container=lab SYSTEMD_GENERATOR_PATH="$tmp" \
	SYSTEMD_UNIT_PATH="$tmp/units:/usr/local/lib/systemd/system" sh -c 'mount -t tmpfs run /run &&
	mkdir /run/systemd && exec /lib/systemd/systemd --system --unit=test.target --show-status=no \
		--log-target=console' &
unshare=$!
has_init() { init=$(pgrep -P "$unshare"); }
inside() { nsenter -t "$init" -m -p "$@"; }
is_up() { [ "$(inside systemctl is-system-running 2>/dev/null)" = running ]; }
until_true has_init
if ! until_true is_up; then
	echo "systemd does not come up"
	exit 1
fi

# domain NAME OPERATION: as libvirt's qemuProcessFinishStartup() and others do
domain() {
	inside $hook "$1" "$2" begin - <<-END || wrong "$1 $2: the hook's status is not 0"
		<domain type='kvm'><name>$1</name></domain>
	END
}
unit() { systemd-escape --template=lightexit-attach@.service -- "$1"; }
state() { inside systemctl show -P ActiveState "$(unit "$1")"; }
result() { inside systemctl show -P Result "$(unit "$1")"; }
devices() { lightexit list --json | grep -c '"name"'; }
is_idle() { ! inside systemctl list-jobs --no-legend | grep -q lightexit; }
has_devices() { [ "$(devices)" -eq "$1" ]; }
has_state() { [ "$(state "$1")" = "$2" ]; }

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
