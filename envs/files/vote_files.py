"""Reading a file of votes by its ending: PrefLib's or Pabulib's."""

from __future__ import annotations

from pathlib import Path

from lawgiver.envs.core.errors import ParameterError
from lawgiver.envs.files.pabulib import parse_pabulib
from lawgiver.envs.files.preflib import KINDS, parse_preflib
from lawgiver.envs.files.reading import read_users_text
from lawgiver.envs.files.votes import Votes


def read_votes(path: str | Path) -> Votes:
    """Read the votes of a file.

    Args:
        path: of PrefLib's ``.soc``, ``.soi``, ``.toc``, ``.toi`` or ``.cat``, or Pabulib's ``.pb``.

    Raises:
        ParameterError: one line that names the file, the line at fault, and what is allowed there.
    """
    file = str(path)
    kind = Path(file).suffix.lower().removeprefix(".")
    if kind not in (*KINDS, "pb"):
        endings = ", ".join(f".{known}" for known in (*KINDS, "pb"))
        raise ParameterError(f"{file!r} ends in {Path(file).suffix!r}, allowed: {endings}")
    text = read_users_text(file)
    return parse_pabulib(file, text) if kind == "pb" else parse_preflib(file, text, kind)
