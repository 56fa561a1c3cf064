#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# scaling.sh [ARGUMENT...]: runs scaling in the lab with a thread for each CPU (make lab has built
# all); writes build/bench/scaling.json. Wants a machine that does nothing else.
set -eu
cd "$(dirname "$0")/../.."
mkdir -p build/bench
# shellcheck disable=SC2016
lab/run --parallel --cpus 4 --timeout 900 -- bash -c \
	'insmod build/lab/kmod/$(uname -r)/kernel/lightexit.ko && exec build/lab/tests/bench/scaling "$@"' \
	scaling --build build/lab --output build/bench/scaling.json "$@"
echo "scaling: build/bench/scaling.json"
