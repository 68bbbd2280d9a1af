"""Supply and demand: agents spread over zones to serve demand, and a mechanism adds bonuses.

Zone k has a demand of D_k. If n_k agents go there, each serves a share min(1, D_k / n_k); one from home zone j also
spends travel_jk on the way. Shares add up to min(n_k, D_k), so that welfare, the sum of utilities, is the demand that
is matched less what travelling costs. Who enters a crowded zone takes its share from those who are there already; left
to themselves, too many crowd near zones, and demand farther away goes unserved.

The mechanism pays theta_k to everybody who goes to zone k. Welfare does not count what it hands out. That is never more
than n times ``box``: a budget B that has to hold whatever happens is a box of B / n, and what is paid in expectation
stands in the incentive report.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from lawgiver.envs.core.errors import ParameterError, brief, distribution, integer, number
from lawgiver.envs.core.fields import Field, Layout
from lawgiver.envs.core.game import KnownSolution
from lawgiver.envs.families.congestion_game import CongestionMechanism
from lawgiver.envs.solvers.congestion.anonymous import LARGEST_N, CongestionGame, whole_counts
from lawgiver.envs.solvers.congestion.sharing import ShareCosts, share_table
from lawgiver.envs.solvers.congestion.wardrop import NonatomicGame
from lawgiver.envs.supply_demand import solutions


@dataclass(frozen=True)
class SupplyDemand(CongestionMechanism):
    """Agents who crowd near zones and leave demand elsewhere unserved.

    The mechanism announces a bonus for each zone, a charge if below 0; each participant then sees its home zone (where
    there are several) and the bonuses, and chooses a zone, counted from 0.

    Args:
        n: number of agents, >= 2.
        demand: D_k of each zone, in agents, > 0; two zones at least.
        homes: share of all agents that lives in each zone, >= 0, sum 1; each a whole number of agents.
        travel: cost of the way from each home zone (row) to each zone, >= 0, in the unit of an agent's full work.
        box: largest absolute value of a bonus, > 0.
        objective: the mechanism's reward of a round: ``welfare``, the sum of utilities, or a registered objective.

    Raises:
        ParameterError: if a parameter is outside its range, or shapes do not fit.
    """

    n: int = 20
    demand: tuple[float, ...] = (6.0, 8.0, 6.0)
    homes: tuple[float, ...] = (1.0, 0.0, 0.0)
    travel: tuple[tuple[float, ...], ...] = ((0.0, 0.6, 0.6), (0.6, 0.0, 0.6), (0.6, 0.6, 0.0))
    box: float = 1.0

    name: ClassVar[str] = "supply_demand-v0"
    summary: ClassVar[str] = "adds bonuses so that demand is served everywhere"
    reference: ClassVar[str] = "Mguni et al., Coordinating the Crowd (AAMAS 2019)"
    variants: ClassVar[Mapping[str, Mapping[str, Any]]] = {"Agents from two zones": {"homes": (0.8, 0.2, 0.0)}}

    def __post_init__(self) -> None:
        """Check every parameter."""
        demand = _numbers("demand", self.demand, "(0, inf)")
        size = len(demand)
        if size < 2:
            raise ParameterError(f"demand is {self.demand!r}, allowed: two zones at least")
        rows = self.travel if isinstance(self.travel, (list, tuple, np.ndarray)) else ()
        if len(rows) != size:
            raise ParameterError(f"travel is {self.travel!r}, allowed: {size} rows, one a home zone, of {size} costs")
        homes = distribution("homes", self.homes, size, "a zone")
        settings = {
            "n": integer("n", self.n, 2, LARGEST_N),
            "demand": demand,
            "homes": homes,
            "travel": tuple(_numbers(f"travel[{j}]", row, "[0, inf)", size) for j, row in enumerate(rows)),
            "box": number("box", self.box, "(0, inf)"),
        }
        for name, value in settings.items():
            object.__setattr__(self, name, value)
        self.check_objective()
        self._counts()

    def _counts(self) -> tuple[int, ...]:
        return whole_counts(self.n, {f"homes[{zone}]": self.homes[zone] for zone in self.inhabited})

    @property
    def inhabited(self) -> tuple[int, ...]:
        """The zones in which agents live, the groups, (G,)."""
        return tuple(zone for zone, share in enumerate(self.homes) if share > 0)

    # -- who lives where, and what is announced -------------------------------------------------------------------

    @cached_property
    def congestion(self) -> CongestionGame:
        """The game of n agents in their home zones."""
        size, groups = len(self.demand), list(self.inhabited)
        uses = np.tile(np.eye(size), (len(groups), 1, 1))
        legal = np.ones((len(groups), size), bool)
        table = share_table(np.array(self.demand), self.n)
        return CongestionGame(self._counts(), uses, legal, table, -np.array(self.travel)[groups])

    @cached_property
    def mass(self) -> NonatomicGame:
        """The game of a mass of 1 in the place of the agents, and demand in proportion."""
        game = self.congestion
        costs = ShareCosts(np.array(self.demand) / self.n)
        return NonatomicGame(np.array(game.counts) / self.n, game.uses, game.legal, costs, -game.constants)

    @cached_property
    def payments(self) -> np.ndarray:
        """A bonus is paid for its own zone, (K, K)."""
        return np.eye(len(self.demand))

    @property
    def group_meaning(self) -> str:
        """Home zone."""
        return f"1 at the participant's home zone: {', '.join(f'zone {zone}' for zone in self.inhabited)}"

    @property
    def rule_names(self) -> tuple[str, ...]:
        """A bonus by zone."""
        return tuple(f"bonus_{zone}" for zone in range(len(self.demand)))

    @property
    def rule_formula(self) -> str | None:
        """Formula of the bonuses."""
        return "whoever goes to a zone is paid its bonus, and charged where it is below 0"

    def parameter_layout(self) -> Layout:
        """Return the bonuses."""
        return (Field("bonuses", len(self.demand), -self.box, self.box, "utility", "for going to each zone"),)

    @property
    def welfare_bounds(self) -> tuple[float, float]:
        """Bounds: the longest travel of all without matches; all matches that n agents allow at no cost."""
        return -self.n * max(max(row) for row in self.travel), min(float(self.n), sum(self.demand))

    @property
    def welfare_scale(self) -> float:
        """Demand that could be matched if travelling cost nothing."""
        return min(float(self.n), sum(self.demand))

    def behaviour(self, shares: np.ndarray) -> dict[str, float]:
        """Return the share of all agents in each zone."""
        return {f"zone {zone}": float(x) for zone, x in enumerate(shares.sum(0))}

    # -- exact solutions --------------------------------------------------------------------------------------

    def mass_optimum(self) -> float:
        """Return minus the most demand, less the cost of travelling, that a mass of 1 can match."""
        return -solutions.best_welfare(self.mass, 1)

    def known_solutions(self) -> tuple[KnownSolution, ...]:
        """Equilibrium and optimum of a mass of 1 in the place of the agents; the best policy that all n agents play."""
        return (*solutions.known_solutions(self.mass, self.n), *super().known_solutions())


def _numbers(name: str, values: Any, interval: str, size: int | None = None) -> tuple[float, ...]:
    if (
        not isinstance(values, (list, tuple, np.ndarray))
        or not np.shape(values)
        or (size is not None and len(values) != size)
    ):
        many = "" if size is None else f"{size} "
        raise ParameterError(f"{name} is {brief(values)}, allowed: a list of {many}numbers, one a zone")
    return tuple(number(f"{name}[{i}]", value, interval) for i, value in enumerate(values))
