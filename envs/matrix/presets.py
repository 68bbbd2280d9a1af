"""Textbook games of two: payoffs (2, A_0, A_1) of participant 0, who chooses the row, and of participant 1."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

PRESETS: Mapping[str, Mapping[str, Any]] = {
    "prisoners_dilemma": {
        "payoffs": (((3.0, 0.0), (5.0, 1.0)), ((3.0, 5.0), (0.0, 1.0))),
        "names": ("cooperate", "defect"),
    },
    "chicken": {
        "payoffs": (((6.0, 2.0), (7.0, 0.0)), ((6.0, 7.0), (2.0, 0.0))),
        "names": ("swerve", "straight"),
    },
    "matching_pennies": {
        "payoffs": (((1.0, -1.0), (-1.0, 1.0)), ((-1.0, 1.0), (1.0, -1.0))),
        "names": ("heads", "tails"),
    },
    "rock_paper_scissors": {
        "payoffs": (
            ((0.0, -1.0, 1.0), (1.0, 0.0, -1.0), (-1.0, 1.0, 0.0)),
            ((0.0, 1.0, -1.0), (-1.0, 0.0, 1.0), (1.0, -1.0, 0.0)),
        ),
        "names": ("rock", "paper", "scissors"),
    },
    "shapley": {
        "payoffs": (
            ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)),
            ((0.0, 1.0, 0.0), (0.0, 0.0, 1.0), (1.0, 0.0, 0.0)),
        ),
        "names": ("first", "second", "third"),
    },
    "stag_hunt": {
        "payoffs": (((4.0, 0.0), (3.0, 3.0)), ((4.0, 3.0), (0.0, 3.0))),
        "names": ("stag", "hare"),
    },
    "coordination": {
        "payoffs": (((2.0, 0.0), (0.0, 1.0)), ((2.0, 0.0), (0.0, 1.0))),
        "names": ("better", "worse"),
    },
}
"""The prisoner's dilemma with the payoffs of Axelrod 1984; chicken with those of Aumann 1974; and the game of Shapley
1964, in which fictitious play does not converge."""
