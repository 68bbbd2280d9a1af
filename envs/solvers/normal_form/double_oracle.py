"""Double oracle: a large game is solved among a few of its strategies, to which best responses are added.

The restricted game among the opened strategies is solved, and each population opens a best response of the whole game
to that solution, until nobody finds one that is new (McMahan, Gordon and Blum 2003). With any solver of the restricted
game, any number of players and any oracle, exact or learned, it is policy-space response oracles, PSRO (Lanctot et al.
2017). Strategies may be anything that can be a key.

    >>> from lawgiver.envs.solvers.normal_form.forms import NormalForm
    >>> from lawgiver.envs.solvers.normal_form.nash import minimax
    >>> pennies = NormalForm([[[1, -1], [-1, 1]], [[-1, 1], [1, -1]]])
    >>> found = opened_in(pennies, minimax, start=(0, 0))
    >>> found.opened, found.mixtures[0].tolist()
    (((0, 1), (0, 1)), [0.5, 0.5])
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Generic, TypeVar

import numpy as np

from lawgiver.envs.core.errors import ConvergenceError
from lawgiver.envs.solvers.normal_form.forms import Form, Mixtures, NormalForm, SymmetricForm, checked_choices, profiles

S = TypeVar("S", bound=Hashable)
F = TypeVar("F", bound=Form)
TIE = 1e-9
"""Of the largest difference of payoffs: a response that gains no more is none."""


@dataclass(frozen=True, eq=False)
class Opened(Generic[S, F]):
    """The solution of a game among the strategies that were opened.

    Attributes:
        opened: strategies of each population, in the order in which they were opened.
        form: the game among them.
        mixtures: its solution, by population.
        rounds: times that a restricted game was solved.
    """

    opened: tuple[tuple[S, ...], ...]
    form: F
    mixtures: Mixtures
    rounds: int

    @property
    def weights(self) -> tuple[dict[S, float], ...]:
        """Weight of each opened strategy, by population, zeros included."""
        return _weights(self.opened, self.mixtures)


def double_oracle(
    start: Sequence[S],
    form_of: Callable[[tuple[tuple[S, ...], ...]], F],
    solve: Callable[[F], Mixtures],
    respond: Callable[[tuple[dict[S, float], ...]], Sequence[S | None]],
    limit: int = 10_000,
) -> Opened[S, F]:
    """Open best responses until nobody finds one that is new.

    Args:
        start: the strategy that each population opens first.
        form_of: makes the game among some strategies of each population, such as :func:`tabulated`.
        solve: solves it.
        respond: finds a strategy of each population in the whole game against a solution, given as weights by
            strategy; None where none does better.
        limit: rounds.

    Raises:
        ConvergenceError: if best responses are still new after ``limit`` rounds.
    """
    opened: tuple[tuple[S, ...], ...] = tuple((first,) for first in start)
    for count in range(1, limit + 1):
        form = form_of(opened)
        mixtures = solve(form)
        responses = respond(_weights(opened, mixtures))
        new = [
            () if response is None or response in known else (response,)
            for response, known in zip(responses, opened, strict=True)
        ]
        if not any(new):
            return Opened(opened, form, mixtures, count)
        opened = tuple(known + added for known, added in zip(opened, new, strict=True))
    raise ConvergenceError(f"best responses are still new after {limit} rounds of double oracle")


def tabulated(payoffs: Callable[[tuple[S, ...]], Sequence[float]]) -> Callable[[tuple[tuple[S, ...], ...]], NormalForm]:
    """Make the games among some strategies of each player.

    Args:
        payoffs: of the players at a joint choice, n numbers; asked once for each.
    """
    known: dict[tuple[S, ...], Sequence[float]] = {}

    def form_of(opened: tuple[tuple[S, ...], ...]) -> NormalForm:
        cells = list(product(*opened))
        for cell in cells:
            if cell not in known:
                known[cell] = payoffs(cell)
        whole = np.array([known[cell] for cell in cells], float).T
        return NormalForm(whole.reshape(len(opened), *map(len, opened)))

    return form_of


def tabulated_symmetric(
    payoffs: Callable[[tuple[S, ...]], Mapping[S, float]], n: int
) -> Callable[[tuple[tuple[S, ...], ...]], SymmetricForm]:
    """Make the games of n exchangeable players among some strategies.

    Args:
        payoffs: of one who plays each strategy that occurs, by strategy, where the players play n given ones; asked
            once for each multiset, in which those opened first come first.
        n: number of players.
    """
    known: dict[tuple[S, ...], Mapping[S, float]] = {}

    def form_of(opened: tuple[tuple[S, ...], ...]) -> SymmetricForm:
        (strategies,) = opened
        columns = []
        for counts in profiles(n, len(strategies)).tolist():
            cell = tuple(strategy for strategy, count in zip(strategies, counts, strict=True) for _ in range(count))
            if cell not in known:
                known[cell] = payoffs(cell)
            columns.append([known[cell].get(strategy, 0.0) for strategy in strategies])
        return SymmetricForm(np.array(columns).T, n)

    return form_of


def opened_in(form: Form, solve: Callable[[Form], Mixtures], start: Sequence[int] | None = None) -> Opened[int, Form]:
    """Solve a game that is known in full by double oracle.

    Args:
        form: the game.
        solve: solves the restricted games.
        start: the strategy that each population opens first; 0 by default.

    Raises:
        ParameterError: if ``start`` has no strategy of each population.
        ConvergenceError: never but for a fault of ``solve``.
    """

    def restricted(opened: tuple[tuple[int, ...], ...]) -> Form:
        if isinstance(form, NormalForm):
            return NormalForm(form.payoffs[np.ix_(range(form.n), *opened)])
        (strategies,) = opened
        full = np.zeros((len(profiles(form.n, len(strategies))), form.sizes[0]), int)
        full[:, strategies] = profiles(form.n, len(strategies))
        place = {tuple(counts): at for at, counts in enumerate(profiles(form.n, form.sizes[0]).tolist())}
        at = [place[tuple(counts)] for counts in full.tolist()]
        return SymmetricForm(form.payoffs[np.ix_(strategies, at)], form.n)

    def respond(weights: tuple[dict[int, float], ...]) -> list[int | None]:
        mixtures = []
        for size, of_one in zip(form.sizes, weights, strict=True):
            mixture = np.zeros(size)
            mixture[list(of_one)] = list(of_one.values())
            mixtures.append(mixture)
        worths, values = form.against(tuple(mixtures)), form.values(tuple(mixtures))
        ties = TIE * form.ranges
        return [
            int(worth.argmax()) if worth.max() > value + tie else None
            for worth, value, tie in zip(worths, values, ties, strict=True)
        ]

    return double_oracle(checked_choices(form, start) or [0] * len(form.sizes), restricted, solve, respond)


def _weights(opened: tuple[tuple[S, ...], ...], mixtures: Mixtures) -> tuple[dict[S, float], ...]:
    return tuple(
        dict(zip(known, mixture.tolist(), strict=True)) for known, mixture in zip(opened, mixtures, strict=True)
    )
