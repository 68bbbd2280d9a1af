"""What stands under ``agents`` and ``trainer`` in a config for the trainer ``affine_maximiser``."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from lawgiver.trainers.config import Natural, Settings, TrainerSettings

Method = Literal["annealed", "regularised", "zeroth_order", "grid_search"]
"""How w and b are found; each is a module of this package, but for the first two, which share one."""
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class Mechanism(Settings):
    """The dynamic affine maximiser."""

    weights: Literal["learned", "fixed"] = "learned"
    """Whether w is searched beside b, or stays 1."""


class AffineAgents(Settings):
    """Who plays: participants report truthfully, as it pays to whatever w and b are."""

    mechanism: Mechanism = Mechanism()


class Temperature(Settings):
    """Of the smoothed problem, in units of the mean of the greatest private numbers; falls geometrically."""

    start: Positive = 0.1
    end: Positive = 0.005

    def at(self, done: float) -> float:
        """Return the temperature when a share ``done`` of the updates, 0 to 1, is behind."""
        return float(self.start ** (1 - done) * self.end**done)


class Evaluation(Settings):
    """How the result is measured, under the exact maximiser."""

    profiles: Annotated[int, Field(ge=2)] = 100_000
    """In the end, the same for the result and for VCG."""
    probe: Annotated[int, Field(ge=2)] = 4_000
    """For each line of metrics; always the same ones."""


class AffineTrainer(TrainerSettings):
    """The search."""

    name: Literal["affine_maximiser"]
    method: Method = "annealed"
    updates: Natural = 1500
    """Gradient steps; of ``grid_search``, points that are tried."""
    batch: Natural = 256
    """Profiles an update, fresh ones; ``grid_search`` tries all points on the same."""
    learning_rate: Positive = 0.02
    """Of log w, and of b in the unit of ``temperature``; falls to 0 under ``annealed``, not used by ``grid_search``."""
    temperature: Temperature = Temperature()
    """Of ``annealed`` and ``regularised``."""
    start: Literal["uniform", "vcg"] = "uniform"
    """Boosts begin at random in [0, 1] units, or at 0; weights begin at 1."""
    perturbations: Natural = 20
    """Of ``zeroth_order``, an update."""
    radius: Positive = 0.05
    """Standard deviation of these perturbations, in the units of the learning rate."""
    finalists: Natural = 10
    """Best points of ``grid_search``, which are tried again on five times as many profiles."""
    chunk: Natural = 4096
    """Profiles that are solved at once, which bounds memory and changes no result but by rounding."""
    log_every: Natural = 100
    checkpoint_every: Natural = 250
    evaluation: Evaluation = Evaluation()
