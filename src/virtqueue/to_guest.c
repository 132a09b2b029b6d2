/* Frames to a guest: the walk of a ring that it receives on. See ring.h's virtqueue_send_fn.
 *
 * Most buffers are one descriptor that holds a header and a whole frame in one region. A run of
 * those is resolved first, up to a burst, so that the guest's lines are on their way from memory
 * while others are still looked for, and then copied. Everything else goes frame by frame: what
 * there is room for is found out before anything is written, since of a frame that needs several
 * buffers either all are used or none.
 */
#include "virtqueue/to_guest.h"

#include <linux/virtio_net.h>

#include <rte_mbuf.h>
#include <rte_prefetch.h>

#include "offload/to_guest.h"
#include "virtqueue/walk.h"

/* Offset of num_buffers in the long header. */
#define NUM_BUFFERS_AT 10U

/* --- buffers of one descriptor -----------------------------------------------------------------
 */

struct run {
	uint8_t *to[VIRTQUEUE_BURST];
	uint64_t guest_address[VIRTQUEUE_BURST]; /* for the log */
	uint32_t written[VIRTQUEUE_BURST];       /* with the header */
	uint16_t id[VIRTQUEUE_BURST];
	bool ends_in_other; /* the buffer behind it needs the slow way, or its frame does */
};

/* Before a frame of one mbuf, which has not been joined: no checksum is left to do, no segments.
 * num_buffers is 1 even where nobody has negotiated mergeable buffers (virtio 1.2, 5.1.6.4.1). */
static __rte_always_inline void write_header(uint8_t *to, const struct rte_mbuf *pkt, bool is_long,
                                             const bool headers)
{
	static const uint8_t header[VIRTQUEUE_HEADER_LONG] = {[NUM_BUFFERS_AT] = 1};

	memcpy(to, header, VIRTQUEUE_HEADER_SHORT);
	if (headers)
		*to = to_guest_flags(pkt);
	if (is_long)
		memcpy(to + NUM_BUFFERS_AT, header + NUM_BUFFERS_AT, 2);
}

/* Finds room for the frames of a stretch, one after the other, as long as each fits into a buffer
 * of one descriptor. The walk itself stays where it is. */
static __rte_always_inline uint16_t resolve_run(struct walk *walk, struct run *run,
                                                const struct stretch *stretch,
                                                struct rte_mbuf **pkts, const bool packed,
                                                const bool logged)
{
	const struct memory *memory = walk->view->memory;
	const struct memory_region *region = walk->region;
	enum virtqueue_fault fault = walk->fault;
	uint32_t header_size = walk->view->header_size;
	uint16_t found = 0;

	run->ends_in_other = false;
	for (; found < stretch->n; found++) {
		const struct rte_mbuf *pkt = pkts[found];
		uint32_t needed = pkt->pkt_len + header_size;
		struct descriptor head;
		enum walk_found what =
		        stretch_find(stretch, found, VRING_DESC_F_WRITE, &head, &fault, packed);

		run->ends_in_other = what != FOUND_NOTHING;
		if (unlikely(what != FOUND_LONE) || unlikely(head.length < needed) ||
		    unlikely(pkt->nb_segs != 1))
			break;
		uint8_t *to = walk_resolve(memory, &region, head.address, needed);
		if (unlikely(to == NULL))
			break;
		run->to[found] = to;
		run->written[found] = needed;
		run->id[found] = head.id;
		if (logged)
			run->guest_address[found] = head.address;
		rte_prefetch0_write(to);
		rte_prefetch0_write(to + RTE_CACHE_LINE_SIZE);
		rte_prefetch0(rte_pktmbuf_mtod(pkt, const void *));
		run->ends_in_other = false;
	}
	walk->region = region;
	walk->fault = fault;
	return found;
}

static __rte_always_inline void copy_run(struct walk *walk, const struct run *run,
                                         struct rte_mbuf **pkts, uint16_t n, const bool packed,
                                         const bool logged, const bool headers)
{
	uint8_t header_size = walk->view->header_size;

	for (uint16_t i = 0; i < n; i++) {
		write_header(run->to[i], pkts[i], header_size == VIRTQUEUE_HEADER_LONG, headers);
		copy_frame(run->to[i] + header_size, rte_pktmbuf_mtod(pkts[i], const void *),
		           run->written[i] - header_size);
		if (logged)
			dirty_log_mark(&walk->view->log, run->guest_address[i], run->written[i]);
	}
	walk_use_stretch(walk, run->id, run->written, n, VRING_DESC_F_WRITE, packed);
}

/* --- all others --------------------------------------------------------------------------------
 */

enum room {
	ROOM_ENOUGH,
	ROOM_NONE,  /* not yet */
	ROOM_NEVER, /* not in what one frame can have at most */
	ROOM_FAULT, /* walk->fault */
};

/* One buffer's length, as far as it is of use; and past it. *entries grows by those of the ring. */
static uint32_t measure_buffer(struct walk *walk, const struct descriptor *head, uint32_t enough,
                               uint32_t *entries)
{
	struct chain chain;
	uint32_t length;

	chain_open(&chain, walk->view, walk->at, head, true);
	length = chain_length(&chain, enough);
	chain_finish(&chain);
	walk->fault = chain.fault;
	walk->descriptors += chain.entries;
	*entries += chain.ring_entries;
	walk_advance(walk, chain.ring_entries, walk->view->is_packed);
	return length;
}

/* The first buffer has to hold the header, and empty descriptors, which are allowed, may not keep
 * us busy for ever. */
static enum virtqueue_fault judge_buffer(const struct walk *walk, bool first, uint32_t found)
{
	if (first && found < walk->view->header_size)
		return FAULT_SHORT_BUFFER;
	return walk->descriptors > VIRTQUEUE_SIZE_MAX ? FAULT_CHAIN : FAULT_NONE;
}

/* Whether so many bytes fit in what is available. The walk itself stays where it is. */
static enum room find_room(struct walk *walk, uint32_t needed)
{
	const struct virtqueue_view *view = walk->view;
	struct walk ahead = *walk;
	uint32_t found = 0;
	uint32_t entries = 0; /* that the ring has no more of */
	enum room room = ROOM_NONE;
	struct descriptor head;
	uint16_t id;

	ahead.descriptors = 0;
	while (room == ROOM_NONE && ahead.fault == FAULT_NONE &&
	       walk_peek(&ahead, &head, &id, view->is_packed)) {
		bool first = entries == 0;

		found += measure_buffer(&ahead, &head, needed - found, &entries);
		if (ahead.fault == FAULT_NONE)
			ahead.fault = judge_buffer(&ahead, first, found);
		if (found >= needed)
			room = ROOM_ENOUGH;
		else if (!view->mergeable || entries >= view->size)
			room = ROOM_NEVER;
	}
	walk->descriptors += ahead.descriptors;
	walk->fault = ahead.fault;
	return walk->fault != FAULT_NONE ? ROOM_FAULT : room;
}

/* What is still to be written of a frame and the header before it. */
struct source {
	const struct rte_mbuf *segment;
	uint32_t offset; /* in the segment's data */
	uint32_t left;   /* bytes, the header's too */
	uint8_t header_left;
	uint8_t header_size;
	uint8_t header[VIRTQUEUE_HEADER_LONG];
	struct span num_buffers[2]; /* where its bytes went, a byte each; a short header has none */
};

static uint32_t write_header_part(struct source *source, const struct span *span)
{
	uint32_t from = source->header_size - source->header_left;
	uint32_t n = RTE_MIN(span->length, source->header_left);

	memcpy(span->data, source->header + from, n);
	for (uint32_t i = 0; i < n; i++)
		if (from + i >= NUM_BUFFERS_AT)
			source->num_buffers[from + i - NUM_BUFFERS_AT] =
			        (struct span){span->data + i, span->guest_address + i, 1};
	source->header_left = (uint8_t)(source->header_left - n);
	return n;
}

static void write_span(struct source *source, const struct span *span)
{
	uint32_t done = source->header_left > 0 ? write_header_part(source, span) : 0;

	source->left -= span->length;
	while (done < span->length) {
		uint32_t in_segment = source->segment->data_len - source->offset;
		uint32_t n = RTE_MIN(in_segment, span->length - done);

		memcpy(span->data + done,
		       rte_pktmbuf_mtod_offset(source->segment, const void *, source->offset), n);
		done += n;
		source->offset += n;
		if (n == in_segment) {
			source->segment = source->segment->next;
			source->offset = 0;
		}
	}
}

/* Fills one buffer, or as much of it as is needed, and gives it back. Returns its descriptors. */
static uint16_t fill_buffer(struct walk *walk, struct source *source, const struct descriptor *head,
                            uint16_t id)
{
	const struct virtqueue_view *view = walk->view;
	uint32_t before = source->left;
	struct chain chain;
	struct span span;

	chain_open(&chain, view, walk->at, head, true);
	while (source->left > 0 && chain_span(&chain, source->left, &span)) {
		write_span(source, &span);
		dirty_log_mark(&view->log, span.guest_address, span.length);
	}
	chain_finish(&chain);
	walk->fault = chain.fault;
	if (walk->fault == FAULT_NONE)
		walk_use(walk, view->is_packed ? chain.id : id, before - source->left,
		         chain.ring_entries, VRING_DESC_F_WRITE, view->is_packed);
	return chain.entries;
}

/* Little-endian, and perhaps in two descriptors. The log has these bytes' pages already, but
 * whoever copies them may have been there since. */
static void write_num_buffers(const struct source *source, const struct dirty_log *log, uint16_t n)
{
	for (unsigned i = 0; i < 2 && source->num_buffers[i].data != NULL; i++) {
		*source->num_buffers[i].data = (uint8_t)(n >> 8 * i);
		dirty_log_mark(log, source->num_buffers[i].guest_address, 1);
	}
}

/* Takes back the use of a frame's buffers from `before` on. The guest, which is shown what came
 * before them, must not find the first of them used. */
static void unfill(struct walk *walk, const struct walk *before)
{
	const struct virtqueue_view *view = walk->view;
	struct walk undone = *walk;

	if (view->is_packed && walk_has_used(before))
		guest_store_16(&view->packed[before->at.index].flags,
		               before->at.wrap ? DESCRIPTOR_AVAIL : DESCRIPTOR_USED);
	undone.begin = before->at;
	walk_log_ring(&undone, view->is_packed);
	*walk = *before;
	walk->fault = undone.fault;
}

/* Where there was room before: a guest that has changed its mind meanwhile gets no more, however
 * many empty buffers it puts in our way. */
static bool fill(struct walk *walk, const struct rte_mbuf *pkt, const struct virtio_net_hdr *header)
{
	const struct virtqueue_view *view = walk->view;
	struct source source = {.segment = pkt,
	                        .left = view->header_size + pkt->pkt_len,
	                        .header_left = view->header_size,
	                        .header_size = view->header_size,
	                        .header[NUM_BUFFERS_AT] = 1};
	struct walk before = *walk;
	uint32_t n_buffers = 0, descriptors = 0;
	struct descriptor head;
	uint16_t id;

	memcpy(source.header, header, sizeof(*header));
	do {
		if (n_buffers == view->size || descriptors > VIRTQUEUE_SIZE_MAX ||
		    !walk_peek(walk, &head, &id, view->is_packed)) {
			walk->fault = FAULT_CHANGED;
			break;
		}
		descriptors += fill_buffer(walk, &source, &head, id);
		n_buffers++;
	} while (walk->fault == FAULT_NONE && source.left > 0 && view->mergeable);
	if (walk->fault == FAULT_NONE && source.left > 0)
		walk->fault = FAULT_CHANGED;
	if (walk->fault != FAULT_NONE) {
		unfill(walk, &before);
		return false;
	}
	write_num_buffers(&source, &view->log, (uint16_t)n_buffers);
	return true;
}

/* One frame in any buffers. false: it was not taken. What this guest may not be given as it is
 * (joined for it, before its driver was another one) fits in none. */
static __rte_noinline bool send_one(struct walk *walk, const struct rte_mbuf *pkt, bool *never)
{
	struct virtio_net_hdr header;
	struct offload offload;

	*never = !to_guest_describe(pkt, walk->view->features, &header, &offload);
	if (*never)
		return false;
	enum room room = find_room(walk, pkt->pkt_len + walk->view->header_size);

	*never = room == ROOM_NEVER;
	return room == ROOM_ENOUGH && fill(walk, pkt, &header);
}

/* --- the walk ----------------------------------------------------------------------------------
 */

static __rte_always_inline uint16_t send_burst(struct virtqueue *virtqueue,
                                               const struct virtqueue_view *view,
                                               struct rte_mbuf **pkts, uint16_t n, bool *call,
                                               const bool packed, const bool logged,
                                               const bool headers)
{
	struct walk walk;
	struct run run;
	uint16_t sent = 0;
	bool never = false;

	walk_begin(&walk, virtqueue, view, packed);
	while (sent < n && walk_goes_on(&walk, packed)) {
		const struct stretch stretch = walk_stretch(&walk, n - sent, packed);
		uint16_t in_run = resolve_run(&walk, &run, &stretch, pkts + sent, packed, logged);

		copy_run(&walk, &run, pkts + sent, in_run, packed, logged, headers);
		sent = (uint16_t)(sent + in_run);
		if (packed && in_run == stretch.n)
			continue; /* perhaps from the ring's beginning */
		if (likely(!run.ends_in_other) || !send_one(&walk, pkts[sent], &never))
			break;
		sent++;
	}
	virtqueue->refused = never;
	*call = walk_end(&walk, virtqueue, packed, logged);
	rte_pktmbuf_free_bulk(pkts, sent);
	return sent;
}

#define SEND(name, packed, logged, headers)                                                  \
	static uint16_t name(struct virtqueue *virtqueue, const struct virtqueue_view *view, \
	                     struct rte_mbuf **pkts, uint16_t n, bool *call)                 \
	{                                                                                    \
		return send_burst(virtqueue, view, pkts, n, call, packed, logged, headers);  \
	}
SEND(send_split, false, false, false)
SEND(send_split_headers, false, false, true)
SEND(send_split_logged, false, true, false)
SEND(send_split_logged_headers, false, true, true)
SEND(send_packed, true, false, false)
SEND(send_packed_headers, true, false, true)
SEND(send_packed_logged, true, true, false)
SEND(send_packed_logged_headers, true, true, true)

virtqueue_send_fn to_guest_choose(bool packed, bool logged, bool headers)
{
	static const virtqueue_send_fn table[2][2][2] = {
	        {{send_split, send_split_headers}, {send_split_logged, send_split_logged_headers}},
	        {{send_packed, send_packed_headers},
	         {send_packed_logged, send_packed_logged_headers}}};

	return table[packed][logged][headers];
}
