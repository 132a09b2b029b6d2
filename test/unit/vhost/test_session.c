/* A session's own messages: what is offered and agreed on, acknowledgements, MTU, RARP, and what is
 * not offered.
 */
#include "session_rig.h"

static void expect_reply(const struct message *message, uint64_t number)
{
	ck_assert_int_eq(rig_send(message, NULL, 0), SESSION_READS);
	ck_assert_uint_eq(session.reply.request, message->request);
	ck_assert_uint_eq(session.reply.flags, 5);
	ck_assert_uint_eq(session.reply.size, 8);
	ck_assert_uint_eq(session.reply.number, number);
}

START_TEST(what_is_asked)
{
	struct message message = rig_message(MESSAGE_GET_FEATURES, 0);

	/* With an acknowledgement asked for, or not: there is one answer. */
	for (unsigned i = 0; i < 2; i++) {
		message.request = MESSAGE_GET_FEATURES;
		expect_reply(&message, OFFERED);
		message.request = MESSAGE_GET_PROTOCOL_FEATURES;
		expect_reply(&message, PROTOCOL_OFFERED);
		message.request = MESSAGE_GET_QUEUE_NUM;
		expect_reply(&message, 32);
		message.request = MESSAGE_GET_MAX_MEM_SLOTS;
		expect_reply(&message, 32);
		message.flags |= MESSAGE_NEED_REPLY;
	}
}
END_TEST

START_TEST(features)
{
	struct message message = number_message(MESSAGE_SET_FEATURES, USUAL);

	rig_silent(&message, NULL, 0);
	ck_assert_uint_eq(summary.features, USUAL);
	for (unsigned bit = 0; bit < 64; bit++) {
		message.number = USUAL | BIT(bit);
		if (OFFERED >> bit & 1) {
			rig_silent(&message, NULL, 0);
			ck_assert_uint_eq(summary.features, message.number);
		} else {
			rig_breaks(&message, NULL, 0);
		}
	}
	message.number = 0;
	rig_silent(&message, NULL, 0);
	message = number_message(MESSAGE_SET_PROTOCOL_FEATURES, PROTOCOL_OFFERED);
	rig_silent(&message, NULL, 0);
	message.number = BIT(PROTOCOL_PAGEFAULT);
	rig_breaks(&message, NULL, 0);
}
END_TEST

START_TEST(features_that_are_borne)
{
	struct message message =
	        number_message(MESSAGE_SET_FEATURES, USUAL | BIT(VIRTIO_NET_F_CTRL_MAC_ADDR));

	rig_breaks(&message, NULL, 0);
	rig_config.features_borne = BIT(VIRTIO_NET_F_CTRL_MAC_ADDR);
	rig_connect();
	rig_silent(&message, NULL, 0);
	message = rig_message(MESSAGE_GET_FEATURES, 0);
	expect_reply(&message, OFFERED);
}
END_TEST

START_TEST(while_rings_run)
{
	struct message message;

	rig_start(USUAL, 1);
	rig_number(MESSAGE_SET_FEATURES, USUAL);
	rig_number(MESSAGE_SET_FEATURES, USUAL | BIT(VHOST_F_LOG_ALL));
	rig_number(MESSAGE_SET_FEATURES, USUAL);
	message = number_message(MESSAGE_SET_FEATURES, USUAL | BIT(VIRTIO_NET_F_MRG_RXBUF));
	rig_breaks(&message, NULL, 0);
}
END_TEST

/* Asked for, each message that has no answer of its own gets one, whether REPLY_ACK was negotiated
 * or not. */
START_TEST(acknowledgements)
{
	static const uint32_t of_numbers[] = {MESSAGE_SET_FEATURES, MESSAGE_SET_PROTOCOL_FEATURES,
	                                      MESSAGE_SEND_RARP};
	struct message message;

	for (unsigned i = 0; i < 3; i++) {
		message = number_message(of_numbers[i], 0);
		rig_silent(&message, NULL, 0);
		message.flags |= MESSAGE_NEED_REPLY;
		expect_reply(&message, 0);
	}
	message = ring_message(MESSAGE_SET_VRING_ENABLE, 200, 1);
	message.flags |= MESSAGE_NEED_REPLY;
	expect_reply(&message, 0);
	message = rig_message(MESSAGE_SET_OWNER, 0);
	message.flags |= MESSAGE_NEED_REPLY;
	expect_reply(&message, 0);
	message.request = MESSAGE_RESET_OWNER;
	expect_reply(&message, 0);
}
END_TEST

START_TEST(what_is_not_offered)
{
	static const uint32_t requests[] = {7,  21, 22, 23, 24, 25, 26, 27, 28, 29,  30,
	                                    31, 32, 33, 34, 35, 39, 40, 41, 43, 100, UINT32_MAX};
	int fds[3] = {memory_fd, memory_fd, memory_fd};

	for (unsigned i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
		struct message message = rig_message(requests[i], 56);

		memset(message.bytes, 0xff, 56);
		rig_silent(&message, fds, 3);
		message.flags |= MESSAGE_NEED_REPLY;
		expect_reply(&message, 1);
	}
}
END_TEST

START_TEST(mtu)
{
	struct message message = number_message(MESSAGE_NET_SET_MTU, 1500);

	message.flags |= MESSAGE_NEED_REPLY;
	expect_reply(&message, 0);
	ck_assert_uint_eq(summary.mtu, 1500);
	message.number = 2100;
	expect_reply(&message, 0);
	for (unsigned i = 0; i < 5; i++) {
		static const uint64_t wrong[] = {0, 67, 2101, 65536 + 1500, UINT64_MAX};

		message.number = wrong[i];
		message.flags |= MESSAGE_NEED_REPLY;
		expect_reply(&message, 1);
		message.flags = MESSAGE_VERSION;
		rig_silent(&message, NULL, 0);
	}
	ck_assert_uint_eq(summary.mtu, 2100);
	message.number = 68;
	rig_silent(&message, NULL, 0);
	ck_assert_uint_eq(summary.mtu, 68);
}
END_TEST

/* It waits for somebody to send it, also over the start of the guest's driver. */
START_TEST(rarp)
{
	unsigned before = changes;

	rig_number(MESSAGE_SEND_RARP, 0x10000005452);
	ck_assert_uint_eq(summary.rarp, SESSION_RARP_PENDING | 0x10000005452);
	ck_assert_uint_eq(changes, before + 1);
	rig_start(USUAL, 2);
	ck_assert_uint_eq(atomic_exchange(&summary.rarp, 0), SESSION_RARP_PENDING | 0x10000005452);
	rig_number(MESSAGE_SEND_RARP, UINT64_MAX);
	ck_assert_uint_eq(summary.rarp, SESSION_RARP_PENDING | 0xffffffffffff);
}
END_TEST

/* A flag of the ring's number, which outlives all but the connection. */
START_TEST(enabling)
{
	rig_ring(MESSAGE_SET_VRING_ENABLE, 0, 1);
	rig_ring(MESSAGE_SET_VRING_ENABLE, 63, 1);
	rig_ring(MESSAGE_SET_VRING_ENABLE, 64, 1);
	rig_ring(MESSAGE_SET_VRING_ENABLE, UINT32_MAX, 1);
	ck_assert_uint_eq(summary.enabled, UINT64_MAX); /* nothing says yet that it counts */
	rig_number(MESSAGE_SET_FEATURES, USUAL);
	ck_assert_uint_eq(summary.enabled, BIT(0) | BIT(63));
	rig_memory();
	rig_start_ring(0);
	rig_start_ring(1);
	ck_assert_uint_eq(summary.running, 3);
	ck_assert_uint_eq(summary.enabled, BIT(0) | BIT(63));
	rig_ring(MESSAGE_SET_VRING_ENABLE, 0, 0);
	ck_assert_uint_eq(summary.enabled, BIT(63));
	ck_assert_uint_eq(summary.running, 3);
	struct message message = rig_message(MESSAGE_RESET_OWNER, 0);
	rig_silent(&message, NULL, 0);
	ck_assert_uint_eq(summary.enabled, 0);
	ck_assert_uint_eq(summary.running, 3);
}
END_TEST

START_TEST(without_enabling)
{
	rig_number(MESSAGE_SET_FEATURES, BIT(VIRTIO_F_VERSION_1));
	rig_memory();
	rig_start_ring(0);
	ck_assert_uint_eq(summary.enabled, UINT64_MAX);
}
END_TEST

/* Only what is new is told of. */
START_TEST(changes_are_told)
{
	unsigned before;

	rig_start(USUAL, 2);
	before = changes;
	rig_ring(MESSAGE_SET_VRING_ENABLE, 0, 1);
	rig_number(MESSAGE_SET_FEATURES, USUAL);
	rig_memory();
	ck_assert_uint_eq(changes, before);
	rig_ring(MESSAGE_SET_VRING_ENABLE, 0, 0);
	ck_assert_uint_eq(changes, before + 1);
	rig_number(MESSAGE_NET_SET_MTU, 1000);
	ck_assert_uint_eq(changes, before + 2);
	/* Started anew it is another ring. */
	close(rig_fd_message(MESSAGE_SET_VRING_KICK, 0));
	ck_assert_uint_eq(changes, before + 3);
	ck_assert_uint_eq(summary.starts[0], 2);
}
END_TEST

START_TEST(broken_messages)
{
	struct message message = rig_message(MESSAGE_GET_FEATURES, 0);
	int fds[MESSAGE_FDS_ROOM];

	for (unsigned i = 0; i < MESSAGE_FDS_ROOM; i++)
		fds[i] = memory_fd;
	for (unsigned n = 1; n <= MESSAGE_FDS_ROOM; n++)
		rig_breaks(&message, fds, n);
	message.request = 7;
	rig_breaks(&message, fds, MESSAGE_FDS_ROOM);
	message = rig_message(MESSAGE_SET_FEATURES, 4);
	rig_breaks(&message, NULL, 0);
	message = number_message(MESSAGE_SET_FEATURES, 0);
	message.flags = 2;
	rig_breaks(&message, NULL, 0);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("session");

	tcase_add_checked_fixture(tcase, rig_set_up, rig_tear_down);
	tcase_add_test(tcase, what_is_asked);
	tcase_add_test(tcase, features);
	tcase_add_test(tcase, features_that_are_borne);
	tcase_add_test(tcase, while_rings_run);
	tcase_add_test(tcase, acknowledgements);
	tcase_add_test(tcase, what_is_not_offered);
	tcase_add_test(tcase, mtu);
	tcase_add_test(tcase, rarp);
	tcase_add_test(tcase, enabling);
	tcase_add_test(tcase, without_enabling);
	tcase_add_test(tcase, changes_are_told);
	tcase_add_test(tcase, broken_messages);
	return suite_main("session", tcase);
}
