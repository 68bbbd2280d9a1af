"""Check what a game declares, and that a policy can play a role of it, before anything relies on either."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from inspect import get_annotations
from typing import TYPE_CHECKING, Any, TypeGuard

import gymnasium
import numpy as np

from lawgiver.envs.core.errors import LawgiverError, ParameterError, UnsupportedGameError, allowed, brief
from lawgiver.envs.core.policy import OutcomePolicy, Policy
from lawgiver.envs.core.registry import ROLES
from lawgiver.envs.core.validation import check_given, check_outcome

if TYPE_CHECKING:
    from lawgiver.envs.core.game import Game


def check_game(game: Any) -> None:
    """Raise ParameterError unless ``game`` is a game (and not its name, say)."""
    if isinstance(game, type) or not hasattr(game, "check_role"):  # a Game itself checks policies, so none is imported
        made = f"lawgiver.make_game({game if isinstance(game, str) else 'NAME'!r})"
        raise ParameterError(f"game is {game!r}, allowed: a Game, such as {made}")


def declaration_error(game: Game[Any]) -> str | None:
    """Describe the first missing declaration, or the role whose name is not allowed; None if there is none."""
    made = type(game).__name__
    for base in reversed(type(game).__mro__):
        for name, hint in get_annotations(base).items():
            declared = str(hint).removeprefix("typing.")
            if declared.startswith("ClassVar") and not hasattr(game, name):
                return f"{made} declares no {name}: allowed: an attribute of the class, {name}: {declared} = ..."
    for role in game.roles:
        if role not in ROLES:
            return f"{made} has a role {brief(role)}: {allowed(str(role), ROLES)}"
    return None


def require_declared(game: Game[Any]) -> None:
    """Raise ParameterError if a declaration of the game's class is missing, or a role has another name than allowed."""
    error = declaration_error(game)
    if error is not None:
        raise ParameterError(error)


def has_policy_methods(policy: Any) -> TypeGuard[Policy]:
    """Test whether an object has a policy's methods and is not a class."""
    return isinstance(policy, Policy) and not isinstance(policy, type)


def check_policy(game: Game[Any], role: str, policy: Any, *, distribution: bool = False, playable: bool = True) -> None:
    """Check that a policy can play a role, by playing one phase of a separate game.

    Args:
        game: the game.
        role: ``mechanism`` or ``participant``.
        policy: the policy to check; it draws from a generator of its own.
        distribution: whether its distribution is needed besides its actions.
        playable: whether its outcome has to be one that the views play; a learned rule may lie outside of what can be
            announced, and is evaluated and audited all the same.

    Raises:
        ParameterError: if ``game`` is no game, has no such role, or ``policy`` is no policy: a name, say.
        ActionError: if its actions or outcome are not allowed.
        UnsupportedGameError: if it is of another role, or of a game of other observations or actions.
    """
    require_policy(game, role, policy)
    with mismatch_errors(game, role, policy):
        _play_once(game, role, policy, distribution, playable)


def require_policy(game: Game[Any], role: str, policy: Any) -> None:
    """Raise ParameterError if ``game`` is no game, has no such role, or ``policy`` is no policy."""
    check_game(game)
    game.check_role(role)
    if not has_policy_methods(policy):
        made = f"lawgiver.make_policy(game, {role!r}, {policy if isinstance(policy, str) else 'NAME'!r})"
        methods = ("initial_state", "distribution", "act")
        lacking = [name for name in methods if not hasattr(policy, name)]
        without = f" without {', '.join(lacking)}" if 0 < len(lacking) < len(methods) else ""
        raise ParameterError(f"{role} is {policy!r}{without}, allowed: a Policy, such as {made}")


@contextmanager
def mismatch_errors(game: Game[Any], role: str, policy: Policy) -> Iterator[None]:
    """Convert errors raised by a policy for another role or game to one UnsupportedGameError."""
    try:
        yield
    except LawgiverError:
        raise
    except Exception as error:  # a policy may be anybody's code
        what = f"{type(error).__name__}: {' '.join(str(error).split())}"
        raise UnsupportedGameError(
            f"the policy given to the {role}, {type(policy).__name__}, does not play {game.name} as it is here: {what}"
        ) from error


def _play_once(game: Game[Any], role: str, policy: Policy, distribution: bool, playable: bool) -> None:
    """Play a policy's first phase in one game, the phases before with the lowest actions."""
    rng = np.random.default_rng(0)
    state = game.initial_state(1, rng)
    for _ in range(game.max_steps):
        if game.phase(state) == role:
            break
        state, *_ = game.step(state, _lowest_actions(game, game.phase(state)), game.draw(1, rng))
    obs, mask = game.observe(state, role), game.legal_actions(state, role)
    memory = policy.initial_state(1, rng)
    if isinstance(policy, OutcomePolicy):
        check_outcome(game, state, role, policy.outcome(obs, mask, memory, rng)[0], 1, playable=playable)
    else:
        check_given(game, state, role, policy.act(obs, mask, memory, rng)[0], 1)
    if not distribution or isinstance(policy, OutcomePolicy):  # it is queried for its outcome, not its distribution
        return
    space = game.action_space(role)
    per_seat = (int(space.n),) if isinstance(space, gymnasium.spaces.Discrete) else (2, *(space.shape or ()))
    shape, found = (1, game.roles[role], *per_seat), np.shape(policy.distribution(obs, mask, memory)[0])
    if found != shape:
        raise UnsupportedGameError(
            f"the policy given to the {role}, {type(policy).__name__}, does not play {game.name} as it is here: its"
            f" distribution is {found}, not {shape}"
        )


def _lowest_actions(game: Game[Any], role: str) -> np.ndarray:
    """Return the lowest action for every agent of a role, (1, n_role[, k])."""
    space = game.action_space(role)
    lowest: Any = space.low if isinstance(space, gymnasium.spaces.Box) else int(space.start)  # type: ignore[attr-defined]
    return np.broadcast_to(lowest, (1, game.roles[role], *(space.shape or ())))
