#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
# Tests examples/regtable: see check-lib.sh.
# shellcheck source=examples/check-lib.sh
. "$(dirname "$0")/../check-lib.sh"

expect "table" 0 --path vmm --commands 100
check "table: a header and a row" test "$(wc -l <"$dir/out")" -eq 2
expect "vmm" 0 --path vmm --commands 300 --json
json "vmm: every access is a heavy exit, and the data of a command" '
	.path == "vmm" and .commands == 300 and .answered == null and .errors == 0 and
	.heavy_exits == .accesses + 300 and .polls >= 600'
if has_module; then
	expect "bpf" 0 --path bpf --commands 300 --json
	# Command and data; the control register, once. A poll may find the VMM changing the table.
	json "bpf: two heavy exits a command, and few more" '
		.path == "bpf" and .errors == 0 and .answered + .heavy_exits == .accesses + 300 and
		.answered >= 1000 and .heavy_exits >= 601 and .heavy_exits <= 700'
fi
expect "no commands" 2 --commands 0
expect "not a number" 2 --latency x
check_usage regtable --commands 10
finish
