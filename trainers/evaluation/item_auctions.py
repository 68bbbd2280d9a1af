"""Auctions of several items on many profiles, for trainers of them."""

from __future__ import annotations

import numpy as np

from lawgiver.envs.core.policy import Policy
from lawgiver.envs.families.play_out import play_out
from lawgiver.envs.multi_item_auction.game import MultiItemAuction

BASELINES = ("vcg", "item_myerson", "bundle_myerson")
"""Truthful auctions that a learned one is compared with, where the game knows them."""
CHUNK = 4_096
"""Profiles that are played at once."""


def judged_profiles(game: MultiItemAuction, count: int, rng: np.random.Generator) -> np.ndarray:
    """Draw the types (B, n, m) of ``count`` profiles; of a file all of its profiles, once each, in random order."""
    if game.profiles is not None:
        return rng.permutation(game.profiles)
    return np.asarray(game.initial_state(count, rng).types)


def measured(game: MultiItemAuction, mechanism: Policy, types: np.ndarray) -> np.ndarray:
    """Compute the objective of each profile of types (B, n, m) under truthful reports, (B,)."""
    parts = (types[start : start + CHUNK] for start in range(0, len(types), CHUNK))
    return np.concatenate([game.measure(play_out(game, mechanism, part, part)) for part in parts])
