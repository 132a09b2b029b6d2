"""A guest by hand that does what it may: small rings, few buffers, long ones, memory in pieces. Any kind of
guest end has to serve it. What it sends is told apart by a number; what it gets it can look at, header
and all."""

import ctypes
import struct
from typing import NamedTuple

from daemon import wait_for
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
    WRITABLE,
    Peer,
)

GET_PROTOCOL_FEATURES, SET_PROTOCOL_FEATURES = 15, 16
SEND_RARP, GET_MAX_MEM_SLOTS, ADD_MEM_REG = 19, 36, 37
RARP, REPLY_ACK, MEM_SLOTS = 1 << 2, 1 << 3, 1 << 15  # protocol features
RING_PACKED = 1 << 34

HEADER = 12  # bytes, with VERSION_1
JUNK = 0xA5  # what memory holds before anybody writes into it
ETHERNET = bytes.fromhex("02000000000102000000000288b5")
PAGE = 4096
AHEAD = 256  # frames that may be on their way: a lane holds back so many, whatever buffers there are


def frame(number, length):
    """An Ethernet frame of `length` bytes, 18 at least, that is told by its number."""
    pattern = bytes((number + i) & 0xFF for i in range(251)) * (length // 251 + 1)
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


class SplitRing:
    """The driver's side of a split ring; each buffer is a descriptor, whose number it keeps."""

    def __init__(self, memory, at, entries):
        self.memory, self.at, self.entries = memory, at, entries
        self.available = at + 16 * entries
        self.used = (self.available + 6 + 2 * entries + 3) & ~3
        self.size = self.used + 6 + 8 * entries - at
        self.posted = self.seen = 0

    def addresses(self):
        """Descriptors, used, available, as SET_VRING_ADDR orders them."""
        return self.at, self.used, self.available

    def post(self, buffer, address, length, writable):
        struct.pack_into("<QIHH", self.memory, self.at + 16 * buffer, address, length,
                         WRITABLE if writable else 0, 0)
        struct.pack_into("<H", self.memory, self.available + 4 + 2 * (self.posted % self.entries), buffer)
        self.posted += 1
        ctypes.c_uint16.from_buffer(self.memory, self.available + 2).value = self.posted & 0xFFFF

    def reap(self):
        """(buffer, bytes written) of each that has come back."""
        done = ctypes.c_uint16.from_buffer(self.memory, self.used + 2).value
        while self.seen & 0xFFFF != done:
            at = self.used + 4 + 8 * (self.seen % self.entries)
            self.seen += 1
            yield struct.unpack_from("<II", self.memory, at)


class PackedRing:
    """The same of a packed one."""

    AVAILABLE, USED = 1 << 7, 1 << 15

    def __init__(self, memory, at, entries):
        self.memory, self.at, self.entries = memory, at, entries
        self.size = 16 * entries + 8
        self.posted = self.seen = 0

    def addresses(self):
        return self.at, self.at + 16 * self.entries + 4, self.at + 16 * self.entries

    def _place(self, count):
        """Where a descriptor is, and whether this is an odd turn of the ring."""
        return self.at + 16 * (count % self.entries), count // self.entries % 2 == 0

    def post(self, buffer, address, length, writable):
        at, wrap = self._place(self.posted)
        struct.pack_into("<QIH", self.memory, at, address, length, buffer)
        flags = (self.AVAILABLE if wrap else self.USED) | (WRITABLE if writable else 0)
        ctypes.c_uint16.from_buffer(self.memory, at + 14).value = flags
        self.posted += 1

    def reap(self):
        while self.seen < self.posted:
            at, wrap = self._place(self.seen)
            flags = ctypes.c_uint16.from_buffer(self.memory, at + 14).value
            if bool(flags & self.AVAILABLE) != wrap or bool(flags & self.USED) != wrap:
                return
            length, buffer = struct.unpack_from("<IH", self.memory, at + 8)
            self.seen += 1
            yield buffer, length


class LegalGuest(Peer):
    """One pair of queues of `entries`, `buffers` of them posted for what comes (each of buffer_len bytes,
    header included) and `to_send` for what is sent; 256 at most. Its memory is in `regions` pieces of one size, one
    behind the other, whose last has the rings and the buffers."""

    def __init__(self, path, entries=256, buffers=None, to_send=None, buffer_len=HEADER + 1514,
                 packed=False, mergeable=False, regions=1, protocol=0, start=True):
        features = (RING_PACKED if packed else 0) | (MRG_RXBUF if mergeable else 0)
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
        self.rings = []
        for _ in (TO_GUEST, FROM_GUEST):
            self.rings.append((PackedRing if packed else SplitRing)(self.memory, at, entries))
            at = (at + self.rings[-1].size + PAGE) & -PAGE
        self.data = at
        self.free = list(range(self.to_send))  # of those to send with
        if protocol:
            self.agree(protocol)
        if start:
            self.start()

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

    def start_rings(self):
        self.share_memory()
        for queue, ring in enumerate(self.rings):
            self.send(SET_VRING_NUM, struct.pack("<II", queue, self.entries))
            base = 0x8000 if isinstance(ring, PackedRing) else 0
            self.send(SET_VRING_BASE, struct.pack("<II", queue, base))
            areas = [USER_ADDRESS + address for address in ring.addresses()]
            self.send(SET_VRING_ADDR, struct.pack("<IIQQQQ", queue, 0, *areas, 0))
            self.send(SET_VRING_CALL, struct.pack("<Q", queue), [self.events[2 * queue]])
            self.send(SET_VRING_KICK, struct.pack("<Q", queue), [self.events[2 * queue + 1]])
            self.send(SET_VRING_ENABLE, struct.pack("<II", queue, 1))

    # --- frames ------------------------------------------------------------------------------

    def _place(self, queue, buffer):
        return self.data + (queue * self.buffers + buffer) * self.slot

    def _post_to_fill(self, buffer):
        at = self._place(TO_GUEST, buffer)
        self.memory[at : at + self.buffer_len] = bytes([JUNK]) * self.buffer_len
        self.rings[TO_GUEST].post(buffer, at, self.buffer_len, True)

    def put(self, data):
        """Sends a frame if a buffer is free; whether there was one."""
        ring = self.rings[FROM_GUEST]
        self.free += [buffer for buffer, _ in ring.reap()]
        if not self.free:
            return False
        buffer = self.free.pop(0)
        at = self._place(FROM_GUEST, buffer)
        self.memory[at : at + HEADER + len(data)] = bytes(HEADER) + data
        ring.post(buffer, at, HEADER + len(data), False)
        return True

    def take(self):
        """The frames that have come, of one buffer each, whose buffers are posted again."""
        for buffer, length in list(self.rings[TO_GUEST].reap()):
            at = self._place(TO_GUEST, buffer)
            got = bytes(self.memory[at : at + length])
            self._post_to_fill(buffer)
            yield Frame(got[:HEADER], got[HEADER:])

    def exchange(self, frames, seconds=10, expected=None):
        """Sends frames as fast as that goes without losses, and returns what comes: so many as are expected, all if that
        is not said, or those that have come when nothing more does for that long."""
        frames, got, sent = list(frames), [], 0
        expected = len(frames) if expected is None else expected
        while len(got) < expected:
            before = len(got), sent

            def moved():
                nonlocal sent
                while sent < len(frames) and sent - len(got) < AHEAD and self.put(frames[sent]):
                    sent += 1
                got.extend(self.take())
                return (len(got), sent) != before  # noqa: B023

            try:
                wait_for(moved, seconds, "a frame", interval=0.001)
            except AssertionError:
                break
        return got

    def __exit__(self, *args):
        self.rings = None
        super().__exit__(*args)
