"""The metrics of a run: one line of JSON an iteration, and the same numbers as TensorBoard's events."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from lawgiver.trainers.files import RunError, plain, write_text, writing


class MetricsLog:
    """Appends to ``metrics.jsonl`` in a folder, and to TensorBoard's events where it is installed.

    A line is written at once, but a kill or a full disk may cut the last one short: it then does not count.
    """

    def __init__(self, folder: Path) -> None:
        """Nothing is opened before the first line."""
        self.folder = folder
        self.file = folder / "metrics.jsonl"
        self._events: Any = None

    def append(self, iteration: int, metrics: Mapping[str, Any], timing: Mapping[str, float]) -> None:
        """Write one line; see :meth:`lawgiver.trainers.runs.Run.log`."""
        line = json.dumps(plain({"iteration": iteration, **metrics, "timing": timing}), allow_nan=False)
        with writing(self.file), self.file.open("a", encoding="utf-8") as stream:
            stream.write(line + "\n")
        if self._events is None:
            self._events = self._open_events(iteration)
        if self._events is not None:
            with writing(self.folder):
                for tag, value in _scalars({**metrics, "timing": timing}):
                    self._events.add_scalar(tag, value, iteration)

    def _open_events(self, iteration: int) -> Any:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:  # TensorBoard comes with an extra; metrics.jsonl says the same
            return None
        with writing(self.folder):
            return SummaryWriter(str(self.folder), purge_step=iteration)  # hides what was rewound

    def entries(self) -> list[dict[str, Any]]:
        """Return the lines.

        Raises:
            RunError: if any line but the last is damaged.
        """
        if not self.file.exists():
            return []
        lines = self.file.read_text(encoding="utf-8", errors="replace").split("\n")
        entries = []
        for number, line in enumerate(lines[:-1], start=1):
            try:
                entries.append(json.loads(line))
                entries[-1]["iteration"]
            except (ValueError, TypeError, KeyError) as error:
                raise RunError(f"{self.file}, line {number}, is damaged: {error!r}") from error
        return entries

    def rewind(self, iteration: int) -> None:
        """Forget all lines after ``iteration``."""
        kept = [entry for entry in self.entries() if entry["iteration"] <= iteration]
        write_text(self.file, "".join(json.dumps(entry) + "\n" for entry in kept))

    def flush(self) -> None:
        """Make TensorBoard's events visible."""
        if self._events is not None:
            with writing(self.folder):
                self._events.flush()

    def close(self) -> None:
        """Finish TensorBoard's events."""
        if self._events is not None:
            with writing(self.folder):
                self._events.close()
            self._events = None


def _scalars(metrics: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, float]]:
    for key, value in metrics.items():
        if isinstance(value, Mapping):
            yield from _scalars(value, f"{prefix}{key}/")
        elif isinstance(value, (int, float)) or getattr(value, "shape", None) == ():
            yield f"{prefix}{key}", float(value)
