"""One round of the public investment game against a memoryless mechanism, and its logit equilibrium.

Where the mechanism remembers nothing every round is the same game, so that one round tells everything. Payoffs come
from the rules themselves (:meth:`PublicInvestment.advance`), on NumPy or on torch.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lawgiver.envs.core.arrays import Array
from lawgiver.envs.core.checks import check_policy
from lawgiver.envs.core.errors import NoSolution
from lawgiver.envs.core.policy import Policy
from lawgiver.envs.solvers.equilibrium import logit
from lawgiver.envs.solvers.equilibrium.joint_grid import LARGEST_GRID, grid_size, joint_grid
from lawgiver.envs.solvers.equilibrium.one_round import (
    SOLVED,
    divergence,
    expected_scores,
    inexact,
    log_of,
    mean_outcome,
    prior,
    temperatures,
)

if TYPE_CHECKING:
    from lawgiver.envs.public_investment.game import PublicInvestment
    from lawgiver.envs.public_investment.state import PublicInvestmentState

Sends = Callable[[Array, Array], Array]
"""What a mechanism sends for endowments and contributions (S, n): weights (S, n), or parameters of a rule (S, k)."""


@dataclass(frozen=True)
class RoundEquilibrium:
    """Behaviour of participants in one round against a mechanism.

    Attributes:
        endowments: endowments of each seat, in points.
        probabilities: probability of each joint contribution, (S,).
        after: the state after the round at each joint contribution (S games).
        distributions: distribution of each seat's contribution, (n, largest endowment of the game + 1).
        priors: what it would be at inverse temperature 0, like ``distributions``.
        residual: largest difference between a distribution and the logit response to it.
    """

    endowments: tuple[int, ...]
    probabilities: np.ndarray
    after: PublicInvestmentState
    distributions: np.ndarray
    priors: np.ndarray
    residual: float


def after_round(game: PublicInvestment, sent: Array, endowments: Array, contributions: Array) -> PublicInvestmentState:
    """Return the state after one round, by the rules.

    Args:
        game: the game.
        sent: the mechanism's outcome: weights (S, n), or in announce mode the parameters of the rule (S, k).
        endowments: (S, n).
        contributions: (S, n).
    """
    state = game.initial_state_from(endowments)
    for outcome in (sent, contributions) if game.announces else (contributions, sent):
        state, _, _, _ = game.advance(state, outcome, {})
    return state


def weight_function(game: PublicInvestment, mechanism: Policy) -> Sends:
    """Return a mechanism as a function of endowments and contributions."""

    def sent(endowments: Array, contributions: Array) -> Array:
        state = game.initial_state_from(endowments)
        if not game.announces:
            state, _, _, _ = game.advance(state, contributions, {})
        return mean_outcome(game, mechanism, state)

    return sent


def priors_of(
    game: PublicInvestment, endowments: tuple[int, ...], anchor: Policy | None, rule: Array | None = None
) -> np.ndarray:
    """Return the prior (n, largest endowment of the game + 1) of the first round, before which ``rule`` (1, k), if
    any, was announced; see :func:`lawgiver.envs.solvers.equilibrium.one_round.prior`.
    """
    state = game.initial_state_from(np.array([endowments], float))
    if rule is not None:
        state, _, _, _ = game.advance(state, rule, {})
    return prior(game, state, anchor)


def symmetry_classes(endowments: tuple[int, ...], sent: Sends | None, priors: np.ndarray) -> tuple[int, ...]:
    """Return a label for each seat, the same for seats that may be exchanged.

    Seats with equal endowments and equal priors are alike if exchanging any neighbouring two of them exchanges their
    weights, at 200 joint contributions drawn once for all; if that fails anywhere, no two seats are taken for alike.
    ``sent`` None stands for a mechanism that is known to treat equals equally.
    """
    labels = [next(j for j in range(i + 1) if _same_seat(endowments, priors, i, j)) for i in range(len(endowments))]
    apart = tuple(range(len(endowments)))
    if sent is None or labels == list(apart):
        return tuple(labels)
    given, contributions = _some_rounds(endowments)
    weights = sent(given, contributions)
    for j in range(1, len(endowments)):
        earlier = [i for i in range(j) if labels[i] == labels[j]]
        if not earlier:
            continue
        order = list(apart)
        order[j], order[earlier[-1]] = order[earlier[-1]], order[j]
        swapped = sent(given, contributions[:, order])
        same = swapped[:, order] if swapped.shape[-1] == len(endowments) else swapped
        if float(np.max(np.abs(same - weights))) > 1e-5:
            return apart
    return tuple(labels)


def _some_rounds(endowments: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Return endowments and contributions of 200 rounds, both (200, n), drawn once for all."""
    given = np.broadcast_to(np.array(endowments, float), (200, len(endowments)))
    return given, np.floor(np.random.default_rng(0).random(given.shape) * (given + 1))


def _met(game: PublicInvestment, endowments: tuple[int, ...]) -> PublicInvestmentState:
    """Return 200 pseudo-random states in which the mechanism acts, always the same."""
    given, contributions = _some_rounds(endowments)
    state = game.initial_state_from(given)
    return state if game.announces else game.advance(state, contributions, {})[0]


def _same_seat(endowments: tuple[int, ...], priors: np.ndarray, i: int, j: int) -> bool:
    return endowments[i] == endowments[j] and bool(np.allclose(priors[i], priors[j], atol=1e-9))


def solve(
    game: PublicInvestment,
    mechanism: Policy,
    endowments: tuple[int, ...],
    inverse_temperature: float,
    anchor: Policy | None = None,
) -> RoundEquilibrium | NoSolution:
    """Return the logit equilibrium of one round against a memoryless mechanism.

    Args:
        game: the game.
        mechanism: the mechanism; its outcome, or its mean action, is played.
        endowments: endowments of each seat.
        inverse_temperature: inverse temperature of the participants, per point, >= 0; infinity for the rational limit.
        anchor: the participants' prior policy; None for uniform.

    Returns:
        The equilibrium; or why there is none: a mechanism that remembers or draws at random, too
        many joint contributions (more than ``LARGEST_GRID``, seats that are alike grouped), or no convergence.

    Raises:
        ParameterError: if the inverse temperature is negative or not a number.
    """
    check_policy(game, "mechanism", mechanism, distribution=True)
    if anchor is not None:
        check_policy(game, "participant", anchor, distribution=True)
    fault = inexact(game, mechanism, _met(game, endowments))
    if fault is not None:
        return fault
    sent = weight_function(game, mechanism)
    rule = sent(np.array([endowments], float), np.zeros((1, len(endowments)))) if game.announces else None
    priors = priors_of(game, endowments, anchor, rule)
    labels = symmetry_classes(endowments, None if game.announces else sent, priors)
    too_large = refusal(endowments, labels)
    if too_large is not None:
        return too_large
    return solve_weights(game, sent, endowments, labels, priors, inverse_temperature)


def refusal(endowments: tuple[int, ...], labels: tuple[int, ...]) -> NoSolution | None:
    """Return why joint contributions of these seats are not enumerated, or None."""
    size = grid_size(tuple(e + 1 for e in endowments), labels)
    if size <= LARGEST_GRID:
        return None
    return NoSolution(
        f"no exact equilibrium at endowments {endowments}: {size} joint contributions, at most {LARGEST_GRID}"
    )


def solve_weights(
    game: PublicInvestment,
    sent: Sends,
    endowments: tuple[int, ...],
    labels: tuple[int, ...],
    priors: np.ndarray,
    inverse_temperature: float,
) -> RoundEquilibrium | NoSolution:
    """Compute the equilibrium under a mechanism given as a function; see :func:`solve`."""
    grid = joint_grid(tuple(e + 1 for e in endowments), labels)
    contributions = grid.actions.astype(float)
    given = np.broadcast_to(np.array(endowments, float), contributions.shape)
    after = after_round(game, sent(given, contributions), given, contributions)
    by_group = tuple(log_of(priors[group.seats[0], : group.n_actions]) for group in grid.groups)
    found = logit.logit_equilibrium(grid, after.payoffs[None], by_group, temperatures(inverse_temperature))
    residual = float(found.residual[0])
    if residual > SOLVED:
        return NoSolution(f"no exact equilibrium at endowments {endowments}: the residual stays at {residual:.1e}")
    distributions = np.zeros(priors.shape)
    for group, p in zip(grid.groups, found.strategies, strict=True):
        distributions[list(group.seats), : group.n_actions] = p[0]
    probabilities = logit.joint_probabilities(grid, found.strategies)[0]
    return RoundEquilibrium(endowments, probabilities, after, distributions, priors, residual)


def scores(game: PublicInvestment, played: RoundEquilibrium) -> dict[str, Any]:
    """Return the expected values of one round.

    Surplus, log Nash welfare, the least payoff and the game's own objective in their units; ``gini``, the expectation
    of the round's Gini; ``contribution_fraction`` and ``kl`` (nats, from the prior), one number a seat; ``residual``.
    """
    amounts = np.arange(played.distributions.shape[-1])
    return expected_scores(game.objective, played.probabilities, played.after) | {
        "endowments": list(played.endowments),
        "contribution_fraction": [float(x) for x in (played.distributions @ amounts) / np.array(played.endowments)],
        "kl": divergence(played.distributions, played.priors),
        "residual": played.residual,
    }


def mean_scores(by_condition: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the average over conditions of every score (the largest residual), and ``by_condition`` itself."""
    means: dict[str, Any] = {}
    for name in [key for key in by_condition[0] if key != "endowments"]:
        values = np.array([scored[name] for scored in by_condition])
        means[name] = values.max() if name == "residual" else values.mean(0)
        means[name] = means[name].tolist()
    return means | {"by_condition": by_condition}


def exact_scores(
    game: PublicInvestment, mechanism: Policy, inverse_temperature: float, anchor: Policy | None
) -> dict[str, Any] | NoSolution:
    """Return :func:`scores` by condition and on average, none where one of the conditions is not solved."""
    by_condition = []
    for endowments in game.conditions:
        played = solve(game, mechanism, endowments, inverse_temperature, anchor)
        if isinstance(played, NoSolution):
            return played
        by_condition.append(scores(game, played))
    return mean_scores(by_condition)
