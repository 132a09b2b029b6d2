"""The driver's side of rings, split and packed, in a guest's memory: what is given away to be filled or
read, what has come back, and when the driver wants to be called. Buffers of one descriptor each, whose
number the caller chooses (post), or any chains (offer); a ring has one sort of them."""

import contextlib
import ctypes
import struct
import threading
from collections import deque

NEXT, WRITABLE, INDIRECT = 1, 2, 4  # flags of descriptors
NO_INTERRUPT = 1  # what a split ring's driver says
NO_NOTIFY = 1  # what its other side says
ENABLE, DISABLE, DESCRIPTOR = 0, 1, 2  # what a packed ring's does


class GuestMemory:
    """As its driver writes it; addresses are the guest's."""

    def __init__(self, mapping):
        self.mapping = mapping

    def write(self, at, data):
        self.mapping[at : at + len(data)] = data

    def store(self, at, word):
        """16 bits, at once."""
        ctypes.c_uint16.from_buffer(self.mapping, at).value = word

    def load(self, at):
        return ctypes.c_uint16.from_buffer(self.mapping, at).value

    def read(self, at, length):
        return bytes(self.mapping[at : at + length])


class Fence:
    """What was stored before is seen before anything is loaded after it: a lock is taken for that, by a
    locked instruction. (What loads and stores there are beside this one keep their order on x86.)"""

    def __init__(self):
        self.lock = threading.Lock()

    def __call__(self):
        with self.lock:
            pass


fence = Fence()


class Ring:
    """What both kinds share. `seen` and `posted` count entries of split rings, descriptors of packed ones."""

    def __init__(self, memory, at, entries, in_order=False, event_idx=False):
        self.memory, self.at, self.entries = memory, at, entries
        self.in_order, self.event_idx = in_order, event_idx
        self.posted = self.seen = 0
        self.free = deque(range(entries))  # descriptors of a split ring, ids of a packed one
        self.offered = {}  # what was: of a chain's id its descriptors, oldest first
        self.held_from = None  # what is available is shown up to there, all if None

    @contextlib.contextmanager
    def at_once(self):
        """What is made available meanwhile is shown at the end."""
        self.held_from = self.posted
        yield
        if self.posted != self.held_from:
            self._show()
        self.held_from = None

    def _table(self, table, pieces, flags):
        """An indirect one, in memory of the caller's; its length."""
        for i, (address, length) in enumerate(pieces):
            last = i == len(pieces) - 1
            self.memory.write(table + 16 * i, struct.pack("<QIHH", address, length, *self._flags_and_next(
                flags if last else flags | NEXT, i + 1)))
        return 16 * len(pieces)

    def reap(self):
        """(buffer, bytes written) of each that has come back."""
        for buffer, length in self._used():
            yield from self._of_one_used(buffer, length)

    def _of_one_used(self, buffer, length):
        """In order, one that is used says so of all before it, of which no length is known then."""
        while self.in_order and self.offered and next(iter(self.offered)) != buffer:
            oldest = next(iter(self.offered))
            self._release(oldest)
            yield oldest, None
        self._release(buffer)
        yield buffer, length


    def wants_kick(self, before):
        """Whether to tell of what was made available since `posted` was that."""
        fence()
        return self._wants_kick(before)


def passes(event, now, before):
    """Whether what is at `event` is among what came from `before` on."""
    return now - event - 1 & 0xFFFF < now - before & 0xFFFF


class SplitRing(Ring):
    """The driver's side of a split ring."""

    def __init__(self, memory, at, entries, **options):
        super().__init__(memory, at, entries, **options)
        self.available = at + 16 * entries
        self.used = (self.available + 6 + 2 * entries + 3) & ~3
        self.size = self.used + 6 + 8 * entries - at

    def addresses(self):
        """Descriptors, used, available, as SET_VRING_ADDR orders them."""
        return self.at, self.used, self.available

    @staticmethod
    def _flags_and_next(flags, following):
        return flags, following

    def _describe(self, index, address, length, flags, following=0):
        self.memory.write(self.at + 16 * index, struct.pack("<QIHH", address, length, flags, following))

    def _make_available(self, head):
        self.memory.write(self.available + 4 + 2 * (self.posted % self.entries), struct.pack("<H", head))
        self.posted += 1
        if self.held_from is None:
            self._show()

    def _show(self):
        self.memory.store(self.available + 2, self.posted & 0xFFFF)

    def post(self, buffer, address, length, writable):
        self._describe(buffer, address, length, WRITABLE if writable else 0)
        self._make_available(buffer)

    def offer(self, pieces, writable, table=None):
        """A chain of (address, length), by way of a table at that address if there is one; its id, None
        when no descriptors are left."""
        flags = WRITABLE if writable else 0
        if table is not None:
            pieces, flags = [(table, self._table(table, pieces, flags))], INDIRECT
        if len(pieces) > len(self.free):
            return None
        chain = [self.free.popleft() for _ in pieces]
        for (address, length), index, following in zip(pieces, chain, [*chain[1:], None]):
            more = NEXT if following is not None else 0
            self._describe(index, address, length, flags | more, following or 0)
        self.offered[chain[0]] = chain
        self._make_available(chain[0])
        return chain[0]

    def _used(self):
        done = self.memory.load(self.used + 2)
        while self.seen & 0xFFFF != done:
            at = self.used + 4 + 8 * (self.seen % self.entries)
            self.seen += 1
            yield struct.unpack_from("<II", self.memory.mapping, at)

    def _release(self, head):
        self.free.extend(self.offered.pop(head, ()))

    def begin(self, index):
        """As after so many entries, before it is told to anybody."""
        self.posted = self.seen = index
        self.memory.store(self.available + 2, index & 0xFFFF)
        self.memory.store(self.used + 2, index & 0xFFFF)

    def call(self, wanted, after=0):
        """Whether to be called for what is used next, with event indices after so many more. With those
        nobody can say no: it is said of what was used before."""
        if not self.event_idx:
            self.memory.store(self.available, 0 if wanted else NO_INTERRUPT)
        elif wanted:
            self.memory.store(self.available + 4 + 2 * self.entries, self.seen + after & 0xFFFF)
        fence()


    def _wants_kick(self, before):
        if not self.event_idx:
            return self.memory.load(self.used) & NO_NOTIFY == 0
        return passes(self.memory.load(self.used + 4 + 8 * self.entries), self.posted, before)


class PackedRing(Ring):
    """The same of a packed one."""

    AVAILABLE, USED = 1 << 7, 1 << 15

    def __init__(self, memory, at, entries, **options):
        super().__init__(memory, at, entries, **options)
        self.driver_event = at + 16 * entries
        self.held = None  # where the first flags belong that are not shown yet, and what they are
        self.size = 16 * entries + 8

    def addresses(self):
        return self.at, self.driver_event + 4, self.driver_event

    @staticmethod
    def _flags_and_next(flags, _following):
        return 0, flags & ~NEXT  # a table's descriptors are one behind the other

    def _place(self, count):
        """Where a descriptor is, and whether this is an odd turn of the ring."""
        return self.at + 16 * (count % self.entries), count // self.entries % 2 == 0

    def _describe(self, count, address, length, buffer):
        self.memory.write(self._place(count)[0], struct.pack("<QIH", address, length, buffer))

    def _make_available(self, count, flags):
        at, wrap = self._place(count)
        flags |= self.AVAILABLE if wrap else self.USED
        if count == self.held_from:
            self.held = at + 14, flags
        else:
            self.memory.store(at + 14, flags)

    def _show(self):
        self.memory.store(*self.held)

    def post(self, buffer, address, length, writable):
        self._describe(self.posted, address, length, buffer)
        self._make_available(self.posted, WRITABLE if writable else 0)
        self.posted += 1

    def offer(self, pieces, writable, table=None):
        flags = WRITABLE if writable else 0
        if table is not None:
            pieces, flags = [(table, self._table(table, pieces, flags))], INDIRECT
        if self.posted + len(pieces) - self.seen > self.entries:
            return None
        buffer = self.free.popleft()
        for i, (address, length) in enumerate(pieces):
            self._describe(self.posted + i, address, length, buffer)
        for i in reversed(range(len(pieces))):  # the first last: then all of the chain is there
            self._make_available(self.posted + i, flags | (NEXT if i < len(pieces) - 1 else 0))
        self.posted += len(pieces)
        self.offered[buffer] = len(pieces)
        return buffer

    def _used(self):
        while self.seen < self.posted:
            at, wrap = self._place(self.seen)
            flags = self.memory.load(at + 14)
            if bool(flags & self.AVAILABLE) != wrap or bool(flags & self.USED) != wrap:
                return
            length, buffer = struct.unpack_from("<IH", self.memory.mapping, at + 8)
            yield buffer, length

    def _release(self, buffer):
        if buffer in self.offered:
            self.free.append(buffer)
        self.seen += self.offered.pop(buffer, 1)

    def call(self, wanted, after=0):
        flags = DESCRIPTOR if self.event_idx else ENABLE
        if wanted and self.event_idx:
            count = self.seen + after
            self.memory.store(self.driver_event, count % self.entries | self._place(count)[1] << 15)
        self.memory.store(self.driver_event + 2, flags if wanted else DISABLE)
        fence()

    def _wants_kick(self, before):
        flags = self.memory.load(self.driver_event + 6)
        if flags != DESCRIPTOR or not self.event_idx:
            return flags != DISABLE
        event = self.memory.load(self.driver_event + 4)
        place, now = event & 0x7FFF, self.posted % self.entries
        if (event >> 15 == 1) != self._place(self.posted)[1]:
            place -= self.entries
        return passes(place, now, now - (self.posted - before))
