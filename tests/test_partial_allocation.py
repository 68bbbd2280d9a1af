"""Partial allocation: closed forms, its guarantees, and what it does and does not make honest."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch

from lawgiver.envs.solvers.fair_division.partial_allocation import kept_shares, partial_allocation
from lawgiver.envs.solvers.fair_division.proportional_fairness import solve


def drawn(seed: int, batch: int, n: int, m: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return values and demands (B, n, m) in [0.1, 1] and the supply n / 2 of each."""
    rng = np.random.default_rng(seed)
    return rng.uniform(0.1, 1, (batch, n, m)), rng.uniform(0.1, 1, (batch, n, m)), np.full(m, n / 2)


def of(values: Any, demands: Any, supply: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return the amounts (n, m) and the kept shares (n,) of one instance."""
    arrays = np.array([values], float), np.array([demands], float), np.array(supply, float)
    return np.asarray(partial_allocation(*arrays)[0]), np.asarray(kept_shares(*arrays)[0])


def utilities(amounts: np.ndarray, values: np.ndarray, demands: np.ndarray | None = None) -> np.ndarray:
    useful = amounts if demands is None else np.minimum(amounts, demands)
    return np.asarray((useful * values).sum(-1))


@pytest.mark.parametrize(("n", "kept"), [(2, 0.5), (3, 4 / 9), (5, 0.4096), (10, 0.9**9)])
def test_equals_who_compete_for_everything_keep_least(n: int, kept: float) -> None:
    amounts, shares = of(np.tile([0.3, 0.7], (n, 1)), np.full((n, 2), 3.0), [1.0, 2.0])
    assert np.allclose(shares, kept, atol=1e-9)
    assert np.allclose(amounts.sum(0) / [1.0, 2.0], kept, atol=1e-9)


@pytest.mark.parametrize(
    ("values", "demands", "amounts", "shares"),
    [
        ([[1.0], [1.0]], [[0.3], [1.0]], [[0.21], [0.7]], [0.7, 1.0]),
        ([[1.0], [1.0]], [[0.5], [1.0]], [[0.25], [0.5]], [0.5, 1.0]),
        ([[1.0, 0.1], [0.1, 1.0]], np.ones((2, 2)), np.eye(2) / 1.1, [1 / 1.1, 1 / 1.1]),
        ([[0.6, 0.4], [0.9, 0.1]], np.ones((2, 2)), [[0.125, 0.75], [5 / 12, 0.0]], [0.75, 0.5]),
    ],
)
def test_closed_forms(values: Any, demands: Any, amounts: Any, shares: Any) -> None:
    found = of(values, demands, np.ones(np.shape(values)[1]))
    assert np.allclose(found[0], amounts, atol=1e-9)
    assert np.allclose(found[1], shares, atol=1e-9)


def test_a_single_participant_keeps_everything() -> None:
    amounts, shares = of([[0.3, 0.7]], [[2.0, 0.5]], [1.0, 1.0])
    assert np.allclose(amounts, [[1.0, 0.5]], atol=1e-9)
    assert shares == 1.0


def test_shares_lie_within_their_bounds_with_weights_and_caps() -> None:
    values, demands, supply = drawn(1, 300, 5, 3)
    weights = np.random.default_rng(2).uniform(0.2, 3, (300, 5))
    for given in (None, weights):
        shares = kept_shares(values, demands, supply, given)
        own = np.ones((300, 5)) if given is None else weights
        others = own.sum(1, keepdims=True) - own
        assert (shares >= (1 + own / others) ** (-others / own) - 1e-8).all()
        assert (shares <= 1).all()
        fair = solve(values, demands, supply, given)
        burnt = partial_allocation(values, demands, supply, given)
        assert (utilities(burnt, values) > utilities(fair, values) / np.e).all()
        assert np.allclose(burnt, shares[..., None] * fair, atol=1e-12)
        assert (burnt <= demands).all()
        assert (burnt.sum(1) <= supply + 1e-12).all()


def test_shares_are_those_of_problems_solved_one_by_one() -> None:
    values, demands, supply = drawn(3, 20, 4, 3)
    weights = np.array([1.0, 2.0, 0.5, 1.5])
    fair = utilities(solve(values, demands, supply, weights), values)
    shares = kept_shares(values, demands, supply, weights)
    for i in range(4):
        rest = [k for k in range(4) if k != i]
        alone = utilities(solve(values[:, rest], demands[:, rest], supply, weights[rest]), values[:, rest])
        logs = (weights[rest] * (np.log(fair[:, rest]) - np.log(alone))).sum(1)
        assert (logs <= 1e-8).all()
        assert np.allclose(shares[:, i], np.exp(logs / weights[i]), atol=1e-8)


def test_enough_for_all_burns_nothing() -> None:
    values, demands, _ = drawn(4, 20, 5, 3)
    assert np.allclose(partial_allocation(values, demands, demands.sum(1)), demands, atol=1e-8)
    assert np.allclose(kept_shares(values, demands, demands.sum(1)), 1, atol=1e-8)


def test_burning_leads_from_proportional_fairness_to_partial_allocation() -> None:
    values, demands, supply = drawn(5, 50, 5, 3)
    ladder = [partial_allocation(values, demands, supply, burning=c) for c in (0.0, 0.25, 0.5, 1.0)]
    assert np.allclose(ladder[0], solve(values, demands, supply), atol=1e-12)
    assert np.array_equal(ladder[-1], partial_allocation(values, demands, supply))
    worth = [utilities(amounts, values) for amounts in ladder]
    for more, less in pairwise(worth):
        assert (more >= less).all()
        assert (more > less + 1e-6).any()
    each = partial_allocation(values, demands, supply, burning=np.linspace(0, 1, 50))
    assert np.allclose(each[-1], ladder[-1][-1])
    assert np.allclose(each[0], ladder[0][0])


def test_scale_of_values_and_order_of_participants_do_not_matter() -> None:
    values, demands, supply = drawn(6, 20, 5, 3)
    rng = np.random.default_rng(7)
    amounts = partial_allocation(values, demands, supply)
    scaled = partial_allocation(values * 10 ** rng.uniform(-3, 3, (20, 5, 1)), demands, supply)
    order = rng.permutation(5)
    assert np.allclose(scaled, amounts, atol=1e-8)
    assert np.allclose(partial_allocation(values[:, order], demands[:, order], supply), amounts[:, order], atol=1e-8)


def test_nobody_gains_by_other_values_or_by_less_demand() -> None:
    values, demands, supply = drawn(8, 100, 3, 2)
    rng = np.random.default_rng(9)
    truth = utilities(partial_allocation(values, demands, supply), values)[:, 0]
    for _ in range(20):
        lie, less = values.copy(), demands.copy()
        lie[:, 0] = 10 ** rng.uniform(-2, 0, (100, 2))
        less[:, 0] = demands[:, 0] * rng.choice([1.0, rng.uniform()])
        found = utilities(partial_allocation(lie, less, supply), values, demands)[:, 0]
        assert (found <= truth + 1e-8).all()


def test_asking_for_more_than_one_can_use_pays() -> None:
    """Against a demand of 1, d' gets d' (1 - d') up to a half, and a quarter beyond: with 0.3 the truth is 0.21."""
    asked = np.linspace(0.3, 1, 71)
    demands = np.stack([asked, np.ones(71)], axis=1)[..., None]
    got = partial_allocation(np.ones((71, 2, 1)), demands, np.ones(1))[:, 0, 0]
    assert np.allclose(got, np.where(asked < 0.5, asked * (1 - asked), 0.25), atol=1e-9)
    assert got[0] == pytest.approx(0.21)
    assert got.max() == pytest.approx(0.25)


def test_without_binding_caps_nobody_envies() -> None:
    values, _, supply = drawn(10, 100, 4, 3)
    amounts = partial_allocation(values, np.broadcast_to(supply, values.shape), supply)
    own = utilities(amounts, values)
    assert (np.einsum("bij,bkj->bik", values, amounts) <= own[..., None] + 1e-8).all()


def test_numpy_and_torch_agree() -> None:
    values, demands, supply = drawn(11, 30, 5, 3)
    there = partial_allocation(*(torch.tensor(array) for array in (values, demands, supply)), burning=0.5)
    assert np.allclose(partial_allocation(values, demands, supply, burning=0.5), there.numpy(), atol=1e-9)


@pytest.mark.parametrize("seed", range(3))
def test_gradients_of_utilities(seed: int) -> None:
    values, demands, supply = drawn(20 + seed, 3, 4, 2)
    rng = np.random.default_rng(seed)
    direction = torch.tensor(rng.normal(size=(3, 4)))
    true, stock = torch.tensor(values), torch.tensor(0.7 * supply)

    def worth(v: Any, d: Any) -> Any:
        return (direction * (true * partial_allocation(v, d, stock)).sum(-1)).sum()

    tensors = [torch.tensor(array, requires_grad=True) for array in (values, demands)]
    gradients = torch.autograd.grad(worth(*tensors), tensors)
    for k, gradient in enumerate(gradients):
        way = torch.tensor(rng.normal(size=values.shape))
        ends = []
        for sign in (1, -1):
            moved = [tensor.detach() for tensor in tensors]
            moved[k] = moved[k] + sign * 1e-6 * way
            ends.append(float(worth(*moved)))
        assert float((gradient * way).sum()) == pytest.approx((ends[0] - ends[1]) / 2e-6, rel=1e-4, abs=1e-6)
