"""Measures of what Q-learners have come to, beside the Nash equilibrium of a round and monopoly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from lawgiver.envs.core.game import Game
from lawgiver.envs.core.make import make_policy
from lawgiver.envs.core.objectives import objective_of
from lawgiver.envs.families.repeated_stage import RepeatedStage
from lawgiver.trainers.evaluation.announcement import announcement
from lawgiver.trainers.q_learning.outcome import NOTHING, Outcome, outcome_of
from lawgiver.trainers.q_learning.sessions import Sessions, rule_of
from lawgiver.trainers.q_learning.stage import stage_of
from lawgiver.trainers.runs.atomic_files import RunError
from lawgiver.trainers.runs.config import validate
from lawgiver.trainers.runs.loading import load
from lawgiver.trainers.runs.run import Run
from lawgiver.trainers.statistics.estimate import Estimate

KNOWN = ("nash", "monopoly")
"""Solutions that a round is compared with, by name."""


def evaluate_run(run: Run, games: int, seed: Sequence[int]) -> dict[str, Any]:
    """Evaluate a run's tables once more, greedy play beginning where each session's learning ended.

    Returns:
        What :func:`measured` tells, as the run's summary has it. With a memory, ``profit_gain_from_drawn_prices``
        beside it: that of greedy play from joint actions drawn uniformly. Play that begins elsewhere may end in
        another cycle, through states in which learners have hardly been and have not learned what to do.

    Raises:
        RunError: if the training has not finished, or the run does not say where sessions ended.
    """
    run.require_finished()
    game, config = run.game(), validate(run.settings)
    policies, given = load(run.path), run.settings["agents"]["mechanism"].get("given")
    mechanism = policies["mechanism"] if given is None else make_policy(game, "mechanism", **given)
    stage = stage_of(game, announcement(game, mechanism)[None])
    tables = policies["participant"].tables
    last = policies["participant"].last_joint
    if last is None:
        raise RunError(f"{run.path} does not say with which joint action each session ended: train it anew")
    rule, nobody = rule_of(game, config.agents.participants), np.zeros(len(tables), np.int64)
    names = {"learned" if given is None else "given": 0}

    def found(states: np.ndarray) -> dict[str, Any]:
        sessions = Sessions(stage, rule, nobody, tables, states, 0, nobody, np.zeros(len(tables), bool))
        return measured(game, outcome_of(sessions), sessions, names)

    ended = found(last)
    if "profit_gain" in ended and rule.memory:
        drawn = found(np.random.default_rng(seed).integers(stage.joint, size=len(tables)))
        ended["profit_gain_from_drawn_prices"] = drawn["profit_gain"]
    return ended


def measured(game: Game[Any], outcome: Outcome, sessions: Sessions, names: Mapping[str, int]) -> dict[str, Any]:
    """Measure what sessions have come to under each mechanism.

    Args:
        game: that they play.
        outcome: of all sessions.
        sessions: with what they play.
        names: of mechanisms, with their numbers in the stage.

    Returns:
        By measure of the game and by mechanism: the mean over sessions of the cycle that greedy play ends in, with its
        interval, and beside them what is known of the game. Likewise ``profit_gain``, where profits in Nash equilibrium
        (0) and of monopoly (1) are known, ``best_reply_gain`` and ``deviation_gain``, as shares of payoffs,
        ``rival_reply`` and ``deviation``, see :mod:`lawgiver.trainers.q_learning.outcome`.
    """
    objective = objective_of(game)
    measures = dict(sessions.stage.measures)
    found: dict[str, Any] = {name: {} for name in dict.fromkeys((objective, *measures))}
    found |= {name: {} for name in ("profit_gain", "best_reply_gain", "deviation_gain", "rival_reply", "deviation")}
    known: Mapping[str, Mapping[str, float | None]] = getattr(game, "references", dict)()
    for name, number in names.items():
        on = sessions.mechanisms == number
        occupation, paid = outcome.occupation[on], outcome.payoffs[on].sum(axis=-1)
        for measure, by_joint in {objective: sessions.stage.objective, **measures}.items():
            found[measure][name] = Estimate.of_samples(occupation @ by_joint[number])
        ends = [known.get("profit", {}).get(end) for end in KNOWN]
        if ends[0] is not None and ends[1] is not None:
            found["profit_gain"][name] = Estimate.of_samples((paid - ends[0]) / (ends[1] - ends[0]))
        for key, gains in (("best_reply_gain", outcome.best_reply_gain), ("deviation_gain", outcome.deviation.gain)):
            if paid.mean() > NOTHING:
                found[key][name] = Estimate.of_ratio(gains[on].sum(axis=-1), paid)
        paths = deviation_paths(game, outcome, on)
        found["deviation"][name] = {key: path.mean(axis=0) for key, path in paths.items()}
        found["rival_reply"][name] = Estimate.of_samples((paths["others"] - paths["others_kept"])[:, 2])
    for measure, values in known.items():
        if measure in found:
            found[measure] |= {name: value for name, value in values.items() if value is not None}
    return {key: value for key, value in found.items() if value}


def deviation_paths(game: Game[Any], outcome: Outcome, on: np.ndarray) -> dict[str, np.ndarray]:
    """Compute paths around a forced deviation, the mean over deviators, (S, T) each.

    Args:
        game: whose actions stand for numbers (prices), or else are numbered.
        outcome: of all sessions.
        on: sessions that count, bool.

    Returns:
        ``own``, of the deviator, ``others``, their mean, and ``own_kept`` and ``others_kept`` without a deviation. The
        first period is the last before it, the second the deviation.
    """
    moves = outcome.deviation
    n, most = moves.actions.shape[-1], int(max(moves.actions.max(), moves.kept.max())) + 1
    values = game.action_values() if isinstance(game, RepeatedStage) else np.tile(np.arange(most), (n, 1))
    paths = {}
    for suffix, actions in (("", moves.actions[on]), ("_kept", moves.kept[on])):
        by_agent = values[np.arange(n), actions]  # (S, deviator, T, n)
        own = np.moveaxis(np.diagonal(by_agent, axis1=1, axis2=3), -1, 1)
        others = (by_agent.sum(axis=-1) - own) / (n - 1)
        paths["own" + suffix], paths["others" + suffix] = own.mean(axis=1), others.mean(axis=1)
    return paths
