"""The trainer ``affine_maximiser``: the weights and boosts of a dynamic affine maximiser that serve an objective best.

Affine maximisers are truthful for all weights and boosts, so that participants need not be learned. A search may smooth
the problem; the reported objective is that of the exact mechanism on fresh profiles.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from lawgiver.agents.reporting import AffineMaximiser
from lawgiver.envs.core.errors import UnsupportedGameError
from lawgiver.envs.families.mdp_game import MDPGame
from lawgiver.envs.solvers.mdp.model import Regulariser
from lawgiver.envs.solvers.mdp.tree import Tree
from lawgiver.trainers.affine_maximiser.base import Search
from lawgiver.trainers.affine_maximiser.evaluation import compared
from lawgiver.trainers.affine_maximiser.gradient import Annealed, Ascent, ZerothOrder
from lawgiver.trainers.affine_maximiser.grid_search import GridSearch
from lawgiver.trainers.affine_maximiser.objective import Problem
from lawgiver.trainers.affine_maximiser.settings import AffineConfig, budget
from lawgiver.trainers.runs import loop
from lawgiver.trainers.runs.compatibility import require_own_objective
from lawgiver.trainers.runs.training_run import TrainingRun
from lawgiver.trainers.statistics.streams import torch_generator

METHODS: dict[str, type[Search]] = {
    "annealed": Annealed,
    "regularised": Ascent,
    "zeroth_order": ZerothOrder,
    "grid_search": GridSearch,
}
"""The searches by name."""


def train(config: AffineConfig, run: TrainingRun) -> dict[str, Any]:
    """Search for the best mechanism in the run's folder; return its objective beside VCG's and the known bound.

    Raises:
        UnsupportedGameError: if the game is no Markov decision process with reports.
        RunError: if the objective or its gradient is not finite; the last checkpoint is then the last good state.
    """
    game, settings = config.game.make(), config.trainer
    if not isinstance(game, MDPGame):
        raise UnsupportedGameError(
            "trainer 'affine_maximiser' needs a Markov decision process in which participants report, such as"
            f" sequential_sales, not {game.name}"
        )
    require_own_objective(game, "affine_maximiser")
    device = config.resources.torch_device()
    regulariser: Regulariser = "occupancy" if settings.method == "regularised" else "policy"
    problem = Problem(game, device, settings.chunk, regulariser)
    rng, fresh = (torch_generator(device, config.seed, purpose) for purpose in range(2))
    planned = budget(settings, on_tree=isinstance(game.mdp, Tree))
    learn_weights = config.agents.mechanism.weights == "learned"
    search = METHODS[settings.method](problem, settings, planned, learn_weights=learn_weights, rng=rng)
    loop.train(
        run,
        Training(search, problem.sample(settings.evaluation.probe, fresh)),
        updates=planned.updates,
        log_every=settings.log_every,
        checkpoint_every=settings.checkpoint_every,
    )
    found = search.finish()
    seconds = run.wall_s  # those before an interruption included
    weights, boosts = (part.cpu().numpy() for part in (found.log_weights, found.boosts))
    run.save_policy("mechanism", AffineMaximiser(game, log_weights=weights, boosts=boosts))
    return {
        **compared(problem, found, problem.sample(planned.profiles, fresh)),
        "method": settings.method,
        "updates": planned.updates,
        "timing": {"search_s": seconds},
    }


@dataclass
class Training:
    """A search whose parameters are evaluated on the same profiles for each line of metrics.

    Attributes:
        search: for the weights and boosts.
        probe: types of the profiles.
    """

    search: Search
    probe: torch.Tensor

    def update(self, number: int) -> Mapping[str, float]:
        """Search one step further."""
        return self.search.update(number)

    def report(self, metrics: Mapping[str, float]) -> loop.Report:
        """Report the exact objective on the probe."""
        problem = self.search.problem
        reached = float(problem.evaluate(self.search.parameters, self.probe).mean())
        return loop.Report({"objective": reached, **metrics}, f"{problem.game.objective} {reached:.4f}")

    def state(self) -> dict[str, Any]:
        """Collect the state of the search and of its generator."""
        return {"search": self.search.state(), "rng": self.search.rng.get_state()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from what :meth:`state` returned."""
        self.search.restore(state["search"])
        self.search.rng.set_state(state["rng"])
