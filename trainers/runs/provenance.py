"""Where a run's numbers come from: the commit of the source and the versions of what was installed."""

from __future__ import annotations

import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import lawgiver


def versions() -> dict[str, str]:
    """Return the versions of what the numbers depend on, as far as it is installed."""
    found = {"python": platform.python_version()}
    for package in ("lawgiver", "numpy", "torch", "ray"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def commit() -> str | None:
    """Return the commit of lawgiver's source, ``-dirty`` if it has been changed since; None if it is not in git."""
    source = Path(lawgiver.__file__).resolve()
    git = ["git", "-C", str(source.parent)]
    try:
        subprocess.run([*git, "ls-files", "--error-unmatch", source.name], capture_output=True, check=True)
        described = [*git, "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
        return subprocess.run(described, capture_output=True, check=True, text=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None
