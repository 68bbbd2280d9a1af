"""Sampling of types: from Beta distributions, or from a file."""

from __future__ import annotations

import numpy as np

from lawgiver.envs.core.arrays import Array, namespace
from lawgiver.envs.core.errors import ParameterError


def beta(draws: Array, shape: tuple[int, int]) -> Array:
    """Return numbers (...) of a Beta(a, b) distribution, a and b whole, for uniform draws (..., a + b - 1).

    The a-th smallest of a + b - 1 uniform numbers has this distribution.
    """
    if draws.shape[-1] == 1:
        return draws[..., 0]
    return namespace(draws).sort(draws, axis=-1)[..., shape[0] - 1]


def thinned(demands: Array, draws: Array, present: float) -> Array:
    """Zero demands (B, n, m) at random, each kept with a probability, for uniform draws of the same shape.

    Who would be left without any keeps the one whose draw is the least, which is each of them as often.
    """
    xp = namespace(demands)
    kept = (draws < present) | (draws <= xp.min(draws, axis=-1, keepdims=True))
    return xp.where(kept, demands, 0 * demands)


def check_wanted(file: str, values: np.ndarray, demands: np.ndarray) -> None:
    """Raise ParameterError if a participant in profiles (N, n, m) of a file demands nothing of value."""
    idle = np.argwhere(~(values * demands > 0).any(-1))
    if len(idle):
        profile, participant = idle[0].tolist()
        raise ParameterError(
            f"types_file {file!r} has nothing that participant {participant} of profile {profile} wants, allowed: at"
            " least one resource with a value and a demand above 0"
        )
