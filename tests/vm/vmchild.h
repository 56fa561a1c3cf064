/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Tests of more than one process: fewer rights, and file descriptors that are
 * handed over. For children too: functions return a negative errno and assert
 * nothing.
 */
#ifndef VMCHILD_H
#define VMCHILD_H

#include <stddef.h>

#define VMC_NOBODY 65534
#define VMC_FDS 4U

/* Sends a message with @n file descriptors, at most VMC_FDS. Return: 0 */
int vmc_send(int sock, const void *msg, size_t len, const int *fds, unsigned int n);

/* Receives just such a message. Return: 0; -EPROTO: another one; -EPIPE: the sender is gone */
int vmc_recv(int sock, void *msg, size_t len, int *fds, unsigned int n);

/* Uid and gid 65534, no other groups, hence no capabilities. Return: 0 */
int vmc_become_nobody(void);

/* Gives one capability (of capabilities(7), by number) up for good. Return: 0 */
int vmc_drop_cap(int cap);

/* The capabilities in force. */
unsigned long long vmc_caps(void);

#endif /* VMCHILD_H */
