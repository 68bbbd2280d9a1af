"""The words of the public investment game for people, in English and German.

They name neither the game nor its mechanism, and avoid words that say how one ought to play: coins are put into a fund,
and some of them come back.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lawgiver.envs.core.wording import CHOICE, PAYOFFS, Question, Wording, among_numbers

if TYPE_CHECKING:
    from lawgiver.envs.public_investment.game import PublicInvestment


@dataclass(frozen=True)
class Example:
    """A round in numbers, of which the story and the quiz tell.

    Attributes:
        own: coins that somebody has.
        given: of these, put into the fund.
        total: put in by all together.
        fund: what it grows to.
        back: what each gets back if all get the same.
        earned: by the somebody in that round.
    """

    own: float
    given: float
    total: float
    fund: float
    back: float
    earned: float


def example(game: PublicInvestment) -> Example:
    """Compute the round in which everybody puts in one coin more than half, rounded down, and all get back the same."""
    condition = game.conditions[0]
    gifts = [endowment // 2 + 1 for endowment in condition]
    own, given, total = condition[0], gifts[0], sum(gifts)
    fund = game.multiplier * total
    return Example(own, given, total, fund, fund / game.n, own - given + fund / game.n)


def english(game: PublicInvestment) -> Wording:
    """Write the words in English."""
    one, write = example(game), _english_number
    own, given, total, fund, back, earned = map(write, vars(one).values())
    factor, rounds = write(game.multiplier), game.n_rounds
    told = " The rule is shown to you in numbers before you choose." if game.announces else ""
    return Wording(
        title="A common fund",
        story=(
            f"You are {game.n} people. In every round each of you has some coins: not always equally many, but the same"
            " number in every round.",
            "You choose how many of your coins you put into a common fund, and keep the others. All of you choose at"
            " the same time.",
            f"The coins in the fund are multiplied by {factor}, and all of them are paid back to you {game.n}. A rule"
            f" says who gets back how many; it may go by what everybody had and put in.{told}",
            f"What you keep and what you get back is what you earn in the round. There are {rounds} rounds.",
            f"An example: you have {own} coins and put in {given}. All together put in {total}, which become {fund}. If"
            f" everybody got back the same, that would be {back} each, and you would earn {own} - {given} + {back} ="
            f" {earned}.",
        ),
        act="You have {own_endowment} coins. How many do you put in?",
        unit="coins",
        labels=_there(
            game,
            {
                CHOICE: "coins",
                "endowments": "has",
                "contributions": "put in",
                "payouts": "got back",
                PAYOFFS: "round total",
            },
        ),
        hidden=_of(game, "own_endowment", "round"),
        past=_of(game, "contributions", "payouts"),
        echo="You keep {rest}.",
        quiz=(
            among_numbers(
                f"You have {own} coins and put in {given}. How many do you keep?",
                one.own - one.given,
                (one.given, one.own),
                f"You keep what you do not put in: {own} - {given}.",
                write,
            ),
            among_numbers(
                f"All together put {total} coins into the fund. How many are paid back to all of you together?",
                one.fund,
                (one.total, 2 * one.fund),
                f"The coins in the fund are multiplied by {factor}, and all of them are paid back.",
                write,
            ),
            Question(
                "How is it decided how many coins you get back?",
                ("It is drawn at random.", "A rule says so.", "The one who put in most says so."),
                1,
                "A rule says who gets back how many.",
            ),
            among_numbers(
                "How many rounds does a game have?", rounds, (2 * rounds, rounds + 5), f"It has {rounds} rounds.", write
            ),
        ),
    )


def german(game: PublicInvestment) -> Wording:
    """Write the words in German."""
    one, write = example(game), _german_number
    own, given, total, fund, back, earned = map(write, vars(one).values())
    factor, rounds = write(game.multiplier), game.n_rounds
    told = " Die Regel wird Ihnen vor Ihrer Entscheidung in Zahlen gezeigt." if game.announces else ""
    return Wording(
        title="Ein gemeinsamer Topf",
        story=(
            f"Sie sind {game.n} Personen. In jeder Runde hat jede von Ihnen einige Münzen: nicht immer alle gleich"
            " viele, aber in jeder Runde dieselbe Zahl.",
            "Sie entscheiden, wie viele Ihrer Münzen Sie in einen gemeinsamen Topf legen; die anderen behalten Sie."
            " Alle entscheiden gleichzeitig.",
            f"Die Münzen im Topf werden mit {factor} malgenommen und alle an Sie {game.n} zurückgezahlt. Eine Regel"
            " sagt, wer wie viele zurückbekommt; sie kann sich danach richten, was jede Person hatte und eingelegt"
            f" hat.{told}",
            "Was Sie behalten und was Sie zurückbekommen, haben Sie in der Runde verdient. Ein Spiel hat"
            f" {rounds} Runden.",
            f"Ein Beispiel: Sie haben {own} Münzen und legen {given} ein. Alle zusammen legen {total} ein, daraus"
            f" werden {fund}. Bekämen alle gleich viel zurück, wären das je {back}, und Sie hätten {own} - {given} +"
            f" {back} = {earned} verdient.",
        ),
        act="Sie haben {own_endowment} Münzen. Wie viele legen Sie ein?",
        unit="Münzen",
        labels=_there(
            game,
            {
                CHOICE: "Münzen",
                "endowments": "hat",
                "contributions": "eingelegt",
                "payouts": "zurückbekommen",
                PAYOFFS: "Summe der Runde",
            },
        ),
        hidden=_of(game, "own_endowment", "round"),
        past=_of(game, "contributions", "payouts"),
        echo="Sie behalten {rest}.",
        quiz=(
            among_numbers(
                f"Sie haben {own} Münzen und legen {given} ein. Wie viele behalten Sie?",
                one.own - one.given,
                (one.given, one.own),
                f"Sie behalten, was Sie nicht einlegen: {own} - {given}.",
                write,
            ),
            among_numbers(
                f"Alle zusammen legen {total} Münzen ein. Wie viele werden an alle zusammen zurückgezahlt?",
                one.fund,
                (one.total, 2 * one.fund),
                f"Die Münzen im Topf werden mit {factor} malgenommen und alle zurückgezahlt.",
                write,
            ),
            Question(
                "Wonach richtet sich, wie viele Münzen Sie zurückbekommen?",
                ("Nach dem Zufall.", "Nach einer Regel.", "Danach, was die Person sagt, die am meisten eingelegt hat."),
                1,
                "Eine Regel sagt, wer wie viele Münzen zurückbekommt.",
            ),
            among_numbers(
                "Wie viele Runden hat ein Spiel?", rounds, (2 * rounds, rounds + 5), f"Es hat {rounds} Runden.", write
            ),
        ),
    )


def _of(game: PublicInvestment, *names: str) -> tuple[str, ...]:
    """Return those of the fields that participants see in this variant of the game."""
    seen = {field.name for field in game.observation_layout("participant")}
    return tuple(name for name in names if name in seen)


def _there(game: PublicInvestment, labels: dict[str, str]) -> dict[str, str]:
    """Return the labels of payoffs, of the choice and of fields that participants see."""
    seen = _of(game, *labels)
    return {name: label for name, label in labels.items() if name in (*seen, PAYOFFS, CHOICE)}


def _english_number(value: float) -> str:
    return f"{value:.6g}"


def _german_number(value: float) -> str:
    return f"{value:.6g}".replace(".", ",")


LANGUAGES: dict[str, Callable[[PublicInvestment], Wording]] = {"en": english, "de": german}
