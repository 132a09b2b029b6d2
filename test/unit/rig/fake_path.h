/* The packet path's surroundings made of plain memory: packets, the ends of VF queues and guest
 * queues, all without EAL. Every packet's end is accounted for: whoever takes one over ends it
 * here, fake_packets_live tells how many have not met theirs.
 *
 * WRAP: rte_pktmbuf_free_bulk
 */
#ifndef TEST_FAKE_PATH_H
#define TEST_FAKE_PATH_H

#include <check.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <rte_ethdev.h>

#include "base/container_of.h"
#include "datapath/backlog.h"
#include "datapath/burst.h"
#include "datapath/end.h"
#include "datapath/flow_hash.h"
#include "datapath/lane.h"

#define FAKE_SOURCES   64 /* numbers that sources may have */
#define FAKE_DATA_ROOM 256
#define FAKE_MAGIC     0x6b6f7361U

/* An assertion for what runs a million times, or on several threads: libcheck notes down each one
 * of its own that holds. */
#define fake_expect(condition)                          \
	do {                                            \
		if (unlikely(!(condition)))             \
			ck_abort_msg("%s", #condition); \
	} while (0)

/* --- packets --------------------------------------------------------------------------------- */

struct fake_packet {
	struct rte_mbuf mbuf;
	uint32_t magic, source, seq;
	char data[FAKE_DATA_ROOM];
};

static atomic_long fake_packets_live;

/* Only frames of at most FAKE_DATA_ROOM - headroom have real data; nobody looks into longer ones.
 */
static inline struct rte_mbuf *fake_packet_new(unsigned source, uint32_t seq, uint32_t length)
{
	struct fake_packet *packet = aligned_alloc(RTE_CACHE_LINE_SIZE, sizeof(*packet));

	fake_expect(packet != NULL);
	memset(packet, 0, sizeof(*packet));
	memset(packet->data, 0x5a, sizeof(packet->data));
	packet->magic = FAKE_MAGIC;
	packet->source = source;
	packet->seq = seq;
	packet->mbuf.buf_addr = packet->data;
	packet->mbuf.buf_len = FAKE_DATA_ROOM;
	packet->mbuf.data_off = RTE_PKTMBUF_HEADROOM;
	packet->mbuf.data_len = (uint16_t)length;
	packet->mbuf.pkt_len = length;
	packet->mbuf.nb_segs = 1;
	packet->mbuf.refcnt = 1;
	atomic_fetch_add_explicit(&fake_packets_live, 1, memory_order_relaxed);
	return &packet->mbuf;
}

/* UDP over IPv4, of a flow of its own for each number; `source` says which. */
static inline struct rte_mbuf *fake_packet_of_flow(unsigned flow, uint32_t seq, uint32_t length)
{
	static const uint8_t headers[] = {
	        2,    0,  0, 0, 0, 1, 2, 0, 0,  0,  0, 2, 8,  0,                    /* Ethernet */
	        0x45, 0,  0, 0, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2, /* IPv4 */
	        0,    80, 0, 0};                                                    /* ports */
	struct rte_mbuf *pkt = fake_packet_new(flow, seq, length);
	uint8_t *data = rte_pktmbuf_mtod(pkt, uint8_t *);

	memcpy(data, headers, sizeof(headers));
	data[36] = (uint8_t)(flow >> 8);
	data[37] = (uint8_t)flow;
	return pkt;
}

static inline struct fake_packet *fake_packet_of(struct rte_mbuf *mbuf)
{
	struct fake_packet *packet = CONTAINER_OF(mbuf, struct fake_packet, mbuf);

	fake_expect(packet->magic == FAKE_MAGIC);
	return packet;
}

static inline void fake_packet_free(struct rte_mbuf *mbuf)
{
	fake_packet_of(mbuf)->magic = 0;
	free(mbuf);
	atomic_fetch_sub_explicit(&fake_packets_live, 1, memory_order_relaxed);
}

void __wrap_rte_pktmbuf_free_bulk(struct rte_mbuf **pkts, unsigned n);

void __wrap_rte_pktmbuf_free_bulk(struct rte_mbuf **pkts, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		fake_packet_free(pkts[i]);
}

/* --- where packets come from ----------------------------------------------------------------- */

struct fake_source {
	unsigned number;                  /* < FAKE_SOURCES; stands in each of its packets */
	uint32_t waiting;                 /* packets that can be taken now */
	uint32_t next_seq;                /* also: how many were taken */
	uint32_t (*length)(uint32_t seq); /* NULL: 100 bytes */
	unsigned flows; /* 0: one, which has its number; n: number * n to number * n + n - 1 */
	uint64_t bytes;
	struct rte_mbuf
	        *given; /* instead of the next packet, if not NULL; counted by who gives it */
};

static inline uint16_t fake_source_take(struct fake_source *source, struct rte_mbuf **pkts,
                                        uint16_t n)
{
	n = (uint16_t)RTE_MIN((uint32_t)n, source->waiting);
	if (n > 0 && source->given != NULL) {
		pkts[0] = source->given;
		source->given = NULL;
		source->waiting--;
		return 1;
	}
	for (uint16_t i = 0; i < n; i++) {
		uint32_t seq = source->next_seq++;
		uint32_t length = source->length != NULL ? source->length(seq) : 100;

		if (source->flows > 0)
			pkts[i] = fake_packet_of_flow(
			        source->number * source->flows + seq % source->flows, seq, length);
		else
			pkts[i] = fake_packet_new(source->number, seq, length);
		source->bytes += length;
	}
	source->waiting -= n;
	return n;
}

/* --- where packets go ------------------------------------------------------------------------ */

struct fake_sink {
	uint32_t room;      /* packets that it still takes */
	uint32_t burst_max; /* of them at once; 0 = any number */
	uint32_t
	        longest; /* frame that fits; a longer one is not taken, nor what follows; 0 = any */
	bool more_to_come; /* for one frame, than it has room for now: it may fit later */
	uint64_t pkts, bytes;
	uint32_t next_seq[FAKE_SOURCES]; /* lowest that would be in order, by source */
};

/* How many it takes, which are in order. Frees nothing. */
static inline uint16_t fake_sink_put(struct fake_sink *sink, struct rte_mbuf **pkts, uint16_t n)
{
	uint32_t max = RTE_MIN(sink->room, sink->burst_max > 0 ? sink->burst_max : UINT16_MAX);
	uint16_t taken = 0;

	for (; taken < n && taken < max; taken++) {
		const struct fake_packet *packet = fake_packet_of(pkts[taken]);

		if (sink->longest > 0 && packet->mbuf.pkt_len > sink->longest)
			break;
		fake_expect(packet->seq >= sink->next_seq[packet->source]);
		sink->next_seq[packet->source] = packet->seq + 1;
		sink->pkts++;
		sink->bytes += packet->mbuf.pkt_len;
	}
	sink->room -= taken;
	return taken;
}

/* --- a VF ------------------------------------------------------------------------------------ */

#define FAKE_VF_QUEUES 8

struct fake_vf {
	struct fake_source rx[FAKE_VF_QUEUES];
	struct fake_sink tx[FAKE_VF_QUEUES];
	void *rx_data[FAKE_VF_QUEUES], *tx_data[FAKE_VF_QUEUES], *callbacks[FAKE_VF_QUEUES];
};

static inline uint16_t fake_vf_rx(void *queue, struct rte_mbuf **pkts, uint16_t n)
{
	return fake_source_take(queue, pkts, n);
}

/* As a PMD does: what it takes is its own, and is freed some time. */
static inline uint16_t fake_vf_tx(void *queue, struct rte_mbuf **pkts, uint16_t n)
{
	uint16_t taken = fake_sink_put(queue, pkts, n);

	for (uint16_t i = 0; i < taken; i++)
		fake_packet_free(pkts[i]);
	return taken;
}

static inline void fake_vf_install(struct fake_vf *vf, uint16_t port_id)
{
	for (unsigned i = 0; i < FAKE_VF_QUEUES; i++) {
		vf->rx_data[i] = &vf->rx[i];
		vf->tx_data[i] = &vf->tx[i];
	}
	rte_eth_fp_ops[port_id].rx_pkt_burst = fake_vf_rx;
	rte_eth_fp_ops[port_id].tx_pkt_burst = fake_vf_tx;
	rte_eth_fp_ops[port_id].rxq = (struct rte_ethdev_qdata){vf->rx_data, vf->callbacks};
	rte_eth_fp_ops[port_id].txq = (struct rte_ethdev_qdata){vf->tx_data, vf->callbacks};
}

/* --- a guest --------------------------------------------------------------------------------- */

#define FAKE_GUEST_QUEUES 8

struct fake_guest {
	struct guest guest;
	atomic_bool absent, paused, broken;
	struct fake_sink rx[FAKE_GUEST_QUEUES];
	struct fake_source tx[FAKE_GUEST_QUEUES];
};

static inline int fake_guest_receive(struct guest *guest, uint16_t queue, struct rte_mempool *pool,
                                     struct rte_mbuf **pkts, uint16_t n)
{
	struct fake_guest *fake = CONTAINER_OF(guest, struct fake_guest, guest);

	(void)pool;
	if (atomic_load_explicit(&fake->absent, memory_order_relaxed))
		return END_GONE;
	if (atomic_load_explicit(&fake->paused, memory_order_relaxed))
		return END_PAUSED;
	return fake_source_take(&fake->tx[queue], pkts, n);
}

/* As DPDK's vhost library behind its kind: what it takes it copies, and frees. */
static inline int fake_guest_send(struct guest *guest, uint16_t queue, struct rte_mbuf **pkts,
                                  uint16_t n)
{
	struct fake_guest *fake = CONTAINER_OF(guest, struct fake_guest, guest);

	uint16_t taken;

	if (atomic_load_explicit(&fake->absent, memory_order_relaxed))
		return END_GONE;
	if (atomic_load_explicit(&fake->paused, memory_order_relaxed))
		return END_PAUSED;
	if (atomic_load_explicit(&fake->broken, memory_order_relaxed))
		return END_BROKEN;
	taken = fake_sink_put(&fake->rx[queue], pkts, n);
	for (uint16_t i = 0; i < taken; i++)
		fake_packet_free(pkts[i]);
	return taken;
}

static inline bool fake_guest_offers(struct guest *guest, uint16_t queue)
{
	struct fake_guest *fake = CONTAINER_OF(guest, struct fake_guest, guest);

	return fake->rx[queue].room > 0 && !fake->rx[queue].more_to_come;
}

static const struct guest_ops fake_guest_ops = {
        .receive = fake_guest_receive, .send = fake_guest_send, .offers = fake_guest_offers};

/* --- sums ------------------------------------------------------------------------------------ */

/* Puts packets of 100 bytes into a lane's backlog, which has room. */
static inline void fake_hold(struct lane *lane, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		struct rte_mbuf *pkt = fake_packet_new(0, i, 100);

		fake_expect(backlog_push(&lane->backlog, &pkt, 1) == 1);
	}
}

static inline uint64_t fake_bytes_in(const struct backlog *backlog)
{
	uint64_t bytes = 0;

	for (uint32_t i = 0; i < backlog->count; i++)
		bytes += backlog->slots[(backlog->head + i) & backlog->mask]->pkt_len;
	return bytes;
}

static inline uint64_t fake_held_bytes(const struct lane *lane)
{
	uint64_t bytes = fake_bytes_in(&lane->backlog);

	for (unsigned i = 0; lane->spread != NULL && i < GUEST_QUEUES_MAX; i++)
		bytes += fake_bytes_in(&lane->spread->backlogs[i]);
	return bytes;
}

/* Each loss has one cause. */
static inline void fake_expect_causes(const struct lane *lane, const struct lane_counters *c)
{
	bool to_vm = lane->direction == LANE_VF_TO_VM;
	struct lane_loss absent = {0}, full = c->no_room, invalid = {0};
	const struct lane_loss *others[] = {&c->too_long, &c->malformed};

	for (unsigned i = 0; i < LANE_ABSENCES; i++) {
		absent.pkts += c->absent[i].pkts;
		absent.bytes += c->absent[i].bytes;
	}
	for (unsigned i = 0; i < RTE_DIM(others); i++) {
		struct lane_loss *sum = to_vm ? &full : &invalid;

		sum->pkts += others[i]->pkts;
		sum->bytes += others[i]->bytes;
	}
	fake_expect(c->dropped_absent_pkts == absent.pkts);
	fake_expect(c->dropped_absent_bytes == absent.bytes);
	fake_expect(c->dropped_full_pkts == full.pkts);
	fake_expect(c->dropped_full_bytes == full.bytes);
	fake_expect(c->dropped_invalid_pkts == invalid.pkts);
	fake_expect(c->dropped_invalid_bytes == invalid.bytes);
}

/* Whatever came in went out, was dropped and counted, or waits; nothing else is alive. */
static inline void fake_expect_balance(const struct lane *lane)
{
	struct lane_counters c = {0};

	lane_counters_add(&c, &lane->counters);
	fake_expect_causes(lane, &c);
	fake_expect(c.rx_pkts == c.tx_pkts + c.dropped_full_pkts + c.dropped_absent_pkts +
	                                 c.dropped_invalid_pkts + lane_held(lane));
	fake_expect(c.rx_bytes == c.tx_bytes + c.dropped_full_bytes + c.dropped_absent_bytes +
	                                  c.dropped_invalid_bytes + fake_held_bytes(lane));
	fake_expect(fake_packets_live == lane_held(lane));
}

/* Repeatable everywhere. */
static inline uint32_t fake_random(uint64_t *state)
{
	*state = *state * 6364136223846793005ULL + 1442695040888963407ULL;
	return (uint32_t)(*state >> 33);
}

#endif
