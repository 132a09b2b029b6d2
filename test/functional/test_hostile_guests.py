"""What a guest can do with nothing but its own memory, and a front end with what it has handed over: the
daemon lives, the guest loses its ring or its connection at worst, and a guest beside it, on the same worker,
loses nothing. All of this ends a process that uses DPDK's vhost library, or holds up all of its guests."""

import contextlib
import ctypes
import os
import socket
import struct
import threading
import time

import pytest

import wire_client as wire
from patience import wait_for
from vhost_peer import (AVAILABLE, DATA, DESCRIPTORS, FROM_GUEST, MRG_RXBUF, PART, TO_GUEST, USER_ADDRESS,
                        WRITABLE, Peer)

FRAME, HEADER = 60, 12


@pytest.fixture
def served(daemon, bystander):
    """served(*options): the daemon, with a loop-back VF for the peer's relay; and on the way out it lives,
    and the guest beside has lost nothing."""
    beside = []

    def start(*options):
        daemon.start("--guest-backend=own", *options)
        daemon.add_ring(1)
        beside.append(bystander())
        return daemon

    yield start
    assert daemon.alive(), daemon.log_tail()
    beside[0].guest.wait_received(10)
    beside[0].check()


def ready(daemon, peer):
    peer.start()
    daemon.wait_states(1, "DPDK_READY", "VIRTIO_READY")
    return peer


def sends(peer, n=20):
    """It sends frames, which come back to its other ring."""
    peer.make_available(FROM_GUEST, peer.used(FROM_GUEST) + n)


def stopped(daemon, queue, why):
    wait_for(lambda: f"virtqueue {queue} is stopped: {why}" in daemon.log_text(), 5, why)


# --- rings -----------------------------------------------------------------------------------------

def test_an_index_that_lies_for_moments(served):
    """Before and after each look it is right."""
    daemon = served("--enable-mrgbuf")
    with Peer(daemon.socket_path(1), features=MRG_RXBUF) as peer:
        peer.fill(TO_GUEST, 20)
        peer.fill(FROM_GUEST, 1400)
        ready(daemon, peer)
        index = ctypes.c_uint16.from_buffer(peer.memory, TO_GUEST * PART + AVAILABLE + 2)
        end = time.monotonic() + 2

        def lie():
            while time.monotonic() < end:
                right = peer.used(TO_GUEST) + 200 & 0xFFFF
                for _ in range(50):
                    index.value = right + 60000 & 0xFFFF
                    index.value = right

        liar = threading.Thread(target=lie)
        liar.start()
        while time.monotonic() < end:
            sends(peer, 50)
            time.sleep(0.001)
        liar.join()
        del index
        stopped(daemon, TO_GUEST, "it made more entries available than the ring has")


@pytest.mark.parametrize("length", [0, 1, 9, 11])
def test_buffers_shorter_than_a_header_at_the_end_of_memory(served, length):
    daemon = served()
    with Peer(daemon.socket_path(1)) as peer:
        peer.fill(FROM_GUEST, HEADER + FRAME)
        for i in range(peer.entries):
            struct.pack_into("<QIHH", peer.memory, DESCRIPTORS + 16 * i, peer.size - length, length, WRITABLE, 0)
            struct.pack_into("<H", peer.memory, AVAILABLE + 4 + 2 * i, i)
        ready(daemon, peer)
        peer.make_available(TO_GUEST, 100)
        sends(peer)
        stopped(daemon, TO_GUEST, "a buffer to receive in is shorter than a packet's header")


def test_headers_in_pieces_at_the_end_of_memory(served):
    """Chains of three descriptors of a byte each, the second of which is the memory's last, and the frame
    behind it."""
    daemon = served()
    with Peer(daemon.socket_path(1)) as peer:
        peer.fill(FROM_GUEST, HEADER + FRAME)
        for i in range(0, 252, 4):
            pieces = [(DATA, 1), (peer.size - 1, 1), (DATA + 64, 1), (DATA + 128, 2000)]
            for k, (address, length) in enumerate(pieces):
                flags = WRITABLE | (1 if k < 3 else 0)
                struct.pack_into("<QIHH", peer.memory, DESCRIPTORS + 16 * (i + k), address, length, flags, i + k + 1)
            struct.pack_into("<H", peer.memory, AVAILABLE + 4 + 2 * (i // 4), i)
        ready(daemon, peer)
        peer.make_available(TO_GUEST, 60)
        sends(peer)
        wait_for(lambda: peer.used(TO_GUEST) == 20, 5, "the frames")  # it is legal


@pytest.mark.parametrize("queue", [TO_GUEST, FROM_GUEST])
@pytest.mark.parametrize("address, length", [(0x7FFFFFFF0000, 100), (2**64 - 10, 100), ((1 << 20) - 10, 100)],
                         ids=["beyond", "wraps", "across the end"])
def test_addresses_outside_the_memory(served, queue, address, length):
    daemon = served()
    with Peer(daemon.socket_path(1)) as peer:
        peer.fill(TO_GUEST, 2000)
        peer.fill(FROM_GUEST, HEADER + FRAME)
        struct.pack_into("<QIHH", peer.memory, queue * PART + DESCRIPTORS, address, length,
                         WRITABLE if queue == TO_GUEST else 0, 0)
        ready(daemon, peer)
        peer.make_available(TO_GUEST, 100)
        sends(peer)
        stopped(daemon, queue, "a descriptor's address is outside its memory")


@pytest.mark.parametrize("queue", [TO_GUEST, FROM_GUEST])
def test_statistics_say_which_queue_is_stopped_and_why(served, queue):
    """And count it, over all guests that come; the other queue is none the worse."""
    daemon = served()

    def queues():
        return {TO_GUEST if one.direction == wire.LANE_VF_TO_VM else FROM_GUEST: one
                for one in daemon.relay(1).guest_queues}

    for times in range(3):
        with Peer(daemon.socket_path(1)) as peer:
            peer.fill(TO_GUEST, 2000)
            peer.fill(FROM_GUEST, HEADER + FRAME)
            struct.pack_into("<H", peer.memory, queue * PART + AVAILABLE + 4, peer.entries)
            ready(daemon, peer)
            assert set(queues()) == {TO_GUEST, FROM_GUEST} and queues()[queue].refused == times
            peer.make_available(TO_GUEST, 100)
            sends(peer)
            wait_for(lambda: queues()[queue].refused == times + 1)  # noqa: B023
            broken, other = queues()[queue], queues()[1 - queue]
            assert broken.stopped == "an available entry names a descriptor that the ring does not have"
            assert other.stopped == "" and other.refused == 0
            for one in (broken, other):
                assert one.started and one.enabled and not one.packed and one.size == 256
        wait_for(lambda: not queues())
        daemon.wait_states(1, "DPDK_ADDED", "VIRTIO_UNINIT")


def test_chains_without_an_end(served):
    daemon = served()
    with Peer(daemon.socket_path(1)) as peer:
        peer.fill(TO_GUEST, 2000)
        for i in range(peer.entries):
            struct.pack_into("<QIHH", peer.memory, PART + DESCRIPTORS + 16 * i, PART + DATA, 0, 1, i ^ 1)
            struct.pack_into("<H", peer.memory, PART + AVAILABLE + 4 + 2 * i, i)
        ready(daemon, peer)
        sends(peer)
        stopped(daemon, FROM_GUEST, "a chain of descriptors does not end")


# --- what was handed over --------------------------------------------------------------------------

@pytest.mark.parametrize("how", ["cut", "hole"])
def test_memory_that_is_taken_away(served, how):
    """Under traffic: the front end loses its connection."""
    daemon = served()
    with Peer(daemon.socket_path(1)) as peer:
        peer.fill(TO_GUEST, 2000)
        peer.fill(FROM_GUEST, HEADER + FRAME)
        ready(daemon, peer)
        peer.make_available(TO_GUEST, 200)
        sends(peer, 100)
        wait_for(lambda: peer.used(TO_GUEST) == 100, 5, "traffic")
        if how == "cut":
            os.ftruncate(peer.memory_fd, 0)
            assert peer.receive() == b""
            assert "pages of its guest's memory away" in daemon.log_text()
        else:  # shared memory fills it with zeroes
            peer.memory[DATA:DATA + 4096] = bytes(4096)
            libc = ctypes.CDLL(None, use_errno=True)
            assert libc.fallocate(peer.memory_fd, 3, ctypes.c_long(0), ctypes.c_long(peer.size)) == 0
            time.sleep(0.3)
    daemon.wait_states(1, "DPDK_ADDED", "VIRTIO_UNINIT")


def test_an_interrupt_that_blocks(served):
    """Its descriptor's flags are the front end's, too, and so is its counter."""
    daemon = served()
    with Peer(daemon.socket_path(1)) as peer:
        peer.fill(TO_GUEST, 2000)
        peer.fill(FROM_GUEST, HEADER + FRAME)
        ready(daemon, peer)
        peer.make_available(TO_GUEST, 200)
        for fd in peer.events[::2]:
            os.eventfd_read(fd)  # of its start
            os.eventfd_write(fd, 2**64 - 2)
            os.set_blocking(fd, True)
        sends(peer, 50)
        assert peer.receive() == b""
        assert "let an interrupt for its guest block" in daemon.log_text()


# --- sockets ---------------------------------------------------------------------------------------

def test_half_a_message_keeps_nobody_else_waiting(served):
    """And its sender, five seconds after it has said nothing more, has no connection."""
    daemon = served()
    with socket.socket(socket.AF_UNIX) as slow:
        slow.settimeout(60)
        slow.connect(daemon.socket_path(2))
        slow.send(struct.pack("<III", 1, 1, 0)[:7])
        with Peer(daemon.socket_path(1)) as peer:
            peer.fill(TO_GUEST, 2000)
            peer.fill(FROM_GUEST, HEADER + FRAME)
            ready(daemon, peer)
        assert slow.recv(1) == b""
    assert "has sent half a message" in daemon.log_text()


def test_answers_that_nobody_reads(served):
    daemon = served()
    with socket.socket(socket.AF_UNIX) as slow:
        slow.settimeout(60)
        slow.connect(daemon.socket_path(2))
        slow.setblocking(False)

        def cut_off():
            with contextlib.suppress(OSError):
                while True:
                    slow.send(struct.pack("<III", 1, 1, 0))
            return "has not read an answer for five seconds" in daemon.log_text()

        assert not cut_off()
        with Peer(daemon.socket_path(1)) as peer:
            peer.fill(FROM_GUEST, HEADER + FRAME)
            peer.fill(TO_GUEST, 2000)
            ready(daemon, peer)
        wait_for(cut_off, 10, "it is cut off")


def test_rings_in_other_peoples_places(served):
    """Areas that begin, or end, a byte outside."""
    daemon = served()
    for at in (USER_ADDRESS - 16, USER_ADDRESS + (1 << 20) - 16, 0, 2**64 - 16):
        with Peer(daemon.socket_path(1)) as peer:
            table = struct.pack("<IIQQQQ", 1, 0, 0, peer.size, USER_ADDRESS, 0)
            peer.send(5, table, [peer.memory_fd])
            peer.send(8, struct.pack("<II", 0, 256))
            peer.send(9, struct.pack("<IIQQQQ", 0, 0, at, at, at, 0))
            peer.send(12, struct.pack("<Q", 0), [peer.events[1]])
            assert peer.receive() == b""
        wait_for(lambda: daemon.states(1)[1] == "VIRTIO_UNINIT", 5)
