"""Known solutions of games in normal form."""

from __future__ import annotations

from importlib.util import find_spec

import numpy as np

from lawgiver.envs.core.game import KnownSolution
from lawgiver.envs.solvers.normal_form.correlated import Objective, correlated_equilibrium
from lawgiver.envs.solvers.normal_form.forms import NormalForm
from lawgiver.envs.solvers.normal_form.nash import ENUMERATED, equilibria, minimax

PROGRAMME = 2_000
"""Joint choices up to which correlated equilibria are listed as known."""


def known_solutions(form: NormalForm) -> tuple[KnownSolution, ...]:
    """List the known solutions of a round; those that need scipy or nashpy where these are installed."""
    known: list[KnownSolution] = []
    scale = float(form.ranges.max()) or 1.0
    if find_spec("scipy") and form.payoffs[0].size <= PROGRAMME:
        known += [_correlated(form, "welfare", "best", scale), _correlated(form, "worst_welfare", "worst", scale)]
    if find_spec("scipy") and form.zero_sum:
        known.append(
            KnownSolution(
                name="value to participant 0",
                source="linear programme of von Neumann 1928; residual is the largest regret, relative to payoffs",
                value=lambda: float(form.values(minimax(form))[0]),
                residual=lambda: float(form.regrets(minimax(form)).max()) / scale,
                tolerance=1e-6,
            )
        )
    if find_spec("nashpy") and form.n == 2 and sum(form.sizes) <= ENUMERATED:
        known.append(
            KnownSolution(
                name="number of Nash equilibria",
                source="support enumeration (nashpy); residual is the largest regret in any, relative to payoffs",
                value=lambda: float(len(equilibria(form))),
                residual=lambda: max(float(form.regrets(pair).max()) for pair in equilibria(form)) / scale,
                tolerance=1e-6,
            )
        )
    return tuple(known)


def _correlated(form: NormalForm, objective: Objective, which: str, scale: float) -> KnownSolution:
    def found() -> np.ndarray:
        return correlated_equilibrium(form, objective)

    return KnownSolution(
        name=f"sum of payoffs in the {which} correlated equilibrium",
        source="linear programme, Aumann 1974; residual is the largest gain from recommendations, relative to payoffs",
        value=lambda: float((found() * form.payoffs).sum()),
        residual=lambda: float(form.correlated_regrets(found()).max()) / scale,
        tolerance=1e-6,
    )
