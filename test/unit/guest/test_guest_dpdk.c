/* DPDK's vhost library as a guest end: what it is asked for, and what is made of what it tells. */
#include <check.h>

#include "datapath/lane.h"
#include "suite.h"
#include "vhost_rig.h"

/* --- tests --------------------------------------------------------------------------------------
 */

static int guest_of(unsigned relay_id)
{
	int vid = knock(relay_id);

	ck_assert_int_ge(vid, 0);
	queue(vid, 0, 1);
	queue(vid, 1, 1);
	ck_assert(driver_is_ready(vid));
	return vid;
}

static int receive_from(unsigned relay_id, uint16_t pair)
{
	struct guest *guest = guest_get(relay_id);

	return guest->ops->receive(guest, pair, NULL, NULL, 4);
}

START_TEST(offers_what_the_configuration_says)
{
	struct guest_params params = params_of(9);
	struct error err;
	uint64_t plain = sockets[0].offered;

	ck_assert(plain & BIT(VIRTIO_NET_F_MQ));
	ck_assert(plain & BIT(VHOST_USER_F_PROTOCOL_FEATURES));
	ck_assert_uint_eq(plain & (BIT(VIRTIO_NET_F_CSUM) | BIT(VIRTIO_NET_F_GUEST_CSUM) |
	                           BIT(VIRTIO_NET_F_HOST_TSO4) | BIT(VIRTIO_NET_F_GUEST_TSO4) |
	                           BIT(VIRTIO_NET_F_HOST_UFO) | BIT(VIRTIO_NET_F_MRG_RXBUF)),
	                  0);
	ck_assert_uint_eq(sockets[0].flags & RTE_VHOST_USER_CLIENT, 0);
	ck_assert_uint_ne(sockets[0].flags & RTE_VHOST_USER_NET_COMPLIANT_OL_FLAGS, 0);
	params.mrgbuf = params.client = true;
	ck_assert_int_eq(guest_open(&params, &err), 0);
	ck_assert_uint_eq(sockets[4].offered, plain | BIT(VIRTIO_NET_F_MRG_RXBUF));
	ck_assert_uint_ne(sockets[4].flags & RTE_VHOST_USER_CLIENT, 0);
}
END_TEST

/* Requests under way, kept in memory that outlives us: the library would believe any numbers. */
START_TEST(no_memory_for_requests_under_way)
{
	struct {
		uint32_t request, flags, size;
		uint64_t mmap_size, mmap_offset;
		uint16_t n_queues, queue_size;
	} __attribute__((packed)) message = {.size = 24, .n_queues = UINT16_MAX, .queue_size = 7};
	int vid = knock(0);

	ck_assert_uint_eq(sockets[0].protocol & BIT(VHOST_USER_PROTOCOL_F_INFLIGHT_SHMFD), 0);
	for (uint32_t request = 1; request < 45; request++) {
		bool inflight = request == 31 || request == 32;

		if (request == 8 || request == 20) /* have something else there */
			continue;
		message.request = request;
		message.n_queues = UINT16_MAX;
		ck_assert_int_eq(devices[vid].message_ops->pre_msg_handle(vid, &message),
		                 RTE_VHOST_MSG_RESULT_NOT_HANDLED);
		ck_assert_uint_eq(message.n_queues, inflight ? 0 : UINT16_MAX);
		ck_assert_uint_eq(message.queue_size, 7);
		ck_assert_uint_eq(message.size, 24);
	}
}
END_TEST

/* What is for other devices, or for hardware that is handed through: bits 2 (RARP), 7 (crypto
 * sessions), 10 and 11 (descriptors and host notifiers) are the protocol's. */
START_TEST(protocol_features_of_a_network_device)
{
	ck_assert_uint_eq(sockets[0].protocol & (BIT(5) | BIT(7) | BIT(8) | BIT(9) | BIT(10) |
	                                         BIT(11) | BIT(12) | BIT(13)),
	                  0);
	ck_assert_uint_eq(sockets[0].protocol,
	                  BIT(0) | BIT(1) | BIT(2) | BIT(3) | BIT(4) | BIT(15) | BIT(16));
}
END_TEST

/* A guest is told no MTU that relays cannot have. */
START_TEST(mtus)
{
	int vid = knock(0);
	unsigned events;

	ck_assert(!message_begins(vid, 20, 2101));
	ck_assert(!message_begins(vid, 20, 9000));
	ck_assert(!message_begins(vid, 20, UINT64_MAX));
	events = n_events[0];
	ck_assert(message_begins(vid, 20, 2100));
	ck_assert_uint_gt(n_events[0], events);
	ck_assert_uint_eq(state_of(0).mtu, 0); /* there is no guest yet */
	queue(vid, 0, 1);
	queue(vid, 1, 1);
	ck_assert(driver_is_ready(vid));
	ck_assert_uint_eq(state_of(0).mtu, 2100);
	ck_assert(!message_begins(vid, 20, 2101));
	ck_assert_uint_eq(state_of(0).mtu, 2100);
	ck_assert(message_begins(vid, 20, 1500));
	ck_assert_uint_eq(state_of(0).mtu, 1500);
	hang_up(vid);
	guest_of(0);
	ck_assert_uint_eq(state_of(0).mtu, 0);
}
END_TEST

START_TEST(a_guest_comes_and_goes)
{
	unsigned events = n_events[2];

	ck_assert(!state_of(2).front_end);
	int vid = knock(2);
	ck_assert_uint_gt(n_events[2], events);
	ck_assert(state_of(2).front_end);
	ck_assert(!state_of(2).connected);
	queue(vid, 0, 1);
	queue(vid, 1, 1);
	devices[vid].features = BIT(VIRTIO_NET_F_MRG_RXBUF) | BIT(VIRTIO_NET_F_MQ);
	ck_assert(!state_of(2).connected);
	ck_assert_int_eq(send_to(2, 0), -ENOTCONN);
	events = n_events[2];
	ck_assert(driver_is_ready(vid));
	ck_assert_uint_gt(n_events[2], events);

	struct guest_state state = state_of(2);
	ck_assert(state.connected);
	ck_assert_uint_eq(state.rx_queues, 1);
	ck_assert_uint_eq(state.tx_queues, 1);
	ck_assert_uint_eq(state.features, devices[vid].features);
	ck_assert_int_eq(state.numa_node, 1);
	ck_assert_uint_eq(state.sessions, 1);

	queue(vid, 6, 1);
	queue(vid, 7, 1);
	queue(vid, 1, 0);
	ck_assert_uint_eq(state_of(2).rx_queues, 0x9);
	ck_assert_uint_eq(state_of(2).tx_queues, 0x8);
	ck_assert_int_eq(send_to(2, 3), 4);
	ck_assert_int_eq(bursts[0], 6);
	ck_assert_int_eq(receive_from(2, 3), 4);
	ck_assert_int_eq(bursts[1], 7);

	events = n_events[2];
	hang_up(vid);
	ck_assert_uint_gt(n_events[2], events);
	ck_assert_uint_eq(n_synchronized, 1);
	ck_assert(!state_of(2).connected && !state_of(2).front_end);
	ck_assert_uint_eq(state_of(2).features, 0);
	ck_assert_int_eq(send_to(2, 0), -ENOTCONN);
	ck_assert_int_eq(receive_from(2, 0), -ENOTCONN);

	guest_of(2);
	ck_assert_uint_eq(state_of(2).sessions, 2);
	ck_assert_uint_eq(state_of(2).rx_queues, 1); /* nothing of the one before */
}
END_TEST

/* A reboot: the device goes, the connection stays. */
START_TEST(a_driver_leaves_and_another_comes)
{
	int vid = guest_of(0);

	device_ends(vid);
	ck_assert(!state_of(0).connected);
	queue(vid, 0, 0);
	queue(vid, 1, 0);
	ck_assert_int_lt(knock(0), 0); /* it is still the one front end */
	queue(vid, 0, 1);
	queue(vid, 1, 1);
	ck_assert(driver_is_ready(vid));
	ck_assert(state_of(0).connected);
	ck_assert_uint_eq(state_of(0).sessions, 2);
}
END_TEST

START_TEST(one_front_end_per_socket)
{
	int vid = guest_of(0);

	ck_assert_int_lt(knock(0), 0);
	ck_assert_int_lt(knock(0), 0);
	ck_assert(state_of(0).connected);
	ck_assert_int_eq(send_to(0, 0), 4);
	int other = guest_of(1); /* another socket's */
	ck_assert(state_of(1).connected);
	hang_up(vid);
	ck_assert_int_eq(guest_of(0), vid);
	hang_up(other);
	ck_assert(state_of(0).connected);
}
END_TEST

/* rte_vhost_driver_unregister does not call destroy_connection, and numbers come back. */
START_TEST(a_closed_socket_forgets_its_connection)
{
	int vid = guest_of(0);

	guest_refuse(0);
	guest_close(0);
	ck_assert_uint_eq(n_synchronized, 0); /* its lanes are in no plan */
	ck_assert(!state_of(0).connected);

	ck_assert_int_eq(guest_of(3), vid); /* the same number, another relay */
	ck_assert(state_of(3).connected);
	open_relay(0);
	int again = guest_of(0);
	ck_assert_int_ne(again, vid);
	hang_up(vid);
	ck_assert(!state_of(3).connected);
	ck_assert(state_of(0).connected);
	ck_assert_int_eq(send_to(3, 0), -ENOTCONN);
	ck_assert_int_eq(send_to(0, 0), 4);
}
END_TEST

static void another_guest_comes(void)
{
	ck_assert_int_eq(guest_of(3), 0);
}

/* The number comes back before rte_vhost_driver_unregister does. */
START_TEST(a_socket_that_closes_takes_no_callbacks_of_others)
{
	ck_assert_int_eq(guest_of(0), 0);
	guest_refuse(0);
	while_unregistering = another_guest_comes;
	guest_close(0);
	ck_assert(state_of(3).connected);
	ck_assert_uint_eq(state_of(3).rx_queues, 1);
	ck_assert_int_eq(send_to(3, 0), 4);
	hang_up(0);
	ck_assert(!state_of(3).connected);
	ck_assert_uint_eq(n_synchronized, 1);
}
END_TEST

START_TEST(refused_is_refused)
{
	int vid = guest_of(0), waiting = knock(1);

	guest_refuse(0);
	ck_assert_int_eq(send_to(0, 0), -ENOTCONN);
	ck_assert_int_eq(receive_from(0, 0), -ENOTCONN);
	ck_assert(!state_of(0).connected);
	ck_assert_uint_eq(n_synchronized, 0); /* it does not wait */
	device_ends(vid);
	ck_assert(!driver_is_ready(vid));
	hang_up(vid);
	ck_assert_int_lt(knock(0), 0);

	guest_refuse(1);
	queue(waiting, 0, 1);
	queue(waiting, 1, 1);
	ck_assert(!driver_is_ready(waiting));
	guest_close(1);
	guest_close(1);
	guest_close(0);
	open_relay(0);
	guest_of(0);
}
END_TEST

/* Without MQ the library frees the virtqueues above 1, which it does not report. */
START_TEST(queues_that_vanish)
{
	int vid = guest_of(0);

	for (uint16_t i = 2; i < 8; i++)
		queue(vid, i, 1);
	ck_assert_uint_eq(state_of(0).rx_queues, 0xf);
	device_ends(vid);
	devices[vid].n_virtqueues = 2;
	ck_assert(driver_is_ready(vid));
	ck_assert_uint_eq(state_of(0).rx_queues, 1);
	ck_assert_uint_eq(state_of(0).tx_queues, 1);
}
END_TEST

START_TEST(queues_beyond_ours)
{
	int vid = guest_of(0);

	for (uint16_t i = 0; i < 256; i++)
		queue(vid, i, 1);
	ck_assert_uint_eq(state_of(0).rx_queues, UINT32_MAX);
	ck_assert_uint_eq(state_of(0).tx_queues, UINT32_MAX);
	queue(vid, 64, 0); /* not queue 0 */
	ck_assert_uint_eq(state_of(0).rx_queues, UINT32_MAX);
	device_ends(vid);
	ck_assert(driver_is_ready(vid));
	ck_assert_uint_eq(state_of(0).rx_queues, UINT32_MAX);
}
END_TEST

START_TEST(kicks_are_turned_off_once)
{
	int vid = guest_of(0);

	for (int i = 0; i < 5; i++) {
		send_to(0, 0);
		receive_from(0, 0);
		send_to(0, 3); /* does not run */
	}
	ck_assert_uint_eq(devices[vid].spared[0], 1);
	ck_assert_uint_eq(devices[vid].spared[1], 1);
	ck_assert_uint_eq(devices[vid].spared[6], 0);
	queue(vid, 0, 0);
	queue(vid, 0, 1);
	send_to(0, 0);
	receive_from(0, 0);
	ck_assert_uint_eq(devices[vid].spared[0], 2);
	ck_assert_uint_eq(devices[vid].spared[1], 1);
	device_ends(vid);
	ck_assert(driver_is_ready(vid)); /* a new driver knows nothing of it */
	send_to(0, 0);
	ck_assert_uint_eq(devices[vid].spared[0], 3);
}
END_TEST

/* The library copies what it takes: that is done with, and the rest stays the caller's. */
START_TEST(what_was_taken_is_freed)
{
	guest_of(0);
	ck_assert_int_eq(send_to(0, 0), 4);
	ck_assert_uint_eq(n_freed, 4);
	takes = 3;
	ck_assert_int_eq(send_to(0, 0), 3);
	ck_assert_uint_eq(n_freed, 7);
	takes = 0;
	ck_assert_int_eq(send_to(0, 0), 0);
	guest_refuse(0);
	ck_assert_int_eq(send_to(0, 0), END_GONE);
	ck_assert_uint_eq(n_freed, 7);
}
END_TEST

START_TEST(sockets_that_cannot_be_had)
{
	struct guest_params params = params_of(8);
	struct error err;

	ck_assert_int_lt(guest_open(&(struct guest_params){.relay_id = 0}, &err), 0);
	ck_assert_int_eq(err.code, EBUSY);
	start_fails = true;
	ck_assert_int_lt(guest_open(&params, &err), 0);
	start_fails = false;
	give_fails = true;
	ck_assert_int_lt(guest_open(&params, &err), 0);
	ck_assert_int_eq(err.code, EPERM);
	give_fails = false;
	ck_assert_int_eq(guest_open(&params, &err), 0);
	guest_of(8);

	params.relay_id = 9;
	memset(params.path, 'x', sizeof(params.path)); /* not even an end */
	params.path[sizeof(params.path) - 1] = '\0';
	ck_assert_int_eq(guest_open(&params, &err), 0); /* 107 bytes are just right */
}
END_TEST

START_TEST(strangers_are_ignored)
{
	const struct rte_vhost_device_ops *ops = sockets[0].ops;

	ops->destroy_connection(7);
	ops->destroy_device(7);
	ck_assert_int_eq(ops->vring_state_changed(7, 0, 1), 0);
	ck_assert_int_lt(ops->new_device(7), 0);
	for (unsigned i = 0; i < RELAYS_MAX; i++)
		ck_assert_uint_eq(n_events[i], 0);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("all");

	tcase_add_checked_fixture(tcase, set_up, NULL);
	tcase_add_test(tcase, offers_what_the_configuration_says);
	tcase_add_test(tcase, no_memory_for_requests_under_way);
	tcase_add_test(tcase, protocol_features_of_a_network_device);
	tcase_add_test(tcase, mtus);
	tcase_add_test(tcase, a_guest_comes_and_goes);
	tcase_add_test(tcase, a_driver_leaves_and_another_comes);
	tcase_add_test(tcase, one_front_end_per_socket);
	tcase_add_test(tcase, a_closed_socket_forgets_its_connection);
	tcase_add_test(tcase, a_socket_that_closes_takes_no_callbacks_of_others);
	tcase_add_test(tcase, refused_is_refused);
	tcase_add_test(tcase, queues_that_vanish);
	tcase_add_test(tcase, queues_beyond_ours);
	tcase_add_test(tcase, kicks_are_turned_off_once);
	tcase_add_test(tcase, what_was_taken_is_freed);
	tcase_add_test(tcase, sockets_that_cannot_be_had);
	tcase_add_test(tcase, strangers_are_ignored);
	return suite_main("guest_dpdk", tcase);
}
