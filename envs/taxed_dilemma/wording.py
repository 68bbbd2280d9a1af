"""The words of the taxed dilemma for people: choices and tax have names that do not say what one ought to choose."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lawgiver.envs.core.wording import PAYOFFS, Question, Wording, among_numbers
from lawgiver.envs.families.taxed_game import after_tax

if TYPE_CHECKING:
    from lawgiver.envs.taxed_dilemma.game import TaxedDilemma

OPTIONS = ("X", "Y")
"""Labels of defection and cooperation."""


def wording(game: TaxedDilemma) -> Wording:
    """Write the words in English."""
    pairs = np.array([[0, 0], [0, 1], [1, 1]], float)
    (both_x, _), (one_x, one_y), (both_y, _) = game.earnings(pairs).tolist()
    halves = float(after_tax(np.array([[one_x, one_y]]), np.ones((1, 1)))[0, 0])
    when = "is told to you before you choose" if game.announces else "is set after you have chosen"
    return Wording(
        title="Two choices",
        story=(
            "You are two people. In every round both of you choose X or Y, at the same time.",
            f"If both choose Y, each has {both_y:g} points. If both choose X, each has {both_x:g}. If one chooses X and"
            f" the other Y, the one who chose X has {one_x:g} and the other {one_y:g}.",
            "Then a part of the points of each of you is put together and given back in two equal halves. The part is"
            f" the same for both of you; it is a number from 0, nothing, to 1, everything, and {when}. What you have"
            " after that is what you earn in the round.",
            f"After every round there is another one with a chance of {100 * game.continuation:g} %.",
        ),
        act="Which do you choose?",
        unit=game.payoff_unit,
        choices=OPTIONS,
        labels={"cooperated": "chose", "rule_tax": "part that is put together", PAYOFFS: "round total"},
        past=("cooperated",) if game.announces else ("cooperated", "rule_tax"),
        chosen=("cooperated",),
        quiz=(
            among_numbers(
                "You choose X and the other person Y. How many points do you have before a part is put together?",
                one_x,
                (one_y, both_x, both_y),
                f"Who chooses X while the other chooses Y has {one_x:g} points.",
                "{:g}".format,
            ),
            among_numbers(
                f"You have {one_x:g} points and the other person {one_y:g}. The part that is put together is 1, which"
                " is everything. How many points do you earn in the round?",
                halves,
                (one_x, one_y),
                f"All points, {one_x:g} and {one_y:g}, are put together, and each of you is given half of them.",
                "{:g}".format,
            ),
            Question(
                "Do you know before a round whether it is the last?",
                ("Yes.", "No."),
                1,
                "Whether there is another round is drawn after each of them.",
            ),
        ),
    )
