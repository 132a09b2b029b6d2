/* Calls one burst function again and again between ends that cost nothing of their own, for
 * count_instructions.py: it runs this under callgrind, which counts what the burst function
 * executes and leaves out everything between the entry and the exit of a function named end_*.
 *
 * Freeing packets counts as an end, too: whoever frees them, lane or guest, the figures can be
 * compared. The guest is one of ours that does nothing, or with "/dpdk" behind the function's name
 * the real guest_dpdk_queues.c, and DPDK's vhost library is what does nothing. With "/split" or
 * "/packed" it is the real guest_own_queues.c on a ring of that kind, the copies counted, too;
 * "-long" has frames of 1518 bytes. One thread, no EAL.
 */
/* WRAP: rte_pktmbuf_free_bulk rte_zmalloc_socket */
/* WRAP: rte_vhost_driver_register rte_vhost_driver_start */
/* WRAP: rte_vhost_driver_callback_register rte_vhost_driver_disable_features */
/* WRAP: rte_vhost_driver_get_protocol_features rte_vhost_driver_set_protocol_features */
/* WRAP: rte_vhost_get_ifname rte_vhost_extern_callback_register rte_vhost_get_vring_num */
/* WRAP: rte_vhost_get_negotiated_features rte_vhost_get_numa_node rte_vhost_avail_entries */
/* WRAP: rte_vhost_enable_guest_notification rte_vhost_enqueue_burst rte_vhost_dequeue_burst */
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_ethdev.h>
#include <valgrind/callgrind.h>

#include "base/vlan_set.h"
#include "datapath/burst.h"
#include "datapath/end.h"
#include "datapath/lane.h"
#include "datapath/plan.h"
#include "fake_ring.h"
#include "fake_vhost.h"
#include "guest/guest.h"

#define PORT         0
#define FRAME_LEN    64U   /* bytes */
#define FRAME_LONG   1514U /* and its CRC */
#define DATA_ROOM    2048U
#define CALLS_MAX    1000000U
#define GUEST_QUEUES 4U /* that burst_vf_to_vm_spread spreads flows over */

struct variant {
	const char *name; /* of the burst function */
	unsigned (*run)(const struct lane_work *work);
	enum lane_direction direction;
	uint32_t guest_queues; /* bits */
	enum { GUEST_NONE, GUEST_DPDK, GUEST_SPLIT, GUEST_PACKED } guest;
	uint32_t frame; /* bytes, 0 = FRAME_LEN */
};

#define SPREAD ((1U << GUEST_QUEUES) - 1)

static const struct variant variants[] = {
        {"burst_vf_to_vm", burst_vf_to_vm, LANE_VF_TO_VM, 1, GUEST_NONE, 0},
        {"burst_vf_to_vm/dpdk", burst_vf_to_vm, LANE_VF_TO_VM, 1, GUEST_DPDK, 0},
        {"burst_vf_to_vm/split", burst_vf_to_vm, LANE_VF_TO_VM, 1, GUEST_SPLIT, 0},
        {"burst_vf_to_vm/packed", burst_vf_to_vm, LANE_VF_TO_VM, 1, GUEST_PACKED, 0},
        {"burst_vf_to_vm/split-long", burst_vf_to_vm, LANE_VF_TO_VM, 1, GUEST_SPLIT, FRAME_LONG},
        {"burst_vf_to_vm_spread", burst_vf_to_vm_spread, LANE_VF_TO_VM, SPREAD, GUEST_NONE, 0},
        {"burst_vf_to_nobody", burst_vf_to_nobody, LANE_VF_TO_VM, 0, GUEST_NONE, 0},
        {"burst_vm_to_vf", burst_vm_to_vf, LANE_VM_TO_VF, 0, GUEST_NONE, 0},
        {"burst_vm_to_vf/dpdk", burst_vm_to_vf, LANE_VM_TO_VF, 0, GUEST_DPDK, 0},
        {"burst_vm_to_vf/split", burst_vm_to_vf, LANE_VM_TO_VF, 0, GUEST_SPLIT, 0},
        {"burst_vm_to_vf/packed", burst_vm_to_vf, LANE_VM_TO_VF, 0, GUEST_PACKED, 0},
        {"burst_vm_to_vf/split-long", burst_vm_to_vf, LANE_VM_TO_VF, 0, GUEST_SPLIT, FRAME_LONG},
        {"burst_vm_to_vf_vlans", burst_vm_to_vf_vlans, LANE_VM_TO_VF, 0, GUEST_NONE, 0},
        {"burst_vm_to_nobody", burst_vm_to_nobody, LANE_VM_TO_VF, 0, GUEST_NONE, 0},
};

static uint32_t frame_of(const struct variant *variant)
{
	return variant->frame > 0 ? variant->frame : FRAME_LEN;
}

static bool has_ring(const struct variant *variant)
{
	return variant->guest == GUEST_SPLIT || variant->guest == GUEST_PACKED;
}

/* --- packets --------------------------------------------------------------------------------- */

/* The same ones each time: nobody changes or frees them. */
static struct rte_mbuf packets[LANE_BURST];
static uint8_t frames[LANE_BURST][DATA_ROOM];

static void packets_make(uint32_t length)
{
	static const uint8_t headers[] = {
	        2,    0,  0, 0, 0, 1, 2, 0, 0,  0,  0, 2, 8,  0,                    /* Ethernet */
	        0x45, 0,  0, 0, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2, /* IPv4 */
	        0,    80, 0, 0};                                                    /* ports */

	for (unsigned i = 0; i < LANE_BURST; i++) {
		struct rte_mbuf *packet = &packets[i];

		memcpy(frames[i], headers, sizeof(headers));
		frames[i][37] = (uint8_t)i; /* a flow of its own */
		packet->buf_addr = frames[i];
		packet->buf_len = DATA_ROOM;
		packet->data_len = (uint16_t)length;
		packet->pkt_len = length;
		packet->nb_segs = 1;
		packet->refcnt = 1;
	}
}

/* --- the ends -------------------------------------------------------------------------------- */

static uint16_t burst; /* packets that a source gives at once */
static uint64_t taken, given, freed;

static uint16_t give(struct rte_mbuf **pkts)
{
	for (unsigned i = 0; i < burst; i++)
		pkts[i] = &packets[i];
	given += burst;
	return burst;
}

/* Not static, and not to be inlined: callgrind knows them by their names. */
uint16_t end_vf_receive(void *queue, struct rte_mbuf **pkts, uint16_t n);
uint16_t end_vf_send(void *queue, struct rte_mbuf **pkts, uint16_t n);
int end_guest_receive(struct guest *guest, uint16_t queue, struct rte_mempool *pool,
                      struct rte_mbuf **pkts, uint16_t n);
int end_guest_send(struct guest *guest, uint16_t queue, struct rte_mbuf **pkts, uint16_t n);
void __wrap_rte_pktmbuf_free_bulk(struct rte_mbuf **pkts, unsigned n);

__attribute__((noinline)) uint16_t end_vf_receive(void *queue, struct rte_mbuf **pkts, uint16_t n)
{
	(void)queue;
	(void)n;
	return give(pkts);
}

__attribute__((noinline)) uint16_t end_vf_send(void *queue, struct rte_mbuf **pkts, uint16_t n)
{
	(void)queue;
	taken += n;
	fake_pool_take_back(pkts, n);
	return n;
}

__attribute__((noinline)) int end_guest_receive(struct guest *guest, uint16_t queue,
                                                struct rte_mempool *pool, struct rte_mbuf **pkts,
                                                uint16_t n)
{
	(void)guest;
	(void)queue;
	(void)pool;
	(void)n;
	return give(pkts);
}

__attribute__((noinline)) int end_guest_send(struct guest *guest, uint16_t queue,
                                             struct rte_mbuf **pkts, uint16_t n)
{
	(void)guest;
	(void)queue;
	(void)pkts;
	taken += n;
	return n;
}

void __wrap_rte_pktmbuf_free_bulk(struct rte_mbuf **pkts, unsigned n)
{
	fake_pool_take_back(pkts, n);
	freed += n;
}

static const struct guest_ops guest_ops = {.receive = end_guest_receive, .send = end_guest_send};
static uint16_t fake_vhost_take(uint16_t n)
{
	taken += n;
	return n;
}

static uint16_t fake_vhost_give(struct rte_mbuf **pkts)
{
	return give(pkts);
}

static struct guest idle_guest = {.ops = &guest_ops};

static void vf_install(void)
{
	static void *queues[1], *callbacks[1];

	rte_eth_fp_ops[PORT].rx_pkt_burst = end_vf_receive;
	rte_eth_fp_ops[PORT].tx_pkt_burst = end_vf_send;
	rte_eth_fp_ops[PORT].rxq = (struct rte_ethdev_qdata){queues, callbacks};
	rte_eth_fp_ops[PORT].txq = (struct rte_ethdev_qdata){queues, callbacks};
}

/* --- the calls ------------------------------------------------------------------------------- */

static struct lane lane;
static struct vlan_set vlans_heard;

static int lane_make(const struct variant *variant)
{
	if (lane_init(&lane, 0, variant->direction, 0) < 0 ||
	    lane_reserve(&lane, variant->guest_queues) < 0)
		return -ENOMEM;
	lane_aim(&lane, variant->guest_queues);
	lane.heard = LANE_HEARD; /* every call alike: none of them is asked who speaks */
	return 0;
}

/* Every packet came in, and went out or was dropped: else the figures are of something else. */
static bool all_moved(const struct variant *variant, uint64_t wanted)
{
	struct lane_counters c = {0};
	bool nobody = strstr(variant->name, "nobody") != NULL;

	lane_counters_add(&c, &lane.counters);
	if (has_ring(variant) && variant->direction == LANE_VF_TO_VM)
		taken = freed;
	return given == wanted && c.rx_pkts == wanted && c.rx_bytes == wanted * frame_of(variant) &&
	       lane_held(&lane) == 0 && taken == (nobody ? 0 : wanted) &&
	       c.tx_pkts == (nobody ? 0 : wanted) && c.dropped_absent_pkts == (nobody ? wanted : 0);
}

static const struct variant *variant_named(const char *name)
{
	for (unsigned i = 0; i < RTE_DIM(variants); i++)
		if (strcmp(variants[i].name, name) == 0)
			return &variants[i];
	return NULL;
}

static bool parse(const char *text, unsigned max, unsigned *value)
{
	char *end;

	errno = 0;
	unsigned long parsed = strtoul(text, &end, 10);
	*value = (unsigned)parsed;
	return errno == 0 && end != text && *end == '\0' && parsed <= max;
}

static int usage(void)
{
	fputs("Usage: burst_cost FUNCTION PACKETS CALLS\nFunctions:\n", stderr);
	for (unsigned i = 0; i < RTE_DIM(variants); i++)
		fprintf(stderr, "  %s\n", variants[i].name);
	return EXIT_FAILURE;
}

static struct guest *guest_connect(const struct variant *variant)
{
	if (has_ring(variant))
		return fake_ring_connect(variant->guest == GUEST_PACKED,
		                         variant->direction == LANE_VF_TO_VM, frame_of(variant));
	return variant->guest == GUEST_DPDK ? fake_vhost_connect() : &idle_guest;
}

/* What the guest's driver does beside it does not count. */
static void run(const struct variant *variant, const struct lane_work *work)
{
	if (has_ring(variant))
		fake_ring_post(burst);
	if (has_ring(variant) && variant->direction == LANE_VM_TO_VF)
		given += burst;
	work->run(work);
}

static int measure(const struct variant *variant, unsigned calls)
{
	struct lane_work work = {.lane = &lane,
	                         .run = variant->run,
	                         .guest = guest_connect(variant),
	                         .pool = fake_pool_new(),
	                         .stall_cycles = UINT64_MAX,
	                         .port_id = PORT,
	                         .guest_queues = variant->guest_queues,
	                         .max_frame = RTE_ETHER_MAX_LEN,
	                         .vlans = &vlans_heard,
	                         .loss = &lane.counters.absent[ABSENT_NOBODY]};

	if (work.guest == NULL || work.pool == NULL || lane_make(variant) < 0) {
		fprintf(stderr, "burst_cost: %s cannot be set up\n", variant->name);
		return EXIT_FAILURE;
	}
	if (variant->direction == LANE_VM_TO_VF) {
		work.from_guest = work.guest->ops->receive;
		if (work.guest->ops->look != NULL)
			work.look = work.guest->ops->look(work.guest, 0);
	} else {
		work.to_guest = work.guest->ops->send;
	}
	run(variant, &work); /* what is done once only is not to be counted */
	CALLGRIND_ZERO_STATS;
	for (unsigned i = 0; i < calls; i++)
		run(variant, &work);
	if (!all_moved(variant, ((uint64_t)calls + 1) * burst)) {
		fprintf(stderr, "burst_cost: %s lost packets\n", variant->name);
		return EXIT_FAILURE;
	}
	lane_free(&lane);
	return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	const struct variant *variant = argc == 4 ? variant_named(argv[1]) : NULL;
	unsigned packets_at_once, calls;

	if (variant == NULL || !parse(argv[2], LANE_BURST, &packets_at_once) ||
	    !parse(argv[3], CALLS_MAX, &calls))
		return usage();
	burst = (uint16_t)packets_at_once;
	packets_make(frame_of(variant));
	vf_install();
	return measure(variant, calls);
}
