"""Voting rules against OpenSpiel's, which name one of several winners, or score alternatives: `make test-plugins`."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from lawgiver.envs.solvers.social_choice.profiles import positions
from lawgiver.envs.solvers.social_choice.rules import lottery

pytest.importorskip("open_spiel")
from open_spiel.python.voting import (
    approval,
    base,
    borda,
    copeland,
    kemeny_young,
    plurality,
    ranked_pairs,
    schulze,
    stv,
)

SIZES = [(n, m) for m in (3, 4, 5) for n in (3, 4, 7, 8)]
EACH = 84
"""Profiles of each size, 1,008 together."""


def drawn(n: int, m: int) -> tuple[np.ndarray, list[Any]]:
    """Return the places of random profiles, and the same as OpenSpiel's."""
    places = positions(np.random.default_rng([n, m]).random((EACH, n, m)))
    votes = np.argsort(places, axis=-1).tolist()
    return places, [base.PreferenceProfile(votes=one, alternatives=list(range(m))) for one in votes]


@pytest.mark.parametrize(
    ("name", "method"),
    [
        ("plurality", plurality.PluralityVoting()),
        ("borda", borda.BordaVoting()),
        ("copeland", copeland.CopelandVoting()),
        ("approval", approval.ApprovalVoting(k=2)),
    ],
)
def test_winners_have_the_largest_score(name: str, method: Any) -> None:
    for n, m in SIZES:
        places, profiles = drawn(n, m)
        ballots = (places < 2).astype(int) if name == "approval" else places
        for found, profile in zip(lottery(name, ballots), profiles, strict=True):
            outcome = method.run_election(profile)
            best = {a for a, score in zip(outcome.ranking, outcome.scores, strict=True) if score == max(outcome.scores)}
            assert set(np.flatnonzero(found)) == best


@pytest.mark.parametrize(
    ("name", "method"),
    [
        ("schulze", schulze.SchulzeVoting()),
        ("ranked_pairs", ranked_pairs.RankedPairsVoting()),
        ("kemeny", kemeny_young.KemenyYoungVoting()),
        ("irv", stv.STVVoting(num_winners=1)),
    ],
)
def test_the_winner_named_is_one_of_ours(name: str, method: Any) -> None:
    alone = 0
    for n, m in SIZES:
        places, profiles = drawn(n, m)
        for found, profile in zip(lottery(name, places), profiles, strict=True):
            single = found.max() == 1
            # Where paths are tied, its Schulze may name one who is beaten: it sorts by what is not transitive.
            assert found[method.run_election(profile).ranking[0]] > 0 or (name == "schulze" and not single)
            alone += single
    assert alone > len(SIZES) * EACH / 2  # profiles in which that is the whole answer
