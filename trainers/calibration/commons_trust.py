"""Calibration of people of the common-pool trust game to humans: data, closed-loop simulation, loss and search.

Near the tipping point, where 1 / 1.4 of the offers come back, small errors of single returns decide whether a pool
survives. So people are fitted to what becomes of whole games: surplus, inequality, survival. Needs scipy (extra
``solve``) for the search alone.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import numpy as np

from lawgiver.agents.people.commons_trust import CommonsPeople, Traits
from lawgiver.agents.population import Trustees
from lawgiver.envs.commons_trust.game import SMALLEST_OFFER, CommonsTrust
from lawgiver.envs.commons_trust.rule_family import MEMBERS, family_offers
from lawgiver.envs.core.arrays import evolve
from lawgiver.envs.core.objectives import gini
from lawgiver.envs.core.registry import extras

RULES = ("equal_offers", "mixed_offers", "proportional_offers")
MEASURES = ("surplus", "gini", "sustained")
GAME = CommonsTrust()
"""The game of the experiment: 40 rounds whose number nobody knows."""
GINI_BAR, SUSTAINED_BAR = 0.05, 0.15
"""Largest distances of Gini coefficient and share of sustained pools from the humans'; surplus, half their interval."""

BOUNDS: Mapping[str, tuple[float, float]] = {
    "propensity": (0.3, 1.0),
    "spread": (0.0, 0.6),
    "selfish": (0.0, 0.35),
    "conformity": (0.0, 0.5),
    "response": (0.0, 1.0),
    "doubt": (0.01, 2.0),
    "recency": (0.3, 1.0),
    "noise": (0.08, 0.4),
    "lapse": (0.01, 0.15),
}
"""Search intervals of the traits. Nine figures carry little information about single people: the bounds keep to what
other experiments found (free riders up to a third, say), and exclude people without noise."""
START: Mapping[str, float] = {
    "propensity": 0.45,
    "spread": 0.35,
    "selfish": 0.2,
    "conformity": 0.3,
    "response": 0.4,
    "doubt": 0.2,
    "recency": 0.8,
    "noise": 0.1,
    "lapse": 0.08,
}
"""Traits with which the search begins, since the nine figures allow many kinds of people. With a fifth of them selfish,
people return 0.36 of a first offer, as in other trust games; the traits that no experiment tells are guesses."""


@dataclass(frozen=True)
class Played:
    """Outcomes of G groups under each of R rules, over T rounds.

    Attributes:
        surplus: mean kept per participant and round, in points, (R, G).
        gini: Gini coefficient of the participants' means, (R, G).
        pool: after each round, in points, (R, G, T).
        excluded: share of the participants who were offered less than a point, (R, G, T).
        returned: sum of returns over sum of offers in each round, (R, G, T); NaN where nobody was offered a point.
    """

    surplus: np.ndarray
    gini: np.ndarray
    pool: np.ndarray
    excluded: np.ndarray
    returned: np.ndarray

    @property
    def sustained(self) -> np.ndarray:
        """Flags of the pools that were there after each round, (R, G, T)."""
        return np.asarray(self.pool > SMALLEST_OFFER)

    def measures(self) -> tuple[np.ndarray, np.ndarray]:
        """Compute the means of :data:`MEASURES` over the groups, (R, 3), and their standard errors."""
        found = np.stack([self.surplus, self.gini, self.sustained[..., -1]], axis=-1).astype(float)
        return found.mean(axis=1), found.std(axis=1, ddof=1) / np.sqrt(found.shape[1])


def human_figures() -> tuple[np.ndarray, np.ndarray]:
    """Load the humans' :data:`MEASURES` under :data:`RULES`, (3, 3), and how far from them people may be, (3, 3)."""
    text = (files("lawgiver.agents") / "data" / "commons_humans.csv").read_text()
    rows = {row["rule"]: row for row in csv.DictReader(text.splitlines())}
    known = [[float(rows[rule][measure]) for measure in MEASURES] for rule in RULES]
    bars = [[float(rows[rule]["half_width"]), GINI_BAR, SUSTAINED_BAR] for rule in RULES]
    return np.array(known), np.array(bars)


def simulate(people: Trustees[Any], n_groups: int, seed: int, rules: Sequence[str] = RULES) -> Played:
    """Play the game with ``n_groups`` fresh groups under each rule.

    The random numbers depend on the seed, the number of groups and the number of rules, not on the population.
    """
    rng = np.random.default_rng(seed)
    parameters = np.repeat(np.array([MEMBERS[rule] for rule in rules]), n_groups, axis=0)
    state, memory = GAME.initial_state(len(parameters), rng), people.initial_state(len(parameters), rng)
    rounds = []
    for _ in range(GAME.n_rounds):
        offers = family_offers(parameters, state.pool, state.returns, GAME.capacity)
        state, *_ = GAME.advance(state, offers, {})
        returns, memory = people.act(GAME.observe(state, "participant"), None, memory, rng)
        state, *_ = GAME.step(state, returns, {})
        offered = state.last_offers.sum(-1)
        fraction = np.where(
            offered >= SMALLEST_OFFER, state.returns.sum(-1) / np.maximum(offered, SMALLEST_OFFER), np.nan
        )
        rounds.append((state.pool, (state.last_offers < SMALLEST_OFFER).mean(-1), fraction))
    shape = (len(rules), n_groups)
    pool, excluded, returned = (np.stack(column, -1).reshape(*shape, -1) for column in zip(*rounds, strict=True))
    surplus = state.kept.mean(-1) / GAME.n_rounds
    unequal = gini(evolve(state, payoffs=state.kept))
    return Played(surplus.reshape(shape), unequal.reshape(shape), pool, excluded, returned)


def loss(found: np.ndarray, rules: Sequence[str] = RULES) -> float:
    """Sum the squared distances of :data:`MEASURES` (R, 3) from the humans', in units of half of what is allowed."""
    human, bars = (figures[[RULES.index(rule) for rule in rules]] for figures in human_figures())
    return float(((2 * (found - human) / bars) ** 2).sum())


def fit(rules: Sequence[str] = RULES, *, simulations: Sequence[int], n_groups: Sequence[int], seed: int = 1) -> Traits:
    """Find traits near :data:`START` that minimise :func:`loss` under some of the rules.

    A chain of simplex searches, each from the best point of the one before, with common random numbers. The first
    simplex reaches over a fifth of every interval, those of the later ones over a twentieth.

    Args:
        rules: names of those whose figures are used.
        simulations: number of simulations of each search.
        n_groups: number of groups a rule in each search.
        seed: of the groups.
    """
    with extras("the calibration"):
        from scipy.optimize import minimize
    low, high = np.array(list(BOUNDS.values())).T
    point, reach = np.array([START[name] for name in BOUNDS]), 0.2

    def traits(point: np.ndarray) -> Traits:
        return Traits(**dict(zip(BOUNDS, point.tolist(), strict=True)))

    def objective(point: np.ndarray, groups: int) -> float:
        people = CommonsPeople(GAME, traits(point))
        return loss(simulate(people, groups, seed, rules).measures()[0], rules)

    for count, groups in zip(simulations, n_groups, strict=True):
        sides = np.where(point + reach * (high - low) < high, reach, -reach) * (high - low)
        simplex = np.clip(np.vstack([point, point + np.diag(sides)]), low, high)
        options = {"maxfev": count, "adaptive": True, "xatol": 0.0, "fatol": 0.0, "initial_simplex": simplex}
        bounds = list(zip(low, high, strict=True))
        point = minimize(objective, point, (groups,), "Nelder-Mead", bounds=bounds, options=options).x
        reach = 0.05
    return traits(point)
