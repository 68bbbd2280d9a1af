"""Gradients through the equilibrium of participants against differences of the solver, and what they are good for."""

import itertools
import math

import numpy as np
import pytest
from scipy.optimize import minimize

from lawgiver.agents.tables import TablePolicy
from lawgiver.envs.core.errors import ParameterError, UnsupportedGameError
from lawgiver.envs.core.make import make_game
from lawgiver.envs.lanes.game import Lanes
from lawgiver.envs.solvers.equilibrium.subgame import uniform_prior
from lawgiver.envs.solvers.equilibrium.subgame_equilibrium import Equilibrium, equilibrium_objective, prior_table, solve
from lawgiver.trainers.mechanism_design.two_timescale import subgame_gradient
from lawgiver.trainers.mechanism_design.two_timescale.subgame_gradient import objective_and_gradient

READINGS, BASES, PAYMENTS = ("local", "full", "blind"), ("centred", "raw"), ("xT", "x0", "u")
GAMES = {
    f"lanes, {reading}, {basis}, {payment_on}": (
        "lanes",
        {"agent_objective": reading, "basis": basis, "payment_on": payment_on, "n_moves": 41, "degree": 3},
    )
    for reading, basis, payment_on in itertools.product(READINGS, BASES, PAYMENTS)
}
GAMES |= {
    "lanes, many, full": ("lanes", {"n": 20, "agent_objective": "full", "coordination_weight": 0.3, "length": 1.5}),
    "divisible good": ("divisible_good", {}),
    "divisible good, full": ("divisible_good", {"agent_objective": "full", "rounds": 4, "prices": "flat"}),
    "braess": ("selfish_routing", {}),
    "pigou": ("selfish_routing", {"n": 6, "network": "pigou"}),
    "supply and demand": ("supply_demand", {"n": 10, "homes": (0.8, 0.2, 0.0)}),
}
"""The games whose gradients are held against differences."""
NUDGE = 2e-4


@pytest.fixture(params=GAMES)
def game(request):
    name, params = GAMES[request.param]
    return make_game(name, **params)


def differences(game, w, level, anchor=None):
    """Return the gradient (D,) by central differences of the fourth order."""
    found = []
    for nudge in NUDGE * np.eye(w.size):
        far = [equilibrium_objective(game, w + k * nudge, level, anchor) for k in (-2, -1, 1, 2)]
        found.append((far[0] - 8 * far[1] + 8 * far[2] - far[3]) / (12 * NUDGE))
    return np.array(found)


def agree(game, w, level, anchor=None):
    prior = prior_table(game, anchor, w)
    welfare, gradient = objective_and_gradient(game, w, level, prior)
    expected = differences(game, w, level, anchor)
    assert gradient.shape == w.shape and gradient.dtype == np.float64
    assert welfare == pytest.approx(equilibrium_objective(game, w, level, anchor), rel=1e-12, abs=1e-12)
    np.testing.assert_allclose(gradient, expected, rtol=1e-5, atol=1e-5 * np.abs(expected).max() + 1e-8)
    return gradient


@pytest.mark.parametrize("level", [0.5, 8.0, 60.0])
def test_the_gradient_is_that_of_differences(game, level):
    rng = np.random.default_rng(11)
    box = game.action_space("mechanism")
    w = 0.3 * rng.uniform(box.low, box.high)
    gradient = agree(game, w, level)
    if getattr(game, "payment_on", "") == "x0":
        np.testing.assert_allclose(gradient, 0, atol=1e-9)
    elif level < 60:
        assert np.abs(gradient).max() > 1e-6


@pytest.mark.parametrize("reading", ["local", "full"])
def test_a_high_inverse_temperature(reading):
    agree(Lanes(agent_objective=reading), np.array([-0.9, -3.0]), 1000.0)


@pytest.mark.parametrize("reading", READINGS)
def test_participants_bound_to_an_anchor(reading):
    game = Lanes(n=3, agent_objective=reading, n_moves=31)
    first = solve(game.subgame, np.array([-0.5, -1.0]), 20.0, uniform_prior(game.subgame))
    anchor = TablePolicy(game, first.log_policy)
    for level in (0.5, 8.0):
        agree(game, np.array([0.2, -2.0]), level, anchor)


def test_several_rounds_from_an_anchor():
    game = make_game("divisible_good", agent_objective="full")
    w = np.array([0.5, -0.3, 0.2, 0.4])
    anchor = TablePolicy(game, solve(game.subgame, 0.5 * w, 4.0, uniform_prior(game.subgame)).log_policy)
    agree(game, w, 3.0, anchor)


def test_participants_who_stay_at_the_anchor_do_not_respond(game):
    w = np.zeros(game.action_space("mechanism").shape)
    _, gradient = objective_and_gradient(game, w, 0.0, prior_table(game, None, w))
    np.testing.assert_array_equal(gradient, 0)


def test_the_others_response_counts():
    """Without the fixed point's own slope the gradient would be another: full participants amplify what others do."""
    game = Lanes(agent_objective="full")
    w, prior = np.array([-0.3, -1.0]), uniform_prior(game.subgame)
    _, gradient = objective_and_gradient(game, w, 100.0, prior)
    z = solve(game.subgame, w, 100.0, prior).aggregates

    def held(parameters):
        return float(game.subgame.welfare(np.exp(game.subgame.log_response(parameters, z, 100.0, prior))))

    frozen = [(held(w + nudge) - held(w - nudge)) / 2e-5 for nudge in 1e-5 * np.eye(2)]
    assert np.abs(gradient - frozen).max() > 0.3 * np.abs(gradient).max()


# Best welfare of 3 participants in a box of raw coefficients, by reading, inverse temperature, box and degree.
TABLE = {
    ("full", 100.0, 5.0): (-0.151, -0.132, -0.125),
    ("full", 1000.0, 5.0): (-0.123, -0.121, -0.121),
    ("local", 100.0, 1.0): (-1.002, -0.227, -0.154),
    ("local", 100.0, 5.0): (-1.000, -0.141, -0.126),
    ("local", 1000.0, 5.0): (-1.000, -0.122, -0.121),
}
STARTS = {1: [0.02], 2: [0.9, -0.5], 3: [0.9, 0.6, -0.9]}
LOCAL_LINEAR = [-1.0]


@pytest.mark.parametrize("degree", [1, 2, 3])
@pytest.mark.parametrize(("reading", "level", "box"), TABLE)
def test_climbing_the_gradient_reaches_the_best_of_the_box(reading, level, box, degree):
    game = Lanes(n=3, agent_objective=reading, basis="raw", box=box, degree=degree)
    prior = uniform_prior(game.subgame)

    def loss(w):
        welfare, gradient = objective_and_gradient(game, w, level, prior)
        return -welfare, -gradient

    start = np.array(LOCAL_LINEAR if (reading, degree) == ("local", 1) else STARTS[degree]) * min(box, 2.0)
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=[(-box, box)] * degree)
    assert -found.fun == pytest.approx(TABLE[reading, level, box][degree - 1], abs=6e-4)
    _, gradient = objective_and_gradient(game, found.x, level, prior)
    inward = np.where(
        found.x >= box, np.minimum(gradient, 0), np.where(found.x <= -box, np.maximum(gradient, 0), gradient)
    )
    assert np.abs(inward).max() <= 2e-3


def test_what_does_not_settle_has_no_gradient(monkeypatch):
    game = Lanes(agent_objective="full")

    def unsettled(subgame, parameters, inverse_temperature, prior):
        return Equilibrium(prior, subgame.aggregates(np.exp(prior)), 1e-3)

    monkeypatch.setattr(subgame_gradient, "solve", unsettled)
    with pytest.raises(UnsupportedGameError, match="do not settle"):
        objective_and_gradient(game, np.zeros(2), 3.0, uniform_prior(game.subgame))


@pytest.mark.parametrize("reading", ["local", "full"])
def test_a_bad_inverse_temperature_is_named(reading):
    game = Lanes(agent_objective=reading)
    for level in (-1.0, math.nan):
        with pytest.raises(ParameterError, match="inverse_temperature"):
            objective_and_gradient(game, np.zeros(2), level, uniform_prior(game.subgame))
