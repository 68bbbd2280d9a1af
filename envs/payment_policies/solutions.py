"""Nash equilibria of the payment game, and payments that turn a two-by-two game.

What is announced makes a bimatrix game of finitely many amounts, with exact payoffs: pure equilibria are found by
looking at all of them, mixed ones by Lemke and Howson's algorithm (nashpy). As agents learn for finitely many rounds,
payoffs of amounts that hardly matter differ in the last digits: pairs of which nobody gains more than a tolerance by
another amount are approximate equilibria, and come after the exact ones.

In a two-by-two game the first action of an agent is a dominant one once it is paid

    max_b (U(1, b) - U(0, b)),

the most that it loses by playing it: max(T - R, P - S) in a prisoner's dilemma. Where both pay that much, the payments
cancel out, and neither gains by paying nothing if R is more than what the other pays it.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from lawgiver.envs.core.errors import ConvergenceError
from lawgiver.envs.core.game import KnownSolution
from lawgiver.envs.core.registry import extras
from lawgiver.envs.payment_policies.subgame import NET
from lawgiver.envs.solvers.equilibrium.subgame import checked_parameters, uniform_prior
from lawgiver.envs.solvers.equilibrium.subgame_equilibrium import Equilibrium, solve

if TYPE_CHECKING:
    from lawgiver.envs.payment_policies.game import PaymentPolicies

TOLERANCE = 2e-3
"""Largest gain of a deviation from an approximate equilibrium, as a share of :attr:`MechanismGame.welfare_scale`."""
EXACT = 1e-9
"""That of an exact one: rounding."""
LEVEL = 100.0
"""Inverse temperature of the logit equilibrium that is known, over the scale of welfare."""


@dataclass(frozen=True)
class PaymentEquilibrium:
    """A Nash equilibrium of the payment game, or an approximate one.

    Attributes:
        strategies: probability of each amount of the menu, by participant, (2, M).
        regret: the most that a participant gains by another amount, in units of payoff; rounding in an exact one.
    """

    strategies: np.ndarray
    regret: float

    @property
    def policy(self) -> np.ndarray:
        """The strategies as a table of the subgame, (1, 2, M)."""
        return self.strategies[None]


def payment_game(game: PaymentPolicies, parameters: Sequence[float] | np.ndarray) -> np.ndarray:
    """Compute the payoffs of both principals by the amounts of the first and of the second, (2, M, M), under w (D,).

    Raises:
        ParameterError: if w is not as many finite numbers as the game announces.
    """
    w = checked_parameters(game, parameters)
    first, second = game.subgame.tables(w, w) @ NET
    return np.stack([first, second.T])


def regrets(payoffs: np.ndarray) -> np.ndarray:
    """Compute the most that either player gains by deviating from each pair of actions, (M, M), for (2, M, M)."""
    return np.asarray(np.maximum(payoffs[0].max(0) - payoffs[0], payoffs[1].max(1)[:, None] - payoffs[1]))


def pure_equilibria(
    game: PaymentPolicies, parameters: Sequence[float] | np.ndarray, tolerance: float = TOLERANCE
) -> list[tuple[int, int]]:
    """List the pairs of amounts, by their places in the menu, that are equilibria of the payment game under w (D,).

    Args:
        game: whose menu it is.
        parameters: w, (D,).
        tolerance: what a deviation may gain, as a share of the game's scale of welfare, >= 0.

    Returns:
        exact equilibria before approximate ones, and of each kind those who pay least in all first.
    """
    apart = regrets(payment_game(game, parameters)) / game.welfare_scale
    found = [(int(i), int(j)) for i, j in np.argwhere(apart <= tolerance)]

    def order(pair: tuple[int, int]) -> tuple[bool, float, float]:
        return bool(apart[pair] > EXACT), round(game.menu[pair[0]] + game.menu[pair[1]], 12), float(apart[pair])

    return sorted(found, key=order)


def equilibrium(game: PaymentPolicies, parameters: Sequence[float] | np.ndarray) -> PaymentEquilibrium:
    """Find a Nash equilibrium of the payment game under w (D,).

    It is the exact pure one in which least is offered in all; where none is pure, a mixed one; and where the algorithm
    ends at none, that of the approximate ones from which a deviation gains least.

    Raises:
        ConvergenceError: if there is no pure one, approximate or not, and no mixed one is found.
        MissingExtraError: if there is no exact pure one, and nashpy is not installed.
    """
    pure = pure_equilibria(game, parameters)
    regret = regrets(payment_game(game, parameters))
    candidates = [PaymentEquilibrium(np.eye(len(game.menu))[list(pair)], float(regret[pair])) for pair in pure]
    if candidates and candidates[0].regret <= EXACT * game.welfare_scale:
        return candidates[0]
    try:
        candidates.append(mixed_equilibrium(game, parameters))
    except ConvergenceError:
        if not candidates:
            raise
    return min(candidates, key=lambda each: each.regret)


def mixed_equilibrium(game: PaymentPolicies, parameters: Sequence[float] | np.ndarray) -> PaymentEquilibrium:
    """Find a Nash equilibrium of the payment game under w (D,) by Lemke and Howson's algorithm, mixed where it is.

    Raises:
        ConvergenceError: if it ends nowhere, whichever label it starts with.
        MissingExtraError: without nashpy.
    """
    payoffs = payment_game(game, parameters)
    with extras("mixed equilibria of the payment game"):
        import nashpy
    best = PaymentEquilibrium(np.zeros((2, 0)), np.inf)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # it says that a game is degenerate
        for label in range(2 * len(game.menu)):
            row, column = nashpy.Game(*payoffs).lemke_howson(initial_dropped_label=label)
            if len(row) == len(column) == len(game.menu) and np.isfinite([row, column]).all():
                of_row, of_column = payoffs[0] @ column, row @ payoffs[1]
                gained = max(of_row.max() - row @ of_row, of_column.max() - of_column @ column)
                if gained < best.regret:
                    best = PaymentEquilibrium(np.stack([row, column]), max(float(gained), 0.0))
    if best.regret > TOLERANCE * game.welfare_scale:
        raise ConvergenceError(
            f"{game.name}: no equilibrium of the payment game is found, the nearest is off by {best.regret:.3g}"
        )
    return best


def least_payments(payoffs: Sequence[Sequence[Sequence[float]]] | np.ndarray) -> np.ndarray:
    """Compute what either agent has to be paid for its first action to be a dominant one, (2,), >= 0.

    Args:
        payoffs: of a two-by-two game, (2, 2, 2), by the first's action, the second's, and whose they are.
    """
    table = np.asarray(payoffs, float)
    lost = np.stack([table[1, :, 0] - table[0, :, 0], table[:, 1, 1] - table[:, 0, 1]])
    return np.asarray(np.maximum(lost.max(axis=1), 0.0))


def known_solutions(game: PaymentPolicies) -> tuple[KnownSolution, ...]:
    """List equilibria of the payment game under each baseline; of two-by-two games also the payments that turn them."""
    equilibria = (each for rule in game.baselines for each in _equilibria(game, rule))
    return (*equilibria, *(() if game.is_auction else map(partial(_turning, game), (0, 1))))


def _equilibria(game: PaymentPolicies, rule: str) -> tuple[KnownSolution, KnownSolution]:
    measure, level = "revenue" if game.is_auction else "welfare", LEVEL / game.welfare_scale
    w, subgame = np.array(game.members[rule], float), game.subgame

    def worth(policy: np.ndarray) -> float:
        return float(subgame.measures(w, policy)[measure])

    def logit() -> Equilibrium:
        return solve(subgame, w, level, uniform_prior(subgame))

    nash = KnownSolution(
        f"{measure} in a Nash equilibrium of the payment game, {rule}",
        "all pairs of amounts, or Lemke and Howson 1964; residual is the gain of a deviation",
        lambda: worth(equilibrium(game, w).policy),
        lambda: equilibrium(game, w).regret / game.welfare_scale,
        TOLERANCE,
        exact=EXACT,
    )
    bounded = KnownSolution(
        f"{measure} in the logit equilibrium at inverse temperature {level:g}, {rule}",
        "McKelvey and Palfrey 1995; residual is the distance from the logit response to it",
        lambda: worth(logit().policy),
        lambda: logit().residual,
    )
    return nash, bounded


def _turning(game: PaymentPolicies, seat: int) -> KnownSolution:
    table = np.array(game.payoffs)[..., seat]
    own, least = table if seat == 0 else table.T, float(least_payments(game.payoffs)[seat])

    def residual() -> float:
        gained = float((own[1] - own[0] - least).max())
        return abs(gained) if least else max(gained, 0.0)

    return KnownSolution(
        f"payment from which the first action of participant {seat} is dominant",
        "the most that it loses by it; residual is what the second action gains at that payment",
        lambda: least,
        residual,
    )
