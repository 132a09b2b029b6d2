#!/usr/bin/python3
"""Balance virtio-forwarder's relays over its worker CPUs from outside the daemon.

Each poll interval the load of every worker is measured (the time that each direction takes, or its
packets where the daemon does not tell that), relays' directions move from busy workers
to idle ones if that is worth it, and each stays pinned where it was put. What others have pinned is
left alone, and so is a direction whose queues several workers share. All pins of its own are
released when this ends (on SIGTERM, SIGINT or SIGHUP). Where it was killed otherwise its pins stay,
and its successor takes them for somebody else's: release them with virtioforwarder_core_pinner(8),
by its option --virtio-cpu=R:-1.

The daemon must have the endpoint --zmq-core-sched-ep. It balances by itself where its configuration
says so (VIO4WD_CORE_SCHED_ENABLE); this is for those who want to do it otherwise.
"""

import argparse
import os
import re
import signal
import sys
import time
from collections import defaultdict, namedtuple

import virtioforwarder_client as client
import virtioforwarder_workers as workers

EPILOG = """\
Environment:
  VIO4WD_CORE_SCHED_POLL_INTERVAL, VIO4WD_CORE_SCHED_SENSITIVITY, VIO4WD_CORE_SCHED_LOG_LEVEL,
  VIO4WD_CORE_SCHED_GLOBAL_NUMA_OPT, VIRTIOFWD_ZMQ_STATS_EP and VIRTIOFWD_ZMQ_CORE_SCHED_EP take the
  place of the defaults above, unless they are empty. The service vio4wd_core_scheduler reads them
  from /etc/default/virtioforwarder.

Exit status:
  0 when it was told to end, 1 when the daemon did not answer within 2 seconds (and the measuring), 2
  when the command line is wrong.

See also:
  virtio-forwarder(8), virtioforwarder_core_pinner(8)
"""

ERROR, NOTICE, INFO, DEBUG = 3, 5, 6, 7  # syslog's severities
SENSITIVITY, POLL_INTERVAL_S = 0.25, 5  # unless told otherwise
MEASURE_MAX_S = 10.0  # the daemon's longest delay

# One direction of one relay: what is moved.
Unit = namedtuple("Unit", "relay direction")


def sensitivity(text):
    if not re.fullmatch(r"-?[0-9]{0,30}\.?[0-9]{0,30}", text) or not re.search("[0-9]", text):
        raise argparse.ArgumentTypeError(f"'{text}' is not a fraction from 0 to 1")
    return workers.within("sensitivity", text, 0, 1, instead=SENSITIVITY)


def level(text):
    if not re.fullmatch("-?[0-9]{1,9}", text):
        raise argparse.ArgumentTypeError(f"'{text}' is not a level from 0 to 7")
    return int(workers.within("log level", text, 0, 7, instead=INFO))


def poll_interval(text):
    """0 stands for the default."""
    return POLL_INTERVAL_S if re.fullmatch(r"0+(\.0*)?", text) else workers.seconds(text)


def variable(name, default=None):
    """What the service's configuration says, unless that is nothing."""
    return os.environ.get(name) or default


def arguments():
    parser = client.make_parser(__doc__, EPILOG)
    workers.add_endpoint_options(parser)
    for option, name in (("stats_ep", "STATS"), ("sched_ep", "CORE_SCHED")):
        parser.set_defaults(
            **{option: variable(f"VIRTIOFWD_ZMQ_{name}_EP", parser.get_default(option))}
        )
    parser.add_argument(
        "--poll-interval",
        type=poll_interval,
        default=variable("VIO4WD_CORE_SCHED_POLL_INTERVAL", str(POLL_INTERVAL_S)),
        metavar="S",
        help="seconds between two looks; default: %(default)s",
    )
    parser.add_argument(
        "--loglevel",
        type=level,
        default=variable("VIO4WD_CORE_SCHED_LOG_LEVEL", str(INFO)),
        metavar="LEVEL",
        help="print messages up to this syslog severity, 0 to 7; default: %(default)s",
    )
    parser.add_argument(
        "--sensitivity",
        type=sensitivity,
        default=variable("VIO4WD_CORE_SCHED_SENSITIVITY", str(SENSITIVITY)),
        metavar="F",
        help="move only if that takes away at least this share of the busiest worker's excess over "
        "the mean; at 0 any gain counts; default: %(default)s",
    )
    parser.add_argument(
        "--global-numa-opt",
        action="store_true",
        default=bool(variable("VIO4WD_CORE_SCHED_GLOBAL_NUMA_OPT")),
        help="balance over all NUMA nodes instead of within each",
    )
    client.add_curve_options(parser)
    return parser.parse_args()


# --- the arithmetic -------------------------------------------------------------------------


def excess(load):
    return max(load.values()) - sum(load.values()) / len(load)


def best_move(load, weights, places):
    """The move from the busiest worker that leaves the least on the busier of the two, or None."""
    busiest = max(load, key=load.get)
    target = min(load, key=load.get)
    best, least = None, load[busiest]
    for unit in sorted(places):
        if places[unit] != busiest:
            continue
        left = max(load[busiest] - weights[unit], load[target] + weights[unit])
        if weights[unit] > 0 and left < least:
            best, least = (unit, target), left
    return best


def balance(cpus, fixed, weights, places, threshold):
    """Where the units should be, as {unit: cpu}: their places now unless moving is worth it.
    fixed: {cpu: load that cannot be moved}."""
    load = {cpu: fixed.get(cpu, 0.0) for cpu in cpus}
    for unit, cpu in places.items():
        load[cpu] += weights[unit]
    before, moved = excess(load), dict(places)
    for _ in range(len(places)):
        move = best_move(load, weights, moved)
        if move is None:
            break
        unit, target = move
        load[moved[unit]] -= weights[unit]
        load[target] += weights[unit]
        moved[unit] = target
    gain = before - excess(load)
    return moved if gain > 0 and gain >= threshold * before else dict(places)


# --- the daemon's state ---------------------------------------------------------------------


class Scheduler:
    def __init__(self, args):
        self.args = args
        self.daemon = workers.Daemon(args)
        self.ours = {}  # {unit: the CPU that we have pinned it to}

    def log(self, severity, text):
        if severity <= self.args.loglevel:
            print(text, flush=True)

    def read_pins(self, response):
        """{unit: cpu} of all pins in force. What we find changed is ours no more."""
        pins = {}
        for entry in response.pinned:
            for direction, cpu in zip(workers.RATES, (entry.vf2virtio_cpu, entry.virtio2vf_cpu)):
                if cpu != workers.UNPINNED:
                    pins[Unit(entry.relay_number, direction)] = cpu
        self.ours = {unit: cpu for unit, cpu in self.ours.items() if pins.get(unit) == cpu}
        return pins

    def write_pins(self, pins, wanted):
        """Brings the pins of ours, among all `pins` in force, to `wanted`."""
        change = {unit: workers.UNPINNED for unit in self.ours if unit not in wanted}
        change.update({unit: cpu for unit, cpu in wanted.items() if pins.get(unit) != cpu})
        if not change:
            return
        entries = []
        for relay in sorted({unit.relay for unit in change}):
            units = [Unit(relay, direction) for direction in workers.RATES]
            entries.append(
                (relay, *(change.get(unit, pins.get(unit, workers.UNPINNED)) for unit in units))
            )
        # Ours from here on, should a signal end us before the answer: read_pins drops the others.
        self.ours.update(wanted)
        response = self.daemon.update(entries)
        if response.status != self.daemon.messages.CoreSchedResponse.OK:
            self.log(ERROR, f"the daemon refuses: {response.error_text}")
            return
        self.ours = dict(wanted)

    def loads(self, delay_ms):
        """(relays, {unit: load}), measured over that many ms: in cycles spent, or in packets per
        second from a daemon that does not tell these."""
        before = workers.busy_cycles(self.daemon.stats())
        response = self.daemon.stats(delay_ms)
        after = workers.busy_cycles(response)
        load = defaultdict(float)
        for (relay, direction, queue), cycles in after.items():
            load[Unit(relay, direction)] += cycles - before.get((relay, direction, queue), cycles)
        for relay in response.relay if not after else ():
            for direction, rate in workers.RATES.items():
                load[Unit(relay.id, direction)] = getattr(getattr(relay, direction), rate)
        return response.relay, load

    def measure(self, relays, load, pins, cpus):
        """What can be moved: weights and places by unit; and the load that stays, by CPU."""
        weights, places, fixed = {}, {}, defaultdict(float)
        for relay in relays:
            for direction in workers.RATES:
                unit = Unit(relay.id, direction)
                weight = load[unit]
                where = [cpu for cpu in workers.cpus_of(relay, direction) if cpu in cpus]
                if len(where) == 1 and (unit not in pins or unit in self.ours):
                    weights[unit], places[unit] = weight, where[0]
                    continue
                for cpu in where:
                    fixed[cpu] += weight / len(where)
        return weights, places, fixed

    def groups(self, response):
        """The sets of CPUs among which relays may move."""
        cpus = list(response.eal_cores)
        nodes = list(response.eal_core_nodes)
        if self.args.global_numa_opt or len(nodes) != len(cpus):
            return [cpus]
        return [[c for c, n in zip(cpus, nodes) if n == node] for node in sorted(set(nodes))]

    def turn(self):
        measured_s = min(self.args.poll_interval, MEASURE_MAX_S)
        time.sleep(self.args.poll_interval - measured_s)
        relays, load = self.loads(int(measured_s * 1000))
        response = self.daemon.workers()
        pins = self.read_pins(response)
        weights, places, fixed = self.measure(relays, load, pins, set(response.eal_cores))
        total = sum(load.values()) or 1
        wanted = {}
        for cpus in self.groups(response):
            here = {unit: cpu for unit, cpu in places.items() if cpu in cpus}
            wanted.update(balance(cpus, fixed, weights, here, self.args.sensitivity))
        for unit, cpu in wanted.items():
            if places[unit] != cpu:
                self.log(
                    INFO,
                    f"relay {unit.relay} {unit.direction}: CPU {places[unit]} -> {cpu} "
                    f"({100 * weights[unit] / total:.0f} % of the load)",
                )
        self.write_pins(pins, wanted)

    def release(self):
        """Gives back what is pinned by us, at the end."""
        if self.ours:
            self.write_pins(self.read_pins(self.daemon.workers()), {})

    def run(self):
        for unit, cpu in sorted(self.read_pins(self.daemon.workers()).items()):
            self.log(
                NOTICE,
                f"relay {unit.relay} {unit.direction} is pinned to CPU {cpu} already: left alone",
            )
        while True:
            self.turn()


def main():
    args = arguments()
    scheduler = Scheduler(args)
    numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    for number in numbers:
        signal.signal(number, lambda *_: sys.exit(0))
    try:
        scheduler.run()
    finally:
        for number in numbers:
            signal.signal(number, signal.SIG_IGN)
        scheduler.release()


if __name__ == "__main__":
    client.run(main)
