"""One round of a game as a normal form: every participant's payoff at every joint action, by the rules.

Under a mechanism that is fixed and remembers nothing, participants play a simultaneous game. Its payoff tensor is what
game-theory libraries take: ``nashpy.Game(*form.payoffs)`` for two participants, ``pygambit.Game.from_arrays`` or
``pyspiel.create_tensor_game`` for any number.

    >>> from lawgiver.envs.core.make import make_game
    >>> normal_form(make_game("taxed_dilemma"), "libertarian").payoffs[0]  # of participant 0, who chooses the row
    array([[1., 5.],
           [0., 3.]])
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import gymnasium
import numpy as np

from lawgiver.envs.core.arrays import Array, take_games
from lawgiver.envs.core.checks import check_policy
from lawgiver.envs.core.errors import ParameterError, UnsupportedGameError, allowed, brief, seed_number
from lawgiver.envs.core.game import Game
from lawgiver.envs.core.make import make_policy
from lawgiver.envs.core.policy import Policy, PolicyLike
from lawgiver.envs.solvers.equilibrium.joint_grid import LARGEST_GRID
from lawgiver.envs.solvers.equilibrium.one_round import inexact, mean_outcome
from lawgiver.envs.solvers.normal_form.forms import NormalForm


@dataclass(frozen=True, eq=False)
class RoundForm(NormalForm):
    """The round that participants play.

    Attributes:
        actions: the legal actions of each participant, in the order of its axis, (A_i,) each.
        condition: in which opening of the game.
    """

    actions: tuple[np.ndarray, ...] = ()
    condition: str = ""


def normal_form(
    game: Game[Any], mechanism: PolicyLike | None = None, condition: str | None = None, seed: int = 0
) -> RoundForm:
    """Return the first round of a game under a fixed memoryless mechanism as a normal form.

    Args:
        game: a game with Discrete participants who act simultaneously.
        mechanism: remembers nothing and draws nothing at random; its mean action is played. None where there is none.
        condition: a key of :meth:`Game.initial_states_by_condition`; None for the first.
        seed: seed of the private types, where there are any.

    Raises:
        UnknownNameError, ParameterError: if the mechanism or the condition does not exist, or the seed is none.
        UnsupportedGameError: if the game has no such round, the mechanism is none such, or there are more than
            ``LARGEST_GRID`` joint actions.
    """
    choices = game.action_space("participant") if "participant" in game.roles else None
    if not isinstance(choices, gymnasium.spaces.Discrete) or game.seats_take_turns:
        raise UnsupportedGameError(
            f"{game.name} has no normal form: participants do not choose, all at once, from a finite number of actions"
        )
    policy = None
    if mechanism is None and "mechanism" in game.roles:
        raise ParameterError(f"the mechanism of {game.name} is None, allowed: one of its mechanisms")
    if mechanism is not None:
        policy = make_policy(game, "mechanism", mechanism)
        check_policy(game, "mechanism", policy, distribution=True)
    states = game.initial_states_by_condition(1, np.random.default_rng(seed_number("seed", seed)))
    name = next(iter(states)) if condition is None else condition
    if not isinstance(name, str) or name not in states:
        raise ParameterError(f"unknown condition {brief(name)} of {game.name}: {allowed(str(name), states)}")
    first = states[name]
    mask = game.legal_actions(_rounds_start(game, policy, first), "participant")
    legal = np.ones((game.roles["participant"], int(choices.n)), bool) if mask is None else np.asarray(mask)[0]
    actions = tuple(np.flatnonzero(row) + int(choices.start) for row in legal)
    shape = tuple(len(of_one) for of_one in actions)
    if math.prod(shape) > LARGEST_GRID:
        raise UnsupportedGameError(f"{game.name}: {math.prod(shape):,} joint actions, at most {LARGEST_GRID:,}")
    joint = np.stack(np.meshgrid(*actions, indexing="ij"), axis=-1).reshape(-1, len(actions))
    paid = _played(game, policy, take_games(first, np.zeros(len(joint), int)), joint)
    labels = tuple(tuple(str(action) for action in of_one) for of_one in actions)
    return RoundForm(paid.T.reshape(len(actions), *shape), labels, actions, name)


def _rounds_start(game: Game[Any], mechanism: Policy | None, state: Any) -> Any:
    """Return the state in which participants choose, after the mechanism's announcement."""
    while game.phase(state) != "participant":
        state, _ = _advanced(game, state, _decided(game, mechanism, state))
    return state


def _played(game: Game[Any], mechanism: Policy | None, state: Any, joint: np.ndarray) -> np.ndarray:
    """Compute the participants' payoffs (S, n) until the round is over: until a role would act again."""
    paid = np.zeros(joint.shape)
    acted: set[str] = set()
    while (role := game.phase(state)) not in acted:
        acted.add(role)
        chosen = role == "participant"
        outcome = game.outcome(state, joint) if chosen else _decided(game, mechanism, state)
        state, earned = _advanced(game, state, outcome)
        paid += earned
    return paid


def _advanced(game: Game[Any], state: Any, outcome: Array) -> tuple[Any, np.ndarray]:
    draws = game.draw(len(outcome), np.random.default_rng(0))  # decide what comes after the round
    after, rewards, _, _ = game.advance(state, outcome, draws)
    return after, np.asarray(rewards["participant"])


def _decided(game: Game[Any], mechanism: Policy | None, state: Any) -> Array:
    assert mechanism is not None, "a phase of the mechanism's, of which there is one"
    fault = inexact(game, mechanism, state)
    if fault is not None:
        raise UnsupportedGameError(f"{game.name} has no normal form: {fault.reason.partition(': ')[2]}")
    return mean_outcome(game, mechanism, state)
