"""Pay of people, by cases that are computed by hand."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lawgiver.envs.core.errors import ParameterError
from lawgiver.trainers.people.payments import ENDS, Payment, payment
from lawgiver.trainers.people.settings import PaySettings

PAY = PaySettings.model_validate(
    {"show_up": "2.50", "per_point": "0.01", "cap": "8.00", "waiting_per_min": "0.10", "currency": "GBP"}
)
# how it ended, points, seconds waited, rounds planned and played: bonus, waiting, fixed, total
CASES = [
    (("done", 312.0, 100.0, 30, 30), "3.12", "0.00", "2.50", "5.62"),
    (("done", 0.0, 0.0, 30, 30), "0.00", "0.00", "2.50", "2.50"),
    (("done", -40.0, 0.0, 30, 30), "0.00", "0.00", "2.50", "2.50"),  # nobody owes us anything
    (("done", 800.0, 0.0, 30, 30), "8.00", "0.00", "2.50", "10.50"),
    (("done", 800.5, 0.0, 30, 30), "8.00", "0.00", "2.50", "10.50"),  # 8.005 is beyond the cap
    (("done", 250.5, 0.0, 30, 30), "2.51", "0.00", "2.50", "5.01"),  # half a cent, up
    (("done", 250.4999, 0.0, 30, 30), "2.50", "0.00", "2.50", "5.00"),
    (("done", 100.5, 0.0, 30, 30), "1.01", "0.00", "2.50", "3.51"),  # to even would be 1.00
    (("done", 0.7 + 0.1 - 0.3, 0.0, 30, 30), "0.01", "0.00", "2.50", "2.51"),  # half a cent, in binary a little less
    (("done", 120.0, 0.0, 30, 12), "3.00", "0.00", "2.50", "5.50"),  # 120 x 30 / 12 = 300
    (("done", 100.0, 0.0, 30, 7), "4.29", "0.00", "2.50", "6.79"),  # 428.571 points
    (("done", 400.0, 0.0, 30, 10), "8.00", "0.00", "2.50", "10.50"),  # 1,200 points, capped after scaling
    (("done", -3.0, 0.0, 30, 10), "0.00", "0.00", "2.50", "2.50"),
    (("done", 0.0, 0.0, 30, 0), "0.00", "0.00", "2.50", "2.50"),
    (("broken", 120.0, 0.0, 30, 12), "3.00", "0.00", "2.50", "5.50"),
    (("broken", 0.0, 0.0, 30, 0), "0.00", "0.00", "2.50", "2.50"),
    (("left", 120.0, 200.0, 30, 12), "1.20", "0.00", "0.00", "1.20"),
    (("left", 0.0, 0.0, 30, 0), "0.00", "0.00", "0.00", "0.00"),
    (("no_group", 0.0, 300.0, 30, 0), "0.00", "0.50", "0.00", "0.50"),
    (("no_group", 0.0, 345.0, 30, 0), "0.00", "0.58", "0.00", "0.58"),  # 5.75 min: 0.575
    (("no_group", 0.0, 1.0, 30, 0), "0.00", "0.10", "0.00", "0.10"),  # a minute at least
    (("full", 0.0, 0.0, 30, 0), "0.00", "0.00", "0.00", "0.00"),  # at the door
    (("full", 0.0, 90.0, 30, 0), "0.00", "0.15", "0.00", "0.15"),  # in the waiting room
    (("failed_quiz", 0.0, 0.0, 30, 0), "0.00", "0.00", "0.00", "0.00"),
    (("declined", 0.0, 0.0, 30, 0), "0.00", "0.00", "0.00", "0.00"),
]


@pytest.mark.parametrize(("case", "bonus", "waiting", "show_up", "total"), CASES)
def test_pay_by_hand(
    case: tuple[str, float, float, int, int], bonus: str, waiting: str, show_up: str, total: str
) -> None:
    found = payment(PAY, *case)
    assert [str(each) for each in (found.bonus, found.waiting, found.show_up, found.total)] == [
        bonus,
        waiting,
        show_up,
        total,
    ]


def test_pay_without_a_cap_or_of_fractions_of_a_cent() -> None:
    pay = PaySettings.model_validate({"show_up": "0", "per_point": "0.003", "waiting_per_min": "0.125"})
    assert payment(pay, "done", 10_000.0, 0.0, 10, 10).total == Decimal("30.00")
    assert payment(pay, "done", 1.0, 0.0, 10, 10) == Payment()  # 0.003
    assert payment(pay, "done", 5.0, 0.0, 10, 10).total == Decimal("0.02")  # 0.015
    assert payment(pay, "no_group", 0.0, 60.0, 10, 0).total == Decimal("0.13")
    assert payment(PaySettings(), "done", 500.0, 0.0, 10, 10) == Payment(), "a study that does not pay"


@given(
    end=st.sampled_from(ENDS),
    points=st.floats(-1e6, 1e6),
    waited=st.floats(0, 3600),
    played=st.integers(0, 30),
)
def test_pay_is_never_negative_nor_above_the_cap(end: str, points: float, waited: float, played: int) -> None:
    found = payment(PAY, end, points, waited, 30, played)
    assert 0 <= found.bonus <= 8 and found.waiting >= 0 and found.total == found.bonus + found.waiting + found.show_up
    assert found.total == found.total.quantize(Decimal("0.01"))


def test_pay_for_nothing_that_can_happen_is_refused() -> None:
    for case in (("gone", 0.0, 0.0, 1, 1), ("done", float("nan"), 0.0, 1, 1), ("done", 0.0, 0.0, 1, 2)):
        with pytest.raises(ParameterError):
            payment(PAY, *case)
