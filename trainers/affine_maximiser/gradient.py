"""Searches along gradients: of a smoothed problem, annealed or not, or estimated from perturbations."""

from __future__ import annotations

from typing import Any

import torch

from lawgiver.trainers.affine_maximiser.base import Search
from lawgiver.trainers.affine_maximiser.objective import Parameters, Problem
from lawgiver.trainers.affine_maximiser.settings import AffineTrainer, Budget
from lawgiver.trainers.settings.annealing import stage


class Ascent(Search):
    """Gradient ascent of objective / unit in log w and b / unit, with the unit of the game's types.

    So neither step sizes nor temperatures depend on the currency of types.
    """

    def __init__(
        self, problem: Problem, settings: AffineTrainer, budget: Budget, *, learn_weights: bool, rng: torch.Generator
    ) -> None:
        """Start at weights of 1, and boosts of 0 or drawn at random."""
        super().__init__(problem, settings, budget, learn_weights=learn_weights, rng=rng)
        start = problem.vcg
        self.log_weights, self.boosts = start.log_weights, start.boosts
        if settings.start == "uniform":
            self.boosts = torch.rand(self.boosts.shape, generator=rng, dtype=self.boosts.dtype, device=rng.device)
        self.moved = [self.boosts.requires_grad_()] + ([self.log_weights.requires_grad_()] if learn_weights else [])
        self.optimiser = self.make_optimiser()

    def make_optimiser(self) -> torch.optim.Optimizer:
        """Make the optimiser: plain gradient steps, as in the paper."""
        return torch.optim.SGD(self.moved, lr=self.settings.learning_rate)

    @property
    def parameters(self) -> Parameters:
        """The current parameters."""
        return Parameters(self.log_weights.detach().clone(), self.boosts.detach() * self.problem.unit)

    def update(self, number: int) -> dict[str, float]:
        """Draw fresh profiles, and take one step projected onto the box of allowed parameters."""
        types = self.problem.sample(self.budget.batch, self.rng)
        self.optimiser.zero_grad()
        metrics = self.differentiate(types, number)
        squares = [float((tensor.grad**2).sum()) for tensor in self.moved if tensor.grad is not None]
        self.optimiser.step()
        with torch.no_grad():
            inside = self.problem.bounded(Parameters(self.log_weights, self.boosts * self.problem.unit))
            self.log_weights.copy_(inside.log_weights)
            self.boosts.copy_(inside.boosts / self.problem.unit)
        return {**metrics, "gradient_norm": sum(squares) ** 0.5}

    def differentiate(self, types: torch.Tensor, number: int) -> dict[str, float]:
        """Leave minus the gradient of the mean smoothed objective in ``.grad``, a chunk of profiles at a time."""
        at, over = stage(number, self.settings)
        done = (at - 1) / max(over - 1, 1)
        temperature = self.settings.temperature.at(done)
        value = self.ascend(types, temperature * self.problem.unit)
        return {"smooth_objective": value, "temperature": temperature}

    def ascend(self, types: torch.Tensor, temperature: float | None) -> float:
        """Add minus the gradient of the mean objective, exact for None, to ``.grad``; return that mean."""
        problem, value = self.problem, 0.0
        lower = problem.exact if temperature is None else problem.smooth
        for part in problem.parts(lower, types):
            parameters = Parameters(self.log_weights, self.boosts * problem.unit)
            mean = lower.outcome(part, parameters, temperature).measure.sum() / len(types)
            if mean.requires_grad:  # the exact objective is flat where it depends on the policy alone
                (-problem.game.sense * mean / problem.unit).backward()  # type: ignore[no-untyped-call]
            value += float(mean.detach())
        return value

    def state(self) -> dict[str, Any]:
        """Collect the parameters and the optimiser's state."""
        return {
            "log_weights": self.log_weights.detach(),
            "boosts": self.boosts.detach(),
            "optimiser": self.optimiser.state_dict(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """See :class:`Search`."""
        with torch.no_grad():
            self.log_weights.copy_(state["log_weights"])
            self.boosts.copy_(state["boosts"])
        self.optimiser.load_state_dict(state["optimiser"])


class Annealed(Ascent):
    """Adam on the problem smoothed by the policy's entropy, while temperature and step size fall."""

    def make_optimiser(self) -> torch.optim.Optimizer:
        """Make the optimiser: Adam."""
        return torch.optim.Adam(self.moved, lr=self.settings.learning_rate)

    def update(self, number: int) -> dict[str, float]:
        """Set the step size, which falls linearly to 0, and take the step."""
        at, over = stage(number, self.settings)
        for group in self.optimiser.param_groups:
            group["lr"] = self.settings.learning_rate * (1 - (at - 1) / over)
        return super().update(number)


class ZerothOrder(Ascent):
    """Exact gradients of affine welfare, and zeroth-order ones of what depends on the policy alone.

    With u ~ N(0, 1) and radius rho, (F(x + rho u) - F(x)) u / rho is in expectation the gradient of F smoothed by
    N(0, rho^2), F being social welfare or the makespan of the exact policy (Sow, Ji and Liang 2022).
    """

    def differentiate(self, types: torch.Tensor, number: int) -> dict[str, float]:
        """Leave minus the gradient in ``.grad``."""
        problem, radius = self.problem, self.settings.radius
        value = self.ascend(types, None)
        shifts = [
            torch.randn(self.settings.perturbations, *x.shape, generator=self.rng, dtype=x.dtype, device=x.device)
            for x in self.moved
        ]
        with torch.no_grad():
            tried = [torch.cat([x[None], x + radius * shift]) for x, shift in zip(self.moved, shifts, strict=True)]
            if not self.learn_weights:
                tried.append(self.log_weights.expand(len(tried[0]), -1))
            parameters = Parameters(tried[1], tried[0] * problem.unit)
            parts = problem.parts(problem.exact, types, several=len(tried[0]))
            means = torch.cat([problem.exact.response(part, parameters) for part in parts], -1).mean(-1)
            slopes = (means[1:] - means[0]) / (radius * problem.unit)
            for x, shift in zip(self.moved, shifts, strict=True):
                found = torch.tensordot(slopes, shift, 1) / len(shift)
                x.grad = (0 if x.grad is None else x.grad) - problem.game.sense * found
        return {"sampled_objective": value}
