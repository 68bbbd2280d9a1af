"""Reproductions of preference aggregation and overoptimisation, made small."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from lawgiver.trainers import reproduce
from lawgiver.trainers.reproduce import (
    aggregation_candidates,
    overoptimisation,
    preference_aggregation,
)
from lawgiver.trainers.statistics.estimate import mean_of


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compare rules on few profiles, and sample little."""
    monkeypatch.setattr(preference_aggregation, "PROFILES", 8)
    monkeypatch.setattr(preference_aggregation, "DRAWN_PEAKS", 2_000)
    for name, value in {"SETS_DRAWN": 1_000, "SIZES": (1, 5, 20), "MISREPORTS": 400, "SETS": 1, "REPORTS": 40}.items():
        monkeypatch.setattr(aggregation_candidates, name, value)
    for name, value in {"TILTED": 40_000, "CHOSEN": 500, "DRAWN": 400_000}.items():
        monkeypatch.setattr(overoptimisation, name, value)


def test_rules_are_compared_at_one_divergence(tmp_path: Path, small: None):
    made = reproduce.reproduce("preference_aggregation", tmp_path)
    tables = made.comparisons
    assert json.loads((tmp_path / "table.json").read_text())["comparisons"].keys() == tables.keys()
    assert [path.name for path in made.figures] == ["aggregation_rules.png"]
    rewards, rankings, candidates, offsets, written, peaks, linear, distortion = tables.values()
    by_name = {row["rule"]: row for row in rewards}
    assert len(by_name) == 10 + 3
    for row in (*rewards, *rankings):
        assert mean_of(row["KL"]) == pytest.approx(0.2, abs=1e-4)
    assert by_name["mosaic"]["greatest gain"] <= 1e-9 < 0.02 < by_name["mean"]["greatest gain"]
    for measure in ("welfare", "least"):
        assert mean_of(by_name["mosaic"][measure]) == pytest.approx(mean_of(by_name["mean"][measure]))
    gains = [mean_of(each["mean gain"]) for each in rewards if "%" in each["rule"]]
    assert mean_of(by_name["mean"]["mean gain"]) > gains[0] > gains[1] > gains[2] > 0
    assert all(mean_of(each["welfare"]) <= mean_of(by_name["mean"]["welfare"]) + 0.03 for each in rewards)
    assert "mosaic" not in {row["rule"] for row in rankings}
    assert all(mean_of(row["dominance regret"]) >= 0 for row in rankings)
    assert max(row["greatest gain of 5,000 misreports"] or 0 for row in candidates) <= 1e-9
    assert [row["distance to the optimum"] for row in candidates] == pytest.approx(
        [0.443, 0.138, 0.033, 0.112, 0.030, 0.010, 0], abs=0.05
    )
    assert mean_of(candidates[0]["revenue"]) == pytest.approx(0, abs=1e-9)
    assert candidates[-1]["rewards"] == pytest.approx(1.526, abs=5e-4)
    none, allowed, forbidden = (list(row.values())[1] for row in offsets)
    assert max(none, allowed) <= 1e-9 < 0.1 < forbidden
    plain, aware = written
    assert mean_of(aware["rewards"]) > mean_of(plain["rewards"]) + 1
    assert max(row["greatest gain"] for row in written) <= 1e-9
    assert all(mean_of(row["median"]) < mean_of(row["mean in equilibrium"]) for row in peaks)
    assert all(row["r(c') - r(c)"] < 0 and row["leximax Copeland"].endswith("c' c") for row in linear)
    assert all(row["fitted difference"] == pytest.approx(0, abs=1e-9) for row in distortion)
    assert distortion[-1]["ratio, delta = 0.01"] == pytest.approx(distortion[-1]["(beta / 2) coth(beta / 2)"], rel=0.01)


def test_overoptimisation_has_the_closed_forms_beside_samples(tmp_path: Path, small: None):
    made = reproduce.reproduce("overoptimisation", tmp_path)
    assert (tmp_path / "overoptimisation.png").read_bytes().startswith(b"\x89PNG")
    for row in made.sections[overoptimisation.FIT]:
        assert row.ratio == pytest.approx(1, abs=0.05)
    tilts, best, game = made.comparisons.values()
    for row in (*tilts, *best):
        found = row["worth, sampled"]
        assert abs(found.mean - row["closed form"]) <= 5 * found.standard_error
    assert all(row["worth of the tilt at this KL"] > row["closed form"] for row in best)
    assert np.argmax([row["worth"] for row in game]) == overoptimisation.FACTORS.index(1.7205)
    assert [row["measured"] for row in game] == sorted((row["measured"] for row in game), reverse=True)
