"""A third party's trainer, as small as one can be: a random walk with checkpoints. Tests install it as a plugin."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from lawgiver.trainers.runs.training_run import TrainingRun
from lawgiver.trainers.settings.base import Config, Settings, TrainerSettings


class Usual(Settings):
    mechanism: str
    strength: float = 1.0


class Agents(Settings):
    anchor: Literal["uniform"] | Usual = "uniform"


class Walk(TrainerSettings):
    length: ClassVar = "iterations"
    name: Literal["walk"]
    iterations: Annotated[int, Field(ge=1)] = 7
    step: float = 1.0
    mode: Literal["steady", "diverge", "interrupt"] = "steady"


def train(config: Config[Agents, Walk], run: TrainingRun) -> dict[str, Any]:
    rng, position, done = np.random.default_rng(config.seed), 0.0, 0
    if run.resumed:
        latest = run.latest_checkpoint()
        if latest is not None:
            done = latest[0]
            saved = json.loads((latest[1] / "walk.json").read_text())
            rng.bit_generator.state, position = saved["rng"], saved["position"]
        run.rewind(done)
    with run.progress(config.trainer.iterations, "walking", done) as update:
        for iteration in range(done + 1, config.trainer.iterations + 1):
            position += config.trainer.step * float(rng.normal())
            loss = float("nan") if config.trainer.mode == "diverge" and iteration == 5 else position**2
            run.require_finite(iteration, {"walk loss": loss})
            if config.trainer.mode == "interrupt" and iteration == 5 and not run.resumed:
                raise KeyboardInterrupt
            run.log(iteration, {"position": position, "nested": {"loss": loss}}, {"steps_per_s": 1.0})
            if os.environ.get("WALK_KILLED_AT") == f"{config.seed}:{iteration}":
                os.kill(os.getpid(), signal.SIGKILL)
            if iteration % 3 == 0:
                saved = json.dumps({"rng": rng.bit_generator.state, "position": position})
                run.save_checkpoint(iteration, lambda folder, saved=saved: _write(folder, saved))
            update(iteration)
    scores = {"learned": position, "ceiling": 10.0}
    return {"log_nash_welfare": scores, "gap_closed": None, "position": position, "timing": {"steps_per_s": 1.0}}


def _write(folder: Path, saved: str) -> None:
    (folder / "walk.json").write_text(saved)
