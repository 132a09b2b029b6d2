/* DPDK's vhost library as a guest end: what it is asked for, and what is made of what it tells. */
/* WRAP: rte_vhost_driver_register rte_vhost_driver_unregister rte_vhost_driver_start */
/* WRAP: rte_vhost_driver_callback_register rte_vhost_driver_disable_features */
/* WRAP: rte_vhost_get_ifname rte_vhost_get_negotiated_features rte_vhost_get_numa_node */
/* WRAP: rte_vhost_get_vring_num rte_vhost_enqueue_burst rte_vhost_dequeue_burst */
/* WRAP: rte_vhost_driver_get_protocol_features rte_vhost_driver_set_protocol_features */
/* WRAP: rte_vhost_extern_callback_register rte_vhost_enable_guest_notification */
/* WRAP: workers_synchronize socket_file_clear socket_file_give rte_vhost_avail_entries */
/* WRAP: rte_pktmbuf_free_bulk rte_vhost_driver_set_max_queue_num */
/* WRAP: rte_vhost_get_vhost_vring rte_vhost_get_vring_base */
#include <check.h>

#include "datapath/lane.h"
#include "suite.h"
#include "vhost_rig.h"

/* --- tests --------------------------------------------------------------------------------------
 */

#define BIT(n) (1ULL << (n))

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

/* A ring without any entry, or one that changes its size while it runs, would have the library
 * write where it has no room. */
START_TEST(rings_have_a_size)
{
	static const uint32_t bad[] = {0, 32769, UINT32_MAX};
	int vid = knock(0);

	for (size_t i = 0; i < RTE_DIM(bad); i++)
		ck_assert(!has_entries(vid, 1, bad[i]));
	for (uint32_t size = 1; size <= 32768; size *= 2)
		ck_assert(has_entries(vid, 1, size));
	hang_up(vid);
	vid = knock(0);
	sockets[devices[vid].socket].ops->vring_state_changed(vid, 1, 1);
	devices[vid].n_virtqueues = 2;
	queue(vid, 0, 1);
	ck_assert(driver_is_ready(vid));
	ck_assert_uint_eq(state_of(0).rx_queues, 1);
	ck_assert_uint_eq(state_of(0).tx_queues, 0); /* of no size */
	ck_assert(has_entries(vid, 0, 256));
	ck_assert(!has_entries(vid, 0, 512));
	ck_assert(has_entries(vid, 1, 512));
	ck_assert(has_entries(vid, 1, 32768));
	ck_assert(has_entries(vid, 64, 1)); /* never polled */
	queue(vid, 0, 0);
	ck_assert(has_entries(vid, 0, 512));
	hang_up(vid);
	/* The next one's are its own. */
	vid = knock(0);
	sockets[devices[vid].socket].ops->vring_state_changed(vid, 0, 1);
	ck_assert(driver_is_ready(vid));
	ck_assert_uint_eq(state_of(0).rx_queues, 0);
}
END_TEST

static int ask_for(bool to_guest, uint16_t n)
{
	struct guest *guest = guest_get(0);

	asked = 0;
	return to_guest ? guest->ops->send(guest, 0, NULL, n)
	                : guest->ops->receive(guest, 0, NULL, NULL, n);
}

/* The library notes a buffer for each packet, as many as the ring has entries: it is asked for no
 * more packets than that, whatever the guest's index says. */
START_TEST(a_burst_is_no_longer_than_the_ring)
{
	static const uint16_t sizes[] = {1, 2, 4, 8, 16, 32, 64, 32768};

	for (size_t i = 0; i < RTE_DIM(sizes); i++) {
		int vid = knock(0);
		uint16_t most = RTE_MIN(sizes[i], LANE_BURST);

		queue_of(vid, 0, sizes[i]);
		queue_of(vid, 1, sizes[i]);
		ck_assert(driver_is_ready(vid));
		devices[vid].offered = UINT16_MAX;
		for (int again = 0; again < 3; again++) {
			ck_assert_int_eq(ask_for(true, LANE_BURST), most);
			ck_assert_uint_eq(asked, most);
			ck_assert_int_eq(ask_for(false, LANE_BURST), most);
			ck_assert_uint_eq(asked, most);
			ck_assert_int_eq(ask_for(false, 1), 1);
		}
		/* It stops, and comes back with less. */
		queue(vid, 1, 0);
		ck_assert_int_eq(ask_for(false, LANE_BURST), 0);
		ck_assert_uint_eq(asked, 0);
		queue_of(vid, 1, 2);
		ck_assert_int_eq(ask_for(false, LANE_BURST), 2);
		hang_up(vid);
	}
}
END_TEST

static bool offers(void)
{
	struct guest *guest = guest_get(0);

	return guest->ops->offers(guest, 0);
}

/* Whether what a frame can have has been posted: a buffer, or all of a ring whose buffers merge. */
START_TEST(what_a_split_ring_offers)
{
	static const uint64_t features[] = {0, BIT(VIRTIO_NET_F_MRG_RXBUF)};

	for (size_t i = 0; i < RTE_DIM(features); i++) {
		int vid = knock(0);
		uint16_t enough = i == 0 ? 1 : 16;

		queue_of(vid, 0, 16);
		devices[vid].features = features[i];
		ck_assert(driver_is_ready(vid));
		devices[vid].offered = 0;
		ck_assert(!offers());
		devices[vid].offered = (uint16_t)(enough - 1);
		ck_assert(!offers());
		devices[vid].offered = enough;
		ck_assert(offers());
		guest_refuse(0);
		ck_assert(!offers());
		guest_close(0);
		open_relay(0);
	}
}
END_TEST

/* Available in this turn of the ring, or in that. */
static void offer(int vid, unsigned entry, bool wrap)
{
	devices[vid].ring[entry].flags =
	        (uint16_t)(wrap << VRING_PACKED_DESC_F_AVAIL | !wrap << VRING_PACKED_DESC_F_USED);
}

static int packed_guest(uint64_t features)
{
	int vid = knock(0);

	queue_of(vid, 0, 8);
	devices[vid].features = features | BIT(VIRTIO_F_RING_PACKED);
	ck_assert(driver_is_ready(vid));
	return vid;
}

START_TEST(what_a_packed_ring_offers)
{
	int vid = packed_guest(0);

	devices[vid].ring_next = 0x8000 | 3;
	ck_assert(!offers());
	offer(vid, 3, false); /* of the turn before */
	ck_assert(!offers());
	offer(vid, 3, true);
	ck_assert(offers());
	devices[vid].ring[3].flags |= 1 << VRING_PACKED_DESC_F_USED; /* is used */
	ck_assert(!offers());
	devices[vid].ring_next = 8; /* no such entry */
	ck_assert(!offers());
	hang_up(vid);

	vid = packed_guest(BIT(VIRTIO_NET_F_MRG_RXBUF));
	devices[vid].ring_next = 0x8000;
	offer(vid, 0, true);
	ck_assert(!offers());
	offer(vid, 7, true);
	ck_assert(offers());
	devices[vid].ring_next = 0x8000 | 5;
	offer(vid, 5, true);
	offer(vid, 4, true);
	ck_assert(!offers());
	offer(vid, 4, false);
	ck_assert(offers());
}
END_TEST

static void memory_moves(int vid)
{
	ck_assert(message_begins(vid, 5, 0));
	message_ends(vid, 5);
}

/* Memory that moves is not looked at, nor after a message that failed. */
START_TEST(memory_that_moves)
{
	static const uint32_t requests[] = {5, 9, 37, 38};
	int vid = packed_guest(0);

	devices[vid].ring_next = 0x8000;
	offer(vid, 0, true);
	for (size_t i = 0; i < RTE_DIM(requests); i++) {
		ck_assert(offers());
		ck_assert(message_begins(vid, requests[i], 0));
		ck_assert(!offers());
		message_ends(vid, requests[i]);
	}
	ck_assert(offers());
	ck_assert(message_begins(vid, 13, 0));
	ck_assert(offers());
	while_asked = memory_moves;
	ck_assert(!offers());
	while_asked = NULL;
	ck_assert(offers());
	ck_assert(message_begins(vid, 5, 0)); /* fails */
	ck_assert(!offers());
	ck_assert(message_begins(vid, 5, 0));
	ck_assert(!offers());
	message_ends(vid, 5);
	ck_assert(offers());
	ck_assert(message_begins(vid, 5, 0));
	hang_up(vid);
	vid = packed_guest(0);
	devices[vid].ring_next = 0x8000;
	offer(vid, 0, true);
	ck_assert(offers());
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

START_TEST(more_buffers_than_the_ring_has)
{
	static const uint64_t plain = 0, mergeable = BIT(VIRTIO_NET_F_MRG_RXBUF),
	                      packed = BIT(VIRTIO_NET_F_MRG_RXBUF) | BIT(VIRTIO_F_RING_PACKED);
	int vid = knock(0);

	queue(vid, 0, 1);
	devices[vid].features = mergeable;
	ck_assert(driver_is_ready(vid));
	devices[vid].offered = 256;
	ck_assert_int_gt(send_to(0, 0), 0);
	devices[vid].offered = 257;
	ck_assert_int_eq(send_to(0, 0), END_BROKEN);
	devices[vid].offered = UINT16_MAX;
	ck_assert_int_eq(send_to(0, 0), END_BROKEN);
	devices[vid].offered = 3;
	ck_assert_int_gt(send_to(0, 0), 0);
	/* One buffer a packet, or another kind of ring, where the number says nothing. */
	for (int i = 0; i < 2; i++) {
		device_ends(vid);
		devices[vid].features = i == 0 ? plain : packed;
		ck_assert(driver_is_ready(vid));
		devices[vid].offered = UINT16_MAX;
		ck_assert_int_gt(send_to(0, 0), 0);
	}
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
	tcase_add_test(tcase, rings_have_a_size);
	tcase_add_test(tcase, a_burst_is_no_longer_than_the_ring);
	tcase_add_test(tcase, what_a_split_ring_offers);
	tcase_add_test(tcase, what_a_packed_ring_offers);
	tcase_add_test(tcase, memory_that_moves);
	tcase_add_test(tcase, mtus);
	tcase_add_test(tcase, more_buffers_than_the_ring_has);
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
