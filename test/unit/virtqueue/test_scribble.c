/* A guest that changes its rings, tables and buffers while we walk them: at each of our looks in
 * turn, which is repeatable, and from a thread of its own, which is not. Whatever it does, we end,
 * touch nothing that is not its own, lose no packet buffer, and show it whole frames or none.
 *
 * WRAP: memory_find memory_read
 */
#include <check.h>
#include <pthread.h>

#include "guest_ring_rig.h"
#include "suite.h"

#define SIZE  8U
#define POOL  256U
#define TABLE (RIG_DATA + 0x2000U)

static uint32_t looks, reads;         /* of ours in this call; those in tables */
static void (*at_each_look)(void);    /* the guest's turn, before the look */
static struct rig_driver *the_driver; /* whose it is */

const struct memory_region *__real_memory_find(const struct memory *memory, uint64_t guest_address);
const struct memory_region *__wrap_memory_find(const struct memory *memory, uint64_t guest_address);
bool __real_memory_read(const struct memory *memory, uint64_t guest_address, void *to,
                        uint16_t size);
bool __wrap_memory_read(const struct memory *memory, uint64_t guest_address, void *to,
                        uint16_t size);

const struct memory_region *__wrap_memory_find(const struct memory *memory, uint64_t guest_address)
{
	looks++;
	if (at_each_look != NULL)
		at_each_look();
	return __real_memory_find(memory, guest_address);
}

bool __wrap_memory_read(const struct memory *memory, uint64_t guest_address, void *to,
                        uint16_t size)
{
	looks++;
	reads++;
	if (at_each_look != NULL)
		at_each_look();
	return __real_memory_read(memory, guest_address, to, size);
}

/* --- at a certain look ------------------------------------------------------------------------
 */

/* Three buffers for the frame in question, each a table of two. */
static uint64_t entry_of(uint32_t buffer, uint32_t i)
{
	return TABLE + buffer * 32UL + i * 16UL;
}

static void set_lengths(uint32_t length)
{
	for (uint32_t i = 0; i < 6; i++)
		rig_write(&the_driver->memory, entry_of(i / 2, i % 2) + 8, &length, 4);
}

static void shorten(void)
{
	set_lengths(0);
}

static void lengthen(void)
{
	set_lengths(0x7fffffff);
}

static void move_away(void)
{
	uint64_t address = 0x1000;

	for (uint32_t i = 1; i < 6; i++)
		rig_write(&the_driver->memory, entry_of(i / 2, i % 2), &address, 8);
}

static void turn_round(void)
{
	for (uint32_t i = 1; i < 6; i++)
		*rig_at(&the_driver->memory,
		        entry_of(i / 2, i % 2) + (the_driver->view.is_packed ? 14 : 12)) = 0;
}

/* Zeros in all of the ring that the driver writes. */
static void take_away(void)
{
	memset(the_driver->view.split, 0, 16UL * SIZE);
	if (!the_driver->view.is_packed)
		memset(the_driver->view.avail, 0, 6 + 2 * SIZE);
}

static void fill_up(void)
{
	memset(the_driver->view.split, 0xff, 16UL * SIZE);
	if (!the_driver->view.is_packed)
		memset(the_driver->view.avail, 0xff, 6 + 2 * SIZE);
}

static void (*scribble)(void);
static uint32_t scribble_at;

static void once(void)
{
	if (looks == scribble_at)
		scribble();
}

static void post_three(struct rig_driver *driver)
{
	for (uint32_t i = 0; i < 3; i++) {
		struct rig_piece pieces[2] = {{RIG_DATA + 0x1000 + i * 256, 30},
		                              {RIG_DATA + 0x1080 + i * 256, 30}};

		rig_post_mixed(driver, pieces, 2, 0, TABLE + i * 32);
	}
}

/* A good frame, and one over three buffers behind it. Returns whether the scribbling had its turn.
 */
static bool run_once(bool packed, uint32_t at)
{
	struct rig_ring_config config = {.packed = packed,
	                                 .to_guest = true,
	                                 .size = SIZE,
	                                 .mergeable = true,
	                                 .logged = true,
	                                 .data_size = 0x4000};
	struct rig_driver *driver = rig_driver_open(&config);
	struct rig_pool *pool = rig_pool_open(POOL, 2048);
	struct rte_mbuf *pkts[2] = {rig_frame_new(pool, 0, 60, 2048, false),
	                            rig_frame_new(pool, 1, 168, 2048, false)};
	struct memory before;
	bool call;

	the_driver = driver;
	rig_post_one(driver, RIG_DATA, 100);
	post_three(driver);
	rig_memory_copy(&before, &driver->memory);
	looks = 0;
	scribble_at = at;
	at_each_look = once;
	uint16_t sent = rig_send(driver, pkts, 2, &call);
	at_each_look = NULL;
	rig_expect(looks < 100 && call);
	rig_expect(sent == 1 || (sent == 2 && rig_fault(driver) == FAULT_NONE));
	rte_pktmbuf_free_bulk(pkts + sent, 2 - sent);
	/* The first one was shown, unless what we wrote was wiped out; the second one is whole. */
	if (packed && sent == 1 && scribble != take_away && scribble != fill_up) {
		uint16_t both = DESCRIPTOR_AVAIL | DESCRIPTOR_USED;

		rig_expect((driver->view.packed[0].flags & both) == both);
		rig_expect((driver->view.packed[1].flags & both) == DESCRIPTOR_AVAIL);
	}
	/* In fewer buffers, if they have become longer. */
	if (!packed && sent == 2)
		rig_expect(driver->view.used->idx >= 2 && driver->view.used->idx <= 4);
	else if (!packed)
		rig_expect(driver->view.used->idx == 1);
	/* What the guest writes itself is no matter of ours. */
	for (uint64_t page = RIG_DATA; page < TABLE; page += RIG_PAGE)
		rig_expect(rig_log_has(&driver->view.log, page) ||
		           memcmp(rig_at(&driver->memory, page), rig_at(&before, page), RIG_PAGE) ==
		                   0);
	rig_expect(rig_log_has(&driver->view.log, driver->view.log_ring));
	bool had_turn = looks >= at;
	rig_memory_free(&before);
	rig_pool_close(pool);
	rig_driver_close(driver);
	return had_turn;
}

START_TEST(at_each_look_once)
{
	void (*const scribbles[])(void) = {shorten,    lengthen,  move_away,
	                                   turn_round, take_away, fill_up};

	for (unsigned i = 0; i < RTE_DIM(scribbles) * 2; i++) {
		uint32_t at = 1;

		scribble = scribbles[i / 2];
		while (run_once((i & 1) != 0, at))
			at++;
		rig_expect(at > 10);
	}
}
END_TEST

/* --- without an end ---------------------------------------------------------------------------
 */

/* Buffers become empty when we write, and the next one is available again just before we get there,
 * round and round. */
static void next_available(void)
{
	uint32_t next = reads - SIZE, empty = 0;

	if (reads <= SIZE) /* room is being looked for */
		return;

	for (uint32_t i = 0; i < SIZE; i++)
		rig_write(&the_driver->memory, TABLE + 16UL * i + 8, &empty, 4);
	the_driver->view.packed[next % SIZE].len = 16;
	the_driver->view.packed[next % SIZE].flags =
	        (uint16_t)(VRING_DESC_F_INDIRECT | VRING_DESC_F_WRITE |
	                   (next / SIZE % 2 == 0 ? DESCRIPTOR_AVAIL : DESCRIPTOR_USED));
}

START_TEST(endless_buffers)
{
	struct rig_ring_config config = {
	        .packed = true, .to_guest = true, .size = SIZE, .mergeable = true};
	struct rig_driver *driver = rig_driver_open(&config);
	struct rig_pool *pool = rig_pool_open(POOL, 2048);
	struct rte_mbuf *pkt = rig_frame_new(pool, 0, SIZE * 20 - 12, 2048, false);
	bool call;

	the_driver = driver;
	for (uint32_t i = 0; i < SIZE; i++)
		rig_post_mixed(driver, (struct rig_piece[]){{RIG_DATA, 20}}, 1, 0, TABLE + 16 * i);
	looks = reads = 0;
	at_each_look = next_available;
	rig_expect(rig_send(driver, &pkt, 1, &call) == 0);
	at_each_look = NULL;
	rig_expect(looks <= 5 * SIZE);
	rig_expect(rig_fault(driver) == FAULT_CHANGED);
	rig_expect(driver->virtqueue.at.index == 0 && driver->virtqueue.at.wrap);
	rte_pktmbuf_free(pkt);
	rig_pool_close(pool);
	rig_driver_close(driver);
}
END_TEST

/* --- from a thread ----------------------------------------------------------------------------
 */

static atomic_bool over;

/* Everything that the driver writes, in any order, with any values; much of it makes sense. */
static void *scribble_all(void *argument)
{
	struct rig_driver *driver = argument;
	uint16_t size = driver->view.size;
	uint64_t state = 1;

	while (!atomic_load_explicit(&over, memory_order_relaxed)) {
		uint32_t i = rig_random(&state) % size, what = rig_random(&state);
		struct rig_piece piece = {RIG_DATA + rig_random(&state) % 0x8010, what >> 8 & 0xff};
		uint16_t flags = (uint16_t)(what % 64 == 0 ? what >> 8 : rig_direction(driver));
		volatile uint64_t *to = (volatile uint64_t *)&driver->view.split[i];

		if (what % 16 == 1) {
			flags |= VRING_DESC_F_INDIRECT;
			piece = (struct rig_piece){TABLE + (what >> 8 & 0xff),
			                           16 * (what >> 20 & 15)};
		}
		if (what % 16 == 2)
			flags |= VRING_DESC_F_NEXT;
		if (what % 4 == 3)
			to = (volatile uint64_t *)rig_at(&driver->memory,
			                                 TABLE + 16UL * (what >> 8 & 31));
		uint64_t half = driver->view.is_packed
		                        ? (uint64_t)(flags | ((what & 32) != 0 ? DESCRIPTOR_AVAIL
		                                                               : DESCRIPTOR_USED))
		                                  << 48
		                        : (uint64_t)flags << 32 | (uint64_t)(i + 1) % size << 48;
		to[0] = piece.address;
		to[1] = half | piece.length;
		if (driver->view.is_packed)
			continue;
		((volatile uint16_t *)driver->view.avail->ring)[i] = (uint16_t)(what >> 3) % size;
		((volatile struct vring_avail *)driver->view.avail)->idx =
		        (uint16_t)(driver->view.used->idx + what % (size + 1));
	}
	return NULL;
}

static void run_bursts(struct rig_driver *driver, struct rig_pool *pool, uint32_t rounds)
{
	bool call;

	for (uint32_t round = 0; round < rounds; round++) {
		struct rte_mbuf *pkts[32];
		uint16_t done;

		if (driver->to_guest) {
			for (uint32_t i = 0; i < 32; i++)
				pkts[i] = rig_frame_new(pool, i, round * 7 % 300, 100, false);
			done = rig_send(driver, pkts, 32, &call);
			rte_pktmbuf_free_bulk(pkts + done, 32 - done);
		} else {
			done = rig_receive(driver, pool, pkts, 32, &call);
			rte_pktmbuf_free_bulk(pkts, done);
		}
		rig_expect(done <= 32 && pool->n_free == POOL);
		rig_expect(!driver->view.is_packed ||
		           driver->virtqueue.at.index < driver->view.size);
		/* As its driver would start it anew. */
		if (rig_fault(driver) != FAULT_NONE)
			virtqueue_begin(&driver->virtqueue, driver->virtqueue.at);
	}
}

START_TEST(from_a_thread)
{
	for (unsigned i = 0; i < 8; i++) {
		struct rig_ring_config config = {.packed = (i & 1) != 0,
		                                 .to_guest = (i & 2) != 0,
		                                 .mergeable = true,
		                                 .logged = (i & 4) != 0,
		                                 .size = (i & 4) != 0 ? 64 : 4,
		                                 .data_size = 0x4000};
		struct rig_driver *driver = rig_driver_open(&config);
		struct rig_pool *pool = rig_pool_open(POOL, 2048);
		pthread_t thread;

		the_driver = driver;
		atomic_store(&over, false);
		ck_assert_int_eq(pthread_create(&thread, NULL, scribble_all, driver), 0);
		run_bursts(driver, pool, 3000);
		atomic_store(&over, true);
		ck_assert_int_eq(pthread_join(thread, NULL), 0);
		rig_pool_close(pool);
		rig_driver_close(driver);
	}
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("scribble");

	tcase_set_timeout(tcase, 120);
	tcase_add_test(tcase, at_each_look_once);
	tcase_add_test(tcase, endless_buffers);
	tcase_add_test(tcase, from_a_thread);
	return suite_main("scribble", tcase);
}
