/* Rings of a session: start, stop, bases, descriptors, what is swapped and what stops, faults; and
 * that nothing is let go of before the workers have left it.
 */
#include "session_rig.h"

static const struct virtqueue_view *view_of(unsigned ring)
{
	return atomic_load(&virtqueues[ring].view);
}

static uint32_t base_of(unsigned ring)
{
	struct message message = ring_message(MESSAGE_GET_VRING_BASE, ring, 0xabcd);

	ck_assert_int_eq(rig_send(&message, NULL, 0), SESSION_READS);
	ck_assert_uint_eq(session.reply.request, MESSAGE_GET_VRING_BASE);
	ck_assert_uint_eq(session.reply.size, 8);
	ck_assert_uint_eq(session.reply.ring.index, ring);
	return session.reply.ring.number;
}

static uint16_t *used_index(unsigned ring)
{
	return (uint16_t *)(void *)(front_end + ring * RING_BYTES + 0x2000 + 2);
}

START_TEST(start_and_stop)
{
	rig_start(USUAL, 2);
	ck_assert_ptr_nonnull(view_of(0));
	ck_assert_ptr_nonnull(view_of(1));
	ck_assert_uint_eq(view_of(0)->size, 256);
	virtqueues[0].at.index = 1000;
	virtqueues[1].at.index = 65535;
	ck_assert_uint_eq(base_of(0), 1000);
	ck_assert_uint_eq(summary.running, 2);
	ck_assert_uint_eq(base_of(1), 65535);
	ck_assert_uint_eq(summary.running, 0);
	ck_assert_uint_eq(base_of(0), 1000); /* again */
}
END_TEST

START_TEST(bases_of_rings_that_nobody_has)
{
	ck_assert_uint_eq(base_of(0), 0);
	ck_assert_uint_eq(base_of(63), 0);
	rig_ring(MESSAGE_SET_VRING_BASE, 5, 77);
	ck_assert_uint_eq(base_of(5), 77);
}
END_TEST

/* Whatever the front end says: the ring knows. */
START_TEST(a_split_ring_goes_on_where_it_stands)
{
	*used_index(0) = 4711;
	rig_ring(MESSAGE_SET_VRING_BASE, 0, 3);
	rig_start(USUAL, 1);
	ck_assert_uint_eq(virtqueues[0].at.index, 4711);
	ck_assert_uint_eq(base_of(0), 4711);
}
END_TEST

START_TEST(a_packed_ring_goes_on_where_it_was_told)
{
	rig_ring(MESSAGE_SET_VRING_BASE, 0, 0x80108010);
	rig_start(USUAL | BIT(VIRTIO_F_RING_PACKED), 2);
	ck_assert_uint_eq(virtqueues[0].at.index, 16);
	ck_assert(virtqueues[0].at.wrap);
	ck_assert(virtqueues[1].at.index == 0 && virtqueues[1].at.wrap);
	virtqueues[0].at = (struct virtqueue_position){3, false};
	ck_assert_uint_eq(base_of(0), 0x00030003);
	close(rig_fd_message(MESSAGE_SET_VRING_KICK, 0));
	ck_assert(virtqueues[0].at.index == 3 && !virtqueues[0].at.wrap);
}
END_TEST

START_TEST(a_packed_base_beyond_the_ring)
{
	struct message message = number_message(MESSAGE_SET_VRING_KICK, MESSAGE_NO_FD);

	rig_start(USUAL | BIT(VIRTIO_F_RING_PACKED), 1);
	base_of(0);
	rig_ring(MESSAGE_SET_VRING_BASE, 0, 0x8100);
	rig_breaks(&message, NULL, 0);
}
END_TEST

START_TEST(starting_too_early)
{
	struct message message = number_message(MESSAGE_SET_VRING_KICK, MESSAGE_NO_FD);
	struct message addresses = addresses_message(0, 0);

	rig_breaks(&message, NULL, 0);
	rig_ring(MESSAGE_SET_VRING_NUM, 0, 256);
	rig_breaks(&message, NULL, 0);
	rig_ring(MESSAGE_SET_VRING_NUM, 0, 256);
	rig_silent(&addresses, NULL, 0);
	rig_breaks(&message, NULL, 0);
	rig_memory();
	rig_silent(&addresses, NULL, 0);
	rig_breaks(&message, NULL, 0);
	rig_memory();
	rig_ring(MESSAGE_SET_VRING_NUM, 0, 255);
	rig_silent(&addresses, NULL, 0);
	rig_breaks(&message, NULL, 0);
	rig_memory();
	rig_ring(MESSAGE_SET_VRING_NUM, 0, 256);
	rig_silent(&addresses, NULL, 0);
	rig_silent(&message, NULL, 0);
}
END_TEST

START_TEST(numbers_of_rings)
{
	static const uint32_t requests[] = {MESSAGE_SET_VRING_NUM, MESSAGE_SET_VRING_BASE,
	                                    MESSAGE_GET_VRING_BASE};
	static const uint32_t by_fd[] = {MESSAGE_SET_VRING_KICK, MESSAGE_SET_VRING_CALL,
	                                 MESSAGE_SET_VRING_ERR};
	static const uint32_t beyond[] = {64, 255, 256, UINT32_MAX};

	for (unsigned i = 0; i < 4; i++) {
		struct message message = addresses_message(0, 0);

		message.addresses.index = beyond[i];
		rig_breaks(&message, NULL, 0);
		for (unsigned j = 0; j < 3; j++) {
			message = ring_message(requests[j], beyond[i], 1);
			rig_breaks(&message, NULL, 0);
		}
	}
	for (unsigned j = 0; j < 3; j++) {
		struct message message = number_message(by_fd[j], 64);
		int fd = eventfd(0, EFD_CLOEXEC);

		rig_breaks(&message, &fd, 1);
		message.number = 255;
		rig_breaks(&message, &fd, 1);
		message.number = 255 | MESSAGE_NO_FD;
		rig_breaks(&message, NULL, 0);
		close(fd);
	}
}
END_TEST

START_TEST(sizes)
{
	static const uint32_t wrong[] = {0, 32769, 65536, UINT32_MAX};
	struct message message;

	rig_ring(MESSAGE_SET_VRING_NUM, 0, 1);
	rig_ring(MESSAGE_SET_VRING_NUM, 0, 32768);
	for (unsigned i = 0; i < 4; i++) {
		message = ring_message(MESSAGE_SET_VRING_NUM, 0, wrong[i]);
		rig_breaks(&message, NULL, 0);
	}
	rig_start(USUAL, 1);
	rig_ring(MESSAGE_SET_VRING_NUM, 0, 256);
	message = ring_message(MESSAGE_SET_VRING_NUM, 0, 128);
	rig_breaks(&message, NULL, 0);
	rig_start(USUAL, 1);
	message = ring_message(MESSAGE_SET_VRING_BASE, 0, 0);
	rig_breaks(&message, NULL, 0);
}
END_TEST

/* --- call descriptors ----------------------------------------------------------------------- */

START_TEST(a_call_descriptor_is_swapped)
{
	int before, after;

	grace_at_once = false;
	before = rig_fd_message(MESSAGE_SET_VRING_CALL, 0);
	rig_start(USUAL, 1);
	ck_assert_uint_eq(eventfd_value(before), 1); /* calls may have been lost before */
	after = rig_fd_message(MESSAGE_SET_VRING_CALL, 0);
	ck_assert_ptr_nonnull(view_of(0));
	ck_assert_int_eq(view_of(0)->call_fd, session.call_fds[0]);
	ck_assert(vhost_session_retires(&session));
	ck_assert_int_eq(vhost_session_look(&session), SESSION_READS);
	ck_assert_uint_eq(eventfd_value(after), 0);
	grace_pass(); /* the old one is still open */
	ck_assert_int_eq(vhost_session_look(&session), SESSION_READS);
	ck_assert(!vhost_session_retires(&session));
	ck_assert_uint_eq(eventfd_value(after), 1);
	ck_assert_uint_eq(eventfd_value(before), 0);
	/* None at all: the driver polls. */
	rig_number(MESSAGE_SET_VRING_CALL, MESSAGE_NO_FD);
	ck_assert_int_eq(view_of(0)->call_fd, -1);
	close(before);
	close(after);
}
END_TEST

START_TEST(descriptors_of_other_kinds)
{
	static const uint32_t requests[] = {MESSAGE_SET_VRING_CALL, MESSAGE_SET_VRING_ERR};
	int pair[2];

	ck_assert_int_eq(pipe2(pair, O_CLOEXEC), 0);
	for (unsigned i = 0; i < 2; i++) {
		struct message message = number_message(requests[i], 0);

		rig_breaks(&message, &memory_fd, 1);
		rig_breaks(&message, &pair[0], 1);
		rig_breaks(&message, &pair[1], 1);
	}
	close(pair[0]);
	close(pair[1]);
}
END_TEST

/* One that would block does not, though its front end has asked for that, and filled it. */
START_TEST(a_full_call_descriptor)
{
	uint64_t most = UINT64_MAX - 1;
	int fd = eventfd(0, EFD_CLOEXEC);
	struct message message = number_message(MESSAGE_SET_VRING_CALL, 0);

	ck_assert_int_eq(write(fd, &most, sizeof(most)), sizeof(most));
	rig_silent(&message, &fd, 1);
	ck_assert(fcntl(fd, F_GETFL) & O_NONBLOCK);
	fcntl(fd, F_SETFL, 0);
	rig_start(USUAL, 1);
	rig_silent(&message, &fd, 1);
	ck_assert_int_eq(vhost_session_look(&session), SESSION_READS);
	ck_assert_int_eq(read(fd, &most, sizeof(most)), sizeof(most));
	close(fd);
}
END_TEST

/* --- grace periods -------------------------------------------------------------------------- */

/* Sends what has to wait; meanwhile none of the rings in stopped is published. */
static void expect_wait(const struct message *message, const int *fds, unsigned n_fds,
                        uint64_t stopped)
{
	grace_at_once = false;
	ck_assert_int_eq(rig_send(message, fds, n_fds), SESSION_WAITS);
	for (unsigned ring = 0; ring < SESSION_RINGS; ring++)
		if ((stopped & BIT(ring)) != 0)
			ck_assert_ptr_null(view_of(ring));
	for (unsigned i = 0; i < 3; i++)
		ck_assert_int_eq(vhost_session_continue(&session), SESSION_WAITS);
	ck_assert_int_eq(vhost_session_look(&session), SESSION_READS);
	ck_assert_uint_eq(session.reply.request, 0);
	grace_pass();
	ck_assert_int_eq(vhost_session_continue(&session), SESSION_READS);
	ck_assert_int_eq(vhost_session_continue(&session), SESSION_READS);
	worker_look();
}

/* The first of several stops has all rings stand still, and the others cost nothing; with the next
 * message of another kind those that are left go on. */
START_TEST(stops_share_a_grace_period)
{
	struct message message = ring_message(MESSAGE_GET_VRING_BASE, 0, 0);
	uint64_t before;

	rig_start(USUAL, 4);
	expect_wait(&message, NULL, 0, 0xf);
	ck_assert_uint_eq(summary.running, 0xe);
	ck_assert(vhost_session_pauses(&session));
	before = graces;
	base_of(1);
	base_of(2);
	ck_assert_uint_eq(graces, before);
	ck_assert_ptr_null(view_of(3));
	ck_assert_uint_eq(summary.running, 8);
	rig_ring(MESSAGE_SET_VRING_ENABLE, 0, 0);
	ck_assert_ptr_nonnull(view_of(3));
	ck_assert(!vhost_session_pauses(&session));
	message.ring.index = 3;
	expect_wait(&message, NULL, 0, 8);
}
END_TEST

START_TEST(paused_rings_go_on_when_nothing_comes)
{
	struct message message = ring_message(MESSAGE_GET_VRING_BASE, 0, 0);

	rig_start(USUAL, 2);
	virtqueues[1].at.index = 9;
	expect_wait(&message, NULL, 0, 3);
	vhost_session_resume(&session);
	ck_assert_ptr_nonnull(view_of(1));
	ck_assert_uint_eq(virtqueues[1].at.index, 9);
	vhost_session_resume(&session);
}
END_TEST

START_TEST(moved_rings)
{
	struct message message;
	const struct virtqueue_view *other;

	rig_start(USUAL, 2);
	virtqueues[0].at.index = 7;
	other = view_of(1);
	message = addresses_message(0, 0);
	message.addresses.descriptors += 0x8000;
	expect_wait(&message, NULL, 0, 1);
	ck_assert_ptr_eq(view_of(1), other);
	ck_assert_uint_eq(virtqueues[0].at.index, 7);
	ck_assert_ptr_eq(view_of(0)->split, session.map.regions[0].mapping.data + 0x8000);
	message.addresses.descriptors = 1;
	ck_assert_int_eq(rig_send(&message, NULL, 0), SESSION_WAITS);
	grace_pass();
	ck_assert_int_eq(vhost_session_continue(&session), SESSION_BREAKS);
}
END_TEST

START_TEST(a_kick_again)
{
	struct message message = number_message(MESSAGE_SET_VRING_KICK, MESSAGE_NO_FD);

	rig_start(USUAL | BIT(VIRTIO_F_RING_PACKED), 2);
	virtqueues[0].at.index = 5;
	expect_wait(&message, NULL, 0, 1);
	ck_assert_ptr_nonnull(view_of(0));
	ck_assert_uint_eq(virtqueues[0].at.index, 5);
	ck_assert_uint_eq(summary.starts[0], 2);
}
END_TEST

/* The beginning and the end of a migration's log swap what is walked by, without a stop, and are
 * acknowledged when nobody goes by the other any more. */
START_TEST(logging)
{
	struct message message = rig_message(MESSAGE_SET_LOG_BASE, 16);
	int log = rig_memfd(0x40000);

	rig_number(MESSAGE_SET_PROTOCOL_FEATURES, PROTOCOL_OFFERED);
	rig_start(USUAL, 2);
	message.log.size = 0x40000;
	message.log.offset = 0;
	ck_assert_int_eq(rig_send(&message, &log, 1), SESSION_READS);
	ck_assert_uint_eq(session.reply.request, MESSAGE_SET_LOG_BASE);
	ck_assert_ptr_null(view_of(0)->log.bits);

	message = number_message(MESSAGE_SET_FEATURES, USUAL | BIT(VHOST_F_LOG_ALL));
	message.flags |= MESSAGE_NEED_REPLY;
	expect_wait(&message, NULL, 0, 0);
	ck_assert_uint_eq(session.reply.request, MESSAGE_SET_FEATURES);
	ck_assert_ptr_nonnull(view_of(0)->log.bits);
	ck_assert_ptr_nonnull(view_of(1)->log.bits);
	ck_assert_uint_eq(view_of(0)->log.size, 0x40000);

	message = addresses_message(1, MESSAGE_RING_LOGGED);
	message.addresses.log = 0x123000;
	message.flags |= MESSAGE_NEED_REPLY;
	expect_wait(&message, NULL, 0, 0);
	ck_assert_uint_eq(view_of(1)->log_ring, 0x123000);

	/* The same log again, and another one. */
	message = rig_message(MESSAGE_SET_LOG_BASE, 16);
	message.log.size = 0x40000;
	message.log.offset = 0;
	grace_at_once = false;
	ck_assert_int_eq(rig_send(&message, &log, 1), SESSION_READS);
	ck_assert_uint_eq(session.reply.request, MESSAGE_SET_LOG_BASE);
	message.log.offset = 0x1001;
	message.log.size = 0x20000;
	expect_wait(&message, &log, 1, 0);
	ck_assert_uint_eq(session.reply.request, MESSAGE_SET_LOG_BASE);
	ck_assert_uint_eq(view_of(0)->log.size, 0x20000);

	message = number_message(MESSAGE_SET_FEATURES, USUAL);
	expect_wait(&message, NULL, 0, 0);
	ck_assert_ptr_null(view_of(0)->log.bits);
	close(log);
}
END_TEST

START_TEST(logs_that_are_none)
{
	struct message message = rig_message(MESSAGE_SET_LOG_BASE, 16);
	static const uint64_t wrong[][2] = {
	        {0, 0},           {MEMORY_BYTES + 1, 0}, {UINT64_MAX, 0},
	        {1, UINT64_MAX},  {8, UINT64_MAX - 3},   {MEMORY_BYTES, 1},
	        {1, MEMORY_BYTES}};
	int fd = eventfd(0, EFD_CLOEXEC);

	for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		message.log.size = wrong[i][0];
		message.log.offset = wrong[i][1];
		rig_breaks(&message, &memory_fd, 1);
	}
	message.log.size = 1;
	message.log.offset = 0;
	rig_breaks(&message, &fd, 1);
	close(fd);
	/* Without shared logs it is acknowledged if that is asked for. */
	rig_silent(&message, &memory_fd, 1);
}
END_TEST

/* Readers know a ring by its size, from when it is told until the front end leaves. */
START_TEST(sizes_are_told)
{
	ck_assert_uint_eq(summary.sizes[3], 0);
	rig_ring(MESSAGE_SET_VRING_NUM, 3, 32768);
	ck_assert_uint_eq(summary.sizes[3], 32768);
	rig_ring(MESSAGE_SET_VRING_NUM, 3, 1);
	ck_assert_uint_eq(summary.sizes[3], 1);
	rig_disconnect();
	ck_assert_uint_eq(summary.sizes[3], 0);
	rig_connect();
}
END_TEST

/* --- faults --------------------------------------------------------------------------------- */

START_TEST(a_guest_breaks_a_rule)
{
	struct message message = number_message(MESSAGE_SET_VRING_KICK, 0 | MESSAGE_NO_FD);
	uint64_t refused = summary.refused[0]; /* by all sessions so far */
	int err_fd;

	rig_start(USUAL | BIT(VIRTIO_F_RING_PACKED), 2);
	err_fd = rig_fd_message(MESSAGE_SET_VRING_ERR, 0);
	grace_at_once = false;
	virtqueues[0].at.index = 11;
	atomic_store(&virtqueues[0].fault, FAULT_ADDRESS);
	worker_look();
	ck_assert_int_eq(vhost_session_look(&session), SESSION_READS);
	ck_assert_uint_eq(faults, 1);
	ck_assert_uint_eq(fault_ring, 0);
	ck_assert_int_eq(fault_seen, FAULT_ADDRESS);
	ck_assert_uint_eq(eventfd_value(err_fd), 1);
	ck_assert_uint_eq(summary.refused[0], refused + 1);
	ck_assert_ptr_null(view_of(0));
	ck_assert_ptr_nonnull(view_of(1));
	ck_assert_uint_eq(summary.running, 3); /* it is there, and broken */
	ck_assert_int_eq(vhost_session_look(&session), SESSION_READS);
	ck_assert_uint_eq(faults, 1);
	ck_assert_uint_eq(eventfd_value(err_fd), 0);

	/* It is the front end's to have it go on, which it asks for in vain but by a kick. */
	rig_ring(MESSAGE_SET_VRING_ENABLE, 0, 1);
	rig_ring(MESSAGE_SET_VRING_NUM, 0, 256);
	ck_assert_ptr_null(view_of(0));
	expect_wait(&message, NULL, 0, 0);
	ck_assert_ptr_nonnull(view_of(0));
	ck_assert_uint_eq(summary.running, 3);
	ck_assert_uint_eq(virtqueues[0].at.index, 11);
	ck_assert_uint_eq(virtqueues[0].fault, FAULT_NONE);

	/* Or it stops it, as ever. */
	atomic_store(&virtqueues[0].fault, FAULT_HEAD);
	virtqueues[0].at.index = 12;
	ck_assert_int_eq(vhost_session_look(&session), SESSION_READS);
	message = ring_message(MESSAGE_GET_VRING_BASE, 0, 0);
	expect_wait(&message, NULL, 0, 3);
	ck_assert_uint_eq(session.reply.ring.number, 0x800c800c);
	ck_assert_uint_eq(faults, 2);
	ck_assert_uint_eq(summary.refused[0], refused + 2);
	ck_assert_uint_eq(summary.running, 2);
	close(err_fd);
}
END_TEST

START_TEST(memory_that_is_lost)
{
	rig_start(USUAL, 1);
	session.memory_lost = true;
	ck_assert_int_eq(vhost_session_look(&session), SESSION_BREAKS);
}
END_TEST

/* Swaps one after another, while no worker moves: in the end the session waits, and has not taken
 * more than it can hold. */
START_TEST(swaps_without_end)
{
	struct message message = number_message(MESSAGE_SET_VRING_CALL, 0);
	int fd = eventfd(0, EFD_CLOEXEC);
	unsigned n = 0;

	rig_start(USUAL, 2);
	grace_at_once = false;
	while (rig_send(&message, &fd, 1) == SESSION_READS)
		ck_assert_uint_lt(++n, SESSION_RETIRED_MAX);
	ck_assert_uint_gt(n, 10);
	ck_assert_int_eq(vhost_session_continue(&session), SESSION_WAITS);
	grace_pass();
	ck_assert_int_eq(vhost_session_continue(&session), SESSION_READS);
	ck_assert_uint_le(session.n_retired, 2);
	while (rig_send(&message, &fd, 1) == SESSION_READS)
		;
	close(fd); /* and ends in that state */
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("session_rings");

	tcase_add_checked_fixture(tcase, rig_set_up, rig_tear_down);
	tcase_add_test(tcase, start_and_stop);
	tcase_add_test(tcase, bases_of_rings_that_nobody_has);
	tcase_add_test(tcase, a_split_ring_goes_on_where_it_stands);
	tcase_add_test(tcase, a_packed_ring_goes_on_where_it_was_told);
	tcase_add_test(tcase, a_packed_base_beyond_the_ring);
	tcase_add_test(tcase, starting_too_early);
	tcase_add_test(tcase, numbers_of_rings);
	tcase_add_test(tcase, sizes);
	tcase_add_test(tcase, a_call_descriptor_is_swapped);
	tcase_add_test(tcase, descriptors_of_other_kinds);
	tcase_add_test(tcase, a_full_call_descriptor);
	tcase_add_test(tcase, stops_share_a_grace_period);
	tcase_add_test(tcase, paused_rings_go_on_when_nothing_comes);
	tcase_add_test(tcase, moved_rings);
	tcase_add_test(tcase, a_kick_again);
	tcase_add_test(tcase, logging);
	tcase_add_test(tcase, logs_that_are_none);
	tcase_add_test(tcase, sizes_are_told);
	tcase_add_test(tcase, a_guest_breaks_a_rule);
	tcase_add_test(tcase, memory_that_is_lost);
	tcase_add_test(tcase, swaps_without_end);
	return suite_main("session_rings", tcase);
}
