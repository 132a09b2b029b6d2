/* The daemon's log, see log.h.
 * The one piece of file-scope state outside main: a log that had to be handed down to every
 * function would be the only argument of most of them. `lock` guards all of it and every
 * log_limit; `level` alone is read without it, so that a message that is not wanted costs a load.
 */
#include "base/log.h"

#include <errno.h>
#include <paths.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/syslog_socket.h"

#define LINE_MAX_BYTES  2048 /* below PIPE_BUF: lines of several processes never mix in a pipe */
#define NOTE_MAX        64
#define FIELD_MAX_BYTES 600
#define STDOUT_WAIT_MS  100 /* how long a reader of our stdout may hold us up, once */

static struct {
	pthread_mutex_t lock;
	atomic_int level;
	enum log_target target;
	const char *ident;
	bool journal; /* journald is the reader: as stdout it adds the time, and wants <severity> */
	struct syslog_socket system;
	struct journal_socket fields; /* journald's other door, for messages with fields */
	unsigned lost; /* lines that the reader, of stdout or of the system's log, did not take */
} log_state = {.lock = PTHREAD_MUTEX_INITIALIZER,
               .level = LOG_INFO,
               .target = LOG_TO_STDOUT,
               .system = {.fd = -1},
               .fields = {.fd = -1}};

/* JOURNAL_STREAM is inherited by children whose stdout is something else: compare the file. */
static bool stdout_is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long long device, inode;
	struct stat st;

	if (stream == NULL || sscanf(stream, "%llu:%llu", &device, &inode) != 2)
		return false;
	return fstat(STDOUT_FILENO, &st) == 0 && st.st_dev == device && st.st_ino == inode;
}

/* There /dev/log is a link. */
static bool system_is_journal(void)
{
	static const char own[] = "/run/systemd/journal/";
	char target[64];
	ssize_t n = readlink(_PATH_LOG, target, sizeof(target));

	return n > (ssize_t)sizeof(own) && memcmp(target, own, sizeof(own) - 1) == 0;
}

static void open_target(void)
{
	log_state.journal =
	        log_state.target == LOG_TO_STDOUT ? stdout_is_journal() : system_is_journal();
}

void log_open(enum log_target target, int level, const char *ident)
{
	log_set_level(level);
	pthread_mutex_lock(&log_state.lock);
	log_state.target = target;
	log_state.ident = ident;
	open_target();
	pthread_mutex_unlock(&log_state.lock);
}

void log_reopen(void)
{
	pthread_mutex_lock(&log_state.lock);
	syslog_socket_close(&log_state.system);
	journal_socket_close(&log_state.fields);
	fflush(stdout);
	open_target();
	pthread_mutex_unlock(&log_state.lock);
}

void log_set_level(int level)
{
	atomic_store_explicit(&log_state.level, level, memory_order_relaxed);
}

int log_get_level(void)
{
	return atomic_load_explicit(&log_state.level, memory_order_relaxed);
}

void log_close(void)
{
	pthread_mutex_lock(&log_state.lock);
	syslog_socket_close(&log_state.system);
	journal_socket_close(&log_state.fields);
	log_state.target = LOG_TO_STDOUT;
	pthread_mutex_unlock(&log_state.lock);
}

/* ASCII's control characters, and those from U+0080 to U+009F in UTF-8. */
static bool is_control(unsigned char before, unsigned char c, unsigned char behind)
{
	return c < 0x20 || c == 0x7f || (c == 0xc2 && behind >= 0x80 && behind < 0xa0) ||
	       (before == 0xc2 && c >= 0x80 && c < 0xa0);
}

/* Whoever can get text into the log (a device name, a path) must not be able to forge lines or
 * steer the terminal that shows them. Cuts where out is full. */
static void escape(char *out, size_t size, const char *text)
{
	unsigned char before = 0;
	size_t len = 0;

	for (; *text != '\0'; before = (unsigned char)*text++) {
		unsigned char c = (unsigned char)*text;
		bool control = is_control(before, c, (unsigned char)text[1]);

		if (len + (control ? 4 : 1) >= size)
			break;
		if (control)
			len += (size_t)snprintf(out + len, size - len, "\\x%02x", c);
		else
			out[len++] = (char)c;
	}
	out[len] = '\0';
}

static size_t stamp(char *out, size_t size, int severity)
{
	static const char *const names[] = {"EMERG",   "ALERT",  "CRIT", "ERROR",
	                                    "WARNING", "NOTICE", "INFO", "DEBUG"};
	struct timespec now;
	struct tm tm;
	char date[32];

	if (log_state.journal)
		return (size_t)snprintf(out, size, "<%d>", severity & 7);
	clock_gettime(CLOCK_REALTIME, &now);
	localtime_r(&now.tv_sec, &tm);
	strftime(date, sizeof(date), "%Y-%m-%d %H:%M:%S", &tm);
	return (size_t)snprintf(out, size, "%s.%03ld %s ", date, now.tv_nsec / 1000000,
	                        names[severity & 7]);
}

static void write_line(int severity, const char *text)
{
	char line[LINE_MAX_BYTES + 64];
	size_t len = stamp(line, sizeof(line), severity), done = 0;

	len += (size_t)snprintf(line + len, sizeof(line) - len, "%s\n", text);
	while (done < len) {
		ssize_t n = write(STDOUT_FILENO, line + done, len - done);

		if (n < 0 && errno != EINTR)
			return; /* nowhere left to complain */
		done += n > 0 ? (size_t)n : 0;
	}
}

static const char *note_of_lost(char note[NOTE_MAX])
{
	snprintf(note, NOTE_MAX, "%u log lines lost: nobody read them", log_state.lost);
	return note;
}

/* A reader that has stopped (a full pipe, a terminal on hold) must not stop us: what it does not
 * take is lost, and counted. */
static void write_stdout(int severity, const char *text)
{
	struct pollfd out = {.fd = STDOUT_FILENO, .events = POLLOUT};

	if (poll(&out, 1, log_state.lost > 0 ? 0 : STDOUT_WAIT_MS) == 0) {
		log_state.lost++;
		return;
	}
	if (log_state.lost > 0) {
		char note[NOTE_MAX];

		write_line(LOG_WARNING, note_of_lost(note));
		log_state.lost = 0;
	}
	write_line(severity, text);
}

/* Without a reader there is nobody to miss a line. */
static bool system_takes(int severity, const char *text)
{
	return syslog_socket_send(&log_state.system, _PATH_LOG, severity, log_state.ident, text) !=
	       -EAGAIN;
}

static void write_system(int severity, const char *text)
{
	char note[NOTE_MAX];

	if (log_state.lost > 0 && system_takes(LOG_WARNING, note_of_lost(note)))
		log_state.lost = 0;
	if (log_state.lost > 0 || !system_takes(severity, text))
		log_state.lost++;
}

static void write_text(int severity, const char *text)
{
	if (log_state.target == LOG_TO_SYSLOG)
		write_system(severity, text);
	else
		write_stdout(severity, text);
}

static __attribute__((format(printf, 2, 0))) void write_message(int severity, const char *format,
                                                                va_list args)
{
	int saved_errno = errno; /* callers log, then return -errno */
	char raw[LINE_MAX_BYTES], text[LINE_MAX_BYTES];

	if (vsnprintf(raw, sizeof(raw), format, args) < 0)
		raw[0] = '\0';
	escape(text, sizeof(text), raw);
	pthread_mutex_lock(&log_state.lock);
	write_text(severity, text);
	pthread_mutex_unlock(&log_state.lock);
	errno = saved_errno;
}

void log_write(int severity, const char *format, ...)
{
	va_list args;

	if (severity > log_get_level())
		return;
	va_start(args, format);
	write_message(severity, format, args);
	va_end(args);
}

bool log_limit_admit(struct log_limit *limit, unsigned *suppressed)
{
	uint64_t now_ms = clock_now_ms();
	bool admit;

	*suppressed = 0;
	pthread_mutex_lock(&log_state.lock);
	if (now_ms - limit->window_start_ms >= limit->interval_ms) {
		if (limit->seen > limit->burst)
			*suppressed = limit->seen - limit->burst;
		limit->window_start_ms = now_ms;
		limit->seen = 0;
	}
	admit = limit->seen < limit->burst;
	limit->seen++;
	pthread_mutex_unlock(&log_state.lock);
	return admit;
}

/* One limit may be several messages': the line that tells of those left out says which they were.
 */
static void note_left_out(struct log_limit *limit, const char *text)
{
	pthread_mutex_lock(&log_state.lock);
	memcpy(limit->left_out, text, sizeof(limit->left_out));
	pthread_mutex_unlock(&log_state.lock);
}

static void tell_left_out(struct log_limit *limit, int severity, unsigned suppressed)
{
	char text[LOG_LEFT_OUT_MAX];

	pthread_mutex_lock(&log_state.lock);
	memcpy(text, limit->left_out, sizeof(text));
	pthread_mutex_unlock(&log_state.lock);
	log_write(severity, "%u messages were left out, the last of them: %s%s", suppressed, text,
	          strlen(text) == sizeof(text) - 1 ? "..." : "");
}

void log_write_limited(struct log_limit *limit, int severity, const char *format, ...)
{
	char text[LOG_LEFT_OUT_MAX] = "";
	unsigned suppressed;
	va_list args;

	if (severity > log_get_level())
		return;
	va_start(args, format);
	if (log_limit_admit(limit, &suppressed)) {
		if (suppressed > 0)
			tell_left_out(limit, severity, suppressed);
		write_message(severity, format, args);
	} else if (vsnprintf(text, sizeof(text), format, args) >= 0) {
		note_left_out(limit, text);
	}
	va_end(args);
}

/* True when journald has taken it. */
static bool write_fields(int severity, const struct log_field *fields, unsigned n_fields,
                         const char *text)
{
	char values[LOG_FIELDS_MAX][FIELD_MAX_BYTES];
	struct log_field escaped[LOG_FIELDS_MAX];

	if (!log_state.journal || n_fields == 0 || n_fields > LOG_FIELDS_MAX)
		return false;
	for (unsigned i = 0; i < n_fields; i++) {
		escape(values[i], sizeof(values[i]), fields[i].value);
		escaped[i] = (struct log_field){.name = fields[i].name, .value = values[i]};
	}
	return journal_socket_send(&log_state.fields, JOURNAL_SOCKET_PATH, severity,
	                           log_state.ident, text, escaped, n_fields) == 0;
}

void log_write_fields(struct log_limit *limit, int severity, const struct log_field *fields,
                      unsigned n_fields, const char *text)
{
	int saved_errno = errno;
	unsigned suppressed = 0;
	char line[LINE_MAX_BYTES];

	if (severity > log_get_level())
		return;
	if (limit != NULL && !log_limit_admit(limit, &suppressed)) {
		char left_out[LOG_LEFT_OUT_MAX];

		snprintf(left_out, sizeof(left_out), "%s", text);
		note_left_out(limit, left_out);
		return;
	}
	if (suppressed > 0)
		tell_left_out(limit, severity, suppressed);
	escape(line, sizeof(line), text);
	pthread_mutex_lock(&log_state.lock);
	if (!write_fields(severity, fields, n_fields, line))
		write_text(severity, line);
	pthread_mutex_unlock(&log_state.lock);
	errno = saved_errno;
}
