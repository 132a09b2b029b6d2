"""Guests that are migrated under traffic, by a front end that knows each byte of their memory: of what a guest
end writes, nothing is missing in the log. QEMU's own are in test_qemu_guest.py."""

import random

import pytest

from conftest import quick_or_all
from legal_guest import RING_PACKED, frame
from migrating_guest import MigratingGuest
from patience import wait_for
from test_legal_guests import kinds, next_guest
from vhost_peer import MRG_RXBUF

JUMBO, MOST = 9014, 8
ENTRIES = 512  # such rings begin and end in different pages, and so does what is written beside packed ones


class Traffic:
    """Some frames at a time, the first of which may be long; which have come is remembered."""

    def __init__(self, guest, seed):
        self.guest, self.draw, self.count = guest, random.Random(seed), 0

    def some(self):
        lengths = [JUMBO if self.draw.random() < 0.2 else 60]
        lengths += [self.draw.randint(60, 1518) for _ in range(self.draw.randint(0, MOST - 1))]
        self.count += len(lengths)
        return [frame(self.count - i, length) for i, length in reversed(list(enumerate(lengths)))]

    def both_ways(self):
        """Sent, and copied while they are under way; none is missing."""
        sent = self.some()
        self.guest.send_all(sent)
        if self.guest.log:
            self.guest.copy_under_way()
        assert self.guest.receive_until(sent[-1]) == sent

    def round(self):
        """One of a migration's. Buffers for what comes are chains for some rounds, and single for some."""
        self.both_ways()
        if self.draw.random() < 0.1:
            self.guest.toggle_chains()
        if self.guest.log and self.draw.random() < 0.5:
            self.guest.copy_by_new_log()
            # A worker that goes to sleep writes what it wants to be told of: that is logged, or will be at once.
            wait_for(lambda: set(self.guest.left_behind()) <= set(self.guest.log.pages()), 5,
                     "a log of all that was written")
        self.guest.repost()

    def stop_under_way(self):
        """Some may have been read, or have come, when the rings stand."""
        sent = self.some()
        self.guest.send_all(sent)
        bases = self.guest.stop()
        assert self.guest.left_behind() == []
        return sent, bases

    def goes_on(self, under_way):
        """Those that were under way come once at most, and in order; all others do."""
        self.guest.repost()
        sent = self.some()
        self.guest.send_all(sent)
        got = self.guest.receive_until(sent[-1])
        self.guest.repost()
        assert got == [one for one in under_way if one in got] + sent
        for _ in range(5):
            self.both_ways()
            self.guest.repost()


@pytest.mark.parametrize("packed", [False, True], ids=["split", "packed"])
@pytest.mark.parametrize("kind", kinds())
@pytest.mark.parametrize("rounds", quick_or_all(40, 2000), ids=["some", "many"])
def test_nothing_is_left_behind(daemon, kind, packed, rounds):
    """A migration that is given up, one that is taken back when all had been copied, and one there and
    back. (DPDK's library writes beyond the end of a log that does not begin where its file does. In packed
    rings it takes chains for buffers, see test_differential.py, and what it logs for descriptors are the pages
    behind the ring's event area: so all of its ring is in one page.)"""
    old_packed = kind == "dpdk" and packed
    daemon.start(f"--guest-backend={kind}", "--enable-mrgbuf", "--enable-jumbo")
    daemon.add_ring(1)
    daemon.add_ring(2)
    features = MRG_RXBUF | (RING_PACKED if packed else 0)
    with next_guest(daemon, f"{rounds} {packed}", (1200, 2100), not old_packed,
                    new=MigratingGuest, entries=128 if old_packed else ENTRIES, packed=packed, features=features,
                    log_offsets=kind != "dpdk") as guest:
        traffic = Traffic(guest, rounds)
        for _ in range(5):
            traffic.round()
        guest.begin()
        for _ in range(rounds):
            traffic.round()
        log = guest.give_up()
        log.clear()
        for _ in range(rounds):
            traffic.round()
        assert not list(log.pages()), "was written to without need"
        log.close()
        guest.begin()
        under_way, bases = traffic.stop_under_way()
        guest.resume(bases)
        traffic.goes_on(under_way)
        for path in (daemon.socket_path(2), daemon.socket_path(1)):
            guest.begin()
            for _ in range(rounds):
                traffic.round()
            under_way, bases = traffic.stop_under_way()
            guest.move(path, bases)
            traffic.goes_on(under_way)
