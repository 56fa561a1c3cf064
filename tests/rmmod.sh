#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# rmmod.sh: unloads the module. Deferred frees pin it for an instant after the last detach
# (docs/path.md), so it is tried for 10 s.
set -u
for _ in {1..100}; do
	[ "$(cat /sys/module/lightexit/refcnt)" != 0 ] || break
	sleep 0.1
done
exec rmmod lightexit
