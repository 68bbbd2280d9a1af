"""Congestion games whose mechanism announces payments or charges for the use of resources.

Each participant belongs to a group by its seat and chooses one of its group's options, once. It is paid what a
:class:`~lawgiver.envs.solvers.congestion.anonymous.CongestionGame` says, less or more what the mechanism announced for
the resources that its option uses. The mechanism is paid welfare, the sum of that without transfers.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from lawgiver.envs.core.arrays import Array, constant, namespace
from lawgiver.envs.core.errors import UnsupportedGameError
from lawgiver.envs.core.fields import Field, Layout
from lawgiver.envs.core.game import KnownSolution
from lawgiver.envs.families.congestion_subgame import CongestionSubgame
from lawgiver.envs.families.mechanism_game import MechanismGame, MechanismState
from lawgiver.envs.solvers.congestion.anonymous import CongestionGame, payoffs_of, transfers_of
from lawgiver.envs.solvers.congestion.mixing import best_mixture, best_mixture_regret
from lawgiver.envs.solvers.congestion.pure_congestion import pure_optimum


@dataclass(frozen=True)
class CongestionMechanism(MechanismGame):
    """See the module's docstring. A type is the number of the participant's group."""

    # -- functions of a game ------------------------------------------------------------------------------------

    @cached_property
    @abstractmethod
    def congestion(self) -> CongestionGame:
        """The groups, options and payoffs of the n agents; a group's legal options come first."""

    @cached_property
    @abstractmethod
    def payments(self) -> np.ndarray:
        """Payment to each user of each resource per unit of each parameter, (D, R)."""

    @property
    @abstractmethod
    def group_meaning(self) -> str:
        """Description of a group."""

    @abstractmethod
    def behaviour(self, shares: np.ndarray) -> dict[str, float]:
        """Summarise the shares of all agents by group and option, (G, O), by name."""

    @abstractmethod
    def mass_optimum(self) -> float:
        """Return the least total cost of the mass of 1."""

    # -- rules --------------------------------------------------------------------------------------------------

    @property
    def type_size(self) -> int:
        """The number of the group."""
        return 1

    def type_layout(self) -> Layout:
        """Return the field of the group, where there are several."""
        n_groups = len(self.congestion.counts)
        return (Field("group", n_groups, 0, 1, "flag", self.group_meaning),) if n_groups > 1 else ()

    def initial_types(self, draws: Array) -> Array:
        """Return the groups (B, n, 1): by seat, nothing is left to chance."""
        return constant(self.congestion.groups[:, None], draws) + 0 * draws

    def see_types(self, state: MechanismState) -> Array:
        """Return the group one-hot, nothing where there is one only."""
        n_groups = len(self.congestion.counts)
        if n_groups == 1:
            return state.types[..., :0]
        xp = namespace(state.types)
        return xp.astype(state.types == constant(np.arange(n_groups), state.types), state.types.dtype)

    def announcement_layout(self) -> int:
        """Participants choose an option."""
        return int(self.congestion.legal.shape[1])

    def legal_actions(self, state: MechanismState, role: str) -> Array | None:
        """Mask the options of each participant's group; None where all groups have the same number."""
        self.check_role(role)
        legal = self.congestion.legal
        if role == "mechanism" or legal.all():
            return None
        xp = namespace(state.types)
        options = constant(np.arange(legal.shape[1]), state.types)
        return options < constant(self._n_options[:, None], state.types) + xp.zeros_like(state.types)

    @cached_property
    def _n_options(self) -> np.ndarray:
        """Number of legal options of each participant, (n,)."""
        return np.asarray(self.congestion.legal.sum(1)[self.congestion.groups])

    def announcements(self, actions: Array) -> Array:
        """Return options (B, n), capped at the group's last one."""
        return namespace(actions).minimum(actions, constant(self._n_options - 1, actions))

    def allocate(self, types: Array, announcements: Array, parameters: Array) -> Array:
        """Return the chosen options, (B, n, 1)."""
        return announcements[..., None]

    def resource_transfers(self, parameters: Array) -> Array:
        """Compute the transfer to each user of each resource under w (..., D), (..., R)."""
        return parameters @ constant(self.payments, parameters)

    def transfer(self, types: Array, allocations: Array, parameters: Array) -> Array:
        """Return the transfers for the resources that each participant uses."""
        return transfers_of(self.congestion, _options(allocations), self.resource_transfers(parameters))

    def utility(self, types: Array, allocations: Array) -> Array:
        """Compute each participant's utility without transfers, (B, n)."""
        free = constant(np.zeros(self.congestion.uses.shape[-1]), allocations)
        return payoffs_of(self.congestion, _options(allocations), free)

    # -- exact solutions --------------------------------------------------------------------------------------

    @cached_property
    def subgame(self) -> CongestionSubgame:
        """The agents' subgame in tables, exact for any number of them."""
        return CongestionSubgame(self)

    def optimum(self) -> float:
        """Return the largest welfare of participants who all play the same policy independently.

        Exact for one group, where all choose with the same probabilities if they play the same policy. Policies that
        differ by seat may exceed it, up to :meth:`first_best`, which is the answer for several groups: nobody exceeds
        it, and nothing says that it is reached.
        """
        return self._optimum

    @cached_property
    def _optimum(self) -> float:
        return best_mixture(self.congestion).welfare if len(self.congestion.counts) == 1 else self.first_best()

    def first_best(self) -> float:
        """Compute the planner's welfare: by enumeration of profiles, else that of a mass of 1, an upper bound."""
        return self._first_best

    def known_solutions(self) -> tuple[KnownSolution, ...]:
        """The optimum of one group, by its first-order condition: another option would not add more."""
        if len(self.congestion.counts) > 1:
            return ()
        return (
            KnownSolution(
                name="most welfare of n agents who play the same policy",
                source="the equilibrium of agents who are each paid what their presence adds",
                value=self.optimum,
                residual=lambda: best_mixture_regret(self.congestion),
            ),
        )

    @cached_property
    def _first_best(self) -> float:
        try:
            return pure_optimum(self.congestion).welfare
        except UnsupportedGameError:
            return -self.n * self.mass_optimum()


def _options(allocations: Array) -> Array:
    xp = namespace(allocations)
    return xp.astype(allocations[..., 0], xp.int64)
