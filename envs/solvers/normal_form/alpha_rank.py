"""Alpha-rank: how long an evolving population stays with each strategy (Omidshafiei et al. 2019).

In a population of m all of whom play s a mutant who plays r takes over with probability
rho = (1 - e^(-a u)) / (1 - e^(-m a u)), u being how much more r earns, or 1/m where u = 0; a is the ranking intensity.
Mutants come one at a time, so that the population walks from one pure profile to the next, and its stationary
distribution ranks them. A symmetric game of two has one population, and u = payoff of r against s - of s against r; any
other game a population for each player, and u is what the player's own payoff changes by.

    >>> from lawgiver.envs.solvers.normal_form.forms import SymmetricForm
    >>> rps = SymmetricForm([[0, -0.5, 1, 0, 0, 0], [0, 0.5, 0, 0, -0.1, 0], [0, 0, -1, 0, 0.1, 0]], 2)
    >>> alpha_rank(rps, 0.1).round(4)
    array([0.213 , 0.6771, 0.1099])
"""

from __future__ import annotations

import math
from typing import TypeGuard

import numpy as np

from lawgiver.envs.core.arrays import softmax
from lawgiver.envs.core.errors import UnsupportedGameError, integer, number
from lawgiver.envs.solvers.normal_form.forms import Form, NormalForm, SymmetricForm, expanded

LARGEST_CHAIN = 1_000
"""Pure profiles of the chain."""


def alpha_rank(form: Form, intensity: float | None = None, population: int = 50) -> np.ndarray:
    """Compute the stationary distribution over pure profiles.

    Args:
        form: the game.
        intensity: ranking intensity a, >= 0, per unit of payoff; 10 / range by default.
        population: m, >= 2.

    Returns:
        of a symmetric game of two the mass of each strategy, (A,); else of each joint choice, (A_0, ..., A_{n-1}).

    Raises:
        ParameterError: if an argument is outside its range.
        UnsupportedGameError: if there are more than ``LARGEST_CHAIN`` profiles.
    """
    scale = float(form.ranges.max()) or 1.0
    intensity = 10 / scale if intensity is None else number("intensity", intensity, "[0, inf)")
    population = integer("population", population, 2)
    if one_population(form):
        gains = form.beside - form.beside.T
        return stationary(_fixation(gains, intensity, population).T)
    whole = expanded(form)
    states = math.prod(whole.sizes)
    if states > LARGEST_CHAIN:
        raise UnsupportedGameError(f"alpha_rank has {states:,} joint choices to rank, allowed: {LARGEST_CHAIN:,}")
    return stationary(_rates(whole, intensity, population)).reshape(whole.sizes)


def one_population(form: Form) -> TypeGuard[SymmetricForm]:
    """Check whether the distribution is over the strategies of a single population."""
    return isinstance(form, SymmetricForm) and form.n == 2


def _rates(form: NormalForm, intensity: float, population: int) -> np.ndarray:
    """Compute the logarithms of the rates (S, S) at which one population at a time changes its strategy."""
    states = np.arange(math.prod(form.sizes)).reshape(form.sizes)
    rates = np.full((states.size, states.size), -np.inf)
    for i, own in enumerate(form.payoffs):
        at = np.moveaxis(states, i, -1).reshape(-1, form.sizes[i])  # profiles that differ in one player's strategy
        payoffs = own.reshape(-1)[at]
        gains = payoffs[:, None, :] - payoffs[:, :, None]
        rates[at[:, :, None], at[:, None, :]] = _fixation(gains, intensity, population)
    return rates


def _fixation(gains: np.ndarray, intensity: float, population: int) -> np.ndarray:
    """Compute the logarithms of the probabilities that a mutant takes over."""
    scaled = intensity * gains
    size = np.where(np.abs(scaled) < 1e-14, 1.0, np.abs(scaled))
    up = np.log(np.expm1(-size) / np.expm1(-population * size))
    taken = np.where(scaled > 0, up, up - (population - 1) * size)
    return np.where(np.abs(scaled) < 1e-14, -math.log(population), taken)


def stationary(rates: np.ndarray) -> np.ndarray:
    """Compute the stationary distribution (S,) of a chain, connected, in which only the ratios of rates matter.

    By elimination without subtraction, which keeps small rates exact (Grassmann, Taksar and Heyman 1985), of
    logarithms: losers take over with probabilities of which a few make a product too small for a number.

    Args:
        rates: their logarithms, (S, S), from row to column; the diagonal is not read.
    """
    flow = np.array(rates, float)
    count = len(flow)
    for last in range(count - 1, 0, -1):
        flow[:last, last] -= np.logaddexp.reduce(flow[last, :last])
        np.logaddexp(flow[:last, :last], flow[:last, last, None] + flow[last, :last], out=flow[:last, :last])
    mass = np.zeros(count)
    for state in range(1, count):
        mass[state] = np.logaddexp.reduce(mass[:state] + flow[:state, state])
    return np.asarray(softmax(mass))
