"""Where equilibria of auctions end: steep powers, gaps, bids that cannot be made, and bids that are levels."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import pytest

from lawgiver.envs.core.errors import NoSolution
from lawgiver.envs.core.make import make_game
from lawgiver.envs.sealed_bid.quadrature import MOST_NODES
from lawgiver.envs.sealed_bid.solutions import equilibrium, equilibrium_bids, equilibrium_outcome
from lawgiver.envs.sealed_bid.symmetric import CELLS, LARGEST_DEGREE, Alike
from lawgiver.envs.solvers.auctions.distributions import Distribution

UNIT = Distribution(0.0, 1.0)
V = np.array([0.0, 0.01, 0.3, 0.7, 0.99, 1.0])


def game_of(**params):
    return make_game("sealed_bid", **params)


def assert_refused(found, said):
    assert isinstance(found, NoSolution) and said in str(found), found


# -- powers of the distribution ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("n", "own", "power"), [
    (1000, 1, 1.0), (20, 1, 0.01), (5, 0.001, 1.0), (2, 0.001, 1.0), (9, 0.001, 1.0), (1000, 1, 0.125),
])  # fmt: skip
def test_uniform_values_at_steep_powers(n, own, power):
    """b = d v / (d + 1), d the degree, down to values whose share is too small for a float; and its revenue."""
    setting = Alike(n, "first", (1.0,), UNIT, mix=own, power=power)
    d = (n - 1) / (own * power)
    assert setting.degree == pytest.approx(d) and setting.problem is None
    np.testing.assert_allclose(setting.bids(V), d * V / (d + 1), atol=1e-12)
    earned = (n - 1) / (n + 1) if power == 1 else d / (d + 1) * n / (n + 1)
    assert setting.outcome()["revenue"] == pytest.approx(earned, abs=1e-10)


@pytest.mark.parametrize("pricing", ["first", "all_pay", "vcg"])
def test_revenue_of_a_thousand_bidders_is_myersons(pricing):
    game = game_of(n=1000, pricing=pricing)
    found = equilibrium_outcome(game, game.members["myerson_reserve"])
    assert found["revenue"] == pytest.approx(game.limit(), abs=1e-10) == pytest.approx(999 / 1001, abs=1e-10)


def test_many_slots_of_a_thousand_bidders():
    """Shares step from 1 to 0 at the 300th of 1,000: revenue is 300 times the 301st highest of uniform values."""
    found = Alike(1000, "first", (1.0,) * 300, UNIT).outcome()
    assert found["revenue"] == pytest.approx(300 * 700 / 1001, abs=1e-8)


def test_other_densities_at_a_steep_power():
    """F = v / 2 below 1/2, 1/4 + 3 (v - 1/2) / 2 above; the lost share is integrated by hand."""
    n = 400
    setting = Alike(n, "first", (1.0,), Distribution(0.0, 1.0, (1, 3)))
    below = 1 / 4 + 1.5 * (V[4] - 1 / 2)
    lost = (below - 0.25 * (0.25 / below) ** (n - 1)) / (1.5 * n) + 0.25 * (0.25 / below) ** (n - 1) / (0.5 * n)
    assert setting.bids(V[4:5])[0] == pytest.approx(V[4] - lost, abs=1e-13)


@pytest.mark.parametrize("off", [0.9995, 1.0003])
def test_the_residual_notices_small_errors_among_a_thousand(off, monkeypatch):
    setting, exact = Alike(1000, "first", (1.0,), UNIT), Alike.bids
    assert setting.gain(256) <= 1e-9
    monkeypatch.setattr(Alike, "bids", lambda self, v: off * exact(self, v))
    assert setting.gain(256) > 1e-5


def test_powers_that_are_too_steep_are_refused():
    assert_refused(
        equilibrium_outcome(game_of(n=1000, risk_aversion=0.99), [0.0]), f"not computed above {LARGEST_DEGREE}"
    )
    found = equilibrium_outcome(game_of(n=3, announced=["mix"]), [1e-4])
    assert_refused(found, "a power 2e+04 of the distribution")
    several = Alike(600, "first", (1.0, 0.5), UNIT, power=0.5)
    assert f"not computed above {2 * MOST_NODES - 1}" in several.problem
    assert Alike(3, "first", (1.0,), UNIT, mix=2 / LARGEST_DEGREE).problem is None


# -- bids that cannot be made -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("params", "most"), [
    ({}, 0.5), ({"n": 3, "pricing": "next"}, 1.0), ({"n": 4, "pricing": "skip"}, 1.5),
    ({"preset": "asymmetric"}, 2 / 3), ({"preset": "affiliated"}, 4 / 3), ({"preset": "mineral_rights"}, 1.0),
])  # fmt: skip
def test_no_equilibrium_beyond_the_largest_bid(params, most):
    enough, short = game_of(**params, high=most * (1 + 1e-12)), game_of(**params, high=0.99 * most)
    assert equilibrium_outcome(enough, [0.0])["revenue"] == equilibrium_outcome(game_of(**params), [0.0])["revenue"]
    for found in (equilibrium_bids(short, [0.0], 0), equilibrium_outcome(short, [0.0])):
        assert_refused(found, "above the largest bid")


def test_a_largest_bid_that_is_too_low_leaves_no_known_solutions():
    assert game_of(high=0.3).known_solutions() == ()
    assert len(game_of().known_solutions()) == 6


@pytest.mark.parametrize("n", [2, 3])
@pytest.mark.parametrize("pricing", ["first", "all_pay"])
def test_equal_slots_for_everybody_are_sold_at_a_reserve_alone(n, pricing):
    game = game_of(n=n, pricing=pricing, slots=(1.0,) * n)
    assert_refused(equilibrium_outcome(game, [0.0]), "the least of them does not exist")
    found = equilibrium_outcome(game, [0.25])
    assert found["revenue"] == pytest.approx(n * 0.25 * 0.75, abs=1e-12)
    assert equilibrium_outcome(replace(game, pricing="vcg"), [0.0])["welfare"] == pytest.approx(n / 2, abs=1e-12)
    averse = game_of(n=n, slots=(1.0,) * n, risk_aversion=0.5)
    assert_refused(equilibrium_outcome(averse, [0.0]), "the least of them does not exist")


# -- gaps -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("masses", [(1, 0), (0, 1), (1, 0, 1)])
def test_gaps_in_the_density(masses):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert_refused(equilibrium_outcome(game_of(n=3, pricing="skip", masses=masses), [0.0]), "without gaps")
        game = game_of(n=3, masses=masses)
        found = equilibrium_outcome(game, [0.0])
        truth = equilibrium_outcome(replace(game, pricing="next"), [0.0])
        assert found["revenue"] == pytest.approx(truth["revenue"], abs=1e-10)
        assert equilibrium(game, [0.0]).gain(CELLS) <= 1e-6


# -- levels -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "params", "w"), [
    ("sealed_bid", {}, [0.0]), ("sealed_bid", {"pricing": "next"}, [0.0]),
    ("sealed_bid", {"preset": "affiliated"}, [0.0]),
    ("double_auction", {}, [0.5, 0.0]), ("double_auction", {"pricing": "mcafee"}, [0.0]),
    ("combinatorial_auction", {}, [0.0]), ("combinatorial_auction", {"pricing": "vcg"}, [0.0]),
])  # fmt: skip
def test_known_equilibria_are_not_of_levels(name, params, w):
    game = make_game(name, **params)
    assert not isinstance(game.equilibrium_outcome(w), NoSolution) and game.known_solutions()
    levels = replace(game, n_bids=2)
    for found in (levels.equilibrium_bids(w, 0), levels.equilibrium_outcome(w)):
        assert_refused(
            found, "are 2 levels, and known equilibria are of bids of any size: ask the game with n_bids=None"
        )
    kept = [known.name for known in levels.known_solutions()]
    assert kept == (["gains from all efficient trades"] if name == "double_auction" else [])  # no equilibrium
    assert levels.references() == game.references() and levels.members == game.members
