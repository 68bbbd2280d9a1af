"""An RLlib EnvRunner that steps the rules of a game for all games at once."""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import Any

import numpy as np
import ray
import torch
from ray.rllib.core import COMPONENT_RL_MODULE
from ray.rllib.core.columns import Columns
from ray.rllib.env import INPUT_ENV_SINGLE_SPACES, INPUT_ENV_SPACES
from ray.rllib.env.env_runner import EnvRunner
from ray.rllib.utils import metrics as names
from ray.rllib.utils.checkpoints import Checkpointable

from lawgiver.trainers.rllib.chunks import Chunk
from lawgiver.trainers.rllib.draws import DrawsByIteration
from lawgiver.trainers.rllib.mapping import assign, role_of
from lawgiver.trainers.rllib.play import Record, State, make_rollout_setup, play
from lawgiver.trainers.rllib.self_play.league import LeagueMapping
from lawgiver.trainers.statistics.streams import torch_seeded

AGAINST = ("games_against", "won_against", "return_against")
"""Keys of a league's results against each opponent: number of its seats met, number of wins (a tie counts half), and
sum of the learner's returns."""
MAPPING = "policy_mapping_fn"
"""Key of the mapping in a runner's state, with which RLlib restores a runner that it replaces."""
AGENT_ACTIONS_MEAN = "agent_actions_mean"
"""Key of the mean action of each agent whose action is one number, beside RLlib's own metrics."""
Taken = tuple[np.ndarray, np.ndarray, np.ndarray, State]


class BatchedEnvRunner(DrawsByIteration, EnvRunner, Checkpointable):  # type: ignore[misc]
    """Plays any game of the library, a whole batch at a time, and returns chunks rather than episodes.

    Games are always played to their end, and nothing is carried from one ``sample`` to the next. An iteration's
    ``train_batch_size`` (in phases) determines the number of games played at once.
    """

    def __init__(self, *, config: Any, **kwargs: Any) -> None:
        super().__init__(config=config, **kwargs)
        self._weights_seq_no: int = 0
        self.num_env_steps_sampled_lifetime: int = 0
        self._needs_initial_reset = False
        self.make_env()
        self.make_module()

    # -- what RLlib asks for ------------------------------------------------------------------------------------

    def make_env(self) -> None:
        """Make the game."""
        self.table = make_rollout_setup(self.config.env_config)

    def make_module(self) -> None:
        """Build the modules that act."""
        spec = self.config.get_multi_rl_module_spec(env=None, spaces=self.get_spaces(), inference_only=True)
        self.module = spec.build()

    def get_spaces(self) -> dict[str, Any]:
        """Collect the spaces of the environment and of every module."""
        game = self.table.game
        spaces = {role: (self.table.observation_space(role), game.action_space(role)) for role in self.table.learned}
        modules = {module: spaces[role_of(module.partition(".")[0])] for module in self.config.policies}
        everything = ({r: s[0] for r, s in spaces.items()}, {r: s[1] for r, s in spaces.items()})
        return {INPUT_ENV_SPACES: everything, INPUT_ENV_SINGLE_SPACES: everything, **modules}

    def assert_healthy(self) -> None:
        """Check that there are a game and modules."""
        assert self.table.game is not None and self.module is not None

    def games_per_sample(self) -> int:
        """Compute the number of games in a call of ``sample``: a runner's share of an iteration, or fewer if set."""
        parts, given = self._parts(), int(self.config.num_envs_per_env_runner)
        runners = max(1, self.config.num_env_runners)
        wanted: float = self.config.total_train_batch_size / (runners * self.table.game.max_steps)
        if given > 1:  # 1 is RLlib's own default: nobody has asked for anything
            wanted = min(wanted, given)
        return math.ceil(wanted / parts) * parts  # not one step short: RLlib would sample all over again

    def _parts(self) -> int:
        return max(1, int(self.config.num_learners))

    def sample(
        self,
        *,
        num_timesteps: int | None = None,
        num_episodes: int | None = None,
        explore: bool | None = None,
        random_actions: bool = False,
        force_reset: bool = False,
        **kwargs: Any,
    ) -> list[Chunk]:
        """Play games to their end and return them, in as many chunks as there are learners.

        Args:
            num_timesteps: least number of phases, over all games, if every game has its full length.
            num_episodes: number of games.
            explore: draw actions rather than take the most likely ones; None for the config's default.
            random_actions: draw from the action space rather than the modules.
            force_reset: ignored, as games are never left unfinished.
            **kwargs: ignored.
        """
        explore = self.config.explore if explore is None else explore
        games = self.games_per_sample() if num_episodes is None else num_episodes
        if num_timesteps is not None:
            games = -(-num_timesteps // self.table.game.max_steps)
        rng = self.next_generator()
        prefix = int(rng.integers(2**62))
        everybody = assign(self.config.policy_mapping_fn, self.table.game, [f"{prefix}-{i}" for i in range(games)])
        modules = {role: everybody[role] for role in self.table.learned}
        act = self._random if random_actions else (self._explore if explore else self._exploit)
        with torch_seeded(int(rng.integers(2**63))):  # of the actions
            record = play(self.table, games, rng, act, modules)
        self._log(record, modules)
        return _chunks(record, modules, self._parts() if games % self._parts() == 0 else 1)

    # -- acting -------------------------------------------------------------------------------------------------

    def _explore(self, module_id: str, obs: np.ndarray, state: State) -> Taken:
        module = self.module[module_id]
        with torch.no_grad():
            outputs = module.forward_exploration(_batch(obs, state))
            inputs = outputs[Columns.ACTION_DIST_INPUTS]
            distribution = module.get_exploration_action_dist_cls().from_logits(inputs)
            actions = distribution.sample()
            return actions.numpy(), distribution.logp(actions).numpy(), inputs.numpy(), _state(outputs)

    def _exploit(self, module_id: str, obs: np.ndarray, state: State) -> Taken:
        module = self.module[module_id]
        with torch.no_grad():
            outputs = module.forward_inference(_batch(obs, state))
            inputs = outputs[Columns.ACTION_DIST_INPUTS]
            distribution = module.get_inference_action_dist_cls().from_logits(inputs)
            actions = distribution.to_deterministic().sample()
            return actions.numpy(), np.zeros(len(obs), np.float32), inputs.numpy(), _state(outputs)

    def _random(self, module_id: str, obs: np.ndarray, state: State) -> Taken:
        space = self.get_spaces()[module_id][1]
        space.seed(int(torch.randint(2**31, ())))
        actions = np.stack([space.sample() for _ in range(len(obs))])
        nothing = np.zeros(len(obs), np.float32)
        return actions, nothing, nothing[:, None], state

    # -- metrics ------------------------------------------------------------------------------------------------

    def _log(self, record: Record, modules: dict[str, np.ndarray]) -> None:
        """Log counts and the means over the games of this call, under RLlib's names."""
        log = self.metrics.log_value
        steps, games = int(record.steps.sum()), len(record.steps)
        self.num_env_steps_sampled_lifetime += steps
        log(names.NUM_ENV_STEPS_SAMPLED, steps, reduce="sum")
        log(names.NUM_ENV_STEPS_SAMPLED_LIFETIME, steps, reduce="lifetime_sum", with_throughput=True)
        log(names.NUM_EPISODES, games, reduce="sum")
        log(names.NUM_EPISODES_LIFETIME, games, reduce="lifetime_sum")
        log(names.WEIGHTS_SEQ_NO, self._weights_seq_no, window=1)
        total = np.concatenate(list(record.returns.values()), axis=1).sum(axis=1)
        self._log_spread(names.EPISODE_RETURN_MEAN, names.EPISODE_RETURN_MIN, names.EPISODE_RETURN_MAX, total)
        self._log_spread(names.EPISODE_LEN_MEAN, names.EPISODE_LEN_MIN, names.EPISODE_LEN_MAX, record.steps)
        for role, returns in record.returns.items():
            played = record.trajectories.get(role)
            turns = record.turns[role].sum(axis=0)
            agents = self.table.game.agents_of(role)
            for agent, earned, acted in zip(agents, returns.T, turns, strict=True):
                log((names.EPISODE_AGENT_RETURN_MEAN, agent), float(earned.mean()), window=1)
                self._log_turns("agent", agent, int(acted))
            if role not in modules:
                continue
            taken = None if played is None else played.actions
            if taken is not None and taken.ndim == 3 and taken.shape[-1] == 1:
                taken = taken[..., 0]
            if played is not None and taken is not None and taken.ndim == 2:  # one number for each agent
                done = (taken * played.mask).sum(axis=1).reshape(returns.shape).sum(axis=0)
                for agent, action in zip(agents, done / turns, strict=True):
                    log((AGENT_ACTIONS_MEAN, agent), float(action), window=1)
            for module in sorted(set(modules[role].ravel().tolist())):
                mine = modules[role] == module
                log((names.EPISODE_MODULE_RETURN_MEAN, module), float((returns * mine).sum() / games), window=1)
                self._log_turns("module", module, int((record.turns[role] * mine).sum()))

        mapping = self.config.policy_mapping_fn
        if isinstance(mapping, LeagueMapping) and mapping.opponents:
            self._log_league(record.returns["mechanism"], modules["mechanism"], mapping)

    def _log_league(self, returns: np.ndarray, ids: np.ndarray, mapping: LeagueMapping) -> None:
        own = (returns * (ids == mapping.learner)).sum(axis=1, keepdims=True)
        won = (own > returns) + 0.5 * (own == returns)
        for opponent in mapping.opponents:
            met = ids == opponent
            found = met.sum(), (won * met).sum(), (own * met).sum()
            for key, value in zip(AGAINST, found, strict=True):
                self.metrics.log_value((key, opponent), float(value), reduce="sum")

    def _log_spread(self, mean: str, least: str, most: str, values: Any) -> None:
        self.metrics.log_value(mean, float(np.mean(values)), window=1)
        self.metrics.log_value(least, float(np.min(values)), reduce="min", window=1)
        self.metrics.log_value(most, float(np.max(values)), reduce="max", window=1)

    def _log_turns(self, of: str, name: str, turns: int) -> None:
        now, ever = {
            "agent": (names.NUM_AGENT_STEPS_SAMPLED, names.NUM_AGENT_STEPS_SAMPLED_LIFETIME),
            "module": (names.NUM_MODULE_STEPS_SAMPLED, names.NUM_MODULE_STEPS_SAMPLED_LIFETIME),
        }[of]
        self.metrics.log_value((now, name), turns, reduce="sum")
        self.metrics.log_value((ever, name), turns, reduce="lifetime_sum")

    def get_metrics(self) -> Any:
        """Reduce the metrics logged since the last call."""
        return self.metrics.reduce()

    # -- state --------------------------------------------------------------------------------------------------

    def get_state(
        self,
        components: str | Collection[str] | None = None,
        *,
        not_components: str | Collection[str] | None = None,
        **kwargs: Any,
    ) -> dict[str, Any]:
        """Collect counter, mapping and, if asked for, weights."""
        state: dict[str, Any] = {
            names.NUM_ENV_STEPS_SAMPLED_LIFETIME: self.num_env_steps_sampled_lifetime,
            MAPPING: self.config.policy_mapping_fn,
        }
        if self._check_component(COMPONENT_RL_MODULE, components, not_components):
            state[COMPONENT_RL_MODULE] = self.module.get_state(
                components=self._get_subcomponents(COMPONENT_RL_MODULE, components),
                not_components=self._get_subcomponents(COMPONENT_RL_MODULE, not_components),
                **kwargs,
            )
            state[names.WEIGHTS_SEQ_NO] = self._weights_seq_no
        return state

    def set_state(self, state: dict[str, Any]) -> None:
        """Restore counter, mapping and weights, except weights that are not newer than the current ones."""
        if MAPPING in state:
            self.config.multi_agent(policy_mapping_fn=state[MAPPING])
        if COMPONENT_RL_MODULE in state:
            number = state.get(names.WEIGHTS_SEQ_NO, 0)
            if number == 0 or number > self._weights_seq_no:
                weights = state[COMPONENT_RL_MODULE]
                self.module.set_state(ray.get(weights) if isinstance(weights, ray.ObjectRef) else weights)
            self._weights_seq_no = number or self._weights_seq_no
        self.num_env_steps_sampled_lifetime = state.get(
            names.NUM_ENV_STEPS_SAMPLED_LIFETIME, self.num_env_steps_sampled_lifetime
        )

    def get_ctor_args_and_kwargs(self) -> tuple[tuple[()], dict[str, Any]]:
        """Return the arguments that rebuild this runner."""
        return (), {"config": self.config}

    def get_checkpointable_components(self) -> list[tuple[str, Any]]:
        """Return the modules."""
        return [(COMPONENT_RL_MODULE, self.module)]


def _batch(obs: np.ndarray, state: State) -> dict[str, torch.Tensor]:
    batch = {Columns.OBS: torch.from_numpy(obs)}
    return batch if state is None else batch | {Columns.STATE_IN: torch.from_numpy(state)}


def _state(outputs: dict[str, torch.Tensor]) -> State:
    state = outputs.get(Columns.STATE_OUT)
    return None if state is None else state.numpy()


def _chunks(record: Record, modules: dict[str, np.ndarray], parts: int) -> list[Chunk]:
    chunks = []
    games = len(record.steps)
    for part in range(parts):
        chosen = slice(part * games // parts, (part + 1) * games // parts)
        by_module = {}
        for role, trajectories in record.trajectories.items():
            ids = modules[role]
            seats = ids.shape[1]
            mine = trajectories.take(slice(chosen.start * seats, chosen.stop * seats))
            flat = ids[chosen].ravel()
            for module in sorted(set(flat.tolist())):
                rows = flat == module
                by_module[module] = mine if rows.all() else mine.take(rows)
        chunks.append(Chunk(by_module, int(record.steps[chosen].sum())))
    return chunks
