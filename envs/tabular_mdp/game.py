"""Any Markov decision process that fits into tables, run by the mechanism for participants whose rewards are private.

Give where actions lead, what there is to be had on the way, and how the future counts::

    from lawgiver.envs.tabular_mdp import TabularMDPGame

    game = TabularMDPGame(
        n=2,
        transitions=[[0, 1], [1, 0]],              # state 0: stay, go; state 1: stay, go
        features=[[[0, 0], [1, 0]]],               # one feature: to stay in state 1
        discount=0.9,
        high=[1.0, 3.0],                           # what it is worth to each is uniform on [0, 1] and [0, 3]
    )

or, in a configuration, ``game: {name: tabular_mdp, n: 2, transitions: [[0, 1], [1, 0]], ...}``. Everything that works
for the other games of reports works for it then: environments, affine maximisers and their training, audits.

By default a workshop of 3 states is shared: idle, or set up for one of two products. Action 0 runs it, which makes a
unit of the product that it is set up for, if any, and with probability 0.1 ends the set-up; actions 1 and 2 set it up
for product 1 or 2, which fails with probability 0.2 and leaves it idle. Each participant has a value for each product.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Literal

import numpy as np

from lawgiver.envs.core.arrays import Array, constant, namespace
from lawgiver.envs.core.errors import ParameterError, integer, number
from lawgiver.envs.core.fields import Field, Layout
from lawgiver.envs.mdp.discounted import Discounted
from lawgiver.envs.mdp.finite_horizon import FiniteHorizon
from lawgiver.envs.mdp.game import Ends, MDPGame
from lawgiver.envs.mdp.model import MEMORY
from lawgiver.envs.tabular_mdp.tables import SparseTable, Table, as_array, as_table, as_transitions_table

DISCOUNT = 0.9
"""What a reward is worth one step later, if neither that nor a horizon is given."""
WORKSHOP = (
    ((1.0, 0.0, 0.0), (0.2, 0.8, 0.0), (0.2, 0.0, 0.8)),
    ((0.1, 0.9, 0.0), (0.2, 0.8, 0.0), (0.2, 0.0, 0.8)),
    ((0.1, 0.0, 0.9), (0.2, 0.8, 0.0), (0.2, 0.0, 0.8)),
)
"""Transitions (S, A, S) of a workshop that is idle or set up for product 1 or 2."""
PRODUCTS = (
    ((0.0, 0.0, 0.0), (1.0, 0.0, 0.0), (0.0, 0.0, 0.0)),
    ((0.0, 0.0, 0.0), (0.0, 0.0, 0.0), (1.0, 0.0, 0.0)),
)
"""Features (K, S, A) of the workshop: how many units of each product are made."""


@dataclass(frozen=True)
class TabularMDPGame(MDPGame):
    """A process given by tables, whose rewards are sums of features by private values.

    Participant i makes r_i(s, a) = sum_k theta_ik phi_k(s, a) of action a in state s. The features phi are known to
    all; the values theta_i = (theta_i1, ..., theta_iK), drawn independently, are private and reported. An action that
    a state does not offer is given as a repetition of one that it does. Where features and values are >= 0, nobody
    loses by taking part in an affine maximiser; elsewhere somebody may, though nobody gains by a misreport.

    Args:
        n: number of participants, >= 1.
        transitions: integer successors (S, A); probabilities (S, A, S); or a scipy sparse matrix (S * A, S) of them,
            row s * A + a (NumPy only), or in a configuration its {shape, rows, columns, values}. Arrays or nested
            lists.
        features: phi, (K, S, A), or (n, K, S, A) where every participant has its own; finite.
        start: the first state's number, or probabilities (S,).
        discount: what a reward is worth one step later, in [0, 1); null for 0.9, or where there is a horizon.
        horizon: number of actions until the end, >= 1, undiscounted; null for none.
        types: ``uniform``, or ``piecewise``: the density of a value is constant on each of several pieces.
        low: least value; one for all, one a participant, or a rule by its number i = 1, ..., n, such as ``1/i``.
        high: greatest value, likewise.
        masses: relative probabilities of the pieces, where types are ``piecewise``.
        objective: ``revenue`` or ``welfare``.
        mechanism_mode: ``announce`` (log w and b of an affine maximiser, before the reports) or ``allocate`` (a policy
            and payments, after them).
        memory: budget in MiB for the tables and for the equations that are solved at a time.

    Raises:
        ParameterError: naming what is wrong, where, and what is allowed.
    """

    n: int = 2
    transitions: Table = WORKSHOP
    features: Table = PRODUCTS
    start: int | Sequence[float] = 0
    discount: float | None = None
    horizon: int | None = None
    types: Literal["uniform", "piecewise"] = "uniform"
    low: Ends = 0.0
    high: Ends = 1.0
    masses: Sequence[float] | None = None
    objective: str = "revenue"
    mechanism_mode: Literal["announce", "allocate"] = "announce"
    memory: float = MEMORY

    name: ClassVar[str] = "tabular_mdp-v0"
    reference: ClassVar[str] = (
        "Curry, Thoma et al. 2024, Automated Design of Affine Maximizer Mechanisms in Dynamic Settings, section 3"
    )
    variants: ClassVar[dict[str, dict[str, Any]]] = {
        "A horizon of 3, reports first": {"horizon": 3, "mechanism_mode": "allocate"},
    }

    def __post_init__(self) -> None:
        """Check every parameter, and make the tables plain data, so that games can be compared, hashed and saved."""
        self.check_types()
        memory = number("memory", self.memory, "(0, inf)")
        settings: dict[str, Any] = {
            "memory": memory,
            "transitions": as_transitions_table("transitions", self.transitions, memory),
            "features": as_table("features", self.features, memory),
        }
        if self.horizon is not None:
            settings["horizon"] = integer("horizon", self.horizon, 1)
            if self.discount not in (None, 1):
                raise ParameterError(
                    f"discount is {self.discount!r} with horizon={self.horizon}, allowed: one of the two"
                )
        elif self.discount is None:
            settings["discount"] = DISCOUNT
        if isinstance(self.start, (list, tuple)) or (isinstance(self.start, np.ndarray) and self.start.ndim):
            settings["start"] = as_table("start", self.start, memory)
        for name, value in settings.items():
            object.__setattr__(self, name, value)
        _ = self.mdp  # its own check, and below the features'
        self._check_features()
        self.check_bound()

    def _check_features(self) -> None:
        phi, (s, a) = self._features, (self.mdp.n_states, self.mdp.n_actions)
        own = phi.ndim == 4
        if phi.ndim not in (3, 4) or 0 in phi.shape or phi.shape[-2:] != (s, a) or (own and len(phi) != self.n):
            raise ParameterError(
                f"features have the shape {phi.shape}, allowed: (K, {s}, {a}), or ({self.n}, K, {s}, {a}) for "
                f"{self.n} participants with {s} states and {a} actions"
            )
        wrong = np.argwhere(~np.isfinite(phi))
        if wrong.size:
            *_, k, state, action = (int(at) for at in wrong[0])
            raise ParameterError(
                f"feature {k} of action {action} in state {state} is {phi[tuple(wrong[0])]}, allowed: finite numbers"
            )

    @cached_property
    def _features(self) -> np.ndarray:
        return as_array("features", self.features).astype(float)

    # -- what the game is made of -------------------------------------------------------------------------------

    @cached_property
    def mdp(self) -> Discounted | FiniteHorizon:
        """The process."""
        given = self.transitions
        table = given.matrix() if isinstance(given, SparseTable) else as_array("transitions", given)
        if self.horizon is not None:
            return FiniteHorizon(table, self.horizon, self.start, self.memory)
        assert self.discount is not None
        return Discounted(table, self.discount, self.start, self.memory)

    def type_layout(self) -> Layout:
        """Return the value of each feature."""
        low, high = self.type_range
        meaning = "what one unit of each feature is worth to the participant"
        return (Field("value", self._features.shape[-3], low, high, "utility", meaning),)

    def types_of(self, draws: Array) -> Array:
        """Return values (B, n, K)."""
        return self.quantiles(draws)

    def rewards(self, types: Array) -> Array:
        """Return the values' sum over features, (B, n, S, A)."""
        xp = namespace(types)
        k, s, a = self._features.shape[-3:]
        phi = constant(self._features.reshape(-1, k, s * a), types)
        if self._features.ndim == 3:
            flat = types @ phi[0]
        else:
            flat = xp.permute_dims(xp.permute_dims(types, (1, 0, 2)) @ phi, (1, 0, 2))
        return xp.reshape(flat, (*types.shape[:-1], s, a))

    @property
    def boost_bound(self) -> float:
        """What all participants together can gain or lose at most over the whole process."""
        steps = self.mdp.horizon if isinstance(self.mdp, FiniteHorizon) else 1 / (1 - self.mdp.discount)
        greatest = float(np.abs(self._features).sum(axis=-3).max()) or 1.0
        return self.n * steps * greatest * max(abs(end) for end in self.type_range)
