"""Make games, policies and voters from a name with parameters, a folder, or an object."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from lawgiver.envs.core.checks import check_game, has_policy_methods, require_declared
from lawgiver.envs.core.errors import (
    ArgumentError,
    ParameterError,
    PluginError,
    UnknownNameError,
    allowed,
    brief,
    choice,
)
from lawgiver.envs.core.game import Game
from lawgiver.envs.core.policy import Policy, PolicyLike
from lawgiver.envs.core.registry import GAMES, ROLES, RUNS, VOTERS, entry, game_name, lookup, names, package_of


def call_with(function: Any, what: str, /, *args: Any, **params: Any) -> Any:
    """Call ``function``; an unknown or missing parameter raises an error that names it."""
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
    """Make a registered game.

    Args:
        name: name of the game (:func:`lawgiver.list_games`), with or without its version, the newest by default.
        params: parameters of the game, each as on its page; ``preset`` names published settings that the others
            override.

    Returns:
        the game: its rules as pure functions of arrays, and its known solutions.

    Raises:
        UnknownNameError: if there is no such game.
        ParameterError: if a parameter or preset is unknown, or a parameter outside its range; or if the game's class
            lacks a declaration.
        PluginError: if the object registered under the name is not a game, or lacks a method.

    Example:
        >>> import lawgiver
        >>> lawgiver.make_game("public_investment", endowments=(10, 4, 4, 4)).roles
        {'participant': 4, 'mechanism': 1}
    """
    full = game_name(name)
    made = game_maker(full)
    for key in params:
        hint = None if key in inspect.signature(made).parameters else parameter_hint(made, {}, key)
        if hint is not None:
            raise ArgumentError(
                f"got an unexpected keyword argument {key!r}: game {full!r} has no parameter {key!r}: {hint}"
            )
    for key, value in params.items():
        if isinstance(value, int) and value.bit_length() > 1000:  # no float holds it, and Python may not print it
            raise ParameterError(f"{key} is {brief(value)}, allowed: numbers that a float holds")
    if inspect.isabstract(made):
        undefined = ", ".join(sorted(made.__abstractmethods__))  # type: ignore[attr-defined]  # a class, if abstract
        package = package_of(entry(GAMES, full))
        raise PluginError(f"game {full!r} of package {package!r} does not define {undefined}")
    game: Game[Any] = call_with(made, f"game {full!r}", **with_preset(made, params))
    if not isinstance(game, Game):
        raise _no_game(full, game)
    require_declared(game)
    game.check_size()
    return game


def game_maker(game: str) -> Callable[..., Any]:
    """Look up the class or factory of a game by its full name.

    Raises:
        UnknownNameError, MissingExtraError, PluginError: as :func:`lookup`; PluginError too if it cannot be called.
    """
    made: Callable[..., Any] = lookup(GAMES, game)
    if not callable(made):
        raise _no_game(game, made)
    return made


def _no_game(name: str, found: Any) -> PluginError:
    package = package_of(entry(GAMES, name))
    return PluginError(f"game {name!r} of package {package!r} is {brief(found)}, allowed: a Game, or what makes one")


def parameter_hint(made: Any, params: Mapping[str, Any], key: str) -> str | None:
    """Suggest where a parameter belongs that neither the game nor its view has; None if nowhere.

    That is a game within the game (``Game.nested``), or a policy that a view is given by name in ``params``.
    """
    for parameter, inner in getattr(made, "nested", {}).items():
        if key in parameters_of(inner):
            return f"did you mean {key!r} among the parameters of {inner} in {parameter!r}?"
    for role, group in ROLES.items():
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
    return list(inspect.signature(game_maker(game_name(game))).parameters)


def with_preset(made: Any, params: Mapping[str, Any]) -> dict[str, Any]:
    """Return a game's parameters with those of its preset, if one is named."""
    presets = getattr(made, "presets", {})
    own = dict(params)
    if not presets or "preset" not in own:
        return own
    preset = own.pop("preset")
    return {**presets[choice("preset", preset, presets)], **own}


def is_folder(path: str | os.PathLike[str]) -> bool:
    """Test whether a value is the path of an existing folder."""
    try:
        return Path(path).is_dir()
    except (OSError, ValueError):  # what no path can be: too long a name, or one with a null character
        return False


def make_policy(game: Game[Any], role: str, policy: PolicyLike, **params: Any) -> Policy:
    """Make a policy for a role of a game.

    A name is looked up before the disk: ``./libertarian`` is the folder of that name, ``libertarian`` the mechanism.

    Args:
        game: the game it plays; of an election the policy plays the base game.
        role: ``mechanism`` or ``participant``.
        policy: a registered name, the folder of a run or of a saved policy, a run, ``{"policy": NAME, **parameters}``,
            or a policy, which is returned.
        params: parameters of a policy that is given by name.

    Returns:
        the policy, for batches of games.

    Raises:
        UnknownNameError: if there is no such policy.
        UnsupportedGameError: if it does not apply to this game.
        ParameterError: if a parameter is unknown, missing or outside its range, or ``role`` or ``policy`` is none.

    Example:
        >>> import lawgiver
        >>> game = lawgiver.make_game("public_investment")
        >>> mechanism = lawgiver.make_policy(game, "mechanism", "manifold", w=1, v=0)
    """
    check_game(game)
    if not isinstance(role, str) or role not in ROLES:
        raise ParameterError(f"unknown role {brief(role)}: {allowed(str(role), ROLES)}")
    return game.policy_for_role(role, lambda played: _make_policy(played, role, policy, params))


def _make_policy(game: Game[Any], role: str, policy: Any, params: dict[str, Any]) -> Policy:
    if isinstance(policy, Mapping):
        params = {**{str(key): value for key, value in policy.items()}, **params}
        policy = params.pop("policy", None)
    if isinstance(policy, (str, os.PathLike)):
        return _named_policy(game, role, policy, params)
    if not has_policy_methods(policy) or params:
        raise ParameterError(
            f"{role} is {brief(policy)}{f' with {params}' if params else ''}, allowed: a registered name ("
            f"{', '.join(names(ROLES[role]))}), the folder of a run or of a policy, "
            "{'policy': NAME, **parameters}, or a Policy"
        )
    made: Policy = policy
    return made


def _named_policy(game: Game[Any], role: str, name: str | os.PathLike[str], params: dict[str, Any]) -> Policy:
    if is_folder(name) and name not in names(ROLES[role]):
        if params:
            raise ParameterError(f"{role} {str(name)!r} is a folder, which takes no parameters: {', '.join(params)}")
        loaded: Policy = load_policy(name, role=role, game=game)
        return loaded
    if "/" in str(name):  # no name of a policy
        known = ", ".join(names(ROLES[role]))
        raise UnknownNameError(f"unknown {role} {brief(str(name))}: there is no such folder, allowed: one, or {known}")
    made: Policy = call_with(lookup(ROLES[role], str(name)), f"{role} {str(name)!r}", game, **params)
    return made


def make_voter(game: Game[Any], voter: Any) -> Any:
    """Make the voters of an election about a base game.

    Args:
        game: the base game, which the voters have played under each mechanism.
        voter: a registered name, the folder of a run that has fitted some or of saved voters, such a run,
            ``{"policy": NAME, **parameters}``, or a voter, which is returned.

    Returns:
        the voters: a function from experience to log-probabilities of votes.

    Raises:
        UnknownNameError: if there is no such voter.
        ParameterError: if a parameter is unknown, missing or outside its range.

    Example:
        >>> import lawgiver
        >>> voters = lawgiver.make_voter(lawgiver.make_game("public_investment"), "experience")
    """
    check_game(game)
    params: dict[str, Any] = {}
    if isinstance(voter, Mapping):
        params = {str(key): value for key, value in voter.items()}
        voter = params.pop("policy", None)
        if voter is None:
            raise ParameterError(f"voters are {params}, allowed: policy=NAME among them, of {', '.join(names(VOTERS))}")
    if isinstance(voter, (str, os.PathLike)) and is_folder(voter) and voter not in names(VOTERS) and not params:
        return load_policy(voter, role="voters", game=game)
    if isinstance(voter, str):
        return call_with(lookup(VOTERS, voter), f"voter {voter!r}", game, **params)
    if isinstance(voter, type) or not hasattr(voter, "log_probabilities") or params:
        raise ParameterError(
            f"voters are {brief(voter)}, allowed: a registered name ({', '.join(names(VOTERS))}), "
            "the folder of a run or of voters, {'policy': NAME, **parameters}, "
            "or an object with log_probabilities(experience)"
        )
    return voter


def load_policy(run: str | os.PathLike[str], role: str | None = None, game: Game[Any] | None = None) -> Any:
    """Load the policies that a run has learned: the policies by role; or, with ``role``, the policy of that role.

    Args:
        run: a run, or the folder of one; or, with ``role``, that of a single policy in it or copied from it.
        role: ``mechanism``, ``participant`` or ``voters``.
        game: the game they are to play, checked against the run's, which it is by default.

    Returns:
        a mapping of roles to policies, or one policy.

    Raises:
        RunError: if the folder is not a run, is damaged, or holds no policy of that role.
        UnsupportedGameError: if they were trained on another game.
        MissingExtraError: if a policy needs a package that is not installed, such as torch.

    Example:
        >>> import lawgiver
        >>> lawgiver.load("runs/public_investment/20260101-120000-s0", role="mechanism")  # doctest: +SKIP
    """
    if not isinstance(run, (str, os.PathLike)):
        raise ParameterError(f"the folder of a run is {run!r}, allowed: a path")
    if role is not None and not isinstance(role, str):
        raise ParameterError(f"role is {role!r}, allowed: None, mechanism, participant, voters")
    if game is not None:
        check_game(game)
    return lookup(RUNS, "folder")(run, role=role, game=game)
