/* The log: what reaches stdout or syslog, in what form, and what a reader that has stopped or a
 * peer that provokes messages can do to it.
 * WRAP: syslog_socket_send syslog_socket_close
 * TSAN: threads log side by side.
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/syslog_socket.h"
#include "suite.h"

static struct {
	int pipe[2]; /* stdout */
	int terminal;
	char text[256 * 1024];
	char system[4096]; /* what syslog got */
	int system_rc;     /* what it answers */
	int sent, closed;
} seen;

int __wrap_syslog_socket_send(struct syslog_socket *socket, const char *path, int severity,
                              const char *ident, const char *text);
void __wrap_syslog_socket_close(struct syslog_socket *socket);

int __wrap_syslog_socket_send(struct syslog_socket *socket, const char *path, int severity,
                              const char *ident, const char *text)
{
	(void)socket;
	ck_assert_str_eq(path, "/dev/log");
	ck_assert_str_eq(ident, "unit");
	if (seen.system_rc == 0)
		snprintf(seen.system, sizeof(seen.system), "<%d>%s", severity, text);
	seen.sent++;
	return seen.system_rc;
}

void __wrap_syslog_socket_close(struct syslog_socket *socket)
{
	(void)socket;
	seen.closed++;
}

static void set_up(void)
{
	memset(&seen, 0, sizeof(seen));
	unsetenv("JOURNAL_STREAM");
	fflush(stdout);
	seen.terminal = dup(STDOUT_FILENO);
	ck_assert_int_eq(pipe(seen.pipe), 0);
	ck_assert_int_ge(fcntl(seen.pipe[0], F_SETFL, O_NONBLOCK), 0);
	dup2(seen.pipe[1], STDOUT_FILENO);
	log_open(LOG_TO_STDOUT, LOG_DEBUG, "unit");
}

static void tear_down(void)
{
	log_close();
	dup2(seen.terminal, STDOUT_FILENO);
	close(seen.terminal);
	close(seen.pipe[0]);
	close(seen.pipe[1]);
}

/* Everything on stdout since the last call. */
static char *read_stdout(void)
{
	size_t len = 0;
	ssize_t n;

	while ((n = read(seen.pipe[0], seen.text + len, sizeof(seen.text) - 1 - len)) > 0)
		len += (size_t)n;
	seen.text[len] = '\0';
	return seen.text;
}

/* "2026-01-31 12:00:00.123 ERROR text": what stands behind the time. */
static const char *message(const char *line)
{
	ck_assert_uint_gt(strlen(line), 24);
	ck_assert(line[4] == '-' && line[10] == ' ' && line[19] == '.' && line[23] == ' ');
	return line + 24;
}

START_TEST(writes_lines)
{
	log_err("disk %d is full", 3);
	ck_assert_str_eq(message(read_stdout()), "ERROR disk 3 is full\n");
	log_warn("w");
	ck_assert_str_eq(message(read_stdout()), "WARNING w\n");
	log_notice("n");
	ck_assert_str_eq(message(read_stdout()), "NOTICE n\n");
	log_info("i");
	ck_assert_str_eq(message(read_stdout()), "INFO i\n");
	log_debug("%s", "");
	ck_assert_str_eq(message(read_stdout()), "DEBUG \n");
	log_write(LOG_EMERG, "e");
	ck_assert_str_eq(message(read_stdout()), "EMERG e\n");
}
END_TEST

START_TEST(leaves_out_what_the_level_hides)
{
	for (int level = LOG_EMERG; level <= LOG_DEBUG; level++) {
		log_set_level(level);
		ck_assert_int_eq(log_get_level(), level);
		for (int severity = LOG_EMERG; severity <= LOG_DEBUG; severity++) {
			log_write(severity, "text");
			ck_assert((read_stdout()[0] != '\0') == (severity <= level));
		}
	}
}
END_TEST

START_TEST(keeps_errno)
{
	errno = EXDEV;
	log_err("text");
	ck_assert_int_eq(errno, EXDEV);
	close(seen.pipe[0]);
	seen.pipe[0] = open("/dev/null", O_RDONLY);
	signal(SIGPIPE, SIG_IGN);
	log_err("nobody reads this");
	ck_assert_int_eq(errno, EXDEV);
}
END_TEST

START_TEST(escapes_what_steers)
{
	log_err("%s", "a\nERROR forged\r\t\x1b[2J\x7f");
	ck_assert_str_eq(message(read_stdout()),
	                 "ERROR a\\x0aERROR forged\\x0d\\x09\\x1b[2J\\x7f\n");
	/* U+009B is a terminal's "ESC [" too; other letters pass. */
	log_err("%s", "\xc2\x9b"
	              "2J \xc3\xa4\xe2\x80\xa6 \xc2\xa0");
	ck_assert_str_eq(message(read_stdout()), "ERROR \\xc2\\x9b"
	                                         "2J \xc3\xa4\xe2\x80\xa6 \xc2\xa0\n");
}
END_TEST

START_TEST(bounds_lines)
{
	char junk[10000];

	memset(junk, '\x01', sizeof(junk) - 1);
	junk[sizeof(junk) - 1] = '\0';
	log_err("%s", junk);
	ck_assert_uint_le(strlen(read_stdout()), 4096);
	ck_assert_ptr_eq(strchr(seen.text, '\n'), strrchr(seen.text, '\n'));
	memset(junk, 'x', sizeof(junk) - 1);
	log_err("%s", junk);
	ck_assert_uint_gt(strlen(read_stdout()), 2000);
	ck_assert_uint_le(strlen(seen.text), 4096);
	ck_assert_int_eq(seen.text[strlen(seen.text) - 1], '\n');
}
END_TEST

static long now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

START_TEST(waits_for_no_reader)
{
	const char *lost;
	long start = now_ms();
	unsigned count;

	for (int i = 0; i < 5000; i++)
		log_info("line %d, long enough to fill a pipe before long", i);
	ck_assert_int_lt(now_ms() - start, 3000);
	read_stdout();
	log_info("again");
	lost = strstr(read_stdout(), "WARNING ");
	ck_assert_ptr_nonnull(lost);
	ck_assert_int_eq(sscanf(lost, "WARNING %u log lines lost", &count), 1);
	ck_assert_uint_gt(count, 100);
	ck_assert_ptr_nonnull(strstr(seen.text, "INFO again\n"));
	log_info("once more");
	ck_assert_ptr_null(strstr(read_stdout(), "lost"));
}
END_TEST

START_TEST(speaks_to_the_journal)
{
	struct stat st;
	char stream[64];

	ck_assert_int_eq(fstat(STDOUT_FILENO, &st), 0);
	snprintf(stream, sizeof(stream), "%llu:%llu", (unsigned long long)st.st_dev,
	         (unsigned long long)st.st_ino);
	setenv("JOURNAL_STREAM", stream, 1);
	log_reopen();
	log_err("text");
	ck_assert_str_eq(read_stdout(), "<3>text\n");
	/* Inherited from a parent whose stdout was the journal, while ours is another. */
	setenv("JOURNAL_STREAM", "1:1", 1);
	log_reopen();
	log_err("text");
	ck_assert_str_eq(message(read_stdout()), "ERROR text\n");
	setenv("JOURNAL_STREAM", "junk", 1);
	log_reopen();
	log_err("text");
	ck_assert_str_eq(message(read_stdout()), "ERROR text\n");
}
END_TEST

START_TEST(speaks_to_syslog)
{
	log_open(LOG_TO_SYSLOG, LOG_WARNING, "unit");
	log_err("100%% of %s", "a\nb %n%s");
	ck_assert_str_eq(seen.system, "<3>100% of a\\x0ab %n%s");
	ck_assert_str_eq(read_stdout(), "");
	seen.system[0] = '\0';
	log_notice("hidden");
	ck_assert_str_eq(seen.system, "");
	log_reopen();
	ck_assert_int_eq(seen.closed, 1);
	log_close();
	ck_assert_int_eq(seen.closed, 2);
	log_err("to stdout after that");
	ck_assert_ptr_nonnull(strstr(read_stdout(), "to stdout after that"));
}
END_TEST

START_TEST(what_syslog_does_not_take_is_counted)
{
	log_open(LOG_TO_SYSLOG, LOG_WARNING, "unit");
	seen.system_rc = -EAGAIN;
	for (int i = 0; i < 7; i++)
		log_err("nobody reads this");
	seen.system_rc = 0;
	seen.sent = 0;
	log_err("this");
	ck_assert_str_eq(seen.system, "<3>this");
	ck_assert_int_eq(seen.sent, 2); /* a line says how many were lost */
	seen.system_rc = -EAGAIN;
	log_err("nobody reads this");
	seen.system_rc = 0;
	log_close();
}
END_TEST

START_TEST(a_missing_syslog_is_none_that_loses_lines)
{
	log_open(LOG_TO_SYSLOG, LOG_WARNING, "unit");
	seen.system_rc = -ENOENT;
	log_err("there is no /dev/log");
	seen.system_rc = 0;
	seen.sent = 0;
	log_err("now there is");
	ck_assert_int_eq(seen.sent, 1);
	ck_assert_str_eq(seen.system, "<3>now there is");
	log_close();
}
END_TEST

static unsigned count_lines(const char *text)
{
	unsigned n = 0;

	for (; (text = strchr(text, '\n')) != NULL; text++)
		n++;
	return n;
}

START_TEST(limits_what_others_provoke)
{
	struct log_limit limit = LOG_LIMIT(200, 3);
	unsigned suppressed;

	for (int i = 0; i < 50; i++)
		log_write_limited(&limit, LOG_WARNING, "provoked %d", i);
	ck_assert_uint_eq(count_lines(read_stdout()), 3);
	usleep(220 * 1000);
	log_write_limited(&limit, LOG_WARNING, "later");
	ck_assert_uint_eq(count_lines(read_stdout()), 2);
	ck_assert_ptr_nonnull(strstr(seen.text, "47 messages were left out, the last of them: "
	                                        "provoked 49\n"));
	ck_assert_ptr_nonnull(strstr(seen.text, "WARNING later\n"));

	/* A long one is cut. */
	for (int i = 0; i < 5; i++)
		log_write_limited(&limit, LOG_WARNING, "%0200d", i);
	usleep(220 * 1000);
	(void)read_stdout();
	log_write_limited(&limit, LOG_WARNING, "later");
	ck_assert_uint_eq(count_lines(read_stdout()), 2);
	ck_assert_ptr_nonnull(
	        strstr(seen.text, "3 messages were left out, the last of them: 0000"));
	ck_assert_ptr_nonnull(strstr(seen.text, "000...\n"));

	/* What the level hides is not counted. */
	limit = (struct log_limit)LOG_LIMIT(60000, 1);
	log_write_limited(&limit, LOG_WARNING, "shown");
	log_set_level(LOG_ERR);
	log_write_limited(&limit, LOG_WARNING, "hidden");
	ck_assert_uint_eq(limit.seen, 1);
	ck_assert(!log_limit_admit(&limit, &suppressed));
	ck_assert_uint_eq(suppressed, 0);
}
END_TEST

#define THREADS 4
#define LINES   100

static void *log_lines(void *context)
{
	static struct log_limit limit = LOG_LIMIT(60000, 10);

	for (int i = 0; i < LINES; i++) {
		log_info("thread %d says %d", *(int *)context, i);
		log_write_limited(&limit, LOG_INFO, "limited");
		if (i % 10 == 0)
			log_reopen();
		log_set_level(LOG_INFO);
	}
	return NULL;
}

START_TEST(serves_threads)
{
	int numbers[THREADS] = {0, 1, 2, 3}, next[THREADS] = {0};
	pthread_t threads[THREADS];
	unsigned limited = 0;
	char *rest, *line;

	for (int i = 0; i < THREADS; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, log_lines, &numbers[i]), 0);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	rest = read_stdout();
	while ((line = strsep(&rest, "\n")) != NULL && *line != '\0') {
		int thread, number;

		if (strcmp(message(line), "INFO limited") == 0) {
			limited++;
			continue;
		}
		ck_assert_int_eq(sscanf(message(line), "INFO thread %d says %d", &thread, &number),
		                 2);
		ck_assert_int_eq(number, next[thread]++);
	}
	ck_assert_uint_eq(limited, 10);
	for (int i = 0; i < THREADS; i++)
		ck_assert_int_eq(next[i], LINES);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("all");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, writes_lines);
	tcase_add_test(tcase, leaves_out_what_the_level_hides);
	tcase_add_test(tcase, keeps_errno);
	tcase_add_test(tcase, escapes_what_steers);
	tcase_add_test(tcase, bounds_lines);
	tcase_add_test(tcase, waits_for_no_reader);
	tcase_add_test(tcase, speaks_to_the_journal);
	tcase_add_test(tcase, speaks_to_syslog);
	tcase_add_test(tcase, what_syslog_does_not_take_is_counted);
	tcase_add_test(tcase, a_missing_syslog_is_none_that_loses_lines);
	tcase_add_test(tcase, limits_what_others_provoke);
	tcase_add_test(tcase, serves_threads);
	return suite_main("log", tcase);
}
