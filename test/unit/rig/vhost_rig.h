/* A made-up vhost library below the guest end, which calls back as DPDK's does: numbers of devices
 * are handed out again, unregistering tells of the device's end but not of the connection's,
 * virtqueues may vanish without a word.
 *
 * What is wrapped here:
 * WRAP: rte_vhost_driver_register rte_vhost_driver_unregister rte_vhost_driver_start
 * WRAP: rte_vhost_driver_callback_register rte_vhost_driver_disable_features
 * WRAP: rte_vhost_get_ifname rte_vhost_get_negotiated_features rte_vhost_get_numa_node
 * WRAP: rte_vhost_get_vring_num rte_vhost_enqueue_burst rte_vhost_dequeue_burst
 * WRAP: rte_vhost_driver_get_protocol_features rte_vhost_driver_set_protocol_features
 * WRAP: rte_vhost_extern_callback_register rte_vhost_enable_guest_notification
 * WRAP: workers_synchronize socket_file_clear socket_file_give rte_vhost_avail_entries
 * WRAP: rte_pktmbuf_free_bulk rte_vhost_driver_set_max_queue_num
 * WRAP: rte_vhost_get_vhost_vring rte_vhost_get_vring_base
 */
#ifndef VHOST_RIG_H
#define VHOST_RIG_H

#include <check.h>
#include <errno.h>
#include <linux/virtio_config.h>
#include <linux/virtio_net.h>
#include <linux/virtio_ring.h>
#include <stdio.h>
#include <string.h>

#include <rte_vhost.h>

#include "base/log.h"
#include "guest/guest.h"
#include "sys/socket_file.h"

#define BIT(n) (1ULL << (n))

/* --- the library --------------------------------------------------------------------------------
 */

#define DEVICES 16

static struct {
	bool used, running;
	unsigned socket;
	uint64_t features;
	uint16_t n_virtqueues;
	unsigned spared[256];
	const struct rte_vhost_user_extern_ops *message_ops;
	uint16_t offered; /* buffers, by the guest's index */
	struct vring_packed_desc ring[8];
	uint16_t ring_next; /* of that, as the library tells it: with the wrap on top */
} devices[DEVICES];

static struct {
	char path[128];
	uint64_t flags, offered, protocol;
	const struct rte_vhost_device_ops *ops;
	bool registered, started;
} sockets[RELAYS_MAX];

static bool start_fails, give_fails;
static void (*while_unregistering)(void); /* other sockets' peers do not wait for it */
static unsigned n_synchronized, n_events[RELAYS_MAX];
static int bursts[2];  /* last virtqueue sent to, received from */
static uint16_t asked; /* packets of the last burst */
static uint16_t takes; /* packets that it takes of a burst, at most */
static unsigned n_freed;

static unsigned socket_of(const char *path)
{
	for (unsigned i = 0; i < RELAYS_MAX; i++)
		if (sockets[i].registered && strcmp(sockets[i].path, path) == 0)
			return i;
	ck_abort_msg("no socket %s", path);
	return 0;
}

int __wrap_rte_vhost_driver_register(const char *path, uint64_t flags);
int __wrap_rte_vhost_driver_unregister(const char *path);
int __wrap_rte_vhost_driver_start(const char *path);
int __wrap_rte_vhost_driver_set_max_queue_num(const char *path, uint32_t n);
int __wrap_rte_vhost_driver_callback_register(const char *path,
                                              const struct rte_vhost_device_ops *ops);
int __wrap_rte_vhost_driver_disable_features(const char *path, uint64_t features);
int __wrap_rte_vhost_driver_get_protocol_features(const char *path, uint64_t *features);
int __wrap_rte_vhost_driver_set_protocol_features(const char *path, uint64_t features);
int __wrap_rte_vhost_extern_callback_register(int vid,
                                              struct rte_vhost_user_extern_ops const *const ops,
                                              void *context);
int __wrap_rte_vhost_get_ifname(int vid, char *path, size_t size);
int __wrap_rte_vhost_get_negotiated_features(int vid, uint64_t *features);
int __wrap_rte_vhost_get_numa_node(int vid);
uint16_t __wrap_rte_vhost_get_vring_num(int vid);
uint16_t __wrap_rte_vhost_avail_entries(int vid, uint16_t queue);
uint16_t __wrap_rte_vhost_enqueue_burst(int vid, uint16_t queue, struct rte_mbuf **pkts,
                                        uint16_t n);
uint16_t __wrap_rte_vhost_dequeue_burst(int vid, uint16_t queue, struct rte_mempool *pool,
                                        struct rte_mbuf **pkts, uint16_t n);
int __wrap_rte_vhost_enable_guest_notification(int vid, uint16_t queue, int enable);
int __wrap_rte_vhost_get_vhost_vring(int vid, uint16_t queue, struct rte_vhost_vring *ring);
int __wrap_rte_vhost_get_vring_base(int vid, uint16_t queue, uint16_t *avail, uint16_t *used);
void __wrap_workers_synchronize(struct workers *workers);
void __wrap_rte_pktmbuf_free_bulk(struct rte_mbuf **pkts, unsigned n);
int __wrap_socket_file_clear(const char *path, struct error *err);
int __wrap_socket_file_give(const char *path, uid_t owner, gid_t group, mode_t mode,
                            struct error *err);

uint16_t __wrap_rte_vhost_avail_entries(int vid, uint16_t queue)
{
	ck_assert_uint_eq(queue % 2, 0);
	return devices[vid].offered;
}

static void (*while_asked)(int vid); /* the front end may say something just then */

int __wrap_rte_vhost_get_vhost_vring(int vid, uint16_t queue, struct rte_vhost_vring *ring)
{
	ck_assert_uint_eq(queue % 2, 0);
	memset(ring, 0, sizeof(*ring));
	ring->desc_packed = devices[vid].ring;
	ring->size = RTE_DIM(devices[vid].ring);
	return 0;
}

int __wrap_rte_vhost_get_vring_base(int vid, uint16_t queue, uint16_t *avail, uint16_t *used)
{
	ck_assert_uint_eq(queue % 2, 0);
	*avail = *used = devices[vid].ring_next;
	if (while_asked != NULL)
		while_asked(vid);
	return 0;
}

int __wrap_rte_vhost_driver_register(const char *path, uint64_t flags)
{
	unsigned i = 0;

	if (strcmp(path, "virtio-forwarder-keeps-events") == 0)
		return 0; /* no guest's: see dpdk_vhost_keep_events */
	while (sockets[i].registered)
		i++;
	memset(&sockets[i], 0, sizeof(sockets[i]));
	snprintf(sockets[i].path, sizeof(sockets[i].path), "%s", path);
	sockets[i].flags = flags;
	sockets[i].offered = sockets[i].protocol = UINT64_MAX;
	sockets[i].registered = true;
	return 0;
}

static void device_ends(int vid)
{
	if (devices[vid].running) {
		devices[vid].running = false;
		sockets[devices[vid].socket].ops->destroy_device(vid);
	}
}

int __wrap_rte_vhost_driver_unregister(const char *path)
{
	unsigned socket = socket_of(path);

	for (int vid = 0; vid < DEVICES; vid++) {
		if (!devices[vid].used || devices[vid].socket != socket)
			continue;
		device_ends(vid);
		memset(&devices[vid], 0, sizeof(devices[vid]));
	}
	if (while_unregistering != NULL)
		while_unregistering();
	sockets[socket].registered = false;
	return 0;
}

/* Releases before 24.03 have none. */
int __wrap_rte_vhost_driver_set_max_queue_num(const char *path, uint32_t n)
{
	(void)socket_of(path);
	ck_assert_uint_eq(n, GUEST_QUEUES_MAX);
	return 0;
}

int __wrap_rte_vhost_driver_start(const char *path)
{
	sockets[socket_of(path)].started = !start_fails;
	return start_fails ? -1 : 0;
}

int __wrap_rte_vhost_driver_callback_register(const char *path,
                                              const struct rte_vhost_device_ops *ops)
{
	sockets[socket_of(path)].ops = ops;
	return 0;
}

int __wrap_rte_vhost_driver_disable_features(const char *path, uint64_t features)
{
	sockets[socket_of(path)].offered &= ~features;
	return 0;
}

int __wrap_rte_vhost_driver_get_protocol_features(const char *path, uint64_t *features)
{
	*features = sockets[socket_of(path)].protocol;
	return 0;
}

int __wrap_rte_vhost_driver_set_protocol_features(const char *path, uint64_t features)
{
	sockets[socket_of(path)].protocol = features;
	return 0;
}

int __wrap_rte_vhost_extern_callback_register(int vid,
                                              struct rte_vhost_user_extern_ops const *const ops,
                                              void *context)
{
	(void)context;
	devices[vid].message_ops = ops;
	return 0;
}

int __wrap_rte_vhost_get_ifname(int vid, char *path, size_t size)
{
	snprintf(path, size, "%s", sockets[devices[vid].socket].path);
	return 0;
}

int __wrap_rte_vhost_get_negotiated_features(int vid, uint64_t *features)
{
	*features = devices[vid].features;
	return 0;
}

int __wrap_rte_vhost_get_numa_node(int vid)
{
	return devices[vid].used ? 1 : -1;
}

uint16_t __wrap_rte_vhost_get_vring_num(int vid)
{
	return devices[vid].n_virtqueues;
}

uint16_t __wrap_rte_vhost_enqueue_burst(int vid, uint16_t queue, struct rte_mbuf **pkts, uint16_t n)
{
	(void)pkts;
	ck_assert(devices[vid].running);
	bursts[0] = queue;
	asked = n;
	ck_assert_uint_gt(n, 0);
	return RTE_MIN(n, takes);
}

uint16_t __wrap_rte_vhost_dequeue_burst(int vid, uint16_t queue, struct rte_mempool *pool,
                                        struct rte_mbuf **pkts, uint16_t n)
{
	(void)pool;
	(void)pkts;
	ck_assert(devices[vid].running);
	bursts[1] = queue;
	asked = n;
	ck_assert_uint_gt(n, 0);
	return n;
}

void __wrap_rte_pktmbuf_free_bulk(struct rte_mbuf **pkts, unsigned n)
{
	ck_assert_ptr_null(pkts); /* from the first of what was given */
	n_freed += n;
}

int __wrap_rte_vhost_enable_guest_notification(int vid, uint16_t queue, int enable)
{
	ck_assert_int_eq(enable, 0);
	devices[vid].spared[queue]++;
	return 0;
}

int __wrap_socket_file_clear(const char *path, struct error *err)
{
	(void)path;
	(void)err;
	return 0;
}

int __wrap_socket_file_give(const char *path, uid_t owner, gid_t group, mode_t mode,
                            struct error *err)
{
	(void)owner;
	(void)group;
	ck_assert_uint_eq(mode, 0660);
	ck_assert(sockets[socket_of(path)].started);
	return give_fails ? error_set(err, EPERM, "no") : 0;
}

/* --- front ends ---------------------------------------------------------------------------------
 */

static struct guest_params params_of(unsigned relay_id)
{
	struct guest_params params = {
	        .relay_id = relay_id, .mtu_max = 2100, .owner = (uid_t)-1, .group = (gid_t)-1};

	snprintf(params.path, sizeof(params.path), "/nowhere/unit-test%u.sock", relay_id);
	return params;
}

static void open_relay(unsigned relay_id)
{
	struct guest_params params = params_of(relay_id);
	struct error err;

	ck_assert_int_eq(guest_open(&params, &err), 0);
}

/* The number of the connection, -1 when it was turned away. */
static int knock(unsigned relay_id)
{
	struct guest_params params = params_of(relay_id);
	int vid = 0;

	while (devices[vid].used)
		vid++;
	memset(&devices[vid], 0, sizeof(devices[vid]));
	devices[vid].used = true;
	devices[vid].socket = socket_of(params.path);
	if (sockets[devices[vid].socket].ops->new_connection(vid) == 0)
		return vid;
	devices[vid].used = false;
	return -1;
}

/* Before, and after, the library has done what the message says. What is refused is changed into
 * something that the library refuses. */
static bool message_begins(int vid, uint32_t request, uint64_t payload)
{
	struct {
		uint32_t request, flags, size;
		uint64_t payload;
	} __attribute__((packed)) message = {.request = request, .size = 8, .payload = payload};

	ck_assert_int_eq(devices[vid].message_ops->pre_msg_handle(vid, &message),
	                 RTE_VHOST_MSG_RESULT_NOT_HANDLED);
	if (message.payload == payload && (request != 8 || payload >> 32 <= 32768))
		return true;
	ck_assert(request == 8 || request == 20);
	ck_assert_uint_eq(message.payload, request == 20 ? 0 : payload | 0xffffffffULL << 32);
	return false;
}

/* A front end says how many entries a virtqueue has; whether it may. */
static bool has_entries(int vid, uint32_t virtqueue, uint32_t entries)
{
	return message_begins(vid, 8, virtqueue | (uint64_t)entries << 32);
}

static void queue_changes(int vid, uint16_t virtqueue, int enable)
{
	sockets[devices[vid].socket].ops->vring_state_changed(vid, virtqueue, enable);
	if (virtqueue >= devices[vid].n_virtqueues)
		devices[vid].n_virtqueues = (uint16_t)(virtqueue + 1);
}

static void queue_of(int vid, uint16_t virtqueue, uint32_t entries)
{
	ck_assert(has_entries(vid, virtqueue, entries));
	queue_changes(vid, virtqueue, 1);
}

static void queue(int vid, uint16_t virtqueue, int enable)
{
	if (enable)
		queue_of(vid, virtqueue, 256);
	else
		queue_changes(vid, virtqueue, 0);
}

static bool driver_is_ready(int vid)
{
	if (sockets[devices[vid].socket].ops->new_device(vid) != 0)
		return false;
	devices[vid].running = true;
	return true;
}

static void hang_up(int vid)
{
	device_ends(vid);
	sockets[devices[vid].socket].ops->destroy_connection(vid);
	memset(&devices[vid], 0, sizeof(devices[vid]));
}

static int send_to(unsigned relay_id, uint16_t pair)
{
	struct guest *guest = guest_get(relay_id);

	return guest->ops->send(guest, pair, NULL, 4);
}

/* --- ours ---------------------------------------------------------------------------------------
 */

/* The moment after which the library takes the device down: nobody may still be in it. */
void __wrap_workers_synchronize(struct workers *workers)
{
	ck_assert_ptr_eq(workers, (struct workers *)devices);
	n_synchronized++;
}

static void on_event(void *context, unsigned relay_id)
{
	ck_assert_ptr_eq(context, sockets);
	n_events[relay_id]++;
}

static struct guest_state state_of(unsigned relay_id)
{
	struct guest_state state;

	guest_read(relay_id, &state);
	return state;
}

static void set_up(void)
{
	struct error err;

	const struct guest_user user = {
	        .workers = (struct workers *)devices, .on_event = on_event, .context = sockets};

	log_open(LOG_TO_STDOUT, LOG_CRIT, "test");
	memset(devices, 0, sizeof(devices));
	memset(sockets, 0, sizeof(sockets));
	memset(n_events, 0, sizeof(n_events));
	n_synchronized = n_freed = 0;
	takes = UINT16_MAX;
	start_fails = give_fails = false;
	while_unregistering = NULL;
	while_asked = NULL;
	ck_assert_int_eq(guest_init("dpdk", &user, &err), 0);
	for (unsigned i = 0; i < 4; i++)
		open_relay(i);
}

#endif
