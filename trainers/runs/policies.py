"""The learned policies of a run, for the game that they were trained on or a compatible one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from lawgiver.agents.learned import load_policy
from lawgiver.envs.core.errors import allowed
from lawgiver.envs.core.game import Game
from lawgiver.envs.core.registry import ROLES
from lawgiver.trainers.runs.atomic_files import MANIFEST, RunError, read_manifest
from lawgiver.trainers.runs.compatibility import require_fit

if TYPE_CHECKING:
    from lawgiver.trainers.runs.run import Run

VOTERS = "voters"
"""The folder under ``policies/`` of voters, who play no role of the game."""


def learned(opened: Run, role: str | None, game: Game[Any] | None) -> Any:
    """Load the policies of a run by role, or that of one role; see :func:`lawgiver.trainers.runs.loading.load`."""
    if opened.settings.get("seeds") is not None:
        members = ", ".join(f"{opened.path}/s{seed}" for seed in opened.settings["seeds"])
        raise RunError(f"{opened.path} holds the runs of several seeds: choose one of {members}")
    game = to_play(opened, role, game)
    folders = {path.name: path for path in sorted(opened.policies.glob("*")) if path.is_dir()}
    if role is None:
        return {name: checked_policy(path, game, name if name == VOTERS else None) for name, path in folders.items()}
    if role not in folders:
        raise RunError(f"{opened.path} has no learned {role}: {allowed(role, folders)}")
    return checked_policy(folders[role], game, VOTERS if role == VOTERS else None)


def to_play(opened: Run, role: str | None, game: Game[Any] | None, folder: Path | None = None) -> Game[Any]:
    """Determine the base game for a run's policies, its own for None, and check that they can play it.

    ``folder`` is that of a single policy, None for those that the run has kept by role.
    """
    own = opened.game().base_game
    game = own if game is None else game.base_game
    kinds = ROLES if role is None else (role,)
    require_fit(opened.path, own, game, {kind: folder or opened.policies / kind for kind in kinds})
    return game


def checked_policy(folder: Path, game: Game[Any], role: str | None = None) -> Any:
    """Load the policy in a folder, which must be of ``role`` if one is given, if its files are whole."""
    if (folder / MANIFEST).exists():  # a third party's trainer may have saved it by itself
        read_manifest(folder)
    return load_policy(folder, game, role)
