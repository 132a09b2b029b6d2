#!/usr/bin/python3
"""Print what virtio-forwarder's relays do: states, counters since the daemon's start, rates.

Asks a running daemon once, and prints for each relay its state, its counters since the start of the
daemon, and rates per second. Any number of clients may ask at the same time.

In the flat format each line is key=value, as in relay_2.vf_to_vm.cpu_1.pkts_rx_from_vf=1200. The part
cpu_C is there while a CPU works for that direction. The directions are named vf_to_vm and vm_to_vf;
their states are those of the end that they receive from:

  DPDK_UNINIT, DPDK_ADDED, DPDK_READY  no device; a device without a guest; both
  VIRTIO_UNINIT, VIRTIO_READY          no guest; a guest
  ..._REMOVING1, ..._REMOVING2         an end that is leaving: while its traffic is being stopped, and
                                       until it is freed

Packets that could not be passed on are counted by cause: dropped_vm_queue_full and
dropped_vf_queue_full when the target takes packets too slowly, dropped_vm_not_connected and
dropped_vf_not_connected when there is none.

Where the VF's PF filters by VLAN, vf.vlan lists those whose frames it receives, and vf.vlan_refused those
that it shall, but its PF does not want; absent when there are none.

The format protobuf is the whole answer in protobuf's text format, and has more: frames that were too
short or too long (dropped_invalid), the NIC's own losses, its link, MTU, queues and MAC address, and,
for each lane (one direction of one queue), its CPU and what --loads and --queues print.
"""

import virtioforwarder_client as client

EPILOG = """\
COUNTERS in virtio-forwarder(8) says what each counter means.

Lanes, with --loads, as in relay_2.lane.vf_to_vm.0.load=0.12:
  cpu          its CPU
  load         the share of a CPU's time that its packets take, smoothed over some seconds
  pkts         the packets that it has received
  busy_cycles  the cycles that they took
  targets      a bit for each queue that it sends to

Queues of the guest's, with --queues, as in relay_2.guest_queue.vf_to_vm.0.size=256:
  size         its ring's entries
  packed       whether it is a packed ring, else a split one
  enabled, started
               what the front end has asked for
  stopped      why the daemon does not serve it, though it is started: the rule that the guest has
               broken; absent while it has broken none
  starts       how often a driver has set the queue up
  calls        interrupts for the guest
  refused      descriptors and indices of the guest's that broke a rule, each of which stopped the queue
  shortages    vf_to_vm: how often frames waited for buffers of the guest's
  discarded    vm_to_vf: frames that the guest has sent while it had the queue disabled

They are those of which the front end has told the size; their counts are of all guests that the relay
has had. Kicks are not counted: guests are asked for none, and nobody reads those that come.

Workers, with --loads, as in worker.cpu_1.busy=0.4:
  busy         the share of the last second that it was busy with packets; polling in vain is not
  busy_cycles  its cycles in all
  asleep       the share of the last second that it slept
  sleeps       how often it has slept
  woken_by_guest, woken_by_vf
               how often it has slept until a guest, or a VF, told of packets
  woken_in_vain
               of these: how often there were none
  late_finds   packets that it found when it had slept its time, and that nobody had told of: if
               there are more of them each minute, --idle-vf-interrupts=no, and please report it
  lanes        how many it serves
  host_cpu, numa_node, shares_cpu
               where it runs

Cycles are those of a clock of cycles_per_s that never stops: where workers share a CPU, the time in
which another one ran in the midst of one's work counts too.

Exit status:
  0; 1 when the daemon reports an error, which is printed, or when no answer came within 2 seconds
  after the delay; 2 when the command line is wrong.

See also:
  virtio-forwarder(8), virtioforwarder_port_control(8)
"""

DIRECTIONS = ("vf_to_vm", "vm_to_vf")
CONTRACT_END = 100  # fields from this number on are newer than the flat format


def arguments():
    parser = client.make_parser(__doc__, EPILOG)
    client.add_endpoint_option(parser, "--stats-ep", "stats")
    parser.add_argument(
        "--include-inactive",
        action="store_true",
        help="relays that lack a device or a guest as well",
    )
    parser.add_argument(
        "--delay",
        type=client.number,
        default=200,
        metavar="MS",
        help="measure the rates over so many ms from now on, at most 10000; with 0 the answer comes "
        "at once, and the rates are those of the last second; default: %(default)s",
    )
    parser.add_argument(
        "--output-format",
        choices=("flat", "protobuf"),
        default="flat",
        help="default: %(default)s",
    )
    parser.add_argument(
        "-z",
        "--suppress-zero",
        "--hide-zeros",
        dest="hide_zeros",
        action="store_true",
        help="leave out counters that are 0; rates stay",
    )
    parser.add_argument(
        "--loads",
        action="store_true",
        help="flat: what each lane (a direction of one queue) and each worker costs, too, after "
        "everything else; see below",
    )
    parser.add_argument(
        "--queues",
        action="store_true",
        help="flat: the guests' queues, too, likewise: whether they run, and if not, why; see below",
    )
    client.add_curve_options(parser)
    return parser.parse_args()


def present(message, name):
    """[(name, value)], or [] when the field is absent."""
    return [(name, getattr(message, name))] if message.HasField(name) else []


def counters_of(direction):
    """The names of a direction's counters and rates in the order of printing: what came and went,
    its rates, what was lost."""
    fields = [
        field
        for field in direction.DESCRIPTOR.fields
        if field.type in (field.TYPE_UINT64, field.TYPE_FLOAT) and field.number < CONTRACT_END
    ]
    fields.sort(
        key=lambda field: ("_dropped_" in field.name, field.type == field.TYPE_FLOAT, field.number)
    )
    return [field.name for field in fields]


def flat(relay, hide_zeros):
    """The (key, value) pairs of a relay, without relay_N in front."""
    yield from present(relay, "active")
    for part, names in (
        ("cpu", DIRECTIONS),
        ("vf", ("pci_addr_str",)),
        ("vhost", ("vhost_socket_name",)),
    ):
        for name in names:
            for _, value in present(getattr(relay, part), name):
                yield f"{part}.{name}", value
    for direction in DIRECTIONS:
        state = getattr(relay, direction)
        for name in ("active", "internal_state"):
            for _, value in present(state, name):
                yield f"{direction}.{name}", value
        cpu = "".join(f"cpu_{number}." for _, number in present(relay.cpu, direction))
        for name in counters_of(state):
            for _, value in present(state, name):
                if value or not hide_zeros or isinstance(value, float):
                    yield f"{direction}.{cpu}{name}", value
    yield from flat_bond(relay.vf, hide_zeros)
    for name in ("vlan", "vlan_refused"):
        ids = getattr(relay.vf, name)
        if ids:
            yield f"vf.{name}", ",".join(map(str, ids))


def flat_bond(vf, hide_zeros):
    """What there is of a bond's members, behind all other lines of the relay."""
    for name, value in present(vf, "bond_mode"):
        yield f"vf.{name}", value
    for number, member in enumerate(vf.member):
        for field, value in member.ListFields():
            if value or not (hide_zeros and field.type == field.TYPE_UINT64):
                yield f"vf.member_{number}.{field.name}", value


def flat_loads(relay, hide_zeros):
    """Likewise, of the relay's lanes."""
    for lane in relay.lane:
        prefix = f"lane.{lane.Direction.Name(lane.direction).lower()}.{lane.queue}"
        for name in ("cpu", "load", "pkts", "busy_cycles", "targets"):
            for _, value in present(lane, name):
                if value or not hide_zeros or name == "cpu":
                    yield f"{prefix}.{name}", f"{value:#x}" if name == "targets" else value


def flat_queues(relay, hide_zeros):
    """Likewise, of its guest's queues."""
    for queue in relay.guest_queues:
        prefix = f"guest_queue.{relay.Lane.Direction.Name(queue.direction).lower()}.{queue.queue}"
        for name in ("size", "packed", "enabled", "started", "stopped", "starts", "calls", "refused",
                     "shortages", "discarded"):
            for _, value in present(queue, name):
                if value == "" or (hide_zeros and value == 0 and not isinstance(value, bool)):
                    continue
                yield f"{prefix}.{name}", value


def hide_zeros_of(message):
    """Takes counters that are 0 out of a message, before it is printed. Rates are always there."""
    for field, value in message.ListFields():
        if field.type == field.TYPE_MESSAGE:
            for part in value if field.label == field.LABEL_REPEATED else [value]:
                hide_zeros_of(part)
        elif not value and (
            field.type == field.TYPE_UINT64
            or (field.type == field.TYPE_FLOAT and field.number >= CONTRACT_END)
        ):
            message.ClearField(field.name)


def print_loads(response, hide_zeros):
    for relay in response.relay:
        for key, value in flat_loads(relay, hide_zeros):
            print(f"relay_{relay.id}.{key}={value}")
    for worker in response.worker:
        for name in ("host_cpu", "numa_node", "shares_cpu", "busy", "busy_cycles", "asleep", "sleeps",
                     "woken_by_guest", "woken_by_vf", "woken_in_vain", "late_finds", "lanes"):
            for _, value in present(worker, name):
                if value or not hide_zeros:
                    print(f"worker.cpu_{worker.cpu}.{name}={value}")
    for _, value in present(response, "cycles_per_s"):
        print(f"cycles_per_s={value}")


def main():
    args = arguments()
    messages = client.load_messages()
    request = messages.StatsRequest(include_inactive=args.include_inactive, delay=args.delay)
    answer = client.exchange(
        args, args.stats_ep, request, client.TIMEOUT_S + min(args.delay, 10000) / 1000
    )
    response = client.parse(messages.StatsResponse, answer)
    if response.status != messages.StatsResponse.OK:
        client.show(response)
        return 1
    if args.output_format == "protobuf":
        if args.hide_zeros:
            hide_zeros_of(response)
        client.show(response)
        return 0
    for relay in response.relay:
        for key, value in flat(relay, args.hide_zeros):
            print(f"relay_{relay.id}.{key}={value}")
    if args.queues:
        for relay in response.relay:
            for key, value in flat_queues(relay, args.hide_zeros):
                print(f"relay_{relay.id}.{key}={value}")
    if args.loads:
        print_loads(response, args.hide_zeros)
    return 0


if __name__ == "__main__":
    client.run(main)
