/* What OVSDB's side asks of control, and how it keeps its connection: against a server of the
 * test's own on a real socket, and a control layer that does as it is told.
 */
/* WRAP: control_add_vf control_remove_vf control_vf_of_origin send */
#include <check.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"
#include "fake_tree.h"
#include "loop_clock.h"
#include "ovsdb/ovsdb.h"
#include "suite.h"

static struct loop *loop;
static struct ovsdb *ovsdb;

/* --- control ------------------------------------------------------------------------------------
 */

static struct {
	char has[RELAYS_MAX][DEVICE_NAME_MAX]; /* what is OVSDB's */
	char trace[1024];                      /* "+3:net_null1" and "-3", in order */
	unsigned n_adds;
	char refused[DEVICE_NAME_MAX]; /* adds of this device fail … */
	char foreign[DEVICE_NAME_MAX]; /* … with this in the text */
	bool removals_fail, hold;      /* hold: answer later */
	outcome_fn done;
	void *context;
} fake;

static void trace(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void trace(const char *format, ...)
{
	size_t used = strlen(fake.trace);
	va_list args;

	va_start(args, format);
	vsnprintf(fake.trace + used, sizeof(fake.trace) - used, format, args);
	va_end(args);
}

static void answer(outcome_fn done, void *context, bool ok, const char *text)
{
	struct outcome outcome = {.reason = ok ? OUTCOME_OK : OUTCOME_OCCUPIED};

	snprintf(outcome.text, sizeof(outcome.text), "%s", text);
	done(context, &outcome);
}

void __wrap_control_add_vf(struct control *control, const struct vf_request *request,
                           outcome_fn done, void *context);
void __wrap_control_remove_vf(struct control *control, const struct vf_request *request,
                              outcome_fn done, void *context);
bool __wrap_control_vf_of_origin(const struct control *control, unsigned relay_id,
                                 enum vf_origin origin, struct device_spec *device);

void __wrap_control_add_vf(struct control *control, const struct vf_request *request,
                           outcome_fn done, void *context)
{
	(void)control;
	ck_assert(request->origin == VF_ORIGIN_OVSDB && request->conditional);
	ck_assert(request->has_device && request->relay_id < RELAYS_MAX);
	ck_assert_ptr_null(fake.done); /* one at a time */
	trace("+%u:%s ", request->relay_id, request->device.name);
	fake.n_adds++;
	if (strcmp(request->device.name, fake.refused) == 0) {
		answer(done, context, false, fake.foreign);
		return;
	}
	for (unsigned i = 0; i < RELAYS_MAX; i++) /* removals come first */
		ck_assert(i == request->relay_id || strcmp(fake.has[i], request->device.name) != 0);
	snprintf(fake.has[request->relay_id], DEVICE_NAME_MAX, "%s", request->device.name);
	if (fake.hold) {
		fake.done = done;
		fake.context = context;
	} else {
		answer(done, context, true, "");
	}
}

void __wrap_control_remove_vf(struct control *control, const struct vf_request *request,
                              outcome_fn done, void *context)
{
	(void)control;
	ck_assert(request->origin == VF_ORIGIN_OVSDB && request->conditional);
	ck_assert_ptr_null(fake.done);
	trace("-%u ", request->relay_id);
	if (!fake.removals_fail)
		fake.has[request->relay_id][0] = '\0';
	answer(done, context, !fake.removals_fail, fake.removals_fail ? "no" : "");
}

bool __wrap_control_vf_of_origin(const struct control *control, unsigned relay_id,
                                 enum vf_origin origin, struct device_spec *device)
{
	struct error err;

	(void)control;
	ck_assert_int_eq(origin, VF_ORIGIN_OVSDB);
	return fake.has[relay_id][0] != '\0' &&
	       device_spec_parse(fake.has[relay_id], device, &err) == 0;
}

static void late_answer(bool ok, const char *text)
{
	outcome_fn done = fake.done;

	ck_assert_ptr_nonnull(done);
	fake.done = NULL;
	answer(done, fake.context, ok, text);
}

/* --- the socket ---------------------------------------------------------------------------------
 */

static bool narrow;       /* what the client sends is taken by few bytes, and at every second try */
static unsigned n_narrow; /* tries */

ssize_t __real_send(int fd, const void *bytes, size_t length, int flags);
ssize_t __wrap_send(int fd, const void *bytes, size_t length, int flags);

ssize_t __wrap_send(int fd, const void *bytes, size_t length, int flags)
{
	if (!narrow || !(flags & MSG_DONTWAIT))
		return __real_send(fd, bytes, length, flags);
	if (n_narrow++ % 2 == 0) {
		errno = EAGAIN;
		return -1;
	}
	return __real_send(fd, bytes, length < 7 ? length : 7, flags);
}

/* --- the loop -----------------------------------------------------------------------------------
 */

static void quit(void *context)
{
	(void)context;
	loop_quit(loop);
}

static void run_ms(uint64_t ms)
{
	struct loop_timer end = {0};

	loop_timer_start(loop, &end, ms, quit, NULL);
	ck_assert_int_eq(loop_run(loop), 0);
	loop_timer_stop(&end);
}

/* --- the server ---------------------------------------------------------------------------------
 */

static int listen_fd = -1, peer_fd = -1;
static char heard[4096];

static void server_start(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", tree_path("db.sock"));
	listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
	ck_assert_int_eq(bind(listen_fd, (struct sockaddr *)&address, sizeof(address)), 0);
	ck_assert_int_eq(listen(listen_fd, 4), 0);
}

static void hang_up(void)
{
	if (peer_fd >= 0)
		close(peer_fd);
	peer_fd = -1;
}

static void server_stop(void)
{
	hang_up();
	close(listen_fd);
	listen_fd = -1;
	unlink(tree_path("db.sock"));
}

static bool server_accepts(void)
{
	ck_assert_int_lt(peer_fd, 0);
	peer_fd = accept4(listen_fd, NULL, NULL, SOCK_NONBLOCK);
	return peer_fd >= 0;
}

static void wait_for_client(unsigned ms)
{
	ssize_t n;

	for (unsigned i = 0; i < ms / 10 + 1 && !server_accepts(); i++)
		run_ms(10);
	ck_assert_int_ge(peer_fd, 0);
	run_ms(10);
	n = recv(peer_fd, heard, sizeof(heard) - 1, 0);
	ck_assert_int_gt(n, 0);
	heard[n] = '\0';
	ck_assert(strstr(heard, "\"monitor\"") != NULL);
}

/* ' for ". */
static void tell(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void tell(const char *format, ...)
{
	char text[8192];
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	ck_assert_int_lt(n, (int)sizeof(text));
	for (char *c = text; *c != '\0'; c++)
		if (*c == '\'')
			*c = '"';
	ck_assert_int_eq(send(peer_fd, text, (size_t)n, MSG_NOSIGNAL), n);
	run_ms(40);
}

#define TABLE(rows) "{'id':1,'error':null,'result':{'Interface':{" rows "}}}"
#define UPDATE(rows) \
	"{'id':null,'method':'update','params':['virtio-forwarder',{'Interface':{" rows "}}]}"
#define ROW(uuid, id, device)                                                                \
	"'" uuid "':{'new':{'name':'if-" uuid "','options':['map',[['dpdk-devargs','" device \
	"']]],'external_ids':['map',[['virtio_forwarder','" id "']]]}}"
#define GONE(uuid) "'" uuid "':{'old':{}}"

static bool still_connected(void)
{
	char c;

	return recv(peer_fd, &c, 1, 0) < 0 && errno == EAGAIN;
}

static void expect_trace(const char *expected)
{
	ck_assert_str_eq(fake.trace, expected);
	fake.trace[0] = '\0';
}

/* --- set up -------------------------------------------------------------------------------------
 */

static void set_up(void)
{
	static char path[108];
	struct error err;

	log_set_level(LOG_EMERG);
	tree_create();
	memset(&fake, 0, sizeof(fake));
	listen_fd = peer_fd = -1;
	loop = loop_create("control");
	snprintf(path, sizeof(path), "%s", tree_path("db.sock"));
	ovsdb = ovsdb_start(path, false, NULL, loop, &err);
	ck_assert_ptr_nonnull(ovsdb);
}

static void tear_down(void)
{
	ovsdb_stop(ovsdb);
	hang_up();
	if (listen_fd >= 0)
		server_stop();
	loop_destroy(loop);
	tree_remove();
}

/* --- rows and relays ----------------------------------------------------------------------------
 */

START_TEST(relays_follow_the_rows)
{
	server_start();
	wait_for_client(300);
	run_ms(20);
	expect_trace("");
	tell(TABLE(ROW("a", "3", "net_null1") "," ROW("b", "0", "net_null2")));
	expect_trace("+0:net_null2 +3:net_null1 ");
	tell(UPDATE(ROW("a", "3", "net_null1"))); /* something else of it has changed */
	expect_trace("");
	tell(UPDATE(ROW("a", "4", "net_null1")));
	expect_trace("-3 +4:net_null1 ");
	tell(UPDATE(ROW("a", "4", "net_null7")));
	expect_trace("-4 +4:net_null7 ");
	tell(UPDATE(GONE("b")));
	expect_trace("-0 ");
	tell(UPDATE(ROW("b", "99", "net_null2"))); /* in vain */
	tell(UPDATE(GONE("b") "," ROW("c", "9", "net_null2")));
	expect_trace("+9:net_null2 ");
	tell(UPDATE(GONE("c") "," ROW("d", "9", "net_null2"))); /* replaced by its like */
	expect_trace("");
	ck_assert(still_connected());
}
END_TEST

START_TEST(two_rows_change_places)
{
	server_start();
	wait_for_client(300);
	tell(TABLE(ROW("a", "3", "net_null1") "," ROW("b", "4", "net_null2")));
	expect_trace("+3:net_null1 +4:net_null2 ");
	tell(UPDATE(ROW("a", "4", "net_null1") "," ROW("b", "3", "net_null2")));
	expect_trace("-3 -4 +3:net_null2 +4:net_null1 ");
}
END_TEST

START_TEST(what_is_refused_is_asked_again_later_and_later)
{
	unsigned first;

	snprintf(fake.refused, sizeof(fake.refused), "net_null1");
	snprintf(fake.foreign, sizeof(fake.foreign), "relay 3 has net_null8 from a client");
	server_start();
	wait_for_client(300);
	tell(TABLE(ROW("a", "3", "net_null1") "," ROW("b", "4", "net_null2")));
	expect_trace("+3:net_null1 +4:net_null2 ");
	run_ms(2000); /* at 500 and 1500 ms */
	expect_trace("+3:net_null1 +3:net_null1 ");
	first = fake.n_adds;
	tell(UPDATE(ROW("a", "5", "net_null1"))); /* a new question */
	ck_assert_uint_eq(fake.n_adds, first + 1);
	expect_trace("+5:net_null1 ");
	fake.refused[0] = '\0';
	run_ms(600);
	expect_trace("+5:net_null1 ");
	run_ms(1200);
	expect_trace("");
}
END_TEST

START_TEST(a_removal_that_fails_is_tried_again)
{
	server_start();
	wait_for_client(300);
	tell(TABLE(ROW("a", "3", "net_null1")));
	expect_trace("+3:net_null1 ");
	fake.removals_fail = true;
	tell(UPDATE(ROW("a", "3", "net_null2")));
	expect_trace("-3 ");
	run_ms(300);
	expect_trace(""); /* and nothing is put on top of what is there */
	fake.removals_fail = false;
	run_ms(900);
	expect_trace("-3 +3:net_null2 ");
}
END_TEST

START_TEST(an_attach_that_is_late)
{
	server_start();
	wait_for_client(300);
	fake.hold = true;
	tell(TABLE(ROW("a", "3", "net_null1") "," ROW("b", "4", "net_null2")));
	expect_trace("+3:net_null1 "); /* the other one waits */
	tell(UPDATE(ROW("c", "5", "net_null3")));
	expect_trace("");
	fake.hold = false;
	late_answer(false, "not ready yet");
	run_ms(40);
	expect_trace("+4:net_null2 +5:net_null3 ");
	run_ms(600);
	expect_trace("+3:net_null1 "); /* asks how it went */
	run_ms(1200);
	expect_trace("");
}
END_TEST

START_TEST(stopped_with_a_request_under_way)
{
	struct error err;

	server_start();
	wait_for_client(300);
	fake.hold = true;
	tell(TABLE(ROW("a", "3", "net_null1")));
	ovsdb_stop(ovsdb);
	ovsdb = NULL;
	late_answer(true, "");
	ck_assert_ptr_null(ovsdb_start("/a/path/that/is/much/too/long/for/any/socket/on/this/"
	                               "system/since/they/end/at/one/hundred/and/seven/characters",
	                               false, NULL, loop, &err));
	ck_assert(strstr(err.text, "at most 107 characters") != NULL);
}
END_TEST

/* --- the connection -----------------------------------------------------------------------------
 */

START_TEST(a_server_that_comes_goes_and_comes_back)
{
	run_ms(150); /* nobody there yet */
	server_start();
	wait_for_client(1000);
	tell(TABLE(ROW("a", "3", "net_null1") "," ROW("b", "4", "net_null2")));
	expect_trace("+3:net_null1 +4:net_null2 ");
	server_stop();
	run_ms(300);
	expect_trace(""); /* relays do not notice */
	server_start();
	wait_for_client(3000);
	run_ms(20);
	expect_trace(""); /* nor that it is back */
	tell(TABLE(ROW("b", "4", "net_null2") "," ROW("c", "5", "net_null1")));
	expect_trace("-3 +5:net_null1 ");
}
END_TEST

START_TEST(a_server_that_answers_nonsense)
{
	static const char *const nonsense[] = {"HTTP/1.0 400\r\n\r\n",
	                                       "{'id':1,'error':{'error':'unknown database'}}",
	                                       "{'id':1,'result':{'Interface':[]}}",
	                                       "{'id':1,'result':{'Interface':{'a':{'new':{}}}}}x"};
	unsigned tries = 0;

	server_start();
	for (size_t i = 0; i < sizeof(nonsense) / sizeof(nonsense[0]); i++) {
		wait_for_client(3000);
		tell("%s", nonsense[i]);
		ck_assert(!still_connected());
		hang_up();
	}
	/* By now it asks rarely. */
	for (int i = 0; i < 100; i++) {
		if (server_accepts())
			tries++;
		hang_up();
		run_ms(10);
	}
	ck_assert_uint_le(tries, 1);
	expect_trace("");
}
END_TEST

START_TEST(echoes_are_answered)
{
	ssize_t n;

	server_start();
	wait_for_client(300);
	tell("{'id':'echo','method':'echo','params':[]}" TABLE(""));
	n = recv(peer_fd, heard, sizeof(heard) - 1, 0);
	ck_assert_int_gt(n, 0);
	heard[n] = '\0';
	ck_assert_str_eq(heard, "{\"id\":\"echo\",\"result\":[],\"error\":null}");

	/* A server that asks and never reads has had its answers when its socket is full. */
	for (int i = 0; i < 100000; i++) {
		static const char echo[] = "{\"id\":\"echo\",\"method\":\"echo\",\"params\":[]}";

		if (send(peer_fd, echo, strlen(echo), MSG_NOSIGNAL) >= 0)
			continue;
		if (errno != EAGAIN)
			break;
		run_ms(2);
	}
	ck_assert_int_lt(send(peer_fd, "x", 1, MSG_NOSIGNAL), 0);
	ck_assert(errno == EPIPE || errno == ECONNRESET);
}
END_TEST

#define LONG_WORD                                                                             \
	"a word that makes it long, a word that makes it long, a word that makes it long, a " \
	"word that makes it long, a word that makes it long, a word that makes it long"
#define LONG_ECHO(id)   "{\"id\":" id ",\"method\":\"echo\",\"params\":[\"" LONG_WORD "\"]}"
#define LONG_ANSWER(id) "{\"id\":" id ",\"result\":[\"" LONG_WORD "\"],\"error\":null}"

/* The server asks n times and reads afterwards: all answers are there, whole and in order. */
static void ask_first_and_read_later(unsigned n)
{
	static char answers[4 << 20];
	const char *next = answers;
	size_t length = 0;

	for (unsigned i = 0; i < n; i++) {
		char echo[512];
		int bytes = snprintf(echo, sizeof(echo), LONG_ECHO("%u"), i);

		ck_assert_int_eq(send(peer_fd, echo, (size_t)bytes, MSG_NOSIGNAL), bytes);
		if (i % 50 == 0 || i == n - 1)
			run_ms(2);
	}
	for (unsigned quiet = 0; quiet < 50; quiet++) {
		ssize_t got = recv(peer_fd, answers + length, sizeof(answers) - 1 - length, 0);

		ck_assert(got > 0 || (got < 0 && errno == EAGAIN));
		if (got > 0) {
			length += (size_t)got;
			quiet = 0;
		}
		run_ms(2);
	}
	answers[length] = '\0';
	for (unsigned i = 0; i < n; i++) {
		char answer[512];
		int bytes = snprintf(answer, sizeof(answer), LONG_ANSWER("%u"), i);

		ck_assert_msg(strncmp(next, answer, (size_t)bytes) == 0, "%u: %.300s", i, next);
		next += bytes;
	}
	ck_assert_uint_eq(*next, '\0');
	ck_assert(still_connected());
}

/* How many answers a socket takes that nobody reads. */
static unsigned socket_room(void)
{
	unsigned n = 0;
	int pair[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
	while (send(pair[0], LONG_ANSWER("1"), strlen(LONG_ANSWER("1")), MSG_NOSIGNAL) > 0)
		n++;
	close(pair[0]);
	close(pair[1]);
	return n;
}

START_TEST(answers_wait_for_room_in_the_socket)
{
	server_start();
	wait_for_client(300);
	tell(TABLE(""));
	ask_first_and_read_later(socket_room() + 100);
}
END_TEST

START_TEST(answers_go_in_pieces)
{
	server_start();
	wait_for_client(300);
	tell(TABLE(""));
	narrow = true;
	ask_first_and_read_later(100);
	ck_assert_uint_gt(n_narrow, 100 * strlen(LONG_ANSWER("1")) / 7);
	narrow = false;
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("all");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, relays_follow_the_rows);
	tcase_add_test(tcase, two_rows_change_places);
	tcase_add_test(tcase, what_is_refused_is_asked_again_later_and_later);
	tcase_add_test(tcase, a_removal_that_fails_is_tried_again);
	tcase_add_test(tcase, an_attach_that_is_late);
	tcase_add_test(tcase, stopped_with_a_request_under_way);
	tcase_add_test(tcase, a_server_that_comes_goes_and_comes_back);
	tcase_add_test(tcase, a_server_that_answers_nonsense);
	tcase_add_test(tcase, echoes_are_answered);
	tcase_add_test(tcase, answers_wait_for_room_in_the_socket);
	tcase_add_test(tcase, answers_go_in_pieces);
	return suite_main("ovsdb", tcase);
}
