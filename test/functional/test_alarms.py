"""Workers that sleep until somebody tells them of packets: guests by kicks, VFs by a descriptor. The look
that they take from time to time all the same is switched off: what nobody tells of would be found never."""

import os
import time

import pytest

from daemon import lcores
from legal_guest import EVENT_IDX, HEADER, LegalGuest, frame, number_of
from patience import wait_for
from test_idle import worker
from vhost_peer import FROM_GUEST, SET_VRING_CALL, SET_VRING_KICK

RELAY = 5
KINDS = pytest.mark.parametrize("packed", [False, True], ids=["split", "packed"])
EVENTS = pytest.mark.parametrize("features", [0, EVENT_IDX], ids=["flags", "event-idx"])


class Kicker(LegalGuest):
    """Kicks when it is asked to, as drivers do."""

    kicks = 0

    def send_frame(self, data):
        ring = self.rings[FROM_GUEST]
        before = ring.posted
        wait_for(lambda: self.put(data))
        if ring.wants_kick(before):
            self.kick()

    def kick(self):
        self.kicks += 1
        os.eventfd_write(self.events[2 * FROM_GUEST + 1], 1)

    def wait_frame(self, number):
        """Until that one is there; others from the wire are passed over."""

        def came():
            return any(len(one.data) > 18 and number_of(one.data) == number for one in self.take())

        wait_for(came, interval=0.001)


class Wire:
    """The kernel's end of the tap that is the VF."""

    def __init__(self, netns):
        self.netns = netns("wire")

    def up(self):
        self.netns.set_up("vf0", "10.9.0.1/24")

    def sent_here(self):
        return int(self.netns.run("cat", "/sys/class/net/vf0/statistics/rx_packets").stdout)

    def send(self, number):
        code = ("import socket,sys; s=socket.socket(socket.AF_PACKET, socket.SOCK_RAW); s.bind(('vf0', 0)); "
                "s.send(bytes.fromhex(sys.argv[1]))")
        self.netns.run("/usr/bin/python3", "-c", code, frame(number, 60).hex())


@pytest.fixture
def wired(directory, started, netns, new_daemon):
    """(daemon, wire) with a tap as the VF of a relay."""

    def make(*options, net="0"):
        ends = Wire(netns)
        daemon = new_daemon("daemon", ends.netns.name)
        daemon.lcores = lcores(1)
        daemon.start("--idle-net-ms=" + net, *options)
        daemon.add(RELAY, "net_tap0,iface=vf0")
        ends.up()
        return daemon, ends

    return make


def sleeps_on(daemon):
    """Until the worker sleeps and nothing wakes it."""
    seen = []

    def still():
        one = worker(daemon)
        seen.append((one.sleeps, one.asleep > 0.99))
        return len(seen) > 3 and seen[-1] == seen[-2] == seen[-3] and seen[-1][1]

    wait_for(still, 30, "a worker that sleeps on", interval=0.5)


def forwarded(daemon):
    return daemon.relay(RELAY).vm_to_vf.pkts_tx_to_vf


@KINDS
@EVENTS
def test_a_guest_and_a_vf_wake_their_worker(wired, packed, features):
    daemon, ends = wired()
    with Kicker(daemon.socket_path(RELAY), 64, buffer_len=HEADER + 1514, packed=packed,
                features=features) as guest:
        daemon.wait_states(RELAY, "DPDK_READY", "VIRTIO_READY", 10)
        assert guest.offered & features == features
        for number in range(1, 4):
            sleeps_on(daemon)
            before, sent = worker(daemon), forwarded(daemon)
            guest.send_frame(frame(number, 60))
            wait_for(lambda: forwarded(daemon) == sent + 1)
            sleeps_on(daemon)
            after = worker(daemon)
            assert after.woken_by_guest > before.woken_by_guest

            before = after
            ends.send(number + 100)
            guest.wait_frame(number + 100)
            assert worker(daemon).woken_by_vf > before.woken_by_vf
        assert worker(daemon).late_finds == 0


@KINDS
@EVENTS
def test_no_frame_is_left_lying(wired, packed, features):
    """At any moment of falling asleep: frames one by one, at distances around the time that it polls on."""
    daemon, _ = wired("--idle-grace-us=20")
    with Kicker(daemon.socket_path(RELAY), 64, packed=packed, features=features) as guest:
        daemon.wait_states(RELAY, "DPDK_READY", "VIRTIO_READY", 10)
        begin = forwarded(daemon)
        for number in range(2000):
            guest.send_frame(frame(number, 60))
            time.sleep((number % 50) * 2e-6)
            if number % 100 == 99:
                wait_for(lambda: forwarded(daemon) == begin + number + 1)  # noqa: B023
        assert guest.kicks > 0
        assert worker(daemon).late_finds == 0


@KINDS
def test_who_is_busy_spares_kicks(wired, packed):
    """While it polls, nobody is to kick but for the last frames before it goes to sleep."""
    daemon, _ = wired("--idle-grace-us=100000")
    with Kicker(daemon.socket_path(RELAY), 64, packed=packed) as guest:
        daemon.wait_states(RELAY, "DPDK_READY", "VIRTIO_READY", 10)
        sleeps_on(daemon)

        def spared():
            before = guest.kicks
            for number in range(50):
                guest.send_frame(frame(number, 60))
            return guest.kicks == before

        wait_for(spared, 20, "a burst without kicks")
        assert guest.kicks > 0


def test_kicks_for_nothing_disturb_nobody(wired):
    """They cost no more than a look from time to time would, and are counted."""
    daemon, ends = wired()
    with Kicker(daemon.socket_path(RELAY), 64) as guest:
        daemon.wait_states(RELAY, "DPDK_READY", "VIRTIO_READY", 10)
        sleeps_on(daemon)
        before = worker(daemon).woken_in_vain
        stop = time.monotonic() + 2
        while time.monotonic() < stop:
            guest.kick()
        assert worker(daemon).woken_in_vain > before
        ends.send(7)
        guest.wait_frame(7)
        sleeps_on(daemon)


def test_the_next_guest_wakes_it_too(wired):
    """Another one has other descriptors, perhaps by the same numbers."""
    daemon, _ = wired()
    for number in range(3):
        with Kicker(daemon.socket_path(RELAY), 64, packed=number == 1) as guest:
            daemon.wait_states(RELAY, "DPDK_READY", "VIRTIO_READY", 10)
            sleeps_on(daemon)
            before = forwarded(daemon)
            guest.send_frame(frame(number, 60))
            wait_for(lambda: forwarded(daemon) == before + 1)  # noqa: B023
        sleeps_on(daemon)


def test_descriptors_that_are_swapped(wired):
    """A new kick descriptor for a ring that runs, and a call descriptor: the worker heeds those."""
    daemon, _ = wired()
    with Kicker(daemon.socket_path(RELAY), 64, features=EVENT_IDX) as guest:
        daemon.wait_states(RELAY, "DPDK_READY", "VIRTIO_READY", 10)
        for number in range(4):
            sleeps_on(daemon)
            which, request = ((1, SET_VRING_KICK), (0, SET_VRING_CALL))[number % 2]
            at = 2 * FROM_GUEST + which
            old, guest.events[at] = guest.events[at], os.eventfd(0, os.EFD_NONBLOCK)
            guest.send(request, FROM_GUEST.to_bytes(8, "little"), [guest.events[at]])
            os.close(old)
            sleeps_on(daemon)
            before = forwarded(daemon)
            guest.send_frame(frame(number, 60))
            wait_for(lambda: forwarded(daemon) == before + 1)  # noqa: B023


def test_a_kick_descriptor_that_is_none(wired):
    """Anything but an eventfd is not waited for: then the worker looks by time."""
    daemon, _ = wired()
    reader, writer = os.pipe()
    with Kicker(daemon.socket_path(RELAY), 64, start=False) as guest:
        os.close(guest.events[3])
        guest.events[3] = writer
        guest.start()
        daemon.wait_states(RELAY, "DPDK_READY", "VIRTIO_READY", 10)
        guest.kick = lambda: None
        for number in range(20):
            before = forwarded(daemon)
            guest.send_frame(frame(number, 60))
            wait_for(lambda: forwarded(daemon) == before + 1)  # noqa: B023
    os.close(reader)


def test_vfs_without_interrupts_are_looked_at(wired):
    daemon, ends = wired("--idle-vf-interrupts=no")
    with Kicker(daemon.socket_path(RELAY), 64) as guest:
        daemon.wait_states(RELAY, "DPDK_READY", "VIRTIO_READY", 10)
        before = worker(daemon).sleeps
        wait_for(lambda: worker(daemon).sleeps > before + 100)
        ends.send(9)
        guest.wait_frame(9)
        assert worker(daemon).woken_by_vf == 0


def test_it_looks_from_time_to_time_all_the_same(wired):
    """A guest that never kicks, though it was asked to, is found after a while."""
    daemon, _ = wired(net="50")
    with Kicker(daemon.socket_path(RELAY), 64) as guest:
        daemon.wait_states(RELAY, "DPDK_READY", "VIRTIO_READY", 10)
        guest.kick = lambda: None
        for number in range(5):
            before = forwarded(daemon)
            guest.send_frame(frame(number, 60))
            wait_for(lambda: forwarded(daemon) == before + 1)  # noqa: B023
        wait_for(lambda: worker(daemon).late_finds > 0)

