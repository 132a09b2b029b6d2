/* A VF's RSS table as control has it follow the guest's queues: when the device thread is asked,
 * and for what. The device thread is the test's: nothing happens before it says so.
 */
/* WRAP: vf_rss_spread */
#include <check.h>

#include "control_rig.h"
#include "fake_lone_job.h"
#include "suite.h"

#define RELAY 3
#define PORT  5

static unsigned n_asked, spread_over;
static int answer;

int __wrap_vf_rss_spread(const struct vf *vf, unsigned guest_queues);

int __wrap_vf_rss_spread(const struct vf *vf, unsigned guest_queues)
{
	ck_assert_uint_eq(vf->port_id, PORT);
	n_asked++;
	spread_over = guest_queues;
	return answer;
}

static struct relay *relay;

static void set_up(void)
{
	submitted = NULL;
	n_asked = spread_over = 0;
	answer = 1;
	rig_create(2);
	relay = &rig->relays.relay[RELAY];
	relay->vf_end.vf = rig_vf(RELAY, PORT, 4);
	relay->vf_end.vf.has_rss = true;
	relay->vf_end.phase = VF_ATTACHED;
}

static void tear_down(void)
{
	ck_assert_ptr_null(submitted);
	rig_destroy();
}

static void guest_has(uint32_t queues)
{
	rig_guest_set(relay, queues != 0, queues, queues);
	rss_follow_all();
}

static void expect_spread(unsigned guest_queues)
{
	device_works();
	ck_assert_uint_eq(spread_over, guest_queues);
	ck_assert_ptr_null(submitted);
	rss_follow_all(); /* that was it */
	ck_assert_ptr_null(submitted);
}

START_TEST(follows_the_guest)
{
	guest_has(0); /* as it was attached */
	guest_has(0xf);
	ck_assert_ptr_null(submitted);
	guest_has(0x3);
	answer = 2;
	expect_spread(2);
	ck_assert_uint_eq(relay->vf_end.rss.vf_queues, 2);
	guest_has(0x3f);
	answer = 4;
	expect_spread(6);
	ck_assert_uint_eq(relay->vf_end.rss.vf_queues, 4);
	guest_has(0); /* it leaves */
	expect_spread(4);
	ck_assert_uint_eq(n_asked, 3);
}
END_TEST

/* One job at a time, and only the last wish counts. */
START_TEST(changes_come_faster_than_the_device)
{
	guest_has(0x1);
	for (unsigned queues = 2; queues <= 8; queues++)
		guest_has((1U << queues) - 1);
	device_works();
	ck_assert_uint_eq(spread_over, 1);
	expect_spread(8);
	ck_assert_uint_eq(n_asked, 2);

	guest_has(0x1);
	guest_has(0xff); /* and back, before anything has happened */
	device_works();
	expect_spread(8);
}
END_TEST

START_TEST(a_refusal_is_not_asked_for_again)
{
	answer = -ENOTSUP;
	guest_has(0x3);
	expect_spread(2);
	ck_assert_uint_eq(relay->vf_end.rss.vf_queues, 0);
	guest_has(0x1);
	expect_spread(1);
	ck_assert_uint_eq(n_asked, 2);
}
END_TEST

START_TEST(leaves_other_vfs_alone)
{
	relay->vf_end.vf.has_rss = false;
	guest_has(0x1);
	relay->vf_end.vf.has_rss = true;
	relay->vf_end.phase = VF_DETACHING;
	guest_has(0x1);
	relay->vf_end.phase = VF_ABSENT;
	guest_has(0x1);
	ck_assert_ptr_null(submitted);
}
END_TEST

START_TEST(the_vf_leaves_meanwhile)
{
	guest_has(0x1);
	relay->vf_end.phase = VF_LEAVING;
	guest_has(0x3);
	device_works();
	ck_assert_uint_eq(relay->vf_end.rss.vf_queues, 0);
	ck_assert_uint_eq(relay->vf_end.rss.set_up_for, 0);
	rss_follow_all();
	ck_assert_ptr_null(submitted);
	relay->vf_end.phase = VF_ATTACHED; /* the next one */
	rss_follow_all();
	expect_spread(2);
}
END_TEST

START_TEST(nothing_more_at_the_end)
{
	guest_has(0x1);
	rig->relays.quiesced = true;
	guest_has(0x3);
	device_works();
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("all");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, follows_the_guest);
	tcase_add_test(tcase, changes_come_faster_than_the_device);
	tcase_add_test(tcase, a_refusal_is_not_asked_for_again);
	tcase_add_test(tcase, leaves_other_vfs_alone);
	tcase_add_test(tcase, the_vf_leaves_meanwhile);
	tcase_add_test(tcase, nothing_more_at_the_end);
	return suite_main("relay_rss", tcase);
}
