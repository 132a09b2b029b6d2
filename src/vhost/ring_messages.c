/* See ring_messages.h. Numbers of requests are the specification's. */
#include "vhost/ring_messages.h"

#include <errno.h>
#include <unistd.h>

#include "vhost/event_fd.h"
#include "vhost/views.h"

static bool is_started(const struct vhost_session *session, unsigned ring)
{
	return (session->started & ring_bit(ring)) != 0;
}

static enum session_verdict refuse_index(struct vhost_session *session, unsigned ring)
{
	error_set(&session->err, EPROTO, "sent %s for a virtqueue %u; there are %u",
	          message_name(session->message.request), ring, SESSION_RINGS);
	return VERDICT_BREAK;
}

static enum session_verdict refuse_while_running(struct vhost_session *session, unsigned ring)
{
	error_set(&session->err, EPROTO,
	          "sent %s for the virtqueue %u, which has to be stopped "
	          "first (GET_VRING_BASE)",
	          message_name(session->message.request), ring);
	return VERDICT_BREAK;
}

/* 8. That a split ring has a power of two is seen when it starts: which kind it is may still have
 * to come. */
enum session_verdict ring_num_set(struct vhost_session *session)
{
	const struct message_ring told = session->message.ring;

	if (told.index >= SESSION_RINGS)
		return refuse_index(session, told.index);
	if (told.number == 0 || told.number > VIRTQUEUE_SIZE_MAX) {
		error_set(&session->err, EPROTO,
		          "sent a virtqueue %u of %u entries; rings have 1 to %u (QEMU: "
		          "rx_queue_size=, tx_queue_size=)",
		          told.index, told.number, VIRTQUEUE_SIZE_MAX);
		return VERDICT_BREAK;
	}
	if (is_started(session, told.index) && session->rings[told.index].num != told.number)
		return refuse_while_running(session, told.index);
	session->rings[told.index].num = told.number;
	atomic_store_explicit(&session->host.summary->sizes[told.index], (uint16_t)told.number,
	                      memory_order_relaxed);
	return VERDICT_DONE;
}

/* 9. A ring that runs keeps its places for the beginning and the end of a migration's log, which
 * swaps its view; the answer comes when no worker writes to memory unlogged any more. */
enum session_verdict ring_addresses_set(struct vhost_session *session)
{
	const struct message_ring_addresses told = session->message.addresses;
	struct ring_setup *ring;
	struct views views;

	if (told.index >= SESSION_RINGS)
		return refuse_index(session, told.index);
	ring = &session->rings[told.index];
	if ((session->running & ring_bit(told.index)) != 0 &&
	    !ring_places_equal(&told, &ring->addresses)) {
		views_pause(session, ring_bit(told.index));
		return VERDICT_WAIT;
	}
	ring->addresses = told;
	ring->has_addresses = true;
	if ((session->running & ring_bit(told.index)) == 0)
		return VERDICT_DONE;
	if (views_make(&views, session, ring_bit(told.index), session->memory) < 0)
		return VERDICT_BREAK;
	views_swap(session, &views, NULL, -1, -1);
	return VERDICT_WAIT;
}

enum session_verdict ring_addresses_finish(struct vhost_session *session)
{
	const struct message_ring_addresses told = session->message.addresses;
	struct views views;

	if ((session->paused & ring_bit(told.index)) == 0)
		return VERDICT_DONE; /* it was swapped */
	session->rings[told.index].addresses = told;
	if (views_make(&views, session, ring_bit(told.index), session->memory) < 0)
		return VERDICT_BREAK;
	views_replace(session, &views);
	return VERDICT_DONE;
}

/* 10. What it may be depends on the ring's kind, and is seen when it starts. */
enum session_verdict ring_base_set(struct vhost_session *session)
{
	const struct message_ring told = session->message.ring;

	if (told.index >= SESSION_RINGS)
		return refuse_index(session, told.index);
	if (is_started(session, told.index))
		return refuse_while_running(session, told.index);
	session->rings[told.index].base = told.number;
	session->rings[told.index].has_base = true;
	return VERDICT_DONE;
}

/* 11. Who stops one ring mostly stops all of them, one by one, so that all are made to stand still
 * at once: those that are not asked for go on with the next message of another kind. */
enum session_verdict ring_base_get(struct vhost_session *session)
{
	unsigned ring = session->message.ring.index;

	if (ring >= SESSION_RINGS)
		return refuse_index(session, ring);
	if (!is_started(session, ring))
		return ring_base_get_finish(session);
	views_pause(session, UINT64_MAX);
	return VERDICT_WAIT;
}

enum session_verdict ring_base_get_finish(struct vhost_session *session)
{
	unsigned ring = session->message.ring.index;

	if (is_started(session, ring)) {
		views_stop(session, ring);
		views_retire_fd(session, session->call_fds[ring]);
		views_retire_fd(session, session->kick_fds[ring]);
		session->call_fds[ring] = session->kick_fds[ring] = -1;
	}
	views_forget(session, ring);
	message_reply(&session->reply, session->message.request, sizeof(struct message_ring));
	session->reply.ring =
	        (struct message_ring){.index = ring, .number = session->rings[ring].base};
	return VERDICT_REPLY;
}

/* Workers that sleep wait for it; nobody reads or writes it. One that is no eventfd, and may be
 * anything, is closed with the message: that ring's workers look by time. */
static void take_kick(struct vhost_session *session, unsigned ring)
{
	static uint32_t serial;

	views_retire_fd(session, session->kick_fds[ring]);
	session->kick_fds[ring] = -1;
	if (session->n_fds == 0 || !event_fd_is(session->fds[0]))
		return;
	session->kick_fds[ring] = session->fds[0];
	session->fds[0] = -1;
	session->kick_serials[ring] = ++serial == 0 ? ++serial : serial;
}

/* 12. One for a ring that is started has it start again where it stands: that revives one that we
 * have stopped. */
enum session_verdict ring_kick_set(struct vhost_session *session)
{
	unsigned ring = message_fd_ring(&session->message);

	if (ring >= SESSION_RINGS)
		return refuse_index(session, ring);
	if (is_started(session, ring)) {
		views_pause(session, ring_bit(ring));
		return VERDICT_WAIT;
	}
	take_kick(session, ring);
	return views_start(session, ring) < 0 ? VERDICT_BREAK : VERDICT_DONE;
}

enum session_verdict ring_kick_finish(struct vhost_session *session)
{
	unsigned ring = message_fd_ring(&session->message);

	views_stop(session, ring);
	take_kick(session, ring);
	return views_start(session, ring) < 0 ? VERDICT_BREAK : VERDICT_DONE;
}

/* The descriptor of the message; -1 when it brings none. false when it is no eventfd. */
static bool take_event_fd(struct vhost_session *session, int *fd)
{
	*fd = -1;
	if (session->n_fds == 0)
		return true;
	if (!event_fd_take(session->fds[0])) {
		error_set(&session->err, EPROTO, "sent %s with a descriptor that is no eventfd",
		          message_name(session->message.request));
		return false;
	}
	*fd = session->fds[0];
	session->fds[0] = -1;
	return true;
}

/* 13. Comes when the guest switches its interrupts on and off, too, and never stops a ring. The one
 * before may be written to until the grace period is over, and nobody may listen to it any more:
 * hence the call afterwards. */
enum session_verdict ring_call_set(struct vhost_session *session)
{
	unsigned ring = message_fd_ring(&session->message);
	struct views views;
	int fd, before;

	if (ring >= SESSION_RINGS)
		return refuse_index(session, ring);
	if (!take_event_fd(session, &fd))
		return VERDICT_BREAK;
	before = session->call_fds[ring];
	session->call_fds[ring] = fd;
	if ((session->running & ring_bit(ring)) == 0) {
		views_retire_fd(session, before);
		return VERDICT_DONE;
	}
	if (views_make(&views, session, ring_bit(ring), session->memory) < 0) {
		session->call_fds[ring] = before; /* the view that runs has it */
		if (fd >= 0)
			close(fd);
		return VERDICT_BREAK;
	}
	views_swap(session, &views, NULL, before, (int)ring);
	return VERDICT_DONE;
}

/* 14. */
enum session_verdict ring_err_set(struct vhost_session *session)
{
	unsigned ring = message_fd_ring(&session->message);
	int fd;

	if (ring >= SESSION_RINGS)
		return refuse_index(session, ring);
	if (!take_event_fd(session, &fd))
		return VERDICT_BREAK;
	if (session->err_fds[ring] >= 0)
		close(session->err_fds[ring]);
	session->err_fds[ring] = fd;
	return VERDICT_DONE;
}

/* 18. May come before anything else is known of a ring, and for rings that nobody has. */
enum session_verdict ring_enable_set(struct vhost_session *session)
{
	const struct message_ring told = session->message.ring;

	if (told.index >= SESSION_RINGS)
		return VERDICT_DONE;
	if (told.number != 0) {
		session->enabled |= ring_bit(told.index);
		views_give_back(session, told.index);
	} else {
		session->enabled &= ~ring_bit(told.index);
	}
	return VERDICT_DONE;
}
