"""Bounded rationality's reference point: the policy pi_0 from which deviating is costly.

A participant's policy is proportional to pi_0(a) exp(logits(a)), so that one array, log pi_0, stands for both what
is usual and what is legal.
"""

from __future__ import annotations

from typing import Any

from lawgiver.envs.core.arrays import Array, constant, namespace
from lawgiver.envs.core.errors import ParameterError, allowed
from lawgiver.envs.core.game import Game
from lawgiver.envs.core.one_round import ANCHOR_FLOOR
from lawgiver.envs.core.policy import Policy
from lawgiver.envs.core.registry import make_policy

ILLEGAL = -1e9
"""Stands for the logarithm of zero: finite, so that products with zero stay zero."""


def log_prior(anchor: Policy | None, obs: Array, mask: Array | None, n_actions: int) -> Array:
    """Return log pi_0 (..., n_actions) for observations (B, n_role, d): uniform over the legal actions without anchor.

    An anchor's probabilities are floored at 1e-4 and renormalised; illegal actions get -1e9.
    """
    xp = namespace(obs)
    shape = (*obs.shape[:-1], n_actions)
    legal = xp.ones(shape, dtype=xp.bool) if mask is None else mask
    if anchor is None:
        probabilities = xp.astype(legal, obs.dtype)
    else:
        log_probabilities, _ = anchor.distribution(obs, mask, anchor.initial_state(obs.shape[0]))
        floored = xp.maximum(xp.exp(log_probabilities), constant(ANCHOR_FLOOR, obs))
        probabilities = xp.where(legal, floored, xp.zeros_like(floored))
    probabilities = probabilities / xp.sum(probabilities, axis=-1, keepdims=True)
    safe = xp.where(legal, probabilities, xp.ones_like(probabilities))
    return xp.where(legal, xp.log(safe), constant(ILLEGAL, obs))


def make_anchor(game: Game[Any], anchor: str | dict[str, Any]) -> Policy | None:
    """Return the anchor that a config describes.

    Args:
        game: that is played.
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
