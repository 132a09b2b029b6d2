/* What the workers do with the queues of a guest that DPDK's vhost library serves: the burst
 * operations of datapath/end.h, and the slot that they share with the library's callbacks
 * (guest_dpdk.c, whose the slots are). Operations are called by workers; each field says whose it
 * is.
 */
#ifndef GUEST_DPDK_QUEUES_H
#define GUEST_DPDK_QUEUES_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/limits.h"
#include "base/log.h"
#include "datapath/end.h"
#include "guest/kind.h"
#include "guest/offered.h"

struct vhost_guest {
	struct guest guest;        /* the workers' view; constant after init */
	char path[GUEST_PATH_MAX]; /* guest thread: wo while SLOT_CLOSED */
	bool client;               /* likewise */
	uint16_t mtu_max;          /* likewise; what a guest may be told */
	_Atomic int phase;         /* enum slot_phase */
	_Atomic int connection;    /* library's vid of the connected front end, -1 = none */
	_Atomic int vid;           /* the same once its device runs; workers: ro */
	_Atomic uint64_t running;  /* bit v: virtqueue v runs */
	_Atomic uint64_t features; /* negotiated; library thread: wo */
	_Atomic int numa_node;     /* of the guest's memory; library thread: wo */
	_Atomic uint16_t mtu;      /* that the guest was told, 0 = none; library thread: wo */
	/* Entries of virtqueue v, 0 = not told; library thread: wo, none while it runs */
	_Atomic uint16_t ring_size[2 * GUEST_QUEUES_MAX];
	/* Packets that virtqueue v may be asked to move at once: no more than it has entries. 0 =
	 * not found out since it came up; library thread: zeroes, its worker: sets */
	_Atomic uint16_t burst_max[2 * GUEST_QUEUES_MAX];
	_Atomic unsigned remaps;   /* odd while the guest's memory moves; library thread: wo */
	_Atomic unsigned looking;  /* workers that read that memory without the library */
	_Atomic unsigned sessions; /* library thread: wo */
	uint64_t features_read_ms; /* the front end has read them then, and not chosen yet; 0: not
	                            * so. Library thread */
	struct log_limit front_end_log; /* library thread */
};

extern const struct guest_ops guest_dpdk_ops; /* for a guest that is a vhost_guest's */

#endif
