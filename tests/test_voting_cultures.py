"""Cultures of voters: their statistics against closed forms, and the same numbers on either backend."""

from __future__ import annotations

from math import factorial
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import stats

import lawgiver
from lawgiver.envs.core.make import make_game
from lawgiver.envs.files.votes import Votes
from lawgiver.envs.solvers.social_choice.profiles import condorcet_winner, positions
from lawgiver.envs.voting import cultures

VOTES = Path(__file__).parent / "data" / "votes"
CULTURES = {
    "impartial": {},
    "mallows": {"phi": 0.7},
    "plackett_luce": {},
    "euclidean": {"dimensions": 3},
    "single_peaked": {},
    "urn": {"alpha": 0.3},
    "dichotomous": {},
    "table": {"m": 4, "votes_file": VOTES / "films.cat"},
}


def drawn(batch=8000, seed=0, **params):
    """Return the private utilities (B, n, m) of games."""
    game = make_game("voting", **params)
    return game.private(game.initial_state(batch, np.random.default_rng(seed)).types)


def near(found, expected, spread=0.5):
    """Compare a mean of numbers with what is expected of it, within four standard errors."""
    found = np.asarray(found, float)
    return abs(found.mean() - expected) < 4 * max(found.std(), spread * 1e-2) / found.size**0.5


@pytest.mark.parametrize("culture", CULTURES)
def test_either_backend_makes_the_same_utilities_of_the_same_numbers(culture):
    game = make_game("voting", **{"culture": culture, "n": 4, "m": 3} | CULTURES[culture])
    draws = game.draw_initial(60, np.random.default_rng(0))["types"]
    types = game.types_of(draws)
    assert types.min() >= 0 and types.max() <= 1 and types.dtype == np.float64
    assert np.allclose(game.types_of(torch.from_numpy(draws)).numpy(), types, atol=1e-12)
    assert game.types_of(torch.from_numpy(draws).float()).dtype == torch.float32
    extreme = game.types_of(np.stack([0 * draws[0], 0 * draws[0] + 1 - 2**-53]))
    assert (extreme >= 0).all() and (extreme <= 1).all()


def test_impartial_voters_have_a_condorcet_winner_in_17_of_18_profiles():
    some = condorcet_winner(positions(drawn(20_000, n=3, m=3))).any(-1)
    assert near(some, 17 / 18)


@pytest.mark.parametrize(("m", "phi"), [(3, 0.5), (5, 0.8), (4, 0.0), (4, 1.0)])
def test_mallows_rankings_lie_as_far_from_the_reference_as_they_should(m, phi):
    places = positions(drawn(4000, n=2, m=m, culture="mallows", phi=phi))
    first, second = np.triu_indices(m, 1)
    distance = (places[..., first] > places[..., second]).sum(-1)
    i = np.arange(1, m + 1)
    mean = m * (m - 1) / 4 if phi == 1 else m * phi / (1 - phi) - (i * phi**i / (1 - phi**i)).sum()
    assert near(distance, mean)
    for d in (0, 1, 2):  # probability of a given distance is as how many rankings have it, times phi^d
        count = {0: 1, 1: m - 1, 2: (m - 2) * (m + 1) / 2}[d]
        norm = np.prod([factorial(m)]) if phi == 1 else np.prod((1 - phi**i) / (1 - phi))
        assert near(distance == d, count * (1.0 if d == 0 else phi**d) / norm)


def test_plackett_luce_voters_choose_by_weight_among_what_is_left():
    weights = np.array([1.0, 0.0, -1.0, 0.5])
    places = positions(drawn(10_000, n=2, m=4, culture="plackett_luce", log_weights=weights.tolist()))
    share = np.exp(weights) / np.exp(weights).sum()
    for a in range(4):
        assert near(places[..., a] == 0, share[a])
    after = places[places[..., 0] == 0]
    assert near(after[:, 3] == 1, share[3] / (1 - share[0]))


@pytest.mark.parametrize(("dimensions", "distance"), [(1, 1 / 3), (2, 0.5214054331), (3, 0.6617071822)])
def test_voters_and_candidates_are_as_far_apart_as_points_of_a_cube(dimensions, distance):
    utilities = drawn(20_000, n=1, m=2, culture="euclidean", dimensions=dimensions)[:, 0, 0]
    assert near(utilities, 1 - distance / dimensions**0.5)


def test_candidates_are_the_same_for_all_voters_and_public():
    game = make_game("voting", n=5, m=3, culture="single_peaked")
    state = game.initial_state(500, np.random.default_rng(1))
    places = state.types[..., 3:]
    assert (places == places[:, :1]).all() and (np.diff(places[:, 0]) >= 0).all()
    ranks = positions(game.private(state.types))
    assert (ranks[..., 1] < 2).all()  # what lies in the middle is nobody's last
    assert condorcet_winner(ranks).any(-1).all()
    assert np.array_equal(game.observe(state, "mechanism")[:, 0, 15:], places[:, 0])
    assert np.array_equal(game.observe(state, "participant")[..., 3:], places)


@pytest.mark.parametrize("alpha", [0.0, 0.3, 2.0])
def test_rankings_spread_as_in_polyas_urn(alpha):
    ranks = positions(drawn(15_000, n=3, m=3, culture="urn", alpha=alpha))
    same = (ranks[:, 0] == ranks[:, 1]).all(-1), (ranks[:, 0] == ranks[:, 2]).all(-1)
    twice = (alpha + 1 / 6) / (1 + alpha)
    assert near(same[0], twice) and near(same[1], twice)  # voters are exchangeable
    assert near(same[0] & same[1], twice * (2 * alpha + 1 / 6) / (1 + 2 * alpha))
    for place in range(3):
        assert near(ranks[:, 2, 0] == place, 1 / 3)
    many = positions(drawn(4_000, n=12, m=3, culture="urn", alpha=alpha))
    assert near((many[:, 0] == many[:, 11]).all(-1), twice)  # whoever was followed by whom in between


def test_dichotomous_voters_approve_with_the_probability_that_is_given():
    utilities = drawn(5000, n=3, m=3, culture="dichotomous", approving=0.3)
    assert set(np.unique(utilities)) == {0.0, 1.0} and near(utilities, 0.3)


@pytest.mark.parametrize("culture", ["mallows", "urn", "table"])
def test_a_ranking_tells_of_utilities_what_places_tell(culture):
    params = {"votes_file": VOTES / "lunch.soc"} if culture == "table" else {}
    utilities = drawn(8000, n=2, m=3, culture=culture, **params)
    ordered = -np.sort(-utilities, axis=-1)
    for place in range(3):
        assert near(ordered[..., place], (3 - place) / 4)
        law = stats.beta(3 - place, place + 1)
        assert stats.kstest(ordered[:, 0, place], law.cdf).pvalue > 1e-4


def test_votes_of_a_file_are_drawn_as_often_as_they_were_cast():
    ranks = positions(drawn(10_000, n=1, m=3, culture="table", votes_file=VOTES / "lunch.soc"))[:, 0]
    for order, count in (((0, 1, 2), 4), ((2, 0, 1), 3), ((2, 1, 0), 2), ((0, 2, 1), 0)):
        assert near((ranks == order).all(-1), count / 9)


def test_ties_of_a_file_are_broken_at_random_and_are_worth_the_same():
    game = make_game("voting", n=1, m=3, culture="table", votes_file=VOTES / "lunch.toi")
    utilities = drawn(20_000, n=1, m=3, culture="table", votes_file=VOTES / "lunch.toi")[:, 0]
    levels, counts = game.votes.levels, game.votes.counts
    ranks = positions(utilities)
    for a in range(3):
        for b in range(3):
            over = np.sign(levels[:, b] - levels[:, a]) / 2 + 0.5  # ties count half
            if a != b:
                assert near(ranks[:, a] < ranks[:, b], (over * counts).sum() / counts.sum())
    apart = np.abs(utilities[:, 1] - utilities[:, 2])
    tied = near(apart < 2e-6, 7 / 9)
    assert tied and (apart > 0).all()


def test_approvals_of_a_file_are_worth_one():
    utilities = drawn(4000, n=1, m=3, culture="table", votes_file=VOTES / "street.pb")[:, 0]
    approved = utilities > 0.5
    assert np.abs(utilities - approved).max() < 2e-6
    for j, share in enumerate((0.5, 0.75, 0.75)):
        assert near(approved[:, j], share)


@pytest.mark.parametrize("ballot", ["ranking", "plurality"])
def test_who_turns_the_order_of_what_is_worth_the_same_gains_next_to_nothing(ballot):
    game = make_game("voting", n=4, m=3, ballot=ballot, culture="table", votes_file=VOTES / "street.pb")
    found = lawgiver.audit("plurality", game, profiles=100)
    of_ties = (found.joint.gains > 0) & (found.joint.gains < 2e-6)
    assert of_ties.any() and found.relative(found.joint)[of_ties].max() < 0.02


def test_ties_of_16_alternatives_are_told_apart_in_single_precision():
    for levels in (np.zeros((1, 16), np.int32), np.ones((1, 16), np.int32)):
        one = np.ones(1, int)
        votes = Votes("none", "approval", tuple("abcdefghijklmnop"), levels, one, one, 16 * one, ("Yes", "No"))
        utilities = cultures.table(np.random.default_rng(0).random((20, 3, 33), np.float32), votes)
        assert utilities.dtype == np.float32 and (np.diff(np.sort(utilities, axis=-1), axis=-1) > 0).all()


@pytest.mark.parametrize(("ballot", "ties"), [("approval", "share"), ("approval", "first"), ("score", "first")])
def test_who_approves_what_a_file_says_gains_nothing_at_all(ballot, ties):
    params = {"n": 4, "m": 3, "ballot": ballot, "culture": "table", "ties": ties}
    game = make_game("voting", votes_file=VOTES / "street.pb", **params)
    assert set(np.unique(game.initial_state(50, np.random.default_rng(0)).types)) == {0.0, 1.0}
    found = lawgiver.audit(ballot, game, profiles=50)
    assert found.exact == (ballot == "approval") and found.largest_gain == 0
