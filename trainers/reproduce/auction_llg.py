"""Payoffs of locals with one and the same value in the local-local-global auction, of which wrong figures circulate."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from lawgiver.envs.combinatorial_auction.game import CombinatorialAuction
from lawgiver.envs.combinatorial_auction.solutions import Local
from lawgiver.envs.core.errors import NoSolution, UnsupportedGameError
from lawgiver.trainers.reproduce.table import Cell

CIRCULATING = {"nearest_vcg": 0.0741, "nearest_bid": 0.0417}
"""What bnelearn's table of known equilibria has for a local, correlation 1."""
LOCAL, GLOBAL = 1024, 2048
"""Values that are enumerated."""


def rows() -> Iterator[dict[str, Cell]]:
    """Tabulate what a local earns by rule: what circulates, why, in closed form and enumerated."""
    for rule, circulating in CIRCULATING.items():
        local = Local(rule, 1.0)
        yield {
            "rule": rule.replace("_", " "),
            "in circulation": circulating,
            "bid counted as value": local.local_payoff("bid"),
            "closed form": local.local_payoff("value"),
            "enumerated": enumerated(rule),
        }


def enumerated(rule: str) -> float:
    """Compute the mean payoff of a local by playing all pairs of local and global values, correlation 1.

    Raises:
        UnsupportedGameError: if the rule has no known equilibrium.
    """
    game = CombinatorialAuction(pricing=rule, correlation=1.0)  # type: ignore[arg-type]  # one of the two above
    w = np.zeros((1, 1))
    local, everything = ((np.arange(size) + 0.5) / size for size in (LOCAL, GLOBAL))
    total = 0.0
    for value in local:
        values = np.stack([np.full(GLOBAL, value), np.full(GLOBAL, value), 2 * everything], axis=-1)
        bids = np.stack([_bids(game, seat, values[:, seat]) for seat in range(3)], axis=-1)
        share, paid = game.allocate(values[..., None], bids[..., None], np.broadcast_to(w, (GLOBAL, 1)))[:, 0].T
        total += float((value * share - paid).mean())
    return total / LOCAL


def _bids(game: CombinatorialAuction, seat: int, values: np.ndarray) -> np.ndarray:
    bids = game.equilibrium_bids((0.0,), seat)
    if isinstance(bids, NoSolution):
        raise UnsupportedGameError(f"{game.name}: {bids}")
    return bids(values)
