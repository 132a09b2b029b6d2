/* Events of other threads. See posted.h. `lock` guards all of it; it is held for as long as a copy
 * takes.
 */
#include "events/posted.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/limits.h"

#define LINE_MAX_TEXT  768
#define VALUE_MAX_TEXT 512

/* Most values of a posted event that are texts. */
#define TEXTS_MAX 2

struct post {
	struct event event; /* its texts are those below */
	struct log_limit *limit;
	char texts[TEXTS_MAX][VALUE_MAX_TEXT];
	char line[LINE_MAX_TEXT];
};

static struct {
	pthread_mutex_t lock;
	int fd; /* eventfd, -1 = nobody takes what is posted */
	unsigned first, n;
	unsigned of_relay[RELAYS_MAX]; /* of those that wait */
	unsigned lost;                 /* since posts were told last */
	struct post posts[POSTED_MAX];
} queue = {.lock = PTHREAD_MUTEX_INITIALIZER, .fd = -1};

/* Taken out of the queue before it is told, by the control thread alone. */
static struct post taken;

/* The texts are the post's own from here on. What is beyond TEXTS_MAX is left out. */
static void copy_texts(struct post *post)
{
	unsigned n = 0;

	for (unsigned i = 0; i < EVENT_VALUES_MAX; i++) {
		struct event_value *value = &post->event.values[i];

		if (value->field == EVENT_FIELD_NONE)
			return;
		if (event_field_table[value->field].form != EVENT_TEXT)
			continue;
		if (n == TEXTS_MAX) {
			value->field = EVENT_FIELD_NONE;
			return;
		}
		snprintf(post->texts[n], VALUE_MAX_TEXT, "%s",
		         value->text != NULL ? value->text : "");
		value->text = post->texts[n++];
	}
}

/* False when it does not fit. */
static bool post_add(const struct event *event, struct log_limit *limit, const char *line)
{
	unsigned relay = (unsigned)event->relay;
	struct post *post = &queue.posts[(queue.first + queue.n) % POSTED_MAX];
	uint64_t one = 1;

	if (queue.n == POSTED_MAX || queue.of_relay[relay] == POSTED_RELAY_MAX) {
		queue.lost++;
		return false;
	}
	post->event = *event;
	post->limit = limit;
	copy_texts(post);
	snprintf(post->line, sizeof(post->line), "%s", line);
	queue.n++;
	queue.of_relay[relay]++;
	return write(queue.fd, &one, sizeof(one)) > 0; /* else it is awake anyway */
}

void events_post(const struct event *event, struct log_limit *limit, const char *format, ...)
{
	char line[LINE_MAX_TEXT];
	bool direct;
	va_list args;

	va_start(args, format);
	if (vsnprintf(line, sizeof(line), format, args) < 0)
		line[0] = '\0';
	va_end(args);
	pthread_mutex_lock(&queue.lock);
	direct = queue.fd < 0;
	if (!direct)
		(void)post_add(event, limit, line);
	pthread_mutex_unlock(&queue.lock);
	if (direct)
		log_write_fields(limit, event_table[event->id].severity, NULL, 0, line);
}

int posted_open(void)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	if (fd < 0)
		return -errno;
	pthread_mutex_lock(&queue.lock);
	queue.fd = fd;
	pthread_mutex_unlock(&queue.lock);
	return fd;
}

void posted_close(void)
{
	int fd;

	posted_tell();
	pthread_mutex_lock(&queue.lock);
	fd = queue.fd;
	queue.fd = -1;
	pthread_mutex_unlock(&queue.lock);
	if (fd >= 0)
		close(fd);
}

/* The next one into `taken`; false when there is none. */
static bool post_take(unsigned *lost)
{
	bool found;

	pthread_mutex_lock(&queue.lock);
	*lost = queue.lost;
	queue.lost = 0;
	found = queue.n > 0;
	if (found) {
		taken = queue.posts[queue.first];
		queue.first = (queue.first + 1) % POSTED_MAX;
		queue.n--;
		queue.of_relay[taken.event.relay]--;
		copy_texts(&taken); /* it points to its own again */
	}
	pthread_mutex_unlock(&queue.lock);
	return found;
}

void posted_tell(void)
{
	static struct log_limit lost_limit = LOG_LIMIT(60000, 1);
	unsigned lost;
	uint64_t count;

	if (queue.fd >= 0 && read(queue.fd, &count, sizeof(count)) < 0 && errno != EAGAIN)
		return;
	/* No more than there can be: whoever goes on posting waits for the next turn. */
	for (unsigned i = 0; i < POSTED_MAX; i++) {
		bool found = post_take(&lost);

		if (lost > 0)
			log_write_limited(&lost_limit, LOG_WARNING,
			                  "%u events of guests were left out: more came at a time "
			                  "than is told",
			                  lost);
		if (!found)
			return;
		events_tell(&taken.event, taken.limit, "%s", taken.line);
	}
	count = 1;
	if (write(queue.fd, &count, sizeof(count)) < 0)
		return; /* somebody has posted meanwhile */
}
