"""Default figures of a run: curves of every metric, welfare against equality, and the beach plot."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from lawgiver.envs.core.make import make_policy
from lawgiver.envs.core.objectives import objective_of
from lawgiver.envs.core.policy import Policy
from lawgiver.trainers.plots.curves import curves, welfare_equality
from lawgiver.trainers.plots.history import column, flat
from lawgiver.trainers.plots.public_investment import shares_of
from lawgiver.trainers.runs.loading import load
from lawgiver.trainers.runs.run import Run
from lawgiver.trainers.tables.wording import words

# isort: split
from matplotlib.figure import Figure

SCORES = ("score", "exact_score")
"""Metrics that mean the same to every trainer that has them: the objective a round, as played and in equilibrium."""

Panels = Sequence[tuple[str, str, Sequence[str]]]
"""Title, label of the vertical axis, and metrics of each panel."""


def figures_of(run: Run, summary: Mapping[str, Any]) -> Iterator[tuple[str, Figure]]:
    """Draw curves of every metric under its own name, welfare against equality, and the shares of a public fund."""
    groups: dict[str, list[str]] = {}
    for name in dict.fromkeys(name for line in flat(run) for name in line):
        if name not in (*SCORES, "iteration") and not name.startswith("timing/"):
            groups.setdefault(name.rpartition("/")[0] or name, []).append(name)
    panels = [(words(group.replace("/", ", ")), "value", names) for group, names in groups.items()]
    yield from with_scores(run, summary, panels)
    yield from standing_of(run, summary)
    yield from shares_of(run.game().base_game, played_policies(run))


def with_scores(run: Run, summary: Mapping[str, Any], panels: Panels) -> Iterator[tuple[str, Figure]]:
    """Draw learning curves: the scores of the mechanism beside those of others in ``summary``, and more panels."""
    history, objective = flat(run), objective_of(run.game())
    first = (
        f"Mechanism: {words(objective)} a round, played and at the exact equilibrium of its mean",
        words(objective),
        SCORES,
    )
    others = {name: value for name, value in column(summary, objective).items() if name != "learned"}
    scored = any(name in line for line in history for name in SCORES)
    figure = curves([first, *panels], history, others if scored else {})
    if figure.axes:
        yield "curves.png", figure


def standing_of(run: Run, summary: Mapping[str, Any]) -> Iterator[tuple[str, Figure]]:
    """Draw what mechanisms achieve against how unequal it is, where a summary tells both."""
    objective = objective_of(run.game())
    scores, inequality = column(summary, objective), column(summary, "gini")
    if inequality and any(value is not None for value in scores.values()):
        yield "welfare_equality.png", welfare_equality({objective: scores, "gini": inequality}, objective)


def played_policies(run: Run) -> dict[str, Policy]:
    """Load the policies of a run by role, the mechanism that its config gives included."""
    given = run.settings["agents"].get("mechanism")
    learned: dict[str, Policy] = load(run.path)
    if not isinstance(given, Mapping) or not isinstance(given.get("given"), Mapping):
        return learned
    return {**learned, "mechanism": make_policy(run.game(), "mechanism", **given["given"])}
