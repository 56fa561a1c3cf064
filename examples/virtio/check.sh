#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
# Tests examples/virtio: see check-lib.sh.
# shellcheck source=examples/check-lib.sh
. "$(dirname "$0")/../check-lib.sh"

expect "table" 0 --path vmm --requests 100
check "table: a header and a row" test "$(wc -l <"$dir/out")" -eq 2
expect "vmm" 0 --path vmm --requests 1000 --json
# An interrupt is a read of InterruptStatus and an acknowledgment; some registers set it up.
json "vmm: each doorbell a heavy exit, each interrupt two" '
	.path == "vmm" and .requests == 1000 and .answered == null and
	.doorbells >= 500 and .interrupts >= 500 and
	.heavy_exits >= .doorbells + .interrupts + .acknowledgments and
	.heavy_exits <= .doorbells + .interrupts + .acknowledgments + 60'
expect "batches" 0 --path vmm --requests 1000 --depth 8 --json
json "batches: at most one doorbell each" '.requests == 1008 and .doorbells <= 126'
if has_module; then
	expect "bpf" 0 --path bpf --requests 2000 --json
	# A write that finds the VMM in the lock passes.
	json "bpf: heavy exits to set it up, and hardly one for a doorbell or an interrupt" '
		.path == "bpf" and .requests == 2000 and .answered >= 1000 and
		.heavy_exits <= 24 + (.doorbells + .acknowledgments) / 20'
	json "bpf: a read is no exit at all" '.answered <= .doorbells + .acknowledgments + 24'
	expect "bpf, batches" 0 --path bpf --requests 1000 --depth 16
fi
expect "no requests" 2 --requests 0
expect "too deep" 2 --depth 17
expect "not a number" 2 --depth x
check_usage virtio_mmio --requests 10
finish
