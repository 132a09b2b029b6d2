"""A guest by hand that does what it may: small rings, few buffers, long ones, memory in pieces. Any kind of
guest end has to serve it. What it sends is told apart by a number; what it gets it can look at, header
and all."""

import struct
from typing import NamedTuple

from daemon import wait_for
from rings import GuestMemory, PackedRing, SplitRing
from vhost_peer import (
    FROM_GUEST,
    MRG_RXBUF,
    NEED_REPLY,
    NET_SET_MTU,
    SET_MEM_TABLE,
    SET_VRING_ADDR,
    SET_VRING_BASE,
    SET_VRING_CALL,
    SET_VRING_ENABLE,
    SET_VRING_KICK,
    SET_VRING_NUM,
    TO_GUEST,
    USER_ADDRESS,
    Peer,
)

GET_PROTOCOL_FEATURES, SET_PROTOCOL_FEATURES = 15, 16
SEND_RARP, GET_MAX_MEM_SLOTS, ADD_MEM_REG = 19, 36, 37
RARP, REPLY_ACK, MEM_SLOTS = 1 << 2, 1 << 3, 1 << 15  # protocol features
RING_PACKED, IN_ORDER, EVENT_IDX, INDIRECT_DESC = 1 << 34, 1 << 35, 1 << 29, 1 << 28

HEADER = 12  # bytes, with VERSION_1
JUNK = 0xA5  # what memory holds before anybody writes into it
ETHERNET = bytes.fromhex("02000000000102000000000288b5")
ALL_BYTES = bytes(range(256)) * 2
PAGE = 4096
AHEAD = 256  # frames that may be on their way: a lane holds back so many, whatever buffers there are


def frame(number, length):
    """An Ethernet frame of `length` bytes, 18 at least, that is told by its number."""
    pattern = ALL_BYTES[number & 0xFF :][:251] * (length // 251 + 1)
    return (ETHERNET + struct.pack("<I", number) + pattern)[:length]


def number_of(received):
    return struct.unpack_from("<I", received, len(ETHERNET))[0]


class Frame(NamedTuple):
    """What came: its virtio header, and its bytes."""

    header: bytes
    data: bytes

    @property
    def num_buffers(self):
        return struct.unpack_from("<H", self.header, 10)[0]


class LegalGuest(Peer):
    """One pair of queues of `entries`, `buffers` of them posted for what comes (each of buffer_len bytes,
    header included) and `to_send` for what is sent; 256 at most. Its memory is in `regions` pieces of one size, one
    behind the other, whose last has the rings and the buffers."""

    def __init__(self, path, entries=256, buffers=None, to_send=None, buffer_len=HEADER + 1514,
                 packed=False, mergeable=False, regions=1, protocol=0, start=True, features=0):
        features |= (RING_PACKED if packed else 0) | (MRG_RXBUF if mergeable else 0)
        self.buffers, self.to_send = buffers or min(entries, 256), to_send or min(entries, 256)
        self.buffer_len = buffer_len
        self.slot = -(-max(buffer_len, HEADER + 9014) // 64) * 64  # of memory for a buffer
        needed = 2 * (32 * entries + 3 * PAGE) + (self.buffers + self.to_send) * self.slot
        self.region_size = -(-needed // (1 << 20)) << 20
        self.n_regions = regions
        self.protocol = 0
        super().__init__(path, megabytes=self.region_size * regions >> 20, features=features,
                         entries=entries)
        at = self.region_size * (regions - 1)
        self.rings, self.plain = [], self.new_memory()
        for _ in (TO_GUEST, FROM_GUEST):
            self.rings.append((PackedRing if packed else SplitRing)(
                self.plain, at, entries, in_order=bool(features & IN_ORDER), event_idx=bool(features & EVENT_IDX)))
            at = (at + self.rings[-1].size + PAGE) & -PAGE
        self.data = at
        self.free = list(range(self.to_send))  # of those to send with
        if protocol:
            self.agree(protocol)
        if start:
            self.start()

    def new_memory(self):
        """How the driver writes into it."""
        return GuestMemory(self.memory)

    # --- the protocol ------------------------------------------------------------------------

    def ask(self, request, payload=b""):
        """A request with an answer of its own, or that is to be acknowledged."""
        self.send(request, payload)
        return self.receive()

    def offered_protocol(self):
        return struct.unpack("<Q", self.ask(GET_PROTOCOL_FEATURES))[0]

    def agree(self, protocol):
        self.protocol = protocol & self.offered_protocol()
        self.send(SET_PROTOCOL_FEATURES, struct.pack("<Q", self.protocol))

    def acknowledged(self, request, payload, fds=()):
        """Whether it was taken: 0 on the wire, and not the end of the connection. Needs REPLY_ACK."""
        self.send(request, payload, fds, NEED_REPLY)
        return self.receive() == bytes(8)

    def has_mtu(self, mtu):
        return self.acknowledged(NET_SET_MTU, struct.pack("<Q", mtu))

    def region(self, index):
        offset = index * self.region_size
        return struct.pack("<QQQQ", offset, self.region_size, USER_ADDRESS + offset, offset)

    def share_memory(self):
        """In one message, or with memory slots in one for each region."""
        indices = range(self.n_regions)
        if not self.protocol & MEM_SLOTS:
            table = b"".join(self.region(i) for i in indices)
            self.send(SET_MEM_TABLE, struct.pack("<II", self.n_regions, 0) + table,
                      [self.memory_fd] * self.n_regions)
            return
        for i in indices:
            assert self.acknowledged(ADD_MEM_REG, bytes(8) + self.region(i), [self.memory_fd])

    def come_back(self, path):
        """After the other side has gone: with the same memory and rings, and what it knew of them."""
        self.socket.close()
        self.connect(path)
        self.start_rings()

    def start(self):
        self.start_rings()
        for buffer in range(self.buffers):
            self._post_to_fill(buffer)
        return self

    def start_rings(self, bases=None):
        """At these places, for the far end; as new if there are none."""
        self.share_memory()
        for queue, ring in enumerate(self.rings):
            self.send(SET_VRING_NUM, struct.pack("<II", queue, self.entries))
            base = bases[queue] if bases else 0x8000 if isinstance(ring, PackedRing) else 0
            self.send(SET_VRING_BASE, struct.pack("<II", queue, base))
            self.tell_addresses(queue)
            self.send(SET_VRING_CALL, struct.pack("<Q", queue), [self.events[2 * queue]])
            self.send(SET_VRING_KICK, struct.pack("<Q", queue), [self.events[2 * queue + 1]])
            self.send(SET_VRING_ENABLE, struct.pack("<II", queue, 1))

    def tell_addresses(self, queue, logged=False):
        areas = self.rings[queue].addresses()
        self.send(SET_VRING_ADDR, struct.pack("<IIQQQQ", queue, 1 if logged else 0,
                                              *(USER_ADDRESS + address for address in areas), areas[1]))

    # --- frames ------------------------------------------------------------------------------

    def _place(self, queue, buffer):
        return self.data + (queue * self.buffers + buffer) * self.slot

    def _post_to_fill(self, buffer):
        at = self._place(TO_GUEST, buffer)
        self.plain.write(at, bytes([JUNK]) * self.buffer_len)
        self.rings[TO_GUEST].post(buffer, at, self.buffer_len, True)

    def put(self, data):
        """Sends a frame if a buffer is free; whether there was one."""
        ring = self.rings[FROM_GUEST]
        self.free += [buffer for buffer, _ in ring.reap()]
        if not self.free:
            return False
        buffer = self.free.pop(0)
        at = self._place(FROM_GUEST, buffer)
        self.plain.write(at, bytes(HEADER) + data)
        ring.post(buffer, at, HEADER + len(data), False)
        return True

    def take(self):
        """The frames that have come, of one buffer each, whose buffers are posted again."""
        for buffer, length in list(self.rings[TO_GUEST].reap()):
            at = self._place(TO_GUEST, buffer)
            got = bytes(self.memory[at : at + length])
            self._post_to_fill(buffer)
            yield Frame(got[:HEADER], got[HEADER:])

    def exchange(self, frames, seconds=10, expected=None, ahead=AHEAD):
        """Sends frames as fast as that goes without losses, with so many on their way at most, and returns what
        comes: so many as are expected, all if that is not said, or those that have come when nothing more does
        for that long."""
        frames, got, sent = list(frames), [], 0
        expected = len(frames) if expected is None else expected
        while len(got) < expected:
            before = len(got), sent

            def moved():
                nonlocal sent
                while sent < len(frames) and sent - len(got) < ahead and self.put(frames[sent]):
                    sent += 1
                got.extend(self.take())
                return (len(got), sent) != before  # noqa: B023

            try:
                wait_for(moved, seconds, "a frame", interval=0.001)
            except AssertionError:
                break
        return got

    def __exit__(self, *args):
        self.rings = self.plain = None
        super().__exit__(*args)
