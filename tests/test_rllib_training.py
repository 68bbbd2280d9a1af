"""Whole trainings under one Ray: exact resuming, remote runners, several learners, snapshots, others' games."""

from __future__ import annotations

import json
import os
import shutil
import signal
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from pettingzoo import ParallelEnv

from lawgiver.trainers.rllib import session
from lawgiver.trainers.rllib.algorithm import algorithm_config, role_mapping, stock_config
from lawgiver.trainers.rllib.learner import TrainingError
from lawgiver.trainers.rllib.settings import RLlibAgents, RLlibConfig, RLlibTrainer
from lawgiver.trainers.rllib.snapshots import add_snapshot
from lawgiver.trainers.rllib.train import train
from lawgiver.trainers.runs.launch import resume
from lawgiver.trainers.runs.run import Run
from lawgiver.trainers.runs.state import restoring, save_state
from lawgiver.trainers.runs.training_run import TrainingRun
from lawgiver.trainers.settings.base import GameConfig, Resources

pytestmark = pytest.mark.usefixtures("ray_cluster")

GAME = {
    "name": "public_investment",
    "endowments": [10, 4, 4, 4],
    "mechanism_mode": "announce",
    "participant_observation": "rule",
}
AGENTS = {
    "mechanism": {"start": "libertarian", "hidden": None, "warmup": 2, "gate": None},
    "participants": {"minibatch_size": 200},
}
REMEMBERING = {
    "mechanism": {"start": "libertarian", "hidden": [8], "memory": 4, "warmup": 2, "gate": 0.5},
    "participants": {"minibatch_size": 200, "memory": 6, "gamma": 0.5},
}


def config(
    path: Path | None = None, iterations: int = 6, game: Any = None, agents: Any = None, **use: Any
) -> RLlibConfig:
    return RLlibConfig(
        game=GameConfig.model_validate(game or GAME),
        agents=RLlibAgents.model_validate(agents or AGENTS),
        trainer=RLlibTrainer(
            name="rllib", iterations=iterations, steps_per_iteration=400, checkpoint_every=2, score_every=2
        ),
        resources=Resources.model_validate({"device": "cpu", **use}),
        run_dir=path,
    )


def metrics(path: Path) -> list[dict[str, Any]]:
    rows = [json.loads(line) for line in (path / "metrics.jsonl").read_text().splitlines()]
    return [{key: value for key, value in row.items() if key != "timing"} for row in rows]


class PowerCutError(Exception):
    """Stands for a kill in mid-training."""


def interrupted(given: RLlibConfig, after: int) -> None:
    """Train, and stop dead after an iteration has been logged."""
    run = TrainingRun.create("test", given)
    log = run.log

    def logged(iteration: int, *args: Any) -> None:
        log(iteration, *args)
        if iteration == after:
            raise PowerCutError

    run.log = logged  # type: ignore[method-assign]
    with pytest.raises(PowerCutError):
        train(given, run)
    run.close()


def resumed(path: Path, given: RLlibConfig) -> dict[str, Any]:
    run = TrainingRun.resume(path, given)
    return run.finish(train(given, run))


def weights(path: Path, role: str) -> bytes:
    return (path / "policies" / role / "weights.safetensors").read_bytes()


@pytest.mark.parametrize(
    ("use", "agents"),
    [
        ({"num_env_runners": 2}, AGENTS),
        ({"num_env_runners": 1, "num_learners": 2}, AGENTS),
        ({"num_env_runners": 1, "num_learners": 2}, REMEMBERING),
    ],
    ids=["two runners", "a runner and two learners", "a runner and two learners, with a memory"],
)
def test_a_resumed_training_on_several_processes_equals_an_uninterrupted_one(
    tmp_path: Path, use: dict[str, int], agents: dict[str, Any]
) -> None:
    agents = {**agents, "mechanism": {**agents["mechanism"], "snapshot_every": 1}}
    whole = config(tmp_path / "whole", 4, {**GAME, "endowments": [3, 2]}, agents, **use)
    run = TrainingRun.create("test", whole)
    run.finish(train(whole, run))
    cut = Path(shutil.copytree(tmp_path / "whole", tmp_path / "cut"))
    for later in ("checkpoints/00000004", "policies"):
        shutil.rmtree(cut / later)
    torch.manual_seed(99)
    resumed(cut, whole.model_copy(update={"run_dir": cut}))
    assert metrics(tmp_path / "cut") == metrics(tmp_path / "whole")
    for role in ("mechanism", "participant"):
        assert weights(tmp_path / "cut", role) == weights(tmp_path / "whole", role)


def test_rllibs_own_runner_draws_nothing_twice_after_an_interruption(tmp_path: Path) -> None:
    """Where nobody learns anything, scores differ by what was drawn alone."""
    agents = {"participants": {"lr": 1e-12}, "mechanism": {"lr": 1e-12, "gate": None}}
    given = config(tmp_path / "cut", 4, {**GAME, "endowments": [3, 2]}, agents, runner="stock")
    interrupted(given, after=2)
    resumed(tmp_path / "cut", given)
    scores = [row["score"] for row in metrics(tmp_path / "cut")]
    assert len(set(scores)) == 4, scores


def test_a_resumed_training_equals_an_uninterrupted_one(tmp_path: Path, undrawn: None) -> None:
    whole, cut = config(tmp_path / "whole"), config(tmp_path / "cut")
    run = TrainingRun.create("test", whole)
    summary = run.finish(train(whole, run))
    interrupted(cut, after=5)
    torch.manual_seed(99)  # whatever else went on in between
    np.random.default_rng()
    _, again = resume(tmp_path / "cut")  # by the config that the run has stored
    assert metrics(tmp_path / "cut") == metrics(tmp_path / "whole")
    assert again["exact_score"] == summary["exact_score"]
    assert summary["updates"] == {"participant": 6, "mechanism": 4}
    assert summary["env_steps"] == 2400
    assert summary["online_minus_exact"] == pytest.approx(summary["online_score"] - summary["exact_score"])
    rows = metrics(tmp_path / "whole")
    assert [row["iteration"] for row in rows] == [1, 2, 3, 4, 5, 6]
    assert rows[-1]["participant"]["lr"] == 3e-3
    assert rows[-1]["mechanism"]["lr"] == 0.03
    assert list((tmp_path / "whole").glob("events.out.tfevents*"))
    played = Run.open(tmp_path / "whole")
    from lawgiver.trainers.runs.loading import load

    policies = load(played.path)
    assert set(policies) == {"mechanism", "participant"}


def test_a_resumed_training_with_a_memory_equals_an_uninterrupted_one(tmp_path: Path, undrawn: None) -> None:
    agents = {**REMEMBERING, "mechanism": {**REMEMBERING["mechanism"], "snapshot_every": 2}}
    whole, cut = (config(tmp_path / name, agents=agents) for name in ("whole", "cut"))
    run = TrainingRun.create("test", whole)
    summary = run.finish(train(whole, run))
    interrupted(cut, after=5)
    torch.manual_seed(99)
    _, again = resume(tmp_path / "cut")
    assert metrics(tmp_path / "cut") == metrics(tmp_path / "whole")
    assert all(again[name] == value for name, value in summary.items() if name != "timing")
    assert summary["updates"] == {"participant": 6, "mechanism": 4}
    for role in ("mechanism", "participant"):
        assert weights(tmp_path / "cut", role) == weights(tmp_path / "whole", role)
    assert summary["exact_score"] is None
    assert "remembers" in summary["reasons"]["learned"]


def test_no_units_of_memory_are_no_memory(tmp_path: Path) -> None:
    none = {role: {**settings, "memory": 0} for role, settings in AGENTS.items()}
    for name, agents in (("absent", AGENTS), ("none", none)):
        given = config(tmp_path / name, 3, agents=agents)
        run = TrainingRun.create("test", given)
        run.finish(train(given, run))
    assert metrics(tmp_path / "none") == metrics(tmp_path / "absent")
    for role in ("mechanism", "participant"):
        assert weights(tmp_path / "none", role) == weights(tmp_path / "absent", role)


def test_a_loss_that_is_not_a_number_ends_the_run_and_names_the_last_checkpoint(tmp_path: Path) -> None:
    agents = {"mechanism": {**AGENTS["mechanism"], "lr": 1e30, "warmup": 3}, "participants": {"minibatch_size": 200}}
    given = config(tmp_path / "nan", agents=agents)
    run = TrainingRun.create("test", given)
    with pytest.raises(TrainingError, match=r"module 'mechanism'.*the last good checkpoint is .*0000000[24]"):
        train(given, run)
    run.close()
    assert [row["iteration"] for row in metrics(tmp_path / "nan")][:3] == [1, 2, 3]


def equal(mine: dict[str, Any], theirs: dict[str, Any]) -> bool:
    """Whether the weights that one acts with are those of the other."""
    acting = [name for name in mine if not name.startswith("critic")]
    return all(np.array_equal(mine[name], theirs[name]) for name in acting)


def restored(given: RLlibConfig, folder: Path, snapshots: tuple[str, ...] = ()) -> Any:
    """Return a new Algorithm that goes on from what was saved in a folder."""
    algorithm = session.build(algorithm_config(given))
    with restoring(folder) as state:
        session.restore(algorithm, state["learner"], role_mapping(given, snapshots))
    return algorithm


def remote(algorithm: Any, function: Any) -> list[Any]:
    found: list[Any] = algorithm.env_runner_group.foreach_env_runner(function, local_env_runner=False)
    return found


def test_remote_runners_are_replaced_and_restored_with_trained_weights(tmp_path: Path) -> None:
    given = config(num_env_runners=2)
    algorithm = session.build(algorithm_config(given))
    try:
        for _ in range(3):
            session.iterate(algorithm)
        save_state(tmp_path, {"learner": session.learner_state(algorithm)})
        victim, survivor = remote(algorithm, lambda _: os.getpid())
        os.kill(victim, signal.SIGKILL)
        sampled, _ = session.iterate(algorithm)
        assert int(sampled["num_env_steps_sampled"]) >= 400
        session.await_runners(algorithm)
        running = remote(algorithm, lambda _: os.getpid())
        assert len(running) == 2
        assert survivor in running
        assert victim not in running
        session.iterate(algorithm)
        number = algorithm.env_runner._weights_seq_no
        assert remote(algorithm, lambda r: r._weights_seq_no) == [number, number]
        name = add_snapshot(algorithm, "mechanism")
        frozen = algorithm.learner_group.get_weights([name])[name]
        assert [equal(w, frozen) for w in remote(algorithm, lambda r: r.module[name].get_state())] == [True, True]
    finally:
        algorithm.stop()
    algorithm = restored(given, tmp_path)
    try:
        trained = algorithm.learner_group.get_weights()
        for weights, number in remote(algorithm, lambda r: (r.module.get_state(), r._weights_seq_no)):
            assert number == 3
            assert all(equal(weights[role], trained[role]) for role in trained)
        sampled, _ = session.iterate(algorithm)
        assert float(sampled["weights_seq_no"]) == 3
    finally:
        algorithm.stop()


def test_a_training_goes_on_with_a_remote_learner(tmp_path: Path) -> None:
    interrupted(config(tmp_path / "run", iterations=4), after=3)
    summary = resumed(tmp_path / "run", config(tmp_path / "run", iterations=6, num_learners=1))
    assert summary["updates"] == {"participant": 6, "mechanism": 4}
    assert summary["env_steps"] == 2400
    assert [row["iteration"] for row in metrics(tmp_path / "run")] == [1, 2, 3, 4, 5, 6]


def test_two_learners_stay_equal_with_games_of_unequal_length() -> None:
    game, agents = {"name": "taxed_dilemma"}, {"mechanism": {"warmup": 0}}
    algorithm = session.build(algorithm_config(config(game=game, agents=agents, num_learners=2)))
    try:
        for _ in range(3):
            session.iterate(algorithm)
        one, other = (r.get() for r in algorithm.learner_group.foreach_learner(lambda x: x.module.get_state()))
        for role in ("participant", "mechanism"):
            assert all(np.array_equal(one[role][name], other[role][name]) for name in one[role])
    finally:
        algorithm.stop()


def test_a_snapshot_plays_with_its_weights_at_once_and_stays_frozen(tmp_path: Path) -> None:
    given = config(agents={**AGENTS, "mechanism": {**AGENTS["mechanism"], "warmup": 0}})
    algorithm = session.build(algorithm_config(given))
    try:
        session.iterate(algorithm)
        frozen = algorithm.learner_group.get_weights(["mechanism"])["mechanism"]
        name = add_snapshot(algorithm, "mechanism")
        assert name == "mechanism.0"
        assert equal(algorithm.env_runner.module[name].get_state(), frozen)
        sampled, learned = session.iterate(algorithm)
        turns = {module: float(count) for module, count in sampled["num_module_steps_sampled"].items()}
        assert turns["mechanism"] + turns[name] == 200
        assert min(turns["mechanism"], turns[name]) > 0
        assert "policy_loss" not in learned.get(name, {})
        assert not equal(algorithm.learner_group.get_weights(["mechanism"])["mechanism"], frozen)
        save_state(tmp_path, {"learner": session.learner_state(algorithm)})
    finally:
        algorithm.stop()
    back = restored(given, tmp_path, (name,))
    try:
        sampled, _ = session.iterate(back)
        assert float(sampled["num_module_steps_sampled"][name]) > 0
        assert equal(back.learner_group.get_weights([name])[name], frozen)
        assert add_snapshot(back, "mechanism") == "mechanism.1"
        session.iterate(back)
    finally:
        back.stop()


class Matching(ParallelEnv[str, Any, Any]):
    """Somebody else's environment: two players are paid for choosing what is in season, a judge for saying 0.5."""

    metadata = {"name": "matching"}  # noqa: RUF012

    def __init__(self) -> None:
        self.possible_agents = ["player_0", "player_1", "judge"]
        self.agents: list[str] = []

    def observation_space(self, agent: str) -> gymnasium.spaces.Box:
        return gymnasium.spaces.Box(0, 1, (1,), np.float32)

    def action_space(self, agent: str) -> Any:
        return gymnasium.spaces.Box(0, 1, (1,), np.float32) if agent == "judge" else gymnasium.spaces.Discrete(3)

    def reset(self, seed: int | None = None, options: Any = None) -> Any:
        self.agents, self.round = list(self.possible_agents), 0
        return {agent: np.zeros(1, np.float32) for agent in self.agents}, {agent: {} for agent in self.agents}

    def step(self, actions: dict[str, Any]) -> Any:
        self.round += 1
        rewards = {a: float(actions[a] == 2) for a in self.agents if a != "judge"}
        rewards["judge"] = -abs(float(actions["judge"][0]) - 0.5)
        over = self.round == 5
        seen = {agent: np.full(1, self.round / 5, np.float32) for agent in self.agents}
        flags = dict.fromkeys(self.agents, False), dict.fromkeys(self.agents, over)
        infos: dict[str, Any] = {agent: {} for agent in self.agents}
        if over:
            self.agents = []
        return seen, rewards, *flags, infos


def test_the_stock_runner_trains_on_somebody_elses_environment() -> None:
    given = config(agents={"participants": {"inverse_temperature": float("inf"), "lr": 0.01}}, runner="stock")
    algorithm = session.build(stock_config(given, parallel_env=Matching))
    try:
        first, _ = session.iterate(algorithm)
        for _ in range(8):
            last, learned = session.iterate(algorithm)
        earned = [float(r["agent_episode_returns_mean"]["player_0"]) for r in (first, last)]
        assert earned[1] > earned[0] + 0.5
        assert {"player", "judge"} <= set(learned)
    finally:
        algorithm.stop()


def test_the_stock_runner_trains_the_main_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = config(tmp_path / "stock", iterations=3, runner="stock")
    started: list[Resources] = []
    monkeypatch.setattr(session, "start_ray", started.append)  # it runs already
    run = TrainingRun.create("test", given)
    summary = run.finish(train(given, run))
    assert summary["updates"] == {"participant": 3, "mechanism": 1}
    assert summary["env_steps"] == 1200
    assert started == [given.resources]
    assert 7 < summary["online_score"] < 8.7
