# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# shellcheck shell=bash disable=SC2034
# What the lab's scripts share: messages, the cache, locks, and being root over one's own files.

LAB=$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")
TOP=$(dirname -- "$LAB")
SUITE=trixie
CACHE=${LIGHTEXIT_CACHE:-${XDG_CACHE_HOME:-${HOME:?HOME is not set; set LIGHTEXIT_CACHE}/.cache}/lightexit}

say() {
	printf 'lab: %s\n' "$*" >&2
}

# die MESSAGE...: ends the script; 2 is the lab's own trouble, never the command's
die() {
	say "$@"
	exit 2
}

# usage FILE: prints the comment block at the top of a script
usage() {
	sed -n '3,/^[^#]/{/^#/!q;s/^# \{0,1\}//p}' "$1"
}

need() {
	local tool
	for tool; do
		command -v "$tool" >/dev/null || die "$tool is not installed; run lab/setup"
	done
}

# as_root CMD...: runs CMD as root over the cache's files: as itself for root, else in a user
# namespace in which the caller is root and its subordinate ids are the other users
as_root() {
	if [ "$(id -u)" = 0 ]; then
		"$@"
	else
		unshare --map-auto --map-root-user -- "$@"
	fi
}

check_subids() {
	[ "$(id -u)" = 0 ] && return
	local f
	for f in /etc/subuid /etc/subgid; do
		grep -q -E "^($(id -un)|$(id -u)):" "$f" 2>/dev/null ||
			die "$f gives $(id -un) no range; as root: usermod --add-subuids" \
				"100000-165535 --add-subgids 100000-165535 $(id -un)"
	done
	unshare --map-auto --map-root-user true ||
		die "user namespaces do not work here; see sysctl user.max_user_namespaces," \
			"kernel.unprivileged_userns_clone, or run as root"
}

# need_space DIR MB: refuses to start what would fill the disk
need_space() {
	local free
	free=$(df -Pm -- "$1" | awk 'NR == 2 { print $4 }')
	[ "$free" -ge "$2" ] ||
		die "$1 has $free MB free, $2 MB are needed; free some, or set LIGHTEXIT_CACHE"
}

# lock NAME: holds the cache's lock NAME until the script ends
lock() {
	local fd
	mkdir -p -- "$CACHE" || die "cannot make $CACHE; set LIGHTEXIT_CACHE"
	exec {fd}>"$CACHE/$1.lock"
	flock -n "$fd" && return
	say "waiting for another run that makes $1"
	flock "$fd"
}

# fresh NAME: a new directory for making the cache entry NAME; removes what killed runs left.
# Hold the lock NAME.
fresh() {
	local old name fd
	for old in "$CACHE"/tmp.*; do
		name=${old##*/tmp.}
		name=${name%.*}
		[ -e "$old" ] || continue
		exec {fd}>"$CACHE/$name.lock"
		if [ "$name" = "$1" ] || flock -n "$fd"; then
			say "removing half-made $old"
			as_root rm -rf --one-file-system -- "$old"
		fi
		exec {fd}>&-
	done
	mktemp -d "$CACHE/tmp.$1.XXXXXX"
}

# progress TEXT LOG CMD...: runs CMD with its output in LOG and a line every few seconds; the
# log's end is shown when CMD fails
progress() {
	local text=$1 log=$2 start=$SECONDS rc=0 last=0
	shift 2
	set -m
	"$@" >"$log" 2>&1 </dev/null &
	job=$!
	set +m
	while kill -0 "$job" 2>/dev/null; do
		sleep 0.2
		if [ $((SECONDS - start - last)) -ge 5 ]; then
			last=$((SECONDS - start))
			say "$text ... ${last} s"
		fi
	done
	wait "$job" || rc=$?
	job=
	if [ "$rc" = 0 ]; then
		[ $((SECONDS - start)) -lt 2 ] || say "$text: done in $((SECONDS - start)) s"
		return
	fi
	say "$text: failed with status $rc; the end of $log:"
	tail -n 15 -- "$log" >&2
	return "$rc"
}

# stop_job: ends what progress runs
stop_job() {
	[ -n "${job-}" ] || return 0
	kill -- "-$job" 2>/dev/null || :
	wait "$job" 2>/dev/null || :
}

# at_end CMD...: has CMD run, and ends what progress runs, when the script ends; by a signal, too, of
# which PIPE is one: who reads the script's output may be ended first
at_end() {
	at_end=("$@")
	trap 'stop_job; "${at_end[@]}"' EXIT
	trap 'exit 130' INT TERM HUP PIPE
}

# key FILE...: names a cache entry after what it is made from
key() {
	cat -- "$@" | sha256sum | cut -c 1-12
}

rootfs_name() {
	printf 'rootfs-%s\n' "$(key "$LAB/packages" "$LAB/rootfs")"
}

debug_name() {
	printf 'debug-%s\n' "$(key "$LAB/debug.config" "$LAB/kernel-debug")"
}

# splats LOG: the kernel's complaints in a console's log, with line numbers; fails when there are
# none. Boot messages of a sound machine must not match.
splats() {
	grep -n -a -E \
		-e '(WARNING|BUG|UBSAN|KASAN|KCSAN|KFENCE|ODEBUG|Oops|refcount_t):|WARN_ON|Call Trace:' \
		-e 'INFO: (task|trying|possible|suspicious|lockdep|inconsistent)|rcu: INFO:|detected stall' \
		-e 'kernel BUG at|\[ cut here \]|Kernel panic|Internal error|general protection fault' \
		-e 'scheduling while atomic|sleeping function called|list_(add|del) corruption' \
		-e 'nable to handle|soft lockup|hard LOCKUP|blocked for more than|unchecked MSR access' \
		-e '[Bb]ad page state|Bad rss-counter|unreferenced object|lab: ' \
		"$1"
}
