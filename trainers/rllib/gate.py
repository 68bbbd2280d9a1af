"""Distance of participants from the logit best response to current play: sampled in any game, or exact in tables.

A mechanism that keeps learning while participants no longer adapt (a saturated policy has no gradient) exploits
behaviour that would not last. Its updates are therefore held while that distance is above a gate.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
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
from lawgiver.trainers.rllib.play import RolloutSetup
from lawgiver.trainers.statistics.streams import torch_seeded

RATIONAL = 1e6
"""Stands for an infinite inverse temperature."""


def reply_gap(
    setup: RolloutSetup,
    modules: Mapping[str, Any],
    inverse_temperature: float,
    rng: np.random.Generator,
    games: int = 256,
) -> float:
    """Estimate the distance of participants from the logit best response to current play, on average over seats.

    The mechanism plays its mean. At the participants' first turn each of them tries each of its actions while the
    others draw theirs; what it earns until its next turn, averaged over equal observations, defines the response
    pi_0(a) exp(inverse_temperature * payoff(a)). The distance is that between mean actions, as a share of the largest
    legal action.

    Args:
        setup: the game and its priors.
        modules: the RLModules by role.
        inverse_temperature: of the participants, per unit of payoff.
        rng: for the game's own randomness; torch's generator is left as it was.
        games: number of games played at once.
    """
    with torch_seeded(int(rng.integers(2**62))), torch.no_grad():
        return _reply_gap(setup, modules, min(inverse_temperature, RATIONAL), rng, games)


def exact_reply_gap(
    game: MechanismGame,
    participants: Policy,
    parameters: np.ndarray,
    inverse_temperature: float,
    anchor: Policy | None,
) -> float:
    """Compute the probability that a participant acts otherwise than the logit best response to current play.

    Where types are continuous, observations hardly repeat, so that sampled counterfactuals would be responses to single
    draws of the others; the subgame computes expectations. Its actions need not be amounts either: the distance under
    w (D,) is that of :meth:`Subgame.distance`.
    """
    subgame = game.subgame
    prior = prior_table(game, anchor, parameters)
    policy = np.exp(tabulate(game, participants, parameters))
    reply = np.exp(subgame.log_response(parameters, subgame.aggregates(policy), inverse_temperature, prior))
    return float(subgame.distance(policy, reply))


def _shares(policy: np.ndarray, prior: np.ndarray) -> np.ndarray:
    """Compute the mean action (...) of probabilities (..., n_actions), as a share of the largest legal one."""
    choices = np.arange(policy.shape[-1])
    largest = np.where(prior > ILLEGAL / 2, choices, 0).max(axis=-1)
    shares: np.ndarray = policy @ choices / np.maximum(largest, 1)
    return shares


@dataclass(frozen=True)
class _Play:
    """Games in progress.

    Attributes:
        state: of the games.
        memories: of the roles' modules that have acted and have a memory, (B, n_role, ...) each.
    """

    state: Any
    memories: Mapping[str, torch.Tensor]


def _asked(
    setup: RolloutSetup, modules: Mapping[str, Any], role: str, play: _Play
) -> tuple[np.ndarray, torch.Tensor, _Play]:
    """Query a role's module: its observations, the parameters of its distribution, and the games after that."""
    obs = setup.see(play.state, role)
    batch = {Columns.OBS: torch.from_numpy(obs)}
    if role in play.memories:
        batch[Columns.STATE_IN] = play.memories[role]
    found = modules[role].forward_inference(batch)
    kept = {role: found[Columns.STATE_OUT]} if Columns.STATE_OUT in found else {}
    return obs, found[Columns.ACTION_DIST_INPUTS], replace(play, memories={**play.memories, **kept})


def _reply_gap(
    setup: RolloutSetup, modules: Mapping[str, Any], inverse_temperature: float, rng: np.random.Generator, games: int
) -> float:
    module = modules["participant"]
    assert isinstance(module, KLModule)
    play, _ = _play_others(setup, modules, _Play(setup.game.initial_state(games, rng), {}), rng)
    obs, logits, play = _asked(setup, modules, "participant", play)
    actions = module.get_exploration_action_dist_cls().from_logits(logits).sample().numpy()
    payoffs = _counterfactuals(setup, modules, play, actions, module.n_actions, rng)
    payoffs = _averaged(payoffs.reshape(-1, module.n_actions), obs.reshape(-1, obs.shape[-1]))
    prior = obs[..., -module.n_actions :].reshape(-1, module.n_actions).astype(float)
    reply = softmax(prior + inverse_temperature * payoffs)
    policy = softmax(logits.numpy().reshape(-1, module.n_actions).astype(float))
    return float(np.abs(_shares(policy, prior) - _shares(reply, prior)).mean())


def _play_others(
    setup: RolloutSetup, modules: Mapping[str, Any], play: _Play, rng: np.random.Generator
) -> tuple[_Play, np.ndarray]:
    """Play everybody's mean until the participants act or the games are over; return the games and their earnings."""
    game = setup.game
    earned: Any = 0.0
    for _ in range(game.max_steps):
        role = game.phase(play.state)
        if role == "participant":
            break
        _, inputs, play = _asked(setup, modules, role, play)
        distribution = modules[role].get_inference_action_dist_cls().from_logits(inputs)
        state, rewards, terminated, truncated = setup.step(
            play.state, role, distribution.to_deterministic().sample().numpy(), rng
        )
        play, earned = replace(play, state=state), earned + rewards["participant"]
        if (terminated | truncated).all():
            break
    return play, earned


def _counterfactuals(
    setup: RolloutSetup,
    modules: Mapping[str, Any],
    play: _Play,
    actions: np.ndarray,
    n_actions: int,
    rng: np.random.Generator,
) -> np.ndarray:
    """Compute the payoff of each action of each seat while the others act as they do, (B, n, n_actions)."""
    games, seats = actions.shape
    copies = take_games(play, np.repeat(np.arange(games), n_actions))
    payoffs = np.empty((games, seats, n_actions))
    for seat in range(seats):
        tried = np.repeat(actions, n_actions, axis=0)
        tried[:, seat] = np.tile(np.arange(n_actions), games)
        after, rewards, terminated, truncated = setup.step(copies.state, "participant", tried, rng)
        earned = rewards["participant"]
        if not (terminated | truncated).all():
            earned = earned + _play_others(setup, modules, replace(copies, state=after), rng)[1]
        payoffs[:, seat] = earned[:, seat].reshape(games, n_actions)
    return payoffs


def _averaged(values: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """Replace each row of ``values`` (R, k) by the mean over the rows whose keys (R, d) are equal."""
    _, group = np.unique(keys, axis=0, return_inverse=True)
    group = group.ravel()
    sums = np.zeros((group.max() + 1, values.shape[1]))
    np.add.at(sums, group, values)
    means: np.ndarray = (sums / np.bincount(group)[:, None])[group]
    return means
