"""Records of behaviour: groups that played a game several times, and their votes afterwards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from lawgiver.envs.core.errors import LawgiverError

AXES = {
    "endowments": ("group", "participant"),
    "contributions": ("group", "episode", "round", "participant"),
    "payouts": ("group", "episode", "round", "participant"),
    "votes": ("group", "participant"),
}
"""Axes of each array of :class:`Records`; of endowments that change, those of the contributions."""
BY_ROUND = ("group", "episode", "round", "participant")
OF_GROUP = ("group", "episode", "round")
"""Axes of the further numbers of a group."""
COLUMNS = ("group", "episode", "round", "participant", "endowment", "contribution", "payout", "vote")
"""Columns of the tidy table, which may have ``mechanism`` and any other column besides."""
TAKEN = (*AXES, *COLUMNS, "payoff", "mechanism")
"""Names that no further number of a group can have."""


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
        axes = AXES.get(name, OF_GROUP) if len(index) < len(BY_ROUND) else BY_ROUND
        place = ", ".join(f"{axis} {at}" for axis, at in zip(axes, index, strict=False))
        super().__init__(f"{name} of {place}: {reason}" if place else f"{name}: {reason}")


@dataclass(frozen=True, eq=False)
class Records:
    """Behaviour of ``G`` groups of ``n`` participants in ``E`` episodes of ``T`` rounds, all at least 1.

    Everything is in coins. Participants keep their place in the group: with unequal endowments the head is
    participant 0. What is given is copied into float64, votes into int64, and checked.

    Attributes:
        endowments: what each participant has to give from in every round, (G, n), or in each, (G, E, T, n), at least 0.
        contributions: what they gave of it, (G, E, T, n), 0 to the endowment.
        payouts: what the mechanism gave back afterwards, (G, E, T, n), finite.
        votes: the episode that each participant voted for, (G, n), 0 to E - 1, or -1 where nobody was asked.
        shared: further numbers of the group as each round began, such as ``pool``, (G, E, T) by name, finite.

    Raises:
        RecordsError: naming the group, episode, round and participant at fault.
    """

    endowments: np.ndarray
    contributions: np.ndarray
    payouts: np.ndarray
    votes: np.ndarray
    shared: Mapping[str, np.ndarray] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in AXES:
            object.__setattr__(self, name, _array(name, getattr(self, name)))
        object.__setattr__(self, "shared", {name: _array(name, values) for name, values in self.shared.items()})
        self._check_shapes()
        for name in ("endowments", "contributions", "payouts"):
            _refuse(name, getattr(self, name), ~np.isfinite(getattr(self, name)), "a finite number")
        for name, values in self.shared.items():
            _refuse(name, values, ~np.isfinite(values), "a finite number")
        _refuse("endowments", self.endowments, self.endowments < 0, "at least 0")
        most = self.endowments_by_round
        wrong = (self.contributions < 0) | (self.contributions > most)
        _refuse("contributions", self.contributions, wrong, "0 to the endowment, {:.6g}", most)
        last = self.contributions.shape[1] - 1
        _refuse("votes", self.votes, (self.votes < -1) | (self.votes > last), f"0..{last}, the episodes, or -1")

    def __len__(self) -> int:
        return len(self.endowments)

    @property
    def by_round(self) -> bool:
        """Whether endowments are given for each round."""
        return self.endowments.ndim == len(BY_ROUND)

    @property
    def endowments_by_round(self) -> np.ndarray:
        """Endowment of each participant in each round, (G, E, T, n), a view that is not written to."""
        given = self.endowments if self.by_round else self.endowments[:, None, None, :]
        return np.broadcast_to(given, self.contributions.shape)

    @property
    def payoffs(self) -> np.ndarray:
        """Payoff of each participant in each round, (G, E, T, n): endowment - contribution + payout."""
        payoffs: np.ndarray = self.endowments_by_round - self.contributions + self.payouts
        return payoffs

    def _check_shapes(self) -> None:
        for name in self.shared:
            if name in TAKEN:
                raise RecordsError(name, (), "is a number of the group, allowed: another name")
        sizes: dict[str, int] = {}
        axes_of = AXES | ({"endowments": BY_ROUND} if self.by_round else {}) | dict.fromkeys(self.shared, OF_GROUP)
        for name in ("contributions", "payouts", "endowments", "votes", *self.shared):  # the first holds every axis
            shape = np.shape(self.shared[name] if name in self.shared else getattr(self, name))
            if len(shape) != len(axes_of[name]) or 0 in shape:
                axes = ", ".join(axes_of[name])
                raise RecordsError(name, (), f"shape is {shape}, allowed: ({axes}), at least 1 of each")
            sizes = sizes or dict(zip(axes_of[name], shape, strict=True))
            expected = tuple(sizes[axis] for axis in axes_of[name])
            if shape != expected:
                raise RecordsError(name, (), f"shape is {shape}, allowed: {expected}, as of the contributions")


def concatenate(records: Sequence[Records]) -> Records:
    """Concatenate the groups of all of ``records``, in order.

    Raises:
        RecordsError: if there are none, or if their episodes, rounds or participants differ in number, or their further
            numbers of the group in name, or if endowments are by round in some alone.
    """
    shapes = [one.contributions.shape[1:] for one in records]
    if len(set(shapes)) != 1:
        found = " and ".join(map(str, sorted(set(shapes)))) or "nothing"
        raise RecordsError("contributions", (), f"of {found}, allowed: one (episodes, rounds, participants) for all")
    require_one_kind(records)
    arrays = {name: np.concatenate([getattr(one, name) for one in records]) for name in AXES}
    shared = {name: np.concatenate([one.shared[name] for one in records]) for name in records[0].shared}
    return Records(**arrays, shared=shared)


def require_one_kind(records: Sequence[Records]) -> None:
    """Check that endowments are by round in all records or in none, and that all share the same numbers of the group.

    Raises:
        RecordsError: if not.
    """
    kinds = {(one.by_round, tuple(sorted(one.shared))) for one in records}
    if len(kinds) > 1:
        told = " and ".join(f"{'by round' if by else 'constant'}, with {list(names)}" for by, names in sorted(kinds))
        raise RecordsError("endowments", (), f"are {told}, allowed: one kind and the same numbers of the group for all")


def select(records: Records, index: Any) -> Records:
    """Select some of the groups.

    Args:
        records: of G groups.
        index: index of a NumPy array's first axis: a slice, integers (G',), repeated or not, or booleans (G,).

    Raises:
        RecordsError: if no group is left.
    """
    shared = {name: values[index] for name, values in records.shared.items()}
    return Records(**{name: getattr(records, name)[index] for name in AXES}, shared=shared)


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
