"""Last lines of a training's output: figures, and commands to continue with."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from lawgiver.envs.families.reporting_game import ReportingGame
from lawgiver.envs.public_investment.game import PublicInvestment
from lawgiver.trainers.runs.run import Run

OPPONENTS = ("libertarian", "liberal_egalitarian")
"""Opponents in the proposed tournament of a learned rule."""


def ending(run: Run) -> Iterator[str]:
    """Yield the lines after the tables of a finished run."""
    drawn = [figure for member in run.members for figure in sorted(member.figures_folder.glob("*.png"))]
    if drawn:
        folders = " ".join(dict.fromkeys(str(figure.parent) for figure in drawn))
        yield f"figures: {', '.join(dict.fromkeys(figure.name for figure in drawn))} in {folders}"
    else:
        yield "figures: none were drawn" + ("" if find_spec("matplotlib") else ", as matplotlib is not installed")
    yield "next:"
    yield from (f"  {command}" for command in commands(run.members[0], run))


def commands(member: Run, whole: Run) -> Iterator[str]:
    """Yield commands that work on a run as they stand, from the present folder.

    Args:
        member: a run of one seed.
        whole: the run that was started, of one seed or several.
    """
    lawgiver, folder = tool("lawgiver"), shlex.quote(str(whole.path))
    yield f"{lawgiver} evaluate {folder}"
    if find_spec("tensorboard"):
        yield f"{tool('tensorboard')} --logdir {folder}"
    if not (member.policies / "mechanism" / "policy.json").exists():
        return
    game, own = member.game().base_game, shlex.quote(str(member.path))
    if isinstance(game, PublicInvestment):
        yield " ".join([lawgiver, "tournament", own, *OPPONENTS])
    if isinstance(game, ReportingGame):
        yield f"{lawgiver} audit {own}"


def tool(name: str) -> str:
    """Find how to call a command of this environment from the current folder."""
    beside = Path(sys.executable).parent / name
    if not beside.exists():
        return name if name != "lawgiver" else f"{shlex.quote(sys.executable)} -m lawgiver"
    found = shutil.which(name)
    if found is not None and Path(found).resolve() == beside.resolve():
        return name
    inside = Path(os.path.relpath(beside))
    return shlex.quote(str(inside if not str(inside).startswith("..") else beside))
