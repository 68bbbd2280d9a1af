"""Shared parts of exact solvers of one-round games: a mechanism's mean action, priors and expected scores.

Where a mechanism remembers nothing and draws nothing at random, all rounds of a game are the same, and one is
enough. The solvers play every joint action of it by the rules, find the logit equilibrium of the payoffs
(:mod:`lawgiver.envs.solvers.equilibrium.logit`), and weigh what each joint action leads to by its probability.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from lawgiver.envs.core.arrays import Array, constant, fixed_rng, namespace
from lawgiver.envs.core.errors import NoSolution, number
from lawgiver.envs.core.game import Game
from lawgiver.envs.core.objectives import gini, log_nash_welfare, rawlsian, surplus
from lawgiver.envs.core.policy import OutcomePolicy, Policy
from lawgiver.envs.core.registry import OBJECTIVES, lookup
from lawgiver.envs.solvers.equilibrium.prior import log_prior

SOLVED = 1e-6
"""Residual above which an equilibrium counts as not found."""


def temperatures(inverse_temperature: float) -> np.ndarray:
    """Return an inverse temperature as the array (1,) that solvers take.

    Raises:
        ParameterError: if it is negative or not a number.
    """
    return np.array([number("inverse_temperature", inverse_temperature, "[0, inf]")])


def inexact(game: Game[Any], mechanism: Policy, state: Any) -> NoSolution | None:
    """Explain why a mechanism is not a deterministic function of its observation in ``state``; None if it is.

    None where it is one: it remembers nothing, and neither its action nor its outcome is drawn at random.
    """
    seen = game.observe(state, "mechanism")
    memory = mechanism.initial_state(seen.shape[0], fixed_rng(seen))
    if memory is not None:
        return NoSolution("no exact equilibrium: the mechanism remembers, so that no two rounds are the same game")
    if isinstance(mechanism, OutcomePolicy):
        first, second = (np.asarray(mechanism.outcome(seen, None, None, np.random.default_rng(i))[0]) for i in (0, 1))
        drawn = not np.array_equal(first, second)
    else:
        drawn = bool(np.any(np.asarray(mechanism.distribution(seen, None, None)[0])[:, :, 1] > 0))
    return NoSolution("no exact equilibrium: the mechanism draws what it does at random") if drawn else None


def mean_outcome(game: Game[Any], mechanism: Policy, state: Any) -> Array:
    """Compute a memoryless mechanism's outcome in ``state`` (B games), or that of its clipped mean action."""
    seen = game.observe(state, "mechanism")
    memory = mechanism.initial_state(seen.shape[0], fixed_rng(seen))
    if isinstance(mechanism, OutcomePolicy):
        return mechanism.outcome(seen, None, memory, np.random.default_rng(0))[0]
    box: Any = game.action_space("mechanism")
    mean = mechanism.distribution(seen, None, memory)[0][:, :, 0]
    return game.outcome(state, namespace(mean).clip(mean, constant(box.low, mean), constant(box.high, mean)))


def prior(game: Game[Any], state: Any, anchor: Policy | None) -> np.ndarray:
    """Return the participants' prior probabilities (n, n_actions) in ``state`` (one game): the anchor's, floored at
    1e-4 and renormalised over the legal actions, or uniform over them.
    """
    space: Any = game.action_space("participant")
    mask = game.legal_actions(state, "participant")
    logs = log_prior(anchor, game.observe(state, "participant"), mask, int(space.n))
    return np.asarray(np.exp(logs[0]))


def log_of(probabilities: np.ndarray) -> np.ndarray:
    """Return logarithms, minus infinity for 0."""
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(probabilities))


def expected_scores(objective: str, probabilities: np.ndarray, after: Any) -> dict[str, float]:
    """Return the expectations over S states ``after`` the round of the built-in objectives, the game's and the Gini."""
    measures = {"surplus": surplus, "log_nash_welfare": log_nash_welfare, "rawlsian": rawlsian, "gini": gini}
    measures[objective] = lookup(OBJECTIVES, objective)
    return {name: float(probabilities @ measure(after)) for name, measure in measures.items()}


def divergence(distributions: np.ndarray, priors: np.ndarray) -> list[float]:
    """Return KL(pi || pi_0) in nats of each row."""
    chosen = distributions > 0
    ratio = np.log(np.where(chosen, distributions, 1.0)) - np.log(np.where(chosen, priors, 1.0))
    return [float(x) for x in (distributions * ratio).sum(-1)]
