"""Mechanisms that share divisible resources by reports, without payments.

Rules of the family that can be announced are proportional fairness, partial allocation, water filling, and all between
them. Others decide by the reports, in ``allocate`` mode.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import numpy as np

from lawgiver.agents.reporting import AnnouncedRule, DirectMechanism
from lawgiver.envs.core.arrays import Array
from lawgiver.envs.core.errors import UnsupportedGameError, number
from lawgiver.envs.core.game import Game
from lawgiver.envs.core.policy import Policy
from lawgiver.envs.payment_free_allocation.game import PaymentFreeAllocation
from lawgiver.envs.payment_free_allocation.sharing import equal_split as split_equally


class AllocationRule(DirectMechanism):
    """A mechanism that computes amounts from reported values and demands (``allocate`` mode)."""

    def __init__(self, game: Game[Any], name: str) -> None:
        """Keep the game.

        Args:
            game: the game.
            name: name of the mechanism, for error messages.

        Raises:
            UnsupportedGameError: if the game shares no resources, or the mechanism has to announce its rule.
        """
        self.allocation = allocation_of(game, name)
        if self.allocation.announces:
            raise UnsupportedGameError(
                f"mechanism {name!r} is none of the rules that can be announced: play {game.name} with"
                " mechanism_mode='allocate'"
            )
        super().__init__(self.allocation)

    @abstractmethod
    def allocate(self, values: Array, demands: Array) -> Array:
        """Return amounts (B, n, m) for reported values and demands (B, n, m), on their backend."""

    def decision(self, reports: Array) -> Array:
        """Return the amounts, flattened (B, n m)."""
        return self.allocation.joined(self.allocate(*self.allocation.split(reports)))


class EqualSplit(AllocationRule):
    """Shares of each resource by weight, capped at demands; the rest is unallocated."""

    def allocate(self, values: Array, demands: Array) -> Array:
        """Return amounts (B, n, m)."""
        return split_equally(demands, self.allocation.supplies, self.allocation.weighting)


class FamilyRule(AnnouncedRule):
    """A rule of the family that the game's mechanism can announce.

    Args:
        game: the game.
        burning: exponent of what partial allocation lets everybody keep, 0 to 1.
        sharing: weight of water filling, 0 to 1.
    """

    def __init__(self, game: PaymentFreeAllocation, *, burning: float, sharing: float) -> None:
        """See the class."""
        super().__init__(game)
        self._parameters = np.array([burning, sharing])

    @property
    def parameters(self) -> np.ndarray:
        """Burning and sharing, (2,)."""
        return self._parameters


def proportional_fairness(game: Game[Any], *, sharing: float = 0.0) -> Policy:
    """Return the mechanism with the greatest Nash welfare of what is reported.

    Args:
        game: payment_free_allocation, in either mode.
        sharing: weight, 0 to 1, of water filling in what is handed out.

    Raises:
        UnsupportedGameError: if the game shares no resources.
        ParameterError: if the weight is outside its range.
    """
    return partial_allocation(game, burning=0.0, sharing=sharing)


def partial_allocation(game: Game[Any], *, burning: float = 1.0, sharing: float = 0.0) -> Policy:
    """Return the mechanism under which nobody gains by misreported values (Cole, Gkatzelis and Goel 2013).

    Everybody keeps of proportional fairness what is left to the others by its presence. It does gain by exaggerated
    demands, with which it makes up for what is burnt.

    Args:
        game: payment_free_allocation, in either mode.
        burning: exponent of what everybody keeps, from 0 for proportional fairness to 1.
        sharing: weight, 0 to 1, of water filling in what is handed out.

    Raises:
        UnsupportedGameError: if the game shares no resources.
        ParameterError: if a number is outside its range.
    """
    resources = allocation_of(game, "partial_allocation" if burning else "proportional_fairness")
    checked = {"burning": number("burning", burning, "[0, 1]"), "sharing": number("sharing", sharing, "[0, 1]")}
    return FamilyRule(resources, **checked)


def water_filling(game: Game[Any]) -> Policy:
    """Return the mechanism that fills everybody up to one level of each resource, or to its demand. It is truthful.

    Raises:
        UnsupportedGameError: if the game shares no resources.
    """
    return FamilyRule(allocation_of(game, "water_filling"), burning=0.0, sharing=1.0)


def equal_split(game: Game[Any]) -> Policy:
    """Return the mechanism that offers everybody its share of each resource (``allocate`` mode only). It is truthful.

    Raises:
        UnsupportedGameError: if the game shares no resources, or the mechanism has to announce its rule.
    """
    return EqualSplit(game, "equal_split")


def allocation_of(game: Game[Any], mechanism: str) -> PaymentFreeAllocation:
    """Return the game as one that shares resources; raises UnsupportedGameError if it is none."""
    if not isinstance(game, PaymentFreeAllocation):
        raise UnsupportedGameError(
            f"mechanism {mechanism!r} shares divisible resources by what is reported; {game.name} has none"
        )
    return game
