"""What affine maximisers on processes take, and what games make of them in slices and of rules out of bounds."""

import gymnasium.spaces
import numpy as np
import pytest
import torch

from lawgiver.agents.reporting import AffineMaximiser
from lawgiver.envs.core.errors import ActionError, ParameterError
from lawgiver.envs.core.make import make_game
from lawgiver.envs.families import mdp_game as game_module
from lawgiver.envs.solvers.equilibrium.prior import ILLEGAL
from lawgiver.envs.solvers.mdp import Tree, settle
from lawgiver.envs.views.parallel import GameParallelEnv

ONE = {"rewards": np.ones((2, 3, 4, 3)), "weights": np.ones(3), "boosts": np.zeros((4, 3)), "excluded": None}


def settled(**given):
    return settle(Tree(2, 3), **(ONE | given))


def test_parameters_may_differ_from_profile_to_profile():
    rng = np.random.default_rng(0)
    rewards, weights, boosts = rng.random((2, 3, 4, 3)), rng.uniform(1, 2, (2, 3)), rng.random((2, 4, 3))
    many = settled(rewards=rewards, weights=weights, boosts=boosts)
    for b in range(2):
        one = settled(rewards=rewards[b : b + 1], weights=weights[b], boosts=boosts[b])
        assert many.payments[b] == pytest.approx(one.payments[0], abs=1e-14)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"rewards": np.ones((3, 4, 3))}, r"rewards has the shape \(3, 4, 3\), allowed: \(B, n, S, A\)"),
        ({"rewards": np.ones((2, 3, 3, 4)), "boosts": np.zeros((3, 4))}, r"allowed: \(..., 4, 3\)"),
        ({"weights": np.ones(1)}, r"weights has the shape \(1,\), allowed: \(3,\) or \(2, 3\)"),
        ({"weights": np.ones((3, 3))}, r"weights has the shape \(3, 3\)"),
        ({"boosts": np.zeros(3)}, r"boosts has the shape \(3,\), allowed: \(4, 3\) or \(2, 4, 3\)"),
        ({"boosts": np.zeros((3, 4))}, r"boosts has the shape \(3, 4\)"),
        ({"excluded": np.zeros((2, 4, 3), bool)}, r"excluded has the shape \(2, 4, 3\), allowed: \(3, 4, 3\)"),
        ({"weights": np.array([1, 0, 1.0])}, "weights go from 0 to 1, allowed: finite numbers above 0"),
        ({"weights": np.array([1, np.inf, 1.0])}, "weights go from 1 to inf"),
        ({"weights": np.array([1, np.nan, 1.0])}, "weights go from nan to nan"),
        ({"rewards": np.full((2, 3, 4, 3), np.nan)}, "is nan, allowed: a finite number"),
        ({"rewards": np.full((2, 3, 4, 3), ILLEGAL)}, r"reward is -1e\+09, allowed: more than -5e\+08; repeat"),
    ],
)
def test_bad_input_is_named(given, told):
    with pytest.raises(ParameterError, match=told):
        settled(**given)


@pytest.mark.parametrize("name", ["task_scheduling", "gridworld", "tabular_mdp"])
def test_profiles_taken_in_slices_come_to_the_same(name, monkeypatch):
    game = make_game(name)
    rng = np.random.default_rng(0)
    types = game.types_of(rng.random((50, game.n, game.draw_size)))
    rule = rng.normal(size=(50, game.n + game.n_boosts))
    for convert in (np.asarray, torch.tensor):

        def played(convert=convert):
            decision = game.decide(convert(rule), convert(types))
            return game.settle(game.initial_state_from(convert(types)), decision), decision

        at_once, decision = played()
        monkeypatch.setattr(game_module, "MEMORY", 1e-3)
        in_slices, again = played()
        monkeypatch.undo()
        np.testing.assert_allclose(again, decision, atol=1e-12)
        np.testing.assert_allclose(in_slices.utilities, at_once.utilities, atol=1e-12)
        np.testing.assert_allclose(game.measure(in_slices), game.measure(at_once), atol=1e-12)


def test_an_announced_rule_is_held_to_what_participants_can_see():
    game = make_game("sequential_sales", n=2, m=1)
    for rule, told in (
        (AffineMaximiser(game, log_weights=np.array([4.0, 0.0])), r"has 4 among log_weights, allowed: .* \[-3, 3\]"),
        (AffineMaximiser(game, boosts=np.array([[0, 0, -50.0]])), r"has -50 among boosts, allowed: .* \[-2, 2\]"),
    ):
        with pytest.raises(ActionError, match=told):
            GameParallelEnv(game, mechanism=rule).reset(seed=0)
    env = GameParallelEnv(game, mechanism=AffineMaximiser(game, boosts=np.full((1, 3), 2.0)))
    seen, _ = env.reset(seed=0)
    for agent, obs in seen.items():
        space = env.observation_space(agent)
        assert isinstance(space, gymnasium.spaces.Box) and space.contains(obs)
    with pytest.raises(ParameterError, match="weights go from inf to inf"), np.errstate(over="ignore"):
        game.decide(np.full((1, 5), 1000.0), np.ones((1, 2, 1)))


@pytest.mark.parametrize("masses", [1, "12", [], [1, -1], [0, 0]])
def test_masses_are_the_distributions_to_check(masses):
    with pytest.raises(ParameterError, match="masses"):
        make_game("sequential_sales", types="piecewise", masses=masses)
