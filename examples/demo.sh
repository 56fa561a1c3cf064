#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# demo.sh: a guest reads registers of a PC's devices, and Linux boots, answered by the VMM and by BPF
# programs in the host's kernel. Builds all of it, boots a stock kernel in the lab with a clock that
# counts instructions, prints what it costs, and writes build/demo/report.md and exits.png.
# `make demo` has set the lab up.
#   demo.sh --measure        what runs in that machine
#   demo.sh --report [DIR]   the last part alone, inside lab/enter: of results.json and boot.json there
set -eu -o pipefail
cd "$(dirname "$0")/.."
B=${B:-$PWD/build/lab}
out=${2:-build/demo}
registers='[["hpet.counter.read", "HPET counter, 8 bytes"],
	["hpet.counter.read32", "HPET counter, 4 bytes"], ["pmtimer.read", "PM timer, 4 bytes"],
	["pit.read", "PIT count, 2 accesses"], ["rtc.read", "RTC second, 2 accesses"],
	["ide.status", "IDE status, 1 byte"], ["pci.config.read", "PCI config, 2 accesses"]]'
devices='{"uart": "UART", "rtc": "RTC", "pit": "PIT", "hpet": "HPET", "pmtimer": "PM timer",
	"pciconf": "PCI configuration"}'

step() {
	printf '\n== %s (%d s)\n' "$1" "$SECONDS"
}

# rows: register, path, reads, heavy exits, instructions, vmm / this; tab-separated
rows() {
	jq -r --argjson registers "$registers" '
		def given: if any(. == null) then error("a field is missing") else . end;
		. as $all | $registers[] | . as [$case, $name] |
		($all[] | select(.case == $case and .path == "vmm")) as $vmm |
		$all[] | select(.case == $case and (.path == "vmm" or .path == "bpf")) |
		[$name, .path, .accesses, .heavy_exits, .instructions_per_access,
		 $vmm.instructions_per_access / .instructions_per_access] | given | @tsv' \
		"$out/results.json"
}

# boot_rows: device, heavy exits on both paths, answered by BPF; tab-separated
boot_rows() {
	jq -r --argjson names "$devices" '
		def given: if any(. == null) then error("a field is missing") else . end;
		. as [$vmm, $bpf] | range($vmm.devices | length) as $i |
		[$names[$vmm.devices[$i].device], $vmm.devices[$i].heavy_exits,
		 $bpf.devices[$i].heavy_exits, $bpf.devices[$i].answered] | given | @tsv' "$out/boot.json"
	jq -r '. as [$vmm, $bpf] | ["all", $vmm.heavy_exits, $bpf.heavy_exits,
		([$bpf.devices[].answered] | add)] | @tsv' "$out/boot.json"
}

# What the two boots cost; in that machine a nanosecond of CPU time is an instruction
boot_cost() {
	jq -r '. as [$vmm, $bpf] | [$vmm.cpu_seconds, $bpf.cpu_seconds] |
		if any(. == null) then error("a field is missing") else . end | @tsv' "$out/boot.json" |
		awk '{ printf "%.2f billion instructions by the VMM, %.2f with programs", $1, $2 }'
}

table() {
	local boots
	boots=$(boot_cost)
	printf '%-22s %-5s %9s %12s %13s %10s\n' REGISTER PATH READS 'HEAVY EXITS' INSTRUCTIONS \
		'VMM / THIS'
	rows | while IFS=$'\t' read -r name path reads exits cost ratio; do
		printf '%-22s %-5s %9d %12d %13.1f %10.2f\n' "$name" "$path" "$reads" "$exits" \
			"$cost" "$ratio"
	done
	printf '\n%-22s %16s %16s %16s\n' 'A BOOT OF LINUX' 'HEAVY EXITS, VMM' 'HEAVY EXITS, BPF' \
		'ANSWERED BY BPF'
	boot_rows | while IFS=$'\t' read -r name vmm bpf answered; do
		printf '%-22s %16d %16d %16d\n' "$name" "$vmm" "$bpf" "$answered"
	done
	echo "$boots, Linux's own and its waiting for time included"
}

report() {
	local boots
	boots=$(boot_cost)
	cat <<-EOT
	# A guest's registers, and a boot: the VMM, and BPF in the host's kernel

	A guest reads registers of a PC's devices over and over. On the path *vmm* each access is a heavy
	exit: guest, kernel, VMM, kernel, guest. On the path *bpf* a program that the VMM attached
	answers inside the kernel: guest, kernel, guest. Both run the same model of the device.

	| Register | Path | Reads | Heavy exits | Instructions per read | vmm / this |
	|---|---|--:|--:|--:|--:|
	EOT
	rows | while IFS=$'\t' read -r name path reads exits cost ratio; do
		printf '| %s | %s | %d | %d | %.1f | %.2f |\n' "$name" "$path" "$reads" "$exits" \
			"$cost" "$ratio"
	done
	cat <<-EOT

	![Instructions per read, heavy exits of a boot](exits.png)

	Then Linux boots on a PC of these devices, up to a script that tries its clocks and powers off:

	| Device | Heavy exits, VMM | Heavy exits, programs | Answered by programs |
	|---|--:|--:|--:|
	EOT
	boot_rows | while IFS=$'\t' read -r name vmm bpf answered; do
		printf '| %s | %d | %d | %d |\n' "$name" "$vmm" "$bpf" "$answered"
	done
	cat <<-EOT

	The boots cost $boots, Linux's own and its waiting
	for time included.

	- Kernel: Debian's $(cat "$out/release"), unmodified, with the module lightexit; so is the guest's.
	- Machine: emulated by $(qemu-system-x86_64 --version | sed -n '1s/ (.*//p') with
	  -icount; its clock counts instructions, those of guest, kernel and VMM together.
	- Not counted: what the world switch costs beyond its instructions, caches and TLBs, the waiting
	  of fences and atomic operations, contention of vCPUs.
	- The answers were checked: the counters moved as fast as the clock, the other registers had the
	  device's values, and the heavy exits are the VMM's own count.
	- With the PIT there are KVM's interrupt controllers, which each exit pays for, on both paths.
	- *all* heavy exits of a boot: with those of devices that have no program.

	\`make bench\` measures writes, commands of the disk, C in the kernel, bare and declined exits, too;
	\`make bench HOST=1\` does it by time on a real host. \`build/lab/examples/boot\` has a boot's heavy
	exits by register.
	EOT
}

chart() {
	rows | awk -F '\t' -v OFS='\t' '
		$2 == "vmm" { vmm = $5 }
		$2 == "bpf" { name = $1; sub(/, /, "\\n", name); print "\"" name "\"", vmm, $5 }' >"$out/exits.dat"
	boot_rows | awk -F '\t' -v OFS='\t' '$1 == "all" { print "\"a boot of Linux\"", $2, $3 }' \
		>"$out/boot.dat"
	gnuplot -e "data='$out/exits.dat'; boot='$out/boot.dat'; image='$out/exits.png'" examples/demo.gp
}

measure() {
	local cases initrd
	mapfile -t cases < <(jq -r '.[][0] | "--case", .' <<<"$registers")
	tests/bench/guest-run.sh --path vmm --path bpf "${cases[@]}" --output "$out/results.json" |
		sed '/^$/,$d'
	echo "Linux boots, by the VMM and by BPF"
	initrd=$(mktemp)
	examples/boot/initrd.sh examples/boot/init "$initrd"
	"$B/examples/boot" --path bpf --bpf-dir "$B/bpf" --compare --initrd "$initrd" \
		--output "$out/console" --json >"$out/boot.json"
}

case ${1-} in
--measure) measure; exit ;;
--report) report >"$out/report.md"; chart; table; exit ;;
esac

mkdir -p "$out"
step "building the module, the programs, the library and the example VMM"
make demo-build
step "booting the lab's machine; a guest reads registers, and Linux boots, on both paths"
lab/kernels --release stable >"$out/release"
lab/run --icount --timeout 600 -- examples/demo.sh --measure
step "result"
lab/enter examples/demo.sh --report
printf '\nWritten: %s/report.md, %s/exits.png (%d s in all)\n' "$out" "$out" "$SECONDS"
