"""The gridworld against hand-made cases, closed forms, published figures, and the promise that the truth is best."""

from __future__ import annotations

from typing import Any

import array_api_compat.torch  # noqa: F401 - torch through the array API
import numpy as np
import pytest
import torch

from lawgiver.envs.core.errors import ParameterError
from lawgiver.envs.families.reporting_game import ReportingState
from lawgiver.envs.gridworld import Gridworld
from lawgiver.envs.gridworld.solutions import samples, successors

# (n, m): VCG's revenue and the bound for public goals; to about 0.007 and 0.03
VCG = {(2, 3): 0.7504, (3, 3): 1.2830, (4, 3): 1.8723, (5, 3): 2.3699}
VCG |= {(2, 4): 1.0352, (3, 4): 1.4961, (4, 4): 1.8608, (5, 4): 2.2497}
BOUND = {(2, 3): 2.196, (3, 3): 3.002, (4, 3): 3.660, (5, 3): 4.231}
BOUND |= {(2, 4): 2.025, (3, 4): 2.735, (4, 4): 3.287, (5, 4): 3.788}


def play(game: Gridworld, types: Any, reports: Any, parameters: Any) -> ReportingState:
    """Play announced parameters (D,) or (B, D) of an affine maximiser out."""
    state = game.initial_state_from(types)
    state = game.advance(state, parameters + 0 * state.round[:, None], {})[0]
    return game.advance(state, reports, {})[0]


def draw(game: Gridworld, batch: int, seed: int) -> np.ndarray:
    return game.types_of(np.random.default_rng(seed).random((batch, game.n, game.draw_size)))


def vcg(game: Gridworld) -> np.ndarray:
    return np.zeros(game.n + game.n_boosts)


def within(found: np.ndarray, expected: float, expected_se: float = 0.0) -> bool:
    return abs(found.mean() - expected) <= 4 * np.hypot(found.std() / np.sqrt(len(found)), expected_se)


def test_moves() -> None:
    # 0 1 2
    # 3 4 5
    # 6 7 8     up, down, left, right
    torus, walls = successors(3, "torus"), successors(3, "walls")
    assert torus[0].tolist() == [6, 3, 2, 1] and torus[5].tolist() == [2, 8, 4, 3] and torus[4].tolist() == [1, 7, 3, 5]
    assert walls[0].tolist() == [0, 3, 0, 1] and walls[5].tolist() == [2, 8, 4, 5] and walls[4].tolist() == [1, 7, 3, 5]
    assert successors(2, "torus")[0].tolist() == [2, 2, 1, 1]


@pytest.mark.parametrize("edges", ["torus", "walls"])
@pytest.mark.parametrize("m", [2, 3, 4, 5])
def test_best_walk_to_one_goal(m: int, edges: Any) -> None:
    for discount in (0.0, 0.5, 0.97):
        game = Gridworld(n=1, m=m, edges=edges, discount=discount)
        (known,) = game.known_solutions()
        assert known.residual() <= 1e-12
    assert Gridworld(m=3).known_solutions()[0].value() == pytest.approx(0.9 / (1 - 0.81))  # two moves off on a torus


def test_types() -> None:
    game = Gridworld(n=2, m=3, high=[1, 4], low=[0, 2])
    types = draw(game, 40_000, 0)
    goals, counts = np.unique(types[..., 0], return_counts=True)
    assert goals.tolist() == list(range(1, 9))
    assert (np.abs(counts - 10_000) <= 4 * np.sqrt(80_000 / 8 * 7 / 8)).all()
    assert within(types[:, 0, 1], 0.5) and within(types[:, 1, 1], 3.0)
    ends = game.types_of(np.array([[[0.0, 0.0], [1 - 1e-16, 1 - 1e-16]]]))
    np.testing.assert_allclose(ends[0], [[1, 0], [8, 4]])
    assert sum(1 for _ in samples(3)) == 16
    for sample in samples(3):
        assert (np.sort(np.floor(sample * 1024), axis=0) == np.arange(1024)[:, None]).all()


def test_rewards_are_for_entering_the_nearest_goal() -> None:
    game = Gridworld(n=2, m=2, edges="walls")  # 0 1 / 2 3
    rewards = game.rewards(np.array([[[2.4, 0.5], [-7.0, 0.25]]]))
    expected = np.zeros((2, 4, 4))
    expected[0, [0, 2, 2, 3], [1, 1, 2, 2]] = 0.5  # down to 2, staying there by the walls below and left, left from 3
    expected[1, [0, 1, 1, 3], [3, 0, 3, 0]] = 0.25
    np.testing.assert_array_equal(rewards[0], expected)


def test_torch_does_the_same_and_has_no_gradient_in_the_goal() -> None:
    game = Gridworld(n=3, m=3)
    types = draw(game, 50, 1)
    rng = np.random.default_rng(2)
    parameters = rng.normal(size=(50, game.n + game.n_boosts))
    expected = play(game, types, types, parameters)
    on_torch = torch.tensor(types, requires_grad=True)
    state = play(game, torch.tensor(types), on_torch, torch.tensor(parameters))
    np.testing.assert_allclose(state.payoffs.detach().numpy(), expected.payoffs, atol=1e-9)
    (gradient,) = torch.autograd.grad(state.payments.sum(), on_torch)
    assert (gradient[..., 0] == 0).all() and (gradient[..., 1] != 0).any()


@pytest.mark.parametrize("n, m", VCG)
def test_vcg_revenue_and_the_bound(n: int, m: int) -> None:
    game = Gridworld(n=n, m=m)
    types = draw(game, 2_000, 10 * n + m)
    state = play(game, types, types, vcg(game))
    assert within(state.payments.sum(-1), VCG[n, m], 0.007)
    bound, se = game.public_goals
    assert se < 0.004 * bound
    assert abs(bound - BOUND[n, m]) <= 4 * np.hypot(se, 0.02)
    assert state.payments.sum(-1).mean() < bound == game.limit()


def test_vcg_revenue_between_walls() -> None:
    game = Gridworld(n=2, m=3, edges="walls")
    types = draw(game, 4_000, 3)
    assert within(play(game, types, types, vcg(game)).payments.sum(-1), 2.19, 0.01)


def test_vcg_attains_the_limit_of_welfare() -> None:
    game = Gridworld(n=3, m=3, objective="welfare", types="piecewise", masses=(0.7, 0.1, 0.2))
    types = draw(game, 4_000, 4)
    assert within(game.measure(play(game, types, types, vcg(game))), *game.public_goals)


def test_one_participant_faces_a_posted_price() -> None:
    bound, se = Gridworld(n=1, m=2, discount=0.0).public_goals
    # two of three goals are one move off, where 1/4 can be earned; elsewhere nothing can
    assert abs(bound - (2 * 0.25 / 3)) <= 4 * se


@pytest.mark.parametrize("params", [{"n": 3, "m": 3}, {"n": 2, "m": 4, "edges": "walls", "high": "1/i"}])
def test_payments_are_virtual_surplus(params: dict[str, Any]) -> None:
    game = Gridworld(**params)
    rng = np.random.default_rng(5)
    for seed in range(3):
        types = draw(game, 2_000, 20 + seed)
        parameters = rng.normal(size=game.n + game.n_boosts) * 0.5
        state = play(game, types, types, parameters)
        values = types[..., 1]
        phi = np.stack([each.virtual_value(values[:, i]) for i, each in enumerate(game.distributions)], axis=-1)
        surplus = (phi * state.utilities / values).sum(-1)
        assert within(state.payments.sum(-1) - surplus, 0.0)


@pytest.mark.parametrize("params", [{"n": 3, "m": 3}, {"n": 2, "m": 4, "edges": "walls", "discount": 0.6}])
def test_truth_is_best_and_nobody_loses(params: dict[str, Any]) -> None:
    game, rng = Gridworld(**params), np.random.default_rng(6)
    batch = 600
    types, others = draw(game, batch, 7), draw(game, batch, 8)
    boosts = rng.normal(size=(batch, game.n_boosts)) * rng.choice([0.0, 0.1, 1, 5], (batch, 1))
    parameters = np.concatenate([rng.normal(size=(batch, game.n)), boosts], axis=-1)
    for i in range(game.n):
        truth = others.copy()
        truth[:, i] = types[:, i]
        honest = play(game, types, truth, parameters).payoffs[:, i]
        assert honest.min() >= -1e-9
        for goals in (types[:, i, 0], rng.integers(1, game.m**2, batch)):
            lie = truth.copy()
            lie[:, i] = np.stack([goals, rng.random(batch)], axis=-1)
            assert (play(game, types, lie, parameters).payoffs[:, i] - honest).max() <= 1e-9


@pytest.mark.parametrize(
    "params, told",
    [
        ({"m": 1}, "m is 1"),
        ({"m": 100_000}, "a grid of 100,000 x 100,000 cells needs 1,220,703 MiB, memory allows 1024: take a smaller m"),
        ({"discount": 1.0}, "discount is 1.0"),
        ({"edges": "wall"}, "did you mean 'walls'"),
        ({"objective": "makespan"}, "allowed: .*revenue.*welfare"),
        ({"low": -1}, "values of at least 0"),
    ],
)
def test_bad_parameters(params: dict[str, Any], told: str) -> None:
    with pytest.raises(ParameterError, match=told):
        Gridworld(**params)
