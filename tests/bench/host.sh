#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# host.sh: the benchmark by time, on this host's own KVM (make bench HOST=1). Needs root, KVM, and
# lightexit's module loaded; builds lxbench.ko, and loads it for the time of the run. Writes
# build/bench/host.json, in which ns_per_access stands for instructions_per_access.
set -u
cd "$(dirname "$0")/../.." || exit 2
B=${B:-$PWD/build/native}
release=$(uname -r)
headers=/lib/modules/$release/build
ko=$B/kmod/$release/bench/lxbench.ko

refuse() {
	echo "bench: $1" >&2
	exit 1
}

[ "$(id -u)" = 0 ] || refuse "not root: attaching programs and loading lxbench.ko need it"
[ -w /dev/kvm ] || refuse "no /dev/kvm: load kvm_intel or kvm_amd, enable virtualisation in the firmware"
[ -d /sys/module/lightexit ] ||
	refuse "the module lightexit is not loaded: make dkms-install, then modprobe lightexit"
[ -e "$headers/Makefile" ] ||
	refuse "no kernel headers at $headers: install them (Debian: linux-headers-$release)"
make bpf loader && make -C examples lib && make -C tests/bench all || exit 1
make lab-module KERNEL_RELEASE="$release" KDIR="$headers" || exit 1
if [ ! -d /sys/module/lxbench ]; then
	insmod "$ko" || refuse "$ko does not load; see dmesg"
	trap 'rmmod lxbench' EXIT
fi
paths=()
if ! command -v qemu-system-x86_64 >/dev/null; then
	echo "bench: no qemu-system-x86_64: without the paths qemu, attach and beside" >&2
	for p in vmm kernel-c ioeventfd coalesced kvm bpf mirror none declined; do
		paths+=(--path "$p")
	done
fi
mkdir -p build/bench
"$B/tests/bench/bench" --build "$B" --unit ns --accesses 200000 --output build/bench/host.json "${paths[@]}" ||
	exit 1
echo "bench: build/bench/host.json"
