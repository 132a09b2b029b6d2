/* WRAP: rte_eth_dev_default_mac_addr_set rte_eth_bond_create rte_eth_bond_slave_add
   WRAP: rte_eth_bond_member_add */
/* WRAP: workers_synchronize rte_eth_bond_mac_address_set */
/* Bonds on DPDK's software devices: what they are made of, that all of it is undone whichever step
 * fails, and members that go and come. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include <rte_cycles.h>
#include <rte_eth_bond.h>

#include "base/log.h"
#include "datapath/worker.h"
#include "dpdk/compat.h"
#include "dpdk/pool.h"
#include "eal_rig.h"
#include "fake_failures.h"
#include "vf/attach.h"
#include "vf/dpdk_mac.h"
#include "vf/events.h"
#include "vf/health.h"
#include "vf/mend.h"
#include "vf/reception.h"
#include "vf/vf.h"

WRAP_INT(rte_eth_dev_default_mac_addr_set, (uint16_t port, struct rte_ether_addr *mac), (port, mac))
WRAP_INT(rte_eth_bond_create, (const char *name, uint8_t mode, uint8_t node), (name, mode, node))
#if DPDK_BONDS_HAVE_MEMBERS
#define MEMBER_ADD "rte_eth_bond_member_add"
WRAP_INT(rte_eth_bond_member_add, (uint16_t bond, uint16_t member), (bond, member))
#else
#define MEMBER_ADD "rte_eth_bond_slave_add"
WRAP_INT(rte_eth_bond_slave_add, (uint16_t bond, uint16_t member), (bond, member))
#endif

static unsigned n_synchronized, n_mac_set;

int __real_rte_eth_bond_mac_address_set(uint16_t bond, struct rte_ether_addr *mac);
int __wrap_rte_eth_bond_mac_address_set(uint16_t bond, struct rte_ether_addr *mac);

int __wrap_rte_eth_bond_mac_address_set(uint16_t bond, struct rte_ether_addr *mac)
{
	n_mac_set++;
	return __real_rte_eth_bond_mac_address_set(bond, mac);
}

void __wrap_workers_synchronize(struct workers *workers);

void __wrap_workers_synchronize(struct workers *workers)
{
	ck_assert_ptr_null(workers);
	n_synchronized++;
}

static struct bond_spec bond;
static struct vf_params params;
static struct vf vf;
static struct error err;

static void make_bond(unsigned n, uint8_t mode, const char *first)
{
	memset(&bond, 0, sizeof(bond));
	bond.mode = mode;
	for (unsigned i = 0; i < n; i++) {
		char text[32];

		snprintf(text, sizeof(text), "net_null%u,no-rx=1", i);
		ck_assert_int_eq(device_spec_parse(i == 0 ? first : text, &bond.members[i], &err),
		                 0);
	}
	bond.n_members = n;
	params = (struct vf_params){
	        .relay_id = 7,
	        .max_queues = 1,
	        .mtu = 2100,
	        .ring_size = 512,
	        .backlog = 256,
	        .n_workers = 2,
	        .no_huge = true,
	        .bond = &bond,
	};
}

static int attach(void)
{
	struct device_spec name;

	ck_assert_int_eq(bond_device_from_name("net_bonding0", &name, &err), 0);
	err = (struct error){0};
	return vf_attach(&name, &params, &vf, &err);
}

static void detach(void)
{
	struct vf_leftover leftover;

	ck_assert_int_eq(vf_detach(&vf, &leftover, &err), 0);
	ck_assert_uint_eq(leftover.pkts, 0);
	ck_assert_ptr_null(vf.pool);
}

/* A port each; net_null and 802.3ad keep memory of their own, so that is not compared. */
static void expect_nothing_left(const struct eal_rig_usage *before)
{
	struct eal_rig_usage now = eal_rig_usage();

	ck_assert_uint_eq(now.ports, before->ports);
	ck_assert_uint_eq(now.fds, before->fds);
	ck_assert_uint_eq(pool_reclaim(), 0);
}

START_TEST(every_mode_and_every_size)
{
	struct eal_rig_usage before = eal_rig_usage();
	uint8_t mode = (uint8_t)_i;

	for (unsigned n = 2; n <= BOND_MEMBERS_MAX; n += 3) {
		make_bond(n, mode, "net_null0,no-rx=1");
		if (attach() < 0)
			ck_abort_msg("mode %u, %u members: %s", mode, n, err.text);
		ck_assert_uint_eq(rte_eth_dev_count_total(), before.ports + n + 1);
		ck_assert_int_eq(rte_eth_bond_mode_get(vf.port_id), mode);
		ck_assert_uint_eq(vf.n_members, n);
		ck_assert_uint_eq(vf.mtu, 2100);
		ck_assert(vf.needs_tx_polls == (mode == BONDING_MODE_8023AD));
		ck_assert((vf.send != NULL) == (mode == BONDING_MODE_ALB));
		for (unsigned i = 0; i < n; i++)
			ck_assert(vf.members[i].present);
		/* every member has its rings in the pool */
		ck_assert_uint_ge(vf.pool->size, n * 1024 + 256);
		detach();
	}
	expect_nothing_left(&before);
}
END_TEST

START_TEST(as_good_as_its_weakest_member)
{
	make_bond(2, 1, "net_tap0,iface=unit0");
	ck_assert_int_eq(attach(), 0);
	ck_assert_uint_eq(vf.mtu, 1500);
	ck_assert_uint_eq(vf.max_frame, 1522);
	detach();
}
END_TEST

START_TEST(refuses_what_cannot_be_a_member)
{
	struct eal_rig_usage before = eal_rig_usage();

	/* no MAC address can be set */
	make_bond(2, 1, "net_ring0");
	ck_assert_int_eq(attach(), -1);
	ck_assert_int_eq(err.code, BOND_ERROR_MEMBER);
	ck_assert_ptr_nonnull(strstr(err.text, "net_ring0"));
	/* it is not there */
	make_bond(2, 1, "net_af_packet0,iface=nosuch");
	ck_assert_int_eq(attach(), -1);
	ck_assert_int_eq(err.code, BOND_ERROR_MEMBER);
	/* it is somebody's */
	make_bond(2, 1, "net_null0,no-rx=1");
	ck_assert_int_eq(attach(), 0);
	struct vf first = vf;
	struct device_spec other;
	ck_assert_int_eq(bond_device_from_name("net_bonding1", &other, &err), 0);
	ck_assert_int_eq(vf_attach(&other, &params, &vf, &err), -1);
	ck_assert_int_eq(err.code, BOND_ERROR_MEMBER_IN_USE);
	ck_assert_ptr_nonnull(strstr(err.text, "relay 7"));
	ck_assert_int_eq(attach(), -1);
	ck_assert_int_eq(err.code, BOND_ERROR_CREATE);
	vf = first;
	detach();
	expect_nothing_left(&before);
}
END_TEST

static const struct {
	const char *function;
	int result, passes, code;
} failures[] = {
        {"rte_eth_bond_create", -1, 0, BOND_ERROR_CREATE},
        {MEMBER_ADD, -1, 0, BOND_ERROR_MEMBER},
        {MEMBER_ADD, -1, 2, BOND_ERROR_MEMBER},
        {"rte_eth_dev_default_mac_addr_set", -ENOTSUP, 1, BOND_ERROR_MEMBER},
        {"rte_eth_dev_configure", -EINVAL, 0, BOND_ERROR_CONFIGURE},
        {"rte_eth_dev_configure", -EINVAL, 3, BOND_ERROR_CONFIGURE}, /* the bond's own */
        {"rte_mempool_create_empty", ENOMEM, 0, BOND_ERROR_CONFIGURE},
        {"rte_pktmbuf_pool_create", ENOMEM, 2, BOND_ERROR_CONFIGURE}, /* 802.3ad's */
        {"rte_eth_dev_start", -EIO, 0, BOND_ERROR_START},
};

START_TEST(undoes_everything)
{
	struct eal_rig_usage before = eal_rig_usage();
	uint8_t mode = failures[_i].passes == 2 && failures[_i].result == ENOMEM ? 4 : 1;

	make_bond(3, mode, "net_null0,no-rx=1");
	let_fail(failures[_i].function, failures[_i].result, failures[_i].passes, 1);
	ck_assert_int_eq(attach(), -1);
	ck_assert_ptr_null(failing.name);
	ck_assert_int_eq(err.code, failures[_i].code);
	ck_assert_uint_gt(strlen(err.text), 0);
	expect_nothing_left(&before);
	ck_assert_int_eq(attach(), 0); /* nothing of it sticks */
	detach();
}
END_TEST

START_TEST(the_guests_address)
{
	struct rte_ether_addr mac = {.addr_bytes = {2, 0, 0, 0, 0, 9}}, now;
	struct ether_addr wanted = mac_of_dpdk(&mac);

	make_bond(2, (uint8_t)_i, "net_null0,no-rx=1");
	ck_assert_int_eq(attach(), 0);
	ck_assert_int_ne(vf_mac_set(&vf, &wanted, true, &err), VF_MAC_DECLINED);
	ck_assert_int_eq(rte_eth_macaddr_get(vf.port_id, &now), 0);
	ck_assert(rte_is_same_ether_addr(&now, &mac));
	/* the member that receives has it, and knows it from its driver */
	ck_assert_int_eq(rte_eth_macaddr_get(vf.members[0].port_id, &now), 0);
	ck_assert(rte_is_same_ether_addr(&now, &mac));
	detach();
}
END_TEST

/* --- members that go and come -------------------------------------------------------------- */

static unsigned lost_members;

static void on_lost(void *context, unsigned relay_id, unsigned member)
{
	ck_assert_ptr_eq(context, &lost_members);
	ck_assert_uint_eq(relay_id, 7);
	lost_members |= 1U << member;
}

START_TEST(hears_which_member_is_lost)
{
	vf_events_init(on_lost, &lost_members);
	make_bond(3, 1, "net_null0,no-rx=1");
	ck_assert_int_eq(attach(), 0);
	lost_members = 0;
	rte_dev_event_callback_process("net_null2", RTE_DEV_EVENT_REMOVE);
	ck_assert_uint_eq(lost_members, 1U << 2);
	rte_dev_event_callback_process("net_null0", RTE_DEV_EVENT_REMOVE);
	ck_assert_uint_eq(lost_members, 1U << 2 | 1);
	detach();
	lost_members = 0;
	rte_dev_event_callback_process("net_null0", RTE_DEV_EVENT_REMOVE);
	ck_assert_uint_eq(lost_members, 0);
	vf_events_init(NULL, NULL);
}
END_TEST

START_TEST(a_member_goes_and_comes)
{
	struct eal_rig_usage before;
	struct vf_mended mended;

	make_bond(3, (uint8_t)_i, "net_null0,no-rx=1");
	ck_assert_int_eq(attach(), 0);
	before = eal_rig_usage();
	/* it is back at once, as after a reset by its PF */
	n_synchronized = 0;
	ck_assert_int_eq(vf_mend(&vf, &params, 1, 1, NULL, &mended, &err), 0);
	ck_assert_uint_eq(n_synchronized, 1);
	ck_assert_uint_eq(mended.returned, 1);
	ck_assert_uint_eq(vf.generation, 1);
	expect_nothing_left(&before);
	/* it stays away for a while */
	let_fail("rte_eth_dev_default_mac_addr_set", -EIO, 0, 1);
	ck_assert_int_eq(vf_mend(&vf, &params, 1U << 2, 7, NULL, &mended, &err), 1);
	ck_assert(vf.members[0].present && vf.members[1].present && !vf.members[2].present);
	ck_assert_uint_eq(mended.returned, 0);
	ck_assert_uint_eq(rte_eth_dev_count_total(), before.ports - 1);
	err.text[0] = '\0';
	ck_assert_int_eq(vf_mend(&vf, &params, 0, 3, NULL, &mended, &err), 1); /* not this one */
	ck_assert_str_eq(err.text, "");
	ck_assert_int_eq(vf_mend(&vf, &params, 0, 7, NULL, &mended, &err), 0);
	ck_assert_uint_eq(mended.returned, 1U << 2);
	ck_assert_uint_eq(n_synchronized, 2);
	/* the last one is not taken out */
	ck_assert_int_eq(vf_mend(&vf, &params, 7, 7, NULL, &mended, &err), -1);
	ck_assert(vf.members[0].present && vf.members[1].present && vf.members[2].present);
	detach();
}
END_TEST

START_TEST(what_was_lost_may_come_back_in_parts)
{
	struct eal_rig_usage before = eal_rig_usage();
	struct vf_mended mended;

	make_bond(3, 1, "net_af_packet0,iface=nosuch");
	ck_assert_int_eq(attach(), -1);
	params.partial = true;
	ck_assert_int_eq(attach(), 0);
	ck_assert(!vf.members[0].present && vf.members[1].present);
	ck_assert_int_eq(vf_mend(&vf, &params, 0, 7, NULL, &mended, &err), 1);
	ck_assert_ptr_nonnull(strstr(err.text, "nosuch"));
	detach();
	expect_nothing_left(&before);
}
END_TEST

/* What the PMD has asked of them meanwhile may have been lost. */
START_TEST(who_takes_over_gets_the_bonds_address_once_more)
{
	struct vf_health health = {0};
	struct rte_ether_addr mac;

	make_bond(2, 1, "net_null0,no-rx=1");
	ck_assert_int_eq(attach(), 0);
	n_mac_set = 0;
	for (int i = 0; i < 500 && !(health.members[0].active && health.members[1].active); i++) {
		rte_delay_ms(10); /* the PMD's interrupt thread is to see the links */
		vf_health_read(&vf, &health);
	}
	ck_assert_uint_ge(n_mac_set, 1);
	ck_assert_uint_le(n_mac_set, 2);
	n_mac_set = 0;
	vf_health_read(&vf, &health);
	ck_assert_uint_eq(n_mac_set, 0);

	health.members[1].active = false;
	vf_health_read(&vf, &health);
	ck_assert(health.members[1].active);
	ck_assert_uint_eq(n_mac_set, 1);
	ck_assert_int_eq(rte_eth_macaddr_get(vf.port_id, &mac), 0);
	ck_assert_mem_eq(&mac, &vf.mac, sizeof(mac));

	detach();
}
END_TEST

static void set_up(void)
{
	failing.name = NULL;
}

int main(void)
{
	TCase *tcase = tcase_create("all");
	bool has_netns;

	log_open(LOG_TO_STDOUT, getenv("VERBOSE") != NULL ? LOG_DEBUG : LOG_CRIT, "test_bond");
	eal_rig_start(&has_netns);
	tcase_add_checked_fixture(tcase, set_up, NULL);
	tcase_set_timeout(tcase, 60);
	tcase_add_loop_test(tcase, every_mode_and_every_size, 0, BOND_MODE_MAX + 1);
	if (has_netns) {
		tcase_add_test(tcase, as_good_as_its_weakest_member);
		tcase_add_test(tcase, what_was_lost_may_come_back_in_parts);
	}
	tcase_add_loop_test(tcase, the_guests_address, 0, 3);
	tcase_add_test(tcase, refuses_what_cannot_be_a_member);
	tcase_add_loop_test(tcase, undoes_everything, 0, (int)RTE_DIM(failures));
	tcase_add_test(tcase, who_takes_over_gets_the_bonds_address_once_more);
	tcase_add_test(tcase, hears_which_member_is_lost);
	tcase_add_loop_test(tcase, a_member_goes_and_comes, 0, BOND_MODE_MAX + 1);
	return eal_rig_main("bond", tcase);
}
