"""The frontier of rules of matching: orbits of markets with complete lists, and the linear program."""

from __future__ import annotations

from functools import cache
from itertools import permutations

import numpy as np
import pytest

from lawgiver.envs.core.errors import ConvergenceError, ParameterError
from lawgiver.envs.solvers.matching.acceptance import deferred_acceptance
from lawgiver.envs.solvers.matching.enumeration import profiles, table
from lawgiver.envs.solvers.matching.frontier import Frontier
from lawgiver.envs.solvers.matching.measures import blocking_pairs, dominance_violation
from lawgiver.envs.solvers.matching.orbits import orbits
from lawgiver.envs.solvers.matching.serial import serial_dictatorship
from lawgiver.envs.solvers.matching.trading import top_trading_cycles

LEAST = 5 / 1296
"""Regret of deferred acceptance, mean over agents and markets."""


@cache
def best(regret):
    return Frontier(3).best(regret)


def every_market(lotteries):
    """Compute blocking pairs and regret from all markets and lists, by the definitions."""
    found = orbits(3)
    values, priorities = profiles(3)
    chances = np.take_along_axis(lotteries[found.of], found.renamed, axis=-1)
    blocked = sum(
        chances[:, at] * blocking_pairs(np.broadcast_to(each, (len(values), 3)), values, priorities)
        for at, each in enumerate(permutations(range(3)))
    )
    pairs = found.everywhere(lotteries)
    assert pairs.sum(1) == pytest.approx(1, abs=1e-6) and pairs.sum(2) == pytest.approx(1, abs=1e-6)
    lists = np.concatenate([values, np.swapaxes(priorities, 1, 2)], axis=1)
    shares = np.concatenate([pairs, np.swapaxes(pairs, 1, 2)], axis=1)
    markets, regrets = np.arange(len(values)), []
    for agent in range(6):
        step = 6 ** (5 - agent)  # of the digit of the agent's list
        others = markets - markets // step % 6 * step
        reached = shares[others[:, None] + np.arange(6) * step, agent]
        regrets.append(dominance_violation(shares[:, agent], reached, lists[:, agent]).max(1))
    return float(np.mean(blocked)), float(np.mean(regrets))


def measures(lotteries):
    found = orbits(3)
    return float(found.blocking(lotteries)), float(found.regret(lotteries))


@pytest.mark.parametrize(("n", "count", "cases"), [(2, 4, 8), (3, 669, 3_888)])
def test_orbits_are_counted(n, count, cases):
    found = orbits(n)
    assert (len(found), len(found.held)) == (count, cases)
    assert found.weights.sum() == pytest.approx(1, abs=1e-14)
    assert found.case_weights.sum() == pytest.approx(1, abs=1e-14)
    # Of each orbit there are as many markets as its representative has images.
    assert (found.weights * len(found.of)).round(9).tolist() == np.bincount(found.of).tolist()


def test_measures_are_those_of_all_markets():
    found = orbits(3)
    lotteries = found.mixed(np.random.default_rng(0).dirichlet(np.ones(6), len(found)))
    assert measures(lotteries) == pytest.approx(every_market(lotteries), abs=1e-14)
    assert found.mixed(lotteries) == pytest.approx(lotteries, abs=1e-15)


def test_known_rules_with_equal_treatment():
    found = orbits(3)
    assert measures(found.shared(deferred_acceptance)) == pytest.approx((0, LEAST), abs=1e-15)
    assert measures(found.shared(top_trading_cycles)) == pytest.approx((1 / 9, 1 / 81), abs=1e-15)
    orders = [
        found.shared(lambda values, priorities, order=order: serial_dictatorship(values, np.array(order)))
        for order in permutations(range(3))
    ]
    assert measures(np.mean(orders, axis=0)) == pytest.approx((2 / 3, 0), abs=1e-15)
    assert measures(np.full((len(found), 6), 1 / 6)) == pytest.approx((3 / 2, 0), abs=1e-15)


def test_a_rule_that_is_truthful_for_both_sides_has_a_third_of_the_blocking_pairs_of_random_priority():
    found = best(0.0)
    assert found.objective == pytest.approx(17 / 72, abs=1e-7) and found.regret == pytest.approx(0, abs=1e-9)
    assert every_market(found.lotteries) == pytest.approx((17 / 72, 0), abs=1e-7)


def test_no_stable_rule_is_less_manipulable_than_deferred_acceptance():
    found = Frontier(3).least_regret(0.0)
    assert found.regret == pytest.approx(LEAST, abs=1e-7) == float(table(deferred_acceptance).regret)
    assert found.objective == pytest.approx(0, abs=1e-8)
    assert Frontier(3).best().objective == pytest.approx(0, abs=1e-12)


def test_a_point_between_the_ends():
    found = best(0.001)
    assert found.objective == pytest.approx(0.15125, abs=5e-6) and found.regret == pytest.approx(0.001, abs=1e-7)
    # The frontier is convex, and below the line between its ends.
    assert found.objective < best(0.0).objective * (1 - 0.001 / LEAST) - 0.02


def test_two_on_each_side_are_stable_and_truthful():
    halves = orbits(2).shared(deferred_acceptance)  # half of the time rows propose, half of the time columns
    assert orbits(2).regret(halves) == 0 == orbits(2).blocking(halves)
    assert Frontier(2).best(0.0).lotteries == pytest.approx(halves, abs=1e-9)


def test_what_is_too_large_or_negative_is_refused():
    with pytest.raises(ParameterError, match=r"n is 4, allowed: an integer in 2\.\.3"):
        Frontier(4)
    with pytest.raises(ParameterError, match="n is 1"):
        orbits(1)
    with pytest.raises(ParameterError, match=r"regret is -0\.1"):
        Frontier(2).best(-0.1)
    for bad in ("few", float("nan")):
        with pytest.raises(ParameterError, match=f"objective is '?{bad}'?, allowed: a finite number"):
            Frontier(2).least_regret(bad)
    with pytest.raises(ConvergenceError, match="frontier of rules of matching"):
        Frontier(2).least_regret(-1e-3)
