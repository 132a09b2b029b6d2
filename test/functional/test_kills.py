"""The daemon is killed in the midst of a flood, at any moment, and comes back to the guest's rings: lost is at
most what was under way in it, and a burst may come twice."""

import os
import random
import signal

import pytest

from conftest import quick_or_all
from daemon import wait_for
from legal_guest import HEADER, LegalGuest, frame, number_of
from test_legal_guests import RINGS, cannot, kept, served

__all__ = ["cannot", "kept", "served"]  # fixtures

BURST = 32
UNDER_WAY = 100  # frames at most; a ring has room for more


class Flood:
    """What was sent and what came, by its number."""

    def __init__(self, guest):
        self.guest, self.sent, self.came = guest, 0, []
        self.settled = 0  # of the sent ones, how many more than came: they are waited for no longer

    def send(self):
        if not self.guest.put(frame(self.sent, 60 + self.sent % 1400)):
            return False
        self.sent += 1
        return True

    def receive(self):
        for one in self.guest.take():
            number = number_of(one.data)
            assert one.data == frame(number, 60 + number % 1400)
            self.came.append(number)

    def run(self, frames):
        """Until so many more were sent."""
        goal = self.sent + frames

        def flows():
            before = len(self.came)
            while self.sent < goal and self.sent - self.settled - len(self.came) < UNDER_WAY and self.send():
                pass
            self.receive()
            return self.sent == goal or len(self.came) > before

        while self.sent < goal:
            wait_for(flows, 10, "the flood", interval=0)

    def everything_after(self, first):
        """Waits for all frames from that one on."""
        wanted = set(range(first, self.sent))

        def came():
            self.receive()
            return wanted.issubset(self.came)

        wait_for(came, 10, f"all frames from number {first} on")


@RINGS
@pytest.mark.parametrize("kills", quick_or_all(3, 100), ids=["some", "many"])
def test_killed_in_a_flood(served, kept, packed, kills):
    if packed and served.kind == "dpdk":
        pytest.skip("the library knows of a packed ring's place what the front end says (test_legal_guests.py)")
    draw = random.Random(kills)
    daemon = served()
    with LegalGuest(daemon.socket_path(1), packed=packed, buffer_len=HEADER + 1514) as guest:
        for _ in range(kills):
            flood = Flood(guest)
            flood.run(draw.randint(300, 2000))
            os.kill(daemon.pid, signal.SIGKILL)
            for _ in range(draw.randint(0, 5)):
                flood.send()
            daemon.kill9()
            flood.receive()
            first, under_way = flood.sent, set(range(flood.sent)) - set(flood.came)
            while flood.sent < first + 40 and flood.send():
                pass
            daemon.start(*daemon.options)
            daemon.wait_states(1, "DPDK_ADDED", "VIRTIO_UNINIT")
            guest.come_back(daemon.socket_path(1))
            wait_for(lambda: flood.sent > first or flood.send(), 10, "a buffer to send with")  # noqa: B023
            flood.everything_after(first)
            twice = len(flood.came) - len(set(flood.came))
            assert twice <= BURST
            lost = set(range(flood.sent)) - set(flood.came)
            assert lost <= under_way
            flood.settled = flood.sent - len(flood.came)
            # All is as before: nothing more is missing, and nothing is late.
            begin = len(flood.came)
            flood.run(500)
            flood.everything_after(flood.sent - 500)
            assert flood.came[begin:] == sorted(flood.came[begin:])
