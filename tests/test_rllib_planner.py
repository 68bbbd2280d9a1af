"""RLlib's planner of a common pool: its distribution, its training, and what is saved of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from ray.rllib.core.columns import Columns

import lawgiver
from lawgiver.agents.planner import LearnedPlanner
from lawgiver.envs.core.errors import LawgiverError
from lawgiver.trainers.rllib.algorithm import algorithm_config
from lawgiver.trainers.rllib.settings import RLlibConfig
from lawgiver.trainers.rllib.setup import prepare
from lawgiver.trainers.runs import launch

N = 4


def config(game: dict[str, Any] | None = None, **mechanism: Any) -> RLlibConfig:
    """Make the config of a short training of a planner beside simulated people."""
    learning = {"network": "planner", "hidden": [8], "gate": None, "warmup": 0, "std": {"start": 0.3}}
    return RLlibConfig.model_validate(
        {
            "game": {"name": "commons_trust", "n_rounds": 5} | (game or {}),
            "agents": {"participants": {"given": "simulated_people"}, "mechanism": learning | mechanism},
            "trainer": {"name": "rllib", "steps_per_iteration": 200},
            "resources": {"device": "cpu"},
        }
    )


def moved(module: Any) -> Any:
    """Move the weights of a module away from where they begin."""
    rng = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(0.3 * torch.randn(parameter.shape, generator=rng))
    return module


def module_of(**mechanism: Any) -> Any:
    """Build a planner's module with random weights."""
    torch.manual_seed(0)
    return moved(algorithm_config(config(**mechanism)).rl_module_spec.rl_module_specs["mechanism"].build())


def seen(rows: int) -> torch.Tensor:
    """Draw observations: offers, what came back of them, and the pool."""
    rng = torch.Generator().manual_seed(2)
    offers = 40 * torch.rand(rows, N, generator=rng)
    returns = offers * torch.rand(rows, N, generator=rng)
    return torch.cat([offers, returns, 200 * torch.rand(rows, 1, generator=rng)], -1)


@pytest.mark.parametrize("memory", [0, 3])
def test_permuting_participants_permutes_the_distribution_and_the_memory(memory: int) -> None:
    module, obs, order = module_of(memory=memory), seen(6), torch.tensor([2, 0, 3, 1])
    state = torch.randn(6, N, memory, generator=torch.Generator().manual_seed(3)) if memory else None
    columns = torch.cat([order, N + order, torch.tensor([2 * N])])
    batches = [
        {Columns.OBS: x, **({} if s is None else {Columns.STATE_IN: s})}
        for x, s in ((obs, state), (obs[:, columns], None if state is None else state[:, order]))
    ]
    one, other = (module.forward_inference(batch) for batch in batches)
    means = [found[Columns.ACTION_DIST_INPUTS][:, :N] for found in (one, other)]
    torch.testing.assert_close(means[0][:, order], means[1])
    assert means[0].std(-1).min() > 1e-3
    if memory:
        torch.testing.assert_close(one[Columns.STATE_OUT][:, order], other[Columns.STATE_OUT])
    values = [module.compute_values(batch) for batch in batches]
    torch.testing.assert_close(*values)
    assert values[0].std() > 1


@pytest.mark.parametrize("memory", [0, 3])
def test_the_policy_offers_what_the_distribution_is_about(memory: int) -> None:
    """The mean of the logarithms is that of the saved policy's offers, decision by decision."""
    made, module, obs = prepare(config(memory=memory)), module_of(memory=memory), seen(6)
    policy = made.mechanism(module.actor.state_dict())
    assert isinstance(policy, LearnedPlanner)
    state, carried = policy.initial_state(6, np.random.default_rng(0)), None
    for _ in range(3):
        offers, state = policy.next_action(obs[:, None].numpy(), state)
        batch = {Columns.OBS: obs, **({} if carried is None else {Columns.STATE_IN: carried})}
        found = module.forward_inference(batch)
        carried = found.get(Columns.STATE_OUT)
        mean, spread = found[Columns.ACTION_DIST_INPUTS].chunk(2, -1)
        np.testing.assert_allclose(mean.detach().exp(), offers[:, 0], rtol=1e-4)
        assert len(set(spread.flatten().tolist())) == 1  # relative to the offer, whatever the pool
        obs = obs.flip(0)


def test_the_learner_recomputes_what_the_runner_did_without_a_memory() -> None:
    """With a memory this is a case of :mod:`tests.test_rllib_memory`."""
    made = algorithm_config(config())
    runner = made.env_runner_cls(config=made)
    moved(runner.module["mechanism"].unwrapped())
    part = runner.sample()[0].modules["mechanism"]
    module = runner.module["mechanism"].unwrapped()
    inputs = module.forward_train({Columns.OBS: torch.as_tensor(part.obs)})[Columns.ACTION_DIST_INPUTS]
    distribution = module.get_train_action_dist_cls().from_logits(inputs)
    logp = distribution.logp(torch.as_tensor(part.actions))
    torch.testing.assert_close(logp, torch.as_tensor(part.logp), atol=1e-5, rtol=0)
    by_hand = torch.distributions.LogNormal(*inputs.chunk(2, -1)[:1], inputs.chunk(2, -1)[1].exp())
    torch.testing.assert_close(logp, by_hand.log_prob(torch.as_tensor(part.actions)).sum(-1), atol=1e-4, rtol=0)
    shares = np.exp(np.asarray(part.dist_inputs[:, 0, :N])).sum(-1) / 200
    assert (shares < 1).all() and (shares > 0.5).all()


@pytest.mark.usefixtures("ray_cluster", "undrawn")
@pytest.mark.parametrize("memory", [0, 3])
def test_a_training_is_judged_resumed_and_loaded(tmp_path: Path, memory: int) -> None:
    def trained(name: str, iterations: int) -> Path:
        overrides = [
            "game.n_rounds=4",
            f"agents.mechanism.memory={memory}",
            "agents.mechanism.average_over=2",
            "agents.mechanism.minibatch_size=100",
            f"trainer.iterations={iterations}",
            "trainer.steps_per_iteration=320",
            "resources.device=cpu",
            f"run_dir={tmp_path / name}",
        ]
        return launch.train("commons_rllib", overrides)[0]

    whole, cut = trained("whole", 4), trained("cut", 2)
    torch.manual_seed(99)
    launch.resume(cut, ["trainer.iterations=4"])
    files = [path / "policies" / "mechanism" / "weights.safetensors" for path in (whole, cut)]
    assert files[0].read_bytes() == files[1].read_bytes()
    run = lawgiver.Run.open(whole)
    planner = lawgiver.load(whole, role="mechanism")
    assert isinstance(planner, LearnedPlanner)
    assert planner.settings.get("memory", 0) == memory
    assert planner.network.share.weight.any()  # something has been learned: it began at zeros
    summary = run.summary
    assert "inverse_temperature" not in summary  # of people who are given nothing is assumed
    again = lawgiver.evaluate(whole, games=60, seed=3)
    for found in (summary, again):
        assert {"learned", "distilled", "proportional", "ceiling"} <= found["surplus"].keys()
        assert {"gini", "sustained", "excluded", "distillation", "vote_share", "surplus_ratio"} <= found.keys()
    assert again["surplus"]["learned"] != summary["surplus"]["learned"]


@pytest.mark.parametrize(
    ("game", "mechanism", "message"),
    [
        ({"mechanism_mode": "announce"}, {}, "divides a pool"),
        ({}, {"hidden": None}, r"agents\.mechanism\.hidden is None"),
        ({}, {"start": "equal_offers"}, r"agents\.mechanism\.start is 'equal_offers'"),
    ],
)
def test_what_a_planner_cannot_do_is_refused(game: dict[str, Any], mechanism: dict[str, Any], message: str) -> None:
    with pytest.raises(LawgiverError, match=message):
        prepare(config(game, **mechanism))
