// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* lx_device_mirror()'s arguments, without a VM. tests/vm/test_mirror.c has one. */
#include <criterion/criterion.h>

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "../../loader/internal.h"
#include "said.h"

#define PAGE 0x1000UL
#define GPA 0xd0000000UL

static char pages[3 * PAGE];
static struct lx_device dev = {
	.name = "toy",
	.state = pages,
	.state_size = 2 * PAGE + 8, /* its mapping has three pages */
	.state_fd = -1,
	.link_fd = -1,
};

TestSuite(mirror, .init = said_listen);

static int mirror(uint64_t gpa, size_t off, size_t len)
{
	said[0] = '\0';
	return lx_device_mirror(&dev, -1, 5, gpa, off, len);
}

Test(mirror, needs_whole_pages)
{
	cr_expect_eq(mirror(GPA + 8, PAGE, PAGE), -EINVAL);
	says("0xd0000008, state offset 0x1000, 0x1000 bytes: all have to be multiples of 0x1000");
	cr_expect_eq(mirror(GPA, PAGE + 8, PAGE), -EINVAL);
	says("multiples");
	cr_expect_eq(mirror(GPA, PAGE, PAGE - 1), -EINVAL);
	says("multiples");
	cr_expect_eq(mirror(GPA, PAGE, 0), -EINVAL);
	says("0x0 bytes");
	cr_expect_eq(mirror(-PAGE, PAGE, 2 * PAGE), -EINVAL);
	says("wraps");
}

Test(mirror, never_of_the_header)
{
	cr_expect_eq(mirror(GPA, 0, PAGE), -EINVAL);
	says("the state's first page has its header and lock, which no guest may see");
}

Test(mirror, within_the_state)
{
	cr_expect_eq(mirror(GPA, PAGE, 3 * PAGE), -EINVAL);
	says("0x3000 bytes: the state of toy ends at 0x3000");
	cr_expect_eq(mirror(GPA, 3 * PAGE, PAGE), -EINVAL);
	cr_expect_eq(mirror(GPA, 4 * PAGE, PAGE), -EINVAL);
	cr_expect_eq(mirror(GPA, -PAGE, 2 * PAGE), -EINVAL);
	says("ends at");
	/* What fits goes on to the VM's fd. */
	cr_expect_eq(mirror(GPA, 2 * PAGE, PAGE), -EBADF);
	cr_expect_eq(mirror(GPA, PAGE, 2 * PAGE), -EBADF);
	says("VM fd -1 is not open");
}

Test(mirror, on_what_is_no_vm)
{
	int fd = open("/dev/null", O_RDWR);

	cr_expect_eq(lx_device_mirror(&dev, fd, 5, GPA, PAGE, PAGE), -EINVAL);
	says("is /dev/null, not a VM");
	cr_expect_eq(dev.nr_mirrors, 0);
}

Test(mirror, of_a_device_that_is_not_loaded)
{
	dev.state = NULL;
	cr_expect_eq(mirror(GPA, PAGE, PAGE), -EINVAL);
	says("a device that is loaded is needed");
}

Test(mirror, more_than_there_is_room_for)
{
	dev.nr_mirrors = LX_MAX_MIRRORS;
	cr_expect_eq(mirror(GPA, PAGE, PAGE), -ENOSPC);
	says("toy has 8 mirrors already");
}

Test(mirror, of_a_slot_that_has_one)
{
	dev.nr_mirrors = 1;
	dev.mirrors[0] = (struct lx_mirror){ .vm_fd = -1, .slot = 5 };
	cr_expect_eq(mirror(GPA, PAGE, PAGE), -EEXIST);
	says("slot 5 at 0xd0000000+0x1000: a slot is there");
}

Test(mirror, that_is_none)
{
	cr_expect_eq(lx_device_unmirror(&dev, 7), -ENOENT);
	says("slot 7 is no mirror of toy");
}
