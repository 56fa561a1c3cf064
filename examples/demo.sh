#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# demo.sh: a guest reads the HPET's counter and the ACPI PM timer, answered by the VMM and by BPF
# programs in the host's kernel. Builds all of it, boots a stock kernel in the lab with a clock that
# counts instructions, prints what a read costs, and writes build/demo/report.md and exits.png.
# `make demo` has set the lab up.
#   demo.sh --report   the last part alone, inside lab/enter
set -eu -o pipefail
cd "$(dirname "$0")/.."
out=build/demo
registers='[["hpet.counter.read", "HPET counter, 8 bytes"],
	["hpet.counter.read32", "HPET counter, 4 bytes"], ["pmtimer.read", "PM timer, 4 bytes"]]'

step() {
	printf '\n== %s (%d s)\n' "$1" "$SECONDS"
}

# rows: register, path, accesses, heavy exits, instructions, vmm / this; tab-separated
rows() {
	jq -r --argjson registers "$registers" '
		. as $all | $registers[] | . as [$case, $name] |
		($all[] | select(.case == $case and .path == "vmm")) as $vmm |
		$all[] | select(.case == $case) |
		[$name, .path, .accesses, .heavy_exits, .instructions_per_access,
		 $vmm.instructions_per_access / .instructions_per_access] | @tsv' "$out/results.json"
}

table() {
	printf '%-22s %-5s %9s %12s %13s %10s\n' REGISTER PATH ACCESSES 'HEAVY EXITS' \
		INSTRUCTIONS 'VMM / THIS'
	rows | while IFS=$'\t' read -r name path accesses exits cost ratio; do
		printf '%-22s %-5s %9d %12d %13.1f %10.2f\n' "$name" "$path" "$accesses" "$exits" \
			"$cost" "$ratio"
	done
}

report() {
	cat <<-EOT
	# A guest's timer reads: the VMM, and BPF in the host's kernel

	A guest reads two timers of a PC over and over. On the path *vmm* each read is a heavy exit:
	guest, kernel, VMM, kernel, guest. On the path *bpf* a program that the VMM attached answers
	inside the kernel: guest, kernel, guest. Both run the same model of the device.

	| Register | Path | Accesses | Heavy exits | Instructions per access | vmm / this |
	|---|---|--:|--:|--:|--:|
	EOT
	rows | while IFS=$'\t' read -r name path accesses exits cost ratio; do
		printf '| %s | %s | %d | %d | %.1f | %.2f |\n' "$name" "$path" "$accesses" "$exits" \
			"$cost" "$ratio"
	done
	cat <<-EOT

	![Instructions per read](exits.png)

	- Kernel: Debian's $(cat "$out/release"), unmodified, with the module lightexit.
	- Machine: emulated by $(qemu-system-x86_64 --version | sed -n '1s/ (.*//p') with
	  -icount; its clock counts instructions, those of guest, kernel and VMM together.
	- Not counted: what the world switch costs beyond its instructions, caches and TLBs, the waiting
	  of fences and atomic operations, contention of vCPUs.
	- The answers were checked: the counters moved as fast as the clock, and the heavy exits are the
	  VMM's own count.

	\`make bench\` measures writes, C in the kernel, bare and declined exits, too;
	\`make bench HOST=1\` does it by time on a real host.
	EOT
}

chart() {
	rows | awk -F '\t' -v OFS='\t' '
		$2 == "vmm" { vmm = $5 }
		$2 == "bpf" { name = $1; sub(/, /, "\\n", name); print "\"" name "\"", vmm, $5 }' >"$out/exits.dat"
	gnuplot -e "data='$out/exits.dat'; image='$out/exits.png'" examples/demo.gp
}

if [ "${1-}" = --report ]; then
	report >"$out/report.md"
	chart
	table
	exit
fi

mkdir -p "$out"
step "building the module, the programs, the library and the example VMM"
make lab
step "booting the lab's machine; a guest reads its timers on both paths"
lab/kernels --release stable >"$out/release"
lab/run --icount --timeout 300 -- tests/bench/guest-run.sh --path vmm --path bpf --case pmtimer.read \
	--case hpet.counter.read --case hpet.counter.read32 --output "$out/results.json" | sed '/^$/,$d'
step "result"
lab/enter examples/demo.sh --report
printf '\nWritten: %s/report.md, %s/exits.png (%d s in all)\n' "$out" "$out" "$SECONDS"
