/* A guest end's rings, as DPDK's vhost library has them: their sizes, bursts from and to them, what
 * they offer, and memory that moves while somebody looks. */
#include <check.h>

#include "datapath/lane.h"
#include "suite.h"
#include "vhost_rig.h"

/* --- tests --------------------------------------------------------------------------------------
 */

static void message_ends(int vid, uint32_t request)
{
	uint32_t message[6] = {request};

	ck_assert_int_eq(devices[vid].message_ops->post_msg_handle(vid, message),
	                 RTE_VHOST_MSG_RESULT_NOT_HANDLED);
}

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

int main(void)
{
	TCase *tcase = tcase_create("all");

	tcase_add_checked_fixture(tcase, set_up, NULL);
	tcase_add_test(tcase, rings_have_a_size);
	tcase_add_test(tcase, a_burst_is_no_longer_than_the_ring);
	tcase_add_test(tcase, what_a_split_ring_offers);
	tcase_add_test(tcase, what_a_packed_ring_offers);
	tcase_add_test(tcase, memory_that_moves);
	tcase_add_test(tcase, more_buffers_than_the_ring_has);
	return suite_main("guest_dpdk_queues", tcase);
}
