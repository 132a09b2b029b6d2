#!/usr/bin/python3
"""Physical-virtual-physical: what one worker forwards between a VF and a guest, ours against testpmd.

The VF is net_null, the guest testpmd on net_virtio_user, counting at its own port. Ours is the
daemon; the yardstick `dpdk-testpmd --forward-mode=io` between net_vhost and net_null. Both offer
mergeable buffers, the guest's rings have 1024 entries. Runs of the two alternate, and what counts is
the median of their ratios, as the machine's speed drifts. The worker has one CPU for itself, the
guest another; everything else sleeps. Missing 2 MB hugepages are reserved, and given back at the end.
"""

import argparse
import atexit
import fnmatch
import itertools
import json
import os
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "test", "functional"))

import wire_client as wire  # noqa: E402

BINARY = os.environ.get("VIRTIO_FORWARDER", os.path.join(ROOT, "build", "virtio-forwarder"))
PAGES_KB = 2048
MEMORY_MB = 512  # of each process: two run at a time
DIRECTIONS = ("vf-to-vm", "vm-to-vf")
CELLS = [
    (size, direction, ring)
    for direction, size, ring in itertools.product(DIRECTIONS, (64, 1518), ("split", "packed"))
]


def fail(text):
    sys.exit(f"bench: {text}")


# --- hugepages -------------------------------------------------------------------------------

PAGES = f"/sys/kernel/mm/hugepages/hugepages-{PAGES_KB}kB"


def pages(name):
    with open(os.path.join(PAGES, name), encoding="ascii") as file:
        return int(file.read())


def set_pages(count):
    with open(os.path.join(PAGES, "nr_hugepages"), "w", encoding="ascii") as file:
        file.write(str(count))


def reserve_pages():
    """Enough for two processes at once; what was missing is given back at exit."""
    if not os.path.isdir(PAGES):
        fail(f"this kernel has no hugepages of {PAGES_KB} kB")
    needed = 2 * MEMORY_MB * 1024 // PAGES_KB + 32
    before = pages("nr_hugepages")
    missing = needed - pages("free_hugepages")
    if missing <= 0:
        return
    atexit.register(set_pages, before)
    set_pages(before + missing)
    if pages("free_hugepages") < needed:
        fail(f"{needed} free hugepages of {PAGES_KB} kB are needed, the kernel gave "
             f"{pages('free_hugepages')}: free some memory")


# --- processes -------------------------------------------------------------------------------


class Process:
    def __init__(self, name, directory, command, interactive=False, environment=None):
        self.name = name
        self.log_path = os.path.join(directory, f"{name}.log")
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE if interactive else subprocess.DEVNULL,
                stdout=subprocess.PIPE if interactive else log,
                stderr=log if interactive else subprocess.STDOUT,
                env={**os.environ, "RUNTIME_DIRECTORY": directory, **(environment or {})},
            )

    def fail(self, why):
        with open(self.log_path, encoding="utf-8", errors="replace") as log:
            fail(f"{self.name} {why}:\n" + "".join(log.readlines()[-15:]))

    def check(self):
        if self.process.poll() is not None:
            self.fail(f"ended with {self.process.returncode}")

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


def eal(lcores, prefix):
    return ["--in-memory", "--single-file-segments", "--no-pci", "--no-telemetry",
            f"--lcores={lcores}", f"--file-prefix={prefix}"]


def null_device(size, direction):
    """The VF: a source of packets without end, or a sink alone."""
    return f"net_null0,size={size}" + (",no-rx=1" if direction == "vm-to-vf" else "")


def start_daemon(directory, cpus, cell):
    size, direction, _ = cell
    notify_path = os.path.join(directory, "notify")
    notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    notify.bind(notify_path)
    process = Process(
        "virtio-forwarder",
        directory,
        [
            BINARY,
            "--nodaemon",
            "--loglevel=5",
            f"--cpus={cpus.worker}",
            f"--master-lcore={cpus.guest}",
            "--enable-mrgbuf",
            "--max-queues=1",
            f"--pid-path={directory}",
            f"--vhost-path={directory}",
            f"--zmq-stats-ep=ipc://{directory}/stats",
            "--eal=--no-pci --in-memory",
            f"--add-pci-vf={null_device(size, direction)}=0",
        ],
        environment={"NOTIFY_SOCKET": notify_path},
    )
    notify.settimeout(30)
    try:
        while b"READY=1" not in notify.recv(4096).split(b"\n"):
            pass
    except TimeoutError:
        process.check()
        process.fail("did not get ready")
    finally:
        notify.close()
        os.unlink(notify_path)
    deadline = time.monotonic() + 20
    while not wire.relay(f"ipc://{directory}/stats", 0).vf_to_vm.active:
        if time.monotonic() > deadline:
            process.fail("did not attach its VF")
        time.sleep(0.05)
    return process, os.path.join(directory, "virtio-forwarder0.sock")


def start_testpmd(directory, cpus, cell):
    size, direction, _ = cell
    path = os.path.join(directory, "vhost.sock")
    process = Process(
        "testpmd",
        directory,
        [
            "dpdk-testpmd",
            *eal(f"0@{cpus.guest},1@{cpus.worker}", "bench-backend"),
            f"--vdev=net_vhost0,iface={path},queues=1",
            f"--vdev={null_device(size, direction)}",
            "--",
            "--forward-mode=io",
            "--auto-start",
            "--total-num-mbufs=32768",
            "--stats-period=3600",
        ],
    )
    deadline = time.monotonic() + 30
    while not os.path.exists(path):
        process.check()
        if time.monotonic() > deadline:
            process.fail("made no socket")
        time.sleep(0.05)
    time.sleep(0.3)
    return process, path


class Guest(Process):
    """testpmd, asked for its port's statistics over its prompt."""

    def __init__(self, directory, cpus, cell, path):
        size, direction, ring = cell
        packed = ",packed_vq=1" if ring == "packed" else ""
        super().__init__(
            "guest",
            directory,
            [
                "stdbuf",
                "-oL",
                "dpdk-testpmd",
                *eal(f"0@{cpus.guest},1@{cpus.guest}", "bench-guest"),
                f"--vdev=net_virtio_user0,path={path},queue_size=1024,mrg_rxbuf=1{packed}",
                "--",
                "--interactive",
                "--auto-start",
                "--rxd=1024",
                "--txd=1024",
                "--total-num-mbufs=32768",
                f"--txpkts={size}",
                "--forward-mode=" + ("rxonly" if direction == "vf-to-vm" else "txonly"),
            ],
            interactive=True,
        )
        self.counter = "RX-packets" if direction == "vf-to-vm" else "TX-packets"

    def packets(self):
        """(when, how many) at its port."""
        self.process.stdin.write(b"show port stats 0\n")
        self.process.stdin.flush()
        for line in self.process.stdout:
            match = re.search(rb"%s: +(\d+)" % self.counter.encode(), line)
            if match:
                return time.monotonic(), int(match.group(1))
        self.process.wait(10)
        return self.fail(f"ended with {self.process.returncode}")

    def stop(self):
        super().stop()
        self.process.stdin.close()
        self.process.stdout.close()


BACKENDS = {"ours": start_daemon, "testpmd": start_testpmd}


def measure(backend, cpus, cell, seconds, warm_up):
    """Mpps at the guest."""
    directory = tempfile.mkdtemp(prefix="vf-bench-")
    process = guest = None
    try:
        process, path = BACKENDS[backend](directory, cpus, cell)
        guest = Guest(directory, cpus, cell, path)
        guest.packets()  # it is up
        time.sleep(warm_up)
        begin, before = guest.packets()
        time.sleep(seconds)
        end, after = guest.packets()
        process.check()
        return (after - before) / (end - begin) / 1e6
    finally:
        for one in (guest, process):
            if one:
                one.stop()
        shutil.rmtree(directory, ignore_errors=True)


# --- the table -------------------------------------------------------------------------------


def name_of(cell):
    size, direction, ring = cell
    return f"{direction}-{size}-{ring}"


def arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5, help="runs of each (%(default)s)")
    parser.add_argument("--seconds", type=float, default=3.0, help="measured (%(default)s)")
    parser.add_argument("--warm-up", type=float, default=1.0, metavar="SECONDS")
    parser.add_argument("--cells", default="*", metavar="PATTERN",
                        help="such as 'vf-to-vm-64-*', or several with commas between; all: "
                        + ", ".join(name_of(cell) for cell in CELLS))
    parser.add_argument("--worker-cpu", type=int, dest="worker", help="the last one")
    parser.add_argument("--guest-cpu", type=int, dest="guest", help="the first one")
    parser.add_argument("--json", metavar="FILE", help="write the raw figures there as well")
    args = parser.parse_args()
    usable = sorted(os.sched_getaffinity(0))
    if len(usable) < 2:
        fail("two CPUs are needed")
    args.worker = usable[-1] if args.worker is None else args.worker
    args.guest = usable[0] if args.guest is None else args.guest
    patterns = args.cells.split(",")
    args.cells = [cell for cell in CELLS
                  if any(fnmatch.fnmatch(name_of(cell), pattern) for pattern in patterns)]
    if not args.cells or args.rounds < 1:
        parser.error("nothing to do")
    return args


def main():
    args = arguments()
    if os.geteuid() != 0:
        fail("needs root, for hugepages")
    if not os.path.exists(BINARY):
        fail(f"{BINARY} is not there: run make")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    reserve_pages()
    row = "{:<22} {:>12} {:>12} {:>8} {:>15}"
    print(f"one worker on CPU {args.worker}, the guest on CPU {args.guest}; medians of "
          f"{args.rounds} rounds of {args.seconds:g} s; {load()}")
    print(row.format("cell", "ours Mpps", "testpmd Mpps", "ratio", "ratios from-to"))
    raw, ratios = {}, []
    for cell in args.cells:
        rates = {name: [] for name in BACKENDS}
        for turn in range(args.rounds):
            for name in list(BACKENDS)[:: -1 if turn % 2 else 1]:
                rates[name].append(measure(name, args, cell, args.seconds, args.warm_up))
        each = [ours / theirs if theirs else float("inf")
                for ours, theirs in zip(rates["ours"], rates["testpmd"])]
        ratios.append(statistics.median(each))
        raw[name_of(cell)] = rates
        print(row.format(name_of(cell), *(f"{statistics.median(rates[n]):.2f}" for n in BACKENDS),
                         f"{ratios[-1]:.3f}", f"{min(each):.2f}-{max(each):.2f}"), flush=True)
    print(f"lowest median of ratios: {min(ratios):.3f}")
    print("raw Mpps, round by round:")
    for cell, rates in raw.items():
        for name, values in rates.items():
            print(f"  {cell:<20} {name:<8} " + " ".join(f"{value:.2f}" for value in values))
    if args.json:
        with open(args.json, "w", encoding="utf-8") as file:
            json.dump(raw, file, indent=1)
    return 0


def load():
    return f"load {os.getloadavg()[0]:.1f} at the start"


if __name__ == "__main__":
    sys.exit(main())
