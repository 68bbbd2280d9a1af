"""lawgiver: environments in which the rules of the game are learned together with the people who live under them.

``import lawgiver`` registers every installed game with Gymnasium and PettingZoo; it imports neither torch nor ray.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lawgiver import rllib
from lawgiver.envs.core.make import load_policy as load
from lawgiver.envs.core.make import make_game, make_policy
from lawgiver.envs.views.registration import register_views

if TYPE_CHECKING:
    from lawgiver.trainers.runs.run import Run

__all__ = ["load", "make_game", "make_policy", "open_run", "rllib"]


def open_run(path: str | Path) -> Run:
    """Open a run's folder for reading.

    Args:
        path: the folder that ``lawgiver train`` wrote.

    Returns:
        the run: ``.game()`` is the game that it was trained on, ``.settings`` its config, ``.summary()`` and
        ``.metrics()`` what it has measured, ``.policies`` and ``.figures`` their folders.

    Raises:
        RunError: if it is not a run, is damaged, or was written by another version.
    """
    from lawgiver.envs.core.errors import ParameterError
    from lawgiver.trainers.runs.run import Run

    if not isinstance(path, (str, Path)):
        raise ParameterError(f"the folder of a run is {path!r}, allowed: a path")
    return Run.open(path)


register_views()
