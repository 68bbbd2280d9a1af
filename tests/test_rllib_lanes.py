"""RLlib on games whose mechanism announces its parameters once: trainings, their tables, and the price ahead."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from lawgiver.agents.tables import TablePolicy, equilibrium_table
from lawgiver.envs.core.errors import NoSolution, ParameterError, UnsupportedGameError
from lawgiver.envs.core.make import make_game, make_policy
from lawgiver.envs.solvers.equilibrium.subgame_equilibrium import (
    best_in_box,
    equilibrium_objective,
    prior_table,
    scores,
    solve,
)
from lawgiver.trainers.evaluation.evaluate import evaluate
from lawgiver.trainers.rllib.connector import price_ahead
from lawgiver.trainers.rllib.gate import exact_reply_gap
from lawgiver.trainers.rllib.modules import anchor_kl
from lawgiver.trainers.rllib.plan import ModulePlan
from lawgiver.trainers.rllib.play import RolloutSetup, State, play
from lawgiver.trainers.rllib.results import alarms
from lawgiver.trainers.rllib.settings import RLlibConfig
from lawgiver.trainers.runs.config import load_config
from lawgiver.trainers.runs.launch import train
from lawgiver.trainers.runs.loading import load
from lawgiver.trainers.settings.bounded_rationality import BoundedRationality

pytestmark = pytest.mark.usefixtures("ray_cluster")

SMALL = ("game.n=3", "game.n_moves=11", "resources.device=cpu")
BRIEF = (*SMALL, "trainer.iterations=3", "trainer.steps_per_iteration=40", "trainer.score_every=1")
ADAPTED = ("agents.mechanism.gate=null", "agents.mechanism.warmup=0")
W = np.array([0.2, -1.5])


def trained(path: Path, *overrides: str) -> dict[str, Any]:
    return train("lanes_rllib", [*overrides, f"run_dir={path}"])[1]


def metrics(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (path / "metrics.jsonl").read_text().splitlines()]


def test_both_learn_and_the_tables_are_exact(tmp_path: Path) -> None:
    run = tmp_path / "run"
    level = "agents.participants.inverse_temperature=20"
    sizes = ("trainer.iterations=80", "trainer.steps_per_iteration=400", "agents.participants.minibatch_size=300")
    summary = trained(run, *SMALL, level, *sizes, "agents.mechanism.warmup=10")
    game = make_game("lanes", n=3, n_moves=11)
    policies = load(run)
    w = np.array([summary["parameters"][f"w_{j}"]["learned"] for j in (1, 2)])
    exact = scores(game, w, 20.0)
    assert not isinstance(exact, NoSolution)
    assert summary["welfare"]["learned"] == pytest.approx(exact["welfare"]) == summary["exact_score"]
    assert summary["threshold"]["closed_form"] == pytest.approx(exact["threshold"])
    table = np.exp(np.asarray(policies["participant"].distribution(game.subgame.observations(w), None, None)[0]))
    assert summary["threshold"]["learned"] == pytest.approx(float(table[0, 0] @ game.subgame.moves))
    start, best = equilibrium_objective(game, np.array([0.0, -1.0]), 20.0), best_in_box(game, 20.0).value
    assert summary["gap_closed"] == pytest.approx((exact["welfare"] - start) / (best - start), rel=1e-6)
    assert summary["gap_closed"] > 0.1
    assert abs(summary["threshold"]["learned"] - exact["threshold"]) < 0.1
    assert summary["alarms"] == []
    assert summary["updates"]["participant"] == 80
    assert 15 < summary["updates"]["mechanism"] <= 70
    rows = metrics(run)
    assert rows[0]["reply_gap"] > 0.2 > rows[-1]["reply_gap"]
    assert [row["mechanism"]["held"] for row in rows[1:]] == [int(row["reply_gap"] > 0.2) for row in rows[:-1]]
    assert rows[-1]["behaviour"].keys() == rows[-1]["closed_form"].keys() == {"threshold"}
    assert rows[-1]["coefficients"].keys() == {"w_1", "w_2"}
    assert rows[-1]["mechanism"]["mean"] == pytest.approx(list(rows[-1]["coefficients"].values()))

    again = evaluate(run, games=500)
    for key in ("welfare", "threshold"):
        assert again[key] == pytest.approx(summary[key])
    for key in ("incentives", "parameters", "trained_participants"):
        assert all(again[key][name] == pytest.approx(column) for name, column in summary[key].items())
    assert again["simulated"].keys() == {"welfare", "payments"}
    played, expected = again["simulated"], summary["trained_participants"]
    for name, value in {"welfare": "welfare", "payments": "expected_budget"}.items():
        found = played[name]["learned"]
        # Starts are interpolated between those of the grid, moves are drawn: four standard errors.
        assert abs(found.mean - expected[value]["trained"]) < 2.1 * found.half


@pytest.mark.parametrize(
    "overrides",
    [
        ("game.agent_objective=full",),
        ("game.agent_objective=blind", "agents.participants.anchor={mechanism: {policy: rule, parameters: [0, -1]}}"),
        ("resources.runner=stock", "trainer.steps_per_iteration=60"),
        ("agents.participants.inverse_temperature=null", "agents.participants.kl_budget=0.5"),
    ],
    ids=["full", "blind-anchored", "stock", "budget"],
)
def test_readings_runners_anchors_and_budgets_train(undrawn: None, tmp_path: Path, overrides: tuple[str, ...]) -> None:
    summary = trained(tmp_path / "run", *BRIEF, *ADAPTED, *overrides)
    assert summary["updates"] == {"participant": 3, "mechanism": 3}
    assert np.isfinite(summary["welfare"]["learned"])
    assert summary["threshold"].keys() == {"learned", "closed_form"}
    if "agents.participants.kl_budget=0.5" in overrides:
        spent = summary["incentives"]["kl"]["start"]
        assert spent == pytest.approx(0.5, abs=1e-6)
        assert evaluate(tmp_path / "run", games=50)["incentives"]["kl"]["start"] == pytest.approx(0.5, abs=1e-6)


DIVISIBLE = (
    "game={name: divisible_good, n: 3, rounds: 2}",
    "agents.mechanism.start=[0, 0, 0]",
    "agents.participants.inverse_temperature=5",
)


def test_a_game_of_several_rounds_trains_on_either_runner(undrawn: None, tmp_path: Path) -> None:
    small = (
        "trainer.iterations=2",
        "trainer.steps_per_iteration=60",
        "resources.device=cpu",
        *DIVISIBLE,
        "agents.mechanism.gate=1",
    )
    for runner in ("batched", "stock"):
        path = tmp_path / runner
        summary = trained(path, *small, "agents.participants.gamma=1", f"resources.runner={runner}")
        assert summary["consumption_1"].keys() == {"learned", "closed_form"}
        assert 0 < metrics(path)[-1]["reply_gap"] < 1
    with pytest.raises(
        ParameterError, match=r"gamma is 0, but participants of divisible_good-v0 look ahead over its 2"
    ):
        trained(tmp_path / "myopic", *small)


def test_runs_of_the_fast_path_are_evaluated_by_the_same_tables(tmp_path: Path) -> None:
    path, summary = train("lanes", [*SMALL[:2], "trainer.iterations=20", f"run_dir={tmp_path / 'run'}"])
    again = evaluate(path, games=200)
    assert again["welfare"] == pytest.approx(summary["welfare"])
    assert again["threshold"] == pytest.approx(summary["threshold"])
    assert again["simulated"].keys() == {"welfare", "payments"}


def test_a_budget_stands_in_for_the_inverse_temperature() -> None:
    game = make_game("lanes", n=3, n_moves=11)
    assert BoundedRationality().inverse_temperature == 1.0
    assert BoundedRationality(inverse_temperature=3.0).inverse_temperature_in(game, None, None) == 3.0
    spent = BoundedRationality(kl_budget=0.7).inverse_temperature_in(game, None, (0.0, -1.0))
    found = scores(game, np.array([0.0, -1.0]), spent)
    assert not isinstance(found, NoSolution)
    assert found["kl"] == pytest.approx(0.7, abs=1e-6)
    whole = BoundedRationality.model_validate(BoundedRationality(kl_budget=0.7).model_dump())
    assert whole == BoundedRationality(kl_budget=0.7)
    with pytest.raises(ParameterError, match=r"agents\.participants is .*exactly one of inverse_temperature and kl_bu"):
        load_config("lanes_rllib", ["agents.participants.kl_budget=0.7"])
    with pytest.raises(UnsupportedGameError, match="announces its parameters once, not in public_investment-v0"):
        BoundedRationality(kl_budget=0.7).inverse_temperature_in(make_game("public_investment"), None, None)


@pytest.mark.parametrize("reading", ["local", "full", "blind"])
def test_the_gate_is_zero_in_equilibrium_and_a_probability_elsewhere(reading: str) -> None:
    game = make_game("lanes", n=4, n_moves=21, agent_objective=reading)
    rule = make_policy(game, "mechanism", {"policy": "rule", "parameters": W.tolist()})
    there = equilibrium_table(game, rule, 30.0)
    assert exact_reply_gap(game, there, W, 30.0, None) < 1e-6
    random = make_policy(game, "participant", "random")
    prior = prior_table(game, None, W)
    reply = np.exp(game.subgame.log_response(W, game.subgame.aggregates(np.exp(prior)), 30.0, prior))
    apart = game.subgame.initial_distribution() @ np.abs(reply[0] - 1 / 21).sum(-1) / 2
    assert exact_reply_gap(game, random, W, 30.0, None) == pytest.approx(apart)
    assert apart > 0.1


def test_alarms_are_relative_to_the_scale_of_welfare() -> None:
    people = load_config("lanes_rllib").agents.participants
    for n in (3, 20):
        game = make_game("lanes", n=n)
        exact = 1.5 * game.optimum()
        assert alarms(game, people, exact + 0.005 * game.welfare_scale, exact, 1) == []
        assert len(alarms(game, people, exact + 0.02 * game.welfare_scale, exact, 1)) == 1
        assert len(alarms(game, people, exact, game.optimum() + 0.02 * game.welfare_scale, 1)) == 1


def test_returns_less_the_price_ahead_are_the_values_of_the_equilibrium() -> None:
    """The learner's advantages then have the equilibrium of a game of several rounds as their fixed point."""
    game, level, w = make_game("divisible_good", n=4, rounds=3), 2.0, np.array([0.5, 0.2, -0.3, 0.4])
    subgame, prior = game.subgame, prior_table(make_game("divisible_good", n=4, rounds=3), None, w)
    solved = solve(subgame, w, level, prior)
    people = TablePolicy(game, np.asarray(solved.log_policy))
    rng, actions = np.random.default_rng(5), subgame.shape[2]

    def act(module: str, obs: np.ndarray, state: State) -> tuple[np.ndarray, np.ndarray, np.ndarray, State]:
        if module == "mechanism":
            return np.tile(w, (len(obs), 1)), np.zeros(len(obs)), np.zeros((len(obs), 2)), state
        seen = obs[:, None, :-actions].astype(float)
        logs = np.asarray(people.distribution(seen, None, None)[0])[:, 0]
        chosen = (np.exp(logs).cumsum(-1) < rng.random((len(obs), 1))).sum(-1).clip(max=actions - 1)
        return chosen, np.zeros(len(obs)), np.maximum(logs, -1e9), state

    games = 20_000
    modules = {role: np.full((games, count), role, dtype=object) for role, count in game.roles.items()}
    lived = play(RolloutSetup(game), games, rng, act, modules).trajectories["participant"]
    module: Any = SimpleNamespace(divergence=lambda obs, logits: anchor_kl(logits, obs[..., -actions:]))
    plan = ModulePlan(gamma=1.0, inverse_temperature=level)
    obs, logits = torch.as_tensor(lived.obs), torch.as_tensor(lived.dist_inputs)
    price = price_ahead(module, plan, obs, logits, torch.as_tensor(lived.mask))
    worth = (lived.rewards - price.numpy()).sum(axis=1)
    values = np.asarray(subgame.action_values(w, solved.aggregates, level, prior)[0])[0]
    _, situations, _ = subgame.locate(lived.obs[:, 0:1, :-actions].astype(float))
    compared = 0
    for situation in range(subgame.shape[1]):
        for action in range(actions):
            mine = worth[(situations[:, 0, 0] == situation) & (lived.actions[:, 0] == action)]
            if len(mine) > 500:
                compared += 1
                assert abs(mine.mean() - values[situation, action]) < 4.5 * mine.std() / np.sqrt(len(mine))
    assert compared >= 8


def test_the_packaged_config_is_the_fast_path_s_game() -> None:
    slow, fast = load_config("lanes_rllib"), load_config("lanes")
    assert isinstance(slow, RLlibConfig)
    assert slow.game.make() == fast.game.make()
    assert slow.agents.participants.inverse_temperature == fast.agents.participants.inverse_temperature == 100
    assert slow.agents.mechanism.start == fast.agents.mechanism.start == (0.0, -1.0)
