"""Payoffs of misreports from the menu under every joint choice, on one sample of types, and equilibria.

Rounds do not hang together, so that one round says all. Of N profiles of types each is played under each of the A^n
joint choices: a table from which what anybody expects of anything follows without further games, and so with the same
random numbers. A strategy is a probability of each choice by *class* of own type, the same for all seats: two halves by
how far values differ, two by how much is wanted. In a logit equilibrium everybody chooses a with a probability
proportional to exp(inverse_temperature u(a)), u being what members of its class expect while all others do so too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from lawgiver.envs.core.arrays import evolve, softmax
from lawgiver.envs.core.errors import ConvergenceError
from lawgiver.envs.core.fields import columns

if TYPE_CHECKING:
    from lawgiver.envs.repeated_allocation.game import RepeatedAllocation

Rule = Callable[[np.ndarray], np.ndarray]
"""From reports (B, n, k) to amounts (B, n m)."""

AT_ONCE = 20_000
"""Number of games per slice of the rule."""
SOLVED = 1e-6
"""Largest probability with which participants in equilibrium act otherwise than the response to it."""
STEPS = 20_000
"""Steps in which an equilibrium has to be found."""


@dataclass(frozen=True)
class PayoffTable:
    """N profiles of types under every joint choice of n participants from a menu of A.

    Attributes:
        types: (N, n, k).
        utilities: (N, A, ..., A, n), an axis for the choice of each participant.
        objective: what the mechanism is paid, (N, A, ..., A).
    """

    types: np.ndarray
    utilities: np.ndarray
    objective: np.ndarray

    def expected(self, played: np.ndarray) -> np.ndarray:
        """Compute each participant's payoff of each choice, (N, n, A), while the others play ``played`` (N, n, A)."""
        seats = range(played.shape[1])
        return np.stack([_mixed(self.utilities[..., seat], played, (seat,)) for seat in seats], axis=1)

    def welfare(self, played: np.ndarray) -> float:
        """Compute the mechanism's expected objective of a round under strategies ``played`` (N, n, A)."""
        return float(_mixed(self.objective, played, ()).mean())


def _mixed(values: np.ndarray, played: np.ndarray, kept: tuple[int, ...]) -> np.ndarray:
    """Return the mean of values (N, A, ..., A) over the choices of all seats but those ``kept``."""
    for seat in reversed(range(played.shape[1])):
        if seat not in kept:
            values = np.einsum("n...a,na->n...", np.moveaxis(values, seat + 1, -1), played[:, seat])
    return values


def announced(game: RepeatedAllocation, burning: float, sharing: float) -> Rule:
    """Return the rule of the one-shot game's family."""

    def rule(reports: np.ndarray) -> np.ndarray:
        parameters = np.broadcast_to([burning, sharing], (len(reports), 2))
        return np.asarray(game.one_shot.decide(parameters, reports))

    return rule


def apply_rule(rule: Rule, reports: np.ndarray) -> np.ndarray:
    """Apply a rule to reports (B, n, k) in slices; return amounts (B, n m)."""
    return np.concatenate([rule(reports[at : at + AT_ONCE]) for at in range(0, len(reports), AT_ONCE)])


def round_results(
    game: RepeatedAllocation, types: np.ndarray, reports: np.ndarray, amounts: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return true utilities (B, n) and the mechanism's objective (B,) of rounds with types and reports (B, n, k)."""
    done = game.one_shot.settle(evolve(game.one_shot.initial_state_from(types), reports=reports), amounts)
    return np.asarray(done.utilities), np.asarray(game.one_shot.measure(done))


def sample_types(game: RepeatedAllocation, profiles: int, seed: int) -> np.ndarray:
    """Sample types (N, n, k) of N profiles."""
    return np.asarray(game.one_shot.initial_state(profiles, np.random.default_rng(seed)).types)


def joint_choices(game: RepeatedAllocation, types: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return types and reports, (N A^n, n, k) each, of profiles (N, n, k) under every joint choice."""
    count, n, _ = types.shape
    joint = np.array(list(product(range(len(game.menu)), repeat=n)))
    every = np.repeat(types, len(joint), axis=0)
    return every, game.reports_of(every, np.tile(joint, (count, 1)))


def payoff_table(game: RepeatedAllocation, rule: Rule, types: np.ndarray) -> PayoffTable:
    """Return the table of a rule for profiles of types (N, n, k); it takes N A^n games."""
    every, reports = joint_choices(game, types)
    return _tabulated(game, types, every, reports, apply_rule(rule, reports))


def _tabulated(
    game: RepeatedAllocation, types: np.ndarray, every: np.ndarray, reports: np.ndarray, amounts: np.ndarray
) -> PayoffTable:
    utilities, objective = round_results(game, every, reports, amounts)
    shape = (len(types), *(len(game.menu),) * game.one_shot.n)
    return PayoffTable(types, utilities.reshape(*shape, game.one_shot.n), objective.reshape(shape))


def deviations(game: RepeatedAllocation, rule: Rule, types: np.ndarray) -> np.ndarray:
    """Compute the payoff of each choice while all others are honest, (N, n, A), for types (N, n, k)."""
    count, n, _ = types.shape
    size = len(game.menu)
    choices = np.full((count, n, size, n), game.honest)
    for seat in range(n):
        choices[:, seat, :, seat] = np.arange(size)
    every = np.repeat(types, n * size, axis=0)
    reports = game.reports_of(every, choices.reshape(-1, n))
    utilities, _ = round_results(game, every, reports, apply_rule(rule, reports))
    return np.stack([utilities.reshape(count, n, size, n)[:, seat, :, seat] for seat in range(n)], axis=1)


def largest_gain(game: RepeatedAllocation, rule: tuple[float, float], lies: np.ndarray, profiles: int) -> float:
    """Compute the largest gain of some choices over honesty, others being honest, on sampled profiles."""
    found = deviations(game, announced(game, *rule), sample_types(game, profiles, 0))
    return float((found[..., lies] - found[..., game.honest, None]).max())


@dataclass(frozen=True)
class Classes:
    """Four classes of types: halves by how unequal values are, and by how much is wanted.

    Attributes:
        game: the game.
        medians: at which the halves part, (2,).
    """

    game: RepeatedAllocation
    medians: np.ndarray

    @classmethod
    def of(cls, game: RepeatedAllocation, types: np.ndarray) -> Classes:
        """Return the classes that part types (N, n, k) in halves."""
        return cls(game, np.median(_features(game, types).reshape(-1, 2), axis=0))

    def __call__(self, types: np.ndarray) -> np.ndarray:
        """Return the class, 0 to 3, of each type: (..., k) to (...)."""
        above = _features(self.game, types) > self.medians
        return np.asarray(above @ np.array([2, 1]))


def _features(game: RepeatedAllocation, types: np.ndarray) -> np.ndarray:
    """Return the share of the greatest value in all, and the mean demand, (..., 2)."""
    value, demand = (types[..., at] for at in columns(game.one_shot.type_layout()).values())
    return np.stack([value.max(axis=-1) / value.sum(axis=-1), demand.mean(axis=-1)], axis=-1)


@dataclass(frozen=True)
class Equilibrium:
    """A symmetric logit equilibrium on the menu.

    Attributes:
        strategy: probability of each choice by class, (4, A).
        residual: largest probability with which a class acts otherwise than its response.
        regret: what a participant would gain on average by the best choice of its class.
        welfare: the mechanism's expected objective a round.
    """

    strategy: np.ndarray
    residual: float
    regret: float
    welfare: float


def equilibrium(table: PayoffTable, classes: Classes, inverse_temperature: float) -> Equilibrium:
    """Return the logit equilibrium that is reached from uniform play by ever smaller steps to the response.

    Args:
        table: payoff table of the rule.
        classes: classes of types.
        inverse_temperature: per unit of utility, finite.

    Raises:
        ConvergenceError: if it is not found, saying how far off it is.
    """
    member = classes(table.types)
    masses = np.array([(member == one).mean() for one in range(4)])
    strategy = np.full((4, table.utilities.shape[1]), 1 / table.utilities.shape[1])
    for step in range(STEPS):
        expected = table.expected(strategy[member])
        worth = np.stack([expected[member == one].mean(axis=0) if masses[one] else 0 * strategy[0] for one in range(4)])
        response = np.asarray(softmax(inverse_temperature * worth))
        residual = float(0.5 * np.abs(response - strategy).sum(axis=1).max())
        if residual <= SOLVED:
            regret = float(masses @ (worth.max(axis=1) - (strategy * worth).sum(axis=1)))
            return Equilibrium(strategy, residual, regret, table.welfare(strategy[member]))
        strategy = strategy + (response - strategy) / (2 + step / 50)
    raise ConvergenceError(f"no logit equilibrium in {STEPS} steps: off by a probability of {residual:.2g}")


def equilibria_on_grid(
    game: RepeatedAllocation, types: np.ndarray, levels: Sequence[float], inverse_temperature: float
) -> dict[tuple[float, float], Equilibrium]:
    """Return the equilibrium under every rule (burning, sharing) of a grid, on the same types (N, n, k).

    Between no sharing and nothing else a rule's amounts are linear in ``sharing``, so that what costs time is done once
    for each level of ``burning``.

    Raises:
        ConvergenceError: if one is not found.
    """
    classes = Classes.of(game, types)
    every, reports = joint_choices(game, types)
    shared = apply_rule(announced(game, 0.0, 1.0), reports)
    found = {}
    for burning in levels:
        fair = apply_rule(announced(game, burning, 0.0), reports)
        for sharing in levels:
            amounts = (1 - sharing) * fair + sharing * shared
            table = _tabulated(game, types, every, reports, amounts)
            found[burning, sharing] = equilibrium(table, classes, inverse_temperature)
    return found
