"""What mechanisms are rewarded for: closed forms, losses, and other packages' functions on a game's page."""

from __future__ import annotations

import warnings
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from lawgiver.envs.core import objectives, registry
from lawgiver.envs.core.make import make_game
from lawgiver.envs.core.objectives import LOG_GUARD, gini, log_nash_welfare, rawlsian, surplus
from lawgiver.trainers.cli import pages


def of(*payoffs):
    """Return a state with the payoffs of one round of one game."""
    return SimpleNamespace(payoffs=np.array([payoffs], float), endowments=np.zeros((1, len(payoffs))))


@pytest.mark.parametrize(
    ("payoffs", "expected"),
    [((1, 1, 1), 0), ((0, 0), 0), ((0, 1), 0.5), ((1, 3), 0.25), ((0, 0, 0, 5), 0.75), ((-1, 1), 0.5), ((-1, -1), 0),
     ((-5, 6, 1), (11 + 6 + 5) * 2 / (6 * 12)), ((-1e-3, 1e-3, 1e-6), 0.667)],
)  # fmt: skip
def test_the_gini_coefficient_stays_within_its_bounds(payoffs, expected):
    assert gini(of(*payoffs))[0] == pytest.approx(expected, abs=1e-3 if len(payoffs) == 3 else 1e-15)


def test_objectives_of_losses_are_numbers_without_a_warning():
    rng = np.random.default_rng(0)
    payoffs = rng.normal(size=(200, 4)) * 10.0 ** rng.integers(-3, 4, (200, 4))
    state = SimpleNamespace(payoffs=payoffs, endowments=0 * payoffs)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for objective in (gini, log_nash_welfare, rawlsian, surplus):
            found = objective(state)
            assert np.isfinite(found).all()
            there = objective(SimpleNamespace(**{key: torch.tensor(x) for key, x in vars(state).items()}))
            assert np.allclose(there.numpy(), found, rtol=1e-12)
    assert (gini(state) >= 0).all() and (gini(state) <= 1).all()


def test_a_loss_counts_as_a_payoff_of_nothing_in_the_sum_of_logs():
    least = np.log(LOG_GUARD)
    assert log_nash_welfare(of(1, 2))[0] == pytest.approx(np.log(1.001) + np.log(2.001))
    assert log_nash_welfare(of(-3, 2))[0] == pytest.approx(least + np.log(2.001)) == log_nash_welfare(of(0, 2))[0]


def bare(state):
    return state.payoffs[:, 0]


def test_an_objective_without_a_docstring_leaves_no_empty_sentence(monkeypatch):
    real = registry.lookup
    for module in (registry, objectives):
        monkeypatch.setattr(module, "lookup", lambda group, name: bare if name == "surplus" else real(group, name))
    told = pages._reward(make_game("taxed_dilemma", objective="surplus"), "mechanism")
    assert told.endswith("By default `surplus`.")
    documented = pages._reward(make_game("taxed_dilemma"), "mechanism")
    assert ": the sum of log(payoff + 0.001)" in documented and documented.endswith(".")
