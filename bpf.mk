# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# How BPF programs are built. The including file has set TOP and included common.mk.
#   BPF_OUT      where objects go (default $(B)/bpf); X.bpf.c of the current directory
#                becomes $(BPF_OUT)/X.bpf.o
#   VMLINUX_BTF  the kernel whose types vmlinux.h holds. Programs are CO-RE, so that any
#                kernel from 6.12 on does: the running one, or with LAB=1 (and where the
#                running one has no BTF) the newest of the installed kernel headers.
BPF_OUT ?= $(B)/bpf
BPF_VMLINUX_H := $(B)/bpf/vmlinux.h
LLVM_STRIP ?= llvm-strip

bpf_running := $(if $(LAB),,$(wildcard /sys/kernel/btf/vmlinux))
bpf_headers := $(lastword $(shell ls /lib/modules/*/build/vmlinux 2>/dev/null | grep -v -e -rt- | sort -V))
VMLINUX_BTF ?= $(firstword $(bpf_running) $(bpf_headers))

LX_BPF_CFLAGS := -target bpf -mcpu=v3 -g -O2 -std=gnu17 -Wall -Wextra -Wno-unused-parameter -Werror \
	-fms-extensions -Wno-microsoft-anon-tag \
	-fno-stack-protector -I$(dir $(BPF_VMLINUX_H)) -I$(TOP)/include -I$(TOP)/bpf-progs -MMD -MP

# vmlinux.h changes only with its content: sysfs gives the running kernel a new date at each boot.
$(BPF_VMLINUX_H).stamp: $(VMLINUX_BTF)
	$(call msg,BTF,$(BPF_VMLINUX_H))
	$(Q)test -n "$(VMLINUX_BTF)" || { echo "no kernel BTF: neither /sys/kernel/btf/vmlinux nor" \
		"/lib/modules/*/build/vmlinux is there; install kernel headers or set VMLINUX_BTF" >&2; exit 1; }
	$(Q)mkdir -p $(@D)
	$(Q)$(BPFTOOL) btf dump file $(VMLINUX_BTF) format c > $@.$$$$ && \
		if cmp -s $@.$$$$ $(BPF_VMLINUX_H); then rm $@.$$$$; else mv $@.$$$$ $(BPF_VMLINUX_H); fi
	$(Q)touch $@

$(BPF_VMLINUX_H): $(BPF_VMLINUX_H).stamp
	@test -e $@ || { rm $<; $(MAKE) $@; }

$(BPF_OUT)/%.bpf.o: %.bpf.c $(BPF_VMLINUX_H)
	$(call msg,BPF,$(abspath $<))
	$(Q)mkdir -p $(@D)
	$(Q)$(CLANG) $(LX_BPF_CFLAGS) $(BPF_CFLAGS) -c $< -o $@
	$(Q)$(LLVM_STRIP) -g $@
