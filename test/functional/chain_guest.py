"""A legal guest that hands over chains: buffers in pieces of any length and in any order, with headers cut
anywhere, by themselves or by way of indirect tables. What lies between the pieces is looked at when a buffer
comes back: nobody may have written there. All is drawn by a number, so that two of them do the same."""

import random
from typing import NamedTuple

from legal_guest import HEADER, INDIRECT_DESC, JUNK, Frame, LegalGuest
from vhost_peer import FROM_GUEST, MRG_RXBUF, TO_GUEST

PIECES = 6  # of a buffer, at most
GAP = 16  # bytes between two, at most


class Strayed(Exception):
    """A guest end has written where it may not, or says that it has."""


class Buffer(NamedTuple):
    number: int  # the how manieth of its ring
    slot: int
    pieces: list  # (address, length)


class Used(NamedTuple):
    """What a guest end has said of a buffer, and what a guest can see of it."""

    number: int
    id: int
    length: int  # None if it was said of a later one
    num_buffers: int  # of a frame's first


def cut(draw, length, pieces, first):
    """A length as a sum of so many, the first of which is so long at least."""
    pieces = min(pieces, length - first + 1)
    ends = sorted(draw.sample(range(first, length), pieces - 1)) + [length]
    return [end - begin for begin, end in zip([0, *ends], ends)]


class ChainGuest(LegalGuest):
    """Buffers for what comes have lengths of the range `room`, header included, and are chains only if that
    is said. What it sends is always chains."""

    SLOTS = 64

    def __init__(self, path, seed, room, chains=True, **options):
        self.chains, self.most = chains, [PIECES if chains else 1, PIECES]
        self.draws = [random.Random(f"{seed} {queue}") for queue in (TO_GUEST, FROM_GUEST)]
        self.room = room
        self.given = [{}, {}]  # of each queue, what it has of ours, by id
        self.count = [0, 0]  # handed over so far
        self.used = [[], []]
        self.parts, self.left = [], 0  # of the frame that is being put together
        options["features"] = options.get("features", 0) | INDIRECT_DESC
        super().__init__(path, buffers=self.SLOTS, to_send=self.SLOTS, buffer_len=2 * HEADER + 9014 + 16 * 16,
                         **options)

    def toggle_chains(self):
        """For what comes, if there are any."""
        self.most[TO_GUEST] = 1 if self.most[TO_GUEST] > 1 or not self.chains else PIECES

    # --- buffers -----------------------------------------------------------------------------

    def _slot(self, queue):
        return self._place(queue, self.count[queue] % self.SLOTS)

    def _lay_out(self, queue, length, first):
        """Pieces of a buffer in its slot, behind the room for a table. They are there in any order."""
        draw, at = self.draws[queue], self._slot(queue) + 16 * PIECES
        lengths = cut(draw, length, draw.randint(1, self.most[queue]), first)
        places = {}
        for i in draw.sample(range(len(lengths)), len(lengths)):
            at += draw.randint(0, GAP)
            places[i] = at
            at += lengths[i]
        return [(places[i], lengths[i]) for i in range(len(lengths))]

    def _hand_over(self, queue, length, first, data=b""):
        """Whether there was room for it. What is drawn is drawn again if not."""
        draw = self.draws[queue]
        before = draw.getstate()
        if len(self.given[queue]) < self.SLOTS:
            slot, pieces = self._slot(queue), self._lay_out(queue, length, first)
            self.plain.write(slot, bytes([JUNK]) * self.slot)
            for address, size in pieces:
                self.plain.write(address, data[:size])
                data = data[size:]
            table = slot if self.most[queue] > 1 and draw.random() < 0.4 else None
            taken = self.rings[queue].offer(pieces, queue == TO_GUEST, table)
            if taken is not None:
                self.given[queue][taken] = Buffer(self.count[queue], slot, pieces)
                self.count[queue] += 1
                return True
        draw.setstate(before)
        return False

    def _come_back(self, queue):
        """Each buffer with what was said of it."""
        for taken, length in list(self.rings[queue].reap()):
            yield taken, length, self.given[queue].pop(taken)

    # --- frames, as in any other legal guest -------------------------------------------------

    def start(self):
        self.start_rings()
        self._post_all()
        return self

    def _post_all(self):
        while True:
            draw = self.draws[TO_GUEST]
            before = draw.getstate()
            # A header in one piece: DPDK's library writes beyond a guest's memory for others at its end.
            if not self._hand_over(TO_GUEST, draw.randint(*self.room), HEADER):
                draw.setstate(before)
                return

    def sent(self):
        """How many frames have been read from our buffers."""
        for taken, length, buffer in self._come_back(FROM_GUEST):
            self.used[FROM_GUEST].append(Used(buffer.number, taken, length, 0))
        return len(self.used[FROM_GUEST])

    def put(self, data):
        self.sent()
        return self._hand_over(FROM_GUEST, HEADER + len(data), 1, bytes(HEADER) + data)

    def take(self):
        """Frames, put together of as many buffers as their headers say."""
        for taken, length, buffer in self._come_back(TO_GUEST):
            got = self._filled(buffer, length)
            if not self.parts:
                self.left = max(1, int.from_bytes(got[10:12], "little")) if self.mergeable else 1
            self.used[TO_GUEST].append(Used(buffer.number, taken, length, 0 if self.parts else self.left))
            self.parts.append(got)
            self.left -= 1
            if self.left == 0:
                whole, self.parts = b"".join(self.parts), []
                yield Frame(whole[:HEADER], whole[HEADER:])
        self._post_all()

    @property
    def mergeable(self):
        return bool(self.features & MRG_RXBUF)

    def _filled(self, buffer, length):
        """Its first `length` bytes; all others of its slot are as they were."""
        image = bytearray(self.plain.read(buffer.slot, self.slot))
        got = b""
        for address, size in buffer.pieces:
            at, size = address - buffer.slot, min(size, length - len(got))
            got += image[at : at + size]
            image[at : at + size] = bytes([JUNK]) * size
        table = 16 * PIECES
        if image[table:].count(JUNK) != len(image) - table or len(got) != length:
            raise Strayed(f"buffer {buffer.number} of {buffer.pieces}: {length} bytes, or others were written")
        return got
