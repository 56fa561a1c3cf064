// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The file of rules of `lightexit attach --rules`, and the names of VMs that its patterns meet. */
#include <criterion/criterion.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../loader/args.c"
#include "../../loader/json.c"
#include "../../loader/rules.c"
#include "../../loader/vms.c"
#include "../../loader/watchdev.c"
#include "complaint.h"

/* Finds a rule in a file of these lines. */
static int find(const char *lines, const char *name, struct rule *r, bool *found)
{
	char path[] = "/tmp/lxrules.XXXXXX";
	const struct rule *rule;
	struct rules rules;
	int fd = mkstemp(path), rc;

	cr_assert_geq(fd, 0);
	cr_assert_eq(write(fd, lines, strlen(lines)), (ssize_t)strlen(lines));
	close(fd);
	complaint[0] = '\0';
	rc = rules_read(path, &rules);
	rule = rules_find(&rules, name);
	*found = rule;
	if (rule)
		*r = *rule;
	rules_free(&rules);
	unlink(path);
	return rc;
}

static void expect_refused(const char *lines, const char *words)
{
	struct rule r;
	bool found;

	cr_expect_eq(find(lines, "win10", &r, &found), RC_FAILED, "'%s' was taken", lines);
	cr_expect_not_null(strstr(complaint, words), "'%s': said '%s', not '%s'", lines, complaint,
			   words);
}

/* Proves: a mistake is refused wherever it is, with its line and word. */
Test(rules, mistakes)
{
	struct rules rules;

	expect_refused("win10\n", ", line 1: a rule has devices, or else none");
	expect_refused("\n# x\nfoo hpet none\n", ", line 3: a rule has devices, or else none");
	expect_refused("win10 --dry-run\n", ", line 1: a rule has devices");
	expect_refused("win* hpet\nx pmtimer --prot=1\n", ", line 2: '--prot=1' is none of");
	expect_refused("x pmtimer,hpet\n", ", line 1: 'pmtimer,hpet' is none of");
	expect_refused("x pmtimer --port=0x10000\n", "--port takes 0 to 65532, not '0x10000'");
	expect_refused("\nx pmtimer --port=\n", ", line 2: --port takes 0 to 65532, not ''");
	expect_refused("x pmtimer --port=-1\n", "--port takes 0 to 65532, not '-1'");
	/* IA-PC HPET 1.0a, 2.3.4: no more than 0x05f5e100, and not 0 */
	expect_refused("x hpet --hpet-period=1e7\n", "takes 1 to 100000000, not '1e7'");
	expect_refused("x hpet --hpet-period=0\n", "--hpet-period takes 1 to 100000000, not '0'");
	expect_refused("y hpet\nx hpet --port=0x608\n", ", line 2: --port goes with pmtimer");
	expect_refused("x --hpet-period=1 pmtimer\n", ": --hpet-period goes with hpet");
	cr_expect_eq(rules_read("/nowhere/x", &rules), RC_FAILED);
	cr_expect_not_null(strstr(complaint, "/nowhere/x: No such file"), "%s", complaint);
}

/* Proves: the first rule whose pattern matches counts, with its devices and options alone. */
Test(rules, first_match)
{
	static const char lines[] = "# comment\n\n"
				    "win-test*\t--dry-run hpet pmtimer # both\n"
				    "win* pmtimer --port=0x408\n"
				    "[bd]sd? hpet --hpet-period=69841279\r\n"
				    "quiet none --port=1\n"
				    "quiet* hpet";
	struct rule r;
	bool found;

	cr_expect(find(lines, "win-test 7", &r, &found) == RC_OK && found);
	cr_expect(r.wanted[COUNTER_HPET] && r.wanted[COUNTER_PMTIMER] && r.dry_run && r.port == -1);
	cr_expect(find(lines, "win10", &r, &found) == RC_OK && found);
	cr_expect(!r.wanted[COUNTER_HPET] && r.wanted[COUNTER_PMTIMER] && !r.dry_run);
	cr_expect_eq(r.port, 0x408);
	cr_expect(find(lines, "bsd4", &r, &found) == RC_OK && found);
	cr_expect(r.wanted[COUNTER_HPET] && !r.wanted[COUNTER_PMTIMER]);
	cr_expect_eq(r.period_fs, 69841279);
	cr_expect_eq(r.port, -1, "the port of another rule");
	cr_expect(find(lines, "quiet", &r, &found) == RC_OK && found);
	cr_expect(!r.wanted[COUNTER_HPET] && !r.wanted[COUNTER_PMTIMER]);
	cr_expect(find(lines, "quieter", &r, &found) == RC_OK && found);
	cr_expect(r.wanted[COUNTER_HPET], "the last line has no newline");
	cr_expect(find(lines, "linux", &r, &found) == RC_OK && !found);
	cr_expect(find("", "linux", &r, &found) == RC_OK && !found);
}

static void expect_name(const char *arg, const char *name)
{
	char got[VM_NAME_LEN];

	copy_name(arg, got);
	cr_expect_str_eq(got, name, "-name %s: '%s', not '%s'", arg, got, name);
}

/* Proves: QEMU's -name gives the VM's, whatever is in it. */
Test(rules, names)
{
	char arg[400] = "guest=", name[400] = "";

	expect_name("win10", "win10");
	expect_name("win10,debug-threads=on", "win10");
	expect_name("guest=win10,debug-threads=on", "win10");
	expect_name("debug-threads=on,guest=win10", "win10");
	expect_name("guest=a,,b c,,,debug-threads=on", "a,b c,");
	expect_name("notguest=x", "notguest=x");
	memset(name, 'n', 200);
	strcat(arg, name);
	expect_name(arg, name);
	memset(name, 'n', 300);
	strcpy(arg, name);
	name[VM_NAME_LEN - 1] = '\0';
	expect_name(arg, name);
}

static void expect_number(const char *s, uint64_t want)
{
	uint64_t v = 0;

	cr_expect(parse_number(s, 1, 0xffff, &v), "'%s' was refused", s);
	cr_expect_eq(v, want, "'%s' is %lu, not %lu", s, v, want);
}

/* Proves: numbers are decimal, with zeros before them too, or hexadecimal after 0x. */
Test(rules, numbers)
{
	static const char *const wrong[] = { "",      "x",	 "0x",	 "0",
					     "65536", "0x10000", "-1",	 "+1",
					     " 1",    "1 ",	 "0x-1", "0x 1",
					     "1f",    "0b1",	 "1.0",	 "99999999999999999999" };
	uint64_t v;
	size_t i;

	expect_number("1", 1);
	expect_number("010", 10);
	expect_number("08", 8);
	expect_number("0x10", 16);
	expect_number("0X0fF", 255);
	expect_number("65535", 65535);
	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		cr_expect(!parse_number(wrong[i], 1, 0xffff, &v), "'%s' was taken", wrong[i]);
}
