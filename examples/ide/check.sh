#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
# Tests examples/ide: see check-lib.sh. Boots this host's own kernel, and loads its driver there.
# shellcheck source=examples/check-lib.sh
. "$(dirname "$0")/../check-lib.sh"

top=$(dirname "$0")/..
bytes=262144

# part N: of the disk, in pieces of what a phase moves
part() {
	dd if="$dir/disk" bs=$bytes skip="$1" count=1 2>/dev/null
}

same_parts() {
	for i in 2 3 4 5; do
		part $i | cmp - "$dir/source" || return
	done
}

# booted PATH: what the guest printed, and wrote
booted() {
	each "$1: all commands, and no others" 8 'ide: .*: (64 commands of 64|4 commands of 4).?$'
	each "$1: DMA" 1 'ide: dma XFER_(MW_DMA|UDMA)_'
	each "$1: PIO" 1 'ide: pio XFER_PIO_'
	each "$1: what was read" 2 "ide: (dma|pio) md5 $md5 $md5"
	each "$1: the end" 1 'ide: done'
	each "$1: complaints" 0 \
		'lost interrupt|Emask|failed command|ata1.*(error|timeout|reset)|I/O error|BUG:|WARNING:'
	check "$1: what was written" same_parts
}

# boot PATH: on a disk whose first part is the source
boot() {
	cat "$dir/source" "$dir/zeros" >"$dir/disk"
	: >"$dir/console"
	expect "$1" 0 --path "$1" --initrd "$dir/initrd" --disk "$dir/disk" \
		--output "$dir/console" --json
	booted "$1"
}

"$top/boot/initrd.sh" "$top/ide/init" "$dir/initrd" ata_piix sd_mod 2>"$dir/err" || {
	echo "$name: skipped: $(cat "$dir/err")"
	exit 77
}
head -c $bytes /dev/urandom >"$dir/source"
head -c $((7 * bytes)) /dev/zero >"$dir/zeros"
md5=$(md5sum <"$dir/source" | cut -c 1-32)

boot vmm
# At the least: device, address, count, command; a status, the interrupt's, bus master's start.
# Linux writes the data port by 4 bytes.
json "vmm: 8 heavy exits for each DMA command, and one for each word of a PIO write" '
	length == 8 and all(.[]; .path == "vmm" and .answered == null and
		.commands * .bytes == 262144 and .heavy_exits >= 8 * .commands) and
	all(.[] | select(.mode == "pio" and .access == "write"); .heavy_exits >= .commands * .bytes / 4)'
if has_module; then
	boot bpf
	# And perhaps one that found the disk's thread in the lock: on a busy machine that was seen.
	json "bpf: one heavy exit for each command, and one for each sector of a PIO read" '
		length == 8 and all(.[]; .path == "bpf" and .answered > 0 and (.heavy_exits -
			.commands * (if .mode == "pio" and .access == "read"
				then 1 + .bytes / 512 else 1 end) | . == 0 or . == 1))'
fi
expect "no object, bpf" 1 --path bpf --bpf-dir "$dir" --initrd "$dir/initrd" --disk "$dir/disk"
check "no object, bpf: names it" grep -q "$dir/uart.bpf.o" "$dir/err"
expect "no disk" 2 --initrd "$dir/initrd"
expect "a disk that is not there" 1 --path vmm --initrd "$dir/initrd" --disk "$dir/none"
expect "help" 0 --help
finish
