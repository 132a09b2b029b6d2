/* The guest end of a relay, behind one interface: open and close its vhost-user socket, what the
 * guest has negotiated and enabled, events. The burst operations are datapath/end.h's.
 * The backend is guest_vhost.c (DPDK's vhost library), the only file that may include rte_vhost.h.
 *
 * Threads: guest_open and guest_close on the guest thread (they may take long), all else where its
 * comment says. Events come from the backend's own thread.
 */
#ifndef GUEST_GUEST_H
#define GUEST_GUEST_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"
#include "base/limits.h"
#include "datapath/end.h"

struct workers;

#define GUEST_PATH_MAX 108 /* sun_path, NUL included */

struct guest_params {
	unsigned relay_id;
	char path[GUEST_PATH_MAX]; /* of the vhost-user socket */
	bool client;               /* connect, and reconnect for ever; else serve */
	bool mrgbuf;               /* offer VIRTIO_NET_F_MRG_RXBUF */
	uid_t owner;               /* of a socket we serve; (uid_t)-1 = leave */
	gid_t group;               /* (gid_t)-1 = leave */
};

struct guest_state {
	bool connected;     /* a front end is connected and its driver has set up queue pair 0 */
	uint32_t rx_queues; /* bit q: the guest receives on pair q (virtqueue 2q is running) */
	uint32_t tx_queues; /* bit q: the guest sends on pair q (virtqueue 2q + 1 is running) */
	int numa_node;      /* of the guest's memory, -1 = unknown */
	bool mergeable;     /* VIRTIO_NET_F_MRG_RXBUF was negotiated */
	uint64_t features;  /* all that was negotiated, 0 while not connected */
	unsigned sessions;  /* how often a guest has come; tells a reconnect from no change */
};

/* Something about this relay's guest has changed: read again. Called on any thread; must not
 * block or fail. */
typedef void (*guest_event_fn)(void *context, unsigned relay_id);

/* Once, before the first guest_open; all arguments outlive the process's last guest. */
void guest_backend_init(struct workers *workers, guest_event_fn on_event, void *context);

/* The slot of relay_id < RELAYS_MAX; it lives as long as the process. Any thread. */
struct guest *guest_get(unsigned relay_id);

/* 0, or -1 with err->code EADDRINUSE (somebody serves the path), EEXIST (a foreign file is
 * there), or another errno. */
int guest_open(const struct guest_params *params, struct error *err);

/* From here on no front end is admitted to this relay, and for the lanes the one that is there is
 * gone: burst operations answer END_GONE. Does not wait. Control thread. */
void guest_refuse(unsigned relay_id);

/* After guest_refuse, and after the guest's lanes have left the plan. May wait for the peer. */
void guest_close(unsigned relay_id);

/* Takes the name of a socket that we serve away at once, for a quick shutdown; guest_close is
 * still due. Control thread. */
void guest_unlink(unsigned relay_id);

/* A consistent reading. Control thread. */
void guest_read(unsigned relay_id, struct guest_state *out);

#endif
