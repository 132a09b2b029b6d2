/* Grace periods for many: who comes while one is under way needs the next. */
#include "suite.h"
#include "vhost/grace.h"

static struct grace grace;
static uint64_t begun;
static bool busy, over;

static bool source_begin(void *context, uint64_t *token)
{
	ck_assert_ptr_eq(context, &grace);
	if (busy)
		return false;
	*token = ++begun;
	over = false;
	return true;
}

static bool source_over(void *context, uint64_t token)
{
	ck_assert_ptr_eq(context, &grace);
	ck_assert_uint_eq(token, begun);
	return over;
}

static void set_up(void)
{
	grace_init(&grace, &(struct grace_source){&grace, source_begin, source_over});
	begun = 0;
	busy = over = false;
}

START_TEST(one_after_the_other)
{
	uint64_t first = grace_want(&grace), second, third;

	ck_assert_uint_eq(grace_want(&grace), first); /* none has begun yet */
	ck_assert(!grace_is_over(&grace, first));
	ck_assert_uint_eq(begun, 1);
	second = grace_want(&grace);
	ck_assert_uint_ne(second, first);
	ck_assert_uint_eq(grace_want(&grace), second);
	ck_assert(!grace_is_over(&grace, second) && !grace_is_over(&grace, first));
	over = true;
	ck_assert(grace_is_over(&grace, first));
	ck_assert_uint_eq(begun, 2);
	ck_assert(!grace_is_over(&grace, second));
	third = grace_want(&grace);
	over = true;
	ck_assert(grace_is_over(&grace, second) && !grace_is_over(&grace, third));
	over = true;
	ck_assert(!grace_look(&grace));
	ck_assert(grace_is_over(&grace, third));
	ck_assert_uint_eq(begun, 3);
}
END_TEST

START_TEST(others_have_theirs)
{
	uint64_t wanted = grace_want(&grace);

	busy = true;
	ck_assert(grace_look(&grace) && !grace_is_over(&grace, wanted));
	ck_assert_uint_eq(begun, 0);
	/* Nothing has begun, so one more waits for the same. */
	ck_assert_uint_eq(grace_want(&grace), wanted);
	busy = false;
	ck_assert(grace_look(&grace));
	over = true;
	ck_assert(!grace_look(&grace));
	ck_assert(grace_is_over(&grace, wanted));
	ck_assert(!grace_look(&grace));
	ck_assert_uint_eq(begun, 1);
}
END_TEST

/* Whoever wanted it has gone; still it is looked after to its end, for it keeps others waiting. */
START_TEST(looks_go_on)
{
	grace_want(&grace);
	ck_assert(grace_look(&grace) && grace_look(&grace));
	over = true;
	ck_assert(!grace_look(&grace));
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("grace");

	tcase_add_checked_fixture(tcase, set_up, NULL);
	tcase_add_test(tcase, one_after_the_other);
	tcase_add_test(tcase, others_have_theirs);
	tcase_add_test(tcase, looks_go_on);
	return suite_main("grace", tcase);
}
