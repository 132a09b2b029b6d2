#!/usr/bin/python3
"""Pin virtio-forwarder's relays to worker CPUs, and show which worker serves what.

Without arguments the map is printed: a column for each worker, under it the relays that it serves,
left from VM to VF, right from VF to VM. A relay whose queues several workers share stands under each
of them.

No packet is lost by a change. What is pinned the balancer leaves alone, until the pin is released or
the daemon ends. The daemon must have the endpoint --zmq-core-sched-ep.
"""

import os
import sys

import virtioforwarder_client as client
import virtioforwarder_workers as workers

EPILOG = """\
Exit status:
  0 when all was done, 1 when the daemon refused or did not answer within 2 seconds, 2 when the
  command line is wrong.

Examples:
  virtioforwarder_core_pinner.py --virtio-cpu=3:1,2 --virtio-cpu=4:2
  virtioforwarder_core_pinner.py --virtio-cpu=3:-1

See also:
  virtio-forwarder(8), virtioforwarder_core_scheduler(8), virtioforwarder_monitor_load(8)
"""


def arguments():
    parser = client.make_parser(__doc__, EPILOG)
    workers.add_endpoint_options(parser)
    parser.add_argument(
        "--virtio-cpu",
        type=workers.pin,
        action="append",
        default=[],
        metavar="R:C1[,C2]",
        help="pin relay R: CPU C1 serves VF to VM and C2 VM to VF, in the order of the daemon's "
        "--virtio-cpu; one CPU serves both; -1 gives a direction back to the balancer. May be "
        "repeated: if one relay or CPU does not exist, nothing is changed",
    )
    parser.add_argument(
        "--print-core-map",
        action="store_true",
        help="print the map, and change nothing, whatever --virtio-cpu says",
    )
    parser.add_argument(
        "--explain",
        action="store_true",
        help="a dry run of the daemon's balancer, whether it is switched on or not: print how busy "
        "each worker is, which lanes pay for remote memory and how much, what the balancer would "
        "move now and why, instead of the map; nothing is moved",
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


def tell_the_order(pins):
    """Once: others have had it the other way round."""
    for relay, vf_to_vm, vm_to_vf in pins:
        if vf_to_vm != vm_to_vf:
            print(
                f"{os.path.basename(sys.argv[0])}: relay {relay}: CPU {vf_to_vm} serves VF to VM, CPU "
                f"{vm_to_vf} VM to VF; of --virtio-cpu's CPUs the first is always that from VF to VM",
                file=sys.stderr,
            )
            return


def main():
    args = arguments()
    daemon = workers.Daemon(args)
    status = 0
    if args.virtio_cpu and not args.print_core_map:
        tell_the_order(args.virtio_cpu)
        response = daemon.update(args.virtio_cpu)
        done = response.status == daemon.messages.CoreSchedResponse.OK
        print(f"Scheduler response: {'OK' if done else 'ERROR'}")
        if not done:
            client.show(response)
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
