/* Connections of an endpoint, counted and cut off, on real ZeroMQ sockets. Clients of one process
 * count as one, so forked children play the others.
 */
#include <check.h>
#include <dirent.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zmq.h>

#include "base/log.h"
#include "event/loop.h"
#include "rpc/transport/clients.h"
#include "suite.h"

#define CONNECTIONS_MAX 6

static struct {
	void *zmq, *socket;
	struct clients *clients;
	char path[64], address[80];
} rig;

static void set_up(void)
{
	struct error err = {0};
	char bound[128];
	size_t size = sizeof(bound);

	log_open(LOG_TO_STDOUT, LOG_EMERG, "test");
	snprintf(rig.path, sizeof(rig.path), "/tmp/vf-clients-test.%d", (int)getpid());
	snprintf(rig.address, sizeof(rig.address), "ipc://%s", rig.path);
	rig.zmq = zmq_ctx_new();
	rig.socket = zmq_socket(rig.zmq, ZMQ_ROUTER);
	zmq_setsockopt(rig.socket, ZMQ_LINGER, &(int){0}, sizeof(int));
	rig.clients = clients_create(rig.zmq, rig.socket, "test", CONNECTIONS_MAX, &err);
	ck_assert_msg(rig.clients != NULL, "%s", err.text);
	ck_assert_int_eq(zmq_bind(rig.socket, rig.address), 0);
	zmq_getsockopt(rig.socket, ZMQ_LAST_ENDPOINT, bound, &size);
	clients_identify(rig.clients, bound);
}

static void tear_down(void)
{
	clients_destroy(rig.clients);
	zmq_close(rig.socket);
	zmq_ctx_term(rig.zmq);
	unlink(rig.path);
	log_close();
}

static int raw_open(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", rig.path);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

static bool is_cut(int fd, int ms)
{
	struct pollfd item = {.fd = fd, .events = POLLRDHUP};

	return poll(&item, 1, ms) == 1;
}

static struct clients_counts counts_read(void)
{
	struct clients_counts counts;

	clients_update(rig.clients);
	clients_counts_read(rig.clients, &counts);
	return counts;
}

/* Waits until so many are connected, and have been accepted and cut. */
static void expect_counts(unsigned connections, unsigned accepted, unsigned cut)
{
	struct clients_counts counts = {0};

	for (unsigned i = 0; i < 2000; i++) {
		counts = counts_read();
		if (counts.connections == connections && counts.accepted == accepted &&
		    counts.cut == cut)
			return;
		usleep(1000);
	}
	ck_abort_msg("%u connected, %u accepted, %u cut", counts.connections,
	             (unsigned)counts.accepted, (unsigned)counts.cut);
}

/* A client of its own with n connections, that lives until the write end is closed. */
static pid_t child_start(unsigned n, int *write_end)
{
	int pipe_fds[2];
	char byte;

	ck_assert_int_eq(pipe(pipe_fds), 0);
	pid_t pid = fork();

	if (pid == 0) {
		close(pipe_fds[1]);
		for (unsigned i = 0; i < n; i++)
			raw_open();
		_exit(read(pipe_fds[0], &byte, 1) == 0 ? 0 : 1);
	}
	close(pipe_fds[0]);
	*write_end = pipe_fds[1];
	return pid;
}

static struct connection *message_take(void)
{
	zmq_pollitem_t item = {.socket = rig.socket, .events = ZMQ_POLLIN};
	struct connection *connection = NULL;
	zmq_msg_t frame;
	int more = 1;

	ck_assert_int_eq(zmq_poll(&item, 1, 5000), 1);
	while (more) {
		zmq_msg_init(&frame);
		ck_assert_int_ge(zmq_msg_recv(&frame, rig.socket, 0), 0);
		more = zmq_msg_more(&frame);
		if (!more)
			connection = clients_sender(rig.clients, zmq_msg_get(&frame, ZMQ_SRCFD));
		zmq_msg_close(&frame);
	}
	return connection;
}

START_TEST(connections_are_counted)
{
	int one = raw_open(), two = raw_open();

	expect_counts(2, 2, 0);
	close(one);
	expect_counts(1, 2, 0);
	one = raw_open(); /* with a number that was another's */
	expect_counts(2, 3, 0);
	close(one);
	close(two);
	expect_counts(0, 3, 0);
}
END_TEST

START_TEST(too_many_are_cut_the_longest_unused_first)
{
	int fds[CONNECTIONS_MAX + 2];

	for (unsigned i = 0; i < CONNECTIONS_MAX + 2; i++) {
		fds[i] = raw_open();
		expect_counts(i < CONNECTIONS_MAX ? i + 1 : CONNECTIONS_MAX, i + 1,
		              i < CONNECTIONS_MAX ? 0 : i + 1 - CONNECTIONS_MAX);
	}
	ck_assert(is_cut(fds[0], 5000));
	ck_assert(is_cut(fds[1], 5000));
	for (unsigned i = 2; i < CONNECTIONS_MAX + 2; i++)
		ck_assert(!is_cut(fds[i], 0));
	for (unsigned i = 0; i < CONNECTIONS_MAX + 2; i++)
		close(fds[i]);
	expect_counts(0, CONNECTIONS_MAX + 2, 2);
}
END_TEST

START_TEST(the_client_with_most_loses)
{
	int small = raw_open(), newcomer, write_end;
	pid_t child;

	expect_counts(1, 1, 0);
	child = child_start(CONNECTIONS_MAX - 1, &write_end);
	expect_counts(CONNECTIONS_MAX, CONNECTIONS_MAX, 0);
	newcomer = raw_open();
	expect_counts(CONNECTIONS_MAX, CONNECTIONS_MAX + 1, 1);
	ck_assert(!is_cut(small, 50)); /* the oldest of all, but not of the heaviest */
	ck_assert(!is_cut(newcomer, 0));
	close(write_end);
	waitpid(child, NULL, 0);
	expect_counts(2, CONNECTIONS_MAX + 1, 1);
	close(small);
	close(newcomer);
}
END_TEST

START_TEST(messages_have_a_sender)
{
	void *context = zmq_ctx_new(), *req = zmq_socket(context, ZMQ_DEALER);
	struct connection *connection;

	zmq_connect(req, rig.address);
	zmq_send(req, "x", 1, 0);
	connection = message_take(); /* though nobody has read the monitor */
	ck_assert_ptr_nonnull(connection);
	ck_assert_uint_eq(connection_held(connection), 0);
	connection_hold(connection);
	connection_hold(connection);
	ck_assert_uint_eq(connection_held(connection), 2);
	expect_counts(1, 1, 0);
	zmq_close(req);
	zmq_ctx_term(context);
	expect_counts(0, 1, 0);
	ck_assert_uint_eq(connection_held(connection), 2); /* it outlives its end */
	connection_release(connection);
	connection_release(connection);

	ck_assert_ptr_null(clients_sender(rig.clients, 12345));
	ck_assert_uint_eq(connection_held(NULL), 0);
	connection_hold(NULL);
	connection_release(NULL);
}
END_TEST

START_TEST(blame_finds_the_right_ones)
{
	void *context = zmq_ctx_new(), *req = zmq_socket(context, ZMQ_DEALER);
	int silent = raw_open();

	zmq_connect(req, rig.address);
	zmq_send(req, "x", 1, 0);
	message_take();
	expect_counts(2, 2, 0);
	clients_cut(rig.clients, CLIENTS_FLOODING); /* nobody sends more than is read */
	clients_cut(rig.clients, CLIENTS_SILENT);   /* it may still ask something */
	expect_counts(2, 2, 0);
	usleep(1100 * 1000);
	clients_cut(rig.clients, CLIENTS_SILENT);
	ck_assert(is_cut(silent, 5000));
	expect_counts(1, 2, 1);
	clients_cut(rig.clients, CLIENTS_ALL);
	for (unsigned i = 0; i < 5000 && counts_read().accepted < 3; i++)
		usleep(1000);
	expect_counts(1, 3, 2); /* ZeroMQ's clients come back */
	close(silent);
	zmq_setsockopt(req, ZMQ_LINGER, &(int){0}, sizeof(int));
	zmq_close(req);
	zmq_ctx_term(context);
}
END_TEST

/* Whether ZeroMQ's thread for connections sleeps: it has done all that it had to do. */
static bool io_thread_sleeps(void)
{
	DIR *tasks = opendir("/proc/self/task");
	struct dirent *task;
	bool sleeps = false;

	ck_assert_ptr_nonnull(tasks);
	while ((task = readdir(tasks)) != NULL) {
		char path[300], line[300] = "";

		snprintf(path, sizeof(path), "/proc/self/task/%s/stat", task->d_name);
		FILE *file = fopen(path, "r");
		if (file == NULL)
			continue;
		if (fgets(line, sizeof(line), file) != NULL && strstr(line, "(ZMQbg/IO") != NULL)
			sleeps = strstr(line, ") S ") != NULL;
		fclose(file);
	}
	closedir(tasks);
	return sleeps;
}

/* By the time that the monitor is read, its number may be another file's. */
START_TEST(other_files_are_left_alone)
{
	int one = raw_open(), pair[2], server_fd = -1;
	struct clients_counts counts;

	expect_counts(1, 1, 0);
	/* Its greeting: from here on ZeroMQ's thread has the descriptor where it belongs. */
	ck_assert_int_eq(read(one, &(char){0}, 1), 1);
	while (!io_thread_sleeps())
		usleep(1000);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	for (int fd = 3; fd < 100 && server_fd < 0; fd++) {
		struct sockaddr_un name = {0};
		socklen_t length = sizeof(name);
		int listening = 1;

		if (fd == one || getsockname(fd, (struct sockaddr *)&name, &length) < 0 ||
		    strcmp(name.sun_path, rig.path) != 0)
			continue;
		length = sizeof(listening);
		getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &length);
		if (!listening)
			server_fd = fd;
	}
	ck_assert_int_ge(server_fd, 0);
	int keep = dup(server_fd);
	ck_assert_int_eq(dup2(pair[0], server_fd), server_fd);
	clients_cut(rig.clients, CLIENTS_ALL);
	ck_assert(!is_cut(pair[1], 50));
	ck_assert(!is_cut(one, 0));
	clients_counts_read(rig.clients, &counts);
	ck_assert_uint_eq(counts.cut, 0);
	ck_assert_int_eq(dup2(keep, server_fd), server_fd);
	close(keep);
	close(one);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("all");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_set_timeout(tcase, 30);
	tcase_add_test(tcase, connections_are_counted);
	tcase_add_test(tcase, too_many_are_cut_the_longest_unused_first);
	tcase_add_test(tcase, the_client_with_most_loses);
	tcase_add_test(tcase, messages_have_a_sender);
	tcase_add_test(tcase, blame_finds_the_right_ones);
	tcase_add_test(tcase, other_files_are_left_alone);
	return suite_main("rpc_clients", tcase);
}
