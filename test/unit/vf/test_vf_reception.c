/* WRAP: rte_eth_macaddr_get rte_eth_dev_default_mac_addr_set rte_eth_dev_mac_addr_add */
/* WRAP: rte_eth_dev_mac_addr_remove rte_eth_dev_info_get rte_eth_promiscuous_enable */
/* WRAP: rte_eth_allmulticast_enable pci_sysfs_read pf_netlink_read_vf */
/* Whose unicast a VF receives, with a NIC made of memory: its PF has a will of its own, and its VF
 * driver may tell lies, as some do.
 */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <rte_ethdev.h>

#include "base/log.h"
#include "suite.h"
#include "sys/pci_sysfs.h"
#include "sys/pf_netlink.h"
#include "vf/dpdk_mac.h"
#include "vf/reception.h"
#include "vf/vf.h"

#define PORT 5

static const struct ether_addr nobodys, hosts = {{2, 0, 0, 0, 0, 1}}, own = {{2, 0, 0, 0, 0, 2}},
                                        guests = {{2, 0, 0, 0, 0, 3}},
                                        others = {{2, 0, 0, 0, 0, 4}};

/* --- the NIC -----------------------------------------------------------------------------------
 */

static struct {
	const char *driver;
	/* the PF */
	bool is_vf, in_sight, tells_trust;
	int netlink_rc;
	bool trusted, host_set;
	struct ether_addr pf_mac;
	/* the VF's driver */
	bool honest;    /* tells of refusals */
	int default_rc; /* other than 0: fails so whatever the PF says */
	int add_rc;     /* -ENOTSUP: has no additional addresses */
	int promisc_rc, allmulti_rc;
	struct ether_addr mac, extra; /* as ethdev has them */
	unsigned n_sets, n_adds, n_removes, n_promisc, n_allmulti;
} nic;

int __wrap_pci_sysfs_read(const char *sysfs, const struct pci_address *address,
                          struct pci_function *out);
int __wrap_pf_netlink_read_vf(const char *pf, unsigned index, struct pf_vf *out);
int __wrap_rte_eth_macaddr_get(uint16_t port, struct rte_ether_addr *mac);
int __wrap_rte_eth_dev_default_mac_addr_set(uint16_t port, struct rte_ether_addr *mac);
int __wrap_rte_eth_dev_mac_addr_add(uint16_t port, struct rte_ether_addr *mac, uint32_t pool);
int __wrap_rte_eth_dev_mac_addr_remove(uint16_t port, struct rte_ether_addr *mac);
int __wrap_rte_eth_dev_info_get(uint16_t port, struct rte_eth_dev_info *info);
int __wrap_rte_eth_promiscuous_enable(uint16_t port);
int __wrap_rte_eth_allmulticast_enable(uint16_t port);

int __wrap_pci_sysfs_read(const char *sysfs, const struct pci_address *address,
                          struct pci_function *out)
{
	(void)sysfs;
	*out = (struct pci_function){.address = *address, .is_vf = nic.is_vf, .vf_index = 6};
	out->has_pf = nic.in_sight;
	if (nic.in_sight)
		memcpy(out->pf_netdev, "ens1", sizeof("ens1"));
	return 0;
}

int __wrap_pf_netlink_read_vf(const char *pf, unsigned index, struct pf_vf *out)
{
	ck_assert_str_eq(pf, "ens1");
	ck_assert_uint_eq(index, 6);
	*out = (struct pf_vf){
	        .has_mac = true, .has_trust = nic.tells_trust, .trusted = nic.trusted};
	memcpy(out->mac, &nic.pf_mac, sizeof(out->mac));
	return nic.netlink_rc;
}

int __wrap_rte_eth_macaddr_get(uint16_t port, struct rte_ether_addr *mac)
{
	ck_assert_uint_eq(port, PORT);
	*mac = mac_to_dpdk(&nic.mac);
	return 0;
}

int __wrap_rte_eth_dev_default_mac_addr_set(uint16_t port, struct rte_ether_addr *mac)
{
	bool agreed = !nic.is_vf || nic.trusted || !nic.host_set;

	ck_assert_uint_eq(port, PORT);
	nic.n_sets++;
	if (nic.default_rc != 0)
		return nic.default_rc;
	if (nic.honest && !agreed)
		return -EPERM;
	if (agreed)
		nic.pf_mac = mac_of_dpdk(mac);
	nic.mac = mac_of_dpdk(mac);
	return 0;
}

int __wrap_rte_eth_dev_mac_addr_add(uint16_t port, struct rte_ether_addr *mac, uint32_t pool)
{
	ck_assert_uint_eq(port, PORT);
	ck_assert_uint_eq(pool, 0);
	nic.n_adds++;
	if (nic.add_rc != 0)
		return nic.add_rc;
	ck_assert(vf_mac_equal(&nic.extra, &nobodys)); /* one at a time */
	nic.extra = mac_of_dpdk(mac);
	return 0;
}

int __wrap_rte_eth_dev_mac_addr_remove(uint16_t port, struct rte_ether_addr *mac)
{
	struct ether_addr extra = mac_of_dpdk(mac);

	ck_assert_uint_eq(port, PORT);
	ck_assert(vf_mac_equal(&nic.extra, &extra));
	nic.n_removes++;
	nic.extra = nobodys;
	return 0;
}

int __wrap_rte_eth_dev_info_get(uint16_t port, struct rte_eth_dev_info *info)
{
	ck_assert_uint_eq(port, PORT);
	*info = (struct rte_eth_dev_info){.driver_name = nic.driver};
	return 0;
}

int __wrap_rte_eth_promiscuous_enable(uint16_t port)
{
	ck_assert_uint_eq(port, PORT);
	nic.n_promisc++;
	return nic.promisc_rc;
}

int __wrap_rte_eth_allmulticast_enable(uint16_t port)
{
	ck_assert_uint_eq(port, PORT);
	nic.n_allmulti++;
	return nic.allmulti_rc;
}

/* --- the VF ------------------------------------------------------------------------------------
 */

static struct vf vf;
static struct error why;

/* A VF as it is when nobody has touched it: the PF has no address for it, so it has its own. */
static void set_up(void)
{
	memset(&nic, 0, sizeof(nic));
	nic.driver = "net_e1000_igb_vf";
	nic.is_vf = nic.in_sight = nic.tells_trust = true;
	nic.add_rc = -ENOTSUP;
	nic.mac = own;
	vf = (struct vf){.port_id = PORT};
	ck_assert_int_eq(device_spec_parse("0000:05:10.4", &vf.spec, &why), 0);
}

static void host_sets_mac(void)
{
	nic.host_set = true;
	nic.pf_mac = nic.mac = hosts;
}

/* As vf_attach does it. */
static void attach(void)
{
	struct ether_addr pf_mac = vf_reception_read_pf_mac(&vf.spec);

	if (!nic.host_set && nic.is_vf)
		nic.pf_mac = nic.mac; /* its driver tells it to the PF */
	ck_assert_int_eq(vf_reception_open(&vf, &pf_mac, 7), 0);
}

static void honest_driver(int add_rc)
{
	nic.driver = "net_iavf";
	nic.honest = true;
	nic.add_rc = add_rc;
}

static void expect(enum vf_mac_outcome outcome, const struct ether_addr *mac, bool may_program)
{
	ck_assert_int_eq(vf_mac_set(&vf, mac, may_program, &why), outcome);
}

static void expect_mac(const struct ether_addr *mac)
{
	ck_assert(vf_mac_equal(&vf.mac, mac));
	ck_assert(vf_mac_equal(&nic.mac, mac));
}

static void expect_text(const char *words)
{
	ck_assert_msg(strstr(why.text, words) != NULL, "'%s' is not in: %s", words, why.text);
}

static void expect_no_text(const char *words)
{
	ck_assert_msg(strstr(why.text, words) == NULL, "'%s' is in: %s", words, why.text);
}

static const char host_remedy[] = "'ip link set ens1 vf 6 mac 02:00:00:00:00:03'";
static const char trust_remedy[] = "'ip link set ens1 vf 6 trust on'";

/* --- the guest's address -----------------------------------------------------------------------
 */

START_TEST(the_vfs_own_address_is_nobodys_business)
{
	attach();
	expect(VF_MAC_PROGRAMMED, &own, true);
	expect(VF_MAC_PROGRAMMED, &own, false);
	ck_assert_uint_eq(nic.n_sets + nic.n_adds, 0);
}
END_TEST

START_TEST(programmed_where_the_host_has_set_none)
{
	attach();
	ck_assert(!vf.mac_by_host);
	expect(VF_MAC_PROGRAMMED, &guests, true);
	expect_mac(&guests);
	ck_assert(vf_mac_equal(&nic.pf_mac, &guests));
	ck_assert_str_eq(why.text, "");
	expect(VF_MAC_PROGRAMMED, &others, true);
	expect_mac(&others);
}
END_TEST

START_TEST(programmed_where_the_vf_is_trusted)
{
	host_sets_mac();
	nic.trusted = true;
	attach();
	ck_assert(vf.mac_by_host);
	expect(VF_MAC_PROGRAMMED, &guests, true);
	expect_mac(&guests);
}
END_TEST

START_TEST(the_pf_would_refuse_and_is_not_asked)
{
	host_sets_mac();
	attach();
	expect(VF_MAC_DECLINED, &guests, true);
	expect_mac(&hosts);
	ck_assert_uint_eq(nic.n_sets, 0);
	expect_text("02:00:00:00:00:03");
	expect_text("0000:05:10.4 receives unicast for 02:00:00:00:00:01 only");
	expect_text("the host has set that");
	expect_text(host_remedy);
	expect_text(trust_remedy);
	expect_no_text("--sync-mac");

	nic.trusted = true; /* the advice is taken */
	expect(VF_MAC_PROGRAMMED, &guests, true);
	expect_mac(&guests);
}
END_TEST

START_TEST(a_refusal_that_the_driver_hides_is_found_out)
{
	attach();
	nic.host_set = true; /* since */
	nic.pf_mac = hosts;
	expect(VF_MAC_DECLINED, &guests, true);
	ck_assert_uint_ge(nic.n_sets, 1);
	expect_mac(&own); /* ethdev's opinion is put right, too */
	expect_text("refuses");
	expect_text(trust_remedy);
}
END_TEST

START_TEST(leftovers_of_an_earlier_driver_are_not_the_hosts)
{
	nic.pf_mac = others; /* of a VF that is not reset yet */
	attach();
	ck_assert(!vf.mac_by_host);
	expect(VF_MAC_PROGRAMMED, &guests, true);
}
END_TEST

START_TEST(not_programmed_unless_allowed)
{
	attach();
	expect(VF_MAC_DECLINED, &guests, false);
	ck_assert_uint_eq(nic.n_sets, 0);
	expect_mac(&own);
	expect_text("--sync-mac is not on");
	expect_text(host_remedy);
	expect_text(", or --sync-mac");
	expect_no_text(trust_remedy);

	host_sets_mac();
	vf = (struct vf){.port_id = PORT, .spec = vf.spec};
	attach();
	expect(VF_MAC_DECLINED, &guests, false);
	expect_text(trust_remedy);
	expect_text("and --sync-mac");
}
END_TEST

START_TEST(the_host_takes_the_advice)
{
	host_sets_mac();
	attach();
	expect(VF_MAC_DECLINED, &guests, false);
	nic.pf_mac = guests;
	expect(VF_MAC_PROGRAMMED, &guests, false);
	ck_assert(vf_has_mac(&vf, &guests));
	ck_assert_uint_eq(nic.n_sets, 0);
}
END_TEST

START_TEST(nobody_knows_without_the_pf)
{
	static const struct {
		bool in_sight, tells;
		int rc;
		const char *words;
	} cases[] = {{false, true, 0, "not in sight"},
	             {true, false, 0, "driver does not tell"},
	             {true, true, -ETIMEDOUT, "timed out"}};

	nic.in_sight = cases[_i].in_sight;
	nic.tells_trust = cases[_i].tells;
	nic.netlink_rc = cases[_i].rc;
	attach();
	expect(VF_MAC_UNCONFIRMED, &guests, true);
	expect_mac(&guests);
	expect_text("cannot be known");
	expect_text(cases[_i].words);
	expect(VF_MAC_DECLINED, &others, false);
	expect_text("have the VF's host set it");
	expect_no_text("ip link");
}
END_TEST

START_TEST(honest_drivers_are_believed)
{
	honest_driver(-ENOTSUP);
	nic.in_sight = false;
	attach();
	expect(VF_MAC_PROGRAMMED, &guests, true);
	expect_mac(&guests);
}
END_TEST

START_TEST(honest_drivers_tell_of_refusals)
{
	honest_driver(-ENOTSUP);
	host_sets_mac();
	attach();
	expect(VF_MAC_DECLINED, &guests, true);
	expect_mac(&hosts);
	expect_text("cannot be programmed");
	expect_text(trust_remedy);
}
END_TEST

START_TEST(an_additional_address_is_preferred)
{
	honest_driver(0);
	attach();
	expect(VF_MAC_PROGRAMMED, &guests, true);
	expect_mac(&own);
	ck_assert(vf_mac_equal(&vf.extra_mac, &guests));
	ck_assert(vf_mac_equal(&nic.extra, &guests));
	ck_assert(vf_has_mac(&vf, &guests) && vf_has_mac(&vf, &own));

	/* The next one takes its place: a VF has few. */
	expect(VF_MAC_PROGRAMMED, &others, true);
	ck_assert(vf_mac_equal(&nic.extra, &others));
	ck_assert_uint_eq(nic.n_removes, 1);
	ck_assert(!vf_has_mac(&vf, &guests));
	ck_assert_uint_eq(nic.n_sets, 0);
}
END_TEST

/* Some drivers would delete the VF's own address first. */
START_TEST(an_address_that_cannot_be_added_does_not_replace_the_vfs)
{
	honest_driver(-EIO);
	host_sets_mac();
	attach();
	expect(VF_MAC_DECLINED, &guests, true);
	ck_assert_uint_eq(nic.n_sets, 0);
	ck_assert(vf_mac_equal(&vf.extra_mac, &nobodys));
	expect_mac(&hosts);
	expect_text("cannot be programmed");
	expect_text(trust_remedy);
}
END_TEST

START_TEST(given_back_as_it_came)
{
	host_sets_mac();
	nic.trusted = true;
	attach();
	vf_reception_restore(&vf);
	ck_assert_uint_eq(nic.n_sets, 0);
	expect(VF_MAC_PROGRAMMED, &guests, true);
	expect(VF_MAC_PROGRAMMED, &others, true);
	vf_reception_restore(&vf);
	ck_assert(vf_mac_equal(&nic.pf_mac, &hosts));
}
END_TEST

/* --- promiscuity -------------------------------------------------------------------------------
 */

START_TEST(igb_vfs_are_never_promiscuous)
{
	nic.trusted = _i > 0;
	attach();
	ck_assert(!vf.promiscuous);
	ck_assert_uint_eq(nic.n_promisc, 0);
	ck_assert_uint_eq(nic.n_allmulti, 1);
}
END_TEST

START_TEST(promiscuous_if_trusted)
{
	honest_driver(0);
	attach();
	ck_assert(!vf.promiscuous);
	ck_assert_uint_eq(nic.n_promisc, 0);
	expect(VF_MAC_DECLINED, &guests, false);

	nic.trusted = true;
	vf = (struct vf){.port_id = PORT, .spec = vf.spec};
	attach();
	ck_assert(vf.promiscuous);
	expect(VF_MAC_NOT_NEEDED, &guests, false); /* it arrives anyway */
	ck_assert_uint_eq(nic.n_sets, 0);
	expect(VF_MAC_PROGRAMMED, &guests, true); /* for what it sends */
	ck_assert_uint_eq(nic.n_adds, 1);
}
END_TEST

START_TEST(trusted_but_its_driver_cannot)
{
	honest_driver(0);
	nic.trusted = true;
	nic.promisc_rc = -ENOTSUP;
	attach();
	ck_assert(!vf.promiscuous);
	expect(VF_MAC_DECLINED, &guests, false);
}
END_TEST

START_TEST(trust_that_was_taken_away)
{
	honest_driver(-ENOTSUP);
	nic.trusted = true;
	attach();
	ck_assert(vf.promiscuous);
	nic.trusted = false;
	expect(VF_MAC_DECLINED, &guests, false);
}
END_TEST

START_TEST(promiscuity_that_nobody_can_know_of)
{
	honest_driver(-ENOTSUP);
	nic.in_sight = false;
	attach();
	ck_assert(vf.promiscuous); /* as far as its driver knows */
	expect(VF_MAC_DECLINED, &guests, false);
}
END_TEST

START_TEST(devices_that_are_no_vfs_receive_anything)
{
	static const char *const devices[] = {"net_null0", "net_tap0,iface=x", "0000:05:00.0"};

	nic.driver = "net_any";
	nic.is_vf = false;
	ck_assert_int_eq(device_spec_parse(devices[_i], &vf.spec, &why), 0);
	attach();
	ck_assert(vf.promiscuous && !vf.mac_by_host);
	expect(VF_MAC_NOT_NEEDED, &guests, false);
	expect(VF_MAC_NOT_NEEDED, &guests, true);
	ck_assert_uint_eq(nic.n_sets, 0); /* the interface of a tap is the wire's end */
}
END_TEST

START_TEST(a_whole_device_that_cannot_be_promiscuous)
{
	nic.driver = "net_any";
	nic.is_vf = false;
	nic.promisc_rc = -ENOTSUP;
	attach();
	expect(VF_MAC_DECLINED, &guests, false);
	expect_text("give the guest that address, or --sync-mac");
	expect(VF_MAC_PROGRAMMED, &guests, true);
	expect_mac(&guests);
}
END_TEST

START_TEST(software_devices_filter_nothing)
{
	nic.driver = "net_memif";
	nic.is_vf = false;
	nic.promisc_rc = -ENOTSUP;
	ck_assert_int_eq(device_spec_parse("net_memif0", &vf.spec, &why), 0);
	attach();
	expect(VF_MAC_NOT_NEEDED, &guests, false);
	expect(VF_MAC_NOT_NEEDED, &guests, true);
}
END_TEST

START_TEST(nobody_asks_a_bonds_members)
{
	nic.driver = "net_bonding";
	nic.is_vf = false;
	memcpy(vf.spec.name, "net_bonding7", sizeof("net_bonding7"));
	vf.spec.is_pci = false;
	attach();
	expect(VF_MAC_DECLINED, &guests, false);
	expect(VF_MAC_UNCONFIRMED, &guests, true);
	expect_mac(&guests);
	expect_text("members");
	nic.add_rc = 0;
	expect(VF_MAC_UNCONFIRMED, &others, true);
	ck_assert(vf_mac_equal(&vf.extra_mac, &others));
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("all");

	log_open(LOG_TO_STDOUT, getenv("VERBOSE") != NULL ? LOG_DEBUG : LOG_CRIT, "test");
	tcase_add_checked_fixture(tcase, set_up, NULL);
	tcase_add_test(tcase, the_vfs_own_address_is_nobodys_business);
	tcase_add_test(tcase, programmed_where_the_host_has_set_none);
	tcase_add_test(tcase, programmed_where_the_vf_is_trusted);
	tcase_add_test(tcase, the_pf_would_refuse_and_is_not_asked);
	tcase_add_test(tcase, a_refusal_that_the_driver_hides_is_found_out);
	tcase_add_test(tcase, leftovers_of_an_earlier_driver_are_not_the_hosts);
	tcase_add_test(tcase, not_programmed_unless_allowed);
	tcase_add_test(tcase, the_host_takes_the_advice);
	tcase_add_loop_test(tcase, nobody_knows_without_the_pf, 0, 3);
	tcase_add_test(tcase, honest_drivers_are_believed);
	tcase_add_test(tcase, honest_drivers_tell_of_refusals);
	tcase_add_test(tcase, an_additional_address_is_preferred);
	tcase_add_test(tcase, an_address_that_cannot_be_added_does_not_replace_the_vfs);
	tcase_add_test(tcase, given_back_as_it_came);
	tcase_add_loop_test(tcase, igb_vfs_are_never_promiscuous, 0, 2);
	tcase_add_test(tcase, promiscuous_if_trusted);
	tcase_add_test(tcase, trusted_but_its_driver_cannot);
	tcase_add_test(tcase, trust_that_was_taken_away);
	tcase_add_test(tcase, promiscuity_that_nobody_can_know_of);
	tcase_add_loop_test(tcase, devices_that_are_no_vfs_receive_anything, 0, 3);
	tcase_add_test(tcase, a_whole_device_that_cannot_be_promiscuous);
	tcase_add_test(tcase, software_devices_filter_nothing);
	tcase_add_test(tcase, nobody_asks_a_bonds_members);
	return suite_main("vf_reception", tcase);
}
