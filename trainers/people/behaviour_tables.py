"""Tables of what people did: all decisions of any game, and the records of games whose behaviour is recorded."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lawgiver.envs.core.fields import component_names
from lawgiver.envs.core.game import Game
from lawgiver.envs.core.recorded import recorded_columns
from lawgiver.trainers.elections.records.recording import WHO, observed_records
from lawgiver.trainers.elections.records.records import Records
from lawgiver.trainers.elections.records.table import tidy_table
from lawgiver.trainers.people.game_in_play import GameInPlay
from lawgiver.trainers.people.group import Group
from lawgiver.trainers.people.happenings import WAITED
from lawgiver.trainers.people.recorded import RecordedGroup


def decisions_table(game: Game[Any], groups: Iterable[RecordedGroup]) -> pa.Table:
    """Make the table of decisions, a row for each participant and round that was played.

    Columns are ``group``, ``episode``, ``round``, ``step``, ``participant``, what the participant observed before
    (``observed_`` and the field), its action (``action``, or ``action_`` and the component; null where it was not its
    turn), ``reward`` until its next turn, ``source``, ``seconds`` (null where no person decided) and ``mechanism``
    (null in a game without). Fields of several numbers have the place of each in their names, from 0.
    """
    layout, actions = game.observation_layout("participant"), game.action_layout("participant")
    acted = ["action"] if isinstance(actions, int) else [f"action_{name}" for name in component_names(actions, 0)]
    names = [
        *("group", "episode", "round", "step", "participant"),
        *(f"observed_{name}" for name in component_names(layout, 0)),
        *acted,
        *("reward", "source", "seconds", "mechanism"),
    ]
    rows = [row for group in groups for row in _decisions(group)]
    types = [pa.int32()] * 5 + [pa.float64()] * (len(names) - 9)
    types += [pa.float64(), pa.string(), pa.float64(), pa.string()]
    if isinstance(actions, int):
        types[names.index("action")] = pa.int64()
    columns = list(zip(*rows, strict=True)) or [()] * len(names)
    return pa.table([pa.array(column, kind) for column, kind in zip(columns, types, strict=True)], names)


def _decisions(recorded: RecordedGroup) -> Iterator[tuple[Any, ...]]:
    for game in [] if recorded.group is None else recorded.group.games:
        for number, played in enumerate(game.rounds):
            for seat in range(game.n):
                source, action = played.sources[seat], np.atleast_1d(played.actions[seat]).tolist()
                yield (
                    *(recorded.number, game.number, number, played.step, seat),
                    *played.seen[seat].tolist(),
                    *([None] * len(action) if source == WAITED else action),
                    *(float(played.rewards[seat]), source),
                    recorded.seconds.get((game.number, played.step, "participant", seat)),
                    _ruled(recorded, game),
                )


def _ruled(recorded: RecordedGroup, game: GameInPlay) -> str | None:
    return None if game.mechanism is None else recorded.order[game.mechanism]


def is_recorded(game: Game[Any]) -> bool:
    """Check whether groups of a game make records: it declares what is recorded, and all games have as many rounds."""
    return game.recorded is not None and game.horizon_known


def people_records(groups: Sequence[Group], episodes: int) -> Records:
    """Convert the first games of groups that have ended to records.

    Args:
        groups: one or more, of one game that :func:`is_recorded`.
        episodes: number of games of each that are converted.
    """
    games = [group.games[:episodes] for group in groups]
    at = recorded_columns(groups[0].setup.game, WHO)
    before = np.array([each[0].rounds[0].seen for each in games])
    after = np.array([[[one.after for one in game.rounds] for game in each] for each in games])
    votes = [[group.votes.get(seat) for seat in range(before.shape[1])] for group in groups]
    cast = np.array([[-1 if vote is None else vote for vote in each] for each in votes])
    (records,) = observed_records(at, before, after, np.ones(after.shape[:3], bool), cast)
    return records


def records_tables(groups: Sequence[RecordedGroup]) -> tuple[pa.Table, pa.Table | None]:
    """Make the tables of records of valid groups: of the games before the vote, and of the one after it.

    Groups have ended and are not broken. Both tables have the columns of the tidy table, and ``condition``, ``source``
    and ``seconds`` of the decision; the second has ``chosen``, the episode that won the vote. It is None where no game
    follows the vote.
    """
    played = [each.played for each in groups]
    episodes = len(played[0].games)
    records = people_records(played, episodes)
    rules = np.array([[_ruled(each, game) for game in each.played.games] for each in groups], object)
    table = tidy_table(records, rules)
    which, cells = table["group"].to_numpy(), _cells(groups)
    table = table.set_column(0, "group", pa.array(np.array([each.number for each in groups], np.int32)[which]))
    table = table.append_column("condition", pa.array([groups[at].row.condition for at in which], pa.string()))
    table = table.append_column("source", pa.array([source for source, _ in cells], pa.string()))
    table = table.append_column("seconds", pa.array([seconds for _, seconds in cells], pa.float64()))
    before_vote = max(1, len(played[0].setup.mechanisms))
    if episodes == before_vote:
        return table, None
    winners = pa.array(np.array([group.winner for group in played], np.int32)[which])
    late = pc.greater_equal(table["episode"], before_vote)
    return table.filter(pc.invert(late)), table.append_column("chosen", winners).filter(late)


def _cells(groups: Sequence[RecordedGroup]) -> list[tuple[str, float | None]]:
    """List the source and the seconds of every decision, in the order of the tidy table."""
    return [
        (played.sources[seat], each.seconds.get((game.number, played.step, "participant", seat)))
        for each in groups
        for game in each.played.games
        for played in game.rounds
        for seat in range(game.n)
    ]
