/* The kind of guest end that is ours from the socket to the ring: with guest_own_queues.c, which
 * has the workers' part, what joins src/vhost to the relays.
 *
 * One slot per relay, static, as long as the process lives. The server's callbacks run on its
 * protocol thread: they post an event and return. Each field of a slot says whose it is.
 */
#include "guest/kind.h"

#include <inttypes.h>
#include <linux/virtio_net.h>
#include <stdatomic.h>
#include <string.h>

#include "base/log.h"
#include "datapath/counters.h"
#include "datapath/worker.h"
#include "events/posted.h"
#include "guest/guest_own_journals.h"
#include "guest/guest_own_queues.h"
#include "guest/offered.h"
#include "vhost/server.h"

/* What concerns the front end alone, and some tell us of all the same (DPDK's virtio-user). */
#define FEATURES_BORNE                                                 \
	(FEATURE(VIRTIO_NET_F_MAC) | FEATURE(VIRTIO_NET_F_CTRL_VLAN) | \
	 FEATURE(VIRTIO_NET_F_CTRL_RX_EXTRA) | FEATURE(VIRTIO_NET_F_CTRL_MAC_ADDR))

#define PROTOCOL_FEATURES                                                              \
	(FEATURE(PROTOCOL_MQ) | FEATURE(PROTOCOL_LOG_SHMFD) | FEATURE(PROTOCOL_RARP) | \
	 FEATURE(PROTOCOL_REPLY_ACK) | FEATURE(PROTOCOL_NET_MTU) | FEATURE(PROTOCOL_MEM_SLOTS))

#define RX_RINGS                                                                        \
	UINT64_C(0x5555555555555555) /* those that the guest receives on: the even ones \
	                              */

static struct {
	struct own_guest slots[RELAYS_MAX];
	_Atomic bool refusing[RELAYS_MAX]; /* nobody is admitted; control and guest thread */
	struct log_limit log[RELAYS_MAX];  /* of broken rules; protocol thread */
	struct guest_user user;
	struct server *server; /* guest thread; NULL before the first open */
} backend;

/* --- the server's callbacks ------------------------------------------------------------------ */

static bool own_grace_begin(void *workers, uint64_t *token)
{
	return workers_grace_begin(workers, token);
}

static bool own_grace_over(void *workers, uint64_t token)
{
	return workers_grace_over(workers, token);
}

static void own_forget(void *context, int fd)
{
	(void)context;
	workers_forget(backend.user.workers, fd);
}

/* An announcement is for a lane to send that may find its ring empty. Workers that sleep have asked
 * for the kicks of another ring, if any. */
static void own_changed(void *context, unsigned relay_id)
{
	struct own_guest *slot = &backend.slots[relay_id];

	(void)context;
	if (atomic_load(&slot->summary.rarp) != 0)
		atomic_store(&slot->virtqueues[virtqueue_from_guest(0)].look.wanted, true);
	workers_wake(backend.user.workers);
	backend.user.on_event(backend.user.context, relay_id);
}

static void own_fault(void *context, unsigned relay_id, unsigned ring, enum virtqueue_fault fault)
{
	(void)context;
	events_post(
	        &(struct event){.id = EVENT_QUEUE_STOPPED,
	                        .relay = (int)relay_id,
	                        .values = {{EVENT_FIELD_QUEUE, ring, NULL},
	                                   {EVENT_FIELD_REASON, 0, virtqueue_fault_text(fault)}}},
	        &backend.log[relay_id],
	        "relay %u: the guest's virtqueue %u is stopped: %s; it stays so until the "
	        "guest's driver sets it up anew",
	        relay_id, ring, virtqueue_fault_text(fault));
}

/* --- the interface -----------------------------------------------------------------------------
 */

static void own_init(const struct guest_user *user)
{
	backend.user = *user;
	own_journals_open(user->directory);
	for (unsigned i = 0; i < RELAYS_MAX; i++) {
		memset(&backend.slots[i], 0, sizeof(backend.slots[i]));
		backend.slots[i].guest.ops = &guest_own_ops;
		atomic_init(&backend.slots[i].summary.numa_node, -1);
		backend.log[i] = (struct log_limit)LOG_LIMIT(60000, 3);
	}
}

static struct guest *own_get(unsigned relay_id)
{
	return &backend.slots[relay_id].guest;
}

/* With the first socket, when EAL has made the workers. */
static int start_server(struct error *err)
{
	const struct server_user user = {.grace = {.context = backend.user.workers,
	                                           .begin = own_grace_begin,
	                                           .over = own_grace_over},
	                                 .forget = own_forget,
	                                 .changed = own_changed,
	                                 .fault = own_fault};

	if (backend.server == NULL)
		backend.server = server_create(&user, err);
	return backend.server != NULL ? 0 : -1;
}

static int own_open(const struct guest_params *params, struct error *err)
{
	struct own_guest *slot = &backend.slots[params->relay_id];
	struct server_params server_params = {
	        .relay_id = params->relay_id,
	        .path = params->path,
	        .client = params->client,
	        .owner = params->owner,
	        .group = params->group,
	        .config = {.features = FEATURES_ALWAYS | FEATURES_OFFLOADS,
	                   .features_borne = FEATURES_BORNE,
	                   .protocol_features = PROTOCOL_FEATURES,
	                   .mtu_max = params->mtu_max},
	        .virtqueues = slot->virtqueues,
	        .summary = &slot->summary,
	        .journals = own_journals_of(params->relay_id),
	};

	if (params->mrgbuf)
		server_params.config.features |= FEATURE(VIRTIO_NET_F_MRG_RXBUF);
	if (params->tso)
		server_params.config.features |= FEATURES_TSO;
	if (start_server(err) < 0)
		return -1;
	atomic_store(&backend.refusing[params->relay_id], false);
	return server_open(backend.server, &server_params, err) < 0 ? -1 : 0;
}

static void own_refuse(unsigned relay_id)
{
	atomic_store(&backend.refusing[relay_id], true);
	atomic_store(&backend.slots[relay_id].admitted, 0);
	if (backend.server != NULL)
		server_refuse(backend.server, relay_id);
}

static void own_close(unsigned relay_id)
{
	if (backend.server != NULL)
		server_close(backend.server, relay_id);
}

/* Even rings become bits of pairs. */
static uint32_t pairs_of(uint64_t rings)
{
	uint32_t pairs = 0;

	for (unsigned pair = 0; pair < GUEST_QUEUES_MAX; pair++)
		pairs |= (uint32_t)(rings >> 2 * pair & 1) << pair;
	return pairs;
}

static void own_read(unsigned relay_id, struct guest_state *out)
{
	const struct session_summary *summary = &backend.slots[relay_id].summary;
	uint32_t sessions = atomic_load(&summary->sessions); /* before what is that one's */
	uint64_t running = atomic_load(&summary->running);
	uint64_t enabled = atomic_load(&summary->enabled);

	memset(out, 0, sizeof(*out));
	out->numa_node = -1;
	out->sessions = sessions;
	out->front_end = atomic_load(&summary->front_end);
	if (atomic_load(&backend.refusing[relay_id]) || (running & 3) != 3)
		return;
	out->connected = out->front_end = true;
	out->mtu = atomic_load(&summary->mtu);
	out->features = atomic_load(&summary->features);
	out->numa_node = atomic_load(&summary->numa_node);
	out->rx_queues = pairs_of(running & enabled & RX_RINGS);
	out->tx_queues = pairs_of((running & enabled) >> 1 & RX_RINGS);
}

static void read_queue(const struct own_guest *slot, unsigned ring, struct guest_queue *out)
{
	const struct session_summary *summary = &slot->summary;
	const struct virtqueue *virtqueue = &slot->virtqueues[ring];
	uint8_t fault = atomic_load_explicit(&virtqueue->fault, memory_order_relaxed);
	bool started = (atomic_load(&summary->running) >> ring & 1) != 0;
	unsigned pair = ring / 2;

	*out = (struct guest_queue){
	        .to_guest = ring == virtqueue_to_guest(pair),
	        .pair = pair,
	        .size = atomic_load_explicit(&summary->sizes[ring], memory_order_relaxed),
	        .is_packed = (atomic_load(&summary->features) & FEATURE(VIRTIO_F_RING_PACKED)) != 0,
	        .enabled = (atomic_load(&summary->enabled) >> ring & 1) != 0,
	        .started = started,
	        .stopped = started && fault != FAULT_NONE
	                           ? virtqueue_fault_text((enum virtqueue_fault)fault)
	                           : NULL,
	        .starts = atomic_load_explicit(&summary->starts[ring], memory_order_relaxed),
	        .calls = counter_read(&virtqueue->calls),
	        .refused = atomic_load_explicit(&summary->refused[ring], memory_order_relaxed),
	};
	if (out->to_guest)
		out->shortages = counter_read(&slot->shortages[pair]);
	else
		out->discarded =
		        atomic_load_explicit(&summary->discarded[ring], memory_order_relaxed);
}

static unsigned own_read_queues(unsigned relay_id, struct guest_queue out[GUEST_RINGS_MAX])
{
	const struct own_guest *slot = &backend.slots[relay_id];
	unsigned n = 0;

	for (unsigned ring = 0; ring < SESSION_RINGS; ring++)
		if (atomic_load_explicit(&slot->summary.sizes[ring], memory_order_relaxed) != 0)
			read_queue(slot, ring, &out[n++]);
	return n;
}

static void own_admit(unsigned relay_id, unsigned session)
{
	if (!atomic_load(&backend.refusing[relay_id]))
		atomic_store(&backend.slots[relay_id].admitted, session);
}

const struct guest_kind guest_kind_own = {
        .name = "own",
        .init = own_init,
        .get = own_get,
        .open = own_open,
        .refuse = own_refuse,
        .close = own_close,
        .read = own_read,
        .read_queues = own_read_queues,
        .admit = own_admit,
};
