"""Tables of what strategies earn against each other, in groups of games, and their files.

``table.json`` holds everything; ``table.csv`` is a line a cell, with means and standard errors. Nothing that is read
can run code.
"""

from __future__ import annotations

import csv
import io
import math
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from lawgiver.envs.core.errors import ParameterError
from lawgiver.envs.files.json_text import from_json, to_json
from lawgiver.envs.files.reading import read_text
from lawgiver.envs.solvers.normal_form.forms import Form, NormalForm, SymmetricForm, profiles
from lawgiver.trainers.runs.atomic_files import made_folder, write_text

FORMAT = 1
"""Version of ``table.json``."""


@dataclass(frozen=True, eq=False)
class EmpiricalTable:
    """Payoffs of strategies, estimated.

    Attributes:
        players: names of the n players.
        names: of the strategies of each player; once for all of a symmetric game.
        samples: mean payoffs of groups of games, the same groups in all cells, (E, n, A_0, ..., A_{n-1}); of a
            symmetric game (E, A, C(n + A - 1, n)), see
            :class:`lawgiver.envs.solvers.normal_form.forms.SymmetricForm`.
        games: in each cell.
        unit: of payoffs.
    """

    players: tuple[str, ...]
    names: tuple[tuple[str, ...], ...]
    samples: np.ndarray
    games: int
    unit: str = "payoff"

    def __post_init__(self) -> None:
        """Check that samples have their shape and are finite."""
        sizes = tuple(map(len, self.names))
        shape = (len(self.players), *sizes)
        if self.symmetric:
            shape = (sizes[0], math.comb(len(self.players) + sizes[0] - 1, len(self.players)))
        if len(self.samples) < 2 or self.samples.shape[1:] != shape:
            raise ParameterError(f"samples have the shape {self.samples.shape}, allowed: (2 or more, {shape})")
        if not np.isfinite(self.samples).all():
            raise ParameterError("samples hold numbers that are not finite")

    @property
    def symmetric(self) -> bool:
        """Whether players are exchangeable."""
        return len(self.names) == 1 and len(self.players) > 1

    @cached_property
    def form(self) -> Form:
        """The game of the mean payoffs."""
        return self.form_of(self.samples.mean(axis=0))

    def form_of(self, payoffs: np.ndarray) -> Form:
        """Make the game of other payoffs of the same strategies."""
        if self.symmetric:
            return SymmetricForm(payoffs, len(self.players), self.names)
        return NormalForm(payoffs, self.names)

    @cached_property
    def errors(self) -> np.ndarray:
        """Standard errors of the mean payoffs."""
        return np.asarray(self.samples.std(axis=0, ddof=1) / np.sqrt(len(self.samples)))

    @property
    def exact(self) -> bool:
        """Whether all groups earn the same in every cell, so that there is nothing random in it."""
        return bool(np.ptp(self.samples, axis=0).max() <= 1e-12 * max(1.0, float(np.abs(self.samples).max())))

    def cells(self) -> list[dict[str, Any]]:
        """List the cells: strategies, or how many play each, then the payoff and standard error of each player."""
        rows: list[dict[str, Any]] = []
        means = self.samples.mean(axis=0)
        if self.symmetric:
            (names,) = self.names
            for at, counts in enumerate(profiles(len(self.players), len(names)).tolist()):
                row: dict[str, Any] = dict(zip(names, counts, strict=True))
                played = [a for a, count in enumerate(counts) if count]
                row |= {f"payoff of {names[a]}": float(means[a, at]) for a in played}
                row |= {f"error of {names[a]}": float(self.errors[a, at]) for a in played}
                rows.append(row)
            return rows
        for cell in product(*(range(len(names)) for names in self.names)):
            row = {player: names[a] for player, names, a in zip(self.players, self.names, cell, strict=True)}
            row |= {f"payoff of {player}": float(means[(i, *cell)]) for i, player in enumerate(self.players)}
            row |= {f"error of {player}": float(self.errors[(i, *cell)]) for i, player in enumerate(self.players)}
            rows.append(row)
        return rows

    def save(self, folder: str | Path) -> list[Path]:
        """Write ``table.json`` and ``table.csv`` into a folder, which is made if it is not there; list them.

        Raises:
            RunError: if they cannot be written.
        """
        folder = made_folder(folder)
        data = {
            "format": FORMAT,
            "players": self.players,
            "strategies": self.names,
            "games": self.games,
            "unit": self.unit,
            "samples": self.samples.tolist(),
        }
        write_text(folder / "table.json", to_json(data) + "\n")
        rows = self.cells()
        columns = list(dict.fromkeys(key for row in rows for key in row))
        text = io.StringIO()
        writer = csv.DictWriter(text, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        write_text(folder / "table.csv", text.getvalue())
        return [folder / "table.json", folder / "table.csv"]

    @classmethod
    def load(cls, path: str | Path) -> EmpiricalTable:
        """Read what :meth:`save` has written.

        Args:
            path: ``table.json``, or its folder.

        Raises:
            ParameterError: naming the file, if it cannot be read or holds no table.
        """
        path = Path(path) / "table.json" if Path(path).is_dir() else Path(path)
        try:
            data = from_json(read_text(path))
        except (OSError, UnicodeDecodeError) as error:
            raise ParameterError(
                f"{path} cannot be read: {getattr(error, 'strerror', None) or 'it is no text'}"
            ) from None
        except ValueError as error:
            raise ParameterError(f"{path} is no JSON: {error}") from None
        try:
            if data["format"] != FORMAT:
                raise ParameterError(f"format is {data['format']!r}, allowed: {FORMAT}")
            names = tuple(tuple(map(str, of_one)) for of_one in data["strategies"])
            samples = np.array(data["samples"], float)
            return cls(tuple(map(str, data["players"])), names, samples, int(data["games"]), str(data["unit"]))
        except (KeyError, TypeError, ValueError) as error:
            told = f"{error} is missing" if isinstance(error, KeyError) else " ".join(str(error).split())
            raise ParameterError(f"{path} is no table of payoffs: {told}") from None
