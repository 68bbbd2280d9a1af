"""The Acquire step: people play two games under the same mechanism, and vote."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lawgiver.envs.core.errors import ParameterError
from lawgiver.envs.core.fields import columns
from lawgiver.envs.core.policy import Policy
from lawgiver.envs.election.experience import experience_layout
from lawgiver.envs.election.game import Election
from lawgiver.envs.election.state import ElectionState
from lawgiver.envs.public_investment.game import PublicInvestment
from lawgiver.trainers.elections.records.readers import read_records
from lawgiver.trainers.elections.records.records import Records
from lawgiver.trainers.evaluation.elections import hold
from lawgiver.trainers.runs.atomic_files import RunError

SUFFIXES = (".parquet", ".csv")


def acquire(
    election: Election, game: PublicInvestment, mechanism: Policy, groups: int, seed: tuple[int, ...]
) -> Records:
    """Return what ``groups`` groups did in two games under one mechanism, and which of the two they voted for.

    The conditions take turns, so that their groups differ in number by one at most.
    """
    rng = np.random.default_rng(seed)
    conditions = np.array(game.conditions, float)
    opening = game.initial_state_from(conditions[np.arange(groups) % len(conditions)])
    in_turn = np.tile(np.arange(2), (groups, 1))  # both are the same: seat 0 is the first game, seat 1 the second
    return recorded(election, game, hold(election, [mechanism, mechanism], opening, rng, in_turn))


def recorded(election: Election, game: PublicInvestment, state: ElectionState) -> Records:
    """Return an election's games as records; an episode's number is the seat of the mechanism that ruled it."""
    lived, at = election.experience(state), columns(experience_layout(game))
    own = {name: lived[..., at[name].start].transpose(0, 2, 3, 1) for name in ("contributions", "payouts")}
    return Records(endowments=state.opening.endowments, votes=state.votes, **own)


def check_source(source: Path, iterations: int) -> None:
    """Raise ParameterError unless the user's data can be what all iterations need."""
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
    """Return the records that the user has collected for an iteration.

    Args:
        source: a file, or a folder of D1, D2, ...
        iteration: counted from 1.
        game: that was played.
        shown: the folder of the mechanism under which these data are to be collected.

    Raises:
        RunError: if there are none yet, saying under which mechanism to collect them; or a group has endowments that
            are no condition of the game. Votes may be missing, some or all.
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
    """Refuse groups that have not played the game: the mechanism that is trained never meets their endowments."""
    conditions = {tuple(sorted(condition)) for condition in game.conditions}
    for group, endowments in enumerate(records.endowments.tolist()):
        if tuple(sorted(endowments)) not in conditions:
            allowed = ", ".join(str(tuple(condition)) for condition in game.conditions)
            has = ", ".join(f"{endowment:.6g}" for endowment in endowments)
            raise RunError(
                f"{file}: endowments of group {group} are ({has}), no condition of the game; allowed: {allowed}"
            )


def told_of(records: Records) -> dict[str, Any]:
    """Return what was acquired: ``groups``, ``groups_without_votes``, ``votes``, ``votes_missing``, ...

    Groups without votes say what people contribute, and are left out where votes are fitted.
    """
    voted = records.votes >= 0
    return {
        "groups": len(records),
        "groups_without_votes": int((~voted.any(axis=1)).sum()),
        "votes": int(voted.sum()),
        "votes_missing": int((~voted).sum()),
        "contributed_of_all_coins": float(records.contributions.mean() / records.endowments.mean()),
    }


def require_votes(records: Sequence[Records], file: Path) -> None:
    """Refuse data with which there would be too few votes so far to fit any: two groups in which somebody voted."""
    voted = sum(int((each.votes >= 0).any(axis=1).sum()) for each in records)
    if voted < 2:
        raise RunError(
            f"{file}: somebody has voted in {voted} groups so far, allowed: at least 2, without which nothing is known"
            " of what people vote for; groups without votes may come besides"
        )
