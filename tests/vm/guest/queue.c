// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The queue guest; see queue.h. */
#include "guest.h"
#include "../queue.h"

/* splitmix64 */
static uint64_t random64(uint64_t *seed)
{
	uint64_t z = *seed += 0x9e3779b97f4a7c15ULL;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
	return z ^ z >> 31;
}

static void lock(struct queue_params *p)
{
	while (__atomic_exchange_n(&p->lock, 1, __ATOMIC_ACQUIRE))
		cpu_relax();
}

static void unlock(struct queue_params *p)
{
	__atomic_store_n(&p->lock, 0, __ATOMIC_RELEASE);
}

static void write_port(uint16_t port, uint32_t len, uint64_t val)
{
	if (len == 1)
		outb(port, (uint8_t)val);
	else if (len == 2)
		outw(port, (uint16_t)val);
	else
		outl(port, (uint32_t)val);
}

static void write_mmio(uintptr_t addr, uint32_t len, uint64_t val)
{
	if (len == 1)
		mmio_write8(addr, (uint8_t)val);
	else if (len == 2)
		mmio_write16(addr, (uint16_t)val);
	else if (len == 4)
		mmio_write32(addr, (uint32_t)val);
	else
		mmio_write64(addr, val);
}

static void write_reg(bool mmio, uint32_t off, uint32_t len, uint64_t val)
{
	if (mmio)
		write_mmio(VT_QUEUE_MMIO + off, len, val);
	else
		write_port((uint16_t)(VT_QUEUE_PORT + off), len, val);
}

/* All writes before it have arrived. */
static void check(struct queue_vcpu *v, bool mmio, uint32_t off, uint64_t due)
{
	uint32_t got =
		mmio ? mmio_read32(VT_QUEUE_MMIO + off) : inl((uint16_t)(VT_QUEUE_PORT + off));

	if (got == (uint32_t)due || v->bad++)
		return;
	v->got = got;
	v->due = due;
}

static void draw_ticket(struct queue_params *p, uint32_t vcpu, uint64_t r, bool read)
{
	struct queue_vcpu *v = &p->vcpu[vcpu];
	uint64_t ticket;

	lock(p);
	ticket = ++p->tickets;
	v->writes++;
	write_reg(r & 1, VT_QUEUE_TICKET(vcpu), 4, ticket << 16 | (v->writes & 0xffff));
	if (read)
		check(v, r & 2, VT_QUEUE_TICKET(vcpu), ticket);
	unlock(p);
}

static void one_round(struct queue_params *p, uint32_t vcpu, uint64_t r)
{
	struct queue_vcpu *v = &p->vcpu[vcpu];
	uint32_t len = 1U << (r >> 8) % (r & 1 ? 4 : 3);
	bool read = p->read_of && !((r >> 32) % p->read_of);

	if (!(r >> 16 & 3)) {
		draw_ticket(p, vcpu, r, read);
		return;
	}
	v->writes++;
	write_reg(r & 1, VT_QUEUE_OWN(vcpu), len, v->writes);
	if (read)
		check(v, r & 2, VT_QUEUE_OWN(vcpu), v->writes);
}

static void wait_for_all(const struct queue_vcpu *v)
{
	while (__atomic_load_n(&v->arrived, __ATOMIC_ACQUIRE) != v->writes)
		cpu_relax();
}

uint32_t guest_main(unsigned long vcpu, void *arg)
{
	struct queue_params *p = arg;
	uint64_t seed = p->seed + vcpu;

	guest_barrier(&p->gate, VT_QUEUE_VCPUS);
	for (uint64_t i = 0; i < __atomic_load_n(&p->rounds, __ATOMIC_RELAXED); i++) {
		uint64_t r = random64(&seed);

		one_round(p, (uint32_t)vcpu, r);
		if (p->alone && (r >> 40 & 3))
			wait_for_all(&p->vcpu[vcpu]);
	}
	if (p->alone)
		wait_for_all(&p->vcpu[vcpu]);
	return 0;
}
