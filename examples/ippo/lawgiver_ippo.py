"""Independent PPO (de Witt et al. 2020, arXiv 2011.09533) as a trainer of lawgiver, in one file of plain torch.

Every role learns for itself, the agents of a role share a network. The games are played through PettingZoo alone, so
any registered game will do whose participants choose among Discrete actions and whose mechanism acts in a Box.

    pip install ./examples/ippo
    lawgiver train examples/ippo/ippo.yaml

Details that matter: an action's reward is all that its agent earns until it acts again; advantages are standardised
over the batch of a role; a Gaussian's log-probability is that of the raw sample, which only the game sees clipped.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import numpy as np
import pettingzoo
import torch
from pydantic import Field
from torch import nn
from torch.distributions import Categorical, Distribution, Independent, Normal

from lawgiver.api import (
    Config,
    Game,
    LearnedMechanism,
    LearnedParticipants,
    NetworkPolicy,
    ParameterError,
    Settings,
    TrainerSettings,
    TrainingRun,
    UnsupportedGameError,
    ValueNet,
    log_prior,
    start_of,
)


class Participants(Settings):
    """The participants' network."""

    hidden: tuple[int, ...] = (32, 32)


class Mechanism(Settings):
    """The mechanism's Gaussian: one mean for all observations, or a network if ``hidden`` is given."""

    hidden: tuple[int, ...] | None = None
    start: str | tuple[float, ...] | None = None
    """The mean to begin with: a rule that the game's mechanism can announce, numbers, or None for mid-Box."""
    std: float = Field(default=0.3, gt=0)


class Agents(Settings):
    """Who plays."""

    participants: Participants = Participants()
    mechanism: Mechanism = Mechanism()


class Ippo(TrainerSettings):
    """The learner's settings."""

    length: ClassVar = None  # it saves no checkpoints
    name: Literal["ippo"] = "ippo"
    iterations: int = Field(default=60, ge=1)
    games: int = Field(default=64, ge=1)
    """Games an iteration, played side by side."""
    epochs: int = Field(default=4, ge=1)
    minibatch: int = Field(default=512, ge=1)
    learning_rate: float = Field(default=3e-3, gt=0)
    gamma: float = Field(default=0.5, ge=0, le=1)
    gae_lambda: float = Field(default=0.9, ge=0, le=1)
    clip: float = Field(default=0.2, gt=0)
    entropy: float = Field(default=0.01, ge=0)


class Player(nn.Module):
    """A role's policy, critic and optimiser."""

    def __init__(self, game: Game[Any], role: str, agents: Agents, settings: Ippo) -> None:
        """Build them."""
        super().__init__()
        self.policy = _policy(game, role, agents)
        self.actor = self.policy.network
        self.critic = ValueNet(game.observation_space(role), (32, 32))
        self.optimiser = torch.optim.Adam(self.parameters(), settings.learning_rate)

    def distribution(self, obs: torch.Tensor, mask: torch.Tensor | None) -> Distribution:
        """Return the distribution of what the network samples, for observations (N, d)."""
        if isinstance(self.policy, LearnedParticipants):
            return Categorical(logits=log_prior(None, obs, mask, self.policy.n_actions) + self.actor(obs))
        mean, log_std = self.actor(obs)
        return Independent(Normal(mean, log_std.exp()), 1)

    def actions(self, samples: torch.Tensor) -> np.ndarray:
        """Return the actions, inside their space, that samples stand for."""
        if isinstance(self.policy, LearnedParticipants):
            return samples.numpy()
        network = self.policy.network
        return network.to_action(samples).clamp(network.low, network.high).numpy()


def _policy(game: Game[Any], role: str, agents: Agents) -> NetworkPolicy:
    if role == "participant":
        return LearnedParticipants(game, hidden=agents.participants.hidden)
    settings = agents.mechanism
    start = start_of(game.action_layout(role), game.members, settings.start)
    policy = LearnedMechanism(game, start=start, hidden=settings.hidden)
    nn.init.constant_(policy.network.log_std, float(np.log(settings.std)))
    return policy


@dataclass
class Trajectory:
    """What one agent saw, did and earned in one game, an entry for each of its turns."""

    obs: list[np.ndarray] = field(default_factory=list)
    masks: list[np.ndarray] = field(default_factory=list)
    samples: list[torch.Tensor] = field(default_factory=list)
    log_probs: list[torch.Tensor] = field(default_factory=list)
    values: list[float] = field(default_factory=list)
    rewards: list[float] = field(default_factory=list)
    last_value: float = 0.0

    def advantages(self, gamma: float, gae_lambda: float) -> np.ndarray:
        """Return the generalised advantage estimates, one for each turn."""
        result, following, running = np.zeros(len(self.rewards), np.float32), self.last_value, 0.0
        for t in reversed(range(len(self.rewards))):
            running = self.rewards[t] + gamma * following - self.values[t] + gamma * gae_lambda * running
            result[t], following = running, self.values[t]
        return result


@torch.no_grad()
def play(envs: list[Any], players: dict[str, Player]) -> tuple[dict[str, list[Trajectory]], int]:
    """Play one game in every environment; return the trajectories by role, and the number of steps."""
    role_of = {agent: role for role in players for agent in envs[0].unwrapped.game.agents_of(role)}
    games = [{agent: Trajectory() for agent in env.possible_agents} for env in envs]
    seen = [env.reset() for env in envs]
    steps = 0
    while playing := [i for i, env in enumerate(envs) if env.agents]:
        turns = [(i, agent) for i in playing for agent in envs[i].unwrapped.acting_agents]
        actions: dict[int, dict[str, Any]] = {i: {} for i in playing}
        for role, player in players.items():
            acting = [(i, agent) for i, agent in turns if role_of[agent] == role]
            if acting:
                chosen = _choose(player, [(games[i][agent], *(x[agent] for x in seen[i])) for i, agent in acting])
                for (i, agent), action in zip(acting, chosen, strict=True):
                    actions[i][agent] = action
        for i in playing:
            obs, rewards, terminated, _, infos = envs[i].step(actions[i])
            seen[i], steps = (obs, infos), steps + 1
            for agent, trajectory in games[i].items():
                if trajectory.rewards:
                    trajectory.rewards[-1] += rewards[agent]
                if not envs[i].agents and not terminated[agent]:  # cut off: what would have followed still counts
                    trajectory.last_value = float(players[role_of[agent]].critic(torch.as_tensor(obs[agent])))
    by_role = {role: [game[agent] for game in games for agent in game if role_of[agent] == role] for role in players}
    return by_role, steps


def _choose(player: Player, turns: list[tuple[Trajectory, np.ndarray, dict[str, Any]]]) -> np.ndarray:
    """Return an action for each turn, and write the turns down."""
    obs = torch.as_tensor(np.stack([seen for _, seen, _ in turns]))
    masks = [info["action_mask"].astype(bool) for _, _, info in turns if "action_mask" in info]
    distribution = player.distribution(obs, torch.as_tensor(np.stack(masks)) if masks else None)
    samples, values = distribution.sample(), player.critic(obs).tolist()
    log_probs = distribution.log_prob(samples)
    for k, (trajectory, seen, _) in enumerate(turns):
        trajectory.obs.append(seen)
        trajectory.masks += masks[k : k + 1]
        trajectory.samples.append(samples[k])
        trajectory.log_probs.append(log_probs[k])
        trajectory.values.append(values[k])
        trajectory.rewards.append(0.0)
    return player.actions(samples)


def learn(player: Player, trajectories: list[Trajectory], settings: Ippo) -> dict[str, float]:
    """Improve a player by PPO on its trajectories; return the mean losses."""
    masks = [mask for t in trajectories for mask in t.masks]
    advantages = np.concatenate([t.advantages(settings.gamma, settings.gae_lambda) for t in trajectories])
    values = np.concatenate([np.asarray(t.values, np.float32) for t in trajectories])
    batch = {
        "obs": torch.as_tensor(np.stack([obs for t in trajectories for obs in t.obs])),
        "samples": torch.stack([sample for t in trajectories for sample in t.samples]),
        "log_probs": torch.stack([log_prob for t in trajectories for log_prob in t.log_probs]),
        "targets": torch.as_tensor(advantages + values),
        "advantages": torch.as_tensor((advantages - advantages.mean()) / (advantages.std() + 1e-8)),
    }
    if masks:
        batch["masks"] = torch.as_tensor(np.stack(masks))
    losses = []
    for _ in range(settings.epochs):
        for rows in torch.randperm(len(advantages)).split(settings.minibatch):
            policy_loss, value_loss, entropy = _losses(player, {k: v[rows] for k, v in batch.items()}, settings.clip)
            player.optimiser.zero_grad()
            (policy_loss + value_loss - settings.entropy * entropy).backward()
            nn.utils.clip_grad_norm_(player.parameters(), 10.0)
            player.optimiser.step()
            losses.append((policy_loss.item(), value_loss.item(), entropy.item()))
    return dict(zip(("policy_loss", "value_loss", "entropy"), np.mean(losses, axis=0).tolist(), strict=True))


def _losses(player: Player, rows: dict[str, torch.Tensor], clip: float) -> tuple[torch.Tensor, ...]:
    distribution = player.distribution(rows["obs"], rows.get("masks"))
    ratio = (distribution.log_prob(rows["samples"]) - rows["log_probs"]).exp()
    advantages = rows["advantages"]
    gain = torch.minimum(ratio * advantages, ratio.clamp(1 - clip, 1 + clip) * advantages).mean()
    error = (player.critic(rows["obs"]) - rows["targets"]).square().mean()
    return -gain, error, distribution.entropy().mean()


def require_playable(game: Game[Any]) -> None:
    """Check that a game is one that this trainer plays.

    Raises:
        UnsupportedGameError: if participants do not choose among Discrete actions, or it is not one mechanism that acts
            in a Box.
    """
    layouts = {role: game.action_layout(role) for role in game.roles}
    fits = isinstance(layouts.get("participant"), int) and not isinstance(layouts.get("mechanism", 0), int)
    if not fits or game.roles["mechanism"] != 1:
        found = ", ".join(
            f"{game.roles[role]} {role} in {'Discrete' if isinstance(layout, int) else 'a Box'}"
            for role, layout in layouts.items()
        )
        raise UnsupportedGameError(
            f"trainer 'ippo' trains participants with Discrete actions and one mechanism that acts in a Box; in"
            f" {game.name} there are: {found}"
        )


def train(config: Config[Agents, Ippo], run: TrainingRun) -> dict[str, Any]:
    """Train every role of a game, each for itself, and keep the policies in the run's folder.

    Returns:
        ``env_steps``, and by role the mean reward a turn in the first and in the last iteration.
    """
    if run.resumed:
        raise ParameterError("trainer 'ippo' keeps no checkpoints: start a new run in place of --resume")
    settings, game = config.trainer, config.game.make()
    require_playable(game)
    torch.manual_seed(config.seed)
    env_id = f"lawgiver/{game.name}"
    envs = [
        pettingzoo.make("parallel", env_id, flag_turns=False, **config.game.parameters) for _ in range(settings.games)
    ]
    for i, env in enumerate(envs):
        env.reset(seed=config.seed * settings.games + i)
    players = {role: Player(game, role, config.agents, settings) for role in game.roles}
    history, env_steps = [], 0
    with run.progress(settings.iterations, "ippo") as update:
        for iteration in range(1, settings.iterations + 1):
            started = time.monotonic()
            by_role, steps = play(envs, players)
            losses = {role: learn(player, by_role[role], settings) for role, player in players.items()}
            for role in losses:
                run.require_finite(iteration, {f"{role} {name}": loss for name, loss in losses[role].items()})
            rewards = {role: float(np.mean([r for t in ts for r in t.rewards])) for role, ts in by_role.items()}
            history.append(rewards)
            env_steps += steps
            timing = {"env_steps_per_s": steps / (time.monotonic() - started)}
            run.log(iteration, {"env_steps": env_steps, "reward": rewards, "loss": losses}, timing)
            update(iteration, f"reward {rewards['mechanism']:.2f}")
    for role, player in players.items():
        run.save_policy(role, player.policy)
    return {"env_steps": env_steps, "first_reward": history[0], "last_reward": history[-1]}
