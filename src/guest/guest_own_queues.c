/* Bursts from and to guests that we serve ourselves. See guest_own_queues.h. A ring's view is read
 * once a burst: while it is not there, the ring pauses (a message changes something that the walk
 * depends on), or there is none.
 */
#include "guest/guest_own_queues.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <rte_arp.h>
#include <rte_branch_prediction.h>
#include <rte_eal.h>
#include <rte_ether.h>
#include <rte_mbuf.h>

#include "base/container_of.h"
#include "datapath/counters.h"
#include "guest/offered.h"
#include "virtqueue/kicks.h"

static inline bool is_enabled(const struct own_guest *slot, unsigned ring)
{
	return atomic_load_explicit(&slot->summary.enabled, memory_order_relaxed) >> ring & 1;
}

static inline bool is_admitted(const struct own_guest *slot)
{
	return atomic_load_explicit(&slot->admitted, memory_order_relaxed) ==
	       atomic_load_explicit(&slot->summary.sessions, memory_order_relaxed);
}

static inline bool is_broken(const struct virtqueue *virtqueue)
{
	return atomic_load_explicit(&virtqueue->fault, memory_order_relaxed) != FAULT_NONE;
}

/* Why a ring is not to be walked. A broken one is there until its guest's driver has set it up
 * anew; one that is not enabled, until the plan knows. */
static __rte_noinline int absence(const struct own_guest *slot, unsigned ring)
{
	uint64_t running = atomic_load_explicit(&slot->summary.running, memory_order_relaxed);

	if (!is_admitted(slot) || (running >> ring & 1) == 0)
		return END_GONE;
	return is_broken(&slot->virtqueues[ring]) ? END_BROKEN : END_PAUSED;
}

/* The view of a ring that can be walked, or NULL and *why. */
static inline const struct virtqueue_view *ring_view(const struct own_guest *slot, unsigned ring,
                                                     int *why)
{
	const struct virtqueue *virtqueue = &slot->virtqueues[ring];
	const struct virtqueue_view *view =
	        atomic_load_explicit(&virtqueue->view, memory_order_acquire);

	if (likely(view != NULL && is_admitted(slot) && is_enabled(slot, ring) &&
	           !is_broken(virtqueue)))
		return view;
	*why = absence(slot, ring);
	return NULL;
}

/* The descriptor does not block, unless its front end has seen to that, when we are freed (see
 * vhost/unblock.h). When its counter is full the guest has its interrupt already. */
static __rte_noinline void interrupt(struct virtqueue *virtqueue, const struct virtqueue_view *view)
{
	uint64_t one = 1;

	counter_add(&virtqueue->calls, 1);
	if (view->call_fd < 0)
		return;
	atomic_store_explicit(&virtqueue->caller, rte_gettid(), memory_order_relaxed);
	if (write(view->call_fd, &one, sizeof(one)) < 0 && errno == EINTR)
		atomic_store_explicit(&virtqueue->blocked, true, memory_order_relaxed);
	atomic_store_explicit(&virtqueue->caller, 0, memory_order_relaxed);
}

/* A switch that has not heard of the guest since it migrated here still sends its frames to where
 * it was: the front end asks us to have it speak. Once the relay has a lane that carries it. */
static __rte_noinline int receive_rarp(struct own_guest *slot, struct rte_mempool *pool,
                                       struct rte_mbuf **pkts)
{
	struct idle_look *look = &slot->virtqueues[virtqueue_from_guest(0)].look;
	struct rte_ether_addr address;

	atomic_exchange(&look->wanted, false); /* before the wish: another one sets it again */
	uint64_t asked = atomic_exchange(&slot->summary.rarp, 0);
	if (asked == 0)
		return 0;
	memcpy(&address, &asked, sizeof(address));
	pkts[0] = rte_net_make_rarp_packet(pool, &address);
	if (pkts[0] != NULL)
		return 1;
	uint64_t none = 0; /* later, unless there is a newer wish */
	atomic_compare_exchange_strong(&slot->summary.rarp, &none, asked);
	atomic_store(&look->wanted, true);
	return 0;
}

static inline bool owes_rarp(const struct own_guest *slot, uint16_t queue)
{
	return queue == 0 && atomic_load_explicit(&slot->summary.rarp, memory_order_relaxed) != 0;
}

static const struct idle_look *own_look(struct guest *guest, uint16_t queue)
{
	const struct own_guest *slot = CONTAINER_OF(guest, struct own_guest, guest);

	return &slot->virtqueues[virtqueue_from_guest(queue)].look;
}

static bool own_arm(struct guest *guest, uint16_t queue, struct wake_source *source)
{
	const struct own_guest *slot = CONTAINER_OF(guest, struct own_guest, guest);
	unsigned ring = virtqueue_from_guest(queue);
	int why;

	const struct virtqueue_view *view = ring_view(slot, ring, &why);
	if (view == NULL || view->kick_fd < 0)
		return false;
	kicks_ask(view, slot->virtqueues[ring].at);
	*source = (struct wake_source){.fd = view->kick_fd, .serial = view->kick_serial};
	return true;
}

static void own_spare(struct guest *guest, uint16_t queue)
{
	const struct own_guest *slot = CONTAINER_OF(guest, struct own_guest, guest);
	int why;

	const struct virtqueue_view *view = ring_view(slot, virtqueue_from_guest(queue), &why);
	if (view != NULL)
		kicks_spare(view);
}

static int own_receive(struct guest *guest, uint16_t queue, struct rte_mempool *pool,
                       struct rte_mbuf **pkts, uint16_t n)
{
	struct own_guest *slot = CONTAINER_OF(guest, struct own_guest, guest);
	unsigned ring = virtqueue_from_guest(queue);
	struct virtqueue *virtqueue = &slot->virtqueues[ring];
	uint16_t received;
	bool call;
	int why;

	if (unlikely(owes_rarp(slot, queue)))
		return receive_rarp(slot, pool, pkts);
	const struct virtqueue_view *view = ring_view(slot, ring, &why);
	if (unlikely(view == NULL))
		return why == END_BROKEN ? 0 : why;

	received = view->receive(virtqueue, view, pool, pkts, n, &call);
	if (call)
		interrupt(virtqueue, view);
	return received;
}

static int own_send(struct guest *guest, uint16_t queue, struct rte_mbuf **pkts, uint16_t n)
{
	struct own_guest *slot = CONTAINER_OF(guest, struct own_guest, guest);
	unsigned ring = virtqueue_to_guest(queue);
	struct virtqueue *virtqueue = &slot->virtqueues[ring];
	uint16_t sent;
	bool call;
	int why;

	const struct virtqueue_view *view = ring_view(slot, ring, &why);
	if (unlikely(view == NULL))
		return why;
	sent = view->send(virtqueue, view, pkts, n, &call);
	if (call)
		interrupt(virtqueue, view);
	return sent;
}

static bool own_offers(struct guest *guest, uint16_t queue)
{
	struct own_guest *slot = CONTAINER_OF(guest, struct own_guest, guest);
	bool offers = slot->virtqueues[virtqueue_to_guest(queue)].refused;

	if (!offers)
		counter_add(&slot->shortages[queue], 1);
	return offers;
}

const struct guest_ops guest_own_ops = {.look = own_look,
                                        .arm = own_arm,
                                        .spare = own_spare,
                                        .receive = own_receive,
                                        .send = own_send,
                                        .offers = own_offers};
