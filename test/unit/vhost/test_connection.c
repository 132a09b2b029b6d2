/* Bytes of a connection: messages in pieces of any length, descriptors with and without right, ends
 * at any byte, and replies that are not read.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "suite.h"
#include "vhost/connection.h"

static struct connection connection;
static int peer;
static struct error err;
static unsigned fds_before;

static unsigned count_fds(void)
{
	DIR *directory = opendir("/proc/self/fd");
	unsigned n = 0;

	while (readdir(directory) != NULL)
		n++;
	closedir(directory);
	return n;
}

static void set_up(void)
{
	int pair[2];

	fds_before = count_fds();
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	connection_open(&connection, pair[0]);
	peer = pair[1];
}

static void tear_down(void)
{
	connection_close(&connection);
	connection_close(&connection);
	if (peer >= 0)
		close(peer);
	ck_assert_uint_eq(count_fds(), fds_before);
}

static void send_bytes(const void *bytes, size_t size, unsigned n_fds)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(64 * sizeof(int))];
	} control;
	struct iovec from = {(void *)(uintptr_t)bytes, size};
	struct msghdr header = {.msg_iov = &from, .msg_iovlen = 1};
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

	if (n_fds > 0) {
		memset(&control, 0, sizeof(control));
		header.msg_control = control.bytes;
		header.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(n_fds * sizeof(int));
		for (unsigned i = 0; i < n_fds; i++)
			memcpy(CMSG_DATA(&control.header) + i * sizeof(int), &null, sizeof(int));
	}
	ck_assert_int_eq(sendmsg(peer, &header, 0), (ssize_t)size);
	close(null);
}

static const struct message table = {
        .request = MESSAGE_SET_MEM_TABLE, .flags = 1, .size = 8 + 64, .table.n_regions = 2};
#define TABLE_BYTES (12U + 8 + 64)

static void expect(enum connection_result result)
{
	ck_assert_int_eq(connection_receive(&connection, &err), result);
}

static void take(unsigned n_fds)
{
	ck_assert_uint_eq(connection.n_fds, n_fds);
	for (unsigned i = 0; i < n_fds; i++) {
		ck_assert(fcntl(connection.fds[i], F_GETFD) & FD_CLOEXEC);
		close(connection.fds[i]);
	}
	connection_take(&connection);
}

START_TEST(whole)
{
	expect(CONNECTION_WAITS);
	send_bytes(&table, TABLE_BYTES, 2);
	expect(CONNECTION_DONE);
	ck_assert_int_eq(memcmp(&connection.in, &table, TABLE_BYTES), 0);
	take(2);
	expect(CONNECTION_WAITS);
	ck_assert(!connection_is_midway(&connection));
}
END_TEST

START_TEST(several_at_once)
{
	struct message two[2];
	char bytes[32];

	memset(two, 0, sizeof(two));
	two[0].request = MESSAGE_SET_OWNER;
	two[0].flags = 1;
	two[1].request = MESSAGE_SET_FEATURES;
	two[1].flags = 1;
	two[1].size = 8;
	memcpy(bytes, &two[0], 12);
	memcpy(bytes + 12, &two[1], 20);
	send_bytes(bytes, 32, 0);
	expect(CONNECTION_DONE);
	ck_assert_uint_eq(connection.in.request, MESSAGE_SET_OWNER);
	take(0);
	expect(CONNECTION_DONE);
	ck_assert_uint_eq(connection.in.request, MESSAGE_SET_FEATURES);
	take(0);
	expect(CONNECTION_WAITS);
}
END_TEST

START_TEST(byte_by_byte)
{
	const char *bytes = (const char *)&table;

	for (unsigned i = 0; i < TABLE_BYTES; i++) {
		send_bytes(bytes + i, 1, i == 0 ? 2 : 0);
		expect(i + 1 < TABLE_BYTES ? CONNECTION_WAITS : CONNECTION_DONE);
		ck_assert(connection_is_midway(&connection));
	}
	ck_assert_int_eq(memcmp(&connection.in, &table, TABLE_BYTES), 0);
	take(2);
}
END_TEST

/* Nothing is left over, whatever had come. */
START_TEST(cut_after_each_byte)
{
	for (unsigned i = 0; i < TABLE_BYTES; i++) {
		if (i > 0)
			send_bytes(&table, i, 2);
		close(peer);
		peer = -1;
		expect(CONNECTION_ENDED);
		ck_assert_int_eq(err.code, 0);
		tear_down();
		set_up();
	}
}
END_TEST

START_TEST(descriptors_in_the_midst)
{
	const char *bytes = (const char *)&table;

	for (unsigned i = 1; i < TABLE_BYTES; i++) {
		send_bytes(bytes, i, 1);
		expect(CONNECTION_WAITS);
		send_bytes(bytes + i, TABLE_BYTES - i, 1);
		expect(CONNECTION_ENDED);
		ck_assert_int_ne(err.code, 0);
		tear_down();
		set_up();
	}
}
END_TEST

START_TEST(too_many_descriptors)
{
	static const unsigned many[] = {9, 10, 16, 64};

	for (unsigned i = 0; i < 4; i++) {
		send_bytes(&table, TABLE_BYTES, many[i]);
		expect(CONNECTION_ENDED);
		ck_assert_int_ne(err.code, 0);
		tear_down();
		set_up();
	}
	send_bytes(&table, TABLE_BYTES, 8);
	expect(CONNECTION_DONE);
	take(8);
}
END_TEST

/* Seen before its payload is waited for. */
START_TEST(headers_that_are_none)
{
	struct message message = {.request = MESSAGE_SET_FEATURES, .flags = 1, .size = UINT32_MAX};

	send_bytes(&message, 12, 1);
	expect(CONNECTION_ENDED);
	ck_assert_int_ne(err.code, 0);
	tear_down();
	set_up();
	message = (struct message){.request = 0x48545450, .flags = 0x2f20, .size = 4};
	send_bytes(&message, 12, 0);
	expect(CONNECTION_ENDED);
	ck_assert_str_ne(err.text, "");
}
END_TEST

static void read_reply(uint64_t number)
{
	struct message reply;

	ck_assert_int_eq(recv(peer, &reply, 20, MSG_WAITALL), 20);
	ck_assert_uint_eq(reply.flags, 5);
	ck_assert_uint_eq(reply.size, 8);
	ck_assert_uint_eq(reply.number, number);
}

START_TEST(replies_that_are_not_read)
{
	struct message reply;
	uint64_t n = 0, read = 0;
	int small = 2048;

	setsockopt(connection.fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
	do {
		message_reply_number(&reply, MESSAGE_GET_FEATURES, n++);
		ck_assert_uint_lt(n, 100000);
	} while (connection_reply(&connection, &reply) == CONNECTION_DONE);
	ck_assert(connection_is_sending(&connection));
	ck_assert_int_eq(connection_flush(&connection), CONNECTION_WAITS);
	while (connection_is_sending(&connection)) {
		read_reply(read++);
		ck_assert_int_ne(connection_flush(&connection), CONNECTION_ENDED);
	}
	while (read < n)
		read_reply(read++);
	close(peer);
	peer = -1;
	ck_assert_int_eq(connection_flush(&connection), CONNECTION_DONE);
	ck_assert_int_eq(connection_reply(&connection, &reply), CONNECTION_ENDED);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("connection");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, whole);
	tcase_add_test(tcase, several_at_once);
	tcase_add_test(tcase, byte_by_byte);
	tcase_add_test(tcase, cut_after_each_byte);
	tcase_add_test(tcase, descriptors_in_the_midst);
	tcase_add_test(tcase, too_many_descriptors);
	tcase_add_test(tcase, headers_that_are_none);
	tcase_add_test(tcase, replies_that_are_not_read);
	return suite_main("connection", tcase);
}
