#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# test-completion.sh COMMAND: what lightexit.bash-completion offers, and how bash is to insert it;
# and that each command's options are those of its --help. Prints TAP.
set -u

lightexit=$(readlink -f "$1")
# shellcheck source=/dev/null
. "$(dirname "$0")/lightexit.bash-completion"
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir" || exit 2
mkdir 'a dir'
touch 'a file' other
n=0 failed=0

# Stand in for bash at work on a line, and for the devices of a host that has the module.
compopt() { asked+=" $2"; }
lightexit() { printf '[\n  {\n    "id": 3,\n    "name": "x"\n  },\n  {\n    "id": 14\n  }\n]\n'; }

# offers WANTED WORD...: what is offered in place of the last of the words, as bash splits them:
# a line for each, sorted, after the options of compopt
offers() {
	local wanted=$1 said
	local asked='' COMP_WORDS COMP_CWORD COMPREPLY
	shift
	COMP_WORDS=(lightexit "$@") COMP_CWORD=$#
	_lightexit
	said=$(printf '%s\n' "${COMPREPLY[@]}" | sort | paste -sd ,)
	n=$((n + 1))
	if [ "${asked# }|$said" = "$wanted" ]; then
		echo "ok $n - lightexit $*"
		return
	fi
	failed=$((failed + 1))
	echo "not ok $n - lightexit $*"
	echo "# wanted $wanted, got ${asked# }|$said"
}

# options COMMAND: those of its --help and no others
options() {
	offers "|$("$lightexit" "$1" --help | grep -oE '^ +(-.,)? +--[a-z-]+' | grep -oE -- '--[a-z-]+' |
		grep -v -- --usage | sort | paste -sd ,)" "$1" --
}

offers '|save,stats' s
offers '|--help,--version' --
for command in doctor list stats attach detach record save restore new; do
	options "$command"
done
offers '|save,stats' help s
offers '|' help doctor ''

offers 'filenames|a dir,a file' record --output a
offers 'filenames|a dir,a file,other' record -o ''
offers 'filenames|a dir,a file' record --output = a
offers 'filenames|a dir,a file,other' record --output =
offers 'filenames|a dir,a file' record --output '"a '
offers 'filenames|other' attach --rules = o
offers 'filenames|other' attach -r o
offers 'filenames|a dir' new --dir =
offers 'filenames|a dir' new -d ''
offers '|' new ''

offers 'nospace|mmio:' record mm
offers '|pciconf,pio:,pit,pmtimer' record p
offers '|' record mmio :
offers '|' record pio : p
offers '|pmtimer' record pio : 0x3f8+8 pm
offers '|hpet,pmtimer' attach --pid 7 ''
offers '|hpet,pmtimer' attach -d ''

offers '|14,3' stats ''
offers '|14' stats 3 1
offers '|14,3' detach ''
offers '|' detach 3 ''
for command in save restore; do
	offers '|14,3' "$command" ''
	offers '|14,3' "$command" --json ''
	offers 'filenames|other' "$command" 3 o
	offers 'filenames|other' "$command" -j 3 o
	offers '|' "$command" 3 other ''
done

for option in --pid -p --vm-fd --name -n --match -m --interval -i --port --hpet-period; do
	offers '|' attach "$option" ''
done
for option in --pid -p --name -n --seconds -s --count -c --interval -i --buffer; do
	offers '|' record "$option" ''
done
offers '|' attach --pid =
offers '|' stats --watch =

echo "1..$n"
[ "$failed" -eq 0 ]
