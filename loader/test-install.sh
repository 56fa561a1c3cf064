#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# test-install.sh MAKE-INSTALL...: what that command, given DESTDIR, installs for systemd and
# libvirt: the unit is one, the hook harms no domain, a file of rules is not overwritten. Needs
# neither root nor a running systemd. Prints TAP.
set -u

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
n=0 failed=0

# check WHAT COMMAND...
check() {
	local what=$1 out
	shift
	n=$((n + 1))
	if out=$("$@" 2>&1); then
		echo "ok $n - $what"
		return
	fi
	failed=$((failed + 1))
	echo "not ok $n - $what"
	while IFS= read -r line; do echo "# $line"; done <<<"$out"
}

# The command is where the unit has it once it is there; here it is below DESTDIR.
verify() {
	local unit
	unit=$(find "$dir" -name 'lightexit-attach@.service')
	mkdir "$dir/units"
	sed "s|^ExecStart=|&$dir|" "$unit" >"$dir/units/${unit##*/}"
	# what it ignores is no failure of its own
	systemd-analyze verify --man=no "$dir/units/${unit##*/}" 2>&1 | tee "$dir/said"
	[ "${PIPESTATUS[0]}" = 0 ] && ! grep -q lightexit "$dir/said"
}

# As libvirt calls it, for each operation that it knows: silent, since its output would be taken
# for a domain's XML, and successful, since a domain would not start.
hook() {
	local operation said
	for operation in prepare start started stopped release migrate restore reconnect attach; do
		said=$("$dir/etc/libvirt/hooks/qemu.d/lightexit" 'win 10' "$operation" begin - \
			<<<'<domain type="kvm"><name>win 10</name></domain>') || return
		[ -z "$said" ] || { echo "$operation: $said"; return 1; }
	done
}

keeps_rules() {
	echo 'win* hpet' >"$dir/etc/lightexit/attach.conf"
	"$@" "DESTDIR=$dir" && grep -x 'win\* hpet' "$dir/etc/lightexit/attach.conf"
}

check 'installs' "$@" "DESTDIR=$dir"
check 'systemd finds nothing wrong with the unit' verify
check 'the rules match no VM at first' sh -c "test -s $dir/etc/lightexit/attach.conf && ! grep -v '^#' $dir/etc/lightexit/attach.conf"
check 'the hook is silent and successful' hook
check 'rules that are there stay' keeps_rules "$@"
echo "1..$n"
[ "$failed" -eq 0 ]
