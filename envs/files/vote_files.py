"""Reading a file of votes by its ending: PrefLib's or Pabulib's."""

from __future__ import annotations

from pathlib import Path

from lawgiver.envs.core.errors import ParameterError
from lawgiver.envs.files.pabulib import parse_pabulib
from lawgiver.envs.files.preflib import KINDS, parse_preflib
from lawgiver.envs.files.reading import read_users_text
from lawgiver.envs.files.votes import Votes

ENDINGS = tuple(f".{kind}" for kind in (*KINDS, "pb"))
"""Of the files that are read."""


def read_votes(path: str | Path) -> Votes:
    """Read the votes of a file.

    Args:
        path: of PrefLib's ``.soc``, ``.soi``, ``.toc``, ``.toi`` or ``.cat``, or Pabulib's ``.pb``.

    Raises:
        ParameterError: one line that names the file, the line at fault, and what is allowed there.
    """
    file = str(path)
    ending = Path(file).suffix.lower()
    if ending not in ENDINGS:
        raise ParameterError(f"{file!r} ends in {Path(file).suffix!r}, allowed: {', '.join(ENDINGS)}")
    kind, text = ending.removeprefix("."), read_users_text(file)
    return parse_pabulib(file, text) if kind == "pb" else parse_preflib(file, text, kind)
