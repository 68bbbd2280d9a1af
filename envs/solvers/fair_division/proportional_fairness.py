"""Proportional fairness: the allocation of divisible resources with the greatest Nash welfare, many at once.

    max_X  sum_i w_i log(v_i . x_i)    over  0 <= x_ij <= d_ij,  sum_i x_ij <= b_j

the Eisenberg-Gale programme with caps, and with a linear charge and a ridge on amounts where a mechanism wants them.
Utilities at the optimum are unique, amounts are not where two participants value two resources in the same proportion.
Here they are then where the logarithmic barrier leads as it vanishes, which is the analytic centre of all optimal
allocations: never compare amounts at ties, compare utilities.

Every solution is certified (:func:`duality_gap`), and what cannot be is an error, not an answer.

Of two resources the first participant values both alike, the second the first alone:

    >>> import numpy as np
    >>> values, demands = np.array([[[1.0, 1.0], [1.0, 0.0]]]), np.ones((1, 2, 2))
    >>> proportional_fairness(values, demands, np.ones(2)).amounts[0].round(4)
    array([[0., 1.],
           [1., 0.]])
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lawgiver.envs.core.arrays import Array, constant, detached, floats, namespace
from lawgiver.envs.core.errors import ConvergenceError, ParameterError
from lawgiver.envs.solvers.fair_division.interior_point import Problem, approach, respond

BARRIER = 1e-11
"""Weight of the barrier by default, in units of the mean weight. Utilities are off by about as much, and by its root
where an amount is only just 0 or only just all that is demanded."""
GAP = 1e-8
"""Largest duality gap that is accepted, beyond the barrier's own, in units of the sum of weights."""
CHUNK = 16_384
"""Numbers in an array of one slice: the arrays of a slice should fit into a core's cache."""


@dataclass(frozen=True)
class Allocation:
    """B allocations of m resources among n participants.

    Attributes:
        amounts: each participant's amount of each resource, (B, n, m), in [0, demand], column sums at most the supply.
        gap: the duality gap, by which sum_i w_i log u_i is at most below its greatest, (B,).
    """

    amounts: Array
    gap: Array


def proportional_fairness(values: Array, demands: Array, supply: Array, weights: Array | None = None) -> Allocation:
    """Return the proportionally fair allocations, with the certificate.

    Args:
        values: values of a unit of each resource to each participant, (B, n, m), finite, at least 0.
        demands: how much of each resource a participant can use, (B, n, m), finite, at least 0.
        supply: supply of each resource, (m,) or (B, m), finite, above 0.
        weights: weights of the participants, (n,) or (B, n), finite, above 0; 1 each unless given.

    Returns:
        The allocations. The arrays are NumPy's or torch's, as ``values`` is; on torch amounts carry gradients.

    Raises:
        ParameterError: for a number that is not finite or out of range, a participant without anything that it both
            values and demands, or shapes that do not fit; naming the array, the instance and the place.
        ConvergenceError: if an instance is not solved, naming it and its duality gap.
    """
    arrays = checked(values, demands, supply, weights)
    xp, useful = namespace(values), arrays[0] * arrays[1]
    _refuse(~xp.any(useful > 0, axis=-1), "values times demands", useful, "a participant that can use something")
    amounts, gap = _certified(*arrays)
    return Allocation(returned(amounts, values), gap)


def checked(values: Array, demands: Array, supply: Array, weights: Array | None) -> tuple[Array, Array, Array, Array]:
    """Return the arrays in float64, weights of 1 where none are given, on the backend and device of ``values``.

    Arguments are those of :func:`proportional_fairness`, but that participants may be absent.

    Raises:
        ParameterError: for a number that is not finite or out of range, or shapes that do not fit, naming the place.
    """
    if not hasattr(values, "ndim"):
        raise ParameterError(f"values are a {type(values).__name__}, allowed: an array (B, n, m) of NumPy's or torch's")
    if values.ndim != 3 or 0 in values.shape[1:]:
        raise ParameterError(f"the shape of values is {tuple(values.shape)}, allowed: (B, n, m), n and m at least 1")
    xp = namespace(values)
    batch, n, m = values.shape
    exact = xp.astype(values, xp.float64)
    demands, supply = matching(demands, exact), matching(supply, exact)
    weights = constant([1.0] * n, exact) if weights is None else matching(weights, exact)
    for name, array, lowest, shapes in (
        ("values", exact, "at least 0", [(batch, n, m)]),
        ("demands", demands, "at least 0", [(batch, n, m)]),
        ("supply", supply, "above 0", [(m,), (batch, m)]),
        ("weights", weights, "above 0", [(n,), (batch, n)]),
    ):
        if tuple(array.shape) not in shapes:
            fitting = " or ".join(str(shape) for shape in shapes)
            raise ParameterError(
                f"the shape of {name} is {tuple(array.shape)}, allowed beside values {(batch, n, m)}: {fitting}"
            )
        inside = array >= 0 if lowest == "at least 0" else array > 0
        _refuse(~(xp.isfinite(array) & inside), name, array, f"finite numbers {lowest}")
    return exact, demands, supply, weights


def _refuse(wrong: Array, name: str, array: Array, what: str) -> None:
    """Raise a ParameterError that names the first place where ``wrong`` is true."""
    xp = namespace(wrong)
    if bool(xp.any(wrong)):
        place = tuple(int(index[0]) for index in xp.nonzero(wrong))
        axes = ["instance", "resource" if name == "supply" else "participant", "resource"]
        if name in ("supply", "weights") and wrong.ndim == 1:
            del axes[0]
        where = ", ".join(f"{axis} {index}" for axis, index in zip(axes, place, strict=False))
        raise ParameterError(f"{name} of {where}: {array[place].tolist()}, allowed: {what}")


def solve(
    values: Array,
    demands: Array,
    supply: Array,
    weights: Array | None = None,
    *,
    charges: Array | None = None,
    ridge: float = 0.0,
    barrier: float = BARRIER,
) -> Array:
    """Return the amounts (B, n, m) that maximise a weighted sum of log utilities less charges, unchecked.

        sum_i w_i log(v_i . x_i) - <charges, X> - ridge / 2 |X|^2 + barrier * (sum of the logarithms of all slacks)

    over 0 <= x <= demands, column sums <= supply. Demands above the supply count as the supply. A participant without
    anything that it values and demands counts as absent; amounts that are not valued or not demanded are exactly 0.
    On torch, amounts are differentiable in all arrays by the implicit function theorem at the solution.

    Args:
        values: (B, n, m), at least 0.
        demands: (B, n, m), at least 0.
        supply: (m,) or (B, m), above 0.
        weights: (n,) or (B, n), above 0; 1 each unless given.
        charges: price of a unit to each participant, (B, n, m), of any sign; none unless given.
        ridge: at least 0.
        barrier: above 0, in units of the mean weight. 1e-4 to 1e-2 make a smooth layer, solved to the stationarity of
            its own objective; its slacks are x, demands - x and what is left of the supply.

    Returns:
        Amounts in the dtype of ``values`` if that is a floating one, else in float64, which they are inside.

    Raises:
        ConvergenceError: naming the first instance that is not solved, and its duality gap.
    """
    amounts, _ = _certified(values, demands, supply, weights, charges, ridge, barrier)
    return returned(amounts, values)


def returned(array: Array, values: Array) -> Array:
    """Return float64 numbers in the dtype of values, as they are where these are whole numbers."""
    return floats(array, values) if namespace(values).isdtype(values.dtype, "real floating") else array


def matching(array: Any, like: Array) -> Array:
    """Return an array or numbers with the backend, dtype and device of ``like``, with its gradient if it has one."""
    return floats(array, like) if type(array) is type(like) else constant(array, like)


def _certified(
    values: Array,
    demands: Array,
    supply: Array,
    weights: Array | None = None,
    charges: Array | None = None,
    ridge: float = 0.0,
    barrier: float = BARRIER,
) -> tuple[Array, Array]:
    """Return the amounts of :func:`solve` in float64, and their duality gap (B,)."""
    xp = namespace(values)
    batch, n, m = values.shape
    exact = xp.astype(values, xp.float64)
    given = (exact, demands, supply, 1.0 if weights is None else weights, 0.0 if charges is None else charges)
    shapes = ((batch, n, m), (batch, n, m), (batch, m), (batch, n), (batch, n, m))
    arrays = [xp.broadcast_to(matching(array, exact), shape) for array, shape in zip(given, shapes, strict=True)]
    attached = any(getattr(array, "requires_grad", False) for array in arrays)
    size, parts = max(1, CHUNK // (n * m)), []
    for first in range(0, max(batch, 1), size):
        some = [array[first : first + size] for array in arrays]
        part, unsolved = _solve(some, ridge, barrier, attached)
        worths, caps, stock, shares, prices = (detached(array) for array in some)
        gap = duality_gap(detached(part), worths, caps, stock, shares, prices, ridge)
        parts.append((part, unsolved, gap))
    amounts, astray, gap = (xp.concat(list(each), axis=0) for each in zip(*parts, strict=True))
    scale = xp.sum(detached(arrays[3]), axis=-1)
    # At a barrier's own optimum each product of a slack and its multiplier is its weight: they sum up to its gap.
    own = 1.001 * barrier * (2 * n * m + m) / n
    wrong = (astray | ~(gap <= (GAP + own) * scale)) & ~(gap <= GAP * scale)
    if bool(xp.any(wrong)):
        first = int(xp.nonzero(wrong)[0][0])
        raise ConvergenceError(
            f"proportional fairness: instance {first} of {batch} is not solved, its duality gap is"
            f" {float(gap[first]):.3g}, allowed: {GAP:g} in units of the sum of weights {float(scale[first]):g}"
        )
    return amounts, gap


def _batch_last(array: Array) -> Array:
    """Copy an array (B, ...) to (..., B), contiguous, so that sums run over long rows."""
    xp, moved = namespace(array), namespace(array).moveaxis(array, 0, -1)
    return xp.reshape(xp.reshape(moved, (-1,)), moved.shape)


def _solve(arrays: list[Array], ridge: float, barrier: float, attached: bool) -> tuple[Array, Array]:
    """Return the amounts (B, n, m) of some instances and which are not solved, (B,), from float64 arrays."""
    xp = namespace(arrays[0])
    if arrays[0].shape[0] == 1:  # NumPy adds up the only one of a batch in another order: it is to come out the same
        amounts, unsolved = _solve([xp.concat([array, array]) for array in arrays], ridge, barrier, attached)
        return amounts[:1], unsolved[:1]
    values, demands, supply, weights, charges = (_batch_last(array) for array in arrays)
    caps = xp.minimum(demands, supply)
    live = (detached(values) > 0) & (detached(demands) > 0)
    zero, one = constant(0.0, values), constant(1.0, values)
    unit = xp.where(live, detached(caps), zero)  # of an amount: what a share of 1 is
    worth = xp.sum(detached(values) * unit, axis=1)
    absent = xp.astype(worth == 0, values.dtype)
    mean = xp.mean(weights, axis=0)
    to_shares = unit / (worth + absent)[:, None]
    problem = Problem(
        values=detached(values) * to_shares,
        sizes=unit / detached(supply),
        charges=detached(charges / mean) * unit,
        ridges=ridge * unit * unit / detached(mean),
        weights=detached(weights / mean),
        absent=absent,
    )
    point, unsolved = approach(problem, barrier)
    shares = xp.where(point.shares[0] < point.shares[1], point.shares[0], 1 - point.shares[1])
    amounts = unit * xp.clip(shares, 0.0, 1.0)
    # The last digit: column sums are not to exceed the supply.
    amounts = amounts * xp.minimum(detached(supply) / xp.maximum(xp.sum(amounts, axis=0), 0.5 * detached(supply)), one)
    if attached:
        slack = (caps - detached(caps)) / xp.where(unit > 0, unit, one)
        amounts = amounts + unit * respond(
            problem,
            point,
            values=values * to_shares,
            charges=(charges + ridge * amounts) * unit / mean,
            weights=weights / mean,
            caps=slack,
            supply=(supply - detached(supply)) / detached(supply),
        )
    return xp.moveaxis(amounts, -1, 0), unsolved


def duality_gap(
    amounts: Array,
    values: Array,
    demands: Array,
    supply: Array,
    weights: Array | None,
    charges: Array | None = None,
    ridge: float = 0.0,
) -> Array:
    """Compute the duality gap of amounts, (B,): the largest <gradient, Y - X> over feasible Y, exactly.

    The objective is concave, so that no feasible Y is better by more. The maximum is a fractional knapsack for each
    resource: in order of the gradient, each cell is filled to its demand until the supply is out. With the gradient
    where that happens as price p_j (0 if there is enough), and the gradient's excess over it split into a_ij - l_ij,

        gap = sum_j p_j (b_j - sum_i x_ij) + sum_ij a_ij (min(d_ij, b_j) - x_ij) + sum_ij l_ij x_ij

    and none of the summands is negative: every complementarity product of the optimality conditions is at most the gap,
    while stationarity holds exactly. Arguments are those of :func:`solve`, NumPy's or torch's; infinite where somebody
    who could be served gets nothing.
    """
    xp = namespace(amounts)
    live = ~((values <= 0) | (demands <= 0))  # as is what is no number, so that its gap is none either
    zero, one = constant(0.0, amounts), constant(1.0, amounts)
    supply = matching(supply, amounts)[..., None, :]
    caps = xp.where(live, xp.minimum(demands, supply), zero)
    weights = one if weights is None else matching(weights, amounts)
    utilities = xp.sum(values * amounts, axis=-1)
    served = utilities > 0
    rates = xp.where(served, weights / xp.where(served, utilities, one), zero)
    gradient = values * rates[..., None] - ridge * amounts
    if charges is not None:
        gradient = gradient - charges
    order = xp.argsort(-gradient, axis=1)
    gradient, caps, held = (xp.take_along_axis(array, order, axis=1) for array in (gradient, caps, amounts))
    room = supply - (xp.cumulative_sum(caps, axis=1) - caps)
    filled = xp.where(gradient > 0, xp.minimum(caps, xp.maximum(room, zero)), zero)
    gap = xp.sum(gradient * (filled - held), axis=(1, 2))
    starved = xp.any(~served & xp.any(live, axis=-1), axis=-1)
    return xp.where(starved, constant(float("inf"), amounts), gap)
