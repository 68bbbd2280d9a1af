"""What the policies that a run has learned are worth, afterwards: played anew, and against the exact equilibrium."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lawgiver.envs.core.errors import UnsupportedGameError
from lawgiver.envs.core.game import Game
from lawgiver.envs.core.policy import Policy
from lawgiver.envs.core.registry import make_policy
from lawgiver.trainers.files import RunError
from lawgiver.trainers.runs import Run, load
from lawgiver.trainers.simulation import simulate

GAMES = 4_096
STREAM = 0x6576616C
"""Sets the evaluation's random numbers apart from those of a training with the same seed."""
BASELINES = ("random", "strict_egalitarian", "libertarian", "liberal_egalitarian")

Table = dict[str, dict[str, Any]]
"""Values by measure and mechanism."""


@dataclass(frozen=True)
class Evaluation:
    """The tables of an evaluation.

    Attributes:
        simulated: means and 95 % intervals a round of games that the learned participants play.
        exact: expectations in the participants' exact equilibrium; empty where there is none, see ``reason``.
        reason: why ``exact`` is empty, else empty.
    """

    simulated: Table
    exact: Table
    reason: str


def evaluate(path: str | Path, games: int = GAMES) -> Evaluation:
    """Play a run's learned policies, and each canonical mechanism with the learned participants.

    Roles that the run has not learned are played at random. All mechanisms meet the same random numbers, which the
    training has not seen.

    Raises:
        RunError: if the folder is not a run, is damaged, or holds no policies.
    """
    learned: dict[str, Policy] = load(path)
    if not learned:
        raise RunError(f"{path} has no learned policies: its training has not ended, or learns none")
    run = Run.open(path)
    game = run.game()
    mechanisms = dict(_mechanisms(game, learned))
    participants = learned.get("participant") or make_policy(game, "participant", "random")
    simulated: Table = {}
    for name, mechanism in mechanisms.items():
        rng = np.random.default_rng([STREAM, run.settings["seed"]])
        for measure, value in simulate(game, {"mechanism": mechanism, "participant": participants}, games, rng).items():
            simulated.setdefault(measure, {})[name] = value
    exact, reason = _exact(run, game, mechanisms, simulated)
    return Evaluation(simulated, exact, reason)


def _mechanisms(game: Game[Any], learned: dict[str, Policy]) -> Iterator[tuple[str, Policy]]:
    for name in BASELINES:
        with suppress(UnsupportedGameError):  # not every mechanism means something in every game
            yield name, make_policy(game, "mechanism", name)
    if "mechanism" in learned:
        yield "learned", learned["mechanism"]


def _exact(run: Run, game: Game[Any], mechanisms: dict[str, Policy], measures: Collection[str]) -> tuple[Table, str]:
    """Return the exact scores by measure, or why there are none."""
    from lawgiver.agents.anchor import make_anchor

    participants = run.settings["agents"].get("participants") or {}
    if "inverse_temperature" not in participants:
        return {}, "the config gives the participants no inverse temperature"
    anchor = make_anchor(game, participants.get("anchor", "uniform"))
    table: Table = {}
    for name, mechanism in mechanisms.items():
        if name == "random":
            continue  # scored by its mean action it would be a rule that it is not
        scores = game.exact_scores(
            mechanism, inverse_temperature=float(participants["inverse_temperature"]), anchor=anchor
        )
        if isinstance(scores, str):
            return {}, scores
        for measure, value in scores.items():
            if measure in measures:
                table.setdefault(measure, {})[name] = value
    return table, ""
