#!/usr/bin/python3
"""What one worker forwards between a VF and a guest, compared with dpdk-testpmd and OVS-DPDK.

The VF is net_null, the guest testpmd on net_virtio_user, counting at its own port. Two forwarders,
with a guest each, are up at once, and by SIGSTOP and SIGCONT they take turns: one pair runs for a
quarter of a second while the other stands. What counts is the median of the ratios of neighbouring
turns, and its quartiles tell how far to trust it. All is started anew some times; "starts" are the
lowest and the highest median of these. So a machine whose speed drifts, or which is busy with other
things, tells the truth about ratios; packets a second are for orientation.

The worker has one CPU, the guest another. In the cell with idle guests ours, with that many relays
and guests connected on the same worker, is compared with ours alone. Missing 2 MB hugepages are
reserved, and given back however this ends. What it cannot show: a NIC's work, for the VF costs
nothing; guests on QEMU; several workers (that is bench_scale.py's).
"""

import argparse
import collections
import contextlib
import os
import sys
import tempfile

import cells
import peers
import report
import turns
from guests import BusyGuest, IdleGuests
from leftovers import Leftovers
from process import BenchError, Process, end_in_order_on_signals

MEMORY_MB = 1024  # of hugepages, for each side: a forwarder and its guests
Cpus = collections.namedtuple("Cpus", "worker guest")


def start_side(stack, parent, name, cpus, cell):
    """A forwarder with its guests, paused; the stack stops them, guests first."""
    directory = tempfile.mkdtemp(dir=parent, prefix=f"{name}-")
    forwarder = peers.forwarder_for(name)(directory, cpus)
    stack.callback(forwarder.stop)
    forwarder.start(cell)
    if cell.idle:
        idle = IdleGuests(directory, cpus, cell, forwarder.sockets[1:])
        stack.callback(idle.stop)
        idle.wait_for(lambda: forwarder.connected() == cell.idle, 60, "connected")
        idle.pause()  # which leaves its sockets connected
    guest = BusyGuest(directory, cpus, cell, forwarder.sockets[0])
    stack.callback(guest.stop)
    side = turns.Side(forwarder, guest)
    side.settle(0.5)
    return side


def measure(parent, peer, args, cell):
    """The comparison of ours with a peer in one cell."""
    runs = []
    for _ in range(args.starts):
        with contextlib.ExitStack() as stack:
            ours = start_side(stack, parent, peers.Ours.name, args.cpus, cell)
            theirs = start_side(stack, parent, peer, args.cpus, cell.alone())
            runs.append(turns.take(ours, theirs, args.turns, args.turn_seconds))
    return turns.summary(runs)


def arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    names = [*peers.PEERS, peers.ALONE]
    parser.add_argument("--cells", default="*", metavar="PATTERN",
                        help="such as 'vf-to-vm-64-*', or several with commas between; all: "
                        + ", ".join(cell.name for cell in cells.CELLS))
    parser.add_argument("--peers", default=",".join(names), metavar="NAME[,NAME]",
                        help="whom to compare with (%(default)s); alone is for the cell with idle "
                        "guests only")
    parser.add_argument("--starts", type=int, default=4,
                        help="of both sides, one after the other (%(default)s)")
    parser.add_argument("--turns", type=int, default=6,
                        help="of each side after each start (%(default)s)")
    parser.add_argument("--turn-seconds", type=float, default=0.25, metavar="SECONDS",
                        help="(%(default)s)")
    parser.add_argument("--worker-cpu", type=int, metavar="CPU", help="the last one")
    parser.add_argument("--guest-cpu", type=int, metavar="CPU", help="the first one")
    parser.add_argument("--nice", type=int, default=-10,
                        help="priority of what is measured, against other work on its CPUs "
                        "(%(default)s)")
    parser.add_argument("--json", metavar="FILE",
                        help="write all figures there as well, - is the standard output")
    args = parser.parse_args()
    args.cells = cells.choose(args.cells)
    args.peers = args.peers.split(",")
    if not args.cells:
        parser.error("--cells: no such cell")
    if not set(args.peers) <= set(names):
        parser.error(f"--peers: choose among {', '.join(names)}")
    if not 1 <= args.turns <= 1000 or not 1 <= args.starts <= 1000 or \
            not 0.01 <= args.turn_seconds <= 60:
        parser.error("1 to 1000 starts, 1 to 1000 turns, of 0.01 to 60 seconds")
    if not -20 <= args.nice <= 19:
        parser.error("--nice: -20 to 19")
    args.cpus = choose_cpus(parser, args)
    return args


def choose_cpus(parser, args):
    usable = sorted(os.sched_getaffinity(0))
    if len(usable) < 2:
        parser.error("two CPUs are needed, and this process may use one only")
    cpus = Cpus(usable[-1] if args.worker_cpu is None else args.worker_cpu,
                usable[0] if args.guest_cpu is None else args.guest_cpu)
    if not set(cpus) <= set(usable):
        parser.error(f"CPUs are among {usable}")
    return cpus


def measure_all(args, missing):
    """[(cell, peer, Result)], and how many comparisons failed."""
    found, failed = [], 0
    with Leftovers() as leftovers:
        leftovers.reserve_pages(2 * MEMORY_MB)
        for cell in args.cells:
            for peer in [name for name in peers.peers_of(cell)
                         if name in args.peers and name not in missing]:
                try:
                    found.append((cell, peer, measure(leftovers.directory, peer, args, cell)))
                    report.line(*found[-1])
                except BenchError as error:
                    failed += 1
                    report.failure(cell, peer, error)
    return found, failed


def main():
    args = arguments()
    if os.geteuid() != 0:
        raise BenchError("needs root, for hugepages")
    peers.require_ours()
    end_in_order_on_signals()
    Process.nice = args.nice
    missing = peers.missing(name for name in args.peers
                            if any(name in peers.peers_of(cell) for cell in args.cells))
    if args.json == "-":
        report.table = sys.stderr
    report.left_out(missing)
    report.heading(
        f"one worker on CPU {args.cpus.worker}, the guest on CPU {args.cpus.guest}; {args.starts} "
        f"starts, {args.turns} turns of {args.turn_seconds:g} s each; medians; load "
        f"{os.getloadavg()[0]:.1f} at the start")
    found, failed = measure_all(args, missing)
    if args.json:
        settings = {"starts": args.starts, "turns": args.turns, "turn_seconds": args.turn_seconds,
                    "nice": args.nice, **args.cpus._asdict()}
        report.write_json(args.json, settings, found, missing)
    return 1 if failed or not found else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except BenchError as problem:
        sys.exit(f"bench: {problem}")
    except KeyboardInterrupt:
        sys.exit(130)
