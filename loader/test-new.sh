#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# test-new.sh COMMAND CHECKOUT: what `lightexit new` writes builds, its test passes and can fail,
# and its object opens as a device of that name. Needs clang and bpftool, no module and no root.
# Builds with the types of every kernel that is here, or of VMLINUX_BTF alone. Prints TAP.
set -u

lightexit=$(readlink -f "$1")
checkout=$(readlink -f "$2")
kernels=()
for vmlinux in ${VMLINUX_BTF:-/sys/kernel/btf/vmlinux /lib/modules/*/build/vmlinux}; do
	[ ! -e "$vmlinux" ] || kernels+=("$vmlinux")
done
[ ${#kernels[@]} -ne 0 ] || { echo "no kernel's BTF: set VMLINUX_BTF" >&2; exit 2; }
vmlinux=${kernels[-1]}
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir" || exit 2
n=0 failed=0

# check WHAT STATUS TEXT COMMAND...: it ends with STATUS, and its output holds TEXT
check() {
	local what=$1 status=$2 text=$3 out rc
	shift 3
	out=$("$@" 2>&1)
	rc=$?
	n=$((n + 1))
	if [ "$rc" -eq "$status" ] && [[ $out == *"$text"* ]]; then
		echo "ok $n - $what"
		return
	fi
	failed=$((failed + 1))
	echo "not ok $n - $what"
	echo "# wanted status $status and \"$text\"; got status $rc and:"
	while IFS= read -r line; do echo "# $line"; done <<<"$out"
}

build=(make -C blinker "LIGHTEXIT=$checkout" "VMLINUX_BTF=$vmlinux")
loader=$(dirname "$lightexit")

check 'new writes five files' 0 'blinker/blinker.bpf.c' "$lightexit" new blinker
check 'the files are there' 0 '' test -e blinker/Makefile -a -e blinker/test_blinker.c \
	-a -e blinker/blinker.h -a -e blinker/blinker_model.h
check 'no placeholder is left' 1 '' grep -ri lxname blinker
for kernel in "${kernels[@]}"; do
	check "the program builds, with the types of $kernel" 0 '' \
		"${build[@]}" "VMLINUX_BTF=$kernel" clean all
done
check 'the test builds and passes' 0 'blinker: ok' "${build[@]}" check
cat >open.c <<'END'
#include <stdio.h>
#include <lightexit/lightexit.h>
static void say(void *ctx, enum lx_log_level level, const char *msg)
{
	if (level == LX_LOG_WARN)
		puts(msg);
}
int main(int argc, char **argv)
{
	struct lx_open_opts opts = { .sz = sizeof(opts), .dir = argc > 2 ? argv[2] : NULL };
	struct lx_device *dev;
	unsigned int n;
	lx_set_log(say, NULL);
	if (lx_device_open(argv[1], &opts, &dev))
		return 1;
	const struct lx_region *r = lx_device_regions(dev, &n);
	printf("%s: %u region, space %u, 0x%llx+0x%llx\n", lx_device_name(dev), n, r->space, r->addr, r->len);
	lx_device_close(dev);
	return 0;
}
END
check 'a program of the library builds' 0 '' cc -I"$checkout/include" open.c "$loader/liblightexit.a" \
	-lbpf -lelf -lz -o open
check 'its object opens by path' 0 'blinker: 1 region, space 1, 0xfef00000+0x8' ./open blinker/blinker.bpf.o
check 'its object opens by name' 0 'blinker: 1 region' ./open blinker "$PWD/blinker"
check 'and by LIGHTEXIT_BPF_DIR' 0 'blinker: 1 region' env "LIGHTEXIT_BPF_DIR=$PWD/blinker" ./open blinker
check 'nothing is overwritten' 1 'is there already; nothing was written' "$lightexit" new blinker
check 'the test can fail' 2 'Assertion' sh -c \
	"sed -i 's/return LX_HANDLED/return LX_PASS/' blinker/blinker_model.h; ${build[*]} check"
check '--dir is taken, --json is printed' 0 '"other/x9_.bpf.c"' "$lightexit" new x9_ --dir other --json
check 'a name with a dash is refused' 2 'identifier of C' "$lightexit" new no-good
check 'a name with a slash is refused' 2 'identifier of C' "$lightexit" new a/b
check 'a digit in front is refused' 2 'begin with a letter' "$lightexit" new 9lives
check 'a name of 16 is refused' 2 'at most 15' "$lightexit" new abcdefghijklmnop
for name in '' _ _Bool __u32 _stdio; do
	check "'$name' is refused" 2 "'$name': it must begin with a letter" "$lightexit" new "$name"
done
for name in lx LX lx_name lx_bpf lightexit lightexit_io lightexit_ops; do
	check "$name is refused" 2 "'$name': what begins with lx_ or lightexit_" "$lightexit" new "$name"
done
check 'vmlinux is refused' 2 "'vmlinux': vmlinux.h is" "$lightexit" new vmlinux

# Names of C's, of the makefile's, of headers, and of what the kernel calls X, X_state, X_read or
# X_ops, which would all be wrong in the place of a name less common.
builds() { # NAME: its program and its test build, its test passes
	"$lightexit" new "$1" --dir named >/dev/null && cp blinker/vmlinux.h named &&
		make -s -C named "LIGHTEXIT=$checkout" all check
}
for name in uart asm NULL u32 all main linux static block bpf_probe check stdio LXNAME PG_movable \
	abcdefghijklmno; do
	check "$name builds" 0 "$name: ok" builds "$name"
	rm -rf named
done
check 'an unwritable directory is named' 1 '/proc/none: ' "$lightexit" new abc --dir /proc/none

# What cannot be written whole leaves nothing, and the next try works.
limited() { # ARG...: no file may grow beyond 1 KiB, which the makefile does
	(trap '' XFSZ; ulimit -f 1; "$lightexit" new "$@")
}
check 'a failed write says why' 1 ': small/Makefile: File too large' limited small
check 'it leaves no directory' 1 '' test -e small
mkdir kept && echo mine >kept/small
check 'nor a file in one that was there' 1 ': kept/Makefile: File too large' limited small --dir kept
check 'where other files stay' 0 'mine' cat kept/small
check 'and nothing else does' 0 '' sh -c 'rm kept/small && rmdir kept && mkdir kept'
check 'the next try works' 0 'kept/Makefile' "$lightexit" new small --dir kept

# What is no device program is refused by name of what is missing.
variant() { # NAME SED-SCRIPT: blinker's program, changed
	rm -rf "$1" && "$lightexit" new blinker --dir "$1" >/dev/null && cp blinker/vmlinux.h "$1" &&
		sed -i "$2" "$1/blinker.bpf.c" &&
		make -s -C "$1" "LIGHTEXIT=$checkout" "VMLINUX_BTF=$vmlinux" all
}
refused() { # WHAT TEXT NAME SED-SCRIPT
	check "$1 (builds)" 0 '' variant "$3" "$4"
	check "$1" 1 "$2" ./open "$3/blinker.bpf.o"
}
refused 'an object without the type' 'it has 0 struct_ops of type lightexit_ops instead of one; struct_ops in it: none' \
	none '/^SEC("struct_ops\/blink/,/^};/d'
# shellcheck disable=SC2016 # the $ is sed's last line
refused 'two of the type' 'it has 2 struct_ops of type lightexit_ops' two \
	'$a SEC(".struct_ops.link") struct lightexit_ops second = { .read = (void *)blinker_io_read, .name = "second" };'
refused 'another struct_ops type' 'struct_ops in it: blinker_io_ops (tcp_congestion_ops)' tcp \
	's/^struct lightexit_ops blinker.*/struct tcp_congestion_ops blinker_io_ops = { .release = (void *)blinker_io_read };/; /^\t\.\(read\|sz\|nr_\|reg\|name\)/d; /^};/d'
refused 'no state' '0 maps could be its state' nostate 's/^LX_STATE_MAP.*/struct { __uint(type, BPF_MAP_TYPE_ARRAY); __uint(max_entries, 2); __type(key, __u32); __type(value, struct blinker_accel); } blinker_accel SEC(".maps");/'
# shellcheck disable=SC2016
refused 'two states' '2 maps could be its state' states '$a LX_STATE_MAP(more, struct blinker_accel);'
refused 'nine regions' 'it has 9 regions; a device has 1 to 8' nine 's/nr_regions = 1/nr_regions = 9/'
refused 'a bad name' 'its name "a b" is not' badname 's/\.name = .*/.name = "a b",/'
refused 'no name' 'its name "" is not' noname 's/\.name = .*//'

echo "1..$n"
[ "$failed" -eq 0 ]
