# SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
# Guests for the VMM. After common.mk, with a C file that defines guest_main():
#   $(eval $(call vmm_guest,NAME,SOURCE,DIR))
# makes DIR/NAME.guest.o, to be linked; VMM_GUEST(NAME) in vmm.h names its contents.
VMM_DIR := $(TOP)/examples/vmm
GUEST_CFLAGS := -std=gnu17 -O2 -Wall -Wextra -Wno-unused-parameter -Werror -ffreestanding -nostdlib \
	-mno-red-zone -mgeneral-regs-only -fno-pie -fno-pic -mcmodel=small -fno-stack-protector \
	-fcf-protection=none -fno-asynchronous-unwind-tables -fno-strict-aliasing \
	-I$(VMM_DIR) -I$(VMM_DIR)/guest -I$(TOP)/include -MMD -MP
GUEST_LDFLAGS := -static -no-pie -Wl,--build-id=none -Wl,-z,noexecstack -Wl,--no-warn-rwx-segments

define vmm_guest
$(3)/$(1).guest.elf: $(2) $(VMM_DIR)/guest/start.S $(VMM_DIR)/guest/guest.ld $(VMM_DIR)/guest.mk
	$$(call msg,GUEST,$(2))
	$$(Q)mkdir -p $(3)
	$$(Q)$$(CC) $$(GUEST_CFLAGS) -MF $(3)/$(1).guest.d -MT $$@ -c -o $(3)/$(1).guest.main.o $(2)
	$$(Q)$$(CC) -c -o $(3)/$(1).guest.start.o $(VMM_DIR)/guest/start.S
	$$(Q)$$(CC) $$(GUEST_CFLAGS) $$(GUEST_LDFLAGS) -T $(VMM_DIR)/guest/guest.ld -o $$@ \
		$(3)/$(1).guest.start.o $(3)/$(1).guest.main.o
$(3)/$(1).guest.bin: $(3)/$(1).guest.elf
	$$(Q)objcopy -O binary $$< $$@
$(3)/$(1).guest.o: $(3)/$(1).guest.bin $(VMM_DIR)/guest/blob.S
	$$(Q)$$(CC) -c -DGUEST_SYM=guest_$(1) -DGUEST_END=guest_$(1)_end -DGUEST_BIN='"$$<"' \
		-o $$@ $(VMM_DIR)/guest/blob.S
-include $(3)/$(1).guest.d
endef
