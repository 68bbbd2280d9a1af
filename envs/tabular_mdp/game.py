"""A tabular Markov decision process that the mechanism controls, for participants with private rewards.

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
for the other games of reports works for it then: environments, affine maximisers and their training, audits. The table
of one of Gymnasium's toy-text environments is a process, too, with its reward as the one feature::

    lake = gymnasium.make("FrozenLake-v1").unwrapped
    game = TabularMDPGame(transitions=lake.P, start=lake.initial_state_distrib, horizon=100)

By default a workshop of 3 states is shared: idle, or set up for one of two products. Action 0 runs it, which makes a
unit of the product that it is set up for, if any, and with probability 0.1 ends the set-up; actions 1 and 2 set it up
for product 1 or 2, which fails with probability 0.2 and leaves it idle. Each participant has a value for each product.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Literal, cast

import numpy as np

from lawgiver.envs.core.arrays import Array, constant, namespace
from lawgiver.envs.core.errors import NoSolution, ParameterError, choice, integer
from lawgiver.envs.core.fields import Field, Layout
from lawgiver.envs.families.ends import Ends
from lawgiver.envs.families.mdp_game import MDPGame
from lawgiver.envs.solvers.equilibrium.prior import ILLEGAL
from lawgiver.envs.solvers.mdp.discounted import Discounted
from lawgiver.envs.solvers.mdp.finite_horizon import FiniteHorizon
from lawgiver.envs.solvers.mdp.model import MEMORY, memory_budget
from lawgiver.envs.tabular_mdp.layouts import Layout as Layouts
from lawgiver.envs.tabular_mdp.layouts import from_outcomes, holds_outcomes, states_first
from lawgiver.envs.tabular_mdp.tables import SparseTable, Table, as_array, as_table, as_transitions_table

DISCOUNT = 0.9
"""Default discount factor, if neither it nor a horizon is given."""
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
            lists. Or a table of outcomes, `[state][action]` a list of (probability, next state, reward, terminated), in
            nested lists or in mappings by number, as Gymnasium's toy-text environments have it: rewards are the feature
            then, and where outcomes that terminate lead to states that go on, a last state is added, in which nothing
            is had any more.
        features: phi, (K, S, A), or (n, K, S, A) where every participant has its own, or (S, A) for a single one;
            finite. Null for those of the default process, or the rewards of a table of outcomes.
        start: the first state's number, or probabilities (S,).
        discount: what a reward is worth one step later, in [0, 1), or [0, 1] where there is a horizon; null for 0.9,
            or 1 where there is a horizon.
        horizon: number of actions until the end, 1 to 10,000; null for none.
        types: ``uniform``, or ``piecewise``: the density of a value is constant on each of several pieces.
        low: least value; one for all, one a participant, or a rule by its number i = 1, ..., n, such as ``1/i``.
        high: greatest value, likewise.
        masses: relative probabilities of the pieces, where types are ``piecewise``.
        objective: ``revenue``, ``welfare`` or a registered objective.
        mechanism_mode: ``announce`` (log w and b of an affine maximiser, before the reports) or ``allocate`` (a policy
            and payments, after them).
        memory: budget in MiB for the tables and for the equations that are solved at a time.
        layout: axes of the transitions: ``states_first`` (S, A, S) or ``actions_first`` (A, S, S) as in the
            MDP toolbox, also a list of A scipy sparse matrices; null to infer it from the shape, impossible if S = A.
        types_file: an .npz file with the array ``values``, (N, n, K), or a CSV table (see
            :mod:`lawgiver.envs.files.profiles`), from which whole profiles are drawn instead, within the
            bounds of reports; null to draw by distribution.

    Raises:
        ParameterError: naming what is wrong, where, and what is allowed.
    """

    n: int = 2
    transitions: Table = WORKSHOP
    features: Table | None = None
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
    layout: Layouts | None = None
    types_file: str | None = None

    name: ClassVar[str] = "tabular_mdp-v0"
    summary: ClassVar[str] = "runs a process of yours by reported rewards"
    reference: ClassVar[str] = (
        "Curry, Thoma et al. 2024, Automated Design of Affine Maximizer Mechanisms in Dynamic Settings, section 3"
    )
    variants: ClassVar[dict[str, dict[str, Any]]] = {
        "A horizon of 3, reports first": {"horizon": 3, "mechanism_mode": "allocate"},
    }

    def __post_init__(self) -> None:
        """Check every parameter, and make the tables plain data, so that games can be compared, hashed and saved."""
        self.check_types()
        memory = memory_budget(self.memory)
        transitions, features, start = self._given(memory)
        settings: dict[str, Any] = {
            "memory": memory,
            "transitions": as_transitions_table("transitions", transitions, memory),
            "features": as_table("features", features, memory),
            "layout": "states_first",  # as it is kept
        }
        if self.horizon is not None:
            settings["horizon"] = integer("horizon", self.horizon, 1)
        if self.discount is None:
            settings["discount"] = DISCOUNT if self.horizon is None else 1.0
        if isinstance(start, (list, tuple)) or (isinstance(start, np.ndarray) and start.ndim):
            start = as_table("start", start, memory)
        settings["start"] = start
        for name, value in settings.items():
            object.__setattr__(self, name, value)
        _ = self.mdp  # its own check, and below the features'
        self._check_features()
        self.check_problem()
        self.check_bound()
        self.check_types_file()

    def _given(self, memory: float) -> tuple[Any, Any, Any]:
        """Return transitions by state, features (.., S, A) and the start, converted from any accepted form."""
        transitions, features, start = self.transitions, self.features, cast(Any, self.start)
        layout, added = self.layout, 0
        if layout is None and transitions is WORKSHOP:
            layout = "states_first"
        if holds_outcomes(transitions):
            if layout is not None:
                choice("layout of a table of outcomes", layout, ("states_first",))
            read = from_outcomes(cast(Any, transitions), memory)
            transitions, added = read.transitions, len(read.transitions) - read.n_given
            if features is None:
                features, padded = read.rewards, 0
            else:
                padded = added
        else:
            transitions, padded = states_first(transitions, layout), 0
        phi = as_array("features", PRODUCTS if features is None else features)
        if phi.ndim == 2:
            phi = phi[None]
        if padded and phi.ndim > 2:  # nothing is had in the last state
            phi = np.concatenate([phi, np.zeros_like(phi[..., :padded, :])], axis=-2)
        if added and np.ndim(start) == 1 and len(start) == len(transitions) - added:
            start = np.append(np.asarray(start, float), np.zeros(added))
        return transitions, phi, start

    def _check_features(self) -> None:
        phi, (s, a) = self._features, (self.mdp.n_states, self.mdp.n_actions)
        own = phi.ndim == 4
        if phi.ndim not in (3, 4) or 0 in phi.shape or phi.shape[-2:] != (s, a) or (own and len(phi) != self.n):
            raise ParameterError(
                f"features have the shape {phi.shape}, allowed: (K, {s}, {a}), or ({self.n}, K, {s}, {a}) for "
                f"{self.n} participants with {s} states and {a} actions"
            )
        least = min(float((phi * end).min()) for end in self.type_range) if np.isfinite(phi).all() else 0.0
        if phi.shape[-3] * least <= ILLEGAL / 2:
            raise ParameterError(
                f"rewards may go down to {phi.shape[-3] * least:g}, allowed: above {ILLEGAL / 2:g}; take larger units"
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
            return FiniteHorizon(table, self.horizon, self.start, self.memory, cast(float, self.discount))
        assert self.discount is not None
        return Discounted(table, self.discount, self.start, self.memory)

    def type_layout(self) -> Layout:
        """Return the value of each feature."""
        low, high = self.type_range
        meaning = "what one unit of each feature is worth to the participant"
        return (Field("value", self._features.shape[-3], low, high, "utility", meaning),)

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
        """Largest total gain or loss of all participants over the whole process."""
        rate = self.mdp.discount
        if not isinstance(self.mdp, FiniteHorizon):
            steps = 1 / (1 - rate)
        else:
            steps = self.mdp.horizon if rate == 1 else (1 - rate**self.mdp.horizon) / (1 - rate)
        greatest = float(np.abs(self._features).sum(axis=-3).max()) or 1.0
        return self.n * steps * greatest * max(abs(end) for end in self.type_range)

    def unknown_solutions(self) -> Mapping[str, NoSolution]:
        """List the best mechanism: no theory has it for a process of any kind."""
        return {
            f"greatest {self.objective} of a truthful mechanism": NoSolution(
                "no theory has it for tables of any kind; the trainer affine_maximiser searches for it"
            )
        }
