"""Value learning on the follower's own walks: the value of arriving at a goal with a set of goals open.

With u_j the worth of goal j and gamma^d(j, k) the discount from j to k, the true W satisfies Bellman's equation

    W_j(U) = u_j + max over k in U - j of gamma^d(j, k) W_k(U - j)

for every set U of open goals and every j in it. The right-hand side is that of a target network, an exponential moving
average of the weights, for all j at once; the network is fitted to it by relative squared errors. The sets are those of
epsilon-greedy walks, which start with all participants or with a random subset, as payments need walks without each
participant. There is no replay buffer, as fresh profiles cost nothing.

All walks of a group have the same number of open goals, so that no time goes into closed goals.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from lawgiver.agents.follower import LearnedFollower, WorthNetwork
from lawgiver.envs.families.torus import distance
from lawgiver.envs.goal_collection.game import GoalCollection
from lawgiver.trainers.learned_follower.settings import FollowerTrainer
from lawgiver.trainers.runs.descent import descend
from lawgiver.trainers.runs.loop import Report
from lawgiver.trainers.settings.annealing import stage


@dataclass(frozen=True)
class Walks:
    """B walks under way, each with m open goals.

    Attributes:
        near: gamma^d between open goals, (B, m, m).
        worth: u of the open goals, (B, m).
        reach: gamma^d from where the walks are, (B, m).
    """

    near: torch.Tensor
    worth: torch.Tensor
    reach: torch.Tensor

    @property
    def open(self) -> int:
        """m."""
        return self.worth.shape[1]

    def without(self) -> Walks:
        """Make the walks on arrival at each of their goals, (B m) of them with m - 1 open goals each."""
        batch, m = self.worth.shape
        rest = torch.tensor([[k for k in range(m) if k != j] for j in range(m)])
        near = self.near[:, rest[:, :, None], rest[:, None, :]].reshape(batch * m, m - 1, m - 1)
        reach = self.near[:, torch.arange(m)[:, None], rest].reshape(batch * m, m - 1)
        return Walks(near, self.worth[:, rest].reshape(batch * m, m - 1), reach)

    def to(self, device: torch.device) -> Walks:
        """Copy the walks to a device."""
        return Walks(self.near.to(device), self.worth.to(device), self.reach.to(device))


def begin(game: GoalCollection, batch: int, rng: torch.Generator) -> Walks:
    """Start walks at the corner, with probability 1/2 for all participants, else for a random number of them, >= 2."""
    alike = torch.rand((), generator=rng) < 0.5
    count = game.n if alike else int(torch.randint(2, game.n + 1, (), generator=rng))
    types = game.types_of(torch.rand((batch, game.n, 2), generator=rng))
    chosen = torch.rand((batch, game.n), generator=rng).argsort(-1)[:, :count]
    goals, worth = (x.gather(1, chosen) for x in (types[..., 0], game.worth(types)))
    near = game.discount ** distance(goals[:, :, None], goals[:, None, :], game.size)
    reach = game.discount ** (distance(torch.zeros_like(goals), goals, game.size) - 1)
    return Walks(near, worth, reach)


def backup(target: WorthNetwork, walks: Walks) -> torch.Tensor:
    """Compute the right-hand side of Bellman's equation, (B, m)."""
    after = walks.without()
    with torch.no_grad():
        onward = after.reach * target(after.near, after.worth, torch.ones_like(after.worth, dtype=torch.bool))
    best: torch.Tensor = onward.amax(-1).view_as(walks.worth)
    return walks.worth + best


class Learner:
    """Everything that changes in a training.

    Args:
        game: the torus and its goals.
        follower: policy that learns, on the device of its network.
        settings: of the trainer.
        rng: generator of everything that is drawn, on the CPU, so that every device learns from the same profiles.
    """

    def __init__(
        self, game: GoalCollection, follower: LearnedFollower, settings: FollowerTrainer, rng: torch.Generator
    ) -> None:
        self.game, self.settings, self.rng = game, settings, rng
        self.network = follower.network
        self.target = copy.deepcopy(self.network).requires_grad_(False)
        self.optimiser = torch.optim.Adam(self.network.parameters(), lr=settings.learning_rate)
        self.device = next(self.network.parameters()).device
        self.walks = [self._begun() for _ in range(settings.groups)]

    def update(self, number: int) -> dict[str, float]:
        """Take one step of Adam, and one decision in every walk; ``number`` counts from 1.

        Returns:
            The root mean square ``bellman_error``, relative to the right-hand side, and the ``gradient_norm``.
        """
        at, over = stage(number, self.settings)
        rate = self.settings.learning_rate * (1 - (at - 1) / over)
        errors = []
        for place, walks in enumerate(self.walks):
            value = self.network(walks.near, walks.worth, torch.ones_like(walks.worth, dtype=torch.bool))
            errors.append(((value / backup(self.target, walks) - 1) ** 2).mean())
            self.walks[place] = self._decided(walks, value.detach())
        loss = torch.stack(errors).mean()
        norm = descend(loss, self.network, self.optimiser, rate)
        with torch.no_grad():
            for old, new in zip(self.target.parameters(), self.network.parameters(), strict=True):
                old.lerp_(new, self.settings.target_rate)
        return {"bellman_error": float(loss.detach()) ** 0.5, "gradient_norm": norm}

    def report(self, losses: Mapping[str, float]) -> Report:
        """Report the losses of the last update."""
        return Report(losses, f"Bellman error {losses['bellman_error']:.4f}")

    def _begun(self) -> Walks:
        return begin(self.game, self.settings.batch, self.rng).to(self.device)

    def _decided(self, walks: Walks, value: torch.Tensor) -> Walks:
        """Move the walks to their next goals, or start new ones where only one goal would be left."""
        if walks.open <= 2:
            return self._begun()
        batch, m = walks.worth.shape
        best = (walks.reach * value).argmax(-1).cpu()
        any_ = torch.randint(m, (batch,), generator=self.rng)
        chosen = torch.where(torch.rand(batch, generator=self.rng) < self.settings.exploration, any_, best)
        rows = torch.arange(batch) * m + chosen
        after = walks.without()
        return Walks(after.near[rows], after.worth[rows], after.reach[rows])

    def state(self) -> dict[str, Any]:
        """Collect everything that a checkpoint stores."""
        return {
            "network": self.network.state_dict(),
            "target": self.target.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "walks": [(walks.near, walks.worth, walks.reach) for walks in self.walks],
            "rng": self.rng.get_state(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from what :meth:`state` returned."""
        self.network.load_state_dict(state["network"])
        self.target.load_state_dict(state["target"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.walks = [Walks(*parts).to(self.device) for parts in state["walks"]]
        self.rng.set_state(state["rng"])
