"""Group bootstrap: members of a group share their games, so that groups are resampled as wholes."""

from __future__ import annotations

import numpy as np

from lawgiver.envs.core.errors import ParameterError
from lawgiver.trainers.statistics.estimate import LEVEL, NORMAL, Estimate, t_quantile


def group_bootstrap(
    values: np.ndarray, weights: np.ndarray | None, rng: np.random.Generator, *, draws: int = 2_000
) -> Estimate:
    """Estimate the weighted mean of groups, with the percentile interval over resamples of whole groups.

    Args:
        values: one number a group, such as the share of its members' votes, (G,), G >= 1.
        weights: of each group, > 0, (G,), such as the number of its votes; None for equal ones.
        rng: draws the resamples.
        draws: number of resamples.

    Returns:
        The estimate, its standard error that of the resamples' means; for a single group an
        interval of width 0.

    Raises:
        ParameterError: if there is no group, a value is not finite, or a weight is not above 0.
    """
    values = np.asarray(values, float)
    weights = np.ones_like(values) if weights is None else np.asarray(weights, float)
    if values.ndim != 1 or not values.size or not np.isfinite(values).all():
        raise ParameterError(f"values {values!r} of groups: allowed is one finite number for each of one group or more")
    if weights.shape != values.shape or not (np.isfinite(weights) & (weights > 0)).all():
        raise ParameterError(f"weights {weights!r} of {values.size} groups: allowed is one number above 0 for each")
    # Weighed about a value that occurs, so that groups which all agree have an interval of no width, not of rounding.
    centre = values[0]
    products = weights * (values - centre)
    means, block = np.empty(draws), max(1, 1_000_000 // values.size)
    for start in range(0, draws, block):
        drawn = rng.integers(values.size, size=(min(block, draws - start), values.size))
        means[start : start + len(drawn)] = products[drawn].sum(axis=1) / weights[drawn].sum(axis=1)
    low, high = np.quantile(means, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    mean, low, high = (float(centre + each) for each in (products.sum() / weights.sum(), low, high))
    return Estimate(mean, float(means.std()), low, high, values.size, "group bootstrap")


def widening(each: int, freedom: int) -> float:
    """Compute the factor by which deviations of bootstrap means are to be widened.

    Few groups spread less than those they come from; with this factor, which takes account of Student's t and of
    n / (n - 1), the middle ``LEVEL`` of bootstrap means is their t interval, but for skewness.

    Args:
        each: groups in each sample, >= 2.
        freedom: degrees of freedom, each - 1 of a single sample.
    """
    return float(np.sqrt(each / (each - 1)) * t_quantile(freedom) / NORMAL)


def resampled_means(values: np.ndarray, rng: np.random.Generator, draws: int) -> np.ndarray:
    """Draw means of resampled groups, their deviations widened by :func:`widening`.

    Args:
        values: of each group any array, (E, ...), E >= 2; all of a group is drawn together.
        rng: draws the groups.
        draws: number of resamples D.

    Returns:
        means of D resamples, (D, ...).
    """
    each = len(values)
    counts = rng.multinomial(each, np.full(each, 1 / each), size=draws)
    centre = values.mean(axis=0)
    apart = np.tensordot(counts / each, values - centre, axes=1)
    return np.asarray(centre + widening(each, each - 1) * apart)
