/* WRAP: log_write_limited */
/* Guests that were told a longer MTU than their VF's: who is warned of it, and how often.
 */
#include <check.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "control_rig.h"
#include "relay/mtu.h"
#include "suite.h"

static unsigned n_lines;
static char last_line[1024];
static struct relay *relay;

void __wrap_log_write_limited(struct log_limit *limit, int severity, const char *format, ...)
        __attribute__((format(printf, 3, 4)));

void __wrap_log_write_limited(struct log_limit *limit, int severity, const char *format, ...)
{
	va_list args;

	ck_assert_ptr_eq(limit, &relay->guest_end.log);
	ck_assert_int_eq(severity, LOG_WARNING);
	va_start(args, format);
	vsnprintf(last_line, sizeof(last_line), format, args);
	va_end(args);
	n_lines++;
}

static void set_up(void)
{
	rig_create(1);
	relay = &rig->relays.relay[3];
	relay->vf_end.vf = rig_vf(3, 0, 1);
	relay->vf_end.vf.mtu = 2100;
	relay->vf_end.phase = VF_ATTACHED;
	snprintf(relay->vf_end.device.name, sizeof(relay->vf_end.device.name), "net_null3");
	rig_guest_set(relay, true, 1, 1);
	relay->guest_end.guest.sessions = 1;
	relay->guest_end.guest.mtu = 9000;
	n_lines = 0;
}

static void tear_down(void)
{
	rig_destroy();
}

static unsigned lines_of_a_look(void)
{
	unsigned before = n_lines;

	mtu_compare(relay);
	mtu_compare(relay);
	return n_lines - before;
}

START_TEST(each_guest_is_warned_of_once)
{
	ck_assert_uint_eq(lines_of_a_look(), 1);
	ck_assert_ptr_nonnull(strstr(last_line, "relay 3: the guest was told an MTU of 9000, and "
	                                        "net_null3 carries 2100"));
	ck_assert_ptr_nonnull(strstr(last_line, "host_mtu="));
	ck_assert_uint_eq(lines_of_a_look(), 0);
	relay->guest_end.guest.sessions++;
	ck_assert_uint_eq(lines_of_a_look(), 1);
	relay->vf_end.vf.mtu = 1500; /* another one, or its PF's has changed */
	ck_assert_uint_eq(lines_of_a_look(), 1);
	relay->guest_end.guest.mtu = 2000;
	ck_assert_uint_eq(lines_of_a_look(), 1);
}
END_TEST

START_TEST(what_fits_is_no_matter)
{
	relay->guest_end.guest.mtu = 2100;
	ck_assert_uint_eq(lines_of_a_look(), 0);
	relay->guest_end.guest.mtu = 0; /* it was told none */
	ck_assert_uint_eq(lines_of_a_look(), 0);
	relay->guest_end.guest.mtu = 2101;
	ck_assert_uint_eq(lines_of_a_look(), 1);
}
END_TEST

/* Whichever end comes last. */
START_TEST(both_ends_have_to_be_there)
{
	relay->vf_end.phase = VF_ATTACHING;
	ck_assert_uint_eq(lines_of_a_look(), 0);
	relay->vf_end.phase = VF_ATTACHED;
	relay->guest_end.guest.connected = false;
	ck_assert_uint_eq(lines_of_a_look(), 0);
	relay->guest_end.guest.connected = true;
	ck_assert_uint_eq(lines_of_a_look(), 1);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("all");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, each_guest_is_warned_of_once);
	tcase_add_test(tcase, what_fits_is_no_matter);
	tcase_add_test(tcase, both_ends_have_to_be_there);
	return suite_main("relay_mtu", tcase);
}
