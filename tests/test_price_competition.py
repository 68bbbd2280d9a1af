"""Price competition: known prices, demand against finite differences, what a regulation does, and what is refused."""

from __future__ import annotations

import doctest
import itertools

import numpy as np
import pytest

from lawgiver.envs.core.errors import ConvergenceError, ParameterError, UnsupportedGameError
from lawgiver.envs.core.make import make_game
from lawgiver.envs.families.repeated_stage import RepeatedStage
from lawgiver.envs.price_competition import PriceCompetition, solutions
from lawgiver.envs.price_competition.demand import logit_demand, steered_demand
from lawgiver.trainers.audit.named import audit

UNEQUAL = {"n": 3, "quality": (2.0, 1.7, 1.5), "cost": (1.0, 1.2, 0.8)}
EVERYTHING = {"announced": ("price_cap", "unit_tax", "steering")}


def game(**params: object) -> PriceCompetition:
    made = make_game("price_competition", **params)
    assert isinstance(made, PriceCompetition)
    return made


def played(made: PriceCompetition, w, choices):
    """Play a round with choices (B, n) under w (D,); return the state after it, and the rewards."""
    rng, choices = np.random.default_rng(0), np.asarray(choices, float)
    state = made.initial_state(len(choices), rng)
    state, *_ = made.step(state, np.broadcast_to(w, (len(choices), 1, len(w))).astype(float), {})
    state, rewards, *_ = made.step(state, choices, {})
    return state, rewards


# -- known prices --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("n", "nash", "monopoly", "profits"),
    [
        (2, 1.47293, 1.92498, (0.22293, 0.33749)),
        (3, 1.37016, 2.00000, (0.12016, 0.25000)),
        (4, 1.33146, 2.05441, (0.08146, 0.20110)),
    ],
)
def test_prices_and_profits_of_the_benchmark(n, nash, monopoly, profits):
    made = game(n=n)
    assert made.nash == pytest.approx(nash, abs=5e-6)
    assert made.monopoly == pytest.approx(monopoly, abs=5e-6)
    for prices, profit in zip((made.nash, made.monopoly), profits, strict=True):
        assert made.market.profits(prices) == pytest.approx(profit, abs=5e-6)
    grid, d = made.action_values(), monopoly - nash
    assert grid[0, [0, -1]] == pytest.approx([nash - 0.1 * d, monopoly + 0.1 * d], abs=1e-5)
    assert np.diff(grid) == pytest.approx(1.2 * d / 14, abs=1e-5)


def test_module_example():
    assert doctest.testmod(solutions).failed == 0


@pytest.mark.parametrize("params", [{}, UNEQUAL, {"n": 4, "differentiation": 0.02}, {"outside": -50.0}])
def test_nobody_gains_by_another_price_and_all_together_not_either(params):
    """On a fine grid of prices, independently of the slopes by which solutions are checked."""
    made = game(**params)
    market = made.market
    for firm in range(made.n):
        prices = np.tile(made.nash, (4_001, 1))
        prices[:, firm] = np.linspace(market.cost[firm], made.nash[firm] + 2, 4_001)
        assert market.profits(prices)[:, firm].max() <= market.profits(made.nash)[firm] + 1e-12
    rng = np.random.default_rng(0)
    near = made.monopoly + 0.3 * rng.normal(size=(4_000, made.n))
    assert market.profits(near).sum(axis=1).max() <= market.profits(made.monopoly).sum()
    assert all(solution.residual() < 1e-9 for solution in made.known_solutions())


def test_solutions_that_rounding_has_spoilt_are_not_given():
    made = game(quality=(1e6, 2.0), differentiation=1e-4)
    worst = max(made.known_solutions(), key=lambda solution: solution.residual())
    assert worst.residual() > worst.tolerance
    with pytest.raises(ConvergenceError, match="is not known here"):
        worst.value()


# -- demand --------------------------------------------------------------------------------------------------


def test_demand_is_the_slope_of_surplus():
    """Roy's identity, with and without steering; and the slopes of profits against differences."""
    rng, h = np.random.default_rng(0), 1e-6
    gains = rng.normal(size=(20, 3))
    prices = rng.random((20, 3))  # apart, so that the cheapest stays the cheapest
    for steering in (np.zeros(20), rng.random(20)):
        found = steered_demand(gains, prices, steering, 0.3, 0.4)
        for firm in range(3):
            up, down = gains.copy(), gains.copy()
            up[:, firm] += h
            down[:, firm] -= h
            ends = (steered_demand(each, prices, steering, 0.3, 0.4).surplus for each in (up, down))
            slope = np.subtract(*ends) / (2 * h)
            assert found.quantities[:, firm] == pytest.approx(slope, abs=1e-8)
    market = game(**UNEQUAL).market
    asked = np.array([1.5, 1.6, 1.4])
    for firm in range(3):
        step = h * np.eye(3)[firm]
        slope = (market.profits(asked + step) - market.profits(asked - step)) / (2 * h)
        assert market.slopes(asked)[:, firm] == pytest.approx(slope, abs=1e-8)


def test_demand_for_extreme_gains_is_finite():
    found = logit_demand(np.array([[1e6, -1e6], [-1e6, -1e6], [0.0, 0.0]]), 0.0, 1e-3)
    assert found.quantities == pytest.approx(np.array([[1, 0], [0, 0], [1 / 3, 1 / 3]]))
    assert found.surplus == pytest.approx([1e6, 0, 1e-3 * np.log(3)])


def test_steering_shows_the_cheapest_alone_and_shares_ties():
    gains = np.zeros((1, 3))
    alone = logit_demand(np.zeros((1, 1)), 0.0, 0.25).quantities[0, 0]
    sold = steered_demand(gains, np.array([[1.0, 1.0, 2.0]]), np.ones(1), 0.0, 0.25).quantities
    assert sold[0] == pytest.approx([alone / 2, alone / 2, 0])


# -- the rules -----------------------------------------------------------------------------------------------


def test_permuting_firms_permutes_outcomes():
    made = game(**UNEQUAL, **EVERYTHING)
    rng = np.random.default_rng(0)
    choices = rng.integers(made.n_prices, size=(50, 3))
    w = (0.5, 0.1, 0.4)
    state, _ = played(made, w, choices)
    for order in itertools.permutations(range(3)):
        places = list(order)
        other = game(
            n=3,
            quality=[UNEQUAL["quality"][i] for i in places],
            cost=[UNEQUAL["cost"][i] for i in places],
            **EVERYTHING,
        )
        permuted, _ = played(other, w, choices[:, places])
        assert permuted.payoffs == pytest.approx(state.payoffs[:, places], abs=1e-12)
        assert permuted.surplus == pytest.approx(state.surplus, abs=1e-12)


def test_equal_firms_at_equal_prices_earn_the_same():
    made = game(n=4, **EVERYTHING)
    state, _ = played(made, (0.3, 0.2, 1.0), np.repeat(np.arange(made.n_prices)[:, None], 4, axis=1))
    assert np.ptp(state.payoffs, axis=1).max() == 0


def test_a_cap_at_cost_leaves_all_to_consumers_and_no_mechanism_changes_nothing():
    made = game()
    choices = np.array([[0, 7], [14, 14]])
    state, rewards = played(made, made.members["price_at_cost"], choices)
    assert state.payoffs == pytest.approx(0, abs=1e-12)
    assert rewards["mechanism"][:, 0] == pytest.approx(made.ceiling())
    assert made.ceiling() == pytest.approx(0.25 * np.log(2 * np.exp(4) + 1))
    state, _ = played(made, made.members["no_mechanism"], choices)
    prices = made.action_values()[np.arange(2), choices]
    assert state.payoffs == pytest.approx(made.market.profits(prices), abs=1e-12)
    assert state.surplus == pytest.approx(made.market.demand(prices).surplus, abs=1e-12)


def test_a_tax_is_a_loss_of_quality_and_handed_back():
    taxed, poorer = game(announced=["unit_tax"]), game(quality=1.9)
    state, _ = played(taxed, (0.1,), [[3, 9]])
    prices = taxed.action_values()[np.arange(2), [3, 9]]
    assert state.payoffs[0] == pytest.approx(poorer.market.profits(prices))
    sold = poorer.market.demand(prices)
    assert state.surplus[0] == pytest.approx(sold.surplus + 0.1 * sold.quantities.sum())


def test_objectives_add_up():
    rewards = {
        name: played(game(objective=name), (0.6,), [[3, 9]])[1]["mechanism"][0, 0]
        for name in ("consumer_surplus", "welfare", "profit")
    }
    assert rewards["welfare"] == pytest.approx(rewards["consumer_surplus"] + rewards["profit"])


def test_references_are_what_is_played():
    """At prices on the grid that are those of the Nash equilibrium: extension 0 makes them its end."""
    made = game(extension=0.0)
    for place, name in ((0, "nash"), (made.n_prices - 1, "monopoly")):
        state, _ = played(made, made.members["no_mechanism"], [[place, place]])
        for measure, by_name in made.references().items():
            assert made.measures()[measure](state)[0] == pytest.approx(by_name[name], abs=1e-9), measure


def test_last_actions_are_read_from_observations():
    made = game(**UNEQUAL, **EVERYTHING)
    assert isinstance(made, RepeatedStage)
    choices = np.random.default_rng(0).integers(made.n_prices, size=(200, 3))
    state, _ = played(made, (0.5, 0.0, 0.0), choices)
    assert (made.last_actions(made.observe(state, "participant")) == choices).all()
    small = made.observe(state, "participant").astype(np.float32)
    assert (made.last_actions(small) == choices).all()


@pytest.mark.parametrize(
    ("params", "told"),
    [
        ({"discount": 1}, r"discount is 1, allowed: a number in \[0, 1\)"),
        ({"n_prices": 1}, "n_prices is 1, allowed: an integer in 2..1,000"),
        ({"differentiation": 0}, r"differentiation is 0, allowed: a number in \(0, 1e6\]"),
        ({"n": 5}, "n is 5, allowed: an integer in 2..4"),
        ({"quality": [2, 2, 2]}, "quality has 3 numbers, allowed: 2, one a firm"),
        ({"cost": [1, "a"]}, r"cost\[1\] is 'a', allowed: a number in \[0, 1e6\]"),
        ({"extension": -1}, r"extension is -1, allowed: a number in \[0, 100\]"),
        ({"announced": []}, r"announced is \[\], allowed: a list of different names"),
        ({"announced": ["cap"]}, r"announced\[0\] is 'cap': did you mean 'price_cap'\?"),
        ({"announced": ["unit_tax", "unit_tax"]}, "allowed: a list of different names"),
        ({"outside": 1e5}, "allowed: firms that lose customers to each other"),
        ({"objective": "revenue"}, "objective is 'revenue': allowed: consumer_surplus"),
        ({"rounds": 0}, "rounds is 0, allowed: an integer >= 1"),
    ],
)
def test_bad_parameters_are_one_line(params, told):
    with pytest.raises(ParameterError, match=told) as caught:
        game(**params)
    assert "\n" not in str(caught.value)


def test_no_ceiling_is_known_where_firms_can_sell_below_cost():
    wide = game(extension=2.0)
    assert (wide.action_values()[:, 0] < 1).any()
    assert wide.ceiling() is None


def test_prices_at_cost_are_announced_by_the_cap_alone():
    assert game(announced=["unit_tax", "steering"]).members == {"no_mechanism": (0.0, 0.0)}
    made = game(**UNEQUAL, **EVERYTHING)
    assert made.members == {"no_mechanism": (made.largest_margin, 0.0, 0.0), "price_at_cost": (0.0, 0.0, 0.0)}
    charged, _ = made.sales(np.full((1, 3), made.n_prices - 1.0), np.array([made.members["price_at_cost"]]))
    assert charged[0] == pytest.approx(UNEQUAL["cost"])


def test_an_audit_of_prices_points_to_their_evaluation():
    with pytest.raises(UnsupportedGameError, match="firms report nothing: lawgiver evaluate RUN"):
        audit("no_mechanism", "price_competition")
