/* The files of guests' sockets while the daemon runs: what is said of them, once, and when one is
 * opened anew: not while somebody is connected, not twice, and not in a removal's way.
 */
/* WRAP: guest_look guest_reopen log_write_limited */
#include <check.h>
#include <stdarg.h>

#include "relay/sockets.h"
#include "relay_pair_rig.h"
#include "suite.h"

/* --- the socket's file --------------------------------------------------------------------------
 */

static enum socket_name_state found;
static const char *failure;
static bool in_use, reopen_fails;
static unsigned n_looks, n_reopened, n_lines;
static char line[512];

enum socket_name_state __wrap_guest_look(unsigned relay_id, bool used, struct error *err);
int __wrap_guest_reopen(const struct guest_params *params, struct error *err);
void __wrap_log_write_limited(struct log_limit *limit, int severity, const char *format, ...);

enum socket_name_state __wrap_guest_look(unsigned relay_id, bool used, struct error *err)
{
	(void)relay_id;
	n_looks++;
	in_use = used;
	if (found == SOCKET_NAME_FAILED)
		error_set(err, EIO, "%s", failure);
	return found;
}

int __wrap_guest_reopen(const struct guest_params *params, struct error *err)
{
	n_reopened++;
	ck_assert_str_eq(params->path, rig->relays.relay[params->relay_id].guest_end.path);
	if (!reopen_fails) {
		found = SOCKET_NAME_WELL;
		return 0;
	}
	error_set(err, EIO, "no way");
	return -1;
}

void __wrap_log_write_limited(struct log_limit *limit, int severity, const char *format, ...)
{
	va_list args;

	if (limit != &rig->relays.relay[0].guest_end.file.log)
		return;
	(void)severity;
	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	n_lines++;
}

static struct relay *relay;

static void begin(void)
{
	set_up();
	rig->relays.guest_params = (struct guest_params){0};
	found = SOCKET_NAME_WELL;
	failure = "its reason";
	reopen_fails = false;
	n_looks = n_reopened = n_lines = 0;
	line[0] = '\0';
	made(0, "a");
	relay = &rig->relays.relay[0];
}

static void look(enum socket_name_state state)
{
	found = state;
	sockets_look(relay);
}

static void expect_line(unsigned n, const char *text)
{
	ck_assert_uint_eq(n_lines, n);
	ck_assert_msg(strstr(line, text) != NULL, "%s: %s", text, line);
}

/* ------------------------------------------------------------------------------------------------
 */

START_TEST(nothing_is_said_of_what_is_well)
{
	look(SOCKET_NAME_WELL);
	look(SOCKET_NAME_WELL);
	ck_assert_uint_eq(n_looks, 2);
	ck_assert_uint_eq(n_lines, 0);
}
END_TEST

START_TEST(each_mending_is_said)
{
	look(SOCKET_NAME_MENDED);
	expect_line(1, "it is there again, and whoever is connected stays so");
	look(SOCKET_NAME_WELL);
	look(SOCKET_NAME_MENDED);
	look(SOCKET_NAME_MENDED);
	ck_assert_uint_eq(n_lines, 3);
}
END_TEST

START_TEST(other_states_are_said_once)
{
	look(SOCKET_NAME_TAKEN);
	look(SOCKET_NAME_TAKEN);
	expect_line(1, "move that away");
	look(SOCKET_NAME_FAILED);
	look(SOCKET_NAME_FAILED);
	expect_line(2, "its reason");
	failure = "another reason";
	look(SOCKET_NAME_FAILED);
	expect_line(3, "another reason");
	look(SOCKET_NAME_WELL);
	expect_line(4, "is there again");
	ck_assert_uint_eq(n_reopened, 0);
}
END_TEST

START_TEST(a_lost_one_is_opened_anew)
{
	look(SOCKET_NAME_LOST);
	expect_line(1, "it is made anew");
	sockets_look(relay); /* it is under way */
	ck_assert_uint_eq(n_looks, 1);
	works(GUEST);
	ck_assert_uint_eq(n_reopened, 1);
	expect_line(2, "is there again");
	sockets_look(relay);
	ck_assert_uint_eq(n_looks, 2);
	ck_assert(idle(GUEST));
}
END_TEST

START_TEST(not_while_somebody_is_connected)
{
	guest_states[0] = (struct guest_state){.front_end = true}; /* without a driver */
	look(SOCKET_NAME_LOST);
	look(SOCKET_NAME_LOST);
	ck_assert(in_use && idle(GUEST));
	expect_line(1, "whoever is connected stays so");
	guest_states[0].front_end = false;
	look(SOCKET_NAME_LOST);
	ck_assert(!in_use && !idle(GUEST));
	works(GUEST);
	ck_assert_uint_eq(n_reopened, 1);
}
END_TEST

START_TEST(what_fails_is_tried_again_and_said_once)
{
	reopen_fails = true;
	for (unsigned i = 0; i < 3; i++) {
		look(SOCKET_NAME_LOST);
		works(GUEST);
	}
	expect_line(2, "no way");
	reopen_fails = false;
	look(SOCKET_NAME_LOST);
	works(GUEST);
	expect_line(3, "is there again");
	ck_assert_uint_eq(n_reopened, 4);
}
END_TEST

START_TEST(a_removal_meanwhile)
{
	struct answer removal;

	look(SOCKET_NAME_LOST);
	remove_if(false, 0, "a", &removal);
	refusing[0] = true;
	ends_work();
	expect_ok(&removal);
	expect_idle(0);
	ck_assert_uint_eq(n_reopened, 1); /* before it was closed */
	expect_line(1, "it is made anew");
	look(SOCKET_NAME_TAKEN);
	expect_line(1, "");
}
END_TEST

START_TEST(a_new_socket_begins_anew)
{
	look(SOCKET_NAME_TAKEN);
	struct answer removal;

	remove_if(false, 0, "a", &removal);
	ends_work();
	made(0, "b");
	look(SOCKET_NAME_WELL);
	expect_line(1, "");
}
END_TEST

START_TEST(clients_have_no_sockets_of_their_own)
{
	rig_config.vhost_client = true;
	look(SOCKET_NAME_LOST);
	rig_config.vhost_client = false;
	rig->relays.quiesced = true;
	look(SOCKET_NAME_LOST);
	rig->relays.quiesced = false;
	ck_assert_uint_eq(n_looks, 0);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("all");

	tcase_add_checked_fixture(tcase, begin, tear_down);
	tcase_add_test(tcase, nothing_is_said_of_what_is_well);
	tcase_add_test(tcase, each_mending_is_said);
	tcase_add_test(tcase, other_states_are_said_once);
	tcase_add_test(tcase, a_lost_one_is_opened_anew);
	tcase_add_test(tcase, not_while_somebody_is_connected);
	tcase_add_test(tcase, what_fails_is_tried_again_and_said_once);
	tcase_add_test(tcase, a_removal_meanwhile);
	tcase_add_test(tcase, a_new_socket_begins_anew);
	tcase_add_test(tcase, clients_have_no_sockets_of_their_own);
	return suite_main("relay_sockets", tcase);
}
