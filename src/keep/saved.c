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
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "config/config.h"
#include "keep/state.h"
#include "relay/relay.h"
#include "sys/sysfs.h"
#include "sys/whole_file.h"

#define RETRY_MS      5000U /* after a failure */
#define LAST_WRITE_MS 300U  /* how long a shutdown waits for the file */

struct saved {
	struct job job; /* comes first; the helper's while `writing` */
	struct control *control;
	struct job_thread *thread;
	char path[PATH_MAX];
	char boot_id[BOOT_ID_MAX];
	struct state state; /* control: wo while not `writing` */
	uint64_t changed;   /* number of the last change */
	uint64_t number;    /* of the last change in `state` */
	uint64_t written;   /* of the last change in the file */
	bool writing;
	bool failing; /* the file could not be written: tried again every RETRY_MS */
	bool stopped;
	int rc; /* of the writing */
	struct error err;
	struct loop_timer timer; /* the next writing */
	struct waiter_list waiters;
	struct log_limit late_log;
};

/* --- answers ------------------------------------------------------------------------------- */

static bool is_written(const struct relay *relay)
{
	const struct saved *saved = relay->control->saved;

	return saved == NULL || saved->failing || saved->stopped ||
	       relay->changed <= saved->written;
}

/* The change is made, so OK is the truth, even if a restart would not know of it yet. */
static void on_late(void *context)
{
	struct waiter *waiter = context;
	struct saved *saved = waiter->relay->control->saved;

	log_write_limited(&saved->late_log, LOG_WARNING,
	                  "%s takes long to write; answers do not wait for it", saved->path);
	answer_ok(waiter->done, waiter->context);
	waiter_free(waiter);
}

void saved_answer(struct relay *relay, control_done_fn done, void *context)
{
	struct saved *saved = relay->control->saved;

	if (is_written(relay) || waiter_add(&saved->waiters, relay, on_late, done, context) < 0)
		answer_ok(done, context);
	else
		LIST_FIRST(&saved->waiters)->change = relay->changed;
}

void saved_answer_all(struct waiter_list *waiters)
{
	struct waiter *waiter = LIST_FIRST(waiters);

	if (waiter == NULL)
		return;
	if (is_written(waiter->relay)) {
		waiters_answer_ok(waiters);
		return;
	}
	for (; waiter != NULL; waiter = LIST_FIRST(waiters)) {
		LIST_REMOVE(waiter, link);
		LIST_INSERT_HEAD(&waiter->relay->control->saved->waiters, waiter, link);
		waiter->change = waiter->relay->changed;
		waiter->timer.callback = on_late; /* at the time that it has had all along */
	}
}

/* Those whose change is in the file, or who need not wait for it. */
static void answer_waiters(struct saved *saved)
{
	struct waiter_list ready = LIST_HEAD_INITIALIZER(ready);
	struct waiter *waiter, *after;

	for (waiter = LIST_FIRST(&saved->waiters); waiter != NULL; waiter = after) {
		after = LIST_NEXT(waiter, link);
		if (waiter->change > saved->written && !saved->failing && !saved->stopped)
			continue;
		LIST_REMOVE(waiter, link);
		LIST_INSERT_HEAD(&ready, waiter, link);
	}
	waiters_answer_ok(&ready);
}

/* --- writing ------------------------------------------------------------------------------- */

static void read_off(const struct control *control, struct state *out)
{
	bool dynamic = control_dynamic_sockets(control);

	memset(out, 0, sizeof(*out));
	out->dynamic_sockets = dynamic;
	for (unsigned i = 0; i < RELAYS_MAX; i++) {
		const struct relay *relay = &control->relays[i];
		struct state_relay *entry = &out->relays[out->n_relays];

		if (pins_are_changed(control, i, &out->pins[out->n_pins]))
			out->n_pins++;
		if (dynamic ? relay->pair_phase != PAIR_MADE : !relay_vf_is_kept(relay))
			continue;
		entry->id = i;
		entry->device = relay->device;
		entry->bond = relay->bond;
		if (dynamic)
			memcpy(entry->socket, relay->socket_path, sizeof(entry->socket));
		out->n_relays++;
	}
}

static void write_run(struct job *job)
{
	struct saved *saved = (struct saved *)job;
	char *text = state_format(&saved->state, saved->boot_id);

	if (text == NULL)
		saved->rc = error_set(&saved->err, ENOMEM, "out of memory");
	else
		saved->rc = whole_file_write(saved->path, text, strlen(text), &saved->err);
	free(text);
}

static void on_time(void *context);

static void write_done(struct job *job)
{
	struct saved *saved = (struct saved *)job;
	struct loop *loop = saved->control->loop;

	saved->writing = false;
	if (saved->rc < 0 && !saved->failing)
		log_warn("the relays' state cannot be saved, so what clients add will not come "
		         "back after a restart: %s; tried again every %u s",
		         saved->err.text, RETRY_MS / 1000);
	if (saved->rc == 0 && saved->failing)
		log_notice("the relays' state is saved again");
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
	read_off(saved->control, &saved->state);
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
		loop_timer_start(saved->control->loop, &saved->timer, 0, on_time, saved);
}

void saved_changed(struct relay *relay)
{
	struct saved *saved = relay->control->saved;

	if (saved == NULL || saved->stopped)
		return;
	write_soon(saved);
	relay->changed = saved->changed;
}

/* --- start and end -------------------------------------------------------------------------- */

/* Not ours to read, but maybe of use to somebody. */
static void set_aside(const struct saved *saved, const char *why)
{
	char name[PATH_MAX];
	struct error err;

	if (whole_file_set_aside(saved->path, name, &err) < 0)
		log_warn("the saved state cannot be used: %s; nor can it be kept for a look: %s; "
		         "what clients had added has to be added again",
		         why, err.text);
	else
		log_warn("the saved state cannot be used: %s; it is kept as %s, and what clients "
		         "had added has to be added again",
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
	int n = snprintf(saved->path, sizeof(saved->path), "%s/virtio-forwarder/state.json",
	                 saved->control->config->pid_dir);

	return n < (int)sizeof(saved->path) ? 0 : -ENAMETOOLONG;
}

int saved_start(struct control *control)
{
	struct saved *saved = calloc(1, sizeof(*saved));

	if (saved == NULL)
		return -ENOMEM;
	saved->control = control;
	saved->late_log = (struct log_limit)LOG_LIMIT(10000, 1);
	LIST_INIT(&saved->waiters);
	if (make_path(saved) < 0 || sysfs_read_text(saved->boot_id, sizeof(saved->boot_id),
	                                            "/proc/sys/kernel/random", "boot_id") < 0) {
		log_warn("the relays' state is not saved: %s",
		         saved->boot_id[0] == '\0'
		                 ? "/proc/sys/kernel/random/boot_id is missing"
		                 : "the pid file's directory has too long a name");
		free(saved);
		return 0;
	}
	saved->thread = job_thread_create("state", control->loop);
	if (saved->thread == NULL) {
		free(saved);
		return -ENOMEM;
	}
	control->saved = saved;
	if (load(saved, &saved->state))
		restore_state(control, &saved->state);
	write_soon(saved); /* what the configuration has overruled is gone, and we know that we can
	                    */
	return 0;
}

void saved_stop(struct control *control)
{
	struct saved *saved = control->saved;

	if (saved == NULL || saved->stopped)
		return;
	loop_timer_stop(&saved->timer);
	if (job_thread_drain(saved->thread, LAST_WRITE_MS) && saved->written < saved->changed) {
		loop_timer_stop(&saved->timer); /* write_done's */
		begin_write(saved);
		job_thread_drain(saved->thread, LAST_WRITE_MS);
	}
	loop_timer_stop(&saved->timer);
	saved->stopped = true;
	answer_waiters(saved);
}

void saved_destroy(struct control *control)
{
	if (control->saved == NULL || control->saved->writing)
		return; /* the disk hangs: the kernel cleans up */
	job_thread_destroy(control->saved->thread);
	free(control->saved);
	control->saved = NULL;
}
