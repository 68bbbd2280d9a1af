"""What the numbers of a summary are called, in which unit, and what they mean, one line each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lawgiver.trainers.plots.wording import words

MEASURES = {
    "log_nash_welfare": "sum of log(payoff + 0.001)",
    "mean_log_utility": "mean of weight times log utility",
    "surplus": "sum of payoffs less endowments, points",
    "rawlsian": "least payoff, points",
    "gini": "inequality of payoffs, 0 = equal",
    "welfare": "sum of utilities, without transfers",
    "payments": "what the mechanism pays out, utility",
    "efficiency": "share of what could be used that is",
    "revenue": "sum of payments",
    "makespan": "time until the last worker is done",
    "kl": "divergence from the anchor, nats",
    "ir_violation": "by how much the worst-off falls short of 0, utility",
    "expected_budget": "what the mechanism pays out a game, utility",
    "regret": "what a rational participant would gain by leaving this behaviour, utility",
    "misreport_regret": "what the best misreport of a type gains, utility",
}
"""Unit or definition of what mechanisms are measured by."""

ROWS = {
    "reachable": "best found",
    "ceiling": "ceiling, rational people",
    "optimum": "optimum, rational people",
    "first_best": "first best, by a planner",
    "best_in_box": "best in the box",
}
"""Rows whose key does not say enough."""

CANONICAL_GAPS = {
    "gap_closed": "share of the way from the best canonical rule to the ceiling",
    "reachable_gap_closed": "share of the way from the best canonical rule to the best found",
}
SETTLED = {
    "reply_gap": "probability that a participant acts otherwise than its exact reply, once all have settled under the"
    " learned mechanism"
}
BOX_GAP = {"gap_closed": "share of the way from the start to the best in the box"}

MEANINGS = {
    "reply_gap": "probability that a trained participant acts otherwise than its exact reply",
    "reply_gap_in_training": "the same when the training ended, before participants settled (as in the curves)",
    "score_in_training": "welfare a round of what they played then",
    "inverse_temperature": "of the participants, per unit of payoff",
    "iterations": "completed",
    "updates": "completed",
    "env_steps": "phases played, over all games",
    "agent_updates": "steps of the participants' tables",
    "evaluations": "mechanisms whose welfare was measured",
    "online_score": "objective a round in the last iterations of the training, as played",
    "exact_score": "objective a round of the learned rule at the participants' exact equilibrium",
    "online_minus_exact": "the difference: well above 0 means that participants have stopped adapting",
    "distance_from_closed_form": "total variation, the most of any kind of participant: 0 = the same, 1 = disjoint",
    "objective": "of the learned mechanism, on fresh profiles",
    "vcg": "objective of VCG on the same profiles",
    "limit": "known bound of the objective",
    "ratio_to_limit": "objective by that bound",
    "nash_welfare_ratio_to_pf": "Nash welfare (geometric mean of utilities) by that of proportional fairness",
    "misreports_tried": "by the audit",
    "profiles": "that were audited",
    "timing.wall_s": "seconds",
    "timing.cpu_s": "seconds of this process",
}
"""What single numbers of a summary mean."""


def mechanism_words(name: str) -> str:
    """Write the name of a mechanism."""
    return ROWS.get(name, words(name))


def meanings(numbers: Mapping[str, Any]) -> dict[str, str]:
    """Return the meaning of single numbers; that of ``gap_closed`` depends on what else is told."""
    settled = SETTLED if "reply_gap_in_training" in numbers else {}
    return MEANINGS | settled | (CANONICAL_GAPS if "reachable_gap_closed" in numbers else BOX_GAP)


def defined(names: list[str]) -> str | None:
    """Return one line that defines measures, those that are in need of it."""
    told = [f"{words(name)}: {MEASURES[name]}" for name in names if name in MEASURES]
    return "; ".join(told) or None
