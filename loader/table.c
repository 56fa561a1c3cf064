// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Text in aligned columns. A column of numbers only is aligned to the right. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"

struct table {
	unsigned int cols;
	size_t n; /* cells, with the head */
	char **cells;
};

static void add(struct table *t, char *cell)
{
	if (!(t->n & (t->n - 1)))
		t->cells = realloc(t->cells, (t->n ? 2 * t->n : 1) * sizeof(*t->cells));
	if (!t->cells || !cell) {
		perror("lightexit");
		exit(RC_FAILED);
	}
	t->cells[t->n++] = cell;
}

struct table *table_new(unsigned int cols, const char *const *head)
{
	struct table *t = calloc(1, sizeof(*t));
	unsigned int i;

	if (!t) {
		perror("lightexit");
		exit(RC_FAILED);
	}
	t->cols = cols;
	for (i = 0; i < cols; i++)
		add(t, strdup(head[i]));
	return t;
}

void table_add(struct table *t, const char *fmt, ...)
{
	char *text = NULL, *cell;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&text, fmt, ap);
	va_end(ap);
	cell = n < 0 ? NULL : malloc(PLAIN_SIZE(n));
	if (cell)
		plain_text(text, cell, PLAIN_SIZE(n));
	if (n >= 0)
		free(text);
	add(t, cell);
}

/* Columns of a terminal that a text takes: its characters. */
static size_t columns(const char *s)
{
	size_t n = 0;

	for (; *s; s++)
		n += (*s & 0xc0) != 0x80;
	return n;
}

static int width(const struct table *t, unsigned int col, bool *numbers)
{
	size_t i, w = 0, len;

	*numbers = true;
	for (i = col; i < t->n; i += t->cols) {
		len = columns(t->cells[i]);
		w = len > w ? len : w;
		if (i >= t->cols && strspn(t->cells[i], "0123456789.-") != len)
			*numbers = false;
	}
	return w;
}

/* A field of @w columns, to the left if negative; printf() counts bytes. */
static void print_cell(const char *s, int w)
{
	int more = strlen(s) - columns(s);

	printf("%*s", w < 0 ? w - more : w + more, s);
}

void table_print(struct table *t)
{
	int *w = calloc(t->cols, sizeof(*w));
	unsigned int c;
	bool numbers;
	size_t i;

	for (c = 0; w && c < t->cols; c++) {
		w[c] = width(t, c, &numbers);
		w[c] = numbers ? w[c] : -w[c];
	}
	for (i = 0; w && i < t->n; i++) {
		c = i % t->cols;
		/* nothing is padded at the end of a line */
		print_cell(t->cells[i], c == t->cols - 1 && w[c] < 0 ? 0 : w[c]);
		printf(c == t->cols - 1 ? "\n" : "  ");
	}
	for (i = 0; i < t->n; i++)
		free(t->cells[i]);
	free(w);
	free(t->cells);
	free(t);
}
