/* Sockets that QEMU is to serve. See guest_watch.h. Control thread only, but for look_run, which
 * the guest thread runs: a file system may hang.
 *
 * What is found counts when it is found twice in a row, so that nothing is said of a QEMU that is
 * just starting or ending. That nothing is there is the ordinary case, and said once for all
 * relays.
 */
#include "relay/guest_watch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/container_of.h"
#include "base/log.h"
#include "config/config.h"

#define LOOK_MS 2000U

static void look_run(struct job *job)
{
	struct guest_watch *watch = CONTAINER_OF(job, struct guest_watch, job);
	size_t count;
	struct unix_listener *listeners = unix_listeners_read(&count);

	for (unsigned i = 0; i < RELAYS_MAX; i++) {
		if (watch->looks[i].path[0] != '\0')
			watch->looks[i].peer =
			        unix_peer_look(watch->looks[i].path, listeners, count);
	}
	free(listeners);
}

/* --- what is said --------------------------------------------------------------------------- */

static const struct {
	const char *state; /* for the statistics */
	const char *what, *remedy;
	int severity;
} texts[UNIX_PEERS] = {
        [UNIX_PEER_NOTHING] = {.state = "QEMU has not made the socket"},
        [UNIX_PEER_BUSY] = {"QEMU listens and does not take the connection",
                            "somebody listens there and does not take the connection",
                            "QEMU may be stopped, or have another one already", LOG_WARNING},
        [UNIX_PEER_STALE] = {"the socket is stale", "it is a socket that nobody serves",
                             "normal until the guest that had it is started again", LOG_NOTICE},
        [UNIX_PEER_CLOSED] = {"no permission for the socket", "the daemon may not connect to it",
                              "see its mode and owner, and those of the directories above it; "
                              "start the daemon as root or in QEMU's group",
                              LOG_WARNING},
        [UNIX_PEER_DIRECTORY] = {"a directory is at the socket's path", "it is a directory",
                                 "remove it, for QEMU is to make a socket there", LOG_WARNING},
        [UNIX_PEER_FILE] = {"no socket is at the socket's path", "it is no socket",
                            "remove it, for QEMU is to make a socket there", LOG_WARNING},
        [UNIX_PEER_UNKNOWN] = {"the socket's path cannot be looked at", "it cannot be looked at",
                               "see whether what is above it are directories", LOG_WARNING},
};

const char *guest_watch_explain(const struct relay *relay)
{
	const struct guest_end *end = &relay->guest_end;

	return end->phase == GUEST_OPEN && !end->guest.connected ? texts[end->peer].state : NULL;
}

static void tell(struct relay *relay)
{
	enum unix_peer peer = relay->guest_end.peer;

	if (texts[peer].what != NULL)
		log_write_limited(&relay->guest_end.log, texts[peer].severity,
		                  "relay %u: no guest comes by %s: %s; %s", relay->id,
		                  relay->guest_end.path, texts[peer].what, texts[peer].remedy);
}

/* At the first look. */
static void tell_of_nothing(const struct relays *relays, unsigned n)
{
	if (n > 0 && !relays->config->dynamic_sockets) /* all are below one directory */
		log_notice("%u relays wait for QEMU, which has not made their sockets in %s yet: "
		           "connecting is tried again every second",
		           n, relays->config->vhost_path);
}

/* --- looking -------------------------------------------------------------------------------- */

/* Who has a front end has no question but whether it is taken. */
static enum unix_peer judge(const struct relay *relay, enum unix_peer found)
{
	const struct guest_state *guest = &relay->guest_end.guest;

	if (relay->guest_end.phase != GUEST_OPEN || guest->connected ||
	    (guest->front_end && found != UNIX_PEER_BUSY))
		return UNIX_PEER_LISTENS;
	return found;
}

static void on_time(void *context);

static void look_done(struct job *job)
{
	struct guest_watch *watch = CONTAINER_OF(job, struct guest_watch, job);
	struct relays *relays = CONTAINER_OF(watch, struct relays, guest_watch);
	unsigned nothing = 0;

	for (unsigned i = 0; i < RELAYS_MAX && !relays->quiesced; i++) {
		struct relay *relay = &relays->relay[i];
		struct guest_end *end = &relay->guest_end;

		if (watch->looks[i].path[0] == '\0' || strcmp(watch->looks[i].path, end->path) != 0)
			continue;
		guest_read(i, &watch->guest);
		end->guest.front_end = watch->guest.front_end;
		enum unix_peer peer = judge(relay, watch->looks[i].peer);
		nothing += peer == UNIX_PEER_NOTHING;
		if (peer == end->seen && peer != end->peer) {
			end->peer = peer;
			tell(relay);
		}
		end->seen = peer;
	}
	if (!watch->told && !relays->quiesced)
		tell_of_nothing(relays, nothing);
	watch->told = true;
	if (!relays->quiesced)
		loop_timer_start(relays->loop, &watch->timer, LOOK_MS, on_time, relays);
}

static void on_time(void *context)
{
	struct relays *relays = context;
	struct guest_watch *watch = &relays->guest_watch;

	if (relays->quiesced)
		return;
	for (unsigned i = 0; i < RELAYS_MAX; i++) {
		struct guest_end *end = &relays->relay[i].guest_end;

		watch->looks[i].path[0] = '\0';
		if (end->phase == GUEST_OPEN)
			memcpy(watch->looks[i].path, end->path, sizeof(end->path));
		else
			end->peer = end->seen = UNIX_PEER_LISTENS;
	}
	watch->job.run = look_run;
	watch->job.done = look_done;
	job_submit(relays->guest_thread, &watch->job);
}

void guest_watch_start(struct relays *relays)
{
	if (relays->config->vhost_client)
		loop_timer_start(relays->loop, &relays->guest_watch.timer, 0, on_time, relays);
}

void guest_watch_stop(struct relays *relays)
{
	loop_timer_stop(&relays->guest_watch.timer);
}
