"""Stand-ins for VFs whose network interface on the host is taken down, changed or deleted."""

import pytest

from daemon import Daemon, wait_for

READY = ("DPDK_READY", "VIRTIO_READY")
WAITING = ("DPDK_ADDED", "VIRTIO_READY")  # attached, and nothing is given to it
LOST = ("DPDK_UNINIT", "VIRTIO_READY")
AF_PACKET = "net_af_packet0,iface=vf0"


@pytest.fixture
def world(directory, started, netns, guest):
    """(daemon, its namespace, guest); vf0 and wire0 are a cable's ends, both up."""

    def make(mtu=1500):
        space = netns("host")
        cable(space, mtu)
        daemon = started.add(Daemon(directory, space.name))
        daemon.start()
        daemon.add(2, AF_PACKET)
        one = guest(daemon.socket_path(2), rate=200)
        daemon.wait_states(2, *READY, timeout=10)
        return daemon, space, one

    return make


def cable(space, mtu=1500):
    space.run("ip", "link", "add", "vf0", "mtu", str(mtu), "type", "veth", "peer", "name", "wire0",
              "mtu", str(mtu))
    for name in ("vf0", "wire0"):
        space.run("sysctl", "-qw", f"net.ipv6.conf.{name}.disable_ipv6=1", check=False)
        space.run("ip", "link", "set", name, "up")


def attribute(space, name, file):
    return space.run("cat", f"/sys/class/net/{name}/{file}").stdout.strip()


def passes(daemon, space):
    """What the guest sends arrives on the wire."""
    before = int(attribute(space, "wire0", "statistics/rx_packets"))
    wait_for(lambda: int(attribute(space, "wire0", "statistics/rx_packets")) > before + 50, 15,
             "packets on the wire")
    assert daemon.states(2) == READY


def said(daemon, text):
    wait_for(lambda: text in daemon.log_text(), 15, text)


def test_down_and_up(world):
    """What the guest sends meanwhile is lost for want of a VF, and counts as nothing else."""
    daemon, space, _ = world()
    passes(daemon, space)
    space.run("ip", "link", "set", "vf0", "down")
    daemon.wait_states(2, *WAITING, timeout=15)
    assert daemon.relay(2).active is False
    said(daemon, "relay 2: vf0, the interface of net_af_packet0, is down: nothing passes until 'ip link set vf0 up'")
    before = daemon.relay(2).vm_to_vf
    wait_for(lambda: daemon.relay(2).vm_to_vf.pkts_dropped_vf_not_connected
             > before.pkts_dropped_vf_not_connected + 50, 15, "losses")
    assert daemon.relay(2).vm_to_vf.pkts_tx_to_vf == before.pkts_tx_to_vf
    space.run("ip", "link", "set", "vf0", "up")
    daemon.wait_states(2, *READY, timeout=15)
    said(daemon, "relay 2: vf0, the interface of net_af_packet0, is up")
    passes(daemon, space)


def test_down_from_the_start(directory, started, netns, guest):
    space = netns("host")
    cable(space)
    space.run("ip", "link", "set", "vf0", "down")
    daemon = started.add(Daemon(directory, space.name))
    daemon.start()
    daemon.add(2, AF_PACKET)
    said(daemon, "is down: nothing passes until 'ip link set vf0 up'")
    guest(daemon.socket_path(2), rate=200)
    daemon.wait_states(2, *WAITING, timeout=15)
    space.run("ip", "link", "set", "vf0", "up")
    daemon.wait_states(2, *READY, timeout=15)
    passes(daemon, space)


def test_deleted_and_made_anew(world):
    daemon, space, _ = world()
    passes(daemon, space)
    space.run("ip", "link", "del", "vf0")
    daemon.wait_states(2, *LOST, timeout=15)
    said(daemon, "relay 2: vf0, the interface of net_af_packet0, is gone")
    assert daemon.relay(2).active is False
    cable(space)
    daemon.wait_states(2, *READY, timeout=40)
    passes(daemon, space)


def test_an_mtu_that_is_made_less_and_more(world):
    """The relay follows the host; what its driver has to change, the host gets back."""
    daemon, space, _ = world()
    assert daemon.relay(2).vf.mtu == 1500
    space.run("ip", "link", "set", "vf0", "mtu", "1400")
    wait_for(lambda: getattr(daemon.relay(2).vf, "mtu", 0) == 1400, 20, "the relay's MTU")
    said(daemon, "relay 2: the MTU of vf0, the interface of net_af_packet0, is 1400 now, and was 1500")
    assert attribute(space, "vf0", "mtu") == "1400"
    daemon.wait_states(2, *READY, timeout=20)
    passes(daemon, space)
    space.run("ip", "link", "set", "vf0", "mtu", "9000")
    said(daemon, "relay 2: the MTU of vf0 is 1500 for now, and was 9000")
    daemon.wait_states(2, *READY, timeout=20)
    passes(daemon, space)
    daemon.remove(2)
    assert attribute(space, "vf0", "mtu") == "9000"


def test_what_the_driver_changes_is_given_back(world):
    daemon, space, _ = world(mtu=9000)
    assert daemon.relay(2).vf.mtu == 1500 and attribute(space, "vf0", "mtu") == "1500"
    said(daemon, "relay 2: the MTU of vf0 is 1500 for now, and was 9000: that is the most that net_af_packet0")
    assert int(attribute(space, "vf0", "flags"), 16) & 0x100, "promiscuous"
    passes(daemon, space)
    daemon.remove(2)
    assert attribute(space, "vf0", "mtu") == "9000"
    assert int(attribute(space, "vf0", "flags"), 16) & 0x300 == 0
    assert "vf0, which was net_af_packet0's, has its MTU 9000 again" in daemon.log_text()
    daemon.add(2, AF_PACKET)
    assert attribute(space, "vf0", "mtu") == "1500"
    assert daemon.stop() == 0
    assert attribute(space, "vf0", "mtu") == "9000"


@pytest.fixture
def tap(directory, started, netns, guest):
    space = netns("host")
    daemon = started.add(Daemon(directory, space.name))
    daemon.start()
    daemon.add(2, "net_tap0,iface=vf0")
    guest(daemon.socket_path(2), rate=200)
    daemon.wait_states(2, *READY, timeout=10)
    return daemon, space


def test_a_tap_down_and_up(tap):
    """It stays: its addresses and all would go with it."""
    daemon, space = tap
    assert "is down" not in daemon.log_text()
    index = attribute(space, "vf0", "ifindex")
    space.run("ip", "link", "set", "vf0", "down")
    daemon.wait_states(2, *WAITING, timeout=15)
    space.run("ip", "link", "set", "vf0", "up")
    daemon.wait_states(2, *READY, timeout=15)
    assert attribute(space, "vf0", "ifindex") == index


def test_a_tap_that_is_deleted(tap):
    daemon, space = tap
    space.run("ip", "link", "del", "vf0")
    said(daemon, "relay 2: vf0, the interface of net_tap0, is gone")
    wait_for(lambda: space.has_link("vf0"), 40, "the tap again")
    daemon.wait_states(2, *READY, timeout=40)


def test_a_tap_that_is_moved(tap, netns):
    """It works on in another namespace, where it is out of the daemon's sight."""
    daemon, space = tap
    other = netns("other")
    space.run("ip", "link", "set", "vf0", "netns", other.name)
    other.run("ip", "link", "set", "vf0", "up")
    space.run("ip", "link", "add", "vf9", "type", "veth", "peer", "name", "wire9")  # an event after it
    before = int(attribute(other, "vf0", "statistics/rx_packets"))
    wait_for(lambda: int(attribute(other, "vf0", "statistics/rx_packets")) > before + 50, 15, "packets")
    assert daemon.states(2) == READY and "is gone" not in daemon.log_text()
    daemon.remove(2)
    assert not other.has_link("vf0")


def test_a_taps_mtu(tap):
    daemon, space = tap
    space.run("ip", "link", "set", "vf0", "mtu", "4000")
    said(daemon, "relay 2: the MTU of vf0, the interface of net_tap0, is 4000 now; the relay's stays 1500")
    assert daemon.states(2) == READY
