"""The progress of a study that is served, as plain data for its experimenter."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from statistics import median

from sqlalchemy import select

from lawgiver.trainers.people.experiment import Experiment
from lawgiver.trainers.people.forecast import forecast
from lawgiver.trainers.people.payments import CENT, NOTHING
from lawgiver.trainers.people.people_tables import counted
from lawgiver.trainers.people.served_group import ServedGroup
from lawgiver.trainers.people.study import Study
from lawgiver.trainers.people.tables import DECISION

LAST = 200
"""Decisions of which the median time is taken."""


@dataclass(frozen=True)
class MonitoredGroup:
    """A group that is not over.

    Attributes:
        id: its number.
        stage: ``play`` or ``vote``.
        game: number of the current game, from 1.
        round: number of the current round, from 1; None in the vote.
        waiting: seats of those who are waited for.
        seconds_left: until the deadline; None without one.
        missed: deadlines of decisions that have passed without one, of all its people.
        gone: seats of those for whom a program decides.
    """

    id: int
    stage: str
    game: int
    round: int | None
    waiting: tuple[int, ...]
    seconds_left: float | None
    missed: int
    gone: tuple[int, ...]


@dataclass(frozen=True)
class Monitor:
    """The progress of a study.

    Attributes:
        intake: ``open``, ``paused`` or ``closed``.
        stages: people who have not ended, by their stage.
        ends: people who have, by how.
        valid: groups whose data count.
        wanted: how many are wanted.
        groups: those that are not over, by number.
        decisions: how many of people's last decisions ``decision_s`` is of, ``LAST`` at most.
        decision_s: their median time in seconds; None if there are none.
        owed: to all who have ended, in the study's currency.
        expected: cost of the whole study: what is owed, and the mean pay of each person who is still in a group, or
            of a group that is still wanted. Waiting of people to come is not in it.
    """

    intake: str
    stages: dict[str, int]
    ends: dict[str, int]
    valid: int
    wanted: int
    groups: tuple[MonitoredGroup, ...]
    decisions: int
    decision_s: float | None
    owed: Decimal
    expected: Decimal


def expected_pay(study: Study) -> Decimal:
    """Compute what a person of a study is paid on average, if programs play as people do."""
    return Decimal(forecast(study).mean) / (study.config.groups * study.config.people)


def monitor_of(experiment: Experiment, now: float, pay: Decimal) -> Monitor:
    """Describe how far a study is.

    Args:
        experiment: that serves it.
        now: in UTC seconds.
        pay: of a person on average, see :func:`expected_pay`.
    """
    people, config = experiment.people.values(), experiment.study.config
    groups = [experiment.groups[number] for number in sorted(experiment.groups)]
    owed = sum((experiment.owed(person).total for person in people if person.end is not None), NOTHING)
    playing = sum(person.end is None and person.group_id is not None for person in people)
    to_come = config.people * max(0, config.groups - sum(group.counts for group in groups))
    times = _last_times(experiment)
    return Monitor(
        intake=experiment.intake,
        stages=counted(person.stage for person in people if person.end is None),
        ends=counted(person.end for person in people if person.end is not None),
        valid=experiment.valid,
        wanted=config.groups,
        groups=tuple(_group(group, now) for group in groups if group.group.stage in ("play", "vote")),
        decisions=len(times),
        decision_s=median(times) if times else None,
        owed=owed,
        expected=(owed + pay * (playing + to_come)).quantize(CENT),
    )


def _group(served: ServedGroup, now: float) -> MonitoredGroup:
    group, until = served.group, served.deadlines.until
    return MonitoredGroup(
        id=served.id,
        stage=group.stage,
        game=group.game.number + 1,
        round=len(group.game.rounds) + 1 if group.stage == "play" else None,
        waiting=group.waiting,
        seconds_left=None if until is None else max(0.0, until - now),
        missed=sum(person.missed for person in group.people.values()),
        gone=tuple(seat for seat, person in group.people.items() if person.gone),
    )


def _last_times(experiment: Experiment) -> list[float]:
    """Read how many seconds people took for their last decisions."""
    at, shown = DECISION.c["at"], DECISION.c["shown"]
    last = select(at - shown).where(DECISION.c.source == "person", shown.is_not(None)).order_by(at.desc()).limit(LAST)
    with experiment.store.engine.connect() as connection:
        return [float(seconds) for seconds in connection.execute(last).scalars()]
