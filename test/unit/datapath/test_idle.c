/* When a worker sleeps, and how long: by the clock that is passed to it.
 */
#include <check.h>

#include "datapath/idle.h"
#include "suite.h"

#define HZ   UINT64_C(2000000000) /* cycles a second */
#define US   (HZ / 1000000)
#define LONG UINT64_C(1000000000)

static struct idle_policy policy;
static struct idle idle;
static uint64_t now;

static void set_up(void)
{
	policy = idle_policy_of(50, 80, 100, HZ);
	idle_begin(&idle, &policy);
	now = 1000 * US;
}

static uint64_t pass_in_vain(uint64_t us_later)
{
	now += us_later * US;
	return idle_is_due(&idle, &policy, now) ? idle_rest(&idle, &policy) : 0;
}

static void pass_with_work(uint64_t us_later)
{
	now += us_later * US;
	idle.works++;
}

/* Polls in vain until it would sleep; returns after how many microseconds. */
static unsigned polls_on_for(void)
{
	unsigned us = 0;

	ck_assert_uint_eq(pass_in_vain(1), 0);
	while (pass_in_vain(1) == 0)
		ck_assert_uint_lt(us++, 100);
	ck_assert_uint_eq(idle.rest_ns, IDLE_REST_MIN_NS);
	return us + 1;
}

START_TEST(polls_on_for_its_grace_first)
{
	pass_with_work(1);
	ck_assert_uint_eq(pass_in_vain(1), 0);
	ck_assert_uint_eq(pass_in_vain(49), 0);
	ck_assert_uint_eq(pass_in_vain(1), 10000);
}
END_TEST

START_TEST(one_that_never_had_work_has_the_same_grace)
{
	ck_assert_uint_eq(pass_in_vain(1), 0);
	ck_assert_uint_eq(pass_in_vain(49), 0);
	ck_assert_uint_eq(pass_in_vain(1), 10000);
}
END_TEST

START_TEST(sleeps_are_longer_each_time_up_to_the_limit)
{
	pass_with_work(1);
	(void)pass_in_vain(1);
	ck_assert_uint_eq(pass_in_vain(50), 10000);
	ck_assert_uint_eq(pass_in_vain(10), 20000); /* no grace once more: there was nothing */
	ck_assert_uint_eq(pass_in_vain(20), 40000);
	for (int i = 0; i < 100; i++)
		ck_assert_uint_eq(pass_in_vain(80), 80000);
	pass_with_work(80);
	ck_assert_uint_eq(pass_in_vain(1), 0);
	ck_assert_uint_eq(pass_in_vain(50), 10000);
}
END_TEST

START_TEST(work_before_the_graces_end_begins_it_anew)
{
	for (int i = 0; i < 10; i++) {
		pass_with_work(1);
		ck_assert_uint_eq(pass_in_vain(1), 0);
		ck_assert_uint_eq(pass_in_vain(49), 0);
	}
	pass_with_work(1);
	ck_assert_uint_eq(pass_in_vain(1), 0);
	ck_assert_uint_gt(pass_in_vain(50), 0);
}
END_TEST

/* Packets that come one by one, each long after the other, are not waited for in vain. */
START_TEST(the_grace_follows_what_comes_of_it)
{
	static const unsigned falling[] = {25, 12, 10, 10};

	pass_with_work(1);
	pass_with_work(1);
	ck_assert_uint_eq(polls_on_for(), 50);
	for (int i = 0; i < 4; i++) {
		pass_with_work(LONG / HZ);
		(void)polls_on_for(); /* what it was so far */
		ck_assert_uint_eq(idle.grace / US, falling[i]);
	}
	for (unsigned us = 20; us <= 40; us *= 2) { /* two at a time, and it is longer again */
		pass_with_work(1);
		pass_with_work(1);
		(void)polls_on_for();
		ck_assert_uint_eq(idle.grace / US, us);
	}
	pass_with_work(1);
	pass_with_work(1);
	(void)polls_on_for();
	ck_assert_uint_eq(idle.grace / US, 50); /* and no longer than it may be */
}
END_TEST

START_TEST(a_grace_of_nothing)
{
	policy = idle_policy_of(0, 80, 100, HZ);
	idle_begin(&idle, &policy);
	pass_with_work(1);
	ck_assert_uint_eq(pass_in_vain(0), 10000);
	pass_with_work(1);
	pass_with_work(1);
	ck_assert_uint_eq(pass_in_vain(0), 10000);
}
END_TEST

START_TEST(sleeps_shorter_than_the_first_one)
{
	policy = idle_policy_of(50, 3, 100, HZ);
	idle_begin(&idle, &policy);
	(void)pass_in_vain(1);
	ck_assert_uint_eq(pass_in_vain(50), 3000);
	ck_assert_uint_eq(pass_in_vain(3), 3000);
}
END_TEST

START_TEST(never_where_it_is_not_wanted)
{
	static const struct idle_policy none;
	const struct idle_policy policies[] = {none, idle_policy_of(50, 0, 100, HZ)};

	for (int i = 0; i < 2; i++) {
		policy = policies[i];
		idle_begin(&idle, &policy);
		ck_assert_uint_eq(pass_in_vain(1), 0);
		ck_assert_uint_eq(pass_in_vain(LONG), 0);
	}
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("all");

	tcase_add_checked_fixture(tcase, set_up, NULL);
	tcase_add_test(tcase, polls_on_for_its_grace_first);
	tcase_add_test(tcase, one_that_never_had_work_has_the_same_grace);
	tcase_add_test(tcase, sleeps_are_longer_each_time_up_to_the_limit);
	tcase_add_test(tcase, work_before_the_graces_end_begins_it_anew);
	tcase_add_test(tcase, the_grace_follows_what_comes_of_it);
	tcase_add_test(tcase, a_grace_of_nothing);
	tcase_add_test(tcase, sleeps_shorter_than_the_first_one);
	tcase_add_test(tcase, never_where_it_is_not_wanted);
	return suite_main("idle", tcase);
}
