"""summary.json: results and provenance of a finished run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lawgiver.trainers.runs.atomic_files import RunError, read_stored
from lawgiver.trainers.statistics.estimate import with_estimates

FORMAT = 2
"""Number of the format that this version writes and reads; see :data:`READ_BY` for others."""
READ_BY = {1: "0.1"}
"""Version that reads each older format. Summaries of 0.1 have no format number."""
FACTS: dict[str, type] = {"config": str, "versions": dict, "timing": dict}
"""Required keys of a summary with their types, beside ``format``, ``commit``, and ``seed`` or ``seeds``."""


@dataclass(frozen=True, eq=False)
class Summary(Mapping[str, Any]):
    """Results and provenance of a finished run: the content of summary.json as a mapping.

    Numbers that were measured are :class:`~lawgiver.trainers.statistics.estimate.Estimate` objects. The keys beside
    those of the attributes are the trainer's: ``summary["gap_closed"]``. A run over several seeds has its numbers,
    as estimates over the seeds, under ``aggregate``.

    Attributes:
        data: the mapping.
    """

    data: Mapping[str, Any]

    def __getitem__(self, key: str) -> Any:
        """Look up a number, a table or a fact."""
        return self.data[key]

    def __iter__(self) -> Iterator[str]:
        """Iterate over the keys, as the file has them."""
        return iter(self.data)

    def __len__(self) -> int:
        """Count the keys."""
        return len(self.data)

    @property
    def format(self) -> int:
        """Version of the file's format."""
        return int(self.data["format"])

    @property
    def config(self) -> str:
        """Name of the config."""
        return str(self.data["config"])

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seed of the run, or those of its members."""
        several = self.data.get("seeds")
        return (self.data["seed"],) if several is None else tuple(several)

    @property
    def commit(self) -> str | None:
        """The commit of lawgiver's source, ``-dirty`` if it had been changed since; None if it was not in git."""
        found: str | None = self.data.get("commit")
        return found

    @property
    def versions(self) -> Mapping[str, str]:
        """Versions of Python and of the packages that the numbers depend on."""
        found: Mapping[str, str] = self.data["versions"]
        return found

    @property
    def timing(self) -> Mapping[str, Any]:
        """Everything that depends on the clock; ``wall_s`` are the seconds that the run took."""
        found: Mapping[str, Any] = self.data["timing"]
        return found

    @property
    def alarms(self) -> tuple[str, ...]:
        """Warnings about the training; with several seeds, each begins with its seed."""
        found = self.data.get("alarms") or ()
        if isinstance(found, Mapping):
            return tuple(f"seed {seed}: {alarm}" for seed, alarms in found.items() for alarm in alarms)
        return tuple(found)

    @property
    def results(self) -> dict[str, Any]:
        """The trainer's own numbers and tables."""
        facts = {"format", "commit", "seed", "seeds", "alarms", *FACTS}
        return {key: value for key, value in self.data.items() if key not in facts}


def read_summary(file: Path) -> Summary:
    """Read a summary, its estimates included.

    Raises:
        RunError: if it cannot be read, is damaged, or of another format than this version writes.
    """
    summary = read_stored(file)
    found = summary.get("format", 1)
    if found != FORMAT:
        known_reader = READ_BY.get(found) if isinstance(found, int) else None
        reader = "another version of lawgiver" if known_reader is None else f"lawgiver {known_reader}"
        raise RunError(f"{file} is of format {found!r}, which {reader} reads; this version reads format {FORMAT}")
    wrong = [key for key, kind in FACTS.items() if not isinstance(summary.get(key), kind)]
    if wrong or not {"seed", "seeds"} & summary.keys():
        raise RunError(f"{file} is damaged: {wrong[0] if wrong else 'seed'} is {summary.get(*wrong[:1] or ['seed'])!r}")
    try:
        return Summary(with_estimates(summary))
    except ValueError as error:
        raise RunError(f"{file} is damaged: {error}") from error
