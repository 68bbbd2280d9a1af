"""Losses, advantages and timescales of the learner, without a Ray cluster."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import pytest
import torch
from ray.rllib.core.columns import Columns

from lawgiver.trainers.rllib.algorithm import algorithm_config, start_of
from lawgiver.trainers.rllib.connector import gae
from lawgiver.trainers.rllib.distributions import explored
from lawgiver.trainers.rllib.gate import reply_gap
from lawgiver.trainers.rllib.learner import TrainingError
from lawgiver.trainers.rllib.modules import anchor_kl
from lawgiver.trainers.rllib.plan import ModulePlan, StdSchedule
from lawgiver.trainers.rllib.settings import RLlibAgents, RLlibConfig, RLlibTrainer
from lawgiver.trainers.settings.base import GameConfig, Resources

GAME = {
    "name": "public_investment",
    "endowments": [10, 4, 4, 4],
    "mechanism_mode": "announce",
    "participant_observation": "rule",
}


class Training:
    """A runner and a learner, without the Algorithm around them."""

    def __init__(
        self, agents: dict[str, Any], game: dict[str, Any] | None = None, steps: int = 2000, **use: Any
    ) -> None:
        self.config = RLlibConfig(
            game=GameConfig.model_validate(game or GAME),
            agents=RLlibAgents.model_validate(agents),
            trainer=RLlibTrainer(name="rllib", steps_per_iteration=steps),
            resources=Resources.model_validate({"device": "cpu", **use}),
        )
        torch.manual_seed(0)
        made = algorithm_config(self.config)
        self.runner = made.env_runner_cls(config=made)
        self.learner = made.build_learner(env=None, spaces=self.runner.get_spaces())
        self._sync()

    def _sync(self) -> None:
        self.runner.set_state({"rl_module": self.learner.module.get_state(inference_only=True)})

    def iterate(self, times: int = 1) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for _ in range(times):
            result = self.learner.update(episodes=self.runner.sample(), timesteps={"num_env_steps_sampled_lifetime": 0})
            self._sync()
        return result

    def actor(self, role: str) -> dict[str, torch.Tensor]:
        return {k: v.clone() for k, v in self.learner.module[role].unwrapped().actor.state_dict().items()}


@pytest.mark.parametrize("runner", ["batched", "stock"])
def test_what_a_runner_draws_comes_from_the_seed_its_index_and_the_iteration(runner: str) -> None:
    training = Training({"mechanism": {"gate": None}}, steps=200, runner=runner)
    made = algorithm_config(training.config)
    weights = {"rl_module": training.learner.module.get_state(inference_only=True), "weights_seq_no": 3}

    def drawn(index: int, iteration: int = 3, calls: int = 1, seed: int = 0) -> np.ndarray:
        other = made.copy(copy_frozen=False).debugging(seed=seed)
        fresh = other.env_runner_cls(config=other, worker_index=index)
        fresh.set_state({**weights, "weights_seq_no": iteration})
        np.random.seed(int.from_bytes(os.urandom(4)))  # whatever else goes on in the process
        torch.manual_seed(int.from_bytes(os.urandom(4)))
        before = torch.get_rng_state()
        for _ in range(calls):
            data = fresh.sample()
        assert torch.equal(torch.get_rng_state(), before), "the learner's generator is another's"
        if runner == "batched":
            return np.concatenate([chunk.modules["participant"].actions.ravel() for chunk in data])
        return np.concatenate([np.ravel(e.agent_episodes["participant_0"].get_actions()) for e in data])

    once = drawn(1)
    np.testing.assert_array_equal(once, drawn(1))
    for other in (drawn(2), drawn(1, iteration=4), drawn(1, calls=2), drawn(1, seed=1)):
        assert once.shape != other.shape or (once != other).any()


def test_advantages_are_those_of_the_definition() -> None:
    rng = np.random.default_rng(0)
    lengths, terminated = np.array([4, 2, 3]), np.array([True, True, False])
    rewards, values = rng.normal(size=(3, 4)), rng.normal(size=(3, 4))
    last, gamma, lambda_ = rng.normal(size=3), 0.9, 0.7
    bootstrap = np.where(terminated, 0, last)
    expected = np.zeros((3, 4))
    for row, length in enumerate(lengths):
        ahead = [*values[row, 1:length], bootstrap[row]]
        deltas = [rewards[row, t] + gamma * ahead[t] - values[row, t] for t in range(length)]
        for t in range(length):
            expected[row, t] = sum((gamma * lambda_) ** k * deltas[t + k] for k in range(length - t))
    found = gae(*(torch.as_tensor(x) for x in (rewards, values, bootstrap, lengths)), gamma, lambda_)
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-12)


def test_the_exploring_distribution_is_normal_or_log_normal_and_antithetic() -> None:
    mean, log_std = torch.tensor([[0.3, -0.2]]).repeat(6, 1), torch.tensor([[-1.0, -0.5]]).repeat(6, 1)
    distribution = explored((True, False)).from_logits(torch.cat([mean, log_std], dim=-1))
    torch.manual_seed(0)
    sample = distribution.sample()
    noise = torch.stack([sample[:, 0].log(), sample[:, 1]], dim=-1) - mean
    torch.testing.assert_close(noise[:3], -noise[3:])
    scale = log_std.exp()
    expected = torch.distributions.LogNormal(mean[:, 0], scale[:, 0]).log_prob(sample[:, 0])
    expected = expected + torch.distributions.Normal(mean[:, 1], scale[:, 1]).log_prob(sample[:, 1])
    torch.testing.assert_close(distribution.logp(sample), expected)
    torch.testing.assert_close(
        distribution.to_deterministic().sample(), torch.stack([mean[:, 0].exp(), mean[:, 1]], dim=-1)
    )


def test_timescales() -> None:
    slow = ModulePlan(warmup=4, update_every=3)
    assert [i for i in range(1, 14) if slow.due(i)] == [7, 10, 13]
    assert not any(ModulePlan(inverse_temperature=0).due(i) for i in range(1, 10))
    assert ModulePlan(inverse_temperature=float("inf")).kl_weight == 0
    assert ModulePlan(inverse_temperature=4.0).kl_weight == 0.25
    schedule = StdSchedule(0.4, 0.1, 100)
    np.testing.assert_allclose([schedule.at(i) for i in (0, 50, 100, 200)], [0.4, 0.2, 0.1, 0.1])


def test_kl_is_exact_and_illegal_actions_do_not_count() -> None:
    prior = torch.tensor([[0.5, 0.5, 0.0]]).clamp(min=1e-9).log()
    prior[0, 2] = -1e9
    logits = prior + torch.tensor([[1.0, 0.0, 7.0]])
    p = torch.sigmoid(torch.tensor(1.0))
    expected = p * (2 * p).log() + (1 - p) * (2 * (1 - p)).log()
    torch.testing.assert_close(anchor_kl(logits, prior), expected[None])


def test_inverse_temperature_zero_is_frozen_and_the_update_period_holds() -> None:
    training = Training(
        {"participants": {"inverse_temperature": 0}, "mechanism": {"update_every": 2, "warmup": 1, "gate": None}},
        steps=400,
    )
    before, start = training.actor("participant"), training.actor("mechanism")
    training.iterate(2)  # neither is trained: RLlib's own loop would fail
    assert all(torch.equal(start[k], v) for k, v in training.actor("mechanism").items() if k != "log_std")
    result = training.iterate(3)
    assert all(torch.equal(before[name], tensor) for name, tensor in training.actor("participant").items())
    assert dict(training.learner.updates) == {"mechanism": 2}
    assert not torch.equal(start["location"], training.actor("mechanism")["location"])
    assert float(result["mechanism"]["updates"].peek()) == 2
    training.learner.hold(["mechanism"])
    training.iterate(2)
    assert training.learner.updates["mechanism"] == 2


def test_std_follows_its_schedule() -> None:
    training = Training({"mechanism": {"std": {"start": 0.4, "end": 0.1, "iterations": 4}}}, steps=400)
    training.iterate(2)
    np.testing.assert_allclose(training.actor("mechanism")["log_std"].exp().numpy(), 0.2, rtol=1e-5)
    np.testing.assert_allclose(training.runner.module["mechanism"].actor.log_std.detach().exp().numpy(), 0.2, rtol=1e-5)


def test_a_loss_that_is_not_a_number_stops_the_training() -> None:
    training = Training({}, steps=400)
    chunks = training.runner.sample()
    chunks[0].modules["participant"].rewards[0, 0] = np.nan
    with pytest.raises(TrainingError, match="loss of module 'participant' is nan in iteration 1"):
        training.learner.update(episodes=chunks, timesteps={})


def truncated_geometric(largest: int, slope: float) -> np.ndarray:
    powers = np.exp(slope * np.arange(largest + 1))
    return powers / powers.sum()


@pytest.mark.parametrize("temperature", [1.0, 5.0])
def test_participants_settle_where_bounded_rationality_says(temperature: float) -> None:
    """Under libertarian each point contributed gains 0.6: the exact policy is truncated geometric."""
    training = Training(
        {
            "participants": {"inverse_temperature": temperature, "minibatch_size": 500},
            "mechanism": {
                "start": "libertarian",
                "hidden": None,
                "warmup": 1000,
                "std": {"start": 1e-6, "end": 1e-6},
            },
        },
        steps=1000,
    )
    training.iterate(60)
    chunk = training.runner.sample(num_episodes=8)[0].modules["participant"]
    module = training.learner.module["participant"].unwrapped()
    obs = torch.as_tensor(chunk.obs[:2, 0])  # head and tail
    logits = module.forward_inference({Columns.OBS: obs})[Columns.ACTION_DIST_INPUTS]
    found = anchor_kl(logits, module.log_prior(obs)).numpy()
    for seat, largest in enumerate((10, 4)):
        exact = truncated_geometric(largest, 0.6 * temperature)
        divergence = (exact * np.log(np.maximum(exact, 1e-300) * (largest + 1))).sum()
        assert abs(found[seat] / divergence - 1) < 0.2, (found, divergence)
    gap = reply_gap(training.runner.table, training.runner.module, temperature, np.random.default_rng(0))
    assert gap < 0.05


def test_the_gate_sees_how_far_participants_are_from_their_reply() -> None:
    training = Training({"mechanism": {"start": "libertarian", "hidden": None}})
    gap = reply_gap(training.runner.table, training.runner.module, 1.0, np.random.default_rng(0))
    reply = [truncated_geometric(e, 0.6) @ np.arange(e + 1) / e for e in (10, 4, 4, 4)]
    assert abs(gap - np.mean(np.array(reply) - 0.5)) < 1e-3  # they start uniform
    rational = reply_gap(training.runner.table, training.runner.module, float("inf"), np.random.default_rng(0))
    assert abs(rational - 0.5) < 1e-6


def test_rllibs_own_episodes_are_standardised_over_real_steps() -> None:
    agents = {"mechanism": {"gate": None, "warmup": 0}, "participants": {"gamma": 0.5}}
    training = Training(agents, {**GAME, "n_rounds": 5}, steps=100, runner="stock")
    episodes = training.runner.sample()
    batch = training.learner._learner_connector(
        rl_module=training.learner.module, batch={}, episodes=episodes, shared_data={}, metrics=training.learner.metrics
    )
    real = batch["mechanism"][Columns.LOSS_MASK]
    assert 0 < (~real).sum() < len(real)
    advantages = batch["mechanism"]["advantages"][real]
    assert abs(float(advantages.mean())) < 1e-5
    assert abs(float(advantages.std(correction=0)) - 1) < 1e-4
    raw = batch["participant"]
    rewards = raw[Columns.REWARDS].reshape(-1, 6)  # 5 turns and the artificial step; critics start at zero
    expected = torch.stack([(rewards[:, t:5] * 0.5 ** torch.arange(5 - t)).sum(1) for t in range(5)], dim=1)
    torch.testing.assert_close(raw["advantages"].reshape(-1, 6)[:, :5], expected, atol=1e-4, rtol=1e-4)


def test_a_start_outside_the_family_is_refused_by_name() -> None:
    from lawgiver.envs.core.errors import ParameterError
    from lawgiver.envs.core.make import make_game

    game = make_game("public_investment", mechanism_mode="announce")
    layout = game.action_layout("mechanism")
    with pytest.raises(ParameterError, match=r"libertarien.*did you mean 'libertarian'"):
        start_of(layout, game.members, "libertarien")
    with pytest.raises(ParameterError, match="3 numbers, allowed: 2"):
        start_of(layout, game.members, (1.0, 2.0, 3.0))
    assert start_of(layout, game.members, None) == (6.0, 0.5)


def test_alarms_tell_drift_and_scores_above_the_ceiling() -> None:
    from lawgiver.envs.core.make import make_game
    from lawgiver.trainers.rllib.results import alarms
    from lawgiver.trainers.rllib.settings import Participants

    game = make_game("public_investment", endowments=(10, 4, 4, 4))  # its ceiling is 8.688
    anchored = Participants.model_validate({"anchor": {"mechanism": "libertarian"}})
    assert alarms(game, Participants(), online=8.43, exact=8.40, iteration=7) == []
    (drift,) = alarms(game, Participants(), online=8.46, exact=8.40, iteration=7)
    assert "iteration 7" in drift
    assert "stopped adapting" in drift
    (above,) = alarms(game, Participants(), online=8.7, exact=8.7, iteration=7)
    assert "above the ceiling 8.688" in above
    assert alarms(game, anchored, online=8.7, exact=8.7, iteration=7) == []


def test_what_a_mechanism_is_paid_has_a_name_where_there_is_no_choice_of_it():
    from lawgiver.envs.core.make import make_game
    from lawgiver.envs.core.objectives import objective_of

    paid = {name: objective_of(make_game(name)) for name in ("repeated_allocation", "public_investment")}
    assert paid == {"repeated_allocation": "score", "public_investment": "log_nash_welfare"}
