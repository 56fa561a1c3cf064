// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Reads the file of rules; see rules.h. */
#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lightexit/dev/hpet.h>

#include "cmd.h"
#include "rules.h"

#define BLANKS " \t\r\n"

struct line {
	const char *path;
	unsigned int n;
};

static int wrong(const struct line *at, const char *word, const char *why)
{
	return complain("%s, line %u: '%s' %s", at->path, at->n, word, why);
}

static int number(const struct line *at, const char *word, const char *val, uint64_t max,
		  uint64_t *out)
{
	if (!parse_number(val, 0, max, out))
		return wrong(at, word, "is no number that it may be");
	return RC_OK;
}

static int parse_word(const struct line *at, const char *word, struct rule *r)
{
	uint64_t v;
	int rc;

	if (!strcmp(word, "--dry-run")) {
		r->dry_run = true;
		return RC_OK;
	}
	if (!strncmp(word, "--port=", 7)) {
		rc = number(at, word, word + 7, 0xfffc, &v);
		r->port = v;
		return rc;
	}
	if (!strncmp(word, "--hpet-period=", 14))
		return number(at, word, word + 14, HPET_PERIOD_MAX, &r->period_fs);
	return wrong(at, word,
		     "is none of pmtimer, hpet, --dry-run, --port=PORT, --hpet-period=FS");
}

/* What follows the pattern. */
static int parse_rule(const struct line *at, char *save, struct rule *r)
{
	unsigned int devices = 0;
	bool none = false;
	enum counter c;
	int rc = RC_OK;
	char *word;

	*r = (struct rule){ .port = -1 };
	while (rc == RC_OK && (word = strtok_r(NULL, BLANKS, &save))) {
		if (!strcmp(word, "none")) {
			none = true;
		} else if (counter_parse(word, &c)) {
			r->wanted[c] = true;
			devices++;
		} else {
			rc = parse_word(at, word, r);
		}
	}
	if (rc == RC_OK && none == !!devices)
		return complain("%s, line %u: a rule has devices, or else none", at->path, at->n);
	return rc;
}

int rules_find(const char *path, const char *name, struct rule *out, bool *found)
{
	struct line at = { .path = path };
	char *s = NULL, *pattern, *save;
	struct rule r;
	size_t size = 0;
	int rc = RC_OK;
	FILE *f = fopen(path, "re");

	*found = false;
	if (!f)
		return complain("%s: %s", path, strerror(errno));
	while (rc == RC_OK && getline(&s, &size, f) > 0) {
		at.n++;
		s[strcspn(s, "#")] = '\0';
		pattern = strtok_r(s, BLANKS, &save);
		if (!pattern)
			continue;
		rc = parse_rule(&at, save, &r);
		if (rc == RC_OK && !*found && !fnmatch(pattern, name, 0)) {
			*found = true;
			*out = r;
		}
	}
	if (rc == RC_OK && ferror(f))
		rc = complain("%s: %s", path, strerror(errno));
	free(s);
	fclose(f);
	return rc;
}
