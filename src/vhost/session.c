/* What a session does with its messages; see session.h. The answer to each follows from a verdict:
 * "broken" ends the connection, since a front end that is told of a failure goes on without us,
 * with its guest's link up and no packets, while one that loses its back end comes again.
 */
#include "vhost/session.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/vhost_types.h>
#include <string.h>
#include <unistd.h>

#include "vhost/event_fd.h"
#include "vhost/memory_messages.h"
#include "vhost/ring_messages.h"
#include "vhost/views.h"

#define MTU_LEAST   68U /* of IPv4; virtio 1.2, 5.1.4.1 */
#define MAC_BITS    48
#define QUEUE_PAIRS (SESSION_RINGS / 2)
#define LOG_ALL     (UINT64_C(1) << VHOST_F_LOG_ALL)

/* --- messages about the session ----------------------------------------------------------------
 */

static enum session_verdict number_reply(struct vhost_session *session, uint64_t number)
{
	message_reply_number(&session->reply, session->message.request, number);
	return VERDICT_REPLY;
}

static enum session_verdict features_get(struct vhost_session *session)
{
	return number_reply(session, session->config.features);
}

/* The log goes on and off while rings run; the answer comes when no worker goes by the other. */
static enum session_verdict features_set(struct vhost_session *session)
{
	uint64_t told = session->message.number, before = session->features;
	uint64_t offered = session->config.features | session->config.features_borne;
	struct views views;

	if ((told & ~offered) != 0) {
		error_set(
		        &session->err, EPROTO,
		        "wants features 0x%" PRIx64 ", of which 0x%" PRIx64
		        " are not offered: its guest has negotiated them with somebody else; stop "
		        "that virtual machine and start it, a reboot is not enough",
		        told, told & ~offered);
		return VERDICT_BREAK;
	}
	if (session->started != 0 && ((told ^ before) & ~LOG_ALL) != 0) {
		error_set(&session->err, EPROTO,
		          "wants features 0x%" PRIx64 " instead of 0x%" PRIx64
		          " while virtqueues run",
		          told, before);
		return VERDICT_BREAK;
	}
	session->features = told;
	if (told == before || session->running == 0)
		return VERDICT_DONE;
	if (views_make(&views, session, session->running, session->memory) < 0)
		return VERDICT_BREAK;
	views_swap(session, &views, NULL, -1, -1);
	return VERDICT_WAIT;
}

static enum session_verdict nothing(struct vhost_session *session)
{
	(void)session;
	return VERDICT_DONE;
}

static enum session_verdict owner_reset(struct vhost_session *session)
{
	session->enabled = 0;
	return VERDICT_DONE;
}

static enum session_verdict protocol_features_get(struct vhost_session *session)
{
	return number_reply(session, session->config.protocol_features);
}

static enum session_verdict protocol_features_set(struct vhost_session *session)
{
	uint64_t told = session->message.number;

	if ((told & ~session->config.protocol_features) != 0) {
		error_set(&session->err, EPROTO,
		          "wants protocol features 0x%" PRIx64 ", of which 0x%" PRIx64
		          " are not offered",
		          told, told & ~session->config.protocol_features);
		return VERDICT_BREAK;
	}
	session->protocol_features = told;
	return VERDICT_DONE;
}

static enum session_verdict queue_num_get(struct vhost_session *session)
{
	return number_reply(session, QUEUE_PAIRS);
}

static enum session_verdict slots_get(struct vhost_session *session)
{
	return number_reply(session, MEMORY_REGIONS_MAX);
}

/* Pending until there is somewhere to send it to: the first comes before the guest's driver does.
 */
static enum session_verdict rarp_send(struct vhost_session *session)
{
	uint64_t address = session->message.number & ((UINT64_C(1) << MAC_BITS) - 1);

	atomic_store_explicit(&session->host.summary->rarp, address | SESSION_RARP_PENDING,
	                      memory_order_relaxed);
	session->told_rarp = true;
	return VERDICT_DONE;
}

static enum session_verdict mtu_set(struct vhost_session *session)
{
	uint64_t told = session->message.number;

	if (told < MTU_LEAST || told > session->config.mtu_max) {
		error_set(&session->err, EINVAL,
		          "wants an MTU of %" PRIu64
		          ", which is refused: relays carry %u%s; give the guest no more (QEMU: "
		          "host_mtu=)",
		          told, session->config.mtu_max,
		          session->config.mtu_max < MTU_JUMBO
		                  ? ", and " LIMIT_TEXT(MTU_JUMBO) " with --enable-jumbo"
		                  : "");
		return VERDICT_REFUSED;
	}
	session->mtu = (uint16_t)told;
	return VERDICT_DONE;
}

/* --- the table ---------------------------------------------------------------------------------
 */

/* finish goes on with a message after the grace period that begin has asked for. */
static const struct handler {
	enum session_verdict (*begin)(struct vhost_session *session);
	enum session_verdict (*finish)(struct vhost_session *session);
} handlers[MESSAGE_REQUESTS] = {
        [MESSAGE_GET_FEATURES] = {features_get},
        [MESSAGE_SET_FEATURES] = {features_set, nothing},
        [MESSAGE_SET_OWNER] = {nothing},
        [MESSAGE_RESET_OWNER] = {owner_reset},
        [MESSAGE_SET_MEM_TABLE] = {memory_table_set, memory_finish},
        [MESSAGE_SET_LOG_BASE] = {memory_log_set, memory_log_finish},
        [MESSAGE_SET_VRING_NUM] = {ring_num_set},
        [MESSAGE_SET_VRING_ADDR] = {ring_addresses_set, ring_addresses_finish},
        [MESSAGE_SET_VRING_BASE] = {ring_base_set},
        [MESSAGE_GET_VRING_BASE] = {ring_base_get, ring_base_get_finish},
        [MESSAGE_SET_VRING_KICK] = {ring_kick_set, ring_kick_finish},
        [MESSAGE_SET_VRING_CALL] = {ring_call_set},
        [MESSAGE_SET_VRING_ERR] = {ring_err_set},
        [MESSAGE_GET_PROTOCOL_FEATURES] = {protocol_features_get},
        [MESSAGE_SET_PROTOCOL_FEATURES] = {protocol_features_set},
        [MESSAGE_GET_QUEUE_NUM] = {queue_num_get},
        [MESSAGE_SET_VRING_ENABLE] = {ring_enable_set},
        [MESSAGE_SEND_RARP] = {rarp_send},
        [MESSAGE_NET_SET_MTU] = {mtu_set},
        [MESSAGE_GET_MAX_MEM_SLOTS] = {slots_get},
        [MESSAGE_ADD_MEM_REG] = {memory_region_add},
        [MESSAGE_REM_MEM_REG] = {memory_region_remove, memory_finish},
};

static void close_fds(const int *fds, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (fds[i] >= 0)
			close(fds[i]);
}

/* The message is through. */
static enum session_next conclude(struct vhost_session *session, enum session_verdict verdict)
{
	const struct message *message = &session->message;

	close_fds(session->fds, session->n_fds);
	session->n_fds = 0;
	views_summarise(session);
	if (verdict == VERDICT_BREAK)
		return SESSION_BREAKS;
	session->phase = SESSION_PHASE_READY;
	if (verdict != VERDICT_REPLY && message_needs_reply(message))
		message_reply_number(&session->reply, message->request,
		                     verdict == VERDICT_REFUSED ? 1 : 0);
	return SESSION_READS;
}

static enum session_next finish(struct vhost_session *session)
{
	return conclude(session, handlers[session->message.request].finish(session));
}

static enum session_next begin(struct vhost_session *session)
{
	uint32_t request = session->message.request;
	enum session_verdict verdict;

	if (request != MESSAGE_GET_VRING_BASE)
		views_resume(session);
	if (!message_is_known(request))
		return conclude(session, VERDICT_REFUSED);
	verdict = handlers[request].begin(session);
	if (verdict != VERDICT_WAIT)
		return conclude(session, verdict);
	if (!views_pending(session))
		return finish(session);
	session->phase = SESSION_PHASE_WAITING;
	session->token = session->host.grace_begin(session->host.context);
	return vhost_session_continue(session);
}

/* --- from outside ------------------------------------------------------------------------------
 */

static void forget_sizes(struct session_summary *summary)
{
	for (unsigned ring = 0; ring < SESSION_RINGS; ring++)
		atomic_store_explicit(&summary->sizes[ring], 0, memory_order_relaxed);
}

void vhost_session_init(struct vhost_session *session, const struct session_config *config,
                        const struct session_host *host)
{
	struct session_summary *summary = host->summary;

	memset(session, 0, sizeof(*session));
	session->config = *config;
	session->host = *host;
	for (unsigned ring = 0; ring < SESSION_RINGS; ring++)
		session->kick_fds[ring] = session->call_fds[ring] = session->err_fds[ring] = -1;
	atomic_store(&summary->running, 0);
	atomic_store(&summary->enabled, 0);
	atomic_store(&summary->features, 0);
	atomic_store(&summary->mtu, 0);
	atomic_store(&summary->rarp, 0);
	atomic_store(&summary->numa_node, -1);
	forget_sizes(summary);
}

enum session_next vhost_session_handle(struct vhost_session *session, const struct message *message,
                                       const int *fds, unsigned n_fds)
{
	session->reply.request = 0;
	session->err.code = 0;
	if (session->phase != SESSION_PHASE_READY || n_fds > MESSAGE_FDS_MAX) {
		close_fds(fds, n_fds);
		error_set(&session->err, EPROTO, "sent more than a message may have");
		return SESSION_BREAKS;
	}
	session->message = *message;
	memcpy(session->fds, fds, n_fds * sizeof(*fds));
	session->n_fds = n_fds;
	if (message_check(message, n_fds, &session->err) < 0)
		return conclude(session, VERDICT_BREAK);
	views_reap(session);
	if (session->n_retired + SESSION_RETIRED_ROOM <= SESSION_RETIRED_MAX)
		return begin(session);
	session->phase = SESSION_PHASE_CROWDED;
	return SESSION_WAITS;
}

/* Frees everything. Nobody sees it any more. */
static enum session_next release(struct vhost_session *session)
{
	for (unsigned ring = 0; ring < SESSION_RINGS; ring++) {
		views_stop(session, ring);
		views_retire_fd(session, session->kick_fds[ring]);
		close_fds(&session->call_fds[ring], 1);
		close_fds(&session->err_fds[ring], 1);
		session->kick_fds[ring] = session->call_fds[ring] = session->err_fds[ring] = -1;
	}
	memory_end(session);
	forget_sizes(session->host.summary);
	session->features = 0;
	session->mtu = 0;
	atomic_store_explicit(&session->host.summary->rarp, 0, memory_order_relaxed);
	views_summarise(session);
	session->phase = SESSION_PHASE_OVER;
	return SESSION_OVER;
}

enum session_next vhost_session_continue(struct vhost_session *session)
{
	switch (session->phase) {
	case SESSION_PHASE_CROWDED:
		return views_reap(session) ? begin(session) : SESSION_WAITS;
	case SESSION_PHASE_WAITING:
	case SESSION_PHASE_ENDING:
		if (!views_reap(session) ||
		    !session->host.grace_over(session->host.context, session->token))
			return SESSION_WAITS;
		session->unquiet = false;
		return session->phase == SESSION_PHASE_WAITING ? finish(session) : release(session);
	case SESSION_PHASE_OVER:
		return SESSION_OVER;
	default:
		return SESSION_READS;
	}
}

enum session_next vhost_session_end(struct vhost_session *session)
{
	if (session->phase == SESSION_PHASE_OVER)
		return SESSION_OVER;
	close_fds(session->fds, session->n_fds);
	session->n_fds = 0;
	views_pause(session, UINT64_MAX);
	session->phase = SESSION_PHASE_ENDING;
	if (!views_pending(session))
		return release(session);
	session->token = session->host.grace_begin(session->host.context);
	return vhost_session_continue(session);
}

void vhost_session_resume(struct vhost_session *session)
{
	if (vhost_session_pauses(session))
		views_resume(session);
}

uint64_t vhost_session_callers(const struct vhost_session *session)
{
	uint64_t calling = 0;

	for (uint64_t left = session->started; left != 0; left &= left - 1) {
		unsigned ring = (unsigned)__builtin_ctzll(left);

		if (atomic_load_explicit(&session->host.virtqueues[ring].caller,
		                         memory_order_relaxed) != 0)
			calling |= ring_bit(ring);
	}
	return calling;
}

/* What workers have left for us at the rings, bit r: ring r. */
struct found {
	uint64_t blocked, faulty;
};

/* All that is to be known of a ring stands in one cache line, which is its worker's: hence one
 * walk, over those in use. One that we have stopped may still have somebody in it. */
static struct found find(struct vhost_session *session)
{
	struct found found = {0};

	session->calling = 0;
	for (uint64_t left = session->started; left != 0; left &= left - 1) {
		unsigned ring = (unsigned)__builtin_ctzll(left);
		const struct virtqueue *virtqueue = &session->host.virtqueues[ring];

		if (atomic_load_explicit(&virtqueue->caller, memory_order_relaxed) != 0)
			session->calling |= ring_bit(ring);
		if (atomic_load_explicit(&virtqueue->blocked, memory_order_relaxed))
			found.blocked |= ring_bit(ring);
		if (atomic_load_explicit(&virtqueue->fault, memory_order_relaxed) != FAULT_NONE)
			found.faulty |= ring_bit(ring);
	}
	found.blocked &= session->running;
	found.faulty &= session->running;
	return found;
}

/* Faults are the workers' to find, and ours to act upon. */
static void stop_faulty(struct vhost_session *session, uint64_t faulty)
{
	for (; faulty != 0; faulty &= faulty - 1) {
		unsigned ring = (unsigned)__builtin_ctzll(faulty);
		uint8_t fault = atomic_load_explicit(&session->host.virtqueues[ring].fault,
		                                     memory_order_relaxed);

		views_break(session, ring);
		atomic_fetch_add_explicit(&session->host.summary->refused[ring], 1,
		                          memory_order_relaxed);
		event_fd_signal(session->err_fds[ring]);
		session->host.fault(session->host.context, ring, (enum virtqueue_fault)fault);
	}
}

enum session_next vhost_session_look(struct vhost_session *session)
{
	struct found found;

	if (session->phase == SESSION_PHASE_OVER || session->phase == SESSION_PHASE_ENDING)
		return SESSION_READS;
	found = find(session);
	if (atomic_load(&session->memory_lost)) {
		error_set(
		        &session->err, EFAULT,
		        "has taken pages of its guest's memory away (its file was cut off, or has "
		        "a hole, or there are too few hugepages)");
		return SESSION_BREAKS;
	}
	if (found.blocked != 0) {
		error_set(&session->err, EWOULDBLOCK, "let an interrupt for its guest block");
		return SESSION_BREAKS;
	}
	views_reap(session);
	if (session->phase != SESSION_PHASE_READY)
		return SESSION_READS;
	if (session->n_retired + SESSION_RETIRED_ROOM <= SESSION_RETIRED_MAX)
		stop_faulty(session, found.faulty);
	views_summarise(session);
	return SESSION_READS;
}
