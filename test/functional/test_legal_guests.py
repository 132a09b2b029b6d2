"""What guests may do, and a guest end has to serve: all kinds of it that the binary has, each of them. What
a kind cannot do is said where it is expected to fail."""

import re
import struct
import tempfile

import pytest

import patience
import wire_client as wire
from daemon import BINARY, wait_for
from legal_guest import (
    GET_MAX_MEM_SLOTS,
    HEADER,
    MEM_SLOTS,
    RARP,
    REPLY_ACK,
    SEND_RARP,
    LegalGuest,
    frame,
    number_of,
)
from vhost_peer import FROM_GUEST, SET_VRING_ENABLE, Peer

RINGS = pytest.mark.parametrize("packed", [False, True], ids=["split", "packed"])
SIZES = [1 << power for power in range(16)]


def kinds():
    """The daemon names them when it is asked for one that there is not."""
    done = patience.run([BINARY, "--guest-backend=?"])
    return re.search(r"that there are: (.*)", done.stderr + done.stdout).group(1).split(",")


KINDS = kinds()


@pytest.fixture(params=KINDS)
def served(request, daemon, cannot):
    """served(*options): the daemon, whose relay 1 has a loop-back VF and a guest end of this kind."""

    def start(*options, ring=True):
        daemon.start(f"--guest-backend={request.param}", *options)
        if ring:
            daemon.add_ring(1)
        return daemon

    start.kind = request.param
    return start


@pytest.fixture
def cannot(request):
    """cannot(dpdk="why"): the rest of the test is expected to fail for that kind, and else to pass."""

    def mark(**whys):
        why = whys.get(request.getfixturevalue("served").kind)
        if why:
            request.applymarker(pytest.mark.xfail(reason=why, strict=True))

    return mark


def expect_all(guest, frames, **options):
    """All come back as they were sent, in order."""
    got = guest.exchange(frames, **options)
    assert [number_of(one.data) for one in got] == [number_of(one) for one in frames]
    for one, sent in zip(got, frames):
        assert one.data == sent
    return got


def next_guest(daemon, *args, new=LegalGuest, **options):
    """Once the front end before it is gone for the daemon, too: until then it is turned away. (Its lanes have
    to be gone as well, or they would send for the new guest before anybody receives for it.)"""
    came = []
    daemon.wait_states(1, "DPDK_ADDED", "VIRTIO_UNINIT")

    def let_in():
        try:
            came.append(new(daemon.socket_path(1), *args, **options))
        except (struct.error, OSError):
            return False
        return True

    wait_for(let_in, 5, "a front end is let in", interval=0.1)
    return came[0]


# --- rings -----------------------------------------------------------------------------------------

@pytest.mark.parametrize("mergeable", [False, True], ids=["plain", "mergeable"])
@RINGS
def test_rings_of_any_size(served, packed, mergeable):
    """Every power of two, one entry included. (With mergeable buffers, see below.)"""
    daemon = served(*["--enable-mrgbuf"] if mergeable else [])
    for entries in SIZES[mergeable:]:
        with next_guest(daemon, entries, packed=packed, mergeable=mergeable) as guest:
            frames = [frame(i, 60 + i % 1400) for i in range(max(100, min(3 * entries, 600)))]
            expect_all(guest, frames)
    assert not daemon.dropped(1)
    assert "refused" not in daemon.log_text()


@RINGS
def test_one_mergeable_buffer(served, packed, cannot):
    cannot(dpdk="the library leaves a descriptor of mergeable buffers unused, so it cannot use the only one")
    daemon = served("--enable-mrgbuf")
    with LegalGuest(daemon.socket_path(1), 1, packed=packed, mergeable=True) as guest:
        expect_all(guest, [frame(i, 100) for i in range(10)], seconds=0.5)


def test_rings_of_no_size(served):
    """Refused, with what would work; and whoever comes next is served."""
    daemon = served()
    for entries in (0, 32769):
        with next_guest(daemon, start=False, protocol=REPLY_ACK) as guest:
            assert not guest.acknowledged(8, struct.pack("<II", 0, entries))
            words = f"virtqueue 0 of {entries} entries; rings have 1 to 32768"
            wait_for(lambda: words in daemon.log_text())  # noqa: B023
    with next_guest(daemon) as guest:
        expect_all(guest, [frame(i, 100) for i in range(10)])


# --- frames and buffers ----------------------------------------------------------------------------

@RINGS
def test_long_frames_in_few_buffers(served, packed):
    """Eight buffers that hold them, posted again when they were used; the frames come all at once."""
    daemon = served()
    with LegalGuest(daemon.socket_path(1), buffers=8, buffer_len=2112, to_send=128,
                    packed=packed) as guest:
        expect_all(guest, [frame(i, 2014) for i in range(100)])
    assert not daemon.dropped(1)


@RINGS
def test_frames_longer_than_the_buffers(served, packed):
    """They are lost, and nothing else is; the statistics say why."""
    daemon = served()
    with LegalGuest(daemon.socket_path(1), buffers=8, buffer_len=HEADER + 600, to_send=128,
                    packed=packed) as guest:
        frames = [frame(i, 601 if i % 3 == 0 else 600) for i in range(90)]
        got = guest.exchange(frames, expected=60)
        assert [number_of(one.data) for one in got] == [i for i in range(90) if i % 3]
    down = daemon.relay(1).vf_to_vm
    assert down.too_long_pkts == down.pkts_dropped_vm_queue_full == 30
    assert down.too_long_bytes == 30 * 601
    assert down.no_buffers_pkts == 0


@RINGS
@pytest.mark.parametrize("entries", [2, 4])
def test_frames_longer_than_a_mergeable_ring(served, packed, entries):
    """A frame that all of a ring's buffers together do not hold does not stop the others."""
    daemon = served("--enable-mrgbuf", "--enable-jumbo")
    with LegalGuest(daemon.socket_path(1), entries, to_send=2, packed=packed, mergeable=True) as guest:
        frames = [frame(i, 9000 if i % 3 == 0 else 600) for i in range(30)]
        got = guest.exchange(frames, expected=20)
        assert [number_of(one.data) for one in got] == [i for i in range(30) if i % 3]
    assert daemon.relay(1).vf_to_vm.too_long_pkts == 10


@RINGS
def test_num_buffers(served, packed, cannot):
    """1 without mergeable buffers, whatever was there (virtio 1.2, 5.1.6.4.1)."""
    cannot(dpdk="the library leaves num_buffers as it is without mergeable buffers")
    daemon = served()
    with LegalGuest(daemon.socket_path(1), packed=packed) as guest:
        got = expect_all(guest, [frame(i, 60 + i) for i in range(100)])
        assert {one.num_buffers for one in got} == {1}


@RINGS
def test_num_buffers_of_mergeable_ones(served, packed):
    daemon = served("--enable-mrgbuf")
    with LegalGuest(daemon.socket_path(1), packed=packed, mergeable=True) as guest:
        got = expect_all(guest, [frame(i, 60 + i) for i in range(100)])
        assert {one.num_buffers for one in got} == {1}


@RINGS
def test_what_is_sent_on_a_disabled_queue_is_discarded(served, packed, cannot):
    """The guest gets its buffers back, and what was in them goes nowhere, then or later."""
    cannot(dpdk="the library leaves such a ring alone")
    daemon = served()
    with LegalGuest(daemon.socket_path(1), packed=packed) as guest:

        def discarded():
            return next(queue.discarded for queue in daemon.relay(1).guest_queues
                        if queue.direction == wire.LANE_VM_TO_VF)

        def enable(yes):
            guest.send(SET_VRING_ENABLE, struct.pack("<II", FROM_GUEST, yes))
            wait_for(lambda: daemon.relay(1).vhost.queues == yes)

        expect_all(guest, [frame(i, 60) for i in range(50)])
        for times in range(1, 3):
            enable(0)
            for i in range(200):
                assert guest.put(frame(1000 + i, 60)), "a buffer"
            wait_for(lambda: discarded() == 200 * times, 10, "the frames are gone")  # noqa: B023
            enable(1)
            expect_all(guest, [frame(2000 + i, 60) for i in range(300)])
        assert daemon.relay(1).vm_to_vf.pkts_rx_from_vm == 50 + 2 * 300


# --- memory ----------------------------------------------------------------------------------------

@RINGS
def test_memory_in_eight_regions(served, packed):
    daemon = served()
    with LegalGuest(daemon.socket_path(1), regions=8, packed=packed) as guest:
        expect_all(guest, [frame(i, 1000) for i in range(100)])


def test_memory_in_more_regions(served, cannot):
    """A region for each DIMM that was plugged in: one message each, with memory slots."""
    cannot(dpdk="the library takes eight regions, and has no memory slots before DPDK 25.11")
    daemon = served()
    with LegalGuest(daemon.socket_path(1), regions=20, protocol=REPLY_ACK | MEM_SLOTS,
                    start=False) as guest:
        assert guest.protocol & MEM_SLOTS, "no memory slots are offered"
        assert struct.unpack("<Q", guest.ask(GET_MAX_MEM_SLOTS))[0] >= 20
        guest.start()
        expect_all(guest, [frame(i, 1000) for i in range(100)])


# --- a daemon that is killed -----------------------------------------------------------------------

@pytest.fixture
def kept(daemon):
    """What outlives the daemon has to be in memory."""
    with tempfile.TemporaryDirectory(prefix="test-", dir="/dev/shm") as directory:
        daemon.pid_dir = directory
        yield daemon


def killed():
    """Each kind with each ring. That DPDK's library cannot take packed ones up is seen by waiting in vain."""
    for kind in KINDS:
        for packed, ring in ((False, "split"), (True, "packed")):
            marks = [pytest.mark.long] if packed and kind == "dpdk" else []
            yield pytest.param(kind, packed, id=f"{kind}-{ring}", marks=marks)


@pytest.mark.parametrize(("served", "packed"), killed(), indirect=["served"])
def test_a_killed_daemon_takes_the_rings_up(served, kept, packed, cannot):
    """With frames under way in both directions. The front end knows of nothing that came after the start."""
    if packed:
        cannot(dpdk="the library knows of a packed ring's place what the front end says")
    daemon = served()
    with LegalGuest(daemon.socket_path(1), packed=packed) as guest:
        expect_all(guest, [frame(i, 100) for i in range(300)])
        for kill in range(1, 4):
            first = 1000 * kill
            for i in range(first, first + 40 * kill):
                guest.put(frame(i, 100))
            daemon.kill9()
            daemon.start(*daemon.options)
            daemon.wait_states(1, "DPDK_ADDED", "VIRTIO_UNINIT")
            guest.come_back(daemon.socket_path(1))
            daemon.wait_states(1, "DPDK_READY", "VIRTIO_READY")
            last = frame(first + 999, 100)
            got = []
            wait_for(lambda: guest.put(last), 10, "a buffer to send with")  # noqa: B023

            def came():
                got.extend(number_of(one.data) for one in guest.take())  # noqa: B023
                return first + 999 in got  # noqa: B023

            wait_for(came, 10, "what was sent last")
            assert all(0 <= number < first + 1000 for number in got)
            expect_all(guest, [frame(i, 100) for i in range(300)])


# --- what is agreed upon ---------------------------------------------------------------------------

def test_protocol_features(served):
    """Those of a network device: no crypto sessions, no hardware of ours, no requests in flight."""
    daemon = served()
    with LegalGuest(daemon.socket_path(1), start=False) as guest:
        offered = guest.offered_protocol()
    for bit, name in ((7, "crypto sessions"), (10, "descriptors for those"), (11, "host notifiers"),
                      (12, "requests in flight")):
        assert not offered >> bit & 1, name
    for bit, name in ((0, "queue pairs"), (1, "a log of dirty pages"), (2, "RARP"),
                      (3, "acknowledgements"), (4, "an MTU")):
        assert offered >> bit & 1, name


def test_messages_that_are_not_offered(served):
    """Each is acknowledged as refused, and nothing else comes of it (doc/vhost-user.md)."""
    daemon = served()
    with LegalGuest(daemon.socket_path(1), start=False, protocol=REPLY_ACK) as guest:
        for request in (23, 24, 25, 26, 27, 33, 34, 35, 36, 37, 38, 41, 42, 43, 44, 255):
            if not (guest.offered_protocol() & MEM_SLOTS and request in (36, 37, 38)):
                assert not guest.acknowledged(request, bytes(8)), request
        guest.start()
        expect_all(guest, [frame(i, 100) for i in range(10)])


def test_an_announcement_of_a_guest_that_says_nothing(served):
    """After a migration the front end has us make the guest known, whose own ring is idle."""
    daemon = served()
    with LegalGuest(daemon.socket_path(1), start=False, protocol=REPLY_ACK | RARP) as guest:
        guest.start()
        expect_all(guest, [frame(i, 100) for i in range(10)])
        for i in range(3):
            address = bytes((2, 0, 0, 0, 0, i))
            guest.send(SEND_RARP, address + bytes(2))
            (announcement,) = guest.exchange([], expected=1)
            assert announcement.data[6:14] == address + bytes((0x80, 0x35))
        expect_all(guest, [frame(i, 100) for i in range(10)])


def test_an_mtu_that_relays_have(served):
    daemon = served()
    with LegalGuest(daemon.socket_path(1), start=False, protocol=REPLY_ACK) as guest:
        assert guest.has_mtu(2100) and guest.has_mtu(1500)
        assert "MTU" not in daemon.log_text().partition("READY")[2]
        assert not guest.has_mtu(9000)
        assert not guest.has_mtu(2101)
        assert ("wants an MTU of 9000, which is refused: relays carry 2100, and 9000 with "
                "--enable-jumbo; give the guest no more (QEMU: host_mtu=)") in daemon.log_text()
        assert guest.has_mtu(2100)
        guest.start()
        expect_all(guest, [frame(i, 100) for i in range(10)])


def test_a_jumbo_mtu(served):
    daemon = served("--enable-jumbo")
    with LegalGuest(daemon.socket_path(1), start=False, protocol=REPLY_ACK, buffer_len=9100) as guest:
        assert guest.has_mtu(9000)
        assert not guest.has_mtu(9001)
        guest.start()
        expect_all(guest, [frame(i, 9014) for i in range(100)])
    assert not daemon.dropped(1)


@pytest.mark.parametrize("first", ["guest", "VF"])
def test_an_mtu_that_the_vf_does_not_carry(served, daemon, netns, first):
    """Relays have jumbo frames, and this one's VF has not: whichever comes last, the log says it."""
    outside = netns("wire")
    outside.run("ip", "tuntap", "add", "dev", "short0", "mode", "tap")
    outside.run("ip", "link", "set", "short0", "up")
    daemon.netns = outside.name
    served("--enable-jumbo", ring=False)
    if first == "VF":
        daemon.add(1, "net_af_packet0,iface=short0")
    with LegalGuest(daemon.socket_path(1), start=False, protocol=REPLY_ACK) as guest:
        assert guest.has_mtu(9000)
        guest.start()
        if first == "guest":
            daemon.wait_states(1, "DPDK_UNINIT", "VIRTIO_READY")
            assert "MTU of 9000" not in daemon.log_text()
            daemon.add(1, "net_af_packet0,iface=short0")
        wait_for(lambda: "relay 1: the guest was told an MTU of 9000, and net_af_packet0 carries 1500: "
                         in daemon.log_text(), 5, "a warning")
        for i in range(10):
            assert guest.put(frame(i, 1614))
        wait_for(lambda: daemon.relay(1).vm_to_vf.too_long_pkts == 10)
    assert daemon.log_text().count("MTU of 9000") == 1


# --- what is counted -------------------------------------------------------------------------------

def test_what_a_guest_may_not_send(served):
    """Frames too short and too long are two numbers, and together `invalid`."""
    daemon = served()
    with LegalGuest(daemon.socket_path(1)) as guest:
        for i in range(30):
            assert guest.put(frame(i, 13)) and guest.put(frame(i, 3000))
            assert guest.put(frame(i, 4000))
        expect_all(guest, [frame(i, 100) for i in range(10)])
    up = daemon.relay(1).vm_to_vf
    assert (up.runt_pkts, up.too_long_pkts, up.pkts_dropped_invalid) == (30, 60, 90)
    assert (up.runt_bytes, up.too_long_bytes) == (30 * 13, 30 * 7000)
    assert up.bytes_dropped_invalid == 30 * 7013


def test_no_vf_to_send_to(served):
    daemon = served(ring=False)
    with LegalGuest(daemon.socket_path(1)) as guest:
        for i in range(20):
            assert guest.put(frame(i, 100))
        wait_for(lambda: daemon.relay(1).vm_to_vf.none_pkts == 20)
    up = daemon.relay(1).vm_to_vf
    assert up.none_bytes == up.bytes_dropped_vf_not_connected == 2000
    assert up.not_ready_pkts == up.left_pkts == 0


def test_nobody_to_send_to(served, daemon, netns):
    """No front end, and one whose guest has no driver, are two numbers."""
    outside = netns("wire")
    daemon.netns = outside.name
    served(ring=False)
    daemon.add(1, "net_tap0,iface=wire0")
    outside.set_up("wire0", "10.9.1.1/24")
    outside.run("ip", "neighbour", "replace", "10.9.1.2", "lladdr", "02:00:00:00:00:09", "dev", "wire0")

    def count(cause):
        return getattr(daemon.relay(1).vf_to_vm, f"{cause}_pkts")

    def expect_lost(cause, other):
        """What comes in on the wire from now on."""
        wait_for(lambda: ping_is_lost(cause), 10, f"losses for {cause}")
        before = count(other)
        wait_for(lambda: ping_is_lost(cause), 10, f"losses for {cause}")
        assert count(other) == before

    def ping_is_lost(cause):
        before = count(cause)
        outside.run("ping", "-c", "1", "-W", "0.1", "10.9.1.2", check=False)
        return count(cause) > before

    expect_lost("no_front_end", "no_driver")
    with Peer(daemon.socket_path(1)):
        expect_lost("no_driver", "no_front_end")
    expect_lost("no_front_end", "no_driver")
    down = daemon.relay(1).vf_to_vm
    assert down.pkts_dropped_vm_not_connected == down.no_front_end_pkts + down.no_driver_pkts
    assert down.left_pkts == 0
