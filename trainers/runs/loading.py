"""Loading of saved policies, from a run or a folder of their own, for their own game or a compatible one."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from lawgiver.agents.learned import DESCRIPTION
from lawgiver.envs.core.errors import allowed
from lawgiver.envs.core.game import Game
from lawgiver.envs.core.registry import ROLES, game_name
from lawgiver.envs.election.game import Election
from lawgiver.trainers.runs.atomic_files import MANIFEST, RunError, read_manifest, require_plain
from lawgiver.trainers.runs.policies import VOTERS, checked_policy, learned, to_play
from lawgiver.trainers.runs.run import Run


def load(run: str | os.PathLike[str], role: str | None = None, game: Game[Any] | None = None) -> Any:
    """Load the learned policies of a run by role; or, with ``role``, the policy of that role.

    Args:
        run: the run's folder; or, with ``role``, that of a single policy, such as ``iterations/3/optimise/mechanism``.
        role: ``mechanism``, ``participant``, or ``voters`` where the run has fitted some.
        game: the game they are to play; None for the one they were trained on, which a run says.

    Raises:
        RunError: if the folder is not a run, is damaged, or holds no policy of that role.
        PolicyFileError: if a single policy is none of that role, or its weights do not fit the game.
        UnsupportedGameError: if they were trained on another game.
    """
    if (Path(run) / DESCRIPTION).exists():
        return _load_single(Path(run), role, game)
    return learned(Run.open(run), role, game)


def _load_single(folder: Path, role: str | None, game: Game[Any] | None) -> Any:
    """Load the policy in a folder, for the game of the run around it if there is one."""
    roles = (*ROLES, VOTERS)
    require_plain(folder)
    if role not in roles:
        raise RunError(f"{folder} holds a single policy: role is {role!r}, {allowed(str(role), roles)}")
    around = next((path for path in folder.resolve().parents if (path / "metrics.jsonl").exists()), None)
    if around is not None:
        game = to_play(Run.open(around), role, game, folder)
    if game is None:
        raise RunError(f"{folder} is in no run, which would say what game its policy plays: give the game")
    if (folder.resolve().parent / MANIFEST).exists():  # of the step that it was saved in
        read_manifest(folder.resolve().parent)
    return checked_policy(folder, game.base_game, role)


def game_of(folder: str | os.PathLike[str]) -> dict[str, Any] | None:
    """Find the base game that the policies of a run were made for, by name and parameters as its config has them.

    Args:
        folder: a run's, or that of a single policy in one.

    Returns:
        ``{"name": NAME, **parameters}``; None for a policy that is in no run.

    Raises:
        RunError: if the folder is neither.
    """
    path = Path(folder)
    if (path / DESCRIPTION).exists():
        around = next((up for up in path.resolve().parents if (up / "metrics.jsonl").exists()), None)
        if around is None:
            return None
        path = around
    game = dict(Run.open(path).settings["game"])
    base = game.get("base", "public_investment") if game_name(game["name"]) == Election.name else game
    return {"name": base} if isinstance(base, str) else dict(base)
