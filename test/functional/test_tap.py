"""Kernels on both ends: a tap in one namespace is the VF's wire, a tap behind testpmd in another is
the guest's interface."""

import json
import re

import pytest

import patience
from daemon import Daemon, wait_for


@pytest.fixture
def two_kernels(directory, started, netns, testpmd_guest):
    """(daemon, wire namespace, guest namespace), 10.9.0.1 on the wire and 10.9.0.2 in the guest."""

    def make(device_options="", *options):
        wire, inside = netns("wire"), netns("guest")
        daemon = started.add(Daemon(directory, wire.name))
        daemon.start("--enable-mrgbuf", *options)
        daemon.add(2, "net_tap0,iface=vf0")
        testpmd_guest(daemon.socket_path(2), "g0", netns=inside.name,
                      device_options=device_options)
        wire.set_up("vf0", "10.9.0.1/24")
        inside.set_up("g0", "10.9.0.2/24")
        daemon.wait_states(2, "DPDK_READY", "VIRTIO_READY", 10)
        return daemon, wire, inside

    return make


def ping(namespace, address, count=20, size=56, interval=0.02):
    """(count, how many of so many pings were answered, one after the other). With -w it sends on until
    so many answers have come: the last packet may lie in a tap until there is another."""
    done = namespace.run("ping", "-n", "-c", str(count), "-i", str(interval), "-s", str(size),
                         "-w", "120", address, check=False, timeout=150)
    answers = [int(number) for number in re.findall(r"icmp_seq=(\d+) ttl", done.stdout)]
    return count, sum(number == n + 1 for n, number in enumerate(answers[:count]))


def reach(namespace, address):
    """Waits until an answer comes: testpmd forwards a while after its interface is there, and the first
    packets may wait for ARP."""

    def answered():
        done = namespace.run("ping", "-c", "1", "-W", "1", address, check=False)
        return done.returncode == 0

    wait_for(answered, 20, f"an answer from {address}")


@pytest.mark.parametrize("device_options", ["", ",packed_vq=1", ",mrg_rxbuf=0,in_order=0"],
                         ids=["split", "packed", "plain"])
def test_ping_both_ways(two_kernels, device_options):
    daemon, wire, inside = two_kernels(device_options)
    reach(wire, "10.9.0.2")
    for namespace, address in ((wire, "10.9.0.2"), (inside, "10.9.0.1")):
        for size in (56, 1400):
            assert ping(namespace, address, size=size) == (20, 20)
    flat = daemon.stats(2)
    assert flat["active"] in ("1", "True", "true")
    assert flat["vf.pci_addr_str"] == "net_tap0"
    assert not [name for name in daemon.dropped(2) if "queue_full" in name]


@pytest.mark.parametrize("reverse", [[], ["--reverse"]], ids=["to the guest", "from the guest"])
def test_bulk_traffic(two_kernels, started, reverse):
    daemon, wire, inside = two_kernels()
    reach(wire, "10.9.0.2")
    server = inside.popen("iperf3", "--server", "--one-off", "--daemon")
    patience.reap(server, 10)
    # So many bytes, not so many seconds: how fast, test/bench tells.
    done = wire.run("iperf3", "--client", "10.9.0.2", "--bytes", "16M", "--window", "256K", "--json",
                    *reverse, check=False)
    answer = json.loads(done.stdout)
    assert "error" not in answer, answer["error"]
    arrived = answer["end"]["sum_received"]["bytes"]
    assert arrived > 8 << 20
    state = daemon.relay(2)
    moved = state.vm_to_vf.bytes_tx_to_vf if reverse else state.vf_to_vm.bytes_tx_to_vm
    assert moved > arrived


def test_the_wire_goes_away_and_comes_back(two_kernels):
    daemon, wire, inside = two_kernels()
    reach(wire, "10.9.0.2")
    daemon.remove(2)
    assert not wire.has_link("vf0")
    daemon.add(2, "net_tap0,iface=vf0")
    wire.set_up("vf0", "10.9.0.1/24")
    reach(wire, "10.9.0.2")
    assert ping(wire, "10.9.0.2") == (20, 20)


def test_what_the_vf_loses_itself_is_a_loss(two_kernels):
    """Frames that are longer than the relay's MTU, which its driver drops."""
    daemon, wire, inside = two_kernels()
    reach(wire, "10.9.0.2")

    def lost():
        return {key: value for key, value in daemon.dropped(2).items() if "by_vf" in key}

    assert not lost()
    wire.run("ip", "link", "set", "vf0", "mtu", "4000")
    wire.run("ping", "-c", "3", "-i", "0.1", "-W", "1", "-s", "3500", "-M", "do", "10.9.0.2", check=False)
    wait_for(lambda: daemon.relay(2).vf.rx_errors >= 3, 10, "losses in the statistics")
    assert lost() == {"vf_to_vm.pkts_dropped_by_vf": daemon.relay(2).vf.rx_errors}
    assert daemon.relay(2).vf.tx_errors == 0
    assert ping(wire, "10.9.0.2") == (20, 20)


def link_address(namespace, iface):
    return namespace.run("cat", f"/sys/class/net/{iface}/address").stdout.strip()


@pytest.mark.parametrize("options", [[], ["--sync-mac"]], ids=["", "sync-mac"])
def test_the_guests_mac(two_kernels, options):
    """Learnt and told. A tap receives for any address, so nothing need be done; and its own is the
    wire's end's, which would be a poor choice to change."""
    daemon, wire, inside = two_kernels("", *options)
    before = link_address(wire, "vf0")
    reach(wire, "10.9.0.2")
    for mac in (link_address(inside, "g0"), "02:00:00:12:34:56"):
        inside.run("ip", "link", "set", "g0", "address", mac)
        wire.run("ip", "neigh", "flush", "dev", "vf0")
        reach(inside, "10.9.0.1")
        wait_for(lambda: daemon.relay(2).vhost.mac == mac, 10, "the address in the statistics")  # noqa: B023
        assert ping(wire, "10.9.0.2") == (20, 20)
    assert link_address(wire, "vf0") == before
    assert "MAC address" not in daemon.log_text()


TAGS = [100, 0xe000, 0x6ffe]  # VLAN 100, a priority without a VLAN, 4094 with one

# Sends a frame with each of these tags again and again.
SEND_TAGGED = f"""
import socket, struct, sys, time
with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as raw:
    raw.bind((sys.argv[1], 0))
    while True:
        for tag in {TAGS}:
            raw.send(b"\\xff" * 6 + b"\\2\\0\\0\\0\\0\\7" + struct.pack("!HHH", 0x8100, tag, 0x88b5) + bytes(46))
        time.sleep(0.02)
"""

# Ends when it has received each. The kernel has the tags beside the frames, in the auxiliary data.
RECEIVE_TAGGED = f"""
import socket, struct, sys
with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)) as raw:
    raw.setsockopt(263, 8, 1)  # SOL_PACKET, PACKET_AUXDATA
    raw.bind((sys.argv[1], 3))
    missing = set({TAGS})
    while missing:
        frame, data, _, _ = raw.recvmsg(2048, 64)
        for _, _, value in data:
            status, tag = struct.unpack_from("=I12xH", value)
            if status & 16 and frame[12:14] == b"\\x88\\xb5":  # TP_STATUS_VLAN_VALID
                missing.discard(tag)
"""


def test_tagged_frames(two_kernels):
    """A tap filters nothing, so there is nothing to do and nothing to say, whatever was named."""
    daemon, wire, inside = two_kernels("", "--vlans=100;2:7-9")
    for source, iface, target, end in ((wire, "vf0", inside, "g0"), (inside, "g0", wire, "vf0")):
        receiver = target.popen("/usr/bin/python3", "-c", RECEIVE_TAGGED, end)
        sender = source.popen("/usr/bin/python3", "-c", SEND_TAGGED, iface)
        try:
            wait_for(lambda: receiver.poll() is not None, 30, "a frame with each tag")  # noqa: B023
        finally:
            sender.kill()
            sender.wait()
            receiver.kill()
        assert receiver.wait() == 0
    assert not daemon.relay(2).vf.vlan and not daemon.relay(2).vf.vlan_refused
    assert not [name for name in daemon.stats(2) if "vlan" in name]
    assert "VLAN" not in daemon.log_text()


RANDOM_SOURCES = """
import os, socket, time
with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as raw:
    raw.bind(("g0", 0))
    end = time.monotonic() + 4
    while time.monotonic() < end:
        for i in range(20):
            raw.send(b"\\xff" * 6 + os.urandom(6) + b"\\x88\\xb5" + bytes(46))
        time.sleep(0.01)
"""


def test_a_guest_with_many_macs(two_kernels):
    """Whatever it sends: the log stays as it is, groups' addresses are not taken for its own, and
    traffic goes on."""
    daemon, wire, inside = two_kernels("", "--sync-mac")
    reach(wire, "10.9.0.2")
    wait_for(lambda: daemon.relay(2).vhost.mac, 10, "the guest's first address")
    lines = len(daemon.log_text().splitlines())
    flood = inside.popen("/usr/bin/python3", "-c", RANDOM_SOURCES)
    seen = set()
    while flood.poll() is None:
        seen.add(daemon.relay(2).vhost.mac)
    assert flood.returncode == 0
    assert len(seen) > 1 and not any(int(mac[:2], 16) & 1 for mac in seen), seen
    assert ping(wire, "10.9.0.2") == (20, 20)
    assert len(daemon.log_text().splitlines()) == lines, daemon.log_tail()
