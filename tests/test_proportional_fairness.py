"""Proportional fairness: closed forms, the certificate, another solver, gradients, and inputs at the edge."""

from __future__ import annotations

from typing import Any

import cvxpy as cp
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lawgiver.envs.core.errors import ConvergenceError, ParameterError
from lawgiver.envs.payment_free_allocation.sharing import water_filling
from lawgiver.envs.solvers.fair_division import interior_point
from lawgiver.envs.solvers.fair_division.partial_allocation import partial_allocation
from lawgiver.envs.solvers.fair_division.proportional_fairness import (
    GAP,
    duality_gap,
    proportional_fairness,
    solve,
)


def drawn(seed: int, batch: int, n: int, m: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return values and demands (B, n, m) in [0.1, 1] and the supply n / 2 of each."""
    rng = np.random.default_rng(seed)
    return rng.uniform(0.1, 1, (batch, n, m)), rng.uniform(0.1, 1, (batch, n, m)), np.full(m, n / 2)


def fair(values: Any, demands: Any, supply: Any, weights: Any = None) -> np.ndarray:
    """Return the amounts (n, m) of one instance."""
    amounts = proportional_fairness(np.array([values], float), np.array([demands], float), supply, weights).amounts
    return np.asarray(amounts[0])


def utilities(amounts: np.ndarray, values: np.ndarray) -> np.ndarray:
    return np.asarray((amounts * values).sum(-1))


def feasible(rng: np.random.Generator, demands: np.ndarray, supply: np.ndarray) -> np.ndarray:
    """Return allocations (B, n, m) at the edge of what is feasible: in random order each takes what it can, or less."""
    order = rng.permuted(np.broadcast_to(np.arange(demands.shape[1])[:, None], demands.shape), axis=1)
    wanted = np.take_along_axis(demands * rng.uniform(0, 1, demands.shape) ** rng.choice([0.0, 1.0]), order, axis=1)
    before = np.cumsum(wanted, axis=1) - wanted
    taken = np.minimum(wanted, np.maximum(supply - before, 0))
    out = np.zeros_like(demands)
    np.put_along_axis(out, order, taken, axis=1)
    return out


@pytest.mark.parametrize("n", [2, 3, 10])
def test_equals_share_equally(n: int) -> None:
    values = np.tile([0.3, 0.7, 0.2], (n, 1))
    assert np.allclose(fair(values, np.full((n, 3), 5.0), [1.0, 2.0, 5.0]), np.array([1.0, 2.0, 5.0]) / n, atol=1e-9)


def test_one_resource_is_filled_to_a_level_whatever_it_is_worth() -> None:
    rng = np.random.default_rng(1)
    demands = rng.uniform(0.1, 1, (200, 4, 1))
    for weights in (np.ones(4), np.array([0.5, 1.0, 2.0, 3.0])):
        amounts = proportional_fairness(rng.uniform(0.1, 1, demands.shape), demands, [1.5], weights).amounts
        assert np.allclose(amounts, water_filling(demands, np.array([1.5]), weights), atol=1e-8)


@pytest.mark.parametrize(
    ("values", "demands", "expected"),
    [
        ([[1.0], [1.0]], [[0.3], [1.0]], [[0.3], [0.7]]),
        ([[1.0], [1.0]], [[0.5], [1.0]], [[0.5], [0.5]]),
        ([[1.0, 0.1], [0.1, 1.0]], np.ones((2, 2)), np.eye(2)),
        ([[0.6, 0.4], [0.9, 0.1]], np.ones((2, 2)), [[1 / 6, 1.0], [5 / 6, 0.0]]),
    ],
)
def test_closed_forms(values: Any, demands: Any, expected: Any) -> None:
    assert np.allclose(fair(values, demands, np.ones(np.shape(values)[1])), expected, atol=1e-9)


def test_of_one_resource_nobody_gains_by_any_report() -> None:
    values, demands, _ = drawn(2, 200, 4, 1)
    rng = np.random.default_rng(3)

    def worth(reported: np.ndarray, asked: np.ndarray) -> np.ndarray:
        useful = np.minimum(solve(reported, asked, np.array([1.2])), demands)
        return utilities(useful, values)[:, 0]

    truth = worth(values, demands)
    for _ in range(20):
        lie, asked = values.copy(), demands.copy()
        lie[:, 0], asked[:, 0] = rng.uniform(0.1, 1, (2, 200, 1))
        assert (worth(lie, asked) <= truth + 1e-8).all()


def test_weights_are_shares_of_one_resource() -> None:
    assert np.allclose(fair([[1.0], [5.0]], [[9.0], [9.0]], [1.0], [3.0, 1.0]), [[0.75], [0.25]], atol=1e-9)


def test_a_lie_about_values_pays_until_it_ties() -> None:
    """With (a, 1 - a) reported for (0.6, 0.4) against (0.9, 0.1), x_11 = (2a - 1) / 2a, up to a gain of a third."""
    for a in (0.51, 0.6, 0.7, 0.8, 0.89):
        amounts = fair([[a, 1 - a], [0.9, 0.1]], np.ones((2, 2)), [1.0, 1.0])
        assert amounts[0] @ [0.6, 0.4] == pytest.approx(0.6 * (2 * a - 1) / (2 * a) + 0.4, abs=1e-8)
    assert amounts[0] @ [0.6, 0.4] == pytest.approx(0.66292, abs=1e-5)


def test_certificate_against_random_feasible_allocations() -> None:
    values, demands, supply = drawn(2, 1000, 5, 3)
    found = proportional_fairness(values, demands, supply)
    rng = np.random.default_rng(3)
    weights = rng.uniform(0.1, 3, (1000, 5))
    weighted = solve(values, demands, supply, weights)
    for _ in range(5):
        other = utilities(feasible(rng, demands, supply), values)
        assert (np.sum(other / utilities(found.amounts, values), -1) <= 5 + found.gap + 1e-12).all()
        sums = np.sum(weights * other / utilities(weighted, values), -1)
        assert (sums <= weights.sum(-1) * (1 + GAP)).all()


def test_scale_of_values_and_order_of_participants_do_not_matter() -> None:
    values, demands, supply = drawn(4, 50, 6, 3)
    rng = np.random.default_rng(5)
    amounts = solve(values, demands, supply)
    assert np.allclose(solve(values * 10 ** rng.uniform(-5, 5, (50, 6, 1)), demands, supply), amounts, atol=1e-8)
    order = rng.permutation(6)
    assert np.allclose(solve(values[:, order], demands[:, order], supply), amounts[:, order], atol=1e-8)


def test_nothing_wanted_is_left_and_everybody_gets_a_fair_part() -> None:
    values, demands, supply = drawn(6, 300, 5, 3)
    amounts = solve(values, demands, supply)
    wanted = np.minimum(supply, demands.sum(1))
    assert np.allclose(amounts.sum(1), wanted, atol=1e-8)
    alone = utilities(np.minimum(demands, supply), values)
    assert (utilities(amounts, values) >= alone / 5 - 1e-9).all()


def test_without_binding_caps_nobody_envies_or_falls_below_an_equal_split() -> None:
    values, _, supply = drawn(7, 200, 5, 3)
    amounts = solve(values, np.broadcast_to(supply, values.shape), supply)
    own = utilities(amounts, values)
    assert (own >= utilities(np.broadcast_to(supply / 5, values.shape), values) - 1e-8).all()
    assert (np.einsum("bij,bkj->bik", values, amounts) <= own[..., None] + 1e-8).all()


def test_enough_for_all_is_for_all() -> None:
    values, demands, _ = drawn(8, 50, 5, 3)
    assert np.allclose(solve(values, demands, demands.sum(1)), demands, atol=1e-8)


def test_value_reports_without_caps_gain_at_most_as_much_again() -> None:
    rng = np.random.default_rng(9)
    values = rng.uniform(0.1, 1, (200, 3, 3))
    demands, supply = np.full(values.shape, 1.0), np.ones(3)
    truth = utilities(solve(values, demands, supply), values)[:, 0]
    for _ in range(20):
        lie = values.copy()
        lie[:, 0] = 10 ** rng.uniform(-2, 0, (200, 3))
        assert (utilities(solve(lie, demands, supply), values)[:, 0] <= 2 * truth + 1e-8).all()


def kkt_products(amounts: np.ndarray, values: np.ndarray, demands: np.ndarray, supply: np.ndarray) -> np.ndarray:
    """Return the complementarity products (B,), of prices found by bisection on what is demanded at a price."""
    gradient = values / utilities(amounts, values)[..., None]
    low, high = np.zeros((len(values), values.shape[2])), gradient.max(1)
    for _ in range(200):
        middle = (low + high) / 2
        more = np.where(gradient > middle[:, None], demands, 0).sum(1) > supply
        low, high = np.where(more, middle, low), np.where(more, high, middle)
    over = gradient - high[:, None]
    idle = np.where(high > 1e-300, high, 0) * (supply - amounts.sum(1))
    return np.concatenate(
        [idle, (np.maximum(over, 0) * (demands - amounts)).sum(2), (np.maximum(-over, 0) * amounts).sum(2)], axis=1
    )


def test_gap_is_the_sum_of_complementarity_products_none_below_zero() -> None:
    values, demands, supply = drawn(10, 100, 5, 3)
    best = solve(values, demands, supply)
    for amounts in (best, 0.5 * (best + feasible(np.random.default_rng(1), demands, supply))):
        products = kkt_products(amounts, values, demands, supply)
        assert products.min() > -1e-12
        assert np.allclose(products.sum(1), duality_gap(amounts, values, demands, supply, None), atol=1e-11)


def test_gap_bounds_the_objective_and_is_infinite_for_who_gets_nothing() -> None:
    values, demands, supply = drawn(11, 100, 5, 3)
    supply = 0.6 * supply
    best = solve(values, demands, supply)
    rationed = demands * np.minimum(1, supply / demands.sum(1))[:, None]
    lost = np.log(utilities(best, values)).sum(-1) - np.log(utilities(rationed, values)).sum(-1)
    gap = duality_gap(rationed, values, demands, supply, None)
    assert (gap >= lost).all()
    assert gap.min() > 1e-4
    rationed[:, 0] = 0
    assert np.isinf(duality_gap(rationed, values, demands, supply, None)).all()


CASES = ["plain", "weights", "no caps", "charges", "charges and ridge", "sparse"]


@pytest.mark.parametrize("case", CASES)
def test_objective_is_that_of_clarabel(case: str) -> None:
    rng = np.random.default_rng(CASES.index(case))
    n, m, batch = 5, 3, 8
    values, demands, supply = drawn(20 + CASES.index(case), batch, n, m)
    supply = rng.uniform(0.2, 0.6, (batch, m)) * n
    weights = rng.uniform(0.2, 5, (batch, n)) if case == "weights" else np.ones((batch, n))
    demands = demands + 100 if case == "no caps" else demands
    charges = rng.uniform(-1, 2, values.shape) if "charges" in case else np.zeros(values.shape)
    ridge = 0.3 if "ridge" in case else 0.0
    if case == "sparse":
        demands = demands * (rng.random(demands.shape) < 0.6)
        demands[..., 0] += (demands.sum(-1) == 0) * 0.5
    amounts = solve(values, demands, supply, weights, charges=charges, ridge=ridge)

    def objective(x: np.ndarray, i: int) -> float:
        logs = (weights[i] * np.log((values[i] * x).sum(-1))).sum()
        return float(logs - (charges[i] * x).sum() - ridge / 2 * (x**2).sum())

    for i in range(batch):
        x = cp.Variable((n, m), nonneg=True)
        logs = weights[i] @ cp.log(cp.sum(cp.multiply(values[i], x), axis=1))
        other = logs - cp.sum(cp.multiply(charges[i], x)) - ridge / 2 * cp.sum_squares(x)
        problem = cp.Problem(cp.Maximize(other), [x <= demands[i], cp.sum(x, axis=0) <= supply[i]])
        problem.solve(solver=cp.CLARABEL, tol_gap_abs=1e-10, tol_gap_rel=1e-10, tol_feas=1e-10)
        assert objective(amounts[i], i) == pytest.approx(problem.value, abs=1e-7)


def test_numpy_and_torch_agree() -> None:
    values, demands, supply = drawn(12, 60, 6, 4)
    charges = np.random.default_rng(0).uniform(-0.5, 1, values.shape)
    there = solve(*(torch.tensor(a) for a in (values, demands, supply)), charges=torch.tensor(charges))
    assert np.allclose(solve(values, demands, supply, charges=charges), there.numpy(), atol=1e-9)
    single = proportional_fairness(*(torch.tensor(a, dtype=torch.float32) for a in (values, demands, supply)))
    assert single.amounts.dtype == torch.float32
    assert single.gap.max() < 1e-8 * 6
    plain = proportional_fairness(values.astype(np.float32), demands.astype(np.float32), supply).amounts
    assert plain.dtype == np.float32
    assert np.allclose(plain, single.amounts.numpy(), atol=1e-6)


def slopes(function: Any, arrays: list[np.ndarray], seed: int, h: float) -> tuple[np.ndarray, np.ndarray]:
    """Return slopes along random directions of each array in turn, (k,) each: of autograd and of differences."""
    rng = np.random.default_rng(seed)
    tensors = [torch.tensor(array, requires_grad=True) for array in arrays]
    gradients = torch.autograd.grad(function(*tensors), tensors)
    found, differences = [], []
    for k, gradient in enumerate(gradients):
        direction = torch.tensor(rng.normal(size=arrays[k].shape))
        ends = []
        for sign in (1, -1):
            moved = [tensor.detach() for tensor in tensors]
            moved[k] = moved[k] + sign * h * direction
            ends.append(float(function(*moved)))
        found.append(float((gradient * direction).sum()))
        differences.append((ends[0] - ends[1]) / (2 * h))
    return np.array(found), np.array(differences)


@pytest.mark.parametrize("ridge", [0.0, 0.2])
@pytest.mark.parametrize("seed", range(5))
def test_gradients_of_the_smooth_layer(seed: int, ridge: float) -> None:
    values, demands, supply = drawn(30 + seed, 3, 4, 3)
    rng = np.random.default_rng(seed)
    charges, weights = rng.uniform(-0.2, 0.5, values.shape), rng.uniform(0.5, 2, 4)
    direction = torch.tensor(rng.normal(size=values.shape))

    def layer(v: Any, d: Any, z: Any, b: Any, w: Any) -> Any:
        return (direction * solve(v, d, b, w, charges=z, ridge=ridge, barrier=1e-3)).sum()

    found, differences = slopes(layer, [values, demands, charges, 0.7 * supply, weights], seed, 1e-5)
    assert np.allclose(found, differences, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("seed", range(5))
def test_gradients_of_exact_utilities(seed: int) -> None:
    values, demands, supply = drawn(40 + seed, 3, 4, 3)
    direction = torch.tensor(np.random.default_rng(seed).normal(size=values.shape[:2]))

    def worth(v: Any, d: Any, b: Any) -> Any:
        return (direction * (torch.tensor(values) * solve(v, d, b)).sum(-1)).sum()

    found, differences = slopes(worth, [values, demands, 0.7 * supply], seed, 1e-6)
    assert np.allclose(found, differences, rtol=1e-4, atol=1e-6)


def test_no_charges_and_no_ridge_are_proportional_fairness_and_charges_reach_any_target() -> None:
    values, demands, supply = drawn(13, 50, 5, 3)
    plain = solve(values, demands, supply)
    assert np.allclose(solve(values, demands, supply, charges=np.zeros(values.shape), ridge=0.0), plain, atol=1e-6)
    target = 0.6 * demands * np.minimum(1, supply / demands.sum(1))[:, None]
    reached = solve(values, demands, supply, charges=values / utilities(target, values)[..., None])
    assert np.allclose(utilities(reached, values), utilities(target, values), atol=1e-6)


def test_barriers_vanish_into_the_exact_solution() -> None:
    values, demands, supply = drawn(14, 20, 5, 3)
    exact = utilities(solve(values, demands, supply), values)
    off = [abs(utilities(solve(values, demands, supply, barrier=b), values) - exact).max() for b in (1e-2, 1e-5, 1e-8)]
    assert off[0] > off[1] > off[2]
    assert off[2] < 1e-4


def test_absent_participants_and_worthless_cells_get_exactly_nothing() -> None:
    values, demands, supply = drawn(15, 20, 5, 3)
    values[:, 1], demands[:, 2], values[:, 3, 0], demands[:, 4, 1] = 0, 0, 0, 0
    amounts = solve(values, demands, 0.5 * supply)
    assert not amounts[:, 1:3].any()
    assert not amounts[:, 3, 0].any()
    assert not amounts[:, 4, 1].any()
    there = [0, 3, 4]
    assert np.allclose(amounts[:, there], solve(values[:, there], demands[:, there], 0.5 * supply), atol=1e-8)
    assert not solve(0 * values, demands, supply).any()


@st.composite
def extremes(draw: st.DrawFn) -> dict[str, Any]:
    """Return legal instances whose numbers lie up to twelve orders of magnitude apart, some of them equal or 0."""
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    n, m = draw(st.sampled_from([1, 2, 3, 7, 20, 50])), draw(st.sampled_from([1, 2, 3, 8, 20]))
    orders = {key: draw(st.sampled_from([0.0, 1.0, 6.0])) for key in ("values", "demands", "supply")}
    arrays = {
        "values": 10 ** rng.uniform(-orders["values"], orders["values"], (2, n, m)),
        "demands": 10 ** rng.uniform(-orders["demands"], orders["demands"], (2, n, m)),
        "supply": 10 ** rng.uniform(-orders["supply"], orders["supply"], (2, m)),
        "weights": 10 ** rng.uniform(-2, 2, (2, n)) if draw(st.booleans()) else np.ones((2, n)),
    }
    if draw(st.booleans()):
        arrays = {key: np.ceil(2 * array / array.max()) for key, array in arrays.items()}  # ties
    if draw(st.booleans()):
        arrays["values"] = arrays["values"] * (rng.random((2, n, m)) < 0.5)
    if draw(st.booleans()):
        arrays["charges"] = rng.uniform(-1, 2, (2, n, m))
        arrays["ridge"] = draw(st.sampled_from([0.0, 0.1, 10.0]))
    return arrays


@settings(max_examples=60, deadline=None, derandomize=True)
@given(extremes())
def test_extreme_instances_are_solved_and_certified(instance: dict[str, Any]) -> None:
    amounts = solve(**instance)
    demands, supply = instance["demands"], instance["supply"]
    assert (amounts >= 0).all()
    assert (amounts <= demands).all()
    assert (amounts.sum(1) <= supply * (1 + 1e-15)).all()
    gap = duality_gap(amounts, **instance)
    assert (gap <= GAP * instance["weights"].sum(-1)).all()


def test_an_instance_on_which_the_corrector_went_in_a_circle_is_solved() -> None:
    values = np.array([[[1, 0.9920366272535693], [0, 0], [0.9961383966039722, 1]]])
    demands = np.array([[[1, 1], [0.9187625698315811, 1], [0.7063278294787405, 1]]])
    amounts = solve(values, demands, np.full(2, 1.5))
    assert (amounts[:, 1] == 0).all() and (amounts.sum(1) <= 1.5 + 1e-9).all()
    assert duality_gap(amounts, values, demands, np.full(2, 1.5), np.ones(3)).max() <= GAP


def test_what_is_not_solved_is_an_error_with_its_gap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interior_point, "STEPS", 3)
    values, demands, supply = drawn(16, 4, 5, 3)
    with pytest.raises(ConvergenceError, match=r"instance 0 of 4 .* duality gap is [0-9.]+"):
        solve(values, demands, supply)


BAD: list[tuple[dict[str, Any], str]] = [
    ({"values": np.full((1, 2, 2), np.nan)}, "values of instance 0, participant 0, resource 0: nan"),
    ({"demands": np.array([[[1.0, 1.0], [1.0, -1.0]]])}, "demands of instance 0, participant 1, resource 1: -1"),
    ({"demands": np.array([[[1.0, np.inf], [1.0, 1.0]]])}, "participant 0, resource 1: inf"),
    ({"supply": np.array([1.0, 0.0])}, "supply of resource 1: 0.0, allowed: finite numbers above 0"),
    ({"supply": np.array([[1.0, -3.0]])}, "supply of instance 0, resource 1: -3"),
    ({"weights": np.array([1.0, 0.0])}, "weights of participant 1: 0"),
    (
        {"values": np.array([[[1.0, 0.0], [1.0, 1.0]]]), "demands": np.array([[[0.0, 1.0], [1.0, 1.0]]])},
        "participant 0",
    ),
    (
        {"supply": np.ones(3)},
        r"the shape of supply is \(3,\), allowed beside values \(1, 2, 2\): \(2,\) or \(1, 2\)",
    ),
    ({"demands": np.ones((1, 2, 3))}, "the shape of demands is"),
    ({"weights": np.ones(3)}, "the shape of weights is"),
    ({"values": np.ones((2, 2))}, "the shape of values is"),
]


@pytest.mark.parametrize(("change", "message"), BAD)
@pytest.mark.parametrize("backend", [np.asarray, torch.as_tensor])
def test_bad_input_is_named(change: dict[str, Any], message: str, backend: Any) -> None:
    good = {"values": np.ones((1, 2, 2)), "demands": np.ones((1, 2, 2)), "supply": np.ones(2), "weights": np.ones(2)}
    arrays = {key: backend(array) for key, array in {**good, **change}.items()}
    with pytest.raises(ParameterError, match=message):
        proportional_fairness(**arrays)
    if message != "participant 0":  # where absent participants have nothing to keep
        with pytest.raises(ParameterError, match=message):
            partial_allocation(**arrays)


def test_values_that_are_no_array_are_named() -> None:
    with pytest.raises(ParameterError, match=r"values are a list, allowed: an array \(B, n, m\)"):
        proportional_fairness([[[1.0]]], np.ones((1, 1, 1)), np.ones(1))


@pytest.mark.parametrize("name", ["values", "demands", "charges"])
def test_what_is_no_number_is_never_taken_for_nothing(name: str) -> None:
    values, demands, supply = drawn(17, 4, 3, 2)
    arrays = {"values": values, "demands": demands, "charges": np.zeros(values.shape)}
    arrays[name][2, 1, 0] = np.nan
    with pytest.raises(ConvergenceError, match="instance 2 of 4"):
        solve(supply=supply, **arrays)


def test_demands_beyond_all_supply_count_as_all_of_it() -> None:
    values, demands, supply = drawn(18, 20, 6, 3)
    expected = demands.copy()
    expected[:, ::2] = supply
    for most in (1e18, np.inf):  # beside which other demands are lost by rounding
        demands[:, ::2] = most
        assert np.array_equal(solve(values, demands, supply), solve(values, expected, supply))


@pytest.mark.parametrize("backend", [np.asarray, torch.as_tensor])
def test_whole_numbers_are_shared_in_fractions(backend: Any) -> None:
    arrays = [backend(np.ones(shape, int)) for shape in ((1, 2, 2), (1, 2, 2), (2,))]
    assert np.allclose(solve(*arrays), 0.5, atol=1e-9)
    assert np.allclose(partial_allocation(*arrays), 0.25, atol=1e-9)


def test_no_instances_have_no_allocations() -> None:
    found = proportional_fairness(np.ones((0, 3, 2)), np.ones((0, 3, 2)), np.ones(2))
    assert found.amounts.shape == (0, 3, 2)
    assert found.gap.shape == (0,)


@pytest.mark.parametrize(("n", "m"), [(1, 1), (5, 3), (7, 8)])
def test_an_instance_comes_out_the_same_to_the_last_bit_in_any_company(n: int, m: int) -> None:
    values, demands, supply = drawn(19, 300, n, m)
    whole = solve(values, demands, supply)
    for size in (1, 2, 3, 100):
        assert np.array_equal(solve(values[:size], demands[:size], supply), whole[:size])
    assert np.array_equal(solve(values[::-1], demands[::-1], supply), whole[::-1])
