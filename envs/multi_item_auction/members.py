"""Auctions by name as menus that can be announced: VCG, and sales with reserve prices where these are optimal."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from math import perm
from typing import TYPE_CHECKING

import numpy as np

from lawgiver.envs.core.fields import LOGIT_BOUND
from lawgiver.envs.multi_item_auction.menus import logits_of
from lawgiver.envs.multi_item_auction.values import PIECES
from lawgiver.envs.solvers.auctions.exponential import Exponential
from lawgiver.envs.solvers.auctions.myerson import Marginal

if TYPE_CHECKING:
    from lawgiver.envs.multi_item_auction.game import MultiItemAuction


def members(game: MultiItemAuction) -> dict[str, tuple[float, ...]]:
    """Return the announced parameters of the menus that have a name, where ``game.entries`` are enough for them.

    VCG has an entry for each way to hand out all items. If bidders are alike and virtual values rise, Myerson's rule is
    VCG with a reserve price, which a boost of minus the reserve prices of what is sold stands for.
    """
    n, m, unit = game.n, game.m, game.demand == "unit"
    found: dict[str, tuple[float, ...]] = {}
    if (perm(max(n, m), min(n, m)) if unit else n**m) <= game.entries:
        owners = list(_matchings(n, m) if unit else itertools.product(range(n), repeat=m))
        found["vcg"] = announced(game, _given(owners, n), np.zeros(len(owners)))
    if game.profiles is not None or any(row != game.distributions[0] for row in game.distributions):
        return found
    items = game.distributions[0]
    if not unit and (n + 1) ** m - 1 <= game.entries and all(_reserve_does(n, each) for each in items):
        reserves = np.array([_reserve(each) for each in items])
        owners = [each for each in itertools.product(range(n + 1), repeat=m) if any(i < n for i in each)]
        shares = _given(owners, n)
        found["item_myerson"] = announced(game, shares, -(shares.sum(1) @ reserves))
    if (n * m if unit else n) <= game.entries and _reserve_does(n, game.bundles[0]):
        bundles = np.eye(n)[:, :, None] * np.ones(m)
        if unit:
            bundles = np.einsum("ik,jl->ijkl", np.eye(n), np.eye(m)).reshape(-1, n, m)
        found["bundle_myerson"] = announced(game, bundles, np.full(len(bundles), -_reserve(game.bundles[0])))
    return found


def announced(game: MultiItemAuction, shares: np.ndarray, boosts: np.ndarray) -> tuple[float, ...]:
    """Return parameters (D,) of a menu with shares (K, n, m) and boosts (K,), weights 1; the rest gives nothing."""
    spare = game.entries - len(shares)
    shares = np.concatenate([shares, np.zeros((spare, game.n, game.m))])
    logits = logits_of(shares, LOGIT_BOUND)
    return (*logits.ravel().tolist(), *boosts.tolist(), *[0.0] * spare, *[0.0] * game.n)


def _reserve_does(n: int, distribution: Marginal) -> bool:
    """Whether a reserve price makes a second-price auction between n alike bidders optimal.

    It does unless virtual values above 0 are ironed; on less than a piece that an approximation has brought with it.
    """
    if n == 1 or isinstance(distribution, Exponential):
        return True
    flat = (distribution.segments.slopes == 0) & (distribution.segments.first > 0)
    widths = (distribution.segments.ends - distribution.segments.starts)[flat]
    return bool((widths < (distribution.high - distribution.low) / PIECES).all())


def _reserve(distribution: Marginal) -> float:
    return float(distribution.critical(np.zeros(1), above=True)[0])


def _given(owners: list[tuple[int, ...]], n: int) -> np.ndarray:
    """Return shares (K, n, m) for the owner of each item in each of K entries; n stands for nobody."""
    return np.stack([np.eye(n + 1)[list(each)].T[:n] for each in owners])


def _matchings(n: int, m: int) -> Iterator[tuple[int, ...]]:
    """Enumerate the ways to give as many items as possible to bidders, one each: the owner of each item, n for nobody.

    There are max(n, m)! / |n - m|! of them.
    """
    if n >= m:
        yield from itertools.permutations(range(n), m)
        return
    for items in itertools.permutations(range(m), n):
        owners = [n] * m
        for i, item in enumerate(items):
            owners[item] = i
        yield tuple(owners)
