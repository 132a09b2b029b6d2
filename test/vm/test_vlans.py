"""VLANs on igb. Its PF passes a VF tagged frames only of the VLANs that its driver has asked for, and
takes the tags off on the way from the first one on. What a guest and the wire send each other under a
tag arrives all the same, once the guest has used it, or the operator has named it.
"""

import re

import pytest

from rig import SCRIPTS, WIRE_IP, wait_for
from vlans import add_vlan, expect_both_ways, ping_from, reach, received, wait_received

WARNING = "WARNING relay 0: .*"

# A frame of each VLAN, from the interface that is named.
ALL_VLANS = """
import socket, struct, sys
with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as raw:
    raw.bind((sys.argv[1], 0))
    for vlan in range(1, 4095):
        raw.send(b"\\xff" * 6 + raw.getsockname()[4] + struct.pack("!HHH", 0x8100, vlan, 0x88b5) + bytes(46))
"""


@pytest.fixture
def wire(peer):
    """wire(vlan): the peer's end of it, 10.vlan.0.1."""
    made = []

    def make(vlan):
        made.append(vlan)
        add_vlan(peer, peer.iface, vlan, 1)

    yield make
    for vlan in made:
        peer.sh(f"ip link del vlan{vlan}")


@pytest.fixture
def trunk(daemon, kernel_guest, vfs):
    """trunk(*options, vlans=...): daemon and guest on relay 0, with ends of these VLANs in the guest."""

    def start(*options, vlans=(100,)):
        daemon.start(f"--add-pci-vf={vfs[0].address}=0", *options)
        one = kernel_guest("guest0", daemon.socket_path(0), vfs[0], "10.0.0.10")
        for vlan in vlans:
            add_vlan(one, "g0", vlan, 10)
        daemon.wait_states(0, "DPDK_READY", "VIRTIO_READY")
        return one

    yield start
    vfs[0].set("vlan", "0")


def refused(daemon):
    return list(daemon.relay(0).vf.vlan_refused or ())


@pytest.mark.ci
def test_learned_from_the_guest(daemon, trunk, wire, peer):
    one = trunk(vlans=(100, 200))
    wire(100)
    wire(200)
    peer.wait_answer(one)
    assert received(daemon) == []
    assert peer.ping("10.100.0.10", count=3) == 0  # nobody knows of it yet
    reach(one, 100)
    wait_received(daemon, [100])
    expect_both_ways(one, peer, 100)
    reach(one, 200)
    wait_received(daemon, [100, 200])
    for vlan in (100, 200):
        expect_both_ways(one, peer, vlan)
    assert peer.ping(one.ip) == 10 and ping_from(one, WIRE_IP) == 10  # untagged, as ever
    assert daemon.log_has("receives frames of VLAN 100 now")
    assert refused(daemon) == [] and not daemon.log_has(WARNING)
    flat = one.vm.run([f"{SCRIPTS}/virtioforwarder_stats.py", "--stats-ep", daemon.stats_ep], timeout=60)[1]
    assert "\nrelay_0.vf.vlan=100,200\n" in flat and "vlan_refused" not in flat


def test_named_for_a_guest_that_listens(daemon, trunk, wire, peer):
    """It has not said a word when the wire asks for it."""
    one = trunk("--vlans=0:100")
    wire(100)
    wait_received(daemon, [100])
    wait_for(lambda: peer.ping("10.100.0.10", count=2), 30, "an answer of the guest's")
    expect_both_ways(one, peer, 100)


def test_forgotten_when_the_guest_goes(daemon, trunk, wire):
    one = trunk("--vlans=0:200")
    wire(100)
    reach(one, 100)
    wait_received(daemon, [100, 200])
    one.process.terminate()
    one.process.wait(30)
    wait_received(daemon, [200])


def test_programmed_again_after_a_reset(vm, daemon, trunk, wire, peer):
    """And the guest need not say a word."""
    one = trunk()
    wire(100)
    reach(one, 100)
    wait_received(daemon, [100])
    vm.sh(f"ip link set {vm.nics[0].pf} down; sleep 1; ip link set {vm.nics[0].pf} up")
    wait_for(lambda: daemon.log_has("is up again"), 30, "the PF is seen to be up")
    wait_received(daemon, [100], timeout=60)
    wait_for(lambda: peer.ping("10.100.0.10", count=2), 30, "an answer of the guest's")
    expect_both_ways(one, peer, 100)


def test_a_vf_that_the_host_has_put_into_a_vlan(daemon, trunk, wire, peer, vfs):
    """The trap: its PF refuses the guest's tags. What is said about it helps."""
    vfs[0].set("vlan", "100")
    one = trunk(vlans=(200,))
    wire(100)
    wire(200)
    one.sh("ip address add 10.100.0.10/24 dev g0")
    wait_for(lambda: peer.ping("10.100.0.10", count=2), 30, "an answer in the host's VLAN")
    assert peer.ping("10.100.0.10") == 10  # the guest sees no tag
    assert ping_from(one, "10.200.0.1", count=3) == 0
    line = wait_for(lambda: daemon.log_has(WARNING + "VLAN 200.*"), 30, "a warning").group(0)
    assert f"put VF {vfs[0].index} of {vfs[0].pf} into VLAN 100" in line
    assert refused(daemon) == [200] and received(daemon) == []
    one.sh("ip address del 10.100.0.10/24 dev g0")
    vfs[0].vm.sh(re.search(r"'(ip link set [^']* vlan 0)'", line).group(1))
    reach(one, 200)
    wait_received(daemon, [200])
    expect_both_ways(one, peer, 200)
    assert daemon.log_count(WARNING + "VLAN 200") == 1


def test_a_guest_with_all_vlans(daemon, trunk, wire, peer):
    """It gets what the PF has room for; and nobody else suffers."""
    one = trunk()
    wire(100)
    peer.wait_answer(one)
    reach(one, 100)
    one.run(["python3", "-c", ALL_VLANS, "g0"])
    wait_for(lambda: len(received(daemon) + refused(daemon)) == 64, 30, "64 VLANs")
    assert 100 in received(daemon) and len(received(daemon)) > 10
    assert daemon.log_count(WARNING + "uses more than 64 VLANs") == 1
    if refused(daemon):
        assert daemon.log_count(WARNING + "the PF, refuses") == 1
    expect_both_ways(one, peer, 100)
    assert peer.ping(one.ip) == 10
    one.process.terminate()
    one.process.wait(30)
    wait_received(daemon, [])
