"""The Acquire step: people play two games under the same mechanism, and vote."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lawgiver.envs.core.errors import ParameterError
from lawgiver.envs.core.policy import Policy
from lawgiver.envs.election.game import Election
from lawgiver.envs.public_investment.game import PublicInvestment
from lawgiver.trainers.elections.records.readers import read_records
from lawgiver.trainers.elections.records.recording import recorded_election
from lawgiver.trainers.elections.records.records import Records
from lawgiver.trainers.evaluation.vote_shares import hold
from lawgiver.trainers.runs.atomic_files import RunError

SUFFIXES = (".parquet", ".csv")


def acquire(
    election: Election, game: PublicInvestment, mechanism: Policy, groups: int, seed: tuple[int, ...]
) -> Records:
    """Play two games under one mechanism with each of ``groups`` groups, and a vote between them.

    Conditions alternate, so that their numbers of groups differ by at most one.
    """
    rng = np.random.default_rng(seed)
    conditions = np.array(game.conditions, float)
    opening = game.initial_state_from(conditions[np.arange(groups) % len(conditions)])
    in_turn = np.tile(np.arange(2), (groups, 1))  # both are the same: seat 0 is the first game, seat 1 the second
    (records,) = recorded_election(election, hold(election, [mechanism, mechanism], opening, rng, in_turn))
    return records


def check_source(source: Path, iterations: int) -> None:
    """Check that the user's data can serve all iterations; raises ParameterError otherwise."""
    if not source.exists():
        raise ParameterError(
            f"trainer.acquire.source: {source} does not exist, allowed: a file, or a folder of D1, D2, ..."
        )
    if not source.is_dir() and iterations > 1:
        raise ParameterError(
            f"trainer.acquire.source: {source} is one file for {iterations} iterations, allowed: a folder of D1 to"
            f" D{iterations} (.parquet or .csv), or trainer.acquire.groups with one number"
        )


def provided(source: Path, iteration: int, game: PublicInvestment, shown: Path) -> Records:
    """Read the records that the user has collected for an iteration; votes may be missing.

    Args:
        source: a file, or a folder of D1, D2, ...
        iteration: number of the iteration, from 1.
        game: of the experiment.
        shown: folder of the mechanism under which these data are collected.

    Raises:
        RunError: if there are none yet, or a group has endowments that are no condition of the game.
        LawgiverError: naming row and column, if a file is broken.
    """
    files = [source / f"D{iteration}{suffix}" for suffix in SUFFIXES] if source.is_dir() else [source]
    found = next((file for file in files if file.exists()), None)
    if found is None:
        raise RunError(
            f"there are no data of iteration {iteration}: let people play under the mechanism in {shown}, keep what"
            f" they do as {files[0]} or .csv, and continue with --resume"
        )
    records = read_records(found, participants=game.n)
    _check_conditions(records, game, found)
    return records


def _check_conditions(records: Records, game: PublicInvestment, file: Path) -> None:
    """Check that all endowments are conditions of the game, as the mechanism is trained on no others."""
    conditions = {tuple(sorted(condition)) for condition in game.conditions}
    for group, endowments in enumerate(records.endowments.tolist()):
        if tuple(sorted(endowments)) not in conditions:
            allowed = ", ".join(str(tuple(condition)) for condition in game.conditions)
            has = ", ".join(f"{endowment:.6g}" for endowment in endowments)
            raise RunError(
                f"{file}: endowments of group {group} are ({has}), no condition of the game; allowed: {allowed}"
            )


def counts_of(records: Records) -> dict[str, Any]:
    """Count groups and votes; groups without votes serve the model of contributions alone."""
    voted = records.votes >= 0
    return {
        "groups": len(records),
        "groups_without_votes": int((~voted.any(axis=1)).sum()),
        "votes": int(voted.sum()),
        "votes_missing": int((~voted).sum()),
        "contributed_of_all_coins": float(records.contributions.mean() / records.endowments.mean()),
    }


def require_votes(records: Sequence[Records], file: Path) -> None:
    """Check that at least two groups have voted so far, which the model of votes needs."""
    voted = sum(int((each.votes >= 0).any(axis=1).sum()) for each in records)
    if voted < 2:
        raise RunError(
            f"{file}: somebody has voted in {voted} groups so far, allowed: at least 2, without which nothing is known"
            " of what people vote for; groups without votes may come besides"
        )
