"""The CSV files of the official release of Koster et al. 2022 (google-deepmind/hcmd_dai), as a tidy table.

What their columns mean is documented by the release's notebook. How participants were grouped is not: it is assumed
here, and checked against what must hold of a group. docs/reference/behaviour_records.md says what is assumed.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

import numpy as np

from lawgiver.trainers.elections.records.source import Source, TableError, joined

_TAIL = ("endowcond", "baseline", "head", "rel_contribution")
_GAME = ("player_id", "contribution", "endowment", "session", "timestep")
LAYOUTS = (
    ("participant_id", *_GAME, "endowcond", "mechanism_code", *_TAIL[1:], "payout"),
    (*_GAME, "mechanism_code", "participant_id", *_TAIL, "vote", "payout"),
    ("participant_id", *_GAME, "endowcond", "mechanism_code", *_TAIL[1:], "vote", "payout"),
)
"""The columns of data_exp1, data_exp2 and data_exp4, which have no header row."""
PLAYERS = 8
"""The number of columns of the players_* files, which hold no contributions."""
PARTICIPANTS = 4
GAMES = (1, 2)
"""The sessions that are the two games under rival mechanisms; 0 is the tutorial, the last one the bonus game."""
LAST_SESSION = 5
ALIASES = {"group": "participant_id", "episode": "session", "round": "timestep", "participant": "player_id"}
MULTIPLIER, ROUNDING = 1.6, 0.05
REFEREE = 7
"""The code of the human referee, who alone is not known to give out the whole fund."""


def known(columns: Collection[str]) -> bool:
    """Check whether columns are those of the release."""
    return {"session", "timestep"} <= set(columns)


def headless(cells: Sequence[str]) -> bool:
    """Check whether the first line of a file is a row of the release rather than of names."""
    return len(cells) in {PLAYERS, *map(len, LAYOUTS)} and all(_is_value(cell) for cell in cells)


def named(source: Source) -> Source:
    """Name the columns of a file without header row.

    Two layouts are of the same width: the right one has a session where the other has a time or an endowment.
    """
    if len(source.columns) == PLAYERS:
        raise TableError(f"{source.path} holds players, not what they did in each round, allowed: data_exp*.csv")
    for layout in LAYOUTS:
        found = replace(source, columns=dict(zip(layout, source.columns.values(), strict=False)))
        if len(layout) == len(source.columns) and found.numbers("session").max() <= LAST_SESSION:
            return found
    raise TableError(f"{source.path} has no header row, and no session of 0 to {LAST_SESSION} where the release has it")


def tidy(source: Source) -> Source:
    """Convert the two games to rows of the tidy table, groups being blocks of four successive participant_ids.

    A group is called after the first and the last of them, for instance ``5-8``.

    Raises:
        TableError: naming the row and the column that show that these are no groups, or that a vote has no game.
    """
    session = source.integers("session")
    played = np.isin(session, GAMES)
    if not played.any():
        raise TableError(f"{source.path}, column 'session': has neither {GAMES[0]} nor {GAMES[1]}, the two games")
    source, session = source.keep(played), session[played]
    group = (source.integers("participant_id", low=1) - 1) // PARTICIPANTS
    _check_groups(source, group, session)
    blocks, block = np.unique(group, return_inverse=True)
    names = np.array([f"{PARTICIPANTS * at + 1}-{PARTICIPANTS * (at + 1)}" for at in blocks])
    columns = {
        "group": names[block],
        "episode": session - GAMES[0],
        "round": source.columns["timestep"],
        "participant": source.columns["player_id"],
        **{name: source.columns[name] for name in ("endowment", "contribution", "payout") if name in source.columns},
    }
    if "vote" in source.columns:
        columns["vote"] = _votes(source, group, session - GAMES[0])
    return replace(source, columns=columns, aliases=ALIASES)


def _check_groups(source: Source, group: np.ndarray, session: np.ndarray) -> None:
    """Check that the members of groups are the four players of one game, and that payouts add up."""
    player = source.integers("player_id", high=PARTICIPANTS - 1)
    mechanism = source.integers("mechanism_code")
    among = "a group, which four successive participant_ids are taken for"
    for name in ("endowcond", "baseline"):
        source.alike(name, source.integers(name), (group,), among)
    source.alike("mechanism_code", mechanism, (group, session), f"a game of {among}")
    person = source.integers("participant_id", low=1)
    source.alike("participant_id", person, (group, player), f"a player_id of {among}")
    keys = joined(group, session, source.integers("timestep"))
    _, cell, size = np.unique(keys, return_inverse=True, return_counts=True)
    fund = MULTIPLIER * np.bincount(cell, source.numbers("contribution"))
    paid = np.bincount(cell, source.numbers("payout"))
    wrong = (np.abs(paid - fund) > ROUNDING) & (size == PARTICIPANTS)
    source.refuse(
        "payout",
        wrong[cell] & (mechanism != REFEREE),
        lambda row: (
            f"of the four participant_ids around {person[row]} add up to {paid[cell[row]]:.6g} in this round, "
            f"allowed: {MULTIPLIER} x their contributions, {fund[cell[row]]:.6g}, else they are no group"
        ),
    )


def _votes(source: Source, group: np.ndarray, episode: np.ndarray) -> np.ndarray:
    """Find the episode that each row's participant voted for, (N,), -1 for none.

    A vote is 1 for the mechanism that was tried, 0 for the baseline; codes identify the game of each.
    """
    vote = source.integers("vote", high=1, empty=-1)
    _, group = np.unique(group, return_inverse=True)
    baselines = np.zeros((group.max() + 1, len(GAMES)), bool)
    of_baseline = source.integers("mechanism_code") == source.integers("baseline")
    baselines[group[of_baseline], episode[of_baseline]] = True
    unclear = baselines.sum(axis=1) != 1
    source.refuse(
        "mechanism_code",
        unclear[group] & (vote >= 0),
        lambda row: "is not the baseline's in exactly one of the group's two games, so that a vote has no game",
    )
    baseline = baselines.argmax(axis=1)[group]
    return np.where(vote < 0, -1, np.where(vote == 1, 1 - baseline, baseline))


def _is_value(cell: str) -> bool:
    try:
        float(cell or "nan")
    except ValueError:
        return cell.strip().lower() in ("true", "false")
    return True
