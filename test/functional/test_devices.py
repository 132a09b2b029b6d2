"""Devices come and go under traffic."""

import pytest

import patience
import wire_client as wire
from conftest import quick_or_all
from daemon import wait_for
from test_guests import RINGS, Held


def counters(state):
    return {f"{direction}.{name}": value
            for direction in ("vf_to_vm", "vm_to_vf")
            for name, value in vars(getattr(state, direction)).items()
            if name.startswith(("pkts_", "bytes_"))}


@RINGS
@pytest.mark.parametrize("times", quick_or_all(10, 200))
def test_removed_and_added_under_traffic(daemon, guest, bystander, times, packed):
    daemon.start("--enable-mrgbuf", "--max-queues=2")
    daemon.add_ring(1)
    beside = bystander()
    one = guest(daemon.socket_path(1), queues=2, packed=packed)
    one.wait_received(200)
    before, held = {}, None
    with wire.Client(daemon.port_control_ep) as client:
        for turn in range(times):
            daemon.control(client, wire.REMOVE, 1)
            assert daemon.states(1)[0] == "DPDK_UNINIT"
            daemon.control(client, wire.ADD, 1, "net_ring1")
            assert daemon.states(1)[0] in ("DPDK_ADDED", "DPDK_READY")
            now = counters(daemon.relay(1))
            back = {key: (before[key], now[key]) for key in before if now[key] < before[key]}
            assert not back, f"counters went back at turn {turn}: {back}"
            before = now
            if turn % 5 == 0:
                one.wait_received(50)
            if turn == 9:
                held = Held(daemon)
        one.wait_received(500)
        held.check()
        one.command("stop")
        accounted(daemon, 1)
    beside.check()


def accounted(daemon, relay):
    """Once nothing is under way, what came in has gone out or was dropped and counted."""
    looks = []
    wait_for(lambda: looks.append(counters(daemon.relay(relay))) or looks[-3:] == [looks[-1]] * 3, 5,
             "counters that stay the same", interval=0.1)
    values = looks[-1]
    for direction, source, target in (("vf_to_vm", "vf", "vm"), ("vm_to_vf", "vm", "vf")):
        for unit in ("pkts", "bytes"):
            dropped = sum(value for name, value in values.items()
                          if name.startswith(f"{direction}.{unit}_dropped"))
            assert values[f"{direction}.{unit}_rx_from_{source}"] == \
                values[f"{direction}.{unit}_tx_to_{target}"] + dropped, (unit, direction, values)


def test_a_device_without_a_guest_drops_and_counts(daemon, bystander):
    """net_null gives packets without end."""
    daemon.start()
    beside = bystander()
    daemon.add(1, "net_null1")
    wait_for(lambda: daemon.relay(1).vf_to_vm.pkts_dropped_vm_not_connected > 10000, 5)
    beside.guest.wait_received(1000)
    daemon.remove(1)
    accounted(daemon, 1)
    beside.check()


def test_devices_of_many_relays(daemon, bystander):
    """Attached, detached, attached again in another order; no memory is kept."""
    daemon.memory = 1024
    daemon.start("--max-queues=1")
    beside = bystander()
    for turn in range(3):
        relays = list(range(1, 13))[:: -1 if turn % 2 else 1]
        for relay in relays:
            daemon.add(relay, f"net_ring{relay}")
        for relay in relays:
            assert daemon.states(relay)[0] == "DPDK_ADDED"
        for relay in relays:
            daemon.remove(relay)
        if turn == 0:
            held = Held(daemon)
    held.check()
    beside.check()


@pytest.mark.parametrize("times", quick_or_all(4, 10))
def test_guest_and_device_leave_together(daemon, guest, bystander, times):
    daemon.start("--max-queues=2")
    beside = bystander()
    with wire.Client(daemon.port_control_ep) as client:
        for turn in range(times):
            daemon.control(client, wire.ADD, 1, "net_ring1")
            one = guest(daemon.socket_path(1), queues=2, timeout=300)
            one.wait_received(50)
            if turn % 2:
                one.process.kill()
                daemon.control(client, wire.REMOVE, 1)
                one.kill9()
            else:
                one.process.terminate()
                daemon.control(client, wire.REMOVE, 1)
                patience.reap(one.process, 10)
            daemon.wait_states(1, "DPDK_UNINIT", "VIRTIO_UNINIT")
    beside.check()
