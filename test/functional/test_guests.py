"""What guests do to a relay, while a bystander on the same worker loses and reorders nothing."""

import os
import socket

import pytest

from conftest import quick_or_all
from daemon import wait_for
from patience import SLOWER

QUICK_OR_ALL = pytest.mark.parametrize("times", quick_or_all(10, 200))
RINGS = pytest.mark.parametrize("packed", [False, True], ids=["split", "packed"])


class Held:
    """What the daemon holds, before and after."""

    def __init__(self, daemon):
        self.daemon = daemon
        self.fds, self.threads = daemon.settled_fds(), daemon.threads()
        self.maps, self.heap = daemon.maps(), daemon.heap_kb()

    def check(self, more_kb=4096):
        daemon = self.daemon
        wait_for(lambda: daemon.fds() == self.fds, 5,
                 f"descriptors as before: {sorted(set(daemon.fds()) ^ set(self.fds))}")
        assert daemon.threads() == self.threads
        assert daemon.maps() <= self.maps + 16
        assert daemon.heap_kb() <= self.heap + more_kb * SLOWER


def start(daemon, *options):
    daemon.start("--enable-mrgbuf", "--max-queues=4", *options)
    daemon.add_ring(1)


@RINGS
@pytest.mark.parametrize("how", ["finish", "kill9"])
@pytest.mark.parametrize("times", quick_or_all(3, 8))
def test_a_guest_leaves_and_comes_back(daemon, guest, bystander, how, packed, times):
    start(daemon)
    beside = bystander()
    for _ in range(times):
        one = guest(daemon.socket_path(1), queues=4, packed=packed)
        daemon.wait_states(1, "DPDK_READY", "VIRTIO_READY")
        one.wait_received(500)
        getattr(one, how)()
        daemon.wait_states(1, "DPDK_ADDED", "VIRTIO_UNINIT")
    beside.check()


@RINGS
@QUICK_OR_ALL
def test_reconnects_to_a_socket_that_we_serve(daemon, guest, bystander, times, packed):
    start(daemon)
    beside = bystander()
    one = guest(daemon.socket_path(1), queues=2, packed=packed)
    for _ in range(5):
        one.command("reconnect")
    one.wait_received(100)
    held = Held(daemon)
    for _ in range(times):
        one.command("reconnect")
        one.wait_received(40)
    held.check()
    one.finish()
    beside.check()


@pytest.mark.parametrize("times", quick_or_all(3, 20))
@RINGS
def test_reconnects_to_a_socket_that_the_guest_serves(daemon, guest, bystander, times, packed):
    start(daemon, "--vhostuser-client")
    beside = bystander()
    one = guest(daemon.socket_path(1), server=True, queues=2, packed=packed)
    one.wait_received(100)
    held = Held(daemon)
    for _ in range(times):
        one.command("reconnect")
        one.wait_received(40)
    held.check()
    one.finish()
    beside.check()


def test_a_guest_that_serves_is_killed(daemon, guest, bystander):
    start(daemon, "--vhostuser-client")
    beside = bystander()
    for _ in range(3):
        one = guest(daemon.socket_path(1), server=True, queues=2)
        one.wait_received(100)
        one.kill9()
        os.unlink(daemon.socket_path(1))
        daemon.wait_states(1, "DPDK_ADDED", "VIRTIO_UNINIT")
    beside.check()


@RINGS
@pytest.mark.parametrize("times", quick_or_all(10, 60))
def test_queues_are_disabled_and_enabled(daemon, guest, bystander, times, packed):
    start(daemon)
    beside = bystander()
    # More flows than queues: where the guest has more queues than the VF, chance spreads them.
    one = guest(daemon.socket_path(1), queues=4, packed=packed, flows=32)
    one.wait_received(200)
    held = Held(daemon)
    for _ in range(times):
        for queues in (1, 4, 2, 3):
            one.command(f"queues {queues}")
            before = one.stats()["rx_on_queue"]
            one.wait_received(40)
            wait_for(lambda: daemon.relay(1).vhost.queues == queues)
            wait_for(lambda: all(now > then for now, then in
                                 list(zip(one.stats()["rx_on_queue"], before))[:queues]),
                     5, f"traffic on each of {queues} queues")
    one.command("queues 4")
    held.check()
    one.finish()
    beside.check()


@RINGS
def test_a_stalled_queue_delays_no_other(daemon, guest, bystander, packed):
    start(daemon)
    beside = bystander()
    one = guest(daemon.socket_path(1), queues=4, packed=packed, size=200, rate=4000)
    one.wait_received(500)
    one.command("stall 2")
    one.command("raw 200 3000 2", timeout=30)
    wait_for(lambda: daemon.relay(1).vf_to_vm.pkts_dropped_vm_queue_full > 0, 5, "drops")
    before = one.stats()

    def received(flow):
        return one.stats()["flows"][flow]["received"] - before["flows"][flow]["received"]

    for flow in (0, 1, 3):
        wait_for(lambda: received(flow) > 2000, 5, f"traffic of flow {flow}")  # noqa: B023
    after = one.stats()
    for flow in (0, 1, 3):
        now = after["flows"][flow]
        assert now["lost"] == now["reordered"] == 0, now
    assert after["rx_on_queue"][2] == before["rx_on_queue"][2]

    one.command("stop")
    one.command("resume 2")
    # what was still posted and held back comes now; then the queue works again
    wait_for(lambda: one.stats()["silent_ms"] > 500, 10)
    one.command("reset")
    one.command("start")
    one.wait_received(1000)
    final = one.finish()
    assert all(flow["received"] == flow["sent"] for flow in final["flows"]), final
    state = daemon.relay(1)
    down = state.vf_to_vm
    assert down.bytes_dropped_vm_queue_full == 200 * down.pkts_dropped_vm_queue_full
    assert down.pkts_rx_from_vf == down.pkts_tx_to_vm + down.pkts_dropped_vm_queue_full
    assert state.vm_to_vf.pkts_rx_from_vm == state.vm_to_vf.pkts_tx_to_vf
    beside.check()


def test_a_guest_that_does_not_read_at_all(daemon, guest, bystander):
    start(daemon)
    beside = bystander()
    one = guest(daemon.socket_path(1), queues=2, size=200)
    one.wait_received(200)
    one.command("stall 0")
    one.command("stall 1")
    one.command("raw 200 4000 0", timeout=30)
    one.command("raw 200 4000 1", timeout=30)
    drops = wait_for(lambda: daemon.relay(1).vf_to_vm.pkts_dropped_vm_queue_full, 5)
    assert daemon.relay(1).vf_to_vm.bytes_dropped_vm_queue_full >= 200 * drops
    beside.guest.wait_received(1000)
    one.kill9()
    daemon.wait_states(1, "DPDK_ADDED", "VIRTIO_UNINIT")
    again = guest(daemon.socket_path(1), queues=2)
    again.wait_received(500)
    beside.check()


@pytest.mark.parametrize("knocks", quick_or_all(5, 200))
def test_a_second_front_end_is_turned_away(daemon, guest, bystander, knocks):
    start(daemon)
    beside = bystander()
    one = guest(daemon.socket_path(1))
    one.wait_received(100)
    held = Held(daemon)
    for _ in range(knocks):
        with socket.socket(socket.AF_UNIX) as second:
            second.settimeout(60)  # a limit for what never comes
            second.connect(daemon.socket_path(1))
            assert second.recv(1) == b"", "served"
    other = guest(daemon.socket_path(1), ready=False)
    wait_for(lambda: other.process.poll() is not None, 20, "the second guest gives up")
    assert other.process.returncode != 0
    one.wait_received(500)
    held.check()
    one.finish_clean()
    daemon.wait_states(1, "DPDK_ADDED", "VIRTIO_UNINIT")
    guest(daemon.socket_path(1)).wait_received(100)
    beside.check()


def test_peers_that_come_and_say_nothing(daemon, guest, bystander):
    """They hold the socket while they are there, and no longer."""
    start(daemon)
    beside = bystander()
    for _ in range(20):
        with socket.socket(socket.AF_UNIX) as peer:
            peer.connect(daemon.socket_path(1))
    one = guest(daemon.socket_path(1))
    one.wait_received(100)
    one.finish_clean()
    beside.check()


def test_many_guests_come_at_once(daemon, guest, bystander):
    start(daemon)
    for relay in range(2, 8):
        daemon.add_ring(relay)
    beside = bystander()
    guests = [guest(daemon.socket_path(relay), ready=False, rate=500, memory=96)
              for relay in range(1, 8)]
    for one in guests:
        one.wait_ready()
        one.wait_received(100)
    for one in guests[::2]:
        one.kill9()
    for one in guests[1::2]:
        one.finish_clean()
    beside.check()
