"""Optimize: a mechanism learns to win the votes of virtual participants against a frozen copy of itself.

The gradient is that of one side alone; of both it would cancel. In self-play the value is one half in expectation
whatever is learned, so that progress is measured in elections against the initial mechanism.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from torch.nn.utils import get_total_norm, parameters_to_vector, vector_to_parameters

from lawgiver.agents.graph_network import LearnedGraphMechanism
from lawgiver.agents.virtual import VirtualParticipants, VirtualVoters
from lawgiver.envs.core.errors import ParameterError, integer, number
from lawgiver.envs.public_investment.game import PublicInvestment
from lawgiver.trainers.elections.gradients.election import Campaign
from lawgiver.trainers.elections.gradients.joint_table import JointTable
from lawgiver.trainers.elections.gradients.virtual_players import LinearVoters, LstmPlayers
from lawgiver.trainers.elections.virtual_people.losses import DivergedError
from lawgiver.trainers.runs.ray_cluster import start_ray
from lawgiver.trainers.settings.base import Resources
from lawgiver.trainers.statistics.streams import torch_generator

REPORT_EVERY = 200
"""Updates between two reports, at most; a tenth of all where those are few."""

LOCAL = Resources()
"""One process, on a GPU where there is one."""

Report = Callable[[int, dict[str, float]], None]


class SelfPlay:
    """A mechanism's elections against a copy of itself, and their gradient.

    Args:
        mechanism: whose gradient is taken, at its current weights at every call.
        participants: of the games; their weights are copied.
        voters: of the elections; their weights are copied.
        game: base game of the election.
        games: number of games of each condition, under each mechanism.
        seed: of the contributions, any integers.
    """

    def __init__(
        self,
        mechanism: LearnedGraphMechanism,
        participants: VirtualParticipants,
        voters: VirtualVoters,
        game: PublicInvestment,
        games: int,
        seed: tuple[int, ...],
    ) -> None:
        like = next(mechanism.network.parameters()).detach()
        self._mechanism, self._joint = mechanism, JointTable(game, like)
        players = LstmPlayers(participants.network, game, games, like)
        self._campaign = Campaign(self._joint, players, LinearVoters(voters.network, game, like), games)
        self._generators = [torch_generator(like.device, *seed, use) for use in range(2)]

    def gradient(self) -> torch.Tensor:
        """Compute the mean value of a batch, and the gradient of its negative in the parameters' ``grad``."""
        payouts = self._joint.payouts(self._joint.weights(self._mechanism))
        table = payouts.detach()
        values, slopes = self._campaign.gradient(self._campaign.play(table, table, self._generators[0]))
        self._mechanism.network.zero_grad()
        payouts.backward(-slopes)  # type: ignore[no-untyped-call]
        return values.mean()

    @torch.no_grad()
    def weights(self) -> torch.Tensor:
        """Compute the mechanism's weights at every joint contribution, (S, n)."""
        return self._joint.weights(self._mechanism)

    @torch.no_grad()
    def share(self, weights: torch.Tensor, rival: torch.Tensor) -> torch.Tensor:
        """Estimate the vote share of a mechanism with these weights (S, n) against a rival's, in a batch.

        The random numbers are none of those of :meth:`gradient`.
        """
        tables = self._joint.payouts(weights), self._joint.payouts(rival)
        return self._campaign.value(self._campaign.play(*tables, self._generators[1])).mean()


Prepare = Callable[..., SelfPlay]
""":class:`SelfPlay` but for mechanism and seed."""


class SharedSelfPlay:
    """The same batch shared out to Ray processes, each with random numbers of its own; gradients are averaged."""

    def __init__(self, mechanism: LearnedGraphMechanism, prepare: Prepare, workers: int, seed: int) -> None:
        """Start the processes."""
        import ray

        self._get, self._put, self._parameters = ray.get, ray.put, list(mechanism.network.parameters())
        device = self._parameters[0].device
        gpus = min(1.0, torch.cuda.device_count() / workers) if device.type == "cuda" else 0
        actor = ray.remote(num_cpus=1, num_gpus=gpus)(_Worker)
        mine = copy.deepcopy(mechanism)
        mine.network.cpu()
        self._workers = [actor.remote(mine, device.type, prepare, (seed, 1 + rank)) for rank in range(workers)]

    def gradient(self) -> torch.Tensor:
        """See :meth:`SelfPlay.gradient`."""
        vector = parameters_to_vector(self._parameters).detach()
        sent = self._put(vector.cpu().numpy())
        answers = self._get([worker.gradient.remote(sent) for worker in self._workers])
        mean = torch.from_numpy(np.mean([gradient for _, gradient in answers], axis=0)).to(vector)
        for parameter, part in zip(
            self._parameters, torch.split(mean, [p.numel() for p in self._parameters]), strict=True
        ):
            parameter.grad = part.view_as(parameter)
        return vector.new_tensor(np.mean([value for value, _ in answers]))

    def stop(self) -> None:
        """End the processes."""
        import ray

        for worker in self._workers:
            ray.kill(worker)


class _Worker:
    """One process of :class:`SharedSelfPlay`."""

    def __init__(self, mechanism: LearnedGraphMechanism, device: str, prepare: Prepare, seed: tuple[int, ...]) -> None:
        torch.set_num_threads(1)
        mechanism.network.to(device)
        self._parameters = list(mechanism.network.parameters())
        self._play = prepare(mechanism, seed=seed)

    def gradient(self, vector: np.ndarray) -> tuple[float, np.ndarray]:
        """Compute the mean value and its negative's gradient at these parameters."""
        vector_to_parameters(torch.from_numpy(vector.copy()).to(self._parameters[0]), self._parameters)
        value = self._play.gradient()
        return float(value), torch.cat([p.grad.flatten() for p in self._parameters if p.grad is not None]).cpu().numpy()


def optimise(
    mechanism: LearnedGraphMechanism,
    participants: VirtualParticipants,
    voters: VirtualVoters,
    game: PublicInvestment,
    *,
    updates: int,
    batch: int,
    learning_rate: float,
    seed: int,
    resources: Resources = LOCAL,
    report: Report | None = None,
) -> None:
    """Train a mechanism in place.

    Same seed, learning processes and threads: same weights (on a CPU; a GPU adds up in any order).

    Args:
        mechanism: to be trained, from its weights as they are.
        participants: of the games, not trained.
        voters: of the elections, not trained.
        game: base game of the election.
        updates: number of Adam steps.
        batch: elections an update, split evenly over the game's conditions and the learning processes.
        learning_rate: of Adam.
        seed: of the contributions.
        resources: the device, and in ``num_learners`` how many Ray processes share a batch, 0 for none.
        report: called every ``REPORT_EVERY`` updates or more often, and after the last, with the number of updates
            and, since the last report: mean ``value`` (a share of the votes against the copy) and ``gradient_norm``,
            ``policy_change`` (mean absolute change of a weight over all joint contributions); and
            ``share_against_start`` in a batch of elections.

    Raises:
        ParameterError: if a setting is outside its range, or the batch cannot be split evenly.
        MissingExtraError: if processes are asked for and Ray is not installed.
        UnsupportedGameError: if the game has too many joint contributions.
        DivergedError: if values or gradients are no longer finite; the mechanism is then as it was when they last
            were known to be, at the last report.
    """
    updates, batch = integer("updates", updates, 1), integer("batch", batch, 1)
    learning_rate = number("learning_rate", learning_rate, "(0, inf)")
    games = games_each(batch, game, resources.num_learners)
    network = mechanism.network.to(resources.torch_device())
    prepare = partial(SelfPlay, participants=participants, voters=voters, game=game, games=games)
    local = prepare(mechanism, seed=(seed, 0))
    shared = None
    if resources.num_learners:
        start_ray(resources)
        shared = SharedSelfPlay(mechanism, prepare, resources.num_learners, seed)
    try:
        _ascend(network, local, (shared or local).gradient, updates, learning_rate, report)
    finally:
        if shared is not None:
            shared.stop()
        network.zero_grad()
        network.cpu()


def games_each(batch: int, game: PublicInvestment, processes: int) -> int:
    """Split a batch: compute the elections of each condition in each learning process, with 0 for the main one.

    Raises:
        ParameterError: if the batch cannot be split evenly.
    """
    shares = len(game.conditions) * max(processes, 1)
    if batch % shares:
        raise ParameterError(
            f"batch is {batch}, allowed: a multiple of {shares}, {len(game.conditions)} conditions"
            + (f" times {processes} learning processes (resources.num_learners)" if processes else "")
        )
    return batch // shares


def _ascend(
    network: torch.nn.Module,
    measure: SelfPlay,
    gradient: Callable[[], torch.Tensor],
    updates: int,
    learning_rate: float,
    report: Report | None,
) -> None:
    parameters = list(network.parameters())
    adam = torch.optim.Adam(parameters, lr=learning_rate, fused=True)
    every = min(REPORT_EVERY, max(1, updates // 10))
    good = copy.deepcopy(network.state_dict())
    start = before = measure.weights()
    sums, since = start.new_zeros(2), 0  # on the device: nothing waits for it between reports
    for update in range(1, updates + 1):
        value = gradient()
        norm = get_total_norm([p.grad for p in parameters if p.grad is not None])
        adam.step()
        sums, since = sums + torch.stack([value, norm]), since + 1
        if update % every and update < updates:
            continue
        now = measure.weights()
        measured = torch.stack([*(sums / since), (now - before).abs().mean(), measure.share(now, start)]).tolist()
        if not np.isfinite(measured).all():
            network.load_state_dict(good)
            raise DivergedError(
                f"optimisation diverged between updates {update - since} and {update}: value {measured[0]}, gradient"
                f" norm {measured[1]}; the mechanism of update {update - since} is kept (learning_rate is"
                f" {learning_rate})"
            )
        if report is not None:
            names = ("value", "gradient_norm", "policy_change", "share_against_start")
            report(update, dict(zip(names, measured, strict=True)))
        good, before, sums, since = copy.deepcopy(network.state_dict()), now, torch.zeros_like(sums), 0
