"""Packaged configs. This module imports nothing heavy, so that ``--help`` stays fast."""

from __future__ import annotations

from importlib import resources

CONFIGS = resources.files("lawgiver") / "configs"


def config_names() -> list[str]:
    """List the names of the packaged configs."""
    return sorted(f.name.removesuffix(".yaml") for f in CONFIGS.iterdir() if f.name.endswith(".yaml"))


def config_title(name: str) -> str:
    """Read what a packaged config is: the comment in its first line, one sentence."""
    first = (CONFIGS / f"{name}.yaml").read_text(encoding="utf-8").partition("\n")[0]
    return first.removeprefix("# ").removesuffix(".")
