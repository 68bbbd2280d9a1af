"""Array helpers that let one set of rules run on NumPy and on PyTorch.

Nothing here imports torch: the module is taken from the torch tensor or generator.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable, Sequence
from functools import reduce
from operator import add
from typing import Any, TypeAlias, TypeVar

import array_api_compat
import numpy as np

Array: TypeAlias = Any
"""A NumPy array or a torch tensor."""

Rng: TypeAlias = Any
"""A ``numpy.random.Generator`` or a ``torch.Generator``; it decides backend and device."""

S = TypeVar("S")


def namespace(x: Array) -> Any:
    """Return the array-API namespace of ``x``. NumPy is answered directly, because it is the hot path."""
    return np if type(x) is np.ndarray else array_api_compat.array_namespace(x)


def _torch_of(rng: Rng) -> Any | None:
    """Return the torch module if ``rng`` is a torch generator, else None."""
    torch = sys.modules.get("torch")
    return torch if torch is not None and isinstance(rng, torch.Generator) else None


def zeros(rng: Rng, shape: tuple[int, ...]) -> Array:
    """Return zeros on the backend and device of ``rng``: float64 on NumPy, torch's default dtype on torch."""
    torch = _torch_of(rng)
    return np.zeros(shape) if torch is None else torch.zeros(shape, device=rng.device)


def uniform(rng: Rng, shape: tuple[int, ...]) -> Array:
    """Return numbers drawn uniformly from [0, 1) on the backend and device of ``rng``."""
    torch = _torch_of(rng)
    return rng.random(shape) if torch is None else torch.rand(shape, generator=rng, device=rng.device)


def integers(rng: Rng, values: np.ndarray) -> Array:
    """Return integers on the backend and device of ``rng``."""
    torch = _torch_of(rng)
    return values if torch is None else torch.as_tensor(values, device=rng.device)


def transposed(x: Array) -> Array:
    """Return the transpose (m, n) of ``x`` (n, m) with rows that lie side by side: sums over rows are then fast."""
    return np.ascontiguousarray(x.T) if type(x) is np.ndarray else x.T.contiguous()


def fixed_rng(like: Array) -> Rng:
    """Return a generator of seed 0 on the backend and device of ``like``, for deterministic computations."""
    if type(like) is np.ndarray:
        return np.random.default_rng(0)
    return sys.modules["torch"].Generator(like.device).manual_seed(0)


def constant(value: Any, like: Array) -> Array:
    """Return ``value`` as an array with the backend, dtype and device of ``like``."""
    if type(like) is np.ndarray:
        return np.asarray(value, dtype=like.dtype)
    return namespace(like).asarray(value, dtype=like.dtype, device=like.device)


def detached(x: Array) -> Array:
    """Return ``x`` without its gradient."""
    return x if type(x) is np.ndarray else x.detach()


def as_numpy(x: Array) -> np.ndarray:
    """Return an array of either backend, on any device, as NumPy's, without its gradient."""
    return x if type(x) is np.ndarray else np.asarray(x.detach().cpu())


def floats(x: Array, like: Array) -> Array:
    """Return ``x`` in the floating dtype of ``like`` without a copy where it already has it."""
    if x.dtype == like.dtype:
        return x
    return x.astype(like.dtype) if type(x) is np.ndarray else namespace(x).astype(x, like.dtype)


def total(x: Array) -> Array:
    """Return the sum over the last axis, (..., n) to (...)."""
    if _is_tall(x):
        return reduce(add, _columns(x))
    return np.add.reduce(x, -1) if type(x) is np.ndarray else namespace(x).sum(x, axis=-1)


def largest(x: Array) -> Array:
    """Return the largest number along the last axis, (..., n) to (...)."""
    if _is_tall(x):
        return reduce(namespace(x).maximum, _columns(x))
    return np.maximum.reduce(x, -1) if type(x) is np.ndarray else namespace(x).max(x, axis=-1)


def _is_tall(x: Array) -> bool:
    """Test whether to reduce by columns: both backends are slow along the short axis of a tall array.

    Up to 7 columns NumPy adds in the same order, so that a game's numbers do not depend on how many others there are.
    """
    tall: bool = x.shape[0] > 64 and 0 < x.shape[-1] < 8
    return tall


def _columns(x: Array) -> Sequence[Array]:
    if type(x) is np.ndarray:
        return [x[..., i] for i in range(x.shape[-1])]
    unstacked: tuple[Array, ...] = namespace(x).unstack(x, axis=-1)
    return unstacked


def select(x: Array, index: np.ndarray) -> Array:
    """Return the columns ``index`` (any shape) of ``x``, (..., n) to (..., *index.shape)."""
    if type(x) is np.ndarray:
        return x.take(index, axis=-1)
    xp = namespace(x)
    taken = xp.take(x, xp.asarray(index.ravel(), device=x.device), axis=-1)
    return xp.reshape(taken, (*x.shape[:-1], *index.shape))


def softmax(logits: Array) -> Array:
    """Return the softmax over the last axis."""
    shifted = namespace(logits).exp(logits - largest(logits)[..., None])
    return shifted / total(shifted)[..., None]


def log_softmax(logits: Array) -> Array:
    """Return the logarithm of the softmax over the last axis."""
    xp = namespace(logits)
    shifted = logits - xp.max(logits, axis=-1, keepdims=True)
    return shifted - xp.log(xp.sum(xp.exp(shifted), axis=-1, keepdims=True))


def sample_index(log_probabilities: Array, level: Array) -> Array:
    """Return indices (...) drawn from log-probabilities (..., n) with uniform numbers ``level`` (...) in [0, 1).

    The distribution function is inverted; what is impossible is never drawn.
    """
    xp = namespace(log_probabilities)
    cumulative = xp.cumulative_sum(xp.exp(log_probabilities), axis=-1)
    return xp.sum(xp.astype(cumulative <= level[..., None] * cumulative[..., -1:], xp.int64), axis=-1)


def evolve(state: S, **changes: Any) -> S:
    """Return a copy of a state with some fields changed.

    What ``dataclasses.replace`` does, without running ``__init__`` again: every step of every view makes such a copy.
    """
    new = object.__new__(type(state))
    new.__dict__.update(state.__dict__, **changes)
    return new


def map_arrays(function: Callable[..., Array], tree: S, *others: S) -> S:
    """Apply ``function`` to every array of a tree of dataclasses, dicts, tuples and lists; other leaves stay.

    With ``others``, trees of the same form, it is given the arrays that stand at the same place in each.
    """
    mapped: S = _map(function, (tree, *others))
    return mapped


def _map(function: Callable[..., Array], trees: tuple[Any, ...]) -> Any:
    tree = trees[0]
    if dataclasses.is_dataclass(tree) and not isinstance(tree, type):
        names = [field.name for field in dataclasses.fields(tree)]
        return dataclasses.replace(
            tree, **{name: _map(function, tuple(getattr(one, name) for one in trees)) for name in names}
        )
    if isinstance(tree, dict):
        return {key: _map(function, tuple(one[key] for one in trees)) for key in tree}
    if isinstance(tree, (tuple, list)):
        return type(tree)(_map(function, items) for items in zip(*trees, strict=True))
    return function(*trees) if hasattr(tree, "shape") and tree.shape else tree


def take_games(tree: S, index: Any) -> S:
    """Return the games ``index`` (a slice, mask or index array over the batch axis) of a state."""
    return map_arrays(lambda x: x[index], tree)


def where_games(mask: Array, yes: S, no: S) -> S:
    """Return the games of ``yes`` where ``mask`` (B,) is true, else of ``no``; other leaves are those of ``yes``."""

    def choose(a: Array, b: Array) -> Array:
        xp = namespace(a)
        return xp.where(xp.reshape(mask, (-1,) + (1,) * (a.ndim - 1)), a, b)

    return map_arrays(choose, yes, no)
