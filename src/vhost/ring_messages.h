/* Messages about single rings: size, places, base, start and stop, descriptors, enabling. Each has
 * a function that begins it; those that need rings to stand still first have one that finishes it
 * after the grace period. Protocol thread; the message is session->message.
 */
#ifndef VHOST_RING_MESSAGES_H
#define VHOST_RING_MESSAGES_H

#include "vhost/session_data.h"

enum session_verdict ring_num_set(struct vhost_session *session);
enum session_verdict ring_addresses_set(struct vhost_session *session);
enum session_verdict ring_addresses_finish(struct vhost_session *session);
enum session_verdict ring_base_set(struct vhost_session *session);
enum session_verdict ring_base_get(struct vhost_session *session);
enum session_verdict ring_base_get_finish(struct vhost_session *session);
enum session_verdict ring_kick_set(struct vhost_session *session);
enum session_verdict ring_kick_finish(struct vhost_session *session);
enum session_verdict ring_call_set(struct vhost_session *session);
enum session_verdict ring_err_set(struct vhost_session *session);
enum session_verdict ring_enable_set(struct vhost_session *session);

#endif
