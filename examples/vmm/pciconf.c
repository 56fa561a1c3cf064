// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* PCI configuration back end: the state's lock, write masks, and the model. */
#include <errno.h>
#include <stdlib.h>

#include "pciconf.h"
#include "pciconf_model.h"

struct vmm_pciconf {
	struct pciconf_state *st;
	struct pciconf_state own;
	struct vmm *vm;
	unsigned int index;
	unsigned int n;
	struct vmm_pciconf_function functions[PCICONF_FUNCTIONS];
};

static uint64_t read_port(void *opaque, struct vmm_vcpu *vcpu, uint64_t off, uint32_t len)
{
	struct vmm_pciconf *pci = opaque;
	__u64 val;

	lx_lock(&pci->st->hdr);
	if (pciconf_read(pci->st, off, len, &val) != LX_HANDLED)
		val = ~0ULL;
	lx_unlock(&pci->st->hdr);
	return val;
}

/* A guest's write to CONFIG_DATA. The lock is held. */
static void write_data(struct vmm_pciconf *pci, uint64_t off, uint32_t len, uint64_t val)
{
	struct pciconf_state *st = pci->st;
	uint32_t slot = st->slot[st->address >> 8 & 0xff], word = st->address / 4 % PCICONF_WORDS;
	const struct vmm_pciconf_function *f;
	uint32_t bits, *config;
	unsigned int shift;

	if (!pciconf_is_cycle(st, off, len) || st->address >> 16 & 0xff || !slot)
		return;
	shift = (unsigned int)(off - PCICONF_DATA) * 8;
	f = &pci->functions[slot - 1];
	config = &st->functions[slot - 1].config[word];
	bits = (uint32_t)(pciconf_mask(len) << shift) & f->writable[word];
	*config = (*config & ~bits) | ((uint32_t)(val << shift) & bits);
	if (f->changed)
		f->changed(f->opaque, word, *config);
}

static void write_port(void *opaque, struct vmm_vcpu *vcpu, uint64_t off, uint32_t len,
		       uint64_t val)
{
	struct vmm_pciconf *pci = opaque;

	lx_lock(&pci->st->hdr);
	if (pciconf_write(pci->st, off, len, val) != LX_HANDLED)
		write_data(pci, off, len, val);
	lx_unlock(&pci->st->hdr);
}

int vmm_pciconf_add(struct vmm_pciconf *pci, uint8_t devfn, const struct vmm_pciconf_function *f)
{
	struct pciconf_state *st = pci->st;
	int err = 0;

	lx_lock(&st->hdr);
	if (st->slot[devfn]) {
		err = -EEXIST;
	} else if (pci->n == PCICONF_FUNCTIONS) {
		err = -ENOSPC;
	} else {
		pci->functions[pci->n] = *f;
		for (unsigned int i = 0; i < PCICONF_WORDS; i++)
			st->functions[pci->n].config[i] = f->config[i];
		st->slot[devfn] = ++pci->n;
	}
	lx_unlock(&st->hdr);
	return err ? vmm_error(err, "PCI function %u.%u", devfn / 8U, devfn % 8U) : 0;
}

void vmm_pciconf_set(struct vmm_pciconf *pci, uint8_t devfn, unsigned int word, uint32_t val)
{
	struct pciconf_state *st = pci->st;

	lx_lock(&st->hdr);
	if (st->slot[devfn])
		st->functions[st->slot[devfn] - 1].config[word % PCICONF_WORDS] = val;
	lx_unlock(&st->hdr);
}

int vmm_pciconf_new(struct vmm *vm, struct pciconf_state *state, struct vmm_pciconf **out)
{
	struct vmm_dev dev = {
		.name = "pciconf",
		.space = LX_SPACE_PIO,
		.base = PCICONF_PORT,
		.len = PCICONF_LEN,
		.read = read_port,
		.write = write_port,
	};
	struct vmm_pciconf *pci = calloc(1, sizeof(*pci));
	int index;

	if (!pci)
		return vmm_error(-ENOMEM, "PCI configuration");
	pci->vm = vm;
	pci->st = state ? state : &pci->own;
	if (!state) /* else the library did */
		lx_state_init(&pci->st->hdr, sizeof(*pci->st));
	lx_lock(&pci->st->hdr);
	pci->st->buses = 1;
	lx_unlock(&pci->st->hdr);
	dev.opaque = pci;
	index = vmm_add_dev(vm, &dev);
	if (index < 0) {
		vmm_pciconf_free(pci);
		return index;
	}
	pci->index = (unsigned int)index;
	*out = pci;
	return 0;
}

unsigned int vmm_pciconf_index(const struct vmm_pciconf *pci)
{
	return pci->index;
}

void vmm_pciconf_free(struct vmm_pciconf *pci)
{
	free(pci);
}
