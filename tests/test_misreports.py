"""What is misreported under a rule, beside the truth and the equilibrium on the menu."""

from __future__ import annotations

import pytest

from lawgiver.envs.core.make import make_game, make_policy
from lawgiver.trainers.rllib.trained_misreports import misreports


def test_the_truth_and_random_reports_are_told_apart():
    game = make_game(
        "repeated_allocation",
        stage={"n": 2, "m": 2, "mechanism_mode": "announce"},
        value_exponents=[1.0, 2.0],
        demand_factors=[1.0, 1.5],
    )
    found = misreports(game, (0.0, 0.0), make_policy(game, "participant", "random"), 1000.0)
    rows = found["misreports"]
    untrue = rows["reports that are untrue (share)"]
    assert untrue["truth"] == 0 and untrue["trained"] == pytest.approx(0.75)
    assert rows["reports that ask for more (share)"]["trained"] == pytest.approx(0.5)
    assert rows["reports that bend values (share)"]["trained"] == pytest.approx(0.5)
    welfare = rows["mean log utility, a round"]
    assert welfare["truth"] > welfare["trained"] and welfare["truth"] > welfare["equilibrium"]
    assert sum(found["menu"]["trained"].values()) == pytest.approx(1)
    assert sum(found["menu"]["equilibrium"].values()) == pytest.approx(1)


def test_rules_without_incentives_to_lie_leave_participants_at_random():
    """Water filling looks at demands alone: bending values changes nothing, so that half do it in equilibrium."""
    game = make_game("repeated_allocation", stage={"n": 2, "m": 2, "mechanism_mode": "announce"}, demand_factors=[1.0])
    found = misreports(game, (0.0, 1.0), make_policy(game, "participant", "truthful"), 1000.0)["misreports"]
    assert found["reports that are untrue (share)"]["trained"] == pytest.approx(0)
    assert found["reports that bend values (share)"]["equilibrium"] == pytest.approx(2 / 3, abs=1e-6)
    assert found["mean log utility, a round"]["truth"] == pytest.approx(
        found["mean log utility, a round"]["equilibrium"], abs=1e-9
    )
