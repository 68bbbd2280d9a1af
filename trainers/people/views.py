"""Everything that a person's page shows, as plain data: the same for HTML and JSON.

Numbers have full precision: they are what the person's declared observation holds. Other participants are known by
their place in the person's own order, own first: player 1 is the person, and the others keep their numbers throughout.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from string import ascii_uppercase
from typing import TYPE_CHECKING, Any

from lawgiver.envs.core.wording import PAYOFFS, Wording
from lawgiver.envs.views.screen import Form, Option, Shown, shown
from lawgiver.trainers.people.played import Round

if TYPE_CHECKING:
    from lawgiver.trainers.people.group import Group


@dataclass(frozen=True)
class Player:
    """A participant as a person sees it.

    Attributes:
        number: from 1, the person.
        program: whether a program has this seat.
        gone: whether it is a person for whom a program decides now.
    """

    number: int
    program: bool
    gone: bool


@dataclass(frozen=True)
class Result:
    """Earnings of a game so far.

    Attributes:
        episode: number of the game, from 0.
        rounds: what everybody earned in each round, own first.
        totals: their sums.
    """

    episode: int
    rounds: tuple[tuple[float, ...], ...]
    totals: tuple[float, ...]


@dataclass(frozen=True)
class View:
    """One person's view.

    Attributes:
        at: the position, which every form sends back.
        stage: ``play``, ``vote``, ``ended`` or ``broken``.
        seat: of the person.
        players: all participants, own first.
        episode: number of the game, from 0.
        letter: what the game is called.
        round: number of the round, from 1; of the last one, when the game is over.
        rounds: of a game; None where people do not know it.
        title: of the game, for people.
        story: its rules, in paragraphs.
        unit: of payoffs.
        observation: what the person observes, (d,), all of it.
        fields: the same in words, without what need not be shown.
        payoffs: what everybody earned in the last round of this game, own first; None before.
        form: of the turn or of the vote, with episodes as choices; None if the person is not waited for.
        awaited: number of other people who are waited for.
        missed: whether a program decided in the last round, be it of an earlier game, because time was up.
        gone: whether a program decides for the person until they say that they are back.
        left: whether they cannot come back.
        points: what the person is paid for so far: the rewards of rounds in which no program decided for them.
        results: of each game begun.
        votes: number of votes for each game, once they are counted.
        winner: episode of the game that won.
        cut_short: whether the group has ended early because too many were gone.
    """

    at: str
    stage: str
    seat: int
    players: tuple[Player, ...]
    episode: int
    letter: str
    round: int
    rounds: int | None
    title: str
    story: tuple[str, ...]
    unit: str
    observation: tuple[float, ...]
    fields: tuple[Shown, ...]
    payoffs: Shown | None
    form: Form | None
    awaited: int
    missed: bool
    gone: bool
    left: bool
    points: float
    results: tuple[Result, ...]
    votes: tuple[int, ...] | None
    winner: int | None
    cut_short: bool

    def as_data(self) -> dict[str, Any]:
        """Write the view as plain data, for JSON."""
        return asdict(self)


def view_of(group: Group, seat: int) -> View:
    """Make the view of a person in a group."""
    setup, game, person = group.setup, group.game, group.people[seat]
    order = [seat, *(other for other in range(game.n) if other != seat)]
    observation = game.seen[seat]
    fields = shown(setup.game, setup.wording, observation)
    asked, played = seat in group.waiting, len(game.rounds)
    form = None
    if asked:
        form = ballot(group) if group.stage == "vote" else game.form(seat)
    return View(
        at=group.at,
        stage=group.stage,
        seat=seat,
        players=tuple(_player(group, number, other) for number, other in enumerate(order, start=1)),
        episode=game.number,
        letter=letter(game.number),
        round=played + (group.stage == "play"),
        rounds=setup.rounds,
        title=setup.wording.title,
        story=setup.wording.story,
        unit=setup.wording.unit,
        observation=tuple(observation.tolist()),
        fields=tuple(each for each in fields if played or each.name not in setup.wording.past),
        payoffs=earned(setup.wording, game.rounds[-1].rewards[order].tolist()) if played else None,
        form=form,
        awaited=len(group.waiting) - asked,
        missed=any(one.sources[seat] == "missed" for one in _last_round(group)),
        gone=person.gone,
        left=person.left,
        points=person.points,
        results=tuple(Result(one.number, *one.earnings(seat)) for one in group.games),
        votes=_counted(group) if group.winner is not None else None,
        winner=group.winner,
        cut_short=group.cut_short,
    )


def ballot(group: Group) -> Form:
    """Make the form of the vote: an option for each game, by its episode; the question is the page's."""
    return Form("", options=tuple(Option(one.number, letter(one.number)) for one in group.games))


def letter(episode: int) -> str:
    """Return the name of a game by its number: A, B and so on."""
    return ascii_uppercase[episode] if episode < len(ascii_uppercase) else str(episode + 1)


def _player(group: Group, number: int, seat: int) -> Player:
    person = group.people.get(seat)
    return Player(number, program=person is None, gone=person is not None and person.gone)


def _last_round(group: Group) -> list[Round]:
    """Find the last round that was played, be it of an earlier game; none before the first."""
    return [one for game in group.games for one in game.rounds][-1:]


def earned(wording: Wording, values: Sequence[float]) -> Shown:
    """Describe what everybody earned in a round, (n,), own first."""
    return Shown(
        PAYOFFS,
        wording.label(PAYOFFS),
        wording.unit,
        "earned in the last round",
        tuple(values),
        own_first=True,
    )


def _counted(group: Group) -> tuple[int, ...]:
    cast = [one for one in group.votes.values() if one is not None]
    return tuple(cast.count(episode) for episode in range(len(group.setup.mechanisms)))
