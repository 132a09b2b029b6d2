/* The endpoint on a loop, with clients of flesh: good ones, and those that stay, stop and talk
 * nonsense.
 */
#include "suite.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "config/config.h"
#include "fake_tree.h"
#include "metrics/connections.h"
#include "metrics/metrics.h"
#include "metrics_rig.h"

#define OK "HTTP/1.1 200 "

/* WRAP: clock_now_ms */
uint64_t __real_clock_now_ms(void);
static uint64_t clock_offset_ms;

uint64_t __wrap_clock_now_ms(void)
{
	return __real_clock_now_ms() + clock_offset_ms;
}

static struct {
	struct loop *loop;
	struct config config;
	struct metrics *metrics;
	char address[128], path[108];
} rig;

static char answer[4 << 20];

static void set_up(void)
{
	struct error err;

	log_open(LOG_TO_STDOUT, LOG_ERR, "test");
	tree_create();
	rig_clear();
	snprintf(rig.path, sizeof(rig.path), "%s", tree_path("metrics"));
	snprintf(rig.address, sizeof(rig.address), "unix:%s", rig.path);
	rig.config.metrics_ep = rig.address;
	rig.loop = loop_create("control");
	rig.metrics = metrics_start(&rig.config, NULL, rig.loop, &err);
	ck_assert_msg(rig.metrics != NULL, "%s", err.text);
}

static void tear_down(void)
{
	metrics_stop(rig.metrics);
	loop_destroy(rig.loop);
	ck_assert_int_eq(rmdir(tree_root), 0); /* nothing is left behind */
	log_close();
}

static int client(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

	memcpy(address.sun_path, rig.path, sizeof(address.sun_path));
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

static void say(int fd, const char *text)
{
	ck_assert_int_eq(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

static void on_end(void *context)
{
	(void)context;
	loop_quit(rig.loop);
}

static void turn(void)
{
	struct loop_timer end = {0};

	loop_timer_start(rig.loop, &end, 1, on_end, NULL);
	ck_assert_int_eq(loop_run(rig.loop), 0);
	loop_timer_stop(&end);
}

/* What the server says until it hangs up, which it must. */
static const char *hear(int fd)
{
	size_t used = 0;

	for (unsigned i = 0; i < 10000; i++) {
		ssize_t n = recv(fd, answer + used, sizeof(answer) - 1 - used, 0);

		if (n == 0 || (n < 0 && errno != EAGAIN)) {
			answer[used] = '\0';
			close(fd);
			return answer;
		}
		used += n > 0 ? (size_t)n : 0;
		turn();
	}
	ck_abort_msg("it does not hang up");
	return NULL;
}

static const char *ask(const char *request)
{
	int fd = client();

	say(fd, request);
	return hear(fd);
}

static void check_starts(const char *text, const char *start)
{
	ck_assert_msg(strncmp(text, start, strlen(start)) == 0, "%.200s", text);
}

START_TEST(answers)
{
	const char *text = ask("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n");

	check_starts(text, OK);
	ck_assert_ptr_nonnull(
	        strstr(text, "Content-Type: text/plain; version=0.0.4; charset=utf-8"));
	ck_assert_ptr_nonnull(strstr(text, "\nvio4wd_build_info{"));
	ck_assert_ptr_null(strstr(text, "# EOF"));
	text = ask("GET /metrics?a=b HTTP/1.0\r\nAccept: application/openmetrics-text\r\n\r\n");
	check_starts(text, OK);
	ck_assert_ptr_nonnull(strstr(text, "Content-Type: application/openmetrics-text;"));
	ck_assert_str_eq(text + strlen(text) - 7, "\n# EOF\n");
	text = ask("HEAD /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
	check_starts(text, OK);
	ck_assert_str_eq(text + strlen(text) - 4, "\r\n\r\n");
	ck_assert_ptr_null(strstr(text, "vio4wd_"));
}
END_TEST

START_TEST(refusals)
{
	const char *text = ask("GET / HTTP/1.1\r\nHost: x\r\n\r\n");

	check_starts(text, "HTTP/1.1 404 ");
	ck_assert_ptr_nonnull(strstr(text, "the metrics are at /metrics"));
	text = ask(
	        "POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000000\r\n\r\nxxxx");
	check_starts(text, "HTTP/1.1 405 ");
	ck_assert_ptr_nonnull(strstr(text, "Allow: GET, HEAD\r\n"));
	check_starts(ask("DELETE /metrics HTTP/1.1\r\nHost: x\r\n\r\n"), "HTTP/1.1 405 ");
	check_starts(ask("GET /metricsx HTTP/1.1\r\nHost: x\r\n\r\n"), "HTTP/1.1 404 ");
	check_starts(ask("\x16\x03\x01 nonsense\r\n\r\n"), "HTTP/1.");
}
END_TEST

/* A header that does not end has no more memory than a connection has. */
START_TEST(endless_header)
{
	int fd = client();
	char line[1024];

	memset(line, 'x', sizeof(line));
	say(fd, "GET /metrics HTTP/1.1\r\nX-Long: ");
	for (unsigned i = 0; i < 1000 && send(fd, line, sizeof(line), MSG_NOSIGNAL) > 0; i++)
		turn();
	ck_assert_ptr_null(strstr(hear(fd), " 200 "));
	check_starts(ask("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"), OK);
}
END_TEST

/* Who has said half a request, nothing, or does not read, is hung up on when his time is over. */
START_TEST(those_who_stay)
{
	int silent = client(), half = client(), deaf = client();
	const int least = 1;

	rig_fill();
	setsockopt(deaf, SOL_SOCKET, SO_RCVBUF, &least, sizeof(least));
	say(half, "GET /metrics HTTP/1.1\r\nHo");
	say(deaf, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
	for (unsigned i = 0; i < 20; i++)
		turn();
	clock_offset_ms = CONNECTIONS_LIFE_MS / 2;
	turn();
	int later = client();
	turn();
	clock_offset_ms = CONNECTIONS_LIFE_MS + 1000;
	ck_assert_str_eq(hear(silent), "");
	ck_assert_str_eq(hear(half), "");
	ck_assert_ptr_null(strstr(hear(deaf), "# EOF"));
	say(later, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
	check_starts(hear(later), OK);
	clock_offset_ms = 0;
}
END_TEST

/* However many are there, whoever comes is served, and the oldest goes. */
START_TEST(newcomers_are_served)
{
	int fds[CONNECTIONS_MAX + 5];

	for (size_t i = 0; i < CONNECTIONS_MAX + 5; i++) {
		fds[i] = client();
		turn();
	}
	check_starts(ask("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"), OK);
	for (size_t i = 0; i < 6; i++)
		ck_assert_str_eq(hear(fds[i]), "");
	for (size_t i = 6; i < CONNECTIONS_MAX + 5; i++) {
		say(fds[i], "HEAD /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
		check_starts(hear(fds[i]), OK);
	}
}
END_TEST

/* All of 64 relays' text, with other clients' answers in between. */
START_TEST(answers_side_by_side)
{
	int first, second;

	rig_fill();
	first = client();
	second = client();
	say(first, "GET /metrics HTTP/1.0\r\nAccept: application/openmetrics-text\r\n\r\n");
	say(second, "GET /metrics HTTP/1.0\r\nAccept: application/openmetrics-text\r\n\r\n");
	const char *text = hear(first);

	ck_assert_str_eq(text + strlen(text) - 7, "\n# EOF\n");
	size_t len = strlen(strstr(text, "\r\n\r\n"));
	ck_assert_uint_gt(len, 1000000);
	ck_assert_uint_eq(strlen(strstr(hear(second), "\r\n\r\n")), len);
}
END_TEST

START_TEST(stops_with_clients)
{
	int idle = client(), busy = client();

	rig_fill();
	say(busy, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
	turn();
	turn();
	metrics_stop(rig.metrics);
	rig.metrics = NULL;
	ck_assert_str_eq(hear(idle), "");
	ck_assert_int_gt(strlen(hear(busy)), 0);
	metrics_stop(NULL);
}
END_TEST

/* The path comes back when somebody takes it away; who is connected stays so. */
START_TEST(the_path_comes_back)
{
	int before = client();

	turn();
	ck_assert_int_eq(unlink(rig.path), 0);
	for (unsigned i = 0; i < 5000 && access(rig.path, F_OK) < 0; i++)
		turn();
	check_starts(ask("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"), OK);
	say(before, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
	check_starts(hear(before), OK);
}
END_TEST

START_TEST(one_at_a_path)
{
	struct error err;

	ck_assert_ptr_null(metrics_start(&rig.config, NULL, rig.loop, &err));
	ck_assert_ptr_nonnull(strstr(err.text, rig.address));
	check_starts(ask("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"), OK);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("all");

	tcase_set_timeout(tcase, 60);
	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, answers);
	tcase_add_test(tcase, refusals);
	tcase_add_test(tcase, endless_header);
	tcase_add_test(tcase, those_who_stay);
	tcase_add_test(tcase, newcomers_are_served);
	tcase_add_test(tcase, answers_side_by_side);
	tcase_add_test(tcase, stops_with_clients);
	tcase_add_test(tcase, the_path_comes_back);
	tcase_add_test(tcase, one_at_a_path);
	return suite_main("metrics", tcase);
}
