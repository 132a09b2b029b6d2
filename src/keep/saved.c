/* The saved state: what clients have added and pinned, kept in a file for the daemon's next start.
 *
 * What is to be saved is read off the relays, so nothing has to be kept twice. Each change gets a
 * number and has the whole written soon, by a helper thread of its own; changes that come meanwhile
 * go with the next writing. Clients are answered when what they have changed is written, so that a
 * daemon that is killed comes back with all that it has ever confirmed, but within their time, and
 * without delay while the file cannot be written. The file stands below the pid file's directory,
 * so the lock on that file keeps other instances away from it. Control thread only, but for
 * write_run.
 */
#include "keep/saved.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/container_of.h"
#include "base/log.h"
#include "config/config.h"
#include "events/events.h"
#include "keep/restore.h"
#include "keep/state.h"
#include "placement/pins.h"
#include "relay/vf_life.h"
#include "sys/sysfs.h"
#include "sys/whole_file.h"

#define RETRY_MS      5000U /* after a failure */
#define LAST_WRITE_MS 300U  /* how long a shutdown waits for the file */
#define LOOK_MS       1000U /* between two looks whether the file is still there */

struct saved {
	struct job job; /* the helper's while `writing` */
	struct relays *relays;
	struct job_thread *thread;
	char path[PATH_MAX];
	char boot_id[BOOT_ID_MAX];
	struct state state;                 /* control: wo while not `writing` */
	uint64_t relay_changed[RELAYS_MAX]; /* number of each relay's last change */
	uint64_t changed;                   /* number of the last change */
	uint64_t number;                    /* of the last change in `state` */
	uint64_t written;                   /* of the last change in the file */
	bool writing;
	bool failing; /* the file could not be written: tried again every RETRY_MS */
	bool stopped;
	int rc; /* of the writing */
	struct error err;
	struct loop_timer timer; /* the next writing */
	struct loop_timer look_timer;
	struct waiter_list waiters;
	struct log_limit late_log;
};

/* --- answers ------------------------------------------------------------------------------- */

bool saved_is_written(const struct saved *saved, const struct relay *relay)
{
	return saved == NULL || saved->failing || saved->stopped ||
	       saved->relay_changed[relay->id] <= saved->written;
}

/* The change is made, so OK is the truth, even if a restart would not know of it yet. */
static void on_late(void *context)
{
	struct waiter *waiter = context;
	struct saved *saved = CONTAINER_OF(waiter->list, struct saved, waiters);

	log_write_limited(&saved->late_log, LOG_WARNING,
	                  "%s takes long to write; answers do not wait for it", saved->path);
	outcome_ok(waiter->done, waiter->context);
	waiter_free(waiter);
}

void saved_answer(struct saved *saved, struct waiter_list *waiters)
{
	struct waiter *waiter = TAILQ_FIRST(waiters);

	if (waiter == NULL)
		return;
	if (saved_is_written(saved, waiter->relay)) {
		waiters_answer_ok(waiters);
		return;
	}
	for (; waiter != NULL; waiter = TAILQ_FIRST(waiters)) {
		waiter->change = saved->relay_changed[waiter->relay->id];
		waiter_move(waiter, &saved->waiters, on_late);
	}
}

/* Those whose change is in the file, or who need not wait for it. */
static void answer_waiters(struct saved *saved)
{
	struct waiter_list ready = TAILQ_HEAD_INITIALIZER(ready);
	struct waiter *waiter, *after;

	for (waiter = TAILQ_FIRST(&saved->waiters); waiter != NULL; waiter = after) {
		after = TAILQ_NEXT(waiter, link);
		if (waiter->change <= saved->written || saved->failing || saved->stopped)
			waiter_move(waiter, &ready, on_late);
	}
	waiters_answer_ok(&ready);
}

/* --- writing ------------------------------------------------------------------------------- */

static void read_off(const struct relays *relays, struct state *out)
{
	bool dynamic = relays->config->dynamic_sockets;

	memset(out, 0, sizeof(*out));
	out->dynamic_sockets = dynamic;
	for (unsigned i = 0; i < RELAYS_MAX; i++) {
		const struct relay *relay = &relays->relay[i];
		struct state_relay *entry = &out->relays[out->n_relays];

		if (pins_are_changed(relays, i, &out->pins[out->n_pins]))
			out->n_pins++;
		if (dynamic ? relay->pair.state.phase != PAIR_MADE : !vf_life_is_kept(relay))
			continue;
		entry->id = i;
		entry->device = relay->vf_end.device;
		entry->bond = relay->vf_end.bond;
		entry->far = relay->vf_end.far.kind;
		if (dynamic)
			memcpy(entry->socket, relay->guest_end.path, sizeof(entry->socket));
		out->n_relays++;
	}
}

static void write_run(struct job *job)
{
	struct saved *saved = CONTAINER_OF(job, struct saved, job);
	char *text = state_format(&saved->state, saved->boot_id);

	if (text == NULL)
		saved->rc = error_set(&saved->err, ENOMEM, "out of memory");
	else
		saved->rc = whole_file_write(saved->path, text, strlen(text), &saved->err);
	free(text);
}

static void on_time(void *context);

static void tell_trouble(const struct saved *saved)
{
	events_tell(&(struct event){.id = EVENT_STATE_NOT_SAVED,
	                            .relay = EVENT_NO_RELAY,
	                            .values = {{EVENT_FIELD_PATH, 0, saved->path},
	                                       {EVENT_FIELD_REASON, 0, saved->err.text}}},
	            EVENT_UNLIMITED,
	            "the relays' state cannot be saved, so what clients add will not come back "
	            "after a restart: %s; tried again every %u s",
	            saved->err.text, RETRY_MS / 1000);
}

static void write_done(struct job *job)
{
	struct saved *saved = CONTAINER_OF(job, struct saved, job);
	struct loop *loop = saved->relays->loop;

	saved->writing = false;
	if (saved->rc < 0 && !saved->failing)
		tell_trouble(saved);
	if (saved->rc == 0 && saved->failing)
		events_tell(&(struct event){.id = EVENT_STATE_SAVED,
		                            .relay = EVENT_NO_RELAY,
		                            .values = {{EVENT_FIELD_PATH, 0, saved->path}}},
		            EVENT_UNLIMITED, "the relays' state is saved again");
	saved->failing = saved->rc < 0;
	if (!saved->failing)
		saved->written = saved->number;
	answer_waiters(saved);
	if (!saved->stopped && saved->written < saved->changed)
		loop_timer_start(loop, &saved->timer, saved->failing ? RETRY_MS : 0, on_time,
		                 saved);
}

static void begin_write(struct saved *saved)
{
	read_off(saved->relays, &saved->state);
	saved->number = saved->changed;
	saved->writing = true;
	saved->job.run = write_run;
	saved->job.done = write_done;
	job_submit(saved->thread, &saved->job);
}

static void on_time(void *context)
{
	begin_write(context);
}

/* Not at once: the change may be half made, and others may follow in the same turn. */
static void write_soon(struct saved *saved)
{
	saved->changed++;
	if (!saved->writing && !saved->timer.running)
		loop_timer_start(saved->relays->loop, &saved->timer, 0, on_time, saved);
}

void saved_changed(struct saved *saved, const struct relay *relay)
{
	if (saved == NULL || saved->stopped)
		return;
	write_soon(saved);
	saved->relay_changed[relay->id] = saved->changed;
}

/* A daemon that is killed would come back with nothing. */
static void on_look(void *context)
{
	struct saved *saved = context;
	struct stat st;

	if (!saved->writing && !saved->failing && saved->written == saved->changed &&
	    lstat(saved->path, &st) < 0 && errno == ENOENT) {
		log_warn("somebody removed %s, the relays' saved state; it is written anew",
		         saved->path);
		write_soon(saved);
	}
	loop_timer_start(saved->relays->loop, &saved->look_timer, LOOK_MS, on_look, saved);
}

/* --- start and end -------------------------------------------------------------------------- */

/* Not ours to read, but maybe of use to somebody. */
static void set_aside(const struct saved *saved, const char *why)
{
	const struct event event = {
	        .id = EVENT_STATE_UNUSABLE,
	        .relay = EVENT_NO_RELAY,
	        .values = {{EVENT_FIELD_PATH, 0, saved->path}, {EVENT_FIELD_REASON, 0, why}}};
	char name[PATH_MAX];
	struct error err;

	if (whole_file_set_aside(saved->path, name, &err) < 0)
		events_tell(&event, EVENT_UNLIMITED,
		            "the saved state cannot be used: %s; nor can it be kept for a look: "
		            "%s; what clients had added has to be added again",
		            why, err.text);
	else
		events_tell(&event, EVENT_UNLIMITED,
		            "the saved state cannot be used: %s; it is kept as %s, and what "
		            "clients had added has to be added again",
		            why, name);
}

/* False when there is nothing to restore. */
static bool load(struct saved *saved, struct state *out)
{
	struct error err = {0};
	char *text = NULL;
	size_t size;
	int rc = whole_file_read(saved->path, STATE_TEXT_MAX, &text, &size, &err);

	if (rc == -ENOENT)
		return false;
	if (rc == 0) {
		rc = state_parse(text, size, saved->boot_id, out, &err);
		free(text);
	}
	if (rc == -ESTALE)
		log_notice("the saved state is not restored: %s", err.text);
	else if (rc < 0)
		set_aside(saved, err.text);
	return rc == 0;
}

static int make_path(struct saved *saved)
{
	int n = snprintf(saved->path, sizeof(saved->path), "%s/" STATE_FILE,
	                 saved->relays->config->pid_dir);

	return n < (int)sizeof(saved->path) ? 0 : -ENAMETOOLONG;
}

int saved_start(struct relays *relays, struct saved **out)
{
	struct saved *saved = calloc(1, sizeof(*saved));

	*out = NULL;
	if (saved == NULL)
		return -ENOMEM;
	saved->relays = relays;
	saved->late_log = (struct log_limit)LOG_LIMIT(10000, 1);
	TAILQ_INIT(&saved->waiters);
	if (make_path(saved) < 0 || sysfs_read_text(saved->boot_id, sizeof(saved->boot_id),
	                                            "/proc/sys/kernel/random", "boot_id") < 0) {
		log_warn("the relays' state is not saved: %s",
		         saved->boot_id[0] == '\0'
		                 ? "/proc/sys/kernel/random/boot_id is missing"
		                 : "the pid file's directory has too long a name");
		free(saved);
		return 0;
	}
	saved->thread = job_thread_create("state", relays->loop);
	if (saved->thread == NULL) {
		free(saved);
		return -ENOMEM;
	}
	*out = saved;
	if (load(saved, &saved->state))
		restore_state(relays, &saved->state);
	/* What the configuration has overruled is gone from the file then, and we know that we can
	 * write it. */
	write_soon(saved);
	loop_timer_start(relays->loop, &saved->look_timer, LOOK_MS, on_look, saved);
	return 0;
}

void saved_stop(struct saved *saved)
{
	if (saved == NULL || saved->stopped)
		return;
	loop_timer_stop(&saved->timer);
	loop_timer_stop(&saved->look_timer);
	if (job_thread_drain(saved->thread, LAST_WRITE_MS) && saved->written < saved->changed) {
		loop_timer_stop(&saved->timer); /* write_done's */
		begin_write(saved);
		job_thread_drain(saved->thread, LAST_WRITE_MS);
	}
	loop_timer_stop(&saved->timer);
	saved->stopped = true;
	answer_waiters(saved);
}

void saved_destroy(struct saved *saved)
{
	if (saved == NULL || saved->writing)
		return; /* the disk hangs: the kernel cleans up */
	job_thread_destroy(saved->thread);
	free(saved);
}
