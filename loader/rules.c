// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Reads the file of rules; see rules.h. */
#include <errno.h>
#include <fnmatch.h>
#include <inttypes.h>
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

/* What follows @option in @word; as arg_number() has it for a command line. */
static int parse_value(const struct line *at, const char *option, const char *word, uint64_t min,
		       uint64_t max, uint64_t *out)
{
	const char *val = word + strlen(option) + 1;

	if (!parse_number(val, min, max, out))
		return complain("%s, line %u: %s takes %" PRIu64 " to %" PRIu64 ", not '%s'",
				at->path, at->n, option, min, max, val);
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
		rc = parse_value(at, "--port", word, 0, RULE_PORT_MAX, &v);
		r->port = v;
		return rc;
	}
	if (!strncmp(word, "--hpet-period=", 14))
		return parse_value(at, "--hpet-period", word, 1, HPET_PERIOD_MAX, &r->period_fs);
	return wrong(at, word,
		     "is none of pmtimer, hpet, --dry-run, --port=PORT, --hpet-period=FS");
}

const char *rule_fault(const struct rule *r)
{
	if (r->port >= 0 && !r->wanted[COUNTER_PMTIMER])
		return "--port goes with pmtimer";
	if (r->period_fs && !r->wanted[COUNTER_HPET])
		return "--hpet-period goes with hpet";
	return NULL;
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
	if (rc == RC_OK && !none && rule_fault(r))
		return complain("%s, line %u: %s", at->path, at->n, rule_fault(r));
	return rc;
}

static int add(struct rules *rules, const char *pattern, const struct rule *r)
{
	struct named_rule *v = realloc(rules->v, (rules->n + 1) * sizeof(*v));

	if (!v)
		return complain("out of memory");
	rules->v = v;
	v[rules->n] = (struct named_rule){ strdup(pattern), *r };
	if (!v[rules->n].pattern)
		return complain("out of memory");
	rules->n++;
	return RC_OK;
}

int rules_read(const char *path, struct rules *rules)
{
	struct line at = { .path = path };
	char *s = NULL, *pattern, *save;
	struct rule r;
	size_t size = 0;
	int rc = RC_OK;
	FILE *f = fopen(path, "re");

	*rules = (struct rules){ 0 };
	if (!f)
		return complain("%s: %s", path, strerror(errno));
	while (rc == RC_OK && getline(&s, &size, f) > 0) {
		at.n++;
		s[strcspn(s, "#")] = '\0';
		pattern = strtok_r(s, BLANKS, &save);
		if (!pattern)
			continue;
		rc = parse_rule(&at, save, &r);
		if (rc == RC_OK)
			rc = add(rules, pattern, &r);
	}
	if (rc == RC_OK && ferror(f))
		rc = complain("%s: %s", path, strerror(errno));
	free(s);
	fclose(f);
	return rc;
}

const struct rule *rules_find(const struct rules *rules, const char *name)
{
	size_t i;

	for (i = 0; i < rules->n; i++) {
		if (!fnmatch(rules->v[i].pattern, name, 0))
			return &rules->v[i].rule;
	}
	return NULL;
}

void rules_free(struct rules *rules)
{
	while (rules->n)
		free(rules->v[--rules->n].pattern);
	free(rules->v);
	*rules = (struct rules){ 0 };
}
