"""Start of Ray, for trainings in more than one process."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

from lawgiver.envs.core.errors import MissingExtraError, ParameterError

if TYPE_CHECKING:
    from lawgiver.trainers.settings.base import Resources

REPRODUCIBLE = {"PYTHONHASHSEED": "0", "OMP_NUM_THREADS": "1"}
"""Environment variables for identical numbers in all processes, and one thread a process.

It must be set before torch loads, and PYTHONHASHSEED before Python starts. Existing values are kept.
"""


def start_ray(resources: Resources) -> None:
    """Connect to the cluster that the config names, or start a local one, unless Ray is running already.

    Raises:
        MissingExtraError: if Ray is not installed.
        ParameterError: if there is no cluster at the address.
    """
    try:
        import ray
    except ImportError as error:
        raise MissingExtraError("ray", "rllib", "training in more than one process") from error
    if ray.is_initialized():
        return
    os.environ.setdefault("RAY_AUTH_MODE", "disabled")
    variables = {**REPRODUCIBLE, "RAY_AUTH_MODE": "disabled"}
    environment = {"env_vars": {key: os.environ.get(key, value) for key, value in variables.items()}}
    common = {"runtime_env": environment, "log_to_driver": False, "logging_level": "ERROR"}
    if resources.address is None:
        ray.init("local", num_cpus=max(os.cpu_count() or 1, _processes(resources)), include_dashboard=False, **common)
        return
    try:
        _probe(resources.address)
        ray.init(address=resources.address, **common)
    except (OSError, ValueError, RuntimeError) as error:  # what Ray raises for an address that it cannot use
        reason = " ".join(str(error).split())
        raise ParameterError(f"resources.address is {resources.address!r}: no Ray cluster there: {reason}") from error


def _probe(address: str) -> None:
    """Raise OSError if nobody listens at ``host:port``: Ray itself would wait for minutes and end the process."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if host and port.isdigit():
        socket.create_connection((host, int(port)), timeout=10).close()


def _processes(resources: Resources) -> int:
    """Count the worker processes of a training, so that a small machine runs them side by side."""
    return (resources.num_env_runners + resources.num_learners + 1) * resources.concurrent_seeds
