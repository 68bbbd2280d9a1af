"""The frontier of voting rules: orbits of profiles, and the linear program."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from lawgiver.envs.core.errors import ConvergenceError, ParameterError
from lawgiver.envs.solvers.social_choice.dominance import fosd_regret
from lawgiver.envs.solvers.social_choice.frontier import Frontier
from lawgiver.envs.solvers.social_choice.orbits import orbits
from lawgiver.envs.solvers.social_choice.profiles import orders
from lawgiver.envs.solvers.social_choice.rules import lottery

BOUNDS = (0.0, 0.005, 0.01, 0.02, 0.03, None)
WELFARE = {
    (3, 3): (0.58333, 0.58958, 0.59571, 0.60654, 0.61738, 0.62500),
    (5, 3): (0.56250, 0.56773, 0.57296, 0.58293, 0.59258, 0.59529),
    (7, 3): (0.55208, 0.55699, 0.56188, 0.57113, 0.57940, 0.58027),
}
"""Greatest welfare by bound, for n voters and m alternatives."""
RULES = {
    (3, "minimax"): (0.62500, 0.03704, 0.62500),
    (3, "copeland"): (0.62500, 0.03704, 0.62500),
    (3, "black"): (0.62500, 0.03704, 0.62500),
    (3, "plurality"): (0.61111, 0.07407, 0.62500),
    (3, "irv"): (0.62037, 0.03704, 0.62500),
    (3, "borda"): (0.62500, 0.09259, 0.62500),
    (5, "copeland"): (0.59375, 0.03395, 0.59496),
    (5, "minimax"): (0.59433, 0.03472, 0.59499),
    (7, "plurality"): (0.57202, 0.05487, 0.58027),
    (7, "irv"): (0.57673, 0.03215, 0.57949),
    (7, "copeland"): (0.57812, 0.03029, 0.57941),
    (7, "minimax"): (0.57896, 0.03140, 0.57946),
    (7, "black"): (0.57963, 0.04244, 0.57985),
    (7, "borda"): (0.58027, 0.08831, 0.58027),
}
"""Welfare, regret and the greatest welfare at that regret, by voters and rule."""


def measures(rule, n, m):
    found = orbits(n, m)
    lotteries = lottery(rule, found.places[None], found.counts.astype(float))
    return float(found.welfare(lotteries)), float(found.regret(lotteries))


def test_orbits_are_counted():
    sizes = {(1, 3): 1, (3, 2): 2, (3, 3): 10, (5, 3): 42, (7, 3): 132, (3, 4): 111}
    assert {size: len(orbits(*size)) for size in sizes} == sizes
    for size in sizes:
        found = orbits(*size)
        assert found.weights.sum() == pytest.approx(1, abs=1e-14)
        assert found.case_weights.sum() == pytest.approx(1, abs=1e-14)
        assert (found.counts.sum(-1) == size[0]).all()


@pytest.mark.parametrize("rule", ["plurality", "borda", "irv", "minimax"])
def test_measures_are_those_of_all_profiles(rule):
    n, m = 3, 3
    places = orders(m)
    profiles = np.array(list(itertools.product(range(len(places)), repeat=n)))
    truth = lottery(rule, places[profiles])
    utility = ((m - places) / (m + 1))[profiles].mean(1)
    regrets = []
    for voter in range(n):
        casts = np.repeat(profiles[:, None], len(places), axis=1)
        casts[:, :, voter] = np.arange(len(places))
        after = lottery(rule, places[casts.reshape(-1, n)]).reshape(len(profiles), len(places), m)
        regrets.append(fosd_regret(truth, after, places[profiles[:, voter]]).max(-1))
    brute = (truth * utility).sum(-1).mean(), np.mean(regrets)
    assert measures(rule, n, m) == pytest.approx(brute, abs=1e-14)


def test_alternatives_are_alike_where_a_renaming_keeps_the_profile():
    found = orbits(3, 3)
    lotteries = lottery("borda", found.places[None], found.counts.astype(float))
    same = np.take_along_axis(lotteries, found.alike, axis=-1)
    assert np.array_equal(same, lotteries)
    # Three voters with a cycle of rankings: all three alternatives are alike.
    cycle = (found.counts[:, [0, 3, 4]] == 1).all(-1) | (found.counts[:, [1, 2, 5]] == 1).all(-1)
    assert cycle.sum() == 1 and found.alike[cycle].tolist() == [[0, 0, 0]]


@pytest.mark.parametrize("size", WELFARE)
def test_frontier(size):
    frontier = Frontier(*size)
    for bound, welfare in zip(BOUNDS, WELFARE[size], strict=True):
        best = frontier.best(bound)
        assert best.objective == pytest.approx(welfare, abs=5e-6)
        assert bound is None or best.regret <= bound + 1e-7


def test_frontier_of_four_alternatives():
    frontier = Frontier(3, 4)
    assert frontier.best(0).objective == pytest.approx(0.6, abs=5e-6)
    assert frontier.best(0.01).objective == pytest.approx(0.60844, abs=5e-6)


@pytest.mark.parametrize(("size", "regret"), [((3, 3), 1 / 27), ((5, 3), 7 / 162), ((7, 3), 0.05401)])
def test_least_regret_of_the_greatest_welfare(size, regret):
    frontier = Frontier(*size)
    most = frontier.best().objective
    least = frontier.least_regret(most)
    assert least.regret == pytest.approx(regret, abs=5e-6)
    assert least.objective == pytest.approx(most, abs=1e-8)
    with pytest.raises(ConvergenceError, match="frontier of voting rules"):
        frontier.least_regret(most + 1e-3)


def test_corners_join_the_frontier():
    frontier = Frontier(7, 3)
    corners = [(corner.regret, corner.objective) for corner in frontier.corners()]
    expected = [
        (0, 0.55208), (0.00327, 0.55529), (0.01572, 0.56748), (0.02969, 0.57938), (0.03076, 0.57944), (0.05401, 0.58027)
    ]  # fmt: skip
    assert np.array(corners) == pytest.approx(np.array(expected), abs=6e-6)
    regrets, welfares = zip(*corners, strict=True)
    for bound in (0.001, 0.012, 0.029, 0.045):
        assert frontier.best(bound).objective == pytest.approx(np.interp(bound, regrets, welfares), abs=1e-6)


@pytest.mark.parametrize("size", [(2, 3), (4, 3), (2, 4), *WELFARE])
def test_truthful_rules_are_no_better_than_two(size):
    known = [measures(rule, *size) for rule in ("random_dictator", "random_pair_majority")]
    assert [regret for _, regret in known] == pytest.approx([0, 0], abs=1e-15)
    assert Frontier(*size).best(0).objective == pytest.approx(max(welfare for welfare, _ in known), abs=1e-7)


@pytest.mark.parametrize("size", [(2, 4), (4, 3), *WELFARE, (3, 4)])
def test_borda_has_the_greatest_welfare(size):
    assert Frontier(*size).best().objective == pytest.approx(measures("borda", *size)[0], abs=1e-9)


@pytest.mark.parametrize(("n", "rule"), RULES)
def test_rules_below_the_frontier(n, rule):
    welfare, regret, most = RULES[n, rule]
    measured = measures(rule, n, 3)
    assert measured == pytest.approx((welfare, regret), abs=5.01e-6)
    assert Frontier(n, 3).best(measured[1]).objective == pytest.approx(most, abs=5.01e-6)


def test_what_is_too_large_or_negative_is_refused():
    with pytest.raises(ParameterError, match=r"n=3 and m=5 make 295,240 profiles .* allowed: 200,000 at most"):
        orbits(3, 5)
    with pytest.raises(ParameterError, match="m is 1"):
        orbits(3, 1)
    with pytest.raises(ParameterError, match=r"regret is -0\.1"):
        Frontier(3, 3).best(-0.1)
