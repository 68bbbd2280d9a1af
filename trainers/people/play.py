"""Play a game in a browser on this machine: one person takes a seat, policies play the others."""

from __future__ import annotations

import os
import webbrowser
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from lawgiver.envs.core.checks import check_policy
from lawgiver.envs.core.errors import LawgiverError, ParameterError, UnsupportedGameError, integer
from lawgiver.envs.core.game import Game
from lawgiver.envs.core.make import make_policy
from lawgiver.envs.core.policy import Policy
from lawgiver.envs.core.registry import ROLES, entry, names, require_extras
from lawgiver.envs.core.wording import require_participants
from lawgiver.trainers.runs.config import checked
from lawgiver.trainers.runs.overrides import apply_overrides, game_settings
from lawgiver.trainers.settings.base import GameConfig, Seed, Settings

if TYPE_CHECKING:
    from lawgiver.trainers.people.solo import Solo

OTHERS = ("simulated_people", "truthful", "random")
"""Policies of the other seats by default: the first that plays the game."""
MECHANISMS = (
    "liberal_egalitarian",
    "no_mechanism",
    "vcg",
    "proportional_fairness",
    "deferred_acceptance",
    "borda",
    "median",
)
"""Mechanisms by default: the first that plays the game; then any other that does, ``random`` last."""


class PlaySettings(Settings):
    """Settings of a game that is played."""

    game: GameConfig
    mechanism: str | dict[str, Any] | None = None
    """A mechanism's name, a run's folder, or ``{policy: NAME, ...}``."""
    mechanisms: Annotated[tuple[str | dict[str, Any], ...], Field(min_length=2)] | None = None
    """Several, each of which rules a game, before a vote on which of them rules one more."""
    others: str | dict[str, Any] | None = None
    """Policy of the other seats."""
    seed: Seed | None = None
    """Of the games, the n-th of which draws from ``[seed, n]``; None for another one each time."""


def play(
    game: str | Mapping[str, Any] | Game[Any],
    *,
    port: int = 8000,
    keep: str | os.PathLike[str] | None = None,
    open_page: bool = False,
    **settings: Any,
) -> None:
    """Serve a game to one person in a browser on this machine, with policies in the other seats, until interrupted.

    Args:
        game: its name, ``{"name": NAME, **parameters}``, or a game.
        port: of 127.0.0.1; 0 for a free one.
        keep: a SQLite file that keeps what is played, so that it goes on where it stopped; None to forget it.
        open_page: whether a browser is told to open the page.
        settings: ``mechanism`` (a registered name, a run's folder, or ``{"policy": NAME, **parameters}``; by default
            one that plays the game), or ``mechanisms`` (two or more: each rules a game, in an order that is drawn and
            told at the end, before a vote on which of them rules one more), ``others`` (policy of the other seats, by
            default ``simulated_people``, ``truthful`` or ``random``) and ``seed`` (by default another one each time). A
            key such as ``game.n_rounds`` changes one parameter of the game.

    Raises:
        ParameterError: if a setting is wrong, or the port is taken.
        UnsupportedGameError: if people cannot play the game, or a policy does not fit it.
        StoreError: if the file cannot be used.
        MissingExtraError: if the packages of the extra ``people`` are not installed.

    Example:
        >>> import lawgiver
        >>> lawgiver.play("public_investment", mechanisms=["libertarian", "liberal_egalitarian"])  # doctest: +SKIP
    """
    integer("port", port, 0, 65535)
    with opened(game, keep, **settings) as solo:
        from lawgiver.trainers.people.serve import Server, listening, serve
        from lawgiver.trainers.people.server import make_application
        from lawgiver.trainers.people.solo_routes import solo_routes

        with listening(port) as own:
            address = f"http://{own.getsockname()[0]}:{own.getsockname()[1]}/"
            print(f"play at {address}; stop with Ctrl-C", flush=True)
            if open_page:
                webbrowser.open(address)
            serve(Server(solo, make_application(solo, solo_routes())), own)


@contextmanager
def opened(
    game: str | Mapping[str, Any] | Game[Any], keep: str | os.PathLike[str] | None = None, **settings: Any
) -> Iterator[Solo]:
    """Make all that is needed to play, so that nothing is served that could not be; see :func:`play`."""
    require_extras("lawgiver play", "people")
    from lawgiver.trainers.people.solo import Solo
    from lawgiver.trainers.people.store import Store

    asked = checked(PlaySettings, apply_overrides({"game": game_settings(game)}, settings))
    made = asked.game.make()
    require_participants(made)
    others, partners = _policy(made, "participant", asked.others, OTHERS)
    mechanisms = _mechanisms(made, asked)
    config = {"game": asked.game.model_dump(mode="json"), "mechanisms": list(mechanisms), "others": others}
    with closing(Store(None if keep is None else Path(keep), config, asked.seed)) as store:
        yield Solo(made, mechanisms, partners, store)


def _mechanisms(game: Game[Any], asked: PlaySettings) -> dict[str, Policy]:
    """Make the mechanisms by name, one by default; none for a game without."""
    if asked.mechanism is not None and asked.mechanisms is not None:
        raise ParameterError("mechanism and mechanisms are both given, allowed: one of them")
    given = asked.mechanisms or (() if asked.mechanism is None else (asked.mechanism,))
    if "mechanism" not in game.roles:
        if given:
            raise ParameterError(f"mechanism is {label_of(given[0])!r}, allowed: none, as {game.name} has none")
        return {}
    if not given:
        return dict([_policy(game, "mechanism", None, _default_mechanisms())])
    made = [_policy(game, "mechanism", one, ()) for one in given]
    twice = [name for place, (name, _) in enumerate(made) if name in [earlier for earlier, _ in made[:place]]]
    if twice:
        raise ParameterError(f"mechanisms have {twice[0]!r} twice, allowed: each once")
    return dict(made)


def _default_mechanisms() -> Iterator[str]:
    group = ROLES["mechanism"]
    yield from MECHANISMS
    yield from (name for name in names(group) if name != "random" and not entry(group, name).extras)
    yield "random"


def _policy(game: Game[Any], role: str, given: Any, default: Iterable[str]) -> tuple[str, Policy]:
    """Make a policy that is asked for, or the first by default that plays the game; return its name too."""
    if given is not None:
        return label_of(given), make_policy(game, role, given)
    for name in default:
        try:
            made = make_policy(game, role, name)
            check_policy(game, role, made)
        except LawgiverError:  # for another game, or one that needs parameters
            continue
        return name, made
    raise UnsupportedGameError(f"no registered {role} plays {game.name}, allowed: one that is given")


def label_of(given: Any) -> str:
    """Write a policy's name; of one with parameters as on the command line."""
    return given if isinstance(given, str) else f"{{{', '.join(f'{key}: {value}' for key, value in given.items())}}}"
