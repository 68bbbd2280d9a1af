"""Atomic writes: a crash, a full disk or a kill leaves either the old content or the new one."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import stat
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lawgiver.envs.core.errors import LawgiverError
from lawgiver.envs.files.json_text import to_json
from lawgiver.envs.files.reading import open_regular, read_json

MANIFEST = "manifest.json"
LARGEST_WEIGHTS = 2**40
"""Maximum size of a file of weights, in bytes."""


class RunError(LawgiverError):
    """Error of a run's folder: it cannot be written, or its content cannot be used."""


class LockedError(RunError):
    """A run is being trained by another process."""


class WaitingError(RunError):
    """A run has stopped until people have played, and can be resumed then."""

    exit_code = 3


_REFUSALS = [os.strerror(code) for code in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EACCES, errno.EROFS)]


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn the operating system's errors (disk full, no permission) into a RunError that names the file."""
    try:
        yield
    except LawgiverError:
        raise
    except Exception as error:
        reason = getattr(error, "strerror", None) if isinstance(error, OSError) else _refusal(error)
        if reason is None:
            raise
        raise RunError(f"cannot write {path}: {reason}; what was written before is intact") from error


def _refusal(error: Exception) -> str | None:
    """Find the operating system's reason quoted in an error: safetensors reports a full disk in words only."""
    return next((refusal for refusal in _REFUSALS if refusal in str(error)), None)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a file beside ``path`` that takes its place when the block ends, and is removed if it fails.

    Raises:
        RunError: if it cannot be written.
    """
    temporary = path.with_name(f".{path.name}.tmp")
    with writing(path):
        try:
            yield temporary
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str, mode: int = 0o666) -> None:
    """Write a text file atomically.

    Args:
        path: of the file.
        text: its content.
        mode: the most permissions that it has at any time.

    Raises:
        RunError: if it cannot be written.
    """
    with replacing(path) as temporary:
        temporary.unlink(missing_ok=True)  # one that was left over may have more permissions
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())


def made_folder(path: str | Path) -> Path:
    """Make a folder and its parents, if missing.

    Raises:
        RunError: if it cannot be made.
    """
    folder = Path(path)
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    return folder


def write_json(path: Path, data: Mapping[str, Any]) -> None:
    """Write a mapping as JSON atomically; see :func:`write_text` and :func:`lawgiver.envs.files.json_text.to_json`."""
    write_text(path, to_json(data, indent=2) + "\n")


def read_stored(path: Path) -> dict[str, Any]:
    """Read a mapping that :func:`write_json` has written.

    Raises:
        RunError: naming the file, if it cannot be read or is damaged.
    """
    try:
        found = read_json(path)
    except (OSError, ValueError) as error:
        raise RunError(f"{path} is damaged: {error}") from error
    if not isinstance(found, dict):
        raise RunError(f"{path} is damaged: it is no mapping")
    return found


def write_folder(path: Path, write: Callable[[Path], None], **facts: Any) -> None:
    """Write a folder atomically by calling ``write``, with a manifest of its files' digests and ``facts``.

    Raises:
        RunError: if it cannot be written; ``path`` is then as it was.
    """
    temporary = path.with_name(f".{path.name}.tmp")
    replaced = path.with_name(f".{path.name}.old")
    with writing(path):
        try:
            for leftover in (temporary, replaced):
                shutil.rmtree(leftover, ignore_errors=True)
            temporary.mkdir(parents=True)
            write(temporary)
            files = {str(file.relative_to(temporary)): _digest(file) for file in _files(temporary)}
            write_json(temporary / MANIFEST, {**facts, "files": files})
            for file in _files(temporary):
                _flush(file)
            if path.exists():
                path.rename(replaced)
            temporary.rename(path)
            _flush(path.parent)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
            shutil.rmtree(replaced, ignore_errors=True)


def read_manifest(path: Path, **facts: type) -> dict[str, Any]:
    """Read the facts stored in a folder's manifest, after checking that every file is present and unchanged.

    Args:
        path: the folder.
        **facts: names of required facts, with their types.

    Raises:
        RunError: naming the file that is missing or damaged.
    """
    file = path / MANIFEST
    try:
        manifest = read_json(file)
        if not isinstance(manifest, dict):
            raise RunError(f"{file} is damaged: it is no mapping")
        for name, kind in {"files": dict, **facts}.items():
            if type(manifest.get(name)) is not kind:
                raise RunError(f"{file} is damaged: {name} is {manifest.get(name)!r}, allowed: {kind.__name__}")
        for name, digest in manifest.pop("files").items():
            if Path(name).is_absolute() or ".." in Path(name).parts:
                raise RunError(f"{file} is damaged: {name!r} is not in the folder")
            if _digest(path / name) != digest:
                raise RunError(f"{path / name} is damaged: its content is not what was written")
    except OSError as error:
        raise RunError(f"{error.filename or path} cannot be read: {error.strerror or error}") from error
    except ValueError as error:
        if isinstance(error, RunError):
            raise
        raise RunError(f"{file} is damaged: {error!r}") from error
    return manifest


def require_plain(folder: Path) -> None:
    """Refuse a folder that holds a symbolic link or a device, which would lead reads or writes elsewhere.

    Raises:
        RunError: naming it.
    """
    for place, folders, files in os.walk(folder):
        for name in (*folders, *files):
            path = Path(place, name)
            mode = path.lstat().st_mode
            if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
                kind = "a symbolic link" if stat.S_ISLNK(mode) else "no file"
                raise RunError(f"{path} is {kind}, allowed in a run: files and folders of its own")


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _digest(file: Path) -> str:
    with open_regular(file, LARGEST_WEIGHTS) as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _flush(path: Path) -> None:
    """Flush a file or a folder to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
