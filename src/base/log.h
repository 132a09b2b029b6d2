/* The daemon's log: syslog severities, to syslog or to stdout, level changeable at run time.
 * Any thread may log. The packet loop does not: it counts, and control logs what was counted.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdbool.h>
#include <stdint.h>
#include <syslog.h>

#include "base/journal_socket.h"

enum log_target { LOG_TO_STDOUT, LOG_TO_SYSLOG };

/* ident is kept by reference (a string literal). level is 0 (LOG_EMERG) to 7 (LOG_DEBUG). */
void log_open(enum log_target target, int level, const char *ident);
void log_reopen(void); /* after SIGHUP: syslog connection anew, stdout flushed */
void log_set_level(int level);
int log_get_level(void);
void log_close(void);

void log_write(int severity, const char *format, ...) __attribute__((format(printf, 2, 3)));

#define LOG_LEFT_OUT_MAX 120 /* bytes of a message that is shown for all that were left out */

/* A limit for messages that somebody outside can provoke: at most `burst` messages every
 * `interval_ms`, then one line that says how many were left out, and how the last of them began.
 * Zero-initialise the rest; safe from any thread. */
struct log_limit {
	unsigned interval_ms, burst;
	uint64_t window_start_ms; /* monotonic ms */
	unsigned seen;            /* messages in this window */
	char left_out[LOG_LEFT_OUT_MAX];
};
/* clang-format's versions break braces of macros differently. */
/* clang-format off */
#define LOG_LIMIT(interval, count) {.interval_ms = (interval), .burst = (count)}
/* clang-format on */

/* True when the message may be written; *suppressed = messages left out since the last one. */
bool log_limit_admit(struct log_limit *limit, unsigned *suppressed);
void log_write_limited(struct log_limit *limit, int severity, const char *format, ...)
        __attribute__((format(printf, 3, 4)));

/* A message with fields, which journald keeps when it is the reader, and others do not see. limit
 * may be NULL: none. Control characters are escaped in all. */
#define LOG_FIELDS_MAX 16
void log_write_fields(struct log_limit *limit, int severity, const struct log_field *fields,
                      unsigned n_fields, const char *text);

#define log_err(...)    log_write(LOG_ERR, __VA_ARGS__)
#define log_warn(...)   log_write(LOG_WARNING, __VA_ARGS__)
#define log_notice(...) log_write(LOG_NOTICE, __VA_ARGS__)
#define log_info(...)   log_write(LOG_INFO, __VA_ARGS__)
#define log_debug(...)  log_write(LOG_DEBUG, __VA_ARGS__)

#endif
