"""Data that a user provides for the iterations of a run, and what is said of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lawgiver.envs.core.errors import ParameterError
from lawgiver.trainers.elections.records.records import Records
from lawgiver.trainers.runs.atomic_files import RunError

SUFFIXES = (".parquet", ".csv")


def check_source(source: Path, iterations: int, single: str) -> None:
    """Check that the user's data can serve all iterations; raises ParameterError otherwise.

    Args:
        source: a file, or a folder of D1, D2, ...
        iterations: of the run.
        single: the setting with which one iteration is made, for the message.
    """
    if not source.exists():
        raise ParameterError(
            f"trainer.acquire.source: {source} does not exist, allowed: a file, or a folder of D1, D2, ..."
        )
    if not source.is_dir() and iterations > 1:
        raise ParameterError(
            f"trainer.acquire.source: {source} is one file for {iterations} iterations, allowed: a folder of D1 to"
            f" D{iterations} (.parquet or .csv), or {single}"
        )


def provided_file(source: Path, iteration: int, shown: str) -> Path:
    """Find the file of records that the user has collected for an iteration.

    Args:
        source: a file, or a folder of D1, D2, ...
        iteration: number of the iteration, from 1.
        shown: under what these data are collected, for the message.

    Raises:
        RunError: if there is none yet.
    """
    files = [source / f"D{iteration}{suffix}" for suffix in SUFFIXES] if source.is_dir() else [source]
    found = next((file for file in files if file.exists()), None)
    if found is None:
        raise RunError(
            f"there are no data of iteration {iteration}: let people play under {shown}, keep what"
            f" they do as {files[0]} or .csv, and continue with --resume"
        )
    return found


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
