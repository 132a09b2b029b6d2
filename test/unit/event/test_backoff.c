/* Waits between tries: longer with each failure and each loss, short again after a good while. */
#include <check.h>
#include <stdlib.h>

#include "event/backoff.h"
#include "suite.h"

START_TEST(waits_longer_with_each_failure)
{
	static const unsigned waits[] = {100, 200, 400, 800, 1600, 3200, 6400, 10000, 10000};
	struct backoff backoff = {0};

	ck_assert(backoff_lost(&backoff, 5));
	for (unsigned i = 0; i < sizeof(waits) / sizeof(waits[0]); i++)
		ck_assert_uint_eq(backoff_wait_ms(&backoff), waits[i]);
}
END_TEST

START_TEST(waits_without_a_loss)
{
	struct backoff backoff = {0};

	ck_assert_uint_eq(backoff_wait_ms(&backoff), 100);
	ck_assert_uint_eq(backoff_wait_ms(&backoff), 200);
}
END_TEST

START_TEST(waits_longer_with_each_loss)
{
	static const unsigned waits[] = {100, 200, 400, 800, 1600, 3200, 6400, 10000, 10000};
	struct backoff backoff = {0};
	uint64_t now = 1000;

	for (unsigned i = 0; i < sizeof(waits) / sizeof(waits[0]); i++) {
		ck_assert_int_eq(backoff_lost(&backoff, now), i == 0);
		ck_assert_uint_eq(backoff_wait_ms(&backoff), waits[i]);
		now += waits[i];
		backoff_well(&backoff, now);
		now += BACKOFF_WELL_MS - 1;
	}
}
END_TEST

/* A VF that was away for long, once, is no flapping one. */
START_TEST(failures_are_no_losses)
{
	struct backoff backoff = {0};

	backoff_lost(&backoff, 0);
	for (int i = 0; i < 20; i++)
		backoff_wait_ms(&backoff);
	backoff_well(&backoff, 150000);
	ck_assert(!backoff_lost(&backoff, 150001));
	ck_assert_uint_eq(backoff_wait_ms(&backoff), 200);
}
END_TEST

START_TEST(forgets_after_a_good_while)
{
	struct backoff backoff = {0};

	for (int i = 0; i < 5; i++) {
		backoff_lost(&backoff, 0);
		backoff_well(&backoff, 0);
	}
	ck_assert(backoff_lost(&backoff, BACKOFF_WELL_MS));
	ck_assert_uint_eq(backoff_wait_ms(&backoff), 100);
}
END_TEST

START_TEST(waits_as_told)
{
	static const struct backoff_waits waits = {
	        .first_ms = 500, .longest_ms = 1700, .well_ms = 5000};
	struct backoff backoff = {.waits = &waits};

	ck_assert_uint_eq(backoff_wait_ms(&backoff), 500);
	ck_assert_uint_eq(backoff_wait_ms(&backoff), 1000);
	ck_assert_uint_eq(backoff_wait_ms(&backoff), 1700);
	ck_assert_uint_eq(backoff_wait_ms(&backoff), 1700);
	backoff_reset(&backoff);
	ck_assert_uint_eq(backoff_wait_ms(&backoff), 500);

	backoff_lost(&backoff, 0);
	backoff_well(&backoff, 0);
	ck_assert(!backoff_lost(&backoff, 4999));
	ck_assert_uint_eq(backoff_wait_ms(&backoff), 1000);
	backoff_well(&backoff, 10000);
	ck_assert(backoff_lost(&backoff, 15000));
	ck_assert_uint_eq(backoff_wait_ms(&backoff), 500);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("all");

	tcase_add_test(tcase, waits_longer_with_each_failure);
	tcase_add_test(tcase, waits_without_a_loss);
	tcase_add_test(tcase, waits_longer_with_each_loss);
	tcase_add_test(tcase, failures_are_no_losses);
	tcase_add_test(tcase, forgets_after_a_good_while);
	tcase_add_test(tcase, waits_as_told);
	return suite_main("backoff", tcase);
}
