/* What outlives the daemon: who wins where the saved state, the configuration and OVSDB disagree.
 */
#include <check.h>

#include "saved_rig.h"
#include "suite.h"

/* --- who wins -----------------------------------------------------------------------------------
 */

#define NONE (-1)

/* Saved: relay 3 has net_null1. The configuration has a static VF, and a row of OVSDB's asks. */
static const struct {
	const char *name;
	int static_relay, static_device;
	bool asked; /* a client has asked for it since the restart */
	int row_relay, row_device;
	const char *relays, *saved;
} precedence[] = {
        {"nothing else", NONE, NONE, false, NONE, NONE, "3=net_null1", "3=net_null1"},
        {"the same, static", 3, 1, false, NONE, NONE, "3=net_null1#", ""},
        {"another device, static", 3, 2, false, NONE, NONE, "3=net_null2#", ""},
        {"another relay, static", 4, 1, false, NONE, NONE, "4=net_null1#", ""},
        {"nothing to do with it, static", 4, 2, false, NONE, NONE, "3=net_null1 4=net_null2#",
         "3=net_null1"},
        {"the same, OVSDB", NONE, NONE, false, 3, 1, "3=net_null1!", ""},
        {"another device, OVSDB", NONE, NONE, false, 3, 2, "3=net_null2!", ""},
        {"another relay, OVSDB", NONE, NONE, false, 4, 1, "4=net_null1!", ""},
        {"nothing to do with it, OVSDB", NONE, NONE, false, 4, 2, "3=net_null1 4=net_null2!",
         "3=net_null1"},
        {"the same, OVSDB, asked", NONE, NONE, true, 3, 1, "3=net_null1", "3=net_null1"},
        {"another device, OVSDB, asked", NONE, NONE, true, 3, 2, "3=net_null1", "3=net_null1"},
        {"another relay, OVSDB, asked", NONE, NONE, true, 4, 1, "3=net_null1", "3=net_null1"},
        {"the configuration before OVSDB", 3, 2, false, 3, 1, "3=net_null2#", ""},
        {"the configuration takes one, OVSDB the other", 4, 1, false, 3, 2,
         "3=net_null2! 4=net_null1#", ""},
};

START_TEST(who_wins)
{
	struct answer answer;

	add(3, 1);
	if (precedence[_i].static_relay != NONE) {
		rig_config.n_static_vfs = 1;
		rig_config.static_vfs[0].relay_id = (unsigned)precedence[_i].static_relay;
		name_device(precedence[_i].static_device, &rig_config.static_vfs[0].device);
	}
	restart();
	if (precedence[_i].asked) {
		ask_add(&answer, VF_ORIGIN_CLIENT, 3, 1, false);
		settle();
		expect_ok(&answer);
	}
	/* OVSDB's side asks until it gets what it wants. */
	for (int i = 0; precedence[_i].row_relay != NONE && i < 3; i++) {
		ask_add(&answer, VF_ORIGIN_OVSDB, (unsigned)precedence[_i].row_relay,
		        precedence[_i].row_device, true);
		settle();
	}
	settle();
	expect_relays(precedence[_i].relays);
	expect_saved(precedence[_i].saved);
}
END_TEST

/* While it still waits for its device, too. */
START_TEST(ovsdb_takes_over_what_is_missing)
{
	struct answer answer;

	add(3, 1);
	attach_fails = true;
	restart();
	settle();
	attach_fails = false;
	ask_add(&answer, VF_ORIGIN_OVSDB, 3, 2, true);
	settle();
	expect_ok(&answer); /* there is nothing to give back first */
	expect_relays("3=net_null2!");
	ck_assert_uint_eq(n_detaches, 0);
}
END_TEST

/* Without a pause for the guest. */
START_TEST(ovsdb_adopts_without_detaching)
{
	struct answer answer;

	add(3, 1);
	restart();
	settle();
	ask_add(&answer, VF_ORIGIN_OVSDB, 3, 1, true);
	settle();
	expect_ok(&answer);
	ck_assert_uint_eq(n_attaches, 1);
	ck_assert_uint_eq(n_detaches, 0);
}
END_TEST

START_TEST(what_was_made_the_other_way_is_left_out)
{
	add(3, 1);
	rig_config.dynamic_sockets = true;
	restart();
	settle();
	expect_relays("");
	expect_saved("");
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("all");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_loop_test(tcase, who_wins, 0, sizeof(precedence) / sizeof(precedence[0]));
	tcase_add_test(tcase, ovsdb_takes_over_what_is_missing);
	tcase_add_test(tcase, ovsdb_adopts_without_detaching);
	tcase_add_test(tcase, what_was_made_the_other_way_is_left_out);
	return suite_main("saved_precedence", tcase);
}
