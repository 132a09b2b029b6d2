/* WRAP: rte_eth_dev_vlan_filter rte_eth_add_rx_callback rte_eth_remove_rx_callback rte_free */
/* WRAP: pci_sysfs_read pf_netlink_read_vf clock_now_ms rte_pktmbuf_free_bulk */
/* Which VLANs a VF receives frames of, with a PF made of memory: what it is asked, what becomes of
 * refusals, and that the tags which it takes off come back.
 */
#include <check.h>
#include <errno.h>
#include <string.h>

#include <rte_ethdev.h>
#include <rte_ether.h>

#include "fake_path.h"
#include "suite.h"
#include "sys/pci_sysfs.h"
#include "sys/pf_netlink.h"
#include "vf/vlans.h"

#define PORT   5
#define MEMBER 6 /* and 7 */

/* --- the NIC -----------------------------------------------------------------------------------
 */

static struct {
	bool in_sight, trusted, tells_vlan;
	unsigned vlan; /* that the host has put the VF into */
	unsigned room; /* VLANs that the PF takes */
	int rc;        /* what a refusal is */
	unsigned ms;   /* that an answer takes */
	unsigned n_asked;
	struct vlan_set has[3]; /* [port - PORT] */
} nic;

static struct {
	rte_rx_callback_fn fn;
	void *context;
	unsigned n_freed;
} callbacks[VF_QUEUES_MAX];
static unsigned n_callbacks, callbacks_until_failure;
static uint64_t clock_ms;

uint64_t __wrap_clock_now_ms(void);
int __wrap_pci_sysfs_read(const char *sysfs, const struct pci_address *address,
                          struct pci_function *out);
int __wrap_pf_netlink_read_vf(const char *pf, unsigned index, struct pf_vf *out);
int __wrap_rte_eth_dev_vlan_filter(uint16_t port, uint16_t id, int on);
const struct rte_eth_rxtx_callback *
__wrap_rte_eth_add_rx_callback(uint16_t port, uint16_t queue, rte_rx_callback_fn fn, void *context);
int __wrap_rte_eth_remove_rx_callback(uint16_t port, uint16_t queue,
                                      const struct rte_eth_rxtx_callback *callback);
void __wrap_rte_free(void *memory);

uint64_t __wrap_clock_now_ms(void)
{
	return clock_ms;
}

int __wrap_pci_sysfs_read(const char *sysfs, const struct pci_address *address,
                          struct pci_function *out)
{
	(void)sysfs;
	*out = (struct pci_function){.address = *address, .is_vf = true, .vf_index = 6};
	out->has_pf = nic.in_sight;
	if (nic.in_sight)
		memcpy(out->pf_netdev, "ens1", sizeof("ens1"));
	return 0;
}

int __wrap_pf_netlink_read_vf(const char *pf, unsigned index, struct pf_vf *out)
{
	ck_assert_str_eq(pf, "ens1");
	ck_assert_uint_eq(index, 6);
	*out = (struct pf_vf){.has_mac = true,
	                      .has_trust = true,
	                      .trusted = nic.trusted,
	                      .has_vlan = nic.tells_vlan,
	                      .vlan = nic.vlan};
	return 0;
}

int __wrap_rte_eth_dev_vlan_filter(uint16_t port, uint16_t id, int on)
{
	struct vlan_set *has = &nic.has[port - PORT];

	ck_assert_uint_ge(port, PORT);
	ck_assert_uint_lt(port, PORT + 3);
	ck_assert(id >= VLAN_ID_MIN && id <= VLAN_ID_MAX);
	nic.n_asked++;
	clock_ms += nic.ms;
	if (on && !vlan_set_has(has, id) && vlan_set_count(has) >= nic.room)
		return nic.rc;
	if (on)
		vlan_set_add(has, id);
	else
		vlan_set_remove(has, id);
	return 0;
}

const struct rte_eth_rxtx_callback *
__wrap_rte_eth_add_rx_callback(uint16_t port, uint16_t queue, rte_rx_callback_fn fn, void *context)
{
	ck_assert_uint_eq(port, PORT);
	ck_assert_ptr_null(callbacks[queue].fn);
	if (callbacks_until_failure-- == 0) {
		rte_errno = ENOMEM;
		return NULL;
	}
	callbacks[queue].fn = fn;
	callbacks[queue].context = context;
	n_callbacks++;
	return (const void *)&callbacks[queue];
}

int __wrap_rte_eth_remove_rx_callback(uint16_t port, uint16_t queue,
                                      const struct rte_eth_rxtx_callback *callback)
{
	ck_assert_uint_eq(port, PORT);
	ck_assert_ptr_eq(callback, &callbacks[queue]);
	n_callbacks--;
	return 0;
}

void __wrap_rte_free(void *memory)
{
	for (unsigned i = 0; i < VF_QUEUES_MAX; i++)
		if (memory == &callbacks[i])
			callbacks[i].n_freed++;
}

/* --- the VF ------------------------------------------------------------------------------------
 */

static struct vf vf;
static struct vf_vlans_change change;

static void set_up(void)
{
	struct error err;

	memset(&nic, 0, sizeof(nic));
	memset(callbacks, 0, sizeof(callbacks));
	n_callbacks = 0;
	callbacks_until_failure = UINT32_MAX;
	clock_ms = 1000;
	nic.in_sight = nic.tells_vlan = true;
	nic.room = 32;
	nic.rc = -EINVAL;
	vf = (struct vf){.port_id = PORT, .n_queues = 2, .filters_vlans = true};
	ck_assert_int_eq(device_spec_parse("0000:05:10.4", &vf.spec, &err), 0);
	ck_assert_int_eq(vf_vlans_open(&vf), 0);
}

static void tear_down(void)
{
	unsigned n = n_callbacks;

	vf_vlans_close(&vf);
	ck_assert_ptr_null(vf.vlans);
	ck_assert_uint_eq(n_callbacks, 0);
	for (unsigned i = 0; i < VF_QUEUES_MAX; i++)
		ck_assert_uint_eq(callbacks[i].n_freed, i < n ? 1 : 0);
	vf_vlans_close(&vf); /* harmless */
}

static struct vlan_set set_of(const char *text)
{
	struct vlan_set set = {{0}};
	struct error err;

	if (*text != '\0')
		ck_assert_int_eq(vlan_set_parse(text, &set, &err), 0);
	return set;
}

static void ask(const char *add, const char *remove)
{
	change = (struct vf_vlans_change){.add = set_of(add), .remove = set_of(remove)};
	vf_vlans_change(&vf, &change);
}

static void expect(const struct vlan_set *set, const char *text)
{
	char found[VLAN_SET_TEXT_MAX];

	ck_assert_str_eq(vlan_set_format(set, found, sizeof(found)), text);
}

static void expect_why(const char *words)
{
	ck_assert_msg(strstr(change.why.text, words) != NULL, "'%s' is not in: %s", words,
	              change.why.text);
}

START_TEST(adds_and_removes)
{
	ask("5,7", "");
	expect(&nic.has[0], "5,7");
	expect(&change.added, "5,7");
	expect(&change.refused, "");
	ck_assert_str_eq(change.why.text, "");
	ck_assert_uint_eq(n_callbacks, 2);
	ask("9", "5");
	expect(&nic.has[0], "7,9");
	expect(&change.added, "9");
	expect(&change.removed, "5");
	ck_assert_uint_eq(n_callbacks, 2);
}
END_TEST

START_TEST(nothing_to_add)
{
	ask("", "5");
	ck_assert_uint_eq(nic.n_asked, 1);
	ck_assert_uint_eq(n_callbacks, 0);
}
END_TEST

/* What there is room for is had all the same. */
START_TEST(a_pf_without_room)
{
	nic.room = 2;
	ask("5,7,9", "");
	expect(&change.added, "5,7");
	expect(&change.refused, "9");
	expect_why("ens1, the PF, refuses");
	expect_why("'ip link set ens1 vf 6 trust on'");
	nic.trusted = true;
	ask("9", "");
	expect(&change.refused, "9");
	expect_why("though VF 6 is trusted");
	ask("9", "5"); /* what goes makes room */
	expect(&change.added, "9");
}
END_TEST

START_TEST(a_pf_out_of_sight)
{
	nic.in_sight = false;
	nic.room = 0;
	nic.rc = 0x40000000; /* as ixgbe's driver has it */
	ask("5", "");
	expect(&change.refused, "5");
	expect_why("the PF of 0000:05:10.4 refuses");
	expect_why("not in sight");
}
END_TEST

/* Some PFs write a line of their own for each that is asked for then. */
START_TEST(a_vf_in_a_vlan_of_its_hosts)
{
	nic.vlan = 12;
	ask("5,7", "");
	ck_assert_uint_eq(nic.n_asked, 0);
	expect(&change.refused, "5,7");
	expect_why("put VF 6 of ens1 into VLAN 12");
	expect_why("'ip link set ens1 vf 6 vlan 0'");
	nic.vlan = 0;
	ask("5,7", "");
	expect(&change.added, "5,7");
}
END_TEST

START_TEST(a_driver_without_filters)
{
	nic.room = 0;
	nic.rc = -ENOTSUP;
	ask("5,7", "");
	ck_assert(change.unsupported);
	ck_assert_uint_eq(nic.n_asked, 1);
	expect(&change.refused, "");
	expect(&change.added, "");
}
END_TEST

/* One that does not answer: the rest is not come to, and others have their turn. */
START_TEST(a_pf_that_takes_its_time)
{
	nic.ms = 200;
	ask("1-64", "100-200");
	ck_assert_uint_eq(nic.n_asked, 2);
	expect(&change.removed, "100-101");
	expect(&change.added, "");
	expect(&change.refused, "");
	ask("1-64", "");
	expect(&change.added, "1-2");
}
END_TEST

/* Else frames would come to the guest as if they had no tag. */
START_TEST(no_memory_to_put_tags_back)
{
	callbacks_until_failure = 1;
	ask("5", "");
	ck_assert_uint_eq(nic.n_asked, 0);
	expect(&change.refused, "5");
	ck_assert_str_ne(change.why.text, "");
	callbacks_until_failure = UINT32_MAX;
	ask("5", "");
	expect(&change.added, "5");
	ck_assert_uint_eq(n_callbacks, 2);
}
END_TEST

/* The bond's PMD hides what its members answer. */
START_TEST(a_bond_and_its_members)
{
	vf.n_members = 3;
	vf.members[0] = (struct vf_member){.present = true, .port_id = MEMBER};
	vf.members[2] = (struct vf_member){.present = true, .port_id = MEMBER + 1};
	ask("5", "");
	for (unsigned i = 0; i < 3; i++)
		expect(&nic.has[i], "5");
	memset(nic.has, 0, sizeof(nic.has)); /* they were reset */
	vf_vlans_renew(&vf);
	for (unsigned i = 0; i < 3; i++)
		expect(&nic.has[i], "5");
	nic.room = 1;
	ask("7", "");
	expect(&change.refused, "7");
}
END_TEST

START_TEST(renewing_nothing)
{
	vf_vlans_renew(&vf);
	ck_assert_uint_eq(nic.n_asked, 0);
	vf_vlans_renew(&(struct vf){0}); /* one that filters nothing */
}
END_TEST

/* --- tags that were taken off ------------------------------------------------------------------
 */

static uint16_t pass(struct rte_mbuf **pkts, uint16_t n)
{
	return callbacks[1].fn(PORT, 1, pkts, n, LANE_BURST, callbacks[1].context);
}

static struct rte_mbuf *stripped(uint16_t tag)
{
	struct rte_mbuf *pkt = fake_packet_of_flow(1, 0, 60);

	pkt->ol_flags = RTE_MBUF_F_RX_VLAN | RTE_MBUF_F_RX_VLAN_STRIPPED;
	pkt->vlan_tci = tag;
	return pkt;
}

static void expect_tag(const struct rte_mbuf *pkt, uint16_t tag)
{
	const uint8_t *data = rte_pktmbuf_mtod(pkt, const uint8_t *);
	const uint8_t wanted[] = {
	        2, 0, 0,   0, 0, 1, 2, 0, 0, 0, 0, 2, 0x81, 0, (uint8_t)(tag >> 8), (uint8_t)tag,
	        8, 0, 0x45};

	ck_assert_uint_eq(pkt->pkt_len, 64);
	ck_assert_uint_eq(pkt->data_len, 64);
	ck_assert_mem_eq(data, wanted, sizeof(wanted));
}

START_TEST(tags_come_back)
{
	struct rte_mbuf *plain = fake_packet_of_flow(1, 0, 60);
	struct rte_mbuf *pkts[] = {stripped(0x6000 | 5), plain, stripped(0xe000), stripped(12)};
	struct rte_mbuf *ours = pkts[0], *priority = pkts[2], *hosts = pkts[3];

	ask("5", "");
	ck_assert_uint_eq(pass(pkts, 4), 4);
	ck_assert(pkts[0] == ours && pkts[1] == plain && pkts[2] == priority && pkts[3] == hosts);
	expect_tag(ours, 0x6005);
	expect_tag(priority, 0xe000);
	ck_assert_uint_eq(plain->pkt_len, 60);
	ck_assert_uint_eq(hosts->pkt_len, 60); /* the host's VLAN is not the guest's to see */
	for (unsigned i = 0; i < 4; i++)
		fake_packet_free(pkts[i]);
}
END_TEST

/* Frames that were on their way when their VLAN was given up do not become untagged ones. */
START_TEST(tags_of_vlans_given_up)
{
	struct rte_mbuf *pkt = stripped(5);

	ask("5", "");
	ask("", "5");
	ck_assert_uint_eq(pass(&pkt, 1), 1);
	expect_tag(pkt, 5);
	fake_packet_free(pkt);
}
END_TEST

/* Those that were refused are not ours. */
START_TEST(tags_of_vlans_refused)
{
	struct rte_mbuf *pkt = stripped(7);

	nic.room = 1;
	ask("5,7", "");
	ck_assert_uint_eq(pass(&pkt, 1), 1);
	ck_assert_uint_eq(pkt->pkt_len, 60);
	fake_packet_free(pkt);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("all");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, adds_and_removes);
	tcase_add_test(tcase, nothing_to_add);
	tcase_add_test(tcase, a_pf_without_room);
	tcase_add_test(tcase, a_pf_out_of_sight);
	tcase_add_test(tcase, a_vf_in_a_vlan_of_its_hosts);
	tcase_add_test(tcase, a_driver_without_filters);
	tcase_add_test(tcase, a_pf_that_takes_its_time);
	tcase_add_test(tcase, no_memory_to_put_tags_back);
	tcase_add_test(tcase, a_bond_and_its_members);
	tcase_add_test(tcase, renewing_nothing);
	tcase_add_test(tcase, tags_come_back);
	tcase_add_test(tcase, tags_of_vlans_given_up);
	tcase_add_test(tcase, tags_of_vlans_refused);
	return suite_main("vf_vlans", tcase);
}
