"""Conversion of a config to RLlib's: modules, training plans, runners and learners."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import gymnasium
from ray.rllib.algorithms.ppo import PPOConfig
from ray.rllib.core.rl_module.multi_rl_module import MultiRLModuleSpec
from ray.rllib.core.rl_module.rl_module import RLModuleSpec

from lawgiver.envs.core.errors import ParameterError
from lawgiver.envs.core.fields import Field, Layout, columns
from lawgiver.trainers.rllib.allocator_module import AllocatorModule
from lawgiver.trainers.rllib.connector import ChunksToBatch
from lawgiver.trainers.rllib.learner import PLANS, TwoTimescaleLearner
from lawgiver.trainers.rllib.mapping import RoleMapping, role_of
from lawgiver.trainers.rllib.modules import BoxKLModule, KLModule, MechanismModule
from lawgiver.trainers.rllib.plan import ModulePlan, StdSchedule
from lawgiver.trainers.rllib.planner_module import PlannerModule
from lawgiver.trainers.rllib.play import RolloutSetup, make_rollout_setup
from lawgiver.trainers.rllib.runner import BatchedEnvRunner
from lawgiver.trainers.rllib.settings import (
    GraphMechanism,
    Learning,
    Mechanism,
    Participants,
    RLlibAgents,
    RLlibConfig,
    Schedule,
    SelfPlayAgents,
    SelfPlayConfig,
)
from lawgiver.trainers.rllib.stock import StockEnvRunner, TurnAdapter
from lawgiver.trainers.settings.base import Resources, anchor_of
from lawgiver.trainers.settings.bounded_rationality import Start, start_of

STOCK_ENVS = 50
"""Environments that RLlib's own runner steps one after the other, with one forward pass for all: the fastest found."""


def learning_of(agents: RLlibAgents | SelfPlayAgents, role: str) -> Participants | Mechanism | GraphMechanism:
    """Select the settings of a role's module."""
    return agents.participants if isinstance(agents, RLlibAgents) and role != "mechanism" else agents.mechanism


def env_config(config: RLlibConfig) -> dict[str, Any]:
    """Make the ``env_config`` from which runners make the game and the priors."""
    played = {role: learning_of(config.agents, role).given for role in ("participant", "mechanism")}
    return {
        "game": config.game.name,
        "params": config.game.parameters,
        "anchors": {"participant": anchor_of(config.agents.participants)},
        "given": {role: policy.model_dump() for role, policy in played.items() if policy is not None},
    }


def plan_of(learning: Participants | Mechanism | GraphMechanism) -> ModulePlan:
    """Make the training plan of a module."""
    common: dict[str, Any] = {
        "gamma": learning.gamma,
        "lambda_": learning.gae_lambda,
        "epochs": learning.epochs,
        "minibatch_size": learning.minibatch_size,
        "warmup": learning.warmup,
        "update_every": learning.update_every,
    }
    std = learning.std
    if isinstance(learning, Mechanism) and learning.network == "allocator":  # it draws from finitely many
        return ModulePlan(**common, std=None)
    common["std"] = StdSchedule(std.start, std.end, std.iterations) if isinstance(std, Schedule) else None
    if isinstance(learning, Participants):
        assert learning.inverse_temperature is not None, "the budget has not been solved"
        return ModulePlan(**common, raw_advantages=True, inverse_temperature=learning.inverse_temperature)
    return ModulePlan(**common)


def module_spec(
    agents: RLlibAgents,
    role: str,
    seen: gymnasium.spaces.Box,
    actions: gymnasium.Space[Any],
    layout: Layout,
    members: Mapping[str, Start],
) -> RLModuleSpec:
    """Make the spec of a role's module: bounded rationality for Discrete actions and participants, else a Gaussian.

    Args:
        agents: settings of participants and mechanism.
        role: whose module it is.
        seen: space of the module's observation, the prior included.
        actions: action space of one agent.
        layout: fields of a Box action; not used for Discrete ones.
        members: a mechanism's actions that announce canonical rules, by name.

    Raises:
        ParameterError: if the actions are neither Discrete nor a bounded Box.
    """
    spaces = {"observation_space": seen, "action_space": actions}
    if isinstance(actions, gymnasium.spaces.Discrete):
        people = agents.participants
        sizes = {"hidden": list(people.hidden), "memory": people.memory}
        return RLModuleSpec(module_class=KLModule, model_config=sizes, **spaces)
    if not isinstance(actions, gymnasium.spaces.Box) or len(actions.shape) != 1 or not actions.is_bounded():
        raise ParameterError(f"RLlib's modules play Discrete actions and flat bounded Boxes, not {actions}")
    learning = learning_of(agents, role)
    assert not isinstance(learning, GraphMechanism)
    key = f"agents.{'participants' if isinstance(learning, Participants) else 'mechanism'}.start"
    at = {
        "layout": layout,
        "start": start_of(layout, members, learning.start, key),
        "hidden": None if learning.hidden is None else list(learning.hidden),
        **exploration(learning),
        "memory": learning.memory,
    }
    if isinstance(learning, Participants):
        return RLModuleSpec(module_class=BoxKLModule, model_config=at, **spaces)
    critic = {"critic": list(learning.hidden or ())}
    return RLModuleSpec(module_class=MechanismModule, model_config=at | critic, **spaces)


def planner_spec(table: RolloutSetup, learning: Mechanism) -> RLModuleSpec:
    """Make the spec of a planner's network with exploration and critic, for the mechanism of commons_trust."""
    at = {
        "columns": columns(table.game.observation_layout("mechanism")),
        "capacity": table.game.capacity,  # type: ignore[attr-defined]
        **exploration(learning),
        "memory": learning.memory,
        "critic": list(learning.hidden or ()),
    }
    return RLModuleSpec(
        module_class=PlannerModule,
        observation_space=table.observation_space("mechanism"),
        action_space=table.game.action_space("mechanism"),
        model_config=at,
    )


def allocator_spec(table: RolloutSetup, learning: Mechanism) -> RLModuleSpec:
    """Make the spec of an allocator's network and its critic, for the mechanism of online_allocation."""
    game: Any = table.game
    at = {
        "columns": columns(game.observation_layout("mechanism")),
        "criterion": (game.criterion, game.n, game.fairness.entitlements),
        "query": game.query,
        "rounds": game.rounds,
        "hidden": list(learning.hidden or ()),
    }
    return RLModuleSpec(
        module_class=AllocatorModule,
        observation_space=table.observation_space("mechanism"),
        action_space=game.action_space("mechanism"),
        model_config=at,
    )


def exploration(learning: Participants | Mechanism) -> dict[str, Any]:
    """Describe the standard deviation of a module in a Box as its ``model_config`` does."""
    std = learning.std
    if isinstance(std, Schedule):
        return {"std": std.start, "learn_std": False}
    return {"std": std.initial, "learn_std": True}


def game_modules(table: RolloutSetup, agents: RLlibAgents) -> dict[str, RLModuleSpec]:
    """Make the spec of each learned role's module."""
    game, specs = table.game, {}
    for role in sorted(table.learned):
        if role == "mechanism" and agents.mechanism.network != "gaussian":
            own = planner_spec if agents.mechanism.network == "planner" else allocator_spec
            specs[role] = own(table, agents.mechanism)
            continue
        layout = game.action_layout(role)
        fields: Layout = () if isinstance(layout, int) else layout
        members = game.members if role == "mechanism" else {}
        specs[role] = module_spec(agents, role, table.observation_space(role), game.action_space(role), fields, members)
    return specs


def adapter_modules(adapter: TurnAdapter, agents: RLlibAgents) -> dict[str, RLModuleSpec]:
    """Make the spec of each role's module in a third party's environment: agents of one name share a module."""
    specs = {}
    for agent in adapter.possible_agents:
        space = adapter.action_spaces[agent]
        fields: Layout = ()
        if isinstance(space, gymnasium.spaces.Box):
            bounds = zip(space.low.tolist(), space.high.tolist(), strict=True)
            fields = tuple(Field(f"action_{i}", 1, low, high, "", "") for i, (low, high) in enumerate(bounds))
        role = role_of(agent)
        specs[role] = module_spec(agents, role, adapter.observation_spaces[agent], space, fields, {})
    return specs


def _overrides(learning: Learning) -> Any:
    return PPOConfig.overrides(
        lr=learning.lr,
        clip_param=learning.clip,
        entropy_coeff=learning.entropy_bonus,
        grad_clip=learning.grad_clip,
    )


def common_config(
    config: RLlibConfig | SelfPlayConfig,
    modules: dict[str, RLModuleSpec],
    given: dict[str, Any],
    mapping: Callable[..., str],
    steps: int,
) -> PPOConfig:
    """Make the part of RLlib's config that does not depend on the runner.

    Args:
        config: of the experiment.
        modules: specs of the trained modules, by id.
        given: ``env_config`` from which runners make the game.
        mapping: maps agents and episodes to modules.
        steps: phases of the game in an iteration, over all games.
    """
    resources, plans = config.resources, {}
    for role in modules:
        plans[role] = plan_of(learning_of(config.agents, role))
    share = -(-steps // max(1, resources.num_learners))
    return (
        PPOConfig()
        .environment(TurnAdapter, env_config=given, normalize_actions=False, clip_actions=True)
        .framework("torch")
        .debugging(seed=config.seed, log_level="ERROR")
        .multi_agent(
            policies=set(modules),
            policy_mapping_fn=mapping,
            algorithm_config_overrides_per_module={
                role: _overrides(learning_of(config.agents, role)) for role in modules
            },
        )
        .rl_module(rl_module_spec=MultiRLModuleSpec(rl_module_specs=modules))
        .training(
            train_batch_size_per_learner=share,
            minibatch_size=share,  # not read: the learner goes by the plans
            num_epochs=1,
            use_kl_loss=False,
            vf_clip_param=float("inf"),
        )
        .learners(
            learner_class=TwoTimescaleLearner,
            learner_config_dict={PLANS: plans},
            num_learners=resources.num_learners,
            num_gpus_per_learner=gpus(resources),
        )
        .env_runners(sample_timeout_s=None)  # a runner that is late is waited for: it would be left out otherwise
        .fault_tolerance(restart_failed_env_runners=True)
    )


def batched_config(config: RLlibConfig) -> PPOConfig:
    """Make RLlib's config with the batched runner."""
    given = env_config(config)
    return batched(
        _rllib_common(config, game_modules(make_rollout_setup(given), config.agents), given), config.resources
    )


def _rllib_common(config: RLlibConfig, modules: dict[str, RLModuleSpec], given: dict[str, Any]) -> PPOConfig:
    return common_config(config, modules, given, role_mapping(config), config.trainer.steps_per_iteration)


def role_mapping(config: RLlibConfig, snapshots: tuple[str, ...] = ()) -> RoleMapping:
    """Make the mapping of agents to modules, given the ids of the mechanism's frozen copies."""
    by_role = {"mechanism": snapshots} if snapshots else {}
    return RoleMapping(by_role, share=config.agents.mechanism.snapshot_share)


def batched(common: PPOConfig, resources: Resources) -> PPOConfig:
    """Add the batched runner to a config."""
    return common.env_runners(
        env_runner_cls=BatchedEnvRunner,
        num_env_runners=resources.num_env_runners,
        num_envs_per_env_runner=resources.num_envs_per_env_runner or 1,
    ).learners(
        learner_connector=partial(ChunksToBatch, plans=common.learner_config_dict[PLANS]),
        add_default_connectors_to_learner_pipeline=False,
    )


def stock_config(config: RLlibConfig, parallel_env: Callable[[], Any] | None = None) -> PPOConfig:
    """Make RLlib's config with its own runner.

    Args:
        config: of the experiment; its game is not used where ``parallel_env`` is given.
        parallel_env: makes a third party's PettingZoo ParallelEnv; it must be importable on the workers.

    Raises:
        ParameterError: if a module is to have a memory, or a third party's mechanism to be a planner.
    """
    require_memoryless(config.agents)
    if parallel_env is None:
        given = env_config(config)
        table = make_rollout_setup(given)
        modules, max_steps = game_modules(table, config.agents), table.game.max_steps
    else:
        network = config.agents.mechanism.network
        if network != "gaussian":
            raise ParameterError(f"agents.mechanism.network is {network!r}, allowed in others' environments: gaussian")
        given = {"parallel_env": parallel_env}
        modules, max_steps = adapter_modules(TurnAdapter(given), config.agents), None
    return stock(_rllib_common(config, modules, given), config.resources, max_steps)


def require_memoryless(agents: RLlibAgents) -> None:
    """Check that no module has a memory, which RLlib's own runner does not carry along.

    Raises:
        ParameterError: naming the setting.
    """
    for name in ("participants", "mechanism"):
        memory = getattr(agents, name).memory
        if memory:
            raise ParameterError(f"agents.{name}.memory is {memory}, allowed with resources.runner=stock: 0")


def stock(common: PPOConfig, resources: Resources, max_steps: int | None) -> PPOConfig:
    """Add RLlib's own runner to a config, for games of at most ``max_steps`` steps; None if unknown."""
    envs: int = resources.num_envs_per_env_runner or STOCK_ENVS
    fragment: int | str = "auto"
    if max_steps is not None:
        games = common.total_train_batch_size // (max_steps * max(1, resources.num_env_runners))
        # A call covers one game, if the calls of an iteration then come out even.
        envs = resources.num_envs_per_env_runner or max(d for d in range(1, STOCK_ENVS + 1) if games % d == 0)
        fragment = max_steps if games % envs == 0 and games else "auto"
    return common.env_runners(
        env_runner_cls=StockEnvRunner,
        num_env_runners=resources.num_env_runners,
        num_envs_per_env_runner=envs,
        rollout_fragment_length=fragment,
    )


def algorithm_config(config: RLlibConfig) -> PPOConfig:
    """Make RLlib's config for an experiment."""
    return batched_config(config) if config.resources.runner == "batched" else stock_config(config)


def gpus(resources: Resources) -> float:
    """Compute the share of a GPU for each learner.

    Raises:
        ParameterError: if GPUs are asked for where there are none: of a learner in this process, or on the CPU.
    """
    local = resources.num_learners == 0
    device = resources.torch_device() if local or resources.device != "cuda" else "cuda"
    wanted = resources.num_gpus_per_learner
    if wanted and (resources.device == "cpu" or (local and device == "cpu")):
        reason = "resources.device is 'cpu'" if resources.device == "cpu" else "torch sees no GPU here"
        raise ParameterError(f"resources.num_gpus_per_learner is {wanted:g}, but {reason}: allowed: 0")
    return wanted or (1 if device == "cuda" else 0)
