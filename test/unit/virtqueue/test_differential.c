/* Random traffic that breaks no rule, by our walkers and by a naive one: the same frames, the same
 * bytes in all of the guest's memory, its rings included, and the same pages in the log.
 */
#include <check.h>

#include "guest_ring_rig.h"
#include "naive_walker.h"
#include "suite.h"

#define POOL      512U
#define DATA_ROOM 512U
#define DATA_SIZE 0x8000U
#define BUFFERS   0xc000U /* bytes in which buffers lie, across the border; tables behind them */
#define PIECES    6U
#define LONGEST   1600U
#define SIZES     128U /* entries that a ring has at most */

struct run {
	struct rig_driver *driver;
	struct rig_pool *pool;
	struct naive naive;
	uint64_t random;
	uint32_t number;       /* of the next frame */
	uint64_t bytes;        /* that buffers have been given, all in all */
	uint64_t first[SIZES]; /* of each buffer, by its number */
};

static uint32_t pick(struct run *run, uint32_t bound)
{
	return rig_random(&run->random) % bound;
}

/* --- the driver -------------------------------------------------------------------------------
 */

/* Where the next `length` bytes lie, which no other buffer has now. They do not come around. */
static uint64_t place(struct run *run, uint32_t length)
{
	if (run->bytes % BUFFERS + length > BUFFERS)
		run->bytes += BUFFERS - run->bytes % BUFFERS;
	run->bytes += length;
	return RIG_DATA + (run->bytes - length) % BUFFERS;
}

static bool has_place(const struct run *run)
{
	const struct rig_driver *driver = run->driver;

	return driver->n_posted == driver->n_collected ||
	       run->bytes - run->first[driver->n_collected % SIZES] < BUFFERS - 2 * PIECES * 712;
}

/* Of any shape, and long enough for a header where something is to be received. */
static void post_random(struct run *run)
{
	struct rig_driver *driver = run->driver;
	uint32_t room = RTE_MIN(driver->view.size, PIECES), n = 1 + pick(run, room);
	uint32_t direct = n, total = 0;
	struct rig_piece pieces[PIECES];

	if (pick(run, 3) == 0)
		direct = 0;
	else if (pick(run, 3) == 0 && !driver->view.is_packed)
		direct = pick(run, n);
	if (direct + (direct < n) > driver->free_entries || !has_place(run))
		return;
	run->first[driver->n_posted % SIZES] = run->bytes;
	for (uint32_t i = 0; i < n; i++) {
		static const uint32_t bounds[] = {1, 2, 13, 70, 700};
		uint32_t length = pick(run, bounds[pick(run, RTE_DIM(bounds))]);

		if (i + 1 == n && total + length < 12)
			length += 12;
		total += length;
		pieces[i] = (struct rig_piece){place(run, length), length};
	}
	rig_post_mixed(driver, pieces, n, direct,
	               RIG_DATA + BUFFERS + driver->n_posted % driver->view.size * 16 * PIECES);
}

static void expect_same(struct run *run)
{
	struct rig_driver *driver = run->driver;

	rig_expect(rig_fault(driver) == FAULT_NONE);
	rig_expect(driver->virtqueue.at.index == run->naive.at.index);
	rig_expect(driver->virtqueue.at.wrap == run->naive.at.wrap);
	rig_expect(rig_memory_equal(&driver->memory, &run->naive.memory));
	if (driver->view.log.bits != NULL) {
		rig_expect(memcmp(driver->view.log.bits, run->naive.log.bits, RIG_LOG_BYTES) == 0);
		memset(driver->view.log.bits, 0, RIG_LOG_BYTES);
	}
}

/* --- both directions --------------------------------------------------------------------------
 */

static void send_some(struct run *run)
{
	uint16_t n = (uint16_t)pick(run, 33), sent;
	struct rte_mbuf *pkts[32];
	uint32_t lengths[32];
	bool call;

	for (uint16_t i = 0; i < n; i++) {
		static const uint32_t bounds[] = {1, 14, 80, LONGEST};

		lengths[i] = pick(run, bounds[pick(run, RTE_DIM(bounds))]);
		pkts[i] = rig_frame_new(run->pool, run->number + i, lengths[i],
		                        (uint16_t)(200 + pick(run, 300)), pick(run, 5) == 0);
	}
	sent = rig_send(run->driver, pkts, n, &call);
	rte_pktmbuf_free_bulk(pkts + sent, n - sent);
	for (uint16_t i = 0; i < n && i <= sent; i++) {
		uint8_t frame[LONGEST];
		enum naive_room room = NAIVE_LATER;

		for (uint32_t k = 0; k < lengths[i]; k++)
			frame[k] = rig_frame_byte(run->number + i, k);
		if (i < sent) {
			rig_expect(naive_send(&run->naive, frame, lengths[i]) == NAIVE_TAKEN);
			continue;
		}
		/* A burst ends where there is no room, or when it has seen enough. */
		(void)naive_room(&run->naive, run->naive.header_size + lengths[i], &room);
		rig_expect(room != NAIVE_TAKEN ||
		           run->naive.descriptors > VIRTQUEUE_BURST_DESCRIPTORS / 2);
		rig_expect(run->driver->virtqueue.refused == (room == NAIVE_NEVER));
	}
	run->number += n;
}

static void receive_some(struct run *run)
{
	uint16_t n = (uint16_t)pick(run, 33), got;
	struct rte_mbuf *pkts[32];
	uint8_t frame[PIECES * 712], ours[PIECES * 712];
	bool call;

	bool idle = idle_look_sees_nothing(&run->driver->virtqueue.look);

	got = rig_receive(run->driver, run->pool, pkts, n, &call);
	rig_expect(!idle || got == 0);
	for (uint16_t i = 0; i < got; i++) {
		int64_t length = naive_receive(&run->naive, frame, sizeof(frame));

		rig_expect(length >= 0 && length == pkts[i]->pkt_len);
		const uint8_t *data = rte_pktmbuf_read(pkts[i], 0, (uint32_t)length, ours);
		rig_expect(data != NULL && memcmp(data, frame, (size_t)length) == 0);
	}
	rte_pktmbuf_free_bulk(pkts, got);
	if (got < n) {
		static struct naive_buffer buffer;

		rig_expect(!naive_peek(&run->naive, run->naive.at, &buffer));
		rig_expect(idle_look_sees_nothing(&run->driver->virtqueue.look));
	}
}

/* Frames that are not taken are left out: some would never be. */
static void run_config(const struct rig_ring_config *config)
{
	struct run run = {.driver = rig_driver_open(config),
	                  .pool = rig_pool_open(POOL, DATA_ROOM),
	                  .random = config->size + config->packed * 2U + config->mergeable};
	uint32_t written;

	naive_open(&run.naive, run.driver);
	for (unsigned round = 0; round < 1500; round++) {
		for (uint32_t n = pick(&run, 40); n > 0; n--)
			post_random(&run);
		naive_sync(&run.naive, run.driver);
		if (config->to_guest)
			send_some(&run);
		else
			receive_some(&run);
		expect_same(&run);
		rig_expect(run.pool->n_free == POOL);
		while (rig_collect(run.driver, &written) != NULL)
			;
	}
	rig_expect(run.driver->n_collected > 200);
	naive_close(&run.naive);
	rig_pool_close(run.pool);
	rig_driver_close(run.driver);
}

START_TEST(random_traffic)
{
	static const uint16_t sizes[] = {1, 2, 4, 8, 64, 128, 3, 7, 100};

	for (unsigned i = 0; i < 16; i++)
		for (unsigned k = 0; k < RTE_DIM(sizes); k++) {
			struct rig_ring_config config = {.packed = (i & 1) != 0,
			                                 .to_guest = (i & 2) != 0,
			                                 .mergeable = (i & 4) != 0,
			                                 .short_header = (i & 12) == 8,
			                                 .logged = (i & 8) != 0,
			                                 .size = sizes[k],
			                                 .data_size = DATA_SIZE};

			config.begin = (uint16_t)(config.packed ? config.size - 1 : 65500);
			if (config.packed || (sizes[k] & (sizes[k] - 1)) == 0)
				run_config(&config);
		}
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("differential");

	tcase_set_timeout(tcase, 240);
	tcase_add_test(tcase, random_traffic);
	return suite_main("differential", tcase);
}
