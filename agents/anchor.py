"""Anchors of bounded rationality, made from a config; see :mod:`lawgiver.envs.solvers.equilibrium.prior`."""

from __future__ import annotations

from typing import Any

from lawgiver.envs.core.errors import ParameterError, allowed
from lawgiver.envs.core.game import Game
from lawgiver.envs.core.make import make_policy
from lawgiver.envs.core.policy import Policy


def make_anchor(game: Game[Any], anchor: str | dict[str, Any]) -> Policy | None:
    """Return the anchor that a config describes.

    Args:
        game: the game.
        anchor: ``"uniform"``, or ``{"mechanism": NAME, "inverse_temperature": NUMBER}`` for the logit equilibrium
            that the participants would play under a first mechanism.

    Raises:
        ParameterError: for anything else.
    """
    if anchor == "uniform":
        return None
    if not isinstance(anchor, dict):
        raise ParameterError(
            f"anchor is {anchor!r}: {allowed(str(anchor), ['uniform', '{mechanism: ..., inverse_temperature: ...}'])}"
        )
    return make_policy(game, "participant", "logit_equilibrium", **anchor)
