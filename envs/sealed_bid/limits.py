"""Bounds of welfare and revenue in sealed-bid auctions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from lawgiver.envs.solvers.auctions.distributions import Distribution
from lawgiver.envs.solvers.auctions.myerson import highest_values, myerson_revenue

if TYPE_CHECKING:
    from lawgiver.envs.sealed_bid.game import SealedBid


def revenue_limit(game: SealedBid) -> float | None:
    """Compute Myerson's optimal revenue; None unless bidders are risk neutral with independent private values."""
    known = game.information == "private" and game.profiles is None and not game.risk_aversion
    return _in_slots(game, myerson_revenue) if known else None


def best_welfare(game: SealedBid) -> float:
    """Compute the expected welfare of giving slots to those to whom they are worth most, by distribution."""
    if game.information == "private":
        return _in_slots(game, highest_values)
    mean = 1.0 if game.information == "affiliated" else 0.5
    return mean * float(np.sort(game.qualities)[::-1][: len(game.sizes)] @ game.sizes)


def best_welfare_of(game: SealedBid, profiles: np.ndarray) -> float:
    """Average that welfare over profiles of values (N, n, 1)."""
    best = -np.sort(-profiles[..., 0] * np.array(game.qualities), axis=-1)[:, : len(game.sizes)]
    return float((best @ game.sizes).mean())


def _in_slots(game: SealedBid, best: Callable[[Sequence[Distribution], int], float]) -> float:
    """Compute sum_k alpha_k E[k-th highest] out of a function that returns expected sums of the m highest."""
    steps = game.sizes - np.append(game.sizes[1:], 0.0)
    return float(sum(step * best(game.clicks, k + 1) for k, step in enumerate(steps) if step))
