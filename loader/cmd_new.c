// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* lightexit new: writes an accelerator to start from. Its files are in templates/. */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmd.h"
#include "json.h"

#define N_FILES (sizeof(files) / sizeof(files[0]))

struct args {
	bool json;
	const char *dir;
	const char *name;
};

/* templates.S */
extern const char template_header[], template_model[], template_program[], template_test[],
	template_makefile[];

static const struct {
	const char *path; /* the same names in it */
	const char *text;
} files[] = {
	{ "lxname.h", template_header },      { "lxname_model.h", template_model },
	{ "lxname.bpf.c", template_program }, { "test_lxname.c", template_test },
	{ "Makefile", template_makefile },
};

/* @s is @prefix, or begins with it and _. */
static bool is_below(const char *prefix, const char *s)
{
	size_t n = strlen(prefix);

	return !strncasecmp(s, prefix, n) && (!s[n] || s[n] == '_');
}

/* What is generated has names like NAME_accel and NAME_BASE, and files like NAME.h. */
static const char *bad_name(const char *s)
{
	size_t i;

	if (!isalpha((unsigned char)s[0]))
		return "it must begin with a letter";
	for (i = 0; s[i]; i++) {
		if (!isalnum((unsigned char)s[i]) && s[i] != '_')
			return "it must be an identifier of C: letters, digits and _";
	}
	if (i >= LX_NAME_LEN)
		return "a device's name has at most 15 characters";
	if (is_below("lx", s) || is_below("lightexit", s))
		return "what begins with lx_ or lightexit_ is lightexit's own";
	if (!strcmp(s, "vmlinux"))
		return "vmlinux.h is the file of the kernel's types";
	return NULL;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct args *a = state->input;
	const char *why;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &a->json;
		return 0;
	case 'd':
		a->dir = arg;
		return 0;
	case ARGP_KEY_ARG:
		if (a->name)
			argp_error(state, "one NAME, please");
		why = bad_name(arg);
		if (why)
			argp_error(state, "'%s': %s", arg, why);
		a->name = arg;
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "a NAME is missing");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_option options[] = {
	{ "dir", 'd', "DIR", 0, "Write there instead of to ./NAME", 0 },
	{ 0 },
};

static const struct argp_child children[] = { JSON_CHILD, { 0 } };

static const struct argp argp = {
	.options = options,
	.parser = parse,
	.args_doc = "NAME",
	.children = children,
	.doc = "Writes an accelerator to start from, of one counter and one scratch register: state, model, "
	       "BPF program, test, Makefile. Overwrites nothing.",
};

/* lxname becomes the name, LXNAME the name in capitals. */
static void expand(FILE *f, const char *text, const char *name)
{
	const char *c;
	bool upper;

	while (*text) {
		upper = !strncmp(text, "LXNAME", 6);
		if (!upper && strncmp(text, "lxname", 6)) {
			fputc(*text++, f);
			continue;
		}
		for (c = name; *c; c++)
			fputc(upper ? toupper((unsigned char)*c) : *c, f);
		text += 6;
	}
}

static char *path_of(const struct args *a, size_t i)
{
	char *path = NULL;
	size_t size;
	FILE *f = open_memstream(&path, &size);

	if (!f)
		return NULL;
	fprintf(f, "%s/", a->dir);
	expand(f, files[i].path, a->name);
	return fclose(f) ? NULL : path;
}

/* Leaves nothing behind if it fails. */
static int write_file(const char *path, const char *text, const char *name)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666), err;
	FILE *f;

	if (fd < 0)
		return complain("%s: %s", path, strerror(errno));
	f = fdopen(fd, "w");
	if (!f) {
		err = errno;
		close(fd);
		goto remove;
	}
	expand(f, text, name);
	err = fflush(f) || ferror(f) ? errno : 0;
	if (fclose(f) && !err)
		err = errno;
	if (!err)
		return RC_OK;
remove:
	unlink(path);
	return complain("%s: %s", path, strerror(err));
}

static int refuse_existing(char *const *paths)
{
	size_t i;

	for (i = 0; i < N_FILES; i++) {
		if (!access(paths[i], F_OK))
			return complain("%s is there already; nothing was written", paths[i]);
	}
	return RC_OK;
}

static int write_all(const struct args *a, char *const *paths)
{
	int rc = refuse_existing(paths);
	bool made;
	size_t i;

	if (rc != RC_OK)
		return rc;
	made = !mkdir(a->dir, 0777);
	if (!made && errno != EEXIST)
		return complain("%s: %s", a->dir, strerror(errno));
	for (i = 0; rc == RC_OK && i < N_FILES; i++)
		rc = write_file(paths[i], files[i].text, a->name);
	if (rc == RC_OK)
		return rc;
	/* the last of them is gone already */
	while (--i)
		unlink(paths[i - 1]);
	if (made)
		rmdir(a->dir);
	return rc;
}

static int report(const struct args *a, char *const *paths)
{
	json_t *list = a->json ? json_array() : NULL;
	size_t i;

	for (i = 0; i < N_FILES; i++) {
		if (a->json)
			json_array_append_new(list, json_string(paths[i]));
		else
			printf("%s\n", paths[i]);
	}
	if (a->json)
		return json_print(json_pack("{s:s, s:o}", "name", a->name, "files", list),
				  JSON_INDENT(2));
	printf("\nTo build and test it: make -C %s all check\n", a->dir);
	return RC_OK;
}

int cmd_new(int argc, char **argv)
{
	char *paths[N_FILES] = { NULL };
	struct args a = { 0 };
	int rc = RC_OK;
	size_t i;

	argp_parse(&argp, argc, argv, 0, NULL, &a);
	a.dir = a.dir ?: a.name;
	for (i = 0; i < N_FILES; i++) {
		paths[i] = path_of(&a, i);
		if (!paths[i])
			rc = complain("out of memory");
	}
	if (rc == RC_OK)
		rc = write_all(&a, paths);
	if (rc == RC_OK)
		rc = report(&a, paths);
	for (i = 0; i < N_FILES; i++)
		free(paths[i]);
	return rc;
}
