"""Settings of the trainer ``affine_maximiser``: the keys ``agents`` and ``trainer`` of a config."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from lawgiver.envs.core.errors import LawgiverError
from lawgiver.envs.families.mdp_game import MDPGame
from lawgiver.envs.solvers.mdp.tree import Tree
from lawgiver.trainers.settings.annealing import AnnealOver
from lawgiver.trainers.settings.annealing import Temperature as Falling
from lawgiver.trainers.settings.base import Config, Natural, Settings, TrainerSettings

Method = Literal["annealed", "regularised", "zeroth_order", "grid_search"]
"""Searches for w and b; the first three are those of ``gradient``."""
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class Mechanism(Settings):
    """The dynamic affine maximiser."""

    weights: Literal["learned", "fixed"] = "learned"
    """Whether w is searched beside b, or stays 1."""


class AffineAgents(Settings):
    """Who plays: participants report truthfully, as it pays to whatever w and b are."""

    mechanism: Mechanism = Mechanism()


class Temperature(Falling):
    """Of the smoothed problem, in units of the mean of the greatest private numbers; falls geometrically."""

    start: Positive = 0.2
    end: Positive = 0.005


class Evaluation(Settings):
    """Measurement of the result, under the exact maximiser."""

    profiles: Annotated[int, Field(ge=2)] | None = None
    """In the end, the same for the result and for VCG; None for 100,000 on a tree and 40,000 elsewhere."""
    probe: Annotated[int, Field(ge=2)] = 2_000
    """For each line of metrics; always the same ones."""


class AffineTrainer(TrainerSettings):
    """The search."""

    name: Literal["affine_maximiser"]
    method: Method = "annealed"
    updates: Natural | None = None
    """Gradient steps; of ``grid_search``, points that are tried. None for 1,500 on a tree and 400 elsewhere."""
    anneal_over: AnnealOver = None
    """Updates over which temperature and learning rate fall; None for ``updates``. A run that is prolonged stays at the
    end of both."""
    batch: Natural | None = None
    """Profiles an update, fresh ones; ``grid_search`` tries all points on the same. None for 256 on a tree, where they
    cost little, and 64 elsewhere."""
    learning_rate: Positive = 0.01
    """Of log w, and of b in the unit of ``temperature``; falls to 0 under ``annealed``, not used by ``grid_search``."""
    temperature: Temperature = Temperature()
    """Of ``annealed`` and ``regularised``."""
    start: Literal["vcg", "uniform"] = "vcg"
    """Boosts begin at 0, or at random in [0, 1] units; weights begin at 1. ``grid_search`` begins nowhere."""
    perturbations: Natural = 20
    """Of ``zeroth_order``, an update."""
    radius: Positive = 0.05
    """Standard deviation of these perturbations, in the units of the learning rate."""
    finalists: Natural = 10
    """Best points of ``grid_search``, which are tried again on five times as many profiles."""
    chunk: Natural = 4096
    """Most profiles that are solved at once, fewer where a game is large, so that no array takes more than 32 MiB;
    changes no result but by rounding."""
    log_every: Natural = 100
    checkpoint_every: Natural = 250
    evaluation: Evaluation = Evaluation()


@dataclass(frozen=True)
class Budget:
    """Numbers of updates, of profiles an update, and of profiles of the final evaluation."""

    updates: int
    batch: int
    profiles: int


ON_TREE = Budget(updates=1500, batch=256, profiles=100_000)
"""Where all that can happen is a menu."""
ELSEWHERE = Budget(updates=400, batch=64, profiles=40_000)
"""Where each profile takes an iteration of its own, about a hundred times as long."""


def budget(settings: AffineTrainer, *, on_tree: bool) -> Budget:
    """Complete the settings by the defaults for such a process."""
    usual = ON_TREE if on_tree else ELSEWHERE
    asked = (settings.updates, settings.batch, settings.evaluation.profiles)
    kept = (usual.updates, usual.batch, usual.profiles)
    return Budget(*(default if number is None else number for number, default in zip(asked, kept, strict=True)))


class AffineConfig(Config[AffineAgents, AffineTrainer]):
    """A config whose budget is made explicit, so that a run keeps it if defaults change.

    A checked config has no None, except for a game that this trainer refuses.
    """

    @model_validator(mode="after")
    def spelled_out(self) -> Self:
        """Replace None by the defaults for the game."""
        try:
            game = self.game.make()
        except LawgiverError:  # making the game raises it again, once everything else is checked
            return self
        if not isinstance(game, MDPGame):
            return self
        planned = budget(self.trainer, on_tree=isinstance(game.mdp, Tree))
        evaluation = self.trainer.evaluation.model_copy(update={"profiles": planned.profiles})
        over = self.trainer.anneal_over or planned.updates
        explicit = {"updates": planned.updates, "anneal_over": over, "batch": planned.batch, "evaluation": evaluation}
        return self.model_copy(update={"trainer": self.trainer.model_copy(update=explicit)})
