"""The stage of a repeated game: what a single round pays for every joint action, under given mechanisms.

It is found by playing the game's own rules once for each joint action. So any game will do whose participants choose
among Discrete actions and whose round is no matter of chance: firms that set prices, or a sealed-bid auction of levels
in which values are fixed (a ``types_file`` of one profile).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from lawgiver.envs.core.errors import ParameterError, UnsupportedGameError
from lawgiver.envs.core.game import Game

LARGEST_JOINT = 2_000_000
"""Joint actions of a stage, over all mechanisms."""
SAME = 1e-12
"""Relative difference of payoffs below which a round is no matter of chance."""


@dataclass(frozen=True)
class Stage:
    """Payoffs of a round by joint action; joint action j of n participants with A actions is a_1 A^(n-1) + .. + a_n.

    Attributes:
        actions: number of actions A of each participant.
        payoffs: of each participant, (M, A^n, n), under each of M mechanisms.
        objective: what the mechanism is paid, (M, A^n).
        measures: what else the game measures of a round, by name, (M, A^n) each.
    """

    actions: int
    payoffs: np.ndarray
    objective: np.ndarray
    measures: Mapping[str, np.ndarray]

    @property
    def n(self) -> int:
        """Number of participants."""
        return int(self.payoffs.shape[-1])

    @property
    def joint(self) -> int:
        """Number of joint actions."""
        return int(self.payoffs.shape[1])

    @property
    def places(self) -> np.ndarray:
        """Weight of each participant's action in the number of a joint one, (n,)."""
        return self.actions ** np.arange(self.n - 1, -1, -1)

    def by_action(self, agent: int) -> np.ndarray:
        """Return a participant's payoffs (M, A, A^(n-1)) by its own action and the others' joint one."""
        shape = (len(self.payoffs), *(self.actions,) * self.n)
        own_first = np.moveaxis(self.payoffs[..., agent].reshape(shape), 1 + agent, 1)
        return own_first.reshape(len(self.payoffs), self.actions, -1)


def require_stage(game: Game[Any]) -> int:
    """Check that participants choose among Discrete actions, and return how many.

    Raises:
        UnsupportedGameError: if their actions are a Box.
    """
    actions = game.action_layout("participant")
    if not isinstance(actions, int):
        raise UnsupportedGameError(
            f"trainer 'q_learning' learns tables of finitely many actions, those of {game.name} are a Box here (of"
            " sealed_bid: set game.n_bids)"
        )
    return actions


def require_joint(actions: int, n: int, mechanisms: int) -> int:
    """Check that n participants have few enough joint actions under so many mechanisms, and count them.

    Raises:
        ParameterError: if there are too many.
    """
    joint = int(actions**n)
    if joint * mechanisms > LARGEST_JOINT:
        raise ParameterError(
            f"{n} participants with {actions} actions each have {joint:,} joint ones under each of {mechanisms}"
            f" mechanisms, allowed: {LARGEST_JOINT:,} in all"
        )
    return joint


def stage_of(game: Game[Any], parameters: np.ndarray) -> Stage:
    """Tabulate a round of a game under announced mechanisms.

    Args:
        game: whose mechanism announces before participants act, and who are paid as they do.
        parameters: w of each mechanism, (M, D); what its actions are.

    Raises:
        UnsupportedGameError: if actions are a Box, the game has another order of moves, or a round depends on chance.
        ParameterError: if there are too many joint actions.
    """
    actions, n = require_stage(game), game.roles["participant"]
    joint = require_joint(actions, n, len(parameters))
    played = [_played(game, parameters, actions, seed) for seed in (0, 1)]
    spread = np.abs(played[0][0] - played[1][0]).max()
    if spread > SAME * (1 + np.abs(played[0][0]).max()):
        raise UnsupportedGameError(
            f"a round of {game.name} pays otherwise from draw to draw (by {spread:.2g}): trainer 'q_learning' needs one"
            " without chance (of an auction: fix values by a types_file of one profile)"
        )
    payoffs, objective, measures = played[0]
    shape = (len(parameters), joint)
    return Stage(
        actions,
        payoffs.reshape(*shape, n),
        objective.reshape(shape),
        {name: values.reshape(shape) for name, values in measures.items()},
    )


def _played(
    game: Game[Any], parameters: np.ndarray, actions: int, seed: int
) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
    """Play a round with every joint action under every mechanism, (M A^n, n), (M A^n,) and by measure."""
    n = game.roles["participant"]
    choices = np.stack(np.unravel_index(np.arange(actions**n), (actions,) * n), axis=-1)
    choices, rng = np.tile(choices, (len(parameters), 1)), np.random.default_rng(seed)
    state = game.initial_state(len(choices), rng)
    announces = game.phase(state) == "mechanism"  # else it acts after participants, and the round is not over
    if announces:
        announced = np.repeat(parameters, actions**n, axis=0)[:, None, :]
        state, *_ = game.step(state, announced, game.draw(len(choices), rng))
    mask = game.legal_actions(state, "participant")
    if not announces or game.phase(state) != "participant" or (mask is not None and not mask.all()):
        raise UnsupportedGameError(
            f"trainer 'q_learning' needs a mechanism that announces first, and participants who may do everything: in"
            f" {game.name} it is otherwise"
        )
    after, rewards, *_ = game.step(state, choices, game.draw(len(choices), rng))
    found = {name: np.asarray(measure(after), float) for name, measure in game.measures().items()}
    return np.asarray(rewards["participant"], float), np.asarray(rewards["mechanism"], float)[:, 0], found
