"""Games with one learner and policies in all other seats, the base of both Gymnasium views."""

from __future__ import annotations

from typing import Any

from lawgiver.envs.core.checks import require_declared
from lawgiver.envs.core.errors import ParameterError, allowed
from lawgiver.envs.core.game import Game
from lawgiver.envs.core.make import make_policy
from lawgiver.envs.core.policy import PolicyLike
from lawgiver.envs.views.session import Session


def check_role(game: Game[Any], role: str | None) -> str:
    """Return the role that learns.

    Raises:
        ParameterError: if it is missing or unknown.
    """
    if role is None:
        raise ParameterError(f"role is missing: {allowed('', game.roles)} (who learns; the others are given)")
    game.check_role(role)
    require_declared(game)
    return role


def learner_session(
    game: Game[Any], role: str, mechanism: PolicyLike | None, participants: PolicyLike | None
) -> Session:
    """Return a session in which one agent (the mechanism, or the first of a role) is played from outside.

    Raises:
        ParameterError: if the role that learns is given a policy, or a policy is none.
    """
    if role == "mechanism" and mechanism is not None and game.roles[role] == 1:
        raise ParameterError("role='mechanism' is played from outside: leave out mechanism=")
    given = {"mechanism": mechanism, "participant": participants}
    policies = {}
    for other in game.roles:
        if other == role and game.roles[role] == 1:
            continue
        policy = given[other]
        policies[other] = make_policy(game, other, "random" if policy is None else policy)
    partners = policies.pop(role, None)
    return Session(game, policies, partners)


def forget_entropy(env: Any, seed: Any) -> None:
    """Make an env that was never seeded draw new entropy at this reset.

    Its copies, deep or pickled, then play games of their own from their next reset on. After ``reset(seed=...)``, or
    with an ``np_random`` that was set from outside, later resets go on with that generator, in copies too.
    """
    env._seeded = env._seeded or seed is not None
    if not env._seeded and env._np_random_seed != -1:
        env._np_random = None
