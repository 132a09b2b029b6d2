/* Messages about the guest's memory: its regions, and the log of its dirty pages. As
 * ring_messages.h. Protocol thread.
 */
#ifndef VHOST_MEMORY_MESSAGES_H
#define VHOST_MEMORY_MESSAGES_H

#include "vhost/session_data.h"

enum session_verdict memory_table_set(struct vhost_session *session);
enum session_verdict memory_region_add(struct vhost_session *session);
enum session_verdict memory_region_remove(struct vhost_session *session);
/* Of a table that was set, and of a region that was removed. */
enum session_verdict memory_finish(struct vhost_session *session);
enum session_verdict memory_log_set(struct vhost_session *session);
enum session_verdict memory_log_finish(struct vhost_session *session);

/* What a message that is not finished had prepared. */
void memory_drop_next(struct vhost_session *session);
/* All of it, after a grace period. */
void memory_end(struct vhost_session *session);

#endif
