"""Learned participants in a Box: truncated Gaussians against scipy, and the policy against the logit equilibrium."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import truncnorm

from lawgiver.agents.learned import PolicyFileError, load_policy, save_policy
from lawgiver.agents.network_policies import LearnedBoxParticipants, LearnedParticipants
from lawgiver.agents.tables import tabulate
from lawgiver.agents.truncated_gaussian import TruncatedGaussian
from lawgiver.envs.core.errors import ParameterError, UnsupportedGameError
from lawgiver.envs.core.fields import box
from lawgiver.envs.core.make import make_game, make_policy
from lawgiver.envs.core.rollout import rollout
from lawgiver.envs.solvers.equilibrium.subgame import uniform_prior
from lawgiver.envs.solvers.equilibrium.subgame_equilibrium import solve

CASES = [(0.5, 1.0), (0.3, 0.02), (0.001, 0.1), (0.98, 0.05), (0.5, 50.0)]


def gaussian(location: float, scale: float) -> TruncatedGaussian:
    return TruncatedGaussian(*(torch.tensor([x], dtype=torch.float64) for x in (location, np.log(scale))))


@pytest.mark.parametrize(("location", "scale"), CASES)
def test_truncated_gaussians_are_scipys(location: float, scale: float) -> None:
    ours = gaussian(location, scale)
    theirs = truncnorm(-location / scale, (1 - location) / scale, location, scale)
    places, levels = np.linspace(0, 1, 21), np.linspace(0.001, 0.999, 21)
    np.testing.assert_allclose(ours.log_density(torch.tensor(places[:, None])), theirs.logpdf(places), atol=1e-9)
    np.testing.assert_allclose(ours.draw(torch.tensor(levels[:, None]))[:, 0], theirs.ppf(levels), atol=1e-9)
    mean, std = ours.moments()
    assert float(mean) == pytest.approx(theirs.mean(), abs=1e-9)
    assert float(std) == pytest.approx(theirs.std(), rel=1e-6)
    assert float(ours.divergence()) == pytest.approx(-theirs.entropy(), abs=1e-9)  # the uniform log-density is 0
    places = np.linspace(0, 1, 200_001)
    other = gaussian(0.4, 0.3)
    apart = theirs.logpdf(places) - other.log_density(torch.tensor(places[:, None])).numpy()
    expected = np.trapezoid(theirs.pdf(places) * apart, places)
    assert float(ours.divergence_from(other)) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(("location", "scale"), CASES[:4])
def test_gradients_of_density_and_divergence_are_those_of_differences(location: float, scale: float) -> None:
    at = [torch.tensor([[x]], dtype=torch.float64, requires_grad=True) for x in (location, np.log(scale))]
    place = torch.tensor([[0.35]], dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda m, s: TruncatedGaussian(m, s).divergence(), at)
    assert torch.autograd.gradcheck(lambda m, s: TruncatedGaussian(m, s).log_density(place), at)


def test_the_divergence_has_the_gradient_of_the_closed_form_where_nothing_is_cut_off() -> None:
    """KL to uniform is then -log s - log(2 pi e) / 2: -1 by log s, 0 by the location."""
    at = [torch.tensor([x], dtype=torch.float64, requires_grad=True) for x in (0.5, np.log(0.03))]
    divergence = TruncatedGaussian(*at).divergence()
    by_location, by_scale = torch.autograd.grad(divergence, at)
    assert float(divergence.detach()) == pytest.approx(-np.log(0.03) - 0.5 * np.log(2 * np.pi * np.e), abs=1e-12)
    assert float(by_location) == pytest.approx(0, abs=1e-12)
    assert float(by_scale) == pytest.approx(-1, abs=1e-12)


def movers(std: float = 1.0, start: tuple[float, ...] | None = None, **params: object) -> LearnedBoxParticipants:
    game = make_game("lanes", n=3, n_moves=None, **params)
    return LearnedBoxParticipants(game, hidden=(8,), start=start, std=std)


def test_participants_start_mid_box_and_all_but_uniform() -> None:
    moments, _ = movers().distribution(np.zeros((2, 3, 3)), None, None)
    assert moments.shape == (2, 3, 2, 1)
    np.testing.assert_allclose(moments[..., 0, 0], 0.5, atol=1e-6)
    assert abs(moments[0, 0, 1, 0] * 12**0.5 - 1) < 0.02  # a uniform one has width / sqrt(12)
    moments, _ = movers(std=0.01, start=(0.2,)).distribution(np.zeros((1, 3, 3)), None, None)
    np.testing.assert_allclose(moments[..., 0], [[[0.2, 0.01]] * 3], atol=1e-5)


@pytest.mark.parametrize("level", [0.0, 3.0, 200.0])
def test_the_logit_choice_of_a_quadratic_payoff_is_such_a_policy(level: float) -> None:
    """A move u pays w_1 u + w_2 u^2 - d u: the logit choice is truncated Gaussian, of variance 1 / (2 |w_2| level)."""
    w, cost = np.array([1.3, -1.0]), 0.1
    params = {"payment_on": "u", "basis": "raw", "movement_cost": cost}
    game = make_game("lanes", n=3, n_moves=None, **params)
    best = (w[0] - cost) / -(2 * w[1])
    std = (1 / (-2 * w[1] * level)) ** 0.5 if level else 1e3
    people = LearnedBoxParticipants(game, hidden=(8,), start=(best,), std=std)
    exact = solve(game.subgame, w, level, uniform_prior(game.subgame)).policy
    np.testing.assert_allclose(np.exp(tabulate(game, people, w)), exact, atol=2e-5)
    with pytest.raises(UnsupportedGameError, match="has no densities to tabulate"):
        tabulate(game, make_policy(game, "participant", "random"), w)


def reporters() -> tuple[Any, LearnedBoxParticipants]:
    game = make_game("payment_free_allocation")
    people = LearnedBoxParticipants(game, hidden=(8,), std=0.2)
    torch.manual_seed(0)
    for parameter in people.network.body.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return game, people


def test_reports_of_many_numbers_are_the_same_on_both_backends_and_stay_in_the_box() -> None:
    game, people = reporters()
    rng = np.random.default_rng(0)
    obs = game.observe(game.initial_state(4, rng), "participant")
    moments, _ = people.distribution(obs, None, None)
    same, _ = people.distribution(torch.as_tensor(obs), None, None)
    np.testing.assert_allclose(same.detach(), moments, atol=1e-6)
    low, high = (np.asarray(end) for end in (box(game.type_layout()).low, box(game.type_layout()).high))
    times = 20_000
    for many, random in (
        (np.tile(obs[:1], (times, 1, 1)), np.random.default_rng(1)),
        (torch.as_tensor(obs[:1]).repeat(times, 1, 1), torch.Generator().manual_seed(1)),
    ):
        with torch.no_grad():
            sent = np.asarray(people.act(many, None, None, random)[0])
        assert sent.shape == (times, game.n, len(low))
        assert ((sent >= low - 1e-6) & (sent <= high + 1e-6)).all()
        error = moments[0, :, 1] / times**0.5
        assert (np.abs(sent.mean(0) - moments[0, :, 0]) < 4.5 * error).all()
        np.testing.assert_allclose(sent.std(0), moments[0, :, 1], rtol=0.03)


def test_they_play_whole_games_and_survive_saving(tmp_path: Path) -> None:
    game, people = reporters()
    policies = {"participant": people, "mechanism": make_policy(game, "mechanism", "random")}
    played = list(rollout(game, policies, game.initial_state(5, np.random.default_rng(0)), np.random.default_rng(1)))
    assert played[-1].terminated.all()
    save_policy(tmp_path, people)
    again = load_policy(tmp_path, game, role="participant")
    assert isinstance(again, LearnedBoxParticipants)
    obs = game.observe(game.initial_state(4, np.random.default_rng(0)), "participant")
    for one, other in ((people, again), (again, people)):
        np.testing.assert_array_equal(one.distribution(obs, None, None)[0], other.distribution(obs, None, None)[0])
    drawn = [p.act(obs, None, None, np.random.default_rng(3))[0] for p in (people, again)]
    np.testing.assert_array_equal(*drawn)
    with pytest.raises(PolicyFileError, match="for the role 'participant', not 'mechanism'"):
        load_policy(tmp_path, game, role="mechanism")


def test_what_does_not_fit_is_refused_in_one_line() -> None:
    with pytest.raises(UnsupportedGameError, match="choose from a Box; those of lanes-v0 have 101 choices"):
        LearnedBoxParticipants(make_game("lanes"), hidden=(4,))
    with pytest.raises(UnsupportedGameError, match="learned participants need Discrete actions"):
        LearnedParticipants(make_game("lanes", n_moves=None), hidden=(4,))
    with pytest.raises(ParameterError, match=re.escape("start is [0.1, 0.2], allowed: 1 number")):
        movers(start=(0.1, 0.2))
