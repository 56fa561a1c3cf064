#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# run.sh OPTION...: in the lab's machine, of one CPU: loads the module and runs the KVM rig with
# these options; see kvm.c. Ends with "N passed, N failed, N skipped".
set -u
cd "$(dirname "$0")/../.." || exit 2
B=${B:-$PWD/build/lab}
export LS_BPF_DIR=$B/tests/lockstep/bpf

[ "$(nproc)" -eq 1 ] || { echo "run.sh: give lab/run --cpus 1: see kvm.c" >&2; exit 2; }
insmod "$B/kmod/$(uname -r)/kernel/lightexit.ko" || exit 2
exec "$B/tests/lockstep/kvm/lockstep" "$@"
