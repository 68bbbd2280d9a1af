"""Stable-Baselines3 on the participants-only view, in an environment of its own: `make test-plugins`."""

import importlib.util
from pathlib import Path

import pytest

pytest.importorskip("stable_baselines3", reason="has an environment of its own: make test-plugins")
pytest.importorskip("supersuit")

SCRIPT = Path(__file__).parents[1] / "examples" / "sb3_participants.py"
ENDOWMENT = 5.5
"""Mean of (10, 4, 4, 4)."""


@pytest.fixture(scope="module")
def example():
    spec = importlib.util.spec_from_file_location("sb3_participants", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_contributes_under_libertarian(example):
    """A contributed point comes back 1.6 times: everything is contributed, which pays 1.6 times the endowment."""
    scores = example.main("libertarian", steps=40_000, seed=0)
    assert scores["random"]["contribution"] == pytest.approx(ENDOWMENT / 2, abs=0.2)
    assert scores["random"]["payoff"] == pytest.approx(1.3 * ENDOWMENT, abs=0.15)
    assert scores["trained"]["contribution"] > 0.9 * ENDOWMENT
    assert scores["trained"]["payoff"] > 1.54 * ENDOWMENT


def test_free_rides_under_strict_egalitarian(example):
    """A contributed point comes back 0.4 times: nothing is contributed, although that is worse for everybody."""
    scores = example.main("strict_egalitarian", steps=40_000, seed=0)
    assert scores["trained"]["contribution"] < 0.1 * ENDOWMENT
    assert scores["trained"]["payoff"] < scores["random"]["payoff"]


def test_same_seed_same_scores(example):
    first, second = (example.main("libertarian", steps=2_000, seed=3) for _ in range(2))
    assert first == second
