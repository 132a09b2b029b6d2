/* WRAP: vf_mac_set log_write */
/* The guest's MAC address as control sees to it: what is learnt, when the device thread is asked,
 * and how little a hostile guest can make of it. Lanes, clock and device thread are the test's.
 */
#include <check.h>
#include <stdarg.h>

#include "control_rig.h"
#include "fake_lone_job.h"
#include "suite.h"

#define RELAY       3
#define TICK        250 /* ms, as in relay_mac.c */
#define TICKS_TIMER mac_timer
#include "fake_ticks.h"

/* --- the log of what has no limit ----------------------------------------------------------------
 */

void __wrap_log_write(int severity, const char *format, ...);

void __wrap_log_write(int severity, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	ticks_note(severity, format, args);
	va_end(args);
}

/* --- the device thread --------------------------------------------------------------------------
 */

static unsigned n_asked;
static enum vf_mac_outcome answer;
static struct ether_addr asked_for;
static bool asked_to_program;

enum vf_mac_outcome __wrap_vf_mac_set(struct vf *vf, const struct ether_addr *mac, bool may_program,
                                      struct error *why);

enum vf_mac_outcome __wrap_vf_mac_set(struct vf *vf, const struct ether_addr *mac, bool may_program,
                                      struct error *why)
{
	n_asked++;
	asked_for = *mac;
	asked_to_program = may_program;
	*why = (struct error){0};
	if (answer == VF_MAC_PROGRAMMED || answer == VF_MAC_UNCONFIRMED)
		vf->mac = *mac;
	if (answer == VF_MAC_UNCONFIRMED || answer == VF_MAC_DECLINED)
		error_set(why, EACCES, "because");
	return answer;
}

/* --- the relay ----------------------------------------------------------------------------------
 */

static const struct ether_addr own = {{2, 0, 0, 0, 0, 1}}, guests = {{2, 0, 0, 0, 0, 2}},
                               others = {{0xfe, 0xdc, 0xba, 0x98, 0x76, 0x54}};
static struct relay *relay;

static void attach_vf(void)
{
	relay->vf_end.vf = rig_vf(RELAY, 0, 2);
	relay->vf_end.vf.mac = own;
	relay->vf_end.phase = VF_ATTACHED;
	relay->vf_end.mac.asked = false; /* as relay_vf.c does */
}

static void connect_guest(void)
{
	unsigned sessions = relay->guest_end.guest.sessions + 1;

	rig_guest_set(relay, true, 1, 3);
	relay->guest_end.guest.sessions = sessions;
}

/* As the lane's worker does it. */
static void speaks_on(unsigned lane, const struct ether_addr *mac)
{
	uint64_t word = LANE_HEARD;

	if (relay->lanes.vm_to_vf[lane].heard != 0)
		return;
	for (unsigned i = 0; i < RTE_ETHER_ADDR_LEN; i++)
		word |= (uint64_t)mac->ether_addr_octet[i] << (8 * (RTE_ETHER_ADDR_LEN - 1 - i));
	relay->lanes.vm_to_vf[lane].heard = word;
}

static void speaks(const struct ether_addr *mac)
{
	speaks_on(0, mac);
}

static void tick(void)
{
	clock_ms += TICK;
	on_timer(&rig->relays);
}

/* Ticks for so long, with the guest using that address all the time; what is asked is answered. */
static void pass_ms(uint64_t ms, const struct ether_addr *mac)
{
	for (uint64_t end = clock_ms + ms; clock_ms < end;) {
		if (mac != NULL)
			speaks(mac);
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

static void expect_guest(const struct ether_addr *mac)
{
	struct control_relay reading;

	control_relay_read(rig, RELAY, &reading);
	ck_assert(reading.has_guest_mac == (mac != NULL));
	if (mac != NULL)
		ck_assert_mem_eq(reading.guest_mac, mac, 6);
}

static void set_up(void)
{
	rig_create(1);
	relay = &rig->relays.relay[RELAY];
	submitted = NULL;
	clock_ms = 1000000;
	n_asked = n_warnings = n_notices = 0;
	answer = VF_MAC_PROGRAMMED;
	rig_config.sync_mac = true;
	mac_start(&rig->relays);
	attach_vf();
	connect_guest();
	tick();
}

static void tear_down(void)
{
	ck_assert_ptr_null(submitted);
	rig_destroy();
}

START_TEST(a_guest_with_the_vfs_address)
{
	expect_guest(NULL);
	pass_ms(100000, &own);
	expect_asked(0);
	expect_guest(&own);
	ck_assert_uint_eq(n_warnings + n_notices, 0);
}
END_TEST

START_TEST(a_silent_guest)
{
	pass_ms(100000, NULL);
	expect_asked(0);
	expect_guest(NULL);
}
END_TEST

START_TEST(its_first_frame_is_enough)
{
	speaks(&guests);
	tick();
	ck_assert_ptr_nonnull(submitted);
	tick();                               /* one thing at a time */
	relay->vf_end.vf.host.pf_ifindex = 7; /* what control hears meanwhile stays */
	device_works();
	ck_assert_uint_eq(relay->vf_end.vf.host.pf_ifindex, 7);
	expect_asked(1);
	ck_assert(asked_to_program);
	ck_assert(vf_mac_equal(&asked_for, &guests));
	ck_assert(vf_mac_equal(&relay->vf_end.vf.mac, &guests));
	ck_assert_uint_eq(n_notices, 1);
	ck_assert_ptr_nonnull(
	        strstr(last_line, "02:00:00:00:00:02 instead of its 02:00:00:00:00:01"));
	expect_guest(&guests);
	pass_ms(100000, &guests);
	expect_asked(0);
}
END_TEST

START_TEST(all_bits_of_an_address_count)
{
	speaks_on(GUEST_QUEUES_MAX - 1, &others); /* on whichever lane */
	tick();
	device_works();
	ck_assert(vf_mac_equal(&asked_for, &others));
	expect_asked(1);
}
END_TEST

START_TEST(an_unconfirmed_answer_is_told)
{
	answer = VF_MAC_UNCONFIRMED;
	pass_ms(100000, &guests);
	expect_asked(1);
	ck_assert_uint_eq(n_notices, 1);
	ck_assert_ptr_nonnull(strstr(last_line, "; because"));
}
END_TEST

START_TEST(warned_once_a_guest)
{
	rig_config.sync_mac = false;
	answer = VF_MAC_DECLINED;
	pass_ms(300000, &guests);
	ck_assert(!asked_to_program);
	ck_assert_uint_eq(n_asked, 5); /* once a minute */
	ck_assert_uint_eq(n_warnings, 1);
	expect_guest(&guests);

	connect_guest();
	pass_ms(60000, &guests);
	ck_assert_uint_eq(n_warnings, 2);
}
END_TEST

START_TEST(advice_that_was_taken)
{
	answer = VF_MAC_DECLINED;
	pass_ms(10000, &guests);
	answer = VF_MAC_PROGRAMMED;
	pass_ms(60000, &guests);
	expect_asked(2);
	ck_assert_uint_eq(n_warnings, 1);
	ck_assert_uint_eq(n_notices, 1);
}
END_TEST

START_TEST(nothing_is_said_where_nothing_is_needed)
{
	answer = VF_MAC_NOT_NEEDED;
	pass_ms(100000, &guests);
	expect_asked(2);
	ck_assert_uint_eq(n_warnings + n_notices, 0);
}
END_TEST

/* Machines behind the guest. */
START_TEST(the_vfs_address_beside_others)
{
	for (unsigned i = 0; i < 400; i++) {
		speaks(i % 8 == 0 ? &own : i % 2 == 0 ? &guests : &others);
		tick();
	}
	expect_asked(0);
	expect_guest(&own);

	for (unsigned i = 0; i < 8; i++) {
		speaks_on(0, &guests);
		speaks_on(1, &own);
		tick();
		speaks_on(0, &own);
		speaks_on(1, &guests);
		tick();
	}
	expect_asked(0);
}
END_TEST

/* A word from them now and then, in a long silence of the guest's. */
START_TEST(strangers_that_are_heard_at_times)
{
	for (unsigned i = 0; i < 10; i++) {
		pass_ms(TICK, &own);
		pass_ms(10000, NULL);
		for (unsigned k = 0; k < 3; k++) {
			pass_ms(TICK, &guests);
			pass_ms(4000, NULL);
		}
	}
	expect_asked(0);
	expect_guest(&own);
}
END_TEST

/* The first that was heard was a stranger. */
START_TEST(finds_the_address_that_is_used_most)
{
	pass_ms(TICK, &others);
	expect_asked(1);
	pass_ms(2000, &guests);
	expect_asked(1);
	for (unsigned i = 0; i < 20; i++) {
		pass_ms(TICK, &others);
		pass_ms(4000, NULL);
		pass_ms(TICK, &guests);
	}
	expect_asked(0);
	ck_assert(vf_mac_equal(&relay->vf_end.vf.mac, &guests));
}
END_TEST

START_TEST(a_guest_that_changes_its_address)
{
	pass_ms(10000, &own);
	pass_ms(2500, &guests); /* may be a machine behind it */
	expect_asked(0);
	pass_ms(1000, &guests);
	expect_asked(1);
	ck_assert(vf_mac_equal(&relay->vf_end.vf.mac, &guests));
	pass_ms(10000, &own);
	expect_asked(1);
	ck_assert(vf_mac_equal(&relay->vf_end.vf.mac, &own));
}
END_TEST

/* A new address in every frame for an hour, and reconnecting to be taken for new. */
START_TEST(a_hostile_guest_wears_itself_out)
{
	struct ether_addr mac = guests;
	unsigned first_minute = 0;

	for (unsigned i = 0; i < 4 * 3600; i++) {
		mac.ether_addr_octet[4] = (uint8_t)(i >> 8);
		mac.ether_addr_octet[5] = (uint8_t)i;
		if (_i == 1 && i % 3 == 0)
			connect_guest();
		pass_ms(TICK, &mac);
		if (i == 4 * 60)
			first_minute = n_asked;
	}
	ck_assert_uint_le(first_minute, 8);
	ck_assert_uint_gt(n_asked, 30);
	ck_assert_uint_le(n_asked, 8 + 3600 / 64);
	ck_assert_uint_eq(n_notices, n_asked);
	n_asked = 0;

	/* In the end it is believed again. */
	pass_ms(3700 + 64000, &own);
	expect_asked(1);
	pass_ms(600000, &own);
	pass_ms(4000, &guests);
	expect_asked(1);
	pass_ms(4000, &others);
	expect_asked(1);
}
END_TEST

START_TEST(a_hostile_guest_is_warned_of_at_times)
{
	struct ether_addr mac = guests;

	answer = VF_MAC_DECLINED;
	for (unsigned i = 0; i < 4 * 600; i++) {
		mac.ether_addr_octet[5] = (uint8_t)i;
		connect_guest();
		pass_ms(2 * TICK, &mac);
	}
	ck_assert_uint_ge(n_warnings, 1);
	ck_assert_uint_le(n_warnings, 8 + 1200 / 64);
}
END_TEST

START_TEST(the_next_guests_address_is_its_own)
{
	speaks(&guests);
	connect_guest(); /* before that was heard */
	tick();
	expect_asked(0);
	expect_guest(NULL);
	speaks(&own);
	tick();
	expect_guest(&own);

	rig_guest_set(relay, false, 0, 0);
	expect_guest(NULL);
	speaks(&guests);
	tick();
	expect_asked(0);
}
END_TEST

START_TEST(a_vf_that_comes_back_is_programmed_again)
{
	pass_ms(10000, &guests);
	expect_asked(1);
	relay->vf_end.phase = VF_LOST;
	pass_ms(1000, NULL);
	attach_vf();
	ck_assert(vf_mac_equal(&relay->vf_end.vf.mac, &own));
	pass_ms(TICK, NULL); /* it need not say it again */
	expect_asked(1);
	ck_assert(vf_mac_equal(&relay->vf_end.vf.mac, &guests));
}
END_TEST

START_TEST(what_was_declined_may_do_with_the_next_vf)
{
	answer = VF_MAC_DECLINED;
	pass_ms(10000, &guests);
	expect_asked(1);
	attach_vf();
	pass_ms(TICK, NULL);
	expect_asked(1);
	ck_assert_uint_eq(n_warnings, 1);
}
END_TEST

START_TEST(a_vf_that_comes_after_the_guest)
{
	relay->vf_end.phase = VF_ABSENT;
	pass_ms(1000, &guests);
	expect_guest(&guests);
	expect_asked(0);
	attach_vf();
	pass_ms(TICK, NULL);
	expect_asked(1);
}
END_TEST

START_TEST(a_vf_that_has_gone_meanwhile)
{
	speaks(&guests);
	tick();
	relay->vf_end.phase = VF_LEAVING;
	device_works();
	expect_asked(1);
	ck_assert_uint_eq(n_notices, 0);
	ck_assert(vf_mac_equal(&relay->vf_end.vf.mac, &own));
	attach_vf();
	pass_ms(TICK, NULL);
	expect_asked(1);
}
END_TEST

START_TEST(no_guest_takes_anothers_address)
{
	struct relay *victim = &rig->relays.relay[RELAY + 1];

	victim->vf_end.vf = rig_vf(RELAY + 1, 1, 1);
	victim->vf_end.vf.mac = others;
	victim->vf_end.phase = VF_ATTACHED;
	rig_guest_set(victim, true, 1, 1);
	victim->guest_end.guest.sessions = 1;
	tick();
	victim->lanes.vm_to_vf[0].heard = LANE_HEARD | 0xfedcba987654; /* and not a word more */
	tick();
	pass_ms(100000, &others);
	expect_asked(0);
	ck_assert_uint_eq(n_warnings, 1);
	ck_assert_ptr_nonnull(strstr(last_line, "relay 4's guest"));

	/* Until it has gone. */
	rig_guest_set(victim, false, 0, 0);
	pass_ms(TICK, &others);
	expect_asked(1);
	ck_assert(vf_mac_equal(&relay->vf_end.vf.mac, &others));
}
END_TEST

START_TEST(nothing_begins_in_a_shutdown)
{
	speaks(&guests);
	rig->relays.quiesced = true;
	tick();
	expect_asked(0);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("all");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, a_guest_with_the_vfs_address);
	tcase_add_test(tcase, a_silent_guest);
	tcase_add_test(tcase, its_first_frame_is_enough);
	tcase_add_test(tcase, all_bits_of_an_address_count);
	tcase_add_test(tcase, an_unconfirmed_answer_is_told);
	tcase_add_test(tcase, warned_once_a_guest);
	tcase_add_test(tcase, advice_that_was_taken);
	tcase_add_test(tcase, nothing_is_said_where_nothing_is_needed);
	tcase_add_test(tcase, the_vfs_address_beside_others);
	tcase_add_test(tcase, strangers_that_are_heard_at_times);
	tcase_add_test(tcase, finds_the_address_that_is_used_most);
	tcase_add_test(tcase, a_guest_that_changes_its_address);
	tcase_add_loop_test(tcase, a_hostile_guest_wears_itself_out, 0, 2);
	tcase_add_test(tcase, a_hostile_guest_is_warned_of_at_times);
	tcase_add_test(tcase, the_next_guests_address_is_its_own);
	tcase_add_test(tcase, a_vf_that_comes_back_is_programmed_again);
	tcase_add_test(tcase, what_was_declined_may_do_with_the_next_vf);
	tcase_add_test(tcase, a_vf_that_comes_after_the_guest);
	tcase_add_test(tcase, a_vf_that_has_gone_meanwhile);
	tcase_add_test(tcase, no_guest_takes_anothers_address);
	tcase_add_test(tcase, nothing_begins_in_a_shutdown);
	return suite_main("relay_mac", tcase);
}
