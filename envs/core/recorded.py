"""What the records of participants' behaviour are made of, declared by their game."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Recorded:
    """Fields of a participant's observation that its behaviour is recorded by.

    In every round each participant has an amount, gives some of it, and may be paid; it earns what it keeps and what
    it is paid: endowment - contribution + payout. Attributes are names of fields in the participants' layout.

    Attributes:
        endowments: what each participant has to give from, own first; known before they give. Participants choose an
            integer from 0 to it.
        contributions: what each gave in the last completed round, own first; 0 before the first.
        payouts: what the mechanism paid each of them in that round, own first; None where it pays nothing afterwards.
        shared: fields of one number, the same for all participants, as they stand when a round begins.
        by_round: whether endowments change from round to round; they are otherwise those of the whole game.
    """

    endowments: str
    contributions: str
    payouts: str | None = None
    shared: tuple[str, ...] = ()
    by_round: bool = False
