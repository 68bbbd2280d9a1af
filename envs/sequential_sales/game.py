"""Sequential sales: identical items, one a round, to bidders who want one.

In each of m rounds the mechanism sells an item to one of n bidders or to nobody. A state is the whole history of who
got what, an action the next buyer; bidder i makes v_i of its first item and nothing of others, which it can be sold all
the same. To maximise welfare is to give the items to the highest bidders, and earns nothing where items are no fewer
than bidders; boosts that keep items back act as reserve prices. The optimum is known: values are single numbers, so
that Myerson's revenue, E[sum of the m highest positive virtual values], is an upper limit, which the affine maximiser
with w = 1 and a boost of -high_i / 2 for every sale to i attains where all v_i are uniform on [0, high_i].
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import comb
from typing import Any, ClassVar, Literal

import numpy as np

from lawgiver.envs.core.arrays import Array, constant
from lawgiver.envs.core.errors import NoSolution, ParameterError, integer
from lawgiver.envs.core.fields import Field, Layout
from lawgiver.envs.core.game import KnownSolution
from lawgiver.envs.families.ends import Ends
from lawgiver.envs.families.mdp_game import MDPGame
from lawgiver.envs.solvers.auctions.myerson import highest_values, myerson_revenue
from lawgiver.envs.solvers.mdp.tree import Tree


def uniform_revenue(n: int, m: int) -> float:
    """Return Myerson's revenue of m items and n bidders whose values are uniform on [0, 1].

    The k-th highest value earns its virtual value where that is positive: E[(2 v_k - 1)^+] is twice the integral of
    P(v_k > x) over [1/2, 1]. It exceeds x where at least k values do, and the integral of P(j of n exceed x) over
    [1/2, 1] is P(Bin(n + 1, 1/2) > j) / (n + 1).
    """
    above = [sum(comb(n + 1, more) for more in range(j + 1, n + 2)) / 2.0 ** (n + 1) for j in range(n + 1)]
    return 2.0 * sum(above[j] for k in range(1, min(n, m) + 1) for j in range(k, n + 1)) / (n + 1)


@dataclass(frozen=True)
class SequentialSales(MDPGame):
    """A seller of m items, one a round, and n bidders with unit demand.

    Args:
        n: number of bidders, >= 1.
        m: number of items, >= 1; there are (n + 1)^m histories.
        types: ``uniform``, or ``piecewise``: the density is constant on each of several pieces of equal width.
        low: least value of an item to a bidder, >= 0: one for all, one a bidder, or a rule by its number i = 1, ..., n.
        high: the greatest, likewise; ``1/i`` is what the published code draws for the asymmetric sales, of which the
            paper says ``i``.
        masses: relative probabilities of the pieces, where types are ``piecewise``.
        objective: ``revenue``, ``welfare`` or a registered objective.
        mechanism_mode: ``announce`` or ``allocate``.
        types_file: an .npz file with the array ``values``, (N, n, 1), or a CSV table (see
            :mod:`lawgiver.envs.files.profiles`), from which whole profiles are drawn instead, within the
            bounds of reports; None to draw by distribution.

    Raises:
        ParameterError: if a parameter is outside its range, or there are too many histories.
    """

    n: int = 3
    m: int = 2
    types: Literal["uniform", "piecewise"] = "uniform"
    low: Ends = 0.0
    high: Ends = 1.0
    masses: Sequence[float] | None = None
    objective: str = "revenue"
    mechanism_mode: Literal["announce", "allocate"] = "announce"
    types_file: str | None = None

    name: ClassVar[str] = "sequential_sales-v0"
    payoff_unit: ClassVar[str] = "money"
    summary: ClassVar[str] = "sells items one after the other to bidders"
    reference: ClassVar[str] = (
        "Curry, Thoma et al. 2024, Automated Design of Affine Maximizer Mechanisms in Dynamic Settings, section 5"
    )
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "symmetric": {},
        "asymmetric": {"high": "1/i"},
        "asymmetric_as_printed": {"high": "i"},
    }
    variants: ClassVar[Mapping[str, Mapping[str, Any]]] = {"allocate": {"mechanism_mode": "allocate"}}

    def __post_init__(self) -> None:
        """Check every parameter."""
        self.check_types()
        object.__setattr__(self, "m", integer("m", self.m, 1))
        if self.type_range[0] < 0:
            raise ParameterError(f"low is {self.low!r}, allowed: values of at least 0, which bidders would pay for")
        self.check_tree(self.m, self.n + 1)
        self.check_types_file()

    @cached_property
    def mdp(self) -> Tree:
        """All histories of m rounds; action i is to sell to bidder i, action n to sell to nobody."""
        return Tree(self.m, self.n + 1)

    @cached_property
    def _first(self) -> np.ndarray:
        """Whether a sale is the bidder's first, (n, S, A)."""
        first = np.zeros((self.n, self.mdp.n_states, self.n + 1))
        served, start = np.zeros((1, self.n), bool), 0
        for _ in range(self.m):
            for i in range(self.n):
                first[i, start : start + len(served), i] = ~served[:, i]
            start += len(served)
            served = (served[:, None, :] | np.eye(self.n + 1, self.n, dtype=bool)).reshape(-1, self.n)
        return first

    def type_layout(self) -> Layout:
        """Describe a type: the value of an item."""
        return (Field("value", 1, 0, self.type_range[1], "money", "what one item is worth to the bidder"),)

    def rewards(self, types: Array) -> Array:
        """Return the value where a sale is the bidder's first, (B, n, S, A)."""
        return types[..., None] * constant(self._first, types)

    @property
    def boost_bound(self) -> float:
        """n times the greatest value, as the published code searches."""
        return self.n * self.type_range[1]

    @cached_property
    def _limit(self) -> float | None:
        if self.profiles is not None:
            highest = -np.sort(-self.profiles[..., 0], axis=-1)[:, : self.m]
            return float(highest.sum(-1).mean()) if self.objective == "welfare" else None
        return (myerson_revenue if self.objective == "revenue" else highest_values)(self.distributions, self.m)

    def limit(self) -> float | None:
        """Return Myerson's revenue, or the expected sum of the m highest values, the welfare of VCG.

        Of types in a file, which may depend on each other, the greatest revenue is not known.
        """
        return self._limit

    @property
    def members(self) -> Mapping[str, tuple[float, ...]]:
        """VCG; and the reserve prices that attain Myerson's revenue where values are uniform from 0."""
        known = super().members
        if (
            not self.announces
            or self.types != "uniform"
            or self.profiles is not None
            or any(each.low for each in self.distributions)
        ):
            return known
        reserve = -np.array([*(each.high / 2 for each in self.distributions), 0.0])
        return {**known, "reserve_prices": (*(0.0,) * self.n, *np.tile(reserve, self.mdp.n_states).tolist())}

    def known_solutions(self) -> tuple[KnownSolution, ...]:
        """Myerson's revenue, in closed form where values are alike and uniform from 0."""
        limit = self._limit
        if not self._in_closed_form or limit is None:
            return ()
        return (
            KnownSolution(
                name="Myerson's revenue: the highest bidders pay the highest losing bid, but at least half of high",
                source="Myerson 1981, by order statistics; residual is how far the integral over virtual values is off",
                value=lambda: limit,
                residual=lambda: abs(limit - self.type_range[1] * uniform_revenue(self.n, self.m)),
            ),
        )

    @property
    def _in_closed_form(self) -> bool:
        alike = len(set(self.distributions)) == 1 and self.types == "uniform" and not self.type_range[0]
        return alike and self.objective == "revenue" and self.profiles is None

    def unknown_solutions(self) -> Mapping[str, NoSolution]:
        """List Myerson's revenue, where it is in no closed form."""
        if self._in_closed_form:
            return {}
        return {
            "Myerson's revenue": NoSolution(
                "it is in closed form with objective='revenue', types='uniform', low=0 and one high for all bidders"
            )
        }
