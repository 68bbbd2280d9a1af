"""The distribution of the fraction of an offer that is returned: both settings, both backends, its gradients."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lawgiver.agents.returned_fractions import AIMS, ANY, EVERYTHING, NOTHING, SCALE, ReturnedFraction


def mixtures(seed=0, batch=6, k=2):
    """Return mixtures (batch,) of k aims, some of them far outside [0, 1]."""
    rng = np.random.default_rng(seed)
    weights, aims = rng.dirichlet(np.ones(3 + k), batch), rng.normal(0.5, 1.5, (batch, k))
    return ReturnedFraction(weights, aims, rng.uniform(0.03, 0.6, (batch, k)))


def widened(mixture):
    """Return the same mixtures with an axis for many points."""
    return ReturnedFraction(*(part[:, None] for part in (mixture.weights, mixture.aims, mixture.noise)))


@settings(max_examples=60)
@given(st.integers(0, 10_000), st.floats(0, 200))
def test_returns_are_whole_points_up_to_the_offer_and_their_probabilities_sum_to_one(seed, offer):
    mixture = mixtures(seed)
    logs = mixture.log_probabilities(np.full(6, offer), 201)
    assert np.exp(logs).sum(-1) == pytest.approx(1, abs=1e-12)
    assert ((logs > -np.inf) == (np.arange(201) <= offer)).all()
    levels = np.random.default_rng(seed).random((6, 50))
    drawn = widened(mixture).draw_points(levels, np.full((6, 50), offer))
    assert ((drawn >= 0) & (drawn <= offer) & (drawn == np.floor(drawn))).all()


def test_below_an_offer_of_one_nothing_can_be_returned():
    logs = mixtures().log_probabilities(np.array([0.0, 0.2, 0.5, 0.9, 0.99, 0.999]), 5)
    np.testing.assert_allclose(np.exp(logs), np.eye(5)[[0] * 6], atol=1e-12)


@pytest.mark.parametrize("seed", range(4))
def test_the_density_integrates_to_what_the_ends_leave(seed):
    mixture = mixtures(seed)
    points, weights = np.polynomial.legendre.leggauss(400)
    points = np.broadcast_to((points + 1) / 2, (6, 400))
    inside = (np.exp(widened(mixture).log_density(points)) * weights / 2).sum(-1)
    ends = mixture.weights[:, NOTHING] + mixture.weights[:, EVERYTHING]
    np.testing.assert_allclose(inside + ends, 1, atol=1e-9)
    np.testing.assert_allclose(np.exp(mixture.log_density(np.zeros(6))), mixture.weights[:, NOTHING])
    np.testing.assert_allclose(np.exp(mixture.log_density(np.ones(6))), mixture.weights[:, EVERYTHING])


def test_a_return_has_the_probability_of_its_cell():
    """The cells of an offer of 4 points, by Gauss-Legendre quadrature of the density."""
    mixture, offer = mixtures(3), 4
    points, weights = np.polynomial.legendre.leggauss(200)
    cells = np.arange(offer + 1)[:, None] / (offer + 1) + (points + 1) / 2 / (offer + 1)
    density = np.exp(widened(mixture).log_density(np.broadcast_to(cells.ravel(), (6, cells.size))))
    expected = (density.reshape(6, offer + 1, -1) * weights / 2).sum(-1) / (offer + 1)
    expected[:, 0] += mixture.weights[:, NOTHING]
    expected[:, -1] += mixture.weights[:, EVERYTHING]
    np.testing.assert_allclose(np.exp(mixture.log_probabilities(np.full(6, 4.7), 5)), expected, atol=1e-9)


def test_draws_have_the_distribution():
    """Evenly spread levels: the shares of whole points, and mean and deviation of fractions, up to their spacing."""
    mixture = mixtures(1)
    levels = np.broadcast_to((np.arange(40_000) + 0.5) / 40_000, (6, 40_000))
    drawn = widened(mixture).draw_points(levels, np.full((6, 1), 7.3))
    shares = np.stack([(drawn == k).mean(-1) for k in range(8)], axis=-1)
    np.testing.assert_allclose(shares, np.exp(mixture.log_probabilities(np.full(6, 7.3), 8)), atol=4 / 40_000)
    fractions = widened(mixture).draw(levels)
    mean, deviation = mixture.moments()
    np.testing.assert_allclose(fractions.mean(-1), mean, atol=1e-4)
    np.testing.assert_allclose(fractions.std(-1), deviation, atol=1e-4)
    assert ((fractions >= 0) & (fractions <= 1)).all()


def test_noise_is_the_standard_deviation_of_an_aim_that_nothing_cuts_off():
    sure = ReturnedFraction(np.array([0.0, 0.0, 0.0, 1.0]), np.array([0.4]), np.array([0.01]))
    mean, deviation = sure.moments()
    assert mean == pytest.approx(0.4, abs=1e-6)
    assert deviation == pytest.approx(0.01, rel=0.02)  # cells are 0.005 wide


@pytest.mark.parametrize("aim", [-40.0, -3.0, 4.0, 41.0])
def test_aims_far_outside_keep_their_precision(aim):
    """A logistic tail is exponential: the density on [0, 1] is that of a truncated exponential distribution."""
    noise = 0.1
    far = ReturnedFraction(np.array([0.0, 0.0, 0.0, 1.0]), np.array([aim]), np.array([noise]))
    rate = 1 / (SCALE * noise)
    edges = np.arange(6) / 5 if aim < 0 else 1 - np.arange(6)[::-1] / 5
    expected = np.diff(-np.exp(-rate * edges)) / (1 - np.exp(-rate))
    expected = expected if aim < 0 else np.diff(np.exp(-rate * (1 - edges))) / (1 - np.exp(-rate))
    np.testing.assert_allclose(np.exp(far.log_probabilities(np.array(4.0), 5)), expected, rtol=1e-9)
    middle = far.draw(np.array(0.5))
    from_the_end = -np.log(0.5 * (1 + np.exp(-rate))) / rate
    assert (middle if aim < 0 else 1 - middle) == pytest.approx(from_the_end, rel=1e-9)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_numpy_and_torch_agree(dtype):
    mixture = mixtures(2)
    other = ReturnedFraction(*(torch.as_tensor(x, dtype=dtype) for x in (mixture.weights, mixture.aims, mixture.noise)))
    rng = np.random.default_rng(0)
    offers, levels, fractions = rng.uniform(0, 30, 6), rng.random(6), rng.random(6)
    near = {"atol": 1e-12, "rtol": 1e-12} if dtype == torch.float64 else {"atol": 2e-4, "rtol": 2e-4}

    def same(name, *args):
        given = [torch.as_tensor(a, dtype=dtype) if isinstance(a, np.ndarray) else a for a in args]
        on_torch = getattr(other, name)(*given)
        on_numpy = getattr(mixture, name)(*args)
        for a, b in zip(on_torch, on_numpy, strict=True):
            assert a.dtype == dtype
            np.testing.assert_allclose(a.numpy(), b, **near)

    same("log_probabilities", offers, 31)
    same("log_density", fractions)
    same("draw", levels)
    same("draw_points", levels, offers)
    same("moments")


def test_gradients_are_those_of_differences():
    """In logits, aims and noise; of the draws with the component that was chosen."""
    rng = np.random.default_rng(4)
    logits = torch.tensor(rng.normal(size=(3, 5)), requires_grad=True)
    aims = torch.tensor(rng.normal(0.5, 0.6, (3, 2)), requires_grad=True)
    noise = torch.tensor(rng.uniform(0.1, 0.5, (3, 2)), requires_grad=True)
    fractions = torch.tensor([0.2, 0.0, 0.9], dtype=torch.float64)
    offers = torch.tensor([3.0, 5.5, 0.5], dtype=torch.float64)
    factors = torch.tensor(rng.random((3, 6)))

    def density(logits, aims, noise):
        return ReturnedFraction(logits.softmax(-1), aims, noise).log_density(fractions)

    def points(logits, aims, noise):
        logs = ReturnedFraction(logits.softmax(-1), aims, noise).log_probabilities(offers, 6)
        return torch.where(logs > -np.inf, logs * factors, 0.0).sum()

    def drawn(aims, noise):
        weights = torch.zeros(3, 5, dtype=torch.float64)
        weights[:, AIMS], weights[:, ANY] = 0.9, 0.1
        return ReturnedFraction(weights, aims, noise).draw(torch.tensor([0.3, 0.6, 0.95], dtype=torch.float64))

    assert torch.autograd.gradcheck(density, (logits, aims, noise))
    assert torch.autograd.gradcheck(points, (logits, aims, noise))
    assert torch.autograd.gradcheck(drawn, (aims, noise))
    (slope,) = torch.autograd.grad(drawn(aims, noise).sum(), aims)
    assert (slope[:, 0] > 0.01).all()
