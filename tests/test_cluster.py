"""A cluster of a head and two nodes, as processes on this machine: what is lost, and what goes on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import ray
from ray.cluster_utils import Cluster
from ray.rllib.algorithms.algorithm import Algorithm

from lawgiver.trainers.rllib import session
from lawgiver.trainers.rllib.settings import RLlibConfig
from lawgiver.trainers.runs import launch, ray_cluster
from lawgiver.trainers.runs.atomic_files import LockedError, RunError
from lawgiver.trainers.runs.run import Run
from lawgiver.trainers.runs.training_run import TrainingRun
from lawgiver.trainers.runs.yaml_text import write_yaml
from lawgiver.trainers.settings.base import Resources

STORE = 80 * 2**20
"""Bytes of a node's object store, about the least that Ray accepts."""


SOON = {"health_check_initial_delay_ms": 0, "health_check_period_ms": 500, "health_check_failure_threshold": 4}
"""Settings of a head that notices within seconds which node has died."""


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """Start a head without cores and two nodes, and connect to them in place of a Ray that runs already."""
    ray.shutdown()
    head = {"num_cpus": 0, "object_store_memory": STORE, "_system_config": SOON}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    try:
        add_nodes(cluster, 2)
        ray_cluster.start_ray(Resources(address=cluster.address))
        yield cluster
    finally:
        ray.shutdown()
        cluster.shutdown()


def add_nodes(cluster: Cluster, count: int) -> None:
    """Start nodes until there are so many."""
    while len(cluster.worker_nodes) < count:
        cluster.add_node(num_cpus=2, object_store_memory=STORE)


def remove(cluster: Cluster, node_id: str) -> None:
    """Kill a node, and everything on it."""
    (node,) = (node for node in cluster.worker_nodes if node.node_id == node_id)
    cluster.remove_node(node, allow_graceful=False)


def here(folder: Path, name: str) -> dict[str, Any]:
    """Note a start of a call, and return the node it is on and how often it has been started."""
    with (folder / name).open("a") as file:
        file.write(".")
    return {"node": ray.get_runtime_context().get_node_id(), "starts": (folder / name).stat().st_size}


def called(function: Callable[..., dict[str, Any]], calls: list[tuple[Any, ...]], jobs: int = 2) -> list[Any]:
    """Call in Ray tasks what is not to be imported there."""
    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])
    return launch.in_ray(function, calls, Resources(concurrent_seeds=jobs), num_cpus=1)


def test_calls_are_spread_over_the_nodes(cluster: Cluster, tmp_path: Path) -> None:
    found = called(here, [(tmp_path, name) for name in "ab"])
    assert len({call["node"] for call in found}) == 2


def killed(folder: Path, name: str, times: int) -> dict[str, Any]:
    """Kill the own process in the first calls of a name."""
    found = here(folder, name)
    if found["starts"] <= times:
        os.kill(os.getpid(), signal.SIGKILL)
    return found


def test_a_call_whose_process_is_lost_is_started_again_and_no_other(cluster: Cluster, tmp_path: Path) -> None:
    first, second = called(killed, [(tmp_path, "a", 1), (tmp_path, "b", 0)])
    assert (first["starts"], second["starts"]) == (2, 1)


def reported(folder: Path, name: str) -> dict[str, Any]:
    """Say where a call is, and go on for ever if it has not been started before."""
    found = here(folder, name)
    if found["starts"] == 1:
        (folder / "where").write_text(found["node"])
        signal.pause()
    return found


def test_a_call_whose_node_is_lost_is_started_again_on_another(cluster: Cluster, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "where")
    where = []

    def kill() -> None:
        where.append((tmp_path / "where").read_text())
        remove(cluster, where[0])

    killer = Thread(target=kill)
    killer.start()
    (found,) = called(reported, [(tmp_path, "a")])
    killer.join()
    assert found["starts"] == 2
    assert found["node"] not in where


def test_a_call_that_is_always_lost_ends_in_an_error(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launch, "STARTS", 2)
    with pytest.raises(RunError, match=r"^a Ray task was lost 2 times, at last by WorkerCrashedError: .*'a'"):
        called(killed, [(tmp_path, "a", 3)])
    assert (tmp_path / "a").stat().st_size == 2


def refused(folder: Path, name: str) -> dict[str, Any]:
    """Raise an error."""
    here(folder, name)
    raise RunError("the disk is full")


def test_a_call_that_raises_is_not_started_again(cluster: Cluster, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="the disk is full"):
        called(refused, [(tmp_path, "a")])
    assert (tmp_path / "a").stat().st_size == 1


def test_a_call_that_is_started_again_waits_for_the_lock_of_the_lost_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[float] = []
    monkeypatch.setattr(launch.time, "sleep", waited.append)
    monkeypatch.chdir(tmp_path)

    def locked(times: int) -> dict[str, Any]:
        if len(waited) < times:
            raise LockedError("out is being trained by another process")
        return {"waited": len(waited)}

    with pytest.raises(LockedError):
        launch._in_folder(str(tmp_path), locked, (1,), again=False)
    assert launch._in_folder(str(tmp_path), locked, (3,), again=True) == {"waited": 3}
    monkeypatch.setattr(launch, "RELEASE_S", 0)
    with pytest.raises(LockedError):
        launch._in_folder(str(tmp_path), locked, (5,), again=True)


def trained(path: Path, iterations: int = 5, **use: Any) -> RLlibConfig:
    """Make the config of a small training that uses both nodes."""
    return RLlibConfig.model_validate(
        {
            "game": {"name": "public_investment", "mechanism_mode": "announce", "endowments": [3, 2]},
            "agents": {"mechanism": {"warmup": 1, "gate": None}},
            "trainer": {"name": "rllib", "iterations": iterations, "steps_per_iteration": 200, "checkpoint_every": 2},
            "resources": {"num_env_runners": 2, "device": "cpu", **use},
            "run_dir": path,
        }
    )


def node_of(_: Any) -> str:
    """Find the node of the process that this is called in."""
    return str(ray.get_runtime_context().get_node_id())


def used_store() -> int:
    """Sum what lies in the object stores of all nodes, in bytes."""
    from ray._private.internal_api import get_memory_info_reply, get_state_from_address

    state = get_state_from_address(ray.get_runtime_context().gcs_address)
    return int(get_memory_info_reply(state).store_stats.object_store_bytes_used)


def runners(algorithm: Algorithm) -> list[str]:
    """List the nodes of all env runners that are alive."""
    return list(algorithm.env_runner_group.foreach_env_runner(node_of, local_env_runner=False))


def learners(algorithm: Algorithm) -> list[str]:
    """List the nodes of all learners that are alive."""
    return [answer.get() for answer in algorithm.learner_group.foreach_learner(node_of)]


@pytest.mark.parametrize(
    ("use", "owners"), [({}, runners), ({"num_learners": 2, "num_env_runners": 1}, learners)], ids=["runner", "learner"]
)
def test_a_training_goes_on_when_a_node_dies(
    cluster: Cluster,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    undrawn: None,
    use: dict[str, int],
    owners: Callable[[Algorithm], list[str]],
) -> None:
    add_nodes(cluster, 2)
    config, stored = trained(tmp_path / "out", **use), list[int]()
    iterate = session.iterate

    def watched(algorithm: Algorithm) -> Any:
        stored.append(used_store())
        if len(stored) == 4:  # after three iterations and a checkpoint
            remove(cluster, owners(algorithm)[-1])
            add_nodes(cluster, 2)
        return iterate(algorithm)

    monkeypatch.setattr(session, "iterate", watched)
    _, summary = launch._carry_out(TrainingRun.create("test", config), config)
    lines = Run.open(tmp_path / "out").lines()
    assert [line["iteration"] for line in lines] == [1, 2, 3, 4, 5]
    steps = [line["env_steps"] for line in lines]
    assert steps == sorted(set(steps))
    assert summary["updates"] == {"participant": 5, "mechanism": 4}
    assert len(stored) == (5 if owners is runners else 7), "3 is repeated where learners are built anew"
    assert max(stored) < STORE


def test_a_training_whose_head_dies_is_resumed_on_another_cluster(
    cluster: Cluster, tmp_path: Path, undrawn: None
) -> None:
    add_nodes(cluster, 2)
    lost = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "object_store_memory": STORE})
    lost.add_node(num_cpus=2, object_store_memory=STORE)
    file, path = tmp_path / "small.yaml", tmp_path / "out"
    file.write_text(write_yaml(trained(path, num_env_runners=1, address=lost.address).model_dump(mode="json")))
    command = [sys.executable, "-m", "lawgiver", "train", str(file)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as driver:
        assert driver.stderr is not None
        said = next((line for line in driver.stderr if "3 of 5" in line), None)
        driver.kill()  # it is on the head
        lost.remove_node(lost.head_node, allow_graceful=False)
    lost.shutdown()
    assert said is not None
    launch.resume(path, [f"resources.address={cluster.address}"])
    lines = Run.open(path).lines()
    assert [line["iteration"] for line in lines] == [1, 2, 3, 4, 5]
    assert [line["env_steps"] for line in lines] == [200, 400, 600, 800, 1000]
