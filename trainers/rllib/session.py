"""An RLlib Algorithm in training: built or restored, one iteration at a time, saved so that it can go on exactly."""

from __future__ import annotations

import logging
import pickle
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import ray
import torch
from ray.rllib.algorithms.algorithm import Algorithm
from ray.rllib.algorithms.ppo import PPOConfig
from ray.rllib.utils.metrics import ENV_RUNNER_RESULTS, LEARNER_RESULTS

from lawgiver.trainers.cluster import start_ray
from lawgiver.trainers.config import Resources
from lawgiver.trainers.rllib.algorithm import gpus
from lawgiver.trainers.rllib.learner import TrainingError, TwoTimescaleLearner
from lawgiver.trainers.rllib.runner import BatchedEnvRunner
from lawgiver.trainers.runs import Run

ALGORITHM, EXTRAS = "algorithm", "session.pt"
CONSTRUCTOR = "class_and_ctor_args.pkl"
"""RLlib's file with the config that an Algorithm was built from."""
ATTEMPTS = 10
"""How often an iteration is tried that brings no data because every remote runner has failed."""


@contextmanager
def training(run: Run, resources: Resources, config: Callable[[], PPOConfig]) -> Iterator[tuple[Algorithm, Any]]:
    """Give an Algorithm to train with, new or as the newest checkpoint has it, and that checkpoint's extras or None.

    Raises:
        TrainingError: from the body, with the last good checkpoint added.
    """
    logging.getLogger("ray.rllib.algorithms.algorithm_config").setLevel(logging.ERROR)  # announces the new API stack
    torch.set_num_threads(1)  # the nets are small: more threads only get into each other's way
    start_ray(resources)
    found = run.go_on()
    algorithm = build(config()) if found is None else restore(found[1], resources)
    try:
        yield algorithm, None if found is None else load_extras(algorithm, found[1])
    except TrainingError as error:
        last = run.latest_checkpoint()
        kept = f"the last good checkpoint is {last[1]}" if last else "there is no checkpoint yet"
        told = getattr(error, "cause", error)  # a remote learner's error carries its traceback along
        raise TrainingError(f"{told}; {kept}") from error
    finally:
        algorithm.stop()


def build(config: PPOConfig) -> Algorithm:
    """Return a new Algorithm."""
    torch.manual_seed(int(config.seed or 0))  # the weights are drawn before RLlib seeds anything
    return _without_folder(config.build_algo())


def _without_folder(algorithm: Algorithm) -> Algorithm:
    """Remove the folder for results that RLlib makes in the user's home and leaves empty: a run has its own."""
    folder = Path(algorithm.logdir)
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()
    return algorithm


def restore(folder: Path, resources: Resources) -> Algorithm:
    """Return the Algorithm that was saved in ``folder``, on other resources if need be.

    It comes back with all its modules, snapshots included. Remote runners are waited for and given the trained
    weights before anything is sampled: RLlib's own synchronisation is dropped if a runner is still busy starting.
    """
    path = folder / ALGORITHM
    with (path / CONSTRUCTOR).open("rb") as file:
        stored = pickle.load(file)["ctor_args_and_kwargs"][0][0]
    config = PPOConfig.from_state(stored).copy(copy_frozen=False)
    share = -(-config.total_train_batch_size // max(1, resources.num_learners))
    config.env_runners(num_env_runners=resources.num_env_runners)
    config.learners(num_learners=resources.num_learners, num_gpus_per_learner=gpus(resources))
    config.training(train_batch_size_per_learner=share, minibatch_size=share)
    algorithm = _without_folder(Algorithm.from_checkpoint(str(path.resolve()), config=config))
    push_weights(algorithm)
    return algorithm


def push_weights(algorithm: Algorithm) -> None:
    """Wait for the remote runners to answer and give them the learner's weights, all of them.

    Raises:
        TrainingError: if one does not take them.
    """
    group = algorithm.env_runner_group
    if group.num_remote_workers() == 0:
        return
    weights = ray.put(algorithm.learner_group.get_weights())
    number: int = algorithm.env_runner._weights_seq_no

    def take(runner: Any) -> bool:
        runner.module.set_state(ray.get(weights))
        runner._weights_seq_no = number
        return True

    taken = group.foreach_env_runner(take, local_env_runner=False)
    if len(taken) != group.num_remote_workers():
        raise TrainingError(f"{group.num_remote_workers() - len(taken)} env runners did not take the trained weights")


def hold(algorithm: Algorithm, modules: list[str]) -> None:
    """Have the learners leave these modules alone until told otherwise.

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
    """Train for one iteration; return what RLlib reports of the runners and of the learners.

    Raises:
        TrainingError: if no runner delivers any data, however often it is tried.
    """
    for _ in range(ATTEMPTS):
        result = algorithm.train()
        if LEARNER_RESULTS in result:
            return result[ENV_RUNNER_RESULTS], result[LEARNER_RESULTS]
    raise TrainingError(f"no env runner has delivered data in {ATTEMPTS} attempts")


def save(algorithm: Algorithm, folder: Path, extras: dict[str, Any]) -> None:
    """Write the Algorithm, ``extras`` and the states of all random generators of this process into ``folder``."""
    algorithm.save_to_path(str((folder / ALGORITHM).resolve()))
    generators = {
        "python": random.getstate(),
        "numpy": np.random.get_state(),
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
        "runner": _runner_rng(algorithm),
    }
    torch.save({"extras": extras, "generators": generators}, folder / EXTRAS)


def load_extras(algorithm: Algorithm, folder: Path) -> dict[str, Any]:
    """Put the random generators back as they were saved in ``folder``, and return the extras."""
    stored: dict[str, Any] = torch.load(folder / EXTRAS, weights_only=False)
    generators = stored["generators"]
    random.setstate(generators["python"])
    np.random.set_state(generators["numpy"])
    torch.set_rng_state(generators["torch"])
    if generators["cuda"] and torch.cuda.device_count() == len(generators["cuda"]):
        torch.cuda.set_rng_state_all(generators["cuda"])
    if generators["runner"] is not None and isinstance(algorithm.env_runner, BatchedEnvRunner):
        algorithm.env_runner.rng.bit_generator.state = generators["runner"]
    extras: dict[str, Any] = stored["extras"]
    return extras


def _runner_rng(algorithm: Algorithm) -> Any:
    runner = algorithm.env_runner
    return runner.rng.bit_generator.state if isinstance(runner, BatchedEnvRunner) else None
