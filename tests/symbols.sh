#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# symbols.sh MODULE.ko [Module.symvers]: fails if the module imports a symbol of
# KVM's other than the three that every kernel from 6.12 on exports to all
# modules. Without the second argument it takes the Module.symvers of the kernel
# that the module was built for.
set -u

allowed='kvm_get_kvm kvm_get_kvm_safe kvm_put_kvm'
module=${1:?usage: symbols.sh MODULE.ko [Module.symvers]}
release=$(modinfo -F vermagic "$module" | cut -d' ' -f1)
symvers=${2:-/lib/modules/$release/build/Module.symvers}

die()
{
	echo "symbols.sh: $1" >&2
	exit 2
}

[ -n "$release" ] || die "$module: no kernel module"
[ -r "$symvers" ] || die "$symvers: not readable; install the headers of kernel $release"

# Module.symvers: CRC, symbol, the object that exports it, kind, namespace.
kvm=$(awk '$3 ~ /(^|\/)kvm[^\/]*$/ { print $2 }' "$symvers" | sort)
[ -n "$kvm" ] || die "$symvers lists no symbol of KVM's: is KVM a module of kernel $release?"
imported=$(nm -u "$module" | awk '{ print $NF }' | sort)
[ -n "$imported" ] || die "$module: nm -u shows no symbols"

forbidden=$(comm -12 <(echo "$imported") <(echo "$kvm") | grep -vxF "${allowed// /$'\n'}")
if [ -n "$forbidden" ]; then
	echo "$module imports from KVM: ${forbidden//$'\n'/ }"
	echo "(newer kernels export only these to other modules: $allowed)"
	exit 1
fi
