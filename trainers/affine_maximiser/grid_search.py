"""Search over low-discrepancy points in a box."""

from __future__ import annotations

from typing import Any

import torch
from torch.quasirandom import SobolEngine

from lawgiver.envs.core.errors import ParameterError
from lawgiver.trainers.affine_maximiser.base import Search
from lawgiver.trainers.affine_maximiser.objective import Parameters, Problem
from lawgiver.trainers.affine_maximiser.settings import AffineTrainer, Budget

RETEST = 5
"""Factor of the profiles on which finalists are tried again: the best of many on one sample is biased upwards."""


class GridSearch(Search):
    """One Sobol point an update, all on the same profiles: b in the game's box, w in (0, 1), scaled to sum to 1.

    As in the paper VCG is not among them, so that the best may be worse than it.
    """

    def __init__(
        self, problem: Problem, settings: AffineTrainer, budget: Budget, *, learn_weights: bool, rng: torch.Generator
    ) -> None:
        """Draw the profiles."""
        super().__init__(problem, settings, budget, learn_weights=learn_weights, rng=rng)
        self.types = problem.sample(budget.batch, rng)
        size = problem.vcg.boosts.numel() + (problem.game.n if learn_weights else 0)
        if size > SobolEngine.MAXDIM:
            raise ParameterError(
                f"trainer.method is 'grid_search', but {problem.game.name} has {size:,} weights and boosts, allowed:"
                f" {SobolEngine.MAXDIM:,}; take fewer participants or rounds, or method=annealed"
            )
        self.engine: Any = SobolEngine(size, scramble=True, seed=rng.initial_seed())  # type: ignore[no-untyped-call]
        self.points = torch.zeros(0, size, dtype=torch.float64, device=rng.device)
        self.values = torch.zeros(0, dtype=torch.float64, device=rng.device)

    @property
    def parameters(self) -> Parameters:
        """The best point."""
        return self._at(self.points[0])

    def update(self, number: int) -> dict[str, float]:
        """Try one more point, and keep it if it is among the best."""
        point = self.engine.draw(1, dtype=torch.float64).to(self.rng.device)
        value = self._value(point[0], self.types)
        values, points = torch.cat([self.values, value[None]]), torch.cat([self.points, point])
        best = values.argsort(descending=True, stable=True)[: self.settings.finalists]
        self.values, self.points = values[best], points[best]
        sense = self.problem.game.sense
        return {"sampled_objective": sense * float(value), "best_sampled_objective": sense * float(self.values[0])}

    def finish(self) -> Parameters:
        """Try the finalists on more profiles, and return the best."""
        types = self.problem.sample(RETEST * self.budget.batch, self.rng)
        self.values = torch.stack([self._value(point, types) for point in self.points])
        best = self.values.argsort(descending=True, stable=True)
        self.values, self.points = self.values[best], self.points[best]
        return self.parameters

    def state(self) -> dict[str, Any]:
        """Collect the best points and the number of points drawn."""
        return {"points": self.points, "values": self.values, "drawn": self.engine.num_generated}

    def restore(self, state: dict[str, Any]) -> None:
        """See :class:`Search`."""
        self.points, self.values = (state[name].to(self.rng.device) for name in ("points", "values"))
        self.engine.reset()
        self.engine.fast_forward(state["drawn"])

    def _value(self, point: torch.Tensor, types: torch.Tensor) -> torch.Tensor:
        return self.problem.game.sense * self.problem.evaluate(self._at(point), types).mean()

    def _at(self, point: torch.Tensor) -> Parameters:
        """Map a point of the unit cube to parameters in the box."""
        start = self.problem.vcg
        boosts = self.problem.game.boost_bound * (2 * point[: start.boosts.numel()] - 1)
        weights = point[start.boosts.numel() :]
        log_weights = torch.log(weights / weights.sum()) if self.learn_weights else start.log_weights
        return self.problem.bounded(Parameters(log_weights, boosts.view_as(start.boosts)))
