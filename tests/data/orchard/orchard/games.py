"""Pickers share what an orchard yields: by how much each has picked, or by what each says it needs."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from lawgiver.api import (
    Array,
    Draws,
    Field,
    Game,
    Layout,
    ReportingGame,
    ReportingState,
    Rewards,
    Rng,
    constant,
    evolve,
    floats,
    integer,
    namespace,
    softmax,
    total,
    zeros,
)

COST = 0.5
"""Of picking a basket, which is worth 1."""
LOGITS = 10.0


def even_gain(state: Any) -> Array:
    """Return the mean payoff less the standard deviation of payoffs."""
    xp = namespace(state.payoffs)
    return xp.mean(state.payoffs, axis=-1) - xp.std(state.payoffs, axis=-1)


def takings(state: Any) -> Array:
    """Return what participants have paid, where they pay."""
    return total(state.payments)


def basket_logits(n: int) -> Layout:
    return (Field("share_logits", n, -LOGITS, LOGITS, "log-odds", "of each picker's share of the baskets"),)


@dataclass(frozen=True)
class OrchardState:
    """State of B games: `round` (B,), and `picked`, `payoffs` and `endowments`, (B, n) each."""

    turn: int
    round: Array
    picked: Array
    payoffs: Array
    endowments: Array


@dataclass(frozen=True)
class Orchard(Game[OrchardState]):
    """Each day pickers rest (0) or pick a basket (1); then the mechanism shares the baskets.

    Args:
        n: pickers, >= 2.
        days: rounds of a game, >= 1.
        objective: what the mechanism is paid a day, a registered objective.
    """

    n: int = 3
    days: int = 2
    objective: str = "surplus"

    name: ClassVar[str] = "orchard-v0"
    reference: ClassVar[str] = "nobody's"
    summary: ClassVar[str] = "shares what pickers bring"
    sum_type: ClassVar[Any] = "general"
    budget_balanced: ClassVar[bool] = True
    horizon_known: ClassVar[bool] = True
    reward_meaning: ClassVar[Mapping[str, str]] = {
        "participant": "the day's payoff in baskets, once they are shared",
        "mechanism": "the day's `objective`, once the baskets are shared",
    }

    def __post_init__(self) -> None:
        """Check every parameter."""
        integer("n", self.n, 2)
        integer("days", self.days, 1)
        self.check_objective()

    @property
    def roles(self) -> Mapping[str, int]:
        """The pickers and one mechanism."""
        return {"participant": self.n, "mechanism": 1}

    @property
    def max_steps(self) -> int:
        """Two phases a day."""
        return 2 * self.days

    def phase(self, state: OrchardState) -> str:
        """Pickers go first."""
        return "mechanism" if state.turn else "participant"

    def observation_layout(self, role: str) -> Layout:
        """Everybody sees who picked last."""
        return (Field("picked", self.n, 0, 1, "baskets", "by each picker, today or last"),)

    def action_layout(self, role: str) -> Layout | int:
        """Rest or pick; logits of shares."""
        return 2 if role == "participant" else basket_logits(self.n)

    def observe(self, state: OrchardState, role: str) -> Array:
        """Return what the agents of a role see, (B, n_role, d)."""
        xp = namespace(state.picked)
        return xp.broadcast_to(state.picked[:, None, :], (state.picked.shape[0], self.roles[role], self.n))

    def initial_state(self, batch: int, rng: Rng) -> OrchardState:
        """Return `batch` games before the first day."""
        nobody = zeros(rng, (batch, self.n))
        return OrchardState(0, zeros(rng, (batch,)), nobody, nobody, nobody)

    def outcome(self, state: OrchardState, actions: Array) -> Array:
        """Return who picks, or the shares, (B, n)."""
        sent = floats(actions, state.payoffs)
        return softmax(sent[:, 0]) if state.turn else sent

    def outcome_error(self, state: OrchardState, outcome: Any) -> str | None:
        """Shares sum to 1."""
        if not state.turn:
            return None if ((outcome == 0) | (outcome == 1)).all() else "holds something else than 0 and 1"
        return None if (abs(outcome.sum(-1) - 1) < 1e-6).all() and (outcome >= 0).all() else "holds no shares"

    def advance(self, state: OrchardState, outcome: Array, draws: Draws) -> tuple[OrchardState, Rewards, Array, Array]:
        """Pick, or share."""
        nobody = state.round < 0
        if not state.turn:
            nothing = 0 * state.payoffs
            return evolve(state, turn=1, picked=outcome), {"participant": nothing, "mechanism": nothing[:, :1]}, nobody, nobody  # fmt: skip # noqa: E501
        payoffs = outcome * total(state.picked)[:, None] - COST * state.picked
        after = evolve(state, turn=0, round=state.round + 1, payoffs=payoffs)
        rewards = {"participant": payoffs, "mechanism": self.measure(after)[:, None]}
        return after, rewards, after.round >= self.days, nobody

    def deficit(self, state: OrchardState) -> Array:
        """Return the baskets that were handed out beyond those that were picked, (B,)."""
        return total(state.payoffs) - (1 - COST) * total(state.picked)

    def picture(self, state: OrchardState, index: int) -> dict[str, Any]:
        """Return who picked, and the payoffs."""
        return {"picked": state.picked[index], "payoffs": state.payoffs[index]}


@dataclass(frozen=True)
class Claims(ReportingGame):
    """One basket is shared by what each picker says it needs; nobody pays.

    Args:
        n: pickers, >= 2.
        objective: what the mechanism is paid: `welfare`, or a registered objective.
        mechanism_mode: `allocate`, or `announce` a `weight` on claims.
    """

    n: int = 3
    objective: str = "welfare"
    mechanism_mode: Any = "allocate"

    name: ClassVar[str] = "orchard_claims-v0"
    reference: ClassVar[str] = "nobody's"
    summary: ClassVar[str] = "shares a basket by claims"
    objectives: ClassVar[tuple[str, ...]] = ("welfare",)

    def __post_init__(self) -> None:
        """Check every parameter."""
        integer("n", self.n, 2)
        self.check_choices()

    def type_layout(self) -> Layout:
        """A need."""
        return (Field("need", 1, 0, 1, "baskets", "how much is of use"),)

    def types_of(self, draws: Array) -> Array:
        """Needs are drawn evenly."""
        return draws

    def rule_layout(self) -> Layout:
        """How far shares follow claims."""
        return (Field("weight", 1, 0, 4, "log-odds", "of a claim"),)

    def decision_layout(self) -> Layout:
        """Logits of shares."""
        return basket_logits(self.n)

    def decision(self, actions: Array) -> Array:
        """Return shares (B, n)."""
        return softmax(actions)

    def action_of(self, decision: Array) -> Array:
        """Return logits (B, n)."""
        xp = namespace(decision)
        logits = xp.log(xp.maximum(decision, constant(1e-8, decision)))
        return xp.clip(logits - xp.max(logits, axis=-1, keepdims=True) + LOGITS, -LOGITS, LOGITS)

    def decide(self, parameters: Array, reports: Array) -> Array:
        """Return shares (B, n) by claims."""
        return softmax(parameters * reports[..., 0])

    def settle(self, state: ReportingState, decision: Array) -> ReportingState:
        """What is beyond the need is of no use."""
        return evolve(state, utilities=namespace(decision).minimum(decision, state.types[..., 0]))
