"""Markets of three and three with complete lists, exactly: known rules, the frontier, and descent on lotteries."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fractions import Fraction
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np

from lawgiver.envs.solvers.matching.acceptance import deferred_acceptance, immediate_acceptance
from lawgiver.envs.solvers.matching.enumeration import profiles, regrets_by_lists, table
from lawgiver.envs.solvers.matching.frontier import Frontier
from lawgiver.envs.solvers.matching.measures import blocking_pairs
from lawgiver.envs.solvers.matching.serial import random_priority, serial_dictatorship
from lawgiver.envs.solvers.matching.trading import top_trading_cycles
from lawgiver.trainers.reproduce.matching_tabular import Descent, descended
from lawgiver.trainers.reproduce.runs import kept
from lawgiver.trainers.reproduce.table import Cell

BOUNDS = (0.0, 0.0005, 0.001, 0.002, 0.003)
"""Regrets at which the frontier is tabulated, beside that of deferred acceptance."""
TARGETS = (0.001, 0.003)
"""Bounds that lotteries are learned under."""
DESCENT = Descent()
"""That learns them."""


def known_rules() -> dict[str, tuple[Fraction, Fraction]]:
    """Compute regret and expected blocking pairs of known rules over all 46,656 markets."""
    found = {
        name: (each.regret, each.blocking_pairs)
        for name, rule in {
            "deferred acceptance": deferred_acceptance,
            "top trading cycles": top_trading_cycles,
            "immediate acceptance": immediate_acceptance,
        }.items()
        for each in [table(rule)]
    }
    values, priorities = profiles(3)
    orders = [np.array(order) for order in permutations(range(3))]
    for name, shares, matchings in (
        ("random priority", random_priority(values), [serial_dictatorship(values, order) for order in orders]),
        ("all matchings alike", np.full_like(values, 1 / 3), [np.broadcast_to(o, (len(values), 3)) for o in orders]),
    ):
        regrets, unit = regrets_by_lists(shares, values, priorities)
        blocked = sum(int(blocking_pairs(each, values, priorities).sum()) for each in matchings)
        found[name] = Fraction(int(regrets.sum()), regrets.size * unit), Fraction(blocked, len(orders) * len(values))
    return found


def points(folder: Path) -> list[tuple[float, float]]:
    """Compute points of the frontier, regret and blocking pairs, from truthful to stable."""

    def work() -> dict[str, Any]:
        frontier = Frontier(3)
        optima = [*(frontier.best(bound) for bound in BOUNDS), frontier.least_regret(0.0)]
        return {"regret": [each.regret for each in optima], "blocking": [each.objective for each in optima]}

    found = kept(folder / "frontier.json", {"bounds": list(BOUNDS)}, work)
    return list(zip(found["regret"], found["blocking"], strict=True))


def known_rows(rules: Mapping[str, tuple[Fraction, Fraction]]) -> Iterator[dict[str, Cell]]:
    """Tabulate known rules, in fractions."""
    for name, (regret, blocking) in rules.items():
        yield {
            "rule": name,
            "regret": f"{regret} = {_digits(float(regret))}" if regret else "0",
            "blocking pairs": f"{blocking} = {_digits(float(blocking))}" if blocking else "0",
        }


def frontier_rows(frontier: list[tuple[float, float]]) -> Iterator[dict[str, Cell]]:
    """Tabulate the frontier, and what a unit of regret is worth up to the next point."""
    for (regret, blocking), after in zip(frontier, [*frontier[1:], None], strict=True):
        price = None if after is None else (blocking - after[1]) / (after[0] - regret)
        yield {
            "regret": _digits(regret),
            "fewest blocking pairs": _digits(blocking),
            "fewer for a unit of regret, up to the next": "-" if price is None else f"{price:.1f}",
        }


def learned_lotteries(folder: Path) -> dict[float, dict[str, float]]:
    """Learn lotteries under each bound, and measure them beside the frontier at their own regret."""

    def work(target: float) -> dict[str, float]:
        frontier = Frontier(3)
        lotteries = descended(frontier.orbits, target, DESCENT)
        regret = float(frontier.orbits.regret(lotteries))
        blocking, least = float(frontier.orbits.blocking(lotteries)), frontier.best(regret).objective
        return {"regret": regret, "blocking": blocking, "frontier": least}

    return {
        target: kept(
            folder / f"target_{target:g}.json",
            {"target": target, "descent": repr(DESCENT)},
            lambda target=target: work(target),  # type: ignore[misc]
        )
        for target in TARGETS
    }


def learned_rows(found: Mapping[float, Mapping[str, float]]) -> Iterator[dict[str, Cell]]:
    """Tabulate lotteries that are learned by descent, beside the frontier."""
    for target, each in found.items():
        yield {
            "bound on the regret": f"{target:g}",
            "regret": f"{each['regret']:.6f}",
            "blocking pairs": _digits(each["blocking"]),
            "frontier at that regret": _digits(each["frontier"]),
            "above it": f"{max(each['blocking'] - each['frontier'], 0.0):.1e}",
        }


def _digits(value: float) -> str:
    return f"{round(value, 5) + 0.0:.5f}"
