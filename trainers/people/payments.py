"""Pay of a person, in exact decimals.

| how somebody ended | fixed | bonus | waiting |
| --- | --- | --- | --- |
| ``done`` | ``show_up`` | for points; of a group that ended early, scaled to all rounds | |
| ``broken`` | ``show_up`` | as above | |
| ``left`` | | for points, as they are | |
| ``no_group`` | | | for each minute waited, one at least |
| ``full`` | | | as above; nothing to who did not wait |
| ``failed_quiz``, ``declined`` | | | |

The bonus is ``per_point`` for each point, between 0 and ``cap``. Bonus and waiting are rounded to the cent, halves up.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

from lawgiver.envs.core.errors import ParameterError, choice
from lawgiver.trainers.people.settings import PaySettings

CENT = Decimal("0.01")
NOTHING = Decimal("0.00")
EXACT = 6
"""Decimals of points that count: more are left over from sums of binary numbers, and would move half a cent."""
ENDS = ("done", "declined", "failed_quiz", "no_group", "left", "full", "broken")
"""How somebody can end."""


@dataclass(frozen=True)
class Payment:
    """Pay of a person in the study's currency, each amount to the cent.

    Attributes:
        bonus: for points.
        waiting: for time in the waiting room.
        show_up: for having stayed to the end.
    """

    bonus: Decimal = NOTHING
    waiting: Decimal = NOTHING
    show_up: Decimal = NOTHING

    @property
    def total(self) -> Decimal:
        """Everything together."""
        return self.bonus + self.waiting + self.show_up


def payment(
    pay: PaySettings, end: str, points: float, waited_s: float, rounds_planned: int, rounds_played: int
) -> Payment:
    """Compute what somebody is paid.

    Args:
        pay: of the study.
        end: how the person ended, one of ``ENDS``.
        points: rewards of all rounds in which no program decided for them; may be negative.
        waited_s: seconds in the waiting room.
        rounds_planned: rounds of all games of a group that does not end early.
        rounds_played: rounds of all games that the group has played.

    Raises:
        ParameterError: if ``end`` is none, points or seconds are not finite, or more rounds were played than planned.
    """
    choice("end", end, ENDS)
    if not (math.isfinite(points) and math.isfinite(waited_s)):
        raise ParameterError(f"points and waited_s are {points} and {waited_s}, allowed: finite numbers")
    if not 0 <= rounds_played <= rounds_planned:
        raise ParameterError(f"rounds_played is {rounds_played}, allowed: 0 to rounds_planned, {rounds_planned}")
    if end in ("done", "broken"):
        scale = Decimal(rounds_planned), Decimal(max(rounds_played, 1))
        return Payment(bonus=_bonus(pay, points, *scale), show_up=_cents(pay.show_up))
    if end == "left":
        return Payment(bonus=_bonus(pay, points))
    if end == "no_group" or (end == "full" and waited_s > 0):
        minutes = max(Decimal(repr(float(waited_s))) / 60, Decimal(1))
        return Payment(waiting=_cents(pay.waiting_per_min * minutes))
    return Payment()


def _bonus(pay: PaySettings, points: float, planned: Decimal = Decimal(1), played: Decimal = Decimal(1)) -> Decimal:
    """Compute the bonus for points, scaled from the rounds that were played to all."""
    earned = pay.per_point * Decimal(f"{points:.{EXACT}f}") * planned / played
    return _cents(max(NOTHING, earned if pay.cap is None else min(pay.cap, earned)))


def _cents(amount: Decimal) -> Decimal:
    return amount.quantize(CENT, ROUND_HALF_UP)
