"""PrefLib's files of weighted edges, ``.wmd``, such as who can give a kidney to whom.

After a header of ``# KEY: value`` lines, each line is ``from,to,weight``: two alternatives by their numbers from 1, and
what the edge between them is worth. Edges have a direction, and each stands once.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from pathlib import Path

import numpy as np

from lawgiver.envs.core.errors import ParameterError, brief
from lawgiver.envs.files.preflib import WHOLE, check_count, headed
from lawgiver.envs.files.reading import read_users_text
from lawgiver.envs.files.votes import check_cells, refuse


@dataclass(frozen=True)
class Edges:
    """A directed graph with weights.

    Attributes:
        file: its path.
        nodes: names of the N nodes.
        ends: from and to of each edge, whole numbers (E, 2) from 0.
        weights: of the edges, (E,).
        lines: the line of the file that each edge stands in, (E,), from 1.
    """

    file: str
    nodes: tuple[str, ...]
    ends: np.ndarray
    weights: np.ndarray
    lines: np.ndarray

    def matrix(self, missing: float = 0.0) -> np.ndarray:
        """Return the weights (N, N) from row to column, ``missing`` where there is no edge.

        Raises:
            ParameterError: for more cells than fit into memory.
        """
        check_cells(self.file, len(self.nodes), len(self.nodes))
        found = np.full((len(self.nodes), len(self.nodes)), missing)
        found[self.ends[:, 0], self.ends[:, 1]] = self.weights
        return found


def read_edges(path: str | Path) -> Edges:
    """Read the edges of a ``.wmd`` file.

    Raises:
        ParameterError: one line that names the file, the line at fault, and what is allowed there.
    """
    file = str(path)
    if Path(file).suffix.lower() != ".wmd":
        raise ParameterError(f"{file!r} ends in {Path(file).suffix!r}, allowed: .wmd")
    text = read_users_text(file)
    header, nodes, rows = headed(file, text, "wmd")
    seen: dict[tuple[int, int], int] = {}
    weights: list[float] = []
    for line, row in rows:
        ends, weight = _edge(file, line, row, len(nodes))
        before = seen.setdefault(ends, line)
        if before != line:
            refuse(file, line, f"is the same edge as line {before}, allowed: each once")
        weights.append(weight)
    check_count(header, len(weights), "edges", "NUMBER EDGES")
    ends_ = np.array(list(seen), np.int64).reshape(-1, 2)
    return Edges(file, nodes, ends_, np.array(weights, float), np.array([line for line, _ in rows], np.int64))


def _edge(file: str, line: int, row: str, count: int) -> tuple[tuple[int, int], float]:
    """Parse ``from,to,weight`` into the two ends, from 0, and the weight."""
    if row.startswith("#"):
        refuse(file, line, "is a line of the header below the first edge, allowed: above")
    cells = [cell.strip() for cell in row.split(",")]
    if len(cells) != 3:
        refuse(file, line, f"is {brief(row)}, allowed: 'from,to,weight'")
    for cell in cells[:2]:
        if not WHOLE.fullmatch(cell) or not 1 <= int(cell) <= count:
            refuse(file, line, f"has the end {brief(cell)}, allowed: the number of an alternative, 1 to {count}")
    try:
        weight = float(cells[2])
    except ValueError:
        weight = float("nan")
    if not isfinite(weight):
        refuse(file, line, f"has the weight {brief(cells[2])}, allowed: a finite number")
    return (int(cells[0]) - 1, int(cells[1]) - 1), weight
