"""Checking actions that come from outside, before any rule sees them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gymnasium
import numpy as np

from lawgiver.envs.core.errors import ActionError


def check_actions(space: gymnasium.Space[Any], actions: Any, who: Sequence[str]) -> np.ndarray:
    """Return one action for each name in ``who``: an array (len(who),) for Discrete, (len(who), k) for a Box.

    Args:
        space: of one action, Discrete or Box.
        actions: a sequence or an array of actions.
        who: agents or games, in the same order.

    Raises:
        ActionError: naming the space and the first who is to blame, if there are too many or too few actions, or one
            has the wrong shape, is not a number (not an integer, for Discrete), is NaN or lies outside the space.
    """
    try:
        array = np.asarray(actions)
    except ValueError:  # their shapes differ
        raise _complaint(space, actions, who) from None
    fits = array.shape == (len(who), *(space.shape or ())) and array.dtype.kind in _kinds(space)
    if fits and _inside(space, array):
        return array
    raise _complaint(space, actions, who)


def _kinds(space: gymnasium.Space[Any]) -> str:
    return "iu" if isinstance(space, gymnasium.spaces.Discrete) else "iuf"


def _inside(space: gymnasium.Space[Any], array: np.ndarray) -> bool:
    """Whether all of one or more actions are within the bounds; NaN is not."""
    if isinstance(space, gymnasium.spaces.Discrete):
        low = int(space.start)
        return bool(array.min() >= low and array.max() < low + int(space.n))
    assert isinstance(space, gymnasium.spaces.Box)
    return int(np.count_nonzero((array >= space.low) & (array <= space.high))) == array.size


def _complaint(space: gymnasium.Space[Any], actions: Any, who: Sequence[str]) -> ActionError:
    """Return the error that says what is wrong with the first wrong action."""
    try:
        given = len(actions)
    except TypeError:
        given = None
    if given != len(who):
        names = ", ".join(who[:4]) + (f" and {len(who) - 4} more" if len(who) > 4 else "")
        sent = "one action" if given is None else f"{given} actions"
        return ActionError(f"{sent} instead of {len(who)}, one in {space} each for {names}")
    for action, name in zip(actions, who, strict=True):
        fault = _fault(space, action)
        if fault:
            return ActionError(f"action {action!r} of {name} {fault}, allowed: {space}")
    return ActionError(f"actions of {who[0]} and others have types that do not go together, allowed: {space}")


def _fault(space: gymnasium.Space[Any], action: Any) -> str | None:
    """Return what is wrong with one action, if anything."""
    try:
        array = np.asarray(action)
    except ValueError:
        return "is no array"
    if array.dtype.kind not in _kinds(space):
        return f"has dtype {array.dtype}"
    if array.shape != space.shape:
        return f"has shape {array.shape}"
    if np.isnan(array).any():
        return "is NaN"
    return None if _inside(space, array) else "is outside its space"
