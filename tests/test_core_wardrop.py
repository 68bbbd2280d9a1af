"""Wardrop equilibria and optima of parallel roads against the level that equalises their costs, found by bisection."""

import numpy as np
import pytest

from lawgiver.envs.core.errors import ConvergenceError
from lawgiver.envs.core.game import KnownSolution
from lawgiver.envs.core.make import make_game
from lawgiver.envs.solvers.congestion.anonymous import CongestionGame
from lawgiver.envs.solvers.congestion.mixing import best_mixture, equilibrium_mixture
from lawgiver.envs.solvers.congestion.system_optimum import (
    gap_under_tolls,
    least_tolls,
    marginal_tolls,
    price_of_anarchy,
    system_optimum,
)
from lawgiver.envs.solvers.congestion.wardrop import (
    NonatomicGame,
    PolynomialCosts,
    PowerCosts,
    relative_gap,
    wardrop_equilibrium,
)


def parallel(free, steep, powers):
    """Return the game on parallel roads that cost free + steep x^power, (R,) each."""
    costs = PowerCosts(
        np.stack([free, steep], axis=1).astype(float), np.stack([0 * powers, powers], axis=1).astype(float)
    )
    n = len(free)
    return NonatomicGame(np.ones(1), np.eye(n)[None], np.ones((1, n), bool), costs, np.zeros((1, n)))


def by_bisection(free, steep, powers):
    """Return the loads (R,) of a mass of 1 whose roads cost the same, and that cost."""

    def taken(level):
        return (np.maximum(level - free, 0) / steep) ** (1 / powers)

    low, high = free.min(), (free + steep).max()
    while low < (middle := (low + high) / 2) < high:
        low, high = (low, middle) if taken(middle).sum() > 1 else (middle, high)
    below, above = taken(low), taken(high)  # roads that are all but flat jump from one to the other
    jump = above.sum() - below.sum()
    return below + (above - below) * ((1 - below.sum()) / jump if jump > 0 else 0), high


@pytest.mark.parametrize("seed", range(60))
def test_parallel_roads_of_any_magnitude(seed):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(2, 25))
    powers = rng.choice([0.3, 1, 2, 3.5, 4, 5, 8, 12, 16, 25], n)
    if seed % 3:  # from 1e-12 to 1e16
        free, steep = 10.0 ** rng.uniform(-12, 16, n) * (rng.random(n) < 0.7), 10.0 ** rng.uniform(-12, 16, n)
    else:  # all of them matter
        free, steep = 10.0 ** rng.uniform(-1, 1, n), 10.0 ** (rng.uniform(-1, 1, n) + powers)
    game = parallel(free, steep, powers)
    _, level = by_bisection(free, steep, powers)
    loads, _ = by_bisection(free, steep * (powers + 1), powers)
    least = loads @ (free + steep * loads**powers)
    selfish, best = wardrop_equilibrium(game), system_optimum(game)
    assert selfish.total_cost == pytest.approx(level, rel=1e-10)
    assert best.total_cost == pytest.approx(least, rel=1e-10)
    assert price_of_anarchy(game) == pytest.approx(level / least, rel=1e-10)
    assert relative_gap(game, best.flows, marginal_tolls(game)) < 1e-9
    assert gap_under_tolls(game, best.flows, marginal_tolls(game)) < 1e-9


@pytest.mark.parametrize("power", [1, 4, 12, 16, 50, 300])
@pytest.mark.parametrize("n_roads", [2, 10, 20])
def test_equal_roads_share_the_mass_however_steep(power, n_roads):
    game = parallel(np.zeros(n_roads), np.full(n_roads, 10.0**power), np.full(n_roads, float(power)))
    alike = (10 / n_roads) ** power
    assert wardrop_equilibrium(game).total_cost == pytest.approx(alike, rel=1e-11)
    assert system_optimum(game).total_cost == pytest.approx(alike, rel=1e-11)
    assert price_of_anarchy(game) == pytest.approx(1, rel=1e-11)


@pytest.mark.parametrize("power", [12, 16])
def test_every_known_solution_of_ten_steep_roads(power):
    edges = [["s", "t", [0] * power + [10.0**power]] for _ in range(10)]
    game = make_game("selfish_routing", n=10, box=100, network={"edges": edges, "demands": [["s", "t", 1]]})
    selfish, best, price, revenue, money, mixed = (known.value() for known in game.known_solutions())
    assert (selfish, best, price) == pytest.approx((1, 1, 1), rel=1e-11)
    assert revenue == pytest.approx(power) and money == pytest.approx(0, abs=1e-8)
    k = np.arange(10)  # everybody on each road with probability 1/10: k others with the binomial's chance
    ways = np.array([np.prod((9.0 - np.arange(i)) / (np.arange(i) + 1.0)) for i in k])
    cost = (ways * 0.1**k * 0.9 ** (9 - k)) @ (k + 1.0) ** power
    assert -mixed / 10 == pytest.approx(cost, rel=1e-11)
    assert equilibrium_mixture(game.congestion).welfare == pytest.approx(-10 * cost, rel=1e-11)


def test_bpr_roads_that_overload_tenfold_and_more():
    free = 1 + 0.1 * (np.arange(20) % 3)
    game = parallel(free, 0.15 * free * 20.0**10, np.full(20, 10.0))
    assert wardrop_equilibrium(game).total_cost == pytest.approx(1.2767351, abs=5e-8)


def test_a_dear_road_that_nobody_takes_hides_nothing():
    free, steep = np.array([0.0, 1.0, 1e16]), np.array([1.0, 1e-9, 1.0])
    game = parallel(free, steep, np.ones(3))
    assert wardrop_equilibrium(game).total_cost == pytest.approx(1, rel=1e-8)
    assert system_optimum(game).total_cost == pytest.approx(0.75, rel=1e-8)
    assert price_of_anarchy(game) == pytest.approx(4 / 3, rel=1e-8)
    tolls = least_tolls(game, system_optimum(game).flows)
    assert gap_under_tolls(game, system_optimum(game).flows, tolls) < 1e-6


def test_groups_of_very_different_costs_are_each_in_equilibrium():
    costs = PolynomialCosts(np.array([[0, 1e-12], [1e-12, 0], [0, 1e16], [1e16, 0]]))
    uses = np.array([np.eye(4)[:2], np.eye(4)[2:]])
    game = NonatomicGame(np.array([0.5, 0.5]), uses, np.ones((2, 2), bool), costs, np.zeros((2, 2)))
    np.testing.assert_allclose(system_optimum(game).loads, (0.5, 0, 0.5, 0), atol=1e-12)
    np.testing.assert_allclose(wardrop_equilibrium(game, np.array([0.75e-12, 0, 0, 0])).loads[:2], (0.25, 0.25))


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_costs_beyond_floating_point_are_refused():
    game = parallel(np.zeros(2), np.array([1e308, 1e308]), np.array([1.0, 1.0]))
    doubled = NonatomicGame(game.shares, np.ones((1, 2, 2)), game.legal, game.costs, game.fixed)
    with pytest.raises(ConvergenceError, match="too large"):
        wardrop_equilibrium(doubled)


def test_a_steep_table_is_mixed_as_exactly_as_a_flat_one():
    n, power = 12, 16
    table = -np.broadcast_to((10.0 * np.arange(n + 1) / n) ** power, (4, n + 1))
    game = CongestionGame((n,), np.eye(4)[None], np.ones((1, 4), bool), table, np.zeros((1, 4)))
    best = best_mixture(game)
    np.testing.assert_allclose(best.strategies, 0.25, rtol=1e-8)


def test_a_value_whose_residual_is_too_large_is_not_given():
    for residual in (2e-6, float("nan"), float("inf")):
        known = KnownSolution("a number", "a book", lambda: 1.0, lambda residual=residual: residual)
        with pytest.raises(ConvergenceError, match=r"'a number' is not known here: its residual is .*at most 1e-06"):
            known.value()
    assert KnownSolution("a number", "a book", lambda: 1.0, lambda: 1e-6).value() == 1
