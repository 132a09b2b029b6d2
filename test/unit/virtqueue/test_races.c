/* What two CPUs do at the same moment, where a store of the one may still be under way when the
 * other looks: pages that a front end copies while we write to them, and interrupts of a driver
 * that is about to sleep. Each is tried often, with the two as close as they come.
 */
#include <check.h>
#include <pthread.h>
#include <sched.h>

#include "guest_ring_rig.h"
#include "suite.h"

#define ROUNDS 50000U

/* Whether it has come to that; now and then after leaving the CPU to the other thread, which may
 * have no other. */
static bool has_come_to(const _Atomic uint32_t *what, uint32_t value)
{
	static _Thread_local uint32_t looks;

	if (++looks % 256 == 0)
		sched_yield();
	return atomic_load(what) == value;
}

static void pause_for(uint32_t loops)
{
	for (volatile uint32_t i = 0; i < loops; i++)
		;
}

/* --- the log of dirty pages -------------------------------------------------------------------
 */

#define WORDS 256U /* of a page's, that a frame covers; one in each cache line is enough */
#define STEP  8U

static struct {
	_Alignas(RIG_PAGE) volatile uint64_t page[RIG_PAGE / 8];
	_Alignas(64) uint8_t bits[8];
	_Alignas(64) _Atomic uint32_t begun; /* round: the copier's turn to say */
	_Alignas(64) _Atomic uint32_t written;
} guest;

static void write_frame(const struct dirty_log *log, uint64_t number)
{
	for (uint32_t i = 0; i < WORDS; i += STEP)
		guest.page[i] = number;
	dirty_log_mark(log, 0, WORDS * 8);
}

/* A frame, and then another into the same page, whose bit may be there already. */
static void *write_frames(void *arg)
{
	const struct dirty_log log = {.bits = guest.bits, .size = sizeof(guest.bits)};

	(void)arg;
	for (uint32_t round = 1; round <= ROUNDS; round++) {
		while (!has_come_to(&guest.begun, round))
			;
		write_frame(&log, 2ULL * round);
		pause_for(round % 64);
		write_frame(&log, 2ULL * round + 1);
		atomic_store(&guest.written, round);
	}
	return NULL;
}

static void copy_if_dirty(uint64_t copy[WORDS])
{
	if (__atomic_exchange_n(guest.bits, 0, __ATOMIC_SEQ_CST) == 0)
		return;
	for (uint32_t i = 0; i < WORDS; i += STEP)
		copy[i] = guest.page[i];
}

/* Whatever the copier has seen of both under way, at the end it has all. */
START_TEST(pages_under_way)
{
	uint64_t copy[WORDS] = {0};
	uint32_t left_behind = 0;
	pthread_t thread;

	ck_assert_int_eq(pthread_create(&thread, NULL, write_frames, NULL), 0);
	for (uint32_t round = 1; round <= ROUNDS; round++) {
		atomic_store(&guest.begun, round);
		while (!has_come_to(&guest.written, round))
			copy_if_dirty(copy);
		copy_if_dirty(copy);
		for (uint32_t i = 0; i < WORDS; i += STEP)
			left_behind += copy[i] != guest.page[i];
	}
	ck_assert_int_eq(pthread_join(thread, NULL), 0);
	ck_assert_uint_eq(left_behind, 0);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("races");

	tcase_set_timeout(tcase, 600);
	tcase_add_test(tcase, pages_under_way);
	return suite_main("races", tcase);
}
