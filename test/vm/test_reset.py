"""What the host does to a VF that a relay uses: its PF goes down, gives it another MAC or trusts it,
its link goes, it is unbound from vfio-pci, it leaves the machine. The relay goes on, or comes back
once the VF does, without anybody's help; and the relays beside it do not notice.
"""

import re
import threading

import pytest

from rig import wait_for

BACK = 15         # s (times SeqGuest.slower) until there is traffic again in an emulated machine
PATIENCE = 2000   # ms after which a guest gives up packets that went down with its VF


@pytest.fixture(autouse=True)
def host(vm):
    """Leaves things as it found them, whatever failed."""
    yield
    vm.qmp("set_link", name="nic0", up=True)
    vm.sh(f"ip link set {vm.nics[0].pf} up")


@pytest.fixture
def pair(daemon, guest, vfs):
    """Two relays with a guest each."""
    daemon.start(*[f"--add-pci-vf={vfs[relay].address}={relay}" for relay in (0, 1)])
    guests = [guest(daemon.socket_path(relay), vfs[relay], timeout=PATIENCE) for relay in (0, 1)]
    for one in guests:
        one.wait_received(100, timeout=BACK)
    return guests


def comes_back(one):
    """Traffic flows again; and from then on nothing is lost."""
    one.wait_received(100, timeout=BACK)
    one.command("stop")
    wait_for(lambda: one.stats()["outstanding"] == 0, 30, "the packets under way")
    one.command("reset")
    one.command("start")
    one.wait_received(200, timeout=BACK)
    one.finish_clean()


@pytest.mark.ci
def test_pf_goes_down_and_up(vm, daemon, pair):
    """At once, and after a while."""
    pf = vm.nics[0].pf
    for seconds in (0, 5):
        vm.sh(f"ip link set {pf} down; sleep {seconds}; ip link set {pf} up")
        for one in pair:
            one.wait_received(100, timeout=BACK)
    for relay, one in enumerate(pair):
        comes_back(one)
        state = daemon.relay(relay)
        assert state.vf.link_up and state.vf.mac.lower() == vm.nics[0].vfs[relay].mac
    assert daemon.log_count(f"{pf}, the PF of .* is down") == 4


def test_pf_is_down_when_the_vf_is_added(vm, daemon, guest, vfs):
    """An operator's order of doing things. The VF comes with any MAC, until its PF can be asked."""
    pf = vm.nics[0].pf
    vm.sh(f"ip link set {pf} down")
    daemon.start(f"--add-pci-vf={vfs[0].address}=0")
    one = guest(daemon.socket_path(0), vfs[0], timeout=PATIENCE)
    wait_for(lambda: daemon.log_has(f"{pf}, the PF of {vfs[0].address}, is down"), 20, "a warning")
    vm.sh(f"ip link set {pf} up")
    comes_back(one)
    assert daemon.relay(0).vf.mac.lower() == vfs[0].mac


def test_the_host_changes_the_vfs_mac(vm, daemon, pair, guest, vfs):
    """What has the new MAC is reached by it; and the daemon tells which one the VF has."""
    beside, one = pair
    one.kill9()
    old, vfs[1].mac = vfs[1].mac, "02:00:00:00:00:7f"
    try:
        vfs[1].set("mac", vfs[1].mac)
        vm.nics[0].peer.reflect(vfs[1])
        wait_for(lambda: (daemon.relay(1).vf or vfs[0]).mac.lower() == vfs[1].mac, 20,
                 "the new MAC in the statistics")
        comes_back(guest(daemon.socket_path(1), vfs[1], timeout=PATIENCE))
    finally:
        vfs[1].mac = old
        vfs[1].set("mac", old)
    comes_back(guest(daemon.socket_path(1), vfs[1], timeout=PATIENCE))
    assert daemon.relay(1).vf.mac.lower() == old
    beside.finish_clean()
    assert not daemon.dropped(0)


def test_trust_is_given_and_taken(daemon, pair, vfs):
    try:
        for value in ("on", "off", "on"):
            vfs[1].set("trust", value)
            for one in pair:
                one.wait_received(100, timeout=BACK)
    finally:
        vfs[1].set("trust", "off")
    comes_back(pair[1])
    pair[0].finish_clean()
    assert not daemon.dropped(0)


def test_the_link_goes_down(vm, daemon, pair):
    """As if somebody had pulled the cable; told in the log and in the statistics."""
    assert daemon.relay(0).vf.link_up
    try:
        vm.qmp("set_link", name="nic0", up=False)
        wait_for(lambda: not any(daemon.relay(relay).vf.link_up for relay in (0, 1)), 20, "links down")
        assert daemon.log_count(r"NOTICE relay [01]: the link of .* is down") == 2
    finally:
        vm.qmp("set_link", name="nic0", up=True)
    wait_for(lambda: all(daemon.relay(relay).vf.link_up for relay in (0, 1)), 30, "links up")
    for one in pair:
        comes_back(one)


def in_background(function):
    """Ends by itself, once the daemon has let go of the VF."""
    thread = threading.Thread(target=function, daemon=True)
    thread.start()
    return thread


@pytest.mark.ci
def test_vf_is_unbound_from_under_us(daemon, pair, vfs):
    """The kernel asks for it, and waits until it has it. Its next driver may be another one."""
    beside, one = pair
    for round_ in (1, 2):
        unbinding = in_background(vfs[1].unbind)
        unbinding.join(60)
        assert not unbinding.is_alive(), "the daemon does not let go of the VF"
        daemon.wait_states(1, "DPDK_UNINIT", "VIRTIO_READY")
        beside.wait_received(100, timeout=BACK)
        wait_for(lambda: daemon.log_count("is not back yet: .* no driver") >= round_,  # noqa: B023
                 20, "a try in vain")
        vfs[1].bind()
        one.wait_received(100, timeout=BACK)
        daemon.wait_states(1, "DPDK_READY", "VIRTIO_READY")
    comes_back(one)
    beside.finish_clean()
    assert not daemon.dropped(0)


def test_vf_that_was_unbound_can_be_removed(daemon, pair, vfs):
    vfs[1].unbind()
    daemon.wait_states(1, "DPDK_UNINIT", "VIRTIO_READY")
    daemon.remove(1, vfs[1])
    vfs[1].bind()
    daemon.add(2, vfs[1])
    daemon.remove(2, vfs[1])
    daemon.add(1, vfs[1])
    comes_back(pair[1])
    pair[0].finish_clean()


@pytest.mark.ci
def test_vfs_leave_the_machine_and_return(vm, daemon, pair):
    """The PF takes all its VFs away, and makes new ones, which the host binds as before."""
    nic = vm.nics[0]
    path = f"/sys/bus/pci/devices/{nic.address}/sriov_numvfs"
    leaving = in_background(lambda: vm.sh(f"echo 0 > {path}"))
    leaving.join(60)
    try:
        assert not leaving.is_alive(), "the daemon does not let go of its VFs"
        for relay in (0, 1):
            daemon.wait_states(relay, "DPDK_UNINIT", "VIRTIO_READY")
    finally:
        vm.sh(f"echo {len(nic.vfs) + 1} > {path}")
        for vf in [*nic.vfs, nic.spare]:
            vf.set("mac", vf.mac)
        for vf in nic.vfs:
            vf.bind()
    for one in pair:
        comes_back(one)
    assert re.search("no PCI device", daemon.log_text())
