"""Random play for checks, and random numbers that can be recorded and replayed game by game."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator
from typing import Any

import gymnasium
import numpy as np

from lawgiver.envs.core.arrays import Array, Rng
from lawgiver.envs.core.errors import LawgiverError
from lawgiver.envs.core.game import Game
from lawgiver.envs.core.policy import Memory
from lawgiver.envs.core.rollout import Step, rollout

SLACK = 1
"""How many steps more than it declares a game is played, so that one that does not end is caught, not waited for."""


class GameCheckError(LawgiverError, AssertionError):
    """A game violates the contract or its own declarations."""


def require(condition: Any, game: Game[Any], complaint: str) -> None:
    """Raise GameCheckError with the game's name and the complaint unless the condition holds."""
    if not condition:
        name = getattr(game, "name", type(game).__name__)
        raise GameCheckError(" ".join(f"{name}: {complaint}".split()))


@contextlib.contextmanager
def surfacing(game: Game[Any], check: str) -> Iterator[None]:
    """Turn whatever is raised inside into a GameCheckError of one line, which names the game and the check."""
    try:
        yield
    except GameCheckError:
        raise
    except Exception as error:
        name = getattr(game, "name", type(game).__name__)
        why = " ".join(str(error).split())
        raise GameCheckError(f"{name}: {check} fails: {type(error).__name__}: {why}") from error


class UniformPlayer:
    """Plays a role uniformly at random: over the legal actions of a Discrete space, over a Box."""

    def __init__(self, game: Game[Any], role: str) -> None:
        """Keep the role and its space."""
        self.role = role
        self.space = game.action_space(role)

    def initial_state(self, batch: int, rng: Rng) -> Memory:
        """Return None."""
        return None

    def distribution(self, obs: Array, mask: Array | None, state: Memory) -> tuple[Array, Memory]:
        """Not needed for checks."""
        raise NotImplementedError

    def act(self, obs: np.ndarray, mask: np.ndarray | None, state: Memory, rng: Rng) -> tuple[np.ndarray, Memory]:
        """Return actions (B, n_role[, k])."""
        seats = obs.shape[:2]
        if isinstance(self.space, gymnasium.spaces.Discrete):
            legal = np.ones((*seats, int(self.space.n)), bool) if mask is None else mask
            level = rng.random(seats) * legal.sum(axis=-1)
            return (legal.cumsum(axis=-1) <= level[..., None]).sum(axis=-1) + int(self.space.start), state
        assert isinstance(self.space, gymnasium.spaces.Box)
        low, high = self.space.low.astype(float), self.space.high.astype(float)
        return low + rng.random((*seats, *low.shape)) * (high - low), state


def random_steps(game: Game[Any], batch: int, rng: Rng) -> Iterator[Step[Any]]:
    """Play ``batch`` games at random, and yield every step until all are over or overdue."""
    players = {role: UniformPlayer(game, role) for role in game.roles}
    return itertools.islice(rollout(game, players, game.initial_state(batch, rng), rng), game.max_steps + SLACK)


class Tape:
    """A random generator that remembers everything it has drawn."""

    def __init__(self, rng: np.random.Generator) -> None:
        """Draw from ``rng``."""
        self.rng = rng
        self.drawn: list[np.ndarray] = []

    def random(self, shape: tuple[int, ...]) -> np.ndarray:
        """Draw uniformly from [0, 1), the batch leading."""
        self.drawn.append(self.rng.random(shape))
        return self.drawn[-1].copy()


class Playback:
    """A random generator that replays one game's rows of a tape."""

    def __init__(self, game: Game[Any], tape: Tape, index: int) -> None:
        """Begin at the start of the tape; the game is named where it draws otherwise."""
        self.game, self.tape, self.index, self.position = game, tape, index, 0

    def random(self, shape: tuple[int, ...]) -> np.ndarray:
        """Return the game's row of the batch's numbers at this point, (1, ...)."""
        left = self.position < len(self.tape.drawn)
        require(left, self.game, "a game alone draws more random numbers than the same game in a batch")
        row = self.tape.drawn[self.position][self.index : self.index + 1]
        self.position += 1
        told = f"a game alone draws numbers of shape {tuple(shape)}, in a batch of {row.shape}"
        require(row.shape == tuple(shape), self.game, told)
        return row.copy()
