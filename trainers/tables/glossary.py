"""Glossary of a summary: names, units and meanings of its numbers, one line each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from lawgiver.envs.core.game import Game
from lawgiver.envs.core.objectives import definition
from lawgiver.trainers.tables.wording import words

MEASURES = {
    "log_nash_welfare": "sum of log(payoff + 0.001)",
    "mean_log_utility": "mean of weight times log utility",
    "surplus": "sum of payoffs, {unit}",
    "rawlsian": "least payoff, {unit}",
    "gini": "inequality of payoffs, 0 = equal",
    "welfare": "sum of utilities, without transfers",
    "payments": "what the mechanism pays out, {unit}",
    "efficiency": "share of what could be used that is",
    "revenue": "sum of payments",
    "makespan": "time until the last worker is done",
    "kl": "divergence from the anchor, nats",
    "ir_violation": "by how much the worst-off falls short of 0, {unit}",
    "expected_budget": "what the mechanism pays out a game, {unit}",
    "regret": "what a rational participant would gain by leaving this behaviour, {unit}",
    "misreport_regret": "what the best misreport of a type gains, {unit}",
}
"""Definition of what mechanisms are measured by, with the game's unit of payoffs where there is one."""
ENDOWED = {"surplus": "sum of payoffs less endowments, {unit}"}
"""The same in games whose participants hold something before a round."""

ROWS = {
    "reachable": "best found",
    "ceiling": "ceiling, rational people",
    "optimum": "optimum, rational people",
    "first_best": "first best, by a planner",
    "limit": "limit, rational people",
    "best_in_box": "best in the box",
}
"""Names of rows, where the key is unclear."""

CANONICAL_GAPS = {
    "gap_closed": "share of the way from the best canonical rule to the ceiling",
    "reachable_gap_closed": "share of the way from the best canonical rule to the best found",
}
BOX_GAP = {"gap_closed": "share of the way from the start to the best in the box"}

MEANINGS = {
    "inverse_temperature": "of the participants, per unit of payoff",
    "iterations": "completed",
    "updates": "completed",
    "misreports_tried": "by the audit",
    "profiles": "that were audited",
    "timing.wall_s": "seconds",
    "timing.cpu_s": "seconds of this process",
}
"""What single numbers of any summary mean; a trainer says what its own mean."""


def mechanism_words(name: str) -> str:
    """Write the name of a mechanism."""
    return ROWS.get(name, words(name))


def meanings(numbers: Mapping[str, Any]) -> dict[str, str]:
    """Collect the meanings of single numbers; that of ``gap_closed`` depends on the other keys."""
    return MEANINGS | (CANONICAL_GAPS if "reachable_gap_closed" in numbers else BOX_GAP)


def measure_meaning(name: str, game: Game[Any] | None = None) -> str | None:
    """Write the definition of a measure or registered objective, in the units of a game; None where there is none.

    Args:
        name: of the measure.
        game: whose summary it is in; of an election the one that is played. None where it is not known.
    """
    if game is None:
        return _in_units(MEASURES, name, "in the game's unit") or definition(name)
    played = game.base_game
    own = played.measure_meanings.get(name)
    known = MEASURES | (ENDOWED if name in ENDOWED and _endowed(played) else {})
    return own or _in_units(known, name, played.payoff_unit) or definition(name)


def _in_units(known: Mapping[str, str], name: str, unit: str) -> str | None:
    return known[name].format(unit=unit) if name in known else None


def _endowed(game: Game[Any]) -> bool:
    """Check whether participants hold something before a round."""
    held = getattr(game.initial_state(1, np.random.default_rng(0)), "endowments", None)
    return held is not None and bool(np.any(held))


def defined(names: Iterable[str], game: Game[Any] | None = None) -> str | None:
    """Write one line with the definitions of measures and registered objectives; None if none of them has one."""
    known = {name: measure_meaning(name, game) for name in names}
    return "; ".join(f"{words(name)}: {what}" for name, what in known.items() if what) or None
