"""The taxed dilemma: its payoffs, the thresholds at which cooperation pays, its random length."""

import numpy as np
import pytest

from lawgiver.envs.core.errors import ParameterError
from lawgiver.envs.core.make import make_game
from lawgiver.envs.families.taxed_game import after_tax
from lawgiver.envs.taxed_dilemma.game import earnings, logit_cooperation
from lawgiver.envs.views.single import GameEnv
from lawgiver.envs.views.vector import GameVectorEnv

CHOICES = np.array([[1.0, 1.0], [1.0, 0.0], [0.0, 1.0], [0.0, 0.0]])


def test_untaxed_payoffs_are_the_dilemma():
    assert after_tax(earnings(CHOICES), np.zeros((4, 1))).tolist() == [[3, 3], [0, 5], [5, 0], [1, 1]]


def test_a_full_tax_shares_everything():
    assert after_tax(earnings(CHOICES), np.ones((4, 1))).tolist() == [[3, 3], [2.5, 2.5], [2.5, 2.5], [1, 1]]


@pytest.mark.parametrize("tax", [0.0, 0.39, 0.41, 0.79, 0.81, 1.0])
def test_dominance_thresholds(tax):
    (cc, cd), (dc, dd) = (
        [after_tax(earnings(np.array([[own, other]])), np.array([[tax]]))[0, 0] for other in (1.0, 0.0)]
        for own in (1.0, 0.0)
    )
    assert (dc > cc and dd > cd) == (tax < 0.4), "defection is dominant below 0.4"
    assert (cc > dc and cd > dd) == (tax > 0.8), "cooperation is dominant above 0.8"


def test_logit_equilibrium_limits_and_fixed_point():
    assert logit_cooperation(0.3, 0.0) == pytest.approx(0.5)
    assert logit_cooperation(0.9, 1e6) == pytest.approx(1)
    assert logit_cooperation(0.1, 1e6) == pytest.approx(0)
    mixed = logit_cooperation(0.6, 1e5)  # between the thresholds the rational equilibrium mixes
    gain = mixed * (3 - 5 + 2.5 * 0.6) + (1 - mixed) * (2.5 * 0.6 - 1)
    assert gain == pytest.approx(0, abs=1e-3)


def test_length_is_geometric():
    game = make_game("taxed_dilemma", continuation=0.75, max_rounds=1000)
    many = GameVectorEnv(game, role="mechanism", num_envs=20_000)
    many.reset(seed=0)
    *_, terminated, truncated, _ = many.step(np.zeros((20_000, 1)))
    error = (0.25 * 0.75 / 20_000) ** 0.5
    assert abs(terminated.mean() - 0.25) < 4 * error and not truncated.any()


def test_cut_off_is_truncation():
    env = GameEnv(make_game("taxed_dilemma", continuation=1, max_rounds=2), role="participant")
    env.reset(seed=0)
    flags = [env.step(1)[2:4] for _ in range(2)]
    assert flags == [(False, False), (False, True)]


def test_named_rules():
    game = make_game("taxed_dilemma")
    for name, tax in (("strict_egalitarian", 1.0), ("libertarian", 0.0)):
        env = GameEnv(game, role="participant", mechanism=name, participants="free_rider")
        seen, _ = env.reset(seed=0)
        assert seen.tolist() == [0, 0, tax]
        _, reward, *_ = env.step(1)
        assert reward == 2.5 * tax


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"continuation": 1.5}, "continuation"),
        ({"continuation": float("nan")}, "continuation"),
        ({"continuation": "often"}, "continuation"),
        ({"max_rounds": 0}, "max_rounds"),
        ({"max_rounds": 2.0}, "max_rounds"),
        ({"mechanism_mode": "anounce"}, "mechanism_mode.*did you mean 'announce'"),
        ({"objective": "nash"}, "unknown objective 'nash'.*log_nash_welfare"),
    ],
)
def test_bad_parameters(params, message):
    with pytest.raises(ValueError, match=message):
        make_game("taxed_dilemma", **params)


def test_errors_are_the_librarys():
    with pytest.raises(ParameterError):
        make_game("taxed_dilemma", max_rounds=True)
