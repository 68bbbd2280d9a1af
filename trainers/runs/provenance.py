"""Provenance of a run: commit of the source and versions of packages."""

from __future__ import annotations

import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import lawgiver


def versions() -> dict[str, str]:
    """List the installed versions of the packages that the numbers depend on."""
    found = {"python": platform.python_version()}
    for package in ("lawgiver", "numpy", "torch", "ray"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def commit() -> str | None:
    """Read the commit of lawgiver's source, with ``-dirty`` after changes; None outside git."""
    source = Path(lawgiver.__file__).resolve()
    git = ["git", "-C", str(source.parent)]
    try:
        subprocess.run([*git, "ls-files", "--error-unmatch", source.name], capture_output=True, check=True)
        described = [*git, "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
        return subprocess.run(described, capture_output=True, check=True, text=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None
