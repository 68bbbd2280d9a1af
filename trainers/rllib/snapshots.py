"""Self-play: frozen copies of a module that stand in for its role in a share of the games."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ray
from ray.rllib.algorithms.algorithm import Algorithm
from ray.rllib.core.rl_module.rl_module import RLModuleSpec

from lawgiver.trainers.rllib.learner import PLANS, TrainingError
from lawgiver.trainers.rllib.mapping import RoleMapping


def add_snapshot(algorithm: Algorithm, role: str) -> str:
    """Add a frozen copy of a role's module, which plays the role in a share of the games; return its id.

    Raises:
        TrainingError: if a learner or a runner does not take the weights.
    """
    mapping = algorithm.config.policy_mapping_fn
    assert isinstance(mapping, RoleMapping)
    others = mapping.snapshots.get(role, ())
    name = f"{role}.{len(others)}"
    freeze(algorithm, role, name, RoleMapping({**mapping.snapshots, role: (*others, name)}, mapping.share))
    return name


def freeze(algorithm: Algorithm, role: str, name: str, mapping: Callable[..., str]) -> None:
    """Make the module ``name`` a frozen copy of a role's module, and map agents by ``mapping`` from now on.

    A copy is an RLlib module like any other: it is in every checkpoint and on every runner. A runner that is replaced
    gets modules, weights and seats from the local one. Where there is a copy of that name already, it is overwritten.

    RLlib adds modules with fresh weights everywhere. The copy's weights are therefore pushed to the learners and to
    all runners before anything else is sampled.

    Raises:
        TrainingError: if a learner or a runner does not take the weights.
    """
    weights = algorithm.learner_group.get_weights([role])[role]
    if name not in algorithm.env_runner.module:
        algorithm.add_module(
            name,
            RLModuleSpec.from_module(algorithm.get_module(role)),
            new_agent_to_module_mapping_fn=mapping,
            new_should_module_be_updated=sorted(algorithm.config.learner_config_dict[PLANS]),
        )
    seat(algorithm, mapping)
    reference = ray.put(weights)

    def take(owner: Any) -> bool:
        owner.module[name].unwrapped().set_state(ray.get(reference))
        return True

    learners = [r.get() if hasattr(r, "get") else r for r in algorithm.learner_group.foreach_learner(take)]
    if len(learners) != max(1, algorithm.config.num_learners):
        raise TrainingError(f"a learner did not take the weights of {name}")
    _on_all_runners(algorithm, take, f"the weights of {name}")


def seat(algorithm: Algorithm, mapping: Callable[..., str]) -> None:
    """Map agents to modules by ``mapping`` from now on.

    Raises:
        TrainingError: if a runner does not take it.
    """
    config = algorithm.config.copy(copy_frozen=False)
    config.multi_agent(policy_mapping_fn=mapping)
    config.freeze()
    algorithm.config = config

    def take(runner: Any) -> bool:
        runner.config.multi_agent(policy_mapping_fn=mapping)
        return True

    _on_all_runners(algorithm, take, "who plays whom")


def _on_all_runners(algorithm: Algorithm, take: Callable[[Any], bool], what: str) -> None:
    group = algorithm.env_runner_group
    answers = group.foreach_env_runner(take, local_env_runner=True)
    if len(answers) < group.num_healthy_remote_workers() + 1:  # who has died is given everything when it is back
        raise TrainingError(f"an env runner did not take {what}")
