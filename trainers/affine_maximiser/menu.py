"""Affine maximisers on deterministic trees, as choices from a menu of outcomes.

On a deterministic tree a policy is a path, and as rewards are linear in types, a path is worth theta_i . Phi_i(path) to
participant i: Phi sums, along the path, the rewards of unit types. Paths with equal Phi, and open without the same
participants, are worth the same to everybody, so they stand as one entry on the menu: 216 paths of selling three items
to five participants are 26 sets of who is served. An entry's boost is the greatest of its paths' boosts; smoothed, it
is temperature * log sum exp(boost / temperature), which leaves the softmax over paths as it is. All n + 1 problems of B
profiles are then one matrix product and one maximum.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from lawgiver.envs.core.fields import width
from lawgiver.envs.families.mdp_game import MDPGame
from lawgiver.envs.solvers.equilibrium.prior import ILLEGAL
from lawgiver.envs.solvers.mdp.tree import Tree

DIGITS = 9
"""Decimals to which two paths' sums of unit rewards have to agree to be worth the same."""


@dataclass(frozen=True)
class Menu:
    """The outcomes on a tree, paths of equal features merged.

    Attributes:
        features: Phi of every entry, (n, K, C).
        closed: entries that need a participant and are not open without it, bool (n, C).
        paths: the flat numbers s * A + a along each path, int (L, T).
        members: the paths of each entry, int (C, M), the first one again where there are fewer.
        spare: which of ``members`` are such repetitions, bool (C, M).
    """

    features: torch.Tensor
    closed: torch.Tensor
    paths: torch.Tensor
    members: torch.Tensor
    spare: torch.Tensor

    def entry_boosts(self, boosts: torch.Tensor, temperature: float | None) -> torch.Tensor:
        """Compute the boosts of entries (..., C), smoothed at a temperature, for boosts (..., S, A)."""
        along = boosts.flatten(-2)[..., self.paths].sum(-1)[..., self.members]
        along = along.masked_fill(self.spare, ILLEGAL)
        if temperature is None:
            return along.amax(-1)
        return temperature * torch.logsumexp(along / temperature, -1)

    def scores(self, types: torch.Tensor, weights: torch.Tensor, entry_boosts: torch.Tensor) -> torch.Tensor:
        """Compute the affine welfare of entries (P, C, B) of P problems.

        Entries stand before profiles, because reductions along a long last axis are slow.

        Args:
            types: private numbers of the participants, (B, n, K).
            weights: w of each problem, (P, n), 0 for absent participants.
            entry_boosts: boosts of the entries in each problem, (P, C), about minus infinity where closed.
        """
        weighted = (weights[:, :, None, None] * self.features).flatten(1, 2).transpose(1, 2)
        plain = weighted.flatten(0, 1) @ types.flatten(1).T
        return plain.view(*entry_boosts.shape, -1) + entry_boosts[..., None]


def menu_of(game: MDPGame, device: str) -> Menu:
    """Build the menu of a game on a tree; entries are single paths where the objective depends on the path itself."""
    tree = game.mdp
    assert isinstance(tree, Tree)
    size = width(game.type_layout())
    units = np.repeat(np.eye(size)[:, None, :], game.n, axis=1)
    rewards = game.rewards(units).reshape(size, game.n, -1)
    features = rewards[..., tree.paths].sum(-1).transpose(1, 0, 2)
    closed: np.ndarray = np.zeros((game.n, len(tree.paths)), dtype=bool)
    if game.excluded is not None:
        closed |= game.excluded.reshape(game.n, -1)[:, tree.paths].any(-1)
    entry = np.arange(len(tree.paths))
    if game.path_measures(units[:1]) is None:
        worth = np.concatenate([features.reshape(-1, len(entry)), closed]).T.round(DIGITS)
        entry = np.unique(worth, axis=0, return_inverse=True)[1].ravel()
    members, spare = _grouped(entry)
    first = members[:, 0]
    parts = (features[..., first], closed[:, first], tree.paths, members, spare)
    return Menu(*(torch.as_tensor(part, device=device) for part in parts))


def _grouped(entry: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """List the paths of each entry, (C, M), padded with the first of them, and the mask of the padding."""
    sizes = np.bincount(entry)
    order = np.argsort(entry, kind="stable")
    place = np.arange(sizes.max())
    spare = place >= sizes[:, None]
    return order[(np.cumsum(sizes) - sizes)[:, None] + np.where(spare, 0, place)], spare
