"""Audits of mechanisms that are given by name, with parameters, or as run folders."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, TypedDict, Unpack

import numpy as np
from pydantic import AfterValidator, Field

from lawgiver.agents.learned import DESCRIPTION
from lawgiver.envs.core.errors import ParameterError, UnsupportedGameError
from lawgiver.envs.core.game import Game
from lawgiver.envs.core.make import make_policy
from lawgiver.envs.core.policy import PolicyLike
from lawgiver.envs.core.registry import GAMES, ROLES, game_name, lookup, names
from lawgiver.envs.families.auction_game import AuctionGame
from lawgiver.envs.families.reporting_game import ReportingGame
from lawgiver.trainers.audit.auctions import audit_auction
from lawgiver.trainers.audit.core import CHUNK, EFFORT, audit_game
from lawgiver.trainers.audit.ex_interim import RIVALS
from lawgiver.trainers.audit.result import Audit
from lawgiver.trainers.runs.config import checked
from lawgiver.trainers.runs.overrides import apply_overrides, described, game_settings, label
from lawgiver.trainers.runs.run import Run
from lawgiver.trainers.settings.base import GameConfig, Natural, Seed, Settings
from lawgiver.trainers.statistics.streams import AUDIT

AUDITED = ReportingGame, AuctionGame
"""Families of games whose mechanisms are audited."""


def _sample(count: int) -> int:
    if count < 0 or count == 1:
        raise ValueError("allowed: 0 for gains ex post alone, or an integer >= 2")
    return count


class AuditSettings(Settings):
    """Settings of an audit of a named mechanism."""

    game: GameConfig
    """The game; that of the run where a run is audited."""
    profiles: Annotated[int, Field(ge=2)] = 200
    """Number of games, each with its own types; every participant of each is searched."""
    effort: Natural = EFFORT
    """Length of the search; see :func:`lawgiver.trainers.audit.audit`."""
    seed: Seed = 0
    """Seed of the types and of the search."""
    chunk: Natural = CHUNK
    """Maximum number of games played in parallel, which bounds memory."""
    gradient: bool = True
    """Whether gradients are used, where torch is installed and the rule has any."""
    rivals: Annotated[int, AfterValidator(_sample)] = RIVALS
    """Draws of the others' types in each of two samples, for ex interim gains in auctions; 0 for ex post ones alone."""


class AuditOptions(TypedDict, total=False):
    """Keyword arguments of :func:`audit`."""

    profiles: int
    effort: int
    seed: int
    chunk: int
    gradient: bool
    rivals: int
    preset: str


def audit(
    mechanism: PolicyLike | Run,
    game: str | Mapping[str, Any] | Game[Any] | None = None,
    participants: PolicyLike | Run | None = None,
    **settings: Unpack[AuditOptions],
) -> Audit:
    """Search for misreports that pay under a mechanism.

    Every participant of every profile is searched for its own best report while the others tell the truth. The gains
    are ex post, over what it gets by the truth when it knows what all others report, and lower bounds: what was not
    found may still be there. Where a game reads reports as one of a few, as ballots, all of these are tried in place of
    a search, and the audit is exact. In auctions, where a bid is a report of one's worth, ex interim gains are measured
    as well, of who knows only its own type.

    Args:
        mechanism: a registered name, ``{"policy": NAME, **parameters}``, a run, the folder of a run or of a saved
            policy, or a policy.
        game: a reporting game or an auction by name, as ``{"name": NAME, **parameters}``, or itself. Of a run the game
            that it was trained on is the default, and parameters without a name change that one.
        participants: bidders of an auction, as ``mechanism`` is given: gains are over their bids. None for bidders who
            bid what things are worth to them.
        settings: ``profiles`` (number of games, each with its own types, >= 2; 200 by default), ``effort`` (length of
            the search, in pairs of rounds, >= 1; 2), ``seed`` (of the types and of the search; 0), ``chunk`` (games
            played in parallel, which bounds memory; 4096), ``gradient`` (whether gradients are used, where torch is
            installed and the rule has any; True), ``rivals`` (draws of the others' types in each of two samples, for ex
            interim gains in auctions, 0 for none; 256). A key such as ``game.n`` changes one parameter of the game,
            and ``preset`` names its published settings.

    Returns:
        the audit: whether it is ``.exact``; ``.regrets`` by group of fields, ``.largest_gain``, ``.payoffs``,
        ``.payments``, ex post, and ``.ex_interim`` of auctions; ``.data()`` is all of it as plain data,
        ``.save(folder)`` writes audit.json and a figure.

    Raises:
        ParameterError: if there is no game, a setting is wrong, or there are ``participants`` but no auction.
        UnsupportedGameError: if nobody reports anything in the game, it is audited elsewhere, or the mechanism does not
            play it.
        LawgiverError: if a name is unknown.

    Example:
        >>> import lawgiver
        >>> found = lawgiver.audit("vcg", {"name": "sequential_sales", "n": 3, "m": 2}, profiles=20)
        >>> found.largest_gain <= found.profitable_above
        True
    """
    subject = os.fspath(mechanism) if isinstance(mechanism, os.PathLike) else mechanism
    given = {"game.preset" if key == "preset" else key: value for key, value in settings.items()}
    data = apply_overrides({"game": _played(subject, game)}, given)
    if isinstance(data["game"], dict) and "name" not in data["game"]:
        raise ParameterError(f"game is missing, allowed: {', '.join(_audited_games())}")
    asked = checked(AuditSettings, data)
    whole = asked.game.make()
    made = whole.base_game_of("mechanism")
    if not isinstance(made, AUDITED):
        why = made.unaudited or f"nobody reports anything in {made.name}, so that nothing can be misreported"
        raise UnsupportedGameError(f"{why}; allowed: {', '.join(_audited_games())}")
    policy = make_policy(made, "mechanism", described(subject))
    types = made.initial_state(asked.profiles, np.random.default_rng([AUDIT, asked.seed])).types
    search: dict[str, Any] = {key: getattr(asked, key) for key in ("effort", "seed", "chunk", "gradient")}
    used = asked.model_dump(mode="json")
    if isinstance(made, ReportingGame):
        if participants is not None or "rivals" in settings:
            what = "rivals" if participants is None else "participants"
            raise ParameterError(f"{what} given for {made.name}, of which the truth is audited, allowed: an auction")
        del used["rivals"]
        found = audit_game(made, policy, types, **search)
    else:
        bidders = os.fspath(participants) if isinstance(participants, os.PathLike) else participants
        used["participants"] = None if bidders is None else label(bidders)
        who = None if bidders is None else make_policy(made, "participant", described(bidders))
        found = audit_auction(made, policy, types, participants=who, rivals=asked.rivals, **search)
    return replace(found, mechanism=label(subject), settings=used)


def _played(subject: Any, game: str | Mapping[str, Any] | Game[Any] | None) -> dict[str, Any]:
    """Determine the game's config: the run's own with the changes to it, unless another game is given."""
    known: dict[str, Any] = {}
    if isinstance(subject, str) and subject not in names(ROLES["mechanism"]):
        folder = Path(subject)
        if folder.is_dir() and not (folder / DESCRIPTION).exists():
            known = dict(Run.open(folder).settings["game"])
    if game is None:
        return known
    asked = game_settings(game)
    if known and game_name(asked.get("name", known["name"])) == game_name(known["name"]):
        return {**known, **asked, "name": known["name"]}
    return asked


def _audited_games() -> list[str]:
    return [name for name in names(GAMES) if issubclass(lookup(GAMES, name), AUDITED)]
