"""How far participants are from the logit reply to current play: by the rules of any game, or exactly by its tables.

A mechanism that goes on learning while the participants no longer adapt (a saturated policy has no gradient) exploits
them on paper only. So it is held while they are further from their reply than a gate allows.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from ray.rllib.core.columns import Columns

from lawgiver.agents.tables import tabulate
from lawgiver.envs.core.arrays import softmax, take_games
from lawgiver.envs.core.policy import Policy
from lawgiver.envs.families.mechanism_game import MechanismGame
from lawgiver.envs.solvers.equilibrium.prior import ILLEGAL
from lawgiver.envs.solvers.equilibrium.subgame_equilibrium import prior_table
from lawgiver.trainers.rllib.modules import KLModule
from lawgiver.trainers.rllib.play import Table
from lawgiver.trainers.statistics.streams import torch_seeded

RATIONAL = 1e6
"""Stands for an infinite inverse temperature."""


def reply_gap(
    table: Table,
    modules: Mapping[str, Any],
    inverse_temperature: float,
    rng: np.random.Generator,
    games: int = 256,
) -> float:
    """Return how far participants are from the logit reply to current play, on average over seats.

    The mechanism plays its mean. At the participants' first turn each of them tries each of its actions while the
    others draw theirs; what it earns until its next turn, averaged over all who saw the same, makes the logit reply
    pi_0(a) exp(inverse_temperature * payoff(a)). The distance is that between mean actions, as a share of the largest
    legal action.

    Args:
        table: the game and its priors.
        modules: the RLModules by role.
        inverse_temperature: of the participants, per unit of payoff.
        rng: for the game's own randomness; torch's generator is left as it was.
        games: how many are played at once.
    """
    with torch_seeded(int(rng.integers(2**62))), torch.no_grad():
        return _reply_gap(table, modules, min(inverse_temperature, RATIONAL), rng, games)


def exact_reply_gap(
    game: MechanismGame,
    participants: Policy,
    parameters: np.ndarray,
    inverse_temperature: float,
    anchor: Policy | None,
) -> float:
    """Return the probability with which a participant acts otherwise than the logit reply to what everybody does.

    Where types are continuous hardly two participants see the same, so that counterfactuals of single games would be
    replies to how the others happen to draw. The agents' subgame has the expectations. Its actions need not be amounts
    either: the distance under w (D,) is that of :meth:`Subgame.distance`.
    """
    subgame = game.subgame
    prior = prior_table(game, anchor, parameters)
    policy = np.exp(tabulate(game, participants, parameters))
    reply = np.exp(subgame.log_response(parameters, subgame.aggregates(policy), inverse_temperature, prior))
    return float(subgame.distance(policy, reply))


def _shares(policy: np.ndarray, prior: np.ndarray) -> np.ndarray:
    """Return the mean action (...) of probabilities (..., n_actions), as a share of the largest legal one."""
    choices = np.arange(policy.shape[-1])
    largest = np.where(prior > ILLEGAL / 2, choices, 0).max(axis=-1)
    shares: np.ndarray = policy @ choices / np.maximum(largest, 1)
    return shares


def _first_turn(
    table: Table, modules: Mapping[str, Any], rng: np.random.Generator, games: int
) -> tuple[Any, np.ndarray, torch.Tensor]:
    """Return the state before the participants' first turn, what they see and their logits (B, n, n_actions)."""
    module = modules["participant"]
    assert isinstance(module, KLModule)
    state = _play_others(table, modules, table.game.initial_state(games, rng), rng)[0]
    obs = table.see(state, "participant")
    return state, obs, module.forward_inference({Columns.OBS: torch.from_numpy(obs)})[Columns.ACTION_DIST_INPUTS]


def _reply_gap(
    table: Table, modules: Mapping[str, Any], inverse_temperature: float, rng: np.random.Generator, games: int
) -> float:
    module = modules["participant"]
    state, obs, logits = _first_turn(table, modules, rng, games)
    actions = module.get_exploration_action_dist_cls().from_logits(logits).sample().numpy()
    payoffs = _counterfactuals(table, modules, state, actions, module.n_actions, rng)
    payoffs = _averaged(payoffs.reshape(-1, module.n_actions), obs.reshape(-1, obs.shape[-1]))
    prior = obs[..., -module.n_actions :].reshape(-1, module.n_actions).astype(float)
    reply = softmax(prior + inverse_temperature * payoffs)
    policy = softmax(logits.numpy().reshape(-1, module.n_actions).astype(float))
    return float(np.abs(_shares(policy, prior) - _shares(reply, prior)).mean())


def _play_others(
    table: Table, modules: Mapping[str, Any], state: Any, rng: np.random.Generator
) -> tuple[Any, np.ndarray]:
    """Play everybody's mean until the participants act or the games are over; return the state and their earnings."""
    game = table.game
    earned: Any = 0.0
    for _ in range(game.max_steps):
        role = game.phase(state)
        if role == "participant":
            break
        obs = table.see(state, role)
        inputs = modules[role].forward_inference({Columns.OBS: torch.from_numpy(obs)})[Columns.ACTION_DIST_INPUTS]
        distribution = modules[role].get_inference_action_dist_cls().from_logits(inputs)
        state, rewards, terminated, truncated = table.step(
            state, role, distribution.to_deterministic().sample().numpy(), rng
        )
        earned = earned + rewards["participant"]
        if (terminated | truncated).all():
            break
    return state, earned


def _counterfactuals(
    table: Table,
    modules: Mapping[str, Any],
    state: Any,
    actions: np.ndarray,
    n_actions: int,
    rng: np.random.Generator,
) -> np.ndarray:
    """Return what each seat would earn with each action while the others act as they do, (B, n, n_actions)."""
    games, seats = actions.shape
    copies = take_games(state, np.repeat(np.arange(games), n_actions))
    payoffs = np.empty((games, seats, n_actions))
    for seat in range(seats):
        tried = np.repeat(actions, n_actions, axis=0)
        tried[:, seat] = np.tile(np.arange(n_actions), games)
        after, rewards, terminated, truncated = table.step(copies, "participant", tried, rng)
        earned = rewards["participant"]
        if not (terminated | truncated).all():
            earned = earned + _play_others(table, modules, after, rng)[1]
        payoffs[:, seat] = earned[:, seat].reshape(games, n_actions)
    return payoffs


def _averaged(values: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """Return ``values`` (R, k) with each row replaced by the mean over the rows whose keys (R, d) are the same."""
    _, group = np.unique(keys, axis=0, return_inverse=True)
    group = group.ravel()
    sums = np.zeros((group.max() + 1, values.shape[1]))
    np.add.at(sums, group, values)
    means: np.ndarray = (sums / np.bincount(group)[:, None])[group]
    return means
