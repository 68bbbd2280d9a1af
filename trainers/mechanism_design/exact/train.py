"""The trainer ``exact_designer``: a mechanism by gradient ascent through the participants' exact equilibrium."""

from __future__ import annotations

from typing import Any

import torch

from lawgiver.agents.anchor import make_anchor
from lawgiver.agents.graph_network import LearnedGraphMechanism
from lawgiver.agents.network_policies import LearnedMechanism
from lawgiver.envs.core.errors import UnsupportedGameError, allowed
from lawgiver.envs.public_investment.game import PublicInvestment
from lawgiver.trainers.evaluation.ascent import Ascent
from lawgiver.trainers.evaluation.equilibrium_gradient import Sends, rounds, value
from lawgiver.trainers.evaluation.score_table import other_populations, score_table
from lawgiver.trainers.mechanism_design.exact.settings import ExactConfig, Mechanism
from lawgiver.trainers.runs import loop
from lawgiver.trainers.runs.training_run import TrainingRun
from lawgiver.trainers.settings.base import anchor_of
from lawgiver.trainers.statistics.streams import torch_seeded


def train(config: ExactConfig, run: TrainingRun) -> dict[str, Any]:
    """Design a mechanism and save it in the run's folder; return its scores.

    Raises:
        UnsupportedGameError: if the game is another, or has too many joint contributions.
        RunError: if the value is not finite; the last checkpoint is then the last good state.
    """
    game = config.game.make()
    if not isinstance(game, PublicInvestment):
        raise UnsupportedGameError(f"trainer 'exact_designer' needs public_investment, not {game.name}")
    participants, settings = config.agents.participants, config.trainer
    anchor = make_anchor(game, anchor_of(participants))
    with torch_seeded(config.seed):
        policy, sends = make_mechanism(game, config.agents.mechanism)
    conditions = rounds(game, anchor)
    ascent = Ascent(
        policy.network.parameters(),
        lambda level: torch.stack([value(at, sends, level) for at in conditions]).mean(),
        inverse_temperature=participants.inverse_temperature,
        updates=settings.anneal_over or settings.updates,
        learning_rate=settings.learning_rate,
    )
    loop.train(
        run,
        ascent,
        updates=settings.updates,
        log_every=settings.log_every,
        checkpoint_every=settings.checkpoint_every,
    )
    seconds = run.wall_s  # those before an interruption included
    run.save_policy("mechanism", policy)
    table = score_table(game, policy, inverse_temperature=participants.inverse_temperature, anchor=anchor)
    return table.to_summary() | {
        "updates": settings.updates,
        "robustness": other_populations(game, policy),
        "timing": {"design_s": seconds, "updates_per_s": settings.updates / seconds},
    }


def make_mechanism(
    game: PublicInvestment, settings: Mechanism
) -> tuple[LearnedGraphMechanism | LearnedMechanism, Sends]:
    """Make the policy to design, and the differentiable function from endowments and contributions to its action."""
    if not game.announces:
        graph = LearnedGraphMechanism(game, n_units=settings.n_units)
        return graph, graph.weights
    if settings.start not in game.members:
        raise UnsupportedGameError(
            f"agents.mechanism.start is {settings.start!r}: {allowed(settings.start, game.members)}"
        )
    announced = LearnedMechanism(game, start=game.members[settings.start], hidden=None)

    def parameters(endowments: torch.Tensor, contributions: torch.Tensor) -> torch.Tensor:
        return announced.network.mean_action(endowments.float()).to(endowments.dtype)

    return announced, parameters
