"""Every kind of ring that a guest may bring, and every length of frame."""

import pytest

from conftest import quick_or_all
from daemon import wait_for
from test_guests import RINGS

MERGEABLE = pytest.mark.parametrize("mergeable", [False, True], ids=["plain", "mergeable"])
SIZES = [(64, 512, 4096), (64, 128, 256, 512, 1024, 2048, 4096)]


@MERGEABLE
@RINGS
@pytest.mark.parametrize("sizes", quick_or_all(*SIZES), ids=["some", "all"])
def test_ring_sizes(daemon, guest, bystander, packed, mergeable, sizes):
    daemon.start(*(["--enable-mrgbuf"] if mergeable else []))
    daemon.add_ring(1)
    beside = bystander()
    for size in sizes:
        one = guest(daemon.socket_path(1), queue_size=size, packed=packed, no_mrg=not mergeable,
                    window=min(256, size // 2))
        one.wait_received(size + 2500, timeout=15)  # more than once around
        one.finish_clean()
        daemon.wait_states(1, "DPDK_ADDED", "VIRTIO_UNINIT")
    beside.check()


@MERGEABLE
@RINGS
def test_not_in_order(daemon, guest, packed, mergeable):
    daemon.start("--enable-mrgbuf")
    daemon.add_ring(1)
    one = guest(daemon.socket_path(1), packed=packed, no_mrg=not mergeable, no_in_order=True)
    one.wait_received(2000)
    one.finish_clean()


@RINGS
@pytest.mark.parametrize("vectorized", [False, True], ids=["scalar", "vectorized"])
def test_eight_queue_pairs(daemon, guest, packed, vectorized):
    daemon.start("--enable-mrgbuf", "--max-queues=8")
    daemon.add_ring(1)
    extra = {"extra": "vectorized=1"} if vectorized else {}
    one = guest(daemon.socket_path(1), queues=8, packed=packed, no_mrg=vectorized,
                size="60-1514", **extra)
    one.wait_received(4000)
    final = one.finish_clean()
    assert all(final["rx_on_queue"]), final


@RINGS
def test_jumbo_frames(daemon, guest, bystander, packed):
    daemon.start("--enable-jumbo", "--enable-mrgbuf")
    daemon.add_ring(1)
    beside = bystander()
    one = guest(daemon.socket_path(1), packed=packed, size="60-9014", queue_size=512, rate=2000)
    one.wait_received(3000)
    one.finish_clean()
    assert daemon.relay(1).vf.mtu == 9000
    beside.check()


@RINGS
def test_frames_of_exactly_the_mtu(daemon, guest, packed):
    daemon.start("--enable-mrgbuf")
    daemon.add_ring(1)
    assert daemon.relay(1).vf.mtu == 2100
    one = guest(daemon.socket_path(1), packed=packed, size=2114)
    one.wait_received(1000)
    one.finish_clean()
    assert not daemon.dropped(1)


@RINGS
def test_frames_beyond_the_mtu_are_counted(daemon, guest, bystander, packed):
    daemon.start("--enable-mrgbuf")
    daemon.add_ring(1)
    beside = bystander()
    one = guest(daemon.socket_path(1), packed=packed)
    one.command("raw 5000 100 0")
    wait_for(lambda: daemon.relay(1).vm_to_vf.pkts_dropped_invalid == 100, 5)
    assert daemon.relay(1).vm_to_vf.bytes_dropped_invalid == 500000
    one.wait_received(1000)
    final = one.finish_clean()
    assert final["raw_received"] == 0
    beside.check()


@RINGS
def test_a_frame_that_no_buffer_of_the_guest_can_hold(daemon, guest, bystander, packed):
    """Without mergeable buffers a frame must fit in one: else it is dropped, and blocks nothing."""
    daemon.start("--enable-jumbo")
    daemon.add_ring(1)
    beside = bystander()
    one = guest(daemon.socket_path(1), packed=packed, no_mrg=True, mbuf_size=1700, size="60-1500")
    one.wait_received(200)
    for _ in range(20):
        one.command("raw 5000 10 0")
        one.wait_received(50)
    one.wait_received(1000)
    final = one.finish_clean()
    assert final["raw_sent"] == 200 and final["raw_received"] == 0
    down = daemon.relay(1).vf_to_vm
    dropped = sum(value for name, value in vars(down).items() if name.startswith("pkts_dropped"))
    assert dropped == 200, down
    assert down.pkts_rx_from_vf == down.pkts_tx_to_vm + dropped
    beside.check()


@RINGS
def test_runts(daemon, guest, bystander, packed):
    """Shorter than an Ethernet header: dropped and counted. Unpadded frames pass."""
    daemon.start("--enable-mrgbuf")
    daemon.add_ring(1)
    beside = bystander()
    one = guest(daemon.socket_path(1), packed=packed)
    for length in (1, 2, 10, 13):
        one.command(f"raw {length} 25 0")
    wait_for(lambda: daemon.relay(1).vm_to_vf.pkts_dropped_invalid == 100, 5,
             f"100 runts counted: {daemon.relay(1).vm_to_vf}")
    assert daemon.relay(1).vm_to_vf.bytes_dropped_invalid == 25 * (1 + 2 + 10 + 13)
    one.wait_received(1000)
    before = daemon.relay(1).vm_to_vf.pkts_dropped_invalid
    one.command("raw 42 50 0")
    one.wait_received(500)
    assert daemon.relay(1).vm_to_vf.pkts_dropped_invalid == before
    final = one.finish()
    assert final["unexpected"] == 50, "unpadded frames come back, too short for the sender to know"
    assert final["lost"] == final["reordered"] == final["corrupted"] == 0
    beside.check()
