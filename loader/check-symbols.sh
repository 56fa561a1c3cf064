#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# check-symbols.sh LIBRARY MAP HEADER: fails unless the library exports exactly what the header
# declares with LX_API, and the map lists the same.
set -euo pipefail

exported=$(nm -D --defined-only "$1" | awk '$2 != "A" { sub(/@.*/, "", $3); print $3 }' | LC_ALL=C sort)
listed=$(sed -n 's/^\t\(lx_[a-z0-9_]*\);$/\1/p' "$2" | LC_ALL=C sort)
declared=$(grep -oP '^LX_API [^(]*?\K\blx_\w+(?=\()' "$3" | LC_ALL=C sort)
n_api=$(grep -c '^LX_API ' "$3")

status=0
compare() {
	diff <(echo "$2") <(echo "$4") >/dev/null && return
	echo "$1 and $3 differ (<: only in the first, >: only in the second):" >&2
	diff <(echo "$2") <(echo "$4") | grep '^[<>]' >&2 || :
	status=1
}
compare "LX_API of ${3##*/}" "$declared" "${2##*/}" "$listed"
compare "LX_API of ${3##*/}" "$declared" "exports of ${1##*/}" "$exported"
if [ "$n_api" -ne "$(wc -l <<<"$declared")" ]; then
	echo "${3##*/}: $n_api lines begin with LX_API, but $(wc -l <<<"$declared") name a function on that line" >&2
	status=1
fi
exit $status
