/* The table of drivers' traits. See quirks.h; doc/hardware.md says more about the sources.
 *
 * A row speaks for all drivers whose names begin with its own, and the first that fits counts: so a
 * family's row comes after those of its members, and these repeat what holds for the family.
 */
#include "vf/quirks.h"

#include <stddef.h>

#include <rte_ethdev.h>

#include "base/parse.h"
#include "dpdk/compat.h"

static const struct {
	const char *driver;
	struct vf_quirks quirks;
} table[] = {
        /* --- Intel's 1 and 10 Gbit/s families ---
         *
         * Their receive buffers are counted in KB: the drivers write the buffer's size, divided by
         * 1024, into SRRCTL (DPDK's igb_rxtx.c, igc_txrx.c, ixgbe_rxtx.c, txgbe_rxtx.c).
         *
         * Their VFs' drivers drop the PF's answer to a new default address
         * (igbvf_default_mac_addr_set, ixgbevf_set_default_mac_addr), and the VFs are cut off while
         * their PF is down (seen with igb). Their PFs always filter by VLAN (likewise).
         */
        {"net_e1000_igb_vf",
         {.counts_whole_kb = true,
          .needs_pf_up = true,
          .hides_refusals = true,
          .filters_vlans = true,
          /* Linux's igb knows only multicast promiscuity of VFs: igb_set_vf_promisc. */
          .never_promiscuous = true}},
        {"net_e1000_igb", {.counts_whole_kb = true, .rx_alarm = VF_ALARM_INTERRUPT}},
        {"net_e1000", {.counts_whole_kb = true, .rx_alarm = VF_ALARM_INTERRUPT}},
        {"net_igc", {.counts_whole_kb = true}},
        {"net_ixgbe_vf",
         {.counts_whole_kb = true,
          .needs_pf_up = true,
          .hides_refusals = true,
          .filters_vlans = true,
          .rx_alarm = VF_ALARM_INTERRUPT}},
        {"net_ixgbe", {.counts_whole_kb = true}},
        {"net_txgbe_vf", {.counts_whole_kb = true, .filters_vlans = true}},
        {"net_txgbe", {.counts_whole_kb = true}},

        /* --- other NICs --- */

        {"net_iavf", {.filters_vlans = true, .rx_alarm = VF_ALARM_INTERRUPT}},
        /* Enabling arms the completion queue; disabling takes the event. */
        {"mlx5_pci", {.rx_alarm = VF_ALARM_INTERRUPT}},
        /* Newer firmware can do without the filter, and older cannot. */
        {"net_hns3_vf", {.filters_vlans = true}},

        /* --- software devices --- */

        /* A frame that is longer than the kernel takes stays at the head of the ring for ever. RSS
         * is a set of flow rules (DPDK's guide "Tun|Tap Poll Mode Driver"). The interrupt: seen in
         * 22.11. Its errors: rte_eth_tap.c, pmd_tx_burst. */
        {"net_tap",
         {.max_mtu = 1500,
          .max_frame = 1522,
          .no_rss = true,
          .spreads_by_itself = true,
          .counts_refusals = true,
          .makes_interface = true,
          .dies_of_resets = DPDK_TAP_DIES_OF_RESETS,
          /* The descriptor is the kernel's queue itself, and nothing is enabled. */
          .rx_alarm = VF_ALARM_READABLE,
          .loses_link_changes = true}},
        /* Likewise; the kernel takes a tagged frame of 1518 bytes, but no other one above 1514. */
        {"net_af_packet",
         {.max_mtu = 1500, .max_frame = 1514, .spreads_by_itself = true, .uses_interface = true}},
        {"net_memif", {.max_mtu = 1500, .max_frame = 1518, .spreads_by_itself = true}},
        /* What one end sends by a queue comes by the same queue of the other. */
        {"net_ring", {.spreads_by_itself = true}},
        /* The device spreads flows by itself (virtio specification, "Automatic receive steering
         * in multiqueue mode"). With VIRTIO_NET_F_GUEST_CSUM it may leave checksums to whoever
         * receives (likewise, "Processing of Incoming Packets"), and its driver asks for that. */
        {"net_virtio",
         {.spreads_by_itself = true, .leaves_checksums = true, .rx_alarm = VF_ALARM_INTERRUPT}},
        /* It makes packets of any length that it was asked for, whatever the buffers hold. */
        {"net_null", {.makes_any_size = true}},
        {"net_bonding", {.many_pfs = true}},
};

static const struct vf_quirks none;

const struct vf_quirks *vf_quirks_of_driver(const char *driver)
{
	for (size_t i = 0; i < RTE_DIM(table) && driver != NULL; i++)
		if (string_starts_with(driver, table[i].driver))
			return &table[i].quirks;
	return &none;
}

const struct vf_quirks *vf_quirks_of(uint16_t port_id)
{
	struct rte_eth_dev_info info;

	if (rte_eth_dev_info_get(port_id, &info) != 0)
		return &none;
	return vf_quirks_of_driver(info.driver_name);
}
