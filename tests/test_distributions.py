"""Distributions of types, ironed virtual values and Myerson's revenue against closed forms, brute force and samples."""

from __future__ import annotations

import array_api_compat.torch  # noqa: F401 - torch through the array API
import numpy as np
import pytest
import torch

from lawgiver.envs.core.errors import ParameterError
from lawgiver.envs.solvers.auctions.distributions import Distribution
from lawgiver.envs.solvers.auctions.myerson import myerson_revenue

UNIFORM = Distribution(0, 1)
HUMPED = {
    "halves": Distribution(0, 1, (0.5, 0.5)),
    "rising": Distribution(0, 1, (0.1, 0.9)),
    "falling": Distribution(0, 3, (0.9, 0.1)),
    "two humps": Distribution(0, 1, (0.5, 0.1, 0.4)),
    "gap": Distribution(0, 1, (0.5, 0, 0.5)),
    "three humps": Distribution(0.2, 1.4, (0.3, 0.05, 0.3, 0.05, 0.3)),
    "negative": Distribution(-2, -1, (0.2, 0.7, 0.1)),
    "many": Distribution(0, 5, tuple(np.random.default_rng(3).dirichlet(np.full(12, 1.5)))),
}
TABLE_1 = {(2, 2): 0.5, (3, 2): 0.7186, (4, 2): 0.8999, (5, 2): 1.0468, (3, 3): 0.75, (4, 3): 0.9879, (5, 3): 1.2027}
TABLE_2 = {(2, 2): 0.375, (3, 2): 0.4435, (4, 2): 0.4823, (5, 2): 0.5055, (3, 3): 0.4583, (4, 3): 0.5158}


def reciprocal(n: int) -> list[Distribution]:
    return [Distribution(0, 1 / i) for i in range(1, n + 1)]


@pytest.mark.parametrize("name", HUMPED)
def test_quantile_and_cdf_are_inverse(name: str) -> None:
    distribution = HUMPED[name]
    u = np.random.default_rng(0).random((200, 1000))
    v = distribution.quantile(u)
    assert v.shape == u.shape
    assert v.min() >= distribution.low and v.max() <= distribution.high
    np.testing.assert_allclose(distribution.cdf(v), u, atol=1e-12)
    assert abs(v.mean() - distribution.mean) <= 4 * v.std() / np.sqrt(v.size)
    shares = np.diff(distribution.cdf(np.linspace(distribution.low, distribution.high, len(distribution.masses) + 1)))
    np.testing.assert_allclose(shares, distribution.masses, atol=1e-12)


@pytest.mark.parametrize("name", HUMPED)
def test_ironed_virtual_value_is_the_slope_of_the_hull(name: str) -> None:
    distribution = HUMPED[name]
    q = np.linspace(0, 1, 4001)
    revenue = q * distribution.quantile(1 - q)
    phi = distribution.virtual_value(distribution.quantile(1 - (q[1:] + q[:-1]) / 2))
    assert (np.diff(phi) <= 1e-9).all()  # q runs downwards in the value
    hull = np.concatenate([[0], np.cumsum(phi) / 4000])  # the integral of the slope, to the order of the step
    assert (hull >= revenue - 2e-3 * abs(distribution.high)).all()
    segments = distribution.segments
    mean = segments.masses @ (segments.first + segments.last) / 2
    assert mean == pytest.approx(distribution.low, abs=1e-9)  # both ends of the hull are on the curve
    off = hull > revenue + 5e-3 * abs(distribution.high)
    changes = np.abs(np.diff(phi, append=phi[-1:]))
    assert (changes[off[1:] & np.roll(off, 1)[1:]] < 1e-9).all()  # and where it leaves the curve it is straight


def test_uniform_is_regular() -> None:
    v = np.linspace(1, 3, 50)
    np.testing.assert_allclose(Distribution(1, 3).virtual_value(v), 2 * v - 3, atol=1e-14)
    np.testing.assert_allclose(HUMPED["halves"].virtual_value(v - 1.5), 2 * np.clip(v - 1.5, 0, 1) - 1, atol=1e-12)


@pytest.mark.parametrize("name", HUMPED)
def test_one_bidder_pays_the_best_posted_price(name: str) -> None:
    distribution = HUMPED[name]
    price = np.linspace(distribution.low, distribution.high, 1_000_001)
    best = max(0.0, (price * (1 - distribution.cdf(price))).max())
    assert myerson_revenue([distribution], 1) == pytest.approx(best, abs=1e-6)
    assert myerson_revenue([distribution], 1) >= best - 1e-12


@pytest.mark.parametrize("n", [1, 2, 7, 40])
def test_enough_items_sell_at_separate_prices(n: int) -> None:
    assert myerson_revenue([UNIFORM] * n, n) == pytest.approx(n / 4, abs=1e-12)
    assert myerson_revenue([UNIFORM] * n, 3 * n) == pytest.approx(n / 4, abs=1e-12)


@pytest.mark.parametrize("n", [2, 3, 5, 9])
def test_one_item_among_uniform_bidders(n: int) -> None:
    # an auction with reserve 1/2: (n - 1)/(n + 1) + (1/2)^n / (n + 1)
    expected = (n - 1 + 0.5**n) / (n + 1)
    assert myerson_revenue([UNIFORM] * n, 1) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("n, m", TABLE_1)
def test_limits_of_sales(n: int, m: int) -> None:
    assert myerson_revenue([UNIFORM] * n, m) == pytest.approx(TABLE_1[n, m], abs=1.2e-3)
    if (n, m) in TABLE_2:
        assert myerson_revenue(reciprocal(n), m) == pytest.approx(TABLE_2[n, m], abs=1.2e-3)


@pytest.mark.parametrize("m", [1, 2, 3])
def test_agrees_with_a_sample(m: int) -> None:
    bidders = [UNIFORM, HUMPED["falling"], HUMPED["gap"], Distribution(-1, 0.5), HUMPED["three humps"]]
    u = np.random.default_rng(1).random((200_000, len(bidders)))
    phi = np.stack([d.virtual_value(d.quantile(u[:, i])) for i, d in enumerate(bidders)], axis=-1)
    top = np.sort(np.maximum(phi, 0), axis=-1)[:, -m:].sum(-1)
    assert abs(top.mean() - myerson_revenue(bidders, m)) <= 4 * top.std() / np.sqrt(len(top))
    assert myerson_revenue(bidders[::-1], m) == pytest.approx(myerson_revenue(bidders, m), abs=1e-12)


def test_nothing_to_earn() -> None:
    assert myerson_revenue([HUMPED["negative"]] * 2, 1) == 0.0


@pytest.mark.parametrize("name", HUMPED)
def test_torch_does_the_same_and_differentiates(name: str) -> None:
    distribution = HUMPED[name]
    u = np.random.default_rng(2).random(500)
    u_torch = torch.tensor(u, requires_grad=True)
    v = distribution.quantile(u_torch)
    np.testing.assert_allclose(v.detach().numpy(), distribution.quantile(u), atol=1e-12)
    phi, cdf = distribution.virtual_value(v), distribution.cdf(v)
    np.testing.assert_allclose(phi.detach().numpy(), distribution.virtual_value(distribution.quantile(u)), atol=1e-12)
    (gradient,) = torch.autograd.grad(cdf.sum(), u_torch, retain_graph=True)
    np.testing.assert_allclose(gradient.numpy(), 1, atol=1e-9)
    (slope,) = torch.autograd.grad(phi.sum(), v)
    assert ((slope.abs() < 1e-12) | ((slope - 2).abs() < 1e-12)).all()


@pytest.mark.parametrize(
    "params, told",
    [
        ({"low": 1, "high": 1}, "high is 1"),
        ({"low": float("nan"), "high": 1}, "low is nan"),
        ({"low": 0, "high": float("inf")}, "high is inf"),
        ({"low": 0, "high": 1, "masses": ()}, "one or more pieces"),
        ({"low": 0, "high": 1, "masses": (0, 0)}, "some of them above 0"),
        ({"low": 0, "high": 1, "masses": (1.5, -0.5)}, r"masses\[1\] is -0.5"),
        ({"low": 0, "high": 1, "masses": "1"}, "masses is '1'"),
    ],
)
def test_bad_parameters(params: dict[str, object], told: str) -> None:
    with pytest.raises(ParameterError, match=told):
        Distribution(**params)


def test_masses_are_relative() -> None:
    assert Distribution(0, 1, (5, 1, 4)) == Distribution(0, 1, (0.5, 0.1, 0.4))


def test_bad_number_of_items() -> None:
    with pytest.raises(ParameterError, match="m is 0"):
        myerson_revenue([UNIFORM], 0)
