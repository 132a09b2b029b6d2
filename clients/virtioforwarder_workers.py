"""What the scripts around core_sched share: the workers, the pins, and which relays a worker serves."""

import argparse
import re
import sys

import virtioforwarder_client as client

# The directions, and what of each tells how much work it makes.
RATES = {"vf_to_vm": "pkt_rate_rx_from_vf", "vm_to_vf": "pkt_rate_rx_from_vm"}
UNPINNED = -1

_PIN = re.compile(r"([0-9]{1,9}):(-1|[0-9]{1,9})(?:,(-1|[0-9]{1,9}))?")


def add_endpoint_options(parser):
    client.add_endpoint_option(parser, "--stats-ep", "stats")
    client.add_endpoint_option(parser, "--sched-ep", "core_sched")


def pin(text):
    """(relay, VF-to-VM CPU, VM-to-VF CPU) of "R:C1[,C2]", for argparse; one CPU serves both."""
    match = _PIN.fullmatch(text)
    if not match:
        raise argparse.ArgumentTypeError(
            f"'{text}' is not RELAY:CPU[,CPU] such as 3:1,2; the first CPU serves VF to VM, the "
            "second VM to VF, and -1 releases a direction"
        )
    relay, first, second = match.groups()
    return int(relay), int(first), int(second if second is not None else first)


def seconds(text):
    """A time in seconds, for argparse; what is beyond 0.1 to 3600 is brought there."""
    if not re.fullmatch(r"-?[0-9]{1,9}(\.[0-9]{1,6})?", text):
        raise argparse.ArgumentTypeError(f"'{text}' is not a time in seconds, from 0.1 to 3600")
    return within("time", text, 0.1, 3600)


def within(what, text, least, most, instead=None):
    """The number in the text, or the nearest that counts, with a warning that names both; in the place of
    one that is 0, where that is out of range, or less: `instead`."""
    value = float(text)
    used = min(max(value, least), most)
    if instead is not None and used != value and value <= 0:
        used = instead
    if used != value:
        print(f"{what} {text} is out of range: {used:g} is used", file=sys.stderr)
    return used


class Daemon:
    """The two endpoints that a scheduler outside needs."""

    def __init__(self, args):
        self.args = args
        self.messages = client.load_messages()

    def _sched(self, request):
        """The answer, whatever it says."""
        answer = client.exchange(self.args, self.args.sched_ep, request)
        return client.parse(self.messages.CoreSchedResponse, answer)

    def _sched_op(self, name):
        """The answer to a request that consists of its operation; an error when it is refused."""
        op = self.messages.CoreSchedRequest.Op.Value(name)
        response = self._sched(self.messages.CoreSchedRequest(op=op))
        if response.status != self.messages.CoreSchedResponse.OK:
            raise client.ClientError(f"{self.args.sched_ep} refuses: {response.error_text}")
        return response

    def update(self, pins):
        """Pins: (relay, VF-to-VM CPU, VM-to-VF CPU). The answer."""
        request = self.messages.CoreSchedRequest(op=self.messages.CoreSchedRequest.UPDATE)
        for relay, vf_to_vm, vm_to_vf in pins:
            request.relay_cpu_map.add(
                relay_number=relay, vf2virtio_cpu=vf_to_vm, virtio2vf_cpu=vm_to_vf
            )
        return self._sched(request)

    def workers(self):
        """The answer to GET_EAL_CORES: eal_cores, eal_core_nodes, pinned."""
        return self._sched_op("GET_EAL_CORES")

    def explain(self):
        """The balancer's dry run, as lines of text."""
        return self._sched_op("EXPLAIN").explanation

    def stats(self, delay_ms=0):
        """The answer of the stats endpoint on all relays, with rates over that many ms."""
        request = self.messages.StatsRequest(include_inactive=True, delay=delay_ms)
        answer = client.exchange(
            self.args, self.args.stats_ep, request, client.TIMEOUT_S + delay_ms / 1000
        )
        response = client.parse(self.messages.StatsResponse, answer)
        if response.status != self.messages.StatsResponse.OK:
            raise client.ClientError(f"{self.args.stats_ep} refuses: {response.error_text}")
        return response


def busy_cycles(response):
    """{(relay, direction, queue): cycles} that each lane has spent on packets since the daemon's
    start; empty where the daemon does not tell."""
    found = {}
    for relay in response.relay:
        for lane in relay.lane:
            direction = lane.Direction.Name(lane.direction).lower()
            found[relay.id, direction, lane.queue] = lane.busy_cycles
    return found


def cpus_of(relay, direction):
    """The CPUs that serve the lanes of a direction; none while it is not active."""
    state = getattr(relay, direction)
    if not state.active:
        return []
    cpus = {cpu for cpu in state.lane_cpu if cpu >= 0}
    if not cpus and relay.cpu.HasField(direction):
        cpus = {getattr(relay.cpu, direction)}
    return sorted(cpus)
