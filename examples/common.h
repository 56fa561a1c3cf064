/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * What the examples' command lines share: --path, --bpf-dir and --json, numbers and words,
 * and what a device cost. An example's own parser (argp) has example_argp as a child, and
 * gives it a struct example_opts with ARGP_KEY_INIT.
 */
#ifndef EXAMPLES_COMMON_H
#define EXAMPLES_COMMON_H

#include <argp.h>
#include <jansson.h>

#include "accel.h"

/* Exit status after a wrong command line. */
#define EXIT_USAGE 2

struct example_opts {
	enum vmm_path path;
	const char *bpf_dir;
	bool json;
};

extern const struct argp_child example_argp[];

/* @words ends with NULL. Return: the index of @arg; else the usage error ends the program. */
int example_word(const char *arg, const char *const *words, struct argp_state *state,
		 const char *option);

/* Return: @arg as a number from @min to @max; else the usage error ends the program. */
uint64_t example_number(const char *arg, uint64_t min, uint64_t max, struct argp_state *state,
			const char *option);

/* Parses, runs @run on @config, which the parser has filled in. Return: main()'s. */
int example_main(int argc, char **argv, const struct argp *argp, void *config,
		 int (*run)(void *config));

/* vmm_accel_open() by the options; @regions as there. */
int example_open(const struct example_opts *opts, const char *name, size_t state_size,
		 const struct lx_region *regions, unsigned int n_regions, struct vmm_accel **out);

/**
 * struct example_cost - a device's accesses so far, by who answered them
 * @bpf:      a program is attached
 * @counted:  @answered is known
 * @heavy:    exits to the device's back end
 * @answered: by the program
 */
struct example_cost {
	bool bpf;
	bool counted;
	uint64_t heavy;
	uint64_t answered;
};

/* @count: the back end's (vmm_dev_count()) */
struct example_cost example_cost(struct vmm_count count, const struct vmm_accel *accel);

/* What came between two of a device. */
struct example_cost example_cost_since(struct example_cost before, struct example_cost now);

/* For tables: "bpf" or "vmm"; and @answered as text, "-" if it is not known. */
const char *example_path(const struct example_cost *cost);
const char *example_answered(const struct example_cost *cost, char buf[24]);

/* For JSON, the same with null. */
json_t *example_answered_json(const struct example_cost *cost);

/* Appends @row, which it takes. Return: @array; NULL: no memory, and it is freed */
json_t *example_append(json_t *array, json_t *row);

/* Prints @json to stdout, and frees it. NULL: no memory for it. Return: 0 or -ENOMEM */
int example_print_json(json_t *json);

#endif /* EXAMPLES_COMMON_H */
