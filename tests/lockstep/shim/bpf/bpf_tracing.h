/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef SHIM_BPF_TRACING_H
#define SHIM_BPF_TRACING_H

#define BPF_PROG(_name, ...) \
	_name(__VA_ARGS__);  \
	int _name(__VA_ARGS__)

#endif /* SHIM_BPF_TRACING_H */
