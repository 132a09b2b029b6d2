/* The system's log, read by the test: what it is sent, and that nobody waits for a reader. */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <syslog.h>
#include <unistd.h>

#include "base/syslog_socket.h"
#include "suite.h"

static struct {
	char directory[32], path[64];
	struct syslog_socket socket;
} rig;

static void set_up(void)
{
	snprintf(rig.directory, sizeof(rig.directory), "/tmp/vf-syslog-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(rig.directory));
	snprintf(rig.path, sizeof(rig.path), "%s/log", rig.directory);
	rig.socket.fd = -1;
}

static void tear_down(void)
{
	syslog_socket_close(&rig.socket);
	unlink(rig.path);
	rmdir(rig.directory);
}

static int reader_open(int type)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, type, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", rig.path);
	unlink(rig.path);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

static int send_text(const char *text)
{
	return syslog_socket_send(&rig.socket, rig.path, LOG_ERR, "unit", text);
}

/* What is read, without the date: "<27>|unit[1]: text". */
static void expect(int reader, const char *text)
{
	char got[8192], wanted[8192];
	ssize_t n = recv(reader, got, sizeof(got) - 1, MSG_DONTWAIT);

	ck_assert_int_gt(n, 0);
	got[n] = '\0';
	ck_assert_uint_ge(strlen(got), 20);
	ck_assert_int_eq(strncmp(got, "<27>", 4), 0); /* LOG_DAEMON, LOG_ERR */
	ck_assert_int_eq(got[19], ' ');
	snprintf(wanted, sizeof(wanted), "unit[%d]: %s", (int)getpid(), text);
	ck_assert_str_eq(got + 20, wanted);
}

START_TEST(messages_are_datagrams)
{
	int reader = reader_open(SOCK_DGRAM);

	ck_assert_int_eq(send_text("one"), 0);
	ck_assert_int_eq(send_text("two %n"), 0);
	expect(reader, "one");
	expect(reader, "two %n");
	close(reader);
}
END_TEST

START_TEST(messages_end_in_a_stream)
{
	int listener = reader_open(SOCK_STREAM);
	char got[256];

	ck_assert_int_eq(listen(listener, 1), 0);
	ck_assert_int_eq(send_text("one"), 0);
	ck_assert_int_eq(send_text("two"), 0);
	int reader = accept(listener, NULL, NULL);
	ssize_t n = recv(reader, got, sizeof(got), 0);
	ck_assert_int_gt(n, 0);
	ck_assert_ptr_nonnull(memchr(got, '\0', (size_t)n - 1));
	ck_assert_int_eq(got[n - 1], '\0');
	close(reader);
	close(listener);
}
END_TEST

START_TEST(a_reader_that_hangs_holds_nobody_up)
{
	int reader = reader_open(SOCK_DGRAM), n = 0, rc = 0;

	while (n < 100000 && (rc = send_text("and again")) == 0)
		n++;
	ck_assert_int_eq(rc, -EAGAIN);
	ck_assert_int_eq(send_text("and again"), -EAGAIN);
	expect(reader, "and again");
	ck_assert_int_eq(send_text("there is room"), 0);
	close(reader);
}
END_TEST

START_TEST(a_reader_that_comes_again_is_found)
{
	ck_assert_int_eq(send_text("nobody"), -ENOENT);
	int reader = reader_open(SOCK_DGRAM);
	ck_assert_int_eq(send_text("one"), 0);
	expect(reader, "one");
	close(reader);
	ck_assert_int_eq(send_text("nobody"), -ECONNREFUSED);
	reader = reader_open(SOCK_DGRAM);
	ck_assert_int_eq(send_text("two"), 0);
	expect(reader, "two");
	close(reader);
	reader = reader_open(SOCK_DGRAM);
	ck_assert_int_eq(send_text("three"), 0);
	expect(reader, "three");
	close(reader);
}
END_TEST

START_TEST(long_messages_are_cut)
{
	int reader = reader_open(SOCK_DGRAM);
	char text[6000], got[8192];

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	ck_assert_int_eq(send_text(text), 0);
	ssize_t n = recv(reader, got, sizeof(got), MSG_DONTWAIT);
	ck_assert_int_eq(n, 4095);
	ck_assert_int_eq(got[n - 1], 'x');
	close(reader);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("all");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, messages_are_datagrams);
	tcase_add_test(tcase, messages_end_in_a_stream);
	tcase_add_test(tcase, a_reader_that_hangs_holds_nobody_up);
	tcase_add_test(tcase, a_reader_that_comes_again_is_found);
	tcase_add_test(tcase, long_messages_are_cut);
	return suite_main("syslog_socket", tcase);
}
