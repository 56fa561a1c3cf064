// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* See linuxopts.h. */
#include <errno.h>
#include <stdio.h>
#include <sys/utsname.h>

#include "linux.h"
#include "linuxopts.h"

#define CMDLINE "console=ttyS0 panic=-1"
#define MEM_DEFAULT 256U
#define MEM_MIN 64U
#define MEM_MAX 3072U
#define TIMEOUT_MS 600000

enum {
	OPT_KERNEL = 'k',
	OPT_INITRD = 'i',
	OPT_APPEND = 'a',
	OPT_MEM = 'm',
	OPT_OUTPUT = 'o',
};

static error_t parse_opt(int key, char *arg, struct argp_state *state)
{
	struct linux_opts *o = state->input;

	switch (key) {
	case OPT_KERNEL:
		snprintf(o->kernel, sizeof(o->kernel), "%s", arg);
		return 0;
	case OPT_INITRD:
		o->initrd = arg;
		return 0;
	case OPT_APPEND:
		o->append = arg;
		return 0;
	case OPT_MEM:
		o->mem = example_number(arg, MEM_MIN, MEM_MAX, state, "mem");
		return 0;
	case OPT_OUTPUT:
		o->output = arg;
		return 0;
	case ARGP_KEY_END:
		if (!o->initrd)
			argp_error(state, "give --initrd; examples/boot/initrd.sh makes one");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_option options[] = {
	{ "kernel", OPT_KERNEL, "FILE", 0, "a bzImage (default: this host's, in /boot)", 0 },
	{ "initrd", OPT_INITRD, "FILE", 0, "an initramfs that powers off", 0 },
	{ "append", OPT_APPEND, "ARGS", 0, "add ARGS to the kernel's command line, " CMDLINE, 0 },
	{ "mem", OPT_MEM, "MB", 0, "the guest's memory (default: 256)", 0 },
	{ "output", OPT_OUTPUT, "FILE", 0,
	  "write what the guest prints to FILE, not to standard error", 0 },
	{ 0 },
};

static const struct argp argp = { .options = options, .parser = parse_opt };

const struct argp_child linux_argp[] = { { .argp = &argp }, { 0 } };

struct linux_opts linux_opts_default(void)
{
	struct linux_opts o = { .mem = MEM_DEFAULT };
	struct utsname uts;

	if (!uname(&uts))
		snprintf(o.kernel, sizeof(o.kernel), "/boot/vmlinuz-%s", uts.release);
	return o;
}

FILE *linux_console(const struct linux_opts *opts)
{
	FILE *console = opts->output ? fopen(opts->output, "w") : stderr;

	if (!console)
		vmm_error(-errno, "%s", opts->output);
	return console;
}

int linux_close(const struct linux_opts *opts, FILE *console)
{
	if (opts->output && fclose(console))
		return vmm_error(-EIO, "%s", opts->output);
	return 0;
}

struct vmm_pc_opts linux_pc(const struct linux_opts *opts, const struct example_opts *common,
			    FILE *console)
{
	return (struct vmm_pc_opts){
		.path = common->path,
		.bpf_dir = common->bpf_dir,
		.mem_size = opts->mem << 20,
		.console = console,
	};
}

int linux_boot(struct vmm_pc *pc, const struct linux_opts *opts)
{
	char cmdline[2048];
	const struct vmm_linux l = {
		.kernel = opts->kernel,
		.initrd = opts->initrd,
		.cmdline = cmdline,
		.rsdp = VMM_ACPI_GPA,
	};
	int n = snprintf(cmdline, sizeof(cmdline), "%s%s%s", CMDLINE, opts->append ? " " : "",
			 opts->append ? opts->append : "");
	int err;

	if (n >= (int)sizeof(cmdline))
		return vmm_error(-EINVAL, "--append: a command line of %d bytes", n);
	err = vmm_linux_load(pc->vm, &l);
	if (!err)
		err = vmm_run(pc->vm, TIMEOUT_MS);
	vmm_uart_count(pc->uart); /* takes what is queued */
	return err > 0 ? vmm_error(-EIO, "the guest's exit code is %d", err) : err;
}

struct example_cost linux_cost(const struct vmm_pc *pc, enum vmm_pc_device dev)
{
	return example_cost(vmm_pc_count(pc, dev), pc->accels[dev]);
}
