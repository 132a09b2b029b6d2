"""Workers that have relays and nothing to do: they sleep for moments, unless they shall not."""

import signal

import pytest

import wire_client as wire
from patience import wait_for

RELAYS = (0, 3, 63)


def worker(daemon, lcore=1):
    return next(one for one in wire.stats(daemon.stats_ep).worker if one.cpu == lcore)


def begin(daemon, *options):
    daemon.start(*options)
    for relay in RELAYS:
        daemon.add_ring(relay)
    wait_for(lambda: worker(daemon).lanes == len(RELAYS))


def sleeps_more(daemon, times=20):
    before = worker(daemon).sleeps
    wait_for(lambda: worker(daemon).sleeps >= before + times)


def test_idle_relays_let_their_worker_sleep(daemon):
    begin(daemon)
    sleeps_more(daemon)
    wait_for(lambda: worker(daemon).asleep > 0.5)
    assert worker(daemon).busy < 0.1


@pytest.mark.parametrize("option", ["--idle-sleep=no", "--idle-timed-max-us=0", "--idle-awake=1"])
def test_or_do_not(daemon, option):
    begin(daemon, option)
    before = worker(daemon).sleeps  # while it had no relay
    wait_for(lambda: worker(daemon).asleep == 0.0)
    assert worker(daemon).sleeps == before


def test_packets_one_by_one_are_not_lost_in_sleeps(daemon, guest):
    """Whether they find the worker awake or not: both ways, none missing, in order."""
    begin(daemon)
    one = guest(daemon.socket_path(3), rate=100)
    one.wait_received(100, 30)
    before = worker(daemon).sleeps
    one.wait_received(200, 30)
    assert worker(daemon).sleeps > before
    one.finish_clean()


def test_nobody_tells_when_there_is_room_again(daemon, guest):
    """A guest that stands still has posted few buffers; what waits for more comes soon after it goes on."""
    begin(daemon, "--idle-timed-max-us=50000")
    one = guest(daemon.socket_path(3), rate=20000)
    one.wait_received(2000, 30)
    for _ in range(3):
        one.process.send_signal(signal.SIGSTOP)
        sleeps_more(daemon)
        one.process.send_signal(signal.SIGCONT)
        one.wait_received(2000, 30)
    one.finish_clean()
