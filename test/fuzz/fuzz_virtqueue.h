/* A ring and a guest's memory made of any bytes, walked by us: in two regions that are neighbours,
 * with pages behind each region's end that nobody may touch. What the guest changes while we walk
 * is part of the bytes, too: it gets its turn whenever the walkers look for a region, read in a
 * table or take packet buffers.
 *
 * Most bytes choose among values that lead somewhere, so that what follows is reached at all;
 * others are taken as they are. What has to hold, whatever the bytes: nothing outside is touched,
 * each packet buffer comes back, positions stay within bounds, the walk ends after so many
 * descriptors, the guest is shown what was done and no more, and the log has each page that was
 * written.
 *
 * WRAP: memory_find memory_read
 */
#ifndef FUZZ_VIRTQUEUE_H
#define FUZZ_VIRTQUEUE_H

#include "guest_ring_rig.h"
#include "virtqueue/kicks.h"

#define FUZZ_POOL      256U
#define FUZZ_DATA_ROOM 2048U
#define FUZZ_DATA      0x2000U /* bytes of a region */
#define FUZZ_BORDER    (RIG_DATA + FUZZ_DATA)
#define FUZZ_END       (FUZZ_BORDER + FUZZ_DATA)
#define FUZZ_TABLES    3
#define FUZZ_TABLE_LEN 4U

/* Where tables stand: one of them across the border, one at the end of memory. */
static const uint64_t fuzz_tables[FUZZ_TABLES] = {RIG_DATA + 64, FUZZ_BORDER - 24, FUZZ_END - 64};

static const uint16_t fuzz_sizes[] = {1, 2, 4, 8, 16, 64, 3, 7};

struct fuzz {
	const uint8_t *data;
	size_t size, at;
	struct rig_driver *driver;
	struct rig_pool *pool;
	bool scribbles;    /* the guest changes something while we walk */
	uint32_t look_ups; /* of regions and in tables, in this call */
};

static struct fuzz fuzz;

static inline uint8_t fuzz_byte(void)
{
	return fuzz.at < fuzz.size ? fuzz.data[fuzz.at++] : 0;
}

/* --- what the guest writes ------------------------------------------------------------------- */

static inline uint32_t fuzz_length(void)
{
	static const uint32_t lengths[] = {0,  1,   2,    8,    10,   11,     12,   13,
	                                   26, 72,  100,  1530, 2060, 4096,   8192, 65535,
	                                   16, 32,  48,   64,   80,   16 * 7, 1024, 65612,
	                                   74, 112, 9012, 9,    15,   17,     14,   0xffffffff};
	uint8_t byte = fuzz_byte();

	return byte < 0x80 ? lengths[byte % 32] : byte - 0x80U;
}

static inline uint64_t fuzz_address(uint32_t length)
{
	const uint64_t bases[] = {RIG_DATA,
	                          FUZZ_BORDER,
	                          FUZZ_END,
	                          fuzz_tables[0],
	                          fuzz_tables[1],
	                          fuzz_tables[2],
	                          RIG_DATA + 0x400,
	                          FUZZ_BORDER + 0x400,
	                          fuzz.driver->areas[0],
	                          fuzz.driver->areas[1],
	                          fuzz.driver->areas[2],
	                          fuzz.driver->areas[0] + 16,
	                          RIG_DATA - 1,
	                          0,
	                          UINT64_MAX,
	                          1ULL << 63};
	uint8_t byte = fuzz_byte(), offset = fuzz_byte();
	uint64_t address = bases[byte % 16] + (uint64_t)(int64_t)(int8_t)offset;

	/* So that it ends there. */
	return (byte & 0x40) != 0 ? address - length : address;
}

/* Flags as they are but for those that make a packed one available, which most often are right. */
static inline uint16_t fuzz_flags(uint32_t index, bool in_ring)
{
	const struct virtqueue_position *at = &fuzz.driver->virtqueue.at;
	uint8_t byte = fuzz_byte();
	uint16_t flags = byte & 7;
	bool wrap = index >= at->index ? at->wrap : !at->wrap;

	if ((byte & 0x18) == 0) /* as it should be */
		flags = (uint16_t)((flags & ~VRING_DESC_F_WRITE) | rig_direction(fuzz.driver));
	if (!fuzz.driver->view.is_packed || !in_ring)
		return flags;
	if ((byte & 0x60) == 0x60)
		return flags | (uint16_t)(fuzz_byte() << 8) | (byte & 0x80);
	return flags | (wrap ? DESCRIPTOR_AVAIL : DESCRIPTOR_USED);
}

static inline void fuzz_descriptor(uint64_t at, uint32_t index, uint32_t bound, bool in_ring)
{
	struct rig_piece piece;
	uint16_t flags = fuzz_flags(index, in_ring), next = fuzz_byte();

	piece.length = fuzz_length();
	piece.address = fuzz_address(piece.length);
	next = next < 0xf0 ? (uint16_t)(next % bound) : (uint16_t)(next - 0xf0 + bound);
	rig_put_descriptor(fuzz.driver, at, &piece, flags, next);
}

static inline void fuzz_ring_descriptor(uint32_t index)
{
	fuzz_descriptor(fuzz.driver->areas[0] + 16UL * index, index, fuzz.driver->view.size, true);
}

static inline void fuzz_table_descriptor(uint32_t number)
{
	uint32_t at = number % FUZZ_TABLE_LEN;

	fuzz_descriptor(fuzz_tables[number / FUZZ_TABLE_LEN % FUZZ_TABLES] + 16UL * at, at,
	                FUZZ_TABLE_LEN, false);
}

/* Makes a buffer available in a split ring, or more of them than there are. */
static inline void fuzz_avail_entry(void)
{
	struct virtqueue_view *view = &fuzz.driver->view;
	uint8_t byte = fuzz_byte();

	view->avail->ring[view->avail->idx % view->size] =
	        byte < 0xf8 ? byte % view->size : (uint16_t)(byte - 0xf8 + view->size);
	view->avail->idx++;
}

/* One change of anything. */
static inline void fuzz_change(void)
{
	struct virtqueue_view *view = &fuzz.driver->view;
	uint8_t what = fuzz_byte();

	switch (what % 8) {
	case 0:
	case 1:
		fuzz_ring_descriptor(what / 8U % view->size);
		return;
	case 2:
		fuzz_table_descriptor(what / 8);
		return;
	case 3:
	case 4:
		if (!view->is_packed)
			fuzz_avail_entry();
		else
			fuzz_ring_descriptor(fuzz.driver->virtqueue.at.index);
		return;
	case 5: /* any byte of the descriptors */
		*rig_at(&fuzz.driver->memory,
		        fuzz.driver->areas[0] + fuzz_byte() % (16U * view->size)) = fuzz_byte();
		return;
	case 6: /* what the driver says about interrupts, or its index */
		*rig_at(&fuzz.driver->memory, fuzz.driver->areas[1] + what / 8U % 4) = fuzz_byte();
		return;
	default:
		if (view->is_packed)
			return;
		view->avail->ring[view->size] = fuzz_byte(); /* used_event */
	}
}

/* --- the guest's turn ------------------------------------------------------------------------ */

const struct memory_region *__real_memory_find(const struct memory *memory, uint64_t guest_address);
const struct memory_region *__wrap_memory_find(const struct memory *memory, uint64_t guest_address);
bool __real_memory_read(const struct memory *memory, uint64_t guest_address, void *to,
                        uint16_t size);
bool __wrap_memory_read(const struct memory *memory, uint64_t guest_address, void *to,
                        uint16_t size);

static inline void fuzz_turn(void)
{
	fuzz.look_ups++;
	if (fuzz.scribbles && fuzz.at < fuzz.size && (fuzz_byte() & 3) == 0)
		fuzz_change();
}

const struct memory_region *__wrap_memory_find(const struct memory *memory, uint64_t guest_address)
{
	fuzz_turn();
	return __real_memory_find(memory, guest_address);
}

bool __wrap_memory_read(const struct memory *memory, uint64_t guest_address, void *to,
                        uint16_t size)
{
	fuzz_turn();
	return __real_memory_read(memory, guest_address, to, size);
}

/* --- what has to hold ------------------------------------------------------------------------ */

static inline void fuzz_expect_frame(const struct rte_mbuf *pkt)
{
	uint32_t length = 0, n = 0;

	for (const struct rte_mbuf *at = pkt; at != NULL; at = at->next, n++) {
		rig_expect(at->data_off == RTE_PKTMBUF_HEADROOM && at->data_len <= FUZZ_DATA_ROOM);
		length += at->data_len;
	}
	rig_expect(length == pkt->pkt_len && n == pkt->nb_segs);
	rig_expect(length <= VIRTQUEUE_FRAME_MAX);
}

/* Of a frame that we send nobody looks at the bytes. */
static inline struct rte_mbuf *fuzz_frame(void)
{
	static const uint32_t lengths[] = {0, 1, 14, 60, 64, 100, 1518, 2048, 4000, 9000, 65535};
	uint32_t length = lengths[fuzz_byte() % RTE_DIM(lengths)];
	struct rte_mbuf *first = rte_pktmbuf_alloc(fuzz.pool->pool), *last = first;

	while (first != NULL && first->pkt_len < length) {
		if (last->data_len == FUZZ_DATA_ROOM) {
			last->next = rte_pktmbuf_alloc(fuzz.pool->pool);
			if (last->next == NULL)
				break;
			last = last->next;
			first->nb_segs++;
		}
		last->data_len = (uint16_t)RTE_MIN(length - first->pkt_len, FUZZ_DATA_ROOM);
		first->pkt_len += last->data_len;
	}
	return first;
}

static inline uint16_t fuzz_send(bool *call)
{
	struct rte_mbuf *pkts[VIRTQUEUE_BURST];
	uint16_t wanted = fuzz_byte() % 33, n = 0, sent;

	while (n < wanted && (pkts[n] = fuzz_frame()) != NULL)
		n++;
	sent = rig_send(fuzz.driver, pkts, n, call);
	rig_expect(sent <= n);
	rte_pktmbuf_free_bulk(pkts + sent, n - sent);
	return sent;
}

static inline uint16_t fuzz_receive(bool *call)
{
	struct rte_mbuf *pkts[VIRTQUEUE_BURST];
	uint8_t byte = fuzz_byte();
	uint16_t wanted = byte % 33, got;
	unsigned n_free = fuzz.pool->n_free;

	/* Once in a while there is little left to receive into. */
	if ((byte & 0xc0) == 0xc0)
		fuzz.pool->n_free = fuzz_byte() % 40;
	unsigned hidden = n_free - fuzz.pool->n_free;
	got = rig_receive(fuzz.driver, fuzz.pool, pkts, wanted, call);
	rig_expect(got <= wanted);
	for (uint16_t i = 0; i < got; i++)
		fuzz_expect_frame(pkts[i]);
	rte_pktmbuf_free_bulk(pkts, got);
	/* Those that were hidden are still where they were: behind the others. */
	fuzz.pool->n_free += hidden;
	return got;
}

/* Whether the guest is shown exactly what is before the walker's position. If nothing was done, it
 * sees what it has written itself, perhaps by a buffer that lies on its own ring. */
static inline void fuzz_expect_position(struct virtqueue_position before, uint16_t done)
{
	struct virtqueue_position at = fuzz.driver->virtqueue.at;
	const struct virtqueue_view *view = &fuzz.driver->view;

	if (view->is_packed)
		rig_expect(at.index < view->size);
	else
		rig_expect((uint16_t)(at.index - before.index) <= view->size);
	if (done == 0)
		rig_expect(at.index == before.index && at.wrap == before.wrap);
	else if (!view->is_packed)
		rig_expect(view->used->idx == at.index);
}

static inline void fuzz_call(void)
{
	struct rig_driver *driver = fuzz.driver;
	struct virtqueue_position before = driver->virtqueue.at;
	bool logged = driver->view.log.bits != NULL && !fuzz.scribbles, call;
	struct memory copy = driver->memory;
	static uint8_t bytes[5][FUZZ_DATA];

	for (uint32_t i = 0; logged && i < copy.n_regions; i++) {
		copy.regions[i].data = bytes[i];
		memcpy(bytes[i], driver->memory.regions[i].data, copy.regions[i].size);
	}
	fuzz.look_ups = 0;
	uint16_t done = driver->to_guest ? fuzz_send(&call) : fuzz_receive(&call);

	rig_expect(fuzz.pool->n_free == FUZZ_POOL);
	rig_expect(fuzz.look_ups < 8 * VIRTQUEUE_SIZE_MAX);
	rig_expect(done > 0 || !call);
	rig_expect((unsigned)rig_fault(driver) < VIRTQUEUE_FAULTS);
	fuzz_expect_position(before, done);
	if (logged)
		rig_log_expect_changes(&driver->view.log, &driver->memory, &copy);
}

/* --- one ring -------------------------------------------------------------------------------- */

/* Opened once, for each size. */
static inline struct rig_driver *fuzz_driver(bool packed, bool to_guest, unsigned number)
{
	static struct rig_driver *drivers[2][2][RTE_DIM(fuzz_sizes)];
	struct rig_driver **driver = &drivers[packed][to_guest][number];
	struct rig_ring_config config = {.packed = packed,
	                                 .to_guest = to_guest,
	                                 .size = fuzz_sizes[number],
	                                 .data_size = FUZZ_DATA};

	if (*driver == NULL)
		*driver = rig_driver_open(&config);
	return *driver;
}

/* Memory and agreement as they are at first. */
static inline void fuzz_begin(bool packed, bool to_guest)
{
	static struct dirty_log log;
	/* Powers of two come first. */
	struct rig_driver *driver = fuzz_driver(packed, to_guest, fuzz_byte() % (packed ? 8 : 6));
	struct virtqueue_view *view = &driver->view;
	uint8_t options = fuzz_byte(), begin = fuzz_byte();

	if (log.bits == NULL)
		log = rig_log_open(RIG_LOG_BYTES);
	if (fuzz.pool == NULL)
		fuzz.pool = rig_pool_open(FUZZ_POOL, FUZZ_DATA_ROOM);
	memset(log.bits, 0, log.size);
	fuzz.driver = driver;
	fuzz.scribbles = (options & 1) != 0;
	view->mergeable = (options & 2) != 0;
	view->event_idx = (options & 4) != 0;
	view->indirect = (options & 8) == 0;
	view->header_size = (options & 16) != 0 ? 10 : 12;
	view->log = (options & 32) != 0 ? log : (struct dirty_log){0};
	/* One that was made when there was less memory: what is beyond its end, nobody may touch.
	 */
	if ((options & 0x60) == 0x60) {
		view->log.size = (RIG_DATA + RIG_PAGE) / RIG_PAGE / 8 + 1;
		view->log.bits += log.size - view->log.size;
	}
	walkers_choose(view);
	for (uint32_t i = 0; i < driver->memory.n_regions; i++)
		memset(driver->memory.regions[i].data, 0, driver->memory.regions[i].size);
	rig_driver_begin(driver, packed ? (struct virtqueue_position){begin % view->size,
	                                                              (options & 128) != 0}
	                                : (struct virtqueue_position){(uint16_t)(begin - 16), 0});
	kicks_spare(view);
}

static inline int fuzz_virtqueue(const uint8_t *data, size_t size, bool packed, bool to_guest)
{
	fuzz.data = data;
	fuzz.size = size;
	fuzz.at = 0;
	fuzz_begin(packed, to_guest);
	for (uint32_t n = fuzz_byte() % 20, i = 0; i < n; i++)
		fuzz_ring_descriptor((fuzz.driver->virtqueue.at.index + i) %
		                     fuzz.driver->view.size);
	for (uint32_t n = fuzz_byte() % 13, i = 0; i < n; i++)
		fuzz_table_descriptor(i);
	for (uint32_t n = fuzz_byte() % 33, i = 0; !packed && i < n; i++)
		fuzz_avail_entry();
	/* The ring stops at a fault, as for the lane. */
	for (unsigned i = 0; i < 8 && rig_fault(fuzz.driver) == FAULT_NONE; i++) {
		fuzz_call();
		if (fuzz.at == fuzz.size)
			break;
		for (uint32_t n = fuzz_byte() % 8; n > 0; n--)
			fuzz_change();
	}
	return 0;
}

#endif
