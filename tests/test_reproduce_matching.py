"""Two-sided matching made again: what is exact is exact, published figures stand beside ours, descent finds its way."""

from __future__ import annotations

import json
from fractions import Fraction
from types import SimpleNamespace

import numpy as np
import pytest

from lawgiver.envs.solvers.matching.frontier import Frontier
from lawgiver.envs.solvers.matching.orbits import orbits
from lawgiver.trainers.reproduce import matching_three, two_sided_matching
from lawgiver.trainers.reproduce.matching_published import KNOWN, LAMBDAS, LEARNED, published_rows
from lawgiver.trainers.reproduce.matching_tabular import Descent, descended
from lawgiver.trainers.statistics.estimate import Estimate


@pytest.fixture
def small(monkeypatch):
    brief = ("trainer.updates=2", "trainer.batch=2", "agents.mechanism.rounds=1")
    monkeypatch.setattr(two_sided_matching, "CORRELATIONS", (0.0,))
    monkeypatch.setattr(two_sided_matching, "BRIEF", (*brief, "trainer.evaluation={sides: [2], profiles: 4}"))
    monkeypatch.setattr(matching_three, "BOUNDS", (0.0,))
    monkeypatch.setattr(matching_three, "TARGETS", (0.001,))
    monkeypatch.setattr(matching_three, "DESCENT", Descent(updates=3))
    monkeypatch.setattr(matching_three, "Frontier", lambda n: Frontier(2))  # of the same shape, in no time


def test_everything_is_made_and_kept(small, tmp_path, undrawn, monkeypatch):
    assert np.array(matching_three.points(tmp_path / "two")) == pytest.approx(np.zeros((2, 2)), abs=1e-9)
    monkeypatch.setattr(two_sided_matching, "points", lambda folder: [(0.0, 0.23611), (0.001, 0.15125)])
    made = two_sided_matching.reproduce(tmp_path, 2, 1)
    (left, right) = made.comparisons["E. The frontier, three and three"]
    assert left["fewer for a unit of regret, up to the next"] == "84.9" and right["regret"] == "0.00100"
    assert [heading[:2] for heading in made.comparisons] == ["A.", "B.", "C.", "D.", "E.", "F."]
    rules = [row["correlation, rule"] for row in made.comparisons["B. Learned and known rules, four and four"]]
    assert rules[-2:] == ["0, learned, seed 0", "0, learned, seed 1"] and "0, top trading cycles" in rules
    played = made.comparisons["C. Learned with four and four, played with others"]
    assert [row["markets"] for row in played] == ["4"] * 2 and played[0]["who try all lists"] == "2 of each side"
    published = {row.quantity: row.paper for row in made.sections["Known rules"]}
    assert published["correlation 0, deferred acceptance: strategyproofness"] == "0.056"
    stability, truthful, lines = made.sections["Learned rules over seeds"]
    assert "0.0021 (CNN, lambda 0.5)" in stability.paper and "0.0108 (CNN, lambda 0.5)" in truthful.paper
    assert stability.ours.n == 2 and lines.limit == 2
    assert {path.name for path in made.figures} == {"two_sided_matching_0.png", "two_sided_matching_three.png"}
    json.dumps(made.data())
    monkeypatch.setattr(matching_three, "descended", None)  # would have to be called to learn again
    again = two_sided_matching.reproduce(tmp_path, 2, 1)
    assert again.comparisons == made.comparisons
    monkeypatch.setattr(matching_three, "DESCENT", Descent(updates=3, memory=0.9))
    with pytest.raises(TypeError, match="not callable"):  # other settings are no reason to keep what these found
        matching_three.learned_lotteries(tmp_path / "three")


def test_known_rules_of_three_and_three_are_exact():
    assert matching_three.known_rules() == {
        "deferred acceptance": (Fraction(5, 1296), 0),
        "top trading cycles": (Fraction(1, 81), Fraction(1, 9)),
        "immediate acceptance": (Fraction(1, 27), Fraction(1, 6)),
        "random priority": (0, Fraction(2, 3)),
        "all matchings alike": (0, Fraction(3, 2)),
    }


def test_published_figures_are_by_lambda():
    rows = {row["lambda"]: row for row in published_rows()}
    assert len(rows) == len(LAMBDAS) == 7
    assert rows["0.5"]["CNN, 0: stability"] == "0.0021" and rows["0.5"]["CNN, 0: truthfulness"] == "0.0108"
    assert rows["0.1"]["MLP, 0.75: stability"] == "0.0933" and rows["1"]["MLP, 0.75: truthfulness"] == "0.0181"
    assert set(KNOWN) == set(LEARNED)


def test_descent_from_all_matchings_alike_finds_a_stable_and_truthful_rule_of_two():
    found = descended(orbits(2), 1e-3, Descent(updates=600, explored=1.0))
    assert found.sum(-1) == pytest.approx(1, abs=1e-12)
    assert float(orbits(2).blocking(found)) < 0.01 and float(orbits(2).regret(found)) < 0.01


def test_descent_treats_alike_what_is_alike_and_gains():
    three = orbits(3)
    start, end = (descended(three, 1e-3, Descent(updates=updates)) for updates in (1, 150))
    assert three.mixed(end) == pytest.approx(end, abs=1e-9)
    before, after = (float(three.blocking(each)) + 70 * float(three.regret(each)) for each in (start, end))
    assert after < 0.85 * before


def test_the_second_panel_shows_what_lies_below_the_lines_between_known_rules():
    pytest.importorskip("matplotlib")
    places = {
        "deferred_acceptance": (0.012, 0.0),
        "top_trading_cycles": (0.006, 0.0045),
        "random_priority": (0.0, 0.12),
        "immediate_acceptance": (0.16, 0.006),
        "learned": (0.005, 0.0004),
    }
    rules = {
        name: {"regret": Estimate.normal(x, 0.001, 9), "stability": Estimate.normal(y, 0.0, 9)}
        for name, (x, y) in places.items()
    }
    frontier = [(0.0, 0.24), (0.003, 0.0)]
    runs = {0.75: [SimpleNamespace(summary={"rules": rules})]}
    drawn = {
        name: figure.axes for name, _, figure in two_sided_matching._figures(runs, {"alike": (0, 1.5)}, frontier, {})
    }
    four, three = drawn["two_sided_matching_75.png"], drawn["two_sided_matching_three.png"]
    assert len(four[0].containers) == len(four[1].containers) == 7  # four known rules, the learned, two published
    assert four[1].get_xlim() == pytest.approx((-0.00048, 0.016)) and four[1].get_ylim()[1] == pytest.approx(0.006)
    assert three[1].get_xlim()[1] == pytest.approx(0.004) and three[1].get_ylim()[1] == pytest.approx(0.32)


def test_there_is_no_second_panel_where_known_rules_are_stable():
    assert two_sided_matching._low(np.empty((0, 2))) is None
    assert two_sided_matching._low(np.array([[0.01, 0.0]])) is None
