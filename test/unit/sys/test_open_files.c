/* accept4, accept and epoll_create at the end of the descriptors. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"
#include "suite.h"
#include "sys/open_files.h"

#define LIMIT 64

static struct {
	int listener;
	struct sockaddr_un address;
	socklen_t length;
} rig;

static void set_up(void)
{
	struct rlimit limit = {LIMIT, LIMIT};

	log_open(LOG_TO_STDOUT, LOG_EMERG, "test");
	rig.listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
	rig.address.sun_family = AF_UNIX;
	rig.length = sizeof(sa_family_t); /* the kernel chooses an abstract name */
	ck_assert_int_eq(bind(rig.listener, (struct sockaddr *)&rig.address, rig.length), 0);
	rig.length = sizeof(rig.address);
	getsockname(rig.listener, (struct sockaddr *)&rig.address, &rig.length);
	ck_assert_int_eq(listen(rig.listener, LIMIT), 0);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	open_files_prepare();
}

static int client_connect(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&rig.address, rig.length), 0);
	return fd;
}

static bool is_hung_up(int fd)
{
	struct pollfd item = {.fd = fd, .events = POLLIN};

	return poll(&item, 1, 0) == 1 && (item.revents & POLLHUP) != 0;
}

/* Opens files until `left` more may be. */
static void fill(unsigned left)
{
	while (open_files_left() > left)
		ck_assert_int_ge(open("/dev/null", O_RDONLY), 0);
}

START_TEST(what_is_left_is_counted)
{
	unsigned left = open_files_left();
	int fd = open("/dev/null", O_RDONLY);

	ck_assert_uint_eq(open_files_limit(), LIMIT);
	ck_assert_uint_lt(left, LIMIT - 4);
	ck_assert_uint_eq(open_files_left(), left - 1);
	close(fd);
	ck_assert_uint_eq(open_files_left(), left);
}
END_TEST

START_TEST(connections_are_accepted)
{
	int client = client_connect(), fd = accept4(rig.listener, NULL, NULL, SOCK_CLOEXEC);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
	ck_assert_int_eq(accept4(rig.listener, NULL, NULL, 0), -1);
	ck_assert_int_eq(errno, EAGAIN);
	ck_assert(!is_hung_up(client));
}
END_TEST

/* The newcomer goes, and does not stay in the queue. */
START_TEST(without_descriptors_newcomers_are_dropped)
{
	int client = client_connect(), second = client_connect();

	fill(2);
	ck_assert_int_ge(open("/dev/null", O_RDONLY), 0);
	while (open("/dev/null", O_RDONLY) >= 0)
		;
	ck_assert_int_eq(errno, EMFILE);
	for (unsigned i = 0; i < 2; i++) {
		ck_assert_int_eq(accept4(rig.listener, NULL, NULL, 0), -1);
		ck_assert_int_eq(errno, ECONNABORTED);
		ck_assert(is_hung_up(i == 0 ? client : second));
		ck_assert(i == 1 || !is_hung_up(second));
	}
	ck_assert_int_eq(accept4(rig.listener, NULL, NULL, 0), -1);
	close(second);
	client = client_connect();
	close(3 + LIMIT / 2);
	ck_assert_int_ge(accept4(rig.listener, NULL, NULL, 0), 0);
	ck_assert(!is_hung_up(client));
	close_range(3 + LIMIT / 2, LIMIT, 0); /* what watches this process wants some, too */
}
END_TEST

START_TEST(the_last_quarter_is_not_for_clients)
{
	int client = client_connect(), fd;

	fill(LIMIT / 4 - 6);
	open_files_limit_clients(rig.listener);
	ck_assert_int_eq(accept4(rig.listener, NULL, NULL, 0), -1);
	ck_assert_int_eq(errno, ECONNABORTED);
	ck_assert(is_hung_up(client));

	open_files_forget(rig.listener);
	client = client_connect();
	fd = accept4(rig.listener, NULL, NULL, 0);
	ck_assert_int_ge(fd, LIMIT - LIMIT / 4);
	ck_assert(!is_hung_up(client));
	close_range(LIMIT / 2, LIMIT, 0);
}
END_TEST

/* As the vhost library calls it. */
START_TEST(accept_drops_newcomers_too)
{
	int client = client_connect(), fd = accept(rig.listener, NULL, NULL);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(fcntl(fd, F_GETFD), 0);
	ck_assert(!is_hung_up(client));
	client = client_connect();
	fill(1);
	while (open("/dev/null", O_RDONLY) >= 0)
		;
	ck_assert_int_eq(accept(rig.listener, NULL, NULL), -1);
	ck_assert_int_eq(errno, ECONNABORTED);
	ck_assert(is_hung_up(client));
	close_range(3 + LIMIT / 2, LIMIT, 0);
}
END_TEST

/* Lowered under what is open: whoever comes is let go all the same, without the reserve's number
 * being lost. */
START_TEST(a_limit_that_falls)
{
	struct rlimit limit = {rig.listener + 4, LIMIT};
	int client;

	fill(4);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	ck_assert_uint_eq(open_files_limit(), rig.listener + 4);
	ck_assert_uint_eq(open_files_left(), 0);
	limit.rlim_cur = LIMIT;
	for (unsigned i = 0; i < 3; i++) {
		ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
		client = client_connect();
		limit.rlim_cur = rig.listener + 4;
		ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
		limit.rlim_cur = LIMIT;
		ck_assert_int_eq(accept4(rig.listener, NULL, NULL, 0), -1);
		ck_assert_int_eq(errno, ECONNABORTED);
		ck_assert(is_hung_up(client));
	}
	/* Of one that allows nothing at all the newcomer stays, and nothing breaks. */
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	client = client_connect();
	limit.rlim_cur = 0;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	ck_assert_int_eq(accept4(rig.listener, NULL, NULL, 0), -1);
	ck_assert_int_eq(errno, ECONNABORTED);
	limit.rlim_cur = LIMIT;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	ck_assert(!is_hung_up(client));
	close_range(LIMIT / 2, LIMIT, 0);
	ck_assert_int_ge(accept4(rig.listener, NULL, NULL, 0), 0);
}
END_TEST

/* DPDK's interrupt thread closes the one that it has before it makes the next. */
START_TEST(epoll_descriptors_take_the_reserve)
{
	int fd = epoll_create(1);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(epoll_create(0), -1);
	ck_assert_int_eq(errno, EINVAL);
	while (open("/dev/null", O_RDONLY) >= 0)
		;
	int second = epoll_create(1);
	ck_assert_int_ge(second, 0);
	ck_assert_int_eq(epoll_create(1), -1);
	ck_assert_int_eq(errno, EMFILE);
	close(fd);
	fd = epoll_create(1);
	ck_assert_int_ge(fd, 0);
	close_range(LIMIT / 2, LIMIT, 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("open_files");
	TCase *tcase = tcase_create("all");

	tcase_add_checked_fixture(tcase, set_up, NULL);
	tcase_add_test(tcase, what_is_left_is_counted);
	tcase_add_test(tcase, connections_are_accepted);
	tcase_add_test(tcase, without_descriptors_newcomers_are_dropped);
	tcase_add_test(tcase, the_last_quarter_is_not_for_clients);
	tcase_add_test(tcase, accept_drops_newcomers_too);
	tcase_add_test(tcase, a_limit_that_falls);
	tcase_add_test(tcase, epoll_descriptors_take_the_reserve);
	suite_add_tcase(suite, tcase);
	return suite_run(suite, CK_FORK); /* each has its own limit of descriptors */
}
