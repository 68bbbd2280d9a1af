"""Results of a training: policies, and their scores beside the exact solution."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import torch

from lawgiver.agents.anchor import make_anchor
from lawgiver.agents.naming import rule_of
from lawgiver.envs.core.errors import NoSolution
from lawgiver.envs.core.game import Game
from lawgiver.envs.core.objectives import objective_of
from lawgiver.envs.core.policy import Policy
from lawgiver.envs.families.mechanism_game import MechanismGame
from lawgiver.envs.repeated.game import RepeatedGame
from lawgiver.envs.repeated_allocation.game import RepeatedAllocation
from lawgiver.trainers.evaluation.rollout import simulate
from lawgiver.trainers.evaluation.score_table import (
    beside_equilibrium,
    final_table,
    on_all_conditions,
    other_populations,
)
from lawgiver.trainers.rllib.closed_form import beside_closed_form, summary_of
from lawgiver.trainers.rllib.settings import Participants
from lawgiver.trainers.rllib.setup import Setup, Trained
from lawgiver.trainers.rllib.trained_ballots import ballots
from lawgiver.trainers.rllib.trained_misreports import misreports
from lawgiver.trainers.settings.base import anchor_of
from lawgiver.trainers.statistics.streams import FINAL_GAMES

Weights = dict[str, torch.Tensor]

DRIFT = 0.05
"""How far the online score may be above the exact one before it is an alarm."""
DRIFT_SHARE = 0.01
"""The same as a share of the game's scale of welfare, where it declares one; there the grids on which equilibria are
solved may also put the exact score that far above the ceiling."""
PLAYED = 1000
"""Games in which the trained participants are shown at the end."""
LEARNER_METRICS = ("policy_loss", "vf_loss", "vf_explained_var", "entropy", "anchor_kl", "updates")
LEARNING_RATE = "default_optimizer_learning_rate"


def actor_weights(module: Any) -> Weights:
    """Copy the weights with which a module acts."""
    return {name: tensor.detach().cpu().clone() for name, tensor in module.actor.state_dict().items()}


def averaged(weights: Iterable[Weights]) -> Weights:
    """Average weights, name by name."""
    every = list(weights)
    return {name: torch.stack([w[name] for w in every]).mean(0) for name in every[0]}


def exact_score(setup: Setup, mechanism: Policy) -> float | NoSolution:
    """Compute the objective a round in the participants' exact equilibrium, or the reason why it is unknown."""
    game, name = setup.game, objective_of(setup.game)
    found = game.exact_scores(mechanism, inverse_temperature=setup.inverse_temperature, anchor=setup.anchor)
    if isinstance(found, NoSolution):
        return found
    return float(found[name]) if name in found else NoSolution(f"{game.name} has no exact solver for {name!r}")


def scores(setup: Setup, learned: Mapping[str, Trained]) -> dict[str, Any]:
    """Compute the tables of exact scores, other populations and conditions included, as summary.json has them.

    Args:
        setup: of the training.
        learned: a policy for either role.
    """

    def anchor(of: Game[Any]) -> Policy | None:
        return make_anchor(of, anchor_of(setup.agents.participants))

    game, mechanism, temperature = setup.game, learned["mechanism"], setup.inverse_temperature
    table = final_table(
        game,
        mechanism,
        inverse_temperature=temperature,
        anchor=setup.anchor,
        start=setup.agents.mechanism.start,
        participants=learned["participant"],
        played=simulate(game, learned, PLAYED, np.random.default_rng([FINAL_GAMES, setup.config.seed])),
        best=setup.best,
    )
    if isinstance(game, MechanismGame) or setup.agents.mechanism.memory:  # who remembers has no exact score anywhere
        return table
    rule = rule_of(game, mechanism)
    tabular = np.isfinite(temperature) and not setup.agents.participants.memory
    if isinstance(game, RepeatedAllocation) and rule is not None and tabular:
        burning, sharing = rule["parameters"].values()
        table |= misreports(game, (burning, sharing), learned["participant"], temperature)
    if isinstance(game, RepeatedGame) and tabular:
        table |= ballots(game, mechanism, learned["participant"], temperature)
    conditions = on_all_conditions(game, mechanism, inverse_temperature=temperature, anchor=anchor)
    return table | {"robustness": other_populations(game, mechanism), "all_conditions": conditions}


def beside(setup: Setup, learned: Mapping[str, Trained]) -> dict[str, Any]:
    """Compare participants trained under a given mechanism with their exact equilibrium.

    ``trained_participants``: measures in games (``played``) and in ``equilibrium``; of public
    investment also ``choices`` and ``distance_from_closed_form``, see :mod:`lawgiver.trainers.rllib.closed_form`; of
    repeated votes ``ballots`` and ``cast``, see :mod:`lawgiver.trainers.rllib.trained_ballots`.
    Empty where the mechanism has learned.
    """
    game, given = setup.game, setup.table.given
    if "participant" not in learned or "mechanism" not in given:
        return {}
    mechanism, people = given["mechanism"], learned["participant"]
    temperature, anchor = setup.inverse_temperature, setup.anchor
    players = {"mechanism": mechanism, "participant": people}
    played = simulate(game, players, PLAYED, np.random.default_rng([FINAL_GAMES, setup.config.seed]))
    exact = game.exact_scores(mechanism, inverse_temperature=temperature, anchor=anchor)
    summary: dict[str, Any] = {"trained_participants": beside_equilibrium(played, exact)}
    if isinstance(game, RepeatedGame) and not setup.agents.participants.memory:
        summary |= ballots(game, mechanism, people, temperature)
    return summary | summary_of(list(beside_closed_form(game, mechanism, people, temperature, anchor)))


def distances(setup: Setup, mechanism: Policy, participants: Policy) -> dict[str, Any]:
    """Compute the share of the gap that a mechanism closes, its w, and ``behaviour`` beside that in equilibrium.

    The names are those of the trainer ``two_timescale``; ``closed_form`` is what ``behaviour`` is in equilibrium.
    """
    table = final_table(
        setup.game,
        mechanism,
        inverse_temperature=setup.inverse_temperature,
        anchor=setup.anchor,
        start=setup.agents.mechanism.start,
        participants=participants,
        played={},
        best=setup.best,
    )
    behaviour = {k: v for k, v in table.items() if isinstance(v, Mapping) and set(v) == {"learned", "closed_form"}}
    return {
        "gap_closed": table["gap_closed"],
        "coefficients": {name: values["learned"] for name, values in table["parameters"].items()},
        "behaviour": {name: values["learned"] for name, values in behaviour.items()},
        "closed_form": {name: values["closed_form"] for name, values in behaviour.items()},
    }


def alarms(game: Game[Any], participants: Participants, online: float, exact: float, iteration: int) -> list[str]:
    """Describe contradictions between an online score a round and the exact one, one sentence each."""
    found = []
    drift, over = DRIFT, 0.0
    if isinstance(game, MechanismGame):
        drift = over = DRIFT_SHARE * game.welfare_scale
    if online - exact > drift:
        found.append(
            f"iteration {iteration}: the online score {online:.3f} is {online - exact:.3f} above the exact one: the "
            "participants have stopped adapting, or cannot see what they would have to adapt to"
        )
    ceiling = game.ceiling()
    # Participants anchored at another mechanism may give more than any rational one would.
    if participants.anchor == "uniform" and ceiling is not None and exact > ceiling + over:
        found.append(f"iteration {iteration}: the exact score {exact:.3f} is above the ceiling {ceiling:.3f}")
    return found


def learner_metrics(reported: Mapping[str, Any]) -> dict[str, float]:
    """Select the metrics of a module's training from RLlib's report.

    Of a module that is not trained in an iteration, but was before, RLlib reports NaN; after a break, nothing.
    """
    metrics = {name: float(reported[name]) for name in LEARNER_METRICS if name in reported}
    metrics = {name: value for name, value in metrics.items() if not np.isnan(value)}
    return metrics | ({"lr": float(reported[LEARNING_RATE])} if LEARNING_RATE in reported else {})
