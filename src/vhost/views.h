/* The views of a session's rings: made, published to workers, taken away, and freed when no worker
 * can see them any more. Protocol thread. What pauses or is swapped is given back by the grace
 * period that the session then takes.
 */
#ifndef VHOST_VIEWS_H
#define VHOST_VIEWS_H

#include "vhost/session_data.h"

/* Views to be, by ring. */
struct views {
	struct virtqueue_view *of[SESSION_RINGS]; /* NULL = none */
};

/* Makes views of the rings in the mask, by what the session has and by memory. 0, or -errno with
 * session->err, and then none is made. */
int views_make(struct views *views, struct vhost_session *session, uint64_t rings,
               const struct memory *memory);

/* Publishes them instead of those that run, at once. The ones before are retired, and *memory and
 * fd (-1 = none) with them; call: of the ring with that number (-1 = none) the driver is called
 * when they have gone. */
void views_swap(struct vhost_session *session, const struct views *views, struct memory *memory,
                int fd, int call);

/* Takes the views of those rings away, until views_resume or views_replace. */
void views_pause(struct vhost_session *session, uint64_t rings);
void views_resume(struct vhost_session *session);

/* Takes the views of those rings from the workers, whatever else publishes them, until they are
 * stopped or given back: to be walked by this thread, after a grace period. */
void views_withhold(struct vhost_session *session, uint64_t rings);
void views_give_back(struct vhost_session *session, unsigned ring);

/* All that pauses gets these instead, and goes on where it was. After a grace period. */
void views_replace(struct vhost_session *session, const struct views *views);

/* Starts a ring that has none, where its base says. 0, or -errno with session->err. */
int views_start(struct vhost_session *session, unsigned ring);

/* Ends that of a ring that pauses, after a grace period; the ring's base is where it stood. */
void views_stop(struct vhost_session *session, unsigned ring);

/* The front end is told where the ring stands, and knows better from here on than what is noted. */
void views_forget(struct vhost_session *session, unsigned ring);

/* Where a ring stands that was started and that no worker walks. */
uint32_t views_base(const struct vhost_session *session, unsigned ring);

/* Takes a ring that has broken a rule from the workers, for good. */
void views_break(struct vhost_session *session, unsigned ring);

/* Closes fd when no worker can see it any more. */
void views_retire_fd(struct vhost_session *session, int fd);

/* Frees what has gone through its grace period. True when nothing is left to wait for. */
bool views_reap(struct vhost_session *session);

/* Whether a worker may see what is published no more. */
static inline bool views_pending(const struct vhost_session *session)
{
	return session->unquiet || session->n_retired > 0;
}

/* Brings the summary up to date, and tells if that changes it. */
void views_summarise(struct vhost_session *session);

#endif
