"""Audits of mechanisms by name or run folder, as the command line asks for them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import Field, ValidationError

from lawgiver.envs.core.errors import ParameterError, UnsupportedGameError
from lawgiver.envs.core.make import make_policy
from lawgiver.envs.core.registry import GAMES, POLICIES, game_name, lookup, names
from lawgiver.envs.families.reporting_game import ReportingGame
from lawgiver.envs.goal_collection import GoalCollection
from lawgiver.trainers.audit.core import CHUNK, EFFORT, audit_game
from lawgiver.trainers.audit.result import Audit
from lawgiver.trainers.audit.search import STREAM
from lawgiver.trainers.plots.drawing import can_draw
from lawgiver.trainers.runs.atomic_files import write_json
from lawgiver.trainers.runs.compatibility import POLICY
from lawgiver.trainers.runs.config import GameConfig, Natural, Seed, Settings, apply_overrides, described
from lawgiver.trainers.runs.config_errors import complaint
from lawgiver.trainers.runs.run import Run


class AuditSettings(Settings):
    """What an audit on the command line is about."""

    game: GameConfig
    """That is played; that of the run where a run is audited."""
    profiles: Annotated[int, Field(ge=2)] = 200
    """Games with types of their own, of which every participant is searched."""
    effort: Natural = EFFORT
    """How long is searched; see :func:`lawgiver.trainers.audit.audit`."""
    seed: Seed = 0
    """Of the types and of the search."""
    chunk: Natural = CHUNK
    """Games that are played at once, which bounds memory."""
    gradient: bool = True
    """Whether slopes are climbed, where torch is installed and there are any."""


def audit_named(subject: str, game: str | None, overrides: Sequence[str]) -> tuple[AuditSettings, Audit]:
    """Return the audit of a mechanism that is given by its registered name, as a run folder, or with parameters.

    Args:
        subject: a name, a folder, or YAML of the form ``{policy: NAME, ...}``.
        game: the name of a reporting game; None for the one that the run was trained on.
        overrides: ``key=value``, of :class:`AuditSettings`; ``game.n=5`` is a parameter of the game.

    Raises:
        ParameterError: if there is no game, or an override is wrong.
        UnsupportedGameError: if nobody reports anything in the game, it is audited elsewhere, or the mechanism does not
            play it.
        LawgiverError: if a name is unknown.
    """
    data = apply_overrides({"game": _played(subject, game)}, overrides)
    if isinstance(data["game"], dict) and "name" not in data["game"]:
        raise ParameterError(f"--game is missing, allowed: {', '.join(_reporting_games())}")
    try:
        settings = AuditSettings.model_validate(data)
    except ValidationError as error:
        raise ParameterError(complaint(AuditSettings, data, error)) from None
    made = settings.game.make().base_game_of("mechanism")
    if isinstance(made, GoalCollection):
        raise UnsupportedGameError(
            f"mechanisms of {made.name} charge by their walks without each participant, as trainer 'learned_follower'"
            " does: its audit is in the run's summary.json (trainer.evaluation.audited profiles) and part of `lawgiver"
            f" evaluate RUN`; allowed here: {', '.join(_reporting_games())}"
        )
    if not isinstance(made, ReportingGame):
        raise UnsupportedGameError(
            f"nobody reports anything in {made.name}, so that nothing can be misreported, allowed:"
            f" {', '.join(_reporting_games())}"
        )
    mechanism = make_policy(made, "mechanism", described(subject))
    types = made.initial_state(settings.profiles, np.random.default_rng([STREAM, settings.seed])).types
    found = audit_game(
        made,
        mechanism,
        types,
        effort=settings.effort,
        seed=settings.seed,
        chunk=settings.chunk,
        gradient=settings.gradient,
    )
    return settings, found


def _played(subject: str, game: str | None) -> dict[str, Any]:
    """Return the game's config: the run's own, unless another game is asked for; empty if nothing says which."""
    folder = Path(subject)
    known: dict[str, Any] = {}
    if folder.is_dir() and subject not in names(POLICIES["mechanism"]) and not (folder / POLICY).exists():
        known = dict(Run.open(folder).settings["game"])
    if game is None or (known and game_name(game) == game_name(known["name"])):
        return known
    return {"name": game}


def _reporting_games() -> list[str]:
    return [name for name in names(GAMES) if issubclass(lookup(GAMES, name), ReportingGame)]


def keep(folder: Path, subject: str, settings: AuditSettings, found: Audit) -> list[Path]:
    """Write audit.json and, where matplotlib is installed, the figure of gains; return what was written.

    ``folder`` is there already.

    Raises:
        RunError: if they cannot be written.
    """
    file = folder / "audit.json"
    write_json(file, {"mechanism": subject, "settings": settings.model_dump(mode="json"), **found.data()})
    if not can_draw():
        return [file]
    from lawgiver.trainers.audit.figures import gains
    from lawgiver.trainers.plots.curves import save
    from lawgiver.trainers.runs.headings import game_line

    picture = folder / "gains.png"
    save(gains(found), picture, f"{subject}: {game_line(settings.game.make())}")
    return [file, picture]
