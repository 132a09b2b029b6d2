/* DPDK's vhost library, made up: one guest that has connected, with a queue pair and mergeable
 * buffers, for what counts the cost of our guest end on top of it. What a burst calls is as short
 * as can be.
 *
 * A program that includes this file names all of these functions in its WRAP lines, and says with
 * fake_vhost_take and fake_vhost_give what becomes of packets and where they come from.
 */
#ifndef FAKE_VHOST_H
#define FAKE_VHOST_H

#include <stdio.h>

#include <linux/virtio_net.h>
#include <rte_vhost.h>

#include "guest/guest.h"

static uint16_t fake_vhost_take(uint16_t n);             /* how many it takes */
static uint16_t fake_vhost_give(struct rte_mbuf **pkts); /* how many it has given */

#define FAKE_VID       0
#define FAKE_RING_SIZE 1024
#define FAKE_PATH      "/nowhere"

static const struct rte_vhost_device_ops *fake_callbacks;
static const struct rte_vhost_user_extern_ops *fake_message_ops;

int __wrap_rte_vhost_driver_register(const char *path, uint64_t flags);
int __wrap_rte_vhost_driver_start(const char *path);
int __wrap_rte_vhost_driver_callback_register(const char *path,
                                              const struct rte_vhost_device_ops *ops);
int __wrap_rte_vhost_driver_disable_features(const char *path, uint64_t features);
int __wrap_rte_vhost_driver_get_protocol_features(const char *path, uint64_t *features);
int __wrap_rte_vhost_driver_set_protocol_features(const char *path, uint64_t features);
int __wrap_rte_vhost_get_ifname(int vid, char *path, size_t size);
int __wrap_rte_vhost_extern_callback_register(int vid,
                                              struct rte_vhost_user_extern_ops const *const ops,
                                              void *context);
uint16_t __wrap_rte_vhost_get_vring_num(int vid);
int __wrap_rte_vhost_get_negotiated_features(int vid, uint64_t *features);
int __wrap_rte_vhost_get_numa_node(int vid);
uint16_t __wrap_rte_vhost_avail_entries(int vid, uint16_t queue);
int __wrap_rte_vhost_enable_guest_notification(int vid, uint16_t queue, int enable);
uint16_t __wrap_rte_vhost_enqueue_burst(int vid, uint16_t queue, struct rte_mbuf **pkts,
                                        uint16_t n);
uint16_t __wrap_rte_vhost_dequeue_burst(int vid, uint16_t queue, struct rte_mempool *pool,
                                        struct rte_mbuf **pkts, uint16_t n);

int __wrap_rte_vhost_driver_register(const char *path, uint64_t flags)
{
	(void)path;
	(void)flags;
	return 0;
}

int __wrap_rte_vhost_driver_start(const char *path)
{
	(void)path;
	return 0;
}

int __wrap_rte_vhost_driver_callback_register(const char *path,
                                              const struct rte_vhost_device_ops *ops)
{
	(void)path;
	fake_callbacks = ops;
	return 0;
}

int __wrap_rte_vhost_driver_disable_features(const char *path, uint64_t features)
{
	(void)path;
	(void)features;
	return 0;
}

int __wrap_rte_vhost_driver_get_protocol_features(const char *path, uint64_t *features)
{
	(void)path;
	*features = 0;
	return 0;
}

int __wrap_rte_vhost_driver_set_protocol_features(const char *path, uint64_t features)
{
	(void)path;
	(void)features;
	return 0;
}

int __wrap_rte_vhost_get_ifname(int vid, char *path, size_t size)
{
	(void)vid;
	snprintf(path, size, "%s", FAKE_PATH);
	return 0;
}

int __wrap_rte_vhost_extern_callback_register(int vid,
                                              struct rte_vhost_user_extern_ops const *const ops,
                                              void *context)
{
	(void)vid;
	(void)context;
	fake_message_ops = ops;
	return 0;
}

uint16_t __wrap_rte_vhost_get_vring_num(int vid)
{
	(void)vid;
	return 2;
}

int __wrap_rte_vhost_get_negotiated_features(int vid, uint64_t *features)
{
	(void)vid;
	*features = 1ULL << VIRTIO_NET_F_MRG_RXBUF;
	return 0;
}

int __wrap_rte_vhost_get_numa_node(int vid)
{
	(void)vid;
	return 0;
}

uint16_t __wrap_rte_vhost_avail_entries(int vid, uint16_t queue)
{
	(void)vid;
	(void)queue;
	return FAKE_RING_SIZE;
}

int __wrap_rte_vhost_enable_guest_notification(int vid, uint16_t queue, int enable)
{
	(void)vid;
	(void)queue;
	(void)enable;
	return 0;
}

uint16_t __wrap_rte_vhost_enqueue_burst(int vid, uint16_t queue, struct rte_mbuf **pkts, uint16_t n)
{
	(void)vid;
	(void)queue;
	(void)pkts;
	return fake_vhost_take(n);
}

uint16_t __wrap_rte_vhost_dequeue_burst(int vid, uint16_t queue, struct rte_mempool *pool,
                                        struct rte_mbuf **pkts, uint16_t n)
{
	(void)vid;
	(void)queue;
	(void)pool;
	(void)n;
	return fake_vhost_give(pkts);
}

static inline void fake_vhost_event(void *context, unsigned relay_id)
{
	(void)context;
	(void)relay_id;
}

/* The guest of relay 0, connected; NULL when its backend refuses. */
static inline struct guest *fake_vhost_connect(void)
{
	const struct guest_params params = {.path = FAKE_PATH, .client = true, .mrgbuf = true};
	const struct guest_user user = {.on_event = fake_vhost_event};
	struct error err;

	if (guest_init("dpdk", &user, &err) < 0 || guest_open(&params, &err) < 0 ||
	    fake_callbacks->new_connection(FAKE_VID) != 0)
		return NULL;
	for (uint16_t virtqueue = 0; virtqueue < 2; virtqueue++) {
		/* request (VHOST_USER_SET_VRING_NUM), flags, size, virtqueue, entries */
		uint32_t message[] = {8, 1, 8, virtqueue, FAKE_RING_SIZE};

		if (fake_message_ops->pre_msg_handle(FAKE_VID, message) !=
		            RTE_VHOST_MSG_RESULT_NOT_HANDLED ||
		    fake_callbacks->vring_state_changed(FAKE_VID, virtqueue, 1) != 0)
			return NULL;
	}
	return fake_callbacks->new_device(FAKE_VID) == 0 ? guest_get(0) : NULL;
}

#endif
