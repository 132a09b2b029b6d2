"""Front ends that mean harm: none may cost the others their service."""

import contextlib
import os
import struct
import time

from daemon import wait_for
from vhost_peer import (
    FROM_GUEST,
    GET_INFLIGHT_FD,
    MRG_RXBUF,
    NEED_REPLY,
    NET_SET_MTU,
    SET_INFLIGHT_FD,
    SET_OWNER,
    SET_VRING_NUM,
    TO_GUEST,
    Peer,
)


def inflight(size, n_queues, queue_size):
    return struct.pack("<QQHHI", size, 0, n_queues, queue_size, 0)


def shared_memory_kb(daemon):
    with open(f"/proc/{daemon.pid}/status", encoding="ascii") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("RssShmem"))


def let_in(daemon):
    """A peer of relay 1's, as soon as the one before is seen to be gone."""
    came = []

    def knock():
        with contextlib.suppress(struct.error, OSError):
            came.append(Peer(daemon.socket_path(1)))
        return came

    wait_for(knock, 5, "a front end is let in")
    return came[0]


def test_memory_for_requests_under_way(daemon, bystander):
    """As much as the peer says: 128 MB here, 68 GB at most."""
    daemon.start()
    beside = bystander()
    before = shared_memory_kb(daemon)
    with Peer(daemon.socket_path(1)) as peer:
        peer.send(GET_INFLIGHT_FD, inflight(0, 128, 65535), flags=NEED_REPLY)
        assert peer.receive()
        assert shared_memory_kb(daemon) < before + 16384
    beside.guest.wait_received(10)
    beside.check()


def test_less_memory_than_a_peer_says(daemon, bystander):
    daemon.start()
    beside = bystander()
    memory = os.memfd_create("inflight")
    os.ftruncate(memory, 4096)
    with Peer(daemon.socket_path(1)) as peer:
        peer.start()
        daemon.wait_states(1, "DPDK_UNINIT", "VIRTIO_READY")
        peer.send(SET_INFLIGHT_FD, inflight(4096, 2, 65535), [memory])
        peer.send(SET_INFLIGHT_FD, inflight(4096, 2, 65535), [memory])
        peer.socket.shutdown(1)
        assert peer.receive() == b""
    os.close(memory)
    wait_for(lambda: daemon.states(1) == ("DPDK_UNINIT", "VIRTIO_UNINIT"))
    beside.guest.wait_received(10)
    beside.check()


def test_more_buffers_than_the_ring_has(daemon, bystander):
    """The guest's index is far ahead, and a frame takes many of its small buffers: the library would
    note more of them than it has room for."""
    daemon.start("--enable-mrgbuf")
    daemon.add_ring(1)
    beside = bystander()
    with Peer(daemon.socket_path(1), features=MRG_RXBUF) as peer:
        peer.fill(TO_GUEST, 20)
        peer.fill(FROM_GUEST, 1400)
        peer.start()
        daemon.wait_states(1, "DPDK_READY", "VIRTIO_READY")
        for ahead in (30000, 40000, 60000):
            peer.make_available(TO_GUEST, ahead)
            peer.make_available(FROM_GUEST, peer.used(FROM_GUEST) + 200)
            time.sleep(0.3)
            assert daemon.alive(), daemon.log_tail()
    beside.guest.wait_received(10)
    beside.check()


def test_descriptors_with_messages_that_are_refused(daemon, bystander):
    """They are closed: a peer that goes on so would leave none for others."""
    daemon.start()
    beside = bystander()
    before = daemon.settled_fds()
    for _ in range(20):
        for request, payload in ((SET_VRING_NUM, (0, 0)), (SET_VRING_NUM, (0, 40000)),
                                 (NET_SET_MTU, (9000, 0)), (NET_SET_MTU, (1, 0)), (SET_OWNER, (0, 0))):
            with let_in(daemon) as peer:
                peer.send(request, struct.pack("<II", *payload), [peer.events[0]] * 8, NEED_REPLY)
                assert peer.receive() in (b"", struct.pack("<Q", 1)), request
    assert daemon.settled_fds() == before
    beside.guest.wait_received(10)
    beside.check()
