"""The participants' equilibrium in the subgame of a mechanism, exactly, and what it is worth.

In a symmetric logit equilibrium everybody replies to the aggregates z that these replies make:

    z = F(z),    F(z) = aggregates(reply(w, z))

Where there are several, it is one that learning from the anchor leads to: F is iterated from the anchor's aggregates,
damped where that does not settle, and Newton's method covers what is left of the way, if it ends in a point that
iteration would not leave. Where all that fails, the branch of solutions that starts at the anchor is followed from one
inverse temperature to the next. Where the subgame is not coupled, one reply is enough: it is a dominant strategy.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from lawgiver.envs.core.arrays import Array, constant, namespace
from lawgiver.envs.core.errors import UnsupportedGameError, number
from lawgiver.envs.core.one_round import SOLVED, inexact, mean_outcome
from lawgiver.envs.core.policy import Policy
from lawgiver.envs.core.prior import log_prior
from lawgiver.envs.core.registry import extras
from lawgiver.envs.core.subgame import RATIONAL, Subgame, checked_parameters

if TYPE_CHECKING:
    from lawgiver.envs.core.mechanism_game import MechanismGame

TOLERANCE = 1e-11
"""Residual at which aggregates count as found, as a share of their size (at least one), at low inverse temperatures."""
FIRST, MORE = 8, (0, 32, 128)
"""Iterations that all make; and those of who is not there, after each of which Newton's method is tried."""
STEPS = 200
"""Steps in which a branch is followed, at most."""
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
    """Return log pi_0 (T, S, A) under w (D,): the anchor's, floored, or uniform over the legal actions.

    Raises:
        ParameterError: if w is not as many finite numbers as the game has parameters.
    """
    subgame = game.subgame
    rounds, _, actions = subgame.shape
    seen = subgame.observations(checked_parameters(game, parameters))
    legal = np.broadcast_to(subgame.legal(), (rounds, *subgame.shape[1:]))
    return np.asarray(log_prior(anchor, seen, legal, actions))


def solve(subgame: Subgame, parameters: Array, inverse_temperature: float, prior: Array) -> Equilibrium:
    """Return the logit equilibrium under w (..., D) that is reached from the prior (T, S, A).

    Aggregates are found on NumPy, whichever backend w is on.

    Raises:
        ParameterError: if w is not as many finite numbers as the game has parameters, or the inverse temperature is
            negative or not a number.
    """
    parameters = checked_parameters(subgame.game, parameters, batched=True)
    level = subgame.level(number("inverse_temperature", inverse_temperature, "[0, inf]"))
    xp = namespace(parameters)
    start = subgame.aggregates(xp.exp(prior)) + xp.zeros_like(parameters[..., :1])
    if not subgame.coupled:
        reply = subgame.log_reply(parameters, start, level, prior)
        return Equilibrium(reply, subgame.aggregates(xp.exp(reply)), 0.0)
    problem = _Problem(subgame, np.asarray(parameters, float), level, np.asarray(prior, float))
    found, residuals = _settle(problem, np.asarray(start, float))
    aggregates = constant(found, parameters)
    return Equilibrium(subgame.log_reply(parameters, aggregates, level, prior), aggregates, float(residuals.max()))


@dataclass(frozen=True)
class _Problem:
    """What is to be solved, on NumPy: w (..., D) and the logarithm of the prior (T, S, A)."""

    subgame: Subgame
    parameters: np.ndarray
    level: float
    prior: np.ndarray

    @property
    def tolerance(self) -> float:
        """Residual at which aggregates count as found: replies magnify rounding by the inverse temperature."""
        return TOLERANCE + 1e-14 * self.level * self.subgame.unit

    def reply(self, aggregates: np.ndarray) -> np.ndarray:
        """Return the probabilities (..., T, S, A) of the reply to z (..., m)."""
        return np.asarray(np.exp(self.subgame.log_reply(self.parameters, aggregates, self.level, self.prior)))

    def respond(self, aggregates: np.ndarray) -> np.ndarray:
        """Return F(z): the aggregates (..., m) of everybody's reply to z (..., m)."""
        return np.asarray(self.subgame.aggregates(self.reply(aggregates)))

    def slope(self, aggregates: np.ndarray) -> np.ndarray:
        """Return dF/dz (m, m) at z (m,), row by component of F.

        Rewards and aggregates are smooth and are differenced; replies, which are not at a high inverse temperature, are
        differentiated: dV = E[dQ], d log pi = lambda (dQ - dV).
        """
        size = aggregates.size
        nudges = 1e-6 * (1 + np.abs(aggregates))
        around = np.concatenate([aggregates + np.diag(nudges), aggregates - np.diag(nudges)])
        rewards = self.subgame.rewards(np.broadcast_to(self.parameters, (2 * size, self.parameters.size)), around)
        moved = (rewards[:size] - rewards[size:]) / (2 * nudges[:, None, None, None])
        policy = self.reply(aggregates)
        turned = _tilts(self.subgame, policy, moved) * self.level
        far = 1e-6 / np.maximum(np.abs(turned).max(axis=(1, 2, 3)), 1e-300)
        apart = far[:, None, None, None] * turned
        after, before = self.subgame.aggregates(policy + apart), self.subgame.aggregates(policy - apart)
        return np.asarray((after - before) / (2 * far[:, None])).T


def _tilts(subgame: Subgame, policy: np.ndarray, rewards: np.ndarray) -> np.ndarray:
    """Return pi (dQ - dV), (m, T, S, A), for changes of rewards (m, T, S, A) at the policy (T, S, A)."""
    tilts, future = np.empty(rewards.shape), np.zeros(rewards[:, 0, :, 0].shape)
    for t in reversed(range(subgame.shape[0])):
        values = rewards[:, t]
        if t + 1 < subgame.shape[0]:
            values = values + np.einsum("san,mn->msa", subgame.transitions(), future)
        future = (policy[t] * values).sum(axis=-1)
        tilts[:, t] = policy[t] * (values - future[..., None])
    return tilts


def _residuals(found: np.ndarray, aggregates: np.ndarray) -> np.ndarray:
    """Return how far F(z) is from z, (...)."""
    return np.asarray((np.abs(found - aggregates) / (1 + np.abs(aggregates))).max(axis=-1))


def _settle(problem: _Problem, start: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return fixed points (..., m) and their residuals (...); see the module's docstring."""
    aggregates, residuals = _iterate(problem, start, FIRST)
    for i in np.ndindex(residuals.shape):
        if residuals[i] > problem.tolerance:
            row = replace(problem, parameters=problem.parameters[i])
            aggregates[i], residuals[i] = _settle_one(row, start[i], aggregates[i])
    return aggregates, residuals


def _settle_one(problem: _Problem, start: np.ndarray, near: np.ndarray) -> tuple[np.ndarray, float]:
    tried: list[tuple[np.ndarray, float]] = []
    for times in MORE:
        near, residual = _iterate(problem, near, times)
        if residual <= problem.tolerance:
            return near, float(residual)
        polished, left = _newton(problem, near)
        if left <= problem.tolerance and _attracts(problem, polished):
            return polished, left
        tried += [(near, float(residual)), (polished, left)]
    return min([*tried, _trace(problem, start)], key=lambda found: found[1])


def _attracts(problem: _Problem, aggregates: np.ndarray) -> bool:
    """Whether damped iteration returns to a fixed point."""
    return bool((np.linalg.eigvals(problem.slope(aggregates)).real < 1).all())


def _iterate(problem: _Problem, start: np.ndarray, times: int) -> tuple[np.ndarray, np.ndarray]:
    """Iterate F from z (..., m), each by itself, more damped where its residual has not fallen for three times."""
    aggregates = start.copy()
    found = problem.respond(aggregates)
    residuals = _residuals(found, aggregates)
    damping, stalled = np.ones(residuals.shape), np.zeros(residuals.shape, int)
    for _ in range(times):
        moving = residuals > problem.tolerance
        if not moving.any():
            break
        aggregates = aggregates + np.where(moving, damping, 0.0)[..., None] * (found - aggregates)
        found = problem.respond(aggregates)
        distances = _residuals(found, aggregates)
        stalled = np.where(moving & (distances >= residuals), stalled + 1, 0)
        damping = np.where(stalled == 3, 0.7 * damping, damping)
        stalled = np.where(stalled == 3, 0, stalled)
        residuals = distances
    return aggregates, residuals


def _trace(problem: _Problem, start: np.ndarray) -> tuple[np.ndarray, float]:
    """Follow the fixed point by Newton's method from inverse temperature 0 up to ``level``, in steps that adapt.

    Extrapolated in 1 / inverse temperature: where participants mix, that is how it approaches the rational limit.
    """
    known: list[tuple[float, np.ndarray]] = []
    ahead, ratio = min(1 / problem.subgame.unit, problem.level), 4.0
    for _ in range(STEPS):
        row = replace(problem, level=ahead)
        found, left = _newton(row, _extrapolated(known[-2:], ahead) if known else start)
        if left <= row.tolerance:
            if ahead == problem.level:
                return found, left
            known.append((ahead, found))
            ratio = min(4.0, ratio**1.5)
        else:
            ratio = ratio**0.5
        ahead = min(known[-1][0] * ratio, problem.level) if known else ahead / 4
    return found, math.inf


def _extrapolated(known: list[tuple[float, np.ndarray]], level: float) -> np.ndarray:
    """Return a guess of z (m,) at an inverse temperature from those at one or two lower ones."""
    (first, at_first), (last, at_last) = known[0], known[-1]
    if first == last:
        return at_last
    return np.asarray(at_last + (at_last - at_first) * (1 / level - 1 / last) / (1 / last - 1 / first))


def _newton(problem: _Problem, start: np.ndarray) -> tuple[np.ndarray, float]:
    """Improve on z (m,) by Newton's method with backtracking; return where it ends and its residual."""
    aggregates, found = start, problem.respond(start)
    residual = _residuals(found, start)
    for _ in range(30):
        if residual <= problem.tolerance:
            break
        step = np.linalg.lstsq(np.eye(start.size) - problem.slope(aggregates), found - aggregates, rcond=None)[0]
        for shrink in (1.0, 0.5, 0.25, 0.1, 0.02):
            moved = aggregates + shrink * step
            answer = problem.respond(moved)
            if _residuals(answer, moved) < residual:
                aggregates, found, residual = moved, answer, _residuals(answer, moved)
                break
        else:
            break
    return aggregates, float(residual)


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
    parameters = announced(game, mechanism)
    return parameters if isinstance(parameters, str) else scores(game, parameters, inverse_temperature, anchor)


def announced(game: MechanismGame, mechanism: Policy) -> np.ndarray | str:
    """Return w (D,) that a mechanism announces, or why it does not announce one and the same each time."""
    state = game.initial_state(1, np.random.default_rng(0))
    return inexact(game, mechanism, state) or np.asarray(mean_outcome(game, mechanism, state))[0]


def scores(
    game: MechanismGame, parameters: np.ndarray, inverse_temperature: float, anchor: Policy | None = None
) -> dict[str, Any] | str:
    """Return :func:`exact_scores` of the mechanism that announces w (D,).

    Raises:
        ParameterError: as in :func:`solve`.
    """
    from lawgiver.envs.core.incentives import incentives

    parameters = checked_parameters(game, parameters)
    prior = prior_table(game, anchor, parameters)
    found = solve(game.subgame, parameters, inverse_temperature, prior)
    fault = unsolved(found, parameters)
    if fault is not None:
        return fault
    return {
        "welfare": float(game.subgame.welfare(found.policy)) / game.horizon,
        "kl": float(game.subgame.divergence(found.log_policy, prior)),
        **incentives(game, parameters, found.policy),
        **game.subgame.behaviour(found.policy),
    }


def unsolved(found: Equilibrium, parameters: np.ndarray) -> str | None:
    """Return why what was found under w (D,) is no equilibrium, None if it is one."""
    if found.residual <= SOLVED:
        return None
    return f"no exact equilibrium: the replies under w = {parameters.tolist()} do not settle ({found.residual:.1g} off)"


def equilibrium_welfare(
    game: MechanismGame, parameters: np.ndarray, inverse_temperature: float, anchor: Policy | None = None
) -> float:
    """Return the expected welfare of a whole game under w (D,), in the participants' logit equilibrium.

    Raises:
        ParameterError: as in :func:`solve`.
        UnsupportedGameError: if no equilibrium is found.
    """
    parameters = checked_parameters(game, parameters)
    found = solve(game.subgame, parameters, inverse_temperature, prior_table(game, anchor, parameters))
    fault = unsolved(found, parameters)
    if fault is not None:
        raise UnsupportedGameError(f"{game.name}: {fault}")
    return float(game.subgame.welfare(found.policy))


def temperature_of_budget(
    game: MechanismGame, parameters: np.ndarray, kl_budget: float, anchor: Policy | None = None
) -> float:
    """Return the inverse temperature at which participants under w (D,) spend a budget of KL(pi || pi_0), in nats.

    The multiplier of the constraint of the paper's equation 3, by bisection: the divergence rises with the inverse
    temperature. 0 for a budget of 0; infinity where even rational participants spend less.

    Raises:
        ParameterError: if the budget is negative or not a number; or as in :func:`solve`.
        UnsupportedGameError: if no equilibrium is found.
    """
    parameters = checked_parameters(game, parameters)
    budget = number("kl_budget", kl_budget, "[0, inf]")
    if budget == 0:
        return 0.0
    prior = prior_table(game, anchor, parameters)

    def spent(logarithm: float) -> float:
        found = solve(game.subgame, parameters, math.exp(logarithm), prior)
        fault = unsolved(found, parameters)
        if fault is not None:
            raise UnsupportedGameError(f"kl_budget is {kl_budget}: {fault}")
        return float(game.subgame.divergence(found.log_policy, prior))

    unit = game.subgame.unit
    low, high = math.log(1e-9 / unit), math.log(RATIONAL / unit)
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

    A grid over the box (its corners and centre included) and the game's canonical mechanisms, then L-BFGS-B from the
    best few of these points. So it is nowhere worse than those, where near-rational participants make steps of welfare.

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

    side = min(int(GRID ** (1 / size)), 40)
    if side >= 3:
        axes = np.meshgrid(*(np.linspace(a, b, side | 1) for a, b in zip(low, high, strict=True)), indexing="ij")
        points = np.stack([axis.ravel() for axis in axes], axis=-1)
    else:
        points = low + Sobol(size, rng=0).random_base2(round(math.log2(GRID))) * (high - low)
    points = np.concatenate([points, np.array(list(game.members.values())).clip(low, high)])
    order = np.argsort([loss(point) for point in points], kind="stable")
    found = [
        minimize(loss, points[i], method="L-BFGS-B", bounds=list(zip(low, high, strict=True))) for i in order[:STARTS]
    ]
    best = min(found, key=lambda one: float(one.fun))
    parameters = np.clip(best.x, low, high)
    return Best(parameters, equilibrium_welfare(game, parameters, inverse_temperature, anchor))
