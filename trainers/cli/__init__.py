"""The ``lawgiver`` command. Importing it, or asking for help, imports neither torch nor ray."""

from __future__ import annotations

import os
import sys

from lawgiver.envs.core.errors import LawgiverError
from lawgiver.trainers.cli.commands import app
from lawgiver.trainers.cluster import REPRODUCIBLE

__all__ = ["app", "main"]


def main() -> None:
    """Run the command line; every error of the library becomes one line on stderr and exit code 2."""
    _fix_environment(sys.argv[1:])
    try:
        app(prog_name="lawgiver")
    except LawgiverError as error:
        told = getattr(error, "cause", error)  # Ray wraps what a task raises together with its traceback
        print("lawgiver:", " ".join(str(told).split()), file=sys.stderr)
        sys.exit(2)


def _fix_environment(arguments: list[str]) -> None:
    """Set what makes a training reproducible. Python reads its hash seed when it starts, hence the second start."""
    missing = {key: value for key, value in REPRODUCIBLE.items() if key not in os.environ}
    os.environ.update(missing)
    if "PYTHONHASHSEED" in missing and arguments[:1] in (["train"], ["reproduce"]):
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])
