/* poll under a limit of descriptors that is lower than their number. */
#include <check.h>
#include <errno.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/poll_anyhow.h"
#include "suite.h"

#define HIGH 900 /* of which a set has several words */

static int pair[2];

static void set_limit(rlim_t soft)
{
	struct rlimit limit;

	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	limit.rlim_cur = soft;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

static void set_up(void)
{
	set_limit(1024);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	ck_assert_int_eq(dup2(pair[0], HIGH), HIGH);
	close(pair[0]);
	pair[0] = HIGH;
}

static void tear_down(void)
{
	set_limit(1024);
	close(pair[0]);
	close(pair[1]);
}

/* Asks both ways, which answer alike. */
static int ask(struct pollfd *fds, nfds_t n, int timeout_ms)
{
	struct pollfd copy[4];
	int found, again;

	ck_assert_uint_le(n, 4);
	for (nfds_t i = 0; i < n; i++)
		copy[i] = fds[i];
	set_limit(1024);
	found = poll(copy, n, timeout_ms);
	set_limit(0);
	again = poll(fds, n, timeout_ms);
	ck_assert_int_eq(again, found);
	for (nfds_t i = 0; i < n; i++)
		ck_assert_int_eq(fds[i].revents, copy[i].revents & fds[i].events);
	return found;
}

START_TEST(says_the_same)
{
	struct pollfd fds[] = {{.fd = pair[0], .events = POLLIN},
	                       {.fd = -1, .events = POLLIN, .revents = 7},
	                       {.fd = pair[1], .events = POLLOUT | POLLIN}};

	ck_assert_int_eq(ask(fds, 3, 0), 1);
	ck_assert_int_eq(fds[0].revents, 0);
	ck_assert_int_eq(fds[1].revents, 0);
	ck_assert_int_eq(fds[2].revents, POLLOUT);
	ck_assert_int_eq(write(pair[1], "x", 1), 1);
	ck_assert_int_eq(ask(fds, 3, -1), 2);
	ck_assert_int_eq(fds[0].revents, POLLIN);
	ck_assert_int_eq(ask(fds, 1, 10), 1);
	ck_assert_int_eq(ask(fds + 1, 1, 10), 0);
}
END_TEST

START_TEST(an_end_that_hung_up_is_readable)
{
	struct pollfd one = {.fd = pair[0], .events = POLLIN};

	close(pair[1]);
	ck_assert_int_eq(ask(&one, 1, -1), 1);
	ck_assert_int_eq(one.revents, POLLIN);
}
END_TEST

START_TEST(one_that_is_closed_is_told)
{
	struct pollfd fds[] = {{.fd = pair[0], .events = POLLIN},
	                       {.fd = HIGH + 1, .events = POLLIN}};

	set_limit(0);
	ck_assert_int_eq(poll(fds, 2, -1), 1);
	ck_assert_int_eq(fds[0].revents, 0);
	ck_assert_int_eq(fds[1].revents, POLLNVAL);
}
END_TEST

START_TEST(waits_for_nothing)
{
	ck_assert_int_eq(poll(NULL, 0, 5), 0);
	ck_assert_int_eq(poll_by_select(NULL, 0, 5), 0);
}
END_TEST

START_TEST(the_checked_name)
{
	struct pollfd one = {.fd = pair[1], .events = POLLOUT};

	set_limit(0);
	ck_assert_int_eq(__poll_chk(&one, 1, 0, sizeof(one)), 1);
	ck_assert_int_eq(one.revents, POLLOUT);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("poll_anyhow");
	TCase *tcase = tcase_create("all");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, says_the_same);
	tcase_add_test(tcase, an_end_that_hung_up_is_readable);
	tcase_add_test(tcase, one_that_is_closed_is_told);
	tcase_add_test(tcase, waits_for_nothing);
	tcase_add_test(tcase, the_checked_name);
	suite_add_tcase(suite, tcase);
	return suite_run(suite, CK_FORK); /* each has its own limit of descriptors */
}
