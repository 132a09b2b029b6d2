"""A client of virtio-forwarder that shares no code with it: protobuf's wire format by hand, field
numbers from the wire contract, ZeroMQ. What the daemon and protoc might get wrong together, this
does not.
"""

import struct
import time

import zmq
from patience import MARGIN, Within

# --- protobuf's wire format ------------------------------------------------------------------

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5


def varint(value):
    value &= (1 << 64) - 1
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def field(number, value):
    """One field: a bool or int as a varint; bytes, str or an encoded message with its length."""
    if isinstance(value, int):
        return varint(number << 3 | VARINT) + varint(value)
    if isinstance(value, str):
        value = value.encode()
    return varint(number << 3 | BYTES) + varint(len(value)) + value


def packed(number, values):
    return field(number, b"".join(varint(value) for value in values))


def _varint_at(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at += 1
        shift += 7
        if not byte & 0x80:
            return value, at


def decode(data):
    """{field number: [values in order]}; varints as unsigned numbers, the rest as bytes."""
    fields, at = {}, 0
    while at < len(data):
        key, at = _varint_at(data, at)
        kind = key & 7
        if kind == VARINT:
            value, at = _varint_at(data, at)
        else:
            if kind == BYTES:
                size, at = _varint_at(data, at)
            else:
                size = {FIXED64: 8, FIXED32: 4}[kind]
            value, at = data[at : at + size], at + size
            assert len(value) == size, "message cut off"
        fields.setdefault(key >> 3, []).append(value)
    return fields


def signed(value):
    return value - (1 << 64) if value >> 63 else value


def unpack_varints(data):
    values, at = [], 0
    while at < len(data):
        value, at = _varint_at(data, at)
        values.append(signed(value))
    return values


class Record:
    """A decoded message: each field of its table as an attribute, None where it is absent."""

    def __init__(self, data, table):
        fields = decode(data)
        self.numbers = set(fields)
        for number, (name, convert) in table.items():
            values = [convert(value) for value in fields.get(number, [])]
            if name.endswith("[]"):
                setattr(self, name[:-2], values)
            else:
                setattr(self, name, values[-1] if values else None)

    def __repr__(self):
        return f"Record({self.__dict__})"


def message(table):
    return lambda data: Record(data, table)


def text(data):
    return data.decode()


def real(data):
    return struct.unpack("<f", data)[0]


def double(data):
    return struct.unpack("<d", data)[0]


def double_field(number, value):
    return varint(number << 3 | FIXED64) + struct.pack("<d", value)


# --- the services ----------------------------------------------------------------------------

ADD, REMOVE, ADD_SOCK, REMOVE_SOCK, QUERY_PCI = range(5)
ERROR, OK = 0, 1  # PortControlResponse
STATS_OK, EBADR, E2BIG, ENOMEM = 0, 400, 413, 500

PORT_CONTROL_RESPONSE = {
    4: ("status", int),
    5: ("error_code", signed),
    6: ("error_code_source", text),
    7: ("query_string", text),
    100: ("error_text", text),
}


# What each direction's losses were for, from field 130 on: packets and bytes of each.
VF_TO_VM_CAUSES = "no_buffers too_long ring_broken no_front_end no_driver left"
VM_TO_VF_CAUSES = "stalled too_long runt none not_ready left"


def _causes(names):
    """Not called dropped: it is all in the sums that are."""
    units = [f"{name}_{unit}" for name in names.split() for unit in ("pkts", "bytes")]
    return {130 + i: (name, int) for i, name in enumerate(units)}


def _direction(source, target, queue):
    return {
        1: ("active", bool),
        2: ("internal_state", text),
        3: (f"pkts_rx_from_{source}", int),
        4: (f"bytes_rx_from_{source}", int),
        5: (f"pkts_tx_to_{target}", int),
        6: (f"bytes_tx_to_{target}", int),
        7: (f"pkts_dropped_{queue}_queue_full", int),
        8: (f"bytes_dropped_{queue}_queue_full", int),
        9: (f"pkts_dropped_{queue}_not_connected", int),
        10: (f"bytes_dropped_{queue}_not_connected", int),
        11: (f"pkt_rate_rx_from_{source}", real),
        12: (f"byte_rate_rx_from_{source}", real),
        13: (f"pkt_rate_tx_to_{target}", real),
        14: (f"byte_rate_tx_to_{target}", real),
        100: ("pkts_dropped_invalid", int),
        160: ("pkts_dropped_invalid_header", int),
        161: ("bytes_dropped_invalid_header", int),
        162: ("pkts_checksummed_by_vf", int),
        163: ("pkts_checksummed_by_software", int),
        164: ("pkts_segmented_by_vf", int),
        165: ("pkts_segmented_by_software", int),
        180: ("pkts_coalesced", int),
        101: ("bytes_dropped_invalid", int),
        102: ("lane_cpu", unpack_varints),
        103: ("pkts_dropped_by_vf", int),
        **_causes(VF_TO_VM_CAUSES if target == "vm" else VM_TO_VF_CAUSES),
    }


LANE_VF_TO_VM, LANE_VM_TO_VF = range(2)

LANE = {
    1: ("direction", int),
    2: ("queue", int),
    3: ("cpu", signed),
    4: ("load", real),
    5: ("pkts", int),
    6: ("busy_cycles", int),
    7: ("targets", int),
}

GUEST_QUEUE = {
    1: ("direction", int),
    2: ("queue", int),
    3: ("size", int),
    4: ("packed", bool),
    5: ("enabled", bool),
    6: ("started", bool),
    7: ("stopped", text),
    9: ("calls", int),
    10: ("refused", int),
    11: ("shortages", int),
    12: ("discarded", int),
    13: ("starts", int),
}

MEMBER = {
    1: ("pci_addr_str", text),
    2: ("present", bool),
    3: ("active", bool),
    4: ("link_up", bool),
    5: ("link_speed_mbps", int),
    6: ("pkts_rx", int),
    7: ("bytes_rx", int),
    8: ("pkts_tx", int),
    9: ("bytes_tx", int),
    10: ("missed", int),
}

RELAY_STATE = {
    1: ("id", int),
    2: ("active", bool),
    3: ("ident", text),
    4: ("cpu", message({1: ("vf_to_vm", signed), 2: ("vm_to_vf", signed)})),
    5: ("vhost", message({1: ("vhost_socket_name", text), 100: ("queues", int),
                          101: ("mac", text), 102: ("trouble", text)})),
    6: (
        "vf",
        message(
            {
                1: ("pci_addr_str", text),
                100: ("link_up", bool),
                101: ("link_speed_mbps", int),
                102: ("mtu", int),
                103: ("queues", int),
                104: ("mac", text),
                105: ("missed", int),
                106: ("no_mbuf", int),
                107: ("rx_errors", int),
                108: ("tx_errors", int),
                110: ("bond_mode", int),
                111: ("member[]", message(MEMBER)),
                109: ("wakes", bool),
                120: ("rss_queues", int),
                121: ("vlan", unpack_varints),
                122: ("vlan_refused", unpack_varints),
            }
        ),
    ),
    7: ("vf_to_vm", message(_direction("vf", "vm", "vm"))),
    8: ("vm_to_vf", message(_direction("vm", "vf", "vf"))),
    9: ("socket_id", int),
    100: ("lane[]", message(LANE)),
    170: ("guest_queues[]", message(GUEST_QUEUE)),
    200: ("kernel", message({1: ("interface", text), 2: ("driver", text)})),
}

WORKER = {
    1: ("cpu", int),
    2: ("host_cpu", int),
    3: ("numa_node", signed),
    4: ("shares_cpu", bool),
    5: ("busy", real),
    6: ("busy_cycles", int),
    7: ("lanes", int),
    8: ("asleep", real),
    9: ("sleeps", int),
    10: ("woken_by_guest", int),
    11: ("woken_by_vf", int),
    12: ("woken_in_vain", int),
    13: ("late_finds", int),
}

STATS_RESPONSE = {
    1: ("status", int),
    2: ("relay[]", message(RELAY_STATE)),
    100: ("error_text", text),
    101: ("worker[]", message(WORKER)),
    102: ("cycles_per_s", int),
}


_RELAY_CPU = {
    1: ("relay_number", int),
    2: ("vf2virtio_cpu", signed),
    3: ("virtio2vf_cpu", signed),
}

CONFIG_OK = 0

_SETTINGS = {
    1: ("log_level", int),
    2: ("balancer", int),
    3: ("balancer_sensitivity", double),
    4: ("balancer_interval_s", double),
    5: ("balancer_log_level", int),
    6: ("balancer_global_numa", int),
}

CONFIG_RESPONSE = {
    1: ("status", int),
    2: ("version", text),
    3: ("dpdk_version", text),
    4: ("features[]", text),
    5: ("relay_cpu_map[]", message(_RELAY_CPU)),
    100: ("error_text", text),
    101: ("settings", message(_SETTINGS)),
}

UPDATE, GET_EAL_CORES = range(2)
EXPLAIN = 100

CORE_SCHED_RESPONSE = {
    4: ("status", int),
    5: ("error_code", signed),
    6: ("error_code_source", text),
    7: ("eal_cores[]", int),  # unpacked: packed ones would be bytes
    100: ("error_text", text),
    101: ("eal_core_nodes", unpack_varints),
    102: ("pinned[]", message(_RELAY_CPU)),
    103: ("explanation[]", text),
}


def port_control_request(
    op=None,
    devices=(),
    virtio_id=None,
    conditional=None,
    pci=(),
    name=None,
    mode=None,
    vhost_path=None,
    far=None,
):
    """pci: (domain, bus, slot, function) tuples; None leaves a field out."""
    body = b"" if op is None else field(1, op)
    for address in pci:
        body += field(2, b"".join(field(i + 1, n) for i, n in enumerate(address)))
    for number, value in (
        (3, virtio_id),
        (4, conditional),
        (5, name),
        (6, mode),
        (7, vhost_path),
    ):
        if value is not None:
            body += field(number, value)
    body += b"".join(field(100, device) for device in devices)
    return body if far is None else body + field(101, far)


def stats_request(relays=None, include_inactive=None, delay=None):
    body = b"" if relays is None else packed(1, relays)
    for number, value in ((2, include_inactive), (3, delay)):
        if value is not None:
            body += field(number, value)
    return body


def core_sched_request(op=None, pins=()):
    """pins: (relay, VF-to-VM CPU, VM-to-VF CPU) tuples, which may be shorter than they should."""
    body = b"" if op is None else field(1, op)
    for pin in pins:
        body += field(2, b"".join(field(i + 1, n) for i, n in enumerate(pin)))
    return body


NOTHING_THERE = (1, 4)  # error codes of removals
REMOVAL_LATE = " the removal takes longer than "


class NoAnswer(Exception):
    pass


class Client:
    """One connection. kind REQ is what existing callers use; DEALER may send anything."""

    def __init__(self, endpoint, kind=zmq.REQ):
        self.context = zmq.Context()
        self.socket = self.context.socket(kind)
        self.socket.linger = 0
        self.prepare(endpoint)
        self.socket.connect(endpoint)

    def prepare(self, endpoint):
        """For clients that need more than that before they connect."""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()
        self.context.term()

    def send(self, *frames):
        self.socket.send_multipart(frames)

    def receive(self, timeout=2.0, margin=MARGIN):
        """The body of the next answer, whichever kind of socket this is."""
        limit = Within(timeout, margin)
        while not self.socket.poll(int(limit.left() * 1000)):
            if limit.over():
                raise NoAnswer(f"no answer within {limit}")
        frames = self.socket.recv_multipart()
        if self.socket.type == zmq.DEALER:
            assert frames[0] == b"", frames
            frames = frames[1:]
        assert len(frames) == 1, frames
        return frames[0]

    def exchange(self, body, timeout=2.0, margin=MARGIN):
        self.send(*([b"", body] if self.socket.type == zmq.DEALER else [body]))
        return self.receive(timeout, margin)


def control(client, body, timeout=2.0):
    """One PortControlRequest; the answer as a Record. The daemon answers within 1.5 s, come what may,
    and what it could not do until then is to be tried again: on a busy machine it is, until it has given
    back what it had. A removal that finds nothing then is what was wanted."""
    watch = Within(timeout)
    answer = Record(client.exchange(body, timeout), PORT_CONTROL_RESPONSE)
    if not too_late(answer.error_text or "") or not watch.busy():
        return answer
    removing, limit = REMOVAL_LATE in answer.error_text, Within(15)
    while answer.status != OK and not limit.over():
        time.sleep(0.5)
        answer = Record(client.exchange(body, timeout), PORT_CONTROL_RESPONSE)
        if removing and answer.error_code in NOTHING_THERE:
            answer.status, answer.error_code, answer.error_code_source = OK, None, None
    return answer


def too_late(said):
    """Whether an error text is about the time that the daemon may take for an answer."""
    return " is not ready after " in said or REMOVAL_LATE in said


def port_control(endpoint, *args, **fields):
    """control() over a connection of its own."""
    with Client(endpoint) as client:
        return control(client, port_control_request(*args, **fields))


def stats(endpoint, relays=None, include_inactive=None, delay=None):
    with Client(endpoint) as client:
        body = stats_request(relays, include_inactive, delay)
        return Record(client.exchange(body, 2.0 + min(delay or 0, 10000) / 1000), STATS_RESPONSE)


def relay(endpoint, relay_id):
    """The state of one relay."""
    answer = stats(endpoint, [relay_id])
    assert answer.status == STATS_OK and len(answer.relay) == 1
    return answer.relay[0]


def config(endpoint, request=b""):
    with Client(endpoint) as client:
        return Record(client.exchange(request), CONFIG_RESPONSE)


def core_sched(endpoint, op=None, pins=()):
    with Client(endpoint) as client:
        return Record(client.exchange(core_sched_request(op, pins)), CORE_SCHED_RESPONSE)
