"""Play of a batch of games to their end, one forward pass per module and phase, for any game and runner."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import gymnasium
import numpy as np

from lawgiver.agents.anchor import make_anchor
from lawgiver.envs.core.game import Game
from lawgiver.envs.core.make import make_game, make_policy
from lawgiver.envs.core.policy import Policy
from lawgiver.envs.core.rollout import choose
from lawgiver.envs.solvers.equilibrium.prior import log_prior
from lawgiver.trainers.rllib.chunks import Trajectories

State = np.ndarray | None
"""State of the memory of R agents, (R, ...); None at the start of games, and always for modules without a memory."""
Act = Callable[[str, np.ndarray, State], tuple[np.ndarray, np.ndarray, np.ndarray, State]]
"""Maps a module's id, observations (R, d) and the state before them to raw actions, their log-probabilities (R,), the
parameters of their distribution (R, w) and the new state."""


@dataclass(frozen=True)
class RolloutSetup:
    """A game with the priors of roles that choose among Discrete actions, and the policies of roles that do not learn.

    A module of a role with Discrete actions sees the agent's observation followed by log pi_0 over its actions: one
    array for the mask (about -1e9 where illegal) and for the anchor of bounded rationality. Without anchor pi_0 is
    uniform. A role that is given a policy has no module.

    Attributes:
        game: to play.
        anchors: prior policies by role.
        given: policies of roles without a module.
    """

    game: Game[Any]
    anchors: Mapping[str, Policy] = field(default_factory=dict)
    given: Mapping[str, Policy] = field(default_factory=dict)

    @property
    def learned(self) -> dict[str, int]:
        """Number of agents of each role that modules play."""
        return {role: count for role, count in self.game.roles.items() if role not in self.given}

    def observation_space(self, role: str) -> gymnasium.spaces.Box:
        """Make the space of the observation of a role's module."""
        return with_prior(self.game.observation_space(role), self.game.action_space(role))

    def see(self, state: Any, role: str) -> np.ndarray:
        """Observe a state as the modules of a role do, (B, n_role, d), float32."""
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
    """Extend the space of an observation by that of log pi_0 where the actions are Discrete."""
    assert isinstance(seen, gymnasium.spaces.Box)
    if not isinstance(actions, gymnasium.spaces.Discrete):
        return seen
    unbounded = np.full(int(actions.n), np.inf, np.float32)
    low, high = np.concatenate([seen.low, -unbounded]), np.concatenate([seen.high, unbounded])
    return gymnasium.spaces.Box(low, high, dtype=np.float32)


def make_rollout_setup(env_config: Mapping[str, Any]) -> RolloutSetup:
    """Make the setup of an ``env_config``.

    Args:
        env_config: ``{"game": name, "params": {...}, "anchors": {role: anchor}, "given": {role: {"policy": name}}}``;
            ``anchors`` and ``given`` may be left out, and a policy's parameters stand beside its name.
    """
    game = make_game(env_config["game"], **env_config.get("params", {}))
    anchors = {role: make_anchor(game, anchor) for role, anchor in env_config.get("anchors", {}).items()}
    given = {role: make_policy(game, role, **policy) for role, policy in env_config.get("given", {}).items()}
    return RolloutSetup(game, {role: anchor for role, anchor in anchors.items() if anchor is not None}, given)


@dataclass
class _RoleTurns:
    """Turns of the agents of one role so far; rows are agents, game by game."""

    turns: list[dict[str, np.ndarray]] = field(default_factory=list)
    rewards: list[np.ndarray] = field(default_factory=list)
    last_obs: np.ndarray | None = None


@dataclass(frozen=True)
class Record:
    """B games played to their end.

    Attributes:
        trajectories: by learned role, one row for each agent of each game (game by game).
        returns: by role, sum of each agent's rewards, (B, n_role).
        turns: by role, number of each agent's turns, (B, n_role).
        steps: phases played until each game's end, (B,).
    """

    trajectories: dict[str, Trajectories]
    returns: dict[str, np.ndarray]
    turns: dict[str, np.ndarray]
    steps: np.ndarray


def play(
    setup: RolloutSetup, games: int, rng: np.random.Generator, act: Act, modules: Mapping[str, np.ndarray]
) -> Record:
    """Play ``games`` games to their end.

    Args:
        setup: the game, its priors and given policies.
        games: number of games, B.
        rng: for the game's own randomness.
        act: maps observations to actions; agents' states begin at None, and are zeros for those who have not acted yet.
        modules: by learned role, id of each agent's module, (B, n_role).
    """
    game = setup.game
    rows = {role: {m: ids.ravel() == m for m in sorted(set(ids.ravel().tolist()))} for role, ids in modules.items()}
    seats = {role: _RoleTurns() for role in setup.learned}
    states: dict[str, State] = dict.fromkeys(setup.learned)
    memory = {role: policy.initial_state(games, rng) for role, policy in setup.given.items()}
    returns = {role: np.zeros((games, count)) for role, count in game.roles.items()}
    turns = {role: np.zeros((games, count), np.int64) for role, count in game.roles.items()}
    state = game.initial_state(games, rng)
    alive = np.ones(games, bool)
    ended_by_rules = np.zeros(games, bool)
    steps = np.zeros(games, np.int64)
    for _ in range(game.max_steps):
        role = game.phase(state)
        acting = np.repeat(alive[:, None], game.roles[role], axis=1)
        if game.seats_take_turns:
            acting &= game.acts(state, role)
        if role in setup.given:
            seen, legal = game.observe(state, role), game.legal_actions(state, role)
            _, outcome, memory[role] = choose(game, setup.given[role], state, seen, legal, memory[role], rng)
            state, rewards, terminated, truncated = game.advance(state, outcome, game.draw(games, rng))
        else:
            count = game.roles[role]
            obs = setup.see(state, role).reshape(games * count, -1)
            own_turn = acting.ravel() if game.seats_take_turns else None
            taken, states[role] = _act(act, rows[role], obs, states[role], own_turn)
            seats[role].turns.append({"obs": obs, **taken, "acting": acting.ravel()})
            seats[role].rewards.append(np.zeros((games, count)))
            actions = taken["actions"].reshape(games, count, *taken["actions"].shape[1:])
            state, rewards, terminated, truncated = setup.step(state, role, actions, rng)
        turns[role] += acting
        for earner, reward in rewards.items():
            earned = np.where(alive[:, None], reward, 0.0)
            returns[earner] += earned
            if (
                earner in seats and seats[earner].rewards
            ):  # rewards before an agent's first turn have no action to credit
                seats[earner].rewards[-1] += earned
        steps += alive
        cut = alive & truncated & ~terminated
        if cut.any():
            for seen_by, seat in seats.items():
                _store_last_observation(setup, state, seen_by, seat, cut)
        ended_by_rules |= alive & terminated
        alive = alive & ~(terminated | truncated)
        if not alive.any():
            break
    trajectories = {
        role: _stacked(seat, ended_by_rules, game.roles[role], game.seats_take_turns)
        for role, seat in seats.items()
        if seat.turns
    }
    return Record(trajectories, returns, turns, steps)


def _act(
    act: Act, rows: dict[str, np.ndarray], obs: np.ndarray, state: State, acting: np.ndarray | None
) -> tuple[dict[str, np.ndarray], State]:
    """Compute the actions of all agents and their new state; rows of agents that do not act are zeros.

    Args:
        act: maps observations to actions.
        rows: agents of each module, bool (R,).
        obs: observations of the agents, (R, d).
        state: of the agents, (R, ...), which those who do not act keep.
        acting: agents whose turn it is, bool (R,); None for all.
    """
    columns = ("actions", "logp", "dist_inputs")
    if acting is None and len(rows) == 1:
        *everybody, state = act(next(iter(rows)), obs, state)
        return dict(zip(columns, everybody, strict=True)), state
    whole: dict[str, Any] = {"state": None if state is None else state.copy()}
    for module, mine in rows.items():
        index = np.flatnonzero(mine if acting is None else mine & acting)
        if not index.size:
            continue
        found = act(module, obs[index], None if state is None else state[index])
        for name, part in zip((*columns, "state"), found, strict=True):
            if part is None:
                continue
            if whole.get(name) is None:
                whole[name] = np.zeros((len(obs), *part.shape[1:]), part.dtype)
            whole[name][index] = part
    return whole, whole.pop("state")


def _store_last_observation(setup: RolloutSetup, state: Any, role: str, seat: _RoleTurns, cut: np.ndarray) -> None:
    obs = setup.see(state, role)
    if seat.last_obs is None:
        seat.last_obs = np.zeros_like(obs)
    seat.last_obs[cut] = obs[cut]


def _stacked(seat: _RoleTurns, ended_by_rules: np.ndarray, count: int, take_turns: bool) -> Trajectories:
    columns = {name: np.stack([turn[name] for turn in seat.turns], axis=1) for name in seat.turns[0]}
    games = len(ended_by_rules)
    columns["rewards"] = np.stack([r.reshape(games * count) for r in seat.rewards], axis=1).astype(np.float32)
    acting = columns.pop("acting")
    if take_turns:
        columns = _own_turns(columns, acting)
    last = np.zeros_like(columns["obs"][:, 0]) if seat.last_obs is None else seat.last_obs.reshape(games * count, -1)
    return Trajectories(
        **columns, last_obs=last, lengths=acting.sum(axis=1), terminated=np.repeat(ended_by_rules, count)
    )


def _own_turns(columns: dict[str, np.ndarray], acting: np.ndarray) -> dict[str, np.ndarray]:
    """Select each agent's own turns out of all turns of its role; zeros beyond the last.

    Rewards during the turns of others count for the agent's latest own turn; those before its first turn are dropped.

    Args:
        columns: arrays (R, T, ...) by name, ``rewards`` among them.
        acting: the agent's own turns, bool (R, T).
    """
    lengths = acting.sum(axis=1)
    order = np.argsort(~acting, axis=1, kind="stable")[:, : lengths.max()]
    inside = np.arange(order.shape[1]) < lengths[:, None]
    own = {}
    for name, column in columns.items():
        wide = (..., *(None,) * (column.ndim - 2))
        own[name] = np.where(inside[wide], np.take_along_axis(column, order[wide], axis=1), 0).astype(column.dtype)
    row, turn = np.nonzero(acting.cumsum(axis=1))
    latest = acting.cumsum(axis=1)[row, turn] - 1
    own["rewards"] = np.zeros(order.shape, np.float32)
    np.add.at(own["rewards"], (row, latest), columns["rewards"][row, turn])
    return own
