"""Votes out of a file of any known format: orders of alternatives with ties, and how often each was cast."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NoReturn

import numpy as np

from lawgiver.envs.core.errors import ParameterError

LARGEST_VOTES = 10**15
"""Votes in a file, all counted."""
LARGEST_CELLS = 5 * 10**7
"""Votes that differ times alternatives: what is laid out in memory."""


@dataclass(frozen=True)
class Votes:
    """N votes on m alternatives.

    Attributes:
        file: its path.
        kind: ``soc``, ``soi``, ``toc``, ``toi``, ``cat``, ``approval`` or ``ordinal``.
        alternatives: their names, m.
        levels: the level of each alternative in each vote, (N, m) int32: 0 is best, equal levels are tied, and what a
            vote does not name is tied below all that it names.
        counts: how many cast each of them, (N,) int64, > 0.
        lines: the line of the file that each of them stands in, (N,), from 1.
        named: how many alternatives each of them names, (N,); those that it does not name are at its last level.
        categories: names of the levels where all votes have the same, such as Yes and No, best first; else empty.
    """

    file: str
    kind: str
    alternatives: tuple[str, ...]
    levels: np.ndarray
    counts: np.ndarray
    lines: np.ndarray
    named: np.ndarray
    categories: tuple[str, ...] = ()

    @property
    def approvals(self) -> bool:
        """Whether every vote divides the alternatives into approved and not approved."""
        return len(self.categories) == 2

    def listed(self, accepted: int | None = None) -> np.ndarray:
        """Mark the alternatives that each vote names as acceptable, (N, m).

        Args:
            accepted: of a file with categories, how many of them, the best first, are acceptable; None for all but the
                last, or for the only one. Of a file without, None: what an order names is acceptable.

        Raises:
            ParameterError: if there are fewer categories, or none.
        """
        every = len(self.categories)
        if accepted is not None and not 1 <= accepted <= every:
            allowed = f"an integer in 1..{every}, of its categories" if every else "None, as it has no categories"
            raise ParameterError(f"accepted is {accepted}, and {self.file!r} is given, allowed: {allowed}")
        named: np.ndarray = (self.levels < self.levels.max(1, keepdims=True)) | (self.named == self.levels.shape[1])[
            :, None
        ]
        return named & (self.levels < (accepted or max(every - 1, 1))) if every else named


def refuse(file: str, line: int, said: str) -> NoReturn:
    """Raise a ParameterError that names the file and the line."""
    raise ParameterError(f"{file!r}, line {line}: {said}")


def check_cells(file: str, votes: int, alternatives: int) -> None:
    """Raise a ParameterError if the votes are too many to be laid out."""
    if votes * alternatives > LARGEST_CELLS:
        raise ParameterError(
            f"{file!r} has {votes:,} lines of votes on {alternatives:,} alternatives, allowed: {LARGEST_CELLS:,} as"
            " their product"
        )
