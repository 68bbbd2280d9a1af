"""The meta-game of competing mechanisms, against games whose solution is known and an independent linear program."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.optimize
from hypothesis import given, settings
from hypothesis import strategies as st

from lawgiver.envs.core.errors import LawgiverError
from lawgiver.trainers.elections.meta_game import (
    binomial_errors,
    condorcet_cycle,
    condorcet_winner,
    double_oracle,
    exploitability,
    fictitious_play,
    nash,
    nash_of_many,
    wins,
)
from lawgiver.trainers.elections.standings import Standings

ROCK_PAPER_SCISSORS = np.array([[0.5, 0.2, 0.8], [0.8, 0.5, 0.2], [0.2, 0.8, 0.5]])


def symmetric(wins):
    """Shares whose upper triangle is that of ``wins``."""
    upper = np.triu(wins, 1)
    return upper + np.tril(1 - upper.T, -1) + 0.5 * np.eye(len(wins))


def bradley_terry(strengths):
    return 1 / (1 + np.exp(np.subtract.outer(strengths, strengths).T))


def random_shares(size, seed):
    return symmetric(np.random.default_rng(seed).random((size, size)))


def value_by_columns(shares):
    """The game's value from the column player's program, min v subject to shares @ q <= v: not what nashpy solves."""
    size = len(shares)
    result = scipy.optimize.linprog(
        [0.0] * size + [1.0],
        A_ub=np.hstack([shares, -np.ones((size, 1))]),
        b_ub=np.zeros(size),
        A_eq=[[1.0] * size + [0.0]],
        b_eq=[1.0],
        bounds=[(0, None)] * size + [(None, None)],
    )
    assert result.success
    return result.fun


# -- solutions ------------------------------------------------------------------------------------------------------


def test_rock_paper_scissors_is_mixed_evenly():
    np.testing.assert_allclose(nash(ROCK_PAPER_SCISSORS), 1 / 3, atol=1e-12)
    assert exploitability(ROCK_PAPER_SCISSORS, nash(ROCK_PAPER_SCISSORS)) == pytest.approx(0, abs=1e-12)
    assert exploitability(ROCK_PAPER_SCISSORS, [1, 0, 0]) == pytest.approx(0.3)


def test_uneven_rock_paper_scissors_has_its_closed_form():
    """With wins a (0 over 1), b (1 over 2) and c (2 over 0), play is proportional to (b, c, a)."""
    a, b, c = 0.1, 0.3, 0.2
    shares = 0.5 + np.array([[0, a, -c], [-a, 0, b], [c, -b, 0]])
    np.testing.assert_allclose(nash(shares), np.array([b, c, a]) / (a + b + c), atol=1e-9)


def test_a_dominated_mechanism_is_never_played():
    shares = np.zeros((4, 4))
    shares[:3, :3] = ROCK_PAPER_SCISSORS
    shares[3] = [0.1, 0.1, 0.1, 0.5]
    shares[:3, 3] = 0.9
    np.testing.assert_allclose(nash(shares), [1 / 3, 1 / 3, 1 / 3, 0], atol=1e-9)


@given(st.lists(st.floats(-3, 3), min_size=2, max_size=8, unique_by=lambda x: round(x, 2)))
@settings(deadline=None, max_examples=30)
def test_transitive_games_are_won_by_the_strongest(strengths):
    shares, none = bradley_terry(np.array(strengths)), np.zeros((len(strengths),) * 2)
    best = int(np.argmax(strengths))
    np.testing.assert_allclose(nash(shares), np.eye(len(strengths))[best], atol=1e-6)
    assert condorcet_winner(wins(shares, none)) == best
    assert condorcet_cycle(wins(shares, none)) is None
    assert [Standings(shares[None]).dominance(i) == "strict" for i in range(len(shares))] == list(
        np.arange(len(shares)) == best
    )


@given(st.integers(1, 9), st.integers(0, 10_000))
@settings(deadline=None, max_examples=40)
def test_mixtures_of_random_games_secure_their_value(size, seed):
    shares = random_shares(size, seed)
    mixture = nash(shares)
    assert mixture.min() >= 0
    assert mixture.sum() == pytest.approx(1)
    assert (mixture @ shares).min() == pytest.approx(value_by_columns(shares), abs=1e-7)
    assert exploitability(shares, mixture) == pytest.approx(0, abs=1e-7)


@given(st.integers(1, 8), st.integers(0, 10_000))
@settings(deadline=None, max_examples=25)
def test_many_games_at_once_have_the_equilibria_of_single_ones(size, seed):
    games = np.stack([random_shares(size, seed + offset) for offset in range(6)])
    mixtures = nash_of_many(games)
    assert mixtures.min() >= 0 and mixtures.sum(axis=1) == pytest.approx(1)
    np.testing.assert_allclose(mixtures, [nash(game) for game in games], atol=1e-6)  # unique without ties


def test_games_with_ties_have_equilibria_too():
    games = np.full((3, 4, 4), 0.5)
    games[1, 0, 3], games[1, 3, 0] = 0.9, 0.1
    games[2, :2, 2:], games[2, 2:, :2] = 0.4, 0.6
    mixtures = nash_of_many(games)
    assert mixtures.sum(axis=1) == pytest.approx(1)
    assert [exploitability(*game) for game in zip(games, mixtures, strict=True)] == pytest.approx([0, 0, 0], abs=1e-9)


def test_fictitious_play_nears_the_equilibrium_and_repeats_itself():
    shares = random_shares(5, 3)
    few, many = (fictitious_play(shares, count, np.random.default_rng(0)) for count in (30, 3_000))
    assert many.sum() == pytest.approx(1)
    assert exploitability(shares, many) < 0.02 < exploitability(shares, few)
    np.testing.assert_array_equal(many, fictitious_play(shares, 3_000, np.random.default_rng(0)))


def test_fictitious_play_leaves_the_global_generator_alone():
    np.random.seed(5)
    expected = np.random.random(3)
    np.random.seed(5)
    fictitious_play(ROCK_PAPER_SCISSORS, 10, np.random.default_rng(1))
    np.testing.assert_array_equal(np.random.random(3), expected)


@pytest.mark.parametrize("seed", range(5))
def test_double_oracle_solves_a_game_without_opening_all_of_it(seed):
    strengths = np.random.default_rng(seed).normal(size=30)
    shares = np.clip(0.3 * random_shares(30, seed) + 0.7 * bradley_terry(strengths), 0, 1)
    asked = []

    def payoff(i, j):
        asked.append((i, j))
        return shares[i, j]

    def best_response(mixture):
        against = shares @ np.array([mixture.get(i, 0.0) for i in range(30)])
        return int(against.argmax()) if against.max() > 0.5 + 1e-9 else None

    found = double_oracle(payoff, best_response, start=0)
    whole = np.array([found.mixture.get(i, 0.0) for i in range(30)])
    assert (whole @ shares).min() == pytest.approx(value_by_columns(shares), abs=1e-7)
    assert len(found.opened) < 30
    assert len(asked) == len(set(asked)) == len(found.opened) * (len(found.opened) - 1) // 2
    np.testing.assert_allclose(found.shares, shares[np.ix_(found.opened, found.opened)], rtol=0, atol=1e-15)


@pytest.mark.parametrize("seed", range(3))
def test_double_oracle_on_random_games(seed):
    shares = random_shares(30, seed)

    def best_response(mixture):
        return int((shares @ np.array([mixture.get(i, 0.0) for i in range(30)])).argmax())

    found = double_oracle(lambda i, j: shares[i, j], best_response, start=0)
    whole = np.array([found.mixture.get(i, 0.0) for i in range(30)])
    assert exploitability(shares, whole) == pytest.approx(0, abs=1e-7)
    assert len(found.opened) < 30


# -- who beats whom -------------------------------------------------------------------------------------------------


def test_cycles_need_wins_beyond_chance():
    assert condorcet_cycle(wins(ROCK_PAPER_SCISSORS, np.zeros((3, 3)))) == (0, 2, 1)
    assert condorcet_winner(wins(ROCK_PAPER_SCISSORS, np.zeros((3, 3)))) is None
    assert condorcet_cycle(wins(ROCK_PAPER_SCISSORS, np.full((3, 3), 0.16))) is None
    assert condorcet_cycle(wins(np.array([[0.5]]), np.zeros((1, 1)))) is None


def test_a_cycle_among_ties_is_found_at_its_full_length():
    shares = np.full((5, 5), 0.5)
    for i, j in ((1, 2), (2, 4), (4, 3), (3, 1)):
        shares[i, j], shares[j, i] = 0.7, 0.3
    assert condorcet_cycle(wins(shares, np.zeros((5, 5)))) == (1, 2, 4, 3)
    shares[1, 4], shares[4, 1] = 0.6, 0.4  # a chord makes a shorter one
    assert condorcet_cycle(wins(shares, np.zeros((5, 5)))) == (1, 4, 3)


@given(st.integers(3, 8), st.integers(0, 10_000))
@settings(deadline=None, max_examples=50)
def test_a_tournament_has_a_cycle_unless_it_can_be_ranked(size, seed):
    shares = random_shares(size, seed)
    cycle = condorcet_cycle(wins(shares, np.zeros_like(shares)))
    ranked = sorted((shares > 0.5).sum(axis=1)) == list(range(size))
    assert (cycle is None) == ranked
    if cycle is not None:
        assert len(cycle) == 3
        assert all(shares[i, j] > 0.5 for i, j in zip(cycle, (*cycle[1:], cycle[0]), strict=True))


def test_errors_shrink_with_elections_and_are_never_zero_between_two():
    shares = symmetric(np.array([[0, 0.0], [0, 0]]))
    errors = binomial_errors(shares, 100)
    assert errors[0, 1] == pytest.approx(errors[1, 0], rel=1e-12) and errors[0, 1] > 0
    assert np.diagonal(errors).max() == 0
    assert binomial_errors(np.full((2, 2), 0.5), 10_000)[0, 1] == pytest.approx(0.005, rel=1e-3)


@pytest.mark.parametrize(
    ("shares", "said"),
    [
        (np.full((2, 3), 0.5), "shape"),
        (np.array([[0.5, 0.7], [0.4, 0.5]]), r"shares\[0, 1\] = 0.7"),
        (np.array([[0.5, 1.2], [-0.2, 0.5]]), "1.2"),
        (np.array([[0.5, np.nan], [np.nan, 0.5]]), "nan"),
        (np.array([[0.6]]), r"shares\[0, 0\]"),
    ],
)
def test_what_is_no_vote_share_is_refused(shares, said):
    with pytest.raises(LawgiverError, match=said):
        nash(shares)
