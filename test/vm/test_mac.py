"""Guests whose MAC address is not their VF's, on igb: what arrives, what is said, what helps.

Linux's igb lets a VF change its address unless the host has set it and the VF is not trusted; and it
lets no VF receive all unicast, trusted or not. Its VF's driver reports success in every case.
"""

import contextlib
import re
from types import SimpleNamespace

import pytest

from rig import WIRE_IP, wait_for

GUEST = SimpleNamespace(mac="02:00:00:aa:00:01")
OTHER = SimpleNamespace(mac="02:00:00:aa:00:02")
ZERO = "00:00:00:00:00:00"
WARNING = r"WARNING relay 0: the guest uses the MAC address "
PROGRAMMED = r"takes the guest's MAC address "


@pytest.fixture
def vf(vfs):
    """A VF as the host has set it up, untrusted, and so again at the end."""
    yield vfs[0]
    vfs[0].set("trust", "off")
    vfs[0].set("mac", vfs[0].mac)


@pytest.fixture
def start(daemon, kernel_guest, vf):
    """start(*options, as_=GUEST): daemon and guest on relay 0, both there."""

    def start_(*options, as_=GUEST):
        daemon.start(f"--add-pci-vf={vf.address}=0", *options)
        one = kernel_guest("guest0", daemon.socket_path(0), as_, "10.0.0.10")
        daemon.wait_states(0, "DPDK_READY", "VIRTIO_READY")
        return one

    return start_


@pytest.fixture
def send(peer):
    """send(mac): frames to that address from the wire; the peer's neighbour entry is forced."""

    def send_(mac, count=20):
        peer.sh(f"ip neigh replace 10.0.0.99 lladdr {mac} dev {peer.iface}")
        try:
            peer.ping("10.0.0.99", count=count)
        finally:
            peer.sh(f"ip neigh del 10.0.0.99 dev {peer.iface}")

    return send_


def pf_mac(vf):
    """The address that the PF holds for the VF."""
    out = vf.vm.run(["ip", "link", "show", vf.pf])[1]
    return re.search(rf"vf {vf.index} +link/ether ([0-9a-f:]+)", out).group(1)


@contextlib.contextmanager
def speaking(guest):
    """The guest sends frames meanwhile, whether or not it is heard."""
    ping = guest.vm.popen(["ip", "netns", "exec", guest.name, "ping", "-q", "-i", "0.3", WIRE_IP])
    try:
        yield
    finally:
        ping.kill()
        ping.wait(30)


def wait_log(daemon, pattern, timeout=30):
    return wait_for(lambda: daemon.log_has(pattern), timeout, pattern)


def received(daemon):
    return daemon.relay(0).vf_to_vm.pkts_rx_from_vf


def expect_deaf(daemon, send, mac):
    """Of 20 frames to that address none gets to the relay; some broadcast may."""
    before = received(daemon)
    send(mac)
    assert received(daemon) < before + 10


def expect_hears(daemon, send, mac):
    before = received(daemon)
    send(mac)
    wait_for(lambda: received(daemon) >= before + 20, 10, f"20 frames to {mac}")


@pytest.mark.parametrize("sync", [False, True], ids=["off", "refused"])
def test_warned_when_the_guest_cannot_be_reached(daemon, start, send, peer, vf, sync):
    """The trap: the host has set the VF's address, the guest uses another."""
    one = start(*(["--sync-mac"] if sync else []))
    with speaking(one):
        line = wait_log(daemon, WARNING + ".*").group(0)
    assert GUEST.mac in line and f"{vf.address} receives unicast for {vf.mac} only" in line
    assert ("--sync-mac is not on" in line) != sync
    assert f"'ip link set {vf.pf} vf {vf.index} trust on'" in line
    assert peer.ping(one.ip, count=5) == 0
    expect_deaf(daemon, send, GUEST.mac)
    expect_hears(daemon, send, vf.mac)
    assert daemon.relay(0).vhost.mac == GUEST.mac and daemon.relay(0).vf.mac == vf.mac
    assert pf_mac(vf) == vf.mac

    # The other remedy.
    vf.vm.sh(re.search(r"'(ip link set [^']* mac [^']*)'", line).group(1))
    wait_for(lambda: daemon.relay(0).vf and daemon.relay(0).vf.mac == GUEST.mac, 90, "the VF's new address")
    peer.wait_answer(one)
    assert peer.ping(one.ip, count=20) == 20
    assert len(re.findall(WARNING, daemon.log_text())) == 1


@pytest.mark.parametrize("how", ["trusted", "never_set"])
def test_programmed_where_the_pf_agrees(daemon, start, send, peer, vf, how):
    vf.set(*(["trust", "on"] if how == "trusted" else ["mac", ZERO]))
    one = start("--sync-mac")
    own = daemon.relay(0).vf.mac
    assert (own == vf.mac) == (how == "trusted")
    with speaking(one):
        wait_log(daemon, PROGRAMMED + GUEST.mac + f" instead of its {own}")
    peer.wait_answer(one)
    assert peer.ping(one.ip, count=50) == 50
    expect_hears(daemon, send, GUEST.mac)
    expect_deaf(daemon, send, own)
    assert pf_mac(vf) == GUEST.mac
    state = daemon.relay(0)
    assert state.vf.mac == state.vhost.mac == GUEST.mac
    assert not daemon.log_has(WARNING)

    # It changes its address while it runs.
    one.sh(f"ip link set g0 address {OTHER.mac}")
    with speaking(one):
        wait_log(daemon, PROGRAMMED + OTHER.mac)
    peer.sh(f"ip neigh flush dev {peer.iface}")
    peer.wait_answer(one)
    assert peer.ping(one.ip, count=20) == 20

    # The host's address is the VF's again when that is removed.
    daemon.remove(0, vf)
    if how == "trusted":
        assert pf_mac(vf) == vf.mac


def test_programmed_again_when_the_vf_comes_back(daemon, start, peer, vf):
    """A VF that is attached anew has its own address again; the guest stays, and need not say a word."""
    vf.set("trust", "on")
    one = start("--sync-mac")
    with speaking(one):
        wait_log(daemon, PROGRAMMED + GUEST.mac)
    daemon.remove(0, vf)
    assert pf_mac(vf) == vf.mac
    daemon.add(0, vf)
    wait_for(lambda: pf_mac(vf) == GUEST.mac, 30, "the VF is programmed again")
    peer.wait_answer(one)
    assert peer.ping(one.ip, count=20) == 20


@pytest.mark.parametrize("trust", ["off", "on"])
def test_not_promiscuous_and_says_so(daemon, start, send, peer, vf, trust):
    vf.set("trust", trust)
    one = start(as_=vf)
    wait_log(daemon, rf"{vf.address} receives unicast for its own MAC address only")
    peer.wait_answer(one)
    expect_deaf(daemon, send, OTHER.mac)
    expect_hears(daemon, send, vf.mac)
    assert daemon.relay(0).vhost.mac == vf.mac
    assert not daemon.log_has(WARNING)
