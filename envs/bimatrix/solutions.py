"""Known solutions of two-player games: the logit equilibrium, and all Nash equilibria by support enumeration."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

import numpy as np

from lawgiver.envs.core.errors import UnsupportedGameError, number
from lawgiver.envs.core.game import KnownSolution
from lawgiver.envs.solvers.equilibrium import logit
from lawgiver.envs.solvers.equilibrium.joint_grid import joint_grid
from lawgiver.envs.solvers.equilibrium.one_round import temperatures
from lawgiver.envs.solvers.normal_form.forms import NormalForm
from lawgiver.envs.solvers.normal_form.nash import equilibria

if TYPE_CHECKING:
    from lawgiver.envs.bimatrix.game import Bimatrix

FEW_ACTIONS = 6
"""Actions of either participant up to which supports are enumerated."""


def taxed(game: Bimatrix, tax: float) -> np.ndarray:
    """Return the payoffs (m, n, 2) under a tax rate in [0, 1]."""
    rate = number("tax", tax, "[0, 1]")
    mean = game.table.mean(axis=-1, keepdims=True)
    paid: np.ndarray = (1 - rate) * game.table + rate * mean
    return paid


def form(game: Bimatrix, tax: float = 0.0) -> NormalForm:
    """Make a round under a tax rate in [0, 1] a game in normal form."""
    return NormalForm(np.moveaxis(taxed(game, tax), -1, 0))


def nash_equilibria(game: Bimatrix, tax: float = 0.0) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return the Nash equilibria of a round under a tax, mixed rows (m,) and columns (n,), by support enumeration.

    All of them, unless the game is degenerate: then there are infinitely many, and some of them are returned.

    Raises:
        UnsupportedGameError: if either participant has more than ``FEW_ACTIONS`` actions.
        MissingExtraError: without nashpy.
    """
    if max(game.counts) > FEW_ACTIONS:
        raise UnsupportedGameError(
            f"a game of {game.counts} actions has too many supports to enumerate, allowed: {FEW_ACTIONS} of each"
        )
    return [(row, column) for row, column in equilibria(form(game, tax))]


def logit_strategies(game: Bimatrix, inverse_temperature: float, tax: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Return the logit equilibrium of a round under a tax, from uniform priors: mixed rows (m,) and columns (n,)."""
    grid = joint_grid(game.counts, (0, 1))
    payoffs = taxed(game, tax)[grid.actions[:, 0], grid.actions[:, 1]]
    priors = tuple(np.full(count, -np.log(count)) for count in game.counts)
    found = logit.logit_equilibrium(grid, payoffs[None], priors, temperatures(inverse_temperature))
    row, column = (np.asarray(strategy[0]) for strategy in found.strategies)
    return row, column


def known_solutions(game: Bimatrix) -> tuple[KnownSolution, ...]:
    """List the known solutions of a round without tax."""
    scale = 1 + float(np.abs(game.table).max())
    unit = 1 / scale  # an inverse temperature at which payoffs of any unit are told apart, but not sharply
    known = [
        KnownSolution(
            name=f"probability of row 0 in the logit equilibrium at inverse temperature {unit:.3g}, without a tax",
            source="McKelvey and Palfrey 1995; residual is the distance from the logit response to it",
            value=lambda: float(logit_strategies(game, unit)[0][0]),
            residual=lambda: _response_distance(game, unit),
            tolerance=1e-9,
        )
    ]
    if max(game.counts) <= FEW_ACTIONS and find_spec("nashpy"):
        known.append(
            KnownSolution(
                name="number of Nash equilibria without a tax",
                source="support enumeration (nashpy); residual is the largest regret in any, relative to payoffs",
                value=lambda: float(len(nash_equilibria(game))),
                residual=lambda: max(form(game).regrets(pair).max() for pair in nash_equilibria(game)) / scale,
                tolerance=1e-9,
            )
        )
    return tuple(known)


def _response_distance(game: Bimatrix, inverse_temperature: float) -> float:
    """Compute the largest difference between the logit equilibrium and the logit responses to it."""
    row, column = logit_strategies(game, inverse_temperature)
    worth = (game.table[..., 0] @ column, row @ game.table[..., 1])
    responses = [np.exp(inverse_temperature * (x - x.max())) for x in worth]
    return max(
        float(np.abs(best / best.sum() - played).max()) for best, played in zip(responses, (row, column), strict=True)
    )
