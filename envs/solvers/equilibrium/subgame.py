"""The agents' subgame G(w) in tables: the participants' game under a fixed mechanism.

Participants are alike and draw independently, so that one of them meets the others only through *aggregates* z of
their behaviour: the mean of where they end up, how many take each road. A participant in round t knows its
*state*, one of S, and takes one of A actions; a policy is a table (T, S, A) of log-probabilities. Everything
follows from four functions of a game: rewards in given aggregates, transitions, the aggregates of a policy, and what
the mechanism makes of it. Of bounded rationality (the paper's equations 3 and 8, with the temperature that these lost):

    Q_t(s, a) = r_t(s, a) + E[V_{t+1}(s')],    pi_t(a | s) = pi_0(a | s) exp(lambda (Q_t(s, a) - V_t(s))),
    V_t(s) = 1 / lambda log E_{pi_0}[exp(lambda Q_t(s, a))]

with lambda the inverse temperature: 0 stays at the anchor pi_0, infinity is rational.

All arrays may have leading axes (...): one mechanism each. They are NumPy's or torch's.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from lawgiver.envs.core.arrays import Array, constant, log_softmax, namespace
from lawgiver.envs.core.errors import ParameterError, counted
from lawgiver.envs.core.fields import width
from lawgiver.envs.solvers.equilibrium.prior import ILLEGAL

if TYPE_CHECKING:
    from lawgiver.envs.families.mechanism_game import MechanismGame

RATIONAL = 1e6
"""Stands for an infinite inverse temperature, per :attr:`Subgame.unit` of payoff."""


class Subgame(ABC):
    """See the module's docstring. ``shape`` is (T, S, A)."""

    game: MechanismGame
    shape: tuple[int, int, int]
    coupled: bool = True
    """Whether rewards depend on the aggregates: if not, there is a dominant strategy."""

    @abstractmethod
    def initial_distribution(self) -> np.ndarray:
        """Return the probability of each state in the first round, (S,)."""

    @abstractmethod
    def rewards(self, parameters: Array, aggregates: Array) -> Array:
        """Compute the attributed rewards, transfers included, (..., T, S, A), under w (..., D) and z (..., m)."""

    @abstractmethod
    def utilities(self, parameters: Array, aggregates: Array) -> Array:
        """Compute expected utilities without transfers, whether attributed or not, (..., T, S, A); see rewards."""

    @abstractmethod
    def transfers(self, parameters: Array, aggregates: Array) -> Array:
        """Compute expected transfers (..., T, S, A), negative where participants pay; see rewards."""

    @abstractmethod
    def aggregates(self, policy: Array) -> Array:
        """Return z (..., m) of a table of probabilities (..., T, S, A)."""

    @abstractmethod
    def measures(self, parameters: Array, policy: Array) -> dict[str, Array]:
        """Compute the game's own objectives by name, (...) each, when all play a table of probabilities (..., T, S, A).

        Expected, of a whole game, under w (..., D): ``welfare``, and what else the mechanism may be paid.
        """

    def response_slope(
        self, parameters: np.ndarray, aggregates: np.ndarray, policy: np.ndarray, inverse_temperature: float
    ) -> np.ndarray | None:
        """Compute dF/dz (m, m) of the aggregates F of the response to z, row by component of F, in one go.

        For subgames that know it faster than by differences in each of the aggregates; by default None.

        Args:
            parameters: w, (D,).
            aggregates: z, (m,).
            policy: the response to z, (T, S, A).
            inverse_temperature: lambda, finite.
        """
        return None

    def transitions(self) -> np.ndarray:
        """Return the probability of the next state, (S, A, S); not called for a single round."""
        raise NotImplementedError(f"{type(self).__name__} has {self.shape[0]} rounds and does not say how they follow")

    def common_knowledge(self) -> np.ndarray:
        """Return labels of what everybody knows of the states, (S,): one can be reported for others of its label.

        By default nothing, so that any may be reported for any other.
        """
        return np.zeros(self.shape[1], int)

    def legal(self) -> np.ndarray:
        """Mask the legal actions of each state, (S, A)."""
        return np.ones(self.shape[1:], bool)

    def cell_weights(self) -> np.ndarray:
        """Return the weight of each action in a discretised action set, up to a factor, (A,)."""
        return np.ones(self.shape[2])

    def announcements(self) -> np.ndarray:
        """Return the announcements that stand for a discretised Box, (A, k), or (S, A, k) where states differ.

        Not called where announcements are Discrete.
        """
        raise NotImplementedError(f"{type(self).__name__} does not say which announcements its actions are")

    @abstractmethod
    def observations(self, parameters: np.ndarray) -> np.ndarray:
        """Compute the participants' observations in each round and state under w (D,), (T, S, d)."""

    @abstractmethod
    def locate(self, obs: Array) -> tuple[Array, Array, Array]:
        """Locate observations (B, n, d) in a table: rounds (B, n), states and their weights.

        The last two are (B, n, k): between the k states of a continuous type, log-probabilities are interpolated.
        """

    def behaviour(self, policy: np.ndarray) -> dict[str, float]:
        """Summarise a table of probabilities (T, S, A) by name."""
        return {}

    # -- what follows -------------------------------------------------------------------------------------------

    @cached_property
    def unit(self) -> float:
        """A payoff of the order of those that participants get: their share of the game's scale of welfare."""
        return self.game.welfare_scale / self.game.n

    def finite(self, inverse_temperature: float) -> float:
        """Cap an inverse temperature at ``RATIONAL`` per :attr:`unit`, which stands for infinity in computations."""
        return min(inverse_temperature, RATIONAL / self.unit)

    @property
    def objective_name(self) -> str:
        """Name of the measure by which mechanisms are judged: the game's objective where it is one of its own.

        An objective of the entry-point group is computed in games alone: mechanisms are then judged by welfare here.
        """
        return self.game.objective if self.game.objective in self.game.objectives else "welfare"

    def objective(self, parameters: Array, policy: Array) -> Array:
        """Compute the measure by which mechanisms are judged, (...); see :meth:`measures`."""
        return self.measures(parameters, policy)[self.objective_name]

    def occupancy(self, policy: Array) -> Array:
        """Compute the occupancy (..., T, S, A) of states and actions in each round."""
        xp = namespace(policy)
        here = constant(self.initial_distribution(), policy) + xp.zeros_like(policy[..., 0, :, 0])
        rounds = []
        for t in range(self.shape[0]):
            joint = here[..., :, None] * policy[..., t, :, :]
            rounds.append(joint)
            if t + 1 < self.shape[0]:
                leads = constant(self.transitions().reshape(-1, self.shape[1]), policy)
                here = joint.reshape(*joint.shape[:-2], -1) @ leads
        return by_round(rounds)

    def action_values(
        self, parameters: Array, aggregates: Array, inverse_temperature: float, log_prior: Array
    ) -> tuple[Array, Array]:
        """Return Q (..., T, S, A) of the response to the aggregates, and the log-probabilities of that response.

        Args:
            parameters: w, (..., D).
            aggregates: z, (..., m).
            inverse_temperature: lambda, per unit of payoff; infinity for rational participants.
            log_prior: log pi_0, (T, S, A) or (..., T, S, A), about -1e9 where illegal.
        """
        xp = namespace(aggregates)
        inverse_temperature = self.finite(inverse_temperature)
        rewards = self.rewards(parameters, aggregates)
        future = xp.zeros_like(rewards[..., 0, :, 0])
        values, responses = [], []
        for t in reversed(range(self.shape[0])):
            value = rewards[..., t, :, :]
            if t + 1 < self.shape[0]:
                leads = constant(self.transitions().reshape(-1, self.shape[1]), rewards)
                value = value + (future @ leads.T).reshape(*value.shape[:-2], *self.shape[1:])
            response = log_softmax(tilted(log_prior[..., t, :, :], value, inverse_temperature))
            if t:  # nothing is before the first round
                future = certainty_equivalent(value, response, log_prior[..., t, :, :], inverse_temperature)
            values.append(value)
            responses.append(response)
        return by_round(values[::-1]), by_round(responses[::-1])

    def log_response(self, parameters: Array, aggregates: Array, inverse_temperature: float, log_prior: Array) -> Array:
        """Return the log-probabilities (..., T, S, A) of the response to aggregates; see :meth:`action_values`."""
        return self.action_values(parameters, aggregates, inverse_temperature, log_prior)[1]

    def divergence(self, log_policy: Array, log_prior: Array) -> Array:
        """Return the expected KL(pi || pi_0) of a whole game in nats, (...), for log-probabilities (..., T, S, A)."""
        xp = namespace(log_policy)
        policy = xp.exp(log_policy)
        apart = xp.where(policy > 0, log_policy - log_prior, xp.zeros_like(policy))
        return xp.sum(self.occupancy(policy) * apart, axis=(-3, -2, -1))

    def distance(self, policy: Array, other: Array) -> Array:
        """Compute the probability that two tables (..., T, S, A) act differently, (...).

        The total variation between them, averaged over rounds and over the states that come up under the first.
        """
        xp = namespace(policy)
        apart = xp.sum(xp.abs(policy - other), axis=-1) / 2
        return xp.sum(xp.sum(self.occupancy(policy), axis=-1) * apart, axis=(-2, -1)) / self.shape[0]


def checked_parameters(game: MechanismGame, parameters: Any, *, batched: bool = False) -> Array:
    """Return w (D,), or (..., D) where ``batched``, as floats: of NumPy and lists in double precision, torch as it is.

    Raises:
        ParameterError: if its shape is another, or it holds anything but finite numbers.
    """
    layout = game.parameter_layout()
    fields = ", ".join(f"{field.name}: {field.size} in [{field.low:g}, {field.high:g}]" for field in layout)
    size = width(layout)
    if isinstance(parameters, (np.ndarray, np.generic, list, tuple, int, float)):
        try:
            w: Array = np.asarray(parameters, np.float64)
        except (TypeError, ValueError):
            raise ParameterError(
                f"parameters is {parameters!r}, allowed: {counted(size, 'number')} ({fields})"
            ) from None
    else:
        w = parameters
        xp = namespace(w)
        if not xp.isdtype(w.dtype, "real floating"):
            raise ParameterError(f"parameters is of {w.dtype}, allowed: floating point ({fields})")
    if w.ndim == 0 or w.shape[-1] != size:
        count = 1 if w.ndim == 0 else w.shape[-1]
        raise ParameterError(f"parameters has {count} number{'s' * (count != 1)}, allowed: {size} ({fields})")
    if w.ndim > 1 and not batched:
        raise ParameterError(f"parameters is of shape {tuple(w.shape)}, allowed: ({size},) ({fields})")
    if not bool(namespace(w).isfinite(w).all()):
        raise ParameterError(f"parameters is {w.tolist()}, allowed: finite numbers ({fields})")
    return w


def by_round(tables: list[Array]) -> Array:
    """Stack tables (..., S, A) of rounds to (..., T, S, A); without a copy for one round."""
    return tables[0][..., None, :, :] if len(tables) == 1 else namespace(tables[0]).stack(tables, axis=-3)


def tilted(log_prior: Array, values: Array, inverse_temperature: float) -> Array:
    """Return log pi_0 + lambda Q up to a constant, (..., S, A); no value makes up for an illegal action's prior."""
    xp = namespace(values)
    legal = log_prior > ILLEGAL / 2
    if xp.all(legal):
        return log_prior + inverse_temperature * values
    best = xp.max(xp.where(legal, values, constant(-np.inf, values)), axis=-1, keepdims=True)
    return log_prior + inverse_temperature * xp.where(legal, values - best, xp.zeros_like(values))


def certainty_equivalent(values: Array, response: Array, log_prior: Array, inverse_temperature: float) -> Array:
    """Compute E[Q] - KL(pi || pi_0) / lambda over the last axis, (...), for the log-probabilities of the response."""
    xp = namespace(values)
    policy = xp.exp(response)
    mean = xp.sum(policy * values, axis=-1)
    if inverse_temperature == 0:
        return mean
    apart = xp.where(policy > 0, response - log_prior, xp.zeros_like(response))
    return mean - xp.sum(policy * apart, axis=-1) / inverse_temperature


def uniform_prior(subgame: Subgame) -> np.ndarray:
    """Return log pi_0 (T, S, A), uniform over the legal actions, or over the interval that they discretise."""
    legal = subgame.legal()
    shares = legal * subgame.cell_weights()
    shares = shares / shares.sum(axis=-1, keepdims=True)
    logs = np.where(legal, np.log(np.where(legal, shares, 1.0)), ILLEGAL)
    return np.broadcast_to(logs, subgame.shape).copy()
