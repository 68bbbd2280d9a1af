"""A batch of games in play, any of which may be restarted while the others continue.

The games of a session move in lockstep: all stand at the same turn of a round, or of a game whose turns count its
rounds. Games that are started anew stand elsewhere. A batch keeps one session for each turn at which some of its games
stand, and joins sessions as soon as they meet. Most often there is only one.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from lawgiver.envs.core.arrays import Rng, map_arrays
from lawgiver.envs.views.session import Session
from lawgiver.envs.views.streams import Streams, of_games

Group = tuple[np.ndarray, Session]
"""The numbers of some games of a batch, (k,), and the session in which they are, in that order."""


class Batch:
    """B games in play.

    Args:
        session: the game and its policies; it is not begun, and stays so.
        num: the number of games B.

    Attributes:
        groups: the games by the turn at which they stand, after :meth:`begin`.
        rng: from which all of them draw.
    """

    def __init__(self, session: Session, num: int) -> None:
        """See the class."""
        self._first, self.num = session, num
        self._everyone = np.arange(num)
        self.groups: list[Group] = []
        self.rng: Rng = None

    def begin(self, rng: Rng) -> None:
        """Start all games anew; from now on they draw from ``rng``."""
        self.rng = rng
        self.groups = [(self._everyone, self._fresh(self._everyone))]

    def _fresh(self, index: np.ndarray) -> Session:
        session = copy.copy(self._first)
        session.rng = of_games(self.rng, index)
        session.reset(len(index))
        return session

    @property
    def session(self) -> Session:
        """The session in which game 0 is, as the first; one that is not begun before :meth:`begin`."""
        return next((session for index, session in self.groups if index[0] == 0), self._first)

    def reseed(self, generators: Mapping[int, np.random.Generator]) -> None:
        """Have some games, by number, draw from generators of their own, and so all others."""
        streams = self.rng.generators if isinstance(self.rng, Streams) else self.rng.spawn(self.num)
        self.rng = Streams([generators.get(game, stream) for game, stream in enumerate(streams)])
        for index, session in self.groups:
            session.rng = of_games(self.rng, index)

    def restart(self, mask: np.ndarray) -> None:
        """Start the games of ``mask`` (B,) anew; the others are left as they are."""
        self.require_begun()
        index = np.flatnonzero(mask)
        fresh = self._fresh(index)
        if len(index) == self.num:
            self.groups = [(index, fresh)]
        elif len(self.groups) == 1 and self.groups[0][1].state.turn == fresh.state.turn:
            put_games(self.groups[0][1], index, fresh)
        else:
            left = [(which, ~mask[which], session) for which, session in self.groups]
            kept = [(which[stay], take(session, stay, self.rng, which)) for which, stay, session in left if stay.any()]
            self.groups = joined([*kept, (index, fresh)], self.rng)

    def step(self, actions: np.ndarray) -> None:
        """Play the actions (B, ...) of the role from outside in all games but those that are over."""
        self.require_begun()
        for index, session in self.groups:
            session.step(actions if len(self.groups) == 1 else actions[index])
        if len(self.groups) > 1:
            self.groups = joined(self.groups, self.rng)

    def cut(self, mask: np.ndarray) -> None:
        """Truncate the games of ``mask`` (B,)."""
        for index, session in self.groups:
            session.truncated = session.truncated | mask[index]

    def require_begun(self) -> None:
        """Raise ActionError before the first :meth:`begin`."""
        if not self.groups:
            self._first.require_begun()

    def place_of(self, game: int) -> tuple[Session, int]:
        """Return the session of a game, and its row there."""
        self.require_begun()
        return next((s, int(np.searchsorted(index, game))) for index, s in self.groups if game in index)

    def gather(self, read: Callable[[Session], Any]) -> Any:
        """Read a tree of arrays (k, ...) from every session and return it for all games, (B, ...)."""
        self.require_begun()
        trees = [read(session) for _, session in self.groups]
        if len(trees) == 1:
            return trees[0]
        order = np.argsort(np.concatenate([index for index, _ in self.groups]))
        return map_arrays(lambda *parts: np.concatenate(parts)[order], *trees)


def put_games(session: Session, index: np.ndarray, fresh: Session) -> None:
    """Write the games of ``fresh`` to rows ``index`` (k,) of a session at the same turn."""

    def put(old: np.ndarray, new: np.ndarray) -> np.ndarray:
        merged = old.astype(np.result_type(old, new))
        merged[index] = new
        return merged

    _merge(session, put, (session, fresh))


def take(session: Session, stay: np.ndarray, rng: Rng, index: np.ndarray) -> Session:
    """Return the games ``stay`` (B,) of a session as one of their own; ``index`` (B,) numbers its games in ``rng``."""
    kept = copy.copy(session)
    _merge(kept, lambda array: array[stay], (session,))
    kept.batch, kept.rng = int(stay.sum()), of_games(rng, index[stay])
    return kept


def joined(groups: list[Group], rng: Rng) -> list[Group]:
    """Merge sessions at the same turn."""
    by_turn: dict[int, list[Group]] = {}
    for group in groups:
        by_turn.setdefault(group[1].state.turn, []).append(group)
    return [_join(met, rng) if len(met) > 1 else met[0] for met in by_turn.values()]


def _join(groups: list[Group], rng: Rng) -> Group:
    index = np.concatenate([index for index, _ in groups])
    order = np.argsort(index)
    sessions = [session for _, session in groups]
    whole = copy.copy(sessions[0])
    _merge(whole, lambda *parts: np.concatenate(parts)[order], tuple(sessions))
    whole.batch, whole.rng = len(index), of_games(rng, index[order])
    return index[order], whole


def _merge(into: Session, function: Callable[..., np.ndarray], sessions: tuple[Session, ...]) -> None:
    """Set a session's games to ``function`` of the games of several sessions."""
    kept = [session.snapshot() for session in sessions]
    into.restore(map_arrays(function, *kept))
