"""The rules of the common-pool trust game (Koster, Pislar et al. 2025, Nature Communications 16:2824)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, ClassVar, Literal

import numpy as np

from lawgiver.envs.commons_trust.rule_family import FORMULA, LAYOUT, MEMBERS, family_offers
from lawgiver.envs.commons_trust.state import CommonsTrustState
from lawgiver.envs.core.arrays import Array, Rng, constant, evolve, floats, namespace, select, total, uniform, zeros
from lawgiver.envs.core.errors import NoSolution, ParameterError, choice, integer, number
from lawgiver.envs.core.fields import Field, Layout, columns, width
from lawgiver.envs.core.game import Draws, KnownSolution, Rewards
from lawgiver.envs.core.recorded import Recorded
from lawgiver.envs.families.two_modes import TwoModes

SMALLEST_OFFER = 1.0
"""Points below which an offer excludes a participant, and a pool is depleted."""
TOLERANCE = 1e-5
"""Relative excess up to which offers of a supplied policy keep to the pool, and returns to the offers: float32."""


@dataclass(frozen=True)
class CommonsTrust(TwoModes[CommonsTrustState]):
    """A mechanism offers a common pool to participants, and what they return grows back into it.

    Each round the mechanism offers every participant an amount e_i >= 0 out of the pool R, sum e <= R; what it holds
    back stays in the pool. Then the participants return c_i in [0, e_i], all at once, and keep e_i - c_i, their payoff
    of the round. The pool becomes min(``capacity``, R - sum e + ``growth`` * sum c). The mechanism is paid the
    objective of the round's payoffs. If all of the pool is offered, it shrinks unless the share 1 / ``growth`` comes
    back.

    The mechanism acts first in both modes. *allocate*: it sees the pool and the last round, and sends the offers in
    points, every round. Offers that together exceed the pool are played as the nearest in the same proportions: they
    are scaled down to it. *announce*: it announces the parameters of a rule, once a game or every round, which the
    participants observe: offers w R / n + (1 - w) R c_i / sum c by the last returns c, where w = max(floor,
    weight * (R / capacity)^exponent). Where nobody has returned anything, as before the first round, they are equal.

    Nobody sees how many rounds there are. A game is cut off (truncated) after ``n_rounds``; with ``continuation`` it
    also ends (terminates) at random from round ``min_rounds`` on.

    Args:
        n: number of participants, >= 2.
        first_pool: the pool before the first round in points, > 0 and at most ``capacity``.
        capacity: the most that the pool can hold in points, > 0.
        growth: what a returned point becomes, > 0 and at most a million.
        n_rounds: rounds after which a game is cut off, >= 1.
        continuation: chance of another round after each from ``min_rounds`` on, in [0, 1); None for a game of
            ``n_rounds`` rounds.
        min_rounds: rounds that a game has at least, 1 to ``n_rounds``; only with ``continuation``.
        integer_returns: True: participants return whole points, as people did; an offer below 1 is kept. False: they
            return a fraction of the offer, in [0, 1].
        mechanism_mode: ``allocate`` or ``announce``.
        announce_every: ``round``; or ``game``, only with ``continuation``: a learner that acts once and is then cut
            off would take its only reward for a part of it.
        objective: the mechanism's reward of a round: a registered objective, such as ``surplus``, here the sum of what
            participants keep.

    Raises:
        ParameterError: if a parameter is outside its range.
    """

    n: int = 4
    first_pool: float = 200.0
    capacity: float = 200.0
    growth: float = 1.4
    n_rounds: int = 40
    continuation: float | None = None
    min_rounds: int = 1
    integer_returns: bool = True
    mechanism_mode: Literal["allocate", "announce"] = "allocate"
    announce_every: Literal["round", "game"] = "round"
    objective: str = "surplus"

    name: ClassVar[str] = "commons_trust-v0"
    payoff_unit: ClassVar[str] = "points"
    summary: ClassVar[str] = "entrusts a common pool to those who keep it up"
    reference: ClassVar[str] = "Koster, Pislar et al. 2025, Nat Commun 16:2824; arXiv 2404.15059"
    sum_type: ClassVar[Literal["general", "constant", "identical"]] = "general"
    budget_balanced: ClassVar[bool] = True
    horizon_known: ClassVar[bool] = False
    reward_meaning: ClassVar[Mapping[str, str]] = {
        "participant": "points kept of the round's offer, once it has returned the rest",
        "mechanism": "the `objective` of the round's payoffs, once the round is over",
    }
    variants: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "announce": {"mechanism_mode": "announce"},
        "returns on the continuum": {"integer_returns": False},
    }
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "experiment_1": {},
        "experiment_4": {"continuation": 0.8, "min_rounds": 25, "n_rounds": 200},
    }

    def __post_init__(self) -> None:
        """Check every parameter."""
        checked = {
            "n": integer("n", self.n, 2),
            "capacity": number("capacity", self.capacity, "(0, inf)"),
            "first_pool": number("first_pool", self.first_pool, "(0, inf)"),
            "growth": number("growth", self.growth, "(0, 1e6]"),
            "n_rounds": integer("n_rounds", self.n_rounds, 1),
        }
        for name, value in checked.items():
            object.__setattr__(self, name, value)
        if self.first_pool > self.capacity:
            raise ParameterError(
                f"first_pool is {self.first_pool:g}, allowed: at most the capacity, which is {self.capacity:g}"
            )
        object.__setattr__(self, "min_rounds", integer("min_rounds", self.min_rounds, 1, self.n_rounds))
        if self.continuation is not None:
            object.__setattr__(self, "continuation", number("continuation", self.continuation, "[0, 1)"))
        elif self.min_rounds > 1:
            raise ParameterError(
                f"min_rounds is {self.min_rounds} without a continuation, allowed: 1; games have n_rounds rounds"
            )
        if not isinstance(self.integer_returns, bool):
            raise ParameterError(f"integer_returns is {self.integer_returns!r}, allowed: True or False")
        self.check_choices()
        choice("announce_every", self.announce_every, ("round", "game"))
        if self._announces_once and self.continuation is None:
            raise ParameterError(
                "announce_every is 'game', allowed: 'round', or a continuation: a game of n_rounds rounds is cut off"
            )

    # -- parameters in a handier shape --------------------------------------------------------------------------

    @property
    def members(self) -> Mapping[str, tuple[float, ...]]:
        """The canonical rules by name, with their parameters."""
        return MEMBERS

    @property
    def rule_formula(self) -> str | None:
        """The family's formula, of a mechanism that announces."""
        return FORMULA if self.announces else None

    @property
    def recorded(self) -> Recorded | None:
        """Behaviour in whole points is recorded, where nothing is offered between a round and the next."""
        if self._announces_once or not self.integer_returns:
            return None
        return Recorded("offers", "returns", shared=("pool",), by_round=True)

    @property
    def _announces_once(self) -> bool:
        return self.announces and self.announce_every == "game"

    @cached_property
    def _seen(self) -> np.ndarray:
        """Which columns of :meth:`_public` each participant sees, in the order of its layout, (n, d)."""
        n, rows = self.n, []
        for seat in range(n):
            own_first = [seat, *(other for other in range(n) if other != seat)]
            blocks = [block * n + other for block in range(3) for other in own_first]
            rows.append([*blocks, *range(3 * n, 3 * n + 1 + self._n_parameters)])
        return np.array(rows)

    @cached_property
    def _n_parameters(self) -> int:
        return width(LAYOUT) if self.announces else 0

    # -- the contract -------------------------------------------------------------------------------------------

    @property
    def roles(self) -> Mapping[str, int]:
        """The participants and one mechanism."""
        return {"participant": self.n, "mechanism": 1}

    @property
    def max_steps(self) -> int:
        """Two phases a round, or one after the announcement of a game-long rule."""
        return self.n_rounds + 1 if self._announces_once else 2 * self.n_rounds

    def phase(self, state: CommonsTrustState) -> str:
        """Return the role that acts now."""
        return "participant" if state.turn else "mechanism"

    def observation_layout(self, role: str) -> Layout:
        """Return the fields of an observation; amounts are in points."""
        top, n = self.capacity, self.n
        pool = Field("pool", 1, 0, top, "points", "before this round's offers")
        if role == "mechanism":
            return (
                Field("offers", n, 0, top, "points", "of the last round, 0 before the first"),
                Field("returns", n, 0, top, "points", "of the last round, 0 before the first"),
                pool,
            )
        self.check_role(role)
        rule = tuple(replace(field, name=f"rule_{field.name}") for field in LAYOUT) if self.announces else ()
        return (
            Field("offers", n, 0, top, "points", "of this round, own first", own_first=True),
            Field("returns", n, 0, top, "points", "of the last round, own first, 0 before the first", own_first=True),
            Field(
                "last_offers", n, 0, top, "points", "of the last round, own first, 0 before the first", own_first=True
            ),
            pool,
            *rule,
        )

    def action_layout(self, role: str) -> Layout | int:
        """Participants return points or a fraction; the mechanism sends offers or the parameters of a rule."""
        if role == "participant":
            if self.integer_returns:
                return int(self.capacity) + 1
            return (Field("fraction", 1, 0.0, 1.0, "fraction", "of the offer that is returned"),)
        self.check_role(role)
        if self.announces:
            return LAYOUT
        return (Field("offers", self.n, 0.0, self.capacity, "points", "to each participant"),)

    def observe(self, state: CommonsTrustState, role: str) -> Array:
        """Compute the observations of a role, (B, n_role, d)."""
        xp = namespace(state.pool)
        if role == "participant":
            parts = [state.offers, state.returns, state.last_offers, state.pool[:, None], state.rule]
            return select(xp.concat(parts, axis=-1), self._seen)
        self.check_role(role)
        return xp.concat([state.last_offers, state.returns, state.pool[:, None]], axis=-1)[:, None, :]

    def legal_actions(self, state: CommonsTrustState, role: str) -> Array | None:
        """A participant may return the whole points of its offer; the mechanism may do anything in its Box."""
        if role != "participant" or not self.integer_returns:
            return None
        return constant(np.arange(int(self.capacity) + 1), like=state.offers) <= state.offers[:, :, None]

    def initial_state(self, batch: int, rng: Rng) -> CommonsTrustState:
        """Return ``batch`` games before their first round."""
        return self.initial_state_from(zeros(rng, (batch,)) + self.first_pool)

    def initial_state_from(self, pool: Array) -> CommonsTrustState:
        """Return games before their first round with given pools (B,)."""
        xp = namespace(pool)
        nothing = xp.zeros_like(pool)
        nobody = xp.broadcast_to(nothing[:, None], (pool.shape[0], self.n))
        return CommonsTrustState(
            turn=0,
            round=nothing,
            pool=pool,
            offers=nobody,
            last_offers=nobody,
            returns=nobody,
            payoffs=nobody,
            kept=nobody,
            last_pool=pool,
            spilled=nothing,
            rule=xp.broadcast_to(nothing[:, None], (pool.shape[0], self._n_parameters)),
        )

    def draw(self, batch: int, rng: Rng) -> Draws:
        """Draw whether each game continues, where that is random."""
        return {} if self.continuation is None else {"going_on": uniform(rng, (batch,))}

    def outcome(self, state: CommonsTrustState, actions: Array) -> Array:
        """Return points from 0 to the offers, offers within the pool, or the announced parameters."""
        sent = floats(actions, state.pool)
        if self.phase(state) == "participant":
            if not self.integer_returns:
                return sent[..., 0] * state.offers
            return namespace(sent).minimum(sent, namespace(sent).floor(state.offers))
        return sent[:, 0] if self.announces else within_pool(sent[:, 0], state.pool)

    def outcome_error(self, state: CommonsTrustState, outcome: np.ndarray) -> str | None:
        """Describe the fault of returns beyond the offers, offers beyond the pool, or a rule outside its Box."""
        if self.phase(state) == "participant":
            fine = (outcome >= 0) & (outcome <= state.offers * (1 + TOLERANCE))
            if not fine.all():
                return "holds returns below 0 or above the offer"
            whole = not self.integer_returns or (outcome == np.floor(outcome)).all()
            return None if whole else "holds returns that are no whole points, with integer_returns"
        if self.announces:
            space: Any = self.action_space("mechanism")
            announced = outcome.astype(np.float32)
            fine = (announced >= space.low) & (announced <= space.high)
            return None if fine.all() else f"holds rules outside {space}"
        fine = (outcome >= 0).all(axis=-1) & (outcome.sum(axis=-1) <= state.pool * (1 + TOLERANCE))
        return None if fine.all() else f"holds offers below 0, or beyond the pool together: {outcome[~fine][0]}"

    def advance(
        self, state: CommonsTrustState, outcome: Array, draws: Draws
    ) -> tuple[CommonsTrustState, Rewards, Array, Array]:
        """Make offers, or take returns; payoffs come with the returns."""
        if self.phase(state) == "participant":
            return self._returned(state, outcome, draws)
        offers = family_offers(outcome, state.pool, state.returns, self.capacity) if self.announces else outcome
        changed = {"rule": outcome} if self.announces else {}
        nothing, nobody = namespace(state.payoffs).zeros_like(state.payoffs), state.round < 0
        rewards = {"participant": nothing, "mechanism": nothing[:, :1]}
        return evolve(state, turn=1, offers=offers, **changed), rewards, nobody, nobody

    def _returned(
        self, state: CommonsTrustState, returns: Array, draws: Draws
    ) -> tuple[CommonsTrustState, Rewards, Array, Array]:
        """Pay what is kept and let the pool grow; a game-long rule makes the next offers at once."""
        xp = namespace(state.pool)
        held_back = xp.maximum(state.pool - total(state.offers), xp.zeros_like(state.pool))  # not below 0 by rounding
        grown = held_back + self.growth * total(returns)
        pool = xp.minimum(grown, constant(self.capacity, grown))
        payoffs = state.offers - returns
        again = self._announces_once
        after = evolve(
            state,
            turn=1 if again else 0,
            round=state.round + 1,
            pool=pool,
            offers=family_offers(state.rule, pool, returns, self.capacity) if again else state.offers,
            last_offers=state.offers,
            returns=returns,
            payoffs=payoffs,
            kept=state.kept + payoffs,
            last_pool=state.pool,
            spilled=grown - pool,
        )
        rewards = {"participant": after.payoffs, "mechanism": self.measure(after)[:, None]}
        stopped = state.round < 0
        if self.continuation is not None:
            stopped = (floats(draws["going_on"], grown) >= self.continuation) & (after.round >= self.min_rounds)
        return after, rewards, stopped, (after.round >= self.n_rounds) & ~stopped

    def deficit(self, state: CommonsTrustState) -> Array:
        """Compute what is kept, in the pool and spilled after the last round less the pool before it and its growth."""
        there = total(state.payoffs) + state.pool + state.spilled
        return there - (state.last_pool + (self.growth - 1) * total(state.returns))

    def infos(self, state: CommonsTrustState) -> Mapping[str, Array]:
        """Flag participants who were offered less than 1 point in the last round (B, n), and pools by 1 point (B,)."""
        excluded = (state.last_offers < SMALLEST_OFFER) & (state.round > 0)[:, None]
        return {
            "excluded": excluded,
            "sustained": state.pool > SMALLEST_OFFER,
            "depleted": state.pool < SMALLEST_OFFER,
        }

    def picture(self, state: CommonsTrustState, index: int) -> dict[str, np.ndarray]:
        """Return offers, returns and what is kept of one game in points, the pool, the round and the rule."""
        amounts = {"offers": "offers", "last offers": "last_offers", "last returns": "returns", "kept in all": "kept"}
        picture = {f"{name} (points)": np.asarray(getattr(state, field)[index]) for name, field in amounts.items()}
        picture["pool (points)"] = np.asarray(state.pool[index : index + 1])
        picture["completed rounds"] = np.asarray(state.round[index : index + 1])
        rule = columns(LAYOUT) if self.announces else {}
        return picture | {f"rule {name}": np.asarray(state.rule[index, at]) for name, at in rule.items()}

    def known_solutions(self) -> tuple[KnownSolution, ...]:
        """See :mod:`lawgiver.envs.commons_trust.solutions`."""
        from lawgiver.envs.commons_trust.solutions import known_solutions

        return known_solutions(self)

    def unknown_solutions(self) -> Mapping[str, NoSolution]:
        """See :mod:`lawgiver.envs.commons_trust.solutions`."""
        from lawgiver.envs.commons_trust.solutions import unknown_solutions

        return unknown_solutions(self)


def within_pool(offers: Array, pool: Array) -> Array:
    """Scale offers >= 0 (B, n) that together exceed the pool (B,) down to it, in their proportions."""
    xp = namespace(offers)
    offers = xp.maximum(offers, xp.zeros_like(offers))
    asked = total(offers)
    too_much = asked > pool
    return xp.where(too_much[:, None], offers * (pool / xp.where(too_much, asked, 1.0))[:, None], offers)
