/* The guest end of a relay, behind one interface: open and close its vhost-user socket, what the
 * guest has negotiated and enabled, events. The burst operations are datapath/guest_ops.h's.
 * Backends: guest_vhost.c (DPDK's vhost library), the only file that may include rte_vhost.h.
 *
 * Threads: guest_open and guest_close on the guest thread (they may take long); guest_read and
 * guest_queues_changed_ack on the control thread; events come from the backend's own thread.
 */
#ifndef PORT_GUEST_H
#define PORT_GUEST_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"
#include "base/limits.h"
#include "datapath/guest_ops.h"

struct guest_params {
	unsigned relay_id;
	const char *path;  /* of the vhost-user socket */
	bool client;       /* connect, and reconnect for ever; else serve */
	bool mrgbuf;       /* offer VIRTIO_NET_F_MRG_RXBUF */
	uint16_t mtu;      /* told to a guest that asks (VIRTIO_NET_F_MTU), 0 = not */
	uid_t owner;       /* of a socket we serve; (uid_t)-1 = leave */
	gid_t group;       /* (gid_t)-1 = leave */
};

struct guest_state {
	bool connected;     /* a front end is connected and its driver has set up queue 0 */
	uint32_t rx_queues; /* bit q: the guest receives on pair q (virtqueue 2q is running) */
	uint32_t tx_queues; /* bit q: the guest sends on pair q (virtqueue 2q + 1 is running) */
	int numa_node;      /* of the guest's memory, -1 = unknown */
	bool mergeable;     /* VIRTIO_NET_F_MRG_RXBUF was negotiated */
	bool packed;        /* VIRTIO_F_RING_PACKED was negotiated */
	uint64_t features;
};

/* Called on any thread, never blocks, never fails: the control thread wakes and reads again. */
typedef void (*guest_event_fn)(void *context, unsigned relay_id);

/* Once, before the first guest_open. on_event outlives the backend. */
int guest_backend_init(guest_event_fn on_event, void *context, struct error *err);

/* The slot of relay_id, from 0 to RELAYS_MAX - 1; it lives as long as the process. */
struct guest *guest_get(unsigned relay_id);

/* 0, or -1 with err: -EADDRINUSE somebody serves the path, -EEXIST a foreign file is there, … */
int guest_open(const struct guest_params *params, struct error *err);

/* From here on no front end is admitted to this relay, and the one that is there is ignored:
 * burst operations answer -ENOTCONN. Any thread, does not wait. */
void guest_refuse(unsigned relay_id);

/* After guest_refuse, and after the guest's lanes have left the plan. May wait for the peer. */
void guest_close(unsigned relay_id);

/* Takes the socket's name away at once (shutdown); guest_close is still due. Any thread. */
void guest_unlink(unsigned relay_id);

void guest_read(unsigned relay_id, struct guest_state *out);

/* For queues that have just come into the plan: ask the guest not to kick us, as we poll. */
void guest_queues_polled(unsigned relay_id, uint32_t tx_queues, uint32_t rx_queues);

#endif
