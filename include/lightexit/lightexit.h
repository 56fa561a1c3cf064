/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * liblightexit: load a device program, attach it to a VM, share its state.
 *
 * All functions that can fail return a negative errno and say why, with the
 * value and the remedy, through the log callback. The library never exits,
 * aborts or prints. A struct lx_device is not thread-safe: one thread at a
 * time calls functions on it. lx_device_state(), lx_device_fd() and
 * lx_device_stats() neither take locks nor touch the VM, and are safe on a
 * vCPU thread; the others may sleep for milliseconds and are not (the states'
 * as long as somebody holds the lock).
 *
 * What needs which privilege:
 *   lx_device_load()                   CAP_BPF, CAP_PERFMON and CAP_SYS_ADMIN
 *   lx_device_attach(), _move(), _replace()
 *                                      the same, and the VM's fd; of another
 *                                      process's VM: CAP_SYS_ADMIN
 *   lx_device_from_fds(), lx_device_state(), lx_device_close(), lx_state_*(),
 *   lx_device_restore(), _mirror(), _detach()
 *                                      none
 * so a broker can load and attach, and hand the state's and the link's fds to
 * a VMM that has no privilege at all.
 */
#ifndef LIGHTEXIT_LIGHTEXIT_H
#define LIGHTEXIT_LIGHTEXIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <lightexit/io.h>
#include <lightexit/ops.h>
#include <lightexit/state.h>

#ifdef __cplusplus
extern "C" {
#endif

#define LX_API __attribute__((visibility("default")))

/** Version of the library: major, minor. Same major: compatible. */
#define LX_VERSION_MAJOR 0
#define LX_VERSION_MINOR 1

/** @brief "0.1": the version of the library that runs. */
LX_API const char *lx_version(void);

enum lx_log_level {
	LX_LOG_WARN = 0, /* a call failed; this says why */
	LX_LOG_INFO = 1,
	LX_LOG_DEBUG = 2, /* libbpf's own messages, the verifier's log */
};

typedef void (*lx_log_fn)(void *ctx, enum lx_log_level level, const char *msg);

/**
 * @brief Where messages go; NULL (the start value): nowhere.
 * @param fn gets one line without a newline, on the thread of the failing call
 * @param ctx given to @fn
 * Call it before other functions; it applies to the whole process.
 */
LX_API void lx_set_log(lx_log_fn fn, void *ctx);

/* One thing that lightexit needs, and whether this host has it. */
struct lx_check {
	const char *name; /* e.g. "module"; static */
	bool ok;
	char detail[160]; /* what was found */
	char remedy[160]; /* what to do, if not ok */
};

#define LX_PROBE_MAX 12

struct lx_probe {
	size_t sz; /* in: sizeof(struct lx_probe) */
	unsigned int n;
	struct lx_check checks[LX_PROBE_MAX];
};

/**
 * @brief What this host lacks to use lightexit, in words.
 * @param p filled in; may be NULL
 * @return 0 if nothing is missing; -ENOENT: no module for this kernel;
 *         -ESHUTDOWN: switched off; -EPERM: privileges; -EOPNOTSUPP: the kernel
 */
LX_API int lx_probe(struct lx_probe *p);

struct lx_device;

struct lx_open_opts {
	size_t sz;
	const char *dir; /* where NAME.bpf.o is; NULL: $LIGHTEXIT_BPF_DIR, else the installed one */
	int state_fd;	 /* > 0: use this state map instead of a new one (lx_device_replace()) */
};

/**
 * @brief Opens a device program's object file. Needs no privilege.
 * @param name a path (with a slash) to an object, or the name of an installed one ("hpet")
 * @param opts NULL: defaults
 * @param out the device; lx_device_close() it
 * @return 0; -ENOENT: no such object; -EINVAL: it is not a device program
 */
LX_API int lx_device_open(const char *name, const struct lx_open_opts *opts,
			  struct lx_device **out);

/**
 * @brief A device on ready-made fds: for a VMM whose broker did the rest.
 * Takes the state over from whoever was its VMM (lx_state_adopt()).
 * @param state_fd the state map; dup'ed
 * @param link_fd the link, or -1; dup'ed
 * @return 0; -EINVAL: @state_fd cannot be mapped as a state
 */
LX_API int lx_device_from_fds(int state_fd, int link_fd, struct lx_device **out);

/**
 * @brief Replaces the regions that the object came with. Before attach.
 * @param n 1 to LX_MAX_REGIONS
 * @return 0; -EINVAL, -ERANGE as in ops.h; -EBUSY: attached, use lx_device_move()
 */
LX_API int lx_device_set_regions(struct lx_device *dev, const struct lx_region *regions,
				 unsigned int n);

/* The eventfds of a device; ops.h, struct lightexit_ops, says what they are for. */
struct lx_eventfds {
	size_t sz;		 /* in: sizeof(struct lx_eventfds) */
	unsigned int n;		 /* slots that are looked at, at most LX_MAX_SLOTS */
	int slots[LX_MAX_SLOTS]; /* lx_signal()'s; 0 or less: none there */
	int handover_fd;	 /* 0 or less: none */
	int kick_fd;		 /* 0 or less: none */
};

/**
 * @brief The eventfds that the device is attached with from now on. Before attach.
 * @param eventfds dup'ed, so the caller's may be closed; NULL: none, as at first
 * Moves and replaces keep what the device was attached with.
 * @return 0; -EINVAL: n, or one that is no eventfd; -EBADF: one is closed; -EBUSY: attached;
 *         -E2BIG: it is of a later version. Then nothing has changed.
 */
LX_API int lx_device_set_eventfds(struct lx_device *dev, const struct lx_eventfds *eventfds);

/** @brief The regions in force, and their number through @n. */
LX_API const struct lx_region *lx_device_regions(const struct lx_device *dev, unsigned int *n);

/** @brief The device's name, from its object. */
LX_API const char *lx_device_name(const struct lx_device *dev);

/**
 * @brief Loads the programs into the kernel and maps the state.
 * @return 0; -ENOENT: no module (the message says which of "none", "for another
 *         kernel" or "switched off"); -EPERM; -EACCES or -EINVAL: the verifier
 *         refused, its log goes to LX_LOG_DEBUG and its reason to LX_LOG_WARN
 */
LX_API int lx_device_load(struct lx_device *dev);

/**
 * @brief The state, mapped; its header is filled in, the rest is the VMM's to write.
 * @param size its bytes; may be NULL
 * @return NULL before lx_device_load()
 */
LX_API void *lx_device_state(const struct lx_device *dev, size_t *size);

/**
 * @brief Puts the loaded device on a VM's buses; the state should be published before.
 * Programs of its object that are not ops (tracepoints) are attached before, and detached with it.
 * Waits for up to 3 s while somebody keeps the VM's memory slots locked, as a VMM that starts.
 * @param vm_fd KVM's VM file descriptor
 * @return 0; -EBADF, -EINVAL, -EPERM, -ERANGE, -EEXIST, -EBUSY, -ENOSPC, -E2BIG,
 *         -ESHUTDOWN as documented in ops.h; -EAGAIN: the slots stayed locked; -EALREADY:
 *         attached; -EOPNOTSUPP: the loaded module does not know eventfds
 */
LX_API int lx_device_attach(struct lx_device *dev, int vm_fd);

/**
 * @brief Moves an attached device's regions, all of them at once.
 * Waits as lx_device_attach() does, the device's programs passing some of the time.
 * @return as lx_device_attach(); on failure the device stays where it was
 */
LX_API int lx_device_move(struct lx_device *dev, int vm_fd, const struct lx_region *regions,
			  unsigned int n);

/**
 * @brief Replaces the programs of an attached device while the VM runs.
 * @param with a loaded, unattached device, opened with opts.state_fd being
 *        @dev's state. @dev takes its programs; close @with afterwards.
 * @return 0, or as lx_device_attach(); on failure the old programs stay
 */
LX_API int lx_device_replace(struct lx_device *dev, int vm_fd, struct lx_device *with);

/**
 * @brief Takes the device off its VM; the state stays mapped. May be attached again.
 * When it returns no vCPU is in the program, and every access exits to the VMM.
 * @return 0; -ENOTCONN: not attached
 */
LX_API int lx_device_detach(struct lx_device *dev);

/** @brief Detaches if need be, unmaps, frees. NULL is fine. */
LX_API void lx_device_close(struct lx_device *dev);

/*
 * A state: lx_device_state(), or a VMM's own without any module (lx_state_init()).
 * lx_state_start(), lx_state_freeze() and lx_state_thaw() are in state.h.
 */

/**
 * @brief This process becomes the state's VMM, the earlier one being gone.
 * lx_device_from_fds() does it; call it for a state taken over in another way (a VMM that
 * was restarted, and opened its programs with lx_open_opts.state_fd).
 * @return 0; 1: the earlier VMM died with the lock held, or between lx_write_begin() and
 *         lx_write_end(), as is logged: both are recovered, but what they protect may be
 *         half changed: reset or restore the device. -EINVAL
 * Waits a second for who has the lock.
 */
LX_API int lx_state_adopt(struct lx_state *st);

/**
 * @brief Writes a state as bytes for any host, with lightexit or without: saved.h.
 * @param name the device's; lx_state_restore() has to be given the same
 * @param clock_ns the state's clock now; not looked at if the state is frozen. Registers that
 *        are read without the lock may have shown a later time, so freeze it first
 * @param buf NULL: nothing is written
 * @return the bytes it takes, also if @size is less: then nothing is written; -EINVAL
 * Waits for the state's lock.
 */
LX_API ssize_t lx_state_save(struct lx_state *st, const char *name, uint64_t clock_ns, void *buf,
			     size_t size);

/**
 * @brief Reads a saved state back, and leaves it frozen at the time of the save.
 * The header keeps what is this host's. Then lx_state_thaw(), and kick the device.
 * @return 0; -EINVAL: it is none, or another device's; -EBADMSG: cut short or changed;
 *         -EPROTO: of a later version; then nothing has changed
 * Waits for the state's lock.
 */
LX_API int lx_state_restore(struct lx_state *st, const char *name, const void *buf, size_t size);

/**
 * @brief As lx_state_save(), with the clock read at the right moment, and with the counters.
 * @param vm_fd the VM's, for a state that counts by kvmclock and is not frozen; or -1
 * @return as lx_state_save(); -EINVAL for a device from fds: lx_state_save() takes its name
 */
LX_API ssize_t lx_device_save(struct lx_device *dev, int vm_fd, void *buf, size_t size);

/** @brief As lx_state_restore(). lx_device_stats() goes on from the saved counters. */
LX_API int lx_device_restore(struct lx_device *dev, const void *buf, size_t size);

/**
 * @brief Has guests read pages of the state as memory, with no exit at all.
 * A read-only memory slot of the VM's, at [gpa, gpa + len), over the state's bytes from @off.
 * Guests' writes there exit as ever: a program whose MMIO region it is updates the page. For
 * registers whose reads have no side effects. Dirty logging does not see these pages.
 * @param slot a slot's number that the VMM does not use itself
 * @param off at least one page, as the first has header and lock; like @gpa and @len a
 *        multiple of the page size
 * @return 0; -EINVAL; -EEXIST: the slot's number or a part of the range is taken; -ENOSPC: more
 *         than 8; -EOPNOTSUPP: no such slots here; or what KVM says
 * Only in the process that made the VM, which is kept until the mirror goes. Sleeps.
 */
LX_API int lx_device_mirror(struct lx_device *dev, int vm_fd, uint32_t slot, uint64_t gpa,
			    size_t off, size_t len);

/**
 * @brief Takes a mirror away; lx_device_close() does it for all of them. Then reads exit.
 * @return 0; -ENOENT: none of this device's; or what KVM says, and it is gone all the same
 */
LX_API int lx_device_unmirror(struct lx_device *dev, uint32_t slot);

enum lx_fd {
	LX_FD_STATE = 0,
	LX_FD_LINK = 1,
};

/** @brief An fd of the device's, to hand on; it stays the device's. -1: none. */
LX_API int lx_device_fd(const struct lx_device *dev, enum lx_fd which);

/* What happened in one region, summed over CPUs. */
struct lx_region_stats {
	struct lx_region region;
	uint64_t handled;
	uint64_t passed;
	uint64_t errors;	/* bad verdicts; each also counts as passed */
	uint64_t string_splits; /* strings that lost their tail; see docs/path.md */
	uint64_t shadowed;	/* pieces of it that a later device of somebody else hides */
};

struct lx_stats {
	size_t sz;	       /* in: sizeof(struct lx_stats) */
	uint32_t id;	       /* of the device, as in `lightexit list` */
	uint32_t link_id;      /* as in `bpftool link` */
	int32_t pid;	       /* of the process that created the VM; 0: the VM is gone */
	uint32_t eject;	       /* enum lx_eject_code */
	uint32_t eject_detail; /* lx_eject()'s code; of too many LX_RETRY the timer's index */
	uint32_t n_regions;
	uint64_t max_ns; /* longest run of an op */
	uint64_t overruns;
	char name[LX_NAME_LEN];
	char reason[64]; /* of the ejection, in words; "" if none */
	struct lx_region_stats regions[LX_MAX_REGIONS];
};

/**
 * @brief Every attached device of this host, by id. Needs read access to debugfs.
 * @param fn called for each; a non-zero return ends the walk and is returned
 */
LX_API int lx_for_each_device(int (*fn)(const struct lx_stats *s, void *ctx), void *ctx);

/**
 * @brief An attached device's counters.
 * @return 0; -ENOTCONN: not attached; -EACCES: no access to debugfs
 */
LX_API int lx_device_stats(const struct lx_device *dev, struct lx_stats *s);

#ifdef __cplusplus
}
#endif

#endif /* LIGHTEXIT_LIGHTEXIT_H */
