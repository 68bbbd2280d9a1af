"""Evaluation of the last mechanism in elections before populations that it was not trained on."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lawgiver.envs.core.policy import Policy
from lawgiver.envs.public_investment.game import PublicInvestment
from lawgiver.trainers.elections.records.recording import recorded_election
from lawgiver.trainers.elections.records.records import Records, concatenate
from lawgiver.trainers.elections.records.table import write_table
from lawgiver.trainers.evaluation.vote_shares import estimates, group_scores, held_by_condition
from lawgiver.trainers.hcmd_zero.judges import LEARNED, Judges
from lawgiver.trainers.runs.config import validate
from lawgiver.trainers.runs.loading import load
from lawgiver.trainers.runs.run import Run

PLAYED = "played.parquet"
"""The games against the first rival before the people from whom data are acquired."""


def evaluate_run(run: Run, games: int, seed: Sequence[int]) -> dict[str, Any]:
    """Hold a run's mechanism against its config's rivals, before other groups of people; see :func:`judge`."""
    config = validate(run.settings)
    game: Any = config.game.make()
    mechanism = load(run.path, role="mechanism")
    each = -(-games // len(game.conditions))
    return judge(Judges.of(config, game), game, mechanism, each, seed)[0]


def evaluate(
    folder: Path, judges: Judges, game: PublicInvestment, mechanism: Policy, games: int, seed: Sequence[int]
) -> dict[str, Any]:
    """Judge a mechanism, see :func:`judge`; save the games behind ``groups`` in the folder."""
    found, played = judge(judges, game, mechanism, games, seed)
    write_table(folder / PLAYED, played, [LEARNED, next(iter(judges.rivals))])
    return found


def judge(
    judges: Judges, game: PublicInvestment, mechanism: Policy, games: int, seed: Sequence[int]
) -> tuple[dict[str, Any], Records]:
    """Hold elections of a mechanism against all rivals before all populations.

    Args:
        judges: the rivals, and who judges.
        game: of the experiment.
        mechanism: policy to evaluate.
        games: least number of elections for each condition, rival and population; both orders equally often.
        seed: of all random numbers, the same for every rival and population.

    Returns:
        ``vote_share`` (rival -> population -> condition or ``pooled`` -> estimate); ``groups``: the means
        over groups of contributions, log reward and Gini under the mechanism and its first rival, before the people
        from whom data are acquired; and those games.
    """
    shares: dict[str, dict[str, Any]] = {rival: {} for rival in judges.rivals}
    first: list[Records] = []
    for (rival, policy), (name, election) in itertools.product(judges.rivals.items(), judges.elections.items()):
        rng, found = np.random.default_rng(seed), {}
        for condition, state in held_by_condition(election, [mechanism, policy], games, rng):
            found[condition] = np.asarray(election.vote_shares(state)[:, 0])
            if len(first) < len(game.conditions):
                first += recorded_election(election, state)
        shares[rival][name] = estimates(found, rng)
    played = concatenate(first)
    return {"vote_share": shares, "groups": compared(played, (LEARNED, next(iter(judges.rivals))))}, played


def compared(played: Records, names: tuple[str, str]) -> dict[str, dict[str, float]]:
    """Compute means over groups of contributions, log reward and Gini, by measure and mechanism."""
    table: dict[str, dict[str, float]] = {"contributed": {}, "log_reward": {}, "gini": {}}
    for episode, name in enumerate(names):
        fractions = played.contributions[:, episode] / played.endowments[:, None, :]
        inequality, productivity = group_scores(played.payoffs[:, episode].sum(axis=1))
        table["contributed"][name] = float(fractions.mean())
        table["log_reward"][name] = float(productivity.mean())
        table["gini"][name] = float(inequality.mean())
    return table
