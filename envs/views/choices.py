"""A role's action space in a view: as the game declares it, on a grid, or clipped to its bounds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gymnasium
import numpy as np

from lawgiver.envs.core.errors import ParameterError, brief, integer
from lawgiver.envs.core.game import Game
from lawgiver.envs.core.validation import checked
from lawgiver.envs.views.observation import copy_space

LARGEST_GRID = 10_000
"""Largest number of points of an action grid."""


class Choices:
    """The actions of a role as a view shows them.

    Args:
        game: the game.
        role: role of the actions.
        discretise: number of evenly spaced levels, from the lower to the upper bound, to which each component of a Box
            action is restricted; the space becomes Discrete, with the last component changing fastest. None leaves
            the Box. Discrete roles stay as they are.
        clip: whether Box actions beyond the bounds are cut to them instead of being refused.

    Raises:
        ParameterError: if there are fewer than 2 levels or more than ``LARGEST_GRID`` points, or ``clip`` is no bool.
    """

    def __init__(self, game: Game[Any], role: str, discretise: int | None, clip: bool) -> None:
        """See the class."""
        if not isinstance(clip, bool | np.bool_):
            raise ParameterError(f"clip_actions is {brief(clip)}, allowed: true, false")
        own = game.action_space(role)
        self._levels: list[np.ndarray] | None = None
        self._ends = game.action_bounds(role) if isinstance(own, gymnasium.spaces.Box) and clip else None
        self._game, self._role = game, role
        self.space = copy_space(own)
        count = None if discretise is None else integer("discretise", discretise, 2)
        if count is None or not isinstance(own, gymnasium.spaces.Box):
            return
        size = own.shape[0]
        if count**size > LARGEST_GRID:
            fits = int(LARGEST_GRID ** (1 / size) + 1e-9)
            fewer = f"at most {fits}" if fits >= 2 else "none, because even 2 levels are too many"
            raise ParameterError(
                f"discretise is {count}: {count}^{size} actions of the {role} of {game.name}, allowed: {fewer}"
            )
        low, high = game.action_bounds(role)
        self._levels = [np.linspace(low[i], high[i], count) for i in range(size)]
        self.space = gymnasium.spaces.Discrete(count**size)

    def sent(self, actions: Any, who: Sequence[str]) -> Any:
        """Convert actions of this space to the game's own, one for each name in ``who``.

        Raises:
            ActionError: if a point of the grid is none. Other actions are left for the check of the game's space.
        """
        if self._levels is not None:
            points = np.unravel_index(checked(self.space, None, actions, who), [len(axis) for axis in self._levels])
            return np.stack([axis[index] for axis, index in zip(self._levels, points, strict=True)], axis=-1)
        if self._ends is None:
            return actions
        try:
            array = np.asarray(actions)
        except ValueError:
            return actions
        fits = array.dtype.kind in "iuf" and array.shape[1:] == self._ends[0].shape
        return np.clip(array, *self._ends) if fits else actions
