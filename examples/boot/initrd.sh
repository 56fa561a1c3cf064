#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
# initrd.sh INIT OUT [MODULE...]: makes an initramfs of a static busybox, INIT, and the MODULEs of
# the running kernel with what they need, in /modules, whose file order names them in order.
# Needs busybox, cpio, and for MODULEs kmod and xz.
set -eu
[ $# -ge 2 ] || { echo "usage: initrd.sh INIT OUT [MODULE...]" >&2; exit 2; }
init=$1 out=$2
shift 2
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
mkdir -p "$dir/bin" "$dir/dev" "$dir/proc" "$dir/sys" "$dir/tmp" "$dir/modules"
cp "$(command -v busybox)" "$dir/bin/busybox"
cp "$init" "$dir/init"
for module; do
	modprobe --show-depends "$module"
done | sed -n 's/^insmod \([^ ]*\).*/\1/p' | while read -r file; do
	name=$(basename "$file")
	name=${name%.xz}
	[ ! -e "$dir/modules/$name" ] || continue
	case $file in
	*.xz) xz -dc "$file" >"$dir/modules/$name" ;;
	*) cp "$file" "$dir/modules/$name" ;;
	esac
	echo "${name%.ko}" >>"$dir/modules/order"
done
(cd "$dir" && find . | cpio --quiet -o -H newc -R 0:0) >"$out"
