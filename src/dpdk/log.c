/* DPDK's log lines. See log.h.
 *
 * DPDK prints to a stdio stream, any thread at any time and often a line in several pieces; the
 * stream's lock, which stdio holds around each write, guards the line being put together. The
 * piece that begins a line decides its severity, unless the line is known to be harmless
 * (harmless.h).
 */
#include "dpdk/log.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>

#include <rte_log.h>

#include "base/log.h"
#include "dpdk/harmless.h"

#define LINE_MAX_LEN 400 /* longer lines are cut into several */
#define LINES_PER_S  20  /* of each severity */

/* As DPDK has one stream for the whole process, so there is one state. */
static struct dpdk_log {
	char line[LINE_MAX_LEN + 1];
	size_t len;
	int severity; /* of the line begun */
	struct log_limit limits[LOG_DEBUG + 1];
} dpdk_log;

/* RTE_LOG_EMERG is 1, LOG_EMERG is 0. */
static int severity_now(void)
{
	int level = rte_log_cur_msg_loglevel() - 1;

	return level < LOG_EMERG || level > LOG_DEBUG ? LOG_INFO : level;
}

static void line_end(struct dpdk_log *log)
{
	log->line[log->len] = '\0';
	const struct dpdk_harmless *harmless = dpdk_harmless_find(log->line);
	int severity = harmless != NULL ? harmless->severity : log->severity;

	if (log->len > 0 && severity <= log_get_level()) {
		log_write_limited(&log->limits[severity], severity, "dpdk: %s%s%s%s", log->line,
		                  harmless != NULL ? " (" : "",
		                  harmless != NULL ? harmless->why : "",
		                  harmless != NULL ? ")" : "");
	}
	log->len = 0;
}

static ssize_t log_piece(void *cookie, const char *text, size_t size)
{
	struct dpdk_log *log = cookie;
	int error = errno;

	for (size_t i = 0; i < size; i++) {
		if (text[i] == '\n') {
			line_end(log);
			continue;
		}
		if (log->len == 0)
			log->severity = severity_now();
		/* Control characters would upset a terminal or a log's reader. */
		log->line[log->len++] = (unsigned char)text[i] < ' ' ? ' ' : text[i];
		if (log->len == LINE_MAX_LEN)
			line_end(log);
	}
	errno = error; /* some callers ask for it after they have logged */
	return (ssize_t)size;
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
