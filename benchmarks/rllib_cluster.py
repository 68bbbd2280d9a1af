"""RLlib on a cluster that loses nodes: ten kills, what moves in an iteration, and how the design scales on paper.

    OMP_NUM_THREADS=1 PYTHONHASHSEED=0 python benchmarks/rllib_cluster.py

The cluster is Ray's own for tests: a head without cores and two nodes, as processes on this machine. About ten
minutes on two cores.
"""

from __future__ import annotations

import json
import os
import pickle
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import ray
from ray.cluster_utils import Cluster
from ray.rllib.algorithms.algorithm import Algorithm

from lawgiver.trainers.rllib import benchmark, session
from lawgiver.trainers.rllib.algorithm import algorithm_config
from lawgiver.trainers.rllib.train import train
from lawgiver.trainers.runs.config import load_config
from lawgiver.trainers.runs.ray_cluster import start_ray
from lawgiver.trainers.runs.training_run import TrainingRun
from lawgiver.trainers.settings.base import Resources

STORE = 80 * 2**20
"""Bytes of each node's object store."""
SOON = {"health_check_initial_delay_ms": 0, "health_check_period_ms": 500, "health_check_failure_threshold": 4}
SMALL = ["trainer.steps_per_iteration=400", "agents.mechanism.warmup=3", "trainer.checkpoint_every=2"]
KILLS = 5
"""Nodes killed in each of the two trainings."""
STEPS, MINIBATCH = 64_000, 8_000
"""Environment steps of an iteration and rows of a minibatch, as in configs/public_investment_cluster.yaml."""
NETWORK = 1.25e9
"""Bytes a second between two machines, assumed: ten gigabits."""
CALL, HOP = 1e-3, 1e-4
"""Seconds of a call of Ray's and of a message of gloo's between two machines, beside its bytes, assumed."""


def node_of(_: Any) -> str:
    return str(ray.get_runtime_context().get_node_id())


def runners(algorithm: Algorithm) -> list[str]:
    return list(algorithm.env_runner_group.foreach_env_runner(node_of, local_env_runner=False))


def learners(algorithm: Algorithm) -> list[str]:
    return [answer.get() for answer in algorithm.learner_group.foreach_learner(node_of)]


def used_store(cluster: Cluster) -> int:
    """Sum what lies in the object stores of all nodes, in bytes."""
    from ray._private.internal_api import get_memory_info_reply, get_state_from_address

    return int(get_memory_info_reply(get_state_from_address(cluster.address)).store_stats.object_store_bytes_used)


def replace_node(cluster: Cluster, node_id: str) -> None:
    """Kill a node and everything on it, and start another."""
    (node,) = (node for node in cluster.worker_nodes if node.node_id == node_id)
    cluster.remove_node(node, allow_graceful=False)
    cluster.add_node(num_cpus=2, object_store_memory=STORE)


def metrics(path: Path) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in (path / "metrics.jsonl").read_text().splitlines()]
    return [{key: value for key, value in line.items() if key != "timing"} for line in lines]


def trained(
    cluster: Cluster, path: Path, use: list[str], owners: Callable[[Algorithm], list[str]] | None
) -> tuple[list[dict[str, Any]], int]:
    """Train, and kill a node before every other iteration; return the metrics and the number of kills."""
    iterations = 2 * KILLS + 2
    changes = [*SMALL, *use, f"trainer.iterations={iterations}", f"run_dir={path}"]
    config: Any = load_config("public_investment", changes)
    kills, iterate = 0, session.iterate

    def watched(algorithm: Algorithm) -> Any:
        nonlocal kills
        number = int(algorithm.env_runner._weights_seq_no) + 1
        where = owners(algorithm) if owners is not None and number >= 2 * kills + 2 and kills < KILLS else []
        if where:
            replace_node(cluster, where[kills % len(where)])
            kills += 1
        return iterate(algorithm)

    session.iterate = watched
    run = TrainingRun.create("public_investment", config)
    try:
        run.finish(train(config, run))
    finally:
        run.close()
        session.iterate = iterate
    return metrics(path), kills


def survive(cluster: Cluster, folder: Path) -> None:
    """Kill nodes with env runners, then nodes with learners, and print what became of the trainings."""
    settings = {
        "an env runner": (["resources.num_env_runners=2"], runners),
        "a learner": (["resources.num_env_runners=1", "resources.num_learners=2"], learners),
    }
    survived = 0
    for what, (use, owners) in settings.items():
        lines, kills = trained(cluster, folder / what, use, owners)
        once = [line["iteration"] for line in lines] == list(range(1, 2 * KILLS + 3))
        steps = [line["env_steps"] for line in lines]
        rising = all(after > before for before, after in pairwise(steps))
        survived += kills if once and rising else 0
        print(f"{kills} nodes with {what} killed: every iteration once {once}, environment steps rising {rising}")
        if what == "a learner":
            whole, _ = trained(cluster, folder / "whole", use, None)
            print(f"  metrics equal to those of a training that loses nothing: {whole == lines}", flush=True)
    print(f"node kills survived: {survived} of {2 * KILLS}", flush=True)


@dataclass(frozen=True)
class Measured:
    """What the model of scaling takes from measurements.

    Attributes:
        sampled: environment steps a second of an env runner with one core.
        learned: seconds of learning for an environment step, all epochs, on one core.
        step: bytes of an environment step in transit.
        weights: bytes of the weights that an env runner acts with.
        gradients: bytes of the gradients of a minibatch, all modules.
        minibatches: gradient steps of an iteration with one learner, at ``STEPS`` environment steps.
        driver: seconds for a byte of episodes to get to the driver and from there to a learner.
    """

    sampled: float
    learned: float
    step: float
    weights: float
    gradients: float
    minibatches: int
    driver: float


def medians(work: Callable[[], Any], repeats: int = 5) -> float:
    """Measure the seconds of a call: the median, after a warm-up."""
    times = []
    for repeat in range(repeats + 1):
        started = time.perf_counter()
        work()
        if repeat:
            times.append(time.perf_counter() - started)
    return statistics.median(times)


def measure(cluster: Cluster) -> Measured:
    """Measure an iteration of the size of the main experiment on a cluster, with two env runners and two learners."""
    config = benchmark.benchmark_config("batched", STEPS, MINIBATCH, epochs=4)
    resources = Resources(device="cpu", num_env_runners=2, num_learners=2)
    algorithm = session.build(algorithm_config(config.model_copy(update={"resources": resources})))
    alone = session.build(algorithm_config(config))
    try:
        runner = alone.env_runner
        chunks = runner.sample()
        steps = sum(chunk.env_steps() for chunk in chunks)
        sampling = medians(runner.sample) / steps
        learning = medians(lambda: session.iterate(alone)) / steps - sampling
        episodes = len(pickle.dumps(chunks, protocol=5))
        weights = len(pickle.dumps(runner.module.get_state(inference_only=True), protocol=5))
        modules = {name: alone.get_module(name) for name in ("participant", "mechanism")}
        gradients = sum(4 * p.numel() for m in modules.values() for p in m.parameters() if p.requires_grad)
        rows = [sum(int(chunk.modules[name].lengths.sum()) for chunk in chunks) for name in modules]
        minibatches = 4 * max(max(1, round(count / MINIBATCH)) for count in rows)

        stored: list[int] = []

        def iterate() -> None:
            session.iterate(algorithm)
            stored.append(used_store(cluster))

        iteration = medians(iterate, 11)
        actors = list(algorithm.env_runner_group._worker_manager.actors().values())
        ray.get([actor.apply.remote(lambda r: setattr(r, "kept", r.sample())) for actor in actors])
        nothing = medians(lambda: ray.get([actor.apply.remote(lambda r: None) for actor in actors]))
        to_driver = medians(lambda: ray.get([actor.apply.remote(lambda r: r.kept) for actor in actors])) - nothing
        kept = [chunk for part in ray.get([actor.apply.remote(lambda r: r.kept) for actor in actors]) for chunk in part]
        workers = algorithm.learner_group._workers
        half = len(kept) // 2
        shares = [kept[:half], kept[half:]]
        to_learners = medians(
            lambda: ray.get([w.apply.remote(took, s) for w, s in zip(workers, shares, strict=True)])
        ) - medians(lambda: ray.get([w.apply.remote(took, None) for w in workers]))
        push = medians(lambda: session.push_weights(algorithm))
        moved = to_driver + to_learners + push
    finally:
        algorithm.stop()
        alone.stop()
    print(f"an iteration of {steps:,} environment steps, 2 env runners, 2 learners: {iteration:.2f} s")
    print(f"  episodes, runners to driver and driver to learners: {episodes / 1e6:.2f} MB each way", end="")
    print(f" ({episodes / steps:.0f} bytes a step), {to_driver:.3f} s and {to_learners:.3f} s")
    print(f"  weights, to each runner: {weights / 1e3:.1f} kB, {push:.3f} s for all")
    print(f"  gradients, from each learner: {gradients / 1e3:.1f} kB in each of {minibatches // 2} steps,", end="")
    print(f" {gradients * minibatches / 2 / 1e6:.2f} MB")
    print(f"  share of the time in transfer: {moved / iteration:.1%}")
    print(f"  object stores after each of 12 iterations, MB: {', '.join(f'{x / 1e6:.1f}' for x in stored)}", end="")
    print(f" of {3 * STORE / 1e6:.0f} that they may hold", flush=True)
    print(f"one core: {1 / sampling:,.0f} environment steps a second sampled, {1 / learning:,.0f} learned from")
    driver = max(to_driver + to_learners, 1e-9) / episodes
    return Measured(1 / sampling, learning, episodes / steps, weights, gradients, minibatches, driver)


def took(_: Any, chunks: Any) -> int:
    return 0 if chunks is None else len(chunks)


def parts(m: Measured, steps: int, runners: int, learners: int) -> dict[str, float]:
    """Compute the seconds of each part of a synchronous iteration.

    Learners average gradients in a ring, 2 (L - 1) / L of their bytes a step; the number of gradient steps is that of
    one learner divided among them, as minibatches keep their size. All episodes pass the driver, one process.
    """
    gradient_steps = max(4, m.minibatches * steps / STEPS / learners)
    ring = 2 * (learners - 1) / learners * m.gradients / NETWORK + 2 * (learners - 1) * HOP
    return {
        "sampling": steps / (runners * m.sampled),
        "learning": steps * m.learned / learners,
        "driver": steps * m.step * m.driver,
        "network": 2 * steps * m.step / NETWORK + runners * m.weights / NETWORK + 2 * CALL,
        "gradients": gradient_steps * ring if learners > 1 else 0.0,
    }


def scaling(m: Measured) -> None:
    """Print the best split of so many cores into runners and learners, and what takes most of the time."""
    for what, per_core in (("64,000 steps an iteration", 0), ("4,000 steps an iteration for each core", 4000)):
        print(what)
        head = f"  {'cores':>5} {'runners':>8} {'learners':>8} {'steps/s':>12} {'speed-up':>9}"
        print(f"{head}  bottleneck (share of the time)")
        first = None
        for cores in (2, 4, 10, 30, 100, 300, 1000):
            steps = per_core * cores or STEPS
            found = [(parts(m, steps, cores - n, n), cores - n, n) for n in range(1, cores)]
            best, runs, learns = min(found, key=lambda each: sum(each[0].values()))
            seconds = sum(best.values())
            rate = steps / seconds
            first = first or rate
            name = max(best, key=lambda key: best[key])
            row = f"  {cores:>5} {runs:>8} {learns:>8} {rate:>12,.0f} {rate / first:>8.1f}x"
            print(f"{row}  {name} ({best[name] / seconds:.0%})")


def main() -> None:
    os.environ.setdefault("RAY_worker_niceness", "0")
    cluster = Cluster(
        initialize_head=True,
        head_node_args={"num_cpus": 0, "object_store_memory": STORE, "_system_config": SOON},
    )
    for _ in range(2):
        cluster.add_node(num_cpus=2, object_store_memory=STORE)
    start_ray(Resources(address=cluster.address))
    try:
        scaling(measure(cluster))
        with tempfile.TemporaryDirectory() as folder:
            survive(cluster, Path(folder))
    finally:
        ray.shutdown()
        cluster.shutdown()


if __name__ == "__main__":
    main()
