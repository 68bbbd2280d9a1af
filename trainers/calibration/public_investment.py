"""Calibration of simulated people to human contributions: data, simulation, loss and search.

Needs scipy (extra ``solve``) for the search alone.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any

import numpy as np

from lawgiver.agents.people.public_investment import SimulatedPeople, Traits
from lawgiver.agents.policies import draw_discrete
from lawgiver.envs.core.make import make_policy
from lawgiver.envs.core.policy import Policy
from lawgiver.envs.core.registry import extras
from lawgiver.envs.public_investment.game import PublicInvestment

MECHANISMS = ("strict_egalitarian", "libertarian", "liberal_egalitarian")
TAILS = (2, 4, 10)
ROLES = ("head", "tail")
N_ROUNDS = 10
GAME = PublicInvestment(endowments=tuple((10, tail, tail, tail) for tail in TAILS), n_rounds=N_ROUNDS)
"""The game of the experiment: one head, three tails, one condition for each endowment of the tails."""

BOUNDS: Mapping[str, tuple[float, float]] = {
    "propensity": (0.3, 1.2),
    "wealth": (-0.1, 0.4),
    "spread": (0.0, 0.6),
    "response": (0.0, 2.0),
    "doubt": (0.01, 5.0),
    "social": (0.0, 1.0),
    "similarity": (0.0, 5.0),
    "recency": (0.3, 1.0),
    "conformity": (0.0, 0.5),
    "coins": (0.0, 1.0),
    "standing": (0.0, 0.5),
    "noise": (0.15, 0.6),
    "lapse": (0.02, 0.4),
}
"""Search intervals of the fitted traits. Means carry little information about heterogeneity: the bounds of ``spread``
and ``noise`` exclude people most of whom always give all or nothing."""
CARRY = 0.5
"""The trait that no published figure identifies."""


def human_contributions() -> np.ndarray:
    """Load mean contributions as fractions of the endowment, (mechanism, tail endowment, role, round); NaN: unknown.

    Read off figure 1C of Koster et al. 2022 to about 0.01 (see agents/data/README.md).
    """
    found = np.full((len(MECHANISMS), len(TAILS), len(ROLES), N_ROUNDS), np.nan)
    text = (files("lawgiver.agents") / "data" / "fig1c_digitised.csv").read_text()
    for row in csv.DictReader(text.splitlines()):
        cell = MECHANISMS.index(row["mechanism"]), TAILS.index(int(row["tail_endowment"])), ROLES.index(row["role"])
        found[(*cell, int(row["timestep"]))] = float(row["mean_relative_contribution"] or "nan")
    return found


def simulated_contributions(
    participants: Policy, n_groups: int, seed: int, mechanisms: Sequence[str] = MECHANISMS
) -> np.ndarray:
    """Simulate the same of a population, (mechanism, tail endowment, role, round), over ``n_groups`` groups a cell.

    Every group is new. The random numbers depend on the seed and the number of groups alone, not on the population.
    """
    rng = np.random.default_rng(seed)
    given = np.tile(np.repeat(np.array(GAME.conditions, float), n_groups, axis=0), (len(mechanisms), 1))
    rules: list[Any] = [make_policy(GAME, "mechanism", name) for name in mechanisms]
    state, memory = GAME.initial_state_from(given), participants.initial_state(len(given), rng)
    rounds = []
    for _ in range(N_ROUNDS):
        obs, legal = GAME.observe(state, "participant"), GAME.legal_actions(state, "participant")
        log_probabilities, memory = participants.distribution(obs, legal, memory)
        state, *_ = GAME.step(state, draw_discrete(log_probabilities, rng), {})
        seen = np.split(GAME.observe(state, "mechanism"), len(rules))
        weights = [rule.outcome(part, None, None, rng)[0] for rule, part in zip(rules, seen, strict=True)]
        state, *_ = GAME.advance(state, np.concatenate(weights), {})
        rounds.append(state.contributions / given)
    means = np.stack(rounds, -1).reshape(len(rules), len(TAILS), n_groups, GAME.n, N_ROUNDS).mean(2)
    return np.stack([means[:, :, 0], means[:, :, 1:].mean(2)], axis=2)


def cell_errors(simulated: np.ndarray, human: np.ndarray) -> np.ndarray:
    """Compute the difference of the means over the rounds that are known, (mechanism, tail endowment, role)."""
    return np.asarray(np.nanmean(simulated - human, axis=-1))


def trends(curves: np.ndarray, human: np.ndarray) -> np.ndarray:
    """Compute the least-squares slopes of curves (..., round), a round, over the rounds in which ``human`` is known."""
    known = ~np.isnan(human)
    count = known.sum(-1, keepdims=True)
    rounds = np.where(known, np.arange(N_ROUNDS), 0.0)
    centred = np.where(known, np.arange(N_ROUNDS) - rounds.sum(-1, keepdims=True) / count, 0.0)
    return np.asarray((centred * np.where(known, curves, 0.0)).sum(-1) / (centred**2).sum(-1))


def loss(simulated: np.ndarray, human: np.ndarray) -> float:
    """Sum squared errors: of cell means, plus half those of single rounds and of the change over a game."""
    change = (N_ROUNDS - 1) * (trends(simulated, human) - trends(human, human))
    cells, points = cell_errors(simulated, human) ** 2, np.nanmean((simulated - human) ** 2)
    return float(cells.mean() + 0.5 * points + 0.5 * (change**2).mean())


def fit(
    mechanisms: Sequence[str] = MECHANISMS, *, generations: int, refinements: int, n_groups: int = 60, seed: int = 0
) -> Traits:
    """Find the traits that minimise :func:`loss` under some of the mechanisms.

    Differential evolution on ``n_groups`` groups a cell, then a simplex search from its best point on four times as
    many, both with common random numbers.

    Args:
        mechanisms: names of those whose data are used.
        generations: number in the evolution, each of 65 simulations.
        refinements: number of simulations of the simplex search.
        n_groups: number of groups a cell.
        seed: of the search and of the groups.
    """
    with extras("the calibration"):
        from scipy.optimize import differential_evolution, minimize
    human = human_contributions()[[MECHANISMS.index(name) for name in mechanisms]]
    low, high = np.array(list(BOUNDS.values())).T

    def traits(point: np.ndarray) -> Traits:
        chosen = dict(zip(BOUNDS, np.clip(point, low, high).tolist(), strict=True))
        return Traits(**chosen, carry=CARRY)

    def objective(point: np.ndarray, groups: int) -> float:
        people = SimulatedPeople(GAME, traits(point))
        return loss(simulated_contributions(people, groups, seed + 1, mechanisms), human)

    found = differential_evolution(
        objective, list(BOUNDS.values()), args=(n_groups,), popsize=5, maxiter=generations, mutation=(0.4, 0.9),
        recombination=0.8, seed=np.random.default_rng(seed), polish=False, tol=0.0,
    )  # fmt: skip
    options = {"maxfev": refinements, "adaptive": True, "xatol": 0.0, "fatol": 0.0}
    bounds = list(zip(low, high, strict=True))
    refined = minimize(objective, found.x, args=(4 * n_groups,), method="Nelder-Mead", bounds=bounds, options=options)
    return traits(refined.x)
