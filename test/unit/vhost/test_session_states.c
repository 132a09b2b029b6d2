/* Every message in every state of a session, in legal, useless and hostile forms, with each number
 * of descriptors of several kinds: it is answered as it has to be or the session breaks, nothing is
 * touched that is gone, and no descriptor is left over.
 */
#include "session_rig.h"

#define STATES 8

/* Brings a session into a state: from nothing to running, logging, stopped in part, broken. */
static void enter(unsigned state)
{
	struct message message;

	if (state == 0)
		return;
	rig_number(MESSAGE_SET_PROTOCOL_FEATURES, PROTOCOL_OFFERED);
	rig_number(MESSAGE_SET_FEATURES, USUAL | (state == 4 ? BIT(VIRTIO_F_RING_PACKED) : 0));
	if (state == 1)
		return;
	rig_memory();
	if (state == 2)
		return;
	for (unsigned ring = 0; ring < 3; ring++) {
		rig_ring(MESSAGE_SET_VRING_ENABLE, ring, 1);
		rig_start_ring(ring);
		close(rig_fd_message(MESSAGE_SET_VRING_CALL, ring));
		close(rig_fd_message(MESSAGE_SET_VRING_ERR, ring));
	}
	if (state == 5) { /* others stand still */
		message = ring_message(MESSAGE_GET_VRING_BASE, 1, 0);
		rig_assert(rig_send(&message, NULL, 0) == SESSION_READS);
	}
	if (state == 6) {
		atomic_store(&virtqueues[0].fault, FAULT_NEXT);
		grace_at_once = false;
		rig_assert(vhost_session_look(&session) == SESSION_READS);
	}
	if (state == 7) {
		message = rig_message(MESSAGE_SET_LOG_BASE, 16);
		message.log.size = 0x10000;
		message.log.offset = 0;
		rig_assert(rig_send(&message, &memory_fd_2, 1) == SESSION_READS);
		rig_number(MESSAGE_SET_FEATURES, USUAL | BIT(VHOST_F_LOG_ALL));
	}
}

/* A message's size, as its row has it; of tables that of one region. */
static uint32_t size_of(uint32_t request)
{
	struct message message = {.request = request, .flags = MESSAGE_VERSION};
	struct error err;

	while (message_check_header(&message, &err) < 0)
		message.size++;
	return message.size;
}

static void fill(struct message *message, unsigned form)
{
	switch (form) {
	case 0: /* zeros */
		memset(message->bytes, 0, message->size);
		break;
	case 1:
		memset(message->bytes, 0xff, message->size);
		break;
	case 2: /* what would be legal */
		if (message->request == MESSAGE_SET_MEM_TABLE)
			*message = table_message();
		else if (message->request == MESSAGE_SET_VRING_ADDR)
			*message = addresses_message(1, 0);
		else if (message->size == 40)
			*message = region_message(message->request, GUEST_BASE, MEMORY_BYTES,
			                          FRONT_BASE, 0);
		else if (message->size == 16)
			message->log.size = 0x2000, message->log.offset = 0;
		else
			message->number = 1;
		break;
	case 3: /* of another place */
		if (message->request == MESSAGE_SET_VRING_ADDR) {
			*message = addresses_message(0, MESSAGE_RING_LOGGED);
			message->addresses.descriptors += 0x10000;
		} else if (message->request == MESSAGE_SET_MEM_TABLE) {
			*message = table_message();
			message->table.regions[0].file_offset = 0x1000;
			message->table.regions[0].size -= 0x1000;
		} else if (message->size == 40) {
			*message = region_message(message->request, 0, 0x1000, 0, 0x1000);
		} else {
			message->number = UINT64_C(0x100) << 32 | 2;
		}
		break;
	default:
		message->number = MESSAGE_NO_FD | 1;
		break;
	}
}

/* Through to its end, with grace periods as they come. */
static void check_outcome(const struct message *message, enum session_next next)
{
	while (next == SESSION_WAITS) {
		grace_pass();
		next = vhost_session_continue(&session);
	}
	if (next == SESSION_BREAKS)
		return;
	rig_assert(next == SESSION_READS);
	if (message_needs_reply(message))
		rig_assert(session.reply.request == message->request);
	if (session.reply.request != 0) {
		rig_assert(session.reply.flags == 5);
		rig_assert(session.reply.size == 8);
	}
}

static void try_message(unsigned state, uint32_t request, unsigned form, unsigned n_fds, int fd)
{
	int fds[MESSAGE_FDS_ROOM];
	struct message message = rig_message(request, size_of(request));

	for (unsigned i = 0; i < n_fds; i++)
		fds[i] = fd;
	grace_at_once = true;
	rig_connect();
	memset(virtqueues, 0, sizeof(virtqueues));
	enter(state);
	grace_at_once = form % 2 == 0;
	fill(&message, form);
	message.flags |= form % 2 == 0 ? MESSAGE_NEED_REPLY : 0;
	check_outcome(&message, rig_send(&message, fds, n_fds));
	worker_touch();
	rig_disconnect();
}

/* All that are offered, and two of those that are not. */
static bool is_of_interest(uint32_t request)
{
	return message_is_known(request) || request == 7 || request == MESSAGE_REQUESTS;
}

START_TEST(every_message_in_every_state)
{
	int event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	int kinds[] = {memory_fd, event, STDIN_FILENO};

	for (uint32_t request = 0; request <= MESSAGE_REQUESTS; request++) {
		if (!is_of_interest(request))
			continue;
		for (unsigned form = 0; form < 5; form++) {
			try_message((unsigned)_i, request, form, 0, -1);
			for (unsigned kind = 0; kind < 3; kind++)
				try_message((unsigned)_i, request, form, 1, kinds[kind]);
			try_message((unsigned)_i, request, form, MESSAGE_FDS_ROOM, memory_fd);
		}
	}
	close(event);
}
END_TEST

/* Whatever comes first on a connection. */
START_TEST(each_message_after_each_other)
{
	int event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	for (uint32_t one = 1; one < MESSAGE_REQUESTS; one++)
		for (uint32_t other = 1; other < MESSAGE_REQUESTS; other++) {
			if (!message_is_known(one) || !message_is_known(other))
				continue;
			rig_connect();
			enter(3);
			for (unsigned i = 0; i < 2; i++) {
				uint32_t request = i == 0 ? one : other;
				struct message message = rig_message(request, size_of(request));
				bool with_fd = request >= MESSAGE_SET_VRING_KICK &&
				               request <= MESSAGE_SET_VRING_ERR;
				bool with_file = request == 5 || request == 6 || request == 37;
				enum session_next next;

				fill(&message, 2);
				next = rig_send(&message, with_fd ? &event : &memory_fd,
				                with_fd || with_file);
				check_outcome(&message, next);
				if (next == SESSION_BREAKS)
					break;
			}
			rig_disconnect();
		}
	close(event);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("session_states");

	tcase_set_timeout(tcase, 120);
	tcase_add_checked_fixture(tcase, rig_set_up, rig_tear_down);
	tcase_add_loop_test(tcase, every_message_in_every_state, 0, STATES);
	tcase_add_test(tcase, each_message_after_each_other);
	return suite_main("session_states", tcase);
}
