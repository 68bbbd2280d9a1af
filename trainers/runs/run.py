"""A run is a folder: everything that a training writes, and everything that is needed to continue or to use it.

    config.yaml      the resolved config, the version of lawgiver and the config's name
    metrics.jsonl    one line an iteration: ``iteration``, the metrics, and what depends on the clock under ``timing``
    events.out.*     the same for TensorBoard, where it is installed
    checkpoints/     one folder an iteration, written at once, with a manifest of digests
    policies/        the learned policies by role
    figures/
    summary.json     written at the end

A run over several seeds holds config.yaml, one such folder a seed (s0, s1, ...) and the aggregate in summary.json.
A folder holds the old state or the new one after a kill, a crash or a full disk, never half of something.
"""

from __future__ import annotations

import os
from importlib.metadata import version
from pathlib import Path
from typing import Any, Self

import numpy as np
import yaml

from lawgiver.envs.core.errors import ParameterError, brief
from lawgiver.envs.core.game import Game
from lawgiver.envs.core.make import make_game
from lawgiver.envs.files.reading import read_text
from lawgiver.trainers.runs.atomic_files import RunError, read_manifest, require_plain
from lawgiver.trainers.runs.config import stored_config_error
from lawgiver.trainers.runs.config_errors import one_line
from lawgiver.trainers.runs.metrics_log import MetricsLog, columns
from lawgiver.trainers.runs.summary import Summary, read_summary
from lawgiver.trainers.runs.yaml_text import LARGEST, parse_yaml

STAMP = "lawgiver"
"""The key of config.yaml under which a run says what wrote it."""
OLDER = ("0.1",)
"""Series of earlier versions whose configs and policies are read; their summaries are not."""
CHECKPOINT: dict[str, type] = {"iteration": int, "logged": int, "wall_s": float}
"""Keys of the manifest of a checkpoint: the iteration, the last one that metrics.jsonl had then, seconds so far."""


class Run:
    """A run's folder, to be read; :func:`open_run` opens it.

    Attributes:
        path: the folder.
        settings: what config.yaml says, as plain data, without the stamp.
        name: the config's name.
    """

    def __init__(self, path: Path, settings: dict[str, Any], name: str) -> None:
        """Not for direct use: see the class."""
        self.path, self.settings, self.name = path, settings, name
        self._log = MetricsLog(path)

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> Self:
        """Open a run's folder for reading.

        Raises:
            RunError: if it is not a run, is damaged, or was written by another version.
            ParameterError: if ``path`` is none.
        """
        if not isinstance(path, (str, os.PathLike)):
            raise ParameterError(f"the folder of a run is {brief(path)}, allowed: a path")
        path = Path(path)
        file = path / "config.yaml"
        if file.exists():  # else it is no run, and may be large
            require_plain(path)
        try:
            settings = parse_yaml(read_text(file, LARGEST))
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or error
            raise RunError(f"{path} is not a run: {file} cannot be read: {reason}") from error
        except yaml.YAMLError as error:
            raise RunError(f"{file} is damaged: {one_line(error)}") from error
        stamp = settings.pop(STAMP, None) if isinstance(settings, dict) else None
        if not isinstance(stamp, dict) or not {"version", "config"} <= stamp.keys():
            raise RunError(f"{file} is not of a run: it does not say which lawgiver wrote it")
        ours = version("lawgiver")
        theirs = str(stamp["version"])
        if _series(theirs) not in (*OLDER, _series(ours)):
            raise RunError(
                f"{file} was written by lawgiver {theirs}; this is {ours}, which cannot read it, as lawgiver"
                f" {_series(theirs)} can"
            )
        wrong = stored_config_error(settings)
        if wrong is not None:
            raise RunError(f"{file} is damaged: {wrong}")
        return cls(path, settings, str(stamp["config"]))

    def __repr__(self) -> str:
        """Format config, seed, state and folder of the run."""
        seeds = self.settings.get("seeds")
        which = f"seed {self.settings['seed']}" if seeds is None else f"seeds {', '.join(map(str, seeds))}"
        return f"<Run of {self.name}, {which}, {'finished' if self.finished else 'not finished'}: {self.path}>"

    def __fspath__(self) -> str:
        """Give the folder, so that a run can be passed as a path."""
        return str(self.path)

    @property
    def policies(self) -> Path:
        """Folder of the learned policies, one folder a role."""
        return self.path / "policies"

    @property
    def checkpoints(self) -> Path:
        """Folder of the checkpoints."""
        return self.path / "checkpoints"

    @property
    def figures_folder(self) -> Path:
        """Folder of the figures."""
        return self.path / "figures"

    @property
    def members(self) -> list[Run]:
        """The runs of each seed where there are several, else the run itself."""
        seeds = self.settings.get("seeds")
        return [self] if seeds is None else [Run.open(self.path / f"s{seed}") for seed in seeds]

    def game(self) -> Game[Any]:
        """Make the game that the run was trained on."""
        return make_game(**self.settings["game"])

    def load(self, role: str | None = None, game: Game[Any] | None = None) -> Any:
        """Load what was learned: the policies by role; or, with ``role``, the policy of that role.

        Args:
            role: ``mechanism``, ``participant``, or ``voters`` where the run has fitted some.
            game: the game they are to play; None for the one that they were trained on.

        Raises:
            RunError: if the run has no policy of that role, or a file is damaged.
            UnsupportedGameError: if they were trained on another game.
        """
        from lawgiver.trainers.runs.policies import learned

        return learned(self, role, game)

    @property
    def finished(self) -> bool:
        """Whether the training is complete."""
        return (self.path / "summary.json").exists()

    def require_finished(self) -> None:
        """Check that the training is complete.

        Raises:
            RunError: if it is not.
        """
        if not self.finished:
            raise RunError(f"{self.path} is not finished: continue it with lawgiver train --resume {self.path}")

    @property
    def summary(self) -> Summary:
        """Results of a finished run.

        Raises:
            RunError: if it is not finished, the file is damaged, or it is of another format than this version writes.
        """
        self.require_finished()
        return read_summary(self.path / "summary.json")

    def lines(self) -> list[dict[str, Any]]:
        """Read metrics.jsonl, a mapping a line, nested as it was logged.

        Raises:
            RunError: if a line is damaged.
        """
        return self._log.entries()

    @property
    def metrics(self) -> dict[str, np.ndarray]:
        """Metrics as a table: an array (T,) by column, one entry a line; ``pandas.DataFrame`` takes it.

        ``iteration`` comes first. Keys that are nested, and places in lists, are joined by slashes, ``timing/wall_s``.
        Where a line has no value there is NaN, in columns of text None. Read anew each time.

        Raises:
            RunError: if a line is damaged.
        """
        return columns(self._log.entries())

    def figures(self) -> list[Path]:
        """Draw the figures again, as the trainer does, and return the files.

        Raises:
            MissingExtraError: without matplotlib.
            RunError: if the run is not finished, or they cannot be written.
        """
        from lawgiver.trainers.plots.drawing import draw

        return [file for member in self.members for file in draw(member, member.summary)]

    def _checkpoint_folders(self) -> list[Path]:
        return sorted(path for path in self.checkpoints.glob("[0-9]*") if path.is_dir())

    def latest_checkpoint(self) -> tuple[int, Path] | None:
        """Find the newest checkpoint, as iteration and folder; None where there is none yet.

        Raises:
            RunError: if a file of it is missing or damaged; remove its folder to continue from the one before.
        """
        folders = self._checkpoint_folders()
        if not folders:
            return None
        try:
            return int(read_manifest(folders[-1], **CHECKPOINT)["iteration"]), folders[-1]
        except RunError as error:
            older = f"remove {folders[-1]} to continue from {folders[-2].name}" if folders[1:] else "it is the only one"
            raise RunError(f"{error}; {older}") from error


def open_run(path: str | os.PathLike[str]) -> Run:
    """Open a run's folder for reading.

    Args:
        path: the folder that a training wrote.

    Returns:
        the run: ``.settings`` is its config, ``.game()`` the game that it was trained on, ``.metrics`` what was
        logged, ``.summary`` what it comes to, ``.load()`` what was learned; ``.figures()`` draws it.

    Raises:
        RunError: if it is not a run, is damaged, or was written by another version.

    Example:
        >>> import lawgiver
        >>> run = lawgiver.open_run("runs/public_investment/20260101-120000-s0")  # doctest: +SKIP
        >>> run.metrics["iteration"]  # doctest: +SKIP
    """
    return Run.open(path)


def _series(version: str) -> str:
    """Shorten a version to the series whose runs are compatible: 0.1 of 0.1.3."""
    return ".".join(version.split(".")[:2])
