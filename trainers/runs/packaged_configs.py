"""The configs that come with the package. Nothing is imported here, so that asking for help stays quick."""

from __future__ import annotations

from importlib import resources

CONFIGS = resources.files("lawgiver") / "configs"


def config_names() -> list[str]:
    """Return the names of the packaged configs."""
    return sorted(f.name.removesuffix(".yaml") for f in CONFIGS.iterdir() if f.name.endswith(".yaml"))
