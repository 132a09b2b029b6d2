/* WRAP: rte_eth_rx_queue_setup rte_eth_tx_queue_setup rte_eth_dev_set_mtu rte_eth_dev_stop */
/* The VF end on DPDK's software devices: what it sets up, what it says when it cannot, and that
 * nothing is left behind, whichever step fails. */
#include <check.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_dev.h>

#include "base/log.h"
#include "base/parse.h"
#include "dpdk/pool.h"
#include "eal_rig.h"
#include "fake_failures.h"
#include "vf/attach.h"
#include "vf/configure.h"
#include "vf/events.h"
#include "vf/health.h"
#include "vf/rss.h"
#include "vf/vf.h"

static bool has_netns;

/* net_null never frees the packet that it makes for each queue: not our leak. */
static unsigned null_leak;

static void note_null_leak(uint16_t port)
{
	struct rte_eth_dev_info info;

	ck_assert_int_eq(rte_eth_dev_info_get(port, &info), 0);
	if (strcmp(info.driver_name, "net_null") == 0)
		null_leak++;
}

int __real_rte_eth_rx_queue_setup(uint16_t port, uint16_t queue, uint16_t n, unsigned socket,
                                  const struct rte_eth_rxconf *conf, struct rte_mempool *pool);
int __wrap_rte_eth_rx_queue_setup(uint16_t port, uint16_t queue, uint16_t n, unsigned socket,
                                  const struct rte_eth_rxconf *conf, struct rte_mempool *pool);
int __wrap_rte_eth_rx_queue_setup(uint16_t port, uint16_t queue, uint16_t n, unsigned socket,
                                  const struct rte_eth_rxconf *conf, struct rte_mempool *pool)
{
	if (fails("rte_eth_rx_queue_setup"))
		return failing.code;
	note_null_leak(port);
	return __real_rte_eth_rx_queue_setup(port, queue, n, socket, conf, pool);
}

int __real_rte_eth_tx_queue_setup(uint16_t port, uint16_t queue, uint16_t n, unsigned socket,
                                  const struct rte_eth_txconf *conf);
int __wrap_rte_eth_tx_queue_setup(uint16_t port, uint16_t queue, uint16_t n, unsigned socket,
                                  const struct rte_eth_txconf *conf);
int __wrap_rte_eth_tx_queue_setup(uint16_t port, uint16_t queue, uint16_t n, unsigned socket,
                                  const struct rte_eth_txconf *conf)
{
	if (fails("rte_eth_tx_queue_setup"))
		return failing.code;
	note_null_leak(port);
	return __real_rte_eth_tx_queue_setup(port, queue, n, socket, conf);
}

WRAP_INT(rte_eth_dev_stop, (uint16_t port), (port))
WRAP_INT(rte_eth_dev_set_mtu, (uint16_t port, uint16_t mtu), (port, mtu))

static struct eal_rig_usage usage(void)
{
	struct eal_rig_usage now = eal_rig_usage();

	now.allocations -= null_leak;
	return now;
}

static void expect_usage(struct eal_rig_usage before)
{
	before.allocations += null_leak;
	eal_rig_expect_usage(&before);
}

static const struct vf_params usual = {
        .relay_id = 7,
        .max_queues = 1,
        .mtu = 2100,
        .ring_size = 512,
        .backlog = 256,
        .n_workers = 2,
        .no_huge = true,
};

static struct vf vf;
static struct error err;

static int attach(const char *text, const struct vf_params *params)
{
	struct device_spec spec;

	ck_assert_int_eq(device_spec_parse(text, &spec, &err), 0);
	return vf_attach(&spec, params, &vf, &err);
}

static void attach_ok(const char *text, const struct vf_params *params)
{
	int rc = attach(text, params);

	ck_assert_msg(rc == 0, "%s", err.text);
}

static struct vf_leftover detach_ok(void)
{
	struct vf_leftover leftover;
	int rc = vf_detach(&vf, &leftover, &err);

	ck_assert_msg(rc == 0, "%s", err.text);
	ck_assert_uint_eq(pool_reclaim(), 0);
	return leftover;
}

static void expect_failure(const char *text, const struct vf_params *params, int code,
                           const char *words)
{
	struct eal_rig_usage before = usage();

	err = (struct error){0};
	ck_assert_int_eq(attach(text, params), -1);
	ck_assert_int_eq(err.code, code);
	ck_assert_msg(strstr(err.text, words) != NULL, "%s", err.text);
	failing.name = NULL;
	expect_usage(before);
}

START_TEST(sets_up_a_simple_device)
{
	struct vf_health health = {0};

	attach_ok("net_null0", &usual);
	ck_assert_uint_eq(vf.n_queues, 1);
	ck_assert_uint_eq(vf.mtu, 2100);
	ck_assert_uint_eq(vf.max_frame, 2122);
	ck_assert_int_eq(vf.numa_node, 0);
	ck_assert(!vf.has_rss && vf.promiscuous);
	ck_assert_uint_le(vf.pool->size, 2048);
	ck_assert(!vf_mac_is_zero(&vf.mac));
	vf_health_read(&vf, &health);
	ck_assert(health.link_up);
	ck_assert_uint_eq(health.counts.missed + health.counts.no_mbuf + health.counts.rx_errors +
	                          health.counts.tx_errors,
	                  0);
	detach_ok();
}
END_TEST

START_TEST(takes_as_many_queues_as_there_are)
{
	struct vf_params params = usual;

	params.max_queues = 3;
	attach_ok("net_null0", &params);
	ck_assert_uint_eq(vf.n_queues, 3);
	ck_assert(vf.has_rss);

	struct rte_eth_rss_reta_entry64 reta[2] = {{.mask = UINT64_MAX}, {.mask = UINT64_MAX}};
	ck_assert_int_eq(rte_eth_dev_rss_reta_query(vf.port_id, reta, 128), 0);
	for (int i = 0; i < 128; i++)
		ck_assert_uint_eq(reta[i / 64].reta[i % 64], i % 3);
	detach_ok();

	/* a device without RSS gives its queues all the same */
	params.max_queues = 32;
	attach_ok("net_ring0", &params);
	ck_assert_uint_eq(vf.n_queues, 16);
	ck_assert(!vf.has_rss);
	detach_ok();
}
END_TEST

/* Entry i of the table serves guest queue i mod n, which VF queue (i mod n) mod 4 takes care of. */
START_TEST(flows_are_spread_over_the_guests_queues)
{
	static const unsigned guest_queues[] = {1, 2, 3, 4, 6, 32};
	struct rte_eth_rss_reta_entry64 reta[2] = {{.mask = UINT64_MAX}, {.mask = UINT64_MAX}};
	struct vf_params params = usual;

	params.max_queues = 4;
	attach_ok("net_null0", &params);
	for (unsigned i = 0; i < RTE_DIM(guest_queues); i++) {
		unsigned n = guest_queues[i];

		ck_assert_int_eq(vf_rss_spread(&vf, n), n < 4 ? (int)n : 4);
		ck_assert_int_eq(rte_eth_dev_rss_reta_query(vf.port_id, reta, 128), 0);
		for (unsigned j = 0; j < 128; j++)
			ck_assert_uint_eq(reta[j / 64].reta[j % 64], j % n % 4);
	}
	detach_ok();
	attach_ok("net_ring0", &params);
	ck_assert_int_eq(vf_rss_spread(&vf, 2), -ENOTSUP);
	detach_ok();
}
END_TEST

START_TEST(jumbo_frames_are_scattered)
{
	struct vf_params params = usual;
	struct rte_eth_conf conf;

	params.mtu = 9000;
	attach_ok("net_ring0", &params);
	ck_assert_uint_eq(vf.mtu, 9000);
	ck_assert_uint_eq(vf.max_frame, 9022);
	ck_assert_int_eq(rte_eth_dev_conf_get(vf.port_id, &conf), 0);
	ck_assert_uint_ne(conf.rxmode.offloads & RTE_ETH_RX_OFFLOAD_SCATTER, 0);
	ck_assert_uint_eq(conf.rxmode.offloads & RTE_ETH_RX_OFFLOAD_VLAN_FILTER, 0);
	ck_assert(!vf.filters_vlans && vf.vlans == NULL);
	ck_assert_uint_ne(conf.txmode.offloads & RTE_ETH_TX_OFFLOAD_MULTI_SEGS, 0);
	ck_assert_uint_eq(conf.txmode.offloads & RTE_ETH_TX_OFFLOAD_MBUF_FAST_FREE, 0);
	ck_assert_uint_eq(rte_pktmbuf_data_room_size(vf.pool), POOL_MBUF_SIZE(SIZES_MBUF_DATA));
	ck_assert_uint_eq(vf.pool->size, 1024 + 288 * 5 + 127 + 32 * 5 + 2 * 64);
	detach_ok();

	/* no scatter: what one buffer holds */
	attach_ok("net_null0", &params);
	ck_assert_uint_eq(vf.mtu, SIZES_MBUF_DATA - 26);
	ck_assert_uint_le(vf.max_frame, SIZES_MBUF_DATA);
	detach_ok();
}
END_TEST

static uint64_t rx_checksums(void)
{
	struct rte_eth_conf conf;

	ck_assert_int_eq(rte_eth_dev_conf_get(vf.port_id, &conf), 0);
	return conf.rxmode.offloads & RTE_ETH_RX_OFFLOAD_CHECKSUM;
}

/* A stand-in's driver would check them in software. */
START_TEST(has_a_nic_check_checksums)
{
	struct vf_params params = usual;
	struct rte_mempool *first;

	if (!has_netns || access("/dev/net/tun", R_OK | W_OK) != 0)
		return;
	attach_ok("net_tap0,iface=unit0", &params);
	ck_assert_uint_eq(rx_checksums(), 0);

	/* A NIC with the same abilities. */
	first = vf.pool;
	ck_assert_int_eq(rte_eth_dev_stop(vf.port_id), 0);
	vf.spec.is_pci = true;
	ck_assert_int_eq(vf_configure(&vf, &params, &err), 0);
	ck_assert_uint_eq(rx_checksums(), RTE_ETH_RX_OFFLOAD_CHECKSUM);
	vf.spec.is_pci = false;
	ck_assert_int_eq(rte_eth_dev_start(vf.port_id), 0);
	pool_retire(first);
	detach_ok();
}
END_TEST

START_TEST(knows_what_the_kernels_devices_can)
{
	if (!has_netns || access("/dev/net/tun", R_OK | W_OK) != 0)
		return;
	struct vf_params params = usual;
	params.max_queues = 4;
	attach_ok("net_tap0,iface=unit0", &params);
	ck_assert_uint_eq(vf.n_queues, 4);
	ck_assert(!vf.has_rss);
	ck_assert_uint_eq(vf.mtu, 1500);
	ck_assert_uint_eq(vf.max_frame, 1522);
	ck_assert_uint_ne(if_nametoindex("unit0"), 0);

	struct vf tap = vf;
	attach_ok("net_af_packet0,iface=unit0", &params);
	ck_assert_uint_eq(vf.n_queues, 1);
	ck_assert_uint_eq(vf.mtu, 1500);
	ck_assert_uint_eq(vf.max_frame, 1514);
	detach_ok();
	vf = tap;
	detach_ok();
	ck_assert_uint_eq(if_nametoindex("unit0"), 0);
}
END_TEST

START_TEST(knows_what_memif_can)
{
	char device[96];

	/* A client finds no server here. The PMD leaks a little, a server's listening socket too:
	 * so no account is taken. */
	snprintf(device, sizeof(device), "net_memif0,role=server,socket=/tmp/unit-memif-%d.sock",
	         (int)getpid());
	attach_ok(device, &usual);
	ck_assert_uint_eq(vf.mtu, 1500);
	ck_assert_uint_eq(vf.max_frame, 1518);
	detach_ok();
	ck_assert_int_eq(attach("net_memif0,role=client,socket=/nowhere/unit.sock", &usual), -1);
	ck_assert_int_eq(err.code, VF_ERROR_START);
	ck_assert_str_eq(err.text, "net_memif0 does not start: its driver failed");
}
END_TEST

START_TEST(refuses_what_is_there_or_is_not)
{
	struct vf first;

	attach_ok("net_null0", &usual);
	first = vf;
	expect_failure("net_null0", &usual, VF_ERROR_PROBE,
	               "net_null0 is in use already, by relay 7");
	vf = first;
	detach_ok();
	expect_failure("0000:ff:1f.7", &usual, VF_ERROR_PROBE, "no PCI device 0000:ff:1f.7");
	expect_failure("net_af_packet0", &usual, VF_ERROR_PROBE, "cannot make the device");
	expect_failure("net_af_packet0,iface=nosuchif", &usual, VF_ERROR_PROBE, "nosuchif");
	expect_failure("net_null0,size=2177", &usual, VF_ERROR_CONFIGURE, "2176 at most");
	expect_failure("net_null0,copy=1,size=0x10000", &usual, VF_ERROR_CONFIGURE, "2176");
	attach_ok("net_null0,size=2176,copy=1", &usual);
	detach_ok();
}
END_TEST

START_TEST(counts_ports)
{
	struct vf vfs[RTE_MAX_ETHPORTS];
	struct eal_rig_usage before = usage();
	struct vf_params params = usual;
	char name[32];

	params.ring_size = 64;
	for (int i = 0; i < RTE_MAX_ETHPORTS; i++) {
		snprintf(name, sizeof(name), "net_null%d", i);
		attach_ok(name, &params);
		vfs[i] = vf;
	}
	snprintf(name, sizeof(name), "holds %d ports", RTE_MAX_ETHPORTS);
	expect_failure("net_null99", &params, VF_ERROR_PROBE, name);
	for (int i = 0; i < RTE_MAX_ETHPORTS; i++) {
		vf = vfs[i];
		detach_ok();
	}
	expect_usage(before);
}
END_TEST

static const struct {
	const char *name;
	int given, passes, expected;
	const char *words;
} failures[] = {
        {"rte_eth_dev_configure", -EINVAL, 0, VF_ERROR_CONFIGURE, "2 queues and MTU"},
        {"rte_eth_dev_set_mtu", -EBUSY, 0, VF_ERROR_CONFIGURE, "refuses the MTU 1500"},
        {"rte_mempool_create_empty", ENOMEM, 0, VF_ERROR_NO_MEMPOOL, "no memory left"},
        {"rte_eth_rx_queue_setup", -ENOMEM, 0, VF_ERROR_RX_QUEUE, "rx queue 0"},
        {"rte_eth_rx_queue_setup", -ENOMEM, 1, VF_ERROR_RX_QUEUE, "rx queue 1"},
        {"rte_eth_tx_queue_setup", -ENOMEM, 0, VF_ERROR_TX_QUEUE, "tx queue 0"},
        {"rte_eth_tx_queue_setup", -ENOMEM, 1, VF_ERROR_TX_QUEUE, "tx queue 1"},
        {"rte_eth_dev_start", -EIO, 0, VF_ERROR_START, "does not start: Input/output error"},
};

/* Each step fails once on each device, which then attaches as if nothing had been. */
START_TEST(undoes_everything)
{
	static const char *const devices[] = {"net_null0", "net_ring0", "net_tap0,iface=unit0"};
	struct vf_params params = usual;

	params.max_queues = 2;
	for (size_t d = 0; d < RTE_DIM(devices); d++) {
		if (string_starts_with(devices[d], "net_tap") && !has_netns)
			continue;
		attach_ok(devices[d], &params); /* what is allocated once and for all */
		detach_ok();
		let_fail(failures[_i].name, failures[_i].given, failures[_i].passes, 2);
		expect_failure(devices[d], &params, failures[_i].expected, failures[_i].words);
		attach_ok(devices[d], &params);
		detach_ok();
	}
}
END_TEST

/* A PF that allows its VFs no more than its own MTU. */
START_TEST(falls_back_to_the_ordinary_mtu)
{
	let_fail("rte_eth_dev_set_mtu", -EINVAL, 0, 1);
	attach_ok("net_null0", &usual);
	ck_assert_uint_eq(vf.mtu, 1500);
	ck_assert_uint_eq(vf.max_frame, 1522);
	detach_ok();
}
END_TEST

/* Workers are woken by the VF if its driver can do that, and it can be set up so. */
START_TEST(tells_of_packets_if_it_can)
{
	static const char *const steps[] = {NULL, "rte_eth_dev_configure", "rte_eth_dev_start",
	                                    "rte_eth_rx_queue_setup"};
	struct vf_params params = usual;
	struct eal_rig_usage before = usage();

	params.rx_interrupts = true;
	attach_ok("net_null0", &params);
	ck_assert_int_eq(vf.alarms[0].kind, VF_ALARM_NONE);
	detach_ok();
	if (!has_netns || access("/dev/net/tun", R_OK | W_OK) != 0)
		return;
	for (unsigned i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		if (steps[i] != NULL)
			let_fail(steps[i], -EIO, 0, 1);
		attach_ok("net_tap0,iface=unit0", &params);
		ck_assert_int_eq(vf.alarms[0].kind,
		                 steps[i] == NULL ? VF_ALARM_READABLE : VF_ALARM_NONE);
		if (steps[i] == NULL)
			ck_assert_int_ge(vf.alarms[0].fd, 0);
		detach_ok();
	}
	expect_usage(before);
}
END_TEST

START_TEST(detaches_whatever_fails)
{
	struct eal_rig_usage before = usage();
	struct vf_leftover leftover;

	attach_ok("net_null0", &usual);
	let_fail("rte_eth_dev_stop", -EIO, 0, 1);
	ck_assert_int_eq(vf_detach(&vf, &leftover, &err), -1);
	failing.name = NULL;
	ck_assert_int_eq(err.code, VF_ERROR_DETACH);
	ck_assert_ptr_nonnull(strstr(err.text, "net_null0"));
	ck_assert_ptr_nonnull(strstr(err.text, "stopping failed"));
	ck_assert_ptr_null(vf.pool);
	pool_reclaim();
	expect_usage(before);
	attach_ok("net_null0", &usual);
	detach_ok();
}
END_TEST

START_TEST(counts_what_was_left)
{
	struct rte_mbuf *pkts[8];
	struct vf_leftover leftover;

	attach_ok("net_ring0", &usual);
	ck_assert_int_eq(rte_pktmbuf_alloc_bulk(vf.pool, pkts, 8), 0);
	for (int i = 0; i < 8; i++)
		ck_assert_ptr_nonnull(rte_pktmbuf_append(pkts[i], 100));
	ck_assert_uint_eq(rte_eth_tx_burst(vf.port_id, 0, pkts, 8), 8); /* loops back */
	leftover = detach_ok();
	ck_assert_uint_eq(leftover.pkts, 8);
	ck_assert_uint_eq(leftover.bytes, 800);

	/* A device that never runs empty. */
	attach_ok("net_null0", &usual);
	leftover = detach_ok();
	ck_assert_uint_eq(leftover.pkts, 65536);
}
END_TEST

/* A guest still holds a packet when the VF goes. */
START_TEST(pool_outlives_the_device)
{
	struct eal_rig_usage before = usage();
	struct vf_leftover leftover;
	struct rte_mbuf *held;

	attach_ok("net_null0", &usual);
	held = rte_pktmbuf_alloc(vf.pool);
	ck_assert_ptr_nonnull(held);
	ck_assert_int_eq(vf_detach(&vf, &leftover, &err), 0);
	ck_assert_uint_eq(pool_reclaim(), 1);
	attach_ok("net_null0", &usual);
	ck_assert_int_eq(vf_detach(&vf, &leftover, &err), 0);
	ck_assert_uint_eq(pool_reclaim(), 1);
	rte_pktmbuf_free(held);
	ck_assert_uint_eq(pool_reclaim(), 0);
	expect_usage(before);
}
END_TEST

START_TEST(a_hundred_times)
{
	static const char *const devices[] = {
	        "net_null0", "net_ring0", "net_tap0,iface=unit0",
	        "net_memif0,role=server,socket-abstract=yes,socket=unit"};
	const char *device = devices[_i];
	struct vf_params params = usual;

	if (string_starts_with(device, "net_tap") && !has_netns)
		return;
	params.max_queues = 2;
	attach_ok(device, &params);
	detach_ok();
	struct eal_rig_usage before = usage();
	for (int i = 0; i < 100; i++) {
		attach_ok(device, &params);
		detach_ok();
	}
	expect_usage(before);
}
END_TEST

static unsigned n_lost, lost_relay;

static void on_lost(void *context, unsigned relay_id, unsigned member)
{
	ck_assert_uint_eq(member, 0);
	ck_assert_ptr_eq(context, &n_lost);
	lost_relay = relay_id;
	n_lost++;
}

/* The kernel wants the device back: somebody unbinds it. */
START_TEST(hears_that_the_device_is_wanted_back)
{
	vf_events_init(on_lost, &n_lost);
	n_lost = 0;
	attach_ok("net_null0", &usual);
	rte_dev_event_callback_process("net_null1", RTE_DEV_EVENT_REMOVE);
	rte_dev_event_callback_process("net_null0", RTE_DEV_EVENT_ADD);
	ck_assert_uint_eq(n_lost, 0);
	rte_dev_event_callback_process("net_null0", RTE_DEV_EVENT_REMOVE);
	ck_assert_uint_eq(n_lost, 1);
	ck_assert_uint_eq(lost_relay, usual.relay_id);
	detach_ok();
	rte_dev_event_callback_process("net_null0", RTE_DEV_EVENT_REMOVE);
	ck_assert_uint_eq(n_lost, 1);
	vf_events_init(NULL, NULL);
}
END_TEST

static void set_up(void)
{
	failing.name = NULL;
}

int main(void)
{
	TCase *tcase = tcase_create("all");

	log_open(LOG_TO_STDOUT, getenv("VERBOSE") != NULL ? LOG_DEBUG : LOG_CRIT, "test_vf");
	eal_rig_start(&has_netns);
	tcase_add_checked_fixture(tcase, set_up, NULL);
	tcase_add_test(tcase, sets_up_a_simple_device);
	tcase_add_test(tcase, takes_as_many_queues_as_there_are);
	tcase_add_test(tcase, flows_are_spread_over_the_guests_queues);
	tcase_add_test(tcase, jumbo_frames_are_scattered);
	tcase_add_test(tcase, knows_what_the_kernels_devices_can);
	tcase_add_test(tcase, has_a_nic_check_checksums);
	tcase_add_test(tcase, knows_what_memif_can);
	tcase_add_test(tcase, refuses_what_is_there_or_is_not);
	tcase_add_test(tcase, counts_ports);
	tcase_add_loop_test(tcase, undoes_everything, 0, (int)RTE_DIM(failures));
	tcase_add_test(tcase, falls_back_to_the_ordinary_mtu);
	tcase_add_test(tcase, tells_of_packets_if_it_can);
	tcase_add_test(tcase, detaches_whatever_fails);
	tcase_add_test(tcase, counts_what_was_left);
	tcase_add_test(tcase, pool_outlives_the_device);
	tcase_add_loop_test(tcase, a_hundred_times, 0, 3);
	tcase_add_test(tcase, hears_that_the_device_is_wanted_back);
	return eal_rig_main("vf", tcase);
}
