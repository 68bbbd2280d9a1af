"""Read user files safely: regular files of bounded size, JSON of bounded depth, text with any newlines.

All reading of paths goes through here. A device is endless and a FIFO waits for ever, so neither is opened for
reading; sizes are known before memory is taken. What is refused is an ``OSError`` whose ``strerror`` says why, so that
a reader needs one ``except OSError`` for everything that can be wrong with a path.
"""

from __future__ import annotations

import errno
import os
import stat
from io import BufferedReader
from pathlib import Path
from typing import Any

from lawgiver.envs.core.errors import ParameterError
from lawgiver.envs.files.json_text import from_json

LARGEST_FILE = 2**30
"""Largest size of a file in bytes, unless its reader sets a smaller one."""
LARGEST_JSON = 2**26
"""Largest size of a JSON file in bytes."""
KINDS = {
    stat.S_IFDIR: "a directory",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFIFO: "a FIFO",
    stat.S_IFSOCK: "a socket",
}
BYTE_ORDER_MARKS = {b"\xef\xbb\xbf": "utf-8-sig", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}


def open_regular(path: str | Path, limit: int = LARGEST_FILE) -> BufferedReader:
    """Open a regular file of at most ``limit`` bytes for reading.

    Raises:
        OSError: if it is missing or not readable, no regular file, or larger; ``strerror`` says which.
    """
    try:
        _check_regular(Path(path).stat(), path, limit)  # before opening: to open some devices does something
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except ValueError as error:  # a null byte, or what the file system's encoding does not have
        raise OSError(errno.EINVAL, f"it is no path: {error}", repr(path)) from None
    try:
        _check_regular(os.fstat(handle), path, limit)
    except OSError:
        os.close(handle)
        raise
    return os.fdopen(handle, "rb")


def _check_regular(found: os.stat_result, path: str | Path, limit: int) -> None:
    if not stat.S_ISREG(found.st_mode):
        kind = KINDS.get(stat.S_IFMT(found.st_mode), "no file")
        raise OSError(errno.EINVAL, f"it is {kind}, allowed: a regular file", str(path))
    if found.st_size > limit:
        raise OSError(errno.EFBIG, f"it has {found.st_size:,} bytes, allowed: up to {limit:,}", str(path))


def read_bytes(path: str | Path, limit: int = LARGEST_FILE) -> bytes:
    """Read a regular file of at most ``limit`` bytes.

    Raises:
        OSError: as :func:`open_regular`.
    """
    with open_regular(path, limit) as stream:
        content = stream.read(limit + 1)  # system files say that they are empty
    if len(content) > limit:
        raise OSError(errno.EFBIG, f"it has more than {limit:,} bytes, allowed: up to that", str(path))
    return content


def read_text(path: str | Path, limit: int = LARGEST_FILE) -> str:
    r"""Read a text file, UTF-8 or by its byte order mark, with ``\n`` for ``\r\n`` and a bare ``\r``.

    Raises:
        OSError: as :func:`open_regular`.
        UnicodeDecodeError: if it is no text of that encoding.
    """
    return decode(read_bytes(path, limit))


def read_users_text(path: str | Path) -> str:
    """Read a text file that a user names; see :func:`read_text`.

    Raises:
        ParameterError: one line that names the file and why it cannot be read.
    """
    try:
        return read_text(path)
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no text in UTF-8"
        raise ParameterError(f"{str(path)!r} cannot be read: {reason}") from None


def decode(content: bytes) -> str:
    """Decode the bytes of a text file; see :func:`read_text`."""
    encoding = next((name for mark, name in BYTE_ORDER_MARKS.items() if content.startswith(mark)), "utf-8")
    return content.decode(encoding).replace("\r\n", "\n").replace("\r", "\n")


def read_json(path: str | Path, limit: int = LARGEST_JSON) -> Any:
    """Read a JSON file; see :func:`lawgiver.envs.files.json_text.from_json`.

    Raises:
        OSError: as :func:`open_regular`.
        ValueError: if it is not JSON, or nested too deeply.
    """
    return from_json(read_text(path, limit))
