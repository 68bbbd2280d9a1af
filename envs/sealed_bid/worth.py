r"""Types (B, n, q) out of uniform numbers: values or signals, and the worth of a unit.

- ``private``: v_i, of the bidder's own distribution; that is all there is, q = 1.
- ``affiliated`` (Krishna, example 6.2), two bidders: S_1, S_2 and T are uniform on [0, 1], bidder i sees x_i = S_i + T,
  and a unit is worth (x_1 + x_2) / 2 to either.
- ``mineral_rights`` (Krishna, example 6.1): a unit is worth V to everybody, uniform on [0, 1], and bidder i sees x_i,
  uniform on [0, 2 V] and independent of the other signals given V.

Where worths are common they are the second number of a type, which nobody sees.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lawgiver.envs.core.arrays import Array, constant, namespace, total
from lawgiver.envs.solvers.auctions.distributions import Distribution

INFORMATION = ("private", "affiliated", "mineral_rights")


def private(distributions: Sequence[Distribution], draws: Array) -> Array:
    """Compute values (B, n, 1) for uniform draws of that shape, by each bidder's distribution."""
    xp = namespace(draws)
    if any(len(each.masses) > 1 for each in distributions):
        return xp.stack([each.quantile(draws[:, i]) for i, each in enumerate(distributions)], axis=1)
    low = np.array([[each.low] for each in distributions])
    width = np.array([[each.high] for each in distributions]) - low
    return constant(low, draws) + constant(width, draws) * draws


def affiliated(draws: Array) -> Array:
    """Compute signals and the common worth, (B, 2, 2), for uniform draws of that shape; one of them is not used."""
    signals = draws[..., 0] + draws[:, :1, 1]
    return common(signals, total(signals) / 2)


def mineral_rights(draws: Array) -> Array:
    """Compute signals and the common worth, (B, n, 2), for uniform draws of that shape; the worth takes one of them."""
    worth = draws[:, 0, 1]
    return common(2 * worth[:, None] * draws[..., 0], worth)


def common(signals: Array, worth: Array) -> Array:
    """Join to types (B, n, 2) the signals (B, n) and a worth (B,) that is the same for all."""
    xp = namespace(signals)
    return xp.stack([signals, worth[:, None] + xp.zeros_like(signals)], axis=-1)
