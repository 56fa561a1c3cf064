// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * lightexit save, restore: a device's state to a file and back, by the state's map. The VMM
 * is not asked: it has to have stopped the VM.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "cmd.h"
#include "internal.h"
#include "json.h"

/* A state is as large as its map; nobody means a file beyond that. */
#define FILE_MAX (64L << 20)
/* Longer than any thread of a VMM that was stopped at a good place keeps the lock. */
#define LOCK_MS 1000

struct args {
	bool json; /* first: the child's input */
	uint32_t id;
	const char *file;
};

/* A device's state, mapped beside the VMM. */
struct view {
	struct lx_state *st;
	size_t size;
	const struct lx_stats *stats;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct args *a = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &a->json;
		return 0;
	case ARGP_KEY_ARG:
		if (state->arg_num > 1)
			argp_error(state, "one ID and one FILE, please");
		if (state->arg_num)
			a->file = arg;
		else if (!parse_id(arg, &a->id))
			argp_error(state, "'%s' is not the ID of a device; see lightexit list",
				   arg);
		return 0;
	case ARGP_KEY_END:
		if (!a->file)
			argp_error(state, "give the ID of a device, and a FILE");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_child children[] = { JSON_CHILD, { 0 } };

static const struct argp save_argp = {
	.parser = parse,
	.args_doc = "ID FILE",
	.children = children,
	.doc = "Saves a device's state, as lx_device_save() does. Stop the VM first, by its VMM: what "
	       "guests or the VMM do meanwhile would be in the file in part. FILE is replaced.",
};

static const struct argp restore_argp = {
	.parser = parse,
	.args_doc = "ID FILE",
	.children = children,
	.doc = "Restores a device's state from a file that save, or lx_device_save(), wrote. The VMM has to "
	       "have stopped the VM, and frozen the state (lx_state_freeze()); the device goes on from the "
	       "time of the save when the VMM thaws it.",
};

static int map_state(const struct lx_stats *s, struct view *v)
{
	struct bpf_map_info info = { 0 };
	__u32 len = sizeof(info);
	struct bpf_view ids;
	int fd, err;
	void *p;

	bpf_view_get(s->link_id, &ids);
	if (!ids.state_map_id)
		return complain("device %u (%s): its state is not to be seen; run as root", s->id,
				s->name);
	fd = bpf_map_get_fd_by_id(ids.state_map_id);
	err = fd < 0 ? fd : bpf_map_get_info_by_fd(fd, &info, &len);
	if (!err) {
		p = mmap(NULL, lx_map_len(info.value_size), PROT_READ | PROT_WRITE, MAP_SHARED, fd,
			 0);
		err = p == MAP_FAILED ? -errno : 0;
	}
	if (fd >= 0)
		close(fd);
	if (err)
		return complain("device %u (%s): state map %u: %s", s->id, s->name,
				ids.state_map_id, strerror(-err));
	*v = (struct view){ .st = p, .size = info.value_size, .stats = s };
	return RC_OK;
}

static bool is_frozen(const struct view *v)
{
	return __atomic_load_n(&v->st->abi, __ATOMIC_RELAXED) & LX_STATE_FROZEN;
}

/* With the state's lock held a signal must not end this process. */
static void block_signals(sigset_t *old)
{
	sigset_t all;

	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, old);
}

static ssize_t save_state(const struct view *v, void *buf, size_t size)
{
	const struct lx_save_req req = {
		.name = v->stats->name,
		.size = v->size,
		.lock_ms = LOCK_MS,
		.read_clock = true,
		.vm_fd = -1,
		.stats = v->stats,
	};
	sigset_t old;
	ssize_t n;

	block_signals(&old);
	n = lx_save(v->st, &req, buf, size);
	sigprocmask(SIG_SETMASK, &old, NULL);
	return n;
}

static int restore_state(const struct view *v, const void *buf, size_t size)
{
	const struct lx_save_req req = {
		.name = v->stats->name,
		.size = v->size,
		.lock_ms = LOCK_MS,
	};
	sigset_t old;
	int err;

	block_signals(&old);
	err = lx_restore(v->st, &req, buf, size, NULL);
	sigprocmask(SIG_SETMASK, &old, NULL);
	return err;
}

static int write_all(int fd, const char *buf, size_t size)
{
	ssize_t n;

	for (; size; buf += n, size -= n) {
		n = write(fd, buf, size);
		if (n < 0)
			return -errno;
	}
	return fsync(fd) && errno != EINVAL ? -errno : 0;
}

/* All or nothing: a file of that name before is still there after a failure. */
static int write_file(const char *file, const void *buf, size_t size)
{
	char tmp[LX_PATH_MAX];
	int fd, err;

	if ((size_t)snprintf(tmp, sizeof(tmp), "%s.XXXXXX", file) >= sizeof(tmp))
		return complain("%s: name too long", file);
	fd = mkostemp(tmp, O_CLOEXEC);
	if (fd < 0)
		return complain("%s: %s", tmp, strerror(errno));
	err = write_all(fd, buf, size);
	close(fd);
	if (!err && rename(tmp, file))
		err = -errno;
	if (err) {
		unlink(tmp);
		return complain("%s: %s", file, strerror(-err));
	}
	return RC_OK;
}

/* The bytes that were read, or RC_FAILED as a negative number. */
static ssize_t read_open(FILE *f, const char *file, char **buf)
{
	struct stat st;
	size_t n;

	if (fstat(fileno(f), &st))
		return -complain("%s: %s", file, strerror(errno));
	if (st.st_size > FILE_MAX)
		return -complain("%s: %jd bytes are no saved state", file, (intmax_t)st.st_size);
	*buf = malloc(st.st_size + 1);
	if (!*buf)
		return -complain("%s: %s", file, strerror(ENOMEM));
	n = fread(*buf, 1, st.st_size + 1, f);
	return ferror(f) ? -complain("%s: %s", file, strerror(EIO)) : (ssize_t)n;
}

static ssize_t read_file(const char *file, char **buf)
{
	FILE *f = fopen(file, "re");
	ssize_t n;

	*buf = NULL;
	if (!f)
		return -complain("%s: %s", file, strerror(errno));
	n = read_open(f, file, buf);
	fclose(f);
	return n;
}

static int report(const struct args *a, const struct view *v, const char *done, size_t size)
{
	const struct lx_stats *s = v->stats;
	bool frozen = is_frozen(v);

	if (a->json)
		return json_print(json_pack("{s:I, s:s, s:i, s:s, s:s, s:I, s:b}", "id",
					    (json_int_t)s->id, "name", s->name, "pid", (int)s->pid,
					    "done", done, "file", a->file, "bytes",
					    (json_int_t)size, "frozen", (int)frozen),
				  JSON_INDENT(2));
	printf("Device %u (%s) of process %d: %s, %zu bytes, %s.\n", s->id, s->name, s->pid, done,
	       size, a->file);
	if (!frozen)
		printf("Its time runs: the VMM has not frozen it. What was saved is of one instant, but the "
		       "guest may have seen a later one.\n");
	return RC_OK;
}

static int save(const struct args *a, const struct view *v)
{
	ssize_t n = save_state(v, NULL, 0);
	void *buf = n < 0 ? NULL : malloc(n);
	int rc;

	if (n < 0)
		return RC_FAILED;
	if (!buf)
		return complain("%s: %s", a->file, strerror(ENOMEM));
	n = save_state(v, buf, n);
	rc = n < 0 ? RC_FAILED : write_file(a->file, buf, n);
	free(buf);
	return rc == RC_OK ? report(a, v, "saved", n) : rc;
}

static int restore(const struct args *a, const struct view *v)
{
	const struct lx_stats *s = v->stats;
	ssize_t n;
	char *buf;
	int rc;

	if (!is_frozen(v))
		return complain(
			"device %u (%s): its time runs, and the guest would see it jump; have "
			"its VMM stop the VM and freeze the state (lx_state_freeze())",
			s->id, s->name);
	n = read_file(a->file, &buf);
	rc = n < 0 || restore_state(v, buf, n) ? RC_FAILED : RC_OK;
	free(buf);
	return rc == RC_OK ? report(a, v, "restored", n) : rc;
}

static int run(const struct argp *argp, int argc, char **argv,
	       int (*fn)(const struct args *a, const struct view *v))
{
	struct args a = { 0 };
	const struct lx_stats *s;
	struct devices d;
	struct view v;
	int rc;

	argp_parse(argp, argc, argv, 0, NULL, &a);
	if (devices_read(&d))
		return RC_FAILED;
	s = devices_find(&d, a.id);
	rc = s ? map_state(s, &v) : complain("no device has ID %u; see lightexit list", a.id);
	if (rc == RC_OK) {
		rc = fn(&a, &v);
		munmap(v.st, lx_map_len(v.size));
	}
	devices_free(&d);
	return rc;
}

int cmd_save(int argc, char **argv)
{
	return run(&save_argp, argc, argv, save);
}

int cmd_restore(int argc, char **argv)
{
	return run(&restore_argp, argc, argv, restore);
}
