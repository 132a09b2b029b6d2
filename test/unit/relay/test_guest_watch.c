/* Client mode: what is said of what is at the sockets' paths, and when. The kernel, the guests, the
 * thread and the clock are the test's.
 * WRAP: unix_listeners_read unix_peer_look guest_read loop_timer_start loop_timer_stop
 * WRAP: log_write log_write_limited
 */
#include <check.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/config.h"
#include "fake_jobs.h"
#include "relay/guest_watch.h"
#include "suite.h"

static struct config config;
static struct relays *relays;
static enum unix_peer there[RELAYS_MAX];
static bool front_end[RELAYS_MAX];
static struct {
	loop_fn callback;
	void *context;
} timer;
static char last[400];
static unsigned lines;
static int severities[8]; /* of the lines, by their number */

struct unix_listener *__wrap_unix_listeners_read(size_t *count);
enum unix_peer __wrap_unix_peer_look(const char *path, const struct unix_listener *listeners,
                                     size_t count);
void __wrap_guest_read(unsigned relay_id, struct guest_state *out);
void __wrap_loop_timer_start(struct loop *loop, struct loop_timer *one, uint64_t delay_ms,
                             loop_fn callback, void *context);
void __wrap_loop_timer_stop(struct loop_timer *one);
void __wrap_log_write(int severity, const char *format, ...);
void __wrap_log_write_limited(struct log_limit *limit, int severity, const char *format, ...);

struct unix_listener *__wrap_unix_listeners_read(size_t *count)
{
	*count = 0;
	return NULL;
}

enum unix_peer __wrap_unix_peer_look(const char *path, const struct unix_listener *listeners,
                                     size_t count)
{
	(void)listeners;
	(void)count;
	return there[strtoul(path + strlen("/sockets/"), NULL, 10)];
}

void __wrap_guest_read(unsigned relay_id, struct guest_state *out)
{
	*out = (struct guest_state){.front_end = front_end[relay_id]};
}

void __wrap_loop_timer_start(struct loop *loop, struct loop_timer *one, uint64_t delay_ms,
                             loop_fn callback, void *context)
{
	(void)loop;
	(void)one;
	(void)delay_ms;
	timer.callback = callback;
	timer.context = context;
}

void __wrap_loop_timer_stop(struct loop_timer *one)
{
	(void)one;
	timer.callback = NULL;
}

static void keep(int severity, const char *format, va_list args)
{
	vsnprintf(last, sizeof(last), format, args);
	severities[lines++ % 8] = severity;
}

void __wrap_log_write(int severity, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	keep(severity, format, args);
	va_end(args);
}

void __wrap_log_write_limited(struct log_limit *limit, int severity, const char *format, ...)
{
	va_list args;

	(void)limit;
	va_start(args, format);
	keep(severity, format, args);
	va_end(args);
}

static void set_up(void)
{
	static char path[] = "/sockets";

	memset(there, 0, sizeof(there));
	memset(front_end, 0, sizeof(front_end));
	timer.callback = NULL;
	lines = 0;
	forget_jobs();
	config = (struct config){.vhost_client = true, .vhost_path = path};
	relays = calloc(1, sizeof(*relays));
	ck_assert_ptr_nonnull(relays);
	relays->config = &config;
	relays->guest_thread = thread_of(GUEST);
	for (unsigned i = 0; i < RELAYS_MAX; i++) {
		struct relay *relay = &relays->relay[i];

		relay->id = i;
		relay->relays = relays;
		relay->guest_end.phase = GUEST_OPEN;
		snprintf(relay->guest_end.path, sizeof(relay->guest_end.path), "/sockets/%u", i);
	}
}

static void tear_down(void)
{
	free(relays);
}

static void look(void)
{
	loop_fn callback = timer.callback;

	ck_assert_ptr_nonnull(callback);
	timer.callback = NULL;
	callback(timer.context);
	struct job *job = runs(GUEST);
	job->done(job);
}

START_TEST(who_serves_looks_at_nothing)
{
	config.vhost_client = false;
	guest_watch_start(relays);
	ck_assert_ptr_null(timer.callback);
}
END_TEST

START_TEST(nothing_is_said_once_for_all)
{
	for (unsigned i = 0; i < 40; i++)
		there[i] = UNIX_PEER_NOTHING;
	guest_watch_start(relays);
	for (unsigned i = 0; i < 5; i++)
		look();
	ck_assert_uint_eq(lines, 1);
	ck_assert_int_eq(severities[0], LOG_NOTICE);
	ck_assert_ptr_nonnull(strstr(last, "40 relays wait for QEMU"));
	ck_assert_str_eq(guest_watch_explain(&relays->relay[3]), "QEMU has not made the socket");
	ck_assert_ptr_null(guest_watch_explain(&relays->relay[50]));
}
END_TEST

static const struct {
	enum unix_peer peer;
	int severity;
	const char *words, *state;
} things[] = {
        {UNIX_PEER_FILE, LOG_WARNING, "it is no socket; remove it", "no socket is at"},
        {UNIX_PEER_DIRECTORY, LOG_WARNING, "it is a directory; remove it", "a directory"},
        {UNIX_PEER_CLOSED, LOG_WARNING, "may not connect to it; see its mode", "no permission"},
        {UNIX_PEER_STALE, LOG_NOTICE, "that nobody serves; normal until", "stale"},
        {UNIX_PEER_BUSY, LOG_WARNING, "does not take the connection", "does not take"},
        {UNIX_PEER_UNKNOWN, LOG_WARNING, "it cannot be looked at", "cannot be looked at"},
};

START_TEST(each_thing_is_said_when_it_is_found_twice)
{
	const char *state;

	guest_watch_start(relays);
	look();
	there[9] = things[_i].peer;
	look();
	ck_assert_uint_eq(lines, 0);
	look();
	look();
	ck_assert_uint_eq(lines, 1);
	ck_assert_int_eq(severities[0], things[_i].severity);
	ck_assert_ptr_nonnull(strstr(last, "relay 9: no guest comes by /sockets/9: "));
	ck_assert_msg(strstr(last, things[_i].words) != NULL, "%s", last);
	state = guest_watch_explain(&relays->relay[9]);
	ck_assert_msg(strstr(state, things[_i].state) != NULL, "%s", state);
	/* It goes, and comes again. */
	there[9] = UNIX_PEER_LISTENS;
	look();
	look();
	ck_assert_ptr_null(guest_watch_explain(&relays->relay[9]));
	there[9] = things[_i].peer;
	look();
	look();
	ck_assert_uint_eq(lines, 2);
}
END_TEST

START_TEST(who_is_here_is_not_waited_for)
{
	for (unsigned peer = 0; peer < UNIX_PEERS; peer++) {
		there[1] = there[2] = there[3] = (enum unix_peer)peer;
		relays->relay[1].guest_end.guest.connected = true;
		front_end[2] = true;
		relays->relay[3].guest_end.phase = GUEST_CLOSED;
		lines = 0;
		guest_watch_start(relays);
		look();
		look();
		/* A connection that QEMU has not taken yet is as good as none. */
		ck_assert_uint_eq(lines, peer == UNIX_PEER_BUSY ? 1 : 0);
		ck_assert_ptr_null(guest_watch_explain(&relays->relay[1]));
		ck_assert_ptr_null(guest_watch_explain(&relays->relay[3]));
	}
}
END_TEST

/* A look under way is let come back, and is the last. */
START_TEST(the_end)
{
	loop_fn callback;

	guest_watch_start(relays);
	callback = timer.callback;
	timer.callback = NULL;
	callback(timer.context);
	struct job *job = runs(GUEST);
	relays->quiesced = true;
	job->done(job);
	ck_assert_ptr_null(timer.callback);
	guest_watch_start(relays);
	guest_watch_stop(relays);
	ck_assert_ptr_null(timer.callback);
	ck_assert_uint_eq(lines, 0);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("all");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, who_serves_looks_at_nothing);
	tcase_add_test(tcase, nothing_is_said_once_for_all);
	tcase_add_loop_test(tcase, each_thing_is_said_when_it_is_found_twice, 0,
	                    sizeof(things) / sizeof(things[0]));
	tcase_add_test(tcase, who_is_here_is_not_waited_for);
	tcase_add_test(tcase, the_end);
	return suite_main("guest_watch", tcase);
}
