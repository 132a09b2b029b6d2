/* The burst functions that read a guest: order, bounds, where every packet and byte ends up, and
 * whose addresses are heard.
 */
/* TSAN: also run under the thread sanitizer */
#include <check.h>

#include "base/vlan_set.h"
#include "burst_rig.h"
#include "suite.h"

static void set_up_to_vf(void)
{
	reset(LANE_VM_TO_VF);
	work.run = burst_vm_to_vf;
}

/* --- from the guest to the VF ---------------------------------------------------------------- */

START_TEST(to_vf_moves_all_in_order)
{
	guest_tx->waiting = 2 * LANE_BURST + 5;
	guest_tx->length = length_mixed;
	vf_tx->room = PLENTY;
	ck_assert_uint_eq(pass(), LANE_BURST);
	ck_assert_uint_eq(pass(), LANE_BURST);
	ck_assert_uint_eq(pass(), 5);
	ck_assert_uint_eq(pass(), 0);
	ck_assert_uint_eq(vf_tx->pkts, 2 * LANE_BURST + 5);
	ck_assert_uint_eq(vf_tx->bytes, guest_tx->bytes);
	ck_assert_uint_eq(lane.counters.tx_bytes, guest_tx->bytes);
}
END_TEST

/* The guest is to feel the VF's pace: its ring is its queue, not our backlog. */
START_TEST(to_vf_leaves_the_guest_alone_while_it_holds)
{
	guest_tx->waiting = 3 * LANE_BURST;
	vf_tx->room = 12;
	pass();
	ck_assert_uint_eq(lane.backlog.count, LANE_BURST - 12);
	for (int i = 0; i < 100; i++)
		pass();
	ck_assert_uint_eq(guest_tx->waiting, 2 * LANE_BURST);
	vf_tx->room = 5;
	pass();
	ck_assert_uint_eq(vf_tx->pkts, 17);
	ck_assert_uint_eq(guest_tx->waiting, 2 * LANE_BURST);
	vf_tx->room = PLENTY;
	pass();
	ck_assert_uint_eq(vf_tx->pkts, 2 * LANE_BURST);
	pass();
	ck_assert_uint_eq(vf_tx->pkts, 3 * LANE_BURST);
	ck_assert_uint_eq(lane.counters.dropped_full_pkts, 0);
}
END_TEST

START_TEST(to_vf_stall_ends_in_drops)
{
	guest_tx->waiting = PLENTY;
	pass();
	pass();
	ck_assert_uint_eq(lane.backlog.count, LANE_BURST);
	ck_assert_uint_ne(lane.stalled_since, 0);

	/* Too long: the guest is read on, and what it sends is lost, at each pass. */
	work.stall_cycles = ALWAYS;
	for (unsigned i = 1; i <= 5; i++) {
		ck_assert_uint_eq(pass(), 2 * LANE_BURST);
		ck_assert_uint_eq(lane.counters.dropped_full_pkts, i * LANE_BURST);
		ck_assert_uint_eq(lane.counters.dropped_full_bytes, i * LANE_BURST * 100);
		ck_assert_uint_eq(lane.counters.rx_pkts, (i + 1) * LANE_BURST);
	}

	/* One packet taken, and the VF has all its time again. */
	uint64_t since = lane.stalled_since;
	work.stall_cycles = NEVER;
	vf_tx->room = 1;
	pass();
	ck_assert_uint_eq(lane.counters.tx_pkts, 1);
	ck_assert_uint_gt(lane.stalled_since, since);
	for (int i = 0; i < 10; i++)
		pass();
	ck_assert_uint_eq(lane.counters.dropped_full_pkts, 5 * LANE_BURST);
	vf_tx->room = PLENTY;
	pass();
	ck_assert_uint_eq(lane.backlog.count, 0);
	ck_assert_uint_eq(lane.stalled_since, 0);
	guest_tx->waiting = 3;
	pass();
	ck_assert_uint_eq(lane.backlog.count, 0);
	fake_expect_balance(&lane);
}
END_TEST

/* The time runs from the first refusal, not from each. */
START_TEST(to_vf_stall_time_is_kept)
{
	guest_tx->waiting = LANE_BURST;
	pass();
	pass();
	uint64_t since = lane.stalled_since;
	for (int i = 0; i < 5; i++)
		pass();
	ck_assert_uint_eq(lane.stalled_since, since);
	work.stall_cycles = rte_rdtsc() - since + 100000;
	while (lane.backlog.count > 0)
		pass();
	ck_assert_uint_ge(rte_rdtsc() - since, work.stall_cycles);
	ck_assert_uint_eq(lane.counters.dropped_full_pkts, LANE_BURST);
}
END_TEST

START_TEST(to_vf_slow_is_not_stalled)
{
	work.stall_cycles = 1;
	guest_tx->waiting = 4 * LANE_BURST;
	while (guest_tx->waiting > 0 || lane.backlog.count > 0) {
		vf_tx->room = 1;
		pass();
	}
	ck_assert_uint_eq(vf_tx->pkts, 4 * LANE_BURST);
	ck_assert_uint_eq(lane.counters.dropped_full_pkts, 0);
}
END_TEST

START_TEST(to_vf_guest_gone)
{
	guest_tx->waiting = LANE_BURST;
	vf_tx->room = 2;
	pass();
	guest.absent = true;
	vf_tx->room = 4;
	ck_assert_uint_eq(pass(), 4); /* what it sent before still goes */
	vf_tx->room = PLENTY;
	ck_assert_uint_eq(pass(), LANE_BURST - 6);
	ck_assert_uint_eq(pass(), 0);
	ck_assert_uint_eq(vf_tx->pkts, LANE_BURST);
}
END_TEST

static uint32_t length_edges(uint32_t seq)
{
	static const uint32_t lengths[] = {0,    1, 13, 14, 59, 60, 61, MAX_FRAME, MAX_FRAME + 1,
	                                   65535};

	return lengths[seq % RTE_DIM(lengths)];
}

START_TEST(to_vf_bad_lengths)
{
	guest_tx->waiting = 10;
	guest_tx->length = length_edges;
	vf_tx->room = PLENTY;
	ck_assert_uint_eq(pass(), 10);
	ck_assert_uint_eq(lane.counters.rx_pkts, 10);
	ck_assert_uint_eq(lane.counters.dropped_invalid_pkts, 5);
	ck_assert_uint_eq(lane.counters.dropped_invalid_bytes, 0 + 1 + 13 + MAX_FRAME + 1 + 65535);
	ck_assert_uint_eq(lane.counters.tx_pkts, 5);
	ck_assert_uint_eq(lane.counters.tx_bytes, vf_tx->bytes);
	ck_assert_uint_eq(vf_tx->bytes, 60 + 60 + 60 + 61 + MAX_FRAME);
	ck_assert_int_eq(fake_packets_live, 0);
}
END_TEST

static struct rte_mbuf *odd_packet;

static int odd_receive(struct guest *from, uint16_t queue, struct rte_mempool *pool,
                       struct rte_mbuf **pkts, uint16_t n)
{
	(void)from, (void)queue, (void)pool, (void)n;
	if (odd_packet == NULL)
		return 0;
	pkts[0] = odd_packet;
	odd_packet = NULL;
	return 1;
}

START_TEST(to_vf_pads_with_zeros)
{
	work.from_guest = odd_receive;
	odd_packet = fake_packet_new(0, 0, 20);
	const struct fake_packet *packet = fake_packet_of(odd_packet);
	pass(); /* no room: it waits, as it will be sent */
	ck_assert_uint_eq(lane.backlog.count, 1);
	ck_assert_uint_eq(packet->mbuf.pkt_len, 60);
	ck_assert_uint_eq(packet->mbuf.data_len, 60);
	for (int i = 0; i < 20; i++)
		ck_assert_int_eq(packet->data[RTE_PKTMBUF_HEADROOM + i], 0x5a);
	for (int i = 20; i < 60; i++)
		ck_assert_int_eq(packet->data[RTE_PKTMBUF_HEADROOM + i], 0);
	ck_assert_int_eq(packet->data[RTE_PKTMBUF_HEADROOM + 60], 0x5a);
	vf_tx->room = PLENTY;
	pass();
	ck_assert_uint_eq(vf_tx->pkts, 1);
	ck_assert_uint_eq(lane.counters.rx_bytes, 60);
}
END_TEST

START_TEST(to_vf_drops_what_cannot_be_padded)
{
	work.from_guest = odd_receive;
	odd_packet = fake_packet_new(0, 0, 20);
	odd_packet->data_off = FAKE_DATA_ROOM - 30; /* room for 10 more bytes only */
	vf_tx->room = PLENTY;
	pass();
	ck_assert_uint_eq(lane.counters.dropped_invalid_pkts, 1);
	ck_assert_uint_eq(lane.counters.dropped_invalid_bytes, 20);
	ck_assert_uint_eq(vf_tx->pkts, 0);
}
END_TEST

/* A guest that pauses sends nothing meanwhile; what it sent before goes on to the VF. */
START_TEST(to_vf_guest_pauses)
{
	guest_tx->waiting = 2 * LANE_BURST;
	vf_tx->room = 10;
	pass();
	guest.paused = true;
	vf_tx->room = PLENTY;
	ck_assert_uint_eq(pass(), LANE_BURST - 10);
	ck_assert_uint_eq(pass(), 0);
	ck_assert_uint_eq(vf_tx->pkts, LANE_BURST);
	guest.paused = false;
	ck_assert_uint_eq(pass(), LANE_BURST);
	work.run = burst_vm_to_nobody;
	guest.paused = true;
	guest_tx->waiting = 1;
	ck_assert_uint_eq(pass(), 0);
	ck_assert_uint_eq(lane.counters.dropped_absent_pkts, 0);
}
END_TEST

static unsigned asked;

static int counting_receive(struct guest *from, uint16_t queue, struct rte_mempool *pool,
                            struct rte_mbuf **pkts, uint16_t n)
{
	asked++;
	return fake_guest_receive(from, queue, pool, pkts, n);
}

/* Where the guest's word says that there is nothing, the guest is not asked; but a lane that holds
 * packets goes on with them. */
START_TEST(to_vf_looks_before_it_asks)
{
	static unsigned (*const runs[])(const struct lane_work *) = {
	        burst_vm_to_vf, burst_vm_to_vf_vlans, burst_vm_to_nobody};
	struct vlan_set vlans = {0};
	uint16_t word = 7;
	struct idle_look look = {.base = &word};

	work.look = &look;
	work.vlans = &vlans;
	work.from_guest = counting_receive;
	vf_tx->room = PLENTY;
	for (unsigned i = 0; i < RTE_DIM(runs); i++) {
		work.run = runs[i];
		asked = 0;
		idle_look_begin(&look);
		ck_assert_uint_eq(pass(), 0);
		ck_assert_uint_eq(asked, 1);
		idle_look_set(&look, 0, UINT16_MAX, word);
		guest_tx->waiting = 1;
		ck_assert_uint_eq(pass(), 0);
		ck_assert_uint_eq(asked, 1);
		word++;
		ck_assert_uint_eq(pass(), 1);
		ck_assert_uint_eq(asked, 2);
	}
	work.run = burst_vm_to_vf;
	vf_tx->room = 0;
	guest_tx->waiting = 1;
	ck_assert_uint_eq(pass(), 1);
	ck_assert_uint_eq(lane_held(&lane), 1);
	idle_look_set(&look, 0, UINT16_MAX, word);
	vf_tx->room = 1;
	ck_assert_uint_eq(pass(), 1);
	ck_assert_uint_eq(lane_held(&lane), 0);
}
END_TEST

START_TEST(from_vm_to_nobody)
{
	work.run = burst_vm_to_nobody;
	guest_tx->waiting = LANE_BURST + 3;
	guest_tx->length = length_edges; /* nobody minds */
	ck_assert_uint_eq(pass(), LANE_BURST);
	ck_assert_uint_eq(pass(), 3);
	guest.absent = true;
	ck_assert_uint_eq(pass(), 0);
	ck_assert_uint_eq(lane.counters.rx_pkts, LANE_BURST + 3);
	ck_assert_uint_eq(lane.counters.dropped_absent_pkts, LANE_BURST + 3);
	ck_assert_uint_eq(lane.counters.dropped_absent_bytes, guest_tx->bytes);
}
END_TEST

static uint32_t length_hostile(uint32_t seq)
{
	static const uint32_t lengths[] = {60, 1514, 13, MAX_FRAME, 9000, 20, 0, 64};

	return lengths[seq * 7 % RTE_DIM(lengths)];
}

START_TEST(to_vf_always_balances)
{
	uint64_t random = 1000 + (uint64_t)_i;

	guest_tx->length = _i % 2 ? length_mixed : length_hostile;
	for (int i = 0; i < 5000; i++) {
		uint32_t held = lane.backlog.count, taken = guest_tx->next_seq;

		guest_tx->waiting += fake_random(&random) % 48;
		uint32_t room = fake_random(&random) % 3 == 0 ? 0 : fake_random(&random) % 40;
		vf_tx->room = room;
		guest.absent = fake_random(&random) % 50 == 0;
		work.stall_cycles = fake_random(&random) % 20 == 0 ? ALWAYS : NEVER;
		pass();

		fake_expect(lane.backlog.count <= LANE_BACKLOG_VM_TO_VF);
		fake_expect(lane.counters.rx_pkts == guest_tx->next_seq);
		fake_expect(lane.counters.rx_bytes >= guest_tx->bytes); /* the padding */
		fake_expect(lane.counters.tx_pkts == vf_tx->pkts);
		fake_expect(lane.counters.tx_bytes == vf_tx->bytes);
		if (room < held && work.stall_cycles == NEVER)
			fake_expect(guest_tx->next_seq == taken);
	}
	ck_assert_uint_gt(lane.counters.dropped_full_pkts, 0);
	ck_assert_uint_eq(lane.counters.dropped_absent_pkts, 0);
}
END_TEST

/* --- whom the lane hears --------------------------------------------------------------------- */

/* A frame with a source address is what the guest sends; sent to the VF at once. */
static void guest_says(const char *source)
{
	struct rte_mbuf *pkt = fake_packet_new(0, guest_tx->next_seq++, 60);

	memcpy(rte_pktmbuf_mtod_offset(pkt, char *, RTE_ETHER_ADDR_LEN), source,
	       RTE_ETHER_ADDR_LEN);
	guest_tx->given = pkt;
	guest_tx->bytes += 60;
	guest_tx->waiting++;
	vf_tx->room = PLENTY;
	pass();
	ck_assert_ptr_null(guest_tx->given);
}

START_TEST(hears_a_source_when_asked)
{
	guest_says("\x02\x00\x00\x12\x34\xfe");
	ck_assert_uint_eq(lane.heard, LANE_HEARD | 0x0200001234fe);
	guest_says("\x02\x00\x00\x00\x00\x01"); /* nobody has asked */
	ck_assert_uint_eq(lane.heard, LANE_HEARD | 0x0200001234fe);
	lane.heard = 0;
	guest_says("\xfe\xff\xff\xff\xff\xff");
	ck_assert_uint_eq(lane.heard, LANE_HEARD | 0xfeffffffffff);
}
END_TEST

START_TEST(hears_nothing_of_sources_that_cannot_be)
{
	guest_says("\0\0\0\0\0\0");
	guest_says("\xff\xff\xff\xff\xff\xff");
	guest_says("\x01\x00\x5e\x00\x00\x01");
	guest_says("\x33\x33\x00\x00\x00\x01");
	ck_assert_uint_eq(lane.heard, 0);
	guest_says("\x00\x00\x00\x00\x00\x01");
	ck_assert_uint_eq(lane.heard, LANE_HEARD | 1);
}
END_TEST

START_TEST(hears_without_a_vf)
{
	work.run = burst_vm_to_nobody;
	guest_says("\x02\x00\x00\x12\x34\xfe");
	ck_assert_uint_eq(lane.heard, LANE_HEARD | 0x0200001234fe);
}
END_TEST

static uint32_t length_13(uint32_t seq)
{
	(void)seq;
	return 13;
}

START_TEST(hears_nothing_of_stumps)
{
	work.run = burst_vm_to_nobody;
	guest_tx->waiting = 3;
	guest_tx->length = length_13;
	pass();
	ck_assert_uint_eq(lane.heard, 0);
	ck_assert_uint_eq(lane.counters.rx_pkts, 3);
}
END_TEST

/* --- which VLANs it hears -------------------------------------------------------------------- */

static struct vlan_set heard;

static struct rte_mbuf *tagged(uint16_t type, uint16_t tag, uint32_t length)
{
	struct rte_mbuf *pkt = fake_packet_new(0, guest_tx->next_seq++, length);
	const uint8_t bytes[] = {(uint8_t)(type >> 8), (uint8_t)type, (uint8_t)(tag >> 8),
	                         (uint8_t)tag};

	memcpy(rte_pktmbuf_mtod_offset(pkt, char *, 2 * RTE_ETHER_ADDR_LEN), bytes, sizeof(bytes));
	return pkt;
}

/* What the guest sends at once, in the order given. */
static struct rte_mbuf *burst[LANE_BURST];
static uint16_t burst_length;

static int burst_receive(struct guest *from, uint16_t queue, struct rte_mempool *pool,
                         struct rte_mbuf **pkts, uint16_t n)
{
	uint16_t length = burst_length;

	(void)from, (void)queue, (void)pool, (void)n;
	memcpy(pkts, burst, length * sizeof(burst[0]));
	burst_length = 0;
	return length;
}

static void set_up_vlans(void)
{
	set_up_to_vf();
	memset(&heard, 0, sizeof(heard));
	work.run = burst_vm_to_vf_vlans;
	work.vlans = &heard;
	work.from_guest = burst_receive;
	vf_tx->room = PLENTY;
	burst_length = 0;
}

static void expect_heard(const char *text)
{
	char found[VLAN_SET_TEXT_MAX];

	pass();
	ck_assert_str_eq(vlan_set_format(&heard, found, sizeof(found)), text);
}

START_TEST(hears_the_tag_of_every_frame)
{
	for (uint16_t i = 0; i < LANE_BURST; i++)
		burst[i] = tagged(i == 17 ? 0x8100 : 0x0800, 0x6005, 60);
	burst_length = LANE_BURST;
	expect_heard("5");
	ck_assert_uint_eq(vf_tx->pkts, LANE_BURST);
	burst[0] = tagged(0x8100, 5, 60);
	burst[1] = tagged(0x8100, 1, 1500);
	burst[2] = tagged(0x8100, 0xfffe, 60);
	burst_length = 3;
	expect_heard("1,5,4094");
}
END_TEST

START_TEST(hears_nothing_that_is_no_vlan)
{
	burst[0] = tagged(0x8100, 0xe000, 60); /* a priority */
	burst[1] = tagged(0x8100, 4095, 60);   /* reserved */
	burst[2] = tagged(0x88a8, 5, 60);      /* another kind of tag */
	burst[3] = tagged(0x0800, 5, 60);      /* none */
	burst[4] = tagged(0x8100, 5, 13);      /* too short for one, and dropped */
	burst[5] = tagged(0x8100, 5, 60);      /* its first segment is */
	burst[5]->data_len = 16;
	burst_length = 6;
	expect_heard("");
	ck_assert_uint_eq(lane.counters.dropped_invalid_pkts, 1);
	ck_assert_uint_eq(vf_tx->pkts, 5);
}
END_TEST

START_TEST(hears_no_vlans_unless_asked)
{
	work.run = burst_vm_to_vf;
	burst[0] = tagged(0x8100, 5, 60);
	burst_length = 1;
	expect_heard("");
	work.vlans = NULL;
	work.run = burst_vm_to_lacp;
	burst[0] = tagged(0x8100, 5, 60);
	burst_length = 1;
	expect_heard("");
	work.vlans = &heard;
	burst[0] = tagged(0x8100, 5, 60);
	burst_length = 1;
	expect_heard("5");
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("all");

	tcase_add_checked_fixture(tcase, set_up_to_vf, tear_down);
	tcase_add_test(tcase, to_vf_moves_all_in_order);
	tcase_add_test(tcase, to_vf_leaves_the_guest_alone_while_it_holds);
	tcase_add_test(tcase, to_vf_stall_ends_in_drops);
	tcase_add_test(tcase, to_vf_stall_time_is_kept);
	tcase_add_test(tcase, to_vf_slow_is_not_stalled);
	tcase_add_test(tcase, to_vf_guest_gone);
	tcase_add_test(tcase, to_vf_bad_lengths);
	tcase_add_test(tcase, to_vf_pads_with_zeros);
	tcase_add_test(tcase, to_vf_drops_what_cannot_be_padded);
	tcase_add_test(tcase, to_vf_guest_pauses);
	tcase_add_test(tcase, to_vf_looks_before_it_asks);
	tcase_add_test(tcase, from_vm_to_nobody);
	tcase_add_test(tcase, hears_a_source_when_asked);
	tcase_add_test(tcase, hears_nothing_of_sources_that_cannot_be);
	tcase_add_test(tcase, hears_without_a_vf);
	tcase_add_test(tcase, hears_nothing_of_stumps);
	tcase_add_loop_test(tcase, to_vf_always_balances, 0, 20);
	TCase *vlans = tcase_create("vlans");

	tcase_add_checked_fixture(vlans, set_up_vlans, tear_down);
	tcase_add_test(vlans, hears_the_tag_of_every_frame);
	tcase_add_test(vlans, hears_nothing_that_is_no_vlan);
	tcase_add_test(vlans, hears_no_vlans_unless_asked);
	Suite *suite = suite_create("burst_to_vf");
	suite_add_tcase(suite, tcase);
	suite_add_tcase(suite, vlans);
	return suite_run(suite, CK_FORK_GETENV);
}
