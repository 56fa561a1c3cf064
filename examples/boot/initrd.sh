#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
# initrd.sh OUT: makes an initramfs for examples/boot of a static busybox and this directory's
# init. Needs busybox and cpio.
set -eu
out=${1:?usage: initrd.sh OUT}
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
mkdir -p "$dir/bin" "$dir/dev" "$dir/proc" "$dir/sys"
cp "$(command -v busybox)" "$dir/bin/busybox"
cp "$(dirname "$0")/init" "$dir/init"
(cd "$dir" && find . | cpio --quiet -o -H newc -R 0:0) >"$out"
