"""What a training leaves behind: policies, and what they are worth against the exact solution."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import torch

from lawgiver.agents.anchor import make_anchor
from lawgiver.agents.learned import LearnedMechanism, LearnedParticipants
from lawgiver.envs.core.game import Game
from lawgiver.envs.core.policy import Policy
from lawgiver.trainers.config import anchor_of
from lawgiver.trainers.rllib.settings import Mechanism, Participants
from lawgiver.trainers.roles import start_of
from lawgiver.trainers.scoring import beside_equilibrium, on_all_conditions, other_populations, score_table
from lawgiver.trainers.simulation import simulate

Weights = dict[str, torch.Tensor]

DRIFT = 0.05
"""How far the online score may be above the exact one, or the exact one above the ceiling, before it is an alarm."""
PLAYED = 1000
"""Games in which the trained participants are shown at the end."""
STREAM = 11
"""Marks the random numbers of these games off from all others."""
LEARNER_METRICS = ("policy_loss", "vf_loss", "vf_explained_var", "entropy", "anchor_kl", "updates")
LEARNING_RATE = "default_optimizer_learning_rate"


def actor_weights(module: Any) -> Weights:
    """Return a copy of the weights that a module acts with."""
    return {name: tensor.detach().cpu().clone() for name, tensor in module.actor.state_dict().items()}


def averaged(weights: Iterable[Weights]) -> Weights:
    """Return the mean of weights, name by name."""
    every = list(weights)
    return {name: torch.stack([w[name] for w in every]).mean(0) for name in every[0]}


def mechanism_policy(game: Game[Any], learning: Mechanism, weights: Weights) -> LearnedMechanism:
    """Return the mechanism that sends the mean of these weights."""
    start = start_of(game.action_layout("mechanism"), game.members, learning.start)
    policy = LearnedMechanism(game, start=start, hidden=learning.hidden)
    policy.network.load_state_dict(weights)
    return policy


def participants_policy(game: Game[Any], learning: Participants, weights: Weights) -> LearnedParticipants:
    """Return the participants of these weights."""
    policy = LearnedParticipants(game, hidden=learning.hidden, anchor=anchor_of(learning))
    policy.network.load_state_dict(weights)
    return policy


def exact_score(game: Game[Any], mechanism: Policy, participants: Participants) -> float | str:
    """Return the objective a round in the participants' exact equilibrium, or why it is not known."""
    anchor = make_anchor(game, anchor_of(participants))
    scores = game.exact_scores(mechanism, inverse_temperature=participants.level, anchor=anchor)
    return scores if isinstance(scores, str) else float(scores[objective(game)])


def scores(game: Game[Any], mechanism: Policy, participants: Participants) -> dict[str, Any]:
    """Return the tables of exact scores, other populations and conditions included, as summary.json has them."""

    def prior(of: Game[Any]) -> Policy | None:
        return make_anchor(of, anchor_of(participants))

    anchor = prior(game)
    temperature = participants.inverse_temperature
    table = score_table(game, mechanism, inverse_temperature=temperature, anchor=anchor).to_summary()
    conditions = on_all_conditions(game, mechanism, inverse_temperature=temperature, anchor=prior)
    return table | {"robustness": other_populations(game, mechanism), "all_conditions": conditions}


def in_play(
    game: Game[Any], mechanism: Policy, trained: Policy, participants: Participants, seed: int
) -> dict[str, Mapping[str, Any]]:
    """Return what the trained participants make of the learned mechanism, beside the exact equilibrium.

    Columns ``played`` (mean and 95 % interval of games played anew) and ``equilibrium``, by measure.
    """
    rng = np.random.default_rng([STREAM, seed])
    played = simulate(game, {"mechanism": mechanism, "participant": trained}, PLAYED, rng)
    anchor = make_anchor(game, anchor_of(participants))
    exact = game.exact_scores(mechanism, inverse_temperature=participants.inverse_temperature, anchor=anchor)
    return beside_equilibrium(played, exact)


def objective(game: Game[Any]) -> str:
    """Return the name of what the mechanism is paid."""
    return str(getattr(game, "objective", "score"))


def alarms(game: Game[Any], participants: Participants, online: float, exact: float, iteration: int) -> list[str]:
    """Return what is suspicious about an online score a round beside the exact one, in words."""
    found = []
    if online - exact > DRIFT:
        found.append(
            f"iteration {iteration}: the online score {online:.3f} is {online - exact:.3f} above the exact one: the "
            "participants have stopped adapting, or cannot see what they would have to adapt to"
        )
    ceiling = game.ceiling()
    # Participants who are used to another mechanism may give more than any rational one would.
    if participants.anchor == "uniform" and ceiling is not None and exact > ceiling:
        found.append(f"iteration {iteration}: the exact score {exact:.3f} is above the ceiling {ceiling:.3f}")
    return found


def learner_metrics(reported: Mapping[str, Any]) -> dict[str, float]:
    """Return what is logged of a module's training, out of what RLlib reports."""
    metrics = {name: float(reported[name]) for name in LEARNER_METRICS if name in reported}
    return metrics | ({"lr": float(reported[LEARNING_RATE])} if LEARNING_RATE in reported else {})
