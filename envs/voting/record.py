"""Played elections as files that other programs read."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from lawgiver.envs.core.arrays import Array, as_numpy
from lawgiver.envs.core.errors import UnsupportedGameError
from lawgiver.envs.files.preflib import write_soc
from lawgiver.envs.solvers.social_choice.profiles import positions
from lawgiver.envs.voting.game import Voting


def save_ballots(path: str | Path, game: Voting, reports: Array, title: str = "") -> None:
    """Save the ballots of one or more elections as a PrefLib file of strict complete orders.

    Args:
        path: a ``.soc`` file, which is replaced if it is there.
        game: the election, whose ballots are rankings or tell one.
        reports: of the voters, (n, m), or of several elections, (B, n, m), which become one file: ``state.reports``.
        title: of the election, one line.

    Raises:
        UnsupportedGameError: if ballots do not tell rankings.
        ParameterError: if the title has several lines, or the file cannot be written.
    """
    if game.ballot not in ("ranking", "score"):
        raise UnsupportedGameError(
            f"a .soc file holds rankings, which {game.ballot} ballots of {game.name} do not tell, allowed: ballot of"
            " ranking or score"
        )
    places = positions(as_numpy(reports).reshape(-1, game.m))
    names = None if game.votes is None else game.votes.alternatives
    write_soc(path, np.argsort(places, axis=-1), names, title=title)
