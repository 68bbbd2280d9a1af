"""The PettingZoo ParallelEnv of any game: every agent is present at every step, and one step is one phase."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import repeat
from typing import Any

import gymnasium
import numpy as np
import pettingzoo
from pettingzoo import ParallelEnv

from lawgiver.envs.core.errors import ActionError, allowed, integer, seed_number
from lawgiver.envs.core.fields import box
from lawgiver.envs.core.game import Game
from lawgiver.envs.core.make import make_policy
from lawgiver.envs.core.policy import PolicyLike
from lawgiver.envs.core.registry import game_name
from lawgiver.envs.core.validation import check_actions
from lawgiver.envs.views.choices import Choices
from lawgiver.envs.views.observation import copy_space, mask_key, masks, observation, observation_space, turn_flags
from lawgiver.envs.views.registration import make_view
from lawgiver.envs.views.rendering import METADATA, Screen
from lawgiver.envs.views.session import Session


class GameParallelEnv(ParallelEnv[str, Any, Any]):  # type: ignore[misc]
    """A game as a PettingZoo ParallelEnv.

    One step is one phase: the agents of one role act. All agents are in every observation (float32, the fields of
    the game's ``observation_layout``). Where more than one role plays, the last number of an observation,
    ``acts_now``, says whose turn it is; actions out of turn are ignored and cost nothing, and may be left out.
    A role that is given a policy (``mechanism=`` or ``participants=``) is played by it and has no agents.

    ``info["action_mask"]`` (int8, 1 for legal) marks the legal actions of a Discrete role of which the rules forbid
    some; with ``mask_in_observation`` the observations of Discrete roles are ``{"observation": ..., "action_mask":
    ...}`` instead. Infos are those of :meth:`Game.infos`. An illegal action inside the space
    is played as the nearest legal one. Rewards are what an agent earned since the step before, in the game's own
    units. A game that ends by its rules is terminated, one that is cut off truncated; then ``agents`` is empty and
    ``step({})`` returns five empty dicts until ``reset``: no autoreset.

    Args:
        game: the rules.
        mechanism: a policy for the mechanism: a registered name, a run's folder, ``{"policy": NAME, **parameters}``
            or a policy.
        participants: the same for the participants.
        mask_in_observation: see above.
        render_mode: None, ``human`` (prints every state), ``ansi`` (text) or ``rgb_array`` (height, width, 3).
        max_cycles: stop (truncate) after that many steps; None for the game's own end.
        flag_turns: whether observations carry ``acts_now``; None for where more than one role plays.
        discretise: levels of each component of a Box action, whose space is Discrete then; see :class:`Choices`.
        clip_actions: whether Box actions beyond their bounds are cut to them instead of being refused.

    Raises:
        ParameterError: if the render mode is unknown or every role is given a policy.
        ActionError: from ``step``, if an action of the acting agents is missing, NaN or outside its space, if an
            agent is unknown, or if the game is over; from everything that needs a game, before the first ``reset``.
    """

    spec: pettingzoo.EnvSpec | None = None
    """The spec of ``pettingzoo.make``; None if the class was called directly."""
    metadata = {**METADATA, "name": "lawgiver", "is_parallelizable": True}  # noqa: RUF012

    def __init__(
        self,
        game: Game[Any],
        *,
        mechanism: PolicyLike | None = None,
        participants: PolicyLike | None = None,
        mask_in_observation: bool | str = False,
        render_mode: str | None = None,
        max_cycles: int | None = None,
        flag_turns: bool | None = None,
        discretise: int | None = None,
        clip_actions: bool = False,
    ) -> None:
        """See the class."""
        self.game = game
        given = {"mechanism": mechanism, "participant": participants}
        policies = {role: make_policy(game, role, p) for role, p in given.items() if p is not None}
        self._session = Session(game, policies)
        self._screen = Screen(game, render_mode)
        self.render_mode = render_mode
        self.max_cycles = None if max_cycles is None else integer("max_cycles", max_cycles, 1)
        self.metadata = {**self.metadata, "name": game.name}
        self._key = mask_key(mask_in_observation)
        self._agents_of = {role: game.agents_of(role) for role in self._session.outside}
        self.choices = {role: Choices(game, role, discretise, clip_actions) for role in self._session.outside}
        several = len(self._agents_of) > 1 or game.seats_take_turns
        self._flagged = several if flag_turns is None else flag_turns
        seats = (game.observation_layout(role) * count for role, count in game.roles.items())
        self.state_space = box(tuple(field for layout in seats for field in layout))
        self.possible_agents = [agent for agents in self._agents_of.values() for agent in agents]
        self.agents: list[str] = []
        self._seeded = False
        self._kept_masks: dict[str, tuple[Any, Iterable[np.ndarray | None]]] = {}
        self._flags = {role: (np.zeros((count, 1)), np.ones((count, 1))) for role, count in game.roles.items()}
        self.observation_spaces: dict[str, gymnasium.Space[Any]] = {}
        self.action_spaces: dict[str, gymnasium.Space[Any]] = {}
        for role, agents in self._agents_of.items():
            for agent in agents:
                self.observation_spaces[agent] = observation_space(
                    game, role, self.choices[role].space, key=self._key, flagged=self._flagged
                )
                self.action_spaces[agent] = copy_space(self.choices[role].space)

    def observation_space(self, agent: str) -> gymnasium.Space[Any]:
        """Return the space of an agent's observations, always the same object."""
        return self.observation_spaces[agent]

    def action_space(self, agent: str) -> gymnasium.Space[Any]:
        """Return the space of an agent's actions, always the same object."""
        return self.action_spaces[agent]

    @property
    def np_random(self) -> np.random.Generator:
        """The generator that everything random is drawn from."""
        if self._session.rng is None:
            self._session.rng = np.random.default_rng()
        generator: np.random.Generator = self._session.rng
        return generator

    @property
    def acting_role(self) -> str:
        """The role whose turn it is."""
        return self._session.acting

    @property
    def acting_agents(self) -> tuple[str, ...]:
        """The agents whose turn it is."""
        agents = self._agents_of[self._session.acting]
        if not self.game.seats_take_turns:
            return agents
        acts = self.game.acts(self._session.state, self._session.acting)[0]
        return tuple(agent for agent, turn in zip(agents, acts, strict=True) if turn)

    def require_begun(self) -> None:
        """Raise ActionError before the first :meth:`reset`."""
        self._session.require_begun()

    def reset(
        self, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
        """Start a new game; ``options`` has no keys that are read.

        ``seed`` restarts the random numbers, and later calls without one go on with them. An env that was never
        given a seed draws new entropy each time, so that its copies play games of their own.
        """
        if seed is not None:
            self._session.rng = np.random.default_rng(seed_number("seed", seed))
            self._seeded = True
        elif not self._seeded:
            self._session.rng = np.random.default_rng()
        self._session.reset(1)
        self._cycles = 0
        self.agents = list(self.possible_agents)
        self._screen.print_frame(self._session.state, over=False)
        return self._observe()

    def step(
        self, actions: Mapping[str, Any]
    ) -> tuple[dict[str, Any], dict[str, float], dict[str, bool], dict[str, bool], dict[str, dict[str, Any]]]:
        """Play one phase with the actions of the agents whose turn it is."""
        session = self._session
        if not self.agents:
            self.require_begun()
            if isinstance(actions, Mapping) and not actions:
                return {}, {}, {}, {}, {}
            raise ActionError("the game is over: call reset() first")
        role = session.acting
        acting = self.acting_agents
        if not isinstance(actions, Mapping):
            raise ActionError(f"actions are {actions!r}, allowed: a mapping from agent to action")
        if not self.action_spaces.keys() >= actions.keys():
            unknown = next(agent for agent in actions if agent not in self.action_spaces)
            raise ActionError(f"unknown agent {unknown!r}: {allowed(str(unknown), self.possible_agents)}")
        try:
            taken = [actions[agent] for agent in acting]
        except KeyError as missing:
            raise ActionError(f"no action of {missing.args[0]}, acting now: {', '.join(acting)}") from None
        checked = check_actions(self.game, role, self.choices[role].sent(taken, acting), acting)
        session.step((self._seated(role, checked) if self.game.seats_take_turns else checked)[None])
        self._cycles += 1
        observations, infos = self._observe()
        terminated = bool(session.terminated[0])
        cut = self.max_cycles is not None and self._cycles >= self.max_cycles and not terminated
        truncated = bool(session.truncated[0]) or cut
        rewards: dict[str, float] = {}
        for role_, agents in self._agents_of.items():
            rewards.update(zip(agents, session.rewards[role_][0].tolist(), strict=True))
        flags = dict.fromkeys(self.agents, terminated), dict.fromkeys(self.agents, truncated)
        if terminated or truncated:
            self.agents = []
        self._screen.print_frame(session.state, terminated or truncated)
        return observations, rewards, *flags, infos

    def _seated(self, role: str, taken: np.ndarray) -> np.ndarray:
        """Return actions for all seats of a role, those taken by the agents that act, and any for the others."""
        acts = self.game.acts(self._session.state, role)[0]
        space: Any = self.game.action_space(role)
        filler = space.low if isinstance(space, gymnasium.spaces.Box) else space.start
        actions = np.broadcast_to(np.asarray(filler, taken.dtype), (len(acts), *taken.shape[1:])).copy()
        actions[acts] = taken
        return actions

    def _observe(self) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
        observations: dict[str, Any] = {}
        infos: dict[str, dict[str, Any]] = {}
        shared = {name: np.array(value[0]) for name, value in self.game.infos(self._session.state).items()}
        for role, agents in self._agents_of.items():
            for agent, row, mask in zip(agents, self._rows(role), self._legal(role), strict=False):
                observations[agent], infos[agent] = observation(row, mask, self._key, shared)
        return observations, infos

    def _legal(self, role: str) -> Iterable[np.ndarray | None]:
        """Return the masks of a role's agents, cached while the rules return the same array."""
        state = self._session.state
        given = self.game.legal_actions(state, role)
        kept = self._kept_masks.get(role)
        if kept is None or kept[0] is not given:
            marked = masks(self.game, state, role, self.choices[role].space, everywhere=self._key is not None)
            rows: Iterable[np.ndarray | None] = repeat(None)
            if marked is not None:
                rows = marked[0]
            kept = self._kept_masks[role] = (given, rows)
        return kept[1].copy() if isinstance(kept[1], np.ndarray) else kept[1]

    def _rows(self, role: str) -> np.ndarray:
        """Return the observations of a role, (n_role, d), the turn flag included."""
        state = self._session.state
        seen: np.ndarray = self.game.observe(state, role)[0]
        if not self._flagged:
            return seen.astype(np.float32)
        if self.game.seats_take_turns:
            flags = turn_flags(self.game, state, role, 1)[0]
        else:
            flags = self._flags[role][self.game.phase(state) == role]
        return np.concatenate((seen, flags), axis=1, dtype=np.float32)

    def render(self) -> str | np.ndarray | None:
        """Return the game as text or image, by ``render_mode``; None where ``human`` has printed it already."""
        return self._screen.frame(self._session.state, 0, over=not self.agents)

    def state(self) -> np.ndarray:
        """Return the concatenated observations of all agents (supplied roles included), in ``state_space``."""
        views = (self.game.observe(self._session.state, role).ravel() for role in self.game.roles)
        return np.concatenate(list(views)).astype(np.float32)

    def close(self) -> None:
        """Nothing is held open."""


def spec_of(entry_point: str, game: str, kwargs: Mapping[str, Any]) -> pettingzoo.EnvSpec:
    """Return PettingZoo's spec of a view, from which ``pettingzoo.make`` recreates it."""
    name = game_name(game)
    return pettingzoo.EnvSpec(id=f"lawgiver/{name}", entry_point=entry_point, kwargs={"game": name, **kwargs})


def make_parallel_env(game: str, **kwargs: Any) -> GameParallelEnv:
    """Return the ParallelEnv of a registered game; keywords are the view's or the game's parameters."""
    env = make_view(GameParallelEnv, game, kwargs)
    env.spec = spec_of(f"{__name__}:make_parallel_env", game, kwargs)
    return env
