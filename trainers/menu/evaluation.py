"""The expected objective of a menu on fresh profiles, beside auctions that are known by name and the known limit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from lawgiver.agents.direct_auctions import LearnedMenu
from lawgiver.agents.reporting import NamedRule
from lawgiver.envs.core.policy import Policy
from lawgiver.envs.multi_item_auction.game import MultiItemAuction
from lawgiver.envs.multi_item_auction.solutions import known_menu
from lawgiver.trainers.evaluation.item_auctions import BASELINES, CHUNK, judged_profiles, measured
from lawgiver.trainers.runs.config import validate
from lawgiver.trainers.runs.loading import load
from lawgiver.trainers.runs.run import Run
from lawgiver.trainers.statistics.estimate import Estimate
from lawgiver.trainers.statistics.streams import MENUS


def evaluate_run(run: Run, games: int, seed: Sequence[int]) -> dict[str, Any]:
    """Compare a run's menu on fresh profiles, as many as its config asks for; see :func:`compared`."""
    config = validate(run.settings)
    game: Any = config.game.make()
    menu = load(run.path, role="mechanism", game=game)
    return compared(game, menu, config.trainer.evaluation.profiles, seed)


def compared(game: MultiItemAuction, menu: LearnedMenu, profiles: int, seed: Sequence[int]) -> dict[str, Any]:
    """Estimate the objective of a menu, and of named auctions on the same profiles, beside the known limit.

    Args:
        game: in ``allocate`` mode.
        menu: played exactly, nothing is smoothed.
        profiles: number of them, >= 2; those of a file are taken instead, once each.
        seed: of a stream from which no training draws.

    Returns:
        by the objective's name: ``learned``, each auction of ``BASELINES``, and ``limit``, None where none is known;
        ``ratio_to_limit``, where an auction attains the limit: estimated by the difference to it, profile by profile,
        which varies far less than what either earns; ``entries`` and how many of them are ever chosen,
        ``entries_used``.
    """
    types = judged_profiles(game, profiles, np.random.default_rng([MENUS, *seed]))
    learned = measured(game, menu, types)
    known = {name: measured(game, NamedRule(game, name), types) for name in BASELINES if name in game.direct_rules}
    limit, best = game.limit(), best_auction(game)
    ratio = None
    if limit and best is not None:
        ratio = Estimate.of_samples(1 + (learned - measured(game, best, types)) / limit)
    values = {"learned": learned, **known}
    return {
        game.objective: {**{name: Estimate.of_samples(each) for name, each in values.items()}, "limit": limit},
        "ratio_to_limit": ratio,
        "entries": len(menu.boosts),
        "entries_used": len(used_entries(menu, types)),
    }


def best_auction(game: MultiItemAuction) -> Policy | None:
    """Return an auction that attains the game's limit, None where none is known."""
    if game.limit() is None:
        return None
    if game.objective == "welfare":
        return NamedRule(game, "vcg") if "vcg" in game.direct_rules else None
    known = known_menu(game)
    if known is not None:
        return LearnedMenu(game, shares=known.shares[:, None], boosts=-known.prices)
    return NamedRule(game, "item_myerson") if "item_myerson" in game.direct_rules else None


def used_entries(menu: LearnedMenu, types: np.ndarray) -> np.ndarray:
    """List the entries of a menu that some profile of types (B, n, m) chooses, ascending."""
    parts = (types[start : start + CHUNK] for start in range(0, len(types), CHUNK))
    chosen = np.unique(np.concatenate([np.unique(menu.choose(part).entry) for part in parts]))
    return chosen[chosen < len(menu.boosts)]
