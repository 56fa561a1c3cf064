/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * What guest code has: 64-bit mode, memory, ports, no interrupts, no library.
 * A guest defines guest_main(); what that returns is the vCPU's exit code.
 */
#ifndef GUEST_H
#define GUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

uint32_t guest_main(unsigned long vcpu, void *params);

#define GUEST_PORT(_suffix, _type, _reg)                                                           \
	static inline _type in##_suffix(uint16_t port)                                             \
	{                                                                                          \
		_type val;                                                                         \
                                                                                                   \
		asm volatile("in" #_suffix " %1, %" _reg "0" : "=a"(val) : "Nd"(port) : "memory"); \
		return val;                                                                        \
	}                                                                                          \
	static inline void out##_suffix(uint16_t port, _type val)                                  \
	{                                                                                          \
		asm volatile("out" #_suffix " %" _reg "0, %1"                                      \
			     :                                                                     \
			     : "a"(val), "Nd"(port)                                                \
			     : "memory");                                                          \
	}                                                                                          \
	static inline void ins##_suffix(uint16_t port, void *buf, size_t count)                    \
	{                                                                                          \
		asm volatile("rep ins" #_suffix : "+D"(buf), "+c"(count) : "d"(port) : "memory");  \
	}                                                                                          \
	static inline void outs##_suffix(uint16_t port, const void *buf, size_t count)             \
	{                                                                                          \
		asm volatile("rep outs" #_suffix : "+S"(buf), "+c"(count) : "d"(port) : "memory"); \
	}

GUEST_PORT(b, uint8_t, "b")
GUEST_PORT(w, uint16_t, "w")
GUEST_PORT(l, uint32_t, "k")

/* One mov each: KVM emulates the instruction. */
#define GUEST_MMIO(_bits, _type, _mov, _reg)                                               \
	static inline _type mmio_read##_bits(uintptr_t addr)                               \
	{                                                                                  \
		_type val;                                                                 \
                                                                                           \
		asm volatile(_mov " (%1), %" _reg "0" : "=r"(val) : "r"(addr) : "memory"); \
		return val;                                                                \
	}                                                                                  \
	static inline void mmio_write##_bits(uintptr_t addr, _type val)                    \
	{                                                                                  \
		asm volatile(_mov " %" _reg "0, (%1)" : : "r"(val), "r"(addr) : "memory"); \
	}

GUEST_MMIO(8, uint8_t, "movb", "b")
GUEST_MMIO(16, uint16_t, "movw", "w")
GUEST_MMIO(32, uint32_t, "movl", "k")
GUEST_MMIO(64, uint64_t, "movq", "q")

static inline uint64_t rdtsc(void)
{
	uint32_t lo, hi;

	asm volatile("rdtsc" : "=a"(lo), "=d"(hi) : : "memory");
	return (uint64_t)hi << 32 | lo;
}

static inline void cpu_relax(void)
{
	asm volatile("pause" : : : "memory");
}

/* Waits until @n vCPUs have come. @gate starts at 0 and serves once. */
static inline void guest_barrier(uint32_t *gate, uint32_t n)
{
	__atomic_fetch_add(gate, 1, __ATOMIC_SEQ_CST);
	while (__atomic_load_n(gate, __ATOMIC_ACQUIRE) < n)
		cpu_relax();
}

#endif /* GUEST_H */
