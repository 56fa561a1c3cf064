/* SPDX-License-Identifier: GPL-2.0-only */
/* lightexit: tracepoints lightexit:lx_access, lx_eject and lx_timer. */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM lightexit

#if !defined(LX_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define LX_TRACE_H

#include <linux/tracepoint.h>

/* ④ One access that reached a device: every one, handled or passed, of a valid length. */
TRACE_EVENT(lx_access,
	TP_PROTO(const struct lx_io_kern *k, bool write, int verdict),
	TP_ARGS(k, write, verdict),
	TP_STRUCT__entry(
		__field(u32, dev)
		__field(u32, vcpu)
		__field(u64, addr)
		__field(u64, data)
		__field(u32, len)
		__field(int, verdict)
		__field(u32, region)
		__field(bool, write)
		__field(bool, pio)
	),
	TP_fast_assign(
		__entry->dev = k->piece->dev->id;
		__entry->vcpu = k->io.vcpu;
		__entry->addr = k->piece->base + k->io.addr;
		__entry->data = k->io.data;
		__entry->len = k->io.len;
		__entry->verdict = verdict;
		__entry->region = k->io.region;
		__entry->write = write;
		__entry->pio = k->piece->pio;
	),
	TP_printk("dev=%u vcpu=%u region=%u %s %s addr=0x%llx len=%u data=0x%llx verdict=%s(%d)",
		  __entry->dev, __entry->vcpu, __entry->region, __entry->pio ? "pio" : "mmio",
		  __entry->write ? "write" : "read", __entry->addr, __entry->len, __entry->data,
		  __entry->verdict == LX_HANDLED ? "handled" :
		  __entry->verdict == LX_PASS ? "pass" : "error", __entry->verdict)
);

/* A device was taken off the fast path; code is enum lx_eject_code. */
TRACE_EVENT(lx_eject,
	TP_PROTO(u32 dev, u32 code, u32 detail),
	TP_ARGS(dev, code, detail),
	TP_STRUCT__entry(
		__field(u32, dev)
		__field(u32, code)
		__field(u32, detail)
	),
	TP_fast_assign(
		__entry->dev = dev;
		__entry->code = code;
		__entry->detail = detail;
	),
	TP_printk("dev=%u code=%u detail=%u", __entry->dev, __entry->code, __entry->detail)
);

/* A timer op's call; timer is LX_TIMER_KICK, or its index, and due when it was set for. */
TRACE_EVENT(lx_timer,
	TP_PROTO(u32 dev, u64 timer, u64 due, int verdict),
	TP_ARGS(dev, timer, due, verdict),
	TP_STRUCT__entry(
		__field(u32, dev)
		__field(int, verdict)
		__field(u64, timer)
		__field(u64, due)
	),
	TP_fast_assign(
		__entry->dev = dev;
		__entry->verdict = verdict;
		__entry->timer = timer;
		__entry->due = due;
	),
	TP_printk("dev=%u timer=%lld due=%llu verdict=%s(%d)", __entry->dev, (s64)__entry->timer,
		  __entry->due,
		  __entry->verdict == LX_HANDLED ? "handled" :
		  __entry->verdict == LX_RETRY ? "retry" : "error", __entry->verdict)
);

#endif /* LX_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
