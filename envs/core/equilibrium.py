"""The participants' equilibrium in the subgame of a mechanism, exactly, and what it is worth.

In a symmetric logit equilibrium everybody replies to the aggregates z that these replies make:

    z = F(z),    F(z) = aggregates(reply(w, z))

It is found by damped iteration from the anchor's aggregates; where that does not settle, along the branch that starts
there, by Newton's method at one inverse temperature after the other. Where the subgame is not coupled, one reply is
enough: it is a dominant strategy.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lawgiver.envs.core.arrays import Array, namespace
from lawgiver.envs.core.errors import ParameterError, number
from lawgiver.envs.core.one_round import inexact, mean_outcome
from lawgiver.envs.core.policy import Policy
from lawgiver.envs.core.prior import log_prior
from lawgiver.envs.core.registry import extras
from lawgiver.envs.core.subgame import RATIONAL, Subgame

if TYPE_CHECKING:
    from lawgiver.envs.core.mechanism_game import MechanismGame

TOLERANCE = 1e-9
"""Residual at which aggregates count as found, as a share of their size (at least one)."""
SOLVED = 1e-6
"""Residual above which there is no equilibrium to speak of."""
STARTS = 5
"""Best points of the coarse search from which the box is searched finely."""
GRID = 400
"""Mechanisms of the coarse search, about."""


@dataclass(frozen=True)
class Equilibrium:
    """A fixed point of the replies.

    Attributes:
        log_policy: log-probabilities (..., T, S, A).
        aggregates: z, (..., m).
        residual: largest difference between z and what the replies to it make of it, as a share of its size.
    """

    log_policy: Array
    aggregates: Array
    residual: float

    @property
    def policy(self) -> Array:
        """Probabilities (..., T, S, A)."""
        return namespace(self.log_policy).exp(self.log_policy)


def prior_table(game: MechanismGame, anchor: Policy | None, parameters: np.ndarray) -> np.ndarray:
    """Return log pi_0 (T, S, A) under w (D,): the anchor's, floored, or uniform over the legal actions."""
    subgame = game.subgame
    rounds, _, actions = subgame.shape
    seen = subgame.observations(parameters)
    legal = np.broadcast_to(subgame.legal(), (rounds, *subgame.shape[1:]))
    return np.asarray(log_prior(anchor, seen, legal, actions))


def solve(subgame: Subgame, parameters: Array, inverse_temperature: float, prior: Array) -> Equilibrium:
    """Return the logit equilibrium under w (..., D) that is reached from the prior (T, S, A).

    Raises:
        ParameterError: if the inverse temperature is negative or not a number.
    """
    level = min(number("inverse_temperature", inverse_temperature, "[0, inf]"), RATIONAL)
    xp = namespace(parameters)
    start = subgame.aggregates(xp.exp(prior)) + xp.zeros_like(parameters[..., :1])
    if not subgame.coupled:
        reply = subgame.log_reply(parameters, start, level, prior)
        return Equilibrium(reply, subgame.aggregates(xp.exp(reply)), 0.0)
    aggregates, residual = _iterate(subgame, parameters, level, prior, start)
    if residual > TOLERANCE and parameters.ndim == 1:
        traced, left = _trace(subgame, parameters, level, prior, start)
        if left < residual:
            aggregates, residual = traced, left
    return Equilibrium(subgame.log_reply(parameters, aggregates, level, prior), aggregates, residual)


def respond(subgame: Subgame, parameters: Array, aggregates: Array, level: float, prior: Array) -> Array:
    """Return F(z): the aggregates (..., m) of everybody's reply to z."""
    xp = namespace(aggregates)
    return subgame.aggregates(xp.exp(subgame.log_reply(parameters, aggregates, level, prior)))


def _residual(found: Array, aggregates: Array) -> float:
    xp = namespace(found)
    return float(xp.max(xp.abs(found - aggregates) / (1 + xp.abs(aggregates))))


def _iterate(subgame: Subgame, parameters: Array, level: float, prior: Array, start: Array) -> tuple[Array, float]:
    aggregates, damping, stalled = start, 1.0, 0
    found = respond(subgame, parameters, aggregates, level, prior)
    residual = _residual(found, aggregates)
    for _ in range(300):
        if residual <= TOLERANCE:
            break
        aggregates = aggregates + damping * (found - aggregates)
        found = respond(subgame, parameters, aggregates, level, prior)
        distance = _residual(found, aggregates)
        stalled = stalled + 1 if distance >= 0.95 * residual else 0
        if stalled == 3:
            damping, stalled = 0.7 * damping, 0
        residual = distance
    return aggregates, residual


def _trace(subgame: Subgame, parameters: Array, level: float, prior: Array, start: Array) -> tuple[np.ndarray, float]:
    """Follow the fixed point from inverse temperature 0 to ``level`` by Newton's method, halving steps that fail."""
    at, aggregates, ratio = 0.0, np.asarray(start, float), 4.0
    ahead = level / 4096
    residual = math.inf
    for _ in range(400):
        ahead = min(ahead, level)
        moved, left = _newton(subgame, parameters, ahead, prior, aggregates)
        if left > TOLERANCE and ratio > 1.001:
            ratio = 1 + (ratio - 1) / 4
        else:
            at, aggregates, residual, ratio = ahead, moved, left, min(4.0, 1 + 2 * (ratio - 1))
            if at == level:
                break
        ahead = at * ratio if at else ahead / 4
    return aggregates, residual if at == level else math.inf


def _newton(
    subgame: Subgame, parameters: Array, level: float, prior: Array, start: np.ndarray
) -> tuple[np.ndarray, float]:
    def gap(aggregates: np.ndarray) -> np.ndarray:
        made: np.ndarray = np.asarray(respond(subgame, parameters, aggregates, level, prior))
        return np.asarray(made - aggregates)

    aggregates, value = start, gap(start)
    for _ in range(30):
        if np.abs(value / (1 + np.abs(aggregates))).max() <= TOLERANCE:
            break
        slope = np.empty((value.size, value.size))
        for j in range(value.size):
            nudge = np.zeros_like(aggregates)
            nudge[j] = 1e-7 * (1 + abs(aggregates[j]))
            slope[:, j] = (gap(aggregates + nudge) - gap(aggregates - nudge)) / (2 * nudge[j])
        step = np.linalg.lstsq(slope, -value, rcond=None)[0]
        for shrink in (1.0, 0.5, 0.25, 0.1, 0.02):
            tried = gap(aggregates + shrink * step)
            if np.abs(tried).max() < np.abs(value).max():
                aggregates, value = aggregates + shrink * step, tried
                break
        else:
            break
    return aggregates, float(np.abs(value / (1 + np.abs(aggregates))).max())


# -- what a mechanism is worth --------------------------------------------------------------------------------------


def exact_scores(
    game: MechanismGame, mechanism: Policy, *, inverse_temperature: float, anchor: Policy | None = None
) -> dict[str, Any] | str:
    """Return what a mechanism is worth in the participants' logit equilibrium under it.

    Returns:
        ``welfare`` a round, ``kl`` of a participant from its anchor in nats over the game, what
        :func:`lawgiver.envs.core.incentives.incentives` tells, and what the subgame tells of behaviour; or why there
        is no equilibrium to score it in.
    """
    state = game.initial_state(1, np.random.default_rng(0))
    fault = inexact(game, mechanism, state)
    if fault is not None:
        return fault
    return scores(game, np.asarray(mean_outcome(game, mechanism, state))[0], inverse_temperature, anchor)


def scores(
    game: MechanismGame, parameters: np.ndarray, inverse_temperature: float, anchor: Policy | None = None
) -> dict[str, Any] | str:
    """Return :func:`exact_scores` of the mechanism that announces w (D,)."""
    from lawgiver.envs.core.incentives import incentives

    prior = prior_table(game, anchor, parameters)
    found = solve(game.subgame, parameters, inverse_temperature, prior)
    if not found.residual <= SOLVED:
        return f"no exact equilibrium: the replies under w = {parameters.tolist()} do not settle ({found.residual:.1g})"
    return {
        "welfare": float(game.subgame.welfare(found.policy)) / game.horizon,
        "kl": float(game.subgame.divergence(found.log_policy, prior)),
        **incentives(game, parameters, found.policy),
        **game.subgame.behaviour(found.policy),
    }


def equilibrium_welfare(
    game: MechanismGame, parameters: np.ndarray, inverse_temperature: float, anchor: Policy | None = None
) -> float:
    """Return the expected welfare of a whole game under w (D,), in the participants' logit equilibrium."""
    prior = prior_table(game, anchor, parameters)
    return float(game.subgame.welfare(solve(game.subgame, parameters, inverse_temperature, prior).policy))


def temperature_of_budget(
    game: MechanismGame, parameters: np.ndarray, kl_budget: float, anchor: Policy | None = None
) -> float:
    """Return the inverse temperature at which participants under w (D,) spend a budget of KL(pi || pi_0), in nats.

    The multiplier of the constraint of the paper's equation 3, by bisection: the divergence rises with the inverse
    temperature. 0 for a budget of 0; infinity where even rational participants spend less.

    Raises:
        ParameterError: if the budget is negative or not a number.
    """
    budget = number("kl_budget", kl_budget, "[0, inf]")
    if budget == 0:
        return 0.0
    prior = prior_table(game, anchor, parameters)

    def spent(logarithm: float) -> float:
        found = solve(game.subgame, parameters, math.exp(logarithm), prior)
        if found.residual > SOLVED:
            raise ParameterError(f"kl_budget is {kl_budget}: no equilibrium at w = {list(parameters)} to solve it in")
        return float(game.subgame.divergence(found.log_policy, prior))

    low, high = math.log(1e-9), math.log(RATIONAL)
    if spent(high) <= budget:
        return math.inf
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if spent(middle) < budget else (low, middle)
    return math.exp((low + high) / 2)


@dataclass(frozen=True)
class Best:
    """The best mechanism of a box.

    Attributes:
        parameters: w, (D,).
        welfare: expected, of a whole game, in the participants' equilibrium under it.
    """

    parameters: np.ndarray
    welfare: float


def best_in_box(game: MechanismGame, inverse_temperature: float, anchor: Policy | None = None) -> Best:
    """Return the mechanism of the largest equilibrium welfare within the game's box, by exact search.

    A grid over the box (its corners and centre included), then L-BFGS-B from the best few of its points.

    Raises:
        MissingExtraError: without scipy.
    """
    with extras("the best mechanism in a box"):
        from scipy.optimize import minimize
        from scipy.stats.qmc import Sobol

    space: Any = game.action_space("mechanism")
    low, high = space.low.astype(float), space.high.astype(float)
    size = low.size

    def loss(parameters: np.ndarray) -> float:
        clipped = np.clip(parameters, low, high)
        return -equilibrium_welfare(game, clipped, inverse_temperature, anchor) / game.welfare_scale

    side = int(GRID ** (1 / size))
    if side >= 3:
        axes = np.meshgrid(*(np.linspace(a, b, side | 1) for a, b in zip(low, high, strict=True)), indexing="ij")
        points = np.stack([axis.ravel() for axis in axes], axis=-1)
    else:
        points = low + Sobol(size, rng=0).random(GRID) * (high - low)
    points = np.concatenate([points, np.zeros((1, size)).clip(low, high)])
    order = np.argsort([loss(point) for point in points], kind="stable")
    found = [
        minimize(loss, points[i], method="L-BFGS-B", bounds=list(zip(low, high, strict=True))) for i in order[:STARTS]
    ]
    best = min(found, key=lambda one: float(one.fun))
    parameters = np.clip(best.x, low, high)
    return Best(parameters, equilibrium_welfare(game, parameters, inverse_temperature, anchor))
