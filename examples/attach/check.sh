#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
# Tests lightexit attach with Linux: see check-lib.sh; PROGRAM is the guest's init. An unmodified QEMU
# boots this host's own kernel, which reads its clocks before, while and after they are answered in
# the host's kernel. Prints what that saves.
# shellcheck source=examples/check-lib.sh
. "$(dirname "$0")/../check-lib.sh"

calls=10000
seconds=60
event=/sys/kernel/tracing/events/kvm/kvm_userspace_exit
declare -A got

skip() {
	echo "$name: skipped: $*"
	exit 77
}

# answer: reads the guest's console up to its next answer, $line
answer() {
	while read -r -t 600 line <&"$from"; do
		line=${line%$'\r'}
		echo "$line" >>"$dir/console"
		[[ $line != clocks:* ]] || return 0
	done
	line=
	cp "$dir/console" "$dir/out"
	return 1
}

# Of all VMs, by KVM's tracepoint.
heavy_exits() {
	sed -n 's/^ *Hits: //p' $event/hist
}

# ask SOURCE CALLS SECONDS: as init.c has it; $cycles, $ns, $span, $width of the answer, and the heavy
# $exits meanwhile
ask() {
	local before is backward
	before=$(heavy_exits)
	echo "$*" >&"$to"
	answer
	exits=$(($(heavy_exits) - before))
	read -r _ is cycles backward ns span width <<<"$line"
	check "$1 is the clock source: $line" test "$is" = "$1"
	check "$1: no backward step: $line" test "$backward" = 0
}

# measure SOURCE WHEN
measure() {
	ask "$1" $calls 0
	got[$1.$2.exits]=$exits
	got[$1.$2.cycles]=$((cycles / calls))
	ask "$1" 1 $seconds
	got[$1.$2.rate]="$ns / $span"
	got[$1.$2.unsure]="$width / $span"
}

# await_answers SOURCE: until most of its reads are answered, in vain if $exits are many then
await_answers() {
	local i
	for ((i = 0; i < 30; i++)); do
		ask "$1" 1000 0
		[ "$exits" -ge 500 ] || return
	done
}

ppm() {
	awk "BEGIN { printf \"%.3f\", ($*) * 1e6 }"
}

# compare SOURCE: attached, and before
compare() {
	local off=${got[$1.off.exits]} on=${got[$1.on.exits]} drift unsure
	drift=$(ppm "(${got[$1.on.rate]}) / (${got[$1.off.rate]}) - 1")
	unsure=$(ppm "${got[$1.on.unsure]} + ${got[$1.off.unsure]}")
	check "$1: $off heavy exits for $calls calls" test "$off" -ge $calls
	check "$1: $on heavy exits of $off are left" test $((20 * on)) -le "$off"
	check "$1: two thirds of the cycles" test $((3 * got[$1.on.cycles])) -le $((2 * got[$1.off.cycles]))
	check "$1: a drift of $drift ppm, known to $unsure" \
		test "$(ppm "($drift < 1 && $drift > -1 && $unsure < 1) / 1e6")" = 1.000
	echo "$1: $calls calls: $off heavy exits, attached $on; ${got[$1.off.cycles]} cycles each," \
		"attached ${got[$1.on.cycles]}; drift in $seconds s $drift ppm, known to $unsure"
}

# Histograms as shares up to each bound, and where 99 % are.
# shellcheck disable=SC2016 # jq's variables
histograms='def upto: (map(.n) | add) as $all | [foreach .[] as $b (0; . + $b.n; {to: $b.to_ns, share: (100 * . / $all)})];
	def p99: first(upto[] | select(.share >= 99)).to;
	def shown: [upto[] | "\(.to) ns \(.share * 100 | round / 100) %"] | join(", ");'

has_module || skip "no module"
[ -w $event/trigger ] || skip "no $event/trigger"
"$(dirname "$0")/../boot/initrd.sh" "$example" "$dir/initrd" 2>"$dir/err" || skip "$(cat "$dir/err")"
touch "$dir/out" "$dir/console"
echo hist:keys=reason >$event/trigger
vm='' attach=''
end() {
	echo '!hist:keys=reason' >$event/trigger
	[ -z "$attach" ] || kill -9 "$attach"
	[ -z "$vm" ] || kill -9 "$vm"
	rm -rf "$dir"
}
trap end EXIT
coproc qemu {
	exec qemu-system-x86_64 -nodefaults -no-user-config -display none -no-reboot -accel kvm \
		-cpu host,-kvmclock,-kvm-pv-eoi -machine q35,hpet=on -m 256 -serial stdio \
		-kernel "/boot/vmlinuz-$(uname -r)" -initrd "$dir/initrd" \
		-append "console=ttyS0 loglevel=5 panic=-1" 2>"$dir/err"
}
vm=$!
exec {to}>&"${qemu[1]}" {from}<&"${qemu[0]}"
check "it boots" answer
for source in acpi_pm hpet; do
	measure $source off
done

lightexit attach --json --pid "$vm" pmtimer hpet >"$dir/attached" 2>"$dir/err" &
attach=$!
for source in acpi_pm hpet; do
	await_answers $source
	check "$source is answered: $exits heavy exits for 1000 calls" test "$exits" -lt 500
	measure $source on
done
kill -INT $attach
check "attach ends" wait $attach
attach=''
for source in acpi_pm hpet; do
	ask $source 1000 0
	check "$source: $exits heavy exits for 1000 calls when all is over" test "$exits" -ge 1000
	compare $source
done
echo off >&"$to"
answer
check "it powers off" wait "$vm"
vm=''

tail -n 1 "$dir/attached" >"$dir/out"
json "each has answered, and nothing above the VMM's" '.devices | length == 3 and
	all(.[] | select(.samples > 0); .handled >= 10000 and .above == 0) and
	(map(select(.samples > 0)) | length == 2)'
json "99 % of answers lag the VMM's by no more than 99 % of heavy exits take" "$histograms"'
	all(.devices[] | select(.samples > 0); (.behind_ns | p99) <= (.exit_ns | p99))'
jq -r "$histograms"'.devices[] | select(.samples > 0) |
	"\(.device): heavy exits take up to: \(.exit_ns | shown)", "\(.device): answers lag by up to: \(.behind_ns | shown)"' \
	"$dir/out"
each "complaints" 0 'unstable|BUG:|WARNING:|Call Trace'
finish
