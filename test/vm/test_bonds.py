"""Bonds of igb VFs: a VF of each of two PFs, whose wires are each other's spare.

An igb VF takes the bond's MAC address, the first member's, only if its PF trusts it.
"""

import pytest

from rig import wait_for
from vlans import add_vlan, expect_both_ways, reach, wait_received

FLAVOUR = "numa"
ROUND_ROBIN, ACTIVE_BACKUP, BALANCE = range(3)
PATIENCE = 1000  # ms after which a guest gives up packets that went by a member that has gone


@pytest.fixture
def members(vm):
    """The first VF of each NIC, trusted; both wires send back what the bond sends."""
    vfs = [one.vfs[0] for one in vm.nics]
    for one in vfs:
        one.set("trust", "on")
    vm.nics[1].peer.reflect(vfs[0])
    yield vfs
    for number, one in enumerate(vm.nics):
        vm.qmp("set_link", name=f"nic{2 * number}", up=True)
        vm.sh(f"ip link set {one.pf} up")
    for one in vfs:
        if one.driver() != "vfio-pci":
            one.bind()
        one.set("trust", "off")
        one.set("mac", one.mac)


@pytest.fixture
def bonded(daemon, guest, members):
    """bonded(mode): a daemon with a bond of both on relay 0, and its guest."""

    def start(mode, **options):
        daemon.cpus, daemon.lcores = "1,3", None
        slaves = ",".join(f"slave={vf.address}" for vf in members)
        daemon.start(f"--add-pci-vf=net_bonding0,mode={mode},{slaves}=0")
        one = guest(daemon.socket_path(0), members[0], **options)
        wait_for(lambda: active(daemon) == [True, True], 30, "both members active")
        return one

    return start


def member_states(daemon):
    vf = daemon.relay(0).vf
    return vf.member if vf else []


def active(daemon):
    return [member.active for member in member_states(daemon)]


def comes_back(one):
    """Traffic flows again; and from then on nothing is lost."""
    one.wait_received(100, timeout=15)
    one.command("stop")
    wait_for(lambda: one.stats()["outstanding"] == 0, 30, "the packets under way")
    one.command("reset")
    one.command("start")
    one.wait_received(200, timeout=15)


@pytest.mark.parametrize("mode", [ROUND_ROBIN, ACTIVE_BACKUP, BALANCE])
def test_traffic(daemon, bonded, members, mode):
    """Each member is counted; those that send are those that the mode lets send."""
    one = bonded(mode, flows=8)
    one.wait_received(500, timeout=20)
    state = daemon.relay(0)
    assert state.vf.bond_mode == mode and state.vf.mac.lower() == members[0].mac
    assert [member.pci_addr_str for member in state.vf.member] == [vf.address for vf in members]
    final = one.finish()
    assert final["sent"] == final["received"] and not final["corrupted"], final
    assert not daemon.dropped(0)

    def counted():
        return sum(member.pkts_tx for member in member_states(daemon)) >= final["sent"]

    wait_for(counted, 10, "the members' counters")
    sent = [member.pkts_tx > 20 for member in member_states(daemon)]
    # Balancing goes by MAC addresses: who talks to one other uses one member.
    assert all(sent) if mode == ROUND_ROBIN else sum(sent) == 1, sent


def fail_link(vm):
    vm.qmp("set_link", name="nic0", up=False)


def mend_link(vm):
    vm.qmp("set_link", name="nic0", up=True)


def fail_pf(vm):
    vm.sh(f"ip link set {vm.nics[0].pf} down")


def mend_pf(vm):
    vm.sh(f"ip link set {vm.nics[0].pf} up")


@pytest.mark.parametrize("fail, mend", [(fail_link, mend_link), (fail_pf, mend_pf)], ids=["link", "pf"])
def test_failover(vm, daemon, bonded, fail, mend):
    """The other member takes over, its wire's peer reaches the guest there, and the relay stays up."""
    one = bonded(ACTIVE_BACKUP, timeout=PATIENCE)
    one.wait_received(200, timeout=20)
    before = [member.pkts_tx for member in member_states(daemon)]
    fail(vm)
    wait_for(lambda: active(daemon) == [False, True], 20, "the first member left")
    comes_back(one)
    assert daemon.states(0) == ("DPDK_READY", "VIRTIO_READY")
    wait_for(lambda: member_states(daemon)[1].pkts_tx > before[1] + 100, 10, "the second one sends")
    mend(vm)
    wait_for(lambda: active(daemon) == [True, True], 30, "the first member back")
    comes_back(one)
    one.finish_clean()
    assert not daemon.log_has("relay 0 was reset"), daemon.log_tail()


def test_vlans(vm, daemon, kernel_guest, members):
    """What the guest has used is programmed into each member: the one that takes over knows it."""
    slaves = ",".join(f"slave={vf.address}" for vf in members)
    daemon.start(f"--add-pci-vf=net_bonding0,mode={ACTIVE_BACKUP},{slaves}=0")
    one = kernel_guest("guest0", daemon.socket_path(0), members[0], "10.0.0.10")
    wait_for(lambda: active(daemon) == [True, True], 30, "both members active")
    peers = [nic.peer for nic in vm.nics]
    try:
        for peer in peers:
            add_vlan(peer, peer.iface, 100, 1)
        add_vlan(one, "g0", 100, 10)
        reach(one, 100)
        wait_received(daemon, [100])
        expect_both_ways(one, peers[0], 100)
        fail_link(vm)
        wait_for(lambda: active(daemon) == [False, True], 20, "the first member left")
        one.sh("ip neigh flush dev vlan100")
        reach(one, 100)
        expect_both_ways(one, peers[1], 100)
    finally:
        for peer in peers:
            peer.sh("ip link del vlan100 2>/dev/null || :")


def test_all_links_down(vm, daemon, bonded):
    one = bonded(ACTIVE_BACKUP, timeout=PATIENCE)
    one.wait_received(200, timeout=20)
    for name in ("nic0", "nic2"):
        vm.qmp("set_link", name=name, up=False)
    wait_for(lambda: not daemon.relay(0).vf.link_up, 20, "the bond's link down")
    vm.qmp("set_link", name="nic2", up=True)
    wait_for(lambda: daemon.relay(0).vf.link_up, 30, "the bond's link up")
    comes_back(one)
    one.finish_clean()


def test_a_member_leaves_and_returns(daemon, bonded, members):
    """Unbound by the host, which gets it at once; and taken back as soon as it is there again."""
    one = bonded(ACTIVE_BACKUP, timeout=PATIENCE)
    one.wait_received(200, timeout=20)
    members[0].unbind()
    wait_for(lambda: not member_states(daemon)[0].present, 20, "the member gone")
    comes_back(one)
    members[0].bind()
    wait_for(lambda: member_states(daemon)[0].present and active(daemon) == [True, True], 40,
             "the member back")
    comes_back(one)
    one.finish_clean()
