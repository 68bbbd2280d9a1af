"""Records of behaviour: groups that played a game several times, and their votes afterwards."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from lawgiver.envs.core.errors import LawgiverError

AXES = {
    "endowments": ("group", "participant"),
    "contributions": ("group", "episode", "round", "participant"),
    "payouts": ("group", "episode", "round", "participant"),
    "votes": ("group", "participant"),
}
"""Axes of each array of :class:`Records`."""


class RecordsError(LawgiverError):
    """Records of behaviour contradict themselves.

    Attributes:
        name: the array at fault.
        index: where in it; empty if the array is wrong as a whole.
        reason: what it holds there, and what is allowed.
    """

    def __init__(self, name: str, index: tuple[int, ...], reason: str) -> None:
        """Compose the message from the array, its index along each axis and the reason."""
        self.name, self.index, self.reason = name, index, reason
        place = ", ".join(f"{axis} {at}" for axis, at in zip(AXES[name], index, strict=False))
        super().__init__(f"{name} of {place}: {reason}" if place else f"{name}: {reason}")


@dataclass(frozen=True, eq=False)
class Records:
    """Behaviour of ``G`` groups of ``n`` participants in ``E`` episodes of ``T`` rounds, all at least 1.

    Everything is in coins. Participants keep their place in the group: with unequal endowments the head is
    participant 0. What is given is copied into float64, votes into int64, and checked.

    Attributes:
        endowments: of each participant in every round, (G, n), at least 0.
        contributions: to the fund, (G, E, T, n), 0 to the endowment.
        payouts: what the mechanism gave back, (G, E, T, n), finite.
        votes: the episode that each participant voted for, (G, n), 0 to E - 1, or -1 where nobody was asked.

    Raises:
        RecordsError: naming the group, episode, round and participant at fault.
    """

    endowments: np.ndarray
    contributions: np.ndarray
    payouts: np.ndarray
    votes: np.ndarray

    def __post_init__(self) -> None:
        for field in fields(self):
            object.__setattr__(self, field.name, _array(field.name, getattr(self, field.name)))
        self._check_shapes()
        for name in ("endowments", "contributions", "payouts"):
            _refuse(name, getattr(self, name), ~np.isfinite(getattr(self, name)), "a finite number")
        _refuse("endowments", self.endowments, self.endowments < 0, "at least 0")
        most = np.broadcast_to(self.endowments[:, None, None, :], self.contributions.shape)
        wrong = (self.contributions < 0) | (self.contributions > most)
        _refuse("contributions", self.contributions, wrong, "0 to the endowment, {:.6g}", most)
        last = self.contributions.shape[1] - 1
        _refuse("votes", self.votes, (self.votes < -1) | (self.votes > last), f"0..{last}, the episodes, or -1")

    def __len__(self) -> int:
        return len(self.endowments)

    @property
    def payoffs(self) -> np.ndarray:
        """Payoff of each participant in each round, (G, E, T, n): endowment - contribution + payout."""
        payoffs: np.ndarray = self.endowments[:, None, None, :] - self.contributions + self.payouts
        return payoffs

    def _check_shapes(self) -> None:
        sizes: dict[str, int] = {}
        for name in ("contributions", "payouts", "endowments", "votes"):  # the first holds every axis
            shape = getattr(self, name).shape
            if len(shape) != len(AXES[name]) or 0 in shape:
                axes = ", ".join(AXES[name])
                raise RecordsError(name, (), f"shape is {shape}, allowed: ({axes}), at least 1 of each")
            sizes = sizes or dict(zip(AXES[name], shape, strict=True))
            expected = tuple(sizes[axis] for axis in AXES[name])
            if shape != expected:
                raise RecordsError(name, (), f"shape is {shape}, allowed: {expected}, as of the contributions")


def concatenate(records: Sequence[Records]) -> Records:
    """Concatenate the groups of all of ``records``, in order.

    Raises:
        RecordsError: if there are none, or if their episodes, rounds or participants differ in number.
    """
    shapes = [one.contributions.shape[1:] for one in records]
    if len(set(shapes)) != 1:
        found = " and ".join(map(str, sorted(set(shapes)))) or "nothing"
        raise RecordsError("contributions", (), f"of {found}, allowed: one (episodes, rounds, participants) for all")
    return Records(*(np.concatenate([getattr(one, field.name) for one in records]) for field in fields(Records)))


def select(records: Records, index: Any) -> Records:
    """Select some of the groups.

    Args:
        records: of G groups.
        index: index of a NumPy array's first axis: a slice, integers (G',), repeated or not, or booleans (G,).

    Raises:
        RecordsError: if no group is left.
    """
    return Records(*(getattr(records, field.name)[index] for field in fields(Records)))


def _array(name: str, given: Any) -> np.ndarray:
    """Copy to float64, votes to int64."""
    kind = np.int64 if name == "votes" else np.float64
    found = np.asarray(given)
    if not (np.issubdtype(found.dtype, np.integer) or (kind is np.float64 and np.issubdtype(found.dtype, np.floating))):
        raise RecordsError(name, (), f"are {found.dtype}, allowed: {'integers' if kind is np.int64 else 'numbers'}")
    return found.astype(kind)


def _refuse(name: str, values: np.ndarray, wrong: np.ndarray, allowed: str, limits: np.ndarray | None = None) -> None:
    """Raise an error about the first value that is wrong; ``{}`` in ``allowed`` stands for its limit."""
    if wrong.any():
        index = tuple(int(at) for at in np.argwhere(wrong)[0])
        limit = values if limits is None else limits
        raise RecordsError(name, index, f"is {values[index]:.6g}, allowed: {allowed.format(limit[index])}")
