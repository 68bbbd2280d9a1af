"""What lies bring an agent in online allocation, under rules with and without incentives to tell the truth."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from lawgiver.envs.online_allocation import OnlineAllocation
from lawgiver.trainers.online_allocation.lies import LIES, gains

GAME = OnlineAllocation(n=3, rounds=40, payments=True)


@pytest.mark.parametrize("rule", ["serial", "money_burning"])
@pytest.mark.parametrize("query", ["own", "any_pair"])
def test_who_knows_its_values_gains_nothing_by_any_lie(rule: str, query: str) -> None:
    """In true payoffs, in every single game, where all others answer what they experience."""
    game = replace(GAME, query=query, rounds=60)
    found = gains(game, rule, 300, [3], truth="own_values")
    assert set(found) == {*LIES, "best_only", "truthful"}
    for name, each in found.items():
        assert (each <= 1e-9).all(), name


def test_under_dueling_bounds_a_lie_pays() -> None:
    """The control: who claims to like its best item alone gets it more often."""
    found = gains(replace(GAME, rounds=200), "dueling", 300, [4])["best_only"]
    assert found.mean() > 4 * found.std(ddof=1) / np.sqrt(len(found)) > 0


def test_of_lies_by_experience_serial_rewards_none() -> None:
    """On average: answers that keep the order of experiences change nothing, and others are costly."""
    found = gains(replace(GAME, rounds=80), "serial", 600, [5])
    for name in ("overstate", "understate"):
        assert (found[name] == 0).all()
    for name in ("always_0", "always_1", "invert"):
        assert found[name].mean() < -4 * found[name].std(ddof=1) / np.sqrt(600)
