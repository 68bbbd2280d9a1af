"""Voters who are trained by RLlib learn to lie where that pays."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lawgiver.envs.core.make import make_policy
from lawgiver.trainers.runs.config import load_config
from lawgiver.trainers.runs.launch import train

BRIEF = ("trainer.iterations=45", "resources.device=cpu", "resources.num_env_runners=0")


@pytest.mark.usefixtures("ray_cluster", "undrawn")
def test_voters_learn_which_lies_pay_under_bordas_rule(tmp_path: Path) -> None:
    path, summary = train("strategic_voting", [*BRIEF, f"run_dir={tmp_path / 'run'}"])
    found: dict[str, Any] = summary["ballots"]
    untrue = found["ballots that are untrue (share)"]
    assert 0.2 < untrue["trained"] < 0.6
    gain = found["gain over the truth, while the others play on"]
    assert gain["trained"] > 0.001 and gain["best_reply"] < 0, "the best reply to the truth is none to itself"
    left = found["gain by the best ballot, while the others play on"]
    assert left["trained"] < 0.5 * left["truth"]
    cast = summary["cast"]
    assert cast["true 1 > 2 > 3"]["1 > 3 > 2"] > 0.1, "the rival is buried under the weak third"
    game = load_config("strategic_voting").game.make()
    voters = make_policy(game, "participant", path)
    obs = game.observe(game.initial_state(200, np.random.default_rng(0)), "participant")
    chosen, _ = voters.act(obs, None, voters.initial_state(200, None), np.random.default_rng(0))
    assert len(np.unique(chosen)) > 3
