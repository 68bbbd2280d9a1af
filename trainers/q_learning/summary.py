"""Summary of a training: the policies that are saved, and measures of what they have come to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from lawgiver.agents.network_policies import LearnedMechanism
from lawgiver.agents.q_tables import LearnedQTables
from lawgiver.envs.core.objectives import objective_of
from lawgiver.trainers.q_learning.evaluation import measured
from lawgiver.trainers.q_learning.grid import FIRST, reached_on_grid
from lawgiver.trainers.q_learning.outcome import outcome_of
from lawgiver.trainers.q_learning.sessions import Sessions
from lawgiver.trainers.runs.training_run import TrainingRun
from lawgiver.trainers.statistics.estimate import Estimate

if TYPE_CHECKING:
    from lawgiver.trainers.q_learning.train import Training

BASELINE = "no_mechanism"
"""Canonical mechanism beside which a learned one is shown; the start, of games that have none of this name."""


def conclude(training: Training, run: TrainingRun) -> dict[str, Any]:
    """Save the policies, and measure what they have come to.

    Returns:
        What :func:`lawgiver.trainers.q_learning.evaluation.measured` tells of the mechanism that is ``given``; or of
        the one that was ``learned``, of ``no_mechanism`` and of the ``best_of_grid``, the last by fresh sessions.
        Besides, by mechanism, the share of sessions that ``converged`` and the ``periods`` that they took; what is
        announced, ``parameters``; the whole ``grid``, by the sessions among which the best was chosen; and ``alarms``.
    """
    game, sessions = training.game, training.sessions
    objective, names = objective_of(game), {"given": 0}
    participants = LearnedQTables(game, sessions=training.config.trainer.sessions, memory=training.rule.memory)
    first = sessions.mechanisms == 0
    participants.restore({"tables": sessions.tables[first], "last_joint": sessions.states[first]})
    run.save_policy("participant", participants)
    grid: dict[str, Any] = {}
    shown = sessions.only(sessions.mechanisms < FIRST)
    if training.optimiser is not None:
        run.save_policy("mechanism", LearnedMechanism(game, start=training.parameters[0].tolist(), hidden=None))
        names = {"learned": 0, BASELINE if BASELINE in game.members else "start": 1}
        if training.judged is not None:
            names["best_of_grid"] = int(training.judged.mechanisms[0])
            shown = shown.joined(training.judged)
            grid = {"parameters": training.parameters[FIRST:].tolist(), objective: reached_on_grid(sessions)}
    found = measured(game, outcome_of(shown), shown, names)
    if game.ceiling() is not None:
        found[objective]["ceiling"] = game.ceiling()
    by_name = {name: shown.mechanisms == number for name, number in names.items()}
    parameters = dict(zip(game.rule_names, training.parameters.T, strict=True))
    return {
        **found,
        "converged": {name: float((~shown.active[on]).mean()) for name, on in by_name.items()},
        "periods": {name: Estimate.of_samples(shown.changed[on]) for name, on in by_name.items()},
        "parameters": {
            key: {name: float(column[number]) for name, number in names.items()} for key, column in parameters.items()
        },
        **({"grid": grid} if grid else {}),
        "alarms": _alarms(found[objective], [sessions] if training.judged is None else [sessions, training.judged]),
    }


def _alarms(values: Mapping[str, Any], played: Sequence[Sessions]) -> list[str]:
    """Describe results that a reader of the summary should not overlook, one sentence each."""
    found, active = [], np.concatenate([sessions.active for sessions in played])
    if active.any():
        found.append(f"{active.sum()} of {len(active)} sessions have not converged: give them more trainer.updates")
    if BASELINE in values and values["learned"].ends[1] < values[BASELINE].ends[0]:
        found.append(
            f"the learned mechanism is worse than none: {values['learned'].mean:.4g} against"
            f" {values[BASELINE].mean:.4g}; participants may need more agents.mechanism.updates_per_evaluation"
        )
    return found
