"""The statistics of the benchmark that measures in turns (test/bench/turns.py): pure functions."""

import math
import os
import sys

import pytest
from daemon import ROOT

sys.path.insert(0, os.path.join(ROOT, "test", "bench"))

import turns  # noqa: E402


def test_each_turn_is_compared_with_both_its_neighbours():
    assert turns.neighbouring_ratios([10, 20, 30], [5, 10, 10]) == [2, 4, 2, 3, 3]


def test_a_machine_whose_speed_drifts_tells_the_truth():
    """The first side is 1.2 times as fast; the machine's speed is halved and doubled meanwhile."""
    speed = [1 + 0.5 * math.sin(turn / 5) for turn in range(48)]
    ours, theirs = [12e6 * now for now in speed[0::2]], [10e6 * now for now in speed[1::2]]
    result = turns.summary([(ours, theirs)])
    assert result.median == pytest.approx(1.2, rel=0.02)
    assert max(ours) > 2 * min(ours)


def test_a_sudden_change_spoils_one_ratio_only():
    result = turns.summary([([12, 12, 12, 3, 3, 3], [10, 10, 10, 2.5, 2.5, 2.5])])
    assert (result.low, result.median, result.high) == (1.2, 1.2, 1.2)
    assert result.is_steady()


def test_quartiles_tell_what_is_unsteady():
    noisy = turns.summary([([10, 30, 10, 30], [20, 20, 20, 20])])
    assert (noisy.low, noisy.high) == (0.5, 1.5)
    assert not noisy.is_steady()
    assert noisy.is_steady(share=0.9)


def test_typical_rates_are_medians_of_each_side():
    result = turns.summary([([1, 9], [4, 5]), ([2], [60])])
    assert (result.typical(0), result.typical(1)) == (2, 5)


def test_a_peer_that_stands_still():
    assert turns.neighbouring_ratios([5, 0], [0, 0]) == [math.inf, 1.0, 1.0]


def test_one_turn_of_each():
    result = turns.summary([([6], [4])])
    assert (result.low, result.median, result.high) == (1.5, 1.5, 1.5)


def test_the_last_turn_of_a_start_is_no_neighbour_of_the_next_start():
    result = turns.summary([([2, 2], [1, 1]), ([30, 30], [10, 10])])
    assert result.medians == (2, 3)
    assert (result.low, result.median, result.high) == (2, 2.5, 3)


class FakeSide:
    """Notes when it had its turn."""

    def __init__(self, name, rate, log):
        self.name, self.rate, self.log = name, rate, log

    def turn(self, seconds):
        self.log.append((self.name, seconds))
        return self.rate


def test_sides_take_turns():
    log = []
    rates = turns.take(FakeSide("ours", 6, log), FakeSide("theirs", 4, log), 2, 0.25)
    assert log == [("ours", 0.25), ("theirs", 0.25)] * 2
    assert rates == ([6, 6], [4, 4])
