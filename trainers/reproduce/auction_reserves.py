"""Best reserve prices for bidders of bounded rationality: by a grid, by search, and learned.

Myerson's reserve does not depend on pricing or on the number of bidders, as rational ones bid against each other in
either case. Bidders in a logit equilibrium do not: below the limit of a high inverse temperature the best reserve is
lower, and lower in a first-price auction than in a second-price one, where a bid is a matter of the own value alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from lawgiver.envs.core.errors import UnsupportedGameError
from lawgiver.envs.sealed_bid.game import SealedBid
from lawgiver.envs.solvers.equilibrium.one_round import SOLVED
from lawgiver.envs.solvers.equilibrium.subgame import uniform_prior
from lawgiver.envs.solvers.equilibrium.subgame_equilibrium import Best, best_in_box, solve
from lawgiver.trainers.reproduce.runs import finished
from lawgiver.trainers.runs.run import Run

LEVELS = (10.0, 30.0, 100.0, 300.0, 1000.0)
"""Inverse temperatures, per unit of money."""
Pricing = Literal["first", "next"]
"""First and second price."""
PRICINGS: tuple[Pricing, ...] = ("first", "next")
N_BIDS = 65
"""Levels of bids, a 64th apart."""
RESERVES = np.arange(49) / 64
"""The grid of reserves, a level of bids apart."""
SEEDS = (0,)
"""Revenue is measured in expectation, and a single parameter perturbed to both sides: seeds hardly differ."""


@dataclass(frozen=True)
class BestReserve:
    """The best reserve of two bidders with values uniform on [0, 1], at one inverse temperature.

    Attributes:
        pricing: of the game.
        inverse_temperature: of the bidders, per unit of money.
        on_grid: the best of :data:`RESERVES`, and its revenue.
        in_box: the best that a search of [0, 1] finds, and its revenue.
        without: revenue without a reserve.
    """

    pricing: Pricing
    inverse_temperature: float
    on_grid: Best
    in_box: Best
    without: float


def best_reserves(
    pricings: Sequence[Pricing] = PRICINGS, levels: Sequence[float] = LEVELS, n_bids: int = N_BIDS
) -> Iterator[BestReserve]:
    """Compute the best reserve by pricing and inverse temperature, in exact equilibria.

    Args:
        pricings: of the game ``sealed_bid``.
        levels: inverse temperatures of the bidders, each in [0, inf].
        n_bids: levels of bids from 0 to 1, >= 2.

    Raises:
        UnsupportedGameError: if bidders have no equilibrium under one of the reserves.
    """
    for pricing in pricings:
        game = SealedBid(pricing=pricing, n_bids=n_bids)
        for level in levels:
            values = revenues(game, RESERVES, level)
            best = int(values.argmax())
            on_grid = Best(RESERVES[best : best + 1], float(values[best]))
            yield BestReserve(pricing, level, on_grid, best_in_box(game, level), float(values[0]))


def revenues(game: SealedBid, reserves: np.ndarray, inverse_temperature: float) -> np.ndarray:
    """Compute the revenue in equilibrium under each reserve of (K,), (K,).

    Raises:
        UnsupportedGameError: if there is no equilibrium under one of them.
    """
    parameters, subgame = np.asarray(reserves, float)[:, None], game.subgame
    found = solve(subgame, parameters, inverse_temperature, uniform_prior(subgame))
    if found.residual > SOLVED:
        raise UnsupportedGameError(
            f"{game.name}: no exact equilibrium under some reserve at inverse temperature {inverse_temperature:g} "
            f"({found.residual:.1g} off)"
        )
    return np.asarray(subgame.measures(parameters, found.policy)["revenue"])


def learned_reserves(
    out: Path,
    jobs: int,
    *,
    pricings: Sequence[Pricing] = PRICINGS,
    levels: Sequence[float] = LEVELS,
    seeds: Sequence[int] = SEEDS,
) -> dict[tuple[Pricing, float], tuple[Run, ...]]:
    """Train the packaged config ``sealed_bid`` by pricing and inverse temperature; runs that are there are kept.

    Args:
        out: folder that receives a folder a run.
        jobs: maximum number of parallel trainings, >= 1.
        pricings: of the game ``sealed_bid``.
        levels: inverse temperatures of the bidders.
        seeds: one training each.

    Returns:
        the runs of all seeds, by pricing and inverse temperature. The ``summary`` of a run has ``revenue``,
        ``parameters`` and ``gap_closed``.
    """
    asked = {(pricing, level): seeds for pricing in pricings for level in levels}
    wanted = [
        (out / f"{pricing}_{level:g}" / f"s{seed}", "sealed_bid", overrides(pricing, level, seed))
        for (pricing, level), each in asked.items()
        for seed in each
    ]
    runs = iter(finished(wanted, jobs))
    return {setting: tuple(next(runs) for _ in each) for setting, each in asked.items()}


def overrides(pricing: Pricing, inverse_temperature: float, seed: int) -> tuple[str, ...]:
    """List the overrides of the packaged config."""
    return (
        f"game.pricing={pricing}",
        f"agents.participants.inverse_temperature={inverse_temperature}",
        f"seed={seed}",
    )
