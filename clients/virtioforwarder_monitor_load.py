#!/usr/bin/python3
"""Watch how virtio-forwarder's worker CPUs are loaded: a bar for each, until interrupted.

The bar is the share of its time that a worker has spent on packets in the last second: polling in
vain is not load. Beside it stand the packets per second that it takes from VFs and guests; a direction
that several workers serve counts for each of them alike. Of a daemon that does not measure its workers'
time the bars are those rates, and the longest is the busiest worker's. The daemon must have the
endpoint --zmq-core-sched-ep.
"""

import signal
import sys
import time

import virtioforwarder_client as client
import virtioforwarder_workers as workers

EPILOG = """\
Exit status:
  0 after SIGINT or SIGTERM, 1 when the daemon did not answer within 2 seconds, 2 when the command line
  is wrong.

See also:
  virtio-forwarder(8), virtioforwarder_core_pinner(8)
"""

BAR = 50


def arguments():
    parser = client.make_parser(__doc__, EPILOG)
    workers.add_endpoint_options(parser)
    parser.add_argument(
        "--poll-interval",
        type=workers.seconds,
        default=1.0,
        metavar="S",
        help="seconds between two looks; default: %(default)s",
    )
    client.add_curve_options(parser)
    return parser.parse_args()


def rates(cores, relays):
    """Packets per second of each worker."""
    load = dict.fromkeys(cores, 0.0)
    for relay in relays:
        for direction, rate in workers.RATES.items():
            cpus = workers.cpus_of(relay, direction)
            for cpu in set(cpus) & set(load):
                load[cpu] += getattr(getattr(relay, direction), rate) / len(cpus)
    return load


def bars(cores, response):
    """A line for each worker."""
    load = rates(cores, response.relay)
    busy = {worker.cpu: worker.busy for worker in response.worker}
    most = max(load.values(), default=0)
    for cpu, rate in load.items():
        share = busy[cpu] if cpu in busy else rate / most if most else 0
        told = f" {100 * busy[cpu]:5.1f} % busy" if cpu in busy else ""
        yield f"CPU {cpu:02} [{'#' * round(BAR * share):<{BAR}}]{told} {rate:12.0f} pkt/s"


def show(lines, again):
    """On a terminal each look overwrites the one before; elsewhere they follow each other."""
    if sys.stdout.isatty() and again:
        print(f"\033[{len(lines)}A", end="")
    elif again:
        print()
    end = "\033[K\n" if sys.stdout.isatty() else "\n"
    print(*lines, sep=end, end=end, flush=True)


def main():
    args = arguments()
    daemon = workers.Daemon(args)
    # Both are the usual ways to end it.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: sys.exit(0))
    again = False
    while True:
        show(list(bars(daemon.workers().eal_cores, daemon.stats())), again)
        again = True
        time.sleep(args.poll_interval)


if __name__ == "__main__":
    client.run(main)
