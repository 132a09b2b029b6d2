"""A guest that sleeps until it is called, after every few packets: no call that it has asked for is missing.
(Two CPUs that look at the same moment are test/unit/virtqueue/test_races.c's.)

WAKE_UPS in the environment says how often, for those who have the time."""

import os
import random
import select

import pytest

from conftest import quick_or_all
from legal_guest import EVENT_IDX, HEADER, LegalGuest, frame, number_of
from patience import STEP, Within
from test_legal_guests import kinds, next_guest
from vhost_peer import FROM_GUEST, TO_GUEST

ENTRIES, MOST = 64, 8
ROUNDS = [2500, int(os.environ.get("WAKE_UPS", 10**6))]  # of each kind of ring


class Sleeper(LegalGuest):
    """Sends some frames at a time and sleeps until they have come back. With split rings its indices come
    around early."""

    def __init__(self, path, seed, packed, **options):
        self.draw = random.Random(seed)
        self.count = self.expected = 0
        self.round = f"{seed}, {'packed' if packed else 'split'}"
        super().__init__(path, ENTRIES, buffer_len=HEADER + 100, packed=packed, start=False, **options)
        bases = None
        if not packed:
            bases = [0xFF00, 0xFFC0]
            for ring, base in zip(self.rings, bases):
                ring.begin(base)
        self.start_rings(bases)
        for buffer in range(self.buffers):
            self._post_to_fill(buffer)

    def _missing(self, queue):
        """How many buffers are still to come back."""
        if queue == FROM_GUEST:
            self.free += [buffer for buffer, _ in self.rings[queue].reap()]
            return self.to_send - len(self.free)
        for one in self.take():
            assert number_of(one.data) == self.count - self.expected + 1, self.round
            self.expected -= 1
        return self.expected

    def _sleep(self, queue):
        fd, limit = self.events[2 * queue], None
        while not select.select([fd], [], [], STEP)[0]:
            limit = limit or Within(20)  # which costs more than the usual wait
            if limit.over():
                before = self._missing(queue)
                raise AssertionError(f"no call of queue {queue} after {self.count} frames ({self.round}): "
                                     f"{before} of its buffers are not back")
        os.eventfd_read(fd)

    def _sleep_until_back(self, queue):
        while left := self._missing(queue):
            for _ in range(self.draw.choice((0, 0, 5, 20, 100))):
                pass  # for as long as the far end may take
            self.rings[queue].call(True, left - 1)
            if not self._missing(queue):
                return
            self._sleep(queue)

    def ping_pong(self, sleeps_for_sent):
        for queue in (TO_GUEST, FROM_GUEST):
            self.rings[queue].call(False)
            if select.select([self.events[2 * queue]], [], [], 0)[0]:
                os.eventfd_read(self.events[2 * queue])
        frames = self.draw.randint(1, MOST)
        asked_before = self.draw.random() < 0.5
        if asked_before:
            self.rings[TO_GUEST].call(True, frames - 1)
        self.expected = frames
        for _ in range(frames):
            self.count += 1
            assert self.put(frame(self.count, 60)), self.round
        if asked_before:
            self._sleep(TO_GUEST)
        if sleeps_for_sent and self.draw.random() < 0.5:
            self._sleep_until_back(FROM_GUEST)
        self._sleep_until_back(TO_GUEST)


@pytest.mark.parametrize("kind", kinds())
@pytest.mark.parametrize("rounds", quick_or_all(*ROUNDS), ids=["some", "many"])
def test_no_call_is_lost(daemon, kind, rounds):
    """In packed rings DPDK's library keeps what it has read to itself for a while: nobody sleeps for that."""
    daemon.start(f"--guest-backend={kind}")
    daemon.add_ring(1)
    for packed in (False, True):
        for features in (0, EVENT_IDX):
            with next_guest(daemon, f"seed {features}", packed, features=features, new=Sleeper) as guest:
                for _ in range(rounds):
                    guest.ping_pong(sleeps_for_sent=kind != "dpdk" or not packed)
                assert guest.offered & features == features
    assert not daemon.dropped(1)
