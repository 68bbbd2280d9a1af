"""Cost and length of a study, from playing it with programs in all seats before anybody comes."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

import numpy as np

from lawgiver.agents.seated_policy import carried
from lawgiver.envs.core.arrays import Rng
from lawgiver.envs.views.session import Session
from lawgiver.trainers.people.group import Group
from lawgiver.trainers.people.payments import payment
from lawgiver.trainers.people.setup import Dropouts, Setup
from lawgiver.trainers.people.study import Study

GROUPS = 1_000
"""Groups that are played, or a little more: equally many of each condition, order and choice of seats."""
STUDIES = 2_000
"""Studies that are drawn from these groups."""
MOST_SEATINGS = 6
"""Choices of seats for people that are played, where programs have the others."""
TAIL = 0.05
"""What lies beyond each end of the interval of costs."""
WORDS_PER_MIN = 200
"""Reading speed that is expected of people."""
TOLD_WORDS = 250
"""Words of the instructions besides those of the game: about programs, deadlines and pay."""
QUESTION_S = 15
"""Seconds that are expected for a question of the quiz, or at the end."""
SHARE = 0.5
"""Part of a deadline, or of the wait after which one may leave, that people are expected to take."""


@dataclass(frozen=True)
class Stage:
    """Time of one stage of a person's way, in minutes.

    Attributes:
        name: of the stage.
        expected: by the assumptions above.
        longest: if everybody takes all of the time that the study gives; None where it sets no end.
    """

    name: str
    expected: float
    longest: float | None


@dataclass(frozen=True)
class Forecast:
    """Cost and length of a study, if programs play as people do, and nobody leaves.

    Attributes:
        mean: cost of all people of the groups that are wanted, in the study's currency.
        low: its quantile of ``TAIL``.
        high: its quantile of ``1 - TAIL``.
        worst: the largest possible; None if the bonus has no cap.
        paid: median of what a person gets.
        points: median of what a person earns in the games.
        stages: time by stage.
    """

    mean: float
    low: float
    high: float
    worst: Decimal | None
    paid: float
    points: float
    stages: tuple[Stage, ...]

    @property
    def minutes(self) -> float:
        """Minutes that a person is expected to take."""
        return sum(stage.expected for stage in self.stages)

    @property
    def wage(self) -> float:
        """Pay of the median person in an hour of the time that is expected."""
        return 60 * self.paid / self.minutes


def forecast(study: Study, seed: int = 0) -> Forecast:
    """Play a study with ``autoplay`` in all seats of people, and compute what it costs and how long it takes.

    Votes are for the game in which somebody has earned most.

    Args:
        study: the study.
        seed: of what is drawn.
    """
    rng, pay, people = np.random.default_rng(seed), study.config.pay, study.config.people
    cells = list(itertools.product(study.conditions, study.orders, _seatings(study, rng)))
    batch = -(-GROUPS // len(cells))
    played = [_points(study.setup(seed, *cell), batch, rng) for cell in cells]
    points = np.stack([earned for earned, _ in played])  # (cells, batch, people)
    paid = np.vectorize(lambda each: float(payment(pay, "done", each, 0.0, 1, 1).total), otypes=[float])(points)
    cell = np.arange(study.config.groups) % len(cells)
    drawn = rng.integers(batch, size=(STUDIES, study.config.groups))
    costs = paid.sum(axis=2)[cell, drawn].sum(axis=1)
    rounds = float(np.mean([each for _, each in played]))
    most = None if pay.cap is None else study.config.groups * people * (pay.show_up + pay.cap)
    return Forecast(
        mean=float(paid.sum(axis=2).mean(axis=1)[cell].sum()),
        low=float(np.quantile(costs, TAIL)),
        high=float(np.quantile(costs, 1 - TAIL)),
        worst=most,
        paid=float(np.median(paid)),
        points=float(np.median(points)),
        stages=_stages(study, rounds),
    )


def play_through(study: Study) -> Group:
    """Play one group as it is served, pages included, with programs that decide for everybody; nobody votes."""
    patient = Dropouts(*[10**9] * 3)
    seats = tuple(range(study.config.people))
    setup = study.setup(study.config.seed, study.conditions[0], study.orders[0], seats)
    group = Group(replace(setup, dropouts=patient))
    while group.waiting:
        for seat in seats:
            group.view(seat)
        group.expire(group.at)
    return group


def warnings(study: Study, found: Forecast) -> Iterator[str]:
    """Yield one line for everything that may be wrong with a study that can be served."""
    config = study.config
    least = config.pay.minimum_wage
    if least is not None and Decimal(found.wage) < least:
        yield f"the median person is paid {found.wage:.2f} an hour, below pay.minimum_wage, {least}"
    for question in config.texts.questions:
        if question.free:
            yield f"question {question.key!r} takes any text, in which people may say who they are"
    if config.access == "prolific" and config.prolific is not None and config.prolific.study_id is None:
        yield "prolific.study_id is null: people of any study on Prolific can take part"
    unwritten = study.placeholders()
    if unwritten:
        yield f"placeholders, with which it is served on this machine alone: {', '.join(unwritten)}"


def _seatings(study: Study, rng: Rng) -> list[tuple[int, ...]]:
    """List choices of seats for people: all, or a few that are drawn."""
    count, people = study.game.roles["participant"], study.config.people
    if math.comb(count, people) <= MOST_SEATINGS:
        return list(itertools.combinations(range(count), people))
    return [tuple(np.sort(rng.permutation(count)[:people]).tolist()) for _ in range(MOST_SEATINGS)]


def _points(setup: Setup, batch: int, rng: Rng) -> tuple[np.ndarray, float]:
    """Play all games of groups; return what their people have earned, (batch, people), and rounds on average."""
    game = setup.game
    opening = game.initial_states_by_condition(batch, rng)[setup.condition or ""]
    seats = list(setup.seats)
    earned, rounds, memory, initial = [], [], None, None
    for mechanism in setup.mechanisms or (None,):
        points, length, memory, initial = _game(setup, mechanism, opening, rng, memory, initial)
        earned.append(points[:, seats])
        rounds.append(length)
    total = np.sum(earned, axis=0)
    if setup.votes and setup.third_game:
        winner = _winner(np.stack(earned), rng)
        again = [_game(setup, mechanism, opening, rng, memory, initial) for mechanism in setup.mechanisms]
        total = total + np.stack([points[:, seats] for points, *_ in again])[winner, np.arange(batch)]
        rounds.append(float(np.mean([length for _, length, *_ in again])))
    return total, sum(rounds)


def _game(setup: Setup, mechanism: Any, opening: Any, rng: Rng, memory: Any, initial: Any) -> tuple[Any, ...]:
    """Play a game; return points (batch, n), mean number of rounds, the programs' memory, and that at the beginning."""
    game, partners = setup.game, setup.partners
    session = Session(
        game, {} if mechanism is None else {"mechanism": mechanism}, partners, range(game.roles["participant"])
    )
    session.rng = rng
    batch = game.observe(opening, "participant").shape[0]
    session.reset(batch, opening)
    if initial is None:
        initial = session.memory["participant"]
    else:
        session.memory["participant"] = carried(partners, memory, initial)
    rounds = np.zeros(batch)
    points = np.zeros((batch, game.roles["participant"]))
    while not (session.terminated | session.truncated).all():
        rounds += ~(session.terminated | session.truncated)
        session.step(session.considered)
        points += session.rewards["participant"]
    return points, float(rounds.mean()), session.memory["participant"], initial


def _winner(earned: np.ndarray, rng: Rng) -> np.ndarray:
    """Count votes by what people earned in each game, (games, batch, people); return the winners, (batch,)."""
    games = len(earned)
    votes = np.argmax(earned + 1e-9 * rng.random(earned.shape), axis=0)
    counts = (votes[..., None] == np.arange(games)).sum(axis=1)
    won: np.ndarray = np.argmax(counts + 0.5 * rng.random(counts.shape), axis=1)
    return won


def _stages(study: Study, rounds: float) -> tuple[Stage, ...]:
    """Compute the time of each stage from what is read, asked and decided."""
    config, time = study.config, study.config.time
    words = sum(len(text.split()) for text in (study.texts.sources["consent"], *study.wording.story)) + TOLD_WORDS
    games = len(study.orders[0]) + config.third_game if len(study.orders[0]) > 1 else 1
    slow = min(2.0 * games, rounds)
    deciding = (slow * time.first_s + (rounds - slow) * time.decide_s) / 60
    votes = time.vote_s / 60 if games > 1 else 0.0
    asked = len(config.texts.questions) * QUESTION_S / 60
    quiz = len(study.wording.quiz) * QUESTION_S / 60
    practice = config.practice.rounds * SHARE * time.decide_s / 60
    return (
        Stage("consent, instructions, quiz, practice", words / WORDS_PER_MIN + quiz + practice, time.instructions_min),
        Stage("waiting for a group", SHARE * time.leave_after_min, time.wait_min + time.ready_s / 60),
        Stage("games", SHARE * deciding, deciding),
        Stage("vote", SHARE * votes, votes),
        Stage("questions", asked, None),
    )
