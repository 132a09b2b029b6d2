/* What a kind of guest end is: a table of operations, with a file each (guest_<kind>.c) that knows
 * how guests' queues are served; and what goes in and out of it. For guest.c, which has chosen one,
 * and for the kinds themselves; others see it through guest.h.
 *
 * What the operations do, and on which threads, is said in guest.h, where each has its function.
 */
#ifndef GUEST_KIND_H
#define GUEST_KIND_H

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
	bool makes_directory;      /* of a socket we serve: its directory is ours to make */
	bool mrgbuf;               /* offer VIRTIO_NET_F_MRG_RXBUF */
	bool tso;                  /* offer VIRTIO_NET_F_HOST_TSO4 and TSO6 */
	uint16_t mtu_max;          /* bytes; a front end that wants more for its guest is refused */
	uid_t owner;               /* of a socket we serve; (uid_t)-1 = leave */
	gid_t group;               /* (gid_t)-1 = leave */
};

struct guest_state {
	bool front_end;     /* somebody is connected to the socket, set up or not */
	bool connected;     /* a front end is connected and its driver has set up queue pair 0 */
	uint32_t rx_queues; /* bit q: the guest receives on pair q; one that pauses is there */
	uint32_t tx_queues; /* bit q: the guest sends on pair q; likewise */
	int numa_node;      /* of the guest's memory, -1 = unknown */
	uint64_t features;  /* all that was negotiated, 0 while not connected */
	uint16_t mtu;       /* bytes that the guest was told, 0 = it was told none, or no guest */
	unsigned sessions;  /* how often a guest has come; tells a reconnect from no change */
};

/* A ring of the guest's, of which its front end has told the size. Counts are of the relay's ring
 * with that number, since the daemon's start: they never go back. */
struct guest_queue {
	bool to_guest;
	unsigned pair;
	unsigned size; /* entries */
	bool is_packed;
	bool enabled;        /* by the front end */
	bool started;        /* by the front end; one that we have stopped is still started */
	const char *stopped; /* why we have: what the guest has done; NULL = we have not. Static */
	uint64_t starts;     /* by front ends */
	uint64_t calls; /* interrupts sent, or left out since the driver has named no descriptor */
	uint64_t refused;   /* what has broken a rule; each has stopped the ring */
	uint64_t discarded; /* !to_guest: frames sent while the queue was disabled */
	uint64_t shortages; /* to_guest: looks at which frames waited for buffers of the guest's */
};

#define GUEST_RINGS_MAX (2 * GUEST_QUEUES_MAX)

/* Something about this relay's guest has changed: read again. Called on any thread; must not
 * block or fail. */
typedef void (*guest_event_fn)(void *context, unsigned relay_id);

/* Who uses the guests. Both pointers outlive the process's last guest. */
struct guest_user {
	struct workers *workers;
	guest_event_fn on_event;
	void *context;
	const char *directory; /* for what outlives the process; NULL = none. Copied */
};

struct guest_kind {
	const char *name; /* as --guest-backend says it */
	void (*init)(const struct guest_user *user);
	struct guest *(*get)(unsigned relay_id);
	int (*open)(const struct guest_params *params, struct error *err);
	void (*refuse)(unsigned relay_id);
	void (*close)(unsigned relay_id);
	void (*read)(unsigned relay_id, struct guest_state *out);
	/* NULL: nothing is known of them */
	unsigned (*read_queues)(unsigned relay_id, struct guest_queue out[GUEST_RINGS_MAX]);
	void (*admit)(unsigned relay_id, unsigned session); /* NULL: all are served at once */
};

extern const struct guest_kind guest_kind_own;  /* ours, from the socket to the ring */
extern const struct guest_kind guest_kind_dpdk; /* DPDK's vhost library */

#endif
