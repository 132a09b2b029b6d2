/* Segments that a VF has received, on their way to a guest that may be sent several as one frame:
 * what is joined, what waits and is lost when the guest takes no more, and that every byte arrives
 * once and in order, however it was joined.
 */
#include <rte_ethdev.h>

#include "datapath/burst.h"
#include "offload/coalesce.h"
#include "offload_frames.h"
#include "suite.h"

#define PORT       3
#define POOL_MBUFS 1024
#define BUFFER     1526U /* bytes of one of the guest's */
#define STREAMS    4
#define PAYLOAD    1000U
#define FIRST_SEQ  0xfffff000U
#define FRAME      (14U + 20 + 20 + PAYLOAD)

static struct rig_pool *pool;
static struct lane lane;
static struct lane_work work;
static uint8_t bytes[RIG_OFFLOAD_BYTES];

/* --- the VF ------------------------------------------------------------------------------------
 */

static struct rte_mbuf *arrived[LANE_BURST];
static uint16_t n_arrived;
static uint32_t n_sent[STREAMS]; /* segments of each stream that have been on the wire */

static void arrives(unsigned stream)
{
	struct rig_spec spec = {.version = stream % 2 == 0 ? 4 : 6,
	                        .protocol = 6,
	                        .tcp_flags = 0x10,
	                        .fragment = 0x4000,
	                        .payload = PAYLOAD,
	                        .number = n_sent[stream],
	                        .seq = FIRST_SEQ + n_sent[stream] * PAYLOAD,
	                        .port = (uint16_t)stream,
	                        .complete = true};

	ck_assert_uint_lt(n_arrived, LANE_BURST);
	n_sent[stream]++;
	arrived[n_arrived] = rig_mbufs(pool, bytes, rig_put_frame(&spec, bytes, NULL), 2048, 2048);
	arrived[n_arrived++]->ol_flags = RTE_MBUF_F_RX_L4_CKSUM_GOOD | RTE_MBUF_F_RX_IP_CKSUM_GOOD;
}

static void arrive(unsigned stream, unsigned n)
{
	while (n-- > 0)
		arrives(stream);
}

static uint16_t receive(void *queue, struct rte_mbuf **pkts, uint16_t n)
{
	uint16_t found = n_arrived;

	(void)queue;
	ck_assert_uint_ge(n, found);
	memcpy(pkts, arrived, found * sizeof(pkts[0]));
	n_arrived = 0;
	return found;
}

/* --- the guest ---------------------------------------------------------------------------------
 */

static struct guest guest;
static uint32_t room, longest; /* buffers; bytes that a frame may have at most, 0 = any */
static int answer;             /* instead, if not 0 */
static bool takes_joined, refused;
static uint32_t n_frames, n_joined, expected_seq[STREAMS];
static uint16_t queue_of[STREAMS];

/* The next bytes of its stream, none changed. */
static void expect_payload(uint32_t length, unsigned stream, uint32_t data_at, uint32_t seq)
{
	ck_assert_uint_eq(seq, expected_seq[stream]);
	for (uint32_t i = 0; i < length - data_at; i++) {
		uint32_t at = seq - FIRST_SEQ + i;

		rig_expect(bytes[data_at + i] == rig_frame_byte(at / PAYLOAD, at % PAYLOAD));
	}
	expected_seq[stream] += length - data_at;
}

static void take(const struct rte_mbuf *pkt, uint16_t queue)
{
	uint32_t length = rig_bytes(pkt, bytes);
	struct naive_packet packet;

	ck_assert(naive_read(bytes, length, &packet));
	unsigned stream = naive_16(bytes + packet.l4_at) - 40000U;
	ck_assert_uint_lt(stream, STREAMS);
	n_frames++;
	if (queue_of[stream] == UINT16_MAX)
		queue_of[stream] = queue;
	ck_assert_uint_eq(queue_of[stream], queue);
	if (coalesce_has_joined(pkt)) {
		ck_assert(takes_joined);
		n_joined++;
	} else {
		ck_assert_uint_eq(length, packet.data_at + PAYLOAD);
		ck_assert_uint_eq(naive_error(&packet), 0);
	}
	expect_payload(length, stream, packet.data_at,
	               naive_16(bytes + packet.l4_at + 4) << 16 |
	                       naive_16(bytes + packet.l4_at + 6));
}

static int deliver(struct guest *to, uint16_t queue, struct rte_mbuf **pkts, uint16_t n)
{
	uint16_t sent = 0;

	ck_assert_ptr_eq(to, &guest);
	refused = false;
	if (answer != 0)
		return answer;
	for (; sent < n; sent++) {
		uint32_t needed = (pkts[sent]->pkt_len + BUFFER - 1) / BUFFER;

		refused = longest != 0 && pkts[sent]->pkt_len > longest;
		if (refused || needed > room)
			break;
		room -= needed;
		take(pkts[sent], queue);
		rte_pktmbuf_free(pkts[sent]);
	}
	return sent;
}

static bool offers(struct guest *to, uint16_t queue)
{
	(void)to;
	(void)queue;
	return refused;
}

static const struct guest_ops ops = {.send = deliver, .offers = offers};

static void set_up(void)
{
	static void *queues[2];

	pool = rig_pool_open(POOL_MBUFS, 2048);
	memset(&lane, 0, sizeof(lane));
	memset(n_sent, 0, sizeof(n_sent));
	n_arrived = 0;
	n_frames = n_joined = longest = 0;
	room = UINT32_MAX;
	answer = 0;
	takes_joined = true;
	for (unsigned i = 0; i < STREAMS; i++) {
		expected_seq[i] = FIRST_SEQ;
		queue_of[i] = UINT16_MAX;
	}
	guest.ops = &ops;
	rte_eth_fp_ops[PORT].rx_pkt_burst = receive;
	rte_eth_fp_ops[PORT].rxq.data = queues;
	ck_assert_int_eq(lane_init(&lane, 7, LANE_VF_TO_VM, 1), 0);
	work = (struct lane_work){.run = burst_vf_to_vm_joined,
	                          .lane = &lane,
	                          .guest = &guest,
	                          .to_guest = deliver,
	                          .port_id = PORT,
	                          .vf_queue = 1,
	                          .guest_queue = 2,
	                          .guest_queues = 4,
	                          .join = COALESCE_IPV4 | COALESCE_IPV6};
}

static void tear_down(void)
{
	lane_free(&lane);
	rig_pool_close(pool); /* every mbuf is back */
}

/* Each packet is in one of the counters, and what waits is as it came. */
static void expect_balance(void)
{
	const struct lane_counters *c = &lane.counters;

	ck_assert_uint_eq(c->tx_pkts, n_frames);
	ck_assert_uint_eq(c->rx_pkts, c->tx_pkts + c->coalesced + c->dropped_full_pkts +
	                                      c->dropped_absent_pkts + lane_held(&lane));
	for (uint32_t i = 0; i < lane.backlog.count; i++) {
		const struct rte_mbuf *pkt =
		        lane.backlog.slots[(lane.backlog.head + i) & lane.backlog.mask];

		ck_assert(!coalesce_has_joined(pkt) && pkt->nb_segs == 1);
	}
}

static unsigned pass(void)
{
	unsigned done = work.run(&work);

	expect_balance();
	return done;
}

static void expect_all_there(void)
{
	for (unsigned i = 0; i < STREAMS; i++)
		ck_assert_uint_eq(expected_seq[i], FIRST_SEQ + n_sent[i] * PAYLOAD);
	ck_assert_uint_eq(lane.counters.dropped_full_pkts, 0);
	ck_assert_uint_eq(lane_held(&lane), 0);
}

/* --- what is joined ----------------------------------------------------------------------------
 */

START_TEST(a_burst_of_a_stream_is_one_frame)
{
	arrive(0, LANE_BURST);
	ck_assert_uint_eq(pass(), LANE_BURST);
	ck_assert_uint_eq(n_frames, 1);
	ck_assert_uint_eq(lane.counters.rx_bytes, LANE_BURST * FRAME);
	ck_assert_uint_eq(lane.counters.tx_bytes, LANE_BURST * PAYLOAD + 54);
	ck_assert_uint_eq(lane.counters.coalesced, LANE_BURST - 1);
	expect_all_there();
}
END_TEST

START_TEST(streams_of_both_versions)
{
	for (unsigned i = 0; i < LANE_BURST; i++)
		arrives(i % STREAMS);
	pass();
	ck_assert_uint_eq(n_frames, STREAMS);
	ck_assert_uint_eq(n_joined, STREAMS);
	expect_all_there();
}
END_TEST

START_TEST(versions_that_are_not_to_be_joined)
{
	work.join = COALESCE_IPV6;
	for (unsigned i = 0; i < LANE_BURST; i++)
		arrives(i % 2);
	pass();
	ck_assert_uint_eq(n_joined, 1);
	ck_assert_uint_eq(n_frames, 1 + LANE_BURST / 2);
	expect_all_there();
}
END_TEST

/* Nothing is waited for: what comes alone goes alone, at once. */
START_TEST(nothing_is_held_back_for_more)
{
	for (unsigned i = 0; i < 10; i++) {
		arrives(0);
		ck_assert_uint_eq(pass(), 1);
		ck_assert_uint_eq(n_frames, i + 1);
	}
	ck_assert_uint_eq(lane.counters.coalesced, 0);
	expect_all_there();
}
END_TEST

/* --- what is not taken -------------------------------------------------------------------------
 */

START_TEST(what_does_not_fit_goes_in_segments)
{
	longest = FRAME;
	arrive(0, 20);
	ck_assert_uint_eq(pass(), 20);
	ck_assert_uint_eq(n_frames, 20);
	ck_assert_uint_eq(lane.counters.coalesced, 0);
	expect_all_there();
}
END_TEST

START_TEST(what_has_no_room_waits_as_it_came)
{
	room = 7;
	arrive(0, 20);
	pass();
	ck_assert_uint_eq(n_frames, 7);
	ck_assert_uint_eq(lane.backlog.count, 13);
	ck_assert_uint_eq(pass(), 0);
	room = 100;
	arrive(0, 5);
	pass();
	ck_assert_uint_eq(n_frames, 7 + 3); /* the first one alone; what waited; what came */
	ck_assert_uint_eq(lane.counters.coalesced, 11 + 4);
	expect_all_there();
}
END_TEST

START_TEST(streams_behind_one_that_has_no_room)
{
	room = 8; /* that is one stream's */
	for (unsigned i = 0; i < 30; i++)
		arrives(i % 3);
	pass();
	ck_assert_uint_gt(n_joined, 0);
	ck_assert_uint_gt(lane.backlog.count, 0);
	room = 100;
	pass();
	expect_all_there();
}
END_TEST

/* A driver that takes none, and has come while packets waited: it gets them as they came. */
START_TEST(another_driver_gets_what_waits)
{
	room = 0;
	arrive(0, 20);
	arrive(1, 5);
	pass();
	ck_assert_uint_eq(lane.backlog.count, 25);
	takes_joined = false;
	work.join = 0;
	work.run = burst_vf_to_vm;
	room = 100;
	pass();
	ck_assert_uint_eq(n_frames, 25);
	expect_all_there();
}
END_TEST

START_TEST(a_pause_loses_nothing)
{
	answer = END_PAUSED;
	arrive(0, 20);
	pass();
	ck_assert_uint_eq(lane.backlog.count, 20);
	answer = 0;
	pass();
	expect_all_there();
}
END_TEST

START_TEST(losses_count_packets)
{
	answer = END_GONE;
	arrive(0, 20);
	ck_assert_uint_eq(pass(), 20);
	ck_assert_uint_eq(lane.counters.absent[ABSENT_LEFT].pkts, 20);
	ck_assert_uint_eq(lane.counters.absent[ABSENT_LEFT].bytes, 20 * FRAME);
	answer = END_BROKEN;
	arrive(0, 10);
	ck_assert_uint_eq(pass(), 10);
	ck_assert_uint_eq(lane.counters.malformed.pkts, 10);
	ck_assert_uint_eq(lane.counters.malformed.bytes, 10 * FRAME);
	ck_assert_uint_eq(lane.counters.coalesced, 0);
}
END_TEST

START_TEST(no_more_than_the_bound_waits)
{
	room = 0;
	for (unsigned i = 0; i < 2 * LANE_BACKLOG_VF_TO_VM / LANE_BURST; i++) {
		arrive(0, LANE_BURST);
		pass();
	}
	ck_assert_uint_eq(lane.backlog.count, LANE_BACKLOG_VF_TO_VM);
	ck_assert_uint_eq(lane.counters.no_room.pkts, LANE_BACKLOG_VF_TO_VM);
	ck_assert_uint_eq(pool->n_free, POOL_MBUFS - LANE_BACKLOG_VF_TO_VM);
}
END_TEST

/* --- always ------------------------------------------------------------------------------------
 */

static void any_pass(uint64_t *random)
{
	unsigned n = rig_random(random) % (LANE_BURST + 1);

	/* Never so many that some are lost. */
	if (lane_held(&lane) + n > LANE_BACKLOG_VF_TO_VM / 4)
		n = 0;
	for (unsigned i = 0; i < n; i++)
		arrives(rig_random(random) % STREAMS);
	room = rig_random(random) % 3 == 0 ? 0 : rig_random(random) % 40;
	longest = rig_random(random) % 4 == 0 ? 3000 : 0;
	answer = rig_random(random) % 8 == 0 ? END_PAUSED : 0;
	pass();
}

static void run_any(void)
{
	uint64_t random = 5;

	for (unsigned i = 0; i < 5000; i++)
		any_pass(&random);
	room = UINT32_MAX;
	answer = 0;
	pass();
	ck_assert_uint_gt(n_joined, 100);
	ck_assert_uint_gt(lane.counters.coalesced, 1000);
	expect_all_there();
}

START_TEST(every_byte_once_and_in_order)
{
	run_any();
}
END_TEST

START_TEST(over_several_queues)
{
	ck_assert_int_eq(lane_reserve(&lane, 0xd), 0);
	lane_aim(&lane, 0xd);
	work.run = burst_vf_to_vm_spread_joined;
	work.guest_queues = 0xd;
	run_any();
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("all");

	tcase_set_timeout(tcase, 120);
	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, a_burst_of_a_stream_is_one_frame);
	tcase_add_test(tcase, streams_of_both_versions);
	tcase_add_test(tcase, versions_that_are_not_to_be_joined);
	tcase_add_test(tcase, nothing_is_held_back_for_more);
	tcase_add_test(tcase, what_does_not_fit_goes_in_segments);
	tcase_add_test(tcase, what_has_no_room_waits_as_it_came);
	tcase_add_test(tcase, streams_behind_one_that_has_no_room);
	tcase_add_test(tcase, another_driver_gets_what_waits);
	tcase_add_test(tcase, a_pause_loses_nothing);
	tcase_add_test(tcase, losses_count_packets);
	tcase_add_test(tcase, no_more_than_the_bound_waits);
	tcase_add_test(tcase, every_byte_once_and_in_order);
	tcase_add_test(tcase, over_several_queues);
	return suite_main("burst_joined", tcase);
}
