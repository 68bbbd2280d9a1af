"""Auctions by name as menus that can be announced: VCG, and sales with reserve prices where these are optimal."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from lawgiver.envs.core.fields import LOGIT_BOUND
from lawgiver.envs.multi_item_auction.menus import logits_of

if TYPE_CHECKING:
    from lawgiver.envs.multi_item_auction.game import MultiItemAuction


def members(game: MultiItemAuction) -> dict[str, tuple[float, ...]]:
    """Return the announced parameters of the menus that have a name, where ``game.entries`` are enough for them.

    VCG has an entry for each way to hand out all items. If bidders are alike and virtual values rise evenly, Myerson's
    rule is VCG with a reserve price, which a boost of minus the reserve prices of what is sold stands for.
    """
    n, m, unit = game.n, game.m, game.demand == "unit"
    found: dict[str, tuple[float, ...]] = {}
    if n**m <= game.entries or (unit and (n + 1) ** m <= game.entries):
        owners = list(_matchings(n, m) if unit else itertools.product(range(n), repeat=m))
        if len(owners) <= game.entries:
            found["vcg"] = announced(game, _given(owners, n), np.zeros(len(owners)))
    if not _reserves_do(game):
        return found
    if not unit and (n + 1) ** m - 1 <= game.entries:
        reserves = np.array([_reserve(each) for each in game.distributions[0]])
        owners = [each for each in itertools.product(range(n + 1), repeat=m) if any(i < n for i in each)]
        shares = _given(owners, n)
        found["item_myerson"] = announced(game, shares, -(shares.sum(1) @ reserves))
    bundles = np.eye(n)[:, :, None] * np.ones(m)
    if unit:
        bundles = np.einsum("ik,jl->ijkl", np.eye(n), np.eye(m)).reshape(-1, n, m)
    if len(bundles) <= game.entries:
        reserve = _reserve(game.bundles[0])
        found["bundle_myerson"] = announced(game, bundles, np.full(len(bundles), -reserve))
    return found


def announced(game: MultiItemAuction, shares: np.ndarray, boosts: np.ndarray) -> tuple[float, ...]:
    """Return parameters (D,) of a menu with shares (K, n, m) and boosts (K,), weights 1; the rest gives nothing."""
    spare = game.entries - len(shares)
    shares = np.concatenate([shares, np.zeros((spare, game.n, game.m))])
    logits = logits_of(shares, LOGIT_BOUND)
    return (*logits.ravel().tolist(), *boosts.tolist(), *[0.0] * spare, *[0.0] * game.n)


def _reserves_do(game: MultiItemAuction) -> bool:
    """Whether bidders are alike and reserve prices make a second-price auction optimal, for items and the bundle."""
    alike = all(row == game.distributions[0] for row in game.distributions)
    return game.profiles is None and alike and game.distribution in ("uniform", "exponential")


def _reserve(distribution: object) -> float:
    return float(distribution.critical(np.zeros(1))[0])  # type: ignore[attr-defined]


def _given(owners: list[tuple[int, ...]], n: int) -> np.ndarray:
    """Return shares (K, n, m) for the owner of each item in each of K entries; n stands for nobody."""
    return np.stack([np.eye(n + 1)[list(each)].T[:n] for each in owners])


def _matchings(n: int, m: int) -> Iterator[tuple[int, ...]]:
    """Enumerate the ways to give as many items as possible to bidders, one each."""
    size = min(n, m)
    for each in itertools.product(range(n + 1), repeat=m):
        served = [i for i in each if i < n]
        if len(served) == size == len(set(served)):
            yield each
