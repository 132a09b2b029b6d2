/* Frames of a guest that asks for offloads, on their way to the VF: what is plain, completed, cut,
 * left to the NIC or dropped, in which order, and what waits while the VF or the packet pool is
 * exhausted.
 *
 * WRAP: rte_eth_tx_done_cleanup
 */
#include <rte_ethdev.h>

#include "datapath/burst.h"
#include "datapath/cutting.h"
#include "offload/guest_header.h"
#include "offload_frames.h"
#include "suite.h"

#define PORT       3
#define POOL_MBUFS 256
#define DATA_ROOM  2048
#define MAX_FRAME  1522
#define SENT_MAX   4096

#define FEATURE(bit) (UINT64_C(1) << (bit))

static struct rig_pool *pool;
static struct lane lane;
static struct lane_work work;
static struct guest guest;

/* --- the ends ----------------------------------------------------------------------------------
 */

static struct rte_mbuf *from_guest[LANE_BURST];
static uint32_t n_from_guest, asked;

static struct sent {
	uint64_t flags;
	uint32_t length;
	uint8_t bytes[MAX_FRAME];
} sent[SENT_MAX];
static uint32_t n_sent, room, n_prepared, refused; /* refused: which of the prepared, 1 = first */

static int receive(struct guest *from, uint16_t queue, struct rte_mempool *mempool,
                   struct rte_mbuf **pkts, uint16_t n)
{
	uint32_t taken = n_from_guest;

	ck_assert_ptr_eq(from, &guest);
	ck_assert_uint_eq(queue, 2);
	ck_assert_ptr_eq(mempool, pool->pool);
	ck_assert_uint_ge(n, taken);
	asked++;
	memcpy(pkts, from_guest, taken * sizeof(pkts[0]));
	n_from_guest = 0;
	return (int)taken;
}

static uint16_t transmit(void *queue, struct rte_mbuf **pkts, uint16_t n)
{
	(void)queue;
	ck_assert_uint_le(n, LANE_BURST);
	n = (uint16_t)RTE_MIN((uint32_t)n, room);
	room -= n;
	for (uint16_t i = 0; i < n; i++) {
		struct sent *one = &sent[n_sent++];

		ck_assert_uint_lt(n_sent, SENT_MAX);
		one->length = pkts[i]->pkt_len;
		one->flags = pkts[i]->ol_flags;
		if (pkts[i]->pkt_len <= MAX_FRAME)
			rig_bytes(pkts[i], one->bytes);
		rte_pktmbuf_free(pkts[i]);
	}
	return n;
}

static uint16_t ready(void *queue, struct rte_mbuf **pkts, uint16_t n)
{
	(void)queue;
	(void)pkts;
	for (uint16_t i = 0; i < n; i++)
		if (++n_prepared == refused)
			return i;
	return n;
}

/* A driver that frees what it has sent when it is asked to, or when its queue gets full. */
#define KEPT_MAX 512

static struct rte_mbuf *kept[KEPT_MAX];
static unsigned n_kept;

static uint16_t transmit_and_keep(void *queue, struct rte_mbuf **pkts, uint16_t n)
{
	for (uint16_t i = 0; i < n; i++) {
		rte_pktmbuf_refcnt_update(pkts[i], 1);
		ck_assert_uint_lt(n_kept, KEPT_MAX);
		kept[n_kept++] = pkts[i];
	}
	return transmit(queue, pkts, n);
}

int __wrap_rte_eth_tx_done_cleanup(uint16_t port_id, uint16_t queue_id, uint32_t free_cnt);

int __wrap_rte_eth_tx_done_cleanup(uint16_t port_id, uint16_t queue_id, uint32_t free_cnt)
{
	int freed = (int)n_kept;

	ck_assert_uint_eq(port_id, PORT);
	ck_assert_uint_eq(queue_id, 1);
	ck_assert_uint_eq(free_cnt, 0); /* all */
	rte_pktmbuf_free_bulk(kept, n_kept);
	n_kept = 0;
	return freed > 0 ? freed : -ENOTSUP;
}

static void set_up(void)
{
	static void *queues[2];

	pool = rig_pool_open(POOL_MBUFS, DATA_ROOM);
	memset(&lane, 0, sizeof(lane));
	n_from_guest = asked = n_sent = n_prepared = refused = 0;
	room = UINT32_MAX;
	rte_eth_fp_ops[PORT].tx_pkt_burst = transmit;
	rte_eth_fp_ops[PORT].tx_pkt_prepare = ready;
	rte_eth_fp_ops[PORT].txq.data = queues;
	ck_assert_int_eq(lane_init(&lane, 7, LANE_VM_TO_VF, 1), 0);
	ck_assert_int_eq(lane_reserve_cutting(&lane), 0);
	work = (struct lane_work){.run = burst_vm_to_vf_offloads,
	                          .lane = &lane,
	                          .guest = &guest,
	                          .from_guest = receive,
	                          .pool = pool->pool,
	                          .port_id = PORT,
	                          .vf_queue = 1,
	                          .guest_queue = 2,
	                          .max_frame = MAX_FRAME,
	                          .stall_cycles = UINT64_MAX,
	                          .terms = {.features = FEATURE(VIRTIO_NET_F_CSUM) |
	                                                FEATURE(VIRTIO_NET_F_HOST_TSO4) |
	                                                FEATURE(VIRTIO_NET_F_HOST_TSO6) |
	                                                FEATURE(VIRTIO_NET_F_HOST_UFO),
	                                    .max_frame = MAX_FRAME,
	                                    .max_mbufs = 40}};
}

static void tear_down(void)
{
	lane_free(&lane);
	rig_pool_close(pool); /* every mbuf is back */
}

/* --- frames ------------------------------------------------------------------------------------
 */

/* A frame as the guest's ring leaves it: its header in front of it. */
static void guest_sends(const uint8_t *bytes, uint32_t length, const struct virtio_net_hdr *header)
{
	struct rte_mbuf *pkt = rte_pktmbuf_alloc(pool->pool), *last = pkt;

	ck_assert_ptr_nonnull(pkt);
	ck_assert_uint_lt(n_from_guest, LANE_BURST);
	memset(guest_header_of(pkt), 0, GUEST_HEADER_ROOM);
	*guest_header_of(pkt) = *header;
	for (uint32_t at = 0; at < length;) {
		uint32_t n = RTE_MIN(length - at, (uint32_t)DATA_ROOM);

		if (at > 0) {
			last->next = rte_pktmbuf_alloc(pool->pool);
			last = last->next;
			ck_assert_ptr_nonnull(last);
			pkt->nb_segs++;
		}
		memcpy(rte_pktmbuf_mtod(last, void *), bytes + at, n);
		last->data_len = (uint16_t)n;
		at += n;
	}
	pkt->pkt_len = length;
	from_guest[n_from_guest++] = pkt;
}

static void sends_plain(uint32_t length)
{
	static const struct virtio_net_hdr nothing;
	uint8_t bytes[DATA_ROOM] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x88, 0xb5};

	guest_sends(bytes, length, &nothing);
}

/* TCP over IPv4, its payload by `number`; mss 0: a checksum is asked for alone. */
static uint32_t sends_tcp(uint32_t number, uint32_t payload, uint16_t mss)
{
	static uint8_t bytes[RIG_OFFLOAD_BYTES];
	struct rig_spec spec = {.version = 4, .protocol = 6, .payload = payload, .number = number};
	struct virtio_net_hdr header;
	uint32_t length = rig_put_frame(&spec, bytes, &header);

	header.gso_size = mss;
	header.gso_type = mss > 0 ? VIRTIO_NET_HDR_GSO_TCPV4 : VIRTIO_NET_HDR_GSO_NONE;
	guest_sends(bytes, length, &header);
	return length;
}

/* Without the padding of what is short. */
static struct naive_packet expect_right_sum(const struct sent *one)
{
	uint32_t length = RTE_ETHER_HDR_LEN + naive_16(one->bytes + RTE_ETHER_HDR_LEN + 2);
	struct naive_packet packet;

	ck_assert_uint_le(length, one->length);
	ck_assert(naive_read(one->bytes, length, &packet));
	ck_assert_uint_eq(naive_error(&packet), 0);
	return packet;
}

/* n segments of a stream of payload `number`, from the first-th that was sent on. */
static void expect_stream(uint32_t first, uint32_t n, uint32_t number, uint32_t payload)
{
	uint32_t done = 0;

	for (uint32_t i = 0; i < n; i++) {
		const struct sent *one = &sent[first + i];
		struct naive_packet packet = expect_right_sum(one);

		for (uint32_t at = packet.data_at; at < packet.length; at++)
			ck_assert_uint_eq(one->bytes[at], rig_frame_byte(number, done++));
	}
	ck_assert_uint_eq(done, payload);
}

static void passes_until_done(void)
{
	for (unsigned i = 0; i < 10000 && (lane_held(&lane) > 0 || n_from_guest > 0); i++)
		work.run(&work);
	ck_assert_uint_eq(lane_held(&lane), 0);
}

/* --- tests -------------------------------------------------------------------------------------
 */

START_TEST(all_that_asks_for_nothing_passes)
{
	for (uint32_t i = 0; i < LANE_BURST; i++)
		sends_plain(60 + i);
	ck_assert_uint_eq(work.run(&work), 2 * LANE_BURST); /* taken, and sent */
	ck_assert_uint_eq(n_sent, LANE_BURST);
	for (uint32_t i = 0; i < LANE_BURST; i++)
		ck_assert_uint_eq(sent[i].length, 60 + i);
	ck_assert_uint_eq(lane.counters.rx_pkts, LANE_BURST);
	ck_assert_uint_eq(lane.counters.tx_pkts, LANE_BURST);
	ck_assert_uint_eq(lane.counters.rx_bytes, lane.counters.tx_bytes);
	ck_assert_uint_eq(work.run(&work), 0);
}
END_TEST

START_TEST(checksums_are_completed)
{
	sends_plain(100);
	sends_tcp(1, 500, 0);
	sends_tcp(2, 1, 0); /* short: padded, too */
	work.run(&work);
	ck_assert_uint_eq(n_sent, 3);
	expect_stream(1, 1, 1, 500);
	expect_stream(2, 1, 2, 1);
	ck_assert_uint_eq(sent[2].length, 60);
	ck_assert_uint_eq(lane.counters.checksummed_by_software, 2);
	ck_assert_uint_eq(n_prepared, 0);
}
END_TEST

/* More segments than a pass sends, in order, and what came behind stays behind. */
START_TEST(frames_are_cut)
{
	sends_plain(77);
	sends_tcp(3, 20000, 100);
	sends_plain(88);
	sends_tcp(4, 2500, 1000);
	sends_plain(99);
	work.run(&work);
	ck_assert_uint_eq(n_sent, LANE_BURST);
	ck_assert_uint_eq(lane_held(&lane), 4); /* the one that is being cut, and three */
	ck_assert_uint_eq(asked, 1);
	passes_until_done();
	ck_assert_uint_eq(asked, 1);
	ck_assert_uint_eq(n_sent, 1 + 200 + 1 + 3 + 1);
	ck_assert_uint_eq(sent[0].length, 77);
	expect_stream(1, 200, 3, 20000);
	ck_assert_uint_eq(sent[201].length, 88);
	expect_stream(202, 3, 4, 2500);
	ck_assert_uint_eq(sent[205].length, 99);
	ck_assert_uint_eq(lane.counters.segmented_by_software, 2);
	ck_assert_uint_eq(lane.counters.rx_pkts, 5);
	ck_assert_uint_eq(lane.counters.tx_pkts, n_sent);
	ck_assert_uint_eq(lane.counters.dropped_invalid_pkts, 0);
}
END_TEST

START_TEST(segments_of_a_byte_are_padded)
{
	sends_tcp(5, 40, 1);
	passes_until_done();
	ck_assert_uint_eq(n_sent, 40);
	for (uint32_t i = 0; i < n_sent; i++)
		ck_assert_uint_eq(sent[i].length, 60);
	expect_stream(0, 40, 5, 40);
}
END_TEST

START_TEST(what_may_not_be_is_dropped_alone)
{
	static const struct virtio_net_hdr beyond = {
	        .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM, .csum_start = 34, .csum_offset = 2000};
	static const struct virtio_net_hdr unknown = {.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
	                                              .gso_type = 77};
	uint8_t bytes[200] = {2};

	guest_sends(bytes, 200, &beyond);
	sends_plain(70);
	guest_sends(bytes, 100, &unknown);
	sends_plain(13);            /* a runt */
	sends_plain(MAX_FRAME + 1); /* too long, and asks for nothing */
	sends_tcp(6, 3000, 0);      /* likewise, but for a checksum */
	sends_plain(71);
	work.run(&work);
	ck_assert_uint_eq(n_sent, 2);
	ck_assert_uint_eq(sent[0].length, 70);
	ck_assert_uint_eq(sent[1].length, 71);
	ck_assert_uint_eq(lane.counters.bad_header.pkts, 2);
	ck_assert_uint_eq(lane.counters.bad_header.bytes, 300);
	ck_assert_uint_eq(lane.counters.malformed.pkts, 1);
	ck_assert_uint_eq(lane.counters.too_long.pkts, 2);
	ck_assert_uint_eq(lane.counters.dropped_invalid_pkts, 5);
	ck_assert_uint_eq(lane.counters.rx_pkts, 7);
}
END_TEST

START_TEST(a_vf_that_is_full_loses_nothing)
{
	sends_tcp(7, 6000, 100);
	sends_plain(90);
	room = 7;
	for (unsigned i = 0; i < 100; i++, room += 3)
		work.run(&work);
	ck_assert_uint_eq(n_sent, 61);
	expect_stream(0, 60, 7, 6000);
	ck_assert_uint_eq(sent[60].length, 90);
	ck_assert_uint_eq(lane_held(&lane), 0);
}
END_TEST

/* A pool that others have emptied: the frame waits, and what was cut already goes. */
START_TEST(a_pool_that_is_empty_loses_nothing)
{
	struct rte_mbuf *taken[POOL_MBUFS];
	unsigned n;

	sends_tcp(8, 3000, 100);
	n = pool->n_free - 5;
	for (unsigned i = 0; i < n; i++)
		taken[i] = rte_pktmbuf_alloc(pool->pool);
	work.run(&work);
	ck_assert_uint_eq(n_sent, 5);
	while (pool->n_free > 0)
		taken[n++] = rte_pktmbuf_alloc(pool->pool);
	ck_assert_uint_eq(work.run(&work), 0);
	ck_assert_uint_eq(lane_held(&lane), 1);
	rte_pktmbuf_free_bulk(taken, n);
	passes_until_done();
	ck_assert_uint_eq(n_sent, 30);
	expect_stream(0, 30, 8, 3000);
}
END_TEST

/* Frames that leave next to nothing of the pool, and a driver that keeps what it has sent. */
START_TEST(frames_that_are_the_whole_pool_go_on)
{
	uint32_t n = 0;

	rte_eth_fp_ops[PORT].tx_pkt_burst = transmit_and_keep;
	while (pool->n_free > 33) {
		sends_tcp(20 + n, 64000, 1400);
		n++;
	}
	ck_assert_uint_gt(n, 6);
	passes_until_done();
	ck_assert_uint_eq(n_sent, n * 46);
	for (uint32_t i = 0; i < n_sent; i++)
		(void)expect_right_sum(&sent[i]);
	ck_assert_uint_eq(lane.counters.dropped_full_pkts, 0);
	(void)__wrap_rte_eth_tx_done_cleanup(PORT, 1, 0);
}
END_TEST

/* Nobody gives any back, ever: other lanes wait for ours. */
START_TEST(no_buffers_for_too_long_lose_what_waits)
{
	struct rte_mbuf *taken[POOL_MBUFS];
	unsigned n = 0;

	sends_tcp(8, 3000, 100);
	sends_plain(70);
	while (pool->n_free > 0)
		taken[n++] = rte_pktmbuf_alloc(pool->pool);
	for (unsigned i = 0; i < 100; i++)
		work.run(&work);
	ck_assert_uint_eq(lane_held(&lane), 2);
	work.stall_cycles = 0;
	ck_assert_uint_eq(work.run(&work), 2);
	ck_assert_uint_eq(lane_held(&lane), 0);
	ck_assert_uint_eq(lane.counters.no_room.pkts, 2);
	ck_assert_uint_eq(lane.counters.no_room.bytes, 3070);
	ck_assert_uint_eq(lane.counters.dropped_full_pkts, 2);
	rte_pktmbuf_free_bulk(taken, n);
	sends_tcp(9, 3000, 100);
	passes_until_done();
	expect_stream(0, 30, 9, 3000);
}
END_TEST

START_TEST(the_nic_does_what_it_can)
{
	work.terms.capabilities = RTE_ETH_TX_OFFLOAD_IPV4_CKSUM | RTE_ETH_TX_OFFLOAD_TCP_CKSUM |
	                          RTE_ETH_TX_OFFLOAD_TCP_TSO | RTE_ETH_TX_OFFLOAD_MULTI_SEGS;
	sends_plain(64);
	sends_tcp(9, 600, 0);
	uint32_t length = sends_tcp(10, 30000, 1000);
	work.run(&work);
	ck_assert_uint_eq(n_sent, 3);
	ck_assert_uint_eq(n_prepared, 3);
	ck_assert_uint_eq(sent[0].flags, 0);
	ck_assert_uint_ne(sent[1].flags & RTE_MBUF_F_TX_TCP_CKSUM, 0);
	ck_assert_uint_ne(sent[2].flags & RTE_MBUF_F_TX_TCP_SEG, 0);
	ck_assert_uint_eq(sent[2].length, length); /* as a whole, longer than a frame may be */
	ck_assert_uint_eq(lane.counters.checksummed_by_vf, 1);
	ck_assert_uint_eq(lane.counters.segmented_by_vf, 1);
	ck_assert_uint_eq(lane.counters.segmented_by_software, 0);
}
END_TEST

START_TEST(what_the_driver_refuses_is_dropped_alone)
{
	work.terms.capabilities = RTE_ETH_TX_OFFLOAD_IPV4_CKSUM | RTE_ETH_TX_OFFLOAD_TCP_CKSUM;
	refused = 2;
	for (uint32_t i = 0; i < 3; i++)
		sends_tcp(i, 100 + i, 0);
	work.run(&work);
	ck_assert_uint_eq(n_sent, 2);
	ck_assert_uint_eq(sent[0].length, 154);
	ck_assert_uint_eq(sent[1].length, 156);
	ck_assert_uint_eq(lane.counters.bad_header.pkts, 1);
}
END_TEST

START_TEST(what_waits_goes_with_its_target)
{
	sends_plain(64);
	sends_tcp(11, 20000, 100);
	sends_plain(65);
	work.run(&work);
	ck_assert_uint_eq(lane_held(&lane), 2);
	uint64_t before = lane.counters.dropped_absent_pkts;
	lane_drop_backlog(&lane);
	ck_assert_uint_eq(lane_held(&lane), 0);
	ck_assert_uint_eq(lane.counters.dropped_absent_pkts - before, 2);
	ck_assert_uint_eq(lane.counters.absent[ABSENT_LEFT].bytes, 65 + 20000 - 31 * 100);
	ck_assert_uint_eq(work.run(&work), 0);
}
END_TEST

START_TEST(a_bond_that_sends_by_itself_does_it_too)
{
	work.run = burst_vm_to_lacp;
	sends_tcp(12, 500, 0);
	work.run(&work);
	ck_assert_uint_eq(n_sent, 1);
	(void)expect_right_sum(&sent[0]);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("all");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, all_that_asks_for_nothing_passes);
	tcase_add_test(tcase, checksums_are_completed);
	tcase_add_test(tcase, frames_are_cut);
	tcase_add_test(tcase, segments_of_a_byte_are_padded);
	tcase_add_test(tcase, what_may_not_be_is_dropped_alone);
	tcase_add_test(tcase, a_vf_that_is_full_loses_nothing);
	tcase_add_test(tcase, a_pool_that_is_empty_loses_nothing);
	tcase_add_test(tcase, frames_that_are_the_whole_pool_go_on);
	tcase_add_test(tcase, no_buffers_for_too_long_lose_what_waits);
	tcase_add_test(tcase, the_nic_does_what_it_can);
	tcase_add_test(tcase, what_the_driver_refuses_is_dropped_alone);
	tcase_add_test(tcase, what_waits_goes_with_its_target);
	tcase_add_test(tcase, a_bond_that_sends_by_itself_does_it_too);
	return suite_main("burst_offloads", tcase);
}
