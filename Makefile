# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# lightexit. `make help` lists the targets.
TOP := $(CURDIR)
help:
include common.mk

# The lab builds and runs in its own Debian 13; see lab/run --help.
KERNEL ?= stable
LAB_MAKE = lab/enter --kernel $(1) make LAB=1 B=/lightexit/build/lab V=$(V)
SUITES := tests/suites.sh
SCALE ?= 1

help:
	@echo 'lightexit: BPF programs that answer a virtual machine'"'"'s trapped I/O in the host kernel'
	@echo
	@echo 'On a fresh machine (everything runs in an emulated machine, nothing touches this kernel):'
	@echo '  make demo           registers, and a boot of Linux, answered by the VMM and by BPF, side by side'
	@echo '  make check          the tests (half an hour); make check-quick: under 3'
	@echo '  make bench          instructions per access; HOST=1: by time, on this host'"'"'s own KVM'
	@echo '  make bench-scaling  counter reads of 1, 2, 4 vCPUs: without a lock, under one, in the VMM'
	@echo '  make check-kernels  the VM tests on the stable, newest and PREEMPT_RT kernels'
	@echo '  make check-debug    the VM tests under KASAN, lockdep and kmemleak (builds that kernel once)'
	@echo '  make soak           the VM tests with ten times the repetitions'
	@echo '  make firmware       SeaBIOS, iPXE, OVMF, Memtest86+ in QEMU, with lightexit attach'
	@echo '  make fuzz           device models against QEMU'"'"'s, programs against VMMs; other traces each time'
	@echo '  make lint           style, licences, shell scripts, man pages, sparse'
	@echo
	@echo 'On a host with KVM, for its running kernel:'
	@echo '  make all            module, programs, library, command, examples'
	@echo '  make install        all but the module; DESTDIR, PREFIX'
	@echo '  make dkms-install   the module through DKMS'
	@echo
	@echo 'V=1 shows commands. make lab KERNEL=stable|newest|rt|debug builds for that kernel; HACKING.md has the rest'

all: module bpf loader examples

module:
	$(Q)$(MAKE) -C kernel

bpf loader examples: %:
	$(Q)$(MAKE) -C $(if $(filter bpf,$@),bpf-progs,$@) all
examples: loader

# In the lab: modules are built in a copy, one for each kernel.
KMOD = $(B)/kmod/$(KERNEL_RELEASE)
lab-module:
	$(Q)mkdir -p $(KMOD)/tests
	$(Q)rsync -rlpt --delete --include='*.[ch]' --include=Kbuild --include=Makefile --exclude='*' \
		kernel/ $(KMOD)/kernel
	$(Q)rsync -rlpt --delete include $(KMOD)/
	$(Q)rsync -rlpt --include='*.[ch]' --include=Kbuild --include=Makefile --exclude='*' \
		tests/bench/kmod/ tests/bench/bench_model.h $(KMOD)/bench
	$(Q)rsync -rlpt --include='*_model.h' --exclude='*' bpf-progs/ $(KMOD)/bpf-progs
	$(call msg,KMOD,$(KMOD)/kernel/lightexit.ko)
	$(Q)$(MAKE) -C $(KMOD)/kernel KDIR=$(KDIR) $(if $(SPARSE),C=2 CF=-Wsparse-error) >$(KMOD)/log 2>&1 || \
		{ cat $(KMOD)/log >&2; exit 1; }
	$(Q)! grep -i -E 'warning|error' $(KMOD)/log
	$(Q)tests/symbols.sh $(KMOD)/kernel/lightexit.ko $(KDIR)/Module.symvers
	$(call msg,KMOD,$(KMOD)/bench/lxbench.ko)
	$(Q)$(MAKE) -C $(KMOD)/bench KDIR=$(KDIR) >$(KMOD)/log 2>&1 || { cat $(KMOD)/log >&2; exit 1; }

# What `make demo` runs.
lab-demo: bpf loader examples
	$(Q)$(MAKE) -C tests/bench all

lab-user: bpf loader examples
	$(Q)$(MAKE) -C tests/vm all
	$(Q)$(MAKE) -C tests/verify all
	$(Q)$(MAKE) -C tests/bench all
	$(Q)$(MAKE) -C tests/unit all
	$(Q)$(MAKE) -C tests/oracle all
	$(Q)$(MAKE) -C tests/lockstep all

# Host side: what the lab needs, then everything built inside it.
lab-setup:
	$(Q)lab/setup
	$(Q)lab/rootfs >/dev/null

lab: lab-setup
	$(Q)$(call LAB_MAKE,$(KERNEL)) lab-module SPARSE=$(SPARSE)
	$(Q)$(call LAB_MAKE,stable) -j$(shell nproc) lab-user

lint: lab-setup
	$(Q)$(call LAB_MAKE,stable) lab-module SPARSE=1
	$(Q)$(SUITES) lint

check check-quick: lab
	$(Q)$(SUITES) $@

check-kernels:
	$(Q)for k in stable newest rt; do $(MAKE) lab KERNEL=$$k || exit 1; done
	$(Q)$(SUITES) vm-stable vm-newest vm-rt

check-debug: lab-setup
	$(Q)lab/kernel-debug
	$(Q)$(MAKE) lab KERNEL=debug
	$(Q)$(SUITES) vm-debug

soak: lab
	$(Q)LX_SCALE=10 $(SUITES) vm-stable

firmware: lab
	$(Q)$(SUITES) firmware

fuzz: lab
	$(Q)lab/enter make LAB=1 B=/lightexit/build/lab -C tests/oracle check LX_SCALE=20 SEED=
	$(Q)lab/enter make LAB=1 B=/lightexit/build/lab -C tests/lockstep check STEPS=20000000 SEED=0
	$(Q)lab/enter make LAB=1 B=/lightexit/build/lab -C tests/lockstep fuzz FOR=120
	$(Q)LX_SCALE=50 LX_SEED=0 $(SUITES) lockstep-vm

bench:
	$(Q)$(if $(HOST),$(MAKE) -C tests/bench host,$(MAKE) lab && tests/bench/run.sh)

bench-scaling: lab
	$(Q)tests/bench/scaling.sh

demo: lab-setup
	$(Q)examples/demo.sh

demo-build: lab-setup
	$(Q)$(call LAB_MAKE,stable) lab-module
	$(Q)$(call LAB_MAKE,stable) -j$(shell nproc) lab-demo

install: bpf loader
	$(Q)$(MAKE) -C loader install
	$(Q)install -d $(DESTDIR)$(PREFIX)/lib/lightexit
	$(Q)install -m 644 $(B)/bpf/*.bpf.o $(DESTDIR)$(PREFIX)/lib/lightexit

DKMS_SRC := $(DESTDIR)/usr/src/lightexit-0.1
dkms-install:
	$(Q)command -v dkms >/dev/null || { echo "dkms is not installed: apt-get install dkms" >&2; exit 1; }
	$(Q)install -d $(DKMS_SRC)
	$(Q)cp -r kernel include dkms.conf $(DKMS_SRC)/
	$(Q)dkms install lightexit/0.1 --force

clean:
	$(Q)rm -rf build

PREFIX ?= /usr/local
.PHONY: help all module bpf loader examples lab lab-setup lab-module lab-demo lab-user lint check \
	check-quick check-kernels check-debug firmware soak fuzz bench bench-scaling demo demo-build \
	install dkms-install clean
