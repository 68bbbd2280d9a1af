"""Solution methods of normal-form games by name, and the regret that each of their solutions is judged by.

>>> from lawgiver.envs.solvers.normal_form.forms import NormalForm
>>> chicken = NormalForm([[[6, 2], [7, 0]], [[6, 7], [2, 0]]])
>>> (best,) = solutions(chicken, "ce")
>>> best.payoffs(chicken), float(best.regrets(chicken).max().round(9))
(array([5.25, 5.25]), 0.0)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import wraps
from typing import Any, Literal

import numpy as np

from lawgiver.envs.core.errors import UnknownNameError, UnsupportedGameError, allowed, brief, choice
from lawgiver.envs.core.make import call_with
from lawgiver.envs.solvers.normal_form.alpha_rank import alpha_rank, one_population
from lawgiver.envs.solvers.normal_form.correlated import coarse_correlated_equilibrium, correlated_equilibrium
from lawgiver.envs.solvers.normal_form.double_oracle import opened_in
from lawgiver.envs.solvers.normal_form.fictitious_play import fictitious_play
from lawgiver.envs.solvers.normal_form.forms import Form, Mixtures, expanded, uniform
from lawgiver.envs.solvers.normal_form.hedge import hedge, optimistic_hedge
from lawgiver.envs.solvers.normal_form.nash import equilibria, minimax
from lawgiver.envs.solvers.normal_form.regret_matching import internal_regret_matching, regret_matching
from lawgiver.envs.solvers.normal_form.replicator import replicator

Concept = Literal["nash", "correlated", "coarse"]
"""What a solution would be without regret: of a Nash equilibrium the gain is by the best reply to the others' mixtures,
of a correlated one by the best reply to each recommendation, of a coarse one by the best in place of all of them."""


@dataclass(frozen=True, eq=False)
class FormSolution:
    """A solution of a game in normal form.

    Attributes:
        concept: by which its regret is measured.
        mixtures: of each population; the marginals of ``joint`` where there is one.
        joint: distribution of joint choices, of which ``concept`` speaks where it is not ``nash``; None elsewhere.
    """

    concept: Concept
    mixtures: Mixtures
    joint: np.ndarray | None = None

    def regrets(self, form: Form) -> np.ndarray:
        """Compute the gain of each player from leaving the solution in a form, >= 0, of one population (1,)."""
        if self.joint is None:
            return _in(form, self.mixtures).regrets(self.mixtures)
        whole = expanded(form)
        if self.concept == "correlated":
            return whole.correlated_regrets(self.joint)
        return np.asarray(np.maximum(whole.coarse_regrets(self.joint), 0.0))

    def payoffs(self, form: Form) -> np.ndarray:
        """Compute the expected payoff of each player in a form, of one population (1,)."""
        if self.joint is None:
            return _in(form, self.mixtures).values(self.mixtures)
        whole = expanded(form)
        return np.asarray((self.joint * whole.payoffs).reshape(whole.n, -1).sum(axis=1))


def _in(form: Form, mixtures: Mixtures) -> Form:
    """Write a symmetric form out where each player has a mixture of its own."""
    return form if len(mixtures) == len(form.sizes) else expanded(form)


def solutions(form: Form, method: str, **options: Any) -> tuple[FormSolution, ...]:
    """Solve a game by a method.

    Args:
        form: the game.
        method: one of ``METHODS``.
        options: of the method, each as its function has it.

    Raises:
        UnknownNameError: if there is no such method.
        ParameterError: if an option is unknown or outside its range.
        UnsupportedGameError: if the method does not apply to the game, naming those that do.
        ConvergenceError: if it finds nothing.
        MissingExtraError: without scipy or nashpy, where they are needed.
    """
    require_method(method, form.n)
    if method in OF_ZERO_SUM and not expanded(form).zero_sum:
        rest = ", ".join(sorted(METHODS.keys() - OF_ZERO_SUM))
        told = f"{method} solves zero-sum games of two players, payoffs here do not add up to a constant"
        raise UnsupportedGameError(f"{told}: allowed: {rest}")
    found: tuple[FormSolution, ...] = call_with(METHODS[method], f"method {method!r}", form, **options)
    return found


def require_method(method: object, n: int) -> None:
    """Check that there is a method of this name, and that it solves games of n players.

    Raises:
        UnknownNameError: if there is none.
        UnsupportedGameError: if it does not, naming those that do.
    """
    if not isinstance(method, str) or method not in METHODS:
        raise UnknownNameError(f"unknown method {brief(method)}: {allowed(str(method), METHODS)}")
    if n != 2 and method in OF_TWO | OF_ZERO_SUM:
        rest = ", ".join(sorted(METHODS.keys() - OF_TWO - OF_ZERO_SUM))
        told = f"{'zero-sum ' if method in OF_ZERO_SUM else ''}games of two players, this one has {n}"
        raise UnsupportedGameError(f"{method} solves {told}: allowed: {rest}")


def _mixed(play: Callable[..., Any], pick: Callable[[Any], Mixtures]) -> Callable[..., tuple[FormSolution, ...]]:
    """Make a method of a course of play, whose mixtures are picked from it."""

    @wraps(play)
    def method(form: Form, **options: Any) -> tuple[FormSolution, ...]:
        return (FormSolution("nash", pick(play(form, **options))),)

    return method


def _joint(solve: Callable[..., np.ndarray], concept: Concept) -> Callable[..., tuple[FormSolution, ...]]:
    """Make a method of what finds a distribution of joint choices."""

    @wraps(solve)
    def method(form: Form, **options: Any) -> tuple[FormSolution, ...]:
        joint = solve(expanded(form), **options)
        return (FormSolution(concept, _marginals(joint), joint),)

    return method


def _alpha_rank(form: Form, intensity: float | None = None, population: int = 50) -> tuple[FormSolution, ...]:
    mass = alpha_rank(form, intensity, population)
    return (FormSolution("nash", (mass,) if one_population(form) else _marginals(mass)),)


def _nash(form: Form) -> tuple[FormSolution, ...]:
    return tuple(FormSolution("nash", pair) for pair in equilibria(expanded(form)))


def _minimax(form: Form) -> tuple[FormSolution, ...]:
    return (FormSolution("nash", minimax(expanded(form))),)


def _double_oracle(form: Form, start: Sequence[int] | None = None) -> tuple[FormSolution, ...]:
    return (_opened(expanded(form), one_equilibrium, start),)


def _psro(form: Form, meta: str = "optimistic_hedge", start: Sequence[int] | None = None) -> tuple[FormSolution, ...]:
    return (_opened(form, META[choice("meta", meta, META)], start),)


def one_equilibrium(form: Form) -> Mixtures:
    """Compute a Nash equilibrium of two players, that of the programme where payoffs are zero-sum."""
    whole = expanded(form)
    return minimax(whole) if whole.zero_sum else equilibria(whole)[0]


def _opened(form: Form, solve: Callable[[Form], Mixtures], start: Sequence[int] | None) -> FormSolution:
    found = opened_in(form, solve, start)
    mixtures = []
    for size, weights in zip(form.sizes, found.weights, strict=True):
        mixture = np.zeros(size)
        mixture[list(weights)] = list(weights.values())
        mixtures.append(mixture)
    return FormSolution("nash", tuple(mixtures))


def _marginals(joint: np.ndarray) -> Mixtures:
    axes = range(joint.ndim)
    return tuple(joint.sum(axis=tuple(axis for axis in axes if axis != i)) for i in axes)


def _replicated(form: Form) -> Mixtures:
    unit = 1 / (float(form.ranges.max()) or 1.0)
    return replicator(form, 50 * unit, 0.05 * unit).average


METHODS: dict[str, Callable[..., tuple[FormSolution, ...]]] = {
    "alpha_rank": _alpha_rank,
    "cce": _joint(coarse_correlated_equilibrium, "coarse"),
    "ce": _joint(correlated_equilibrium, "correlated"),
    "double_oracle": _double_oracle,
    "fictitious_play": _mixed(fictitious_play, lambda course: course.frequencies),
    "hedge": _mixed(hedge, lambda course: course.average),
    "internal_regret_matching": _joint(internal_regret_matching, "correlated"),
    "minimax": _minimax,
    "nash": _nash,
    "optimistic_hedge": _mixed(optimistic_hedge, lambda course: course.last),
    "psro": _psro,
    "regret_matching": _joint(regret_matching, "coarse"),
    "replicator": _mixed(replicator, lambda course: course.last),
}
"""Solution methods."""
OF_TWO, OF_ZERO_SUM = {"double_oracle", "nash"}, {"minimax"}
"""Methods for two players, and for two whose payoffs add up to a constant."""
META: dict[str, Callable[[Form], Mixtures]] = {
    "uniform": uniform,
    "hedge": lambda form: hedge(form, 1_000).average,
    "optimistic_hedge": lambda form: optimistic_hedge(form, 1_000).average,
    "replicator": _replicated,
}
"""Solvers of the restricted games of PSRO, for any number of players."""
