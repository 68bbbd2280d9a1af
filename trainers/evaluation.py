"""What the policies that a run has learned are worth, afterwards: scored exactly, and played anew."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from lawgiver.agents.anchor import make_anchor
from lawgiver.envs.core.policy import Policy
from lawgiver.envs.core.registry import make_policy
from lawgiver.trainers.runs import Run, load
from lawgiver.trainers.scoring import mechanisms, score_table
from lawgiver.trainers.simulation import simulate

GAMES = 4_096
STREAM = 0x6576616C
"""Sets the evaluation's random numbers apart from those of a training with the same seed."""


def evaluate(path: str | Path, games: int = GAMES) -> dict[str, Any]:
    """Return the final table of a run once more.

    Returns:
        ``simulated``: by measure and mechanism, mean and 95 % interval a round of ``games`` games that the learned
        participants play (random ones, if the run has learned none) under the canonical mechanisms and the learned
        one; all meet the same random numbers, which the training has not seen. And what
        :meth:`ScoreTable.to_summary` tells of the exact equilibrium, if the config gives the participants'
        inverse temperature.

    Raises:
        RunError: if the folder is not a run, is damaged, or has learned no mechanism.
    """
    run = Run.open(path)
    learned: Policy = load(path, role="mechanism")
    game = run.game()
    participants = load(path).get("participant") or make_policy(game, "participant", "random")
    simulated: dict[str, dict[str, Any]] = {}
    for name, mechanism in mechanisms(game, learned):
        rng = np.random.default_rng([STREAM, run.settings["seed"]])
        for measure, value in simulate(game, {"mechanism": mechanism, "participant": participants}, games, rng).items():
            simulated.setdefault(measure, {})[name] = value
    return {"simulated": simulated, **_exact(run, learned)}


def _exact(run: Run, learned: Policy) -> dict[str, Any]:
    settings = run.settings["agents"].get("participants") or {}
    if "inverse_temperature" not in settings:
        return {"reasons": {"exact scores": "the config gives the participants no inverse temperature"}}
    game = run.game()
    anchor = make_anchor(game, settings.get("anchor", "uniform"))
    temperature = float(settings["inverse_temperature"])
    return score_table(game, learned, inverse_temperature=temperature, anchor=anchor).to_summary()
