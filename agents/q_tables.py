"""Participants who play greedily by learned tables of Q: those of many sessions, each of which learned by itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from lawgiver.agents.learned import fill
from lawgiver.agents.policies import DiscretePolicy, point_mass
from lawgiver.envs.core.arrays import Array, Rng, namespace, uniform
from lawgiver.envs.core.errors import UnsupportedGameError, integer
from lawgiver.envs.core.game import Game
from lawgiver.envs.core.policy import Memory
from lawgiver.envs.families.repeated_stage import RepeatedStage


class LearnedQTables(DiscretePolicy):
    """Participants who take the action of the largest Q in the state that they see.

    The participants of one session have learned against each other. So all seats of a game are played by those of one
    session, drawn when the game begins.

    Args:
        game: whose participants choose among Discrete actions.
        sessions: number of sessions.
        memory: whether the state is the last joint action, which the game then has to show
            (:class:`~lawgiver.envs.families.repeated_stage.RepeatedStage`); without, there is a single state.

    Attributes:
        tables: Q, (sessions, n, states, actions).
        last_joint: joint action with which each session's learning ended, (sessions,), numbered with the last
            participant's action fastest; None where it is not known.

    Raises:
        UnsupportedGameError: if the game does not fit.
        ParameterError: if ``sessions`` is no positive integer.
    """

    kind: ClassVar[str] = "q_tables"
    role: ClassVar[str] = "participant"

    def __init__(self, game: Game[Any], *, sessions: int = 1, memory: bool = True) -> None:
        """Make tables of zeros."""
        actions, n = game.action_layout("participant"), game.roles["participant"]
        if not isinstance(actions, int):
            raise UnsupportedGameError(f"tables of Q need Discrete actions; those of {game.name} are a Box")
        self.stage = require_repeated(game) if memory else None
        self.settings: dict[str, Any] = {"sessions": integer("sessions", sessions, 1), "memory": bool(memory)}
        self.n_actions = actions
        self.places = actions ** np.arange(n - 1, -1, -1)
        self.tables = np.zeros((sessions, n, actions**n if memory else 1, actions))
        self.greedy = self.tables.argmax(axis=-1)
        self.last_joint: np.ndarray | None = None

    def initial_state(self, batch: int, rng: Rng) -> Memory:
        """Draw the session that plays each game, numbers (B,)."""
        sessions = self.settings["sessions"]
        drawn = uniform(rng, (batch,))
        return namespace(drawn).floor(drawn * sessions)

    def distribution(self, obs: Array, mask: Array | None, state: Memory) -> tuple[Array, Memory]:
        """Return log-probabilities (B, n, A), all on the greedy action, and the memory."""
        xp = namespace(obs)
        session = xp.astype(state, xp.int64)
        place = xp.zeros_like(session)
        if self.stage is not None:
            last = self.stage.last_actions(obs)
            place = xp.sum(last * _like(self.places, last), axis=-1)
        chosen = _like(self.greedy, session)[session, :, place]
        return point_mass(chosen, self.n_actions, obs), state

    def state(self) -> dict[str, np.ndarray]:
        """Return Q, ``tables``, and the joint actions with which learning ended, ``last_joint``, where known."""
        last = {} if self.last_joint is None else {"last_joint": self.last_joint}
        return {"tables": self.tables, **last}

    def restore(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Take the numbers of saved tables.

        Raises:
            ValueError: if names or shapes are others, or a joint action is none of the game's.
        """
        last = {"last_joint": np.zeros(len(self.tables), np.int64)} if "last_joint" in arrays else {}
        fill({"tables": self.tables, **last}, arrays)
        self.last_joint = last.get("last_joint")
        joint = self.n_actions ** len(self.places)
        if self.last_joint is not None and not ((self.last_joint >= 0) & (self.last_joint < joint)).all():
            raise ValueError(f"joint actions are numbered from 0 to {joint - 1:,}")
        self.greedy = self.tables.argmax(axis=-1)


def require_repeated(game: Game[Any]) -> RepeatedStage:
    """Return a game as one whose participants see what all did last.

    Raises:
        UnsupportedGameError: if they do not.
    """
    if not isinstance(game, RepeatedStage):
        raise UnsupportedGameError(
            f"participants of {game.name} do not see what all did last, which they are to remember: learn without"
            " memory (agents.participants.memory=false)"
        )
    return game


def _like(values: np.ndarray, like: Array) -> Array:
    """Return integers on the backend and device of ``like``."""
    return values if type(like) is np.ndarray else namespace(like).asarray(values, device=like.device)
