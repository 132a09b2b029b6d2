/* The watchdog's looks at the workers: fed while all go on, asleep or not, and silent, with one
 * line in the log, when one does not.
 */
/* WRAP: notify_watchdog_interval_us notify_watchdog loop_timer_start log_write */
#include <check.h>

#include "control_rig.h"
#include "suite.h"
#include "sys/notify.h"

#define WORKERS 3

static struct watchdog *watchdog;
static uint64_t interval_us, asked_ms;
static unsigned fed;
static loop_fn look;
static void *look_context;
static char said[512]; /* the lines that were logged, one after the other */

uint64_t __wrap_notify_watchdog_interval_us(void);
void __wrap_notify_watchdog(void);
void __wrap_loop_timer_start(struct loop *loop, struct loop_timer *timer, uint64_t delay_ms,
                             loop_fn callback, void *context);

uint64_t __wrap_notify_watchdog_interval_us(void)
{
	return interval_us;
}

void __wrap_notify_watchdog(void)
{
	fed++;
}

void __wrap_loop_timer_start(struct loop *loop, struct loop_timer *timer, uint64_t delay_ms,
                             loop_fn callback, void *context)
{
	(void)loop;
	(void)timer;
	asked_ms = delay_ms;
	look = callback;
	look_context = context;
}

void __wrap_log_write(int severity, const char *format, ...);

void __wrap_log_write(int severity, const char *format, ...)
{
	size_t len = strlen(said);
	va_list args;

	fake_expect(severity <= LOG_NOTICE);
	va_start(args, format);
	vsnprintf(said + len, sizeof(said) - len, format, args);
	va_end(args);
}

/* --- the rig ------------------------------------------------------------------------------------
 */

static void create(uint64_t systemd_waits_us)
{
	rig_create(WORKERS);
	interval_us = systemd_waits_us;
	fed = 0;
	asked_ms = 0;
	look = NULL;
	said[0] = '\0';
	watchdog = watchdog_create(rig->workers, NULL);
	ck_assert_ptr_nonnull(watchdog);
}

static void destroy(void)
{
	watchdog_destroy(watchdog);
	rig_destroy();
}

static void set_up(void)
{
	create(3000000);
}

static void pass(unsigned worker)
{
	rig->workers->worker[worker].passes++;
}

static void pass_all_but(unsigned worker)
{
	for (unsigned i = 0; i < WORKERS; i++)
		if (i != worker)
			pass(i);
}

static void set_asleep(unsigned worker, bool asleep)
{
	atomic_store(&rig->workers->worker[worker].asleep, asleep);
}

/* --- tests --------------------------------------------------------------------------------------
 */

START_TEST(fed_at_half_the_interval_while_all_work)
{
	for (unsigned turn = 1; turn <= 3; turn++) {
		ck_assert_uint_eq(asked_ms, 1500);
		asked_ms = 0;
		pass_all_but(WORKERS);
		look(look_context);
		ck_assert_uint_eq(fed, turn);
	}
	ck_assert_str_eq(said, "");
}
END_TEST

START_TEST(a_worker_that_sleeps_is_alive)
{
	for (unsigned i = 0; i < WORKERS; i++)
		set_asleep(i, true);
	look(look_context);
	look(look_context);
	ck_assert_uint_eq(fed, 2);
	set_asleep(1, false);
	pass_all_but(1);
	look(look_context);
	ck_assert_uint_eq(fed, 2);
}
END_TEST

START_TEST(a_stuck_worker_is_named_once_and_starves_the_watchdog)
{
	pass_all_but(WORKERS);
	look(look_context);
	for (unsigned i = 0; i < 3; i++) {
		pass_all_but(1);
		look(look_context);
	}
	ck_assert_uint_eq(fed, 1);
	ck_assert_ptr_nonnull(strstr(said, "worker 2 on CPU"));
	ck_assert_ptr_nonnull(strstr(said, "for 1.5 s"));
	ck_assert_ptr_eq(strstr(said, "worker"), strstr(said, "worker 2"));
	ck_assert_ptr_null(strstr(strstr(said, "worker 2") + 1, "worker"));
	ck_assert_uint_eq(asked_ms, 1500); /* it goes on looking */
}
END_TEST

START_TEST(a_worker_that_goes_on_feeds_again)
{
	pass_all_but(0);
	look(look_context);
	ck_assert_uint_eq(fed, 0);
	said[0] = '\0';
	pass_all_but(WORKERS);
	look(look_context);
	ck_assert_uint_eq(fed, 1);
	ck_assert_str_eq(said, "worker 1 goes on");
	/* and is named again when it gets stuck again */
	pass_all_but(0);
	look(look_context);
	ck_assert_uint_eq(fed, 1);
	ck_assert_ptr_nonnull(strstr(said, "worker 1 on CPU"));
}
END_TEST

START_TEST(nobody_waits)
{
	create(0);
	ck_assert_ptr_null(look);
	destroy();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("watchdog");
	TCase *tcase = tcase_create("watchdog");
	TCase *idle = tcase_create("idle");

	tcase_add_checked_fixture(tcase, set_up, destroy);
	tcase_add_test(tcase, fed_at_half_the_interval_while_all_work);
	tcase_add_test(tcase, a_worker_that_sleeps_is_alive);
	tcase_add_test(tcase, a_stuck_worker_is_named_once_and_starves_the_watchdog);
	tcase_add_test(tcase, a_worker_that_goes_on_feeds_again);
	suite_add_tcase(suite, tcase);
	tcase_add_test(idle, nobody_waits);
	suite_add_tcase(suite, idle);
	return suite_run(suite, CK_FORK_GETENV);
}
