"""Voting rules against pref_voting's, in an environment of its own: `make test-plugins`."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import pytest

pytest.importorskip("pref_voting", reason="has an environment of its own: make test-plugins")
from pref_voting.c1_methods import copeland
from pref_voting.combined_methods import blacks
from pref_voting.grade_methods import approval, score_voting
from pref_voting.grade_profiles import GradeProfile
from pref_voting.iterative_methods import instant_runoff_put, plurality_with_runoff_put
from pref_voting.margin_based_methods import beat_path, minimax, ranked_pairs
from pref_voting.other_methods import kemeny_young
from pref_voting.probabilistic_methods import maximal_lottery, random_dictator
from pref_voting.profiles import Profile
from pref_voting.scoring_methods import anti_plurality, borda, plurality

from lawgiver.envs.solvers.social_choice.profiles import positions
from lawgiver.envs.solvers.social_choice.rules import lottery

PROFILES = 1_000
SIZES = [(n, m) for m in (3, 4, 5) for n in (3, 4, 6, 7, 12)]
WINNERS = {
    "plurality": plurality,
    "anti_plurality": anti_plurality,
    "borda": borda,
    "copeland": copeland,
    "minimax": minimax,
    "black": blacks,
    "schulze": beat_path,
    # By its other algorithm, which lists all orders of tied margins, profiles of 5 candidates do not end.
    "ranked_pairs": partial(ranked_pairs, algorithm="from_stacks"),
    "kemeny": kemeny_young,
    "plurality_runoff": plurality_with_runoff_put,
    "irv": instant_runoff_put,
}


def drawn(n: int, m: int) -> np.ndarray:
    """Return utilities (B, n, m), such that all sizes together are of the number of profiles wanted."""
    return np.random.default_rng([n, m]).random((-(-PROFILES // len(SIZES)), n, m))


def profile(places: np.ndarray) -> Profile:
    return Profile(np.argsort(places, axis=-1).tolist())


@pytest.mark.parametrize("name", WINNERS)
def test_winners_are_the_same(name: str) -> None:
    compared = 0
    for n, m in SIZES:
        places = positions(drawn(n, m))
        for one, found in zip(places, lottery(name, places), strict=True):
            assert np.flatnonzero(found).tolist() == sorted(WINNERS[name](profile(one)))
            compared += 1
    assert compared >= PROFILES


LOTTERIES = {"random_dictator": random_dictator, "maximal_lottery": maximal_lottery}


@pytest.mark.parametrize("name", LOTTERIES)
def test_lotteries_are_the_same(name: str) -> None:
    """Maximal lotteries where the number of voters is odd: else there may be several."""
    for n, m in SIZES:
        if n % 2 == 0:
            continue
        places = positions(drawn(n, m))
        for one, found in zip(places, lottery(name, places), strict=True):
            chances = LOTTERIES[name](profile(one))
            assert np.allclose(found, [float(chances.get(a, 0)) for a in range(m)], atol=1e-6)


@pytest.mark.parametrize(("name", "theirs", "grades"), [("approval", approval, 2), ("score", score_voting, 6)])
def test_winners_by_grades_are_the_same(name: str, theirs: Callable[..., list[int]], grades: int) -> None:
    for n, m in SIZES:
        marks = np.floor(grades * drawn(n, m)).astype(int)
        for one, found in zip(marks, lottery(name, marks), strict=True):
            graded = GradeProfile([dict(enumerate(row)) for row in one.tolist()], list(range(grades)))
            assert np.flatnonzero(found).tolist() == sorted(theirs(graded))
