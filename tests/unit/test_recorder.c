// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What `lightexit record` says where its program is missing, or another: nothing is loaded yet. */
#include <stdio.h>

#include "../../loader/recorder.c"
#include "complaint.h"
#include "tmpdir.h"

static void never(void *ctx, const struct record_event *e)
{
}

static void expect_refused(const char *dir, const char *words)
{
	const struct record_filter filter = { 0 };
	struct recorder *r = NULL;

	cr_assert(!setenv("LIGHTEXIT_BPF_DIR", dir, 1));
	cr_expect_eq(recorder_start(&filter, 1, never, NULL, &r), RC_FAILED);
	cr_expect_null(r);
	cr_expect(strstr(complaint, words), "said '%s', not '%s'", complaint, words);
	cr_expect(!strstr(complaint, "Unknown error"), "%s", complaint);
}

TestSuite(recorder, .init = tmp_make, .fini = tmp_remove);

/* Proves: the file, and what libbpf makes of it, is named. */
Test(recorder, no_program)
{
	expect_refused(tmp, "/record.bpf.o: No such file or directory");
	put("record.bpf.o",
	    "no elf at all, and longer than an ELF header: 64 bytes, and some more");
	expect_refused(tmp, "/record.bpf.o: not a BPF object: elf: ");
}

/* Proves: another program is none, with what to do. */
Test(recorder, another_program)
{
	expect_refused(WRONG_BPF "/none",
		       "is not the recording program of this version; make install");
	expect_refused(WRONG_BPF "/old",
		       "is not the recording program of this version; make install");
}
