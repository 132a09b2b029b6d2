"""Measuring in turns: two sides that are up at once take turns, a quarter of a second each, and
what counts is how each turn compares with its neighbours. A machine whose speed drifts, or which has
other work, is then the same for both. One start of both is a run; there are several, as where
their memory lies makes a difference that lasts until they end. The statistics are pure functions.
"""

import dataclasses
import statistics
import time


@dataclasses.dataclass(frozen=True)
class Result:
    """Of one comparison: ratios are the first side's packets a second to the second's."""

    runs: tuple  # of (rates of the first side, of the second), turn by turn: one for each start
    medians: tuple  # of each run's ratios
    median: float  # of all ratios
    low: float  # their quartiles
    high: float

    def typical(self, side):
        """Packets a second of the first side (0) or the second (1)."""
        return statistics.median(rate for run in self.runs for rate in run[side])

    def is_steady(self, share=0.1):
        """The quartiles are within this share of the median."""
        return self.high - self.median <= share * self.median and \
            self.median - self.low <= share * self.median


def neighbouring_ratios(first, second):
    """The turns went first[0], second[0], first[1], second[1], …: each is compared with the one
    after it. Where the second side stood still the ratio is infinite, or 1 where both did."""
    ratios = []
    for number, theirs in enumerate(second):
        neighbours = first[number:number + 2]
        ratios += [ours / theirs if theirs else (float("inf") if ours else 1.0)
                   for ours in neighbours]
    return ratios


def quartiles(ratios):
    """(lower quartile, median, upper quartile) of at least one."""
    if len(ratios) == 1:
        return ratios[0], ratios[0], ratios[0]
    return tuple(statistics.quantiles(ratios, n=4, method="inclusive"))


def summary(runs):
    """The Result of runs, each (first side's rates, second side's rates)."""
    each = [neighbouring_ratios(*run) for run in runs]
    low, median, high = quartiles([ratio for ratios in each for ratio in ratios])
    return Result(tuple(runs), tuple(statistics.median(ratios) for ratios in each),
                  median, low, high)


def take(first, second, turns, seconds):
    """Each side has so many turns; returns the rates of both. Both are paused before and after."""
    rates = ([], [])
    for _ in range(turns):
        for side, found in zip((first, second), rates):
            found.append(side.turn(seconds))
    return rates


class Side:
    """A forwarder with its guests. The first guest is the busy one, the others stand still."""

    def __init__(self, forwarder, guest):
        self.forwarder, self.guest = forwarder, guest
        self.count = 0

    def settle(self, seconds):
        """Runs until packets flow and a little longer, then pauses."""
        deadline = time.monotonic() + 30
        while self.guest.packets() == 0:
            self.forwarder.process.check()
            if time.monotonic() > deadline:
                self.guest.fail("saw no packet within 30 s")
            time.sleep(0.1)
        time.sleep(seconds)
        self.pause()

    def pause(self):
        """The guest answers once its forwarder stands still, so that nothing is counted later."""
        self.forwarder.process.pause()
        self.count = self.guest.packets()
        self.guest.pause()

    def turn(self, seconds):
        """Packets a second at the guest."""
        before = self.count
        self.guest.resume()
        begin = time.monotonic()
        self.forwarder.process.resume()
        time.sleep(seconds)
        self.forwarder.process.pause()
        elapsed = time.monotonic() - begin
        self.pause()
        self.forwarder.process.check()
        return (self.count - before) / elapsed
