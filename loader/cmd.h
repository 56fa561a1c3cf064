/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* The command's sub-commands and what they share. */
#ifndef LIGHTEXIT_CMD_H
#define LIGHTEXIT_CMD_H

#include <argp.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include <lightexit/lightexit.h>

/* Exit codes; main() alone turns them into one. */
enum {
	RC_OK = 0,
	RC_FAILED = 1,
	RC_USAGE = 2,
	RC_MISSING = 3, /* doctor found something missing */
};

struct command {
	const char *name;
	const char *summary;
	int (*run)(int argc, char **argv); /* argv[0] is "lightexit NAME" */
};

int cmd_doctor(int argc, char **argv);
int cmd_list(int argc, char **argv);
int cmd_attach(int argc, char **argv);
int cmd_stats(int argc, char **argv);
int cmd_detach(int argc, char **argv);
int cmd_record(int argc, char **argv);
int cmd_save(int argc, char **argv);
int cmd_restore(int argc, char **argv);
int cmd_new(int argc, char **argv);

/* A child of every sub-command's argp: --json; its input is a bool. */
extern const struct argp json_argp;
#define JSON_CHILD { &json_argp, 0, NULL, 0 }

/* say.c. Prints "lightexit: MESSAGE" to stderr; returns RC_FAILED. */
int complain(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* What was printed goes out; or it says, once, that it did not, and returns RC_FAILED. */
int flush_output(void);
/* args.c. A device's or another decimal id; false if it is none. */
bool parse_id(const char *s, uint32_t *id);
/* A number from @min to @max, decimal, or hexadecimal after 0x; false if it is none. */
bool parse_number(const char *s, uint64_t min, uint64_t max, uint64_t *v);
/* The same for @option of a command line: says what it takes and ends, if @s is no such number. */
uint64_t arg_number(const struct argp_state *state, const char *option, const char *s, uint64_t min,
		    uint64_t max);
/* Blocks SIGINT and SIGTERM; a signalfd with them, or -1, said on stderr */
int open_end_signals(void);

/* table.c: rows of text in aligned columns, as plain_text() has it (json.h). */
struct table;
struct table *table_new(unsigned int cols, const char *const *head);
/* Cells in order, line by line. */
void table_add(struct table *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Prints and frees it. */
void table_print(struct table *t);

/* devices.c: a copy of what lx_for_each_device() gives. */
struct devices {
	struct lx_stats *v;
	size_t n;
};

/* 0; or -errno, said on stderr */
int devices_read(struct devices *d);
void devices_free(struct devices *d);
const struct lx_stats *devices_find(const struct devices *d, uint32_t id);

/* bpfinfo.c: the BPF objects behind a device, as far as they can be seen. */
#define VIEW_MAX 16

struct bpf_view {
	uint32_t map_id; /* 0: not to be seen */
	uint32_t state_map_id;
	char state_map[16];
	unsigned int n_progs;
	uint32_t progs[VIEW_MAX];
};

void bpf_view_get(uint32_t link_id, struct bpf_view *v);
/* What the error of getting at a device's BPF objects by ID says of the device, with the remedy. */
const char *bpf_errstr(int err);

#endif /* LIGHTEXIT_CMD_H */
