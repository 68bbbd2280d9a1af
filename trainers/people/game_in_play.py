"""One game of a group: its session, the actions of the turn that is open, and the rounds that are over."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from lawgiver.agents.seated_policy import carried
from lawgiver.envs.views.screen import Form, form
from lawgiver.envs.views.session import Session
from lawgiver.trainers.people.happenings import WAITED, Decision, Happening, Source
from lawgiver.trainers.people.played import Round
from lawgiver.trainers.people.setup import PARTNERS, RULES, Setup

SAME = 1e-9
"""How far the outcome of a mechanism may be from the one recorded when a game is played again."""
Key = tuple[int, int, str, int]
"""What a decision is known by: episode, step, role and seat."""
Earnings = tuple[tuple[tuple[float, ...], ...], tuple[float, ...]]
"""Rewards of each round, by participant, and their sums."""


class GameInPlay:
    """One game in play, which writes what happens into the log of its group.

    Args:
        setup: of the group.
        number: of the episode.
        mechanism: index of the mechanism; None in a game without.
        log: of the group, to write into.
        known: decisions of a log that is played again, by episode, step, role and seat; empty otherwise.
        earlier: the game that the same people have played before; None for the first.

    Attributes:
        step: number of the phase that is open, from 0.
        acting: seats whose turn it is.
        pending: actions of the turn that is open, and who made them, by seat.
        rounds: those that are over.
        seen: observations of the participants now, (n, d).
        over: whether the game has ended.
        initial: the programs' memory before the first game.
        fault: how the game differs from the log that is played again; None if it does not.
    """

    def __init__(
        self,
        setup: Setup,
        number: int,
        mechanism: int | None,
        log: list[Happening],
        known: Mapping[Key, Decision],
        earlier: GameInPlay | None,
    ) -> None:
        """Begin the game, up to the first turn of the participants."""
        self.setup, self.number, self.mechanism = setup, number, mechanism
        self._log, self._known = log, known
        self.step = 0
        self.rounds: list[Round] = []
        self.acting: tuple[int, ...] = ()
        self.pending: dict[int, tuple[Any, str]] = {}
        self.fault: str | None = None
        given = {} if mechanism is None else {"mechanism": setup.mechanisms[mechanism]}
        self.n = setup.game.roles["participant"]
        self._session = session = Session(setup.game, given, setup.partners, range(self.n))
        session.rng, session.partners_rng = setup.rng(number, RULES), setup.rng(number, PARTNERS)
        session.reset(1, setup.opening)
        self._look()
        self.initial: Any = session.memory["participant"] if earlier is None else earlier.initial
        if earlier is not None:
            session.memory["participant"] = carried(setup.partners, earlier.memory, self.initial)
        self._open()

    @property
    def memory(self) -> Any:
        """The programs' memory, of all participants."""
        return self._session.memory["participant"]

    @property
    def points(self) -> np.ndarray:
        """Rewards of each participant so far, (n,)."""
        earned: np.ndarray = np.sum([np.zeros(self.n), *(one.rewards for one in self.rounds)], axis=0)
        return earned

    def earnings(self, seat: int) -> Earnings:
        """Return the rewards of each round, and their sums, beginning with one participant."""
        if seat not in self._earnings:
            order = [seat, *(other for other in range(self.n) if other != seat)]
            rounds = tuple(tuple(one.rewards[order].tolist()) for one in self.rounds)
            self._earnings[seat] = rounds, tuple(self.points[order].tolist())
        return self._earnings[seat]

    def legal(self, seat: int) -> np.ndarray | None:
        """Return the mask of a participant's legal actions, bool (A,); None if all are."""
        mask = self.setup.game.legal_actions(self._session.state, "participant")
        return None if mask is None else np.asarray(mask)[0, seat]

    def form(self, seat: int) -> Form:
        """Return the form of a participant's turn: the same one until the round is played."""
        if seat not in self._forms:
            self._forms[seat] = form(self.setup.game, self.setup.wording, self.seen[seat], self.legal(seat))
        return self._forms[seat]

    def take(self, seat: int, action: Any, source: Source) -> None:
        """Take a participant's action for the turn that is open; one that a program decides on need not be given."""
        if source != "person":
            recorded = self._known.get((self.number, self.step, "participant", seat))
            action = self._session.considered[0, seat] if recorded is None else recorded.action
        plain = np.asarray(action).tolist()
        self.pending[seat] = plain, source
        self._log.append(Decision(self.number, self.step, "participant", seat, plain, source))

    def play(self) -> Round:
        """Play the round on; programs decide for all from whom no action was taken."""
        for seat in range(self.n):
            if seat not in self.acting:
                self.pending[seat] = self._session.considered[0, seat], WAITED
            elif seat not in self.pending:
                self.take(seat, None, "program")
        actions, sources = zip(*(self.pending[seat] for seat in range(self.n)), strict=True)
        step, seen = self.step, self.seen
        self._session.step(np.array([actions]))
        self._look()
        paid = np.array(self._session.rewards["participant"], float)[0]
        played = Round(step, seen, np.array(actions), sources, paid, self.seen)
        self.rounds.append(played)
        self.step += 1
        self._open()
        return played

    def _look(self) -> None:
        """Observe the state for all participants, once until it changes."""
        session = self._session
        self.seen: np.ndarray = np.array(self.setup.game.observe(session.state, "participant"), float)[0]
        self.over = bool(session.terminated[0] or session.truncated[0])
        self._forms: dict[int, Form] = {}
        self._earnings: dict[int, Earnings] = {}

    def _open(self) -> None:
        """Open the next turn; log what the mechanism has made before, and compare it with the log played again."""
        for role, outcome in self._session.played:
            made = np.asarray(outcome)[0]
            recorded = self._known.get((self.number, self.step, role, 0))
            if recorded is not None and not _same(made, recorded.action):
                self.fault = f"in game {self.number} the {role} makes something else at step {self.step} than recorded"
            kept = made.tolist() if recorded is None else recorded.action
            self._log.append(Decision(self.number, self.step, role, 0, kept, "mechanism"))
            self.step += 1
        game, everybody = self.setup.game, range(self.n)
        acts = (
            np.asarray(game.acts(self._session.state, "participant"))[0] if game.seats_take_turns else [True] * self.n
        )
        self.acting, self.pending = tuple(seat for seat in everybody if acts[seat]), {}


def _same(made: np.ndarray, recorded: Any) -> bool:
    other = np.asarray(recorded)
    return made.shape == other.shape and bool(np.allclose(made, other, rtol=0, atol=SAME))
