// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What `lightexit attach` says of a device, and of one that was not attached. */
#include <criterion/criterion.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../loader/json.c"
#include "../../loader/watchdev.c"
#include "complaint.h"

static char library[512];

static void on_log(void *ctx, enum lx_log_level level, const char *msg)
{
	if (level == LX_LOG_WARN)
		snprintf(library, sizeof(library), "%s", msg);
}

/* Proves: programs that are not installed are said to be so, once, and of which VM's device. */
Test(watchdev, not_installed)
{
	const struct watchdev_opts o = { .addr = 0x608 };
	const struct vm vm = { .pid = 7, .name = "win10", .fd = -1 };
	struct watchdev w;

	lx_set_log(on_log, NULL);
	setenv("LIGHTEXIT_BPF_DIR", "/nowhere", 1);
	cr_expect_eq(watchdev_attach(&w, &vm, COUNTER_PMTIMER, &o), RC_FAILED);
	cr_expect_str_eq(library,
			 "/nowhere/pmtimer_watch.bpf.o: No such file or directory; make install, "
			 "or set LIGHTEXIT_BPF_DIR");
	cr_expect_str_eq(complaint, "process 7 (win10): pmtimer at 0x608 was not attached");
}

/* Proves: a VM's name of any bytes takes no device out of the JSON, and is no terminal's master. */
Test(watchdev, name_of_any_bytes)
{
	static const struct watchdev_opts o = { .addr = 0x608 };
	static const struct vm vm = { .pid = 7, .name = "w\xff\033[2J\xc3\xa9", .fd = -1 };
	struct watchdev w = { .vm = &vm, .counter = COUNTER_PMTIMER, .addr = 0x608 };
	json_t *dev = watchdev_json(&w);
	const char *name = json_string_value(json_object_get(dev, "vm"));

	cr_assert_not_null(name, "no device, or no name");
	cr_expect_str_eq(name, "w\uFFFD\uFFFD[2J\u00e9");
	cr_expect_eq(json_integer_value(json_object_get(dev, "addr")), 0x608);
	json_decref(dev);
	setenv("LIGHTEXIT_BPF_DIR", "/nowhere", 1);
	cr_expect_eq(watchdev_attach(&w, &vm, COUNTER_PMTIMER, &o), RC_FAILED);
	cr_expect_not_null(strstr(complaint, " 7 (w\uFFFD\uFFFD[2J\u00e9): "), "%s", complaint);
}
