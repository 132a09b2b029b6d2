#!/usr/bin/python3
"""Instructions that the packet path executes for a burst, counted by callgrind: exact, and the same
on a busy machine as on an idle one.

Each burst function is called with 0 packets (an idle poll), 1 and 32. Counted are the function and
all that it calls, but for the ends: the VF's and the guest's queues, and the freeing of packets, are
stand-ins that are left out. So the figures are the daemon's own, whoever owns a packet after it was
sent. With /dpdk the guest end of src/guest is counted too, and only DPDK's library stands in; with
/split and /packed our own guest end, its walk of such a ring and its copies, of frames of 64 bytes
(-long: 1518). They depend on the compiler, on DPDK's headers and on the C library's copies: compare
what was built alike.

    test/bench/count_instructions.py > before.txt
    (change something, make bench-instructions)
    test/bench/count_instructions.py --against before.txt
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PROGRAM = os.path.join(ROOT, "build", "bench", "burst_cost")
GUESTS = ("", "/dpdk", "/split", "/packed", "/split-long")
FUNCTIONS = (*(f"burst_vf_to_vm{guest}" for guest in GUESTS), "burst_vf_to_vm_spread",
             *(f"burst_vm_to_vf{guest}" for guest in GUESTS), "burst_vm_to_vf_vlans",
             "burst_vf_to_nobody", "burst_vm_to_nobody")
PACKETS = (0, 1, 32)
ENDS = ("end_*", "__wrap_rte_pktmbuf_free_bulk", "__wrap_rte_vhost_enqueue_burst",
        "__wrap_rte_vhost_dequeue_burst", "__wrap_rte_vhost_avail_entries")
CALLS = 1000
ROW = "{:<26}" + " {:>9}" * len(PACKETS)


def fail(text):
    sys.exit(f"count-instructions: {text}")


def count(program, function, packets, calls, keep):
    """Instructions a call. Collecting is switched on and off at the border of each function named."""
    toggles = [f"--toggle-collect={name}" for name in (function.split("/")[0], *ENDS)]
    with tempfile.TemporaryDirectory(prefix="count-instructions-") as directory:
        out = os.path.join(keep or directory, f"callgrind.{function.replace('/', '-')}.{packets}")
        run = subprocess.run(
            ["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}", *toggles, program,
             function, str(packets), str(calls)],
            capture_output=True, text=True, errors="replace", timeout=300, check=False)
    collected = re.search(r"Collected : (\d+)", run.stderr)
    if run.returncode != 0 or not collected:
        fail(f"{function} with {packets} packets ended with {run.returncode}:\n{run.stderr[-1500:]}")
    total = int(collected.group(1))
    if "/split" in function or "/packed" in function:
        return round(total / calls)  # a ring comes around, and copies depend on where frames lie
    if total % calls or total == 0:
        fail(f"{function} with {packets} packets: {total} instructions in {calls} calls, which were "
             "to be alike")
    return total // calls


def read_table(path):
    """{function: [instructions for each of PACKETS]} of an earlier run's output."""
    found = {}
    try:
        with open(path, encoding="utf-8") as file:
            for line in file:
                words = line.split()
                if words and words[0] in FUNCTIONS:
                    found[words[0]] = [int(word) for word in words[1:len(PACKETS) + 1]]
    except (OSError, ValueError) as error:
        fail(f"{path}: {error}")
    if any(len(values) != len(PACKETS) for values in found.values()) or not found:
        fail(f"{path} has no table of this program's")
    return found


def compare(found, before, percent):
    """Prints the changes; returns the cells that have grown by more than so many per cent."""
    worse = []
    print("\nagainst the table given, in per cent:")
    print(ROW.format("function", *PACKETS))
    for function in [name for name in FUNCTIONS if name in before]:
        changes = [100 * (now - then) / then
                   for now, then in zip(found[function], before[function])]
        print(ROW.format(function, *(f"{change:+.1f}" for change in changes)))
        worse += [f"{function} with {n} packets" for n, change in zip(PACKETS, changes)
                  if change > percent]
    return worse


def arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--against", metavar="FILE",
                        help="an earlier run's output; fails where a count has grown")
    parser.add_argument("--percent", type=float, default=2.0,
                        help="by more than this, with --against (%(default)s)")
    parser.add_argument("--calls", type=int, default=CALLS, help="of each function (%(default)s)")
    parser.add_argument("--program", default=PROGRAM, help="of another build (%(default)s)")
    parser.add_argument("--keep", metavar="DIRECTORY",
                        help="leave callgrind's files there, for callgrind_annotate")
    args = parser.parse_args()
    if not 1 <= args.calls <= 1000000:
        parser.error("--calls: 1 to 1000000")
    return args


def main():
    args = arguments()
    if not shutil.which("valgrind"):
        fail("valgrind is not there: install the package of that name")
    if not os.path.exists(args.program):
        fail(f"{args.program} is not there: run `make bench-instructions`")
    before = read_table(args.against) if args.against else None
    if args.keep:
        os.makedirs(args.keep, exist_ok=True)
    found = {}
    print("instructions a call, by packets a burst")
    print(ROW.format("function", *PACKETS))
    for function in FUNCTIONS:
        found[function] = [count(args.program, function, packets, args.calls, args.keep)
                           for packets in PACKETS]
        print(ROW.format(function, *found[function]), flush=True)
    worse = compare(found, before, args.percent) if before else []
    if worse:
        fail(f"more than {args.percent:g} % above: " + ", ".join(worse))
    return 0


if __name__ == "__main__":
    sys.exit(main())
