"""The Acquire step: people play two games under the same mechanism, and vote."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from lawgiver.envs.core.policy import Policy
from lawgiver.envs.election.game import Election
from lawgiver.envs.public_investment.game import PublicInvestment
from lawgiver.trainers.elections.records.provided import provided_file
from lawgiver.trainers.elections.records.readers import read_records
from lawgiver.trainers.elections.records.recording import recorded_election
from lawgiver.trainers.elections.records.records import Records
from lawgiver.trainers.evaluation.vote_shares import hold
from lawgiver.trainers.runs.atomic_files import RunError


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
    found = provided_file(source, iteration, f"the mechanism in {shown}")
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
