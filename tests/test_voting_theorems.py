"""Theorems of social choice, each by exhausting what it is about."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest

from lawgiver.envs.core.errors import ParameterError
from lawgiver.envs.solvers.social_choice.dominance import fosd_regret
from lawgiver.envs.solvers.social_choice.enumeration import manipulability
from lawgiver.envs.solvers.social_choice.impossibility import (
    monotone_functions,
    number_of_truthful_functions,
    pairwise_rankings,
    truthful_functions,
)
from lawgiver.envs.solvers.social_choice.profiles import orders
from lawgiver.envs.solvers.social_choice.rules import RULES, lottery


@pytest.mark.parametrize(("n", "m", "count"), [(2, 3, 17), (3, 3, 60), (2, 4, 38), (1, 3, 7), (3, 2, 20)])
def test_gibbard_and_satterthwaite(n: int, m: int, count: int) -> None:
    """As many truthful functions as the formula has, and those that can choose everything are n dictatorships."""
    found = truthful_functions(n, m)
    assert (
        len(found)
        == len(np.unique(found.reshape(len(found), -1), axis=0))
        == number_of_truthful_functions(n, m)
        == count
    )
    onto = [function for function in found if len(np.unique(function)) == m]
    if m > 2:
        favourite = orders(m).argmin(1)
        dictators = [np.broadcast_to(np.expand_dims(favourite, others(n, i)), found.shape[1:]) for i in range(n)]
        assert len(onto) == n
        assert all(any((function == dictator).all() for function in onto) for dictator in dictators)


def others(n: int, voter: int) -> tuple[int, ...]:
    return tuple(axis for axis in range(n) if axis != voter)


@pytest.mark.parametrize("n", [1, 2, 3])
def test_arrow(n: int) -> None:
    """Of 4^3 ways to rank pair by pair for two voters, unanimity given, 2 are transitive: the dictators."""
    votes = np.arange(2**n)
    dictators = [np.tile(votes >> voter & 1, (3, 1)) for voter in range(n)]
    found = pairwise_rankings(n)
    assert len(found) == n
    assert all(any((rule == dictator).all() for rule in found) for dictator in dictators)


def test_may() -> None:
    """Of all 256 votes of three voters on two alternatives one is anonymous, neutral and monotone: the majority."""
    sets = np.arange(8)
    members = np.bitwise_count(sets)
    functions = np.arange(256)[:, None] >> sets & 1
    anonymous = np.all(
        [functions[:, members == k].max(1) == functions[:, members == k].min(1) for k in range(4)], axis=0
    )
    neutral = (functions == 1 - functions[:, 7 - sets]).all(1)
    below = (sets[:, None] & ~sets[None, :]) == 0
    monotone = ((functions[:, :, None] <= functions[:, None, :]) | ~below).all((1, 2))
    found = functions[anonymous & neutral & monotone]
    assert found.tolist() == [(members >= 2).astype(int).tolist()]
    assert monotone.sum() == len(monotone_functions(3)) == 20


@pytest.mark.parametrize("n", [5, 7])
def test_may_by_the_number_of_votes(n: int) -> None:
    votes = np.arange(2 ** (n + 1))[:, None] >> np.arange(n + 1) & 1
    fits = (np.diff(votes) >= 0).all(1) & (votes == 1 - votes[:, ::-1]).all(1)
    assert votes[fits].tolist() == [(np.arange(n + 1) > n / 2).astype(int).tolist()]


def test_moulin() -> None:
    """Anonymous truthful functions of two peaks on a grid of three are the medians with three phantoms: exactly 10."""
    functions = np.array(list(product(range(3), repeat=9))).reshape(-1, 3, 3)
    single_peaked = [(0, 1, 2), (1, 0, 2), (1, 2, 0), (2, 1, 0)]
    place = np.array([np.argsort(order) for order in single_peaked])
    truthful = (functions == functions.transpose(0, 2, 1)).all((1, 2))
    for order, places in zip(single_peaked, place, strict=True):
        outcome = places[functions]
        truthful &= (outcome[:, order[0], None, :] <= outcome).all((1, 2))
    peaks = np.indices((3, 3)).reshape(2, 9).T
    phantoms = {(a, b, c) for a, b, c in product(range(3), repeat=3) if a <= b <= c}
    medians = {tuple(np.median([[*pair, *given] for pair in peaks], axis=1).astype(int)) for given in phantoms}
    assert {tuple(function.ravel()) for function in functions[truthful]} == medians
    assert len(medians) == truthful.sum() == 10


def test_a_median_cannot_be_manipulated_where_preferences_are_single_peaked() -> None:
    """All profiles of three single-peaked rankings over four places, and every other peak."""
    table = np.array([places for places in orders(4) if single_peaked(places)])
    assert len(table) == 8
    profiles = np.array(list(product(range(8), repeat=3)))
    truth = lottery("median", table[profiles])
    for cast in range(8):
        others = profiles.copy()
        others[:, 0] = cast
        regret = fosd_regret(truth, lottery("median", table[others])[:, None], table[profiles[:, 0]])
        assert (regret == 0).all()


def single_peaked(places: np.ndarray) -> bool:
    peak = int(places.argmin())
    return bool((np.diff(places[: peak + 1]) < 0).all() and (np.diff(places[peak:]) > 0).all())


@pytest.mark.parametrize(("n", "m"), [(2, 3), (3, 3), (4, 3), (5, 3), (3, 4)])
def test_only_dictators_and_votes_on_pairs_are_truthful(n: int, m: int) -> None:
    for name in ("random_dictator", "random_pair_majority"):
        found = manipulability(name, n, m)
        assert found.regret == found.gain == found.nitzan_kelly == 0
    for name, rule in RULES.items():
        if n > 2 and rule.reads in ("ranking", "plurality") and name not in ("random_dictator", "random_pair_majority"):
            assert manipulability(name, n, m, ties="first").nitzan_kelly > 0


def test_a_dictator_has_no_regret() -> None:
    """The first of three voters alone counts: no ballot of anybody gains in any of the 216 profiles."""
    table = orders(3)
    profiles = np.array(list(product(range(6), repeat=3)))
    weights = np.tile([1.0, 0.0, 0.0], (216, 1))
    truth = lottery("plurality", table[profiles], weights)
    for voter, cast in product(range(3), range(6)):
        others = profiles.copy()
        others[:, voter] = cast
        regret = fosd_regret(truth, lottery("plurality", table[others], weights)[:, None], table[profiles[:, voter]])
        assert (regret == 0).all()


@pytest.mark.parametrize("ties", ["share", "first"])
@pytest.mark.parametrize(("n", "m"), [(2, 3), (3, 3), (3, 4)])
def test_approval_of_those_one_likes_is_truthful(n: int, m: int, ties: str) -> None:
    """With utilities of 0 and 1 no set of approvals brings more than the true one, in any profile."""
    marks = np.arange(2**m)[:, None] >> np.arange(m) & 1
    profiles = np.array(list(product(range(2**m), repeat=n)))
    truth = lottery("approval", marks[profiles], ties=ties)
    liked = marks[profiles[:, 0]]
    for cast in range(2**m):
        others = profiles.copy()
        others[:, 0] = cast
        change = lottery("approval", marks[others], ties=ties) - truth
        assert ((change * liked).sum(1) <= 1e-12).all()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: truthful_functions(3, 4), "3 voters over 4 alternatives have 13,824 profiles, allowed: 1,000"),
        (lambda: number_of_truthful_functions(6, 3), r"n is 6, allowed: an integer in 1\.\.5"),
        (lambda: pairwise_rankings(4), r"n is 4, allowed: an integer in 1\.\.3"),
    ],
)
def test_errors(call: Any, message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        call()
