/* The session of one front end: what each message of the vhost-user protocol does, without I/O on
 * the connection. A message is handed over whole, with its descriptors, and its answer is left in
 * session->reply. What stops rings, or swaps what they use, waits for a grace period of the
 * workers; until that is over the session takes no message, and others go on.
 *
 * The calls are one thread's at a time (the protocol thread's). None of them blocks.
 */
#ifndef VHOST_SESSION_H
#define VHOST_SESSION_H

#include "vhost/session_data.h"

/* What the session can do now. */
enum session_next {
	SESSION_READS, /* it takes a message, once session->reply is on its way */
	SESSION_WAITS, /* vhost_session_continue is due, soon and until it answers something else */
	SESSION_BREAKS, /* the connection is to be closed: session->err says why, as a predicate;
	                 * then vhost_session_end */
	SESSION_OVER,   /* all is let go of: no ring is published, nothing mapped, nothing open */
};

/* A connection has come. The summary and the rings are those of nobody. */
void vhost_session_init(struct vhost_session *session, const struct session_config *config,
                        const struct session_host *host);

/* A message has come, in full. The n_fds <= MESSAGE_FDS_ROOM descriptors are the session's from
 * here on, whatever becomes of them. After SESSION_READS; session->reply has a request other than 0
 * if there is an answer to be sent. */
enum session_next vhost_session_handle(struct vhost_session *session, const struct message *message,
                                       const int *fds, unsigned n_fds);

/* After SESSION_WAITS: looks whether the grace period is over, and goes on. */
enum session_next vhost_session_continue(struct vhost_session *session);

/* The connection has ended, or is to end; in whatever state. SESSION_WAITS or SESSION_OVER. */
enum session_next vhost_session_end(struct vhost_session *session);

/* Whether rings stand still only because others were stopped: they go on with the next message, or
 * with vhost_session_resume if none comes. */
static inline bool vhost_session_pauses(const struct vhost_session *session)
{
	return session->phase == SESSION_PHASE_READY && session->paused != 0;
}
void vhost_session_resume(struct vhost_session *session);

/* Every now and then: stops rings whose guest has broken a rule, and frees what no worker sees any
 * more. SESSION_BREAKS when the guest's memory is lost; else nothing has changed of what the
 * session can do. */
enum session_next vhost_session_look(struct vhost_session *session);

/* Bit r: a worker is sending an interrupt for ring r; session->calling is what the last look has
 * found of that. Of any session, one that ends too. */
uint64_t vhost_session_callers(const struct vhost_session *session);

/* Whether looks are worth being made soon, for what is to be freed, or said, after a grace period.
 */
static inline bool vhost_session_retires(const struct vhost_session *session)
{
	return session->n_retired > 0;
}

#endif
