/* A buffer that is a chain of descriptors, or a table of them elsewhere in the guest's memory
 * (virtio 1.2: 2.7.5.3, 2.8.7), walked from its head to its end. Each descriptor is read once. For
 * workers; whatever the guest writes meanwhile, a walk ends after as many descriptors as the ring
 * has entries.
 */
#ifndef VIRTQUEUE_CHAIN_H
#define VIRTQUEUE_CHAIN_H

#include "virtqueue/descriptor.h"
#include "virtqueue/ring.h"

/* Bytes of a buffer that lie together in our memory. */
struct span {
	uint8_t *data;
	uint64_t guest_address;
	uint32_t length; /* > 0 */
};

struct chain {
	const struct virtqueue_view *view;
	struct descriptor rest; /* of the present one, what no span has covered */
	bool ended;             /* there is none after it */
	bool to_be_written;     /* the direction that all have to have */
	enum virtqueue_fault fault;
	uint16_t id;           /* packed: of the last ring descriptor that was read, the buffer's */
	uint16_t entries;      /* read so far, those of a table too */
	uint16_t ring_entries; /* read so far from the ring */
	bool in_table;         /* the descriptors are a table's: */
	uint64_t table;        /* its guest address */
	uint16_t table_size;   /* its descriptors, 1 to the ring's size */
	uint16_t table_next;   /* packed: the next one to be read */
	struct virtqueue_position next; /* packed: of the ring's next descriptor */
};

/* From the head, which stands at `at` and has been read. */
void chain_open(struct chain *chain, const struct virtqueue_view *view,
                struct virtqueue_position at, const struct descriptor *head, bool to_be_written);

/* The next bytes, at most `want` > 0 of them. false: there are no more, or chain->fault. */
bool chain_span(struct chain *chain, uint32_t want, struct span *span);

/* How many bytes there are, at most `enough`: all of them in the guest's memory. Or chain->fault.
 */
uint32_t chain_length(struct chain *chain, uint32_t enough);

/* Then id and ring_entries of a packed chain are known, which are at its end. Or chain->fault. */
void chain_finish(struct chain *chain);

#endif
