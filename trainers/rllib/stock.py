"""RLlib's own runner over any PettingZoo ParallelEnv, without batched rules."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import gymnasium
import numpy as np
from pettingzoo import ParallelEnv
from ray.rllib.env.multi_agent_env import MultiAgentEnv
from ray.rllib.env.multi_agent_env_runner import MultiAgentEnvRunner

from lawgiver.envs.solvers.equilibrium.prior import log_prior
from lawgiver.envs.views.parallel import GameParallelEnv
from lawgiver.trainers.rllib.draws import DrawsByIteration
from lawgiver.trainers.rllib.mapping import role_of
from lawgiver.trainers.rllib.play import make_rollout_setup, with_prior
from lawgiver.trainers.statistics.streams import torch_seeded


class StockEnvRunner(DrawsByIteration, MultiAgentEnvRunner):  # type: ignore[misc]
    """RLlib's own runner, whose random numbers are the same whether or not a training was interrupted.

    Games that were in progress at an interruption start again.
    """

    def sample(self, **kwargs: Any) -> Any:
        """Play as RLlib does; the environments are seeded when they begin, the actions at each call."""
        rng = self.next_generator()
        if self._needs_initial_reset:
            self._seed = int(rng.integers(2**31))
        with torch_seeded(int(rng.integers(2**63))):
            return super().sample(**kwargs)


class TurnEnv(MultiAgentEnv):  # type: ignore[misc]
    """A PettingZoo ParallelEnv for RLlib's own runner, with observations of the agents that act next alone.

    RLlib would otherwise train on actions sent out of turn, which have no effect. An environment in which agents take
    turns has a property ``acting_agents``. Box actions are clipped to their
    Box, because RLlib samples beyond it.

    Args:
        env: to wrap.
    """

    def __init__(self, env: ParallelEnv[str, Any, Any]) -> None:
        super().__init__()
        self.env = env
        self.possible_agents = list(env.possible_agents)
        self.agents = list(self.possible_agents)
        self.action_spaces = {agent: env.action_space(agent) for agent in self.possible_agents}
        self.observation_spaces = {agent: env.observation_space(agent) for agent in self.possible_agents}

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, Any]:
        """Start a new game."""
        observations, infos = self.env.reset(seed=seed, options=options)
        return self._shown(observations, infos, self._acting()), {}

    def step(self, action_dict: dict[str, Any]) -> tuple[Any, Any, Any, Any, Any]:
        """Play one step with the actions of those who act."""
        observations, rewards, terminated, truncated, infos = self.env.step(
            {agent: self._clipped(agent, action) for agent, action in action_dict.items()}
        )
        if self.env.agents:
            shown = self._shown(observations, infos, self._acting())
            return shown, rewards, {"__all__": False}, {"__all__": False}, {}
        by_rules = any(terminated.values())  # where both happen, the rules' end is the one that counts
        everybody = self._shown(observations, infos, list(observations))
        flags = {**terminated, "__all__": by_rules}, {**truncated, "__all__": not by_rules}
        return everybody, rewards, *flags, {}

    def _acting(self) -> list[str]:
        return list(getattr(self.env, "acting_agents", self.env.agents))

    def _clipped(self, agent: str, action: Any) -> Any:
        space = self.action_spaces[agent]
        return np.clip(action, space.low, space.high) if isinstance(space, gymnasium.spaces.Box) else action

    def _shown(self, observations: Mapping[str, Any], infos: Mapping[str, Any], agents: list[str]) -> dict[str, Any]:
        return {agent: observations[agent] for agent in agents}

    def render(self) -> Any:
        """Show the environment."""
        return self.env.render()

    def close(self) -> None:
        """Close the environment."""
        self.env.close()


class TurnAdapter(TurnEnv):
    """A :class:`TurnEnv` for :class:`~lawgiver.trainers.rllib.modules.KLModule`: who acts sees its prior as well.

    What an agent with Discrete actions sees is followed by log pi_0 over them, as with the batched runner;
    ``info["action_mask"]``, where there is one, marks the legal ones.

    Args:
        config: ``{"parallel_env": make}`` with a function of no arguments; or what the batched runner takes,
            ``{"game": name, "params": {...}, "anchors": {role: anchor}}``.
    """

    def __init__(self, config: Mapping[str, Any]) -> None:
        self._anchors: Mapping[str, Any] = {}
        if "parallel_env" in config:
            super().__init__(config["parallel_env"]())
        else:
            table = make_rollout_setup(dict(config))
            super().__init__(GameParallelEnv(table.game, flag_turns=False))
            self._anchors = table.anchors
        self.observation_spaces = {
            agent: with_prior(space, self.action_spaces[agent]) for agent, space in self.observation_spaces.items()
        }

    def _shown(self, observations: Mapping[str, Any], infos: Mapping[str, Any], agents: list[str]) -> dict[str, Any]:
        return {agent: self._with_prior(agent, observations[agent], infos.get(agent, {})) for agent in agents}

    def _with_prior(self, agent: str, obs: np.ndarray, info: Mapping[str, Any]) -> np.ndarray:
        space = self.action_spaces[agent]
        if not isinstance(space, gymnasium.spaces.Discrete):
            return obs
        mask = np.asarray(info["action_mask"], bool)[None, None] if "action_mask" in info else None
        row = np.asarray(obs, float)[None, None]
        prior = log_prior(self._anchors.get(role_of(agent)), row, mask, int(space.n))
        return np.concatenate([obs, prior[0, 0]]).astype(np.float32)
