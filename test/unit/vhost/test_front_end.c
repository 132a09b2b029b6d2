/* Who is at the other end of a socket: a number that is the same for each of a process's
 * connections.
 */
#include <check.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "suite.h"
#include "vhost/front_end.h"

START_TEST(a_process_has_a_number)
{
	int a[2], b[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, a), 0);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, b), 0);
	ck_assert_uint_ne(front_end_of(a[0]), 0);
	ck_assert_uint_eq(front_end_of(a[0]), front_end_of(b[1]));
	for (unsigned i = 0; i < 2; i++) {
		close(a[i]);
		close(b[i]);
	}
}
END_TEST

START_TEST(another_process_has_another)
{
	int own[2], theirs[2], pass[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, own), 0);
	ck_assert_int_eq(pipe(pass), 0);
	pid_t child = fork();
	ck_assert_int_ge(child, 0);
	if (child == 0) {
		uint64_t number = 0;

		if (socketpair(AF_UNIX, SOCK_STREAM, 0, theirs) == 0)
			number = front_end_of(theirs[0]);
		_exit(write(pass[1], &number, sizeof(number)) == sizeof(number) ? 0 : 1);
	}
	uint64_t number = 0;
	ck_assert_int_eq(read(pass[0], &number, sizeof(number)), sizeof(number));
	ck_assert_int_eq(waitpid(child, NULL, 0), child);
	ck_assert_uint_ne(number, 0);
	ck_assert_uint_ne(number, front_end_of(own[0]));
	close(own[0]);
	close(own[1]);
	close(pass[0]);
	close(pass[1]);
}
END_TEST

START_TEST(what_is_no_socket_has_none)
{
	int pass[2];

	ck_assert_int_eq(pipe(pass), 0);
	ck_assert_uint_eq(front_end_of(pass[0]), 0);
	ck_assert_uint_eq(front_end_of(-1), 0);
	close(pass[0]);
	close(pass[1]);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("all");

	tcase_add_test(tcase, a_process_has_a_number);
	tcase_add_test(tcase, another_process_has_another);
	tcase_add_test(tcase, what_is_no_socket_has_none);
	return suite_main("front_end", tcase);
}
