#!/usr/bin/python3
"""How the work of one relay spreads over workers: cycles per packet and each worker's busy share.

A guest with four queue pairs (test/tools/seqguest) sends numbered packets of 32 flows at a steady
rate through a loop-back VF (net_ring), on 1, 2 and 4 workers, which may share a CPU: what counts is
not how much is forwarded, but what it costs and whom. The daemon's own measures are read ten times a
second, and the medians shown; a round of each set-up follows the other, as machines drift. The last
set-up has a VF of one queue, where the flow hash spreads packets over the guest's four.

Nothing may be lost, doubled or out of order, and no flow may change its queue: else this fails.
"""

import argparse
import os
import statistics
import sys
import tempfile
import time

from process import end_in_order_on_signals

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "test", "functional"))

import wire_client as wire  # noqa: E402
from daemon import BINARY, Daemon, wait_for  # noqa: E402
from guest import FAULTS, SeqGuest  # noqa: E402

QUEUES, FLOWS = 4, 32
SET_UPS = {  # name: (workers, VF queues)
    "1 worker": (1, 4),
    "2 workers": (2, 4),
    "4 workers": (4, 4),
    "flow hash": (1, 1),
}
SAMPLE_S = 0.1


def fail(text):
    sys.exit(f"bench-scale: {text}")


def arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=3, help="of each set-up (%(default)s)")
    parser.add_argument("--seconds", type=float, default=3.0, help="a round's length (%(default)s)")
    parser.add_argument("--rate", type=int, default=40000, help="packets per second (%(default)s)")
    parser.add_argument("--worker-cpus", default=str(os.cpu_count() - 1), metavar="CPU[,CPU]",
                        help="the workers' CPUs, in turn; one is enough (%(default)s)")
    return parser.parse_args()


class Reading:
    """The daemon's counters at one moment."""

    def __init__(self, daemon):
        with wire.Client(daemon.stats_ep) as client:
            body = client.exchange(wire.stats_request([0]), timeout=10)
        self.at = time.monotonic()
        answer = wire.Record(body, wire.STATS_RESPONSE)
        self.cycles_per_s = answer.cycles_per_s
        self.busy = {worker.cpu: worker.busy_cycles for worker in answer.worker}
        self.pkts = dict.fromkeys(self.busy, 0)
        self.lanes = dict.fromkeys(self.busy, 0)
        for lane in answer.relay[0].lane:
            self.pkts[lane.cpu] += lane.pkts
            self.lanes[lane.cpu] += 1


def samples(daemon, seconds):
    """[{worker: (cycles per packet, busy share, packets per second)}]; lanes stay where they are."""
    found, last, end = [], Reading(daemon), time.monotonic() + seconds
    while time.monotonic() < end:
        time.sleep(SAMPLE_S)
        now = Reading(daemon)
        elapsed = now.at - last.at
        sample = {}
        for cpu in now.busy:
            pkts, busy = now.pkts[cpu] - last.pkts[cpu], now.busy[cpu] - last.busy[cpu]
            sample[cpu] = (busy / pkts if pkts else 0.0, busy / now.cycles_per_s / elapsed,
                           pkts / elapsed)
        found.append(sample)
        last = now
    return found


def measure(args, workers, vf_queues):
    """One round of a set-up: its samples, and how many lanes each worker has."""
    cpus = args.worker_cpus.split(",")
    with tempfile.TemporaryDirectory(prefix="bench-scale-") as directory:
        daemon, guest = Daemon(directory), None
        # On one CPU the main lcore shares it too, so that a worker which is alone gives way when it
        # is idle as two do. net_ring has a ring for each lcore, used or not.
        daemon.lcores = f"0@{cpus[0] if len(cpus) == 1 else 0}," + ",".join(
            f"{i + 1}@{cpus[i % len(cpus)]}" for i in range(QUEUES))
        daemon.cpus = ",".join(str(i + 1) for i in range(workers))
        try:
            daemon.start("--enable-mrgbuf", f"--max-queues={vf_queues}", "--loglevel=4")
            daemon.add_ring(0)
            # No more under way than rings and backlogs hold, however long somebody waits for a CPU.
            guest = SeqGuest(directory, daemon.socket_path(0), queues=QUEUES, flows=FLOWS,
                             rate=args.rate, window=1024, size="64", timeout=20000)
            guest.wait_ready()
            wait_for(lambda: daemon.relay(0).vhost.queues == QUEUES, 10)
            guest.command("stop")
            wait_for(lambda: guest.stats()["outstanding"] == 0, 20)
            guest.command("reset")
            guest.command("start")
            time.sleep(0.5)
            found, lanes = samples(daemon, args.seconds), Reading(daemon).lanes
            final = guest.finish()
            faults = {key: final[key] for key in (*FAULTS, "strayed") if final[key]}
            if faults or daemon.dropped(0):
                fail(f"with {workers} workers: {faults} {daemon.dropped(0)}")
        finally:
            if guest:
                guest.cleanup()
            daemon.cleanup()
    return found, lanes


def median(found, cpu, what):
    return statistics.median(sample[cpu][what] for sample in found)


def total_cost(found):
    """Cycles per packet over all workers: the median of the samples."""
    costs = []
    for sample in found:
        pkts = sum(rate for _, _, rate in sample.values())
        if pkts:
            costs.append(sum(cost * rate for cost, _, rate in sample.values()) / pkts)
    return statistics.median(costs)


def main():
    args = arguments()
    if not os.path.exists(BINARY):
        fail(f"{BINARY} is not there: run make")
    end_in_order_on_signals()
    found = {name: [] for name in SET_UPS}
    lanes = {}
    print(f"{args.rate} packets/s each way, {QUEUES} queue pairs, {FLOWS} flows; workers on CPU "
          f"{args.worker_cpus}; medians of {args.rounds} rounds of {args.seconds:g} s; load "
          f"{os.getloadavg()[0]:.1f} at the start")
    for _ in range(args.rounds):
        for name, (workers, vf_queues) in SET_UPS.items():
            samples_now, lanes[name] = measure(args, workers, vf_queues)
            found[name] += samples_now
    base = total_cost(found["1 worker"])
    row = "{:<10} {:>6} {:>5} {:>12} {:>13} {:>9} {:>10}"
    print(row.format("set-up", "worker", "lanes", "packets/s", "cycles/packet", "relative",
                     "busy share"))
    for name in SET_UPS:
        for cpu, count in lanes[name].items():
            cost = median(found[name], cpu, 0)
            print(row.format(name, cpu, count, f"{median(found[name], cpu, 2):.0f}", f"{cost:.0f}",
                             f"{cost / base:.2f}", f"{100 * median(found[name], cpu, 1):.1f} %"))
        cost = total_cost(found[name])
        print(row.format(name, "all", sum(lanes[name].values()), "", f"{cost:.0f}",
                         f"{cost / base:.2f}",
                         f"{100 * sum(median(found[name], cpu, 1) for cpu in lanes[name]):.1f} %"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
