"""A game of memory with known optima: a cue is shown in the first round only, and pays in the last."""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from lawgiver.api import (
    Array,
    Draws,
    Field,
    Game,
    KnownSolution,
    Layout,
    Rewards,
    Rng,
    evolve,
    floats,
    integer,
    namespace,
    total,
    uniform,
    zeros,
)


@dataclass(frozen=True)
class RecallState:
    """State of B games: `round` (B,); `cues` (B, n + 1), 0 or 1, the mechanism's last; `given` (B, n) what participants
    say in this round; `payoffs` and `endowments` (B, n)."""

    turn: int
    round: Array
    cues: Array
    given: Array
    payoffs: Array
    endowments: Array


@dataclass(frozen=True)
class Recall(Game[RecallState]):
    """Everybody is shown a cue of its own, 0 or 1, in the first round, and is to name it in the last.

    In each round participants say 0 or 1, or a number between, and then the mechanism says a number. In the last round
    a participant whose word is a away from its cue is paid 1 - |a|, and the mechanism adds 1 - |m| for each of them,
    where m is how far it is from a cue of its own. Earlier rounds pay nothing. Who remembers earns 1, who does not 1/2
    at the most.

    Args:
        n: participants, >= 2.
        delay: rounds between the cue and the payment, >= 1.
        numbers: whether participants say numbers in [0, 1] rather than 0 or 1.
    """

    n: int = 2
    delay: int = 4
    numbers: bool = False

    name: ClassVar[str] = "recall-v0"
    reference: ClassVar[str] = "a delayed match to sample, as in animal learning"
    summary: ClassVar[str] = "pays in the last round for a cue of the first"
    objective: ClassVar[str] = "surplus"
    sum_type: ClassVar[Any] = "general"
    budget_balanced: ClassVar[bool] = True
    horizon_known: ClassVar[bool] = True
    reward_meaning: ClassVar[Mapping[str, str]] = {
        "participant": "the round's payoff, once the mechanism has spoken",
        "mechanism": "the sum of the round's payoffs, once it has spoken",
    }

    def __post_init__(self) -> None:
        """Check every parameter."""
        integer("n", self.n, 2)
        integer("delay", self.delay, 1)

    @property
    def roles(self) -> Mapping[str, int]:
        """Participants and one mechanism."""
        return {"participant": self.n, "mechanism": 1}

    @property
    def max_steps(self) -> int:
        """Two phases a round."""
        return 2 * (self.delay + 1)

    def phase(self, state: RecallState) -> str:
        """Participants go first."""
        return "mechanism" if state.turn else "participant"

    def observation_layout(self, role: str) -> Layout:
        """The time, and in the first round the own cue."""
        return (
            Field("time", 1, 0, 1, "share", "of the rounds that are over"),
            Field("cue", 1, -1, 1, "sign", "of the own cue in the first round, later 0"),
        )

    def action_layout(self, role: str) -> Layout | int:
        """A number in [0, 1], or 0 and 1 alone."""
        if role == "participant" and not self.numbers:
            return 2
        return (Field("word", 1, 0, 1, "cue", "what the cue was"),)

    def observe(self, state: RecallState, role: str) -> Array:
        """Return the time and the cue, (B, n_role, 2)."""
        xp = namespace(state.cues)
        cues = state.cues[:, : self.n] if role == "participant" else state.cues[:, self.n :]
        shown = xp.where(state.round[:, None] == 0, 2 * cues - 1, 0 * cues)
        time = xp.broadcast_to(state.round[:, None] / (self.delay + 1), shown.shape)
        return xp.stack([time, shown], axis=-1)

    def initial_state(self, batch: int, rng: Rng) -> RecallState:
        """Return games at their first round, each with cues of its own."""
        cues, nothing = uniform(rng, (batch, self.n + 1)), zeros(rng, (batch, self.n))
        cues = namespace(cues).where(cues < 0.5, 0 * cues, 0 * cues + 1)
        return RecallState(0, zeros(rng, (batch,)), cues, nothing, nothing, nothing)

    def outcome(self, state: RecallState, actions: Array) -> Array:
        """Return what participants say, (B, n), or what the mechanism says, (B, 1)."""
        sent = floats(actions, state.payoffs)
        return sent if sent.ndim == 2 else sent[..., 0]

    def advance(self, state: RecallState, outcome: Array, draws: Draws) -> tuple[RecallState, Rewards, Array, Array]:
        """Listen to the participants; then to the mechanism, and pay in the last round."""
        xp, nobody = namespace(state.cues), state.round < 0
        if not state.turn:
            nothing = 0 * state.payoffs
            rewards = {"participant": nothing, "mechanism": nothing[:, :1]}
            return evolve(state, turn=1, given=outcome), rewards, nobody, nobody
        last = (state.round >= self.delay)[:, None]
        right = 1 - xp.abs(state.given - state.cues[:, : self.n]) + 1 - xp.abs(outcome - state.cues[:, self.n :])
        payoffs = xp.where(last, right, 0 * right)
        after = evolve(state, turn=0, round=state.round + 1, payoffs=payoffs)
        rewards = {"participant": payoffs, "mechanism": total(payoffs)[:, None]}
        return after, rewards, last[:, 0], nobody

    def deficit(self, state: RecallState) -> Array:
        """Return zeros (B,): nobody pays."""
        return 0 * state.round

    def picture(self, state: RecallState, index: int) -> dict[str, Any]:
        """Return the cues of the participants, what they say, and what they are paid."""
        return {"cue": state.cues[index, : self.n], "word": state.given[index], "payoff": state.payoffs[index]}

    def earned(self, word: float | None) -> float:
        """Compute a participant's mean payoff of a game where all say ``word`` in the end, or their cues (None)."""
        cues = np.array(list(itertools.product((0.0, 1.0), repeat=self.n + 1)))
        said = cues if word is None else np.full_like(cues, word)
        nothing = np.zeros((len(cues), self.n))
        last = RecallState(1, np.full(len(cues), float(self.delay)), cues, said[:, : self.n], nothing, nothing)
        return float(self.advance(last, said[:, self.n :], {})[0].payoffs.mean())

    def known_solutions(self) -> tuple[KnownSolution, ...]:
        """What everybody earns who remembers, and the most that anybody earns who does not."""
        words = np.linspace(0, 1, 11)
        return (
            KnownSolution(
                "payoff of a game where all remember",
                "each word is the cue",
                lambda: 2.0,
                lambda: abs(2 - self.earned(None)),
            ),
            KnownSolution(
                "payoff of a game where nobody remembers",
                "|a - 0| + |a - 1| = 1 of every word a",
                lambda: 1.0,
                lambda: max(abs(1 - self.earned(float(word))) for word in words),
            ),
        )
