"""The PettingZoo AECEnv of any game: the agents act one by one, in the order in which their phases come."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import pettingzoo
from pettingzoo import AECEnv

from lawgiver.envs.core.errors import ActionError, allowed
from lawgiver.envs.core.game import Game
from lawgiver.envs.core.validation import check_actions
from lawgiver.envs.views.observation import copied
from lawgiver.envs.views.parallel import GameParallelEnv, spec_of
from lawgiver.envs.views.registration import make_view


class GameAECEnv(AECEnv[str, Any, Any]):  # type: ignore[misc]
    """A game as a PettingZoo AECEnv.

    The agents of the phase act in the order of their seats; the rules are applied when the last of them has acted,
    so that nobody sees another's action of the same phase. ``metadata["is_parallelizable"]`` says whether all agents
    act in one fixed cycle, which is what PettingZoo's ``aec_to_parallel`` needs: not where the mechanism moves first,
    or some agents act more often than others. Everything else is as in
    :class:`~lawgiver.envs.views.parallel.GameParallelEnv`, whose keywords it takes; observations carry no turn flag.
    """

    spec: pettingzoo.EnvSpec | None = None
    """The spec of ``pettingzoo.make``; None if the class was called directly."""

    def __init__(self, env: GameParallelEnv) -> None:
        """Wrap the parallel view of a game, made with ``flag_turns=False``."""
        super().__init__()
        self._env = env
        outside = tuple(role for role in env.game.roles if env.game.agents_of(role)[0] in env.possible_agents)
        self.metadata = {**env.metadata, "is_parallelizable": _in_cycles(env.game, outside, env.max_cycles)}
        self.render_mode = env.render_mode
        self.state_space = env.state_space
        self.possible_agents = list(env.possible_agents)
        self.agents: list[str] = []

    @property
    def game(self) -> Game[Any]:
        """The rules."""
        return self._env.game

    @property
    def np_random(self) -> np.random.Generator:
        """The generator that everything random is drawn from."""
        return self._env.np_random

    @property
    def observation_spaces(self) -> dict[str, gymnasium.Space[Any]]:
        """Spaces of the agents' observations."""
        return self._env.observation_spaces

    @property
    def action_spaces(self) -> dict[str, gymnasium.Space[Any]]:
        """Spaces of the agents' actions."""
        return self._env.action_spaces

    def observation_space(self, agent: str) -> gymnasium.Space[Any]:
        """Return the space of an agent's observations, always the same object."""
        return self._env.observation_spaces[agent]

    def action_space(self, agent: str) -> gymnasium.Space[Any]:
        """Return the space of an agent's actions, always the same object."""
        return self._env.action_spaces[agent]

    def reset(self, seed: int | None = None, options: dict[str, Any] | None = None) -> None:
        """Start a new game."""
        self._observations, infos = self._env.reset(seed, options)
        self.agents = list(self.possible_agents)
        self.infos = infos
        self.rewards = dict.fromkeys(self.agents, 0.0)
        self._cumulative_rewards = dict.fromkeys(self.agents, 0.0)
        self.terminations = dict.fromkeys(self.agents, False)
        self.truncations = dict.fromkeys(self.agents, False)
        self._begin_phase()

    def _begin_phase(self) -> None:
        self._queue = list(self._env.acting_agents)
        self._pending: dict[str, Any] = {}
        self.agent_selection = self._queue[0]

    def observe(self, agent: str) -> Any:
        """Return an agent's current observation."""
        self._env.require_begun()
        if agent not in self._observations:
            raise ActionError(f"unknown agent {agent!r}: {allowed(str(agent), self.possible_agents)}")
        return copied(self._observations[agent])

    def last(self, observe: bool = True) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Return observation, reward since the last action, end flags and info of ``agent_selection``."""
        self._require_agents()
        result: tuple[Any, float, bool, bool, dict[str, Any]] = super().last(observe)
        return result

    def _require_agents(self) -> None:
        if not self.agents:
            raise ActionError("the game is over or has not begun: call reset() first")

    def step(self, action: Any) -> None:
        """Take the action of ``agent_selection``."""
        self._require_agents()
        agent = self.agent_selection
        if self.terminations[agent] or self.truncations[agent]:
            self._was_dead_step(action)
            return
        game, role = self._env.game, self._env.acting_role
        check_actions(game, role, self._env.choices[role].sent([action], (agent,)), (agent,))
        self._cumulative_rewards[agent] = 0.0
        self._clear_rewards()
        self._pending[agent] = np.array(action)  # a copy: the caller may use its buffer again
        self._queue.pop(0)
        if self._queue:
            self.agent_selection = self._queue[0]
            return
        self._observations, self.rewards, self.terminations, self.truncations, self.infos = self._env.step(
            self._pending
        )
        self._accumulate_rewards()
        if self._env.agents:
            self._begin_phase()
        else:
            self.agent_selection = self.agents[0]

    def render(self) -> str | np.ndarray | None:
        """Return the game as text or image, by ``render_mode``."""
        return self._env.render()

    def state(self) -> np.ndarray:
        """Return the concatenated observations of all agents."""
        return self._env.state()

    def close(self) -> None:
        """Nothing is held open."""


def _in_cycles(game: Game[Any], outside: tuple[str, ...], max_cycles: int | None) -> bool:
    """Whether the roles that are played from outside act in their order until the end or the cut.

    Two cycles of one game are played. A cut that may come in mid-cycle is found by numbers alone: a game may have
    billions of rounds.
    """
    if game.seats_take_turns or len(outside) == 1:
        return not game.seats_take_turns
    if max_cycles is not None and max_cycles % len(outside) and max_cycles < game.max_steps:
        return False
    rng = np.random.default_rng(0)
    state, turns = game.initial_state(1, rng), 0
    for _ in range(game.max_steps):
        role = game.phase(state)
        if role in outside:
            if turns in (max_cycles, 2 * len(outside)):
                break
            if role != outside[turns % len(outside)]:
                return False
            turns += 1
        space: Any = game.action_space(role)
        some = np.clip(0, space.low, space.high) if isinstance(space, gymnasium.spaces.Box) else space.start
        actions = np.broadcast_to(some, (1, game.roles[role], *space.shape))
        state, _, terminated, truncated = game.step(state, actions, game.draw(1, rng))
        if terminated[0] or truncated[0]:
            break
    return turns % len(outside) == 0


def make_aec_env(game: str, **kwargs: Any) -> GameAECEnv:
    """Return the AECEnv of a registered game; keywords are the view's or the game's parameters."""
    env = GameAECEnv(make_view(GameParallelEnv, game, kwargs, flag_turns=False))
    env.spec = spec_of(f"{__name__}:make_aec_env", game, kwargs)
    return env
