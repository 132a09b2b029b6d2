"""What the host does to a VF that a relay uses: its PF trusts it, its link goes, it is unbound from
vfio-pci, it leaves the machine. The relay goes on, or comes back once the VF does, without anybody's
help; and the relays beside it do not notice.
"""

import re
import threading

import pytest

from rig import wait_for

BACK = 15         # s (times rig.SLOW) until there is traffic again in an emulated machine
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
