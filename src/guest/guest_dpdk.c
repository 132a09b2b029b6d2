/* The kind of guest end that DPDK's vhost library makes; with guest_dpdk_queues.c, which has the
 * workers' part, the only files that know it.
 *
 * One slot per relay, static, so that the library's callbacks need no lock to find it. The
 * callbacks run on the library's own thread (or in dpdk_close's): they store, post an event and
 * return, since the library holds locks around them. destroy_device alone waits, for the workers
 * to leave the queues; the library holds none of their locks then.
 *
 * What this backend cannot survive is the library's trust in its peers: see the manual's section
 * on limits.
 */
#include "guest/kind.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/virtio_config.h>
#include <linux/virtio_net.h>
#include <linux/virtio_ring.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include <rte_mbuf.h>
#include <rte_pause.h>
#include <rte_vhost.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/parse.h"
#include "datapath/worker.h"
#include "dpdk/compat.h"
#include "events/posted.h"
#include "guest/guest_dpdk_queues.h"
#include "sys/socket_file.h"

/* Of those that the library has, which differ from release to release. What is missing serves other
 * devices (crypto sessions, memory for requests under way), hardware that is handed through (host
 * notifiers, and the descriptors sent for them), or what is not offered either (a vIOMMU, whose
 * misses would go over the back end's own channel; post-copy). */
#define PROTOCOL_FEATURES_WANTED                                                            \
	(FEATURE(VHOST_USER_PROTOCOL_F_MQ) | FEATURE(VHOST_USER_PROTOCOL_F_LOG_SHMFD) |     \
	 FEATURE(VHOST_USER_PROTOCOL_F_RARP) | FEATURE(VHOST_USER_PROTOCOL_F_REPLY_ACK) |   \
	 FEATURE(VHOST_USER_PROTOCOL_F_NET_MTU) | FEATURE(PROTOCOL_F_CONFIGURE_MEM_SLOTS) | \
	 FEATURE(VHOST_USER_PROTOCOL_F_STATUS))
#define PROTOCOL_F_CONFIGURE_MEM_SLOTS 15 /* which older releases do not name */

enum slot_phase { SLOT_CLOSED, SLOT_OPEN, SLOT_REFUSING };

static struct {
	struct vhost_guest slots[RELAYS_MAX];
	struct guest_user user;
} backend;

static unsigned slot_id(const struct vhost_guest *slot)
{
	return (unsigned)(slot - backend.slots);
}

static void slot_post(const struct vhost_guest *slot)
{
	backend.user.on_event(backend.user.context, slot_id(slot));
}

/* --- the library's callbacks ------------------------------------------------------------- */

static struct vhost_guest *slot_by_vid(int vid)
{
	for (unsigned i = 0; i < RELAYS_MAX; i++)
		if (atomic_load(&backend.slots[i].connection) == vid)
			return &backend.slots[i];
	return NULL;
}

/* A vhost-user message as far as we look into it, as the protocol lays it out and the library hands
 * it over. */
struct message {
	uint32_t request, flags, size;
	union {
		struct {
			uint64_t mmap_size, mmap_offset;
			uint16_t n_queues, queue_size;
		} __attribute__((packed)) inflight;
		struct {
			uint32_t index, size;
		} ring;
		uint64_t number;
	} __attribute__((packed));
} __attribute__((packed));

#define RING_SIZE_MAX 32768U /* virtio 1.2, 2.7 */

#define MESSAGE_GET_FEATURES 1
#define MESSAGE_SET_FEATURES 2
/* doc/vhost-user.md says of each message what becomes of it. */
#define MESSAGE_SET_MEM_TABLE   5
#define MESSAGE_SET_VRING_NUM   8
#define MESSAGE_SET_VRING_ADDR  9
#define MESSAGE_NET_SET_MTU     20
#define MESSAGE_GET_INFLIGHT_FD 31
#define MESSAGE_SET_INFLIGHT_FD 32
#define MESSAGE_ADD_MEM_REG     37
#define MESSAGE_REM_MEM_REG     38

static void post_refusal(struct vhost_guest *slot, const char *reason, const char *line)
{
	events_post(&(struct event){.id = EVENT_FRONT_END_REFUSED,
	                            .relay = (int)slot_id(slot),
	                            .values = {{EVENT_FIELD_SOCKET, 0, slot->path},
	                                       {EVENT_FIELD_REASON, 0, reason}}},
	            &slot->front_end_log, "relay %u: %s", slot_id(slot), line);
}

static __attribute__((format(printf, 2, 3))) void complain(struct vhost_guest *slot,
                                                           const char *format, ...)
{
	char reason[ERROR_TEXT_MAX], line[ERROR_TEXT_MAX + 256];
	va_list args;

	va_start(args, format);
	vsnprintf(reason, sizeof(reason), format, args);
	va_end(args);
	snprintf(line, sizeof(line), "the front end at %s %s", slot->path, reason);
	post_refusal(slot, reason, line);
}

static void turn_away(struct vhost_guest *slot)
{
	char line[256];

	snprintf(line, sizeof(line),
	         "a second front end knocked at %s and was turned away; one guest per socket",
	         slot->path);
	post_refusal(slot, "a second front end: one guest per socket", line);
}

/* The library believes a size that changes while it polls the ring, and takes rings without any. */
static bool may_have_size(struct vhost_guest *slot, uint32_t virtqueue, uint32_t size)
{
	uint32_t before = atomic_load(&slot->ring_size[virtqueue]);

	if (size == 0 || size > RING_SIZE_MAX) {
		complain(slot,
		         "is refused a virtqueue %u of %u entries; rings have 1 to %u (QEMU: "
		         "rx_queue_size=, tx_queue_size=)",
		         virtqueue, size, RING_SIZE_MAX);
		return false;
	}
	if (size != before && atomic_load(&slot->running) >> virtqueue & 1) {
		complain(slot,
		         "is refused %u entries for its virtqueue %u, which runs with %u; a ring "
		         "has to be stopped first",
		         size, virtqueue, before);
		return false;
	}
	atomic_store(&slot->ring_size[virtqueue], (uint16_t)size);
	return true;
}

/* What the guest's driver will take for the longest packets that it may send. */
static bool may_have_mtu(struct vhost_guest *slot, uint64_t mtu)
{
	if (mtu > slot->mtu_max) {
		complain(slot,
		         "wants an MTU of %" PRIu64 ", which is refused: relays carry %u%s; give "
		         "the guest no more (QEMU: host_mtu=)",
		         mtu, slot->mtu_max,
		         slot->mtu_max < MTU_JUMBO
		                 ? ", and " LIMIT_TEXT(MTU_JUMBO) " with --enable-jumbo"
		                 : "");
		return false;
	}
	atomic_store(&slot->mtu, (uint16_t)mtu);
	slot_post(slot);
	return true;
}

static bool moves_memory(const struct message *message)
{
	return message->request == MESSAGE_SET_MEM_TABLE ||
	       message->request == MESSAGE_SET_VRING_ADDR ||
	       message->request == MESSAGE_ADD_MEM_REG || message->request == MESSAGE_REM_MEM_REG;
}

/* Whoever looks into the guest's memory without the library's lock has left it on return, and
 * nobody new begins until on_message_done. A look takes some instructions, and waits for nothing.
 */
static void begin_remap(struct vhost_guest *slot)
{
	atomic_store(&slot->remaps, (atomic_load(&slot->remaps) + 1) | 1);
	while (atomic_load(&slot->looking) > 0)
		rte_pause();
}

/* From our features to the end of the connection, if they are the reason. */
#define REFUSAL_MS 1000

static void watch_features(struct vhost_guest *slot, uint32_t request)
{
	if (request == MESSAGE_GET_FEATURES)
		slot->features_read_ms = clock_now_ms();
	else if (request == MESSAGE_SET_FEATURES)
		slot->features_read_ms = 0;
}

/* QEMU hangs up, and comes again for ever, when its guest has negotiated more than is offered: as a
 * guest of another forwarder's may have. */
static void explain_refusal(struct vhost_guest *slot)
{
	uint64_t since = slot->features_read_ms;

	if (since == 0 || clock_now_ms() - since > REFUSAL_MS)
		return;
	complain(slot, "has hung up right after it had read what features are offered: if it does "
	               "so again and again, its guest has negotiated others (with another "
	               "forwarder, or with other -R and -T); stop that virtual machine and start "
	               "it, a reboot is not enough");
}

/* Memory that tells of a guest's requests under way is of no use to a network device, and not
 * offered; asked for all the same, the library would set aside as much as the peer says (68 GB), or
 * write wherever the peer's own ends. So it hears of no queues. Likewise, what is refused is made
 * what the library refuses: it closes the descriptors that came along, which it does not when we
 * fail. */
static enum rte_vhost_msg_result on_message(int vid, void *bytes)
{
	struct vhost_guest *slot = slot_by_vid(vid);
	struct message *message = bytes;

	if (slot != NULL)
		watch_features(slot, message->request);
	if (message->request == MESSAGE_GET_INFLIGHT_FD ||
	    message->request == MESSAGE_SET_INFLIGHT_FD)
		message->inflight.n_queues = 0;
	if (slot == NULL)
		return RTE_VHOST_MSG_RESULT_NOT_HANDLED;
	if (message->request == MESSAGE_SET_VRING_NUM &&
	    message->ring.index < RTE_DIM(slot->ring_size) &&
	    !may_have_size(slot, message->ring.index, message->ring.size))
		message->ring.size = UINT32_MAX;
	if (message->request == MESSAGE_NET_SET_MTU && !may_have_mtu(slot, message->number))
		message->number = 0;
	if (moves_memory(message))
		begin_remap(slot);
	return RTE_VHOST_MSG_RESULT_NOT_HANDLED;
}

/* Not after a message that failed: then the library has no memory to look into. */
static enum rte_vhost_msg_result on_message_done(int vid, void *bytes)
{
	struct vhost_guest *slot = slot_by_vid(vid);

	if (slot != NULL && moves_memory(bytes))
		atomic_store(&slot->remaps, (atomic_load(&slot->remaps) | 1) + 1);
	return RTE_VHOST_MSG_RESULT_NOT_HANDLED;
}

static const struct rte_vhost_user_extern_ops message_ops = {.pre_msg_handle = on_message,
                                                             .post_msg_handle = on_message_done};

/* What was known of the front end's virtqueues. */
static void forget_virtqueues(struct vhost_guest *slot)
{
	atomic_store(&slot->running, 0);
	for (size_t v = 0; v < RTE_DIM(slot->ring_size); v++) {
		atomic_store(&slot->ring_size[v], 0);
		atomic_store(&slot->burst_max[v], 0);
	}
}

static int on_new_connection(int vid)
{
	char path[GUEST_PATH_MAX];

	if (rte_vhost_get_ifname(vid, path, sizeof(path)) < 0 ||
	    rte_vhost_extern_callback_register(vid, &message_ops, NULL) != 0)
		return -1;
	for (unsigned i = 0; i < RELAYS_MAX; i++) {
		struct vhost_guest *slot = &backend.slots[i];
		int nobody = -1;

		if (atomic_load(&slot->phase) != SLOT_OPEN || strcmp(slot->path, path) != 0)
			continue;
		if (!atomic_compare_exchange_strong(&slot->connection, &nobody, vid)) {
			turn_away(slot);
			return -1;
		}
		slot->features_read_ms = 0;
		forget_virtqueues(slot);
		atomic_store(&slot->mtu, 0);
		atomic_store(&slot->remaps, 0);
		slot_post(slot);
		return 0;
	}
	return -1; /* its socket is being closed */
}

static void on_destroy_connection(int vid)
{
	struct vhost_guest *slot = slot_by_vid(vid);

	if (slot == NULL) /* was turned away */
		return;
	explain_refusal(slot);
	forget_virtqueues(slot);
	atomic_store(&slot->connection, -1);
	slot_post(slot);
}

static int on_new_device(int vid)
{
	struct vhost_guest *slot = slot_by_vid(vid);
	uint64_t features = 0;
	uint16_t n_virtqueues;

	if (slot == NULL || atomic_load(&slot->phase) != SLOT_OPEN)
		return -1;
	/* Virtqueues that a renegotiation took away were not all reported as stopped. */
	n_virtqueues = rte_vhost_get_vring_num(vid);
	if (n_virtqueues < 64)
		atomic_fetch_and(&slot->running, (1ULL << n_virtqueues) - 1);
	rte_vhost_get_negotiated_features(vid, &features);
	atomic_store(&slot->features, features);
	atomic_store(&slot->numa_node, rte_vhost_get_numa_node(vid));
	for (size_t v = 0; v < RTE_DIM(slot->burst_max); v++)
		atomic_store(&slot->burst_max[v], 0);
	atomic_fetch_add(&slot->sessions, 1);
	atomic_store_explicit(&slot->vid, vid, memory_order_release);
	slot_post(slot);
	return 0;
}

static void on_destroy_device(int vid)
{
	struct vhost_guest *slot = slot_by_vid(vid);

	if (slot == NULL)
		return;
	atomic_store(&slot->vid, -1);
	workers_synchronize(backend.user.workers);
	slot_post(slot);
}

static int on_vring_state_changed(int vid, uint16_t virtqueue, int enable)
{
	struct vhost_guest *slot = slot_by_vid(vid);
	uint64_t bit;

	if (slot == NULL || virtqueue >= 2 * GUEST_QUEUES_MAX)
		return 0; /* queues beyond the ones we serve are never polled */
	bit = 1ULL << virtqueue;
	atomic_store(&slot->burst_max[virtqueue], 0);
	if (enable && atomic_load(&slot->ring_size[virtqueue]) > 0)
		atomic_fetch_or(&slot->running, bit);
	else
		atomic_fetch_and(&slot->running, ~bit);
	slot_post(slot);
	return 0;
}

static const struct rte_vhost_device_ops callbacks = {
        .new_connection = on_new_connection,
        .destroy_connection = on_destroy_connection,
        .new_device = on_new_device,
        .destroy_device = on_destroy_device,
        .vring_state_changed = on_vring_state_changed,
};

/* --- the interface ----------------------------------------------------------------------- */

static void dpdk_init(const struct guest_user *user)
{
	backend.user = *user;
	dpdk_vhost_keep_events();
	for (unsigned i = 0; i < RELAYS_MAX; i++) {
		struct vhost_guest *slot = &backend.slots[i];

		memset(slot, 0, sizeof(*slot));
		slot->guest.ops = &guest_dpdk_ops;
		atomic_init(&slot->connection, -1);
		atomic_init(&slot->vid, -1);
		slot->front_end_log = (struct log_limit)LOG_LIMIT(60000, 3);
	}
}

static struct guest *dpdk_get(unsigned relay_id)
{
	return &backend.slots[relay_id].guest;
}

static int offer_features(const struct guest_params *params)
{
	uint64_t wanted = FEATURES_ALWAYS, protocol; /* not all are known to the library */

	if (params->mrgbuf)
		wanted |= FEATURE(VIRTIO_NET_F_MRG_RXBUF);
	if (rte_vhost_driver_disable_features(params->path, ~wanted) != 0 ||
	    rte_vhost_driver_get_protocol_features(params->path, &protocol) != 0)
		return -1;
	return rte_vhost_driver_set_protocol_features(params->path,
	                                              protocol & PROTOCOL_FEATURES_WANTED);
}

static int register_socket(const struct guest_params *params, struct error *err)
{
	uint64_t flags = RTE_VHOST_USER_NET_COMPLIANT_OL_FLAGS;

	if (params->client)
		flags |= RTE_VHOST_USER_CLIENT;
	if (rte_vhost_driver_register(params->path, flags) != 0)
		return error_set(err, EIO, "DPDK's vhost library refuses the socket %s",
		                 params->path);
	if (offer_features(params) != 0 ||
	    dpdk_vhost_set_max_queue_pairs(params->path, GUEST_QUEUES_MAX) != 0 ||
	    rte_vhost_driver_callback_register(params->path, &callbacks) != 0 ||
	    rte_vhost_driver_start(params->path) != 0) {
		rte_vhost_driver_unregister(params->path);
		return error_set(err, EIO,
		                 "DPDK's vhost library cannot start the socket %s; is "
		                 "its directory there and writable?",
		                 params->path);
	}
	return 0;
}

static void dpdk_refuse(unsigned relay_id)
{
	struct vhost_guest *slot = &backend.slots[relay_id];
	int open = SLOT_OPEN;

	atomic_compare_exchange_strong(&slot->phase, &open, SLOT_REFUSING);
	atomic_store(&slot->vid, -1);
}

static void dpdk_close(unsigned relay_id)
{
	struct vhost_guest *slot = &backend.slots[relay_id];

	if (atomic_load(&slot->phase) == SLOT_CLOSED)
		return;
	/* The library does not tell of the connection's end here, and may hand its number to
	 * another socket's before it returns: what it then says of that must not be ours. No worker
	 * is in the queues any more, so the device's end need not be heard either. */
	atomic_store(&slot->connection, -1);
	rte_vhost_driver_unregister(slot->path);
	atomic_store(&slot->vid, -1);
	atomic_store(&slot->running, 0);
	atomic_store(&slot->connection, -1); /* of one who had just been let in */
	atomic_store(&slot->phase, SLOT_CLOSED);
}

static int dpdk_open(const struct guest_params *params, struct error *err)
{
	struct vhost_guest *slot = &backend.slots[params->relay_id];

	if (atomic_load(&slot->phase) != SLOT_CLOSED) {
		error_set(err, EBUSY, "relay %u serves %s already", params->relay_id, slot->path);
		return -1;
	}
	if (string_copy(slot->path, sizeof(slot->path), params->path) < 0) {
		error_set(err, ENAMETOOLONG, "%s is longer than a socket's name may be (%zu bytes)",
		          params->path, sizeof(slot->path) - 1);
		return -1;
	}
	slot->client = params->client;
	slot->mtu_max = params->mtu_max;
	if (!params->client && socket_file_clear(params->path, err) < 0)
		return -1;

	/* Open before the library is: its thread may see a front end at once. */
	atomic_store(&slot->phase, SLOT_OPEN);
	if (register_socket(params, err) < 0) {
		atomic_store(&slot->phase, SLOT_CLOSED);
		return -1;
	}
	if (!params->client &&
	    socket_file_give(params->path, params->owner, params->group, 0660, err) < 0) {
		dpdk_refuse(params->relay_id);
		dpdk_close(params->relay_id);
		return -1;
	}
	return 0;
}

static void dpdk_read(unsigned relay_id, struct guest_state *out)
{
	struct vhost_guest *slot = &backend.slots[relay_id];
	uint64_t running = atomic_load(&slot->running);

	memset(out, 0, sizeof(*out));
	out->numa_node = -1;
	out->sessions = atomic_load(&slot->sessions);
	out->front_end = atomic_load(&slot->connection) >= 0;
	if (atomic_load_explicit(&slot->vid, memory_order_acquire) < 0)
		return;
	out->connected = out->front_end = true;
	out->mtu = atomic_load(&slot->mtu);
	out->features = atomic_load(&slot->features);
	out->numa_node = atomic_load(&slot->numa_node);
	for (unsigned queue = 0; queue < GUEST_QUEUES_MAX; queue++) {
		if (running >> virtqueue_to_guest((uint16_t)queue) & 1)
			out->rx_queues |= 1U << queue;
		if (running >> virtqueue_from_guest((uint16_t)queue) & 1)
			out->tx_queues |= 1U << queue;
	}
}

const struct guest_kind guest_kind_dpdk = {
        .name = "dpdk",
        .init = dpdk_init,
        .get = dpdk_get,
        .open = dpdk_open,
        .refuse = dpdk_refuse,
        .close = dpdk_close,
        .read = dpdk_read,
};
