/* What a guest finds in its buffers and in its ring when we give it frames: on plain memory, in
 * rings of both kinds, of all sizes and with headers of either length.
 */
#include <check.h>

#include "guest_shapes_rig.h"
#include "suite.h"

#define POOL      64U
#define DATA_ROOM 2048U

/* What stands before a frame that came in n buffers. */
static void expect_header(const uint8_t *at, uint32_t size, uint16_t n)
{
	for (uint32_t i = 0; i < 10; i++)
		rig_expect(at[i] == 0);
	if (size == VIRTQUEUE_HEADER_LONG)
		rig_expect(at[10] == (n & 0xff) && at[11] == n >> 8);
}

static void expect_frame(const uint8_t *at, uint32_t number, uint32_t from, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		rig_expect(at[i] == rig_frame_byte(number, from + i));
}

/* --- every shape of a buffer ------------------------------------------------------------------
 */

struct shapes {
	struct rig_pool *pool;
	uint32_t number;  /* of the next frame */
	uint32_t spare;   /* bytes of the buffer that the frame does not need */
	uint32_t segment; /* bytes in an mbuf */
};

static void check_shape(struct rig_driver *driver, const struct rig_shape *shape, void *context)
{
	struct shapes *shapes = context;
	uint32_t header = driver->view.header_size, number = shapes->number++, written;
	uint32_t length = shape->total - header - shapes->spare;
	struct rte_mbuf *pkt = rig_frame_new(shapes->pool, number, length,
	                                     (uint16_t)shapes->segment, number % 3 == 0);
	uint8_t bytes[DATA_ROOM];
	bool call;

	rig_shape_fill(driver, shape, RIG_FILL);
	rig_shape_post(driver, shape);
	rig_expect(rig_send(driver, &pkt, 1, &call) == 1);
	rig_expect(call && rig_fault(driver) == FAULT_NONE && !driver->virtqueue.refused);
	rig_expect(shapes->pool->n_free == POOL);

	const struct rig_posted *posted = rig_collect(driver, &written);

	rig_expect(posted != NULL && written == header + length);
	rig_expect(rig_posted_read(driver, posted, bytes, sizeof(bytes)) == shape->total);
	expect_header(bytes, header, 1);
	expect_frame(bytes + header, number, 0, length);
	for (uint32_t i = 0; i < shapes->spare; i++)
		rig_expect(bytes[written + i] == RIG_FILL);
}

static void run_shapes(const struct rig_ring_config *config)
{
	static const struct {
		uint32_t length, spare, segment;
	} cases[] = {
	        {1, 0, 2048}, {0, 0, 2048}, {14, 3, 2048}, {14, 0, 5},
	        {60, 0, 60},  {60, 1, 7},   {61, 40, 1},
	};
	struct rig_driver *driver = rig_driver_open(config);
	struct shapes shapes = {.pool = rig_pool_open(POOL, DATA_ROOM)};

	for (unsigned i = 0; i < RTE_DIM(cases); i++) {
		shapes.spare = cases[i].spare;
		shapes.segment = cases[i].segment;
		rig_each_shape(driver, driver->view.header_size + cases[i].length + cases[i].spare,
		               check_shape, &shapes);
	}
	rig_pool_close(shapes.pool);
	rig_driver_close(driver);
}

START_TEST(shapes)
{
	rig_each_ring(true, run_shapes);
}
END_TEST

/* --- frames of several buffers ----------------------------------------------------------------
 */

static struct rig_driver *open_mergeable(bool packed, uint32_t size)
{
	struct rig_ring_config config = {.packed = packed,
	                                 .to_guest = true,
	                                 .size = size,
	                                 .mergeable = true,
	                                 .data_size = 0x20000};

	return rig_driver_open(&config);
}

/* Each buffer `length` bytes long, and of so many pieces. */
static void post_equal(struct rig_driver *driver, uint32_t n, uint32_t length, uint32_t n_pieces)
{
	for (uint32_t i = 0; i < n; i++) {
		uint64_t address = RIG_DATA + (driver->n_posted % driver->view.size) * length;
		struct rig_piece pieces[16];

		for (uint32_t k = 0; k < n_pieces; k++) {
			pieces[k] = (struct rig_piece){address + k, 1};
			if (k + 1 == n_pieces)
				pieces[k].length = length - k;
		}
		rig_post(driver, pieces, n_pieces);
	}
}

/* The frame came in so many buffers of that length. */
static void expect_merged(struct rig_driver *driver, uint32_t number, uint32_t length, uint16_t n,
                          uint32_t buffer)
{
	static uint8_t bytes[0x20000];
	uint32_t done = 0, written;

	for (uint16_t i = 0; i < n; i++) {
		const struct rig_posted *posted = rig_collect(driver, &written);

		rig_expect(posted != NULL);
		rig_expect(written == RTE_MIN(buffer, 12 + length - done));
		rig_expect(rig_posted_read(driver, posted, bytes + done, written) == written);
		done += written;
	}
	rig_expect(done == 12 + length);
	expect_header(bytes, 12, n);
	expect_frame(bytes + 12, number, 0, length);
}

/* Rings as they were, but for where the frame would have gone to. */
static void expect_untouched(struct rig_driver *driver, const struct memory *before)
{
	for (unsigned i = 0; i < 3; i++)
		rig_expect(memcmp(driver->memory.regions[2 + i].data, before->regions[2 + i].data,
		                  driver->memory.regions[2 + i].size) == 0);
}

/* A frame for which the last buffer is missing leaves no trace, and comes as soon as that is
 * there. */
static void run_merged(bool packed, uint32_t size, uint32_t n, uint32_t buffer, uint32_t n_pieces)
{
	struct rig_driver *driver = open_mergeable(packed, size);
	struct rig_pool *pool = rig_pool_open(POOL, DATA_ROOM);
	struct memory before;
	uint32_t length = n * buffer - 12, written;
	bool call;

	/* Four times, with an ordinary frame before each: from elsewhere in the ring. */
	for (uint32_t i = 0; i < 4; i++) {
		struct rte_mbuf *pkt = rig_frame_new(pool, i, length, DATA_ROOM, false);

		if (n > 1)
			post_equal(driver, n - 1, buffer, n_pieces);
		rig_memory_copy(&before, &driver->memory);
		rig_expect(rig_send(driver, &pkt, 1, &call) == 0);
		rig_expect(!call && !driver->virtqueue.refused && rig_fault(driver) == FAULT_NONE);
		expect_untouched(driver, &before);
		rig_memory_free(&before);
		rig_expect(rig_collect(driver, &written) == NULL);

		post_equal(driver, 1, buffer, n_pieces);
		rig_expect(rig_send(driver, &pkt, 1, &call) == 1);
		rig_expect(call && rig_fault(driver) == FAULT_NONE);
		expect_merged(driver, i, length, (uint16_t)n, buffer);
	}
	rig_pool_close(pool);
	rig_driver_close(driver);
}

START_TEST(merged)
{
	static const struct {
		uint32_t size, n, buffer, n_pieces;
	} cases[] = {
	        {1, 1, 76, 1},     {2, 1, 76, 2},     {2, 2, 40, 1},       {4, 3, 13, 1},
	        {4, 4, 12, 1},     {8, 2, 200, 4},    {8, 4, 30, 2},       {256, 20, 100, 12},
	        {256, 20, 12, 12}, {256, 2, 1530, 1}, {32768, 300, 14, 1}, {32768, 300, 14, 13},
	};

	for (unsigned i = 0; i < RTE_DIM(cases) * 2; i++)
		run_merged((i & 1) != 0, cases[i / 2].size, cases[i / 2].n, cases[i / 2].buffer,
		           cases[i / 2].n_pieces);
	run_merged(true, 3, 3, 60, 1);
	run_merged(true, 7, 2, 60, 3);
	run_merged(true, 7, 7, 12, 1);
	run_merged(true, 1000, 1000, 14, 1);
}
END_TEST

/* A frame in more buffers than a byte counts: both bytes of the count arrive, in whatever pieces
 * the header lies. */
START_TEST(merged_header_in_pieces)
{
	for (unsigned packed = 0; packed < 2; packed++)
		for (uint32_t cut = 0; cut <= 12; cut++) {
			struct rig_driver *driver = open_mergeable(packed != 0, 512);
			struct rig_pool *pool = rig_pool_open(POOL, DATA_ROOM);
			struct rte_mbuf *pkt = rig_frame_new(pool, 7, 1 + 299, DATA_ROOM, false);
			uint64_t border = RIG_DATA + 0x20000;
			struct rig_piece pieces[2] = {{border - cut, cut},
			                              {border + 500, 13 - cut}};
			uint8_t bytes[13];
			uint32_t written;
			bool call;

			rig_post(driver, pieces, 2);
			for (uint32_t i = 0; i < 299; i++)
				rig_post_one(driver, RIG_DATA + i, 1);
			rig_expect(rig_send(driver, &pkt, 1, &call) == 1);
			const struct rig_posted *posted = rig_collect(driver, &written);
			rig_expect(posted != NULL && written == 13);
			rig_expect(rig_posted_read(driver, posted, bytes, 13) == 13);
			expect_header(bytes, 12, 300);
			for (uint32_t i = 0; i < 299; i++) {
				rig_expect(rig_collect(driver, &written) != NULL && written == 1);
				rig_expect(*rig_at(&driver->memory, RIG_DATA + i) ==
				           rig_frame_byte(7, i + 1));
			}
			rig_pool_close(pool);
			rig_driver_close(driver);
		}
}
END_TEST

/* --- what stands before a frame ----------------------------------------------------------------
 */

#define BIT(n) (UINT64_C(1) << (n))
#define GUEST_ALL \
	(BIT(VIRTIO_NET_F_GUEST_CSUM) | BIT(VIRTIO_NET_F_GUEST_TSO4) | BIT(VIRTIO_NET_F_GUEST_TSO6))

static struct rig_driver *open_headers(unsigned i, uint64_t features)
{
	struct rig_ring_config config = {.packed = (i & 1) != 0,
	                                 .to_guest = true,
	                                 .size = 8,
	                                 .logged = (i & 2) != 0,
	                                 .short_header = (i & 4) != 0 && (i & 1) == 0,
	                                 .mergeable = true,
	                                 .features = features};

	return rig_driver_open(&config);
}

/* The header of the next frame, which came in one buffer. */
static void collect_header(struct rig_driver *driver, struct virtio_net_hdr *header)
{
	uint32_t written;
	const struct rig_posted *posted = rig_collect(driver, &written);

	rig_expect(posted != NULL);
	rig_expect(rig_posted_read(driver, posted, header, sizeof(*header)) == sizeof(*header));
}

/* In buffers of one piece and of several, in mbufs likewise: each has a way of its own. */
START_TEST(vouched_for_where_negotiated)
{
	static const uint64_t says[] = {RTE_MBUF_F_RX_L4_CKSUM_GOOD, 0, RTE_MBUF_F_RX_L4_CKSUM_BAD,
	                                RTE_MBUF_F_RX_L4_CKSUM_NONE};
	static const uint64_t features[] = {GUEST_ALL, 0, BIT(VIRTIO_NET_F_GUEST_CSUM)};

	for (unsigned i = 0; i < 8 * RTE_DIM(features); i++) {
		struct rig_driver *driver = open_headers(i, features[i / 8]);
		struct rig_pool *pool = rig_pool_open(POOL, DATA_ROOM);

		for (uint32_t k = 0; k < 4 * RTE_DIM(says); k++) {
			struct rte_mbuf *pkt =
			        rig_frame_new(pool, k, 100, k & 1 ? 60 : DATA_ROOM, false);
			struct rig_piece pieces[2] = {{RIG_DATA + k * 200UL, 7},
			                              {RIG_DATA + 0x8000 + k * 200UL, 193}};
			struct virtio_net_hdr header, expected = {0};
			bool call;

			pkt->ol_flags = says[k / 4];
			if (k & 2)
				rig_post(driver, pieces, 2);
			else
				rig_post_one(driver, RIG_DATA + k * 200UL, 200);
			rig_expect(rig_send(driver, &pkt, 1, &call) == 1);
			collect_header(driver, &header);
			if (k < 4 && features[i / 8] != 0)
				expected.flags = VIRTIO_NET_HDR_F_DATA_VALID;
			rig_expect(memcmp(&header, &expected, sizeof(header)) == 0);
		}
		rig_pool_close(pool);
		rig_driver_close(driver);
	}
}
END_TEST

static struct rte_mbuf *joined_frame(struct rig_pool *pool, uint64_t version)
{
	struct rte_mbuf *pkt = rig_frame_new(pool, 1, 3000, 1500, false);

	pkt->ol_flags = RTE_MBUF_F_TX_TCP_SEG | version;
	pkt->l2_len = 18;
	pkt->l3_len = version == RTE_MBUF_F_TX_IPV4 ? 20 : 40;
	pkt->l4_len = 32;
	pkt->tso_segsz = 1400;
	return pkt;
}

START_TEST(joined_frames_say_so)
{
	static const uint64_t versions[] = {RTE_MBUF_F_TX_IPV4, RTE_MBUF_F_TX_IPV6};

	for (unsigned i = 0; i < 16; i++) {
		struct rig_driver *driver = open_headers(i % 8, GUEST_ALL);
		struct rig_pool *pool = rig_pool_open(POOL, DATA_ROOM);
		struct rte_mbuf *pkt = joined_frame(pool, versions[i / 8]);
		struct virtio_net_hdr header;
		struct virtio_net_hdr expected = {.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
		                                  .gso_type = i < 8 ? VIRTIO_NET_HDR_GSO_TCPV4
		                                                    : VIRTIO_NET_HDR_GSO_TCPV6,
		                                  .hdr_len = i < 8 ? 70 : 90,
		                                  .gso_size = 1400,
		                                  .csum_start = i < 8 ? 38 : 58,
		                                  .csum_offset = 16};
		bool call;

		rig_post_one(driver, RIG_DATA, 4000);
		rig_expect(rig_send(driver, &pkt, 1, &call) == 1);
		collect_header(driver, &header);
		rig_expect(memcmp(&header, &expected, sizeof(header)) == 0);
		rig_pool_close(pool);
		rig_driver_close(driver);
	}
}
END_TEST

/* A guest whose driver is another one by now, without what the frame was joined for: it never gets
 * it, and the next frame comes. */
START_TEST(joined_frames_not_for_others)
{
	static const uint64_t features[] = {0, BIT(VIRTIO_NET_F_GUEST_CSUM),
	                                    GUEST_ALL & ~BIT(VIRTIO_NET_F_GUEST_CSUM),
	                                    GUEST_ALL & ~BIT(VIRTIO_NET_F_GUEST_TSO4)};

	for (unsigned i = 0; i < 8 * RTE_DIM(features); i++) {
		struct rig_driver *driver = open_headers(i % 8, features[i / 8]);
		struct rig_pool *pool = rig_pool_open(POOL, DATA_ROOM);
		struct rte_mbuf *pkts[2] = {joined_frame(pool, RTE_MBUF_F_TX_IPV4),
		                            rig_frame_new(pool, 2, 60, DATA_ROOM, false)};
		uint32_t written;
		bool call;

		rig_post_one(driver, RIG_DATA, 4000);
		rig_expect(rig_send(driver, pkts, 2, &call) == 0);
		rig_expect(driver->virtqueue.refused && rig_fault(driver) == FAULT_NONE && !call);
		rig_expect(rig_collect(driver, &written) == NULL);
		rte_pktmbuf_free(pkts[0]);
		rig_expect(rig_send(driver, pkts + 1, 1, &call) == 1);
		rig_expect(!driver->virtqueue.refused);
		rig_expect(rig_collect(driver, &written) != NULL);
		rig_pool_close(pool);
		rig_driver_close(driver);
	}
}
END_TEST

/* --- frames that are not taken ----------------------------------------------------------------
 */

struct refusal {
	bool mergeable;
	uint32_t size, n, buffer, n_pieces; /* buffers, their bytes and pieces */
	bool table;                         /* pieces stand in one */
	uint32_t length;                    /* of the frame */
	uint16_t sent;
	bool refused;
};

static void run_refusal(const struct refusal *refusal, bool packed)
{
	struct rig_ring_config config = {.packed = packed,
	                                 .to_guest = true,
	                                 .size = refusal->size,
	                                 .mergeable = refusal->mergeable};
	struct rig_driver *driver = rig_driver_open(&config);
	struct rig_pool *pool = rig_pool_open(POOL, DATA_ROOM);
	struct rte_mbuf *pkts[2] = {rig_frame_new(pool, 0, refusal->length, DATA_ROOM, false),
	                            rig_frame_new(pool, 1, 1, DATA_ROOM, false)};
	bool call = true;

	for (uint32_t i = 0; i < refusal->n; i++) {
		struct rig_piece pieces[8];

		for (uint32_t k = 0; k < refusal->n_pieces; k++)
			pieces[k] = (struct rig_piece){
			        RIG_DATA + i * 64 + k,
			        k + 1 < refusal->n_pieces ? 1 : refusal->buffer - k};
		rig_post_mixed(driver, pieces, refusal->n_pieces,
		               refusal->table ? 0 : refusal->n_pieces, 0x1008000 + i * 128);
	}
	uint16_t sent = rig_send(driver, pkts, 1, &call);
	rig_expect(sent == refusal->sent && call == (sent > 0));
	rig_expect(rig_fault(driver) == FAULT_NONE);
	rig_expect(driver->virtqueue.refused == refusal->refused);
	if (sent == 0)
		rte_pktmbuf_free(pkts[0]);
	/* The next frame is another matter. */
	if (sent == 0 && refusal->n > 0) {
		rig_expect(rig_send(driver, &pkts[1], 1, &call) == 1);
		rig_expect(!driver->virtqueue.refused);
	} else {
		rte_pktmbuf_free(pkts[1]);
	}
	rig_pool_close(pool);
	rig_driver_close(driver);
}

START_TEST(refused)
{
	static const struct refusal cases[] = {
	        /* There is no buffer at all: later perhaps. */
	        {false, 4, 0, 0, 1, false, 60, 0, false},
	        {true, 4, 0, 0, 1, false, 60, 0, false},
	        /* Only one buffer counts, and it is what it is. */
	        {false, 4, 1, 72, 1, false, 60, 1, false},
	        {false, 4, 1, 71, 1, false, 60, 0, true},
	        {false, 4, 2, 71, 2, false, 60, 0, true},
	        {false, 4, 1, 71, 4, true, 60, 0, true},
	        /* All that the ring can have is there. */
	        {true, 4, 3, 20, 1, false, 69, 0, false},
	        {true, 4, 4, 20, 1, false, 68, 1, false},
	        {true, 4, 4, 20, 1, false, 69, 0, true},
	        {true, 4, 1, 20, 2, false, 28, 0, false},
	        {true, 4, 2, 20, 2, false, 28, 1, false},
	        {true, 4, 2, 20, 2, false, 29, 0, true},
	        {true, 8, 2, 20, 4, false, 29, 0, true},
	        {true, 8, 7, 20, 4, true, 129, 0, false},
	        {true, 8, 8, 20, 4, true, 148, 1, false},
	        {true, 8, 8, 20, 4, true, 149, 0, true},
	        {true, 1, 1, 20, 1, false, 8, 1, false},
	        {true, 1, 1, 20, 1, false, 9, 0, true},
	};

	for (unsigned i = 0; i < RTE_DIM(cases) * 2; i++)
		run_refusal(&cases[i / 2], (i & 1) != 0);
}
END_TEST

/* --- bursts -----------------------------------------------------------------------------------
 */

/* Frames of any length in buffers that are large enough, in bursts of any length, many times around
 * the ring. What finds no buffer stays with us, and comes next. */
static void run_rounds(const struct rig_ring_config *config)
{
	struct rig_ring_config late = *config;
	late.begin = (uint16_t)(config->packed ? config->size - 1 : 65530);
	struct rig_driver *driver = rig_driver_open(&late);
	struct rig_pool *pool = rig_pool_open(POOL, DATA_ROOM);
	uint32_t number = 0, seen = 0, written, header = driver->view.header_size;
	uint64_t state = config->size;
	uint8_t bytes[256];
	bool call;

	for (uint32_t round = 0; round < 3000; round++) {
		uint16_t n = (uint16_t)(rig_random(&state) % 33), sent;
		uint32_t n_posted = rig_random(&state) % 40;
		struct rte_mbuf *pkts[32];

		while (n_posted-- > 0 && driver->free_entries > 0 &&
		       driver->n_posted - driver->n_collected < 400)
			rig_post_one(driver, RIG_DATA + driver->n_posted % 400 * 160,
			             header + 100 + rig_random(&state) % 48);
		for (uint16_t i = 0; i < n; i++)
			pkts[i] =
			        rig_frame_new(pool, number + i, (number + i) * 7 % 101, 128, false);
		sent = rig_send(driver, pkts, n, &call);
		rig_expect(sent == RTE_MIN(n, driver->n_posted - driver->n_collected));
		rig_expect(call == (sent > 0));
		number += sent;
		rte_pktmbuf_free_bulk(pkts + sent, n - sent);
		for (const struct rig_posted *posted;
		     (posted = rig_collect(driver, &written)) != NULL; seen++) {
			rig_expect(written == header + seen * 7 % 101);
			rig_posted_read(driver, posted, bytes, written);
			expect_header(bytes, header, 1);
			expect_frame(bytes + header, seen, 0, seen * 7 % 101);
		}
		rig_expect(seen == number);
	}
	rig_pool_close(pool);
	rig_driver_close(driver);
}

START_TEST(rounds)
{
	rig_each_ring(true, run_rounds);
}
END_TEST

/* Every entry of the ring is taken at once. */
static void run_full(const struct rig_ring_config *config)
{
	struct rig_ring_config large = *config;
	large.data_size = 0x200000;
	struct rig_driver *driver = rig_driver_open(&large);
	struct rig_pool *pool = rig_pool_open(POOL, DATA_ROOM);
	uint32_t number = 0, written, header = driver->view.header_size;
	bool call;

	for (unsigned round = 0; round < 3; round++) {
		for (uint32_t i = 0; i < config->size; i++)
			rig_post_one(driver, RIG_DATA + i * 32, header + 4);
		for (uint32_t sent = 0; sent <= config->size;) {
			struct rte_mbuf *pkts[32];

			for (uint16_t i = 0; i < 32; i++)
				pkts[i] = rig_frame_new(pool, number + i, 4, 128, false);
			uint16_t n = rig_send(driver, pkts, 32, &call);
			rig_expect(n == RTE_MIN(32U, config->size - sent));
			rte_pktmbuf_free_bulk(pkts + n, 32 - n);
			number += n;
			sent += n > 0 ? n : config->size + 1;
		}
		for (uint32_t i = 0; i < config->size; i++) {
			rig_expect(rig_collect(driver, &written) != NULL && written == header + 4);
			expect_frame(rig_at(&driver->memory, RIG_DATA + i * 32 + header),
			             round * config->size + i, 0, 4);
		}
		rig_expect(rig_collect(driver, &written) == NULL);
	}
	rig_pool_close(pool);
	rig_driver_close(driver);
}

START_TEST(full)
{
	rig_each_ring(true, run_full);
}
END_TEST

/* A burst that goes around the end of a ring of several pages: those of its end and those of its
 * beginning are logged, wherever in the burst the end is. */
START_TEST(log_around_the_end)
{
	for (uint32_t i = 0; i < 64; i++) {
		struct rig_ring_config config = {.packed = (i & 1) != 0,
		                                 .to_guest = true,
		                                 .size = 1024,
		                                 .begin = (uint16_t)(1024 - i / 2),
		                                 .logged = true};
		config.begin %= 1024;
		struct rig_driver *driver = rig_driver_open(&config);
		struct rig_pool *pool = rig_pool_open(POOL, DATA_ROOM);
		struct rte_mbuf *pkts[32];
		struct memory before;
		bool call;

		for (uint32_t k = 0; k < 32; k++) {
			rig_post_one(driver, RIG_DATA + k * 80, 80);
			pkts[k] = rig_frame_new(pool, k, 60, DATA_ROOM, false);
		}
		rig_memory_copy(&before, &driver->memory);
		rig_expect(rig_send(driver, pkts, 32, &call) == 32);
		rig_log_expect_changes(&driver->view.log, &driver->memory, &before);
		rig_memory_free(&before);
		rig_pool_close(pool);
		rig_driver_close(driver);
	}
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("to_guest");

	tcase_set_timeout(tcase, 120);
	tcase_add_test(tcase, shapes);
	tcase_add_test(tcase, merged);
	tcase_add_test(tcase, merged_header_in_pieces);
	tcase_add_test(tcase, refused);
	tcase_add_test(tcase, rounds);
	tcase_add_test(tcase, full);
	tcase_add_test(tcase, log_around_the_end);
	tcase_add_test(tcase, vouched_for_where_negotiated);
	tcase_add_test(tcase, joined_frames_say_so);
	tcase_add_test(tcase, joined_frames_not_for_others);
	return suite_main("to_guest", tcase);
}
