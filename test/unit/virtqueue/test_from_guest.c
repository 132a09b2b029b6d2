/* What we take from a guest's buffers: on plain memory, in rings of both kinds, of all sizes and
 * with headers of either length.
 */
#include <check.h>

#include "guest_shapes_rig.h"
#include "offload/guest_header.h"
#include "suite.h"

#define POOL      128U
#define DATA_ROOM 64U /* so that frames of a few bytes more are chains */

/* --- frames that the driver writes ------------------------------------------------------------
 */

/* A header of other than zeros, and the frame behind it, over a buffer's pieces. */
static void write_frame(struct rig_driver *driver, const struct rig_piece *pieces, uint32_t n,
                        uint32_t number)
{
	uint32_t at = 0, header = driver->view.header_size;

	for (uint32_t i = 0; i < n; i++)
		for (uint32_t k = 0; k < pieces[i].length; k++, at++)
			*rig_at(&driver->memory, pieces[i].address + k) =
			        at < header ? (uint8_t)(0xd0 + at)
			                    : rig_frame_byte(number, at - header);
}

/* As short as it can be, and as a frame should be that was just received. */
static void expect_frame(const struct rte_mbuf *pkt, uint32_t number, uint32_t length)
{
	uint32_t at = 0, n_segments = 0;

	rig_expect(pkt->pkt_len == length && pkt->ol_flags == 0);
	for (const struct rte_mbuf *segment = pkt; segment != NULL; segment = segment->next) {
		const uint8_t *data = rte_pktmbuf_mtod(segment, const uint8_t *);

		rig_expect(segment->data_off == RTE_PKTMBUF_HEADROOM);
		rig_expect(segment->data_len <= DATA_ROOM);
		rig_expect(segment->data_len > 0 || length == 0);
		rig_expect(segment->next == NULL || segment->data_len == DATA_ROOM);
		for (uint16_t i = 0; i < segment->data_len; i++, at++)
			rig_expect(data[i] == rig_frame_byte(number, at));
		n_segments++;
	}
	rig_expect(at == length && n_segments == pkt->nb_segs);
}

/* Where it is kept, as far as there was one. */
static void expect_header(const struct rig_driver *driver, const struct rte_mbuf *pkt,
                          uint32_t total)
{
	const uint8_t *header = (const uint8_t *)guest_header_of(pkt);

	for (uint32_t i = 0; driver->view.headers && i < sizeof(struct virtio_net_hdr); i++)
		rig_expect(header[i] == (i < total ? 0xd0 + i : 0));
}

/* --- every shape of a buffer ------------------------------------------------------------------
 */

struct shapes {
	struct rig_pool *pool;
	uint32_t number; /* of the next frame */
};

static void check_shape(struct rig_driver *driver, const struct rig_shape *shape, void *context)
{
	struct shapes *shapes = context;
	uint32_t header = driver->view.header_size, number = shapes->number++, written;
	struct rte_mbuf *pkts[32];
	bool call;

	write_frame(driver, shape->pieces, shape->n, number);
	rig_shape_post(driver, shape);
	rig_expect(rig_receive(driver, shapes->pool, pkts, 32, &call) == 1);
	rig_expect(call && rig_fault(driver) == FAULT_NONE);
	rig_expect(rig_collect(driver, &written) != NULL && written == 0);
	expect_frame(pkts[0], number, shape->total > header ? shape->total - header : 0);
	expect_header(driver, pkts[0], shape->total);
	rte_pktmbuf_free(pkts[0]);
	rig_expect(shapes->pool->n_free == POOL);
}

static void run_shapes(const struct rig_ring_config *config)
{
	static const uint32_t lengths[] = {0, 1, 14, 60, 63, 64, 65, 129};
	struct rig_driver *driver = rig_driver_open(config);
	struct shapes context = {.pool = rig_pool_open(POOL, DATA_ROOM)};

	for (unsigned i = 0; i < RTE_DIM(lengths); i++)
		rig_each_shape(driver, driver->view.header_size + lengths[i], check_shape,
		               &context);
	driver->view.headers = true;
	walkers_choose(&driver->view);
	for (unsigned i = 0; i < RTE_DIM(lengths); i++)
		rig_each_shape(driver, driver->view.header_size + lengths[i], check_shape,
		               &context);
	rig_pool_close(context.pool);
	rig_driver_close(driver);
}

START_TEST(shapes)
{
	rig_each_ring(false, run_shapes);
}
END_TEST

/* Buffers of 0 to 40 bytes: what is shorter than the header is an empty frame, and used. */
static void run_runts(const struct rig_ring_config *config)
{
	struct rig_driver *driver = rig_driver_open(config);
	struct shapes context = {.pool = rig_pool_open(POOL, DATA_ROOM)};
	uint64_t end = rig_border(driver) + driver->memory.regions[1].size;

	driver->view.headers = true;
	walkers_choose(&driver->view);
	for (uint32_t total = 0; total <= 40; total++)
		for (uint32_t first = 0; first <= total; first++) {
			struct rig_shape shape = {.total = total, .n = 2, .table = RIG_DATA};

			shape.pieces[0] = (struct rig_piece){end - first, first};
			shape.pieces[1] = (struct rig_piece){end - total, total - first};
			if (first == total)
				shape.n = 1;
			rig_each_layout(driver, &shape, check_shape, &context);
		}
	rig_pool_close(context.pool);
	rig_driver_close(driver);
}

START_TEST(runts)
{
	rig_each_ring(false, run_runts);
}
END_TEST

/* --- long frames ------------------------------------------------------------------------------
 */

/* In descriptors of some bytes each; the same bytes again and again. */
static void run_long(bool packed, uint32_t total, uint32_t step)
{
	struct rig_ring_config config = {.packed = packed, .size = 256, .data_size = 0x200000};
	struct rig_driver *driver = rig_driver_open(&config);
	struct rig_pool *pool = rig_pool_open(VIRTQUEUE_FRAME_MAX / DATA_ROOM + 1, DATA_ROOM);
	uint32_t expected = RTE_MIN(total - 12, VIRTQUEUE_FRAME_MAX), n = 0, written;
	struct rig_piece pieces[256];
	struct rte_mbuf *pkts[2];
	bool call;

	for (uint32_t at = 0; at < total; at += pieces[n++].length) {
		rig_expect(n < 256);
		pieces[n] = (struct rig_piece){rig_border(driver) - 40000 + at,
		                               RTE_MIN(step, total - at)};
	}
	write_frame(driver, pieces, n, 3);
	rig_post(driver, pieces, n);
	rig_expect(rig_receive(driver, pool, pkts, 2, &call) == 1);
	rig_expect(rig_fault(driver) == FAULT_NONE);
	rig_expect(rig_collect(driver, &written) != NULL && written == 0);
	expect_frame(pkts[0], 3, expected);
	rte_pktmbuf_free(pkts[0]);
	rig_pool_close(pool);
	rig_driver_close(driver);
}

START_TEST(long_frames)
{
	static const uint32_t totals[] = {9012,
	                                  VIRTQUEUE_FRAME_MAX + 11,
	                                  VIRTQUEUE_FRAME_MAX + 12,
	                                  VIRTQUEUE_FRAME_MAX + 13,
	                                  2 * VIRTQUEUE_FRAME_MAX,
	                                  1000000};
	static const uint32_t steps[] = {4000, 65535, VIRTQUEUE_FRAME_MAX, 70000, 1000000};

	for (unsigned i = 0; i < RTE_DIM(totals); i++)
		for (unsigned k = 0; k < RTE_DIM(steps); k++)
			for (unsigned packed = 0; packed < 2; packed++)
				run_long(packed != 0, totals[i], steps[k]);
}
END_TEST

/* --- without packet buffers -------------------------------------------------------------------
 */

/* n buffers are free; of which kind the frames are decides how many are wanted at once. */
static void run_exhausted(bool packed, unsigned n, uint32_t length, uint32_t n_pieces)
{
	struct rig_ring_config config = {.packed = packed, .size = 256};
	struct rig_driver *driver = rig_driver_open(&config);
	struct rig_pool *pool = rig_pool_open(n, DATA_ROOM);
	uint32_t got = 0, written;
	bool call;

	for (uint32_t i = 0; i < 64; i++) {
		struct rig_piece pieces[2] = {{RIG_DATA + i * 256, 12 + length}, {0, 0}};

		write_frame(driver, pieces, 1, i);
		if (n_pieces == 2)
			pieces[1] = (struct rig_piece){RIG_DATA, 0};
		rig_post(driver, pieces, n_pieces);
	}
	for (unsigned round = 0; round < 1000 && got < 64; round++) {
		struct rte_mbuf *pkts[32];
		uint16_t wanted = (uint16_t)(1 + round % 32);
		uint16_t taken = rig_receive(driver, pool, pkts, wanted, &call);

		rig_expect(taken <= wanted && call == (taken > 0));
		rig_expect(rig_fault(driver) == FAULT_NONE);
		for (uint16_t i = 0; i < taken; i++) {
			expect_frame(pkts[i], got + i, length);
			rte_pktmbuf_free(pkts[i]);
			rig_expect(rig_collect(driver, &written) != NULL);
		}
		rig_expect(rig_collect(driver, &written) == NULL);
		rig_expect(pool->n_free == n);
		got += taken;
	}
	rig_expect(got == (n * DATA_ROOM >= length ? 64 : 0));
	rig_pool_close(pool);
	rig_driver_close(driver);
}

START_TEST(exhausted)
{
	for (unsigned packed = 0; packed < 2; packed++)
		for (unsigned n = 1; n < 34; n += 4)
			for (uint32_t n_pieces = 1; n_pieces <= 2; n_pieces++) {
				run_exhausted(packed != 0, n, 60, n_pieces);
				run_exhausted(packed != 0, n, 200, n_pieces);
			}
}
END_TEST

/* What breaks a rule behind frames for which there are no buffers is found when it is its turn. */
START_TEST(exhausted_before_a_fault)
{
	struct rig_ring_config config = {.size = 8};
	struct rig_driver *driver = rig_driver_open(&config);
	struct rig_pool *pool = rig_pool_open(2, DATA_ROOM);
	struct rte_mbuf *held = rte_pktmbuf_alloc(pool->pool), *pkts[8];
	bool call;

	for (uint32_t i = 0; i < 2; i++)
		rig_post_one(driver, RIG_DATA, 72);
	driver->view.avail->ring[2] = 8;
	driver->view.avail->idx = 3;
	rig_expect(rig_receive(driver, pool, pkts, 8, &call) == 1);
	rig_expect(rig_fault(driver) == FAULT_NONE && call);
	rig_expect(rig_receive(driver, pool, pkts + 1, 8, &call) == 0);
	rig_expect(rig_fault(driver) == FAULT_NONE && !call);
	rte_pktmbuf_free(held);
	rig_expect(rig_receive(driver, pool, pkts + 1, 7, &call) == 1);
	rig_expect(rig_fault(driver) == FAULT_HEAD && call);
	rig_expect(driver->view.used->idx == 2);
	rte_pktmbuf_free_bulk(pkts, 2);
	rig_pool_close(pool);
	rig_driver_close(driver);
}
END_TEST

/* --- bursts -----------------------------------------------------------------------------------
 */

/* Frames of any length, single and in chains, in bursts of any length, many times around the ring.
 */
static void run_rounds(const struct rig_ring_config *config)
{
	struct rig_ring_config late = *config;
	late.begin = (uint16_t)(config->packed ? config->size - 1 : 65530);
	struct rig_driver *driver = rig_driver_open(&late);
	struct rig_pool *pool = rig_pool_open(POOL, DATA_ROOM);
	uint32_t posted = 0, seen = 0, written, header = driver->view.header_size;
	uint64_t state = config->size;
	bool call;

	for (uint32_t round = 0; round < 3000; round++) {
		uint16_t n = (uint16_t)(rig_random(&state) % 33), got;
		struct rte_mbuf *pkts[32];

		for (uint32_t i = rig_random(&state) % 40; i > 0 && posted - seen < 400; i--) {
			uint32_t length = posted * 7 % 101;
			uint64_t address = RIG_DATA + posted % 400 * 160;
			struct rig_piece pieces[2] = {{address, header + length}, {0, 0}};

			if (rig_random(&state) % 8 == 0 && driver->free_entries >= 2) {
				pieces[0].length = rig_random(&state) % (header + length);
				pieces[1].address = address + pieces[0].length;
				pieces[1].length = header + length - pieces[0].length;
			}
			if (driver->free_entries == 0)
				break;
			write_frame(driver, pieces, 2, posted++);
			rig_post(driver, pieces, pieces[1].address > 0 ? 2 : 1);
		}
		got = rig_receive(driver, pool, pkts, n, &call);
		rig_expect(got == RTE_MIN(n, posted - seen) && call == (got > 0));
		for (uint16_t i = 0; i < got; i++, seen++) {
			expect_frame(pkts[i], seen, seen * 7 % 101);
			rig_expect(rig_collect(driver, &written) != NULL && written == 0);
		}
		rte_pktmbuf_free_bulk(pkts, got);
		rig_expect(rig_collect(driver, &written) == NULL);
	}
	rig_pool_close(pool);
	rig_driver_close(driver);
}

START_TEST(rounds)
{
	rig_each_ring(false, run_rounds);
}
END_TEST

/* Chains that are very long end a burst, and those behind them come with the next. */
START_TEST(long_chains)
{
	for (unsigned packed = 0; packed < 2; packed++) {
		struct rig_ring_config config = {.packed = packed != 0, .size = 4096};
		struct rig_driver *driver = rig_driver_open(&config);
		struct rig_pool *pool = rig_pool_open(POOL, DATA_ROOM);
		struct rig_piece pieces[1000];
		struct rte_mbuf *pkts[32];
		bool call;

		for (uint32_t i = 0; i < 1000; i++)
			pieces[i] = (struct rig_piece){RIG_DATA + i, i < 72 ? 1 : 0};
		for (uint32_t i = 0; i < 4; i++)
			rig_post(driver, pieces, 1000);
		for (uint32_t i = 0; i < 2; i++) {
			rig_expect(rig_receive(driver, pool, pkts, 32, &call) == 2);
			rte_pktmbuf_free_bulk(pkts, 2);
		}
		rig_pool_close(pool);
		rig_driver_close(driver);
	}
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("from_guest");

	tcase_set_timeout(tcase, 120);
	tcase_add_test(tcase, shapes);
	tcase_add_test(tcase, runts);
	tcase_add_test(tcase, long_frames);
	tcase_add_test(tcase, exhausted);
	tcase_add_test(tcase, exhausted_before_a_fault);
	tcase_add_test(tcase, rounds);
	tcase_add_test(tcase, long_chains);
	return suite_main("from_guest", tcase);
}
