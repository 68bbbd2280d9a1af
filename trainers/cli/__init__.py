"""The ``lawgiver`` command. Importing it, or asking for help, imports neither torch nor ray."""

from __future__ import annotations

import codecs
import io
import logging
import os
import sys
import unicodedata

from lawgiver.envs.core.errors import LawgiverError
from lawgiver.trainers.cli.commands import app
from lawgiver.trainers.runs.ray_cluster import REPRODUCIBLE

__all__ = ["app", "main"]

SPELT = {"±": "+-", "×": "x", "–": "-", "—": "-", "“": '"', "”": '"', "‘": "'", "’": "'", "•": "*", "│": "|", "─": "-"}
"""Substitutes for characters missing in the terminal's encoding; others are decomposed by Unicode, or ``?``."""


def main() -> None:
    """Run the command line; every error of the library becomes one line on stderr, and its exit code."""
    _fix_environment(sys.argv[1:])
    _fix_streams()
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("lawgiver: %(message)s"))
    logging.getLogger("lawgiver").addHandler(handler)
    logging.getLogger("lawgiver").setLevel(logging.INFO)
    try:
        app(prog_name="lawgiver")
    except LawgiverError as error:
        cause = getattr(error, "cause", error)  # Ray wraps the exception of a task together with its traceback
        print("lawgiver:", " ".join(str(cause).split()), file=sys.stderr)
        sys.exit(getattr(cause, "exit_code", 2))
    except OSError as error:  # of what is printed, or of a file that nobody has asked about before
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115  what is left would fail again
        where = "" if error.filename is None else f"{error.filename}: "
        print(f"lawgiver: {where}{error.strerror or error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(130)
    finally:
        logging.getLogger("lawgiver").removeHandler(handler)


def _fix_environment(arguments: list[str]) -> None:
    """Set the environment of reproducible trainings; Python reads its hash seed at start, hence the restart."""
    missing = {key: value for key, value in REPRODUCIBLE.items() if key not in os.environ}
    os.environ.update(missing)
    if "PYTHONHASHSEED" in missing and arguments[:1] in (["train"], ["reproduce"]):
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])


def _fix_streams() -> None:
    """Make stdout and stderr accept any character in any locale, and discard output to closed streams."""
    codecs.register_error("spelt", _spelt)
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # closed by whoever has started us
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: PTH123, SIM115  it is no file
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="spelt")


def _spelt(error: UnicodeError) -> tuple[str, int]:
    """Replace characters missing in an encoding; see ``SPELT``."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    found = []
    for character in error.object[error.start : error.end]:
        plain = SPELT.get(character) or unicodedata.normalize("NFKD", character).encode("ascii", "ignore").decode()
        found.append(plain or "?")
    return "".join(found), error.end
