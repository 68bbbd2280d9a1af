"""Recovery of a training: kill -9 and resume, a killed env runner, two learners ten times in a row.

    OMP_NUM_THREADS=1 PYTHONHASHSEED=0 python benchmarks/rllib_recovery.py

Trains in a temporary folder, through the command line; about eight minutes, most of them for starting processes.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

SMALL = ["trainer.steps_per_iteration=400", "agents.mechanism.warmup=3", "trainer.checkpoint_every=5"]
COMMAND = [sys.executable, "-m", "lawgiver", "train"]


def metrics(path: Path) -> list[dict[str, Any]]:
    """Return the whole lines of metrics.jsonl, without what depends on the clock."""
    file = path / "metrics.jsonl"
    lines = file.read_text().split("\n")[:-1] if file.exists() else []
    return [{key: value for key, value in json.loads(line).items() if key != "timing"} for line in lines]


def train(path: Path, *overrides: str) -> None:
    subprocess.run(
        [*COMMAND, "public_investment", f"run_dir={path}", *SMALL, *overrides], check=True, capture_output=True
    )


def kill_and_resume(path: Path, iterations: int, *overrides: str) -> int:
    """Kill a training in the middle, continue it, and return after how many iterations it was killed."""
    whole = [*COMMAND, "public_investment", f"run_dir={path}", *SMALL, f"trainer.iterations={iterations}", *overrides]
    training = subprocess.Popen(whole, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while len(metrics(path)) < iterations // 2:
        time.sleep(0.05)
    training.send_signal(signal.SIGKILL)
    training.wait()
    killed = len(metrics(path))
    subprocess.run([*COMMAND, "--resume", str(path)], check=True, capture_output=True)
    return killed


REMEMBERING = ["agents.participants.memory=8", "agents.mechanism.hidden=[8]", "agents.mechanism.memory=8"]


def local(folder: Path, what: str, *overrides: str) -> None:
    train(folder / f"{what} whole", "trainer.iterations=24", *overrides)
    killed = kill_and_resume(folder / f"{what} cut", 24, *overrides)
    same = metrics(folder / f"{what} whole") == metrics(folder / f"{what} cut")
    print(f"{what}: killed after {killed} of 24 iterations, resumed: metrics equal throughout: {same}", flush=True)


def remote(folder: Path) -> None:
    killed = kill_and_resume(folder / "remote", 24, "resources.num_env_runners=2")
    numbers = [row["iteration"] for row in metrics(folder / "remote")]
    gapless = numbers == list(range(1, 25))
    print(f"2 remote runners: killed after {killed}, resumed: iterations 1 to 24 without a gap: {gapless}", flush=True)


def replaced() -> None:
    from lawgiver.trainers.rllib import session
    from lawgiver.trainers.rllib.algorithm import algorithm_config
    from lawgiver.trainers.runs.config import load_config
    from lawgiver.trainers.runs.ray_cluster import start_ray

    config = load_config("public_investment", [*SMALL, "resources.num_env_runners=2"])
    start_ray(config.resources)
    algorithm = session.build(algorithm_config(config))
    session.iterate(algorithm)

    def pids() -> list[int]:
        found: list[int] = algorithm.env_runner_group.foreach_env_runner(lambda _: os.getpid(), local_env_runner=False)
        return found

    victim = pids()[0]
    os.kill(victim, signal.SIGKILL)
    iterations, started = 0, time.monotonic()
    while len(pids()) < 2 and time.monotonic() - started < 300:
        session.iterate(algorithm)
        iterations += 1
    session.iterate(algorithm)
    print(
        f"killed runner: replaced {victim not in pids() and len(pids()) == 2}, {iterations} iterations meanwhile",
        flush=True,
    )
    algorithm.stop()


def two_learners(folder: Path, times: int = 10) -> None:
    for index in range(times):
        train(folder / f"two{index}", "trainer.iterations=6", "resources.num_learners=2", f"seed={index}")
    done = [len(metrics(folder / f"two{index}")) for index in range(times)]
    print(f"2 learners, {times} trainings in a row: iterations done {done}", flush=True)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        local(Path(folder), "local runner")
        local(Path(folder), "local runner, agents with a memory", *REMEMBERING)
        remote(Path(folder))
        two_learners(Path(folder))
    replaced()


if __name__ == "__main__":
    main()
