/* A device that does what virtio 1.2 says, and nothing else: a frame at a time, a byte at a time,
 * by guest addresses alone. Slow, and for rings that break no rule. What the real walkers leave
 * behind is held against what this one does to a copy of the guest's memory.
 */
#ifndef NAIVE_WALKER_H
#define NAIVE_WALKER_H

#include "guest_ring_rig.h"

#define NAIVE_PIECES_MAX 1024U

struct naive {
	struct memory memory;
	struct dirty_log log; /* pages that it has written */
	uint64_t areas[3];
	uint16_t size, header_size;
	bool packed, to_guest, mergeable;
	struct virtqueue_position at;
	uint32_t descriptors; /* looked at since the caller last set it to 0 */
};

struct naive_buffer {
	struct rig_piece pieces[NAIVE_PIECES_MAX];
	uint32_t n, length;
	uint16_t id, ring_entries;
};

enum naive_room { NAIVE_TAKEN, NAIVE_LATER, NAIVE_NEVER };

static inline void naive_open(struct naive *naive, const struct rig_driver *driver)
{
	const struct virtqueue_view *view = &driver->view;

	*naive = (struct naive){.log = rig_log_open(RIG_LOG_BYTES),
	                        .size = view->size,
	                        .header_size = view->header_size,
	                        .packed = view->is_packed,
	                        .to_guest = driver->to_guest,
	                        .mergeable = view->mergeable,
	                        .at = driver->virtqueue.at};
	memcpy(naive->areas, driver->areas, sizeof(naive->areas));
	rig_memory_copy(&naive->memory, &driver->memory);
}

static inline void naive_close(struct naive *naive)
{
	rig_log_close(&naive->log);
	rig_memory_free(&naive->memory);
}

/* Takes over what the driver has written. */
static inline void naive_sync(struct naive *naive, const struct rig_driver *driver)
{
	for (uint32_t i = 0; i < naive->memory.n_regions; i++)
		memcpy(naive->memory.regions[i].data, driver->memory.regions[i].data,
		       naive->memory.regions[i].size);
	memset(naive->log.bits, 0, naive->log.size);
	naive->descriptors = 0;
}

static inline uint64_t naive_read(const struct naive *naive, uint64_t at, unsigned bytes)
{
	uint64_t value = 0;

	rig_read(&naive->memory, at, &value, bytes);
	return value;
}

static inline void naive_write(struct naive *naive, uint64_t at, uint64_t value, unsigned bytes)
{
	for (unsigned i = 0; i < bytes; i++) {
		*rig_at(&naive->memory, at + i) = (uint8_t)(value >> 8 * i);
		naive->log.bits[(at + i) / RIG_PAGE / 8] |=
		        (uint8_t)(1U << (at + i) / RIG_PAGE % 8);
	}
}

/* --- what is available ----------------------------------------------------------------------- */

static inline void naive_step(const struct naive *naive, struct virtqueue_position *at, uint32_t n)
{
	for (; n > 0; n--) {
		at->index++;
		if (naive->packed && at->index == naive->size) {
			at->index = 0;
			at->wrap = !at->wrap;
		}
	}
}

/* Adds the piece that a descriptor is; returns its flags. */
static inline uint16_t naive_descriptor(struct naive *naive, uint64_t at,
                                        struct naive_buffer *buffer, uint16_t *next)
{
	uint16_t low = (uint16_t)naive_read(naive, at + 12, 2);
	uint16_t high = (uint16_t)naive_read(naive, at + 14, 2);
	uint16_t flags = naive->packed ? high : low;
	struct rig_piece piece = {naive_read(naive, at, 8), (uint32_t)naive_read(naive, at + 8, 4)};

	*next = naive->packed ? low : high;
	naive->descriptors++;
	rig_expect(buffer->n < NAIVE_PIECES_MAX);
	buffer->pieces[buffer->n++] = piece;
	buffer->length += piece.length;
	return flags;
}

/* The last piece of the buffer is none, but a table of others. */
static inline void naive_table(struct naive *naive, struct naive_buffer *buffer)
{
	struct rig_piece table = buffer->pieces[--buffer->n];
	uint16_t next = 0, flags;

	buffer->length -= table.length;
	for (uint32_t i = 0; naive->packed && i < table.length / 16; i++)
		naive_descriptor(naive, table.address + 16UL * i, buffer, &next);
	if (naive->packed)
		return;
	do
		flags = naive_descriptor(naive, table.address + 16UL * next, buffer, &next);
	while ((flags & VRING_DESC_F_NEXT) != 0);
}

static inline void naive_chain(struct naive *naive, struct virtqueue_position at, uint16_t head,
                               struct naive_buffer *buffer)
{
	uint16_t next = head, flags;

	do {
		uint16_t index = naive->packed ? at.index : next;

		flags = naive_descriptor(naive, naive->areas[0] + 16UL * index, buffer, &next);
		buffer->ring_entries++;
		naive_step(naive, &at, 1);
	} while ((flags & VRING_DESC_F_NEXT) != 0);
	buffer->id = naive->packed ? next : head;
	if ((flags & VRING_DESC_F_INDIRECT) != 0)
		naive_table(naive, buffer);
}

/* The buffer at a position, if it is available. */
static inline bool naive_peek(struct naive *naive, struct virtqueue_position at,
                              struct naive_buffer *buffer)
{
	uint16_t head = 0;

	buffer->n = buffer->length = buffer->ring_entries = 0;
	if (naive->packed) {
		uint64_t flags = naive_read(naive, naive->areas[0] + 16UL * at.index + 14, 2);
		bool avail = (flags >> 7 & 1) != 0, used = (flags >> 15 & 1) != 0;

		if (avail != at.wrap || used == at.wrap)
			return false;
	} else {
		if ((uint16_t)naive_read(naive, naive->areas[1] + 2, 2) == at.index)
			return false;
		head = (uint16_t)naive_read(
		        naive, naive->areas[1] + 4 + 2UL * (at.index % naive->size), 2);
	}
	naive_chain(naive, at, head, buffer);
	return true;
}

/* --- what is used ---------------------------------------------------------------------------- */

static inline void naive_use(struct naive *naive, const struct naive_buffer *buffer,
                             uint32_t written)
{
	uint64_t at = naive->areas[0] + 16UL * naive->at.index;
	uint64_t element = naive->areas[2] + 4 + 8UL * (naive->at.index % naive->size);

	if (naive->packed) {
		naive_write(naive, at + 8, written, 4);
		naive_write(naive, at + 12, buffer->id, 2);
		naive_write(naive, at + 14,
		            (naive->at.wrap ? 0x8080U : 0) |
		                    (naive->to_guest ? VRING_DESC_F_WRITE : 0U),
		            2);
		naive_step(naive, &naive->at, buffer->ring_entries);
		return;
	}
	naive_write(naive, element, buffer->id, 4);
	naive_write(naive, element + 4, written, 4);
	naive_step(naive, &naive->at, 1);
	naive_write(naive, naive->areas[2] + 2, naive->at.index, 2);
}

/* --- frames ---------------------------------------------------------------------------------- */

/* How many buffers a message of so many bytes takes; 0 = see *room. */
static inline uint32_t naive_room(struct naive *naive, uint32_t length, enum naive_room *room)
{
	struct virtqueue_position at = naive->at;
	static struct naive_buffer buffer;
	uint32_t found = 0, n = 0, entries = 0;

	*room = NAIVE_TAKEN;
	while (found < length) {
		if (entries == naive->size || (n == 1 && !naive->mergeable)) {
			*room = NAIVE_NEVER;
			return 0;
		}
		if (!naive_peek(naive, at, &buffer)) {
			*room = NAIVE_LATER;
			return 0;
		}
		found += buffer.length;
		entries += buffer.ring_entries;
		n++;
		naive_step(naive, &at, naive->packed ? buffer.ring_entries : 1);
	}
	return n;
}

static inline enum naive_room naive_send(struct naive *naive, const uint8_t *frame, uint32_t length)
{
	uint32_t total = naive->header_size + length, done = 0;
	static struct naive_buffer buffer;
	enum naive_room room;
	uint32_t n = naive_room(naive, total, &room);

	for (uint32_t i = 0; i < n; i++) {
		uint32_t before = done;

		rig_expect(naive_peek(naive, naive->at, &buffer));
		for (uint32_t k = 0; k < buffer.n; k++)
			for (uint32_t b = 0; b < buffer.pieces[k].length && done < total; b++) {
				uint8_t byte = 0;

				if (done == 10 || done == 11)
					byte = (uint8_t)(n >> (done == 11 ? 8 : 0));
				if (done >= naive->header_size)
					byte = frame[done - naive->header_size];
				naive_write(naive, buffer.pieces[k].address + b, byte, 1);
				done++;
			}
		naive_use(naive, &buffer, done - before);
	}
	return room;
}

/* Returns the frame's length, of which what there is room for is in `frame`; -1 = there is none. */
static inline int64_t naive_receive(struct naive *naive, uint8_t *frame, uint32_t room)
{
	static struct naive_buffer buffer;
	uint32_t at = 0;

	if (!naive_peek(naive, naive->at, &buffer))
		return -1;
	for (uint32_t k = 0; k < buffer.n; k++)
		for (uint32_t b = 0; b < buffer.pieces[k].length; b++, at++) {
			uint8_t byte = (uint8_t)naive_read(naive, buffer.pieces[k].address + b, 1);

			if (at >= naive->header_size && at - naive->header_size < room)
				frame[at - naive->header_size] = byte;
		}
	naive_use(naive, &buffer, 0);
	return at > naive->header_size ? at - naive->header_size : 0;
}

#endif
