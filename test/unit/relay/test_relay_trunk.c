/* WRAP: vf_vlans_change */
/* The guest's VLANs as control sees to them: what is learnt, when the device thread is asked, what
 * is said, and how little a hostile guest can make of it. Lanes, clock and device thread are the
 * test's.
 */
#include <check.h>

#include "control_rig.h"
#include "fake_lone_job.h"
#include "relay/trunk.h"
#include "suite.h"

#define RELAY       3
#define TICK        250 /* ms, as in trunk.c */
#define TICKS_TIMER trunk_timer
#include "fake_ticks.h"

/* --- the device thread -------------------------------------------------------------------------
 */

static struct vlan_set vf_has, room; /* of what is asked for, room is granted */
static unsigned n_asked, at_a_time;
static bool unsupported;

void __wrap_vf_vlans_change(const struct vf *vf, struct vf_vlans_change *change);

void __wrap_vf_vlans_change(const struct vf *vf, struct vf_vlans_change *change)
{
	ck_assert_uint_eq(vf->port_id, 0);
	n_asked++;
	change->removed = change->remove;
	vlan_set_leave(&vf_has, &change->remove);
	change->unsupported = unsupported;
	for (int id = vlan_set_next(&change->add, -1), n = 0; id >= 0 && !unsupported;
	     id = vlan_set_next(&change->add, id)) {
		if (n++ == (int)at_a_time)
			break;
		if (vlan_set_has(&room, (unsigned)id)) {
			vlan_set_add(&change->added, (unsigned)id);
		} else {
			vlan_set_add(&change->refused, (unsigned)id);
			error_set(&change->why, EACCES, "because");
		}
	}
	vlan_set_join(&vf_has, &change->added);
}

/* --- the relay ---------------------------------------------------------------------------------
 */

static struct relay *relay;

static struct vlan_set set_of(const char *text)
{
	struct vlan_set set = {{0}};
	struct error err;

	if (*text != '\0')
		ck_assert_int_eq(vlan_set_parse(text, &set, &err), 0);
	return set;
}

static void attach_vf(void)
{
	relay->vf_end.vf = rig_vf(RELAY, 0, 2);
	relay->vf_end.vf.filters_vlans = true;
	relay->vf_end.phase = VF_ATTACHED;
	/* as vf_life.c does */
	relay->vf_end.trunk.received = relay->vf_end.trunk.refused = (struct vlan_set){{0}};
	vf_has = (struct vlan_set){{0}};
}

static void connect_guest(void)
{
	unsigned sessions = relay->guest_end.guest.sessions + 1;

	rig_guest_set(relay, true, 1, 3);
	relay->guest_end.guest.sessions = sessions;
}

static void disconnect_guest(void)
{
	relay->guest_end.guest.connected = false;
}

/* As the lanes' workers do it. */
static void sends(const char *vlans)
{
	struct vlan_set set = set_of(vlans);

	for (int id = vlan_set_next(&set, -1); id >= 0; id = vlan_set_next(&set, id))
		vlan_set_hear(&relay->lanes.vlans_heard, (unsigned)id);
}

static void tick(void)
{
	clock_ms += TICK;
	on_timer(&rig->relays);
}

/* What is asked is answered. */
static void pass_ms(uint64_t ms)
{
	for (uint64_t end = clock_ms + ms; clock_ms < end;) {
		tick();
		if (submitted != NULL)
			device_works();
	}
}

static void expect_asked(unsigned n)
{
	ck_assert_uint_eq(n_asked, n);
	n_asked = 0;
}

static void expect(const struct vlan_set *set, const char *text)
{
	char found[VLAN_SET_TEXT_MAX];

	ck_assert_str_eq(vlan_set_format(set, found, sizeof(found)), text);
}

/* In the statistics, and the first as the VF has it. */
static void expect_vlans(const char *received, const char *refused)
{
	struct control_relay reading;

	control_relay_read(rig, RELAY, &reading);
	expect(&reading.vlans, received);
	expect(&reading.vlans_refused, refused);
	expect(&vf_has, received);
}

static void set_up(void)
{
	rig_create(1);
	relay = &rig->relays.relay[RELAY];
	submitted = NULL;
	clock_ms = 1000000;
	n_asked = n_warnings = n_notices = n_infos = 0;
	room = set_of("1-4094");
	at_a_time = 4094;
	unsupported = false;
	trunk_start(&rig->relays);
	attach_vf();
	connect_guest();
	tick();
}

static void tear_down(void)
{
	ck_assert_ptr_null(submitted);
	rig_destroy();
}

START_TEST(a_guest_without_vlans)
{
	pass_ms(200000);
	expect_asked(0);
	expect_vlans("", "");
	ck_assert_uint_eq(n_warnings + n_notices + n_infos, 0);
}
END_TEST

START_TEST(its_first_frame_is_enough)
{
	sends("100");
	tick();
	ck_assert_ptr_nonnull(submitted);
	sends("200");
	tick();                               /* one thing at a time */
	relay->vf_end.vf.host.pf_ifindex = 7; /* what control hears meanwhile stays */
	device_works();
	ck_assert_uint_eq(relay->vf_end.vf.host.pf_ifindex, 7);
	expect_vlans("100", "");
	ck_assert_ptr_nonnull(strstr(last_line, "receives frames of VLAN 100 now"));
	pass_ms(TICK);
	expect_vlans("100,200", "");
	expect_asked(2);
	ck_assert_uint_eq(n_notices, 2);
	pass_ms(200000);
	expect_asked(0);
	ck_assert_uint_eq(n_warnings, 0);
}
END_TEST

START_TEST(those_that_were_named)
{
	disconnect_guest();
	rig_config.vlans[RELAY] = set_of("7,9");
	rig_config.vlans[RELAY + 1] = set_of("11");
	pass_ms(TICK);
	expect_vlans("7,9", ""); /* without any guest */
	connect_guest();
	sends("7,8");
	pass_ms(10000);
	expect_vlans("7-9", "");
	disconnect_guest();
	pass_ms(10000);
	expect_vlans("7,9", "");
	ck_assert_uint_eq(n_warnings, 0);
}
END_TEST

START_TEST(forgotten_when_the_guest_goes)
{
	sends("100-110");
	pass_ms(TICK);
	expect_vlans("100-110", "");
	disconnect_guest();
	pass_ms(10000);
	expect_vlans("", "");
	expect_asked(2);
	ck_assert_ptr_nonnull(strstr(last_line, "VLAN 100-110 no more"));
	connect_guest();
	pass_ms(10000);
	expect_vlans("", "");
	sends("5");
	pass_ms(10000);
	expect_vlans("5", "");
}
END_TEST

/* From one look to the next. */
START_TEST(another_guest_meanwhile)
{
	sends("100");
	pass_ms(TICK);
	connect_guest();
	pass_ms(10000);
	expect_vlans("", "");
}
END_TEST

START_TEST(as_many_as_it_likes)
{
	sends("1-4094");
	pass_ms(200000);
	expect_vlans("1-64", "");
	expect_asked(1);
	ck_assert_uint_eq(n_warnings, 1);
	ck_assert_uint_eq(n_notices, 1);
	connect_guest(); /* the next is told of anew, and has its own */
	sends("4000-4094");
	pass_ms(200000);
	expect_vlans("", ""); /* what it sent before anybody looked was the last one's */
	sends("4000-4094");
	pass_ms(200000);
	expect_vlans("4000-4063", "");
	ck_assert_uint_eq(n_warnings, 2);
}
END_TEST

START_TEST(named_ones_go_first)
{
	rig_config.vlans[RELAY] = set_of("1000-1062");
	sends("1-100");
	pass_ms(10000);
	expect_vlans("1,1000-1062", "");
	ck_assert_uint_eq(n_warnings, 1);
}
END_TEST

START_TEST(refusals_are_told_once)
{
	room = set_of("5");
	sends("5,7");
	pass_ms(TICK);
	expect_vlans("5", "7");
	ck_assert_uint_eq(n_warnings, 1);
	ck_assert_ptr_nonnull(strstr(last_line, "receives no frames of VLAN 7: because"));
	expect_asked(1);
	pass_ms(59000);
	expect_asked(0);
	pass_ms(130000); /* it is asked again at times, and nothing is said */
	expect_asked(3);
	sends("8");
	pass_ms(TICK);
	expect_vlans("5", "7-8");
	ck_assert_uint_eq(n_warnings, 1);
	room = set_of("5,7");
	pass_ms(61000);
	expect_vlans("5,7", "8");
	connect_guest();
	pass_ms(10000);
	expect_vlans("", "");
	sends("8");
	pass_ms(TICK);
	ck_assert_uint_eq(n_warnings, 2);
}
END_TEST

/* The host has followed the advice. */
START_TEST(asked_again_when_the_host_has_done_something)
{
	room = set_of("");
	sends("5");
	pass_ms(TICK);
	expect_vlans("", "5");
	room = set_of("5");
	trunk_ask_again(relay);
	pass_ms(TICK);
	expect_vlans("5", "");
	expect_asked(2);
	trunk_ask_again(relay);
	pass_ms(10000);
	expect_asked(0);
}
END_TEST

START_TEST(a_pf_that_is_slow)
{
	at_a_time = 2;
	sends("1-5");
	pass_ms(TICK);
	expect_vlans("1-2", "");
	pass_ms(TICK);
	expect_vlans("1-4", "");
	pass_ms(TICK);
	expect_vlans("1-5", "");
	pass_ms(10000);
	expect_asked(3);
}
END_TEST

START_TEST(a_vf_that_comes_back_is_programmed_again)
{
	sends("5");
	pass_ms(TICK);
	relay->vf_end.phase = VF_LOST;
	pass_ms(10000);
	expect_asked(1);
	attach_vf();
	pass_ms(TICK);
	expect_vlans("5", "");
	expect_asked(1);
}
END_TEST

START_TEST(a_vf_that_has_gone_meanwhile)
{
	sends("5");
	tick();
	relay->vf_end.phase = VF_DETACHING;
	device_works();
	ck_assert_uint_eq(n_notices + n_warnings, 0);
	ck_assert(vlan_set_is_empty(&relay->vf_end.trunk.received));
}
END_TEST

START_TEST(a_vf_that_filters_nothing)
{
	relay->vf_end.vf.filters_vlans = false;
	rig_config.vlans[RELAY] = set_of("7,9");
	sends("5");
	pass_ms(200000);
	expect_asked(0);
	expect_vlans("", "");
	ck_assert_uint_eq(n_warnings + n_notices + n_infos, 0);
}
END_TEST

START_TEST(a_driver_that_cannot)
{
	unsupported = true;
	sends("5");
	pass_ms(200000);
	expect_asked(1);
	expect_vlans("", "");
	ck_assert(rig->replan.raised); /* nobody need listen any more */
	ck_assert_uint_eq(n_warnings + n_notices + n_infos, 0);
}
END_TEST

START_TEST(a_pf_that_is_down)
{
	relay->vf_end.vf.host.needs_pf = true;
	sends("5");
	pass_ms(10000);
	expect_asked(0);
	relay->vf_end.vf.host.pf_up = true;
	pass_ms(TICK);
	expect_asked(1);
}
END_TEST

/* A guest that comes and goes with all its VLANs keeps the device thread from nobody's work. */
START_TEST(a_hostile_guest_wears_itself_out)
{
	for (int i = 0; i < 4 * 600; i++) {
		connect_guest();
		tick();
		sends("1-4094");
		if (submitted != NULL)
			device_works();
	}
	ck_assert_uint_lt(n_asked, 40);
	n_asked = 0;
	pass_ms(600000); /* and has what it wants when it settles down */
	expect_vlans("1-64", "");
	connect_guest();
	tick();
	sends("5");
	pass_ms(1000 + TICK); /* all is forgotten */
	expect_vlans("5", "");
}
END_TEST

START_TEST(lanes_listen_where_it_matters)
{
	unsigned worker;

	relay->vf_end.vf.filters_vlans = false;
	relay_changed(relay);
	rig_turn_ends();
	const struct lane_work *work = rig_find(&relay->lanes.vm_to_vf[1], &worker);
	ck_assert(work->run == burst_vm_to_vf && work->vlans == NULL);
	relay->vf_end.vf.filters_vlans = true;
	relay_changed(relay);
	rig_turn_ends();
	work = rig_find(&relay->lanes.vm_to_vf[1], &worker);
	ck_assert(work->run == burst_vm_to_vf_vlans);
	ck_assert_ptr_eq(work->vlans, &relay->lanes.vlans_heard);
	relay->vf_end.vf.needs_tx_polls = true;
	relay_changed(relay);
	rig_turn_ends();
	work = rig_find(&relay->lanes.vm_to_vf[1], &worker);
	ck_assert(work->run == burst_vm_to_lacp && work->vlans == &relay->lanes.vlans_heard);
}
END_TEST

START_TEST(nothing_begins_in_a_shutdown)
{
	sends("5");
	rig->relays.quiesced = true;
	tick();
	expect_asked(0);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("all");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, a_guest_without_vlans);
	tcase_add_test(tcase, its_first_frame_is_enough);
	tcase_add_test(tcase, those_that_were_named);
	tcase_add_test(tcase, forgotten_when_the_guest_goes);
	tcase_add_test(tcase, another_guest_meanwhile);
	tcase_add_test(tcase, as_many_as_it_likes);
	tcase_add_test(tcase, named_ones_go_first);
	tcase_add_test(tcase, refusals_are_told_once);
	tcase_add_test(tcase, asked_again_when_the_host_has_done_something);
	tcase_add_test(tcase, a_pf_that_is_slow);
	tcase_add_test(tcase, a_vf_that_comes_back_is_programmed_again);
	tcase_add_test(tcase, a_vf_that_has_gone_meanwhile);
	tcase_add_test(tcase, a_vf_that_filters_nothing);
	tcase_add_test(tcase, a_driver_that_cannot);
	tcase_add_test(tcase, a_pf_that_is_down);
	tcase_add_test(tcase, a_hostile_guest_wears_itself_out);
	tcase_add_test(tcase, lanes_listen_where_it_matters);
	tcase_add_test(tcase, nothing_begins_in_a_shutdown);
	return suite_main("relay_trunk", tcase);
}
