#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
# Tests examples/uart: see check-lib.sh.
# shellcheck source=examples/check-lib.sh
. "$(dirname "$0")/../check-lib.sh"

expect "table" 0 --path vmm --bytes 1000
check "table: a header and two drivers" test "$(wc -l <"$dir/out")" -eq 3
expect "vmm" 0 --path vmm --json
# By polling, a look and a byte; by interrupts, two looks for 16 bytes; and few more to set it up.
json "vmm: 19 KB, every access is a heavy exit" '
	[.[].driver] == ["poll", "interrupt"] and
	all(.[]; .path == "vmm" and .bytes == 19456 and .answered == null and
		.heavy_exits == .accesses) and
	.[0].accesses >= 2 * 19456 and .[0].accesses <= 2 * 19456 + 10 and
	.[1].accesses >= 18 * 1216 and .[1].interrupts >= 1216'
expect "one driver, a file" 0 --path vmm --driver interrupt --bytes 130 --output "$dir/log" --json
json "one driver: one row" 'length == 1 and .[0].driver == "interrupt" and .[0].bytes == 130'
check "a file: the log" test "$(sed -n 2p "$dir/log")" = \
	"[    0.000037] acpiphp: Slot [0001] registered, no hotplug here"
if has_module; then
	expect "bpf" 0 --path bpf --json
	# An access may find the VMM in the state's lock, which takes the queue.
	json "bpf: 19 KB, at most one access of 20 is a heavy exit" '
		all(.[]; .path == "bpf" and .bytes == 19456 and .answered >= 19456 and
			.answered + .heavy_exits == .accesses and .heavy_exits * 20 <= .accesses)'
fi
expect "no bytes" 2 --bytes 0
expect "not a number" 2 --bytes 1k
expect "unknown driver" 2 --driver dma
expect "a file that cannot be" 1 --path vmm --bytes 10 --output "$dir/no/log"
check_usage uart --bytes 100 --driver poll
finish
