#!/usr/bin/python3
"""Pin virtio-forwarder's relays to worker CPUs, and show which worker serves what.

Without arguments the map is printed: a column for each worker, under it the relays that it serves,
left from VM to VF, right from VF to VM. What is pinned the balancer leaves alone.
"""

import argparse

import virtioforwarder_client as client
import virtioforwarder_workers as workers


def arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    workers.add_endpoint_options(parser)
    parser.add_argument(
        "--virtio-cpu",
        type=workers.pin,
        action="append",
        default=[],
        metavar="R:C1[,C2]",
        help="pin relay R: CPU C1 serves VF to VM and C2 VM to VF, in the order of the daemon's "
        "--virtio-cpu; one CPU serves both; -1 gives a direction back to the balancer. May be "
        "repeated: all or nothing is done",
    )
    parser.add_argument("--print-core-map", action="store_true", help="print the map")
    parser.add_argument(
        "--explain",
        action="store_true",
        help="print how busy each worker is, what the balancer would move now and why, instead of "
        "the map; nothing is moved",
    )
    client.add_curve_options(parser)
    return parser.parse_args()


def core_map(cores, relays):
    """The map's lines."""
    columns = {cpu: {direction: [] for direction in workers.RATES} for cpu in cores}
    for relay in relays:
        for direction in workers.RATES:
            for cpu in workers.cpus_of(relay, direction):
                if cpu in columns:
                    columns[cpu][direction].append(relay.id)
    yield "Worker cores affinities:"
    yield "  ".join(f"== {cpu:02} ==" for cpu in cores)
    height = max((len(ids) for sides in columns.values() for ids in sides.values()), default=0)
    for row in range(height):
        cells = []
        for cpu in cores:
            left, right = (
                str(columns[cpu][direction][row]) if row < len(columns[cpu][direction]) else ""
                for direction in ("vm_to_vf", "vf_to_vm")
            )
            cells.append(f"{left:>3}  {right:>3}".ljust(len(f"== {cpu:02} ==")))
        yield "  ".join(cells).rstrip()


def main():
    args = arguments()
    daemon = workers.Daemon(args)
    status = 0
    if args.virtio_cpu:
        response = daemon.update(args.virtio_cpu)
        done = response.status == daemon.messages.CoreSchedResponse.OK
        print(f"Scheduler response: {'OK' if done else 'ERROR'}")
        if not done:
            print(response, end="")
            status = 1
    if args.explain:
        for line in daemon.explain():
            print(line)
    if args.explain and not args.print_core_map:
        return status
    for line in core_map(daemon.workers().eal_cores, daemon.stats().relay):
        print(line)
    return status


if __name__ == "__main__":
    client.run(main)
