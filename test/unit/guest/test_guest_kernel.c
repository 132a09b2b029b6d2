/* Interfaces of the kernel's on a real EAL, in a network namespace of the test's own: made, used,
 * given a link, and gone; and those that cannot be made. Where the kernel has no tun, only the
 * latter. */
#include <check.h>
#include <errno.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <rte_ethdev.h>

#include "dpdk/pool.h"
#include "eal_rig.h"
#include "guest/guest_kernel.h"
#include "suite.h"

#define RELAY 7
#define NAME  "kernel0"

static bool has_netns;
static struct error err;

static bool can_make(void)
{
	return has_netns && access("/dev/net/tun", R_OK | W_OK) == 0;
}

static struct guest_kernel_params params_of(void)
{
	return (struct guest_kernel_params){.relay_id = RELAY,
	                                    .interface = NAME,
	                                    .mac.ether_addr_octet = {2, 0, 0, 1, 2, 0xab},
	                                    .mtu = 1400,
	                                    .queues = 2,
	                                    .vf_ring = 256,
	                                    .n_workers = 2,
	                                    .no_huge = true};
}

static struct ifreq ask(unsigned long request)
{
	struct ifreq answer = {.ifr_name = NAME};
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(ioctl(fd, request, &answer), 0);
	close(fd);
	return answer;
}

/* The carrier itself: flags follow it with a delay. */
static bool has_link(void)
{
	struct ethtool_value value = {.cmd = ETHTOOL_GLINK};
	struct ifreq request = {.ifr_name = NAME, .ifr_data = (char *)&value};
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(ioctl(fd, SIOCETHTOOL, &request), 0);
	close(fd);
	return value.data != 0;
}

START_TEST(made_and_gone)
{
	const struct guest_kernel_params params = params_of();
	struct guest_state state;

	if (!can_make())
		return;
	/* Again and again: nothing of one is in the next one's way. */
	for (unsigned i = 1; i <= 3; i++) {
		ck_assert_int_eq(guest_kernel_check(RELAY, NAME, &err), 0);
		ck_assert_msg(guest_kernel_open(&params, &err) == 0, "%s", err.text);
		ck_assert_uint_eq(rte_eth_dev_count_total(), 1);
		ck_assert_mem_eq(ask(SIOCGIFHWADDR).ifr_hwaddr.sa_data, &params.mac, 6);
		ck_assert_int_eq(ask(SIOCGIFMTU).ifr_mtu, 1400);
		guest_kernel_read(RELAY, &state);
		ck_assert(state.connected && state.front_end);
		ck_assert_uint_eq(state.rx_queues, 3);
		ck_assert_uint_eq(state.tx_queues, 3);
		ck_assert_uint_eq(state.features, 0);
		ck_assert_uint_eq(state.sessions, i);
		ck_assert_int_eq(guest_kernel_check(RELAY, "another", &err), -EAGAIN);
		guest_kernel_close(RELAY);
		ck_assert_uint_eq(if_nametoindex(NAME), 0);
		ck_assert_uint_eq(rte_eth_dev_count_total(), 0);
		ck_assert_uint_eq(pool_reclaim(), 0);
	}
	guest_kernel_close(RELAY); /* harmless */
}
END_TEST

START_TEST(has_the_link_that_it_is_given)
{
	const struct guest_kernel_params params = params_of();

	guest_kernel_set_link(RELAY, false); /* it is not open: harmless */
	if (!can_make())
		return;
	ck_assert_int_eq(guest_kernel_open(&params, &err), 0);
	ck_assert(has_link());
	guest_kernel_set_link(RELAY, false);
	ck_assert(!has_link());
	guest_kernel_set_link(RELAY, true);
	ck_assert(has_link());
	guest_kernel_close(RELAY);
}
END_TEST

/* What it sends is the packets of its own pool, and what it is sent it takes, or leaves to be
 * dropped: a frame longer than its MTU, say. */
START_TEST(moves_packets)
{
	const struct guest_kernel_params params = params_of();
	struct guest *guest = guest_kernel_get(RELAY);
	struct rte_mbuf *pkts[2] = {NULL, NULL};
	struct rte_mempool *pool;

	if (!can_make())
		return;
	ck_assert_int_eq(guest_kernel_open(&params, &err), 0);
	pool = pool_discard_create(0);
	ck_assert_ptr_nonnull(pool);
	ck_assert_int_eq(rte_pktmbuf_alloc_bulk(pool, pkts, 2), 0);
	memset(rte_pktmbuf_append(pkts[0], 60), 0xff, 60);
	memset(rte_pktmbuf_append(pkts[1], 1600), 0xff, 1600);
	ck_assert_int_eq(guest->ops->send(guest, 1, pkts, 2), 1);
	ck_assert(guest->ops->offers(guest, 1)); /* it will never be taken */
	rte_pktmbuf_free(pkts[1]);
	ck_assert_int_ge(guest->ops->receive(guest, 1, NULL, pkts, 2), 0);
	guest_kernel_close(RELAY);
	ck_assert_uint_eq(rte_mempool_in_use_count(pool), 0);
	rte_mempool_free(pool);
}
END_TEST

START_TEST(names_that_are_taken)
{
	if (access("/dev/net/tun", R_OK | W_OK) < 0)
		return;
	ck_assert_int_eq(guest_kernel_check(RELAY, "lo", &err), -1);
	ck_assert_ptr_nonnull(strstr(err.text, "this host has an interface lo already"));
}
END_TEST

/* A kernel that refuses: nothing is left, and it works when that is over. */
START_TEST(what_cannot_be_made)
{
	struct guest_kernel_params params = params_of();

	if (!can_make())
		return;
	memcpy(params.interface, "lo", sizeof("lo"));
	ck_assert_int_eq(guest_kernel_open(&params, &err), -1);
	ck_assert_ptr_nonnull(strstr(err.text, "the kernel's interface lo cannot be made"));
	ck_assert_uint_eq(rte_eth_dev_count_total(), 0);
	params = params_of();
	params.mac = (struct ether_addr){{0}}; /* as a ring's: one is made up */
	params.mtu = 9000; /* more than the driver of taps does, in this release at least */
	ck_assert_int_eq(guest_kernel_open(&params, &err), 0);
	ck_assert_int_ge(ask(SIOCGIFMTU).ifr_mtu, 1500);
	ck_assert_mem_ne(ask(SIOCGIFHWADDR).ifr_hwaddr.sa_data, &params.mac, 6);
	guest_kernel_close(RELAY);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("interfaces of the kernel");

	eal_rig_start(&has_netns);
	tcase_add_test(tcase, made_and_gone);
	tcase_add_test(tcase, has_the_link_that_it_is_given);
	tcase_add_test(tcase, moves_packets);
	tcase_add_test(tcase, names_that_are_taken);
	tcase_add_test(tcase, what_cannot_be_made);
	return eal_rig_main("guest_kernel", tcase);
}
