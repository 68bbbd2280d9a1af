"""Gradient ascent on the gain from a misreport, through rules that run on torch and are differentiable."""

from __future__ import annotations

import numpy as np
import torch

from lawgiver.envs.core.errors import UnsupportedGameError
from lawgiver.trainers.audit.trials import Trials
from lawgiver.trainers.runs.config_errors import one_line

STEPS = 12
FIRST, LAST = 0.1, 0.005
"""Lengths of the first and the last step, as shares of the range of each number."""
MEMORY = 0.7
"""Weight of earlier gradients in the direction of a step."""
FLAT = 1e-9
"""Share of the scale of payoffs below which the slope over a number's whole range counts as rounding error."""


def ascend(trials: Trials, starts: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray | None:
    """Climb from each start and keep the best reports (s, P, n, k); None where the rule has no slope anywhere.

    A step goes along the sign of a running mean of gradients, number by number: rules differ in their units, and what
    a payoff is measured in should not matter. What is best is as torch has it; offer it to the trials.

    Raises:
        UnsupportedGameError: if the rule does not run on torch.
    """
    reports = trials.confined(starts)
    best, record = reports, np.full(reports.shape[:-1], -np.inf)
    heading = np.zeros_like(reports)
    differentiable = False
    for length in np.geomspace(FIRST, LAST, STEPS):
        payoffs, slopes = payoffs_and_slopes(trials, reports)
        slopes = np.where(np.abs(slopes) * (high - low) > FLAT * trials.scale, slopes, 0.0)
        trials.count(reports)
        better = payoffs > record
        best, record = np.where(better[..., None], reports, best), np.where(better, payoffs, record)
        if not slopes.any():
            break
        differentiable = True
        heading = MEMORY * heading + (1 - MEMORY) * slopes
        reports = trials.confined(np.clip(reports + length * (high - low) * np.sign(heading), low, high))
    return best if differentiable else None


def payoffs_and_slopes(trials: Trials, reports: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Compute the payoffs (s, P, n) of reports (s, P, n, k) and their gradients (s, P, n, k); 0 where there is none."""
    flat = reports.reshape(-1, reports.shape[-1])
    payoffs, slopes = np.zeros(len(flat)), np.zeros_like(flat)
    for start in range(0, len(flat), trials.chunk):
        cases = np.arange(start, min(start + trials.chunk, len(flat)))
        types, others, seats = (torch.from_numpy(x) for x in trials.games(cases % trials.gains.size))
        rows = torch.arange(len(cases))
        own = torch.from_numpy(flat[cases]).requires_grad_()
        try:
            paid = trials.own(types, others.index_put((rows, seats), own), seats)
            payoffs[cases] = paid.detach().numpy()
            if paid.requires_grad:
                (slope,) = torch.autograd.grad(paid.sum(), own, allow_unused=True)
                slopes[cases] = 0.0 if slope is None else torch.nan_to_num(slope, 0.0, 0.0, 0.0).numpy()
        except Exception as error:  # it has run on NumPy, and may raise anything where it is handed tensors
            raise UnsupportedGameError(
                "the rule that is audited does not run on torch, which its slope needs: audit it with gradient=false"
                f" (gradient=False in Python): {type(error).__name__}: {one_line(error)}"
            ) from error
    return payoffs.reshape(reports.shape[:-1]), slopes.reshape(reports.shape)
