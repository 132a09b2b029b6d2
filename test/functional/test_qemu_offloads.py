"""A Linux guest that leaves checksums and segmentation to us. The wire's end of the VF is a tap, whose
kernel checks every checksum, and a socket there sees each frame as a VF would have sent it."""

import contextlib
import ctypes
import hashlib
import os
import re
import socket
import struct
import threading

import pytest

from daemon import GUEST_BACKEND
from patience import wait_for
from qemu_guest import build_image
from test_qemu_guest import BULK, WIRE_IP, World, bulk, iperf3  # noqa: F401 (a fixture)

ETH_P_ALL = 3
CLONE_NEWNET = 0x40000000


@pytest.fixture(scope="module", autouse=True)
def image():
    build_image()


@pytest.fixture
def world(directory, started, netns, new_daemon):
    return World(directory, started, netns, new_daemon)


def ones_sum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return total


class Wire:
    """What comes out of the VF: each TCP frame is looked at as it is, with nothing done by a kernel."""

    def __init__(self, netns, interface):
        self.netns, self.interface = netns, interface
        self.frames = self.wrong = self.longest = 0
        self.stopped = threading.Event()
        self.thread = threading.Thread(target=self._look, daemon=True)
        self.thread.start()

    def _open(self):
        """In the wire's namespace, which this thread alone enters."""
        namespace = os.open(f"/run/netns/{self.netns.name}", os.O_RDONLY)
        assert ctypes.CDLL(None).setns(namespace, CLONE_NEWNET) == 0
        os.close(namespace)
        found = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
        found.bind((self.interface, ETH_P_ALL))
        found.settimeout(0.2)
        return found

    def _look(self):
        with self._open() as self.socket:
            self._count()

    def _count(self):
        while not self.stopped.is_set():
            try:
                frame, address = self.socket.recvfrom(65536)
            except TimeoutError:
                continue
            # Received by the tap's kernel, which is what the VF has sent.
            if address[2] == socket.PACKET_OUTGOING or frame[12:14] != b"\x08\0" or frame[23] != 6:
                continue
            length = struct.unpack("!H", frame[16:18])[0]
            ip, tcp = frame[14:34], frame[34:14 + length]
            pseudo = ip[12:20] + struct.pack("!HH", 6, len(tcp))
            self.frames += 1
            self.longest = max(self.longest, len(frame))
            self.wrong += ones_sum(ip) != 0xffff or ones_sum(pseudo + tcp) != 0xffff

    def stop(self):
        self.stopped.set()
        self.thread.join()


def features(guest):
    bits = guest.check("cat /sys/class/net/eth0/device/features").strip()
    return {number for number, bit in enumerate(bits) if bit == "1"}


CSUM, GUEST_CSUM, GUEST_TSO4, GUEST_TSO6, HOST_TSO4, HOST_TSO6 = 0, 1, 7, 8, 11, 12


@pytest.mark.parametrize("tso, packed", [(True, True), pytest.param(True, False, marks=pytest.mark.long),
                                         pytest.param(False, False, marks=pytest.mark.long)])
def test_tcp_from_a_guest(world, iperf3, tso, packed):  # noqa: F811 (the fixture)
    world.start(*["--enable-tso"] * tso)
    guest = world.guest(ring=256, packed=packed)
    guest.start()
    assert {CSUM, GUEST_CSUM} <= features(guest)
    assert ({HOST_TSO4, HOST_TSO6} <= features(guest)) == tso
    world.ping_both_ways(guest)
    wire = Wire(world.netns, "wire0")
    to_wire, to_guest = bulk(guest), bulk(guest, "--reverse")
    wire.stop()
    assert to_wire > BULK and to_guest > BULK
    assert wire.frames > 0 and wire.wrong == 0 and wire.longest <= 1514
    lane = world.daemon.relay(0).vm_to_vf
    assert lane.pkts_checksummed_by_software > 0
    assert (lane.pkts_segmented_by_software > 0) == tso
    if tso:
        assert lane.pkts_tx_to_vf > lane.pkts_rx_from_vm
    assert lane.pkts_dropped_invalid == 0
    snmp = world.netns.run("cat", "/proc/net/snmp").stdout
    names, values = re.findall(r"^Tcp: (.*)$", snmp, re.M)
    assert dict(zip(names.split(), values.split()))["InCsumErrors"] == "0"


# Frames of several segments leave this end one by one, as a wire has them: the tap takes no others.
WIRE_IPV6, GUEST_IPV6 = "fd00::1", "fd00::2"
CONTENT = 2 << 20  # bytes


@contextlib.contextmanager
def content_served(world):
    """A web server on the wire, by IPv4 and IPv6, of random bytes. Yields their digest."""
    content = os.urandom(CONTENT)
    folder = os.path.join(world.directory, "www")
    os.mkdir(folder)
    with open(os.path.join(folder, "content"), "wb") as file:
        file.write(content)
    with open(os.path.join(world.directory, "www.log"), "w", encoding="utf-8") as log, \
            world.netns.popen("/usr/bin/python3", "-m", "http.server", "--bind", "::", "--directory", folder,
                              "8000", stdout=log, stderr=log) as server:
        try:
            yield hashlib.sha256(content).hexdigest()
        finally:
            server.kill()


def give_ipv6(world, guest):
    world.netns.run("sysctl", "-qw", "net.ipv6.conf.wire0.disable_ipv6=0")
    world.netns.run("ip", "address", "add", f"{WIRE_IPV6}/64", "dev", "wire0", "nodad")
    for name in ("accept_dad", "disable_ipv6"):
        guest.check(f"echo 0 >/proc/sys/net/ipv6/conf/eth0/{name}")
    guest.check(f"ip -6 address add {GUEST_IPV6}/64 dev eth0")


def tcp_errors(guest):
    names, values = re.findall(r"^Tcp: (.*)$", guest.check("cat /proc/net/snmp"), re.M)
    return int(dict(zip(names.split(), values.split()))["InCsumErrors"])


@pytest.mark.parametrize("mrg, packed", [(True, False), pytest.param(True, True, marks=pytest.mark.long),
                                         pytest.param(False, False, marks=pytest.mark.long)])
def test_tcp_to_a_guest_is_joined(world, mrg, packed):
    if GUEST_BACKEND:
        pytest.skip("DPDK's library is given nothing that was joined")
    world.start("--gro")
    guest = world.guest(mrg=mrg, packed=packed)
    guest.start()
    assert {GUEST_CSUM, GUEST_TSO4, GUEST_TSO6} <= features(guest)
    give_ipv6(world, guest)
    world.ping_both_ways(guest)
    with content_served(world) as digest:
        for address in (WIRE_IP, f"[{WIRE_IPV6}]"):
            before = world.daemon.relay(0).vf_to_vm.pkts_coalesced
            wait_for(lambda at=address: guest.run(f"wget -q -O /tmp/content http://{at}:8000/content")[0] == 0,
                     20, f"an answer of http://{address}")
            assert digest in guest.check("sha256sum /tmp/content")
            assert world.daemon.relay(0).vf_to_vm.pkts_coalesced > before
    assert tcp_errors(guest) == 0
    world.ping_both_ways(guest)
    lane = world.daemon.relay(0).vf_to_vm
    assert lane.pkts_dropped_vm_queue_full == 0
    assert lane.pkts_rx_from_vf == (lane.pkts_tx_to_vm + lane.pkts_coalesced +
                                    lane.pkts_dropped_vm_not_connected)  # before the guest was there
    assert lane.bytes_rx_from_vf > lane.bytes_tx_to_vm
    # The guest has counted frames, not segments.
    assert int(guest.check("cat /sys/class/net/eth0/statistics/rx_packets")) < lane.pkts_rx_from_vf
