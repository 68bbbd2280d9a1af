"""Supply and demand: matched demand by hand, equilibrium and optimum by convex programmes, bonuses, bad parameters."""

import math

import numpy as np
import pytest

from lawgiver.envs.core.errors import ParameterError
from lawgiver.envs.core.make import make_game
from lawgiver.envs.solvers.congestion.mixing import best_transfers, equilibrium_mixture
from lawgiver.envs.solvers.congestion.pure_congestion import pure_optimum
from lawgiver.envs.solvers.congestion.wardrop import wardrop_equilibrium
from lawgiver.envs.solvers.equilibrium.subgame import uniform_prior
from lawgiver.envs.solvers.equilibrium.subgame_equilibrium import best_in_box, scores, solve
from lawgiver.envs.views.vector import GameVectorEnv

TRAVEL = [[0.0, 0.4, 0.7], [0.3, 0.1, 0.5], [0.6, 0.5, 0.0]]


def spreading(**params):
    return make_game("supply_demand", **params)


def test_welfare_is_matched_demand_less_travel():
    game = spreading(n=10, demand=[2, 3.5, 1], homes=[0.5, 0.0, 0.5], travel=TRAVEL)
    rng = np.random.default_rng(0)
    bonuses, choices = rng.uniform(-1, 1, (50, 1, 3)), rng.integers(3, size=(50, 10))
    state, *_ = game.step(game.initial_state(50, rng), bonuses, {})
    state, rewards, *_ = game.step(state, choices, {})
    for i, chosen in enumerate(choices):
        crowd = np.bincount(chosen, minlength=3)
        matched = np.minimum(crowd, [2, 3.5, 1]).sum()
        travelled = sum(TRAVEL[0 if seat < 5 else 2][zone] for seat, zone in enumerate(chosen))
        assert rewards["mechanism"][i, 0] == pytest.approx(matched - travelled)
        assert game.deficit(state)[i] == pytest.approx(bonuses[i, 0] @ crowd)
        assert abs(game.deficit(state)[i]) <= game.n * game.box


def test_selfishness_costs_a_third_by_default_and_the_optimum_differs():
    game = spreading()
    free, best = (value.value() for value in game.known_solutions()[:2])
    assert (free, best) == pytest.approx((8.0, 11.6))
    loads = wardrop_equilibrium(game.mass).loads
    assert 20 * loads[0] == pytest.approx(15)  # 6 / 15 at home, as much as 1 - 0.6 away
    planned = pure_optimum(game.congestion)
    assert planned.counts[0].tolist() == [6, 8, 6] and planned.welfare == pytest.approx(11.6)
    assert game.first_best() == pytest.approx(11.6)
    assert equilibrium_mixture(game.congestion).welfare < 8.0 < game.optimum() < 11.6


@pytest.mark.parametrize("homes", [[1.0, 0.0, 0.0], [0.8, 0.2, 0.0], [0.5, 0.0, 0.5]])
def test_many_all_but_rational_agents_come_close_to_the_convex_programme(homes):
    game = spreading(n=1000, demand=[150, 300, 200], homes=homes, travel=TRAVEL)
    mass = wardrop_equilibrium(game.mass)
    gaps = []
    for level in (20.0, 200.0, 2000.0):
        found = solve(game.subgame, np.zeros(3), level, uniform_prior(game.subgame))
        assert found.residual < 1e-8
        shares = [game.subgame.behaviour(found.policy)[f"zone {k}"] for k in range(3)]
        gaps.append(np.abs(shares - mass.loads).max())
        welfare = float(game.subgame.welfare(found.policy)) / 1000
    assert gaps[0] > gaps[1] > gaps[2] and gaps[2] < 0.01
    assert welfare == pytest.approx(-mass.total_cost, abs=0.02)


def test_whole_demands_have_the_programme_for_an_optimum():
    rng = np.random.default_rng(1)
    for _ in range(5):
        demand, travel = rng.integers(1, 6, 3).tolist(), rng.uniform(0, 1, (3, 3)).tolist()
        game = spreading(n=8, demand=demand, homes=[0.5, 0.5, 0.0], travel=travel)
        assert game.first_best() == pytest.approx(-8 * game.mass_optimum())
        assert game.first_best() == pytest.approx(game.known_solutions()[1].value())


@pytest.mark.parametrize("level", [10.0, 100.0])
def test_search_of_the_box_finds_bonuses_as_good_as_can_be(level):
    game = spreading(n=10, demand=[3, 7], homes=[1.0, 0.0], travel=[[0.0, 0.6], [0.6, 0.0]])
    found = best_in_box(game, level)
    assert found.value == pytest.approx(game.optimum(), abs=1e-6)
    assert found.value > scores(game, np.zeros(2), level)["welfare"] + 0.2
    apart = np.diff(found.parameters)  # only what one zone pays more than the other counts
    at_once = solve(game.subgame, np.array([0.0, apart[0]]), level, uniform_prior(game.subgame))
    assert game.subgame.welfare(at_once.policy) == pytest.approx(found.value)
    if level == 100.0:
        assert apart == pytest.approx(np.diff(best_transfers(game.congestion)), abs=0.02)


def test_the_report_holds_what_bonuses_cost():
    game, bonuses = spreading(homes=[0.8, 0.2, 0.0]), np.array([-0.1, 0.2, 0.5])
    found = scores(game, bonuses, 20.0)
    shares = np.array([found[f"zone {k}"] for k in range(3)])
    assert shares.sum() == pytest.approx(1)
    assert found["expected_budget"] == pytest.approx(20 * shares @ bonuses)
    assert abs(found["expected_budget"]) <= game.n * game.box
    assert 0 < found["regret"] < math.log(3) / 20


def test_a_thousand_agents_in_four_zones_play():
    travel = (1 - np.eye(4)).tolist()
    game = spreading(n=1000, demand=[400, 300.5, 100, 200], homes=[0.5, 0.5, 0, 0], travel=travel)
    many = GameVectorEnv(game, role="mechanism", num_envs=64, participants="random")
    many.reset(seed=0)
    _, welfare, *_ = many.step(np.zeros((64, 4), np.float32))
    uniform = np.exp(uniform_prior(game.subgame))
    assert abs(welfare.mean() - game.subgame.welfare(uniform)) < 4 * welfare.std() / 8


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"n": 1}, "n is 1, allowed: an integer in 2"),
        ({"demand": [1, 0, 2]}, r"demand\[1\] is 0, allowed: a number in \(0, inf\)"),
        ({"demand": [1, -1, 2]}, r"demand\[1\] is -1"),
        ({"demand": [3]}, "demand is .*two zones"),
        ({"demand": 3}, "demand is 3"),
        ({"travel": [[0, 1], [1, 0]]}, "travel is .*allowed: 3 rows"),
        ({"travel": [[0, 1, 1], [1, 0], [1, 1, 0]]}, r"travel\[1\] is .*allowed: a list of 3 numbers"),
        ({"travel": [[0, 1, 1], [1, 0, -1], [1, 1, 0]]}, r"travel\[1\]\[2\] is -1"),
        ({"travel": 0.5}, "travel is 0.5"),
        ({"homes": [0.5, 0.5]}, "homes is .*3 numbers"),
        ({"homes": [0.5, 0.4, 0.0]}, "the sum of homes is 0.9"),
        ({"homes": [1.5, -0.5, 0.0]}, r"homes\[0\] is 1.5"),
        ({"homes": [0.5, 0.0, 0.5], "n": 5}, r"homes\[0\] is 2.5 of 5 agents"),
        ({"homes": [1 / 3, 1 / 3, 1 / 3], "n": 10_000}, r"homes\[0\] is 3333.333333 of 10000 agents"),
        ({"homes": [0.5, 0.499999, 0.0], "n": 10_000}, r"homes\[0\] is 5000.005 of 10000 agents"),
        ({"homes": [0.0, 0.0, 1.0], "demand": [1, 2, math.nan]}, r"demand\[2\] is nan"),
        ({"box": 0}, "box is 0"),
        ({"budget": 1}, "no parameter 'budget'"),
    ],
)
def test_bad_parameters_are_named(params, message):
    with pytest.raises(ParameterError, match=message):
        spreading(**params)
