/* journald's own socket, read by the test: what it is sent, and that nobody waits for it. */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <syslog.h>
#include <unistd.h>

#include "base/journal_socket.h"
#include "suite.h"

static struct {
	char directory[32], path[64];
	struct journal_socket socket;
} rig;

static void set_up(void)
{
	snprintf(rig.directory, sizeof(rig.directory), "/tmp/vf-journal-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(rig.directory));
	snprintf(rig.path, sizeof(rig.path), "%s/socket", rig.directory);
	rig.socket.fd = -1;
}

static void tear_down(void)
{
	journal_socket_close(&rig.socket);
	unlink(rig.path);
	rmdir(rig.directory);
}

static int reader_open(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", rig.path);
	unlink(rig.path);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

static int send_text(const char *text)
{
	const struct log_field fields[] = {{"ONE", "1"}, {"TWO", "a=b"}};

	return journal_socket_send(&rig.socket, rig.path, LOG_WARNING, "unit", text, fields, 2);
}

static void expect(int reader, const char *text)
{
	char got[9000], wanted[9000];
	ssize_t n = recv(reader, got, sizeof(got) - 1, MSG_DONTWAIT);

	ck_assert_int_gt(n, 0);
	got[n] = '\0';
	snprintf(wanted, sizeof(wanted),
	         "MESSAGE=%s\nPRIORITY=4\nSYSLOG_FACILITY=3\nSYSLOG_IDENTIFIER=unit\n"
	         "SYSLOG_PID=%d\nONE=1\nTWO=a=b\n",
	         text, (int)getpid());
	ck_assert_str_eq(got, wanted);
}

START_TEST(an_entry_has_its_fields)
{
	int reader = reader_open();

	ck_assert_int_eq(send_text("one %n"), 0);
	ck_assert_int_eq(send_text("two"), 0);
	expect(reader, "one %n");
	expect(reader, "two");
	close(reader);
}
END_TEST

START_TEST(a_reader_that_hangs_holds_nobody_up)
{
	int reader = reader_open(), n = 0, rc = 0;

	while (n < 100000 && (rc = send_text("again")) == 0)
		n++;
	ck_assert_int_eq(rc, -EAGAIN);
	expect(reader, "again");
	ck_assert_int_eq(send_text("there is room"), 0);
	close(reader);
}
END_TEST

START_TEST(a_reader_that_comes_again_is_found)
{
	int reader;

	ck_assert_int_eq(send_text("nobody"), -ENOENT);
	reader = reader_open();
	ck_assert_int_eq(send_text("one"), 0);
	close(reader);
	ck_assert_int_eq(send_text("nobody"), -ECONNREFUSED);
	reader = reader_open();
	ck_assert_int_eq(send_text("two"), 0);
	expect(reader, "two");
	close(reader);
}
END_TEST

START_TEST(what_is_too_long_is_refused)
{
	int reader = reader_open();
	char text[8200];

	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	ck_assert_int_eq(send_text(text), -EMSGSIZE);
	ck_assert_int_eq(send_text("well"), 0);
	expect(reader, "well");
	close(reader);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("all");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, an_entry_has_its_fields);
	tcase_add_test(tcase, a_reader_that_hangs_holds_nobody_up);
	tcase_add_test(tcase, a_reader_that_comes_again_is_found);
	tcase_add_test(tcase, what_is_too_long_is_refused);
	return suite_main("journal_socket", tcase);
}
