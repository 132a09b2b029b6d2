/* See memory_messages.h. Numbers of requests are the specification's. */
#include "vhost/memory_messages.h"

#include <errno.h>
#include <linux/vhost_types.h>
#include <stdlib.h>
#include <string.h>

#include "vhost/views.h"

void memory_drop_next(struct vhost_session *session)
{
	memory_map_end(&session->next_map, &session->map);
	free(session->next_memory);
	session->next_memory = NULL;
	mapping_end(&session->next_log);
}

void memory_end(struct vhost_session *session)
{
	memory_drop_next(session);
	memory_map_end(&session->map, NULL);
	free(session->memory);
	session->memory = NULL;
	mapping_end(&session->log);
}

/* next_map is there, and gets its table. */
static bool prepare_next(struct vhost_session *session)
{
	session->next_memory = memory_map_table(&session->next_map, &session->err);
	return session->next_memory != NULL;
}

/* Returns the table before, which is the caller's; mappings that only the map before had end. */
static struct memory *adopt_next(struct vhost_session *session)
{
	struct memory *before = session->memory;

	memory_map_end(&session->map, &session->next_map);
	session->map = session->next_map;
	session->next_map.n_regions = 0;
	session->memory = session->next_memory;
	session->next_memory = NULL;
	return before;
}

/* 5. The same table again, as each start of the guest's driver brings it, changes nothing. */
enum session_verdict memory_table_set(struct vhost_session *session)
{
	struct message_region regions[MESSAGE_REGIONS_MAX];
	uint32_t n = session->message.table.n_regions;

	memcpy(regions, session->message.table.regions, sizeof(regions));
	if (memory_map_is(&session->map, regions, session->fds, n))
		return VERDICT_DONE;
	if (memory_map_make(&session->next_map, regions, session->fds, n, &session->map,
	                    &session->memory_lost, &session->err) < 0 ||
	    !prepare_next(session))
		return VERDICT_BREAK;
	views_pause(session, UINT64_MAX);
	return VERDICT_WAIT;
}

enum session_verdict memory_finish(struct vhost_session *session)
{
	struct views views;

	if (views_make(&views, session, session->running, session->next_memory) < 0)
		return VERDICT_BREAK;
	views_replace(session, &views);
	free(adopt_next(session));
	return VERDICT_DONE;
}

/* 37. Nothing that was there goes, so rings need not stop. QEMU sends each region once per pair of
 * rings. */
enum session_verdict memory_region_add(struct vhost_session *session)
{
	struct message_region region = session->message.slot.region;
	struct views views;

	if (memory_map_find(&session->map, &region, session->fds[0]) >= 0)
		return VERDICT_DONE;
	session->next_map = session->map;
	if (memory_map_add(&session->next_map, &region, session->fds[0], &session->memory_lost,
	                   &session->err) < 0 ||
	    !prepare_next(session) ||
	    views_make(&views, session, session->running, session->next_memory) < 0)
		return VERDICT_BREAK;
	views_swap(session, &views, adopt_next(session), -1, -1);
	return VERDICT_DONE;
}

/* 38. Removing what is not there is a success: QEMU sends this once per pair, too. */
enum session_verdict memory_region_remove(struct vhost_session *session)
{
	struct message_region region = session->message.slot.region;
	int at = memory_map_find(&session->map, &region, -1);

	if (at < 0)
		return VERDICT_DONE;
	session->next_map = session->map;
	session->next_map.regions[at] = session->next_map.regions[--session->next_map.n_regions];
	if (!prepare_next(session))
		return VERDICT_BREAK;
	views_pause(session, UINT64_MAX);
	return VERDICT_WAIT;
}

/* Answered whether asked for or not, if the log comes as shared memory: the number is what an
 * acknowledgement has. */
static enum session_verdict log_reply(struct vhost_session *session)
{
	if ((session->protocol_features >> PROTOCOL_LOG_SHMFD & 1) == 0)
		return VERDICT_DONE;
	message_reply_number(&session->reply, session->message.request, 0);
	return VERDICT_REPLY;
}

/* 6. The answer comes when no worker writes to the log before, whose bits the front end has taken
 * by then for the last time. */
enum session_verdict memory_log_set(struct vhost_session *session)
{
	uint64_t offset = session->message.log.offset, size = session->message.log.size;
	struct mapping made = {0};
	struct file_part part;
	struct views views;

	if (file_part_find(&part, session->fds[0], offset, size, &session->err) < 0)
		return VERDICT_BREAK;
	if (file_part_equal(&part, &session->log.part))
		return log_reply(session);
	if (mapping_make(&made, session->fds[0], offset, size, &session->memory_lost,
	                 &session->err) < 0)
		return VERDICT_BREAK;
	session->next_log = session->log;
	session->log = made;
	if (views_make(&views, session,
	               session_has(session, VHOST_F_LOG_ALL) ? session->running : 0,
	               session->memory) < 0)
		return VERDICT_BREAK;
	views_swap(session, &views, NULL, -1, -1);
	return VERDICT_WAIT;
}

enum session_verdict memory_log_finish(struct vhost_session *session)
{
	mapping_end(&session->next_log);
	return log_reply(session);
}
