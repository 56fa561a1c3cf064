// SPDX-License-Identifier: GPL-2.0-only
/*
 * lightexit: a program's access to guest memory, through the VMM's own mapping of it.
 * Never faults a page in and never sleeps.
 *
 * Context: a vCPU's thread in KVM's exit handler, inside kvm->srcu, so the memory
 * slots that are seen stay, and a slot that is being replaced is not gone before the
 * op is over. Writes to a slot with dirty logging are refused: the log is KVM's to keep.
 */
#include <linux/uaccess.h>

#include "internal.h"

/* Host address of [@gpa, @gpa + @len) if that lies within one usable slot; else an errno. */
static int lx_guest_hva(struct kvm_vcpu *vcpu, gpa_t gpa, u32 len, bool write, unsigned long *hva)
{
	const struct kvm_memory_slot *slot;
	gfn_t gfn = gpa_to_gfn(gpa);

	if (!len || len > LX_GUEST_MAX)
		return -E2BIG;
	if (!vcpu || current->mm != vcpu->kvm->mm)
		return -EPERM;
	slot = __gfn_to_memslot(kvm_vcpu_memslots(vcpu), gfn);
	if (!slot || gpa + len < gpa || gpa_to_gfn(gpa + len - 1) - slot->base_gfn >= slot->npages)
		return -ENXIO;
	if (slot->flags & KVM_MEMSLOT_INVALID)
		return -EAGAIN;
	if (slot->flags & KVM_MEM_GUEST_MEMFD || (write && slot->flags & KVM_MEM_READONLY))
		return -EACCES;
	if (write && kvm_slot_dirty_track_enabled(slot))
		return -EBUSY;
	*hva = __gfn_to_hva_memslot(slot, gfn) + offset_in_page(gpa);
	return 0;
}

int lx_guest_copy_from(struct kvm_vcpu *vcpu, gpa_t gpa, void *buf, u32 len)
{
	unsigned long hva;
	int err = lx_guest_hva(vcpu, gpa, len, false, &hva);

	if (!err)
		err = copy_from_user_nofault(buf, (void __user *)hva, len);
	if (err && err != -E2BIG) /* that may be gigabytes */
		memset(buf, 0, len);
	return err;
}

int lx_guest_copy_to(struct kvm_vcpu *vcpu, gpa_t gpa, const void *buf, u32 len)
{
	unsigned long hva;
	int err = lx_guest_hva(vcpu, gpa, len, true, &hva);

	return err ?: copy_to_user_nofault((void __user *)hva, buf, len);
}
