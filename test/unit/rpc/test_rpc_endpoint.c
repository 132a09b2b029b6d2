/* Endpoints: their paths and addresses, and what clients may throw at them.
 */
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>

#include "rpc_rig.h"
#include "suite.h"

/* Takes the place of libc's for libzmq too. So many looks of the test's own thread at one
 * descriptor, which do not wait, are still to be interrupted, as by a signal. */
static int interruptions;

int poll(struct pollfd *fds, nfds_t n_fds, int timeout_ms)
{
	if (interruptions > 0 && n_fds == 1 && timeout_ms == 0 && gettid() == getpid()) {
		interruptions--;
		errno = EINTR;
		return -1;
	}
	return (int)syscall(SYS_poll, fds, n_fds, timeout_ms);
}

START_TEST(malformed_messages_are_answered)
{
	static const struct {
		unsigned n;
		const char *frames[12];
	} cases[] = {
	        {2, {"", ""}},                 /* an empty body lacks op */
	        {2, {"", "\xff\xff\xff\xff"}}, /* no protobuf */
	        {2, {"", "\x08"}},             /* cut off */
	        {2, {"", "\x18\x01"}},         /* no op */
	        {2, {"", "\x08\x63"}},         /* op 99 */
	        {3, {"", "\x08\x01", "x"}},    /* two bodies */
	        {3, {"", "\x08\x01", ""}},     /* likewise */
	        {1, {""}},                     /* no body */
	        {1, {"x"}},                    /* no empty frame */
	        {3, {"x", "y", "z"}},          /* likewise */
	        {11, {"1", "2", "3", "4", "5", "6", "7", "8", "9", "", "x"}}, /* too many hops */
	};

	rig.socket = client_open(rig.port_control_ep, ZMQ_DEALER);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		frames_send(rig.socket, cases[i].n, cases[i].frames);
		answer_take();
		expect_refusal();
	}
	Virtioforwarder__PortControlRequest request = request_make(OP(ADD));
	ask(&request);
	expect_ok();
	ck_assert_uint_eq(fake.n_adds, 1);
}
END_TEST

START_TEST(hostile_sizes_are_bounded)
{
	static uint8_t body[ENDPOINT_REQUEST_MAX + 1];
	static const uint8_t device[] = {0xa2, 0x06, 0x00};  /* device = "" */
	static const uint8_t unknown[] = {0x98, 0x75, 0x00}; /* a field nobody knows */
	const struct {
		const uint8_t *element;
		size_t size;
	} elements[] = {{device, sizeof(device)}, {unknown, sizeof(unknown)}};

	rig.socket = client_open(rig.port_control_ep, ZMQ_DEALER);
	for (size_t i = 0; i < 2; i++) {
		size_t size = 0;

		body[size++] = 0x08; /* op = ADD */
		body[size++] = 0x00;
		while (size + elements[i].size < ENDPOINT_REQUEST_MAX) {
			memcpy(&body[size], elements[i].element, elements[i].size);
			size += elements[i].size;
		}
		zmq_send(rig.socket, "", 0, ZMQ_SNDMORE);
		zmq_send(rig.socket, body, size, 0);
		answer_take();
		expect_refusal();
	}
	/* Whoever sends more than a request may have is cut off; the next is served. */
	zmq_send(rig.socket, "", 0, ZMQ_SNDMORE);
	zmq_send(rig.socket, body, sizeof(body), 0);
	ck_assert(!turn(rig.socket, 200));
	zmq_close(rig.socket);
	rig.socket = NULL;
	Virtioforwarder__PortControlRequest request = request_make(OP(ADD));
	ask(&request);
	expect_ok();
}
END_TEST

START_TEST(envelopes_come_back_as_they_were)
{
	static const char *const frames[] = {"hop-2", "hop-1", "", "\x08\x01"};
	char bytes[64];

	rig.socket = client_open(rig.port_control_ep, ZMQ_DEALER);
	frames_send(rig.socket, 4, frames);
	ck_assert(turn(rig.socket, 2000));
	for (unsigned i = 0; i < 3; i++) {
		int size = zmq_recv(rig.socket, bytes, sizeof(bytes), 0);

		ck_assert_int_eq(size, (int)strlen(frames[i]));
		ck_assert_mem_eq(bytes, frames[i], (size_t)size);
	}
	ck_assert_int_gt(zmq_recv(rig.socket, bytes, sizeof(bytes), 0), 0);

	/* REQ with correlation puts a frame of its own in front. */
	void *req = client_open(rig.port_control_ep, ZMQ_REQ);
	zmq_setsockopt(req, ZMQ_REQ_CORRELATE, &(int){1}, sizeof(int));
	zmq_send(req, "\xff", 1, 0);
	ck_assert(turn(req, 2000));
	ck_assert_int_gt(zmq_recv(req, bytes, sizeof(bytes), 0), 0);
	zmq_close(req);
}
END_TEST

START_TEST(waiting_requests_are_bounded)
{
	Virtioforwarder__PortControlRequest request = request_make(OP(ADD));

	fake.park = true;
	rig.socket = client_open(rig.port_control_ep, ZMQ_DEALER);
	for (unsigned i = 0; i <= ENDPOINT_CONNECTION_REPLIES_MAX; i++)
		message_send(rig.socket, &request.base);
	answer_take(); /* the one too many, before all others */
	expect_refusal();
	ck_assert_uint_eq(fake.n_parked, ENDPOINT_CONNECTION_REPLIES_MAX);

	/* Statistics are not held up by that. */
	void *stats = client_open(rig.stats_ep, ZMQ_DEALER);
	frames_send(stats, 2, (const char *const[]){"", ""});
	ck_assert(turn(stats, 2000));
	zmq_close(stats);

	/* All of them may be answered at once. */
	fake_answer_parked();
	fake.park = false;
	for (unsigned i = 0; i < ENDPOINT_CONNECTION_REPLIES_MAX; i++) {
		answer_take();
		expect_ok();
	}
	ask(&request);
	expect_ok();
}
END_TEST

/* Each client gets its own answers, and all of them, whatever signals come meanwhile. */
START_TEST(signals_lose_no_answers)
{
	Virtioforwarder__PortControlRequest request = request_make(OP(ADD));
	void *other = client_open(rig.port_control_ep, ZMQ_DEALER);

	fake.park = true;
	rig.socket = client_open(rig.port_control_ep, ZMQ_DEALER);
	for (unsigned i = 0; i < 10; i++) {
		message_send(rig.socket, &request.base);
		message_send(other, &request.base);
		while (fake.n_parked < 2)
			turn(rig.socket, 1);
		usleep(5000); /* ZeroMQ looks about once a ms */
		interruptions = 3;
		fake_answer_parked();
		ck_assert_int_lt(interruptions, 3);
		interruptions = 0;
		answer_take();
		expect_ok();
		protobuf_c_message_free_unpacked(
		        message_receive(other, &virtioforwarder__port_control_response__descriptor),
		        NULL);
	}
	zmq_close(other);
}
END_TEST

START_TEST(answers_outlive_clients_and_endpoints)
{
	Virtioforwarder__PortControlRequest request = request_make(OP(ADD));
	void *gone = client_open(rig.port_control_ep, ZMQ_DEALER);

	fake.park = true;
	message_send(gone, &request.base);
	ck_assert(!turn(gone, 50));
	ck_assert_uint_eq(fake.n_parked, 1);
	zmq_close(gone);
	rig.socket = client_open(rig.port_control_ep, ZMQ_DEALER);
	ck_assert(!turn(rig.socket, 50));
	fake_answer_parked(); /* nobody is there */
	message_send(rig.socket, &request.base);
	ck_assert(!turn(rig.socket, 50));
	ck_assert_uint_eq(fake.n_parked, 1);
	/* rig_down closes the endpoint, and answers then */
}
END_TEST

/* --- endpoints --------------------------------------------------------------------------- */

static void expect_no_endpoint(const char *address, const char *why)
{
	struct config config = {.zmq_stats_ep = (char *)address};
	struct error err = {0};

	ck_assert_ptr_null(rpc_start(&config, NULL, rig.loop, &err));
	ck_assert_msg(strstr(err.text, why) != NULL, "%s: %s", address, err.text);
	ck_assert_int_gt(err.code, 0);
}

START_TEST(addresses_are_checked)
{
	char longest[256] = "ipc:///tmp/";

	expect_no_endpoint("ipc://relative/path", "absolute");
	expect_no_endpoint("ipc://@abstract", "absolute");
	expect_no_endpoint("ipc://*", "absolute");
	expect_no_endpoint("ipc://", "absolute");
	memset(longest + strlen(longest), 'x', 200);
	expect_no_endpoint(longest, "107");
	expect_no_endpoint("tcp://0.0.0.0:5555", "loopback");
	expect_no_endpoint("tcp://*:5555", "loopback");
	expect_no_endpoint("tcp://192.0.2.1:5555", "loopback");
	expect_no_endpoint("tcp://127.0.0.1", "loopback");
	expect_no_endpoint("tcp://127.0.0.1:0", "loopback");
	expect_no_endpoint("tcp://[::]:5555", "loopback");
	expect_no_endpoint("inproc://x", "ipc://");
	expect_no_endpoint("", "ipc://");
	expect_no_endpoint(rig.stats_ep, "another instance");
}
END_TEST

START_TEST(sockets_have_the_right_mode)
{
	struct stat st;

	ck_assert_int_eq(stat(rig.stats_ep + strlen("ipc://"), &st), 0);
	ck_assert(S_ISSOCK(st.st_mode));
	ck_assert_uint_eq(st.st_mode & 07777, 0600);
}
END_TEST

START_TEST(stale_sockets_are_replaced_and_others_are_not)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct config config = {0};
	struct error err = {0};
	struct rpc *rpc;
	char endpoint[128];
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s/run/other", rig.directory);
	snprintf(endpoint, sizeof(endpoint), "ipc://%s", address.sun_path);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	listen(fd, 1);
	expect_no_endpoint(endpoint, address.sun_path); /* somebody serves it */
	ck_assert_int_eq(access(address.sun_path, F_OK), 0);
	close(fd);

	config.zmq_stats_ep = endpoint;
	rpc = rpc_start(&config, NULL, rig.loop, &err);
	ck_assert_msg(rpc != NULL, "%s", err.text);
	rpc_stop(rpc);
	ck_assert_int_ne(access(address.sun_path, F_OK), 0);

	fclose(fopen(address.sun_path, "w"));
	expect_no_endpoint(endpoint, address.sun_path);
	ck_assert_int_eq(unlink(address.sun_path), 0);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("all");

	tcase_add_checked_fixture(tcase, rig_up, rig_down);
	tcase_set_timeout(tcase, 30);
	tcase_add_test(tcase, malformed_messages_are_answered);
	tcase_add_test(tcase, hostile_sizes_are_bounded);
	tcase_add_test(tcase, envelopes_come_back_as_they_were);
	tcase_add_test(tcase, waiting_requests_are_bounded);
	tcase_add_test(tcase, signals_lose_no_answers);
	tcase_add_test(tcase, answers_outlive_clients_and_endpoints);
	tcase_add_test(tcase, addresses_are_checked);
	tcase_add_test(tcase, sockets_have_the_right_mode);
	tcase_add_test(tcase, stale_sockets_are_replaced_and_others_are_not);
	return suite_main("rpc_endpoint", tcase);
}
