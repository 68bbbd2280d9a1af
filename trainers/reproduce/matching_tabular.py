"""Lotteries learned by descent, one for each orbit of markets of three and three: what descent can find at all.

Expected blocking pairs are linear in the lotteries and regret is convex, so that whatever stays above the frontier is
the fault of the descent. Its parts, of which ``benchmarks/matching_frontier.py --parts`` says what each is worth:

- it starts from half row-proposing, half column-proposing deferred acceptance, with something of every matching;
- the worst of all reports is smoothed: a softmax over gains, at a temperature that falls far below the regrets that
  count;
- steps are those of exponentiated gradient, by the gradient of the probabilities and not of the logits, which vanishes
  with the probability, and have a long memory;
- a bound keeps the regret, with a penalty that grows as the descent settles.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from scipy.special import softmax

from lawgiver.envs.solvers.matching.acceptance import deferred_acceptance
from lawgiver.envs.solvers.matching.orbits import Orbits
from lawgiver.envs.solvers.social_choice.regret_frontier import gain_matrix
from lawgiver.trainers.misreports.bound import Bound
from lawgiver.trainers.misreports.settings import Lagrangian

FLOOR = -18.0
"""Least logit below the largest of a lottery: from nowhere there is no way back."""
BOUND = Lagrangian(multiplier=70.0, penalty=2e3, growth=1.12, every=300)
"""Keeps the regret: a unit of it is worth 50 to 90 blocking pairs on the frontier."""


@dataclass(frozen=True)
class Descent:
    """Settings of the descent.

    Attributes:
        updates: number of steps.
        learning_rate: of Adam, which falls to nothing along a cosine.
        memory: share of the mean gradient that each step keeps.
        temperatures: of the smoothed maximum, at the start and at the end, falling geometrically.
        explored: share of all matchings, each as likely, at the start.
        lagrangian: of the bound.
    """

    updates: int = 12_000
    learning_rate: float = 0.03
    memory: float = 0.99
    temperatures: tuple[float, float] = (1e-3, 2e-6)
    explored: float = 0.1
    lagrangian: Lagrangian = BOUND


def descended(orbits: Orbits, target: float, descent: Descent = Descent()) -> np.ndarray:
    """Learn lotteries (O, L) with the fewest expected blocking pairs, at a mean regret of about ``target`` at most."""
    explored = descent.explored
    start = (1 - explored) * orbits.shared(deferred_acceptance) + explored / orbits.alike.shape[1]
    logits = torch.tensor(start).log()
    optimiser = torch.optim.Adam([logits], lr=descent.learning_rate, betas=(descent.memory, 0.999))
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, descent.updates)
    bound, (warm, cold) = Bound(target, descent.lagrangian), descent.temperatures
    gains = gain_matrix(orbits)
    back, cases = gains.T.tocsr(), len(orbits.held)
    for number in range(descent.updates):
        lotteries = logits.softmax(-1).numpy()
        gained = (gains @ lotteries.ravel()).reshape(cases, -1)
        gained = np.concatenate([gained, np.zeros((cases, 1))], -1)  # the truth brings nothing
        regret = torch.tensor(float(gained.max(-1) @ orbits.case_weights), requires_grad=True)
        (price,) = torch.autograd.grad(bound.cost(regret), regret)
        temperature = warm * (cold / warm) ** (number / descent.updates)
        feared = softmax(gained / temperature, axis=-1) * orbits.case_weights[:, None]
        rising = (back @ feared[:, :-1].ravel()).reshape(lotteries.shape)
        gradient = orbits.mixed((orbits.objective + float(price) * rising) / orbits.weights[:, None])
        logits.grad = torch.tensor(gradient - (gradient * lotteries).sum(-1, keepdims=True))
        optimiser.step()
        schedule.step()
        bound.move()
        logits.sub_(logits.amax(-1, keepdim=True)).clamp_min_(FLOOR)
    found: np.ndarray = logits.softmax(-1).numpy()
    return found
