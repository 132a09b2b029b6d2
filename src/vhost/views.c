/* See views.h. */
#include "vhost/views.h"

#include <errno.h>
#include <linux/vhost_types.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/hash.h"
#include "vhost/event_fd.h"
#include "vhost/features.h"
#include "virtqueue/journal.h"
#include "virtqueue/kicks.h"

static void publish(struct vhost_session *session, unsigned ring, const struct virtqueue_view *view)
{
	virtqueue_publish(&session->host.virtqueues[ring],
	                  (session->withheld & ring_bit(ring)) == 0 ? view : NULL);
}

static void retire(struct vhost_session *session, struct session_retired retired)
{
	session->retired[session->n_retired++] = retired;
}

/* --- journals --------------------------------------------------------------------------------- */

static struct journal *journal_of(const struct vhost_session *session, unsigned ring)
{
	const struct session_host *host = &session->host;

	return host->journals != NULL && host->front_end != 0 ? &host->journals[ring] : NULL;
}

/* Which ring it is, to a daemon that comes after us: whoever has the same front end and the same
 * ring there goes on with it. */
static uint64_t journal_key(const struct vhost_session *session, unsigned ring)
{
	const struct ring_setup *setup = &session->rings[ring];
	const uint64_t parts[] = {sizeof(struct journal),
	                          session->host.front_end,
	                          setup->num,
	                          setup->addresses.descriptors,
	                          setup->addresses.avail,
	                          setup->addresses.used,
	                          session->features & ~(UINT64_C(1) << VHOST_F_LOG_ALL)};

	uint64_t hash = HASH_START;

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		hash = hash_number(hash, parts[i]);
	return hash | 1;
}

void views_forget(struct vhost_session *session, unsigned ring)
{
	struct journal *journal = journal_of(session, ring);

	if (journal != NULL)
		journal_end(journal);
}

/* --- making and publishing -------------------------------------------------------------------- */

static struct virtqueue_view *view_make(struct vhost_session *session, unsigned ring,
                                        const struct memory *memory)
{
	const struct ring_terms terms = {
	        .features = session->features,
	        .memory = memory,
	        .log = {.bits = session->log.data, .size = session->log.part.size},
	};
	struct virtqueue_view *view = malloc(sizeof(*view));

	if (view == NULL) {
		error_set(&session->err, ENOMEM, "has a virtqueue %u, for which no memory is left",
		          ring);
		return NULL;
	}
	if (ring_view_make(view, ring, &session->rings[ring], &terms, session->call_fds[ring],
	                   &session->err) < 0) {
		free(view);
		return NULL;
	}
	view->journal = view->is_packed ? journal_of(session, ring) : NULL;
	view->kick_fd = session->kick_fds[ring];
	view->kick_serial = session->kick_serials[ring];
	return view;
}

static void views_free(struct views *views)
{
	for (unsigned ring = 0; ring < SESSION_RINGS; ring++)
		free(views->of[ring]);
}

int views_make(struct views *views, struct vhost_session *session, uint64_t rings,
               const struct memory *memory)
{
	memset(views, 0, sizeof(*views));
	for (unsigned ring = 0; ring < SESSION_RINGS; ring++) {
		if ((rings & ring_bit(ring)) == 0)
			continue;
		views->of[ring] = view_make(session, ring, memory);
		if (views->of[ring] == NULL) {
			views_free(views);
			return -session->err.code;
		}
	}
	return 0;
}

void views_swap(struct vhost_session *session, const struct views *views, struct memory *memory,
                int fd, int call)
{
	struct virtqueue_view *before[SESSION_RINGS];
	bool retires = false;
	uint64_t token;

	for (unsigned ring = 0; ring < SESSION_RINGS; ring++) {
		before[ring] = NULL;
		if (views->of[ring] == NULL)
			continue;
		before[ring] = session->views[ring];
		retires = true;
		session->views[ring] = views->of[ring];
		publish(session, ring, views->of[ring]);
	}
	if (!retires && memory == NULL && fd < 0 && call < 0)
		return;
	token = session->host.grace_begin(session->host.context);
	for (unsigned ring = 0; ring < SESSION_RINGS; ring++)
		if (before[ring] != NULL)
			retire(session,
			       (struct session_retired){token, before[ring], NULL, -1, -1});
	if (memory != NULL || fd >= 0 || call >= 0)
		retire(session, (struct session_retired){token, NULL, memory, fd, call});
}

void views_pause(struct vhost_session *session, uint64_t rings)
{
	for (unsigned ring = 0; ring < SESSION_RINGS; ring++) {
		if ((rings & session->running & ~session->paused & ring_bit(ring)) == 0)
			continue;
		publish(session, ring, NULL);
		session->paused |= ring_bit(ring);
		session->unquiet = true;
	}
}

void views_resume(struct vhost_session *session)
{
	for (unsigned ring = 0; ring < SESSION_RINGS; ring++)
		if ((session->paused & ring_bit(ring)) != 0)
			publish(session, ring, session->views[ring]);
	session->paused = 0;
}

void views_withhold(struct vhost_session *session, uint64_t rings)
{
	session->withheld |= rings;
	for (unsigned ring = 0; ring < SESSION_RINGS; ring++)
		if ((rings & ring_bit(ring)) != 0)
			publish(session, ring, NULL);
}

void views_give_back(struct vhost_session *session, unsigned ring)
{
	if ((session->withheld & ring_bit(ring)) == 0)
		return;
	session->withheld &= ~ring_bit(ring);
	if ((session->running & ~session->paused & ring_bit(ring)) != 0)
		publish(session, ring, session->views[ring]);
}

/* --- starting and stopping -------------------------------------------------------------------- */

/* Of the memory that our end of a ring lies in. Asks about a page that was just written to. */
static void note_numa_node(struct vhost_session *session, const struct virtqueue_view *view)
{
	void *page = (void *)view->used;
	int node = -1;

	if (syscall(SYS_move_pages, 0, 1UL, &page, NULL, &node, 0) < 0 || node < 0)
		node = -1;
	atomic_store_explicit(&session->host.summary->numa_node, node, memory_order_relaxed);
}

/* Walks on from there, by that view. Nobody sees the ring yet. The driver is called, since calls
 * may have been lost with whoever served the ring before. */
static void begin(struct vhost_session *session, unsigned ring, struct virtqueue_view *view,
                  struct virtqueue_position at)
{
	session->views[ring] = view;
	session->running |= ring_bit(ring);
	session->paused &= ~ring_bit(ring);
	if (view->journal != NULL)
		journal_begin(view->journal, journal_key(session, ring), session->rings[ring].base,
		              at);
	kicks_spare(view);
	virtqueue_begin(&session->host.virtqueues[ring], at);
	publish(session, ring, view);
	session->restarted = true; /* who sleeps has to ask for kicks again */
	event_fd_signal(session->call_fds[ring]);
}

void views_replace(struct vhost_session *session, const struct views *views)
{
	for (unsigned ring = 0; ring < SESSION_RINGS; ring++) {
		if ((session->paused & ring_bit(ring)) == 0 || views->of[ring] == NULL)
			continue;
		free(session->views[ring]);
		begin(session, ring, views->of[ring], session->host.virtqueues[ring].at);
	}
}

int views_start(struct vhost_session *session, unsigned ring)
{
	struct virtqueue_view *view = view_make(session, ring, session->memory);
	struct virtqueue_position at;

	if (view == NULL)
		return -session->err.code;
	if (ring_base_at_start(&at, ring, &session->rings[ring], view, &session->err) < 0) {
		free(view);
		return -session->err.code;
	}
	if (view->journal != NULL)
		(void)journal_take_up(view->journal, journal_key(session, ring),
		                      session->rings[ring].base, view, &at);
	if (session->running == 0)
		atomic_fetch_add_explicit(&session->host.summary->sessions, 1,
		                          memory_order_relaxed);
	begin(session, ring, view, at);
	session->started |= ring_bit(ring);
	session->broken &= ~ring_bit(ring);
	atomic_fetch_add_explicit(&session->host.summary->starts[ring], 1, memory_order_relaxed);
	note_numa_node(session, view);
	return 0;
}

uint32_t views_base(const struct vhost_session *session, unsigned ring)
{
	return ring_base_of(session->host.virtqueues[ring].at,
	                    session_has(session, VIRTIO_F_RING_PACKED));
}

void views_stop(struct vhost_session *session, unsigned ring)
{
	struct ring_setup *setup = &session->rings[ring];

	if ((session->started & ring_bit(ring)) != 0) {
		setup->base = views_base(session, ring);
		setup->has_base = true;
	}
	free(session->views[ring]);
	session->views[ring] = NULL;
	session->running &= ~ring_bit(ring);
	session->paused &= ~ring_bit(ring);
	session->withheld &= ~ring_bit(ring);
	session->started &= ~ring_bit(ring);
	session->broken &= ~ring_bit(ring);
}

void views_break(struct vhost_session *session, unsigned ring)
{
	publish(session, ring, NULL);
	retire(session, (struct session_retired){session->host.grace_begin(session->host.context),
	                                         session->views[ring], NULL, -1, -1});
	session->views[ring] = NULL;
	session->running &= ~ring_bit(ring);
	session->paused &= ~ring_bit(ring);
	session->withheld &= ~ring_bit(ring);
	session->broken |= ring_bit(ring);
}

/* --- what has gone ---------------------------------------------------------------------------- */

/* No worker uses it any more, but one that sleeps may still be woken by it. */
static void close_unused(const struct vhost_session *session, int fd)
{
	session->host.forget(session->host.context, fd);
	close(fd);
}

void views_retire_fd(struct vhost_session *session, int fd)
{
	if (fd < 0)
		return;
	if (views_pending(session))
		retire(session,
		       (struct session_retired){session->host.grace_begin(session->host.context),
		                                NULL, NULL, fd, -1});
	else
		close_unused(session, fd);
}

static void let_go(struct vhost_session *session, struct session_retired *retired)
{
	free(retired->view);
	free(retired->memory);
	if (retired->fd >= 0)
		close_unused(session, retired->fd);
	if (retired->call >= 0)
		event_fd_signal(session->call_fds[retired->call]);
}

bool views_reap(struct vhost_session *session)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < session->n_retired; i++) {
		struct session_retired *retired = &session->retired[i];

		if (session->host.grace_over(session->host.context, retired->token))
			let_go(session, retired);
		else
			session->retired[kept++] = *retired;
	}
	session->n_retired = kept;
	return kept == 0;
}

/* --- the summary ------------------------------------------------------------------------------ */

static bool summary_set(_Atomic uint64_t *word, uint64_t value)
{
	if (atomic_load_explicit(word, memory_order_relaxed) == value)
		return false;
	atomic_store_explicit(word, value, memory_order_relaxed);
	return true;
}

void views_summarise(struct vhost_session *session)
{
	struct session_summary *summary = session->host.summary;
	uint64_t enabled = session_has(session, FEATURE_PROTOCOL) ? session->enabled : UINT64_MAX;
	bool changed = summary_set(&summary->enabled, enabled);

	changed |= summary_set(&summary->features, session->features);
	changed |= summary_set(&summary->running, session->running | session->broken);
	if (atomic_load_explicit(&summary->mtu, memory_order_relaxed) != session->mtu) {
		atomic_store_explicit(&summary->mtu, session->mtu, memory_order_relaxed);
		changed = true;
	}
	changed |= session->restarted || session->told_rarp;
	session->restarted = session->told_rarp = false;
	if (changed)
		session->host.changed(session->host.context);
}
