"""Where the types of participants come from: drawn number by number, or taken from a file."""

from __future__ import annotations

from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from lawgiver.envs.core.arrays import Array, namespace
from lawgiver.envs.core.errors import ParameterError
from lawgiver.envs.core.fields import within


def beta(draws: Array, shape: tuple[int, int]) -> Array:
    """Return numbers (...) of a Beta(a, b) distribution, a and b whole, for uniform draws (..., a + b - 1).

    The a-th smallest of a + b - 1 uniform numbers has this distribution.
    """
    if draws.shape[-1] == 1:
        return draws[..., 0]
    return namespace(draws).sort(draws, axis=-1)[..., shape[0] - 1]


def thinned(demands: Array, draws: Array, present: float) -> Array:
    """Return demands (B, n, m) of which each is there with a probability, for uniform draws of the same shape.

    Who would be left without any keeps the one whose draw is the least, which is each of them as often.
    """
    xp = namespace(demands)
    kept = (draws < present) | (draws <= xp.min(draws, axis=-1, keepdims=True))
    return xp.where(kept, demands, 0 * demands)


def read_types(file: str, n: int, m: int, highs: tuple[float, float]) -> np.ndarray:
    """Return the types (N, n, 2m) of a NumPy archive with the arrays ``values`` and ``demands``, (N, n, m) each.

    Args:
        file: its path.
        n: participants.
        m: resources.
        highs: what values and demands do not exceed; neither is below 0.

    Raises:
        ParameterError: naming the file, the array and the entry.
    """
    what = f"types_file {file!r}"
    try:
        with np.load(Path(file), allow_pickle=False) as archive:
            found = {name: np.asarray(archive[name], float) for name in ("values", "demands")}
    except (OSError, ValueError, TypeError, KeyError, IndexError, BadZipFile) as error:
        raise ParameterError(
            f"{what} cannot be read ({error}), allowed: an .npz file with numeric arrays values and demands"
        ) from None
    for (name, array), high in zip(found.items(), highs, strict=True):
        if array.ndim != 3 or array.shape[1:] != (n, m) or not len(array):
            raise ParameterError(f"{what} has {name} of shape {array.shape}, allowed: (N, {n}, {m})")
        wrong = np.argwhere(~within(array, 0, high))
        if len(wrong):
            at = tuple(wrong[0].tolist())
            raise ParameterError(f"{what} has {name}{list(at)} = {array[at]:g}, allowed: numbers in [0, {high:g}]")
    shapes = [len(array) for array in found.values()]
    if shapes[0] != shapes[1]:
        raise ParameterError(f"{what} has {shapes[0]} profiles of values and {shapes[1]} of demands, allowed: as many")
    idle = np.argwhere(~(found["values"] * found["demands"] > 0).any(-1))
    if len(idle):
        profile, participant = idle[0].tolist()
        raise ParameterError(
            f"{what} has nothing that participant {participant} of profile {profile} wants, allowed: at least one"
            " resource with a value and a demand above 0"
        )
    bounded = [np.clip(array, 0, high) for array, high in zip(found.values(), highs, strict=True)]
    return np.concatenate(bounded, axis=-1)
