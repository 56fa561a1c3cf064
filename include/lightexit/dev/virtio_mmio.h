/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * virtio over MMIO, version 2: state and mirror page. Shared by the BPF program
 * and VMMs. Section numbers are those of the Virtual I/O Device specification 1.2;
 * register offsets are those of <linux/virtio_mmio.h>.
 */
#ifndef LIGHTEXIT_DEV_VIRTIO_MMIO_H
#define LIGHTEXIT_DEV_VIRTIO_MMIO_H

#include <lightexit/bell.h>
#include <lightexit/state.h>

/* The device takes a page, so that reads of it may be memory. */
#define VIRTIO_MMIO_PAGE 0x1000U
/* Where it lies if the VMM says nothing. */
#define VIRTIO_MMIO_BASE 0xd0000000U
#define VIRTIO_MMIO_QUEUES 8U

/* 4.2.2: MagicValue and Version */
#define VIRTIO_MMIO_MAGIC 0x74726976U
#define VIRTIO_MMIO_V2 2U

/* 2.7.8: bit of a used ring's flags by which the device asks for no notifications */
#define VIRTIO_MMIO_NO_NOTIFY 1U

/**
 * enum virtio_mmio_doorbell - how QueueNotify is answered
 * @VIRTIO_MMIO_DOORBELL:        by a signal; without it the write passes
 * @VIRTIO_MMIO_DOORBELL_BELL:   none while the bell says that the consumer is awake
 * @VIRTIO_MMIO_DOORBELL_QUIET: with each signal the used ring's flags ask for no
 *                               more notifications, until the consumer has
 *                               cleared them. Only without VIRTIO_F_EVENT_IDX,
 *                               which has it in avail_event.
 */
enum virtio_mmio_doorbell {
	VIRTIO_MMIO_DOORBELL = 1U << 0,
	VIRTIO_MMIO_DOORBELL_BELL = 1U << 1,
	VIRTIO_MMIO_DOORBELL_QUIET = 1U << 2,
};

/**
 * struct virtio_mmio_queue - a virtqueue
 * @num_max:    QueueNumMax; 0: there is no such queue
 * @ready:      QueueReady
 * @num:        QueueNum
 * @doorbell:   sum of enum virtio_mmio_doorbell; 0 unless the queue is ready and the
 *              driver is
 * @desc:       guest-physical address of the descriptor area
 * @driver:     of the driver area (avail ring)
 * @device:     of the device area (used ring)
 * @bell:       rung by QueueNotify, whoever answers it
 * @last_avail: entries that the device has taken from the avail ring, modulo 2^16
 * @last_used:  entries that it has put into the used ring, modulo 2^16
 *
 * Writer, but of @bell: the VMM.
 */
struct virtio_mmio_queue {
	__u32 num_max;
	__u32 ready;
	__u32 num;
	__u32 doorbell;
	__u64 desc;
	__u64 driver;
	__u64 device;
	struct lx_bell bell;
	__u32 last_avail;
	__u32 last_used;
};

/**
 * struct virtio_mmio_page - what the guest reads, 4.2.2
 *
 * Registers that can only be written, and what is reserved, are 0.
 * Writers: of @device_features, @queue_num_max, @queue_ready and @interrupt_status
 * program and VMM; of the rest the VMM.
 */
struct virtio_mmio_page {
	__u32 magic; /* 000h */
	__u32 version;
	__u32 device_id;
	__u32 vendor_id;
	__u32 device_features; /* 010h: of the set DeviceFeaturesSel */
	__u32 reserved_014[8];
	__u32 queue_num_max; /* 034h: of the queue QueueSel, as is queue_ready */
	__u32 reserved_038[3];
	__u32 queue_ready; /* 044h */
	__u32 reserved_048[6];
	__u32 interrupt_status; /* 060h */
	__u32 reserved_064[3];
	__u32 status; /* 070h */
	__u32 reserved_074[15];
	__u32 shm_len_low; /* 0b0h: all ones, as there are no shared memory regions */
	__u32 shm_len_high;
	__u32 shm_base_low;
	__u32 shm_base_high;
	__u32 reserved_0c0[15];
	__u32 config_generation; /* 0fch */
	__u8 config[VIRTIO_MMIO_PAGE - 0x100];
};

/**
 * struct virtio_mmio_state - a device
 * @hdr:                 see state.h; its lock serialises all but aligned reads of @page
 * @device_features:     that are offered. Writer: the VMM
 * @driver_features:     that the driver took. Writer: the VMM
 * @device_features_sel: DeviceFeaturesSel. Writers: program and VMM
 * @driver_features_sel: DriverFeaturesSel. Writer: the VMM
 * @queue_sel:           QueueSel. Writers: program and VMM
 * @reserved:            0
 * @queues:              by index
 * @page:                the mirror page, at VIRTIO_MMIO_PAGE
 */
struct virtio_mmio_state {
	struct lx_state hdr;
	__u64 device_features;
	__u64 driver_features;
	__u32 device_features_sel;
	__u32 driver_features_sel;
	__u32 queue_sel;
	__u32 reserved;
	struct virtio_mmio_queue queues[VIRTIO_MMIO_QUEUES];
	struct virtio_mmio_page page __attribute__((aligned(VIRTIO_MMIO_PAGE)));
};

#endif /* LIGHTEXIT_DEV_VIRTIO_MMIO_H */
