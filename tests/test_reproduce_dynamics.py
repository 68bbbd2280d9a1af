"""The reproduction of learning dynamics, made small."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from lawgiver.envs.solvers.normal_form.correlated import correlated_payoffs
from lawgiver.envs.solvers.normal_form.fictitious_play import fictitious_play
from lawgiver.trainers import reproduce
from lawgiver.trainers.reproduce import dynamics
from lawgiver.trainers.reproduce.dynamics_known import form_of, polygon
from lawgiver.trainers.statistics.estimate import mean_of


def test_dynamics_have_what_is_known_beside_what_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(dynamics, "PLAYED", 20_000)
    monkeypatch.setattr(dynamics, "HORIZONS", (100, 1_000))
    monkeypatch.setattr(dynamics, "MATCHED", (1_000, 4_000))
    made = reproduce.reproduce("dynamics", tmp_path, seeds=2)
    if made.figures:
        assert (tmp_path / "dynamics.png").read_bytes().startswith(b"\x89PNG")
    assert json.loads((tmp_path / "table.json").read_text())["rows"].keys() == made.sections.keys()
    known = [row for section in made.sections.values() for row in section if row.limit]
    assert len(known) == 4 + 3 + 4 and [row.ratio for row in known] == pytest.approx([1] * len(known), abs=0.002)
    converged = made.comparisons[dynamics.NASHCONV]
    assert [round(row["hedge, average"], 4) for row in converged] == [0.0262, 0.0028]
    assert all(row["hedge, average"] < row["bound"] for row in converged)
    few, many, first, last = made.comparisons[dynamics.REGRETS]
    assert mean_of(many["coarse regret"]) < 0.005 < 0.05 < mean_of(many["correlated regret"])
    assert mean_of(last["correlated regret"]) < mean_of(first["correlated regret"])
    assert few["coarse regret"].n == 2


def test_the_polygon_is_where_long_play_goes_round():
    form = form_of("shapley")
    course = fictitious_play(form, 60_000)
    row, column = polygon(course, form)
    assert row.sum(axis=1) == pytest.approx(1) and len(np.unique(row.round(9), axis=0)) == 6
    ends = np.cumsum(np.flatnonzero((course.choices[1:] != course.choices[:-1]).any(axis=1))[-1:] + 1)
    at = [np.bincount(course.choices[: ends[0], i], minlength=3) / ends[0] for i in range(2)]
    assert at[0] == pytest.approx(row[-1], abs=2e-3) and at[1] == pytest.approx(column[-1], abs=2e-3)


def test_corners_of_the_payoffs_of_correlated_equilibria():
    form = form_of("chicken")
    found = correlated_payoffs(form, np.array([[1.0, 1], [-1, -1], [1, 0], [0, 1]]))
    assert found == pytest.approx(np.array([[5.25, 5.25], [3.6, 3.6], [7, 2], [2, 7]]))
