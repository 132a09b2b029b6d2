"""The scripts around core_sched: the pinner, the load monitor, the balancer outside the daemon."""

import os
import re
import signal
import subprocess
import sys
import time

import pytest

import wire_client as wire
import patience
from daemon import ROOT, wait_for

sys.path.insert(0, os.path.join(ROOT, "clients"))

import virtioforwarder_client as client  # noqa: E402
import virtioforwarder_core_scheduler as scheduler  # noqa: E402
import virtioforwarder_monitor_load as monitor_load  # noqa: E402
from virtioforwarder_core_scheduler import Unit  # noqa: E402

PINNER = "virtioforwarder_core_pinner.py"
MONITOR = "virtioforwarder_monitor_load.py"
SCHEDULER = "virtioforwarder_core_scheduler.py"


@pytest.fixture
def running(daemon):
    daemon.cpus = "1,2"
    daemon.core_sched_ep = f"ipc://{daemon.dir}/core_sched"
    return daemon.start(f"--zmq-core-sched-ep={daemon.core_sched_ep}")


def endpoints(running):
    return f"--stats-ep={running.stats_ep}", f"--sched-ep={running.core_sched_ep}"


def pins(running):
    answer = wire.core_sched(running.core_sched_ep, wire.GET_EAL_CORES)
    return [(pin.relay_number, pin.vf2virtio_cpu, pin.virtio2vf_cpu) for pin in answer.pinned]


# --- the pinner ----------------------------------------------------------------------------------


def pinner(running, *args):
    return running.script(PINNER, *endpoints(running), *args)


def test_pinner_prints_the_map(running):
    for args in ((), ("--print-core-map",)):
        done = pinner(running, *args)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout == "Worker cores affinities:\n== 01 ==  == 02 ==\n"


def test_pinner_pins(running, guest):
    running.add_ring(3)
    running.add(12, "net_null12")
    guest(running.socket_path(3))
    running.wait_states(3, "DPDK_READY", "VIRTIO_READY")
    done = pinner(running, "--virtio-cpu=3:1,2", "--virtio-cpu", "12:1")
    assert done.returncode == 0
    assert done.stderr == (  # once, for whoever has had it the other way round
        f"{PINNER}: relay 3: CPU 1 serves VF to VM, CPU 2 VM to VF; of --virtio-cpu's CPUs the first is "
        "always that from VF to VM\n")
    assert done.stdout == (
        "Scheduler response: OK\n"
        "Worker cores affinities:\n"
        "== 01 ==  == 02 ==\n"
        "       3    3\n"  # left VM to VF, right VF to VM
        "      12\n"
    )
    assert pins(running) == [(3, 1, 2), (12, 1, 1)]
    done = pinner(running, "--print-core-map", "--virtio-cpu=3:2,1")  # the map alone
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[1:] == ["== 01 ==  == 02 ==", "       3    3", "      12"]
    assert pins(running) == [(3, 1, 2), (12, 1, 1)]
    done = pinner(running, "--virtio-cpu=3:2", "--virtio-cpu=12:-1")
    assert done.stderr == ""
    assert done.stdout.splitlines()[2:] == ["== 01 ==  == 02 ==", "      12    3    3"]
    assert pins(running) == [(3, 2, 2)]


def test_pinner_explains(running):
    done = pinner(running, "--explain")
    assert (done.returncode, done.stderr) == (0, "")
    first, *lines = done.stdout.splitlines()
    assert first.startswith("the balancer is off")
    assert lines[0].startswith("worker 1 ") and lines[1].startswith("worker 2 ")
    assert lines[-1] == "nothing would be moved" and "affinities" not in done.stdout
    done = pinner(running, "--explain", "--virtio-cpu=5:2")
    assert done.stdout.index("Scheduler response: OK") < done.stdout.index("the balancer is off")
    done = pinner(running, "--explain", "--print-core-map")
    assert done.stdout.endswith("Worker cores affinities:\n== 01 ==  == 02 ==\n")


def test_pinner_says_what_is_refused(running):
    done = pinner(running, "--virtio-cpu=3:1,2", "--virtio-cpu=4:3")
    assert done.returncode == 1
    assert done.stdout.startswith("Scheduler response: ERROR\n")
    assert "CPU 3" in done.stdout and "== 01 ==  == 02 ==" in done.stdout
    assert pins(running) == []


@pytest.mark.parametrize("bad", ["3", "3:", "3:1,2,3", "x:1", "3:1,", "-1:1", "3:-2", "3:1;4:1"])
def test_pinner_checks_its_arguments(running, bad):
    done = pinner(running, f"--virtio-cpu={bad}")
    assert done.returncode == 2 and "such as 3:1,2" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("name", [PINNER, MONITOR, SCHEDULER])
def test_scripts_do_not_wait_for_ever(daemon, name):
    daemon.core_sched_ep = f"ipc://{daemon.dir}/core_sched"
    done = daemon.script(name, *endpoints(daemon))
    assert done.returncode == 1 and done.stdout == ""
    assert "no answer" in done.stderr and done.stderr.count("\n") == 1


def test_help_tells_the_order_of_the_cpus(daemon):
    text = " ".join(daemon.script(PINNER, "--help").stdout.split())
    assert "C1 serves VF to VM and C2 VM to VF" in text


# --- the monitor ---------------------------------------------------------------------------------


class Running:
    """A script that runs until it is told to end. What it says is in files of that directory."""

    def __init__(self, directory, name, *args):
        self.paths = [os.path.join(directory, f"{name}.{stream}.log") for stream in ("out", "err")]
        with open(self.paths[0], "wb") as out, open(self.paths[1], "wb") as err:
            self.process = subprocess.Popen(
                ["/usr/bin/python3", os.path.join(ROOT, "clients", name), *args], stdout=out, stderr=err)

    def said(self):
        """[standard output, standard error]"""
        texts = []
        for path in self.paths:
            with open(path, encoding="utf-8") as file:
                texts.append(file.read())
        return texts

    def end(self, number=signal.SIGTERM):
        """(status, stdout, stderr)"""
        self.process.send_signal(number)
        return patience.reap(self.process, 15), *self.said()

    def cleanup(self):
        patience.end(self.process)


def test_monitor_draws_a_bar_for_each_worker(running, guest, started):
    running.add_ring(3)
    assert wire.core_sched(running.core_sched_ep, wire.UPDATE, [(3, 2, 2)]).status == wire.OK
    guest(running.socket_path(3), rate=2000)
    running.wait_states(3, "DPDK_READY", "VIRTIO_READY")
    wait_for(lambda: running.relay(3).vf_to_vm.pkt_rate_rx_from_vf > 0, 10, "rates of a whole second")
    monitor = started.add(Running(running.dir, MONITOR, *endpoints(running), "--poll-interval=0.3"))
    wait_for(lambda: monitor.said()[0].count("\n\n") >= 3, 10, "three looks")
    status, out, err = monitor.end(signal.SIGINT)
    assert (status, err) == (0, "")
    rates = []
    for look in out.strip().split("\n\n"):
        idle, busy = look.splitlines()
        assert idle.startswith("CPU 01 [ ") and "  0.0 % busy " in idle and " 0 pkt/s" in idle
        bar, share, rate = re.fullmatch(
            r"CPU 02 \[(#* *)\] +([0-9.]+) % busy +([0-9]+) pkt/s", busy).groups()
        assert len(bar) == 50 and abs(bar.count("#") - float(share) / 2) < 1
        assert 0 < float(share) <= 100, busy
        rates.append(int(rate))
    # Whoever had to wait for a CPU catches up in the next look.
    assert any(0 < rate < 6000 for rate in rates), rates


class Direction:
    def __init__(self, **fields):
        self.active, self.lane_cpu = True, []
        vars(self).update(fields)


class Relay:
    """As a daemon tells it that measures nobody's time."""

    def __init__(self, number, vf_to_vm, vm_to_vf):
        self.id, self.lane, self.cpu = number, [], self
        self.vf_to_vm = Direction(pkt_rate_rx_from_vf=vf_to_vm, lane_cpu=[1])
        self.vm_to_vf = Direction(pkt_rate_rx_from_vm=vm_to_vf, lane_cpu=[2])


class Response:
    def __init__(self, *relays):
        self.relay, self.worker = relays, []


def test_monitor_without_measured_workers():
    lines = list(monitor_load.bars([1, 2], Response(Relay(0, 100, 300), Relay(1, 50, 0))))
    assert lines == [f"CPU 01 [{'#' * 25:<50}] {150:12} pkt/s",
                     f"CPU 02 [{'#' * 50}] {300:12} pkt/s"]


# --- the balancer --------------------------------------------------------------------------------


def units(*weights):
    return {Unit(i, "vf_to_vm"): float(weight) for i, weight in enumerate(weights)}


def on(cpu, weights):
    return dict.fromkeys(weights, cpu)


def spread(weights, places, fixed=(), cpus=(1, 2)):
    load = {cpu: dict(fixed).get(cpu, 0.0) for cpu in cpus}
    for unit, cpu in places.items():
        load[cpu] += weights[unit]
    return load


@pytest.mark.parametrize("weights", [(10,), (10, 10), (5, 5, 10), (7, 1, 1, 1), (9, 8, 7, 6, 5, 4)])
def test_balance_never_makes_it_worse(weights):
    weights = units(*weights)
    before = on(1, weights)
    after = scheduler.balance([1, 2], {}, weights, before, 0.0)
    assert set(after) == set(weights)
    old, new = spread(weights, before), spread(weights, after)
    assert max(new.values()) <= max(old.values())
    if len(weights) > 1:
        assert max(new.values()) < max(old.values())


def test_balance_counts_what_cannot_move():
    weights = units(10, 10)
    after = scheduler.balance([1, 2], {1: 20.0}, weights, on(2, weights), 0.0)
    assert after == on(2, weights)
    after = scheduler.balance([1, 2], {2: 20.0}, weights, on(2, weights), 0.0)
    assert after == on(1, weights)


def test_balance_is_worth_it_or_not_done():
    weights = units(100, 3)
    places = on(1, weights)  # moving the small one takes 3 of an excess of 51.5 away
    assert scheduler.balance([1, 2], {}, weights, places, 0.25) == places
    assert scheduler.balance([1, 2], {}, weights, places, 0.0) != places
    assert scheduler.balance([1], {}, weights, places, 0.0) == places
    idle = units(0, 0, 0)
    assert scheduler.balance([1, 2], {}, idle, on(1, idle), 0.0) == on(1, idle)


class Daemon:
    """Answers one after the other."""

    def __init__(self, *answers):
        self.answers = list(answers)

    def stats(self, delay_ms=0):
        return self.answers.pop(0)


def scheduler_of(*answers):
    one = scheduler.Scheduler.__new__(scheduler.Scheduler)
    one.daemon = Daemon(*answers)
    return one


def test_scheduler_weighs_by_time_or_by_packets():
    _, load = scheduler_of(Response(), Response(Relay(3, 100, 300))).loads(10)
    assert load == {Unit(3, "vf_to_vm"): 100, Unit(3, "vm_to_vf"): 300}

    messages = client.load_messages()
    answers = [messages.StatsResponse(), messages.StatsResponse()]
    for cycles, answer in zip((1000, 1700), answers):
        relay = answer.relay.add(id=3)
        relay.lane.add(direction=relay.Lane.VF_TO_VM, queue=0, busy_cycles=cycles)
        relay.lane.add(direction=relay.Lane.VF_TO_VM, queue=1, busy_cycles=2 * cycles)
        relay.lane.add(direction=relay.Lane.VM_TO_VF, queue=0, busy_cycles=50)
    answers[1].relay[0].lane.add(direction=relay.Lane.VM_TO_VF, queue=4, busy_cycles=9999)
    _, load = scheduler_of(*answers).loads(10)
    assert load == {Unit(3, "vf_to_vm"): 2100, Unit(3, "vm_to_vf"): 0}


@pytest.mark.alone  # a worker that waits for its CPU looks busy
def test_scheduler_balances_pins_and_releases(running, guest, started):
    for relay in (1, 2):
        running.add_ring(relay)
        guest(running.socket_path(relay), rate=3000)
        running.wait_states(relay, "DPDK_READY", "VIRTIO_READY")
    ask = lambda pins: wire.core_sched(running.core_sched_ep, wire.UPDATE, pins).status  # noqa: E731
    assert ask([(1, 1, 1), (2, 1, 1), (9, 2, -1)]) == wire.OK
    assert ask([(1, -1, -1), (2, -1, -1)]) == wire.OK  # they stay where they are
    assert pins(running) == [(9, 2, -1)]

    def places():
        return [(r.cpu.vf_to_vm, r.cpu.vm_to_vf) for r in running.relays([1, 2])]

    assert places() == [(1, 1), (1, 1)]
    balancer = started.add(
        Running(running.dir, SCHEDULER, *endpoints(running), "--poll-interval=0.5", "--sensitivity=0.1")
    )
    wait_for(lambda: sorted(sum(places(), ())) == [1, 1, 2, 2], 8, "the lanes are spread")
    wait_for(lambda: pins(running) == [(n + 1, *cpus) for n, cpus in enumerate(places())]
             + [(9, 2, -1)], 3, "pins where they are")

    def stays():  # for three looks of its; on a busy machine not every three
        before = places()
        time.sleep(1.5)
        return before if places() == before else None

    balanced = wait_for(stays, 6, "balanced is balanced")
    status, out, err = balancer.end()
    assert (status, err) == (0, "")
    assert "relay 9 vf_to_vm is pinned to CPU 2 already: left alone" in out
    assert "CPU 1 -> 2" in out
    assert pins(running) == [(9, 2, -1)]
    assert places() == balanced


def test_scheduler_lets_others_take_its_pins(running, guest, started):
    """What an operator pins while it runs is the operator's."""
    running.add_ring(1)
    guest(running.socket_path(1), rate=1000)
    running.wait_states(1, "DPDK_READY", "VIRTIO_READY")
    balancer = started.add(Running(running.dir, SCHEDULER, *endpoints(running), "--poll-interval=0.3"))
    wait_for(lambda: pins(running), 8)
    _, vf_to_vm, vm_to_vf = pins(running)[0]
    taken = (1, 3 - vf_to_vm, 3 - vm_to_vf)
    assert wire.core_sched(running.core_sched_ep, wire.UPDATE, [taken]).status == wire.OK
    time.sleep(1)
    assert pins(running) == [taken]
    assert balancer.end(signal.SIGINT)[0] == 0
    assert pins(running) == [taken]


@pytest.mark.parametrize("args", ["--sensitivity=much", "--sensitivity=.", "--poll-interval=5s",
                                  "--loglevel=debug", "--sensitivity=nan"])
def test_scheduler_checks_its_arguments(daemon, args):
    done = daemon.script(SCHEDULER, args)
    assert done.returncode == 2 and "Traceback" not in done.stderr


def test_scheduler_takes_what_the_reference_took(monkeypatch, capsys):
    for name, value, field, used in (
        ("VIO4WD_CORE_SCHED_SENSITIVITY", "2", "sensitivity", 1),
        ("VIO4WD_CORE_SCHED_SENSITIVITY", "-1", "sensitivity", 0.25),
        ("VIO4WD_CORE_SCHED_POLL_INTERVAL", "0", "poll_interval", 5),
        ("VIO4WD_CORE_SCHED_POLL_INTERVAL", "0.01", "poll_interval", 0.1),
        ("VIO4WD_CORE_SCHED_LOG_LEVEL", "8", "loglevel", 7),
    ):
        monkeypatch.setattr(sys, "argv", [SCHEDULER])
        monkeypatch.setenv(name, value)
        assert getattr(scheduler.arguments(), field) == used, (name, value)
        monkeypatch.delenv(name)
        if value != "0":
            assert value in capsys.readouterr().err


def test_scheduler_reads_its_service_s_configuration(monkeypatch):
    monkeypatch.setattr(sys, "argv", [SCHEDULER, "--poll-interval=3"])
    values = {
        "VIO4WD_CORE_SCHED_POLL_INTERVAL": "7",
        "VIO4WD_CORE_SCHED_SENSITIVITY": "0.5",
        "VIO4WD_CORE_SCHED_LOG_LEVEL": "",
        "VIO4WD_CORE_SCHED_GLOBAL_NUMA_OPT": "y",
        "VIRTIOFWD_ZMQ_STATS_EP": "ipc:///run/s",
        "VIRTIOFWD_ZMQ_CORE_SCHED_EP": "ipc:///run/c",
    }
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    args = scheduler.arguments()
    assert (args.poll_interval, args.sensitivity, args.loglevel) == (3.0, 0.5, 6)
    assert (args.global_numa_opt, args.stats_ep, args.sched_ep) == (True, "ipc:///run/s", "ipc:///run/c")
    for name in values:
        monkeypatch.delenv(name)
    args = scheduler.arguments()
    assert (args.poll_interval, args.sensitivity, args.global_numa_opt) == (3.0, 0.25, False)
