/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What KVM's tracepoints say in numbers. They are macros in the kernel: vmlinux.h lacks them. */
#ifndef KVMTRACE_BPF_H
#define KVMTRACE_BPF_H

/* kvm_pio's rw: arch/x86/kvm/trace.h */
#define KVM_PIO_OUT 1
/* kvm_mmio's type: include/trace/events/kvm.h */
#define KVM_TRACE_MMIO_READ 1
#define KVM_TRACE_MMIO_WRITE 2
/* kvm_userspace_exit's reason: include/uapi/linux/kvm.h */
#define KVM_EXIT_IO 2
#define KVM_EXIT_MMIO 6
#define KVM_EXIT_IRQ_WINDOW_OPEN 7
#define KVM_EXIT_TPR_ACCESS 12
#define KVM_EXIT_IOAPIC_EOI 26
#define KVM_EXIT_X86_RDMSR 29
#define KVM_EXIT_X86_WRMSR 30

#endif /* KVMTRACE_BPF_H */
