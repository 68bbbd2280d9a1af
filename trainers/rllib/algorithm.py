"""From a config to RLlib's: which modules there are, how each is trained, and on what."""

from __future__ import annotations

from functools import partial
from typing import Any

import gymnasium
from ray.rllib.algorithms.ppo import PPOConfig
from ray.rllib.core.rl_module.multi_rl_module import MultiRLModuleSpec
from ray.rllib.core.rl_module.rl_module import RLModuleSpec

from lawgiver.envs.core.errors import ParameterError, allowed
from lawgiver.envs.core.fields import width
from lawgiver.envs.core.game import Game
from lawgiver.trainers.config import Config
from lawgiver.trainers.rllib.connector import ChunksToBatch
from lawgiver.trainers.rllib.learner import PLANS, TwoTimescaleLearner
from lawgiver.trainers.rllib.mapping import RoleMapping
from lawgiver.trainers.rllib.modules import KLModule, MechanismModule
from lawgiver.trainers.rllib.plan import ModulePlan, StdSchedule
from lawgiver.trainers.rllib.play import Table
from lawgiver.trainers.rllib.runner import BatchedEnvRunner, make_table
from lawgiver.trainers.rllib.settings import (
    Learning,
    Mechanism,
    Participants,
    RLlibAgents,
    RLlibTrainer,
    Schedule,
)

RLlibConfig = Config[RLlibAgents, RLlibTrainer]
ENVIRONMENT = "lawgiver"
"""The name of the environment in RLlib's config; the batched runner makes the game itself."""


def learning_of(agents: RLlibAgents, role: str) -> Participants | Mechanism:
    """Return the settings of a role's module."""
    return agents.mechanism if role == "mechanism" else agents.participants


def start_of(game: Game[Any], start: str | tuple[float, ...] | None) -> tuple[float, ...]:
    """Return the action at which the mechanism's mean begins, (k,).

    Raises:
        ParameterError: if the game's rules have no member of that name, or the numbers do not fit.
    """
    layout = game.action_layout("mechanism")
    assert not isinstance(layout, int)
    if start is None:
        return tuple((field.low + field.high) / 2 for field in layout for _ in range(field.size))
    if isinstance(start, str):
        members: dict[str, tuple[float, ...]] = getattr(game, "members", {})
        if start not in members or len(members[start]) != width(layout):
            raise ParameterError(
                f"agents.mechanism.start is {start!r}: {allowed(start, members)}, or a list of numbers"
            )
        return members[start]
    if len(start) != width(layout):
        raise ParameterError(f"agents.mechanism.start has {len(start)} numbers, allowed: {width(layout)}")
    return start


def env_config(config: RLlibConfig) -> dict[str, Any]:
    """Return what a runner makes the game and the priors of."""
    anchor = config.agents.participants.anchor
    given = anchor if isinstance(anchor, str) else anchor.model_dump()
    return {"game": config.game.name, "params": config.game.parameters, "anchors": {"participant": given}}


def plan_of(learning: Participants | Mechanism) -> ModulePlan:
    """Return how a module is trained."""
    common = {
        "gamma": learning.gamma,
        "lambda_": learning.gae_lambda,
        "epochs": learning.epochs,
        "minibatch_size": learning.minibatch_size,
        "warmup": learning.warmup,
        "update_every": learning.update_every,
    }
    if isinstance(learning, Participants):
        return ModulePlan(**common, raw_advantages=True, inverse_temperature=learning.inverse_temperature)
    std = learning.std
    schedule = StdSchedule(std.start, std.end, std.iterations) if isinstance(std, Schedule) else None
    return ModulePlan(**common, std=schedule)


def module_spec(table: Table, role: str, agents: RLlibAgents) -> RLModuleSpec:
    """Return the spec of a role's module: bounded rationality for Discrete actions, a Gaussian for a Box.

    Raises:
        ParameterError: if the role has another kind of actions.
    """
    game, space = table.game, table.game.action_space(role)
    spaces = {"observation_space": table.observation_space(role), "action_space": space}
    if isinstance(space, gymnasium.spaces.Discrete):
        hidden = list(agents.participants.hidden)
        return RLModuleSpec(module_class=KLModule, model_config={"hidden": hidden}, **spaces)
    layout = game.action_layout(role)
    if role != "mechanism" or isinstance(layout, int):
        raise ParameterError(f"RLlib trains roles with Discrete actions and mechanisms with a Box, not {role}: {space}")
    learning = agents.mechanism
    std = learning.std.start if isinstance(learning.std, Schedule) else learning.std.initial
    at = {
        "layout": layout,
        "start": start_of(game, learning.start),
        "hidden": None if learning.hidden is None else list(learning.hidden),
        "std": std,
        "learn_std": not isinstance(learning.std, Schedule),
        "critic": list(learning.hidden or ()),
    }
    return RLModuleSpec(module_class=MechanismModule, model_config=at, **spaces)


def _overrides(learning: Learning) -> Any:
    return PPOConfig.overrides(
        lr=learning.lr,
        clip_param=learning.clip,
        entropy_coeff=learning.entropy_bonus,
        grad_clip=learning.grad_clip,
    )


def base_config(config: RLlibConfig, modules: dict[str, RLModuleSpec]) -> PPOConfig:
    """Return what the batched and the stock runner have in common."""
    resources, plans = config.resources, {}
    for role in modules:
        plans[role] = plan_of(learning_of(config.agents, role))
    gpu = resources.num_gpus_per_learner or (1 if resources.torch_device() == "cuda" else 0)
    learners = max(1, resources.num_learners)
    return (
        PPOConfig()
        .environment(ENVIRONMENT, env_config=env_config(config), normalize_actions=False, clip_actions=True)
        .framework("torch")
        .debugging(seed=config.seed, log_level="ERROR")
        .multi_agent(
            policies=set(modules),
            policy_mapping_fn=RoleMapping(),
            algorithm_config_overrides_per_module={
                role: _overrides(learning_of(config.agents, role)) for role in modules
            },
        )
        .rl_module(rl_module_spec=MultiRLModuleSpec(rl_module_specs=modules))
        .training(
            learner_class=TwoTimescaleLearner,
            learner_config_dict={PLANS: plans},
            train_batch_size_per_learner=-(-config.trainer.steps_per_iteration // learners),
            minibatch_size=None,
            num_epochs=1,
            use_kl_loss=False,
            vf_clip_param=float("inf"),
        )
        .learners(num_learners=resources.num_learners, num_gpus_per_learner=gpu)
        .fault_tolerance(restart_failed_env_runners=True)
    )


def batched_config(config: RLlibConfig) -> PPOConfig:
    """Return RLlib's config with the batched runner."""
    table = make_table(env_config(config))
    modules = {role: module_spec(table, role, config.agents) for role in sorted(table.game.roles)}
    base = base_config(config, modules)
    return base.env_runners(
        env_runner_cls=BatchedEnvRunner,
        num_env_runners=config.resources.num_env_runners,
        num_envs_per_env_runner=config.resources.num_envs_per_env_runner or 1,
    ).training(
        learner_connector=partial(ChunksToBatch, plans=base.learner_config_dict[PLANS]),
        add_default_connectors_to_learner_pipeline=False,
    )
