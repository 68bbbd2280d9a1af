"""Observations and infos of agents, with the mask of legal actions in the info or beside the observation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import gymnasium
import numpy as np

from lawgiver.envs.core.errors import ParameterError, UnsupportedGameError, brief
from lawgiver.envs.core.fields import Field, box
from lawgiver.envs.core.game import Game

MASK = "action_mask"
"""The key of masks, in infos and in observations."""
ACTS_NOW = Field("acts_now", 1, 0.0, 1.0, "flag", "1 if it is this agent's turn, else its action is ignored")


def mask_key(option: bool | str) -> str | None:
    """Return the key of the observation in a dict with the mask, None where the mask is in the info.

    Args:
        option: ``mask_in_observation`` of a view: False, True for ``observation``, or another key, such as
            ``observations``, which RLlib's action-masking module reads.

    Raises:
        ParameterError: if it is none of these.
    """
    if isinstance(option, str) and option not in ("", MASK):
        return option
    if isinstance(option, bool | np.bool_):
        return "observation" if option else None
    raise ParameterError(f"mask_in_observation is {brief(option)}, allowed: true, false, or a key other than {MASK!r}")


def observation_space(
    game: Game[Any], role: str, actions: gymnasium.Space[Any], *, key: str | None, flagged: bool = False
) -> gymnasium.Space[Any]:
    """Return the observation space of one agent.

    Args:
        game: the game.
        role: role of the agent.
        actions: the space of its actions.
        key: of the observation beside which the mask stands, where actions are Discrete; see :func:`mask_key`.
        flagged: whether the observation ends with ``acts_now``.
    """
    space = box(game.observation_layout(role) + ((ACTS_NOW,) if flagged else ()))
    if key is None or not isinstance(actions, gymnasium.spaces.Discrete):
        return space
    return gymnasium.spaces.Dict({key: space, MASK: gymnasium.spaces.Box(0, 1, (int(actions.n),), np.int8)})


def masks(
    game: Game[Any], state: Any, role: str, actions: gymnasium.Space[Any], *, everywhere: bool
) -> np.ndarray | None:
    """Return the masks of a role, int8 (B, n_role, n_actions), None where there are none.

    With ``everywhere`` there is one for every role whose ``actions`` are Discrete, all ones where nothing is forbidden.
    """
    mask = game.legal_actions(state, role)
    if mask is not None:
        return mask.astype(np.int8)  # type: ignore[no-any-return]
    if everywhere and isinstance(actions, gymnasium.spaces.Discrete):
        return np.ones((*game.observe(state, role).shape[:2], int(actions.n)), np.int8)
    return None


def learner_masks(game: Game[Any], state: Any, role: str, actions: gymnasium.Space[Any]) -> np.ndarray:
    """Mask the legal actions of a role's agent 0, bool (B, n_actions).

    Raises:
        UnsupportedGameError: if its ``actions`` are not Discrete.
    """
    found = masks(game, state, role, actions, everywhere=True)
    if found is None:
        raise UnsupportedGameError(
            f"actions of the {role} of {game.name} are {actions}, which has no masks, allowed: a Discrete space"
        )
    return found[:, 0].astype(bool)


def observation(
    seen: np.ndarray, mask: np.ndarray | None, key: str | None, infos: Mapping[str, np.ndarray]
) -> tuple[Any, dict[str, Any]]:
    """Return the observation and the info of one agent, or of a batch, with its mask where it belongs.

    Infos are copied, because they are the same for all agents, and the caller may write into what it gets.
    """
    info = {name: value.copy() for name, value in infos.items()}
    if mask is None:
        return seen, info
    if key is not None:
        return {key: seen, MASK: mask}, info
    return seen, {MASK: mask, **info}


def copied(tree: Any) -> Any:
    """Copy a tree of dicts and arrays, such as an observation or an info."""
    if isinstance(tree, dict):
        return {key: copied(value) for key, value in tree.items()}
    return tree.copy() if isinstance(tree, np.ndarray) else tree


def turn_flags(game: Game[Any], state: Any, role: str, batch: int) -> np.ndarray:
    """Return the column ``acts_now`` of a role in ``batch`` games, 1.0 for agents whose turn it is, (B, n_role, 1)."""
    if game.phase(state) == role and game.seats_take_turns:
        return np.asarray(game.acts(state, role), float)[..., None]
    return np.full((batch, game.roles[role], 1), float(game.phase(state) == role))


def learner_obs(game: Game[Any], state: Any, role: str) -> np.ndarray:
    """Compute the observation of a role's agent 0 as the only learner, float32 (B, d).

    It ends with ``acts_now`` where agents of one role take turns, for then it is asked out of its turn too.
    """
    seen = game.observe(state, role)[:, 0]
    if game.seats_take_turns:
        seen = np.concatenate((seen, turn_flags(game, state, role, len(seen))[:, 0]), axis=1)
    return seen.astype(np.float32)  # type: ignore[no-any-return]


def copy_space(space: gymnasium.Space[Any]) -> gymnasium.Space[Any]:
    """Return an equal space with a random generator of its own, so that agents and views sample independently."""
    if isinstance(space, gymnasium.spaces.Discrete):
        return gymnasium.spaces.Discrete(int(space.n), start=int(space.start))
    assert isinstance(space, gymnasium.spaces.Box)
    return gymnasium.spaces.Box(space.low, space.high, dtype=np.float32)
