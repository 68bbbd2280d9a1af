"""An RLlib Algorithm in training: built, one iteration at a time, saved and restored so that it goes on exactly."""

from __future__ import annotations

import copy
import logging
import time
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import ray
import torch
from ray.exceptions import ActorUnavailableError, RayActorError
from ray.rllib.algorithms.algorithm import Algorithm
from ray.rllib.algorithms.ppo import PPOConfig
from ray.rllib.core import COMPONENT_LEARNER, COMPONENT_OPTIMIZER, COMPONENT_RL_MODULE
from ray.rllib.utils.metrics import ENV_RUNNER_RESULTS, LEARNER_RESULTS, WEIGHTS_SEQ_NO

from lawgiver.trainers.rllib.learner import UPDATES, TrainingError, TwoTimescaleLearner
from lawgiver.trainers.rllib.snapshots import freeze, seat
from lawgiver.trainers.runs.loop import Report
from lawgiver.trainers.runs.ray_cluster import start_ray
from lawgiver.trainers.runs.training_run import TrainingRun
from lawgiver.trainers.settings.base import Resources

log = logging.getLogger("lawgiver")

ATTEMPTS = 10
"""Number of attempts at an iteration that yields no data because every remote runner has failed, and at the iterations
up to the next checkpoint of which learners are lost."""
POLL_S = 0.1
"""Seconds between two looks at whether a runner that has died is back."""
KEPT = (COMPONENT_RL_MODULE, COMPONENT_OPTIMIZER, WEIGHTS_SEQ_NO, UPDATES)
"""Parts of a learner's state in a checkpoint; the rest follows from the config."""


@dataclass
class Iterations(ABC):
    """The iterations of an Algorithm, a :class:`~lawgiver.trainers.runs.loop.Learner`.

    Attributes:
        algorithm: of RLlib; its learners raise TrainingError where a loss is not finite.
        progress: everything else that changes, with methods ``state`` and ``restore``.
        latest: line of metrics of the last iteration.
    """

    algorithm: Algorithm
    progress: Any
    latest: Report = field(default=Report({}), init=False)

    @abstractmethod
    def update(self, number: int) -> dict[str, float]:
        """Train for one iteration and set ``latest``."""

    @abstractmethod
    def mapping(self) -> Callable[..., str]:
        """Map each agent of an episode to the module that plays it, as of now."""

    def report(self, metrics: Mapping[str, float]) -> Report:
        """Report the last iteration."""
        return self.latest

    def state(self) -> dict[str, Any]:
        """Collect the state of learners and progress."""
        return {"learner": learner_state(self.algorithm), "progress": self.progress.state()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from what :meth:`state` returned."""
        self.progress.restore(state["progress"])
        restore(self.algorithm, state["learner"], self.mapping())


def train(
    run: TrainingRun, resources: Resources, config: Callable[[], PPOConfig], work: Callable[[Algorithm], dict[str, Any]]
) -> dict[str, Any]:
    """Build an Algorithm, work with it, and stop it in the end; return what ``work`` returns.

    A learner that is lost takes the state of the others along, which wait for it. All are then built anew, where the
    cluster has room, and the run continues from its newest checkpoint.

    Args:
        run: to be trained; it counts as resumed from the first loss on.
        resources: of the training.
        config: makes RLlib's config.
        work: trains from the beginning, or from the run's newest checkpoint if it is resumed.

    Raises:
        TrainingError: from ``work``, with the last good checkpoint added; or if learners are lost ``ATTEMPTS`` times
            without a new checkpoint in between.
    """
    logging.getLogger("ray.rllib.algorithms.algorithm_config").setLevel(logging.ERROR)  # announces the new API stack
    torch.set_num_threads(1)  # the nets are small: more threads only get into each other's way
    start_ray(resources)
    losses = Counter[int]()
    while True:
        algorithm = build(config())
        try:
            return work(algorithm)
        except Exception as error:
            if not learner_is_lost(algorithm):
                if not isinstance(error, TrainingError):
                    raise
                cause = getattr(error, "cause", error)  # a remote learner's error carries its traceback along
                raise TrainingError(f"{cause}; {run.last_good_checkpoint()}") from error
            found = run.latest_checkpoint()
            losses[found[0] if found else 0] += 1
            if max(losses.values()) == ATTEMPTS:
                raise TrainingError(f"learners were lost {ATTEMPTS} times; {run.last_good_checkpoint()}") from error
            log.warning("a learner was lost, all are built anew: %s", run.last_good_checkpoint())
            run.resumed = True
        finally:
            algorithm.stop()


def learner_is_lost(algorithm: Algorithm) -> bool:
    """Check whether the process of a remote learner has ended, or its machine."""
    group = algorithm.learner_group
    waiting = [] if group.is_local else [actor.__ray_ready__.remote() for actor in group._workers]
    while waiting:  # the others may be waiting for one that is lost, and never answer
        (answer, *_), waiting = ray.wait(waiting)
        try:
            ray.get(answer)
        except RayActorError:
            return True
    return False


def build(config: PPOConfig) -> Algorithm:
    """Build a new Algorithm, and remove the folder for results that RLlib makes in the user's home and leaves empty."""
    torch.manual_seed(int(config.seed or 0))  # the weights are drawn before RLlib seeds anything
    algorithm = config.build_algo()
    folder = Path(algorithm.logdir)
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()
    return algorithm


def learner_state(algorithm: Algorithm) -> dict[str, Any]:
    """Collect the part of a checkpoint from which the learners continue.

    It has no random generator: those of an iteration derive from the seed, the iteration and the process.
    """
    components = [f"{COMPONENT_LEARNER}/{name}" for name in (COMPONENT_RL_MODULE, COMPONENT_OPTIMIZER)]
    state = algorithm.learner_group.get_state(components)[COMPONENT_LEARNER]
    return {name: state[name] for name in KEPT}


def restore(algorithm: Algorithm, learner: Mapping[str, Any], mapping: Callable[..., str]) -> None:
    """Restore a learner's state in a new Algorithm, which may have other resources.

    Args:
        algorithm: as :func:`build` has made it.
        learner: as :func:`learner_state` returned it; modules that the Algorithm does not have are frozen copies of a
            role's module, named ``<role>.<number>``.
        mapping: maps agents and episodes to modules from now on.

    Raises:
        TrainingError: if a learner or a runner does not take the state.
    """
    for name in sorted(learner[COMPONENT_RL_MODULE].keys() - set(algorithm.env_runner.module.keys())):
        freeze(algorithm, name.partition(".")[0], name, mapping)
    seat(algorithm, mapping)
    state = ray.put({name: learner[name] for name in KEPT})

    def take(owner: TwoTimescaleLearner) -> int:
        owner.set_state(copy.deepcopy(ray.get(state)))  # else Adam's averages of all learners were the same memory
        return owner._weights_seq_no

    answers = [r.get() if hasattr(r, "get") else r for r in algorithm.learner_group.foreach_learner(take)]
    if answers != [learner[WEIGHTS_SEQ_NO]] * max(1, algorithm.config.num_learners):
        raise TrainingError("a learner did not take the state of the checkpoint")
    push_weights(algorithm)


def push_weights(algorithm: Algorithm) -> None:
    """Copy the learner's weights to all runners, and wait until they have them.

    RLlib's own synchronisation skips a runner that is busy, for instance still starting.

    Raises:
        TrainingError: if a runner does not take them.
    """
    state = algorithm.learner_group.get_state(f"{COMPONENT_LEARNER}/{COMPONENT_RL_MODULE}")[COMPONENT_LEARNER]
    weights, number = ray.put(state[COMPONENT_RL_MODULE]), int(state[WEIGHTS_SEQ_NO])

    def take(runner: Any) -> bool:
        runner.module.set_state(ray.get(weights))
        runner._weights_seq_no = number
        return True

    group = algorithm.env_runner_group
    taken = group.foreach_env_runner(take, local_env_runner=True)
    if len(taken) < group.num_healthy_remote_workers() + 1:  # who has died is given everything when it is back
        raise TrainingError("an env runner did not take the trained weights")


def hold(algorithm: Algorithm, modules: list[str]) -> None:
    """Make the learners hold these modules, and no others, from now on.

    Raises:
        TrainingError: if a learner does not answer.
    """

    def apply(learner: TwoTimescaleLearner) -> bool:
        learner.hold(modules)
        return True

    answers = list(algorithm.learner_group.foreach_learner(apply))
    if len(answers) != max(1, algorithm.config.num_learners):
        raise TrainingError(f"only {len(answers)} of {algorithm.config.num_learners} learners answer")


def iterate(algorithm: Algorithm) -> tuple[dict[str, Any], dict[str, Any]]:
    """Train for one iteration; return RLlib's metrics of the runners and of the learners.

    Raises:
        TrainingError: if no runner delivers any data, however often it is tried.
    """
    for _ in range(ATTEMPTS):
        _keep_in_step(algorithm)
        before = algorithm.env_runner._weights_seq_no
        result = algorithm.train()
        if algorithm.env_runner._weights_seq_no > before:  # without data RLlib reports what it has reported before
            return result[ENV_RUNNER_RESULTS], result[LEARNER_RESULTS]
    raise TrainingError(f"no env runner has delivered data in {ATTEMPTS} attempts")


def _keep_in_step(algorithm: Algorithm) -> None:
    """Wait for a runner if there is none, and push the weights if one has missed those of the last iteration."""
    if algorithm.env_runner_group.num_remote_workers() == 0:
        return
    if algorithm.env_runner_group.num_healthy_remote_workers() == 0:
        await_runners(algorithm)
    numbers = algorithm.env_runner_group.foreach_env_runner(lambda runner: runner._weights_seq_no)
    if len(set(numbers)) > 1:
        push_weights(algorithm)


def await_runners(algorithm: Algorithm) -> None:
    """Wait for runners that have died until Ray has started them again, and give them weights and seats.

    Raises:
        TrainingError: if Ray has given one up.
    """
    group = algorithm.env_runner_group
    manager = group._worker_manager
    while group.num_healthy_remote_workers() < group.num_remote_workers():
        gone = [actor for actor in manager.actor_ids() if not manager.is_actor_healthy(actor)]
        answers = manager.foreach_actor("ping", remote_actor_ids=gone, healthy_only=False)
        lost = [a.get() for a in answers if not a.ok and not isinstance(a.get(), ActorUnavailableError)]
        if lost:
            raise TrainingError(f"an env runner has died and is not started again: {lost[0]}")
        if all(answer.ok for answer in answers):
            algorithm.restore_env_runners(group)
        else:
            time.sleep(POLL_S)
