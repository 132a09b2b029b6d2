/* A process that is killed while it walks a ring, between any two instructions: whoever takes the
 * ring up where it stands then serves every buffer once, in order, and every frame at least once
 * and whole. The walk is a child's, which is stepped through; each state that its ring comes to is
 * taken up on a copy.
 */
#include <check.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guest_ring_rig.h"
#include "suite.h"
#include "virtqueue/journal.h"

#define POOL    64U
#define KEY     77U
#define BASE    5U
#define LONGEST 700U
#define FRAMES  6U

struct killed {
	struct rig_driver *driver;
	struct rig_pool *pool;
	struct journal *journal; /* the child's too */
	uint16_t frames;
	uint32_t lengths[FRAMES];
	unsigned states, restored,
	        shown; /* that were taken up; of them before and after the burst */
};

static bool is_packed(const struct killed *killed)
{
	return killed->driver->view.is_packed;
}

/* --- the walk --------------------------------------------------------------------------------- */

static void walk(const struct killed *killed, struct rig_driver *driver, struct rte_mbuf **pkts,
                 uint16_t expected)
{
	bool call;
	uint16_t n;

	if (driver->to_guest)
		n = rig_send(driver, pkts, killed->frames, &call);
	else
		n = rig_receive(driver, killed->pool, pkts, 32, &call);
	rig_expect(rig_fault(driver) == FAULT_NONE);
	rig_expect(n == expected);
}

static void make_frames(const struct killed *killed, struct rte_mbuf **pkts)
{
	for (uint16_t i = 0; killed->driver->to_guest && i < killed->frames; i++)
		pkts[i] = rig_frame_new(killed->pool, i, killed->lengths[i], LONGEST, false);
}

/* Not under a sanitizer's eyes when it ends: what it has allocated is the parent's business. */
static _Noreturn void be_killed(const struct killed *killed)
{
	struct rte_mbuf *pkts[32];

	make_frames(killed, pkts);
	rig_expect(ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0);
	rig_expect(raise(SIGSTOP) == 0);
	walk(killed, killed->driver, pkts, killed->frames);
	_exit(0);
}

/* --- the guest -------------------------------------------------------------------------------- */

static uint16_t collect(struct rig_driver *driver, uint8_t *bytes, uint32_t *n)
{
	const struct rig_posted *posted;
	uint16_t buffers = 0;
	uint32_t written;

	*n = 0;
	while ((posted = rig_collect(driver, &written)) != NULL) {
		rig_expect(driver->to_guest || written == 0);
		*n += rig_posted_read(driver, posted, bytes + *n, written);
		buffers++;
	}
	return buffers;
}

/* All frames, each behind a header that says in how many buffers it is: those that lead to it. */
static uint32_t expect_frames(const struct killed *killed, const uint8_t *bytes, uint32_t n)
{
	uint32_t at = 0;

	for (uint16_t i = 0; i < killed->frames; i++) {
		rig_expect(n - at >= VIRTQUEUE_HEADER_LONG + killed->lengths[i]);
		rig_expect(bytes[at + 10] >= 1 && bytes[at + 11] == 0);
		at += VIRTQUEUE_HEADER_LONG;
		for (uint32_t k = 0; k < killed->lengths[i]; k++)
			rig_expect(bytes[at++] == rig_frame_byte(i, k));
	}
	return at;
}

static void expect_received(const struct killed *killed, struct rte_mbuf **pkts)
{
	for (uint16_t i = 0; i < killed->frames; i++) {
		rig_expect(pkts[i]->pkt_len == killed->lengths[i]);
		for (uint32_t k = 0; k < killed->lengths[i]; k++)
			rig_expect(rte_pktmbuf_mtod(pkts[i], uint8_t *)[k] == rig_frame_byte(i, k));
	}
	rte_pktmbuf_free_bulk(pkts, killed->frames);
}

/* --- taking up -------------------------------------------------------------------------------- */

static struct rig_driver *copy_driver(const struct killed *killed)
{
	const struct rig_driver *from = killed->driver;
	struct rig_driver *to = aligned_alloc(VIRTQUEUE_ALIGNMENT, sizeof(*to));

	rig_expect(to != NULL);
	memcpy(to, from, sizeof(*to));
	rig_memory_copy(&to->memory, &from->memory);
	to->view.memory = &to->memory;
	to->view.journal = NULL;
	to->view.split = (void *)rig_at(&to->memory, to->areas[0]);
	to->view.avail = (void *)rig_at(&to->memory, to->areas[1]);
	to->view.used = (void *)rig_at(&to->memory, to->areas[2]);
	to->free = calloc(to->view.size, sizeof(to->free[0]));
	rig_expect(to->free != NULL);
	memcpy(to->free, from->free, to->view.size * sizeof(to->free[0]));
	return to;
}

static void free_copy(struct rig_driver *driver)
{
	rig_memory_free(&driver->memory);
	free(driver->free);
	free(driver);
}

static struct virtqueue_position find_place(const struct killed *killed, struct rig_driver *driver)
{
	struct virtqueue_position at = driver->virtqueue.at;

	if (is_packed(killed))
		rig_expect(journal_take_up(killed->journal, KEY, BASE, &driver->view, &at));
	else
		at.index = driver->view.used->idx;
	return at;
}

/* The driver has either seen the whole burst or nothing of it; what it has not seen comes again,
 * to the same buffers. */
static void take_up(struct killed *killed)
{
	static uint8_t bytes[FRAMES * 2 * (LONGEST + 64)];
	struct rig_driver *driver = copy_driver(killed);
	struct virtqueue_position begin = driver->virtqueue.at, at = find_place(killed, driver);
	bool shown = at.index != begin.index || at.wrap != begin.wrap;
	struct rte_mbuf *pkts[32];
	uint32_t n;

	killed->states++;
	*(shown ? &killed->shown : &killed->restored) += 1;
	virtqueue_begin(&driver->virtqueue, at);
	if (!shown) {
		rig_expect(collect(driver, bytes, &n) == 0);
		make_frames(killed, pkts);
		walk(killed, driver, pkts, killed->frames);
	} else if (!driver->to_guest) {
		walk(killed, driver, pkts, 0);
	}
	rig_expect(collect(driver, bytes, &n) > 0);
	if (driver->to_guest)
		rig_expect(expect_frames(killed, bytes, n) == n);
	else if (!shown)
		expect_received(killed, pkts);
	if (!driver->to_guest)
		rig_expect(driver->n_collected == driver->n_posted);
	free_copy(driver);
	rig_expect(killed->pool->n_free == POOL);
}

/* --- stepping --------------------------------------------------------------------------------- */

/* What the child changes and we go by. */
struct state {
	uint8_t ring[3][2048];
	struct journal journal;
};

static void look(const struct killed *killed, struct state *state)
{
	const struct rig_driver *driver = killed->driver;
	uint64_t size = driver->view.size;
	const uint64_t sizes[3] = {size * 16, 4, is_packed(killed) ? 4 : 6 + size * 8};

	for (unsigned i = 0; i < 3; i++)
		memcpy(state->ring[i], rig_at(&driver->memory, driver->areas[i]), sizes[i]);
	state->journal = *killed->journal;
}

/* Until the child is done. Each state of the ring is taken up. */
static void step_through(struct killed *killed, pid_t child)
{
	static struct state before, now;
	int status;

	memset(&before, 0, sizeof(before));
	memset(&now, 0, sizeof(now));
	look(killed, &before);
	take_up(killed);
	for (;;) {
		rig_expect(ptrace(PTRACE_SINGLESTEP, child, NULL, NULL) == 0);
		rig_expect(waitpid(child, &status, 0) == child);
		if (WIFEXITED(status))
			break;
		rig_expect(WIFSTOPPED(status) && WSTOPSIG(status) == SIGTRAP);
		look(killed, &now);
		if (memcmp(&now, &before, sizeof(now)) == 0)
			continue;
		take_up(killed);
		before = now;
	}
	rig_expect(WEXITSTATUS(status) == 0);
	take_up(killed);
}

/* Buffers in which the frames fit, one or several each, as a guest would post them. */
static void post(struct killed *killed, const struct rig_ring_config *config, unsigned shape)
{
	struct rig_driver *driver = killed->driver;
	uint64_t at = RIG_DATA;

	for (uint16_t i = 0; i < killed->frames; i++) {
		uint32_t total = VIRTQUEUE_HEADER_LONG + killed->lengths[i];
		uint32_t n = shape == 0 ? 1 : 1 + i % 3; /* pieces, or buffers */
		uint32_t part = (total + n - 1) / n;
		struct rig_piece pieces[3];

		for (uint32_t k = 0; k < n; k++, at += LONGEST)
			pieces[k] = (struct rig_piece){at, k + 1 < n ? part : total - part * k};
		if (!config->to_guest) {
			uint8_t bytes[VIRTQUEUE_HEADER_LONG + LONGEST] = {0};
			uint32_t done = 0;

			for (uint32_t k = 0; k < killed->lengths[i]; k++)
				bytes[VIRTQUEUE_HEADER_LONG + k] = rig_frame_byte(i, k);
			for (uint32_t k = 0; k < n; done += pieces[k++].length)
				rig_write(&driver->memory, pieces[k].address, bytes + done,
				          pieces[k].length);
		}
		if (config->to_guest && config->mergeable)
			for (uint32_t k = 0; k < n; k++)
				rig_post(driver, &pieces[k], 1);
		else if (shape == 2)
			rig_post_mixed(driver, pieces, n, 0, RIG_DATA + 0x8000 + 64UL * i);
		else
			rig_post(driver, pieces, n);
	}
}

/* shape: 0: a descriptor for a frame, 1: several, 2: in tables. */
static void kill_at_each_step(const struct rig_ring_config *config, unsigned shape)
{
	struct killed killed = {.driver = rig_driver_open(config),
	                        .pool = rig_pool_open(POOL, LONGEST),
	                        .journal = (void *)rig_map(RIG_PAGE),
	                        .frames = FRAMES};

	for (uint16_t i = 0; i < killed.frames; i++)
		killed.lengths[i] = 60 + i * 100;
	if (config->packed) {
		journal_begin(killed.journal, KEY, BASE, killed.driver->virtqueue.at);
		killed.driver->view.journal = killed.journal;
	}
	post(&killed, config, shape);

	pid_t child = fork();
	int status;

	rig_expect(child >= 0);
	if (child == 0)
		be_killed(&killed);
	rig_expect(waitpid(child, &status, 0) == child && WIFSTOPPED(status));
	step_through(&killed, child);
	rig_expect(killed.shown >= 1 && killed.restored >= FRAMES);
	rig_unmap((uint8_t *)killed.journal, RIG_PAGE);
	rig_pool_close(killed.pool);
	rig_driver_close(killed.driver);
}

static void kill_in_rings(bool packed, bool to_guest)
{
	for (unsigned i = 0; i < 6; i++) {
		const struct rig_ring_config config = {.packed = packed,
		                                       .to_guest = to_guest,
		                                       .mergeable = i / 3 != 0,
		                                       .size = packed ? 21 : 32,
		                                       .begin = packed ? 18 : 65530};

		kill_at_each_step(&config, i % 3);
	}
}

START_TEST(packed_to_guest)
{
	kill_in_rings(true, true);
}
END_TEST

START_TEST(packed_from_guest)
{
	kill_in_rings(true, false);
}
END_TEST

START_TEST(split_to_guest)
{
	kill_in_rings(false, true);
}
END_TEST

START_TEST(split_from_guest)
{
	kill_in_rings(false, false);
}
END_TEST

/* --- what is not taken up --------------------------------------------------------------------- */

START_TEST(what_somebody_knows_better_is_not_taken_up)
{
	const struct rig_ring_config config = {.packed = true, .to_guest = true, .size = 8};
	const struct virtqueue_position place = {.index = 3, .wrap = true};
	struct rig_driver *driver = rig_driver_open(&config);
	struct journal journal = {0};
	struct virtqueue_position at = {.index = 42};

	rig_expect(!journal_take_up(&journal, KEY, 0, &driver->view, &at));
	journal_begin(&journal, KEY, BASE, place);
	rig_expect(!journal_take_up(&journal, KEY, BASE, &driver->view, &at)); /* a new ring */
	driver->view.packed[2].flags = DESCRIPTOR_AVAIL | DESCRIPTOR_USED;
	rig_expect(!journal_take_up(&journal, KEY + 1, BASE, &driver->view, &at));
	rig_expect(!journal_take_up(&journal, KEY, BASE + 1, &driver->view, &at));
	for (unsigned i = 0; i <= JOURNAL_ROOM; i++)
		journal_note(&journal, driver->view.packed, 4, 1);
	rig_expect(!journal_take_up(&journal, KEY, BASE, &driver->view, &at));
	journal_begin(&journal, KEY, BASE, (struct virtqueue_position){.index = 8});
	rig_expect(!journal_take_up(&journal, KEY, BASE, &driver->view, &at));
	journal_begin(&journal, KEY, BASE, place);
	journal_note(&journal, driver->view.packed, 7, 1);
	journal.index[0] = 8;
	rig_expect(!journal_take_up(&journal, KEY, BASE, &driver->view, &at));
	rig_expect(at.index == 42);
	journal_begin(&journal, KEY, BASE, place);
	rig_expect(journal_take_up(&journal, KEY, BASE, &driver->view, &at));
	rig_expect(at.index == 3 && at.wrap);
	driver->view.packed[3].flags = DESCRIPTOR_AVAIL | DESCRIPTOR_USED;
	rig_expect(!journal_take_up(&journal, KEY, BASE, &driver->view, &at));
	driver->view.packed[3].flags = DESCRIPTOR_AVAIL;
	rig_expect(journal_take_up(&journal, KEY, BASE, &driver->view, &at));
	journal_end(&journal);
	rig_expect(!journal_take_up(&journal, KEY, BASE, &driver->view, &at));
	rig_driver_close(driver);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("all");

	tcase_set_timeout(tcase, 120);
	tcase_add_test(tcase, packed_to_guest);
	tcase_add_test(tcase, packed_from_guest);
	tcase_add_test(tcase, split_to_guest);
	tcase_add_test(tcase, split_from_guest);
	tcase_add_test(tcase, what_somebody_knows_better_is_not_taken_up);
	return suite_main("journal", tcase);
}
