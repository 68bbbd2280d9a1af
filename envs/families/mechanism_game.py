"""The general form of a dynamic mechanism design problem, G(w): Mguni and Tomczak's Markov game (section 2).

Each participant has a type theta_i. The mechanism first announces its parameters w, which bind it for the whole game.
In each of T rounds participants then announce something (a report, a demand, a move); the *allocation rule* turns
announcements into allocations x_i, the *transfer rule* pays or charges, and types evolve, theta' ~ F(. | theta_i, x_i).
A game supplies these functions; play, observations, rewards and solution are here and in
:mod:`lawgiver.envs.solvers.equilibrium.subgame`, for all games.

Participants are rewarded with their attributed utility plus the transfer, the mechanism with an objective, by default
welfare, the sum of utilities without transfers.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, ClassVar, Literal

import numpy as np

from lawgiver.envs.core.arrays import Array, Rng, evolve, floats, namespace, total, uniform, zeros
from lawgiver.envs.core.errors import NoSolution, UnsupportedGameError
from lawgiver.envs.core.fields import Field, Layout, width
from lawgiver.envs.core.game import Draws, Game, Rewards
from lawgiver.envs.core.objectives import welfare
from lawgiver.envs.core.policy import Policy
from lawgiver.envs.solvers.equilibrium.subgame import Subgame


@dataclass(frozen=True)
class MechanismState:
    """State of B games of n participants.

    Attributes:
        turn: 0 before the mechanism has announced its parameters, then the round that is being played, from 1.
        round: completed rounds, (B,).
        parameters: the announced w, (B, D).
        types: theta, (B, n, q).
        utilities: utilities of the last round, without transfers, (B, n).
        transfers: what participants got from the mechanism in the last round, negative where they paid, (B, n).
        payoffs: what participants were paid in the last round, (B, n).
    """

    turn: int
    round: Array
    parameters: Array
    types: Array
    utilities: Array
    transfers: Array
    payoffs: Array

    @property
    def endowments(self) -> Array:
        """Endowments before a round: zeros, (B, n)."""
        return namespace(self.payoffs).zeros_like(self.payoffs)


@dataclass(frozen=True)
class PaymentCurve:
    """Payment of a mechanism as a function of a single quantity.

    Attributes:
        label: the quantity and its unit.
        places: values of the quantity, ascending, (K,).
        payment: payment at each place, (K,), under parameters w (D,).
        behaviour: key of :meth:`Subgame.behaviour` that is such a quantity, None if none is.
        best: the quantity at the optimum of rational participants, None if it is not known.
    """

    label: str
    places: np.ndarray
    payment: Callable[[np.ndarray], np.ndarray]
    behaviour: str | None = None
    best: float | None = None


@dataclass(frozen=True)
class MechanismGame(Game[MechanismState]):
    """A mechanism with parameters w, and n participants with types who announce something in each of T rounds.

    Args:
        n: number of participants.
        objective: the mechanism's reward of a round: ``welfare``, or an objective of the entry-point group.
    """

    n: int
    objective: str = field(default="welfare", kw_only=True)

    sum_type: ClassVar[Literal["general", "constant", "identical"]] = "general"
    budget_balanced: ClassVar[bool] = False
    horizon_known: ClassVar[bool] = True
    objectives: ClassVar[tuple[str, ...]] = ("welfare",)
    reward_meaning: ClassVar[Mapping[str, str]] = {
        "participant": "the part of its utility that the participant counts, plus its transfer, once a round",
        "mechanism": "the round's `objective`, once a round; `welfare` is the sum of utilities without transfers",
    }

    # -- functions of a game ------------------------------------------------------------------------------------

    @property
    def horizon(self) -> int:
        """Number of rounds T."""
        return 1

    @property
    @abstractmethod
    def type_size(self) -> int:
        """Number q of components of a type."""

    @abstractmethod
    def type_layout(self) -> Layout:
        """Return the fields of a participant's observation of its own type."""

    @abstractmethod
    def parameter_layout(self) -> Layout:
        """Return the fields of w, with the box that it lies in."""

    @abstractmethod
    def announcement_layout(self) -> Layout | int:
        """Return the fields of a Box announcement, or the number of choices of a Discrete one."""

    @abstractmethod
    def initial_types(self, draws: Array) -> Array:
        """Return types (B, n, q) for numbers drawn uniformly from [0, 1), in the same shape."""

    def see_types(self, state: MechanismState) -> Array:
        """Compute the participants' observations of their types, (B, n, d), in the order of the layout."""
        return state.types

    def announcements(self, actions: Array) -> Array:
        """Convert actions (B, n[, k]) to announcements (B, n) in the game's units."""
        return actions

    @abstractmethod
    def allocate(self, types: Array, announcements: Array, parameters: Array) -> Array:
        """Return the allocations (B, n, p): the allocation rule."""

    @abstractmethod
    def transfer(self, types: Array, allocations: Array, parameters: Array) -> Array:
        """Compute the transfers to participants (B, n), negative where they pay: the transfer rule."""

    def in_force(self, state: MechanismState) -> Array:
        """Return the parameters (B, d) that apply in the current round; by default all of w.

        A mechanism that is announced once can still do one thing in one round and another in the next.
        """
        return state.parameters

    @abstractmethod
    def utility(self, types: Array, allocations: Array) -> Array:
        """Return each participant's utility (B, n) without transfers."""

    def attributed(self, types: Array, allocations: Array, utilities: Array) -> Array:
        """Return the part of their utilities (B, n) that participants maximise; by default all of it."""
        return utilities

    def next_types(self, types: Array, allocations: Array, draws: Draws) -> Array:
        """Return the types (B, n, q) of the next round."""
        return types

    @property
    @abstractmethod
    def welfare_bounds(self) -> tuple[float, float]:
        """The least and the greatest welfare of a round."""

    @property
    @abstractmethod
    def welfare_scale(self) -> float:
        """A welfare by which others are divided to be of the order of one, > 0."""

    # -- the agents' subgame ------------------------------------------------------------------------------------

    @cached_property
    @abstractmethod
    def subgame(self) -> Subgame:
        """The participants' subgame under a fixed mechanism."""

    def tables(self) -> Subgame | NoSolution:
        """Make the subgame, or give the reason why there is none in tables."""
        try:
            return self.subgame
        except UnsupportedGameError as error:
            return NoSolution(str(error))

    def optimum(self) -> float | None:
        """Return the largest expected welfare of a whole game under a common policy, if known."""
        return None

    def first_best(self) -> float | None:
        """Return the expected welfare of a planner who knows all types and chooses all announcements, if known."""
        return None

    def references(self) -> Mapping[str, Mapping[str, float | None]]:
        """List what rational participants could reach, of a whole game: by measure, by name, None where not known."""
        return {"welfare": {"optimum": self.optimum(), "first_best": self.first_best()}}

    def payment_curve(self) -> PaymentCurve | None:
        """Return the payment as a curve, where it depends on a single quantity; else None."""
        return None

    def ceiling(self) -> float | None:
        """Return :meth:`optimum` a round, where the mechanism is paid welfare."""
        best = self.optimum() if self.objective == "welfare" else None
        return None if best is None else best / self.horizon

    def exact_scores(
        self, mechanism: Policy, *, inverse_temperature: float, anchor: Policy | None = None
    ) -> dict[str, Any] | NoSolution:
        """See :func:`lawgiver.envs.solvers.equilibrium.subgame_equilibrium.exact_scores`; per round, as the mechanism
        is paid. Without tables there are none."""
        from lawgiver.envs.solvers.equilibrium.subgame_equilibrium import exact_scores

        tables = self.tables()
        if isinstance(tables, NoSolution):
            return tables
        return exact_scores(self, mechanism, inverse_temperature=inverse_temperature, anchor=anchor)

    # -- how it is played ---------------------------------------------------------------------------------------

    @property
    def members(self) -> Mapping[str, tuple[float, ...]]:
        """The mechanism that pays nothing, by name."""
        return {"no_mechanism": (0.0,) * width(self.parameter_layout())}

    @property
    def baselines(self) -> tuple[str, ...]:
        """Those of the :attr:`members` beside which a learned mechanism is shown."""
        return ("no_mechanism",)

    @property
    def roles(self) -> Mapping[str, int]:
        """The participants and one mechanism."""
        return {"participant": self.n, "mechanism": 1}

    @property
    def max_steps(self) -> int:
        """Number of steps: the announcement of w and T rounds."""
        return 1 + self.horizon

    def phase(self, state: MechanismState) -> str:
        """Return the role that acts now."""
        return "participant" if state.turn else "mechanism"

    def observation_layout(self, role: str) -> Layout:
        """Participants see their own type, the round (of several) and w; the mechanism sees the last welfare."""
        if role == "mechanism":
            low, high = self.welfare_bounds
            return (
                Field("welfare", 1, low, high, "utility", "of the last round; 0 when it announces, before the first"),
            )
        self.check_role(role)
        rounds = (Field("round", 1, 0, self.horizon, "rounds", "completed rounds"),) if self.horizon > 1 else ()
        rule = tuple(replace(field, name=f"rule_{field.name}") for field in self.parameter_layout())
        return (*self.type_layout(), *rounds, *rule)

    def action_layout(self, role: str) -> Layout | int:
        """The mechanism announces w, participants whatever the game has them announce."""
        self.check_role(role)
        return self.parameter_layout() if role == "mechanism" else self.announcement_layout()

    def observe(self, state: MechanismState, role: str) -> Array:
        """Compute the observations of a role, (B, n_role, d)."""
        if role == "mechanism":
            return total(state.utilities)[:, None, None]
        self.check_role(role)
        xp = namespace(state.types)
        common = [state.round[:, None], state.parameters] if self.horizon > 1 else [state.parameters]
        shared = xp.concat(common, axis=-1)[:, None, :]
        shared = xp.broadcast_to(shared, (shared.shape[0], self.n, shared.shape[-1]))
        return xp.concat([self.see_types(state), shared], axis=-1)

    def draw_initial(self, batch: int, rng: Rng) -> Draws:
        """Draw the uniform numbers of the initial types."""
        return {"types": uniform(rng, (batch, self.n, self.type_size))}

    def initial_state(self, batch: int, rng: Rng) -> MechanismState:
        """Return ``batch`` games before the mechanism's announcement."""
        nothing = zeros(rng, (batch, self.n))
        types = self.initial_types(self.draw_initial(batch, rng)["types"])
        parameters = zeros(rng, (batch, width(self.parameter_layout())))
        return MechanismState(0, zeros(rng, (batch,)), parameters, types, nothing, nothing, nothing)

    def outcome(self, state: MechanismState, actions: Array) -> Array:
        """Return w (B, D), or the announcements (B, n) in the game's own units."""
        sent = floats(actions, state.utilities)
        return self.announcements(sent) if self.phase(state) == "participant" else sent[:, 0]

    def advance(
        self, state: MechanismState, outcome: Array, draws: Draws
    ) -> tuple[MechanismState, Rewards, Array, Array]:
        """Take w, or play a round."""
        nobody = state.round < 0
        if self.phase(state) == "mechanism":
            nothing = namespace(state.utilities).zeros_like(state.utilities)
            rewards = {"participant": nothing, "mechanism": nothing[:, :1]}
            return evolve(state, turn=1, parameters=outcome), rewards, nobody, nobody
        parameters = self.in_force(state)
        allocations = self.allocate(state.types, outcome, parameters)
        utilities = self.utility(state.types, allocations)
        transfers = self.transfer(state.types, allocations, parameters)
        payoffs = self.attributed(state.types, allocations, utilities) + transfers
        played = evolve(
            state,
            turn=state.turn + 1,
            round=state.round + 1,
            types=self.next_types(state.types, allocations, draws),
            utilities=utilities,
            transfers=transfers,
            payoffs=payoffs,
        )
        rewards = {"participant": payoffs, "mechanism": self.measure(played)[:, None]}
        return played, rewards, played.round >= self.horizon, nobody

    def own_measure(self, state: MechanismState) -> Array:
        """Compute the welfare of the round, (B,)."""
        return welfare(state)

    def measures(self) -> dict[str, Callable[[MechanismState], Array]]:
        """Return the objective, welfare, and the mechanism's net payments."""
        return {self.objective: self.measure, "welfare": welfare, "payments": self.deficit}

    def deficit(self, state: MechanismState) -> Array:
        """Compute the mechanism's net payments in the last round, (B,)."""
        return total(state.transfers)

    def picture(self, state: MechanismState, index: int) -> dict[str, np.ndarray]:
        """Return w, types, utilities, transfers and welfare of one game."""
        utilities = np.asarray(state.utilities[index])
        return {
            "completed rounds": np.asarray(state.round[index : index + 1]),
            **{f"w_{j + 1}": np.asarray(w)[None] for j, w in enumerate(np.asarray(state.parameters[index]))},
            **{f"type {j + 1}": theta for j, theta in enumerate(np.asarray(state.types[index]).T)},
            "utilities": utilities,
            "transfers": np.asarray(state.transfers[index]),
            "welfare": utilities.sum(keepdims=True),
        }
