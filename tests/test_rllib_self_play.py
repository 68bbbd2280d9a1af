"""Self-play in an election: turns and rewards by the rules, a league of frozen copies, training and resuming."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from lawgiver.agents.graph_network import LearnedGraphMechanism
from lawgiver.envs.core.errors import LawgiverError
from lawgiver.envs.core.make import make_policy
from lawgiver.trainers.evaluation.evaluate import evaluate
from lawgiver.trainers.rllib import session
from lawgiver.trainers.rllib.mapping import EpisodeId, assign
from lawgiver.trainers.rllib.play import State, make_rollout_setup, play
from lawgiver.trainers.rllib.self_play.league import League, LeagueMapping
from lawgiver.trainers.rllib.self_play.train import algorithm_config, train
from lawgiver.trainers.rllib.settings import SelfPlayConfig
from lawgiver.trainers.rllib.snapshots import freeze, seat
from lawgiver.trainers.rllib.stock import TurnAdapter
from lawgiver.trainers.runs.config import load_config
from lawgiver.trainers.runs.loading import load
from lawgiver.trainers.runs.training_run import TrainingRun

ELECTION = {
    "name": "election",
    "base": {"name": "public_investment", "endowments": [10, 4, 4, 4], "n_rounds": 3},
    "participants": "conditional_cooperators",
    "voters": {"policy": "experience", "sensitivity": 18.0, "fairness": 0.0},
}
PARAMS = {key: value for key, value in ELECTION.items() if key != "name"}


def config(path: Path | None = None, trainer: Any = None, mechanism: Any = None, **use: Any) -> SelfPlayConfig:
    settings = {"iterations": 5, "elections_per_iteration": 60, "checkpoint_every": 2, "score_every": 2}
    few = {"score_elections": 10, "final_elections": 10, "league": {"every": 1, "largest": 3}}
    return SelfPlayConfig.model_validate(
        {
            "game": ELECTION,
            "agents": {"mechanism": {"minibatch_size": 100, "average_over": 2, **(mechanism or {})}},
            "trainer": {"name": "self_play", **settings, **few, **(trainer or {})},
            "resources": {"device": "cpu", **use},
            "run_dir": path,
        }
    )


def sent(obs: np.ndarray) -> np.ndarray:
    """Return logits that depend on everything seen."""
    return np.asarray(np.tanh(obs[..., :4] - 3 * obs[..., 4:]), np.float32)


def test_seats_that_take_turns_get_their_own_turns_and_are_paid_for_them() -> None:
    table = make_rollout_setup({"game": "election", "params": PARAMS})
    game, games = table.game, 40

    def act(module: str, obs: np.ndarray, state: State) -> tuple[np.ndarray, np.ndarray, np.ndarray, State]:
        """Keep, as the state, the number of turns and the sum of what was seen."""
        asked.append((module, len(obs)))
        now = np.stack([np.ones(len(obs)), obs.sum(axis=1)], axis=1)
        before = np.zeros_like(now) if state is None else state
        return sent(obs), before[:, 1], before, before + now

    asked: list[tuple[str, int]] = []
    mapping = LeagueMapping("mechanism", 2, ("a", "b"), (0.5, 0.5))
    modules = assign(mapping, game, [f"7-{i}" for i in range(games)])
    record = play(table, games, np.random.default_rng(5), act, modules)
    found = record.trajectories["mechanism"]

    rng = np.random.default_rng(5)
    state = game.initial_state(games, rng)
    seen: list[list[np.ndarray]] = [[] for _ in range(2 * games)]
    for _ in range(game.max_steps):
        obs, acting = game.observe(state, "mechanism").astype(np.float32), game.acts(state, "mechanism")
        assert (acting.sum(axis=1) == 1).all()
        for election, chair in np.argwhere(acting):
            seen[2 * election + chair].append(obs[election, chair])
        state, rewards, *_ = game.step(state, sent(obs) * acting[..., None], game.draw(games, rng))
    paid = rewards["mechanism"].ravel()

    np.testing.assert_array_equal(found.obs, seen)
    np.testing.assert_array_equal(found.actions, sent(found.obs))
    earlier = np.cumsum(found.obs.sum(axis=-1), axis=1)[:, :-1]  # only what was seen in the own turns
    np.testing.assert_allclose(found.logp, np.pad(earlier, [(0, 0), (1, 0)]), rtol=1e-6)
    np.testing.assert_array_equal(found.dist_inputs[..., 0], np.broadcast_to(np.arange(3), (2 * games, 3)))
    np.testing.assert_array_equal(found.lengths, 3)
    np.testing.assert_allclose(found.rewards[:, -1], paid)
    np.testing.assert_array_equal(found.rewards[:, :-1], 0)
    assert np.abs(paid).max() > 0.2
    np.testing.assert_allclose(found.rewards.reshape(games, 2, 3).sum(axis=(1, 2)), 0, atol=1e-6)
    np.testing.assert_array_equal(record.turns["mechanism"], 3)
    assert sum(rows for _, rows in asked) == 6 * games  # nobody is asked out of turn
    turns = {name: (modules["mechanism"] == name).sum() * 3 for name in ("mechanism", "a", "b")}
    assert {name: sum(rows for who, rows in asked if who == name) for name in turns} == turns


def test_rllibs_own_runner_sees_only_the_mechanism_that_acts() -> None:
    adapter = TurnAdapter({"game": "election", "params": PARAMS})
    shown, _ = adapter.reset(seed=3)
    turns, earned = [], dict.fromkeys(adapter.possible_agents, 0.0)
    done = False
    while not done:
        assert len(shown) == 1
        turns += shown
        shown, rewards, terminated, _, _ = adapter.step({agent: sent(obs) for agent, obs in shown.items()})
        earned = {agent: earned[agent] + reward for agent, reward in rewards.items()}
        done = terminated["__all__"]
    assert turns in (["mechanism_0"] * 3 + ["mechanism_1"] * 3, ["mechanism_1"] * 3 + ["mechanism_0"] * 3)
    assert set(shown) == set(adapter.possible_agents)
    assert sum(earned.values()) == pytest.approx(0)


def test_the_learner_has_one_seat_and_opponents_are_met_by_their_shares() -> None:
    mapping = LeagueMapping("mechanism", 2, ("mechanism.0", "mechanism.1"), (0.8, 0.2))
    episodes = [EpisodeId(f"1-{i}") for i in range(4000)]
    ids = np.array([[mapping(f"mechanism_{seat}", episode) for seat in range(2)] for episode in episodes])
    learner = ids == "mechanism"
    assert (learner.sum(axis=1) == 1).all()
    assert learner[:, 0].mean() == pytest.approx(0.5, abs=0.04)
    assert (ids == "mechanism.0").sum() / 4000 == pytest.approx(0.8, abs=0.03)
    assert (ids[:, 0] == "mechanism.0").sum() / 4000 == pytest.approx(0.4, abs=0.04)


def test_the_league_prefers_who_is_hard_to_beat_and_keeps_the_first() -> None:
    league = League("mechanism", largest=3, power=2.0, memory=0.5)
    assert [league.admit(i) for i in (0, 5, 10)] == ["mechanism.0", "mechanism.1", "mechanism.2"]
    assert league.shares() == pytest.approx(dict.fromkeys(league.members, 1 / 3))
    met = dict.fromkeys(league.members, 100.0)
    won = {"mechanism.0": 90.0, "mechanism.1": 70.0, "mechanism.2": 50.0}
    league.observe(met, won, won)
    assert list(league.shares().values()) == pytest.approx(np.array([1, 9, 25]) / 35)
    league.observe({"mechanism.1": 50.0}, {"mechanism.1": 20.0}, {"mechanism.1": 25.0})
    assert league.members["mechanism.1"].win_rate == pytest.approx((0.5 * 70 + 20) / 100)
    assert league.members["mechanism.1"].vote_share == pytest.approx((0.5 * 70 + 25) / 100)
    assert league.admit(15) == "mechanism.1"  # the first is beaten more often, but stays
    assert set(league.members) == {"mechanism.0", "mechanism.1", "mechanism.2"}
    assert league.members["mechanism.0"].made == 0


def metrics(path: Path) -> list[dict[str, Any]]:
    rows = [json.loads(line) for line in (path / "metrics.jsonl").read_text().splitlines()]
    return [{key: value for key, value in row.items() if key != "timing"} for row in rows]


class PowerCutError(Exception):
    """Stands for a kill in mid-training."""


@pytest.mark.parametrize(("runners", "memory"), [(0, 0), (1, 0), (0, 3)])
def test_a_resumed_self_play_equals_an_uninterrupted_one(
    ray_cluster: None, tmp_path: Path, runners: int, memory: int
) -> None:
    whole, parts = (
        config(tmp_path / name, mechanism={"memory": memory}, num_env_runners=runners) for name in ("whole", "cut")
    )
    run = TrainingRun.create("test", whole)
    summary = run.finish(train(whole, run))

    cut = TrainingRun.create("test", parts)
    log = cut.log

    def logged(iteration: int, *args: Any) -> None:
        log(iteration, *args)
        if iteration == 5:
            raise PowerCutError

    cut.log = logged  # type: ignore[method-assign]
    with pytest.raises(PowerCutError):
        train(parts, cut)
    cut.close()
    torch.manual_seed(99)
    again = TrainingRun.resume(tmp_path / "cut", parts)
    resumed = again.finish(train(parts, again))

    assert metrics(tmp_path / "cut") == metrics(tmp_path / "whole")
    assert {k: v for k, v in resumed.items() if k != "timing"} == {k: v for k, v in summary.items() if k != "timing"}
    rows = metrics(tmp_path / "whole")
    assert [row["iteration"] for row in rows] == [1, 2, 3, 4, 5]
    assert [row["league"]["copies"] for row in rows] == [1, 2, 3, 3, 3]
    assert rows[-1]["elections"] == 300
    rivals = {"first_snapshot", "strict_egalitarian", "libertarian", "liberal_egalitarian"}
    assert rivals <= set(summary["vote_share"])
    assert set(summary["vote_share"]["libertarian"]) == {"10-4-4-4", "pooled"}
    assert set(evaluate(tmp_path / "whole", games=20)["vote_share"]) == set(summary["vote_share"])
    policies = load(tmp_path / "whole")
    assert isinstance(policies["mechanism"], LearnedGraphMechanism)
    base = policies["mechanism"]
    ruled = make_policy(config().game.make(), "mechanism", str(tmp_path / "whole"))  # sits in an election, too
    obs = np.array([[[10.0, 4, 4, 4, 5, 2, 0, 4]]])
    rng = np.random.default_rng(0)
    ours, _ = base.act(obs, None, base.initial_state(1, rng), rng)
    both, _ = ruled.act(np.repeat(obs, 2, axis=1), None, ruled.initial_state(1, rng), rng)
    np.testing.assert_array_equal(both, np.repeat(ours, 2, axis=1))


def test_copies_stay_as_they_were_on_learners_and_runners(ray_cluster: None) -> None:
    algorithm = session.build(algorithm_config(config(num_env_runners=1)))
    try:
        league = League("mechanism", 2, 1.0, 0.8)
        kept = {}
        for _ in range(3):
            name = league.admit(0)
            freeze(algorithm, "mechanism", name, league.mapping(2))
            kept[name] = _acting(algorithm.learner_group.get_weights(["mechanism"])["mechanism"])
            sampled, _ = session.iterate(algorithm)
            assert set(sampled["games_against"]) == set(league.members)
            assert sum(sampled["games_against"].values()) == sampled["num_episodes"]
            for copy, weights in kept.items():
                owners = algorithm.env_runner_group.foreach_env_runner(lambda r, n=copy: r.module[n].get_state())
                owners.append(algorithm.learner_group.get_weights([copy])[copy])
                assert len(owners) == 3
                for owner in owners:
                    for key, value in weights.items():
                        np.testing.assert_array_equal(owner[key], value)
        (victim,) = _remote(algorithm, lambda _: os.getpid())
        os.kill(victim, signal.SIGKILL)
        seat(algorithm, mapping := league.mapping(2))  # does not mind who is gone
        session.iterate(algorithm)  # waits for a runner, as there is no other
        (replaced,) = _remote(algorithm, lambda _: os.getpid())
        assert replaced != victim
        assert _remote(algorithm, lambda r: r.config.policy_mapping_fn) == [mapping]
        for copy in league.members:
            (owner,) = _remote(algorithm, lambda r, n=copy: r.module[n].get_state())
            assert all(np.array_equal(owner[key], value) for key, value in kept[copy].items())
        learned = _acting(algorithm.learner_group.get_weights(["mechanism"])["mechanism"])
        last = kept[name]
        assert any(not np.array_equal(learned[key], last[key]) for key in learned)
    finally:
        algorithm.stop()


def _remote(algorithm: Any, function: Any) -> list[Any]:
    found: list[Any] = algorithm.env_runner_group.foreach_env_runner(function, local_env_runner=False)
    return found


def _acting(weights: dict[str, Any]) -> dict[str, Any]:
    return {name: np.array(value) for name, value in weights.items() if name.startswith("actor")}


def test_it_learns_to_pay_those_who_vote(ray_cluster: None, tmp_path: Path) -> None:
    """Where everyone gives everything and votes for the larger payoff, votes are bought with others' shares."""
    data = config(
        tmp_path / "run",
        {"iterations": 30, "elections_per_iteration": 1000, "final_elections": 1000, "score_every": 30},
        {"minibatch_size": 1000, "lr": 1e-2, "average_over": 1},
    ).model_dump(mode="json")
    voters = {"policy": "experience", "sensitivity": 4.0, "fairness": 0.0}
    given = SelfPlayConfig.model_validate(
        {**data, "game": {**ELECTION, "participants": "full_contributor", "voters": voters}}
    )
    run = TrainingRun.create("test", given)
    summary = run.finish(train(given, run))
    share = summary["vote_share"]["first_snapshot"]["pooled"]
    assert share.low > 0.55, share
    weights = load(tmp_path / "run", role="mechanism").weights(*np.array([[[10.0, 4, 4, 4]], [[10.0, 4, 4, 4]]]))[0]
    assert weights[0] < 0.2  # one vote less, and three more


def test_what_does_not_fit_is_refused(tmp_path: Path) -> None:
    other = {"game": {**ELECTION, "base": {"name": "public_investment", "mechanism_mode": "announce"}}}
    more = {"game": {**ELECTION, "n_mechanisms": 3}}
    for wrong, message in (
        (other, "allocate"),
        (more, "two mechanisms"),
        ({"resources": {"runner": "stock"}}, "stock"),
    ):
        given = SelfPlayConfig.model_validate({**config(tmp_path / "run").model_dump(mode="json"), **wrong})
        run = TrainingRun.create("test", given)
        with pytest.raises(LawgiverError, match=message):
            train(given, run)
        run.discard()
        run.close()


def test_the_packaged_config_is_valid() -> None:
    given = load_config("election")
    assert isinstance(given, SelfPlayConfig)
    assert len(given.game.make().game.conditions) == 5
