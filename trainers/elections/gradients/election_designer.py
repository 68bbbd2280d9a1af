"""The trainer ``election_designer``: a mechanism that learns to win votes, through people who can be differentiated.

The gradient of the expected vote share V goes through the rules of the election as they are, with whatever people play
and vote in it: V + (V - b) log p(choices), with V - b held fixed, has the gradient of E[V] in expectation, b being the
mean of the other elections of the same condition (Schulman et al. 2015, arXiv 1506.05254, corollary 1). What is
reached by optimising on the very people who judge is what any other method can hope for.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
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
from lawgiver.trainers.evaluation.elections import against, hold
from lawgiver.trainers.runs.run import Run
from lawgiver.trainers.runs.state import restoring, save_state


@dataclass(frozen=True)
class Frozen:
    """A mechanism that gradients do not go through."""

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
        """Return the outcome without gradient, and the memory."""
        with torch.no_grad():
            return self.policy.outcome(obs, mask, state, rng)


def surrogate(
    election: Election, mechanism: Policy, rival: Policy, games: int, rng: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return a number whose gradient is an unbiased estimate of that of the vote share, and the vote share (C, games).

    Args:
        election: between two mechanisms.
        mechanism: whose parameters gradients are wanted for.
        rival: of the same base game.
        games: elections of each of C conditions, at least 2.
        rng: of everything that is drawn.
    """
    openings = election.game.openings(games, rng)
    together = map_arrays(lambda *parts: torch.cat(parts), *openings.values())
    state = hold(election, [mechanism, rival], together, rng)
    value = state.vote_probabilities[:, :, 0].mean(1).view(len(openings), games)
    others = (value.sum(1, keepdim=True) - value) / (games - 1)
    likelihood = state.log_likelihood.view_as(value)
    return (value + (value - others).detach() * likelihood).mean(), value.detach()


def train(config: DesignerConfig, run: Run) -> dict[str, Any]:
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
    rng = torch.Generator(device).manual_seed(config.seed)
    optimiser = torch.optim.Adam(mechanism.network.parameters(), lr=settings.learning_rate)
    done = _restore(run, mechanism, optimiser, rng)
    conditions = len(election.game.openings(1, np.random.default_rng(0)))
    games = settings.batch // conditions
    if settings.batch % conditions or games < 2:
        raise ParameterError(
            f"trainer.batch is {settings.batch}, allowed: a multiple of {conditions} conditions, at least twice"
        )
    started = time.monotonic()
    with run.progress(settings.updates, run.name, done) as show:
        for update in range(done + 1, settings.updates + 1):
            raised, value = surrogate(election, mechanism, named, games, rng)
            optimiser.zero_grad()
            (-raised).backward()  # type: ignore[no-untyped-call]
            norm = float(torch.nn.utils.clip_grad_norm_(mechanism.network.parameters(), 1.0))
            optimiser.step()
            size = float(torch.nn.utils.parameters_to_vector(mechanism.network.parameters()).detach().abs().max())
            run.require_finite(update, {"gradient_norm": norm, "largest_weight": size})
            if update % settings.log_every == 0 or update == settings.updates:
                share = float(value.mean())
                show(update, f"vote share {share:.3f}")
                rate = (update - done) / (time.monotonic() - started)
                run.log(update, {"vote_share": share, "gradient_norm": norm}, {"updates_per_s": rate})
            if update % settings.checkpoint_every == 0 or update == settings.updates:
                run.save_checkpoint(update, lambda folder: _keep(folder, mechanism, optimiser, rng))
    mechanism.network.to("cpu")
    run.save_policy("mechanism", mechanism)
    shares = against(election, mechanism, rivals, settings.games, [config.seed, 1])
    return shares | {"updates": settings.updates}


def _keep(
    folder: Path, mechanism: LearnedGraphMechanism, optimiser: torch.optim.Optimizer, rng: torch.Generator
) -> None:
    state = {"mechanism": mechanism.network.state_dict(), "optimiser": optimiser.state_dict(), "rng": rng.get_state()}
    save_state(folder, state)


def _restore(run: Run, mechanism: LearnedGraphMechanism, optimiser: torch.optim.Optimizer, rng: torch.Generator) -> int:
    """Go on from the newest checkpoint of a run that is resumed; return how many updates are done."""
    found = run.go_on()
    if found is None:
        return 0
    with restoring(found[1]) as state:
        mechanism.network.load_state_dict(state["mechanism"])
        optimiser.load_state_dict(state["optimiser"])
        rng.set_state(state["rng"])
    return found[0]
