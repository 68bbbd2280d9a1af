"""Voting rules made again: what is exact is exact, trainings are kept, and tables say what rules do."""

from __future__ import annotations

import json

import numpy as np
import pytest

from lawgiver.trainers.reproduce import voting, voting_known, voting_learned
from lawgiver.trainers.reproduce.payment_free_points import Point
from lawgiver.trainers.reproduce.runs import kept
from lawgiver.trainers.reproduce.voting_learned import better_rows
from lawgiver.trainers.runs.atomic_files import RunError


@pytest.fixture
def small(monkeypatch):
    for name, value in {
        "WEIGHTS": (0.5,),
        "TARGETS": (0.01,),
        "TRACED": ("trainer.updates=3",),
        "BRIEF": ("game.n=3", "trainer.evaluation.voters=[]"),
        "LARGE": (
            *("game.n=4", "game.m=4", "trainer.profiles=sampled", "trainer.updates=2", "trainer.batch=2"),
            "trainer.evaluation={voters: [], profiles: 4}",
        ),
        "LARGE_WEIGHTS": (0.3,),
    }.items():
        monkeypatch.setattr(voting, name, value)
    for name, value in {"PLAYED": (3,), "FRONTIERS": ((3, 3),), "PROFILES": 6}.items():
        monkeypatch.setattr(voting_learned, name, value)
    monkeypatch.setattr(voting_known, "MANIPULABLE", {(3, 3): voting_known.MANIPULABLE[3, 3]})
    monkeypatch.setattr(voting_known, "TRUTHFUL", {(2, 3): 17})


def test_everything_is_made_and_kept(small, tmp_path, undrawn, monkeypatch):
    made = voting.reproduce(tmp_path, 1, 1)
    known = made.comparisons["A. How far rules can be manipulated"]
    assert {row["as counted before"] for row in known} == {"yes"} and len(known) == 10
    assert (
        known[0]["profiles in which somebody gains"] == "36 of 216" and known[0]["Condorcet winner exists"] == "17/18"
    )
    functions, onto = made.sections["B. Truthful choice functions (Gibbard 1973, Satterthwaite 1975)"]
    assert (functions.ours, functions.limit, onto.ours, onto.limit) == (17, 17, 2, 2)
    (frontier,) = made.comparisons["C. The frontier"]
    assert frontier["truthful"] == "0.58333" and frontier["regret 0.01"] == "0.59571"
    rules = {row["rule"]: row for row in made.comparisons["E. Rules, seven voters and three alternatives"]}
    assert rules["plurality"]["welfare"] == "0.61111" and rules["plurality"]["frontier"] == "0.62500"
    assert {"learned, weight 0.5, seed 0", "learned, target 0.01, seed 0"} < set(rules)
    assert {path.name for path in made.figures} == {"voting_frontier.png", "voting_large.png"}
    assert "| 3, 3, borda | 51 of 216 |" in made.markdown()
    json.dumps(made.data())
    monkeypatch.setattr(voting_learned, "measured", None)  # would have to be called to judge again
    again = voting.reproduce(tmp_path, 1, 1)
    assert again.comparisons == made.comparisons


def test_what_is_better_is_told_from_what_is_not_clear():
    rng = np.random.default_rng(0)

    def point(name, welfare, regret):
        return Point(name, welfare + 0.01 * rng.normal(size=(1, 400)), regret + 0.01 * rng.normal(size=(1, 400)))

    learned = point("learned, weight 1", 0.5, 0.1)
    others = {"worse": (0.4, 0.2), "better": (0.6, 0.0), "else": (0.6, 0.2), "same": (0.5, 0.1), "as true": (0.4, 0.1)}
    rows = list(better_rows([point(name, *at) for name, at in others.items()], [learned]))
    told = {row["known"]: row["the learned rule is"] for row in rows}
    assert told == {
        "worse": "better in both",
        "better": "worse in both",
        "else": "trades one for the other",
        "same": "not clear",
        "as true": "not clear",
    }
    assert rows[0]["learned"] == "weight 1" and rows[0]["more welfare"].startswith("0.1")


def test_few_seeds_that_differ_leave_open_what_is_worse():
    seeds = np.array([[0.0], [0.02], [0.04]])  # twice their standard error below the known rule, in both
    learned = Point("learned, weight 1", 0.5 - seeds + np.zeros(400), 0.1 + seeds + np.zeros(400))
    known = Point("known", np.full((1, 400), 0.503), np.full((1, 400), 0.097))
    (row,) = better_rows([known], [learned])
    assert row["the learned rule is"] == "not clear"


def test_a_damaged_result_is_refused_and_one_of_another_task_made_again(tmp_path):
    file = tmp_path / "some" / "result.json"
    assert kept(file, {"n": 3}, lambda: {"x": np.arange(2)}) == {"x": [0, 1]}
    assert kept(file, {"n": 3}, lambda: {"x": 5}) == {"x": [0, 1]}
    assert kept(file, {"n": 4}, lambda: {"x": 5}) == {"x": 5}
    file.write_text("{")
    with pytest.raises(RunError, match="is damaged, remove it"):
        kept(file, {"n": 4}, lambda: {"x": 5})
