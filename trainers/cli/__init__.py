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
"""How characters are written where the terminal's encoding has none; others as Unicode takes them apart, or ``?``."""


def main() -> None:
    """Run the command line; every error of the library becomes one line on stderr and exit code 2."""
    _fix_environment(sys.argv[1:])
    _fix_streams()
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("lawgiver: %(message)s"))
    logging.getLogger("lawgiver").addHandler(handler)
    logging.getLogger("lawgiver").setLevel(logging.INFO)
    try:
        app(prog_name="lawgiver")
    except LawgiverError as error:
        told = getattr(error, "cause", error)  # Ray wraps what a task raises together with its traceback
        print("lawgiver:", " ".join(str(told).split()), file=sys.stderr)
        sys.exit(2)
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
    """Set what makes a training reproducible. Python reads its hash seed when it starts, hence the second start."""
    missing = {key: value for key, value in REPRODUCIBLE.items() if key not in os.environ}
    os.environ.update(missing)
    if "PYTHONHASHSEED" in missing and arguments[:1] in (["train"], ["reproduce"]):
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])


def _fix_streams() -> None:
    """Let anything be printed in any locale, and nothing where a stream is closed."""
    codecs.register_error("spelt", _spelt)
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # closed by whoever has started us
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: PTH123, SIM115  it is no file
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="spelt")


def _spelt(error: UnicodeError) -> tuple[str, int]:
    """Spell what an encoding does not have; see ``SPELT``."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    found = []
    for character in error.object[error.start : error.end]:
        plain = SPELT.get(character) or unicodedata.normalize("NFKD", character).encode("ascii", "ignore").decode()
        found.append(plain or "?")
    return "".join(found), error.end
