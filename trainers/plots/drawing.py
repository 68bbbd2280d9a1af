"""Drawing a finished run, where matplotlib is installed; nothing that a command computes depends on it."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lawgiver.envs.core.errors import MissingExtraError
from lawgiver.trainers.runs.headings import heading
from lawgiver.trainers.runs.trainer import trainer_of

if TYPE_CHECKING:
    from lawgiver.trainers.runs.run import Run


def can_draw() -> bool:
    """Check whether matplotlib is installed; if not, log one line with the command that installs it."""
    try:
        import lawgiver.trainers.plots.style  # noqa: F401  # it says what to install where matplotlib is missing
    except MissingExtraError as missing:
        logging.getLogger("lawgiver").warning("no figures were drawn: %s", missing)
        return False
    return True


def draw(run: Run, summary: Mapping[str, Any]) -> list[Path]:
    """Draw what can be drawn of a run into its ``figures/``, as its trainer does, and return the files.

    Args:
        run: whose metrics and policies are complete.
        summary: what summary.json holds or will hold, the table of scores included.

    Raises:
        MissingExtraError: without matplotlib.
    """
    from lawgiver.trainers.plots.style import save

    title, files = heading(run, summary), list[Path]()
    for name, figure in trainer_of(run).figures(run, summary):
        files.append(run.figures_folder / name)
        save(figure, files[-1], title)
    return files
