"""A Linux guest that leaves checksums and segmentation to us. The wire's end of the VF is a tap, whose
kernel checks every checksum, and a socket there sees each frame as a VF would have sent it."""

import ctypes
import os
import re
import socket
import struct
import threading

import pytest

from qemu_guest import build_image
from test_qemu_guest import BULK, World, bulk, iperf3  # noqa: F401 (a fixture)

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


CSUM, GUEST_CSUM, HOST_TSO4, HOST_TSO6 = 0, 1, 11, 12


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
