"""Participants in a Box trained by RLlib: the fixed point of bounded rationality, runners, results, refusals."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from lawgiver.agents.network_policies import LearnedBoxParticipants
from lawgiver.envs.core.errors import ParameterError
from lawgiver.envs.core.make import make_game
from lawgiver.trainers.evaluation.evaluate import evaluate
from lawgiver.trainers.rllib.algorithm import algorithm_config
from lawgiver.trainers.rllib.distributions import truncated
from lawgiver.trainers.rllib.gate import exact_reply_gap
from lawgiver.trainers.rllib.settings import RLlibAgents, RLlibConfig, RLlibTrainer
from lawgiver.trainers.runs.config import load_config
from lawgiver.trainers.runs.launch import train
from lawgiver.trainers.runs.loading import load
from lawgiver.trainers.settings.base import GameConfig, Resources

pytestmark = pytest.mark.usefixtures("ray_cluster")

W = (3.0, -1.5)
BEST = (W[0] - 0.1) / (-2 * W[1])
"""Where a mover who is paid W_1 y + W_2 y^2 for ending at y, and pays 0.1 a unit of movement, wants to end."""
MOVERS = {"name": "lanes", "n": 3, "n_moves": None, "basis": "raw"}
PAID = {"given": {"policy": "rule", "parameters": list(W)}}
BRIEF = (
    "game.n=3",
    "game.n_moves=null",
    "resources.device=cpu",
    "trainer.iterations=3",
    "trainer.steps_per_iteration=60",
    "trainer.score_every=1",
    "agents.mechanism.warmup=0",
)


class Training:
    """A runner and a learner of participants under a given payment, without the Algorithm around them."""

    def __init__(
        self, participants: dict[str, Any], steps: int = 400, game: dict[str, Any] = MOVERS, given: Any = PAID
    ) -> None:
        agents = RLlibAgents.model_validate({"participants": participants, "mechanism": given})
        config = RLlibConfig(
            game=GameConfig.model_validate(game),
            agents=agents,
            trainer=RLlibTrainer(name="rllib", steps_per_iteration=steps),
            resources=Resources(device="cpu"),
        )
        torch.manual_seed(0)
        made = algorithm_config(config)
        self.game, self.start = config.game.make(), agents.participants.start
        self.runner = made.env_runner_cls(config=made)
        self.learner = made.build_learner(env=None, spaces=self.runner.get_spaces())

    def iterate(self, times: int) -> None:
        for _ in range(times):
            self.runner.set_state({"rl_module": self.learner.module.get_state(inference_only=True)})
            self.learner.update(episodes=self.runner.sample(), timesteps={"num_env_steps_sampled_lifetime": 0})

    def weights(self) -> dict[str, torch.Tensor]:
        actor = self.learner.module["participant"].unwrapped().actor
        return {name: tensor.clone() for name, tensor in actor.state_dict().items()}

    def policy(self) -> LearnedBoxParticipants:
        policy = LearnedBoxParticipants(self.game, hidden=(32, 32), start=self.start)
        policy.network.load_state_dict(self.weights())
        return policy


def test_participants_settle_where_bounded_rationality_says() -> None:
    """A quadratic payoff -c (a - a*)^2 makes the logit choice a Gaussian about a* of variance 1 / (2 c lambda).

    Tolerances: 0.06 in the most likely move, of starts whose best move lies well inside the Box; a tenth of the spread;
    0.1 in the total variation from the exact choice, over all starts.
    """
    level = 20.0
    training = Training({"inverse_temperature": level, "lr": 0.01}, steps=3000)
    training.iterate(30)
    people, starts = training.policy(), np.linspace(0.05, 0.85, 9)
    seen = np.stack([starts / 2, *np.broadcast_to(np.array(W)[:, None], (2, 9))], axis=-1)
    location, log_scale = people.network(torch.as_tensor(seen, dtype=torch.float32))
    np.testing.assert_allclose(location.detach()[:, 0], BEST - starts, atol=0.06)
    assert float(log_scale.exp()[0, 0].detach()) == pytest.approx((-1 / (2 * W[1] * level)) ** 0.5, rel=0.1)
    assert exact_reply_gap(training.game, people, np.array(W), level, None) < 0.1


def test_inverse_temperature_zero_is_frozen() -> None:
    training = Training({"inverse_temperature": 0, "start": [0.3], "std": {"initial": 0.2}})
    before = training.weights()
    training.iterate(2)
    after = training.weights()
    assert all(torch.equal(before[name], tensor) for name, tensor in after.items())
    assert training.learner.updates["participant"] == 0


def test_a_schedule_of_the_spread_is_followed_by_rational_participants() -> None:
    schedule = {"start": 0.4, "end": 0.1, "iterations": 4}
    training = Training({"inverse_temperature": float("inf"), "std": schedule})
    training.iterate(2)
    np.testing.assert_allclose(training.weights()["log_std"].exp(), 0.2, rtol=1e-5)


def test_the_distribution_of_rllib_is_the_policy_in_units_of_the_box() -> None:
    inputs = torch.tensor([[0.2, 0.9, -1.0, -3.0]]).repeat(100_000, 1)
    torch.manual_seed(0)
    distribution = truncated((-1.0, 5.0), (2.0, 10.0)).from_logits(inputs)
    sample = distribution.sample()
    assert (sample >= torch.tensor([-1.0, 5.0])).all()
    assert (sample <= torch.tensor([1.0, 15.0])).all()
    share = (sample - torch.tensor([-1.0, 5.0])) / torch.tensor([2.0, 10.0])
    mean, std = distribution.gaussian.moments()
    assert ((share.mean(0) - mean[0]).abs() < 4 * std[0] / 100_000**0.5).all()
    logs = distribution.logp(sample)
    error = float(logs.std()) / 100_000**0.5
    assert abs(float(logs.mean()) + float(distribution.entropy()[0])) < 4 * error
    torch.testing.assert_close(distribution.to_deterministic().sample()[0], torch.tensor([-0.6, 14.0]))
    assert float(distribution.kl(distribution)[0]) == pytest.approx(0, abs=1e-5)


@pytest.mark.parametrize("runner", ["batched", "stock"])
def test_both_learn_on_either_runner_and_the_tables_are_exact(tmp_path: Path, runner: str) -> None:
    summary = train("lanes_rllib", [*BRIEF, f"resources.runner={runner}", f"run_dir={tmp_path / 'run'}"])[1]
    assert summary["updates"] == {"participant": 3, "mechanism": 3 - summary_held(tmp_path / "run")}
    assert summary["threshold"].keys() == {"learned", "closed_form"}
    assert 0 < summary["threshold"]["learned"] < 1
    people = load(tmp_path / "run", role="participant")
    assert isinstance(people, LearnedBoxParticipants)
    again = evaluate(tmp_path / "run", games=500)
    assert again["threshold"] == pytest.approx(summary["threshold"])
    played, expected = again["simulated"]["payments"]["learned"], summary["trained_participants"]["expected_budget"]
    assert abs(played.mean - expected["trained"]) < 2.1 * played.half + 1e-3 * abs(expected["trained"])


def summary_held(path: Path) -> int:
    rows = [json.loads(line) for line in (path / "metrics.jsonl").read_text().splitlines()]
    assert all(0 < row["reply_gap"] < 1 for row in rows)
    assert all(row["participant"]["anchor_kl"] > 0 for row in rows)
    return sum(row["mechanism"]["held"] for row in rows)


@pytest.mark.parametrize("runner", ["batched", "stock"])
def test_reports_of_many_numbers_train_on_either_runner(tmp_path: Path, runner: str) -> None:
    """A mechanism that decides by what is reported learns as well; its reply is not known, so that there is no gate."""
    overrides = [
        "game={name: payment_free_allocation, mechanism_mode: allocate}",
        "agents.mechanism.start=null",
        "agents.mechanism.gate=null",
        *BRIEF[2:],
        f"resources.runner={runner}",
        f"run_dir={tmp_path / 'run'}",
    ]
    summary = train("lanes_rllib", overrides)[1]
    assert summary["updates"] == {"participant": 3, "mechanism": 3}
    assert np.isfinite(summary["online_score"])
    assert set(load(tmp_path / "run")) == {"participant", "mechanism"}


def test_bidders_of_a_first_price_auction_learn_to_bid_half_their_value() -> None:
    """The equilibrium of two with uniform values; tolerance: 0.05 in root mean square of the mean bid."""
    settings = {"inverse_temperature": 300.0, "lr": 0.005, "minibatch_size": 2000, "std": {"initial": 0.2}}
    free = {"given": {"policy": "rule", "parameters": [0.0]}}
    training = Training(settings, 8000, {"name": "sealed_bid", "n": 2}, free)
    training.iterate(40)
    values = np.linspace(0.05, 1, 96)
    seen = np.stack([values, np.zeros(96)], axis=-1)[:, None]
    bids = training.policy().distribution(seen, None, None)[0][:, 0, 0, 0]
    assert np.sqrt(((bids - values / 2) ** 2).mean()) < 0.05


@pytest.mark.parametrize("game", ["sealed_bid", "double_auction"])
def test_bidders_train_under_given_rules_and_are_evaluated(tmp_path: Path, game: str) -> None:
    name = ("game={name: double_auction}", "agents.mechanism.given={policy: random}")
    overrides = [*(name if game == "double_auction" else ()), *BRIEF[2:5], f"run_dir={tmp_path / 'run'}"]
    summary = train("first_price_bidders_ppo", overrides)[1]
    assert summary["updates"] == {"participant": 3}
    assert summary["trained_participants"]["played"]["revenue"].mean > 0
    people = load(tmp_path / "run", role="participant")
    assert isinstance(people, LearnedBoxParticipants)
    again = evaluate(tmp_path / "run", games=500)
    assert again["simulated"]["revenue"]["given"].mean > 0
    assert (tmp_path / "run" / "figures").is_dir()


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["agents.participants.anchor={mechanism: no_mechanism}"], r"anchor is .* choose from a Box: allowed: uniform"),
        (
            ["agents.participants.start=[2.0]"],
            r"agents\.participants\.start has move = 2.0, allowed: a number in \[0, 1\]",
        ),
        (["agents.participants.start=[0.1, 0.2]"], r"agents\.participants\.start has 2 numbers, allowed: 1"),
        (["agents.participants.std={start: 0.4, end: 0.1, iterations: 5}"], r"std is a schedule.* or an inverse temp"),
        (["game.n_moves=11", "agents.participants.start=[0.1]"], r"participants\.start belongs to .* among 11 actions"),
        (["game.n_moves=11", "agents.participants.std={initial: 0.1}"], r"participants\.std belongs to .* 11 actions"),
        (
            ["game={name: payment_free_allocation}", "agents.mechanism.start=null"],
            r"gate is 0\.2, but the logit reply of participants of payment_free_allocation-v0.* allowed: null",
        ),
    ],
)
def test_what_does_not_fit_is_refused_in_one_line(tmp_path: Path, overrides: list[str], message: str) -> None:
    with pytest.raises(ParameterError, match=message) as raised:
        train("lanes_rllib", [*BRIEF, *overrides, f"run_dir={tmp_path / 'run'}"])
    assert "\n" not in str(raised.value)


def test_settings_of_the_box_are_read() -> None:
    given = load_config("lanes_rllib", ["game.n_moves=null", "agents.participants.start=[0.25]"])
    assert given.agents.participants.start == (0.25,)
    assert given.agents.participants.std.initial == 1.0
    assert make_game("lanes", n_moves=None).action_layout("participant")[0].high == 1
