#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# guest-run.sh BENCH-ARGUMENT...: in the lab's machine: loads both modules and runs bench.
set -eu
cd "$(dirname "$0")/../.."
B=${B:-$PWD/build/lab}
kmod=$B/kmod/$(uname -r)
insmod "$kmod/kernel/lightexit.ko"
insmod "$kmod/bench/lxbench.ko"
exec "$B/tests/bench/bench" --build "$B" "$@"
