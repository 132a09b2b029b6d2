/* A look at a word of somebody else's: what it says, and when it says that one has to find out.
 */
#include <check.h>

#include "base/idle_look.h"
#include "suite.h"

static uint16_t words[4];

START_TEST(nothing_is_seen_before_it_is_known_where_to_look)
{
	struct idle_look look = {0};

	idle_look_begin(&look);
	ck_assert(!idle_look_sees_nothing(&look));
	atomic_store(&look.base, words);
	ck_assert(!idle_look_sees_nothing(&look));
	idle_look_set(&look, 0, UINT16_MAX, 0);
	ck_assert(idle_look_sees_nothing(&look));
	atomic_store(&look.base, NULL);
	ck_assert(!idle_look_sees_nothing(&look));
}
END_TEST

START_TEST(only_the_bits_that_count_are_compared)
{
	struct idle_look look = {.base = words};

	idle_look_begin(&look);
	idle_look_set(&look, 3, 0x80, 0x80);
	words[3] = 0xff7f;
	ck_assert(!idle_look_sees_nothing(&look));
	words[3] = 0x80;
	ck_assert(idle_look_sees_nothing(&look));
	words[3] = 0xffff;
	ck_assert(idle_look_sees_nothing(&look));
}
END_TEST

START_TEST(who_wants_something_is_attended_to)
{
	struct idle_look look = {.base = words};

	idle_look_begin(&look);
	idle_look_set(&look, 0, UINT16_MAX, words[0]);
	ck_assert(idle_look_sees_nothing(&look));
	atomic_store(&look.wanted, true);
	ck_assert(!idle_look_sees_nothing(&look));
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("all");

	tcase_add_test(tcase, nothing_is_seen_before_it_is_known_where_to_look);
	tcase_add_test(tcase, only_the_bits_that_count_are_compared);
	tcase_add_test(tcase, who_wants_something_is_attended_to);
	return suite_main("idle_look", tcase);
}
