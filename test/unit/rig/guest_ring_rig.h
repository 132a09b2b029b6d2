/* A guest's driver made of plain memory: it lays a ring out, split or packed, makes buffers
 * available on it, and takes them back. All that we do to the ring is held against what a driver
 * may rely on: each buffer comes back once, in order, with an identity that the driver gave it.
 *
 * Each area of the ring has a region of its own and ends as close to the region's end as its
 * alignment allows. Buffers lie where the test wants them, in two regions that are neighbours for
 * the guest and apart for us.
 */
#ifndef GUEST_RING_RIG_H
#define GUEST_RING_RIG_H

#include <linux/virtio_net.h>

#include "guest_memory_rig.h"
#include "virtqueue/descriptor.h"
#include "virtqueue/ring.h"
#include "virtqueue/walkers.h"

#define RIG_DATA      0x1000000U /* guest address of the first region with buffers */
#define RIG_RING_AREA 0x8000000U /* of the ring's areas; and what is between them: */
#define RIG_AREA_STEP 0x200000U
#define RIG_LOG_BYTES ((RIG_RING_AREA + 4 * RIG_AREA_STEP) / RIG_PAGE / 8)

struct rig_ring_config {
	bool packed, to_guest;
	uint32_t size;
	bool mergeable, no_indirect, event_idx, short_header;
	bool logged;
	uint32_t data_size; /* bytes of each of both regions with buffers; 0 = 64 KB */
	uint16_t begin;     /* index; with wrap counter 1 */
	uint64_t features;  /* offloads; what else there is follows from the fields above */
};

struct rig_piece {
	uint64_t address; /* the guest's */
	uint32_t length;
};

struct rig_posted {
	uint64_t number;
	uint16_t id;              /* split: its head */
	uint16_t entries;         /* that it takes in the ring */
	struct rig_piece *pieces; /* [n] */
	uint32_t n;
};

struct rig_driver {
	struct memory memory;
	struct virtqueue_view view;
	struct virtqueue virtqueue;
	bool to_guest;
	uint64_t areas[3];         /* guest addresses: descriptors, driver's, device's */
	struct rig_posted *posted; /* [size], a ring of its own */
	uint64_t n_posted, n_collected;
	uint16_t *free; /* [size]; split: descriptors, packed: buffers' identities */
	uint32_t n_free, free_entries;
	struct virtqueue_position next_avail, next_used;
	uint64_t random;
};

/* --- a ring ---------------------------------------------------------------------------------- */

static inline uint64_t rig_area_open(struct rig_driver *driver, unsigned number, uint64_t size,
                                     uint64_t alignment)
{
	uint64_t address = RIG_RING_AREA + number * RIG_AREA_STEP;
	uint64_t whole = (size + RIG_PAGE - 1) / RIG_PAGE * RIG_PAGE, guest_address;
	uint8_t *at;

	rig_region_add(&driver->memory, address, whole);
	address += (whole - size) / alignment * alignment;
	at = memory_of_front_end(&driver->memory, address + RIG_FRONT_END, size, alignment,
	                         &guest_address);
	rig_expect(at != NULL && at == rig_at(&driver->memory, address));
	rig_expect(guest_address == address);
	memset(at, 0, size);
	return address;
}

static inline void rig_areas_open(struct rig_driver *driver)
{
	struct virtqueue_view *view = &driver->view;
	uint64_t size = view->size;
	bool packed = view->is_packed;
	void *at[3];

	driver->areas[0] = rig_area_open(driver, 0, size * 16, 16);
	driver->areas[1] = rig_area_open(driver, 1, packed ? 4 : 6 + size * 2, packed ? 4 : 2);
	driver->areas[2] = rig_area_open(driver, 2, packed ? 4 : 6 + size * 8, 4);
	for (unsigned i = 0; i < 3; i++)
		at[i] = rig_at(&driver->memory, driver->areas[i]);
	view->split = at[0];
	view->avail = at[1];
	view->used = at[2];
	view->log_ring = driver->areas[packed ? 0 : 2];
	view->log_event = driver->areas[2];
}

/* Where driver and walker both begin, with a ring that has been used up to there. */
static inline void rig_driver_begin(struct rig_driver *driver, struct virtqueue_position at)
{
	virtqueue_begin(&driver->virtqueue, at);
	virtqueue_publish(&driver->virtqueue, &driver->view);
	driver->next_avail = driver->next_used = at;
	if (driver->view.is_packed) {
		for (uint16_t i = 0; i < driver->view.size; i++)
			driver->view.packed[i].flags =
			        (i < at.index) == at.wrap ? DESCRIPTOR_AVAIL | DESCRIPTOR_USED : 0;
		return;
	}
	driver->view.avail->idx = at.index;
	driver->view.used->idx = at.index;
}

static inline struct rig_driver *rig_driver_open(const struct rig_ring_config *config)
{
	struct rig_driver *driver = aligned_alloc(VIRTQUEUE_ALIGNMENT, sizeof(*driver));
	uint32_t data_size = config->data_size > 0 ? config->data_size : 0x10000;

	rig_expect(driver != NULL);
	memset(driver, 0, sizeof(*driver));
	driver->to_guest = config->to_guest;
	driver->view = (struct virtqueue_view){
	        .size = (uint16_t)config->size,
	        .header_size = config->short_header ? 10 : 12,
	        .is_packed = config->packed,
	        .mergeable = config->mergeable,
	        .indirect = !config->no_indirect,
	        .event_idx = config->event_idx,
	        .vouched = (config->features >> VIRTIO_NET_F_GUEST_CSUM & 1) != 0,
	        .features = config->features,
	        .call_fd = -1,
	        .memory = &driver->memory};
	/* The upper one first, so that it is the lower one in our memory. */
	rig_region_add(&driver->memory, RIG_DATA + data_size, data_size);
	rig_region_add(&driver->memory, RIG_DATA, data_size);
	rig_areas_open(driver);
	if (config->logged)
		driver->view.log = rig_log_open(RIG_LOG_BYTES);
	walkers_choose(&driver->view);
	driver->posted = calloc(config->size, sizeof(driver->posted[0]));
	driver->free = calloc(config->size, sizeof(driver->free[0]));
	rig_expect(driver->posted != NULL && driver->free != NULL);
	driver->n_free = driver->free_entries = config->size;
	for (uint32_t i = 0; i < config->size; i++)
		driver->free[i] = (uint16_t)(config->size - 1 - i);
	rig_driver_begin(driver, (struct virtqueue_position){.index = config->begin, .wrap = true});
	return driver;
}

static inline void rig_driver_close(struct rig_driver *driver)
{
	for (uint32_t i = 0; i < driver->view.size; i++)
		free(driver->posted[i].pieces);
	if (driver->view.log.bits != NULL)
		rig_log_close(&driver->view.log);
	rig_memory_free(&driver->memory);
	free(driver->posted);
	free(driver->free);
	free(driver);
}

/* --- making available ------------------------------------------------------------------------ */

/* Of the split kind in every table and ring; the packed one has other places for the halves. */
static inline void rig_put_descriptor(const struct rig_driver *driver, uint64_t at,
                                      const struct rig_piece *piece, uint16_t flags, uint16_t id)
{
	uint16_t halves[2] = {driver->view.is_packed ? id : flags,
	                      driver->view.is_packed ? flags : id};

	rig_write(&driver->memory, at, &piece->address, 8);
	rig_write(&driver->memory, at + 8, &piece->length, 4);
	rig_write(&driver->memory, at + 12, halves, 4);
}

static inline uint16_t rig_direction(const struct rig_driver *driver)
{
	return driver->to_guest ? VRING_DESC_F_WRITE : 0;
}

/* In a split table the first is followed by the last, and so backwards. */
static inline void rig_put_table(const struct rig_driver *driver, uint64_t table,
                                 const struct rig_piece *pieces, uint32_t n)
{
	uint16_t flags = rig_direction(driver);

	for (uint32_t i = 0; i < n; i++) {
		uint32_t at = driver->view.is_packed || i == 0 ? i : n - i;
		bool more = i + 1 < n && !driver->view.is_packed;

		rig_put_descriptor(driver, table + 16UL * at, &pieces[i],
		                   flags | (more ? VRING_DESC_F_NEXT : 0),
		                   more ? (uint16_t)(n - i - 1) : 0xbad);
	}
}

/* One that is free, any of them. */
static inline uint16_t rig_take_free(struct rig_driver *driver)
{
	rig_expect(driver->n_free > 0);
	uint32_t at = rig_random(&driver->random) % driver->n_free;
	uint16_t taken = driver->free[at];

	driver->free[at] = driver->free[--driver->n_free];
	return taken;
}

/* The chain's last descriptor may be one that names a table. Returns its head. */
static inline uint16_t rig_chain_split(struct rig_driver *driver, const struct rig_piece *pieces,
                                       uint32_t n, bool last_is_table)
{
	uint16_t head = rig_take_free(driver), at = head;

	for (uint32_t i = 0; i < n; i++) {
		bool last = i + 1 == n;
		uint16_t next = last ? 0xffff : rig_take_free(driver);
		uint16_t flags =
		        last && last_is_table ? VRING_DESC_F_INDIRECT : rig_direction(driver);

		rig_put_descriptor(driver, driver->areas[0] + 16UL * at, &pieces[i],
		                   flags | (last ? 0 : VRING_DESC_F_NEXT), next);
		at = next;
	}
	driver->view.avail->ring[driver->next_avail.index % driver->view.size] = head;
	driver->next_avail.index++;
	__atomic_store_n(&driver->view.avail->idx, driver->next_avail.index, __ATOMIC_RELEASE);
	return head;
}

/* Identities before the last one's say nothing. The head becomes available after all others. */
static inline uint16_t rig_chain_packed(struct rig_driver *driver, const struct rig_piece *pieces,
                                        uint32_t n, bool last_is_table)
{
	uint16_t id = rig_take_free(driver), head_flags = 0;
	struct vring_packed_desc *head = &driver->view.packed[driver->next_avail.index];

	for (uint32_t i = 0; i < n; i++) {
		bool last = i + 1 == n;
		uint16_t flags = driver->next_avail.wrap ? DESCRIPTOR_AVAIL : DESCRIPTOR_USED;

		flags |= last && last_is_table ? VRING_DESC_F_INDIRECT : rig_direction(driver);
		flags |= last ? 0 : VRING_DESC_F_NEXT;
		if (i == 0)
			head_flags = flags;
		rig_put_descriptor(driver, driver->areas[0] + 16UL * driver->next_avail.index,
		                   &pieces[i], i == 0 ? head->flags : flags, last ? id : 0xbad);
		if (++driver->next_avail.index == driver->view.size) {
			driver->next_avail.index = 0;
			driver->next_avail.wrap = !driver->next_avail.wrap;
		}
	}
	__atomic_store_n(&head->flags, head_flags, __ATOMIC_RELEASE);
	return id;
}

/* A buffer of n pieces. Those behind the first `direct` ones (none of them in a packed ring) stand
 * in a table at that guest address. The ring has to have room. */
static inline void rig_post_mixed(struct rig_driver *driver, const struct rig_piece *pieces,
                                  uint32_t n, uint32_t direct, uint64_t table)
{
	bool has_table = direct < n;
	uint32_t entries = direct + has_table;
	struct rig_piece *ring = calloc(entries, sizeof(*ring));
	struct rig_posted *posted = &driver->posted[driver->n_posted % driver->view.size];

	rig_expect(ring != NULL && entries <= driver->free_entries);
	memcpy(ring, pieces, direct * sizeof(*ring));
	if (has_table) {
		ring[direct] = (struct rig_piece){table, (n - direct) * 16};
		rig_put_table(driver, table, pieces + direct, n - direct);
	}
	free(posted->pieces);
	posted->pieces = malloc(n * sizeof(*pieces));
	rig_expect(posted->pieces != NULL);
	memcpy(posted->pieces, pieces, n * sizeof(*pieces));
	posted->n = n;
	posted->number = driver->n_posted++;
	posted->entries = (uint16_t)entries;
	driver->free_entries -= entries;
	posted->id = driver->view.is_packed ? rig_chain_packed(driver, ring, entries, has_table)
	                                    : rig_chain_split(driver, ring, entries, has_table);
	free(ring);
}

static inline void rig_post(struct rig_driver *driver, const struct rig_piece *pieces, uint32_t n)
{
	rig_post_mixed(driver, pieces, n, n, 0);
}

static inline void rig_post_one(struct rig_driver *driver, uint64_t address, uint32_t length)
{
	struct rig_piece piece = {address, length};

	rig_post(driver, &piece, 1);
}

/* --- taking back ----------------------------------------------------------------------------- */

static inline bool rig_peek_split(const struct rig_driver *driver, uint16_t *id, uint32_t *written)
{
	const struct vring_used *used = driver->view.used;
	const struct vring_used_elem *element =
	        &used->ring[driver->next_used.index % driver->view.size];

	if (__atomic_load_n(&used->idx, __ATOMIC_ACQUIRE) == driver->next_used.index)
		return false;
	rig_expect(element->id < driver->view.size);
	*id = (uint16_t)element->id;
	*written = element->len;
	return true;
}

static inline bool rig_peek_packed(const struct rig_driver *driver, uint16_t *id, uint32_t *written)
{
	const struct vring_packed_desc *at = &driver->view.packed[driver->next_used.index];
	uint16_t flags = __atomic_load_n(&at->flags, __ATOMIC_ACQUIRE);
	uint16_t both = DESCRIPTOR_AVAIL | DESCRIPTOR_USED;

	if ((flags & both) != (driver->next_used.wrap ? both : 0))
		return false;
	rig_expect((flags & ~both) == rig_direction(driver));
	*id = at->id;
	*written = at->len;
	return true;
}

static inline void rig_recycle(struct rig_driver *driver, const struct rig_posted *posted)
{
	driver->free_entries += posted->entries;
	if (driver->view.is_packed) {
		driver->free[driver->n_free++] = posted->id;
		driver->next_used.index += posted->entries;
		if (driver->next_used.index >= driver->view.size) {
			driver->next_used.index -= driver->view.size;
			driver->next_used.wrap = !driver->next_used.wrap;
		}
		return;
	}
	driver->next_used.index++;
	for (uint16_t i = 0, at = posted->id; i < posted->entries; i++) {
		driver->free[driver->n_free++] = at;
		at = driver->view.split[at].next;
	}
}

/* The next buffer that we have given back, if any. It stays what it is until the next posting. */
static inline const struct rig_posted *rig_collect(struct rig_driver *driver, uint32_t *written)
{
	const struct rig_posted *posted = &driver->posted[driver->n_collected % driver->view.size];
	uint16_t id;

	if (!(driver->view.is_packed ? rig_peek_packed : rig_peek_split)(driver, &id, written))
		return NULL;
	rig_expect(driver->n_collected < driver->n_posted);
	rig_expect(posted->number == driver->n_collected && posted->id == id);
	driver->n_collected++;
	rig_recycle(driver, posted);
	return posted;
}

/* The first n bytes of a buffer, or all of them if they are fewer; returns how many. */
static inline uint32_t rig_posted_read(const struct rig_driver *driver,
                                       const struct rig_posted *posted, void *to, uint32_t n)
{
	uint32_t done = 0;

	for (uint32_t i = 0; i < posted->n && done < n; i++) {
		uint32_t part = RTE_MIN(posted->pieces[i].length, n - done);

		rig_read(&driver->memory, posted->pieces[i].address, (uint8_t *)to + done, part);
		done += part;
	}
	return done;
}

/* --- the walkers ----------------------------------------------------------------------------- */

static inline uint16_t rig_send(struct rig_driver *driver, struct rte_mbuf **pkts, uint16_t n,
                                bool *call)
{
	return driver->view.send(&driver->virtqueue, &driver->view, pkts, n, call);
}

static inline uint16_t rig_receive(struct rig_driver *driver, struct rig_pool *pool,
                                   struct rte_mbuf **pkts, uint16_t n, bool *call)
{
	return driver->view.receive(&driver->virtqueue, &driver->view, pool->pool, pkts, n, call);
}

static inline enum virtqueue_fault rig_fault(struct rig_driver *driver)
{
	return (enum virtqueue_fault)atomic_load(&driver->virtqueue.fault);
}

#endif
