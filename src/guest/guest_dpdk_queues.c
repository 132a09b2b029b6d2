/* Bursts from and to guests of DPDK's vhost library. See guest_dpdk_queues.h. The library takes a
 * queue's lock for each burst, which its thread may hold while a message is handled.
 */
#include "guest/guest_dpdk_queues.h"

#include <linux/virtio_config.h>
#include <linux/virtio_net.h>
#include <linux/virtio_ring.h>

#include <rte_branch_prediction.h>
#include <rte_mbuf.h>
#include <rte_vhost.h>

#include "base/container_of.h"
#include "datapath/lane.h"

/* Once per virtqueue that has come up; returns its burst_max, 0 when it does not run. We poll, so
 * the guest may spare itself the kicks: told here because a worker may, while the library's
 * callbacks run with the queue's lock held. A virtqueue that stops just now and comes back with
 * another size is found out by one of the two looks at that: its callback zeroes burst_max after
 * the size was set. */
static __rte_noinline uint16_t find_burst_max(struct vhost_guest *slot, int vid, uint16_t virtqueue)
{
	uint16_t size = atomic_load(&slot->ring_size[virtqueue]);

	if (!(atomic_load(&slot->running) >> virtqueue & 1))
		return 0;
	atomic_store(&slot->burst_max[virtqueue], RTE_MIN(size, LANE_BURST));
	if (atomic_load(&slot->ring_size[virtqueue]) != size) {
		atomic_store(&slot->burst_max[virtqueue], 0);
		return 0;
	}
	rte_vhost_enable_guest_notification(vid, virtqueue, 0);
	return RTE_MIN(size, LANE_BURST);
}

/* For each packet the library notes a buffer, and has room for as many as the ring has entries;
 * more than that no driver can have posted, but the guest's index may say so. Hence at most this
 * many packets at once. */
static inline uint16_t burst_max_of(struct vhost_guest *slot, uint16_t virtqueue)
{
	return atomic_load_explicit(&slot->burst_max[virtqueue], memory_order_relaxed);
}

/* The first burst of a virtqueue. Of one that does not run the library must not be asked for none:
 * it takes one off for a RARP. */
static __rte_noinline int receive_first(struct guest *guest, uint16_t queue,
                                        struct rte_mempool *pool, struct rte_mbuf **pkts,
                                        uint16_t n)
{
	struct vhost_guest *slot = CONTAINER_OF(guest, struct vhost_guest, guest);
	int vid = atomic_load_explicit(&slot->vid, memory_order_acquire);
	uint16_t virtqueue = virtqueue_from_guest(queue), max;

	if (vid < 0)
		return END_GONE;
	max = find_burst_max(slot, vid, virtqueue);
	if (max == 0)
		return 0;
	return rte_vhost_dequeue_burst(vid, virtqueue, pool, pkts, RTE_MIN(n, max));
}

static int vhost_receive(struct guest *guest, uint16_t queue, struct rte_mempool *pool,
                         struct rte_mbuf **pkts, uint16_t n)
{
	struct vhost_guest *slot = CONTAINER_OF(guest, struct vhost_guest, guest);
	int vid = atomic_load_explicit(&slot->vid, memory_order_acquire);
	uint16_t virtqueue = virtqueue_from_guest(queue), max = burst_max_of(slot, virtqueue);

	if (unlikely(vid < 0 || max == 0))
		return receive_first(guest, queue, pool, pkts, n);
	return rte_vhost_dequeue_burst(vid, virtqueue, pool, pkts, RTE_MIN(n, max));
}

/* With mergeable buffers a packet may take many: from a split ring whatever the guest's index says
 * there is, more than the library has room to note. (A guest that changes the index just then is
 * found out by nobody.) */
static inline bool offers_more_than_it_has(struct vhost_guest *slot, int vid, uint16_t virtqueue)
{
	uint64_t features = atomic_load_explicit(&slot->features, memory_order_relaxed);

	return (features & (FEATURE(VIRTIO_NET_F_MRG_RXBUF) | FEATURE(VIRTIO_F_RING_PACKED))) ==
	               FEATURE(VIRTIO_NET_F_MRG_RXBUF) &&
	       rte_vhost_avail_entries(vid, virtqueue) >
	               atomic_load_explicit(&slot->ring_size[virtqueue], memory_order_relaxed);
}

/* The library copies: what it has taken is done with. */
static int vhost_send(struct guest *guest, uint16_t queue, struct rte_mbuf **pkts, uint16_t n)
{
	struct vhost_guest *slot = CONTAINER_OF(guest, struct vhost_guest, guest);
	int vid = atomic_load_explicit(&slot->vid, memory_order_acquire);
	uint16_t max, sent;

	if (unlikely(vid < 0))
		return END_GONE;
	max = burst_max_of(slot, virtqueue_to_guest(queue));
	if (unlikely(max == 0))
		max = find_burst_max(slot, vid, virtqueue_to_guest(queue));
	if (unlikely(max == 0))
		return 0;
	if (unlikely(offers_more_than_it_has(slot, vid, virtqueue_to_guest(queue))))
		return END_BROKEN;
	sent = rte_vhost_enqueue_burst(vid, virtqueue_to_guest(queue), pkts, RTE_MIN(n, max));
	rte_pktmbuf_free_bulk(pkts, sent);
	return sent;
}

/* A packed ring: whether its next descriptor, or with `all` each one, is the guest's offer. The
 * library has no function for that, so this reads the guest's memory without its lock, and a
 * message that moves the memory waits until nobody looks (on_message). `remaps` tells whether the
 * ring is still where it was when the library was asked, which may take that lock. */
static bool packed_ring_offers(struct vhost_guest *slot, int vid, uint16_t virtqueue, bool all)
{
	unsigned remaps = atomic_load(&slot->remaps);
	uint16_t next, used, index, flags;
	struct rte_vhost_vring ring;
	bool wrap, offers = false;

	if (remaps % 2 != 0 || rte_vhost_get_vhost_vring(vid, virtqueue, &ring) != 0 ||
	    rte_vhost_get_vring_base(vid, virtqueue, &next, &used) != 0)
		return false;
	index = next & 0x7fff;
	wrap = next >> 15;
	if (all) { /* the last one to come around */
		wrap ^= index != 0;
		index = (uint16_t)(index == 0 ? ring.size - 1 : index - 1);
	}
	atomic_fetch_add(&slot->looking, 1);
	if (atomic_load(&slot->remaps) == remaps && ring.desc_packed != NULL && index < ring.size) {
		flags = __atomic_load_n(&ring.desc_packed[index].flags, __ATOMIC_RELAXED);
		offers = (flags >> VRING_PACKED_DESC_F_AVAIL & 1) == wrap &&
		         (flags >> VRING_PACKED_DESC_F_USED & 1) != wrap;
	}
	atomic_fetch_sub(&slot->looking, 1);
	return offers;
}

static bool vhost_offers(struct guest *guest, uint16_t queue)
{
	struct vhost_guest *slot = CONTAINER_OF(guest, struct vhost_guest, guest);
	int vid = atomic_load_explicit(&slot->vid, memory_order_acquire);
	uint16_t virtqueue = virtqueue_to_guest(queue);
	uint64_t features = atomic_load_explicit(&slot->features, memory_order_relaxed);
	bool mergeable = features & FEATURE(VIRTIO_NET_F_MRG_RXBUF);
	uint16_t wanted = mergeable ? atomic_load(&slot->ring_size[virtqueue]) : 1;

	if (unlikely(vid < 0))
		return false;
	if (features & FEATURE(VIRTIO_F_RING_PACKED))
		return packed_ring_offers(slot, vid, virtqueue, mergeable);
	return rte_vhost_avail_entries(vid, virtqueue) >= wanted;
}

const struct guest_ops guest_dpdk_ops = {
        .receive = vhost_receive, .send = vhost_send, .offers = vhost_offers};
