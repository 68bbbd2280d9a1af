"""Policies of reporting games: truthful participants, and mechanisms that decide by reports.

Where the mechanism of a Markov decision process announces its rule, it sends log w and b of an affine maximiser and the
game does the rest; where it decides after the reports, the same rule is worked out from what it sees. These rules are
those of :mod:`lawgiver.envs.solvers.mdp.affine`, on NumPy and on torch. Other games know their own by name.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, ClassVar, TypeGuard

import numpy as np

from lawgiver.agents.learned import fill
from lawgiver.agents.mechanisms import canonical
from lawgiver.agents.online_allocation import Experienced
from lawgiver.agents.policies import DiscretePolicy, RulePolicy, point_mass
from lawgiver.envs.core.arrays import Array, Rng, constant, namespace
from lawgiver.envs.core.errors import ParameterError, UnsupportedGameError, allowed, number
from lawgiver.envs.core.fields import box, width
from lawgiver.envs.core.game import Game
from lawgiver.envs.core.policy import Memory, Policy
from lawgiver.envs.families.mdp_game import MDPGame
from lawgiver.envs.families.repeated_reports import RepeatedReports
from lawgiver.envs.families.reporting_game import ReportingGame
from lawgiver.envs.online_allocation import OnlineAllocation
from lawgiver.envs.repeated import RepeatedGame

Numbers = float | Sequence[Any] | np.ndarray
"""One number for all, or one for each."""


class Truthful(RulePolicy):
    """Participants who report the type that they see."""

    def __init__(self, game: ReportingGame) -> None:
        """Read the size of a type, which comes first in the observation."""
        self._size = width(game.type_layout())

    def action(self, obs: Array) -> Array:
        """Return the type (B, n, k) that observations (B, n, d) begin with."""
        return obs[..., : self._size]


class Honest(DiscretePolicy):
    """Participants of a repeated game who choose the truth among the reports that there are."""

    def __init__(self, game: RepeatedReports) -> None:
        """Keep the game, and the size of a type, which comes first in the observation."""
        self._game, one = game, game.one_shot
        self._size = width((*one.type_layout(), *one.public_layout()))

    def distribution(self, obs: Array, mask: Array | None, state: Memory) -> tuple[Array, Memory]:
        """Return log-probabilities (B, n, A) that leave nothing to the other choices, and the memory."""
        return point_mass(self._game.honest_choice(obs[..., : self._size]), self._game.choices, obs), state


class FromMenu(DiscretePolicy):
    """Participants of a repeated game who choose the report that a policy of its stage would make.

    Args:
        game: a repeated game whose reports to choose from are the stage's menu.
        policy: participants of the stage, who draw nothing at random.
    """

    def __init__(self, game: RepeatedGame, policy: Policy) -> None:
        """See the class."""
        self._game, self._policy = game, policy
        self._size = width(game.one_shot.observation_layout("participant"))

    def initial_state(self, batch: int, rng: Rng) -> Memory:
        """Return the policy's own memory."""
        return self._policy.initial_state(batch, rng)

    def distribution(self, obs: Array, mask: Array | None, state: Memory) -> tuple[Array, Memory]:
        """Return log-probabilities (B, n, A) that leave nothing to the other choices, and the memory."""
        moments, state = self._policy.distribution(obs[..., : self._size], None, state)
        return point_mass(self._game.one_shot.honest_choice(moments[..., 0, :]), self._game.choices, obs), state


class OutcomeRule(RulePolicy):
    """A mechanism given by its outcome, which is exact. As an action it fits into the Box."""

    def __init__(self, game: ReportingGame) -> None:
        """Keep the game and the Box."""
        self.game = game
        layout = game.rule_layout() if game.announces else game.decision_layout()
        self._low, self._high = (np.asarray(end, float) for end in (box(layout).low, box(layout).high))

    @abstractmethod
    def outcome(self, obs: Array, mask: Array | None, state: Memory, rng: Rng) -> tuple[Array, Memory]:
        """Return the decision (B, d) by the reports that are seen, and the memory."""

    def action(self, obs: Array) -> Array:
        """Return the outcome as an action (B, 1, d): logits for shares and policies, and all within its bounds."""
        sent, _ = self.outcome(obs, None, None, None)
        if not self.game.announces:
            sent = self.game.action_of(sent)
        return namespace(sent).clip(sent, constant(self._low, sent), constant(self._high, sent))[:, None, :]


class DirectMechanism(OutcomeRule):
    """A mechanism that is a function of the reports."""

    @abstractmethod
    def decision(self, reports: Array) -> Array:
        """Return the decision (B, d) for reports (B, n, k)."""

    def outcome(self, obs: Array, mask: Array | None, state: Memory, rng: Rng) -> tuple[Array, Memory]:
        """Return the decision (B, d) by the reports that are seen, and the memory."""
        return self.decision(self.game.seen_reports(obs)), state


class AnnouncedRule(DirectMechanism):
    """A rule of the family that the game's mechanism announces. Where it decides itself, it decides by the same rule.

    Its outcome is the rule itself, never clipped, since that would be another rule.
    """

    @property
    @abstractmethod
    def parameters(self) -> np.ndarray:
        """The announced parameters, (D,)."""

    def outcome(self, obs: Array, mask: Array | None, state: Memory, rng: Rng) -> tuple[Array, Memory]:
        """Return the parameters (B, D) where they are announced, else the decision (B, d); and the memory."""
        if not self.game.announces:
            return super().outcome(obs, mask, state, rng)
        return self._every(obs), state

    def decision(self, reports: Array) -> Array:
        """Compute the decision of the rule for the reports, (B, d)."""
        return self.game.decide(self._every(reports), reports)

    def _every(self, like: Array) -> Array:
        """Return the parameters in each of B games, (B, D), for an array (B, ...)."""
        parameters = constant(self.parameters, like)
        return namespace(like).broadcast_to(parameters, (like.shape[0], *parameters.shape))


class AffineMaximiser(AnnouncedRule):
    """The affine maximiser with given weights and boosts, which can be kept in a folder once they are learned.

    They may be any: a rule that is learned may lie outside of what can be announced. Environments that are given it
    refuse to announce it then (ActionError), and play it in ``allocate`` mode, where it decides from the reports.

    Args:
        game: the game.
        log_weights: log w, (n,); None for zeros, weights of 1.
        boosts: b, (S, A); None for zeros.

    Attributes:
        log_weights: float64 (n,); ``boosts``: float64 (S, A).
    """

    kind: ClassVar[str] = "affine_maximiser"
    role: ClassVar[str] = "mechanism"
    either_mode: ClassVar[bool] = True

    def __init__(
        self, game: Game[Any], *, log_weights: np.ndarray | None = None, boosts: np.ndarray | None = None
    ) -> None:
        """See the class."""
        process = process_of(game, "affine_maximiser")
        super().__init__(process)
        shape = (process.mdp.n_states, process.mdp.n_actions)
        self.settings: dict[str, Any] = {}
        self.log_weights = np.zeros(self.game.n) if log_weights is None else np.array(log_weights, float)
        self.boosts = np.zeros(shape) if boosts is None else np.array(boosts, float).reshape(shape)

    def __repr__(self) -> str:
        """Give the weights, and the range of the boosts."""
        weights = ", ".join(f"{weight:.3g}" for weight in np.exp(self.log_weights))
        ends = f"{self.boosts.min():.3g} to {self.boosts.max():.3g}"
        return f"AffineMaximiser({self.game.name}: weights {weights}; {self.boosts.size} boosts, {ends})"

    def state(self) -> dict[str, np.ndarray]:
        """Return the logarithms of the weights, and the boosts."""
        return {"log_weights": self.log_weights, "boosts": self.boosts}

    def restore(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Take the numbers of a saved mechanism."""
        fill(self.state(), arrays)

    def rule_parameters(self) -> dict[str, float | int]:
        """Give the weight of each participant, and the least, the greatest and the number of the boosts."""
        weights = {f"weight_{i}": float(w) for i, w in enumerate(np.exp(self.log_weights))}
        boosts = self.boosts
        return weights | {
            "least boost": float(boosts.min()),
            "greatest boost": float(boosts.max()),
            "boosts": int(boosts.size),
        }

    @property
    def parameters(self) -> np.ndarray:
        """The announced parameters, log w and then b state by state, (n + S A,)."""
        return np.concatenate([self.log_weights, self.boosts.ravel()])


class PayAsBid(DirectMechanism):
    """Maximises reported welfare, and charges each participant its reported value of the policy.

    Whoever understates what it wants pays less: a first-price auction, and a negative control of audits.
    """

    def decision(self, reports: Array) -> Array:
        """Return the policy and the payments, (B, d)."""
        game, xp = process_of(self.game, "pay_as_bid"), namespace(reports)

        def decided(some: slice) -> Array:
            rewards = game.rewards(reports[some])
            _, policy = game.mdp.optimal(xp.sum(rewards, axis=1))
            worth = xp.sum(game.mdp.occupancy(policy)[:, None] * rewards, axis=(-2, -1))
            return game.joined(policy, worth)

        return game.in_slices(decided, reports.shape[0])


class NamedRule(DirectMechanism):
    """One of the rules by the reports that a game knows by name (``allocate`` mode).

    Args:
        game: the game.
        name: of the rule, among its ``direct_rules``.
    """

    def __init__(self, game: ReportingGame, name: str) -> None:
        """Look the rule up."""
        super().__init__(game)
        self._rule = game.direct_rules[name]

    def decision(self, reports: Array) -> Array:
        """Return the decision (B, d)."""
        return self._rule(reports)


def truthful(game: Game[Any]) -> Policy:
    """Return participants who report what they are, or what they have experienced.

    Every reporting game has them, every menu of misreports, and online allocation.
    """
    if isinstance(game, RepeatedReports):
        return Honest(game)
    if isinstance(game, OnlineAllocation):
        return Experienced(game)
    if not isinstance(game, ReportingGame):
        raise UnsupportedGameError(f"participant 'truthful' reports its type; those of {game.name} report none")
    return Truthful(game)


def vcg(game: Game[Any]) -> Policy:
    """Return the VCG mechanism: greatest reported welfare, and everybody pays what the others lose by it."""
    return named_rule(game, "vcg") if _knows_rules(game) else AffineMaximiser(process_of(game, "vcg"))


def item_myerson(game: Game[Any]) -> Policy:
    """Return the auction that sells every item by Myerson's rule, as if there were no other."""
    return named_rule(game, "item_myerson")


def bundle_myerson(game: Game[Any]) -> Policy:
    """Return the auction that sells all items together by Myerson's rule."""
    return named_rule(game, "bundle_myerson")


def named_rule(game: Game[Any], name: str) -> Policy:
    """Return a rule of a reporting game by name: announced where the mechanism announces, else by the reports.

    Raises:
        UnsupportedGameError: if the game has no such rule, or its mechanism cannot announce it.
    """
    if not _knows_rules(game):
        raise UnsupportedGameError(f"mechanism {name!r} decides by what is reported; {game.name} knows no such rule")
    known: Collection[str] = game.members if game.announces else game.direct_rules
    if name not in known:
        reason = game.inapplicable_rules.get(name)
        where = game.name if reason is None else f"{game.name} {reason}"
        raise UnsupportedGameError(f"mechanism {name!r} is not a rule of {where}; {allowed(name, known)}")
    return canonical(game, name) if game.announces else NamedRule(game, name)


def rule_by_name(name: str, told: str) -> Callable[[Game[Any]], Policy]:
    """Make the factory of the mechanism that is a rule by name; see :func:`named_rule`.

    Args:
        name: of the rule.
        told: noun phrase that describes it, which becomes the factory's docstring.
    """

    def make(game: Game[Any]) -> Policy:
        return named_rule(game, name)

    make.__name__ = make.__qualname__ = name
    make.__doc__ = f"Return {told}."
    return make


def _knows_rules(game: Game[Any]) -> TypeGuard[ReportingGame]:
    """Check whether a game knows rules by name that decide by the reports."""
    return isinstance(game, ReportingGame) and bool(game.direct_rules or game.inapplicable_rules)


def affine_maximiser(game: Game[Any], *, log_weights: Numbers | None = None, boosts: Numbers | None = None) -> Policy:
    """Return the affine maximiser with weights and boosts in the bounds of what can be announced.

    Args:
        game: a reporting game about a Markov decision process.
        log_weights: logarithms of the weights, one for all or n of them; None for zeros.
        boosts: one for all, S x A of them, or a row of A for each of the S states; None for zeros.

    Raises:
        UnsupportedGameError: if the game runs no Markov decision process.
        ParameterError: if there are too many or too few numbers, or one is out of bounds.
    """
    process = process_of(game, "affine_maximiser")
    weights, boost = process.rule_layout()
    shape = (process.mdp.n_states, process.mdp.n_actions)
    return AffineMaximiser(
        process,
        log_weights=_filled("log_weights", log_weights, (weights.size,), (weights.low, weights.high)),
        boosts=_filled("boosts", boosts, shape, (boost.low, boost.high)),
    )


def pay_as_bid(game: Game[Any]) -> Policy:
    """Return the mechanism that serves those who say they want most, at the price they say (``allocate`` mode only)."""
    if _knows_rules(game):
        return named_rule(game, "pay_as_bid")
    process = process_of(game, "pay_as_bid")
    if process.announces:
        raise UnsupportedGameError(
            "mechanism 'pay_as_bid' is no affine maximiser, so that it cannot be announced: play"
            f" {process.name} with mechanism_mode='allocate'"
        )
    return PayAsBid(process)


def process_of(game: Game[Any], mechanism: str) -> MDPGame:
    """Return the game as one about a Markov decision process; raises UnsupportedGameError if it is none."""
    if not isinstance(game, MDPGame):
        raise UnsupportedGameError(
            f"mechanism {mechanism!r} runs a Markov decision process by what is reported; {game.name} has none"
        )
    return game


def _filled(name: str, given: Any, shape: tuple[int, ...], ends: tuple[float, float]) -> np.ndarray | None:
    """Broadcast numbers to a shape: one for all, a flat list, or the shape itself."""
    if given is None:
        return None
    count = int(np.prod(shape))
    nested = " x ".join(map(str, shape))
    try:
        numbers = np.array(given, dtype=object)
    except ValueError:  # rows of different lengths
        raise ParameterError(f"{name} has rows of different lengths, allowed: one number, or {nested}") from None
    if numbers.shape not in ((), (count,), shape):
        raise ParameterError(f"{name} has shape {numbers.shape}, allowed: one number, or {nested}")
    interval = f"[{ends[0]}, {ends[1]}]"
    checked = [number(f"{name}[{i}]" if numbers.shape else name, x, interval) for i, x in enumerate(numbers.flat)]
    return np.broadcast_to(np.array(checked), (count,)).reshape(shape)
