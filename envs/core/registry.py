"""Names and what they stand for: the entry-point groups through which everything, the built-ins too, is found.

Names are read without importing what they point to. A package that declares one of the groups in its metadata shows
up in the command line, in configs and in the registries of Gymnasium and PettingZoo.
"""

from __future__ import annotations

import inspect
import logging
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeVar

import gymnasium
import pettingzoo
from gymnasium.envs.registration import registry as gymnasium_registry

from lawgiver.envs.core.errors import (
    ArgumentError,
    MissingExtraError,
    ParameterError,
    PluginError,
    UnknownNameError,
    allowed,
    choice,
    shown,
)
from lawgiver.envs.core.game import Game
from lawgiver.envs.core.policy import Policy, PolicyLike
from lawgiver.envs.core.policy_check import check_game, is_policy

V = TypeVar("V")

GAMES = "lawgiver.games"
OBJECTIVES = "lawgiver.objectives"
TRAINERS = "lawgiver.trainers"
POLICIES = {"mechanism": "lawgiver.mechanisms", "participant": "lawgiver.participants"}
"""The group in which the policies of a role are found."""
VOTERS = "lawgiver.voters"
RENAMED = {(OBJECTIVES, "nash_welfare"): "the sum of log(payoff + 0.001) is called 'log_nash_welfare' now; "}
"""What a name that is no longer registered stood for, by group and name."""
RUNS = "lawgiver.runs"
"""The group whose entry ``folder`` loads policies from a run's folder, and ``game`` tells the game that they were made
for; it keeps envs free of upward imports."""

OWN = "lawgiver"
"""The package whose names stand, whoever else declares them."""
GAME_NAME = re.compile(r"[A-Za-z0-9_]+-v[0-9]{1,9}")
_LOGGER = logging.getLogger(OWN)

PACKAGES = {
    "torch": ("torch", "safetensors"),
    "rllib": ("ray", "torch", "safetensors", "tensorboard"),
    "sb3": ("stable_baselines3",),
    "solve": ("scipy", "nashpy"),
    "bo": ("bayes_opt", "sklearn", "scipy"),
    "data": ("pyarrow",),
    "plot": ("matplotlib", "PIL"),
}
"""The packages that an extra brings, by the names under which they are imported."""
EXTRAS = {package: extra for extra, packages in reversed(PACKAGES.items()) for package in packages}
"""The extra that brings an optional package."""


@lru_cache
def _entries(group: str) -> dict[str, EntryPoint]:
    """Return the entries of a group by name; those that cannot be taken are left out, with one line logged for each."""
    taken: dict[str, tuple[str, EntryPoint]] = {}
    kind = _kind(group)
    declared = [(_package(entry), entry) for entry in entry_points(group=group)]
    for package, entry in sorted(declared, key=lambda one: (one[0] != OWN, one[0])):
        other, _ = taken.get(entry.name, (package, entry))
        fault = None
        if group == GAMES and not GAME_NAME.fullmatch(entry.name):
            fault = "allowed: letters, digits and _, then a version, such as some_game-v0"
        elif not EntryPoint.pattern.match(entry.value):
            fault = f"which points to {entry.value!r}, allowed: module:object"
        elif other != package:
            fault = f"which package {other!r} has already: take another name"
        if fault is None:
            taken[entry.name] = package, entry
        else:
            _LOGGER.warning("package %r declares the %s %r, %s; it is left out", package, kind, entry.name, fault)
    return {name: entry for name, (_, entry) in taken.items()}


def _package(entry: EntryPoint) -> str:
    return (entry.dist.name if entry.dist is not None else None) or "?"  # metadata may lack a name


def names(group: str) -> list[str]:
    """Return the registered names of a group, sorted."""
    return sorted(_entries(group))


def entry(group: str, name: str) -> EntryPoint:
    """Return what is declared under a name, without importing it.

    Raises:
        UnknownNameError: if nothing of that name is registered.
    """
    found = _entries(group).get(name) if isinstance(name, str) else None
    if found is None:
        moved = RENAMED.get((group, str(name)), "")
        raise UnknownNameError(f"unknown {_kind(group)} {shown(name)}: {moved}{allowed(str(name), _entries(group))}")
    return found


def _kind(group: str) -> str:
    return group.removeprefix("lawgiver.").removesuffix("s")


def lookup(group: str, name: str) -> Any:
    """Import and return what a name stands for.

    Raises:
        UnknownNameError: if nothing of that name is registered.
        MissingExtraError: if it needs a package that is not installed.
        PluginError: if it cannot be imported for another reason.
    """
    declared = entry(group, name)
    what = f"{_kind(group)} {name!r}"
    require_extras(what, *(extra for extra in declared.extras if extra in PACKAGES))
    try:
        with extras(what, *declared.extras):
            return declared.load()
    except MissingExtraError:
        raise
    except (Exception, SystemExit) as error:  # anybody's module: a syntax error, what it raises, a script's sys.exit()
        reason = f"{type(error).__name__}: {' '.join(str(error).split())}"
        raise PluginError(f"{what} of package {_package(declared)!r} cannot be imported: {reason}") from error


def installed(*needed: str) -> bool:
    """Whether all packages of some extras are installed."""
    return all(find_spec(package) is not None for extra in needed for package in PACKAGES[extra])


def require_extras(purpose: str, *needed: str) -> None:
    """Check that all packages of some extras are installed, without importing them.

    Raises:
        MissingExtraError: naming everything that is missing, and the extras that bring it.
    """
    missing = [package for extra in needed for package in PACKAGES[extra] if find_spec(package) is None]
    if missing:
        raise MissingExtraError(", ".join(dict.fromkeys(missing)), ",".join(needed), purpose)


@contextmanager
def extras(purpose: str, *needed: str) -> Iterator[None]:
    """Turn the failure to import an optional package into a MissingExtraError that says what it is needed for.

    ``needed`` are all extras that the purpose needs; the one that brings the package, by default.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package not in EXTRAS:
            raise
        raise MissingExtraError(package, ",".join(needed) or EXTRAS[package], purpose) from error


def game_name(name: str) -> str:
    """Return a game's full name: ``public_investment`` becomes its newest version, ``public_investment-v0``."""
    if not isinstance(name, str):
        raise UnknownNameError(f"unknown game {shown(name)}: {allowed(str(name), _entries(GAMES))}")
    name = name.removeprefix("lawgiver/")
    versions = [full for full in _entries(GAMES) if full.rpartition("-v")[0] == name]
    return max(versions, key=lambda full: int(full.rpartition("-v")[2])) if versions else name


def call_with(function: Any, what: str, /, *args: Any, **params: Any) -> Any:
    """Call ``function``, turning a parameter that it does not have, or that it misses, into an error that names it."""
    accepted = inspect.signature(function).parameters
    if not any(p.kind is p.VAR_KEYWORD for p in accepted.values()):
        options = list(accepted)[len(args) :]
        for key in params:
            if key not in options:
                raise ArgumentError(f"{what} has no parameter {key!r}: {allowed(key, options)}")
    missing = [
        p.name
        for p in list(accepted.values())[len(args) :]
        if p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD) and p.name not in params
    ]
    if missing:
        raise ArgumentError(f"{what} needs a value for each of its parameters: {', '.join(missing)} missing")
    return function(*args, **params)


def make_game(name: str, **params: Any) -> Game[Any]:
    """Return the game of that name, for instance ``make_game("public_investment", endowments=(10, 4, 4, 4))``.

    Of a game that has published settings, ``preset`` names the one that ``params`` then differ from.

    Raises:
        UnknownNameError: if there is no such game.
        ParameterError: if a parameter or preset is unknown, or a parameter outside its range.
        PluginError: if what is registered under the name is no game.
    """
    full = game_name(name)
    made = _maker(full)
    for key in params:
        hint = None if key in inspect.signature(made).parameters else _deeper(made, {}, key)
        if hint is not None:
            raise ArgumentError(
                f"got an unexpected keyword argument {key!r}: game {full!r} has no parameter {key!r}: {hint}"
            )
    for key, value in params.items():
        if isinstance(value, int) and value.bit_length() > 1000:  # no float holds it, and Python may not print it
            raise ParameterError(f"{key} is {shown(value)}, allowed: numbers that a float holds")
    game: Game[Any] = call_with(made, f"game {full!r}", **_of_preset(made, params))
    if not isinstance(game, Game):
        raise _no_game(full, game)
    game.check_size()
    return game


def _maker(game: str) -> Callable[..., Any]:
    """Return what a game's full name stands for.

    Raises:
        UnknownNameError, MissingExtraError, PluginError: as :func:`lookup`; PluginError too if it cannot be called.
    """
    made = lookup(GAMES, game)
    if not callable(made):
        raise _no_game(game, made)
    return made  # type: ignore[no-any-return]


def _no_game(name: str, found: Any) -> PluginError:
    package = _package(entry(GAMES, name))
    return PluginError(f"game {name!r} of package {package!r} is {shown(found)}, allowed: a Game, or what makes one")


def _deeper(made: Any, params: Mapping[str, Any], key: str) -> str | None:
    """Say where a parameter belongs that neither a game nor its view has, None if it is in none that is given there.

    That is a game within the game (``Game.nested``), or a policy that a view is given by name in ``params``.
    """
    for parameter, inner in getattr(made, "nested", {}).items():
        if key in parameters_of(inner):
            return f"did you mean {key!r} among the parameters of {inner} in {parameter!r}?"
    for role, group in POLICIES.items():
        keyword = "participants" if role == "participant" else role
        policy = params.get(keyword)
        if not isinstance(policy, str) or policy not in names(group):
            continue
        if key in list(inspect.signature(lookup(group, policy)).parameters)[1:]:
            return f"did you mean {keyword}={{'policy': {policy!r}, {key!r}: ...}}?"
    return None


def parameters_of(game: str) -> list[str]:
    """List the names of the parameters of a registered game.

    Raises:
        UnknownNameError: if there is no such game.
    """
    return list(inspect.signature(_maker(game_name(game))).parameters)


def _of_preset(made: Any, params: Mapping[str, Any]) -> dict[str, Any]:
    """Return a game's parameters with those of its preset, if one is named."""
    presets = getattr(made, "presets", {})
    own = dict(params)
    if not presets or "preset" not in own:
        return own
    preset = own.pop("preset")
    return {**presets[choice("preset", preset, presets)], **own}


def make_view(view: Callable[..., V], game: str, params: Mapping[str, Any], **fixed: Any) -> V:
    """Return a view of a registered game.

    Args:
        view: a class that takes the game and keyword-only options.
        game: its name.
        params: options of the view and parameters of the game, side by side; what both have is the game's. Where a
            policy is a run's folder, and ``game`` the one that it was trained on, parameters that are not given are
            the run's.
        fixed: options of the view that are not open to choice.

    Raises:
        ArgumentError: if a parameter is neither the view's nor the game's, or is missing; it is a TypeError too.
        ParameterError: if a parameter is outside its range.
    """
    made = _maker(game_name(game))
    accepted = inspect.signature(made).parameters
    params = {**_of_runs(game, params), **_of_preset(made, params)}
    options = [
        p.name
        for p in inspect.signature(view).parameters.values()
        if p.kind is p.KEYWORD_ONLY and p.name not in fixed and p.name not in accepted
    ]
    if not any(p.kind is p.VAR_KEYWORD for p in accepted.values()):
        for key in params:
            if key not in options and key not in accepted:
                hint = _deeper(made, params, key) or allowed(key, [*options, *accepted])
                # The first words are Python's own: wrappers look for them before they leave an argument out.
                raise ArgumentError(
                    f"got an unexpected keyword argument {key!r}: neither {game_name(game)!r} nor its view has a "
                    f"parameter {key!r}: {hint}"
                )
    rules = make_game(game, **{key: value for key, value in params.items() if key not in options})
    return view(rules, **{key: value for key, value in params.items() if key in options}, **fixed)


def _of_runs(game: str, params: Mapping[str, Any]) -> dict[str, Any]:
    """Return the game's parameters in the runs whose policies a view is given; none where these are of several games.

    Raises:
        RunError: if a folder is no run's.
    """
    found: list[dict[str, Any]] = []
    for role in POLICIES:
        policy = params.get("participants" if role == "participant" else role)
        if isinstance(policy, (str, Path)) and policy not in _entries(POLICIES[role]) and _is_folder(policy):
            trained = lookup(RUNS, "game")(policy)
            if trained is not None and game_name(trained["name"]) == game_name(game) and trained not in found:
                found.append(trained)
    return {key: value for key, value in found[0].items() if key != "name"} if len(found) == 1 else {}


def _is_folder(path: str | Path) -> bool:
    try:
        return Path(path).is_dir()
    except (OSError, ValueError):  # what no path can be: too long a name, or one with a null character
        return False


def make_policy(game: Game[Any], role: str, policy: PolicyLike, **params: Any) -> Policy:
    """Return a policy for a role of a game.

    A name is looked up before the disk: ``./libertarian`` is the folder of that name, ``libertarian`` the mechanism.

    Args:
        game: that is played.
        role: ``mechanism`` or ``participant``.
        policy: a registered name, the folder of a run or of a saved policy, ``{"policy": NAME, **parameters}``, or a
            policy, which is returned.
        params: of a policy that is given by name.

    Raises:
        UnknownNameError: if there is no such policy.
        UnsupportedGameError: if it does not apply to this game.
        ParameterError: if a parameter is unknown, missing or outside its range, or ``role`` or ``policy`` is none.
    """
    check_game(game)
    if not isinstance(role, str) or role not in POLICIES:
        raise ParameterError(f"unknown role {shown(role)}: {allowed(str(role), POLICIES)}")
    return game.given(role, lambda played: _make_policy(played, role, policy, params))


def _make_policy(game: Game[Any], role: str, policy: Any, params: dict[str, Any]) -> Policy:
    if isinstance(policy, Mapping):
        params = {**{str(key): value for key, value in policy.items()}, **params}
        policy = params.pop("policy", None)
    if isinstance(policy, (str, Path)):
        return _named_policy(game, role, policy, params)
    if not is_policy(policy) or params:
        raise ParameterError(
            f"{role} is {shown(policy)}{f' with {params}' if params else ''}, allowed: a registered name ("
            f"{', '.join(names(POLICIES[role]))}), the folder of a run or of a policy, "
            "{'policy': NAME, **parameters}, or a Policy"
        )
    made: Policy = policy
    return made


def _named_policy(game: Game[Any], role: str, name: str | Path, params: dict[str, Any]) -> Policy:
    if _is_folder(name) and name not in _entries(POLICIES[role]):
        if params:
            raise ParameterError(f"{role} {str(name)!r} is a folder, which takes no parameters: {', '.join(params)}")
        loaded: Policy = load_policy(name, role=role, game=game)
        return loaded
    if "/" in str(name):  # no name of a policy
        known = ", ".join(names(POLICIES[role]))
        raise UnknownNameError(f"unknown {role} {shown(str(name))}: there is no such folder, allowed: one, or {known}")
    made: Policy = call_with(lookup(POLICIES[role], str(name)), f"{role} {str(name)!r}", game, **params)
    return made


def make_voter(game: Game[Any], voter: Any) -> Any:
    """Return the voters of an election about a base game.

    Args:
        game: the base game, which the voters have played under each mechanism.
        voter: a registered name, the folder of a run that has fitted some or of saved voters,
            ``{"policy": NAME, **parameters}``, or a voter, which is returned.

    Raises:
        UnknownNameError: if there is no such voter.
        ParameterError: if a parameter is unknown, missing or outside its range.
    """
    check_game(game)
    params: dict[str, Any] = {}
    if isinstance(voter, Mapping):
        params = {str(key): value for key, value in voter.items()}
        voter = params.pop("policy", None)
        if voter is None:
            raise ParameterError(f"voters are {params}, allowed: policy=NAME among them, of {', '.join(names(VOTERS))}")
    if isinstance(voter, (str, Path)) and _is_folder(voter) and voter not in _entries(VOTERS) and not params:
        return load_policy(voter, role="voters", game=game)
    if isinstance(voter, str):
        return call_with(lookup(VOTERS, voter), f"voter {voter!r}", game, **params)
    if isinstance(voter, type) or not hasattr(voter, "log_probabilities") or params:
        raise ParameterError(
            f"voters are {shown(voter)}, allowed: a registered name ({', '.join(names(VOTERS))}), "
            "the folder of a run or of voters, {'policy': NAME, **parameters}, "
            "or an object with log_probabilities(experience)"
        )
    return voter


def load_policy(run: str | Path, role: str | None = None, game: Game[Any] | None = None) -> Any:
    """Return the learned policies of a run's folder, by role; or, with ``role``, the policy of that role.

    Args:
        run: a folder that ``lawgiver train`` wrote; or, with ``role``, that of a single policy in it or copied from it.
        role: ``mechanism``, ``participant`` or ``voters``.
        game: the game they are to play, checked against the run's.
    """
    if not isinstance(run, (str, Path)):
        raise ParameterError(f"the folder of a run is {run!r}, allowed: a path")
    if role is not None and not isinstance(role, str):
        raise ParameterError(f"role is {role!r}, allowed: None, mechanism, participant, voters")
    if game is not None:
        check_game(game)
    return lookup(RUNS, "folder")(run, role=role, game=game)


def register_views() -> None:
    """Register every installed game with Gymnasium and PettingZoo, without importing it."""
    for name in names(GAMES):
        env_id = f"lawgiver/{name}"
        if env_id in gymnasium_registry:
            continue
        gymnasium.register(
            env_id,
            entry_point="lawgiver.envs.views.single:make_env",
            vector_entry_point="lawgiver.envs.views.vector:make_vector_env",
            disable_env_checker=True,
            order_enforce=False,
            kwargs={"game": name},
        )
        pettingzoo.register("parallel", env_id, "lawgiver.envs.views.parallel:make_parallel_env", kwargs={"game": name})
        pettingzoo.register("aec", env_id, "lawgiver.envs.views.aec:make_aec_env", kwargs={"game": name})
