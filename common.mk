# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# What all of lightexit's Makefiles share. The including file has set TOP.
#   B    where output goes (build/native; build/lab when the lab builds)
#   V=1  shows the commands
B ?= $(TOP)/build/native
V ?= 0
ifeq ($(V),0)
Q := @
msg = @printf '  %-8s%s\n' $(1) $(patsubst $(TOP)/%,%,$(2));
MAKEFLAGS += --no-print-directory
else
Q :=
msg =
endif

CC ?= cc
CLANG ?= clang
BPFTOOL ?= bpftool
CFLAGS ?= -O2 -g
LX_CFLAGS := -std=gnu17 -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wundef \
	-Wno-unused-parameter -Werror -fno-strict-aliasing -D_GNU_SOURCE -I$(TOP)/include -I$(TOP)/bpf-progs -MMD -MP

.DELETE_ON_ERROR:
.SUFFIXES:
