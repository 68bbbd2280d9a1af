"""A primal-dual interior-point method for proportional fairness, many problems at once, on NumPy or on torch.

One problem, with unknown shares y of what each participant can use of each resource:

    max_y  sum_i w_i log(V_i . y_i) - <C, y> - R/2 y^2 + mu sum log y + mu sum log(1 - y) + mu sum_j log(1 - D_j . y_j)

It is solved by Newton's method on its optimality conditions with every slack and every multiplier a variable of its
own, so that those that go to zero keep their digits:

    lambda_i V_ij - D_ij p_j - C_ij - R_ij y_ij + l_ij - a_ij = 0
    y l = mu,   (1 - y) a = mu,   (1 - D_j . y_j) p_j = mu,   (V_i . y_i) lambda_i = w_i

with Mehrotra's predictor and corrector, mu falling to what is asked for. A step takes O(n m^2 + m^3): what is left of
its linear system once shares and lambda are eliminated has a row for each resource. Arrays have their batch axis last,
(n, m, B), where sums over participants and resources are sums of long rows, for either backend.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

from lawgiver.envs.core.arrays import Array, constant, detached, namespace

STEPS = 100
"""Newton steps after which a problem counts as not solved. Random problems take 10 to 15."""
CENTRED, ROUNDING = 1e-9, 1e-12
"""How far products of a slack and its multiplier may be from mu at the end: as a share of it, and beyond that."""
HASTY, CAREFUL = 30, 0.3
"""Steps after which a problem that is still not solved goes in a circle, about one in 100,000: a corrector can send it
back to where it was. From then on mu falls to no less than this share of itself in a step, and that way arrives."""
NEAREST = 0.995
"""Largest share of the way to the nearest bound in a step."""
SPREAD = 0.1
"""Size of the multipliers at the start, in units of the mean weight."""


def _columns(array: Array, index: Array) -> Array:
    """Return some of the last axis (..., B), in memory as the whole is: how sums are rounded depends on that."""
    return namespace(array).take(array, index, axis=-1)


@dataclass(frozen=True)
class Problem:
    """B problems in units of their own: supply 1 of each resource, shares in [0, 1], mean weight 1.

    Attributes:
        values: V, (n, m, B), at least 0, rows that sum to 1, or to 0 for who is absent.
        sizes: D, what a share of 1 takes of the supply, (n, m, B), in [0, 1].
        charges: C, (n, m, B).
        ridges: R, (n, m, B), at least 0.
        weights: w, (n, B), above 0.
        absent: 1 where a row of values is 0, else 0, (n, B).
    """

    values: Array
    sizes: Array
    charges: Array
    ridges: Array
    weights: Array
    absent: Array

    def of(self, index: Array) -> Problem:
        """Return some of the problems."""
        return Problem(*(_columns(getattr(self, field.name), index) for field in fields(self)))


@dataclass(frozen=True)
class Point:
    """Current iterate; all entries are above 0.

    Attributes:
        shares: y and 1 - y, (2, n, m, B).
        bounds: their multipliers l and a, (2, n, m, B).
        left: 1 - D_j . y_j, (m, B).
        prices: p, (m, B).
        rates: lambda, (n, B).
    """

    shares: Array
    bounds: Array
    left: Array
    prices: Array
    rates: Array

    def of(self, index: Array) -> Point:
        """Return some of the points."""
        return Point(*(_columns(getattr(self, field.name), index) for field in fields(self)))

    def put(self, index: Array, others: Point) -> Point:
        """Return this point with some of it replaced, in place."""
        for field in fields(self):
            getattr(self, field.name)[..., index] = getattr(others, field.name)
        return self


class System:
    """The linear system of a Newton step, reduced to prices and factored."""

    def __init__(self, problem: Problem, point: Point, utilities: Array) -> None:
        """Factor the system at a point where participants' utilities are V_i . y_i (n, B)."""
        self.problem, self.utilities, self.rates = problem, utilities, point.rates
        self.xp = xp = namespace(utilities)
        pressure = point.bounds / point.shares
        self.loose = 1 / (pressure[0] + pressure[1] + problem.ridges)
        self.worth = problem.values * self.loose
        self.room = problem.sizes * self.loose
        own = problem.values * self.worth
        stiff = utilities / point.rates
        self.ease = 1 / (stiff + xp.sum(own, axis=1))
        # What would cancel in the diagonal, a sum less one of its terms, is summed without that term.
        none = 0 * own[:, :1]
        before = xp.concat([none, xp.cumulative_sum(own[:, :-1], axis=1)], axis=1)
        after = xp.concat([none, xp.cumulative_sum(xp.flip(own[:, 1:], axis=1), axis=1)], axis=1)
        others = stiff[:, None] + before + xp.flip(after, axis=1)
        diagonal = point.left / point.prices + xp.sum(problem.sizes * self.room * self.ease[:, None] * others, axis=0)
        cross = problem.sizes * self.worth
        eased = cross * self.ease[:, None]
        rows = []  # of the upper triangle
        for j in range(own.shape[1]):
            rest = -xp.sum(eased[:, j, None] * cross[:, j + 1 :], axis=0)
            rows.append(xp.concat([diagonal[j : j + 1], rest], axis=0))
        self.cross, self.rows = cross, _eliminate(rows)

    def solve(self, push: Array, pull: Array, lift: Array) -> tuple[Array, Array, Array, Array]:
        """Return the step (shares (n, m, B), prices (m, B), rates (n, B), utilities (n, B)) of a right hand side.

        Args:
            push: right hand side of shares, (n, m, B): V dlambda - D dp - dy / loose = -push.
            pull: that of prices, (m, B): left / p dp - D . dy = pull.
            lift: that of rates, (n, B): utilities / lambda dlambda + V . dy = lift.
        """
        xp, problem = self.xp, self.problem
        lift = lift - xp.sum(self.worth * push, axis=1)
        right = pull + xp.sum(self.room * push + self.cross * (self.ease * lift)[:, None], axis=0)
        prices = _substitute(self.rows, right)
        rates = self.ease * (lift + xp.sum(self.cross * prices, axis=1))
        shares = self.loose * (problem.values * rates[:, None] - problem.sizes * prices + push)
        return shares, prices, rates, xp.sum(problem.values * shares, axis=1)


def _eliminate(rows: list[Array]) -> list[Array]:
    """Return L D L' of a symmetric matrix by its upper triangle, rows (m - k, B): row k is D_k, then L_jk for j > k."""
    factors = []
    while rows:
        first, rest = rows[0], rows[1:]
        multipliers = first[1:] / first[:1]
        factors.append(namespace(first).concat([first[:1], multipliers], axis=0))
        rows = [row - multipliers[j] * first[1 + j :] for j, row in enumerate(rest)]
    return factors


def _substitute(factors: list[Array], right: Array) -> Array:
    """Return the solution (m, B) of L D L' x = right."""
    xp, heads = namespace(right), []
    for row in factors:
        heads.append(right[:1] / row[:1])
        right = right[1:] - row[1:] * right[:1]
    solution = heads[-1]
    for row, head in zip(factors[-2::-1], heads[-2::-1], strict=True):
        solution = xp.concat([head - xp.sum(row[1:] * solution, axis=0, keepdims=True), solution], axis=0)
    return solution


def start(problem: Problem) -> Point:
    """Return the point to start from: half of an equal split by weight, capped at demands."""
    xp = namespace(problem.values)
    one = constant(1.0, problem.values)
    fair = problem.weights / xp.sum(problem.weights, axis=0)
    some = 0.5 / xp.maximum(problem.sizes / fair[:, None], one)
    utilities = utility(problem, some)
    rates = problem.weights / utilities
    spent = problem.values * some * rates[:, None]
    prices = xp.sum(spent, axis=0) + SPREAD
    excess = problem.charges + problem.ridges * some + problem.sizes * prices - problem.values * rates[:, None]
    low = SPREAD + xp.maximum(excess, 0 * one)
    return Point(
        shares=xp.stack([some, 1 - some]),
        bounds=xp.stack([low, low - excess]),
        left=1 - xp.sum(problem.sizes * some, axis=0),
        prices=prices,
        rates=rates,
    )


def utility(problem: Problem, shares: Array) -> Array:
    """Compute V_i . y_i (n, B), 1 for the absent."""
    return namespace(shares).sum(problem.values * shares, axis=1) + problem.absent


def _residual(problem: Problem, point: Point) -> Array:
    """Return by how much shares (n, m, B) should grow by the first condition, which steps keep at rounding."""
    return (
        problem.values * point.rates[:, None]
        - problem.sizes * point.prices
        - problem.charges
        - problem.ridges * point.shares[0]
        + point.bounds[0]
        - point.bounds[1]
    )


def improve(problem: Problem, point: Point, barrier: float, least: float = 0.0) -> tuple[Point, Array]:
    """Return the point after a step, and which problems were solved before it, (B,).

    Args:
        problem: the problems to solve.
        point: the current point.
        barrier: mu that is asked for.
        least: share of the present mu, in [0, 1), below which a single step does not aim; above 0 without the second
            order.
    """
    xp = namespace(point.rates)
    products, dues = point.bounds * point.shares, point.prices * point.left
    utilities = utility(problem, point.shares[0])
    short = problem.weights - utilities * point.rates
    off = xp.maximum(_most(xp.abs(products - barrier)), _most(xp.abs(dues - barrier)))
    solved = (off <= ROUNDING + CENTRED * barrier) & (_most(xp.abs(short) / problem.weights) <= CENTRED)
    system = System(problem, point, utilities)
    wrong = _residual(problem, point)

    # Predictor: all products to 0. With a step dy its multiplier l moves by dl / l = -1 - dy / y; so do the others.
    shares, prices, rates, gains = system.solve(
        wrong - point.bounds[0] + point.bounds[1], -point.left, short / point.rates
    )
    moved = xp.stack([shares, -shares]) / point.shares
    left = -xp.sum(problem.sizes * shares, axis=0) / point.left
    length = _length(1.0, [-moved, 1 + moved, -left, 1 + left, -gains / utilities, -rates / point.rates])
    bent, bent_dues = products * moved * (1 + moved), dues * left * (1 + left)
    before = _sum(products) + _sum(dues)
    foreseen = (1 - length) * before - length**2 * (_sum(bent) + _sum(bent_dues))
    mean = before / (2 * problem.values.shape[0] + 1) / problem.values.shape[1]
    target = xp.maximum(mean * xp.clip(xp.clip(foreseen / before, 0.0, 1.0) ** 3, least, 1.0), constant(barrier, mean))

    # Corrector: all products to the target, less what as much of the predictor's step adds to them in second order.
    # Beyond half of a weight that second order is no guide: it can send a rate to 0, from where none comes back.
    part = (1 - xp.clip(target / mean, 0.0, 1.0)) ** 2 * (least == 0)
    half = 0.5 * problem.weights
    turn = xp.clip(part * gains * rates, -half, half)
    wanted = (target - products + part * bent) / point.shares
    wanted_due = (target - dues + part * bent_dues) / point.prices
    shares, prices, rates, gains = system.solve(wrong + wanted[0] - wanted[1], wanted_due, (short - turn) / point.rates)
    pairs = xp.stack([shares, -shares])
    bounds = wanted - point.bounds / point.shares * pairs
    left = -xp.sum(problem.sizes * shares, axis=0)
    length = _length(
        NEAREST,
        [
            -pairs / point.shares,
            -bounds / point.bounds,
            -left / point.left,
            -prices / point.prices,
            -rates / point.rates,
            -gains / utilities,
        ],
    )
    after = Point(
        shares=point.shares + length * pairs,
        bounds=point.bounds + length * bounds,
        left=point.left + length * left,
        prices=point.prices + length * prices,
        rates=point.rates + length * rates,
    )
    return after, solved


def _sum(x: Array) -> Array:
    """Sum over all axes but the last, one by one, so that rounding does not depend on the batch size."""
    while x.ndim > 1:
        x = namespace(x).sum(x, axis=0)
    return x


def _most(x: Array) -> Array:
    """Return the largest over all axes but the last."""
    return namespace(x).max(x, axis=tuple(range(x.ndim - 1)))


def _length(share: float, falls: list[Array]) -> Array:
    """Compute the step length, at most 1, that covers at most a share of the way to the boundary."""
    xp = namespace(falls[0])
    nearest = xp.max(xp.stack([_most(fall) for fall in falls]), axis=0)
    return share / xp.maximum(nearest, constant(share, nearest))


def approach(problem: Problem, barrier: float) -> tuple[Point, Array]:
    """Return the solutions of B problems, and which are none, (B,): those are as they were after ``STEPS`` steps.

    A problem that is solved leaves the batch, and so comes out the same in any company: on NumPy to the last bit, on
    torch but for the order in which it adds up. The last one stays in company of itself, as sums over an array of one
    column may come out otherwise by a rounding error.
    """
    xp = namespace(problem.values)
    whole = point = start(problem)
    index = xp.arange(problem.weights.shape[-1], device=problem.values.device)
    unsolved = index >= 0
    for step in range(STEPS):
        point, solved = improve(problem, point, barrier, least=0.0 if step < HASTY else CAREFUL)
        done, left = xp.nonzero(solved)[0], xp.nonzero(~solved)[0]
        if done.shape[0] > 0:
            whole.put(index[done], point.of(done))
            unsolved[index[done]] = False
            if left.shape[0] == 0:
                return whole, unsolved
            left = xp.concat([left, left]) if left.shape[0] == 1 else left
            index, problem, point = index[left], problem.of(left), point.of(left)
    return whole.put(index, point), unsolved


def respond(
    problem: Problem,
    point: Point,
    *,
    values: Array,
    charges: Array,
    weights: Array,
    caps: Array,
    supply: Array,
) -> Array:
    """Compute the first-order response of shares (n, m, B) to the problem's data: zeros, with gradients.

    Args:
        problem: the solved problems.
        point: its solution.
        values: those of the problem, with gradients, (n, m, B); and likewise
        charges: (n, m, B), and
        weights: (n, B).
        caps: zeros with the gradients of the largest shares, (n, m, B).
        supply: zeros with the gradients of supplies, (m, B).
    """
    xp = namespace(values)
    shares = point.shares[0]
    push = values * point.rates[:, None] - charges + point.bounds[1] / point.shares[1] * caps
    lift = weights / point.rates - xp.sum(values * shares, axis=1)
    system = System(problem, point, utility(problem, shares))
    return system.solve(push - detached(push), -supply, lift - detached(lift))[0]
