"""The draw of a new group: conditions and orders of play in equal numbers, seats at random."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from lawgiver.envs.core.errors import ParameterError, integer

Order: TypeAlias = tuple[str, ...]
"""Mechanisms by their labels, in the order of play."""


@dataclass(frozen=True)
class Drawn:
    """The condition, order, seats and seed of a group.

    Attributes:
        condition: of its opening.
        order: of the mechanisms.
        seats: of its people, in the order in which they have waited.
        seed: of everything that is drawn while it plays.
    """

    condition: str
    order: Order
    seats: tuple[int, ...]
    seed: int


def next_condition_and_order(
    counts: Mapping[tuple[str, Order], int],
    conditions: Sequence[str],
    orders: Sequence[Order],
    rng: np.random.Generator,
) -> tuple[str, Order]:
    """Choose what has been played least: first the condition, then the order of mechanisms in it.

    Of conditions with equally many groups it is the first one; of equally rare orders one is drawn. So while all groups
    are valid, group g gets condition g modulo their number.

    Args:
        counts: groups that are valid or in play, by condition and order; 0 where there is none.
        conditions: possible ones.
        orders: possible ones.
        rng: draws among orders.

    Raises:
        ParameterError: if there is no condition or no order.
    """
    if not conditions or not orders:
        raise ParameterError(f"{len(conditions)} conditions and {len(orders)} orders are given, allowed: one or more")
    condition = min(conditions, key=lambda each: sum(counts.get((each, order), 0) for order in orders))
    groups = np.array([counts.get((condition, order), 0) for order in orders])
    rarest = np.flatnonzero(groups == groups.min())
    return condition, orders[int(rarest[rng.integers(len(rarest))])]


def drawn(
    seed: int,
    group_id: int,
    counts: Mapping[tuple[str, Order], int],
    conditions: Sequence[str],
    orders: Sequence[Order],
    n: int,
    people: int,
) -> Drawn:
    """Draw what a group plays, from the stream ``[seed, group_id]``.

    Every person is as likely to get any seat as any other. Who has the endowments of which seat is the condition's
    business: the head of the public investment game, say, is seat 0. A group's seed and seats depend on ``seed`` and
    ``group_id`` alone, not on other groups.

    Args:
        seed: of the study.
        group_id: number of the group, from 0.
        counts: groups that are valid or in play, by condition and order.
        conditions: possible ones.
        orders: possible orders of the mechanisms.
        n: participants of the game.
        people: how many of them are people, 1 to n.

    Raises:
        ParameterError: if ``people`` is outside its range, or there is no condition or no order.
    """
    integer("people", people, 1, n)
    rng = np.random.default_rng([seed, group_id])
    own = int(rng.integers(2**62))
    seats = tuple(int(seat) for seat in rng.permutation(n)[:people])
    condition, order = next_condition_and_order(counts, conditions, orders, rng)
    return Drawn(condition, order, seats, own)
