"""The rules of the lanes game against its printed sums, closed forms and the tables."""

import itertools

import numpy as np
import pytest
import torch

from lawgiver.envs.core.errors import ParameterError
from lawgiver.envs.core.make import make_game
from lawgiver.envs.lanes.game import Lanes
from lawgiver.envs.lanes.solutions import (
    equilibrium_threshold,
    first_best_welfare,
    meeting_welfare,
    meeting_welfare_sd,
    optimal_threshold,
    payment,
    potential,
)
from lawgiver.envs.lanes.subgame import GOLDEN, even_weights, n_starts

FRESH = np.random.default_rng()
DRAWN = {
    "n": int(FRESH.integers(2, 30)),
    "length": float(FRESH.uniform(0.5, 4)),
    "coordination_weight": float(FRESH.uniform(0.2, 3)),
    "movement_cost": float(FRESH.uniform(0.0, 0.5)),
}
"""A parameter set that no one has tuned, shown by pytest where a test of it fails."""
SETTINGS = {**{f"n={n}": {"n": n} for n in (3, 5, 10, 20)}, "drawn": DRAWN}
BASES, PAYMENTS, READINGS = ("centred", "raw"), ("xT", "x0", "u"), ("local", "full", "blind")


@pytest.fixture
def rng():
    return np.random.default_rng(2)


def play(game, w, moves, rng):
    """Play games in which w (D,) is announced and moves (B, n), or a function from starts to moves, are made.

    Returns:
        The state before and after the moves, and the rewards.
    """
    batch = moves.shape[0] if isinstance(moves, np.ndarray) else 20_000
    state = game.initial_state(batch, rng)
    state, nothing, over, _ = game.step(state, np.broadcast_to(w, (batch, 1, len(w))), game.draw(batch, rng))
    assert not over.any() and not nothing["participant"].any() and not nothing["mechanism"].any()
    actions = moves if isinstance(moves, np.ndarray) else moves(state.types[..., 0])
    after, rewards, over, _ = game.step(state, actions[..., None], game.draw(batch, rng))
    assert over.all()
    return state, after, rewards


# -- rules ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("basis", "payment_on"), list(itertools.product(BASES, PAYMENTS)))
@pytest.mark.parametrize("reading", READINGS)
def test_a_game_by_its_printed_sums(reading, basis, payment_on, rng):
    game = Lanes(
        **{**DRAWN, "n": 6},
        degree=3,
        basis=basis,
        payment_on=payment_on,
        agent_objective=reading,
        constant=0.7,
        n_moves=None,
    )
    w, moves = rng.normal(size=3), rng.random((50, 6)) * game.half
    before, after, rewards = play(game, w, moves, rng)
    starts = before.types[..., 0]
    assert (starts >= 0).all() and (starts <= game.half).all()
    ends = starts + moves
    apart = ((ends[:, :, None] - ends[:, None, :]) ** 2).sum(-1)
    utilities = -game.coordination_weight * apart - game.movement_cost * moves
    paid = payment(game.setting, w, basis, constant=0.7)({"xT": ends, "x0": starts, "u": moves}[payment_on])
    reckoned = -game.movement_cost * moves if reading == "local" else utilities
    np.testing.assert_allclose(after.utilities, utilities, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(after.transfers, paid, rtol=1e-11, atol=1e-11)
    np.testing.assert_allclose(rewards["participant"], reckoned + paid, rtol=1e-11, atol=1e-11)
    np.testing.assert_allclose(rewards["mechanism"], utilities.sum(-1, keepdims=True), rtol=1e-12)
    np.testing.assert_allclose(game.deficit(after), paid.sum(-1), rtol=1e-11, atol=1e-11)
    np.testing.assert_array_equal(after.round, 1)
    low, high = game.welfare_bounds
    assert (low <= rewards["mechanism"]).all() and (rewards["mechanism"] <= high).all()


def test_welfare_bounds_are_attained():
    game = Lanes(n=4, n_moves=None, movement_cost=0.3)
    ends = np.array([[0.0, 0.0, game.length, game.length]])
    allocations = np.stack([ends, np.full((1, 4), game.half)], axis=-1)
    assert game.utility(None, allocations).sum() == pytest.approx(game.welfare_bounds[0])
    assert game.utility(None, np.zeros((1, 4, 2))).sum() == game.welfare_bounds[1] == 0


def test_what_is_seen(rng):
    w = np.array([0.25, -1.0])
    for reading in ("local", "blind"):
        game = Lanes(n=3, length=5.0, agent_objective=reading)
        state = game.initial_state(4, rng)
        np.testing.assert_array_equal(game.observe(state, "mechanism"), 0)
        state, *_ = game.step(state, np.broadcast_to(w, (4, 1, 2)), {})
        seen = game.observe(state, "participant")
        np.testing.assert_array_equal(seen[..., -2:], np.broadcast_to(w, (4, 3, 2)))
        np.testing.assert_allclose(seen[..., :-2], state.types / 5.0 if reading == "local" else np.zeros((4, 3, 0)))
        state, rewards, *_ = game.step(state, np.zeros((4, 3), int), {})
        np.testing.assert_array_equal(game.observe(state, "mechanism")[:, :, 0], rewards["mechanism"])


def test_discrete_moves_are_even_steps(rng):
    game = Lanes(n=2, length=3.0, n_moves=4)
    np.testing.assert_allclose(game.announcements(np.array([[0.0, 1.0, 2.0, 3.0]])), [[0, 0.5, 1.0, 1.5]])
    np.testing.assert_allclose(game.subgame.moves, [0, 0.5, 1.0, 1.5])


def test_torch_plays_the_same_game(rng):
    game = Lanes(n=5, agent_objective="full", degree=3, basis="raw", n_moves=None)
    types, moves = rng.random((7, 5, 1)), rng.random((7, 5))
    w = np.broadcast_to(rng.normal(size=3), (7, 3))
    for name in ("transfer", "utility"):
        args = (types, game.allocate(types, moves, w)) + ((w,) if name == "transfer" else ())
        theirs = getattr(game, name)(*(torch.as_tensor(np.array(x)) for x in args))
        np.testing.assert_allclose(theirs.numpy(), getattr(game, name)(*args), rtol=1e-12)


# -- closed forms, by play ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("setting", list(SETTINGS.values()), ids=list(SETTINGS))
def test_meeting_is_worth_what_the_closed_form_says(setting, rng):
    game = Lanes(**setting, n_moves=None)
    at = game.setting
    for a in {0.0, equilibrium_threshold(at), optimal_threshold(at), 0.6 * game.half, game.half}:
        _, _, rewards = play(game, np.zeros(2), lambda x, a=a: np.maximum(a - x, 0), rng)
        welfare = rewards["mechanism"][:, 0]
        assert abs(welfare.mean() - meeting_welfare(at, a)) <= 4 * welfare.std() / welfare.size**0.5 + 1e-12
        assert welfare.std() == pytest.approx(meeting_welfare_sd(at, a), rel=0.1, abs=1e-9)


def test_a_move_changes_own_utility_by_as_much_as_the_potential(rng):
    game = Lanes(n=5, n_moves=None, movement_cost=0.3)
    starts, moves = rng.random((40, 5)), rng.random((40, 5))
    other = moves.copy()
    other[:, 2] = rng.random(40)
    apart = []
    for each in (moves, other):
        allocations = game.allocate(starts[..., None], each, np.zeros((40, 2)))
        apart.append((game.utility(None, allocations)[:, 2], potential(game.setting, each, starts + each)))
    np.testing.assert_allclose(apart[1][0] - apart[0][0], apart[1][1] - apart[0][1], atol=1e-12)


@pytest.mark.parametrize("setting", list(SETTINGS.values()), ids=list(SETTINGS))
def test_bounds_stand_in_order(setting):
    game = Lanes(**setting)
    assert -game.welfare_scale <= game.optimum() + 1e-12 and game.optimum() <= game.first_best() + 1e-9
    assert game.first_best() == first_best_welfare(game.setting) and game.ceiling() == game.optimum()
    assert Lanes(**setting, agent_objective="blind").optimum() == -game.welfare_scale
    for known in game.known_solutions():
        assert known.residual() <= known.tolerance


# -- tables ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("basis", "payment_on"), list(itertools.product(BASES, PAYMENTS)))
@pytest.mark.parametrize("reading", READINGS)
def test_tables_hold_what_the_rules_pay(reading, basis, payment_on, rng):
    """A table's entry is the mean over the others' draws; blind ones average over their own start as well."""
    game = Lanes(
        n=3, agent_objective=reading, basis=basis, payment_on=payment_on, n_moves=5, degree=3, constant=0.4, length=1.6
    )
    subgame, w = game.subgame, rng.normal(size=3)
    others = rng.random(subgame.shape)
    others /= others.sum(-1, keepdims=True)
    z = subgame.aggregates(others)
    starts, moves = (subgame.starts, subgame.moves)
    played = np.broadcast_to(others[0], (starts.size, moves.size)) * subgame.weights[:, None]
    ends, chances = (starts[:, None] + moves).ravel(), played.ravel()
    own = np.stack(np.broadcast_arrays(starts[:, None], moves), axis=-1).reshape(-1, 2)
    allocations = np.stack([own.sum(-1), own[:, 1]], axis=-1)
    distance = ((allocations[:, :1] - ends) ** 2) @ chances
    utilities = -game.coordination_weight * 2 * distance - game.movement_cost * own[:, 1]
    paid = game.transfer(own[None, :, :1], allocations[None], w[None])[0]
    reckoned = game.attributed(own[None, :, :1], allocations[None], utilities[None])[0] + paid
    tables = (subgame.utilities(w, z), subgame.transfers(w, z), subgame.rewards(w, z))
    for table, expected in zip(tables, (utilities, paid, reckoned), strict=True):
        by_start = expected.reshape(starts.size, moves.size)
        by_situation = subgame.weights @ by_start if reading == "blind" else by_start
        np.testing.assert_allclose(table, np.broadcast_to(by_situation, table.shape), rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose(z, [ends @ chances, ends**2 @ chances], rtol=1e-12)


def test_weights_are_exact_for_moments_and_steps_do_not_fit():
    for size in (8, 129, 163):
        weights, x = even_weights(size), np.linspace(0, 1, size)
        assert (weights > 0).all()
        np.testing.assert_allclose([weights @ x**k for k in range(4)], [1, 1 / 2, 1 / 3, 1 / 4], rtol=1e-12)
    for n_moves in (51, 101, 128, 201, 401, 1601):
        steps = (n_moves - 1) / (n_starts(n_moves) - 1) % 1
        assert min(abs(steps - GOLDEN), abs(1 - steps - GOLDEN)) < 0.02, n_moves


def test_starts_between_the_grids_are_interpolated(rng):
    game = Lanes(length=3.0)
    start = rng.random((6, 2)) * game.half
    start[0] = 0.0, game.half
    seen = np.stack([start / game.length, 0 * start, 0 * start], axis=-1)
    rounds, situations, weights = game.subgame.locate(seen)
    assert (rounds == 0).all() and (weights >= 0).all()
    np.testing.assert_allclose((game.subgame.starts[situations] * weights).sum(-1), start, atol=1e-12)


# -- bad input ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("params", "says"),
    [
        ({"n": 1}, "n is 1, allowed: an integer in 2"),
        ({"length": 0}, "length is 0, allowed"),
        ({"coordination_weight": -1.0}, "coordination_weight is -1.0"),
        ({"movement_cost": float("nan")}, "movement_cost is nan"),
        ({"degree": 0}, "degree is 0"),
        ({"box": 0.0}, "box is 0.0"),
        ({"constant": float("inf")}, "constant is inf"),
        ({"n_moves": 1}, "n_moves is 1"),
        ({"basis": "central"}, "basis is 'central': did you mean 'centred'?"),
        ({"payment_on": "xt"}, "payment_on is 'xt': did you mean 'xT'?"),
        ({"agent_objective": "global"}, "agent_objective is 'global': did you mean 'local'?"),
    ],
)
def test_bad_parameters_are_named(params, says):
    with pytest.raises(ParameterError) as error:
        make_game("lanes", **params)
    assert str(error.value).startswith(says)
