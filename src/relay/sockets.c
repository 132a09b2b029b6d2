/* The files of the sockets that guests connect to: whoever tidies /tmp may take one away while it
 * is in use, and then no guest could come any more. Each is looked at once a second, which costs a
 * call of lstat: the kernel could tell of changes, but not of those to a directory that is gone,
 * and a look would be due all the same.
 *
 * A socket with a guest gets its name back, and the guest does not notice. One that has no name
 * left to get it back by is opened anew as soon as nobody is connected to it. Control thread only,
 * but for reopen_run.
 */
#include "relay/sockets.h"

#include <stdio.h>
#include <string.h>

#include "base/container_of.h"
#include "base/log.h"
#include "config/config.h"
#include "relay/guest_life.h"

#define LOOK_MS 1000

/* --- what is said ---------------------------------------------------------------------------- */

static void tell(struct relay *relay, enum socket_name_state state, const char *why)
{
	struct guest_end *end = &relay->guest_end;

	switch (state) {
	case SOCKET_NAME_MENDED:
		log_write_limited(&end->file.log, LOG_WARNING,
		                  "relay %u: somebody removed %s; it is there again, and whoever "
		                  "is connected stays so",
		                  relay->id, end->path);
		break;
	case SOCKET_NAME_TAKEN:
		log_write_limited(&end->file.log, LOG_WARNING,
		                  "relay %u: %s is somebody else's now, and no guest comes by it; "
		                  "move that away, and the socket is made anew",
		                  relay->id, end->path);
		break;
	case SOCKET_NAME_LOST:
		log_write_limited(&end->file.log, LOG_WARNING, "relay %u: somebody removed %s; %s",
		                  relay->id, end->path,
		                  end->guest.front_end
		                          ? "whoever is connected stays so, and it is made anew "
		                            "when he leaves"
		                          : "it is made anew");
		break;
	case SOCKET_NAME_FAILED:
		log_write_limited(&end->file.log, LOG_WARNING,
		                  "relay %u: somebody removed %s, and it cannot be made anew: %s; "
		                  "tried again every second",
		                  relay->id, end->path, why);
		break;
	default:
		log_write_limited(&end->file.log, LOG_NOTICE, "relay %u: %s is there again",
		                  relay->id, end->path);
	}
}

/* Once for each change. */
static void note(struct relay *relay, enum socket_name_state state, const char *why)
{
	struct guest_file *file = &relay->guest_end.file;
	enum socket_name_state before = file->state;
	bool other_reason = state == SOCKET_NAME_FAILED && strcmp(file->last_failure, why) != 0;

	if (state == before && !other_reason)
		return;
	snprintf(file->last_failure, sizeof(file->last_failure), "%s", why);
	tell(relay, state, why);
	file->state = state == SOCKET_NAME_MENDED ? SOCKET_NAME_WELL : state;
}

/* --- opening anew ---------------------------------------------------------------------------- */

static void reopen_run(struct job *job)
{
	struct guest_job *guest_job = CONTAINER_OF(job, struct guest_job, job);

	guest_job->rc = guest_reopen(&guest_job->params, &guest_job->err);
}

static void reopen_done(struct job *job)
{
	struct guest_job *guest_job = CONTAINER_OF(job, struct guest_job, job);
	struct relay *relay = CONTAINER_OF(guest_job, struct relay, guest_end.file.job);

	relay->guest_end.file.busy = false;
	if (relay->guest_end.phase != GUEST_OPEN) /* it was closed meanwhile */
		return;
	note(relay, guest_job->rc < 0 ? SOCKET_NAME_FAILED : SOCKET_NAME_WELL,
	     guest_job->rc < 0 ? guest_job->err.text : "");
	(void)guest_life_changed(relay); /* a guest may have been quicker */
}

/* --- looking --------------------------------------------------------------------------------- */

static bool is_to_be_looked_at(const struct relay *relay)
{
	const struct guest_end *end = &relay->guest_end;

	return end->phase == GUEST_OPEN && !end->file.busy && !relay->relays->quiesced &&
	       !relay->relays->config->vhost_client;
}

void sockets_look(struct relay *relay)
{
	struct guest_end *end = &relay->guest_end;
	enum socket_name_state state;
	struct error err = {0};
	struct guest_state now;

	if (!is_to_be_looked_at(relay))
		return;
	/* A front end that has no driver yet, or not any more, is not told of. */
	guest_read(relay->id, &now);
	end->guest.front_end = now.front_end;
	state = guest_look(relay->id, end->guest.front_end, &err);
	/* What could not be opened anew is tried again, and has been told of. */
	if (state == SOCKET_NAME_LOST && !end->guest.front_end) {
		if (end->file.state != SOCKET_NAME_FAILED)
			note(relay, state, "");
		end->file.busy = true;
		guest_life_submit(relay, &end->file.job, reopen_run, reopen_done);
		return;
	}
	note(relay, state, err.text);
}

static void on_time(void *context)
{
	struct relays *relays = context;

	for (unsigned i = 0; i < RELAYS_MAX; i++)
		sockets_look(&relays->relay[i]);
	loop_timer_start(relays->loop, &relays->socket_timer, LOOK_MS, on_time, relays);
}

void sockets_start(struct relays *relays)
{
	if (!relays->config->vhost_client)
		loop_timer_start(relays->loop, &relays->socket_timer, LOOK_MS, on_time, relays);
}

void sockets_stop(struct relays *relays)
{
	loop_timer_stop(&relays->socket_timer);
}
