"""Which CPUs the daemon takes: ones that are not there or not its own are refused, and a worker
that somebody moves comes back."""

import os

import pytest

import patience
from daemon import BINARY, MAIN_CPU, WORKER_CPU, wait_for

ABSENT = "126"  # an lcore that DPDK knows, on a CPU that few machines have


def refused(daemon, *options):
    done = patience.run(
        [BINARY, "--nodaemon", "--no-huge", "--eal=--no-pci", f"--pid-path={daemon.dir}",
         f"--vhost-path={daemon.dir}", *options],
    )  # fmt: skip
    assert done.returncode == 1, done.stdout
    lines = [line for line in done.stdout.splitlines() if "cannot start" in line]
    assert len(lines) == 1 and "Usage" not in done.stdout, done.stdout
    return lines[0]


@pytest.mark.parametrize("option, options", [
    ("--cpus", (f"--cpus=1,{ABSENT}",)),
    ("--master-lcore", ("--cpus=1", f"--master-lcore={ABSENT}")),
])  # fmt: skip
def test_a_cpu_that_is_not_there(daemon, option, options):
    line = refused(daemon, *options)
    assert option in line and f"CPU {ABSENT}" in line and "online are 0" in line


def worker_thread(daemon, lcore):
    tasks = f"/proc/{daemon.process.pid}/task"
    for tid in os.listdir(tasks):
        with open(f"{tasks}/{tid}/comm", encoding="ascii") as file:
            if file.read() in (f"rte-worker-{lcore}\n", f"dpdk-worker{lcore}\n"):
                return int(tid)
    raise AssertionError(f"no worker {lcore}")


def test_a_worker_that_is_moved_comes_back(daemon):
    daemon.start()
    tid = worker_thread(daemon, 1)
    assert os.sched_getaffinity(tid) == {WORKER_CPU}
    os.sched_setaffinity(tid, {MAIN_CPU})
    wait_for(lambda: os.sched_getaffinity(tid) == {WORKER_CPU}, 10)
    wait_for(lambda: f"had been moved off CPU {WORKER_CPU}: it is back there" in daemon.log_text(), 5)
