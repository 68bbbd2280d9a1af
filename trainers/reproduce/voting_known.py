"""Known results on voting rules, before any training: how often each can be manipulated, exactly, and impossibility."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from fractions import Fraction

from lawgiver.envs.solvers.social_choice.enumeration import manipulability
from lawgiver.envs.solvers.social_choice.impossibility import number_of_truthful_functions, truthful_functions
from lawgiver.trainers.reproduce.table import Cell, Row

MANIPULABLE: Mapping[tuple[int, int], Mapping[str, int]] = {
    (3, 3): {
        "plurality": 36,
        "anti_plurality": 57,
        "borda": 51,
        **dict.fromkeys(("irv", "plurality_runoff", "copeland", "minimax", "kemeny", "black", "schulze"), 24),
    },
    (3, 4): {"plurality": 240, "borda": 402, "irv": 120, "copeland": 384, "minimax": 186},
    (3, 5): {
        "plurality": 1800,
        "anti_plurality": 2223,
        "borda": 2220,
        **dict.fromkeys(("irv", "plurality_runoff"), 720),
        **dict.fromkeys(("copeland", "minimax", "kemeny", "schulze"), 1080),
        "black": 1320,
    },
    (3, 7): {"plurality": 72240, "borda": 75670, "irv": 31290, "copeland": 40600, "minimax": 40180},
    (4, 3): {"plurality": 4068, "borda": 7080, "irv": 2880, "copeland": 3144, "minimax": 3288},
}
"""Profiles in which somebody gains, ties to the first: counted before, by another program, for alternatives, voters."""
TRUTHFUL = {(2, 3): 17, (3, 3): 60, (2, 4): 38}
"""Truthful choice functions, counted before likewise, for voters, alternatives."""


def manipulable_rows() -> Iterator[dict[str, Cell]]:
    """Tabulate how far each rule can be manipulated, all exact, ties to the first."""
    for (m, n), rules in MANIPULABLE.items():
        total = math.factorial(m) ** n
        for name, counted in rules.items():
            found = manipulability(name, n, m, ties="first")
            yield {
                "alternatives, voters, rule": f"{m}, {n}, {name.replace('_', ' ')}",
                "profiles in which somebody gains": f"{found.nitzan_kelly * total} of {total:,}",
                "share": float(found.nitzan_kelly),
                "as counted before": "yes" if found.nitzan_kelly == Fraction(counted, total) else f"no, {counted}",
                "voters who gain": float(found.voters),
                "mean gain": float(found.gain),
                "Condorcet winner exists": str(found.condorcet_winner),
                "and is elected": float(found.condorcet_efficiency),
            }


def truthful_rows() -> Iterator[Row]:
    """Count the truthful choice functions by search, beside the closed form, and the dictators among those onto."""
    for (n, m), counted in TRUTHFUL.items():
        found = truthful_functions(n, m)
        onto = sum(len(set(each.ravel().tolist())) == m for each in found)
        size = f"{n} voters, {m} alternatives"
        closed = number_of_truthful_functions(n, m)
        yield Row(f"{size}: truthful functions", float(len(found)), closed, paper=f"{counted} (counted before)")
        yield Row(f"{size}: of these, onto all alternatives", float(onto), n, paper="dictators alone (Gibbard 1973)")
