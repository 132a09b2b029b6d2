/* Frames from a guest: the walk of a ring that it sends on. See ring.h's virtqueue_receive_fn.
 *
 * Most frames are one descriptor with the header before them. A run of those is resolved first, up
 * to a burst, then as many mbufs are allocated, and the frames copied; everything else goes frame
 * by frame. Which frames are too short or too long for the wire is for the caller to judge.
 */
#include "virtqueue/from_guest.h"

#include <rte_mbuf.h>
#include <rte_prefetch.h>

#include "offload/guest_header.h"
#include "virtqueue/walk.h"

/* --- frames of one descriptor ------------------------------------------------------------------
 */

struct run {
	const uint8_t *from[VIRTQUEUE_BURST]; /* behind the header */
	uint16_t length[VIRTQUEUE_BURST];     /* of the frame */
	uint16_t id[VIRTQUEUE_BURST];
	bool ends_in_other; /* the frame behind it needs the slow way */
};

/* The frames of a stretch. The walk itself stays where it is. */
static __rte_always_inline uint16_t resolve_run(struct walk *walk, struct run *run,
                                                const struct stretch *stretch, uint32_t data_room,
                                                const bool packed)
{
	const struct memory *memory = walk->view->memory;
	const struct memory_region *region = walk->region;
	enum virtqueue_fault fault = walk->fault;
	uint32_t header_size = walk->view->header_size;
	uint16_t found = 0;

	run->ends_in_other = false;
	for (; found < stretch->n; found++) {
		struct descriptor head;
		enum walk_found what = stretch_find(stretch, found, 0, &head, &fault, packed);
		uint32_t length = head.length - header_size;

		run->ends_in_other = what != FOUND_NOTHING;
		/* Not empty, nor shorter than the header, which would be a very great length. */
		if (unlikely(what != FOUND_LONE) || unlikely(length - 1 >= data_room))
			break;
		const uint8_t *from = walk_resolve(memory, &region, head.address, head.length);
		if (unlikely(from == NULL))
			break;
		run->from[found] = from + header_size;
		run->length[found] = (uint16_t)length;
		run->id[found] = head.id;
		rte_prefetch0(from + header_size);
		run->ends_in_other = false;
	}
	walk->region = region;
	walk->fault = fault;
	return found;
}

static __rte_always_inline void copy_run(struct walk *walk, const struct run *run,
                                         struct rte_mbuf **pkts, uint16_t n, const bool packed,
                                         const bool headers)
{
	const uint32_t header_size = walk->view->header_size;
	static const uint32_t written[VIRTQUEUE_BURST]; /* nothing */

	for (uint16_t i = 0; i < n; i++) {
		struct rte_mbuf *pkt = pkts[i];

		if (headers)
			memcpy(guest_header_of(pkt), run->from[i] - header_size,
			       VIRTQUEUE_HEADER_SHORT);
		copy_frame(rte_pktmbuf_mtod(pkt, void *), run->from[i], run->length[i]);
		pkt->data_len = run->length[i];
		pkt->pkt_len = run->length[i];
	}
	walk_use_stretch(walk, run->id, written, n, 0, packed);
}

/* --- all others --------------------------------------------------------------------------------
 */

/* A frame that is being put together. */
struct sink {
	struct rte_mempool *pool;
	struct rte_mbuf *pkt, *last; /* its first and last mbuf */
	uint8_t header_size, header_left;
};

/* false: there is no mbuf left. */
static bool append(struct sink *sink, const uint8_t *from, uint32_t length)
{
	while (length > 0) {
		uint32_t room = rte_pktmbuf_tailroom(sink->last), n = RTE_MIN(room, length);

		if (n == 0) {
			struct rte_mbuf *more = rte_pktmbuf_alloc(sink->pool);

			if (more == NULL)
				return false;
			sink->last->next = more;
			sink->last = more;
			sink->pkt->nb_segs++;
			continue;
		}
		memcpy(rte_pktmbuf_mtod_offset(sink->last, void *, sink->last->data_len), from, n);
		sink->last->data_len = (uint16_t)(sink->last->data_len + n);
		sink->pkt->pkt_len += n;
		from += n;
		length -= n;
	}
	return true;
}

/* Copies the frame behind the header; reads no more of what is too long. */
static bool gather(struct chain *chain, struct sink *sink)
{
	struct span span;

	while (sink->pkt->pkt_len < VIRTQUEUE_FRAME_MAX &&
	       chain_span(chain, VIRTQUEUE_FRAME_MAX - sink->pkt->pkt_len + sink->header_left,
	                  &span)) {
		uint32_t skipped = RTE_MIN(span.length, sink->header_left);

		memcpy((uint8_t *)guest_header_of(sink->pkt) + sink->header_size -
		               sink->header_left,
		       span.data, skipped);
		sink->header_left = (uint8_t)(sink->header_left - skipped);
		if (!append(sink, span.data + skipped, span.length - skipped))
			return false;
	}
	return true;
}

/* A frame in any buffer: NULL when there is none, or no mbuf for it, or walk->fault. */
static __rte_noinline struct rte_mbuf *receive_one(struct walk *walk, struct rte_mempool *pool)
{
	const struct virtqueue_view *view = walk->view;
	struct descriptor head;
	struct chain chain;
	uint16_t id;

	if (!walk_peek(walk, &head, &id, view->is_packed))
		return NULL;
	struct rte_mbuf *pkt = rte_pktmbuf_alloc(pool);
	if (pkt == NULL)
		return NULL;
	struct sink sink = {.pool = pool,
	                    .pkt = pkt,
	                    .last = pkt,
	                    .header_size = view->header_size,
	                    .header_left = view->header_size};

	memset(guest_header_of(pkt), 0, GUEST_HEADER_ROOM); /* there may be less than a header */
	chain_open(&chain, view, walk->at, &head, false);
	bool whole = gather(&chain, &sink);
	chain_finish(&chain);
	walk->descriptors += chain.entries;
	walk->fault = chain.fault;
	if (!whole || walk->fault != FAULT_NONE) {
		rte_pktmbuf_free(pkt);
		return NULL;
	}
	walk_use(walk, view->is_packed ? chain.id : id, 0, chain.ring_entries, 0, view->is_packed);
	return pkt;
}

/* --- the walk ----------------------------------------------------------------------------------
 */

/* Where the guest will show that it has sent more. Of what was left in the ring that is true
 * already. */
static __rte_always_inline void watch(struct virtqueue *virtqueue, const bool packed)
{
	const struct virtqueue_position *at = &virtqueue->at;

	if (packed)
		idle_look_set(&virtqueue->look, descriptor_flags_at(at->index), DESCRIPTOR_AVAIL,
		              at->wrap ? 0 : DESCRIPTOR_AVAIL);
	else
		idle_look_set(&virtqueue->look, 0, UINT16_MAX, at->index);
}

static __rte_always_inline uint16_t receive_burst(struct virtqueue *virtqueue,
                                                  const struct virtqueue_view *view,
                                                  struct rte_mempool *pool, struct rte_mbuf **pkts,
                                                  uint16_t n, bool *call, const bool packed,
                                                  const bool logged, const bool headers)
{
	uint32_t data_room = rte_pktmbuf_data_room_size(pool) - RTE_PKTMBUF_HEADROOM;
	struct walk walk;
	struct run run;
	uint32_t mbufs = 0; /* of what was received by the slow way */
	uint16_t taken = 0;

	walk_begin(&walk, virtqueue, view, packed);
	while (taken < n && mbufs < VIRTQUEUE_BURST_MBUFS && walk_goes_on(&walk, packed)) {
		const struct stretch stretch = walk_stretch(&walk, n - taken, packed);
		uint16_t in_run = resolve_run(&walk, &run, &stretch, data_room, packed);

		if (in_run > 0 && likely(rte_pktmbuf_alloc_bulk(pool, pkts + taken, in_run) == 0)) {
			copy_run(&walk, &run, pkts + taken, in_run, packed, headers);
			taken = (uint16_t)(taken + in_run);
			if (packed && in_run == stretch.n)
				continue; /* perhaps from the ring's beginning */
		} else if (in_run > 0) {
			/* There are few mbufs left: frame by frame. A fault behind them waits. */
			walk.fault = FAULT_NONE;
			run.ends_in_other = true;
		}
		if (likely(!run.ends_in_other))
			break;
		pkts[taken] = receive_one(&walk, pool);
		if (pkts[taken] == NULL)
			break;
		mbufs += pkts[taken++]->nb_segs;
	}
	*call = walk_end(&walk, virtqueue, packed, logged);
	watch(virtqueue, packed);
	return taken;
}

#define RECEIVE(name, packed, logged, headers)                                               \
	static uint16_t name(struct virtqueue *virtqueue, const struct virtqueue_view *view, \
	                     struct rte_mempool *pool, struct rte_mbuf **pkts, uint16_t n,   \
	                     bool *call)                                                     \
	{                                                                                    \
		return receive_burst(virtqueue, view, pool, pkts, n, call, packed, logged,   \
		                     headers);                                               \
	}
RECEIVE(receive_split, false, false, false)
RECEIVE(receive_split_headers, false, false, true)
RECEIVE(receive_split_logged, false, true, false)
RECEIVE(receive_split_logged_headers, false, true, true)
RECEIVE(receive_packed, true, false, false)
RECEIVE(receive_packed_headers, true, false, true)
RECEIVE(receive_packed_logged, true, true, false)
RECEIVE(receive_packed_logged_headers, true, true, true)

virtqueue_receive_fn from_guest_choose(bool packed, bool logged, bool headers)
{
	static const virtqueue_receive_fn all[2][2][2] = {
	        {{receive_split, receive_split_headers},
	         {receive_split_logged, receive_split_logged_headers}},
	        {{receive_packed, receive_packed_headers},
	         {receive_packed_logged, receive_packed_logged_headers}}};

	return all[packed][logged][headers];
}
