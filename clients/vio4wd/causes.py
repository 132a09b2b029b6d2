"""What each cause of loss means to an operator, and what to do about it: one table, by direction and by the
counter's name without pkts_dropped_. The counters themselves are the daemon's (COUNTERS in
virtio-forwarder(8))."""

from collections import namedtuple

Cause = namedtuple("Cause", "what remedy")

_GUEST_SLOW = Cause(
    "the guest has posted no buffers to receive in",
    "look in the guest: it is out of CPU time (top, steal time), its driver hangs, or its queues are "
    "short (rx_queue_size=1024 in QEMU or libvirt); more queues spread the load",
)
_NO_FRONT_END = Cause(
    "nobody is connected to the relay's socket",
    "start the virtual machine, and see that it names this socket, in the right mode (QEMU serves it "
    "with --vhostuser-client, else it connects) and may use it (--vhost-username, --vhost-groupname)",
)
_NO_DRIVER = Cause(
    "a front end is connected, but no driver in the guest receives",
    "wait until the guest has booted; then see in it whether the NIC has its driver (lspci -k) and is "
    "up (ip link set DEVICE up)",
)

CAUSES = {
    "vf_to_vm": {
        "by_vf": Cause(
            "the VF has lost packets itself, before the relay could read them",
            "see missed, no_mbuf and rx_errors of the VF: more workers or queues (--cpus, --max-queues) "
            "for missed, memory for no_mbuf, the sender's MTU and the cable for rx_errors",
        ),
        "vm_no_buffers": _GUEST_SLOW,
        "vm_too_long": Cause(
            "frames are longer than the guest's buffers",
            "start the daemon with --enable-mrgbuf, or lower the sender's MTU to that of the guest",
        ),
        "invalid_header": Cause(
            "a frame for the guest asked for what cannot be done",
            "report it, with the daemon's log: the forwarder makes these headers itself",
        ),
        "vm_ring_broken": Cause(
            "the guest's ring offers more buffers than it has",
            "restart the guest's driver, and look for a newer one: a working driver never does that",
        ),
        "vm_no_front_end": _NO_FRONT_END,
        "vm_no_driver": _NO_DRIVER,
        "vm_left": Cause(
            "the guest left while packets were on their way to it",
            "nothing, if it was shut down, rebooted or migrated; else see the machine's own log",
        ),
    },
    "vm_to_vf": {
        "by_vf": Cause(
            "the VF accepted packets and did not send them",
            "see tx_errors of the VF, and the host's kernel log: the PF drops what its spoof check, its "
            "rate limit or a VLAN forbids (ip link show PF)",
        ),
        "vf_stalled": Cause(
            "the VF accepts no packets",
            "see the link of its PF on the host (ip link show PF), and the switch port; if it is up, "
            "remove the VF and add it again",
        ),
        "too_long": Cause(
            "the guest sends frames that are longer than the VF's MTU allows",
            "lower the MTU in the guest, or start the daemon with --enable-jumbo",
        ),
        "runt": Cause(
            "the guest sends frames that are shorter than an Ethernet header",
            "look in the guest for the program that sends raw frames",
        ),
        "invalid_header": Cause(
            "the guest asks for checksums or segmentation that it has not negotiated, or that its frames are "
            "not fit for",
            "update the guest's virtio-net driver, or switch its offloads off (ethtool -K eth0 tx off tso off)",
        ),
        "vf_none": Cause(
            "the relay has no VF",
            "add one: vio4wdctl add RELAY DEVICE",
        ),
        "vf_not_ready": Cause(
            "the relay's VF is being attached, or was lost and is waited for",
            "wait; if it stays so, see on the host whether the VF is still there and bound to vfio-pci "
            "(vio4wdctl check), and the daemon's log",
        ),
        "vf_left": Cause(
            "the VF left while packets were on their way to it",
            "nothing, if it was removed; else see the host's kernel log",
        ),
    },
}
_UNKNOWN = Cause("packets were lost for the cause '{}'", "see COUNTERS in virtio-forwarder(8)")


def cause(direction, name):
    """Also for those of a daemon that is newer than this."""
    known = CAUSES[direction].get(name)
    return known or Cause(_UNKNOWN.what.format(name), _UNKNOWN.remedy)
