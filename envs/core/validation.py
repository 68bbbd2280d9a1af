"""Check actions before the rules apply: those from outside, and those of supplied policies."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import gymnasium
import numpy as np

from lawgiver.envs.core.errors import ActionError
from lawgiver.envs.core.fields import within

if TYPE_CHECKING:
    from lawgiver.envs.core.game import Game

BOOLS = frozenset({bool, np.bool_})
FEW = 64
"""Numbers up to which plain Python compares faster than NumPy does: one game, as against a batch."""


def check_actions(game: Game[Any], role: str, actions: Any, who: Sequence[str]) -> np.ndarray:
    """Return one action for each name in ``who``: an array (len(who),) for Discrete, (len(who), k) for a Box.

    The array is the caller's to keep: it shares no memory with ``actions``. A Box action that lies within its bounds
    only in float32, in which the space is declared, becomes the nearest one within them.

    Args:
        game: the game.
        role: the acting role; its space is Discrete or a Box.
        actions: a sequence or an array of actions.
        who: agents or games, in the same order.

    Raises:
        ActionError: naming the space and the first agent at fault, if there are too many or too few actions, or one
            has the wrong shape, is not a number (not an integer, for Discrete), is NaN or lies outside the space.
    """
    space = game.action_space(role)
    return checked(space, game.action_bounds(role) if isinstance(space, gymnasium.spaces.Box) else None, actions, who)


def checked(
    space: gymnasium.Space[Any], bounds: tuple[np.ndarray, np.ndarray] | None, actions: Any, who: Sequence[str]
) -> np.ndarray:
    """Return one action for each name in ``who``; see :func:`check_actions`. ``bounds`` are a Box's, in float64."""
    try:
        array = np.array(actions)
    except ValueError:  # their shapes differ
        raise _action_error(space, actions, who) from None
    if type(actions) in (list, tuple) and not BOOLS.isdisjoint(map(type, actions)):  # NumPy takes True beside 2 for 1
        raise _action_error(space, actions, who)
    fits = array.shape == (len(who), *(space.shape or ())) and array.dtype.kind in _kinds(space)
    if fits and bounds is not None:
        low, high = bounds
        if _between(array, low, high):
            return array
        if within(array, low, high).all():
            nearest: np.ndarray = np.clip(array, low, high)
            return nearest
    elif fits and _inside(space, array):
        return array
    raise _action_error(space, actions, who)


def check_given(game: Game[Any], state: Any, role: str, actions: Any, batch: int) -> None:
    """Check a supplied policy's actions for all agents of a role.

    Raises:
        ActionError: naming the role, if they are no array (B, n_role[, k]) of numbers in the action space.
    """
    space, shape = game.action_space(role), _shape(game, role, batch)
    found = actions if isinstance(actions, np.ndarray) else np.empty(0, object)
    if found.shape == shape and found.dtype.kind in _kinds(space):
        if _inside(space, found):
            return
        fault = "some are NaN or outside it"
    elif isinstance(actions, np.ndarray):
        fault = f"they are {found.dtype} {found.shape} instead of {shape}"
    else:
        fault = f"they are {type(actions).__name__}, not an array {shape}"
    raise ActionError(f"the policy given to the {role} of {game.name} acts outside {space}: {fault}")


def check_outcome(game: Game[Any], state: Any, role: str, outcome: Any, batch: int, *, playable: bool = True) -> None:
    """Check the outcome that a supplied policy made instead of an action.

    Raises:
        ActionError: naming the role, if it is no finite array of the shape that an action's outcome has, or is not
            what :meth:`Game.outcome_error` allows, unless ``playable`` is False.
    """
    space = game.action_space(role)
    some: Any = space.low if isinstance(space, gymnasium.spaces.Box) else space.start  # type: ignore[attr-defined]
    shape = game.outcome(state, np.broadcast_to(some, _shape(game, role, batch))).shape
    fault: str | None
    if not isinstance(outcome, np.ndarray) or outcome.shape != shape or outcome.dtype.kind not in "iuf":
        fault = f"is {getattr(outcome, 'dtype', type(outcome).__name__)} {np.shape(outcome)}, not numbers {shape}"
    elif not np.isfinite(outcome).all():
        fault = "is not finite"
    else:
        fault = game.outcome_error(state, outcome) if playable else None
    if fault is not None:
        raise ActionError(f"the outcome that the policy given to the {role} of {game.name} makes {fault}")


def _shape(game: Game[Any], role: str, batch: int) -> tuple[int, ...]:
    return (batch, game.roles[role], *(game.action_space(role).shape or ()))


def _kinds(space: gymnasium.Space[Any]) -> str:
    return "iu" if isinstance(space, gymnasium.spaces.Discrete) else "iuf"


def _inside(space: gymnasium.Space[Any], array: np.ndarray) -> bool:
    """Test whether all actions are within the bounds; NaN is not."""
    if isinstance(space, gymnasium.spaces.Discrete):
        low = int(space.start)
        values = array.ravel().tolist() if 0 < array.size <= FEW else (array.min(), array.max())
        return bool(min(values) >= low and max(values) < low + int(space.n))
    assert isinstance(space, gymnasium.spaces.Box)
    return bool(within(array, space.low, space.high).all())


def _between(array: np.ndarray, low: np.ndarray, high: np.ndarray) -> bool:
    """Test whether all Box actions are within float64 bounds; NaN is not."""
    if array.shape == (1, *low.shape) and low.size <= FEW:
        bounds = zip(low.tolist(), array[0].tolist(), high.tolist(), strict=True)
        return all(least <= value <= most for least, value, most in bounds)
    return int(np.count_nonzero((array >= low) & (array <= high))) == array.size


def _action_error(space: gymnasium.Space[Any], actions: Any, who: Sequence[str]) -> ActionError:
    """Build the error for the first invalid action."""
    try:
        given = len(actions)
    except TypeError:
        given = None
    if given != len(who):
        names = ", ".join(who[:4]) + (f" and {len(who) - 4} more" if len(who) > 4 else "")
        sent = "one action" if given is None else f"{given} actions"
        return ActionError(f"{sent} instead of {len(who)}, one in {space} each for {names}")
    for action, name in zip(actions, who, strict=True):
        fault = _invalid(space, action)
        if fault:
            return ActionError(f"action {action!r} of {name} {fault}, allowed: {space}")
    return ActionError(f"actions of {who[0]} and others have types that do not go together, allowed: {space}")


def _invalid(space: gymnasium.Space[Any], action: Any) -> str | None:
    """Describe the fault of one action; None if it is valid."""
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
