"""Tables and verdicts of payment-free allocation: comparison of all rules by size of the game."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lawgiver.trainers.reproduce.payment_free_judged import Judgement, point
from lawgiver.trainers.reproduce.payment_free_points import Point, above, clear, dominated_by
from lawgiver.trainers.reproduce.table import Cell, Row
from lawgiver.trainers.statistics.estimate import Estimate

PF, PA, SPLIT, FILL = "proportional fairness", "partial allocation", "equal split", "water filling"
MIXES = {f"mix, s = {s}": {"policy": "proportional_fairness", "sharing": s} for s in (0.25, 0.5, 0.75)}
BURNING = {f"partial allocation, c = {c}": {"policy": "partial_allocation", "burning": c} for c in (0.25, 0.5, 0.75)}
BASELINES: dict[str, Any] = {
    PF: "proportional_fairness",
    PA: "partial_allocation",
    **BURNING,
    **MIXES,
    FILL: "water_filling",
    SPLIT: "equal_split",
}
CURVES = {
    "mixes of proportional fairness and water filling": (PF, *MIXES, FILL),
    "partial allocation's family": (PF, *BURNING, PA),
}
"""From one end to the other."""
SEGMENT = (FILL, PF)
"""Ends of the segment of lotteries between a truthful rule and the best one."""


@dataclass(frozen=True)
class Size:
    """One size of the game, and what it can afford.

    Attributes:
        n: participants.
        m: resources.
        networks: instances on which misreports under networks and closed forms are searched; ``fair``, under rules that
            solve one problem of proportional fairness; ``partial``, under those that solve n more.
        training: overrides of a training by network.
    """

    n: int
    m: int
    networks: int
    fair: int
    partial: int
    training: dict[str, tuple[str, ...]]

    @property
    def name(self) -> str:
        """``5 participants, 3 resources``."""
        return f"{self.n} participants, {self.m} resources"

    @property
    def folder(self) -> str:
        """``n5-m3``."""
        return f"n{self.n}-m{self.m}"

    def audited(self, rule: str) -> int:
        """Choose the number of instances on which misreports are searched under a baseline or a network."""
        if rule in (PA, *BURNING):
            return self.partial
        return self.fair if rule in (PF, *MIXES, "rpf_net") else self.networks


@dataclass(frozen=True)
class Network:
    """The network that learns.

    Attributes:
        title: of the network.
        config: its name.
        asked: overrides by what is asked of it, from the most welfare to the least exploitability.
    """

    title: str
    config: str
    asked: dict[str, tuple[str, ...]]


@dataclass(frozen=True)
class Learned:
    """Target and result of a network at one size.

    Attributes:
        network: which.
        asked: of it.
        judgements: one a seed.
    """

    network: Network
    asked: str
    judgements: tuple[Judgement, ...]

    @property
    def name(self) -> str:
        """``ExS-Net, weight 3``."""
        return f"{self.network.title}, {self.asked}"

    def point(self, group: str = "joint") -> Point:
        """Where it lies."""
        return point(self.name, self.judgements, group)


@dataclass(frozen=True)
class Board:
    """All that is known of a size.

    Attributes:
        size: which.
        known: judgements of the baselines by name.
        learned: in order.
    """

    size: Size
    known: dict[str, Judgement]
    learned: tuple[Learned, ...]

    def baseline(self, name: str, group: str = "joint") -> Point:
        """Locate a baseline."""
        return point(name, [self.known[name]], group)

    def by_network(self) -> dict[str, list[Standing]]:
        """Compare every learned rule with the baselines, by the title of its network."""
        baselines = [self.baseline(name) for name in self.known]
        found: dict[str, list[Standing]] = {}
        for each in self.learned:
            segment, mixes, family = (
                above(each.point(), [self.baseline(name) for name in curve]) for curve in (SEGMENT, *CURVES.values())
            )
            standing = Standing(each, segment, mixes, family, tuple(dominated_by(each.point(), baselines)))
            found.setdefault(each.network.title, []).append(standing)
        return found


@dataclass(frozen=True)
class Standing:
    """Position of a learned rule: heights with their intervals, None where there is nothing to compare.

    Attributes:
        learned: the rule.
        segment: height above the segment; ``mixes`` and ``family``, above the curves.
        dominated: baselines that may dominate it.
    """

    learned: Learned
    segment: Estimate | None
    mixes: Estimate | None
    family: Estimate | None
    dominated: tuple[str, ...]

    @property
    def holds(self) -> bool:
        """Whether no baseline may dominate it, and it is clearly above the segment."""
        return not self.dominated and _clear(self.segment)


def _clear(height: Estimate | None) -> bool:
    """Check whether a height is above 0 by more than its interval; True where no baseline is as honest."""
    return height is None or clear(height)


def rows(board: Board) -> Iterator[dict[str, Cell]]:
    """Yield what every rule of a size does, the baselines first."""
    for name, judgement in board.known.items():
        yield _row(name, [judgement])
    for each in board.learned:
        yield _row(each.name, each.judgements)


def _row(name: str, judgements: Sequence[Judgement]) -> dict[str, Cell]:
    joint, value, demand = (point(name, judgements, group) for group in ("joint", "value", "demand"))
    return {
        "rule": name,
        "Nash welfare": float(np.mean([each.welfare.mean() for each in judgements])),
        "Nash welfare ratio": joint.y,
        "mean gain": joint.x,
        "by values": value.x,
        "by demands": demand.x,
        "doubling the search added": float(np.mean([each.added["joint"] for each in judgements])),
        "greatest gain": max(each.greatest["joint"] for each in judgements),
        "efficiency": float(np.mean([each.efficiency for each in judgements])),
        "s / 4,096 games": float(np.median([each.seconds for each in judgements])),
        "audited": float(joint.gains.shape[1]),
    }


def standing_rows(board: Board) -> Iterator[dict[str, Cell]]:
    """Yield how far every learned rule of a size lies above what is known."""
    for standing in (each for of in board.by_network().values() for each in of):
        yield {
            "rule": standing.learned.name,
            "above the segment": standing.segment,
            "above the mixes": standing.mixes,
            "above partial allocation's family": standing.family,
            "may be dominated by": ", ".join(standing.dominated) or "none",
        }


def verdicts(board: Board) -> Iterator[Row]:
    """Yield of how many learned rules of a size what is claimed holds; the limit is how many there are."""
    for title, of in board.by_network().items():
        counts = {
            "dominated by no baseline, and above the segment": [each.holds for each in of],
            "above the mixes": [_clear(each.mixes) for each in of],
            "above partial allocation's family, or less exploitable than all of it": [
                _clear(each.family) for each in of
            ],
        }
        for claim, holds in counts.items():
            yield Row(f"{title}, {board.size.name}: {claim}", float(sum(holds)), limit=float(len(holds)), paper="-")


def verdict_notes(board: Board) -> Iterator[str]:
    """Yield, network by network, whether there is a point as the claim wants it."""
    for title, of in board.by_network().items():
        yield f"{board.size.name}, {title}: {_verdict(of)}"


def _verdict(of: Sequence[Standing]) -> str:
    """Describe the clearest point that supports the claim, or else the nearest one."""

    def margin(standing: Standing) -> float:
        assert standing.segment is not None  # water filling, where nobody gains, is one of its ends
        return standing.segment.ends[0]

    good = [each for each in of if each.holds]
    best = max(good or of, key=margin)
    assert best.segment is not None
    low, high = best.segment.ends
    height = f"{best.learned.asked}, {best.segment.mean:+.4f} [{low:+.4f}, {high:+.4f}] in Nash welfare"
    if good:
        return (
            f"{len(good)} of {len(of)} points are dominated by no baseline and lie above the segment by more than the"
            f" interval; the clearest is {height}."
        )
    why = f"may be dominated by {', '.join(best.dominated)}" if best.dominated else "is dominated by none"
    return (
        f"no point is both clear of all baselines and above the segment by more than the interval; the nearest is"
        f" {height}, which {why}."
    )
