/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * The VMM's UART: all registers, by uart_model.h; with or without a device program on
 * the same state. What the guest sends comes in its order, whoever took it.
 */
#ifndef VMM_UART_H
#define VMM_UART_H

#include <lightexit/dev/uart.h>
#include <lightexit/lightexit.h>

#include "loop.h"
#include "vmm.h"

struct vmm_uart;

/**
 * struct vmm_uart_opts - a UART
 * @port:   UART_PORT on PCs
 * @clock:  enum lx_clock
 * @state:  a device program's mapped state (lx_device_state()), which outlives the UART;
 *          NULL: a private one
 * @loop:   the machine's own thread; outlives the UART
 * @irq_fd: an edge (vmm_irqfd(), UART_IRQ on PCs); 0 or less: no interrupt
 * @sent:   gets what the guest sends. On vCPU threads and the loop's, one at a time,
 *          and whoever accesses the UART meanwhile waits. Does not call the UART
 * @opaque: given to @sent
 */
struct vmm_uart_opts {
	uint16_t port;
	uint32_t clock;
	struct uart16550_state *state;
	struct vmm_loop *loop;
	int irq_fd;
	void (*sent)(void *opaque, const uint8_t *c, size_t n);
	void *opaque;
};

/**
 * vmm_uart_new() - a UART after reset, its modem connected (CTS, DSR and DCD)
 * @out: vmm_uart_free() it, after the machine
 * Return: 0, or as vmm_add_dev(), vmm_watch_new()
 */
int vmm_uart_new(struct vmm *vm, const struct vmm_uart_opts *opts, struct vmm_uart **out);
void vmm_uart_free(struct vmm_uart *uart);

/* Its index, for vmm_dev_count(). */
unsigned int vmm_uart_index(const struct vmm_uart *uart);

/* What the program is to be attached with: lx_device_set_eventfds(). */
void vmm_uart_eventfds(const struct vmm_uart *uart, struct lx_eventfds *out);

/* The program was attached: the kernel's timers are used from here on, until a handover. */
void vmm_uart_attached(struct vmm_uart *uart);

/**
 * vmm_uart_receive() - characters come over the line
 * @errors: UART_LSR_PE, UART_LSR_FE, UART_LSR_BI, of each
 *
 * They wait for room in the receiver, so that none is lost.
 * Return: how many were taken; fewer than @n if many wait already
 */
size_t vmm_uart_receive(struct vmm_uart *uart, const uint8_t *c, size_t n, uint8_t errors);

/**
 * vmm_uart_take_back() - characters that no receiver had room for, to be kept elsewhere
 * @c: gets @n at most, in their order
 * Return: how many there were. Those of one that is frozen (lx_state_freeze()) are not in
 * what is saved
 */
size_t vmm_uart_take_back(struct vmm_uart *uart, uint8_t *c, size_t n);

/* The state was thawed, here or after it was restored: queue, receiver and timers go on. */
void vmm_uart_kick(struct vmm_uart *uart);

/* The modem's lines, as MSR's bits 7:4. */
void vmm_uart_set_lines(struct vmm_uart *uart, uint8_t lines);

/* Characters that the guest sent so far: queued by the program, and written by an exit. */
struct vmm_uart_count {
	uint64_t queued;
	uint64_t exited;
};

struct vmm_uart_count vmm_uart_count(struct vmm_uart *uart);

/* As the guest's accesses; @opaque is a struct vmm_uart, @vcpu is not used. */
uint64_t vmm_uart_read(void *opaque, struct vmm_vcpu *vcpu, uint64_t off, uint32_t len);
void vmm_uart_write(void *opaque, struct vmm_vcpu *vcpu, uint64_t off, uint32_t len, uint64_t val);

#endif /* VMM_UART_H */
