/* The session of a front end: all that it has said, what was agreed on, and what this process holds
 * for it. session.h has what is done with it, and is what others include; the struct is one
 * thread's at a time (the protocol thread's), but for the summary.
 */
#ifndef VHOST_SESSION_DATA_H
#define VHOST_SESSION_DATA_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/limits.h"
#include "vhost/memory_map.h"
#include "vhost/message.h"
#include "vhost/ring_setup.h"
#include "virtqueue/ring.h"

#define SESSION_RINGS 64U

_Static_assert(SESSION_RINGS == 2 * GUEST_QUEUES_MAX, "a ring has its bit in a 64-bit word");

#define SESSION_RARP_PENDING (UINT64_C(1) << 63)

/* What is offered: the same at each start, or a guest that runs is not taken back. */
struct session_config {
	uint64_t features;          /* VIRTIO_…, VHOST_F_LOG_ALL, bit 30 */
	uint64_t features_borne;    /* not offered, but harmless in what a front end takes */
	uint64_t protocol_features; /* enum message_protocol_feature */
	uint16_t mtu_max;           /* what a guest may be told */
};

/* For whoever uses the rings: session: wo, others: ro, but for rarp. Relaxed; each word is right by
 * itself. */
struct session_summary {
	/* What workers look at in each burst goes first: it is one cache line with who has it. */
	_Atomic uint64_t running;  /* bit r: ring r is started; it may pause, or be broken */
	_Atomic uint64_t enabled;  /* bit r: it carries packets; one that does not is no worker's */
	_Atomic uint64_t features; /* negotiated, 0 = not yet */
	_Atomic uint64_t rarp;     /* SESSION_RARP_PENDING and the address as the protocol has it;
	                            * who sends it, exchanges it for 0 */
	/* How often a ring was started while none was: who goes by another number does not know
	 * this guest yet. Counted before the ring's view is published. */
	_Atomic uint32_t sessions;
	_Atomic uint16_t mtu;   /* bytes that the guest was told, 0 = none */
	_Atomic bool front_end; /* somebody is connected; written by who has the connection */
	_Atomic int numa_node;  /* of the guest's rings, -1 = not known */

	_Atomic uint16_t sizes[SESSION_RINGS]; /* entries, 0 = not told */
	/* Counts are of all front ends so far. */
	_Atomic uint64_t starts[SESSION_RINGS]; /* of the ring */
	/* What has broken a rule of virtio's: each has stopped the ring. */
	_Atomic uint64_t refused[SESSION_RINGS];
	_Atomic uint64_t discarded[SESSION_RINGS]; /* frames sent while it was disabled */
};

/* What the session needs of those around it. Callbacks run on its thread, and return at once. */
struct session_host {
	void *context;
	struct virtqueue *virtqueues; /* [SESSION_RINGS] */
	struct session_summary *summary;
	struct journal *journals; /* [SESSION_RINGS], of packed rings; NULL = none */
	uint64_t front_end;       /* who it is, among all that this host has had; 0 = not known */
	/* Begins a grace period: every worker that may have seen a view leaves it. grace_over says
	 * whether all have. */
	uint64_t (*grace_begin)(void *context);
	bool (*grace_over)(void *context, uint64_t token);
	/* A descriptor that views had, and that no worker uses any more, is about to be closed. */
	void (*forget)(void *context, int fd);
	/* The summary says something new, or a ring has begun. */
	void (*changed)(void *context);
	/* The guest has broken a rule of virtio's, and the ring was stopped. */
	void (*fault)(void *context, unsigned ring, enum virtqueue_fault fault);
};

/* What a worker may still see. */
struct session_retired {
	uint64_t token;
	struct virtqueue_view *view;
	struct memory *memory;
	int fd;   /* -1 = none */
	int call; /* ring whose call descriptor is to be written to then, -1 = none */
};

/* A message that swaps retires as many views as there are rings, and a table of memory. */
#define SESSION_RETIRED_ROOM (SESSION_RINGS + 1)
#define SESSION_RETIRED_MAX  (3 * SESSION_RETIRED_ROOM)

enum session_phase {
	SESSION_PHASE_READY,   /* for a message */
	SESSION_PHASE_CROWDED, /* with a message, which cannot be begun before retired things go */
	SESSION_PHASE_WAITING, /* for a grace period, to finish the message */
	SESSION_PHASE_ENDING,  /* likewise, to let go of everything */
	SESSION_PHASE_OVER,
};

/* What becomes of a message. */
enum session_verdict {
	VERDICT_DONE,    /* acknowledged if it asks for that */
	VERDICT_REPLY,   /* session->reply is its answer */
	VERDICT_REFUSED, /* acknowledged as such if it asks for that, else as if it had not come */
	VERDICT_WAIT,    /* to be finished after a grace period */
	VERDICT_BREAK,   /* ends the session; session->err says why */
};

struct vhost_session {
	/* What a successor would have to know. Plain data, to be written down as it is, together
	 * with the parts of files in `map` and `log`. */
	struct session_config config;
	uint64_t features; /* negotiated */
	uint64_t protocol_features;
	struct ring_setup rings[SESSION_RINGS];
	uint64_t started; /* bit r: by a kick descriptor, until its base is asked for */
	uint64_t broken;  /* bit r: started, and stopped by us */
	uint64_t enabled; /* bit r: as told */
	uint16_t mtu;
	/* What this process has. */
	struct session_host host;
	struct memory_map map;
	struct memory *memory; /* of map, NULL = none */
	struct mapping log;
	_Atomic bool memory_lost; /* by the signal handler (see sigbus.h) */
	int kick_fds[SESSION_RINGS], call_fds[SESSION_RINGS],
	        err_fds[SESSION_RINGS];              /* -1 = none */
	uint32_t kick_serials[SESSION_RINGS];        /* see virtqueue_view */
	struct virtqueue_view *views[SESSION_RINGS]; /* published, unless paused */
	uint64_t running;                            /* bit r: views[r] is there */
	uint64_t paused;                             /* bit r: it is not published */
	/* Rings that nobody is to walk but this thread; see disabled_rings.h. */
	uint64_t withheld;          /* bit r: of those that run */
	uint64_t withheld_token;    /* when that is over no worker has them any more */
	uint64_t disabled;          /* bit r: others that are disabled … */
	uint64_t disabled_since_ms; /* … and have been, all of them, since then */
	unsigned emptied;           /* the last ring that was */
	uint64_t calling;           /* bit r: somebody was sending an interrupt at the last look */
	bool unquiet;               /* since the last grace period a view was taken away */
	bool restarted, told_rarp;  /* what others have not been told of */
	struct session_retired retired[SESSION_RETIRED_MAX];
	unsigned n_retired;
	/* The message under way. */
	enum session_phase phase;
	uint64_t token; /* waited for */
	struct message message;
	int fds[MESSAGE_FDS_MAX]; /* that came with it; -1 = taken */
	unsigned n_fds;
	struct memory_map next_map; /* that is to replace map, if next_memory is there */
	struct memory *next_memory;
	struct mapping next_log; /* with the token: the one that was replaced */
	struct message reply;    /* to be sent if it has a request */
	struct error err;        /* why the session broke, as a predicate: "sent a …" */
};

static inline uint64_t ring_bit(unsigned ring)
{
	return UINT64_C(1) << ring;
}

static inline bool session_has(const struct vhost_session *session, unsigned feature)
{
	return (session->features >> feature & 1) != 0;
}

#endif
