/* The protocol thread, and how others hand it what they want: see server.h. */
#include "vhost/server.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/queue.h>
#include <unistd.h>

#include "base/log.h"
#include "event/loop.h"
#include "vhost/listener.h"
#include "vhost/server_slot.h"
#include "vhost/sigbus.h"
#include "vhost/unblock.h"

#define NAP_MS 1

/* Something that another thread waits for, on its stack. */
struct command {
	STAILQ_ENTRY(command) link;
	struct server *server;
	struct server_slot *slot;
	const struct server_params *params; /* to open; NULL: to close */
	int listen_fd;
	int rc;    /* protocol thread: wo, before done */
	bool done; /* under the lock */
};

struct server {
	struct server_shared shared; /* protocol thread, like the slots */
	struct server_slot slots[RELAYS_MAX];
	pthread_t thread;
	int wake_fd;              /* eventfd; others write, the protocol thread reads */
	_Atomic uint64_t refused; /* bit r: relay r is to refuse; others set, it takes */
	_Atomic bool quit;        /* likewise */
	pthread_mutex_t lock;
	pthread_cond_t finished;
	STAILQ_HEAD(, command) commands; /* under the lock */
};

static void wake(struct server *server)
{
	uint64_t one = 1;

	(void)!write(server->wake_fd, &one, sizeof(one)); /* fails when it is awake for sure */
}

/* --- on the protocol thread ---------------------------------------------------------------------
 */

static bool on_poll(void *context)
{
	struct server *server = context;
	bool again = grace_look(&server->shared.grace);

	for (unsigned i = 0; i < RELAYS_MAX; i++)
		again |= server_slot_poll(&server->slots[i]);
	return again || server->shared.grace.under_way;
}

static void finish(struct command *command, int rc)
{
	struct server *server = command->server;

	pthread_mutex_lock(&server->lock);
	command->rc = rc;
	command->done = true;
	pthread_cond_broadcast(&server->finished);
	pthread_mutex_unlock(&server->lock);
}

static void on_closed(void *context)
{
	finish(context, 0);
}

static struct command *next_command(struct server *server)
{
	struct command *command;

	pthread_mutex_lock(&server->lock);
	command = STAILQ_FIRST(&server->commands);
	if (command != NULL)
		STAILQ_REMOVE_HEAD(&server->commands, link);
	pthread_mutex_unlock(&server->lock);
	return command;
}

static void on_wake(void *context)
{
	struct server *server = context;
	struct command *command;
	uint64_t refused, count;

	if (read(server->wake_fd, &count, sizeof(count)) < 0)
		return;
	refused = atomic_exchange(&server->refused, 0);
	for (unsigned i = 0; i < RELAYS_MAX; i++)
		if ((refused >> i & 1) != 0)
			server_slot_refuse(&server->slots[i]);
	while ((command = next_command(server)) != NULL) {
		if (command->params == NULL)
			server_slot_close(command->slot, on_closed, command);
		else
			finish(command, server_slot_open(command->slot, command->params,
			                                 command->listen_fd));
	}
	if (atomic_load(&server->quit))
		loop_quit(server->shared.loop);
}

static void *run(void *context)
{
	struct server *server = context;

	static struct log_limit limit = LOG_LIMIT(60000, 1);
	int rc;

	while ((rc = loop_run(server->shared.loop)) < 0) {
		log_write_limited(&limit, LOG_ERR, "the thread that serves guests cannot poll: %s",
		                  strerror(-rc));
		(void)poll(NULL, 0, NAP_MS);
	}
	/* Others wait for what has been begun. */
	while (grace_look(&server->shared.grace) || server->shared.grace.under_way)
		(void)poll(NULL, 0, NAP_MS);
	return NULL;
}

/* --- from other threads --------------------------------------------------------------------------
 */

static int perform(struct command *command)
{
	struct server *server = command->server;

	pthread_mutex_lock(&server->lock);
	STAILQ_INSERT_TAIL(&server->commands, command, link);
	wake(server);
	while (!command->done)
		pthread_cond_wait(&server->finished, &server->lock);
	pthread_mutex_unlock(&server->lock);
	return command->rc;
}

int server_open(struct server *server, const struct server_params *params, struct error *err)
{
	struct command command = {.server = server,
	                          .slot = &server->slots[params->relay_id],
	                          .params = params,
	                          .listen_fd = -1};
	int rc;

	if (!params->client) {
		command.listen_fd = listener_open(params->path, params->owner, params->group, err);
		if (command.listen_fd < 0)
			return -err->code;
	}
	rc = perform(&command);
	if (rc == 0)
		return 0;
	if (command.listen_fd >= 0)
		close(command.listen_fd);
	return error_set(err, -rc, "relay %u cannot have the socket %s: %s", params->relay_id,
	                 params->path, rc == -EBUSY ? "it has one" : strerror(-rc));
}

void server_refuse(struct server *server, unsigned relay_id)
{
	atomic_fetch_or(&server->refused, UINT64_C(1) << relay_id);
	wake(server);
}

void server_close(struct server *server, unsigned relay_id)
{
	struct command command = {
	        .server = server, .slot = &server->slots[relay_id], .listen_fd = -1};

	perform(&command);
}

/* What is made in steps, each undone when the next one fails. */
static int server_start(struct server *server)
{
	int rc;

	server->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (server->wake_fd < 0)
		return -errno;
	server->shared.loop = loop_create("protocol");
	if (server->shared.loop == NULL) {
		rc = -errno;
		goto fail_wake;
	}
	rc = poller_open(&server->shared.poller, server->shared.loop, on_poll, server);
	if (rc < 0)
		goto fail_loop;
	rc = loop_add_fd(server->shared.loop, server->wake_fd, LOOP_READABLE, on_wake, server);
	if (rc < 0)
		goto fail_poller;
	/* It inherits the control thread's CPU, the main lcore's: no worker's. */
	rc = -pthread_create(&server->thread, NULL, run, server);
	if (rc < 0)
		goto fail_poller;
	pthread_setname_np(server->thread, "vhost-user");
	return 0;
fail_poller:
	poller_close(&server->shared.poller);
fail_loop:
	loop_destroy(server->shared.loop);
fail_wake:
	close(server->wake_fd);
	return rc;
}

struct server *server_create(const struct server_user *user, struct error *err)
{
	struct server *server = calloc(1, sizeof(*server));
	int rc = server == NULL ? -ENOMEM : sigbus_install();

	if (rc == 0)
		rc = unblock_install();

	if (rc == 0) {
		server->shared.user = *user;
		grace_init(&server->shared.grace, &user->grace);
		LIST_INIT(&server->shared.busy);
		STAILQ_INIT(&server->commands);
		pthread_mutex_init(&server->lock, NULL);
		pthread_cond_init(&server->finished, NULL);
		for (unsigned i = 0; i < RELAYS_MAX; i++)
			server_slot_init(&server->slots[i], &server->shared, i);
		rc = server_start(server);
	}
	if (rc == 0)
		return server;
	free(server);
	error_set(err, -rc, "cannot start the thread that serves guests' sockets: %s",
	          strerror(-rc));
	return NULL;
}

void server_destroy(struct server *server)
{
	if (server == NULL)
		return;
	atomic_store(&server->quit, true);
	wake(server);
	pthread_join(server->thread, NULL);
	poller_close(&server->shared.poller);
	loop_destroy(server->shared.loop);
	close(server->wake_fd);
	pthread_mutex_destroy(&server->lock);
	pthread_cond_destroy(&server->finished);
	free(server);
}
