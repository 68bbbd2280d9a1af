"""Objectives, a mechanism's reward round by round: functions of a state, each (B,).

They read ``state.payoffs`` (B, n), the round's payoffs, and ``state.endowments`` (B, n), what each participant
has when nobody does anything. Both are in the game's own units.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Collection
from contextlib import suppress
from functools import partial
from typing import Any, Protocol

from lawgiver.envs.core.arrays import Array, namespace, total
from lawgiver.envs.core.errors import LawgiverError, UnsupportedGameError, choice
from lawgiver.envs.core.registry import OBJECTIVES, lookup, names

LOG_GUARD = 0.001
"""Added to a payoff before its logarithm is taken, so that a payoff of 0 costs 6.9 rather than everything."""


def check_objective(name: Any, own: Collection[str] = ()) -> None:
    """Check the name of an objective: one of a game's own, or one of the entry-point group.

    Raises:
        ParameterError: if it is neither, of a game with objectives of its own.
        UnknownNameError: of another game.
        MissingExtraError, PluginError: if what the entry-point group says under the name cannot be imported.
    """
    if own:
        choice("objective", name, dict.fromkeys((*own, *names(OBJECTIVES))))
    if name not in own:
        lookup(OBJECTIVES, name)


def objective_of(game: object) -> str:
    """Name the objective by which a game's mechanism is paid, ``score`` where the game has just one."""
    return str(getattr(game, "objective", None) or "score")


def registered(name: str) -> Callable[[Any], Array]:
    """Find an objective of the entry-point group, a function of a state.

    Returns:
        The function; it raises UnsupportedGameError if it reads something that the state does not have.
    """
    return partial(_read, name, lookup(OBJECTIVES, name))  # no closure: games are pickled


def definition(name: str) -> str | None:
    """Read the first line of the docstring of an objective of the entry-point group; None where there is none."""
    with suppress(LawgiverError):
        line = (inspect.getdoc(lookup(OBJECTIVES, name)) or "").partition("\n")[0]
        return re.sub("^(Compute|Return) ", "", line).removesuffix(".") or None
    return None


def computable(state: Any) -> dict[str, Callable[[Any], Array]]:
    """Find the objectives of the entry-point group that can be computed in a state, by name."""
    found = {}
    for name in names(OBJECTIVES):
        with suppress(LawgiverError):  # an installed objective may be for other games, or fail
            measure = registered(name)
            measure(state)
            found[name] = measure
    return found


def _read(name: str, function: Callable[[Any], Array], state: Any) -> Array:
    try:
        return function(state)
    except AttributeError as error:
        raise UnsupportedGameError(f"objective {name!r} does not fit this game: {error}") from error


class HasPayoffs(Protocol):
    """A state from which the built-in objectives can be computed."""

    @property
    def payoffs(self) -> Array:
        """Payoffs of the last completed round, (B, n)."""

    @property
    def endowments(self) -> Array:
        """Holdings of each participant before the round, (B, n)."""


class HasUtilities(Protocol):
    """A state of a game whose mechanism pays transfers on top of utilities."""

    @property
    def utilities(self) -> Array:
        """Utilities of the last completed round, without transfers, (B, n)."""


def welfare(state: HasUtilities) -> Array:
    """Return the sum of utilities, without transfers (games whose mechanism announces transfers)."""
    return total(state.utilities)


def surplus(state: HasPayoffs) -> Array:
    """Return the sum of payoffs, less endowments where there are any: the value that the group has created."""
    return total(state.payoffs - state.endowments)


def log_nash_welfare(state: HasPayoffs) -> Array:
    """Return the sum of log(payoff + 0.001), natural logarithm: productive and equal outcomes score high.

    Nash welfare itself is the geometric mean of payoffs, which has the same order but for the 0.001. It is one of
    payoffs that are at least 0: a loss counts as a payoff of 0, by which the sum is least.
    """
    xp = namespace(state.payoffs)
    kept = xp.where(state.payoffs > 0, state.payoffs, xp.zeros_like(state.payoffs))
    return total(xp.log(kept + LOG_GUARD))


def rawlsian(state: HasPayoffs) -> Array:
    """Return the least payoff of the round."""
    return namespace(state.payoffs).min(state.payoffs, axis=-1)


def gini(state: HasPayoffs) -> Array:
    """Return the Gini coefficient of the round's payoffs, in [0, 1], 0 where they are equal (all zero included).

    The mean difference between two payoffs, relative to twice the mean size of a payoff. Where some are losses, the sum
    of payoffs may be anything; their sizes keep the coefficient within its bounds, and change nothing where there are
    none (Raffinetti, Siletti and Vernizzi 2015, Statistical Methods & Applications 24). Not an objective to be
    maximised: it is reported beside them.
    """
    xp = namespace(state.payoffs)
    differences = xp.abs(state.payoffs[..., :, None] - state.payoffs[..., None, :])
    scale = 2 * state.payoffs.shape[-1] * xp.sum(xp.abs(state.payoffs), axis=-1)
    return xp.sum(differences, axis=(-2, -1)) / xp.where(scale > 0, scale, xp.ones_like(scale))
