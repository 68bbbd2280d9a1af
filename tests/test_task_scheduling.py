"""Task scheduling against a plain loop, closed forms, published figures, and the promise that the truth is best."""

from __future__ import annotations

from typing import Any

import array_api_compat.torch  # noqa: F401 - torch through the array API
import numpy as np
import pytest
import torch

from lawgiver.envs.core.errors import ParameterError
from lawgiver.envs.families.reporting_game import ReportingState
from lawgiver.envs.task_scheduling import TaskScheduling
from lawgiver.envs.task_scheduling.solutions import CLOCKS, Clock, full_information_makespan, least_cost, makespans

CELLS = [("symmetric", 2, 4), ("symmetric", 2, 5), ("symmetric", 3, 4), ("symmetric", 3, 5)]
CELLS += [("asymmetric", n, m) for _, n, m in CELLS]
# VCG's makespan and the full-information bound, each as the authors' program counts, then clamped; to about 0.003
VCG = [1.0322, 1.0126, 0.6096, 0.5637, 1.8349, 1.9613, 1.4213, 1.4672]
VCG_CLAMPED = [1.321, 1.353, 0.857, 0.859, 2.079, 2.242, 1.659, 1.749]
BOUND = [0.6634, 0.5618, 0.3305, 0.2452, 1.3257, 1.2520, 1.0043, 0.8897]
BOUND_CLAMPED = [1.143, 1.146, 0.810, 0.809, 1.687, 1.710, 1.390, 1.395]


def make(preset: str = "symmetric", n: int = 2, m: int = 4, **params: Any) -> TaskScheduling:
    return TaskScheduling(n=n, m=m, **{**TaskScheduling.presets[preset], **params})


def play(game: TaskScheduling, types: Any, reports: Any, parameters: Any) -> Any:
    """Play announced parameters (D,) or (B, D) of an affine maximiser out."""
    state: ReportingState = game.initial_state_from(types)
    state = game.advance(state, parameters + 0 * state.round[:, None], {})[0]
    return game.advance(state, reports, {})[0]


def draw(game: TaskScheduling, batch: int, seed: int) -> np.ndarray:
    return game.types_of(np.random.default_rng(seed).random((batch, game.n, game.draw_size)))


def rules(game: TaskScheduling, batch: int, rng: np.random.Generator) -> np.ndarray:
    """Return random weights and boosts (B, D), large ones among them."""
    boosts = rng.normal(size=(batch, game.n_boosts)) * rng.choice([0.1, 1, 5], (batch, 1))
    return np.concatenate([rng.normal(size=(batch, game.n)), boosts], axis=-1)


def loop(costs: np.ndarray, assignment: list[int], clock: Clock) -> float:
    """Return the makespan of one assignment, worker by worker and task by task."""
    left = [0.0] * len(costs)
    for task, worker in enumerate(assignment):
        for i in range(len(left)):
            if clock == "whole_units" and left[i] > 0:
                left[i] -= 1
            if clock == "clamped":
                left[i] = max(left[i] - 1, 0)
        left[worker] += costs[worker, task]
    return max(0.0, *left)


@pytest.mark.parametrize("clock", CLOCKS)
@pytest.mark.parametrize("n, m", [(2, 1), (2, 5), (3, 3), (4, 2)])
def test_makespans_of_all_paths(clock: Clock, n: int, m: int) -> None:
    game = make("asymmetric", n, m, clock=clock)
    costs = draw(game, 20, 0)
    found = game.makespans(costs)
    assert found.shape == (20, n**m)
    for path, flat in enumerate(game.mdp.paths):
        assignment = list(flat % n)  # the flat index is s * A + a
        np.testing.assert_allclose(found[:, path], [loop(c, assignment, clock) for c in costs], atol=1e-12)


@pytest.mark.parametrize("clock", CLOCKS)
def test_makespans_on_torch(clock: Clock) -> None:
    costs = draw(make(n=3, m=3), 4, 1)
    on_torch = torch.tensor(costs, requires_grad=True)
    found = makespans(on_torch, clock)
    np.testing.assert_allclose(found.detach().numpy(), makespans(costs, clock), atol=1e-12)
    direction = np.random.default_rng(2).normal(size=costs.shape)
    (gradient,) = torch.autograd.grad(found.sum(), on_torch)
    ahead, behind = (makespans(costs + sign * 1e-6 * direction, clock).sum() for sign in (1, -1))
    assert (gradient.numpy() * direction).sum() == pytest.approx((ahead - behind) / 2e-6, rel=1e-6)


def test_expected_makespan_of_a_randomised_policy() -> None:
    game = make(n=3, m=3, mechanism_mode="allocate")
    types, rng = draw(game, 5, 3), np.random.default_rng(4)
    policy = rng.dirichlet(np.ones(3), (5, game.mdp.n_states))
    state = game.advance(game.initial_state_from(types), types, {})[0]
    state, rewards, *_ = game.advance(state, game.joined(policy, np.zeros((5, 3))), {})
    expected = np.zeros(5)
    for path in game.mdp.paths:
        chance = policy.reshape(5, -1)[:, path].prod(-1)
        expected += chance * [loop(c, list(path % 3), "whole_units") for c in types]
    np.testing.assert_allclose(state.makespan, expected, atol=1e-12)
    np.testing.assert_allclose(rewards["mechanism"][:, 0], -expected, atol=1e-12)


@pytest.mark.parametrize("cell", range(8))
def test_vcg_makespan(cell: int) -> None:
    preset, n, m = CELLS[cell]
    game, clamped = make(preset, n, m), make(preset, n, m, clock="clamped")
    types = draw(game, 12_000, 10 + cell)
    parameters = np.zeros(game.n + game.n_boosts)
    played = [play(game, types[at : at + 2000], types[at : at + 2000], parameters) for at in range(0, 12_000, 2000)]
    found = np.concatenate([state.makespan for state in played])
    se = found.std() / np.sqrt(len(found))
    assert abs(found.mean() - VCG[cell]) <= 4 * np.hypot(se, 0.003)
    policy = played[0].reports.argmin(1)  # VCG gives each task to whoever finds it least costly
    path = (policy * n ** np.arange(m)[::-1]).sum(-1)
    np.testing.assert_allclose(played[0].makespan, game.makespans(types[:2000])[np.arange(2000), path], atol=1e-12)
    path = (types.argmin(1) * n ** np.arange(m)[::-1]).sum(-1)
    found = clamped.makespans(types)[np.arange(len(types)), path]
    assert abs(found.mean() - VCG_CLAMPED[cell]) <= 4 * np.hypot(found.std() / np.sqrt(len(found)), 0.003)


@pytest.mark.parametrize("cell", range(8))
def test_full_information_bound(cell: int) -> None:
    preset, n, m = CELLS[cell]
    game = make(preset, n, m)
    mean, se = game.full_information
    assert se < 0.004
    assert game.limit() == mean < VCG[cell]
    assert abs(mean - BOUND[cell]) <= 4 * np.hypot(se, 0.003)
    mean, se = full_information_makespan(game.distributions, m, "clamped")
    assert abs(mean - BOUND_CLAMPED[cell]) <= 4 * np.hypot(se, 0.003)


def test_least_cost_is_vcgs_welfare() -> None:
    game = make("asymmetric", 3, 3, objective="welfare", types="piecewise", masses=(0.6, 0.1, 0.3))
    types = draw(game, 20_000, 5)
    state = play(game, types, types, np.zeros(game.n + game.n_boosts))
    welfare = game.measure(state)
    assert game.limit() == pytest.approx(-3 * least_cost(game.distributions), abs=1e-12)
    assert abs(welfare.mean() - game.limit()) <= 4 * welfare.std() / np.sqrt(len(welfare))
    assert make("asymmetric", 2, 3).least_cost == pytest.approx(3 * 1.25, abs=1e-12)  # of U[0, 3], U[0, 6]
    assert make(objective="revenue").limit() is None


@pytest.mark.parametrize("preset, n, m", [("symmetric", 2, 3), ("asymmetric", 3, 3), ("asymmetric", 2, 5)])
def test_truth_is_best_and_nobody_loses(preset: str, n: int, m: int) -> None:
    game, rng = make(preset, n, m), np.random.default_rng(6)
    batch = 600
    types, others = draw(game, batch, 7), draw(game, batch, 8)
    parameters = rules(game, batch, rng)
    for i in range(n):
        truth = others.copy()
        truth[:, i] = types[:, i]
        honest = play(game, types, truth, parameters).payoffs[:, i]
        assert honest.min() >= -1e-9
        for scale in (0.05, 1.0):
            lie = truth.copy()
            noise = rng.normal(size=(batch, m)) * scale * game.type_range[1]
            lie[:, i] = np.clip(types[:, i] + noise, *game.type_range)
            assert (play(game, types, lie, parameters).payoffs[:, i] - honest).max() <= 1e-9


def test_workers_are_paid_what_their_absence_would_cost() -> None:
    game = make(n=2, m=1)
    types = np.array([[[1.0]], [[2.5]]]).transpose(1, 0, 2)
    state = play(game, types, types, np.zeros(game.n + game.n_boosts))
    np.testing.assert_allclose(state.payments, [[-2.5, 0.0]])  # a second-price auction of the task
    np.testing.assert_allclose(state.payoffs, [[1.5, 0.0]])


def test_path_measures() -> None:
    types = draw(make(n=3, m=2), 6, 9)
    costs = make(n=3, m=2, objective="welfare").path_measures(types)
    assert costs is not None
    expected = [[-(c[a, 0] + c[b, 1]) for a in range(3) for b in range(3)] for c in types]
    np.testing.assert_allclose(costs, expected, atol=1e-12)
    game = make(n=3, m=2)
    np.testing.assert_array_equal(game.path_measures(types), game.makespans(types))
    assert make(objective="revenue").path_measures(draw(make(), 2, 0)) is None


@pytest.mark.parametrize(
    "params, told",
    [
        ({"n": 1}, "n is 1"),
        ({"m": 0}, "m is 0"),
        ({"clock": "clampd"}, "did you mean 'clamped'"),
        ({"objective": "makespn"}, "did you mean 'makespan'"),
        ({"low": -1}, "costs of at least 0"),
        ({"high": [1, 2, 3]}, "one a participant"),
        ({"m": 40}, "40 rounds with 2 actions in each make 2,199,023,255,550 pairs .* allowed: 200,000; take fewer"),
        ({"m": 20_000}, r"20,000 rounds with 2 actions in each make more than 1e6020 pairs"),
    ],
)
def test_bad_parameters(params: dict[str, Any], told: str) -> None:
    with pytest.raises(ParameterError, match=told):
        TaskScheduling(**params)
