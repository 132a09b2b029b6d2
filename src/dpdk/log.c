/* DPDK's log lines. See log.h.
 *
 * DPDK prints to a stdio stream, any thread at any time and often a line in several pieces; the
 * stream's lock, which stdio holds around each write, guards the line being put together. The
 * piece that begins a line decides its severity.
 */
#include "dpdk/log.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

#include <rte_log.h>

#include "base/log.h"

#define LINE_MAX_LEN 400 /* longer lines are cut into several */
#define LINES_PER_S  20  /* of each severity */

/* As DPDK has one stream for the whole process, so there is one state. */
static struct dpdk_log {
	char line[LINE_MAX_LEN + 1];
	size_t len;
	int severity; /* of the line begun */
	struct log_limit limits[LOG_DEBUG + 1];
	atomic_bool busy_seen;
} dpdk_log;

/* RTE_LOG_EMERG is 1, LOG_EMERG is 0. */
static int severity_now(void)
{
	int level = rte_log_cur_msg_loglevel() - 1;

	return level < LOG_EMERG || level > LOG_DEBUG ? LOG_INFO : level;
}

static bool is_for_a_moment(long error)
{
	return error == EAGAIN || error == EBUSY;
}

/* The kernel resets a function while it opens it for a process, and on request; both fail when
 * another has locked it. error is what errno was when the line was written. */
static bool line_tells_busy(const char *line, int error)
{
	static const char reset[] = "Unable to reset device! Error: ";
	const char *at = strstr(line, reset);

	if (at != NULL)
		return is_for_a_moment(strtol(at + sizeof(reset) - 1, NULL, 10));
	return strstr(line, "Getting a vfio_dev_fd for ") != NULL && is_for_a_moment(error);
}

static void line_end(struct dpdk_log *log, int error)
{
	log->line[log->len] = '\0';
	if (line_tells_busy(log->line, error))
		atomic_store(&log->busy_seen, true);
	if (log->len > 0 && log->severity <= log_get_level()) {
		log_write_limited(&log->limits[log->severity], log->severity, "dpdk: %s",
		                  log->line);
	}
	log->len = 0;
}

static ssize_t log_piece(void *cookie, const char *text, size_t size)
{
	struct dpdk_log *log = cookie;
	int error = errno;

	for (size_t i = 0; i < size; i++) {
		if (text[i] == '\n') {
			line_end(log, error);
			continue;
		}
		if (log->len == 0)
			log->severity = severity_now();
		/* What would upset a terminal or a log's reader. */
		log->line[log->len++] = (unsigned char)text[i] < ' ' ? ' ' : text[i];
		if (log->len == LINE_MAX_LEN)
			line_end(log, error);
	}
	errno = error; /* some ask for it after they have logged */
	return (ssize_t)size;
}

void dpdk_log_busy_forget(void)
{
	atomic_store(&dpdk_log.busy_seen, false);
}

bool dpdk_log_busy_seen(void)
{
	return atomic_load(&dpdk_log.busy_seen);
}

int dpdk_log_open(void)
{
	static const cookie_io_functions_t functions = {.write = log_piece};

	for (int i = 0; i <= LOG_DEBUG; i++)
		dpdk_log.limits[i] = (struct log_limit)LOG_LIMIT(1000, LINES_PER_S);
	FILE *stream = fopencookie(&dpdk_log, "w", functions);
	if (stream == NULL)
		return -errno;
	if (rte_openlog_stream(stream) == 0)
		return 0;
	fclose(stream);
	return -EIO;
}
