"""The stats endpoint and its script, to the letter of the wire contract."""

import os
import re
import threading
import time

import pytest
import zmq

import wire_client as wire
from daemon import WORKER_CPU, wait_for
from legal_guest import LegalGuest, frame
from patience import Stopwatch
from vhost_peer import FROM_GUEST, TO_GUEST

RELAYS = 64


@pytest.fixture
def running(daemon):
    return daemon.start()


def add(running, relay_id, device):
    answer = wire.port_control(running.port_control_ep, wire.ADD, [device], virtio_id=relay_id)
    assert answer.status == wire.OK, answer


def ids(answer):
    assert answer.status == wire.STATS_OK, answer
    return [relay.id for relay in answer.relay]


# --- what is told --------------------------------------------------------------------------------


def test_all_relays_by_default(running):
    answer = wire.stats(running.stats_ep)
    assert ids(answer) == list(range(RELAYS))
    for relay in answer.relay:
        assert relay.numbers >= {1, 2, 5, 7, 8, 9}, "a required field is missing"
        assert relay.active is False
        assert relay.ident is None and relay.cpu is None and relay.vf is None
        assert os.path.isabs(relay.vhost.vhost_socket_name)
        assert relay.socket_id == 0
        for direction, state in (
            (relay.vf_to_vm, "DPDK_UNINIT"),
            (relay.vm_to_vf, "VIRTIO_UNINIT"),
        ):
            assert direction.numbers >= set(range(1, 15)), "counters and rates are always sent"
            assert direction.active is False
            assert direction.internal_state == state
            assert {v for k, v in vars(direction).items() if "pkt" in k or "byte" in k} <= {0}


def test_relays_asked_for(running):
    endpoint = running.stats_ep
    assert ids(wire.stats(endpoint, [5, 2, 63])) == [5, 2, 63]
    assert ids(wire.stats(endpoint, [5, 64, 2, 5, 0xFFFFFFFF, 63])) == [5, 2, 63]
    assert ids(wire.stats(endpoint, [64])) == []
    assert ids(wire.stats(endpoint, [7] * RELAYS)) == [7]
    answer = wire.stats(endpoint, list(range(RELAYS)) + [0])
    assert answer.status == wire.E2BIG and not answer.relay
    # Old encoders do not pack.
    with wire.Client(endpoint) as client:
        body = wire.field(1, 9) + wire.field(1, 8)
        assert ids(wire.Record(client.exchange(body), wire.STATS_RESPONSE)) == [9, 8]


def test_inactive_relays_can_be_left_out(running):
    add(running, 3, "net_null0")
    assert ids(wire.stats(running.stats_ep, include_inactive=False)) == []
    assert ids(wire.stats(running.stats_ep, [3], include_inactive=False, delay=50)) == []
    assert ids(wire.stats(running.stats_ep, [3], include_inactive=True)) == [3]


def test_a_device_without_a_guest(running):
    add(running, 3, "net_null0")
    relay = wire.relay(running.stats_ep, 3)
    assert relay.vf.pci_addr_str == "net_null0"
    assert relay.cpu.vf_to_vm is not None and relay.cpu.vm_to_vf is None
    assert relay.vf.queues >= 1 and relay.vf.mtu >= 1500
    assert re.fullmatch("([0-9a-f]{2}:){5}[0-9a-f]{2}", relay.vf.mac)
    # net_null never runs out of packets; none of them has anywhere to go.
    wait_for(lambda: wire.relay(running.stats_ep, 3).vf_to_vm.pkts_dropped_vm_not_connected > 0)
    now = wire.relay(running.stats_ep, 3).vf_to_vm
    assert now.pkts_rx_from_vf > 0 and now.bytes_rx_from_vf >= 60 * now.pkts_rx_from_vf
    assert now.pkts_tx_to_vm == 0 and now.pkts_dropped_vm_queue_full == 0
    assert now.pkts_dropped_vm_not_connected > 0
    assert now.bytes_dropped_vm_not_connected >= 60 * now.pkts_dropped_vm_not_connected


def test_what_lanes_and_workers_cost(daemon, guest):
    daemon.cpus = "1,2"
    running = daemon.start("--max-queues=2", "--enable-mrgbuf")
    daemon.add_ring(3)
    one = guest(daemon.socket_path(3), queues=4, flows=32, rate=4000)
    wait_for(lambda: wire.relay(running.stats_ep, 3).vhost.queues == 4)
    one.wait_received(8000, 20)
    earlier, answer, later = (wire.stats(running.stats_ep) for _ in range(3))
    assert answer.cycles_per_s > 1e8
    assert [worker.cpu for worker in answer.worker] == [1, 2]
    for worker in answer.worker:
        assert worker.host_cpu == WORKER_CPU and worker.shares_cpu and worker.numa_node >= 0
        assert 0 < worker.busy <= 1 and worker.busy_cycles > 0
    relay = answer.relay[3]
    lanes = {(lane.direction, lane.queue): lane for lane in relay.lane}
    assert {key: lane.targets for key, lane in lanes.items()} == {
        (wire.LANE_VF_TO_VM, 0): 0b0101, (wire.LANE_VF_TO_VM, 1): 0b1010,
        **{(wire.LANE_VM_TO_VF, queue): 1 << queue % 2 for queue in range(4)}}
    assert sum(worker.lanes for worker in answer.worker) == len(lanes)
    for direction, name, source in ((wire.LANE_VF_TO_VM, "vf_to_vm", "vf"),
                                    (wire.LANE_VM_TO_VF, "vm_to_vf", "vm")):
        mine = [lane for key, lane in lanes.items() if key[0] == direction]
        assert [lane.cpu for lane in mine] == getattr(relay, name).lane_cpu
        assert all(lane.pkts > 0 and lane.busy_cycles > 0 and 0 < lane.load <= 1 for lane in mine)
        # Read one after the other, while packets flow.
        before, after = (getattr(getattr(one.relay[3], name), f"pkts_rx_from_{source}")
                         for one in (earlier, later))
        assert before <= sum(lane.pkts for lane in mine) <= after
    work = sum(lane.busy_cycles for lane in lanes.values())
    assert work == pytest.approx(sum(worker.busy_cycles for worker in answer.worker), rel=0.2)
    assert not [relay.id for relay in answer.relay if relay.id != 3 and relay.lane]

    flat = daemon.script("virtioforwarder_stats.py", f"--stats-ep={running.stats_ep}", "--loads")
    values = dict(line.split("=") for line in flat.stdout.splitlines())
    keys = list(values)
    assert keys.index("relay_3.lane.vf_to_vm.0.cpu") > keys.index("relay_3.vm_to_vf.active")
    assert values["relay_3.lane.vf_to_vm.1.targets"] == "0xa"
    assert 0 < float(values["worker.cpu_2.busy"]) <= 1
    assert int(values["cycles_per_s"]) == answer.cycles_per_s
    assert not [key for key in daemon.stats(3) if "lane" in key or "worker" in key]


@pytest.mark.parametrize("packed", [False, True], ids=["split", "packed"])
def test_queues_of_a_guest(daemon, guest, packed):
    running = daemon.start("--guest-backend=own")
    daemon.add_ring(3)
    assert daemon.relay(3).guest_queues == []
    one = guest(daemon.socket_path(3), queues=2, rate=2000, packed=packed)
    one.wait_received(200, 20)
    queues = {(queue.direction, queue.queue): queue for queue in daemon.relay(3).guest_queues}
    assert set(queues) == {(direction, pair) for direction in (wire.LANE_VF_TO_VM, wire.LANE_VM_TO_VF)
                           for pair in range(2)}
    for (direction, _), queue in queues.items():
        assert queue.size == 256 and queue.packed is packed
        assert queue.enabled and queue.started and queue.stopped == "" and queue.refused == 0
        assert queue.starts == 1
        assert (queue.shortages is None) == (direction == wire.LANE_VM_TO_VF)
        assert (queue.discarded is None) == (direction == wire.LANE_VF_TO_VM)
    assert all(queue.calls > 0 for (_, pair), queue in queues.items() if pair == 0)

    told = daemon.script("virtioforwarder_stats.py", f"--stats-ep={running.stats_ep}", "--queues")
    values = dict(line.split("=") for line in told.stdout.splitlines())
    kept = {key: value for key, value in values.items() if ".guest_queue." in key}
    assert list(values)[-len(kept):] == list(kept) and len(kept) == 4 * 8
    assert kept["relay_3.guest_queue.vm_to_vf.1.packed"] == str(packed)
    assert kept["relay_3.guest_queue.vf_to_vm.0.size"] == "256"
    assert not [key for key in daemon.stats(3) if "queue." in key]
    one.finish_clean()
    wait_for(lambda: daemon.relay(3).guest_queues == [], 20)


def test_interrupts_are_counted(daemon):
    daemon.start("--guest-backend=own")
    daemon.add_ring(3)
    with LegalGuest(daemon.socket_path(3)) as guest:
        assert len(guest.exchange(frame(i, 60) for i in range(100))) == 100
        calls = {queue.direction: queue.calls for queue in daemon.relay(3).guest_queues}
        for ring, direction in ((TO_GUEST, wire.LANE_VF_TO_VM), (FROM_GUEST, wire.LANE_VM_TO_VF)):
            # The guest has asked for one each time, and gets one more when a ring starts.
            assert os.eventfd_read(guest.events[2 * ring]) == calls[direction] + 1


def test_another_kind_of_guest_end_tells_of_no_queues(daemon, guest):
    daemon.start("--guest-backend=dpdk")
    daemon.add_ring(3)
    one = guest(daemon.socket_path(3), rate=2000)
    one.wait_received(100, 20)
    assert daemon.relay(3).guest_queues == []
    one.finish_clean()


def test_counters_never_go_back(running):
    add(running, 3, "net_null0")
    last = 0
    for _ in range(5):
        now = wire.relay(running.stats_ep, 3).vf_to_vm.pkts_rx_from_vf
        assert now >= last
        last = now
        time.sleep(0.02)
    wire.port_control(running.port_control_ep, wire.REMOVE, virtio_id=3)
    assert wire.relay(running.stats_ep, 3).vf_to_vm.pkts_rx_from_vf >= last > 0
    add(running, 3, "net_null1")
    assert wire.relay(running.stats_ep, 3).vf_to_vm.pkts_rx_from_vf >= last


# --- rates ---------------------------------------------------------------------------------------


def test_delay_measures_from_the_request_on(running):
    add(running, 3, "net_null0")
    for delay in (100, 300):
        def measure():
            """A busy machine may keep the worker, or us, waiting in between: not every time."""
            before = wire.relay(running.stats_ep, 3).vf_to_vm.pkts_rx_from_vf
            start = time.monotonic()
            after = wire.stats(running.stats_ep, [3], delay=delay).relay[0].vf_to_vm  # noqa: B023
            elapsed = time.monotonic() - start
            assert elapsed >= delay / 1000 - 0.002  # noqa: B023
            rate = (after.pkts_rx_from_vf - before) / elapsed
            return after if after.pkt_rate_rx_from_vf == pytest.approx(rate, rel=0.5) else None

        after = wait_for(measure, 5, "a rate that agrees with the counters")
        size = after.byte_rate_rx_from_vf / after.pkt_rate_rx_from_vf
        assert size == pytest.approx(after.bytes_rx_from_vf / after.pkts_rx_from_vf, rel=0.05)


def test_rate_of_the_last_second(running):
    add(running, 3, "net_null0")
    wait_for(lambda: wire.relay(running.stats_ep, 3).vf_to_vm.pkt_rate_rx_from_vf > 0, 5)

    def alike():  # in the same second, which two readings may not be
        rates = [wire.relay(running.stats_ep, 3).vf_to_vm.pkt_rate_rx_from_vf for _ in range(3)]
        return min(rates) > 0 and max(rates) == pytest.approx(min(rates), rel=0.5)

    wait_for(alike, 5, "a rate that another client does not reset", interval=0.1)


def test_nobody_waits_for_another_clients_delay(running):
    with wire.Client(running.stats_ep, zmq.DEALER) as patient:
        patient.send(b"", wire.stats_request([1], delay=700))
        patient.send(b"", wire.stats_request([2]))
        assert ids(wire.Record(patient.receive(), wire.STATS_RESPONSE)) == [2]
        for _ in range(20):
            watch = Stopwatch(running.pid)
            wire.stats(running.stats_ep)
            assert watch.took() < 0.3
        assert ids(wire.Record(patient.receive(2), wire.STATS_RESPONSE)) == [1]


def test_long_delays_end_after_10_s(running):
    start, watch = time.monotonic(), Stopwatch(running.pid)
    assert ids(wire.stats(running.stats_ep, [1], delay=0xFFFFFFFF)) == [1]
    assert time.monotonic() - start > 9.9 and watch.took() < 11.5


def test_waiting_requests_are_bounded(running):
    with wire.Client(running.stats_ep, zmq.DEALER) as client:
        for _ in range(140):
            client.send(b"", wire.stats_request([1], delay=1500))
        for n in range(140):
            answer = wire.Record(client.receive(3), wire.STATS_RESPONSE)
            assert answer.status == (wire.ENOMEM if n < 140 - 64 else wire.STATS_OK), n


def test_answers_within_50_ms_while_devices_come_and_go(running):
    stop = threading.Event()

    def churn(relay_id):
        while not stop.is_set():
            for op in (wire.ADD, wire.REMOVE):
                wire.port_control(
                    running.port_control_ep, op, [f"net_null{relay_id}"], virtio_id=relay_id
                )

    threads = [threading.Thread(target=churn, args=(n,)) for n in range(2)]
    for thread in threads:
        thread.start()
    times = []
    try:
        with wire.Client(running.stats_ep) as client:
            for _ in range(100):
                watch = Stopwatch(running.pid)
                client.exchange(wire.stats_request())
                times.append(watch.took())
                time.sleep(0.01)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    # Workers that poll share this machine's few CPUs with us: only the typical time is ours.
    assert sorted(times)[len(times) // 2] < 0.05
    assert max(times) < 1.5


def test_malformed_messages(running):
    with wire.Client(running.stats_ep, zmq.DEALER) as client:
        for frames in (
            [b"", b"\xff\xff"],
            [b"", os.urandom(64) + b"\xff"],
            [b"", wire.field(2, 1)[:1]],
            [b"", b"", b""],
            [b""],
            [b"no empty frame"],
        ):
            client.send(*frames)
            answer = wire.Record(client.receive(), wire.STATS_RESPONSE)
            assert answer.status == wire.EBADR and answer.error_text
    assert len(ids(wire.stats(running.stats_ep))) == RELAYS


# --- the script ----------------------------------------------------------------------------------


def script(running, *args):
    done = running.script("virtioforwarder_stats.py", f"--stats-ep={running.stats_ep}", *args)
    assert done.returncode == 0 and done.stderr == "", done
    return done.stdout.splitlines()


def counters(source, target):
    return (
        [f"{unit}_rx_from_{source}" for unit in ("pkts", "bytes")]
        + [f"{unit}_tx_to_{target}" for unit in ("pkts", "bytes")]
        + [f"{unit}_rate_rx_from_{source}" for unit in ("pkt", "byte")]
        + [f"{unit}_rate_tx_to_{target}" for unit in ("pkt", "byte")]
        + [f"{unit}_dropped_{target}_queue_full" for unit in ("pkts", "bytes")]
        + [f"{unit}_dropped_{target}_not_connected" for unit in ("pkts", "bytes")]
    )


def test_script_flat(running):
    add(running, 3, "net_null0")
    cpu = wire.relay(running.stats_ep, 3).cpu.vf_to_vm
    lines = [line for line in script(running, "--include-inactive") if line.startswith("relay_3.")]
    assert [line.split("=")[0][len("relay_3."):] for line in lines] == (
        ["active", "cpu.vf_to_vm", "vf.pci_addr_str", "vhost.vhost_socket_name"]
        + ["vf_to_vm.active", "vf_to_vm.internal_state"]
        + [f"vf_to_vm.cpu_{cpu}.{name}" for name in counters("vf", "vm")]
        + ["vm_to_vf.active", "vm_to_vf.internal_state"]
        + [f"vm_to_vf.{name}" for name in counters("vm", "vf")]
    )
    values = dict(line.split("=", 1) for line in lines)
    assert values["relay_3.active"] == "False"
    assert values["relay_3.cpu.vf_to_vm"] == str(cpu)
    assert values["relay_3.vf.pci_addr_str"] == "net_null0"
    assert values["relay_3.vf_to_vm.internal_state"] == "DPDK_ADDED"
    assert int(values[f"relay_3.vf_to_vm.cpu_{cpu}.pkts_rx_from_vf"]) > 0


def test_script_leaves_out_what_is_not_asked_for(running):
    assert script(running) == []  # no relay is active
    lines = script(running, "--include-inactive", "-z", "--delay=0")
    assert len([line for line in lines if line.endswith(".active=False")]) == 3 * RELAYS
    assert not [line for line in lines if line.endswith("=0")]
    rates = [line for line in lines if "_rate_" in line]
    assert len(rates) == 8 * RELAYS and all(line.endswith("=0.0") for line in rates)
    assert script(running, "--include-inactive", "--suppress-zero", "--delay=0") == lines


def test_script_protobuf(running):
    add(running, 3, "net_null0")
    lines = script(running, "--include-inactive", "--output-format=protobuf")
    assert lines[0] == "status: OK" and lines.count("relay {") == RELAYS
    assert '    pci_addr_str: "net_null0"' in lines


def test_script_does_not_wait_for_ever(running, tmp_path):
    start = time.monotonic()
    done = running.script("virtioforwarder_stats.py", f"--stats-ep=ipc://{tmp_path}/none", timeout=5,
                          margin=1)
    assert done.returncode == 1 and done.stdout == ""
    assert "no answer" in done.stderr and done.stderr.count("\n") == 1
    assert time.monotonic() - start > 2
