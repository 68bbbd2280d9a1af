"""RLlib's allocator of online allocation: its training, what is saved of it, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import lawgiver
from lawgiver.envs.core.errors import LawgiverError
from lawgiver.trainers.online_allocation import evaluation
from lawgiver.trainers.rllib.algorithm import algorithm_config
from lawgiver.trainers.rllib.settings import RLlibConfig
from lawgiver.trainers.rllib.setup import prepare
from lawgiver.trainers.runs import launch


def config(game: dict[str, Any] | None = None, **mechanism: Any) -> RLlibConfig:
    """Make the config of a short training of an allocator among truthful participants."""
    learning = {"network": "allocator", "hidden": [8], "gate": None, "warmup": 0}
    return RLlibConfig.model_validate(
        {
            "game": {"name": "online_allocation", "n": 3, "rounds": 5} | (game or {}),
            "agents": {"participants": {"given": "truthful"}, "mechanism": learning | mechanism},
            "trainer": {"name": "rllib", "steps_per_iteration": 100},
            "resources": {"device": "cpu"},
        }
    )


@pytest.mark.parametrize("query", ["own", "any_pair"])
def test_the_mechanism_plays_what_its_module_finds_most_likely(query: str) -> None:
    told = config({"query": query})
    torch.manual_seed(0)
    module = algorithm_config(told).rl_module_spec.rl_module_specs["mechanism"].build()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(0.3 * torch.randn(parameter.shape))
    setup = prepare(told)
    game: Any = setup.game
    policy = setup.mechanism({name: x.clone() for name, x in module.actor.state_dict().items()})
    rng = np.random.default_rng(0)
    values = rng.random((40, 3, 3))
    counts = rng.integers(0, 2, (40, 3, 3))
    obs = np.concatenate([np.where(counts > 0, values, 0.5).reshape(40, -1), counts.reshape(40, -1)], -1)
    obs = np.concatenate([obs, counts.sum((1, 2))[:, None] % 5], -1).astype(np.float32)
    with torch.no_grad():
        inputs = module.forward_inference({"obs": torch.as_tensor(obs)})["action_dist_inputs"]
    likely = module.get_inference_action_dist_cls().from_logits(inputs).to_deterministic().sample()
    action, _ = policy.act(obs[:, None], None, None, rng)
    assert np.allclose(action[:, 0], likely.numpy())
    assert game.action_space("mechanism").shape == action.shape[2:]
    assert float(module.compute_values({"obs": torch.as_tensor(obs)}).std()) > 0


@pytest.mark.usefixtures("ray_cluster", "undrawn")
def test_a_training_is_judged_resumed_and_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluation, "CONFIDENCES", (0.3, 1.0))
    overrides = [
        "game={name: online_allocation, n: 3, rounds: 5}",
        *("agents.mechanism.hidden=[8]", "agents.mechanism.minibatch_size=50", "trainer.steps_per_iteration=200"),
        *("trainer.checkpoint_every=2", "resources.device=cpu"),
    ]
    whole, found = launch.train(
        "online_allocation_rllib", [*overrides, "trainer.iterations=4", f"run_dir={tmp_path / 'whole'}"]
    )
    assert list(found["regret"])[:3] == ["learned", "untrained", "tuned_dueling"]
    part, _ = launch.train(
        "online_allocation_rllib", [*overrides, "trainer.iterations=2", f"run_dir={tmp_path / 'part'}"]
    )
    _, resumed = launch.resume(part, ["trainer.iterations=4"])
    assert resumed["regret"]["learned"] == found["regret"]["learned"]
    one, other = (lawgiver.load(path, role="mechanism").state() for path in (whole, part))
    assert all(np.array_equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize(
    ("game", "mechanism", "message"),
    [
        ({"questions": 2}, {}, "questions is 2"),
        ({"criterion": "stability", "query": "any_pair"}, {}, "other than 'stability'"),
        ({"name": "lanes", "n": 3, "rounds": 5}, {}, "lanes"),
        ({}, {"std": {"initial": 0.5}}, "agents.mechanism.std"),
        ({}, {"memory": 4}, "agents.mechanism.memory"),
        ({}, {"hidden": None}, "hidden is"),
    ],
)
def test_what_an_allocator_cannot_do_is_refused(game: dict[str, Any], mechanism: dict[str, Any], message: str) -> None:
    with pytest.raises(LawgiverError, match=message.replace(".", r"\.")):
        prepare(config(game, **mechanism))
