"""Mechanisms by name: rules that share a fund, or announce parameters.

Where a mechanism shares a fund after the contributions, or offers a pool (allocate mode), a rule gives weights or
offers; where it announces the parameters of a rule out of a family, only members of that family can be announced,
others are refused by name.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np

from lawgiver.agents.commons import FamilyOffers
from lawgiver.agents.policies import RulePolicy, uniform_policy
from lawgiver.envs.commons_trust.game import CommonsTrust
from lawgiver.envs.commons_trust.rule_family import LAYOUT
from lawgiver.envs.core.arrays import Array, Rng, constant, namespace
from lawgiver.envs.core.errors import ParameterError, UnsupportedGameError, allowed, counted, number
from lawgiver.envs.core.fields import LOGIT_BOUND, Layout, columns, width
from lawgiver.envs.core.game import Game
from lawgiver.envs.core.policy import Memory, Policy
from lawgiver.envs.public_investment.game import PublicInvestment
from lawgiver.envs.public_investment.rule_families import FAMILIES, RuleFamily
from lawgiver.envs.public_investment.water_filling import water_fill


class Announcement(RulePolicy):
    """Announces the same parameters (k,) always."""

    def __init__(self, parameters: Sequence[float]) -> None:
        """Keep the parameters."""
        self.parameters = np.asarray(parameters, float)

    def __repr__(self) -> str:
        """Give the parameters."""
        return f"Announcement({', '.join(f'{value:.3g}' for value in self.parameters)})"

    def action(self, obs: Array) -> Array:
        """Return the parameters for every game, (B, 1, k)."""
        xp = namespace(obs)
        return xp.broadcast_to(constant(self.parameters, obs), (obs.shape[0], 1, self.parameters.size))


class Weights(RulePolicy):
    """Shares the fund of a public investment game: a function of endowments and contributions, both (B, n).

    As an outcome the weights are exact; as an action they are logits, where a weight of 0 becomes the bound of the
    Box (a share of about 2e-9 of the largest).
    """

    def __init__(self, game: PublicInvestment) -> None:
        """Read the columns of endowments and contributions in the mechanism's observation."""
        self._columns = columns(game.observation_layout("mechanism"))
        self.multiplier = game.multiplier

    @abstractmethod
    def weights(self, endowments: Array, contributions: Array) -> Array:
        """Return weights (..., n) that sum to one; those of a first round, with a memory."""

    def next_weights(self, endowments: Array, contributions: Array, state: Memory) -> tuple[Array, Memory]:
        """Return the weights (B, n) and the new memory; a mechanism with a memory overrides it."""
        return self.weights(endowments, contributions), state

    def outcome(self, obs: Array, mask: Array | None, state: Memory, rng: Rng) -> tuple[Array, Memory]:
        """Return the weights (B, n) and the memory."""
        seen = obs[:, 0]
        return self.next_weights(seen[:, self._columns["endowments"]], seen[:, self._columns["contributions"]], state)

    def next_action(self, obs: Array, state: Memory) -> tuple[Array, Memory]:
        """Return logits (B, 1, n) whose softmax is the weights, floored, and the memory."""
        weights, state = self.outcome(obs, None, state, None)
        return weights_to_logits(weights)[:, None], state

    def action(self, obs: Array) -> Array:
        """Return logits (B, 1, n) whose softmax is the weights, floored."""
        return self.next_action(obs, None)[0]


def weights_to_logits(weights: Array) -> Array:
    """Return logits in the Box of allocate mode whose softmax is ``weights``, up to the floor of the Box."""
    xp = namespace(weights)
    largest = xp.max(weights, axis=-1, keepdims=True)
    floor = float(np.exp(-2 * LOGIT_BOUND))
    return LOGIT_BOUND + xp.log(xp.maximum(weights / largest, constant(floor, weights)))


class FamilyWeights(Weights):
    """Shares by a member of a rule family."""

    def __init__(self, game: PublicInvestment, family: RuleFamily, parameters: Sequence[float]) -> None:
        """Keep the family and the parameters (k,)."""
        super().__init__(game)
        self._family = family
        self.parameters = np.asarray(parameters, float)

    def weights(self, endowments: Array, contributions: Array) -> Array:
        """Return the family's weights (..., n)."""
        return self._family.weights(constant(self.parameters, endowments), endowments, contributions)


class ExPostEqualiser(Weights):
    """Makes payoffs as equal as the fund allows, given the contributions.

    This is what a mechanism learns that acts after the contributions and looks at the round alone: it equalises,
    and thereby pays those who keep. A baseline and a warning.
    """

    def weights(self, endowments: Array, contributions: Array) -> Array:
        """Return the shares that level the payoffs (..., n); 1/n each where there is no fund."""
        xp = namespace(endowments)
        fund = self.multiplier * xp.sum(contributions, axis=-1)
        kept = endowments - contributions
        payouts = water_fill(kept, fund) - kept
        empty = (fund <= 0)[..., None]
        safe = xp.where(empty, xp.ones_like(fund[..., None]), fund[..., None])
        return xp.where(empty, xp.ones_like(payouts) / payouts.shape[-1], payouts / safe)


def random(game: Game[Any]) -> Policy:
    """Return a mechanism that draws its action uniformly. Every game has it."""
    return uniform_policy(game, "mechanism")


def strict_egalitarian(game: Game[Any]) -> Policy:
    """Return the mechanism that gives everyone the same: w_i = 1/n; a tax of 1."""
    return canonical(game, "strict_egalitarian")


def libertarian(game: Game[Any]) -> Policy:
    """Return the mechanism that gives back what was put in: w_i = c_i / sum c; a tax of 0."""
    return canonical(game, "libertarian")


def liberal_egalitarian(game: Game[Any]) -> Policy:
    """Return the mechanism that pays for the fraction contributed: w_i = (c_i / e_i) / sum_j (c_j / e_j)."""
    return canonical(game, "liberal_egalitarian")


def canonical(game: Game[Any], name: str) -> Policy:
    """Return the mechanism of one of the canonical rules of a game by name.

    Raises:
        UnsupportedGameError: if the game has no such rule.
    """
    allocates = isinstance(game, PublicInvestment) and not game.announces
    members = FAMILIES["power"].members if allocates else game.members
    if name not in members:
        direct = getattr(game, "direct_rules", ())
        raise UnsupportedGameError(
            f"mechanism {name!r} is not a rule of {game.name}: {allowed(name, members or direct)}"
        )
    if isinstance(game, PublicInvestment) and allocates:
        return FamilyWeights(game, FAMILIES["power"], members[name])
    return _member(game, members[name])


def _member(game: Game[Any], parameters: Sequence[float]) -> Policy:
    """Make the mechanism that announces a rule, or makes the offers that it leads to."""
    if isinstance(game, CommonsTrust) and not game.announces:
        return FamilyOffers(game, parameters)
    return Announcement(parameters)


def rule(game: Game[Any], *, parameters: Sequence[float]) -> Policy:
    """Return the member of the game's own family of rules with these parameters, for instance (p, q) = (5, 0.5)."""
    layout: Layout | int
    if isinstance(game, PublicInvestment):
        layout = game.family.layout
    else:
        layout = LAYOUT if isinstance(game, CommonsTrust) else game.action_layout("mechanism")
    listed = isinstance(parameters, (Sequence, np.ndarray)) and not isinstance(parameters, str)
    if isinstance(layout, int):
        raise UnsupportedGameError(f"mechanism 'rule' announces numbers; that of {game.name} has {layout} choices")
    if not listed or len(parameters) != width(layout):
        meant = ", ".join(f"{field.size} {field.name} in [{field.low:g}, {field.high:g}]" for field in layout)
        given = f"has {counted(len(parameters), 'number')}" if listed else f"is {parameters!r}"
        raise ParameterError(f"parameters {given}, allowed: one number for each of {meant}")
    fields = [field for field in layout for _ in range(field.size)]
    chosen = [
        number(f"{field.name} in parameters", value, f"[{field.low}, {field.high}]")
        for value, field in zip(parameters, fields, strict=True)
    ]
    if isinstance(game, PublicInvestment) and not game.announces:
        return FamilyWeights(game, game.family, chosen)
    return _member(game, chosen)


def equal_offers(game: Game[Any]) -> Policy:
    """Return the mechanism that offers everyone the same part of all of the pool."""
    return canonical(game, "equal_offers")


def mixed_offers(game: Game[Any]) -> Policy:
    """Return the mechanism that offers half of the pool in equal parts, half in proportion to the last returns."""
    return canonical(game, "mixed_offers")


def proportional_offers(game: Game[Any]) -> Policy:
    """Return the mechanism that offers all of the pool in proportion to the last returns."""
    return canonical(game, "proportional_offers")


def interpolating_offers(game: Game[Any]) -> Policy:
    """Return the mechanism between the two: the weight of equal parts is (pool / capacity)^22."""
    return canonical(game, "interpolating_offers")


def no_mechanism(game: Game[Any]) -> Policy:
    """Return the mechanism that announces zeros: nobody is paid or charged."""
    return canonical(game, "no_mechanism")


def pigou(game: Game[Any]) -> Policy:
    """Return the mechanism that charges what others lose by one's doing, at the optimum; where the game knows it."""
    return canonical(game, "pigou")


def best_weights(game: Game[Any]) -> Policy:
    """Return the mechanism that weighs tests as is best for rational participants, where the game knows it."""
    return canonical(game, "best_weights")


def manifold(game: Game[Any], *, w: float, v: float) -> Policy:
    """Return the mechanism at (w, v) of the ideological manifold, both in [0, 1] (Koster et al. 2022)."""
    investment = _public_investment(game, "manifold")
    w, v = number("w", w, "[0, 1]"), number("v", v, "[0, 1]")
    if not investment.announces:
        return FamilyWeights(investment, FAMILIES["manifold"], (w, v))
    if investment.rule_family != "manifold":
        raise UnsupportedGameError(
            f"mechanism 'manifold' is not in the rule_family {investment.rule_family!r} that is announced: "
            f"{allowed('manifold', investment.members)}, or rule_family='manifold'"
        )
    return Announcement((w, v))


def ex_post_equaliser(game: Game[Any]) -> Policy:
    """Return the mechanism that levels the payoffs once the contributions are made (allocate mode only)."""
    investment = _public_investment(game, "ex_post_equaliser")
    if investment.announces:
        raise UnsupportedGameError(
            f"mechanism 'ex_post_equaliser' is not in the rule_family {investment.rule_family!r} that is announced: "
            f"{allowed('ex_post_equaliser', investment.members)}"
        )
    return ExPostEqualiser(investment)


def _public_investment(game: Game[Any], mechanism: str) -> PublicInvestment:
    if not isinstance(game, PublicInvestment):
        raise UnsupportedGameError(f"mechanism {mechanism!r} plays public_investment, not {game.name}")
    return game
