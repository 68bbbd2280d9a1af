"""Playing a batch of games to their end, one forward pass per module and phase for all games at once.

There is nothing about RLlib's runners and nothing about any particular game in here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import gymnasium
import numpy as np

from lawgiver.agents.anchor import make_anchor
from lawgiver.envs.core.game import Game
from lawgiver.envs.core.policy import Policy
from lawgiver.envs.core.prior import log_prior
from lawgiver.envs.core.registry import make_game, make_policy
from lawgiver.trainers.rllib.chunks import Trajectories
from lawgiver.trainers.simulation import outcome_of

Act = Callable[[str, np.ndarray], tuple[np.ndarray, np.ndarray, np.ndarray]]
"""From a module's id and what its agents see, (R, d), to raw actions, their log-probabilities (R,) and the
parameters of their distribution (R, w)."""


@dataclass(frozen=True)
class Table:
    """A game, who is asked for the prior of each role that chooses among Discrete actions, and who plays as given.

    A module of such a role sees the agent's observation followed by log pi_0 over its actions: one array for the mask
    (about -1e9 where illegal) and for the anchor of bounded rationality. Without anchor pi_0 is uniform. A role that
    is given a policy has no module.
    """

    game: Game[Any]
    anchors: Mapping[str, Policy] = field(default_factory=dict)
    given: Mapping[str, Policy] = field(default_factory=dict)

    @property
    def learned(self) -> dict[str, int]:
        """Number of agents of each role that modules play."""
        return {role: count for role, count in self.game.roles.items() if role not in self.given}

    def observation_space(self, role: str) -> gymnasium.spaces.Box:
        """Return the space of what a module of this role sees."""
        return with_prior(self.game.observation_space(role), self.game.action_space(role))

    def see(self, state: Any, role: str) -> np.ndarray:
        """Return what the modules of a role see, (B, n_role, d), float32."""
        obs = self.game.observe(state, role)
        actions = self.game.action_space(role)
        if not isinstance(actions, gymnasium.spaces.Discrete):
            return np.asarray(obs, np.float32)
        mask = self.game.legal_actions(state, role)
        prior = log_prior(self.anchors.get(role), obs, mask, int(actions.n))
        return np.asarray(np.concatenate([obs, prior], axis=-1), np.float32)

    def step(self, state: Any, role: str, actions: np.ndarray, rng: np.random.Generator) -> Any:
        """Play one phase with raw actions (B, n_role[, k]), clipped to the Box; see :meth:`Game.step`."""
        space = self.game.action_space(role)
        if isinstance(space, gymnasium.spaces.Box):
            actions = np.clip(actions, space.low, space.high)
        return self.game.step(state, actions, self.game.draw(len(actions), rng))


def with_prior(seen: Any, actions: Any) -> gymnasium.spaces.Box:
    """Return the space of an observation followed by log pi_0 where the actions are Discrete."""
    assert isinstance(seen, gymnasium.spaces.Box)
    if not isinstance(actions, gymnasium.spaces.Discrete):
        return seen
    unbounded = np.full(int(actions.n), np.inf, np.float32)
    low, high = np.concatenate([seen.low, -unbounded]), np.concatenate([seen.high, unbounded])
    return gymnasium.spaces.Box(low, high, dtype=np.float32)


def make_table(env_config: Mapping[str, Any]) -> Table:
    """Return the table of a description.

    Args:
        env_config: ``{"game": name, "params": {...}, "anchors": {role: anchor}, "given": {role: {"policy": name}}}``;
            ``anchors`` and ``given`` may be left out, and a policy's parameters stand beside its name.
    """
    game = make_game(env_config["game"], **env_config.get("params", {}))
    anchors = {role: make_anchor(game, anchor) for role, anchor in env_config.get("anchors", {}).items()}
    given = {role: make_policy(game, role, **policy) for role, policy in env_config.get("given", {}).items()}
    return Table(game, {role: anchor for role, anchor in anchors.items() if anchor is not None}, given)


@dataclass
class _Seats:
    """What the agents of one role have gone through so far; rows are agents, game by game."""

    turns: list[dict[str, np.ndarray]] = field(default_factory=list)
    rewards: list[np.ndarray] = field(default_factory=list)
    last_obs: np.ndarray | None = None


@dataclass(frozen=True)
class Record:
    """B games played to their end.

    Attributes:
        trajectories: by learned role, one row for each agent of each game (game by game).
        returns: by role, what each agent earned, (B, n_role).
        turns: by role, how often its agents acted in each game, (B,).
        steps: phases played until each game's end, (B,).
    """

    trajectories: dict[str, Trajectories]
    returns: dict[str, np.ndarray]
    turns: dict[str, np.ndarray]
    steps: np.ndarray


def play(table: Table, games: int, rng: np.random.Generator, act: Act, modules: Mapping[str, np.ndarray]) -> Record:
    """Play ``games`` games to their end.

    Args:
        table: the game and its priors.
        games: how many, B.
        rng: for the game's own randomness.
        act: who acts.
        modules: by learned role, the module that plays each agent, (B, n_role) of ids.
    """
    game = table.game
    rows = {role: _rows_by_module(ids.ravel()) for role, ids in modules.items()}
    seats = {role: _Seats() for role in table.learned}
    memory = {role: policy.initial_state(games, rng) for role, policy in table.given.items()}
    returns = {role: np.zeros((games, count)) for role, count in game.roles.items()}
    turns = {role: np.zeros(games, np.int64) for role in game.roles}
    state = game.initial_state(games, rng)
    alive = np.ones(games, bool)
    ended_by_rules = np.zeros(games, bool)
    steps = np.zeros(games, np.int64)
    for _ in range(game.max_steps):
        role = game.phase(state)
        if role in table.given:
            outcome, memory[role] = outcome_of(game, table.given[role], state, role, memory[role], rng)
            state, rewards, terminated, truncated = game.advance(state, outcome, game.draw(games, rng))
        else:
            count = game.roles[role]
            obs = table.see(state, role).reshape(games * count, -1)
            taken = _act(act, rows[role], obs)
            seats[role].turns.append({"obs": obs, **taken, "alive": np.repeat(alive, count)})
            seats[role].rewards.append(np.zeros((games, count)))
            actions = taken["actions"].reshape(games, count, *taken["actions"].shape[1:])
            state, rewards, terminated, truncated = table.step(state, role, actions, rng)
        turns[role] += alive
        for earner, reward in rewards.items():
            earned = np.where(alive[:, None], reward, 0.0)
            returns[earner] += earned
            if earner in seats and seats[earner].rewards:  # before its first turn an agent has done nothing to earn it
                seats[earner].rewards[-1] += earned
        steps += alive
        cut = alive & truncated & ~terminated
        if cut.any():
            for seen_by, seat in seats.items():
                _keep_last_sight(table, state, seen_by, seat, cut)
        ended_by_rules |= alive & terminated
        alive = alive & ~(terminated | truncated)
        if not alive.any():
            break
    trajectories = {
        role: _stacked(seat, ended_by_rules, game.roles[role]) for role, seat in seats.items() if seat.turns
    }
    return Record(trajectories, returns, turns, steps)


def _rows_by_module(ids: np.ndarray) -> dict[str, np.ndarray | slice]:
    distinct = sorted(set(ids.tolist()))
    if len(distinct) == 1:
        return {distinct[0]: slice(None)}
    return {module: np.flatnonzero(ids == module) for module in distinct}


def _act(act: Act, rows: dict[str, np.ndarray | slice], obs: np.ndarray) -> dict[str, np.ndarray]:
    columns = ("actions", "logp", "dist_inputs")
    parts = {module: dict(zip(columns, act(module, obs[index]), strict=True)) for module, index in rows.items()}
    if len(parts) == 1:
        return next(iter(parts.values()))
    example = next(iter(parts.values()))
    whole = {name: np.empty((len(obs), *a.shape[1:]), a.dtype) for name, a in example.items()}
    for module, index in rows.items():
        for name in columns:
            whole[name][index] = parts[module][name]
    return whole


def _keep_last_sight(table: Table, state: Any, role: str, seat: _Seats, cut: np.ndarray) -> None:
    obs = table.see(state, role)
    if seat.last_obs is None:
        seat.last_obs = np.zeros_like(obs)
    seat.last_obs[cut] = obs[cut]


def _stacked(seat: _Seats, ended_by_rules: np.ndarray, count: int) -> Trajectories:
    columns = {name: np.stack([turn[name] for turn in seat.turns], axis=1) for name in seat.turns[0]}
    lengths = columns.pop("alive").sum(axis=1)
    games = len(ended_by_rules)
    rewards = np.stack([r.reshape(games * count) for r in seat.rewards], axis=1).astype(np.float32)
    last = np.zeros_like(columns["obs"][:, 0]) if seat.last_obs is None else seat.last_obs.reshape(games * count, -1)
    return Trajectories(
        **columns, last_obs=last, rewards=rewards, lengths=lengths, terminated=np.repeat(ended_by_rules, count)
    )
