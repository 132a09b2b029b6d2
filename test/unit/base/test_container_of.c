/* From a member to its struct, wherever the member stands. */
#include <check.h>

#include "base/container_of.h"
#include "suite.h"

struct part {
	int value;
};

struct whole {
	struct part first;
	char between[13];
	struct part later;
	struct part several[3];
};

START_TEST(the_struct_is_found_from_each_of_its_members)
{
	struct whole wholes[2];

	for (int i = 0; i < 2; i++) {
		struct whole *whole = &wholes[i];
		struct part *first = &whole->first, *later = &whole->later;

		ck_assert_ptr_eq(CONTAINER_OF(first, struct whole, first), whole);
		ck_assert_ptr_eq(CONTAINER_OF(later, struct whole, later), whole);
		ck_assert_ptr_eq(CONTAINER_OF(&whole->several[2], struct whole, several[2]), whole);
	}
}
END_TEST

static struct part *next_part(struct part **at)
{
	return (*at)++;
}

START_TEST(an_argument_is_evaluated_once)
{
	struct whole whole;
	struct part *at = &whole.first;

	ck_assert_ptr_eq(CONTAINER_OF(next_part(&at), struct whole, first), &whole);
	ck_assert_ptr_eq(at, &whole.first + 1);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("all");

	tcase_add_test(tcase, the_struct_is_found_from_each_of_its_members);
	tcase_add_test(tcase, an_argument_is_evaluated_once);
	return suite_main("container_of", tcase);
}
