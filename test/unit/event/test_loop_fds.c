/* File descriptors of the event loop: many of them, sockets that take no more, changes of what is
 * waited for, numbers that come back with another descriptor in the same turn.
 */
#include <sys/socket.h>

#include "loop_rig.h"

/* More than there is room for at first, more than one turn fetches, and all of them ready. */
#define MANY 600

static int many_fds[MANY];
static unsigned many_calls[MANY];

static void on_one_of_many(void *context)
{
	unsigned *count = context;
	uint64_t value;

	++*count;
	ck_assert_int_eq(read(many_fds[count - many_calls], &value, sizeof(value)), sizeof(value));
}

START_TEST(as_many_descriptors_as_there_are)
{
	uint64_t one = 1;

	for (unsigned i = 0; i < MANY; i++) {
		many_fds[i] = eventfd(0, EFD_NONBLOCK);
		ck_assert_int_eq(loop_add_fd(loop, many_fds[i], LOOP_READABLE, on_one_of_many,
		                             &many_calls[i]),
		                 0);
		ck_assert_int_eq(write(many_fds[i], &one, sizeof(one)), sizeof(one));
	}
	run_for(100);
	for (unsigned i = 0; i < MANY; i++) {
		ck_assert_uint_eq(many_calls[i], 1);
		loop_remove_fd(loop, many_fds[i]);
		ck_assert_int_eq(write(many_fds[i], &one, sizeof(one)), sizeof(one));
	}
	run_for(20);
	for (unsigned i = 0; i < MANY; i++) {
		ck_assert_uint_eq(many_calls[i], 1);
		close(many_fds[i]);
	}
}
END_TEST

/* One that is always ready must not keep those waiting that no longer fit into a turn. */
START_TEST(eager_descriptors_starve_nobody)
{
	uint64_t one = 1;
	unsigned eager = 0;

	for (unsigned i = 0; i < MANY; i++) {
		many_fds[i] = eventfd(1, EFD_NONBLOCK);
		ck_assert_int_eq(loop_add_fd(loop, many_fds[i], LOOP_READABLE, on_count,
		                             (void *)&numbers[0]),
		                 0);
	}
	ck_assert_int_eq(loop_add_fd(loop, fds[1], LOOP_READABLE, on_fd_1, NULL), 0);
	ck_assert_int_eq(write(fds[1], &one, sizeof(one)), sizeof(one));
	ck_assert_int_eq(loop_run(loop), 0); /* on_fd_1 ends it */
	ck_assert_uint_eq(calls[1], 1);
	eager = calls[0];
	ck_assert_uint_le(eager, MANY + 64);
	for (unsigned i = 0; i < MANY; i++)
		close(many_fds[i]);
}
END_TEST

START_TEST(wrong_descriptors)
{
	ck_assert_int_eq(loop_add_fd(loop, -1, LOOP_READABLE, on_count, NULL), -EBADF);
	ck_assert_int_eq(loop_add_fd(loop, 1000000, LOOP_READABLE, on_count, NULL), -EBADF);
	ck_assert_int_eq(loop_change_fd(loop, fds[0], LOOP_READABLE), -ENOENT);
	ck_assert_int_eq(loop_add_fd(loop, fds[0], LOOP_READABLE, on_count, NULL), 0);
	ck_assert_int_eq(loop_add_fd(loop, fds[0], LOOP_READABLE, on_count, NULL), -EEXIST);
	loop_remove_fd(loop, fds[0]);
	loop_remove_fd(loop, fds[0]);
	loop_remove_fd(loop, -1);
	ck_assert_int_eq(loop_change_fd(loop, fds[0], LOOP_READABLE), -ENOENT);
	ck_assert_int_eq(loop_change_fd(loop, -1, LOOP_READABLE), -ENOENT);
}
END_TEST

/* --- sockets that take no more ------------------------------------------------------------------
 */

static int pair[2];

static void set_up_pair(void)
{
	set_up();
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
}

static void tear_down_pair(void)
{
	tear_down();
	close(pair[0]);
	close(pair[1]);
}

static size_t fill_pair(void)
{
	char bytes[4096] = {0};
	size_t sum = 0;
	ssize_t n;

	while ((n = send(pair[0], bytes, sizeof(bytes), MSG_NOSIGNAL)) > 0)
		sum += (size_t)n;
	ck_assert_int_eq(errno, EAGAIN);
	return sum;
}

static void drain_pair(size_t sum)
{
	char bytes[4096];

	while (sum > 0) {
		ssize_t n = recv(pair[1], bytes, sizeof(bytes), 0);

		ck_assert_int_gt(n, 0);
		sum -= (size_t)n;
	}
}

START_TEST(writable_is_told_when_there_is_room)
{
	size_t sum = fill_pair();

	ck_assert_int_eq(loop_add_fd(loop, pair[0], LOOP_WRITABLE, on_count, (void *)&numbers[0]),
	                 0);
	ck_assert_int_eq(send(pair[1], "x", 1, 0), 1); /* readable is not what it waits for */
	run_for(20);
	ck_assert_uint_eq(calls[0], 0);
	drain_pair(sum);
	run_for(20);
	ck_assert_uint_gt(calls[0], 2);
}
END_TEST

START_TEST(interest_may_change)
{
	size_t sum = fill_pair();

	ck_assert_int_eq(loop_add_fd(loop, pair[0], LOOP_READABLE, on_count, (void *)&numbers[0]),
	                 0);
	drain_pair(sum);
	run_for(20);
	ck_assert_uint_eq(calls[0], 0);
	ck_assert_int_eq(loop_change_fd(loop, pair[0], LOOP_READABLE | LOOP_WRITABLE), 0);
	run_for(20);
	ck_assert_uint_gt(calls[0], 2);
	ck_assert_int_eq(loop_change_fd(loop, pair[0], LOOP_READABLE), 0);
	calls[0] = 0;
	run_for(20);
	ck_assert_uint_eq(calls[0], 0);
	ck_assert_int_eq(send(pair[1], "x", 1, 0), 1);
	run_for(20);
	ck_assert_uint_gt(calls[0], 2);
	ck_assert_int_eq(loop_change_fd(loop, pair[0], 0), 0);
	calls[0] = 0;
	run_for(20);
	ck_assert_uint_eq(calls[0], 0);
}
END_TEST

static void on_hang_up(void *context)
{
	char byte;

	(void)context;
	calls[0]++;
	ck_assert_int_eq(recv(pair[0], &byte, 1, 0), 0);
	loop_remove_fd(loop, pair[0]);
}

START_TEST(a_hang_up_is_always_told)
{
	fill_pair();
	ck_assert_int_eq(loop_add_fd(loop, pair[0], LOOP_WRITABLE, on_hang_up, NULL), 0);
	shutdown(pair[1], SHUT_RDWR);
	run_for(20);
	ck_assert_uint_eq(calls[0], 1);
}
END_TEST

/* Whichever runs first has the other one wait for what is not there. */
static void on_change_other(void *context)
{
	unsigned i = *(const unsigned *)context;

	calls[i]++;
	ck_assert_int_eq(loop_change_fd(loop, pair[1 - i], 0), 0);
	loop_remove_fd(loop, pair[i]);
}

START_TEST(a_change_holds_within_its_turn)
{
	for (unsigned i = 0; i < 2; i++)
		ck_assert_int_eq(loop_add_fd(loop, pair[i], LOOP_WRITABLE, on_change_other,
		                             (void *)&numbers[i]),
		                 0);
	run_for(20);
	ck_assert_uint_eq(calls[0] + calls[1], 1);
}
END_TEST

/* --- numbers that come back within a turn -------------------------------------------------------
 */

static int
        reused[2]; /* both ready; whichever runs first puts something else in the other's place */
static unsigned stale_calls, fresh_calls;

static void on_fresh(void *context)
{
	(void)context;
	fresh_calls++;
}

static void on_reuse(void *context)
{
	unsigned other = 1 - *(const unsigned *)context;
	int fd = reused[other];

	stale_calls++;
	loop_remove_fd(loop, reused[1 - other]);
	loop_remove_fd(loop, fd);
	close(fd);
	/* the lowest number that is free: the same */
	reused[other] = eventfd(0, EFD_NONBLOCK);
	ck_assert_int_eq(reused[other], fd);
	ck_assert_int_eq(loop_add_fd(loop, reused[other], LOOP_READABLE, on_fresh, NULL), 0);
}

START_TEST(a_number_that_comes_back_hears_nothing_old)
{
	uint64_t one = 1;

	for (unsigned i = 0; i < 2; i++) {
		reused[i] = eventfd(1, EFD_NONBLOCK);
		ck_assert_int_eq(
		        loop_add_fd(loop, reused[i], LOOP_READABLE, on_reuse, (void *)&numbers[i]),
		        0);
	}
	run_for(20);
	ck_assert_uint_eq(stale_calls, 1);
	ck_assert_uint_eq(fresh_calls, 0);
	for (unsigned i = 0; i < 2; i++)
		ck_assert_int_eq(write(reused[i], &one, sizeof(one)), sizeof(one));
	run_for(20);
	ck_assert_uint_eq(stale_calls, 1);
	ck_assert_uint_gt(fresh_calls, 2);
	for (unsigned i = 0; i < 2; i++)
		close(reused[i]);
}
END_TEST

/* The same descriptor, taken out and put back by another source: what was heard of it is the old
 * source's. */
static void on_put_back(void *context)
{
	unsigned i = *(const unsigned *)context, other = 1 - i;

	calls[i]++;
	lower_fd(other);
	loop_remove_fd(loop, fds[other]);
	ck_assert_int_eq(loop_add_fd(loop, fds[other], LOOP_READABLE, on_fresh, NULL), 0);
	loop_remove_fd(loop, fds[i]);
}

START_TEST(a_descriptor_that_is_put_back_hears_nothing_old)
{
	for (unsigned i = 0; i < 2; i++) {
		ck_assert_int_eq(
		        loop_add_fd(loop, fds[i], LOOP_READABLE, on_put_back, (void *)&numbers[i]),
		        0);
		raise_fd(i);
	}
	run_for(20);
	ck_assert_uint_eq(calls[0] + calls[1], 1);
	ck_assert_uint_eq(fresh_calls, 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("loop_fds");
	TCase *plain = tcase_create("plain"), *sockets = tcase_create("sockets");

	tcase_add_checked_fixture(plain, set_up, tear_down);
	tcase_add_test(plain, as_many_descriptors_as_there_are);
	tcase_add_test(plain, eager_descriptors_starve_nobody);
	tcase_add_test(plain, wrong_descriptors);
	tcase_add_test(plain, a_number_that_comes_back_hears_nothing_old);
	tcase_add_test(plain, a_descriptor_that_is_put_back_hears_nothing_old);
	tcase_add_checked_fixture(sockets, set_up_pair, tear_down_pair);
	tcase_add_test(sockets, writable_is_told_when_there_is_room);
	tcase_add_test(sockets, interest_may_change);
	tcase_add_test(sockets, a_hang_up_is_always_told);
	tcase_add_test(sockets, a_change_holds_within_its_turn);
	suite_add_tcase(suite, plain);
	suite_add_tcase(suite, sockets);
	return suite_run(suite, CK_FORK_GETENV);
}
