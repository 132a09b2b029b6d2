/* The metrics' endpoint on the event loop. See metrics.h. libmicrohttpd reads requests and writes
 * answers, without threads and without blocking, when its epoll descriptor is readable or it has
 * more to do; connections are accepted here, so that how many there are and for how long is ours to
 * say.
 */
#include "metrics/metrics.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "config/config.h"
#include "metrics/answer.h"
#include "metrics/connections.h"
#include "metrics/entrance.h"
#include "sys/accounts.h"

#define LOOK_MS        1000
#define ACCEPT_MAX     8 /* in one turn of the loop */
#define OVERLAP        16 /* connections that are hung up on, and not closed yet, beside the others */
#define REQUEST_MEMORY 32768

struct metrics {
	struct loop *loop;
	struct MHD_Daemon *http;
	int http_fd; /* of libmicrohttpd's; -1: not in the loop */
	struct entrance entrance;
	struct connections connections;
	struct answers answers;
	struct loop_timer work_timer, expiry_timer, look_timer;
};

/* --- connections ----------------------------------------------------------------------------- */

static void on_connection(void *context, struct MHD_Connection *connection, void **entry,
                          enum MHD_ConnectionNotificationCode what)
{
	struct metrics *metrics = context;
	const union MHD_ConnectionInfo *info;

	if (what == MHD_CONNECTION_NOTIFY_CLOSED) {
		connections_remove(&metrics->connections, *entry);
		*entry = NULL;
		return;
	}
	info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
	*entry = connections_add(&metrics->connections, info->connect_fd, clock_now_ms());
}

/* libmicrohttpd closes those who have been hung up on, and says when it wants to go on by itself.
 */
static void work(void *context)
{
	struct metrics *metrics = context;
	int64_t expiry_ms = connections_expire(&metrics->connections, clock_now_ms());
	MHD_UNSIGNED_LONG_LONG ms;

	if (expiry_ms >= 0)
		loop_timer_start(metrics->loop, &metrics->expiry_timer, (uint64_t)expiry_ms, work,
		                 metrics);
	else
		loop_timer_stop(&metrics->expiry_timer);
	(void)MHD_run(metrics->http);
	if (MHD_get_timeout(metrics->http, &ms) == MHD_YES)
		loop_timer_start(metrics->loop, &metrics->work_timer, ms, work, metrics);
}

/* libmicrohttpd closes a connection that it cannot take. */
static void on_newcomer(void *context)
{
	struct metrics *metrics = context;

	for (unsigned i = 0; i < ACCEPT_MAX; i++) {
		struct sockaddr_storage from;
		socklen_t size = sizeof(from);
		int fd = accept4(metrics->entrance.fd, (struct sockaddr *)&from, &size,
		                 SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (fd < 0)
			break;
		if (!entrance_admits(&metrics->entrance, fd))
			close(fd);
		else
			(void)MHD_add_connection(metrics->http, fd, (struct sockaddr *)&from, size);
	}
	work(metrics);
}

static int listen_in_loop(struct metrics *metrics, struct error *err)
{
	if (loop_add_fd(metrics->loop, metrics->entrance.fd, LOOP_READABLE, on_newcomer, metrics) <
	    0)
		return error_set(err, ENOMEM, "the metrics' endpoint: out of memory");
	return 0;
}

static void on_look(void *context)
{
	struct metrics *metrics = context;
	struct error err;
	int before = metrics->entrance.fd;

	if (entrance_look(&metrics->entrance) >= 0) {
		loop_remove_fd(metrics->loop, before);
		close(before);
		if (listen_in_loop(metrics, &err) < 0)
			log_warn("%s", err.text);
	}
	loop_timer_start(metrics->loop, &metrics->look_timer, LOOK_MS, on_look, metrics);
}

/* --- life ------------------------------------------------------------------------------------ */

static int http_start(struct metrics *metrics, struct error *err)
{
	const union MHD_DaemonInfo *info;

	metrics->http = MHD_start_daemon(
	        MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET | MHD_USE_ITC, 0, NULL, NULL,
	        answer_request, &metrics->answers, MHD_OPTION_NOTIFY_CONNECTION, on_connection,
	        metrics, MHD_OPTION_CONNECTION_LIMIT, (unsigned)(CONNECTIONS_MAX + OVERLAP),
	        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)REQUEST_MEMORY, MHD_OPTION_END);
	if (metrics->http == NULL)
		return error_set(err, ENOMEM, "the metrics' endpoint: HTTP does not start: %s",
		                 strerror(errno));
	info = MHD_get_daemon_info(metrics->http, MHD_DAEMON_INFO_EPOLL_FD);
	if (info == NULL ||
	    loop_add_fd(metrics->loop, info->epoll_fd, LOOP_READABLE, work, metrics) < 0)
		return error_set(err, ENOMEM, "the metrics' endpoint: out of memory");
	metrics->http_fd = info->epoll_fd;
	return 0;
}

static int open_entrance(struct metrics *metrics, const struct config *config, struct error *err)
{
	gid_t group;

	if (config->zmq_group != NULL && account_find_group(config->zmq_group, &group, err) < 0)
		return error_prefix(err, "option --zmq-group: ");
	if (entrance_open(&metrics->entrance, config->metrics_ep,
	                  config->zmq_group != NULL ? &group : NULL, err) < 0)
		return -err->code;
	return listen_in_loop(metrics, err);
}

struct metrics *metrics_start(const struct config *config, const struct control *control,
                              struct loop *loop, struct error *err)
{
	struct metrics *metrics = calloc(1, sizeof(*metrics));

	if (metrics == NULL) {
		error_set(err, ENOMEM, "the metrics' endpoint: out of memory");
		return NULL;
	}
	metrics->loop = loop;
	metrics->http_fd = metrics->entrance.fd = -1;
	metrics->answers.control = control;
	metrics->answers.start_s = (uint64_t)time(NULL);
	families_init(&metrics->answers.families);
	connections_init(&metrics->connections);
	if (http_start(metrics, err) < 0 || open_entrance(metrics, config, err) < 0) {
		metrics_stop(metrics);
		return NULL;
	}
	loop_timer_start(loop, &metrics->look_timer, LOOK_MS, on_look, metrics);
	return metrics;
}

void metrics_stop(struct metrics *metrics)
{
	if (metrics == NULL)
		return;
	loop_timer_stop(&metrics->work_timer);
	loop_timer_stop(&metrics->expiry_timer);
	loop_timer_stop(&metrics->look_timer);
	if (metrics->entrance.fd >= 0)
		loop_remove_fd(metrics->loop, metrics->entrance.fd);
	entrance_close(&metrics->entrance);
	if (metrics->http_fd >= 0)
		loop_remove_fd(metrics->loop, metrics->http_fd);
	if (metrics->http != NULL)
		MHD_stop_daemon(metrics->http);
	free(metrics);
}
