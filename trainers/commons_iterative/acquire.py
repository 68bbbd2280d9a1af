"""The Acquire step: games of people under rules or planners, played by simulated people or brought by the user."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lawgiver.envs.commons_trust.game import CommonsTrust
from lawgiver.envs.core.policy import Policy
from lawgiver.trainers.commons.plays import Plays
from lawgiver.trainers.elections.records.provided import provided_file
from lawgiver.trainers.elections.records.readers import read_behaviour
from lawgiver.trainers.elections.records.recording import recorded_games
from lawgiver.trainers.elections.records.records import Records, RecordsError
from lawgiver.trainers.elections.records.table import Behaviour, write_table

TOLERANCE = 0.05
"""Points by which pools of records may miss the rules of the game: tables are rounded."""


def acquire(
    folder: Path, game: CommonsTrust, people: Policy, mechanisms: Mapping[str, Policy], groups: int, seed: Sequence[int]
) -> dict[str, Any]:
    """Play a game with each of ``groups`` groups under each mechanism; write a table for each, and count."""
    counted = []
    for number, (name, mechanism) in enumerate(mechanisms.items()):
        rng = np.random.default_rng([*seed, number])
        records = recorded_games(game, people, mechanism, game.initial_state(groups, rng), rng)
        write_table(folder / f"{name}.parquet", records, name)
        counted.append(counts(records))
    return {key: sum(each[key] for each in counted) for key in counted[0]}


def provided(folder: Path, game: CommonsTrust, source: Path, iteration: int, name: str, shown: str) -> dict[str, Any]:
    """Check the games that the user has collected for an iteration; write them as a table, and count.

    Args:
        folder: of the table.
        game: that was played.
        source: a file, or a folder of D1, D2, ...
        iteration: number of the iteration, from 1.
        name: of the table.
        shown: under what these data are collected, for the message.

    Raises:
        RunError: if there are none yet.
        LawgiverError: naming row and column, if a file is broken, or has no ``pool``.
        RecordsError: if the games are of other rules.
    """
    found = read(provided_file(source, iteration, shown), game)
    for records in found.records:
        check_rules(records, game)
    write_table(folder / f"{name}.parquet", found.records, name)
    return {**counts(found.records), "groups_left_out": len(found.left_out)}


def read(path: Path, game: CommonsTrust) -> Behaviour:
    """Read games from a table of behaviour."""
    return read_behaviour(path, "ignored", game.n, endowments="by_round", shared=("pool",))


def counts(records: Sequence[Records]) -> dict[str, int]:
    """Count groups, and returns of offers of a point or more."""
    return {
        "groups": sum(map(len, records)),
        "returns": sum(int((each.endowments >= 1).sum()) for each in records),
    }


def check_rules(records: Records, game: CommonsTrust) -> None:
    """Check that pools follow the rules of the game, up to :data:`TOLERANCE`; raises RecordsError otherwise."""
    pool, offers = records.shared["pool"], records.endowments.sum(-1)
    expected = np.full_like(pool, game.first_pool)
    expected[..., 1:] = _grown(records, game)[..., :-1]
    _refuse(np.abs(pool - expected) > TOLERANCE, pool, expected, "by the rules of the game")
    _refuse(offers > pool + TOLERANCE, pool, offers, "or more, which are offered")


def _refuse(wrong: np.ndarray, pool: np.ndarray, right: np.ndarray, why: str) -> None:
    if wrong.any():
        index = tuple(int(at) for at in np.argwhere(wrong)[0])
        raise RecordsError("pool", index, f"is {pool[index]:.6g}, allowed: {right[index]:.6g} {why}")


def _grown(records: Records, game: CommonsTrust) -> np.ndarray:
    """Compute the pool after each round, (G, E, T)."""
    left = records.shared["pool"] - records.endowments.sum(-1) + game.growth * records.contributions.sum(-1)
    grown: np.ndarray = np.clip(left, 0, game.capacity)
    return grown


def plays_of(records: Sequence[Records], game: CommonsTrust) -> Plays:
    """Convert records to games, one for each group and episode."""
    most = max(each.contributions.shape[2] for each in records)

    def padded(values: np.ndarray, length: int) -> np.ndarray:
        """Flatten groups and episodes, (G, E, R, ...) to (G E, length, ...), with NaN after the end."""
        flat = values.reshape(-1, *values.shape[2:])
        missing = [(0, 0), (0, length - flat.shape[1])] + [(0, 0)] * (flat.ndim - 2)
        return np.pad(flat, missing, constant_values=np.nan)

    pools = [np.concatenate([each.shared["pool"], _grown(each, game)[..., -1:]], -1) for each in records]
    return Plays(
        np.concatenate([padded(each, most + 1) for each in pools]),
        np.concatenate([padded(each.endowments, most) for each in records]),
        np.concatenate([padded(each.contributions, most) for each in records]),
    )
