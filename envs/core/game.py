"""The contract of a game: its rules as pure functions on arrays with a leading batch axis.

A :class:`Game` is a frozen dataclass whose fields are the game's parameters. It plays B games at once, on NumPy or
on torch, whichever made the state. Every view (PettingZoo, Gymnasium, RLlib's batched runner, the differentiable
path) is a thin layer over these functions, so that no rule is written twice.

One step is one *phase*: the agents of one role act, the others wait. The games of a batch move in lockstep:
``state.turn``, a plain integer, says where in the round all of them are. A game that ends before the others goes on
being stepped; whoever steps it masks it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, ClassVar, Generic, Literal, Protocol, TypeVar

import gymnasium
import numpy as np

from lawgiver.envs.core.arrays import Array, Rng
from lawgiver.envs.core.checks import check_policy
from lawgiver.envs.core.drawings import Drawing
from lawgiver.envs.core.errors import ConvergenceError, NoSolution, ParameterError, allowed, brief, choice, integer
from lawgiver.envs.core.fields import Layout, bounds, box, component_names
from lawgiver.envs.core.objectives import check_objective, computable, gini, registered
from lawgiver.envs.core.policy import Policy
from lawgiver.envs.core.recorded import Recorded
from lawgiver.envs.core.wording import Wording, default_wording

Draws = dict[str, Array]
"""The random numbers of a step by name, each with a leading batch axis."""

LARGEST_SEATS = 1_000_000
"""Agents of a role."""
LARGEST_CHOICE = 100_000
"""Largest number of Discrete actions: policies store a probability for each."""

Rewards = dict[str, Array]
"""Rewards by role, each (B, n_role)."""


class State(Protocol):
    """Fields of every state: a frozen dataclass of arrays (B, ...) and the turn that all games share."""

    @property
    def turn(self) -> int:
        """Position in the round, shared by all games of the batch."""


StateT = TypeVar("StateT", bound=State)


@dataclass(frozen=True)
class KnownSolution:
    """An exactly known quantity of the game.

    ``residual`` recomputes it and returns how far it is from satisfying the equation that defines it. ``value`` returns
    the number only where that is at most ``tolerance``. Of a solution that may be approximate ``exact`` is the largest
    residual of an exact one; None where the residual measures the error of the check, not that of the value.

    Raises:
        ConvergenceError: by ``value``, where the residual is larger, or no number.
    """

    name: str
    source: str
    value: Callable[[], float]
    residual: Callable[[], float]
    tolerance: float = 1e-6
    exact: float | None = None

    def __post_init__(self) -> None:
        """Make ``value`` check the residual first."""
        object.__setattr__(self, "value", partial(_certified, self, self.value))


def _certified(solution: KnownSolution, value: Callable[[], float]) -> float:
    residual = solution.residual()
    if not residual <= solution.tolerance:
        raise ConvergenceError(
            f"{solution.name!r} is not known here: its residual is {residual:.3g}, allowed: at most "
            f"{solution.tolerance:.3g}"
        )
    return value()


@dataclass(frozen=True)
class Game(ABC, Generic[StateT]):
    """A game's rules and declarations.

    Raises:
        ParameterError: on construction, if a parameter is outside its range.
    """

    name: ClassVar[str]
    """Name with version, ``public_investment-v0``; the environments' id is ``lawgiver/<name>``."""
    reference: ClassVar[str]
    """The paper and section that the game comes from."""
    sum_type: ClassVar[Literal["general", "constant", "identical"]]
    """How the rewards of the players (:attr:`players`) relate: ``constant``, their sum over a whole game is the same
    whatever happens; ``identical``, all earn the same at every step; ``general``, neither is claimed."""
    players: ClassVar[str] = "participant"
    """The role whose rewards ``sum_type`` describes."""
    seats_take_turns: ClassVar[bool] = False
    """Whether some agents of the acting role may have to wait; see :meth:`acts`."""
    ordinal_actions: ClassVar[bool] = True
    """Whether participants' Discrete actions are ordinal, so that their mean is meaningful; a menu's are not."""
    budget_balanced: ClassVar[bool]
    """Whether the mechanism's budget balances exactly; see :meth:`deficit`."""
    horizon_known: ClassVar[bool]
    """Whether the players know which round is the last: then every game is terminated after ``max_steps`` steps."""

    objectives: ClassVar[tuple[str, ...]] = ()
    """Objectives of the game's own, by name; see :meth:`own_measure`. A game with a parameter ``objective`` takes those
    of the entry-point group ``lawgiver.objectives`` as well."""

    payoff_unit: ClassVar[str] = "utility"
    """Unit of participants' payoffs, as fields of its layouts name units: ``money``, ``points``, ``utility``."""
    measure_meanings: ClassVar[Mapping[str, str]] = {}
    """Definitions of measures that mean something of their own in this game, by name, each with its unit."""
    summary: ClassVar[str] = ""
    """What the mechanism does, in up to 50 characters, for lists of games."""
    reward_meaning: ClassVar[Mapping[str, str]] = {}
    """What each role is paid, in which unit and when, for the game's page."""
    variants: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    """Parameters under which spaces differ from those by default, by a name for the game's page."""
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    """Published settings by name, each with its parameters, for ``make_game(name, preset=...)``."""
    nested: ClassVar[Mapping[str, str]] = {}
    """Parameters that hold parameters of another game, each with that game's name."""
    unaudited: ClassVar[str] = ""
    """Why :func:`lawgiver.audit` does not take its mechanisms, and what to do instead, of a game without reports."""
    languages: ClassVar[tuple[str, ...]] = ("en",)
    """Languages of :meth:`wording`, by their two-letter codes."""
    versions: ClassVar[Mapping[str, str]] = {"v0": "first version"}
    """What each version of the game's behaviour brought, from the first to the one in ``name``."""

    @property
    def members(self) -> Mapping[str, tuple[float, ...]]:
        """The canonical rules that the mechanism can announce, by name, each with its action (k,)."""
        return {}

    # -- who plays, and when ------------------------------------------------------------------------------------

    @property
    @abstractmethod
    def roles(self) -> Mapping[str, int]:
        """Number of agents of each role, ``mechanism`` or ``participant``, in a fixed order.

        The names are fixed: policies are registered and given by them.
        """

    @property
    @abstractmethod
    def max_steps(self) -> int:
        """Number of steps (phases) of the longest possible game."""

    @abstractmethod
    def phase(self, state: StateT) -> str:
        """Return the role that acts now."""

    def acts(self, state: StateT, role: str) -> Array:
        """Flag the agents of the phase's role that act, bool (B, n_role); actions of the others are ignored.

        Asked of games that declare ``seats_take_turns``; elsewhere all act.
        """
        raise NotImplementedError(f"{self.name} does not say which agents act")

    @property
    def base_game(self) -> Game[Any]:
        """The game that policies are made for: this one, unless it is a game about another."""
        return self

    def base_game_of(self, role: str) -> Game[Any]:
        """Return the game that policies of a role are made for, where that depends on the role."""
        return self.base_game

    def policy_for_role(self, role: str, make: Callable[[Game[Any]], Policy]) -> Policy:
        """Build the policy for all seats of a role with ``make(base_game_of(role))``."""
        return make(self.base_game_of(role))

    def check_role(self, role: str) -> None:
        """Raise ParameterError if there is no such role."""
        if not isinstance(role, str) or role not in self.roles:
            raise ParameterError(f"unknown role {brief(role)} of {self.name}: {allowed(str(role), self.roles)}")

    def check_size(self) -> None:
        """Raise ParameterError if views of the game could not be made: too many agents, or spaces that are too large.

        Everything is reckoned before memory is taken for it.
        """
        for role, count in self.roles.items():
            integer(f"the number of {role}s", count, 1, LARGEST_SEATS)
        for role in self.roles:
            self.observation_space(role)

    def agents_of(self, role: str) -> tuple[str, ...]:
        """Return the agent ids of a role: ``mechanism`` where there is one, else ``participant_0`` and so on."""
        self.check_role(role)
        count = self.roles[role]
        if role == "mechanism" and count == 1:
            return (role,)
        return tuple(f"{role}_{seat}" for seat in range(count))

    # -- observations and actions -------------------------------------------------------------------------------

    @abstractmethod
    def observation_layout(self, role: str) -> Layout:
        """Return the named fields of an observation, with units and bounds."""

    @abstractmethod
    def action_layout(self, role: str) -> Layout | int:
        """Return the named fields of a Box action, or the number of choices of a Discrete one."""

    @abstractmethod
    def observe(self, state: StateT, role: str) -> Array:
        """Compute the observations of a role, (B, n_role, d), in the order of the layout."""

    def legal_actions(self, state: StateT, role: str) -> Array | None:
        """Return a mask (B, n_role, n_actions), True where legal, or None where everything is legal."""
        return None

    @cached_property
    def _spaces(self) -> dict[str, tuple[gymnasium.Space[Any], gymnasium.Space[Any], tuple[np.ndarray, np.ndarray]]]:
        """Observation and action space of each role, and the bounds of the action where it is a Box."""
        spaces: dict[str, tuple[gymnasium.Space[Any], gymnasium.Space[Any], tuple[np.ndarray, np.ndarray]]] = {}
        for role in self.roles:
            layout = self.action_layout(role)
            if isinstance(layout, int) and layout > LARGEST_CHOICE:
                raise ParameterError(f"{role}s would have {layout:,} choices, allowed: up to {LARGEST_CHOICE:,}")
            seen = box(self.observation_layout(role))
            if isinstance(layout, int):
                spaces[role] = (seen, gymnasium.spaces.Discrete(layout), (np.zeros(0), np.zeros(0)))
            else:
                action, (low, high) = box(layout), bounds(layout)
                spaces[role] = (seen, action, (np.minimum(low, action.low), np.maximum(high, action.high)))
        return spaces

    def observation_space(self, role: str) -> gymnasium.Space[Any]:
        """Return the space of one agent's observation."""
        self.check_role(role)
        return self._spaces[role][0]

    def action_space(self, role: str) -> gymnasium.Space[Any]:
        """Return the space of one agent's action."""
        spaces = self._spaces
        if role not in spaces:
            self.check_role(role)
        return spaces[role][1]

    def action_bounds(self, role: str) -> tuple[np.ndarray, np.ndarray]:
        """Return the least and the largest Box action of a role, (k,) each in float64.

        Where float32 rounds a declared bound, the wider of the two values is meant.
        """
        spaces = self._spaces
        if not isinstance(role, str) or role not in spaces:
            self.check_role(role)
        return spaces[role][2]

    @property
    def recorded(self) -> Recorded | None:
        """Fields of participants' observations that their behaviour is recorded by; None where it is not recorded."""
        return None

    # -- the dynamics -------------------------------------------------------------------------------------------

    def draw_initial(self, batch: int, rng: Rng) -> Draws:
        """Return the random numbers that an initial state needs."""
        return {}

    @abstractmethod
    def initial_state(self, batch: int, rng: Rng) -> StateT:
        """Return the state of ``batch`` new games on the backend and device of ``rng``."""

    def initial_states_by_condition(self, batch: int, rng: Rng) -> Mapping[str, StateT]:
        """Return ``batch`` new games of each condition by its name; of ``all`` where there is one."""
        return {"all": self.initial_state(batch, rng)}

    def draw(self, batch: int, rng: Rng) -> Draws:
        """Return the random numbers of one step."""
        return {}

    def outcome(self, state: StateT, actions: Array) -> Array:
        """Convert actions (B, n_role[, k]) of the acting role to their outcome.

        An action inside its space but illegal is played as the nearest legal one. By default the outcome is the
        action itself; where the mechanism sends logits, it is the weights they stand for. A mechanism that is
        folded into a game may give its outcome directly, exact zeros included.
        """
        return actions

    def outcome_error(self, state: StateT, outcome: np.ndarray) -> str | None:
        """Describe the fault of an outcome made by a supplied policy; None if it is valid.

        Asked at its first play, of finite numbers in the shape that :meth:`outcome` returns. A game whose outcomes
        are bound by more (weights that sum to one, say) says so here.
        """
        return None

    @abstractmethod
    def advance(self, state: StateT, outcome: Array, draws: Draws) -> tuple[StateT, Rewards, Array, Array]:
        """Apply the acting role's outcome; see :meth:`step` for what is returned."""

    def step(self, state: StateT, actions: Array, draws: Draws) -> tuple[StateT, Rewards, Array, Array]:
        """Play one phase.

        Args:
            state: the state of B games.
            actions: actions of the role that acts now, (B, n_role) for Discrete, (B, n_role, k) for Box.
            draws: what :meth:`draw` returned.

        Returns:
            The new state, the rewards of every role (B, n_role), and the flags terminated and truncated (B,).
        """
        return self.advance(state, self.outcome(state, actions), draws)

    def deficit(self, state: StateT) -> Array:
        """Compute the mechanism's budget deficit in the round just paid, (B,).

        Asked right after a step that paid the participants. A game that declares ``budget_balanced`` says here by how
        much it is not, up to rounding.
        """
        raise NotImplementedError(f"{self.name} does not say how its mechanism's budget comes out")

    def infos(self, state: StateT) -> Mapping[str, Array]:
        """Return the entries of infos by name, (B, ...); the same for every agent."""
        return {}

    # -- objectives --------------------------------------------------------------------------------------------

    def check_objective(self) -> None:
        """Raise UnknownNameError unless ``objective`` is one of the game's own or of the entry-point group."""
        check_objective(getattr(self, "objective", None), self.objectives)

    def measure(self, state: StateT) -> Array:
        """Compute the objective of the round that has just been paid, in the objective's own units, (B,)."""
        return self._measure(state)

    def own_measure(self, state: StateT) -> Array:
        """Compute the objective of the game's own that ``objective`` names, (B,)."""
        raise NotImplementedError(f"{self.name} has no objectives of its own")

    def measures(self) -> dict[str, Callable[[StateT], Array]]:
        """Return the measures of a round by name: functions of the state after it, (B,).

        By default every objective of the entry-point group that fits, and the Gini coefficient.
        """
        return computable(self.initial_state(1, np.random.default_rng(0))) | {"gini": gini}

    @cached_property
    def _measure(self) -> Callable[[StateT], Array]:
        name = getattr(self, "objective", None)
        return self.own_measure if name in self.objectives else registered(str(name))

    # -- for people ---------------------------------------------------------------------------------------------

    @abstractmethod
    def picture(self, state: StateT, index: int) -> dict[str, np.ndarray]:
        """Return the numbers to display for one game, by name: one, (1,), or one per participant, (n,)."""

    def drawing(self, state: StateT, index: int) -> Drawing | None:
        """Return a drawing of one game's world (a board, a network), or None."""
        return None

    def wording(self, language: str = "en") -> Wording:
        """Return the words of the game for people who play it on a screen; by default made of docstring and layouts.

        Raises:
            ParameterError: if it does not speak the language.
        """
        choice("language", language, self.languages)
        return default_wording(self)

    # -- exact solutions ---------------------------------------------------------------------------------------

    def exact_scores(
        self, mechanism: Policy, *, inverse_temperature: float, anchor: Policy | None = None
    ) -> dict[str, Any] | NoSolution:
        """Compute the scores of a memoryless mechanism in the participants' logit equilibrium.

        Args:
            mechanism: a policy for the mechanism that remembers nothing and draws nothing at random.
            inverse_temperature: the participants' inverse temperature per point of payoff; ``inf``: rational.
            anchor: the participants' prior policy; None for uniform over the legal actions.

        Returns:
            Expected values a round, by name: every registered objective that applies, ``gini`` and whatever the
            game adds (see there), averaged over conditions, and ``by_condition``; :class:`NoSolution` where no exact
            solver applies to the game or the mechanism.
        """
        check_policy(self, "mechanism", mechanism)
        return NoSolution(f"{self.name} has no exact solver")

    @property
    def rule_names(self) -> tuple[str, ...]:
        """Names of the announced numbers, in the order of the mechanism's action."""
        layout = self.action_layout("mechanism")
        return () if isinstance(layout, int) else component_names(layout)

    @property
    def rule_formula(self) -> str | None:
        """Formula of the announced rule on one line; None where the mechanism announces none."""
        return None

    def ceiling(self) -> float | None:
        """Return the best value of the objective that any mechanism can reach with rational participants, if known.

        It is no bound for participants with an anchor, who may be used to doing more than pays.
        """
        return None

    def ceiling_scores(self) -> list[dict[str, float]]:
        """Return the measures of an outcome that attains the ceiling, for each condition; empty where not known."""
        return []

    def known_solutions(self) -> tuple[KnownSolution, ...]:
        """List the exactly known solutions of the game with these parameters."""
        return ()

    def unknown_solutions(self) -> Mapping[str, NoSolution]:
        """List the solutions that such games have, but not with these parameters, each with the reason."""
        return {}
