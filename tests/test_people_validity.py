"""Which groups count, and by which rule the others are left out."""

from __future__ import annotations

import pytest

from lawgiver.envs.core.make import make_game, make_policy
from lawgiver.trainers.people.group import Group
from lawgiver.trainers.people.settings import ValidSettings
from lawgiver.trainers.people.setup import Dropouts, Setup
from lawgiver.trainers.people.validity import why_not

GAME = make_game("public_investment", endowments=(3, 2, 2), n_rounds=2)
STRICT = ValidSettings()


def begun(**others) -> Group:
    mechanisms = tuple(make_policy(GAME, "mechanism", name) for name in ("libertarian", "strict_egalitarian"))
    return Group(Setup(GAME, mechanisms, make_policy(GAME, "participant", "random"), 5, (0, 1, 2), **others))


def answer_all(group: Group, but: tuple[int, ...] = ()) -> None:
    """Let everybody answer one page; those left out miss it."""
    at = group.at
    for seat in group.waiting:
        if seat not in but:
            group.decide(seat, at, 0) if group.stage == "play" else group.vote(seat, at, 1)
    if but:
        group.expire(at)


def to_the_end(group: Group, missing: dict[int, tuple[int, ...]]) -> Group:
    """Play on; ``missing`` says who misses which page, counted from 0: 0 to 3 are rounds, 4 is the vote."""
    page = 0
    while group.stage != "ended":
        answer_all(group, tuple(seat for seat in missing.get(page, ()) if seat in group.waiting))
        page += 1
    return group


def test_a_group_in_which_everybody_did_everything_is_valid():
    assert why_not(to_the_end(begun(), {}), STRICT) == ()


@pytest.mark.parametrize(
    ("missing", "rules", "expected"),
    [
        ({1: (2,)}, STRICT, ("valid.missed_per_person",)),
        ({5: (2,)}, STRICT, ("valid.missed_per_person",)),  # in the game after the vote
        ({1: (2,)}, ValidSettings(missed_per_person=1), ()),
        ({1: (2,), 3: (1,)}, ValidSettings(missed_per_person=1), ()),  # each of two people one
        ({1: (2,), 3: (2,)}, ValidSettings(missed_per_person=1), ("valid.missed_per_person",)),
        ({4: (0,)}, STRICT, ("valid.need_votes",)),
        ({4: (0,)}, ValidSettings(need_votes=False), ()),
        ({0: (1,), 4: (0,)}, STRICT, ("valid.missed_per_person", "valid.need_votes")),
    ],
)
def test_missed_decisions_and_votes(missing, rules, expected):
    assert why_not(to_the_end(begun(), missing), rules) == expected


def test_rounds_after_somebody_is_gone_count_as_missed():
    """Seat 2 misses two rounds in a row and is gone: a program decides in all that follow, without any deadline."""
    group = begun(dropouts=Dropouts(end_group_at=3))
    answer_all(group, (2,))
    answer_all(group, (2,))
    while group.stage != "ended":
        answer_all(group)
    decided = 2 + 2 + 2  # missed, then gone in the second game and in the one after the vote
    assert why_not(group, ValidSettings(missed_per_person=decided, need_votes=False)) == ()
    assert why_not(group, ValidSettings(missed_per_person=decided - 1)) == (
        "valid.missed_per_person",
        "valid.need_votes",
    )


def test_groups_that_have_not_ended_or_ended_otherwise():
    group = begun()
    assert why_not(group, STRICT) == ("in_play",)
    group.leave(1)
    assert why_not(group, ValidSettings(missed_per_person=9)) == ("in_play", "withdrawn")
    group.leave(0)
    answer_all(group)
    assert group.cut_short
    rules = ValidSettings(missed_per_person=9, need_votes=False)
    assert why_not(group, rules) == ("withdrawn", "dropout.end_group_at")
    assert why_not(None, STRICT) == ("broken",)
    group.stage = "broken"
    assert why_not(group, STRICT) == ("broken",)
    assert why_not(to_the_end(begun(), {}), STRICT, withdrawn=True) == ("withdrawn",)
