"""The trainer ``election_designer``: a mechanism that learns to win votes, through people who can be differentiated.

The gradient of the expected vote share V goes through the rules of the election as they are, with whatever people play
and vote in it: V + (V - b) log p(choices), with V - b held fixed, has the gradient of E[V] in expectation, b being the
mean of the other elections of the same condition (Schulman et al. 2015, arXiv 1506.05254, corollary 1). As it optimises
on the people who judge, its result bounds what methods with less information can reach.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from lawgiver.agents.graph_network import LearnedGraphMechanism, graph_network
from lawgiver.envs.core.arrays import Array, Rng, map_arrays
from lawgiver.envs.core.errors import ParameterError, UnsupportedGameError
from lawgiver.envs.core.make import make_policy
from lawgiver.envs.core.policy import Memory, OutcomePolicy, Policy
from lawgiver.envs.election.game import Election
from lawgiver.trainers.elections.gradients.settings import DesignerConfig
from lawgiver.trainers.evaluation.vote_shares import against, hold
from lawgiver.trainers.runs import loop
from lawgiver.trainers.runs.descent import descend
from lawgiver.trainers.runs.training_run import TrainingRun


@dataclass(frozen=True)
class Frozen:
    """A mechanism without gradients."""

    policy: OutcomePolicy

    def initial_state(self, batch: int, rng: Rng) -> Memory:
        """See the policy."""
        return self.policy.initial_state(batch, rng)

    def distribution(self, obs: Array, mask: Array | None, state: Memory) -> tuple[Array, Memory]:
        """See the policy."""
        return self.policy.distribution(obs, mask, state)

    def act(self, obs: Array, mask: Array | None, state: Memory, rng: Rng) -> tuple[Array, Memory]:
        """See the policy."""
        return self.policy.act(obs, mask, state, rng)

    def outcome(self, obs: Array, mask: Array | None, state: Memory, rng: Rng) -> tuple[Array, Memory]:
        """Compute the outcome without gradient, and the memory."""
        with torch.no_grad():
            return self.policy.outcome(obs, mask, state, rng)


def surrogate(
    election: Election, mechanism: Policy, rival: Policy, games: int, rng: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """Compute a number whose gradient is an unbiased estimate of the vote share's, and the vote share (C, games).

    Args:
        election: between two mechanisms.
        mechanism: policy to differentiate.
        rival: policy of the same base game.
        games: number of elections of each of C conditions, >= 2.
        rng: generator of everything that is drawn.
    """
    openings = election.game.initial_states_by_condition(games, rng)
    together = map_arrays(lambda *parts: torch.cat(parts), *openings.values())
    state = hold(election, [mechanism, rival], together, rng)
    value = state.vote_probabilities[:, :, 0].mean(1).view(len(openings), games)
    others = (value.sum(1, keepdim=True) - value) / (games - 1)
    likelihood = state.log_likelihood.view_as(value)
    return (value + (value - others).detach() * likelihood).mean(), value.detach()


class Designer:
    """Gradient ascent on the vote share.

    Args:
        election: between two mechanisms.
        mechanism: policy that learns, on the device of its network.
        rival: opponent in all elections.
        games: number of elections of each condition in an update.
        rng: generator of everything that is drawn.
        learning_rate: of Adam.
    """

    def __init__(
        self,
        election: Election,
        mechanism: LearnedGraphMechanism,
        rival: Policy,
        games: int,
        *,
        rng: torch.Generator,
        learning_rate: float,
    ) -> None:
        self.election, self.mechanism, self.rival, self.games, self.rng = election, mechanism, rival, games, rng
        self.network = mechanism.network
        self.optimiser = torch.optim.Adam(self.network.parameters(), lr=learning_rate)

    def update(self, number: int) -> dict[str, float]:
        """Take one step of Adam; return the vote share before it, the norm of the gradient and the largest weight."""
        raised, value = surrogate(self.election, self.mechanism, self.rival, self.games, self.rng)
        norm = descend(-raised, self.network, self.optimiser)
        size = float(torch.nn.utils.parameters_to_vector(self.network.parameters()).detach().abs().max())
        return {"vote_share": float(value.mean()), "gradient_norm": norm, "largest_weight": size}

    def report(self, metrics: Mapping[str, float]) -> loop.Report:
        """Report the vote share and the gradient of the last update."""
        shown = {name: metrics[name] for name in ("vote_share", "gradient_norm")}
        return loop.Report(shown, f"vote share {metrics['vote_share']:.3f}")

    def state(self) -> dict[str, Any]:
        """Collect weights, the optimiser's state and the generator's."""
        return {
            "mechanism": self.network.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "rng": self.rng.get_state(),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from what :meth:`state` returned."""
        self.network.load_state_dict(state["mechanism"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.rng.set_state(state["rng"])


def train(config: DesignerConfig, run: TrainingRun) -> dict[str, Any]:
    """Design a mechanism in the run's folder; return its share of the votes against each of ``trainer.rivals``.

    Raises:
        UnsupportedGameError: if the game is no election between two, or its base game is not public investment in
            allocate mode.
        ParameterError: if the batch cannot be split evenly over the conditions.
        RunError: if the gradient or a weight is not finite; the last checkpoint is then the last good state.
    """
    election, settings = config.game.make(), config.trainer
    if not isinstance(election, Election) or election.n_mechanisms != 2:
        raise UnsupportedGameError(f"trainer 'election_designer' needs an election between two, not {election!r}")
    device = config.resources.torch_device()
    mechanism = graph_network(election.game, n_units=config.agents.mechanism.n_units, seed=config.seed)
    assert isinstance(mechanism, LearnedGraphMechanism)
    mechanism.network.to(device)
    rival = config.agents.mechanism.against
    named = Frozen(mechanism) if rival == "self" else make_policy(election.game, "mechanism", rival)
    rivals = {name: make_policy(election.game, "mechanism", name) for name in settings.rivals}
    conditions = len(election.game.initial_states_by_condition(1, np.random.default_rng(0)))
    games = settings.batch // conditions
    if settings.batch % conditions or games < 2:
        raise ParameterError(
            f"trainer.batch is {settings.batch}, allowed: a multiple of {conditions} conditions, at least twice"
        )
    loop.train(
        run,
        Designer(
            election,
            mechanism,
            named,
            games,
            rng=torch.Generator(device).manual_seed(config.seed),
            learning_rate=settings.learning_rate,
        ),
        updates=settings.updates,
        log_every=settings.log_every,
        checkpoint_every=settings.checkpoint_every,
    )
    mechanism.network.to("cpu")
    run.save_policy("mechanism", mechanism)
    shares = against(election, mechanism, rivals, settings.games, [config.seed, 1])
    return shares | {"updates": settings.updates}
