/* Which kind of guest end is used: the one that the configuration names, and it can name no other
 * than those that there are.
 */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "config/schema.h"
#include "guest/guest.h"
#include "suite.h"

static void on_event(void *context, unsigned relay_id)
{
	(void)context;
	(void)relay_id;
}

static int init(const char *kind, struct error *err)
{
	const struct guest_user user = {.on_event = on_event};

	return guest_init(kind, &user, err);
}

START_TEST(unknown_kinds_are_refused)
{
	static const char *const kinds[] = {"", "dpd", "dpdk ", "DPDK", "own,dpdk"};
	struct error err;

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		ck_assert_int_eq(init(kinds[i], &err), -EINVAL);
		ck_assert_ptr_nonnull(strstr(err.text, "there is: own, dpdk"));
	}
}
END_TEST

/* What the configuration's table lets through is there. */
START_TEST(each_choice_is_a_kind)
{
	char choices[256], *rest = choices + 1, *choice;
	struct error err;
	unsigned n = 0;

	snprintf(choices, sizeof(choices), "%s", schema_find_option("guest-backend")->argument);
	choices[strlen(choices) - 1] = '\0'; /* the brace */
	while ((choice = strsep(&rest, ",")) != NULL) {
		ck_assert_msg(init(choice, &err) == 0, "%s: %s", choice, err.text);
		n++;
	}
	ck_assert_int_eq(init("?", &err), -EINVAL);
	for (choice = strstr(err.text, "is: "); choice != NULL; choice = strchr(choice + 1, ','))
		n--;
	ck_assert_uint_eq(n, 0);
}
END_TEST

/* Nothing is open before the choice, so there is nothing to close. */
START_TEST(closing_before_the_start)
{
	for (unsigned i = 0; i < RELAYS_MAX; i++) {
		guest_refuse(i);
		guest_unlink(i);
		guest_close(i);
	}
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("all");

	tcase_add_test(tcase, closing_before_the_start);
	tcase_add_test(tcase, unknown_kinds_are_refused);
	tcase_add_test(tcase, each_choice_is_a_kind);
	return suite_main("guest", tcase);
}
