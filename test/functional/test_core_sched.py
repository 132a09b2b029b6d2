"""The core_sched endpoint, to the letter of the wire contract: who pins what, and that moving
lanes costs no packet."""

import os
import random
import time

import pytest
import zmq

import wire_client as wire
from daemon import wait_for
from wire_client import ERROR, EXPLAIN, GET_EAL_CORES, OK, UPDATE

MIGRATE = "migrate_relay_cpus()"


@pytest.fixture
def running(daemon):
    daemon.cpus = "1,2"
    daemon.core_sched_ep = f"ipc://{daemon.dir}/core_sched"
    return daemon.start(f"--zmq-core-sched-ep={daemon.core_sched_ep}", "--max-queues=2")


def ask(running, op=None, pins=()):
    return wire.core_sched(running.core_sched_ep, op, pins)


def pins(running):
    answer = ask(running, GET_EAL_CORES)
    assert answer.status == OK
    return [(pin.relay_number, pin.vf2virtio_cpu, pin.virtio2vf_cpu) for pin in answer.pinned]


def expect_error(answer, *words):
    assert answer.status == ERROR, answer
    assert answer.error_code and answer.error_code_source == MIGRATE, answer
    for word in words:
        assert word in answer.error_text, answer


def expect_refusal(answer):
    assert answer.status == ERROR and answer.error_text, answer
    assert answer.error_code is None and answer.error_code_source is None, answer


def test_the_workers_are_listed(running):
    answer = ask(running, GET_EAL_CORES)
    assert answer.status == OK and answer.error_code is None and answer.error_code_source is None
    assert answer.eal_cores == [1, 2]  # not the main lcore
    assert len(answer.eal_core_nodes) == 2
    assert answer.pinned == []


def test_a_pin_holds_for_all_queues_of_a_direction(running, guest):
    running.add(7, "net_null7")
    one = guest(running.socket_path(7), queues=2)
    running.wait_states(7, "DPDK_READY", "VIRTIO_READY")
    for vf_to_vm, vm_to_vf in ((1, 2), (2, 1), (2, 2), (1, 1)):
        answer = ask(running, UPDATE, [(7, vf_to_vm, vm_to_vf)])
        assert answer.status == OK and answer.error_code is None and answer.eal_cores == []
        relay = running.relay(7)
        assert (relay.cpu.vf_to_vm, relay.cpu.vm_to_vf) == (vf_to_vm, vm_to_vf)
        assert set(relay.vf_to_vm.lane_cpu) == {vf_to_vm}
        assert set(relay.vm_to_vf.lane_cpu) == {vm_to_vf}
        assert pins(running) == [(7, vf_to_vm, vm_to_vf)]
    one.kill9()


def test_pins_wait_for_what_they_pin(running):
    """A relay that has neither device nor guest can be pinned; what comes goes to its CPU."""
    for cpu in (1, 2):
        assert ask(running, UPDATE, [(9, cpu, -1)]).status == OK
        running.add(9, "net_null9")
        assert set(running.relay(9).vf_to_vm.lane_cpu) == {cpu}
        running.remove(9)


def test_minus_one_releases(running):
    assert ask(running, UPDATE, [(3, 1, 2), (4, 2, 2)]).status == OK
    assert pins(running) == [(3, 1, 2), (4, 2, 2)]
    assert ask(running, UPDATE, [(3, -1, 2)]).status == OK
    assert pins(running) == [(3, -1, 2), (4, 2, 2)]
    assert ask(running, UPDATE, [(3, -1, -1), (4, -1, -1), (5, -1, -1)]).status == OK
    assert pins(running) == []


def test_an_update_of_nothing_is_fine(running):
    assert ask(running, UPDATE).status == OK


def test_the_last_entry_of_a_relay_counts(running):
    assert ask(running, UPDATE, [(3, 1, 1), (3, 2, -1)]).status == OK
    assert pins(running) == [(3, 2, -1)]


@pytest.mark.parametrize(
    "bad, words",
    [
        ((64, 1, 1), ["relay 64", "0 to 63"]),
        ((0xFFFFFFFF, 1, 1), ["4294967295"]),
        ((3, 0, 1), ["CPU 0", "1-2"]),  # the main lcore
        ((3, 1, 3), ["CPU 3"]),
        ((3, -2, 1), ["CPU -2"]),
        ((3, 1, 0x7FFFFFFF), ["CPU 2147483647"]),
        ((3, 1, -0x80000000), ["CPU -2147483648"]),
    ],
)
@pytest.mark.parametrize("place", [0, 1, 2])
def test_one_bad_entry_refuses_all(running, bad, words, place):
    assert ask(running, UPDATE, [(1, 1, -1)]).status == OK
    entries = [(1, 2, 2), (2, 1, 1)]
    entries.insert(place, bad)
    expect_error(ask(running, UPDATE, entries), *words)
    assert pins(running) == [(1, 1, -1)]


@pytest.mark.parametrize(
    "op, entries", [(None, ()), (2, ()), (-1, ()), (UPDATE, [(1, 2)]), (UPDATE, [()])]
)
def test_requests_that_make_no_sense(running, op, entries):
    expect_refusal(ask(running, op, entries))
    assert pins(running) == []


def test_malformed_messages_harm_nobody(running):
    good = wire.core_sched_request(UPDATE, [(1, 1, 1)])
    with wire.Client(running.core_sched_ep, zmq.DEALER) as client:
        for frames in (
            [b"", b""],
            [b"", b"\xff" * 600],
            [b"", os.urandom(600)],
            [b"", good[:-1]],
            [b"", good, b"more"],
            [b""],
            [good],
        ):
            client.send(*frames)
            expect_refusal(wire.Record(client.receive(), wire.CORE_SCHED_RESPONSE))
        # As many entries as a frame can hold, and one more than that.
        many = wire.core_sched_request(UPDATE, [(1, 1, 1)] * 8000)
        assert len(many) <= 65536
        client.send(b"", many)
        assert wire.Record(client.receive(), wire.CORE_SCHED_RESPONSE).status == OK
    assert pins(running) == [(1, 1, 1)]


def explanation(running):
    answer = ask(running, EXPLAIN)
    assert answer.status == OK and answer.eal_cores == [], answer
    return answer.explanation


def test_a_dry_run_of_an_idle_daemon(running):
    lines = explanation(running)
    assert lines[0].startswith("the balancer is off")
    assert [line.split(" (")[0] for line in lines[1:3]] == ["worker 1", "worker 2"]
    assert all("0 lanes, 0 of them pinned, busy 0.0 %" in line for line in lines[1:3])
    assert lines[-1] == "nothing would be moved"


def test_a_dry_run_tells_what_would_move_and_moves_nothing(running, guest):
    """Two busy relays on one worker, the other idle: pinned they stay, released one would move."""
    for relay in (3, 4):
        running.add(relay, f"net_null{relay}")
        guest(running.socket_path(relay))
        running.wait_states(relay, "DPDK_READY", "VIRTIO_READY")
    assert ask(running, UPDATE, [(3, 1, 1), (4, 1, 1)]).status == OK
    wait_for(lambda: " busy 0.0 %" not in explanation(running)[1], 10)
    assert "6 lanes, 6 of them pinned" in explanation(running)[1]
    assert explanation(running)[-1] == "nothing would be moved"
    assert ask(running, UPDATE, [(3, -1, -1), (4, -1, -1)]).status == OK

    def moves():
        return [line for line in explanation(running) if " from worker 1 " in line]

    move = wait_for(moves, 20)[0]
    assert " vf_to_vm lane " in move and " to worker 2 " in move and ": relieves " in move
    assert move.split()[:2] in (["relay", "3"], ["relay", "4"])
    for state in running.relays([3, 4]):
        assert (state.cpu.vf_to_vm, state.cpu.vm_to_vf) == (1, 1)


def move_about(running, bystander, moves, queues):
    one = bystander(queues=queues, rate=5000, size="60-1500")
    rng = random.Random(1)
    begin = one.guest.stats()
    with wire.Client(running.core_sched_ep) as client:
        places = (1, 1)
        for _ in range(moves):
            places = rng.choice([p for p in ((1, 1), (1, 2), (2, 1), (2, 2)) if p != places])
            body = wire.core_sched_request(UPDATE, [(0, *places)])
            answer = wire.Record(client.exchange(body, 5), wire.CORE_SCHED_RESPONSE)
            assert answer.status == OK, answer
    relay = running.relay(0)
    assert (relay.cpu.vf_to_vm, relay.cpu.vm_to_vf) == places
    one.guest.wait_received(100)
    assert one.guest.stats()["received"] > begin["received"]
    one.check()


@pytest.mark.parametrize("queues", [1, 2])
def test_moving_lanes_costs_no_packet(running, bystander, queues):
    move_about(running, bystander, 300, queues)


@pytest.mark.slow
@pytest.mark.parametrize("queues", [1, 2])
def test_moving_lanes_ten_thousand_times(running, bystander, queues):
    begin = time.monotonic()
    move_about(running, bystander, 10000, queues)
    print(f"10000 moves in {time.monotonic() - begin:.1f} s")
