/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* state.h and its parts as BPF programs compile them, for threads to run natively. */
#ifndef PROGRAM_SIDE_H
#define PROGRAM_SIDE_H

#include <stdbool.h>
#include <stdint.h>

struct lx_state;
struct lx_bell;
struct lx_queue;

bool program_enter(struct lx_state *st);
void program_leave(struct lx_state *st);
void program_write_begin(struct lx_state *st);
void program_write_end(struct lx_state *st);
bool program_live(const struct lx_state *st);
bool program_read_begin(const struct lx_state *st, uint32_t *seq);
bool program_read_retry(const struct lx_state *st, uint32_t seq);
bool program_bell_ring(struct lx_bell *bell);
/* Pushes a write of @data at @addr of @region. */
bool program_push(struct lx_queue *q, uint32_t region, uint64_t addr, uint64_t data);

#endif /* PROGRAM_SIDE_H */
