#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# lint.sh: style, licences and symbols of every tracked file. Runs in the lab's
# rootfs (`make lint`), where the tools have the versions that decide.
#   CHECKPATCH   checkpatch.pl; otherwise that of installed kernel sources
#   B            build output (default build/lab): modules built there are checked too
# Prints one "ok" or "not ok" line for each check and "N passed, N failed, N skipped".
set -u

TOP=$(dirname -- "$(dirname -- "$(readlink -f -- "$0")")")
cd "$TOP" || exit 1
B=${B:-$TOP/build/lab}
WORK=$(mktemp -d)
trap 'rm -rf -- "$WORK"' EXIT

SKIP=77
passed=0 failed=0 skipped=0

# check NAME FUNCTION: the function prints what is wrong, or why it skips.
check()
{
	local status

	"$2" >"$WORK/out" 2>&1
	status=$?
	if [ "$status" -eq 0 ]; then
		echo "ok - $1"
		passed=$((passed + 1))
	elif [ "$status" -eq "$SKIP" ]; then
		echo "ok - $1 # SKIP $(head -n 1 "$WORK/out")"
		skipped=$((skipped + 1))
	else
		echo "not ok - $1"
		sed 's/^/  /' "$WORK/out"
		failed=$((failed + 1))
	fi
}

# The tracked files that exist; the checkout may belong to somebody else than who runs this.
tracked()
{
	local file

	git -c safe.directory='*' ls-files -- "$@" | while IFS= read -r file; do
		[ ! -f "$file" ] || printf '%s\n' "$file"
	done
}

find_checkpatch()
{
	local file tar

	for file in "${CHECKPATCH:-}" /lab/checkpatch.pl /usr/src/*/scripts/checkpatch.pl "$B/lint/checkpatch.pl"; do
		[ ! -r "$file" ] || { echo "$file"; return; }
	done
	tar=$(printf '%s\n' /usr/src/linux-source-*.tar.xz | sort -V | tail -n 1)
	if [ ! -r "$tar" ]; then
		echo "no checkpatch.pl: install linux-source or set CHECKPATCH" >&2
		return 1
	fi
	mkdir -p "$B/lint" && tar -xf "$tar" -C "$B/lint" --strip-components=2 --wildcards \
		'*/scripts/checkpatch.pl' '*/scripts/spelling.txt' '*/scripts/const_structs.checkpatch' &&
		echo "$B/lint/checkpatch.pl"
}

# What checkpatch asks of the kernel's own code and cannot hold here.
#   MACRO_ARG_REUSE: it takes names of members and types for expressions.
#   LONG_LINE_STRING: messages are not broken, so that they can be searched for.
#   OPEN_ENDED_LINE, CODE_INDENT, LEADING_SPACE, OPEN_BRACE: clang-format decides these, and
#   breaks long calls after "(", pads empty lines of macros, and knows for_each names of functions.
ignore_all=MACRO_ARG_REUSE,LONG_LINE_STRING,OPEN_ENDED_LINE,CODE_INDENT,LEADING_SPACE,OPEN_BRACE
#   LINUX_VERSION_CODE, CONSTANT_COMPARISON: one source serves several kernels (compat.h).
ignore_kernel=LINUX_VERSION_CODE,CONSTANT_COMPARISON
#   PARENTHESIS_ALIGNMENT: the kernel's own layout of TRACE_EVENT.
ignore_trace=PARENTHESIS_ALIGNMENT
#   BIT_MACRO, ARRAY_SIZE, PREFER_DEFINED_ATTRIBUTE_MACRO: the kernel's macros are not there.
#   PREFER_KERNEL_TYPES: uint64_t is user space's type, __u64 that of shared headers.
#   VOLATILE: BPF and guest code has no READ_ONCE(), tests have loops to keep.
#   UNSPECIFIED_INT: it takes unsigned __int128 for a bare unsigned.
#   CAMELCASE: PRIu64, Criterion's Test(), Elf64_Ehdr.
#   SPLIT_STRING: help texts are wrapped for 80 columns; nobody greps a log for them.
#   COMPLEX_MACRO: VMM_GUEST() declares the two symbols of a guest's binary.
#   MACRO_WITH_FLOW_CONTROL: a macro that defines a function has its return.
#   STRCPY, ENOSYS: libc has no strscpy(), and returns ENOSYS for what a kernel lacks.
#   EMBEDDED_FUNCTION_NAME: a message names the public function that was called.
#   AVOID_EXTERNS, SPACING: kfuncs are declared as `extern u64 f(void) __ksym`, which it
#   takes for a needless extern and for a cast; clang-format sees to spaces.
ignore_user=BIT_MACRO,ARRAY_SIZE,PREFER_DEFINED_ATTRIBUTE_MACRO,PREFER_KERNEL_TYPES,VOLATILE,CAMELCASE
ignore_user=$ignore_user,SPLIT_STRING,UNSPECIFIED_INT,AVOID_EXTERNS,SPACING,EMBEDDED_FUNCTION_NAME,STRCPY,ENOSYS,COMPLEX_MACRO
ignore_user=$ignore_user,MACRO_WITH_FLOW_CONTROL

# Files whose names come in, by several checkpatch at once. $1: what they ignore besides.
checkpatch_files()
{
	# From an empty directory: it leaves files behind in a git checkout.
	(cd "$WORK" && sed "s|^|$TOP/|" | xargs -r -d '\n' -n 20 -P "$(nproc)" perl "$CHECKPATCH" \
		--no-tree --root="$TOP" --strict --terse --show-types --no-summary --quiet \
		--max-line-length=100 --ignore "$ignore_all,$1" -f)
}

run_checkpatch()
{
	local status=0

	CHECKPATCH=$(find_checkpatch) || return 1
	checkpatch_files "$ignore_trace" <<<kernel/trace.h || status=1
	tracked 'kernel/*.[ch]' | grep -v trace.h | checkpatch_files "$ignore_kernel" || status=1
	tracked '*.c' '*.h' | grep -v ^kernel/ | checkpatch_files "$ignore_user" || status=1
	return "$status"
}

run_clang_format()
{
	tracked '*.c' '*.h' | xargs -d '\n' clang-format --dry-run -Werror
}

shared='GPL-2.0-only OR BSD-2-Clause'
library='LGPL-2.1-or-later OR BSD-2-Clause'

# The licences that a file may have, or nothing if it cannot carry a line.
licences()
{
	case $1 in
	LICENSES/* | *.json | *.png | *.svg | *.trace) ;;
	kernel/Makefile | kernel/Kbuild | dkms.conf) printf '%s\n' "$shared" GPL-2.0-only ;;
	kernel/* | tests/bench/kmod/lxbench.c) echo GPL-2.0-only ;;
	include/lightexit/lightexit.h) echo "$library" ;;
	*.bpf.[ch] | *_model.h | */templates/*) echo "$shared" ;;
	loader/*Makefile | examples/*Makefile | loader/*.sh | examples/*.sh | examples/*.mk)
		printf '%s\n' "$shared" "$library"
		;;
	loader/* | examples/*) echo "$library" ;;
	*) echo "$shared" ;;
	esac
}

# The first line has it; the second, below "#!", below the line that tells man its preprocessors, and
# below a litmus test's name.
spdx_line()
{
	sed -n -e "1{/^#!/n;/^'\\\\\"/n" -e '/^X86_64 /n;/^C [a-z]/n' -e 's/.*SPDX-License-Identifier: //p' -e 'q}' "$1" |
		sed -e 's, *\*/$,,' -e 's, *\*)$,,' -e 's, *-->$,,'
}

run_spdx()
{
	local file allowed found status=0

	while IFS= read -r file; do
		allowed=$(licences "$file")
		if [ -z "$allowed" ] || [ ! -s "$file" ]; then
			continue
		fi
		found=$(spdx_line "$file")
		if ! grep -qxF -- "${found:-none}" <<<"$allowed"; then
			echo "$file: SPDX licence \"${found:-none}\" in its first line, not \"${allowed//$'\n'/\" or \"}\""
			status=1
		fi
	done < <(tracked)
	return "$status"
}

shell_scripts()
{
	local file

	while IFS= read -r file; do
		case $file in
		*.sh | *bash-completion*) echo "$file" ;;
		*) head -n 1 -- "$file" | grep -aqE '^#!.*(/| )(ba|da|)sh( |$)' && echo "$file" ;;
		esac
	done < <(tracked)
}

run_shellcheck()
{
	shell_scripts | xargs -d '\n' shellcheck
}

run_mandoc()
{
	local pages

	pages=$(tracked 'loader/man/*.[1-9]')
	[ -n "$pages" ] || { echo "no manual pages yet"; return "$SKIP"; }
	xargs -d '\n' mandoc -T lint -W warning <<<"$pages"
}

run_file_length()
{
	{ tracked '*.[chS]' '*.mk' '*Makefile' '*.py'; shell_scripts; } | sort -u | xargs -d '\n' awk '
		FNR == 700 { print FILENAME ": 700 lines or more: split it"; bad = 1 }
		END { exit bad }'
}

# A function begins at a "{" in column 0, or "name() {" in shell, and ends at a "}" there.
run_function_length()
{
	{ tracked '*.[ch]'; shell_scripts; } | sort -u | xargs -d '\n' awk '
		FNR == 1 { start = 0 }
		/^\{/ || /^[a-z_][a-zA-Z0-9_]*\(\) *\{ *$/ { start = FNR }
		/^\}/ && start {
			if (FNR - start - 1 > 60) {
				print FILENAME ":" start ": function of " FNR - start - 1 " lines, 60 at most"
				bad = 1
			}
			start = 0
		}
		END { exit bad }'
}

# A module for a kernel whose headers are not here cannot be judged; the lab did when it built it.
run_symbols()
{
	local module judged=0 status=0

	while IFS= read -r module; do
		tests/symbols.sh "$module"
		case $? in
		0) judged=$((judged + 1)) ;;
		1) judged=$((judged + 1)) status=1 ;;
		esac
	done < <(find "$B" -name lightexit.ko 2>/dev/null)
	if [ "$judged" -eq 0 ]; then
		echo "no lightexit.ko under $B for a kernel whose headers are installed"
		return "$SKIP"
	fi
	return "$status"
}

if [ -z "$(tracked)" ]; then
	echo "not ok - git lists no files in $TOP: lint needs a git checkout"
	echo "0 passed, 1 failed, 0 skipped"
	exit 1
fi
check "checkpatch" run_checkpatch
check "clang-format" run_clang_format
check "SPDX licence in every first line" run_spdx
check "shellcheck" run_shellcheck
check "manual pages (mandoc -T lint)" run_mandoc
check "files below 700 lines" run_file_length
check "functions of at most 60 lines" run_function_length
check "symbols imported from KVM" run_symbols
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
