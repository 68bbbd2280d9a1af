"""Exact solutions of the public investment game: ceilings and closed forms."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from lawgiver.envs.core.arrays import Array
from lawgiver.envs.core.errors import NoSolution
from lawgiver.envs.core.game import KnownSolution
from lawgiver.envs.core.objectives import LOG_GUARD, gini, log_nash_welfare, rawlsian, surplus
from lawgiver.envs.public_investment.one_round import RoundEquilibrium, after_round, priors_of, solve_weights
from lawgiver.envs.public_investment.rule_families import FAMILIES
from lawgiver.envs.public_investment.water_filling import water_fill
from lawgiver.envs.solvers.equilibrium.joint_grid import grid_size

if TYPE_CHECKING:
    from lawgiver.envs.public_investment.game import PublicInvestment

LARGEST_CHECK = 20_000
"""Joint contributions up to which the solver is compared with closed forms among the known solutions."""


def best_payoffs(endowments: tuple[int, ...], multiplier: float) -> np.ndarray:
    """Return the payoffs (n,) that maximise log Nash welfare and the least payoff with rational participants.

    Nobody can be made to do worse than by keeping the endowment, so x_i >= e_i; and the sum is at most
    max(multiplier, 1) * sum e. Within these the optimum is water-filling above the endowments.
    """
    floors = np.array([endowments], float)
    return np.asarray(water_fill(floors, max(multiplier - 1, 0.0) * floors.sum(-1))[0])


def ceiling_scores(game: PublicInvestment, endowments: tuple[int, ...]) -> dict[str, float]:
    """Return the built-in objectives and the Gini at :func:`best_payoffs`, where each objective is at its highest."""
    best = best_payoffs(endowments, game.multiplier)[None]
    state = replace(game.initial_state_from(np.array([endowments], float)), payoffs=best)
    measures = {"surplus": surplus, "log_nash_welfare": log_nash_welfare, "rawlsian": rawlsian, "gini": gini}
    return {name: float(measure(state)[0]) for name, measure in measures.items()}


def ceiling(game: PublicInvestment) -> float | None:
    """Return the best value of the game's objective with rational participants, the mean over its conditions.

    None for an objective that is not built in.
    """
    if game.objective not in ("surplus", "log_nash_welfare", "rawlsian"):
        return None
    return float(np.mean([ceiling_scores(game, endowments)[game.objective] for endowments in game.conditions]))


def truncated_geometric(n_actions: int, slope: float, inverse_temperature: float) -> np.ndarray:
    """Return the logit choice (n_actions,) where every further point changes the payoff by ``slope``."""
    logits = inverse_temperature * slope * np.arange(n_actions)
    powers = np.exp(logits - logits.max())
    return np.asarray(powers / powers.sum())


def allocating_game(game: PublicInvestment) -> PublicInvestment:
    """Return the same game with a mechanism that sends weights, whatever family it announces rules from."""
    return replace(game, mechanism_mode="allocate", participant_observation="paper")


def canonical_equilibrium(
    game: PublicInvestment, name: str, endowments: tuple[int, ...], inverse_temperature: float
) -> RoundEquilibrium | NoSolution:
    """Return the equilibrium under a canonical rule of the power family with a uniform prior."""
    allocating = allocating_game(game)
    power = FAMILIES["power"]

    def weights(given: Array, contributions: Array) -> Array:
        return power.weights(np.array(power.members[name]), given, contributions)

    priors = priors_of(allocating, endowments, None)
    return solve_weights(allocating, weights, endowments, endowments, priors, inverse_temperature)


def known_solutions(game: PublicInvestment) -> tuple[KnownSolution, ...]:
    """List the known solutions of the game's first condition, cheap to recompute."""
    endowments = game.conditions[0]
    solutions = (_water_filling(game, endowments), _surplus(game, endowments))
    if grid_size(tuple(e + 1 for e in endowments), endowments) > LARGEST_CHECK:
        return solutions
    slopes = {"strict_egalitarian": game.multiplier / game.n - 1, "libertarian": game.multiplier - 1}
    return solutions + tuple(_geometric(game, endowments, name, slope) for name, slope in slopes.items())


def _water_filling(game: PublicInvestment, endowments: tuple[int, ...]) -> KnownSolution:
    def residual() -> float:
        floors, best = np.array(endowments, float), best_payoffs(endowments, game.multiplier)
        budget = abs(best.sum() - max(game.multiplier, 1.0) * floors.sum())
        prices = 1 / (best + LOG_GUARD)  # d log / dx: equal where lifted, lower where the floor binds
        lifted = best > floors + 1e-9
        unequal = np.ptp(prices[lifted]) if lifted.any() else 0.0
        overpaid = (
            max((prices[~lifted] - prices[lifted].min()).max(), 0.0) if lifted.any() and not lifted.all() else 0.0
        )
        return float(budget + unequal + overpaid + max((floors - best).max(), 0.0))

    return KnownSolution(
        name=f"highest log Nash welfare a round with rational participants, endowments {endowments}",
        source="KKT conditions of max sum log x, x_i >= e_i, sum x = multiplier * sum e (Boyd and Vandenberghe 2004)",
        value=lambda: float(np.log(best_payoffs(endowments, game.multiplier) + LOG_GUARD).sum()),
        residual=residual,
        tolerance=1e-9,
    )


def _surplus(game: PublicInvestment, endowments: tuple[int, ...]) -> KnownSolution:
    most = max(game.multiplier - 1, 0.0) * sum(endowments)

    def residual() -> float:
        given = np.array([endowments], float)
        contributions = given if game.multiplier > 1 else np.zeros_like(given)
        after = after_round(allocating_game(game), np.full_like(given, 1 / game.n), given, contributions)
        return abs(float(surplus(after)[0]) - most)

    return KnownSolution(
        name=f"highest surplus a round, endowments {endowments}",
        source="everybody contributes everything where the multiplier exceeds 1, else nothing",
        value=lambda: most,
        residual=residual,
    )


def _geometric(game: PublicInvestment, endowments: tuple[int, ...], name: str, slope: float) -> KnownSolution:
    def gap() -> float:
        played = canonical_equilibrium(game, name, endowments, 1.0)
        assert not isinstance(played, NoSolution)
        exact = [truncated_geometric(e + 1, slope, 1.0) for e in endowments]
        found = [played.distributions[i, : e + 1] for i, e in enumerate(endowments)]
        return float(max(np.abs(a - b).max() for a, b in zip(exact, found, strict=True)))

    return KnownSolution(
        name=f"mean contribution under {name}, inverse temperature 1, of endowment {endowments[0]}",
        source=f"dominant strategies: a point contributed changes the payoff by {slope:+.3g} whatever the others do",
        value=lambda: float(truncated_geometric(endowments[0] + 1, slope, 1.0) @ np.arange(endowments[0] + 1)),
        residual=gap,
        tolerance=1e-9,
    )
