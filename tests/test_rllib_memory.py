"""Agents of RLlib with a memory: sequences of the learner are those of the runner, and what is remembered pays."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from ray.rllib.core.columns import Columns
from ray.rllib.core.rl_module.multi_rl_module import MultiRLModuleSpec

import lawgiver
from lawgiver.envs.core.errors import ParameterError
from lawgiver.envs.core.make import make_policy
from lawgiver.envs.core.rollout import rollout
from lawgiver.envs.views.parallel import GameParallelEnv
from lawgiver.testing import check_game
from lawgiver.trainers.rllib.algorithm import algorithm_config, stock_config
from lawgiver.trainers.rllib.chunks import Chunk, Trajectories
from lawgiver.trainers.rllib.gate import reply_gap
from lawgiver.trainers.rllib.mapping import RoleMapping
from lawgiver.trainers.rllib.minibatches import Games
from lawgiver.trainers.rllib.self_play.train import algorithm_config as self_play_config
from lawgiver.trainers.rllib.settings import RLlibConfig, SelfPlayConfig
from lawgiver.trainers.rllib.setup import prepare
from lawgiver.trainers.runs.launch import train
from lawgiver.trainers.runs.loading import load

SOURCE = Path(__file__).parent / "data" / "recall"
RECALL = {"name": "recall", "delay": 3}
TRUNCATED = {"name": "taxed_dilemma", "continuation": 0.8, "max_rounds": 6}
COMMONS = {"name": "commons_trust", "n_rounds": 6}
GIVEN = {"participants": {"given": "simulated_people", "memory": 0}}
ELECTION = {
    "name": "election",
    "base": {"name": "public_investment", "endowments": [10, 4, 4, 4], "n_rounds": 3},
    "participants": "conditional_cooperators",
    "voters": {"policy": "experience", "sensitivity": 18.0, "fairness": 0.0},
}


@pytest.fixture(autouse=True)
def recall(install: Callable[[Path], Path]) -> None:
    """Install the game of memory."""
    if not any("recall" in name for name in lawgiver.list_games()):
        install(SOURCE)


def config(game: dict[str, Any], steps: int = 240, **agents: Any) -> RLlibConfig:
    """Make a config in which both roles remember, unless ``agents`` says otherwise."""
    people = {"memory": 5, "hidden": [8], **agents.get("participants", {})}
    mechanism = {"memory": 4, "hidden": [8], "gate": None, "warmup": 0, **agents.get("mechanism", {})}
    return RLlibConfig.model_validate(
        {
            "game": game,
            "agents": {"participants": people, "mechanism": mechanism},
            "trainer": {"name": "rllib", "iterations": 2, "steps_per_iteration": steps},
            "resources": {"device": "cpu"},
        }
    )


def election() -> Any:
    """Make RLlib's config of self-play with a memory."""
    return self_play_config(
        SelfPlayConfig.model_validate(
            {
                "game": ELECTION,
                "agents": {"mechanism": {"memory": 3, "n_units": 6, "minibatch_size": 100}},
                "trainer": {"name": "self_play", "elections_per_iteration": 30},
                "resources": {"device": "cpu"},
            }
        )
    )


class Sides:
    """A runner and a learner with the same weights, which make a difference from the start."""

    def __init__(self, made: Any) -> None:
        torch.manual_seed(0)
        self.runner = made.env_runner_cls(config=made)
        self.learner = made.build_learner(env=None, spaces=self.runner.get_spaces())
        with torch.no_grad():
            for name in self.learner.module.keys():  # noqa: SIM118  # an RLlib module is no mapping
                for parameter in self.learner.module[name].unwrapped().parameters():
                    parameter.add_(0.3 * torch.randn_like(parameter))
        self.runner.set_state({"rl_module": self.learner.module.get_state(inference_only=True)})

    def module(self, name: str) -> Any:
        return self.learner.module[name].unwrapped()

    def batch(self, chunks: list[Chunk]) -> dict[str, Any]:
        found: dict[str, Any] = self.learner._learner_connector(
            rl_module=self.learner.module, batch={}, episodes=chunks, shared_data={}, metrics=self.learner.metrics
        )
        return found


SETTINGS: dict[str, Callable[[], Any]] = {
    "discrete and gaussian": lambda: algorithm_config(config({**RECALL, "n": 3})),
    "box and gaussian": lambda: algorithm_config(config({**RECALL, "numbers": True})),
    "games of unequal length": lambda: algorithm_config(config(TRUNCATED)),
    "graph network taking turns": election,
    "planner's network": lambda: algorithm_config(config(COMMONS, mechanism={"network": "planner"}, **GIVEN)),
}


@pytest.mark.parametrize("setting", SETTINGS)
def test_the_learner_recomputes_what_the_runner_did(setting: str) -> None:
    """Log-probabilities before the first update, of the batch and of each of its minibatches, agree to 1e-5."""
    sides = Sides(SETTINGS[setting]())
    chunks = [sides.runner.sample(), sides.runner.sample()]
    batch = sides.batch([chunk for sampled in chunks for chunk in sampled])
    assert batch
    for name, columns in batch.items():
        module = sides.module(name)
        whole = [Games(columns[Columns.T]).rows(torch.randperm(len(Games(columns[Columns.T])))[:7]), slice(None)]
        for rows in whole:
            some = {key: column[rows] for key, column in columns.items()}
            inputs = module.forward_train(some)[Columns.ACTION_DIST_INPUTS]
            distribution = module.get_train_action_dist_cls().from_logits(inputs)
            torch.testing.assert_close(
                distribution.logp(some[Columns.ACTIONS]), some[Columns.ACTION_LOGP], atol=1e-5, rtol=0
            )
        forgetful = module.forward_train({Columns.OBS: columns[Columns.OBS]})[Columns.ACTION_DIST_INPUTS]
        assert (forgetful - columns[Columns.ACTION_DIST_INPUTS]).abs().max() > 1e-3, "nothing was remembered"


def test_values_are_those_of_each_turn_and_of_what_follows_a_game_that_is_cut_off() -> None:
    sides = Sides(algorithm_config(config(TRUNCATED, steps=1200)))
    (chunk,) = sides.runner.sample()
    part, module = chunk.modules["participant"], sides.module("participant")
    obs, last, lengths = (torch.as_tensor(x) for x in (part.obs, part.last_obs, part.lengths))
    values, bootstrap = module.values_of_games(obs, last, lengths)
    states: list[Any] = [None]
    for turn in range(obs.shape[1]):
        batch = {Columns.OBS: obs[:, turn], Columns.STATE_IN: states[-1]}
        torch.testing.assert_close(module.compute_values(batch), values[:, turn], atol=1e-5, rtol=1e-5)
        states.append(module.forward_inference(batch)[Columns.STATE_OUT])
    assert len(set(part.lengths.tolist())) > 3
    for row, length in enumerate(part.lengths):
        batch = {Columns.OBS: last[[row]], Columns.STATE_IN: states[length][[row]]}
        torch.testing.assert_close(module.compute_values(batch)[0], bootstrap[row], atol=1e-5, rtol=1e-5)


def test_the_critic_does_not_shape_the_memory() -> None:
    sides = Sides(algorithm_config(config(RECALL)))
    columns, module = sides.batch(sides.runner.sample())["participant"], sides.module("participant")
    outputs = module.forward_train(columns)
    for embeddings in (None, outputs[Columns.EMBEDDINGS]):
        module.zero_grad()
        module.compute_values(columns, embeddings=embeddings).square().mean().backward()
        assert all(p.grad is None for p in module.actor.parameters())
        assert all(p.grad is not None for p in module.critic.parameters())


def test_minibatches_are_of_whole_games_and_hold_each_once_an_epoch() -> None:
    made = algorithm_config(config(TRUNCATED, 1200, participants={"epochs": 2, "minibatch_size": 90}))
    sides = Sides(made)
    (chunk,) = sides.runner.sample()
    lengths = chunk.modules["participant"].lengths
    marked = chunk.modules["participant"].take(slice(None))
    names = np.arange(len(lengths), dtype=np.float32)
    rewards = np.where(marked.mask, names[:, None], 0)  # each game by its number, which gamma 0 leaves to be seen
    modules = {"participant": Trajectories(**{**vars(marked), "rewards": rewards})}
    sides.learner._weights_seq_no = 1
    critic = sides.module("participant").critic
    torch.nn.init.zeros_(critic.body[-1].weight)
    torch.nn.init.zeros_(critic.body[-1].bias)
    rows = sides.batch([Chunk(modules, 1)])["participant"]
    batches = list(sides.learner._minibatches(rows, sides.learner.plans["participant"], np.random.default_rng(0)))
    assert len(batches) == 2 * round(lengths.sum() / 90)
    seen = []
    for batch in batches:
        game, turn = batch["value_targets"].numpy().round().astype(int), batch[Columns.T].numpy()
        starts = np.flatnonzero(turn == 0)
        for start, end in zip(starts, [*starts[1:], len(turn)], strict=True):
            assert (game[start:end] == game[start]).all()
            np.testing.assert_array_equal(turn[start:end], np.arange(lengths[game[start]]))
            seen.append(game[start])
    assert sorted(seen) == sorted([*range(len(lengths))] * 2)
    short = algorithm_config(config(TRUNCATED, participants={"minibatch_size": 1})).learner_config_dict["plans"]
    one = list(sides.learner._minibatches(rows, short["participant"], np.random.default_rng(0)))
    assert min(len(batch) for batch in one) >= 1  # no step is left without a game


def test_frozen_copies_remember_for_themselves() -> None:
    """Two modules of one role play side by side: each row goes by the weights and the state of its own module."""
    made = algorithm_config(config(RECALL, steps=800))
    specs = made.rl_module_spec.rl_module_specs
    both = MultiRLModuleSpec(rl_module_specs={**specs, "mechanism.0": specs["mechanism"]})
    mapping = RoleMapping({"mechanism": ("mechanism.0",)})
    made.multi_agent(policies=set(both.rl_module_specs), policy_mapping_fn=mapping).rl_module(rl_module_spec=both)
    sides = Sides(made)
    (chunk,) = sides.runner.sample()
    assert chunk.modules.keys() == {"mechanism", "mechanism.0", "participant"}
    for name in ("mechanism", "mechanism.0"):
        part, module = chunk.modules[name], sides.module(name)
        state = None
        for turn in range(part.obs.shape[1]):
            found = module.forward_inference({Columns.OBS: torch.as_tensor(part.obs[:, turn]), Columns.STATE_IN: state})
            inputs, state = found[Columns.ACTION_DIST_INPUTS], found[Columns.STATE_OUT]
            np.testing.assert_allclose(inputs.detach(), part.dist_inputs[:, turn], atol=1e-5)


def test_the_gate_plays_with_the_memory_of_modules() -> None:
    """Where nothing is at stake in the first round, the reply is the prior; memories have the shape of the games."""
    sides = Sides(algorithm_config(config({**RECALL, "delay": 1})))
    gap = reply_gap(sides.runner.table, sides.runner.module, 1.0, np.random.default_rng(0))
    (chunk,) = sides.runner.sample(num_episodes=400)
    part = chunk.modules["participant"]
    chosen = torch.as_tensor(part.dist_inputs[:, 0]).softmax(-1)[:, 1]
    assert gap == pytest.approx(float((chosen - 0.5).abs().mean()), abs=0.02)


def learned(path: Path, units: int, numbers: bool = False) -> Path:
    """Train on the game of memory through the front door; return the run's folder."""
    spread = "{start: 0.3, end: 0.05, iterations: 25}"
    overrides = [
        f"game={{name: recall, delay: 3, numbers: {str(numbers).lower()}}}",
        *(f"agents.{role}.memory={units}" for role in ("participants", "mechanism")),
        *([f"agents.participants.std={spread}"] if numbers else []),
        "agents.participants.lr=0.02",
        "agents.participants.minibatch_size=200",
        "agents.mechanism.minibatch_size=100",
        "agents.mechanism.std.iterations=25",
        "trainer.iterations=30",
        "trainer.steps_per_iteration=1200",
    ]
    return train(SOURCE / "recall.yaml", [*overrides, f"run_dir={path / 'run'}"])[0]


def payoff(run: Path) -> float:
    """Return the mean payoff of a game to a participant under the saved policies."""
    game = lawgiver.Run.open(run).game()
    rng = np.random.default_rng(5)
    steps = rollout(game, load(run), game.initial_state(1000, rng), rng)
    return float(sum(step.rewards["participant"].mean() for step in steps))


def test_the_game_of_memory_keeps_its_word() -> None:
    check_game("recall", delay=2)
    check_game("recall", n=3, delay=1, numbers=True)


@pytest.mark.usefixtures("ray_cluster", "undrawn")
@pytest.mark.parametrize("numbers", [False, True], ids=["discrete", "box"])
def test_with_a_memory_both_roles_earn_what_there_is(tmp_path: Path, numbers: bool) -> None:
    """The optimum is 2, of which 0.95 are reached; without a memory nobody can expect more than 1."""
    run = learned(tmp_path, 8, numbers)
    assert payoff(run) > 0.95 * 2
    game = lawgiver.Run.open(run).game()
    env = GameParallelEnv(game, mechanism=make_policy(game, "mechanism", run))
    earned = []
    for seed in range(40):
        observations, _ = env.reset(seed=seed)
        cues = {agent: float(obs[1] > 0) for agent, obs in observations.items()}
        while env.agents:
            words = {agent: np.array([cue], np.float32) if numbers else int(cue) for agent, cue in cues.items()}
            _, rewards, *_ = env.step(words)
        earned.append(sum(rewards.values()) / len(rewards))
    assert np.mean(earned) > 0.95 * 2
    found = lawgiver.evaluate(run, games=200)
    assert found["simulated"]["surplus"]["learned"].mean > 0.95 * game.n * 2 / (game.delay + 1)


@pytest.mark.usefixtures("ray_cluster", "undrawn")
def test_without_a_memory_nobody_earns_more_than_by_chance(tmp_path: Path) -> None:
    assert payoff(learned(tmp_path, 0)) < 1 + 4 / 2000**0.5  # of 2000 independent payoffs of variance at most 1


@pytest.mark.parametrize(
    ("game", "agents", "message"),
    [
        (RECALL, {"mechanism": {"hidden": None}}, r"agents\.mechanism\.memory is 4, but with .*hidden = null"),
        ({"name": "lanes"}, {}, r"agents\.participants\.memory is 5, but the mechanism of lanes-v0 .* allowed: 0"),
        (
            {"name": "lanes"},
            {"participants": {"memory": 0}},
            r"agents\.mechanism\.memory is 4, but the mechanism of lanes-v0",
        ),
    ],
)
def test_a_memory_without_use_is_refused(game: dict[str, Any], agents: Any, message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        prepare(config(game, **agents))


def test_rllibs_own_runner_takes_no_memory() -> None:
    given = config(RECALL)
    own = given.model_copy(update={"resources": given.resources.model_copy(update={"runner": "stock"})})
    message = r"agents\.participants\.memory is 5, allowed with resources\.runner=stock: 0"
    for refused in (prepare, stock_config):
        with pytest.raises(ParameterError, match=message):
            refused(own)
