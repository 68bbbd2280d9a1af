"""Checking actions that come from outside, before any rule sees them."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np

from lawgiver.envs.core.errors import ActionError


def check_actions(space: gymnasium.Space[Any], actions: Any, shape: tuple[int, ...], who: tuple[str, ...]) -> np.ndarray:
    """Return ``actions`` as an array of ``shape`` + the shape of one action.

    Args:
        space: of one agent's action.
        actions: anything that NumPy makes an array of.
        shape: the leading shape that is expected, its last axis running over agents or over games.
        who: names along that axis, for the message.

    Raises:
        ActionError: if the shape is wrong, or an action is NaN, not a number or outside the space.
    """
    array = np.asarray(actions)
    expected = shape + (space.shape or ())
    if array.shape != expected:
        raise ActionError(f"actions have shape {array.shape}, expected {expected}: one action of {space} each for {_some(who)}")
    if isinstance(space, gymnasium.spaces.Discrete):
        if array.dtype.kind not in "iu":
            raise ActionError(f"actions of {_some(who)} have dtype {array.dtype}, expected integers in {space}")
        if array.size == 0 or (array.min() >= space.start and array.max() < space.start + space.n):
            return array
        bad = (array < space.start) | (array >= space.start + space.n)
    else:
        if array.dtype.kind not in "iuf":
            raise ActionError(f"actions of {_some(who)} have dtype {array.dtype}, expected numbers in {space}")
        assert isinstance(space, gymnasium.spaces.Box)
        inside = (array >= space.low) & (array <= space.high)  # False for NaN
        if inside.all():
            return array
        bad = ~inside.all(axis=-1)
    where = np.argwhere(bad)[0]
    raise ActionError(f"action {array[tuple(where)]} of {who[where[-1]] if len(who) > where[-1] else where} is outside {space}")


def _some(who: tuple[str, ...]) -> str:
    return ", ".join(who[:4]) + (f" and {len(who) - 4} more" if len(who) > 4 else "")
