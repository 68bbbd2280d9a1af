"""Conversion of other layouts to the tidy table: column names, counting from 1, payoffs, oTree, separate rounds."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, get_args

import numpy as np

from lawgiver.envs.core.errors import ParameterError, allowed, choice, integer
from lawgiver.envs.core.registry import extras
from lawgiver.trainers.elections.records.source import COUNTED, Source, TableError
from lawgiver.trainers.statistics.estimate import is_number

with extras("tables of behaviour"):
    import pyarrow as pa

Rounds = Literal["together", "apart"]

NAMES = ("group", "episode", "round", "participant", "endowment", "contribution", "payout", "payoff", "vote")
"""Columns that may have other names in a file."""
OTREE = {
    "round": "subsession.round_number",
    "participant": "player.id_in_group",
    "contribution": "player.contribution",
    "payoff": "player.payoff",
    "endowment": "player.endowment",
    "vote": "player.vote",
}
"""Columns of the table that oTree exports for an app, a row for each participant and round."""
OTREE_GROUP = ("session.code", "group.id_in_subsession")
OTREE_PERSON = "participant.code"


@dataclass(frozen=True)
class Layout:
    """The layout of a table, from the arguments of :func:`read_records`.

    Attributes:
        columns: name in the file, or a number for all rows, by name in the tidy table.
        counted_from: 0 or 1; None for what the kind of file counts from.
        rounds: whether each round is a group of its own.
    """

    columns: Mapping[str, str | float] = field(default_factory=dict)
    counted_from: int | None = None
    rounds: Rounds = "together"

    @classmethod
    def of(
        cls,
        columns: Mapping[str, str | float] | None,
        counted_from: int | None,
        rounds: Rounds,
        shared: Sequence[str] = (),
    ) -> Layout:
        """Check the arguments; ``shared`` are further columns that may have other names in a file."""
        names = (*NAMES, *shared)
        for name, given in (columns or {}).items():
            if name not in names:
                raise ParameterError(f"columns: {name!r} is no column of the table: {allowed(str(name), names)}")
            if not ((is_number(given) and math.isfinite(given)) or (isinstance(given, str) and given)):
                raise ParameterError(
                    f"columns: {name!r} is {given!r}, allowed: the column's name in the file, or a number for all rows"
                )
        if counted_from is not None:
            integer("counted_from", counted_from, 0, 1)
        choice("rounds", rounds, get_args(Rounds))
        return cls(columns or {}, counted_from, rounds)

    def tidy(self, source: Source) -> Source:
        """Convert the rows to the columns of the tidy table, counted from 0.

        Raises:
            TableError: naming the row and the column at fault.
        """
        otree = _is_otree(source)
        source = _otree(source, self) if otree else self._named(source)
        first = self.counted_from if self.counted_from is not None else int(otree)
        counted: dict[str, Any] = dict(source.columns)
        for name in COUNTED if first else ():
            if name in counted and (name, self.rounds) != ("participant", "apart"):  # who may be any name
                values = source.integers(name, low=first, empty=-1 if name == "vote" else None)
                counted[name] = np.where(values < 0, np.nan, values - first)
        source = replace(source, columns=counted, first=first)
        if "payout" not in counted and "payoff" in counted:
            source = _payouts(source)
        return _apart(source) if self.rounds == "apart" else source

    def _named(self, source: Source) -> Source:
        """Rename the columns to those of the tidy table."""
        columns, aliases = dict(source.columns), dict(source.aliases)
        for name, given in self.columns.items():
            if isinstance(given, str):
                if given not in source.columns:
                    raise TableError(
                        f"{source.path}: column {given!r}, which columns names for {name!r}, is missing:"
                        f" {allowed(given, list(source.columns))}"
                    )
                columns[name], aliases[name] = source.columns[given], given
            else:
                columns[name] = np.full(len(source.rows), float(given))
        return replace(source, columns=columns, aliases=aliases)


def _is_otree(source: Source) -> bool:
    """Check whether columns are those of oTree."""
    lower = {name.lower() for name in source.columns}
    if OTREE_PERSON in lower and not lower.issuperset(OTREE_GROUP):
        raise TableError(
            f"{source.path} is oTree's table of all apps side by side, allowed: the table of one app, with"
            f" {', '.join((*OTREE_GROUP, *list(OTREE.values())[:2]))}"
        )
    return OTREE_PERSON in lower


def _otree(source: Source, layout: Layout) -> Source:
    """Rename the columns of oTree's table of one app to those of the tidy table; its groups are of a session."""
    source = replace(source, columns={_lower(name): values for name, values in source.columns.items()})
    there = {name: column for name, column in OTREE.items() if column in source.columns}
    if layout.rounds == "apart":
        there["participant"] = OTREE_PERSON
    numbers = [source.labels(name) for name in OTREE_GROUP]
    known = ["/".join(str(names[at]) for at, (_, names) in zip(row, numbers, strict=True))
             for row in zip(*(codes for codes, _ in numbers), strict=True)]  # fmt: skip
    columns = {**source.columns, "group": pa.array(known)}
    given: dict[str, str | float] = {"episode": layout.counted_from if layout.counted_from is not None else 1, **there}
    found = Layout({**given, **layout.columns})._named(replace(source, columns=columns))
    found = replace(found, aliases={**found.aliases, "group": OTREE_GROUP[1]})
    if "endowment" not in found.columns:
        raise TableError(
            f"{source.path}: oTree does not export constants, and there is no column {OTREE['endowment']!r}, allowed:"
            " columns={'endowment': 20}, if it is 20, or the name of a column"
        )
    if layout.rounds == "together":
        _require_lasting_groups(found)
    return found


def _lower(name: str) -> str:
    """Convert a name to the spelling of newer releases of oTree: ``Player.payoff`` is ``player.payoff``."""
    model, dot, rest = name.partition(".")
    return f"{model.lower()}{dot}{rest}"


def _require_lasting_groups(source: Source) -> None:
    """Check that the members of groups do not change."""
    person, names = source.labels(OTREE_PERSON)
    group, groups = source.labels("group")
    first = np.zeros(len(names), int)
    first[person[::-1]] = group[::-1]
    source.refuse(
        "group",
        group != first[person],
        lambda row: (
            f"participant {names[person[row]]} is in group {groups[group[row]]}, before it was in"
            f" {groups[first[person[row]]]}, allowed: the same group in all rounds; rounds='apart' reads each round"
            " as a group of its own"
        ),
    )


def _payouts(source: Source) -> Source:
    """Add payouts, which are payoffs less the part of the endowment that was kept."""
    blank = np.any([source.empty(name) for name in ("payoff", "endowment", "contribution")], axis=0)
    payoff, endowment, contribution = (source.numbers(name, np.nan) for name in ("payoff", "endowment", "contribution"))
    payout = np.where(blank, np.nan, payoff - endowment + contribution)
    aliases = {"payout": source.aliases.get("payoff", "payoff"), **source.aliases}
    return replace(source, columns={**source.columns, "payout": pa.array(payout)}, aliases=aliases)


def _apart(source: Source) -> Source:
    """Make each round of a group a group of its own, participants in the order of their names."""
    group, groups = source.labels("group")
    person, _ = source.labels("participant")
    episode = source.integers("episode") if "episode" in source.columns else np.zeros_like(group)
    round_ = source.integers("round")
    cells = np.stack([group, episode, round_], axis=1)
    _, cell = np.unique(cells, axis=0, return_inverse=True)
    order = np.lexsort((person, cell.ravel()))
    starts = np.flatnonzero(np.diff(cell.ravel()[order], prepend=-1))
    place = np.arange(len(order)) - np.repeat(starts, np.diff(starts, append=len(order)))
    twice = np.zeros(len(order), bool)
    twice[order[1:]] = (np.diff(cell.ravel()[order]) == 0) & (np.diff(person[order]) == 0)
    source.refuse(
        "participant", twice, lambda row: "stands in this round of the group already, allowed: one row of each"
    )
    seat = np.empty_like(order)
    seat[order] = place
    first = source.first
    names = [f"{groups[g]}, episode {e + first}, round {t + first}" for g, e, t in cells.tolist()]
    none = np.zeros(len(order), int)
    columns = {name: values for name, values in source.columns.items() if name != "vote"}
    columns |= {"group": pa.array(names), "episode": none, "round": none, "participant": seat}
    return replace(source, columns=columns)
