r"""Exact solutions for rational movers on lanes: equilibrium, optimum, first best, and optimal payments.

Participant i = 1 .. n starts at x_i, uniform on [0, H] with H = length / 2, moves ahead by u_i in [0, H] at the cost d
(``movement_cost``) a unit, and ends at y_i = x_i + u_i. With b the ``coordination_weight``, its payoff is

    r_i = -b sum_j (y_i - y_j)^2 - d u_i,          welfare = sum_i r_i,          A = b (n - 1).

**Meeting.** Against others who end at m on average, a participant that sees its own start alone loses
A (y - m)^2 + d u up to a constant: convex in where it ends. So does a planner, with 2 A for A. Hence it ends as near to
one point a, the threshold, as its moves allow, which is called *meeting at a* here:

    y(x) = min(max(x, a), x + H),     for a <= H just max(x, a): who starts behind a moves up to it, who is ahead stays.

With h = |H - a|, and +- the sign of H - a,

    E y = a +- h^2 / 2H,     E u = E y - H / 2,     Var y = h^3 / 3H - h^4 / 4H^2,     W(a) = -n (2 A Var y + d E u).

a = 0: nobody moves; a = H: all gather at H; a = length: all move as far as they can.

**Equilibrium and optimum.** The best response to m is a = m - d / 2A. The map from m to E y has slope a / H < 1, so the
equilibrium is unique: E y - a = d / 2A. The payoffs have the exact potential

    Phi = -b sum_{i<j} (y_i - y_j)^2 - d sum_i u_i,

in which every pair counts once, where welfare counts it twice: nobody reckons with the distances that it causes to
others. Welfare is concave in the strategies, and at its highest, among all that see own starts only, where
E y - a = d / 4A. So the distances to H are sqrt(2) apart,

    a_NE = max(0, H - sqrt(H d / A)),              a* = max(0, H - sqrt(H d / 2A)).

**Readings.** A participant maximises r_i plus the payment g(y_i) (``full``), only -d u_i + g(y_i) (``local``: it does
not take distance for its own doing), or r_i without seeing where it starts (``blind``). Without payment, ``local`` and
``blind`` ones stay: a = 0. Moves that ignore the start add to Var y, so that no payment helps the blind.

**Payments.** Under a concave g, rational participants meet at the least a with 2 A (E y - a) [if full] + g'(a) <= d. So
a* asks for one equation: g'(a*) = d / 2 (full), g'(a*) = d (local). Full: half the fare, g = d y / 2, does it, and so
does what Pigou would charge, g = -A (y - m*)^2 with m* = E y at a*. Local: linear payments move nobody, or everybody as
far as can be; the planner's own loss, g = -2 A (y - m*)^2, does it.

**First best.** A planner who sees all starts moves to max(x_i, a) with sum_i (x_i - a)^+ = c = d / 4b, so that a unit
more for the hindmost costs what it saves; nobody moves if no such a >= 0 exists. By the envelope theorem the loss is
4 b times the integral of sum_i u_i over c, and exchanging integrals gives

    W_FB = -4 b n  integral_0^H  (t / H)  E min(S_t, c)  dt,          S_t = sum over n - 1 starts of (x_j - t)^+.

**What payments cost.** The constant w_0 of g changes no equilibrium. One w_0 makes everybody come of their own accord
wherever they start, another balances the budget in expectation; payoffs being losses, the first is larger.

Sources: the game is section 5 of Mguni and Tomczak, Efficient Reinforcement Dynamic Mechanism Design; potentials,
Monderer and Shapley 1996; the rest is derived here and checked by simulation in the tests.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, TypeAlias

import numpy as np
from numpy.polynomial import Polynomial

from lawgiver.envs.core.errors import ParameterError, UnsupportedGameError, choice, integer, number

Basis: TypeAlias = Literal["centred", "raw"]
Reading: TypeAlias = Literal["full", "local", "blind"]
Coefficients: TypeAlias = Sequence[float] | np.ndarray
"""w_1 .. w_P of a payment; w_0 is its ``constant``."""

CONCAVE = 1e-9
"""Share of its largest curvature that may be upward in a concave payment: the rounding of a change of basis."""


@dataclass(frozen=True)
class Setting:
    """Parameters of the closed forms.

    Args:
        n: number of participants, >= 2.
        length: length of a lane, > 0.
        coordination_weight: b, payoff lost by a squared unit of length between two participants, > 0.
        movement_cost: d, payoff lost by a unit of length moved, >= 0.

    Raises:
        ParameterError: if one of them is outside its range.
    """

    n: int
    length: float = 2.0
    coordination_weight: float = 1.0
    movement_cost: float = 0.1

    def __post_init__(self) -> None:
        """Check every parameter."""
        object.__setattr__(self, "n", integer("n", self.n, 2))
        for name in ("length", "coordination_weight", "movement_cost"):
            interval = "[0, inf)" if name == "movement_cost" else "(0, inf)"
            object.__setattr__(self, name, number(name, getattr(self, name), interval))

    @property
    def half(self) -> float:
        """H, the largest start and the largest move."""
        return self.length / 2

    @property
    def strength(self) -> float:
        """A = b (n - 1), a participant's cost of a squared unit of distance from all others."""
        return self.coordination_weight * (self.n - 1)


# -- meeting at a threshold a in [0, length] ------------------------------------------------------------------------


def _threshold(setting: Setting, threshold: float) -> float:
    return number("threshold", threshold, f"[0, {setting.length!r}]")


def _excess(setting: Setting, a: float) -> float:
    """E y - a, which falls in a: above 0 as long as some start ahead of a, below where some cannot reach it."""
    return (setting.half - a) * abs(setting.half - a) / setting.length


def mean_terminal(setting: Setting, threshold: float) -> float:
    """Return E y, in units of length, of a participant that meets at ``threshold`` in [0, length]."""
    a = _threshold(setting, threshold)
    return a + _excess(setting, a)


def mean_move(setting: Setting, threshold: float) -> float:
    """Return E u, in units of length, of a participant that meets at ``threshold`` in [0, length]."""
    return mean_terminal(setting, threshold) - setting.half / 2


def terminal_variance(setting: Setting, threshold: float) -> float:
    """Return Var y, in squared units of length, of a participant that meets at ``threshold`` in [0, length]."""
    half, h = setting.half, abs(setting.half - _threshold(setting, threshold))
    return h**3 / (3 * half) - h**4 / (4 * half**2)


def meeting_welfare(setting: Setting, threshold: float) -> float:
    """Return W(a), the expected welfare when all meet at ``threshold`` in [0, length]."""
    distances = 2 * setting.strength * terminal_variance(setting, threshold)
    return -setting.n * (distances + setting.movement_cost * mean_move(setting, threshold))


def meeting_welfare_sd(setting: Setting, threshold: float) -> float:
    """Return the standard deviation, from game to game, of the welfare when all meet at ``threshold`` in [0, length].

    Welfare is -2 n A s^2 - d sum u, where s^2 is the sample variance of the n terminal positions, with

        Var s^2 = (mu_4 - sigma^4 (n - 3) / (n - 1)) / n,          Cov(s^2, sum u) = Cov((y - E y)^2, u).

    Mirroring the lane (y to length - y, u to H - u) turns a > H into length - a, and the covariance's sign.
    """
    n, half, a = setting.n, setting.half, _threshold(setting, threshold)
    low = min(a, setting.length - a)
    h, behind = half - low, _excess(setting, low)  # low/H of the mass lies ``behind`` the mean, the rest evenly on h
    variance, moved = terminal_variance(setting, low), low**2 / (2 * half)
    fourth = (low / half) * behind**4 + ((h - behind) ** 5 + behind**5) / (5 * half)
    of_spread = (fourth - variance**2 * (n - 3) / (n - 1)) / n
    of_moves = n * (low**3 / (3 * half) - moved**2)
    joint = (behind**2 - variance) * moved * (1 if a <= half else -1)
    spread, cost = 2 * n * setting.strength, setting.movement_cost
    return math.sqrt(max(spread**2 * of_spread + cost**2 * of_moves + 2 * spread * cost * joint, 0.0))


# -- equilibrium, optimum, first best -------------------------------------------------------------------------------


def equilibrium_threshold(setting: Setting) -> float:
    """Return a_NE, where participants of the ``full`` reading meet without payment; 0, nobody moves, if d >= A H."""
    return max(0.0, setting.half - math.sqrt(setting.half * setting.movement_cost / setting.strength))


def optimal_threshold(setting: Setting) -> float:
    """Return a*, the welfare optimum of strategies that see own starts only; 0, nobody moves, if d >= 2 A H."""
    return max(0.0, setting.half - math.sqrt(setting.half * setting.movement_cost / (2 * setting.strength)))


def no_mechanism_welfare(setting: Setting, agent_objective: Reading) -> float:
    """Return the expected welfare in the rational participants' equilibrium without payment, by reading."""
    full = _reading(agent_objective) == "full"
    return meeting_welfare(setting, equilibrium_threshold(setting) if full else 0.0)


def private_optimum_welfare(setting: Setting) -> float:
    """Return W(a*), the highest expected welfare of strategies that see own starts only."""
    return meeting_welfare(setting, optimal_threshold(setting))


def potential(setting: Setting, moves: np.ndarray, terminals: np.ndarray) -> np.ndarray:
    """Return the potential Phi (...) of moves and terminal positions (..., n)."""
    pairs = setting.n * ((terminals - terminals.mean(-1, keepdims=True)) ** 2).sum(-1)
    return np.asarray(-setting.coordination_weight * pairs - setting.movement_cost * moves.sum(-1))


def first_best_welfare(setting: Setting) -> float:
    """Return the expected welfare of a planner who sees all starts; see the module's docstring for the formula.

    By quadrature: the integrand is a polynomial between kinks at p = c / jH, where it has j + 1 continuous derivatives.
    Relative error below 1e-12, against exact fractions and finer pieces; 0.1 s for n = 20, 2 s for a million.
    """
    others, cap = setting.n - 1, setting.movement_cost / (4 * setting.coordination_weight * setting.half)
    if cap == 0:
        return 0.0
    edges = [1.0]  # in p = 1 - t / H, the probability of a start ahead of t
    while cap < edges[-1] * _most_ahead(others, edges[-1]):
        edges.append(edges[-1] / 1.3)
    low = edges[-1]  # below it S_t stays under the cap, so that its mean, others p^2 / 2, is all that counts
    kinks = cap / np.arange(1, 11)
    bounds = np.unique([*edges, *kinks[(kinks > low) & (kinks < 1)]])
    nodes, weights = np.polynomial.legendre.leggauss(20)
    loss = others * (low**3 / 6 - low**4 / 8)
    for start, end in pairwise(bounds):
        ahead = (start + end) / 2 + (end - start) / 2 * nodes
        loss += (end - start) / 2 * float(weights @ ((1 - ahead) * _capped_sum(ahead, cap, others)))
    return -4 * setting.coordination_weight * setting.n * setting.half**2 * float(loss)


def _most_ahead(others: int, ahead: float) -> int:
    """Largest number of ``others`` that start ahead, but for a probability below 1e-17 (Bernstein's inequality)."""
    return min(others, math.ceil(others * ahead + 9 * math.sqrt(others * ahead) + 30))


def _capped_sum(ahead: np.ndarray, cap: float, others: int) -> np.ndarray:
    """Return E min(S, cap) for S a sum of ``others`` terms, each uniform on [0, p] with probability p and otherwise 0.

    Given k terms that are not 0, E (z - S / p)^+ at z = cap / p is the second antiderivative of the Irwin-Hall density
    f_k at z, which is sum_i (i + 1) f_{k+2}(z - i). The densities follow from one another by the B-splines' recursion:
    non-negative terms throughout, where the textbook's alternating sum loses all digits for k beyond 30 or so.
    Probabilities p (M,) in (0, 1).
    """
    z = cap / ahead
    shifts = np.arange(math.floor(z.max()) + 1)
    at = z[:, None] - shifts
    density = ((at >= 0) & (at < 1)).astype(float)  # f_1
    log_odds, log_binomial = np.log(ahead) - np.log1p(-ahead), others * np.log1p(-ahead)
    short = np.zeros_like(ahead)
    for k in range(_most_ahead(others, float(ahead.max())) + 1):
        before = np.pad(density[:, 1:], ((0, 0), (0, 1)))
        density = (at * density + (k + 2 - at) * before) / (k + 1)  # f_{k+2}
        shortfall = density @ (shifts + 1.0)
        short += np.exp(log_binomial) * shortfall
        if (shortfall < 1e-17 * z).all():
            break
        log_binomial = log_binomial + log_odds + (math.log((others - k) / (k + 1)) if k < others else 0.0)
    return np.asarray(cap - ahead * short)


# -- payments -------------------------------------------------------------------------------------------------------


def _reading(agent_objective: str) -> str:
    return choice("agent_objective", agent_objective, ("full", "local", "blind"))


def payment(setting: Setting, coefficients: Coefficients, basis: Basis, constant: float = 0.0) -> Polynomial:
    """Return g(s) = w_0 + sum_j w_j z^j as a function of s in units of length.

    Basis ``raw`` is z = s, ``centred`` z = 2 s / length - 1; w_0 is the constant.

    Raises:
        ParameterError: if ``basis`` is neither, or a coefficient is not a finite number.
    """
    choice("basis", basis, ("centred", "raw"))
    weights = [number(f"coefficient w_{j}", w, "(-inf, inf)") for j, w in enumerate([constant, *coefficients])]
    return Polynomial(weights, domain=[0, setting.length] if basis == "centred" else [-1, 1])


def payment_slope(setting: Setting, coefficients: Coefficients, basis: Basis, position: float) -> float:
    """Return g'(s), payoff a unit of length, at ``position`` s in units of length."""
    return float(payment(setting, coefficients, basis).deriv()(position))


def to_centred(coefficients: Coefficients, length: float) -> np.ndarray:
    """Return the coefficients (P + 1,) in powers of z = 2 s / length - 1 of raw ones (P + 1,), w_0 first in both."""
    return _converted(Polynomial(np.asarray(coefficients, float)), len(coefficients), domain=[0, length])


def to_raw(coefficients: Coefficients, length: float) -> np.ndarray:
    """Return the coefficients (P + 1,) in powers of s of centred ones (P + 1,), w_0 first in both."""
    return _converted(Polynomial(np.asarray(coefficients, float), domain=[0, length]), len(coefficients), [-1, 1])


def _converted(polynomial: Polynomial, size: int, domain: list[float]) -> np.ndarray:
    found: np.ndarray = polynomial.convert(domain=domain, window=[-1, 1]).coef  # without zeros of the highest powers
    return np.pad(found, (0, size - len(found)))


def _highest(curve: Polynomial, low: float, high: float) -> float:
    """Return the largest value on [low, high], which lies at an end or where the slope vanishes."""
    if low == high:
        return float(curve(low))
    slope = curve.convert(domain=[low, high], window=[-1, 1]).deriv()
    slope = slope.trim(1e-15 * np.abs(slope.coef).max())  # powers without weight would send roots to infinity
    return float(np.max(curve(np.array([low, high, *np.clip(slope.roots().real, low, high)]))))


def optimal_transfer(setting: Setting, degree: int, agent_objective: Reading, basis: Basis) -> np.ndarray:
    """Return coefficients w_1 .. w_P of an optimal payment on terminal positions for rational participants, (P,).

    ``full``: half the fare for degree 1, Pigou's charge from 2 on. ``local``: the planner's loss from 2 on. Zeros where
    no payment of that degree improves on none: ``blind``, ``local`` below degree 2.
    """
    degree, full = integer("degree", degree, 0), _reading(agent_objective) == "full"
    choice("basis", basis, ("centred", "raw"))
    weights = np.zeros(degree + 1)
    if full and degree == 1:
        weights[1] = setting.movement_cost / 2
    elif agent_objective != "blind" and degree >= 2:
        weight = (1 if full else 2) * setting.strength
        weights[1:3] = 2 * weight * mean_terminal(setting, optimal_threshold(setting)), -weight
    return weights[1:] if basis == "raw" else to_centred(weights, setting.length)[1:]


def best_response(setting: Setting, mean: float, coefficients: Coefficients = (), basis: Basis = "raw") -> float:
    """Return the threshold at which a ``full`` participant meets, if the others end at ``mean`` on average.

    Iterating ``mean_terminal(setting, best_response(setting, mean))`` converges to the equilibrium from any mean.
    The payment, none by default, has to be concave.
    """
    mean = number("mean", mean, f"[0, {setting.length!r}]")
    slope = _concave(setting, coefficients, basis).deriv()
    return _last_gain(setting, lambda a: 2 * setting.strength * (mean - a) + float(slope(a)))


def induced_threshold(setting: Setting, coefficients: Coefficients, basis: Basis, agent_objective: Reading) -> float:
    """Return the threshold in [0, length] at which rational participants meet under a concave payment.

    For ``full`` it is the unique equilibrium, for ``local`` a dominant strategy. The indifferent move less.

    Raises:
        ParameterError: if the payment is not concave on the lane: rational responses need not be thresholds then.
        UnsupportedGameError: for ``blind`` participants, who cannot meet.
    """
    if _reading(agent_objective) == "blind":
        raise UnsupportedGameError("induced_threshold: blind participants do not see where they start: no threshold")
    slope = _concave(setting, coefficients, basis).deriv()
    felt = 2 * setting.strength if agent_objective == "full" else 0.0
    return _last_gain(setting, lambda a: felt * _excess(setting, a) + float(slope(a)))


def _concave(setting: Setting, coefficients: Coefficients, basis: Basis) -> Polynomial:
    g = payment(setting, coefficients, basis)
    bend = g.deriv(2)
    steepest = _highest(bend, 0, setting.length)
    if steepest > CONCAVE * max(steepest, _highest(-bend, 0, setting.length)):
        raise ParameterError(
            f"coefficients {list(coefficients)} ({basis}) are a payment with curvature up to {steepest:.4g}, "
            f"allowed: a concave one, curvature <= 0 on [0, {setting.length:g}]"
        )
    return g


def _last_gain(setting: Setting, gain: Callable[[float], float]) -> float:
    """Return the least a in [0, length] where ``gain(a)``, falling, is no more than a unit's movement costs."""
    low, high = 0.0, setting.length
    if gain(low) <= setting.movement_cost:
        return low
    if gain(high) > setting.movement_cost:
        return high
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (middle, high) if gain(middle) > setting.movement_cost else (low, middle)
    return high


# -- what payments cost ---------------------------------------------------------------------------------------------


def expected_payment(setting: Setting, coefficients: Coefficients, basis: Basis, threshold: float) -> float:
    """Return E g(y), without w_0, for a participant that meets at ``threshold`` in [0, length]."""
    g, a, half = payment(setting, coefficients, basis), _threshold(setting, threshold), setting.half
    total = g.integ()
    spread = float(total(max(a, half)) - total(min(a, half)))  # those who start ahead of a, or cannot reach it
    return (min(a, setting.length - a) * float(g(a)) + spread) / half


def budget_constant(setting: Setting, coefficients: Coefficients, basis: Basis, threshold: float) -> float:
    """Return the w_0 with which a participant that meets at ``threshold`` is paid nothing in expectation."""
    return -expected_payment(setting, coefficients, basis, threshold)


def participation_constant(setting: Setting, coefficients: Coefficients, basis: Basis, threshold: float) -> float:
    """Return the least w_0 with which nobody expects less than 0, wherever it starts, when all meet at ``threshold``.

    What counts is r_i plus the payment, whatever the reading: max over starts x of
    A ((y - E y)^2 + Var y) + d u - (g(y) - w_0) with y = y(x), u = y - x.
    """
    g, a, half = payment(setting, coefficients, basis), _threshold(setting, threshold), setting.half
    away = Polynomial.identity(domain=g.domain, window=g.window) - mean_terminal(setting, a)
    loss = setting.strength * (away**2 + terminal_variance(setting, a)) - g
    farthest = float(loss(a)) + setting.movement_cost * min(a, half)  # of those who reach a, who moved the most
    others = _highest(loss, min(a, half), max(a, half)) + setting.movement_cost * (half if a > half else 0.0)
    return max(farthest, others)
