"""Statistics as plain objects: what --json prints, and what everything else here reckons with. Pure
functions. schema.json says what the objects hold, and may grow, but not change."""

DIRECTIONS = ("vf_to_vm", "vm_to_vf")

# Of a direction: the sums that together are all packets lost, as the messages name them. Every other
# counter of drops is a cause, and part of one of the sums.
_SUMS = {
    "vf_to_vm": ("vm_queue_full", "vm_not_connected", "invalid", "by_vf"),
    "vm_to_vf": ("vf_queue_full", "vf_not_connected", "invalid", "by_vf"),
}
_ENDS = {"vf_to_vm": ("vf", "vm"), "vm_to_vf": ("vm", "vf")}
_COUNTED_BY_VF = "by_vf"  # a sum without parts: the VF's own counters are its causes
_VF_COUNTS = ("missed", "no_mbuf", "rx_errors", "tx_errors")
QUEUE_COUNTS = ("starts", "calls", "refused", "shortages", "discarded")
_MEMBER_COUNTS = ("pkts_rx", "bytes_rx", "pkts_tx", "bytes_tx", *_VF_COUNTS)


def _given(message, name):
    """A field's value, None where the daemon does not tell it."""
    return getattr(message, name) if message.HasField(name) else None


def causes_of(message, direction):
    """The names of a direction's causes of loss, from those of the message's fields."""
    names = [
        field.name.removeprefix("pkts_dropped_")
        for field in message.DESCRIPTOR.fields
        if field.name.startswith("pkts_dropped_")
    ]
    return [name for name in names if name not in _SUMS[direction] or name == _COUNTED_BY_VF]


def _lost(message, direction, unit):
    """By the sums, which daemons that tell no causes have too."""
    return sum(getattr(message, f"{unit}_dropped_{name}", 0) for name in _SUMS[direction])


def _direction(relay, direction):
    message = getattr(relay, direction)
    source, target = _ENDS[direction]
    drops = {
        cause: getattr(message, f"pkts_dropped_{cause}") for cause in causes_of(message, direction)
    }
    return {
        "active": message.active,
        "state": message.internal_state,
        "packets": getattr(message, f"pkts_tx_to_{target}"),
        "bytes": getattr(message, f"bytes_tx_to_{target}"),
        "received_packets": getattr(message, f"pkts_rx_from_{source}"),
        "received_bytes": getattr(message, f"bytes_rx_from_{source}"),
        # What a worker counts while it is read may be in a cause and not yet in its sum.
        "dropped": sum(drops.values()) or _lost(message, direction, "pkts"),
        "dropped_bytes": _lost(message, direction, "bytes"),
        "drops": drops,
        "packets_per_s": getattr(message, f"pkt_rate_tx_to_{target}"),
        "bytes_per_s": getattr(message, f"byte_rate_tx_to_{target}"),
        "received_packets_per_s": getattr(message, f"pkt_rate_rx_from_{source}"),
        "received_bytes_per_s": getattr(message, f"byte_rate_rx_from_{source}"),
        "cpus": list(message.lane_cpu),
    }


def _member(message):
    fields = {"device": message.pci_addr_str}
    for name in ("present", "active", "link_up", "link_speed_mbps", *_MEMBER_COUNTS):
        fields[name] = _given(message, name)
    return fields


def _vf(relay):
    if not relay.HasField("vf"):
        return None
    fields = {
        name: _given(relay.vf, name)
        for name in (
            "link_up", "link_speed_mbps", "mtu", "queues", "rss_queues", "wakes", "mac", "bond_mode", *_VF_COUNTS
        )
    }
    fields["vlans"] = list(relay.vf.vlan)
    fields["vlans_refused"] = list(relay.vf.vlan_refused)
    fields["members"] = [_member(member) for member in relay.vf.member]
    return fields


def _lane(lane):
    return {
        "direction": lane.Direction.Name(lane.direction).lower(),
        "queue": lane.queue,
        "cpu": _given(lane, "cpu"),
        "load": _given(lane, "load"),
        "packets": _given(lane, "pkts"),
        "targets": [bit for bit in range(32) if lane.targets >> bit & 1],
    }


def _queue(relay, queue):
    fields = {"direction": relay.Lane.Direction.Name(queue.direction).lower(), "queue": queue.queue}
    for name in ("size", "packed", "enabled", "started", *QUEUE_COUNTS):
        fields[name] = _given(queue, name)
    fields["stopped"] = queue.stopped or None
    return fields


def _kernel(relay):
    """The interface at the far end; None where that is a guest's."""
    if not relay.HasField("kernel"):
        return None
    return {"interface": relay.kernel.interface, "driver": _given(relay.kernel, "driver")}


def relay_object(relay):
    """A RelayState as list --json has it."""
    socket = relay.vhost.vhost_socket_name
    fields = {
        "id": relay.id,
        "device": relay.vf.pci_addr_str if relay.HasField("vf") else None,
        "socket": None if socket == "NONE" else socket,
        "active": relay.active,
        "numa_node": relay.socket_id,
        "vf": _vf(relay),
        "guest": {name: _given(relay.vhost, name) for name in ("queues", "mac", "trouble")},
        "kernel": _kernel(relay),
    }
    for direction in DIRECTIONS:
        fields[direction] = _direction(relay, direction)
    fields["lanes"] = [_lane(lane) for lane in relay.lane]
    # A daemon that tells of none may be older than this, or have its guests served by DPDK.
    fields["guest_queues"] = [_queue(relay, queue) for queue in relay.guest_queues]
    return fields


def worker_object(worker):
    fields = {"cpu": worker.cpu}
    for name in ("host_cpu", "numa_node", "shares_cpu", "busy", "asleep", "sleeps", "woken_by_guest", "woken_by_vf",
                 "woken_in_vain", "late_finds", "lanes"):
        fields[name] = _given(worker, name)
    return fields


def relays_of(response):
    """The objects of all relays of a StatsResponse."""
    return [relay_object(relay) for relay in response.relay]


def workers_of(response):
    return [worker_object(worker) for worker in response.worker]


def in_use(relay):
    """Whether there is something on either end, or there was."""
    return bool(
        relay["device"]
        or relay["guest"]["queues"]
        or any(relay[direction]["active"] or relay[direction]["received_packets"]
               for direction in DIRECTIONS)
    )


def _grown(before, after):
    return after - before if after >= before else after


def _queues_increase(before, after, direction):
    """{queue: {count: increase}} of the guest's queues of a direction."""
    old = {queue["queue"]: queue for queue in before["guest_queues"] if queue["direction"] == direction}
    return {
        queue["queue"]: {
            name: _grown(old.get(queue["queue"], queue)[name] or 0, queue[name] or 0)
            for name in QUEUE_COUNTS
        }
        for queue in after["guest_queues"]
        if queue["direction"] == direction
    }


def increase(before, after):
    """What has been counted between two readings of one relay: {direction: {"received_packets", "packets",
    "dropped", "drops": {cause: packets}, "queues": {queue: {count: increase}}}}. A daemon that was started
    anew in between counts from 0."""
    found = {}
    for direction in DIRECTIONS:
        old, new = before[direction], after[direction]
        found[direction] = {
            name: _grown(old[name], new[name]) for name in ("received_packets", "packets", "dropped")
        }
        found[direction]["drops"] = {
            cause: _grown(old["drops"].get(cause, 0), count) for cause, count in new["drops"].items()
        }
        found[direction]["queues"] = _queues_increase(before, after, direction)
    return found
