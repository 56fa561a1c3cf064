# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# shellcheck shell=bash
# What service.sh and libvirt.sh share, which source it: in the lab's machine, libvirt's hook and the
# unit, as installed, with a systemd in a PID namespace, whose log is on the machine's console.
# wrong() says what is wrong; $status is 0 if nothing was.
# shellcheck disable=SC2317,SC2034 # functions are called by name, and some by one of them alone
set -u
loader=$(readlink -f "$LX_KMOD_DIR/../..")/loader
tmp=$(mktemp -d)
hook=/etc/libvirt/hooks/qemu.d/lightexit
conf=/etc/lightexit/attach.conf
installed=(/usr/local/bin/lightexit /usr/local/lib/lightexit /usr/local/lib/systemd "$hook" /etc/lightexit)
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

unit() { systemd-escape --template=lightexit-attach@.service -- "$1"; }
state() { inside systemctl show -P ActiveState "$(unit "$1")"; }
result() { inside systemctl show -P Result "$(unit "$1")"; }
devices() { lightexit list --json | grep -c '"name"'; }
is_idle() { ! inside systemctl list-jobs --no-legend | grep -q lightexit; }
has_devices() { [ "$(devices)" -eq "$1" ]; }
has_state() { [ "$(state "$1")" = "$2" ]; }
