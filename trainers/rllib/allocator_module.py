"""The RLModule of an allocator: the network of the trainer ``online_allocation``, with a critic of its own.

An assignment and a question are one choice out of finitely many, although the action is a Box of scores. A Gaussian
about scores chooses by the greatest sum of many noisy numbers, and its likelihood counts noise that decides nothing. So
the choice is drawn as such, sent as scores of 0 and 1, and read back from them for its exact probability.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, ClassVar, cast

import torch
from ray.rllib.core.distribution.torch.torch_distribution import TorchDeterministic, TorchDistribution
from torch import nn

from lawgiver.agents.allocator_net import AllocatorNet
from lawgiver.envs.solvers.online_allocation.assignments import all_assignments
from lawgiver.envs.solvers.online_allocation.criteria import Criterion
from lawgiver.trainers.rllib.modules import CriticModule


class Asking(TorchDistribution):  # type: ignore[misc]  # RLlib has no types
    """An assignment of n items, and a question: about what one agent has, or about any pair.

    Its parameters are log-probabilities of the n! assignments and logits of questions about the n n pairs, side by
    side. Actions are scores: 1 for the pairs of the assignment, then 1 for the agent or the pair that is asked.
    """

    n: ClassVar[int]
    query: ClassVar[str]

    def __init__(self, logits: torch.Tensor) -> None:
        listed = torch.as_tensor(all_assignments(self.n), device=logits.device)
        self.listed, self.flags = listed, nn.functional.one_hot(listed).to(logits.dtype)
        assigned, self.questions = logits[..., : len(listed)], logits[..., len(listed) :]
        self.assigned = assigned.log_softmax(-1)
        if self.query == "own":  # by assignment, (..., C, n)
            each = self.questions.reshape(*logits.shape[:-1], self.n, self.n)[..., torch.arange(self.n), listed]
            self.asked = each.log_softmax(-1)
        else:
            self.asked = self.questions.log_softmax(-1)
        super().__init__()

    def _get_torch_distribution(self) -> torch.distributions.Categorical:
        return torch.distributions.Categorical(logits=self.assigned, validate_args=False)

    def _of(self, assignment: torch.Tensor) -> torch.Tensor:
        """Select log-probabilities of questions, (..., n) or (..., n n), under assignments by number (...)."""
        if self.query != "own":
            return self.asked
        at = assignment[..., None, None].expand(*assignment.shape, 1, self.n)
        return self.asked.gather(-2, at)[..., 0, :]

    def _action(self, assignment: torch.Tensor, question: torch.Tensor) -> torch.Tensor:
        asked = nn.functional.one_hot(question, self.asked.shape[-1]).to(self.flags.dtype)
        return torch.cat([self.flags[assignment].flatten(-2), asked], -1)

    def sample(self, *, sample_shape: Any = None) -> torch.Tensor:
        """Draw one action for each row."""
        assignment = _drawn(self.assigned)
        asked = _drawn(self._of(assignment))
        return self._action(assignment, asked)

    def rsample(self, *, sample_shape: Any = None) -> torch.Tensor:
        """Draw as :meth:`sample` does; no gradient passes through."""
        return self.sample(sample_shape=sample_shape)

    def logp(self, value: torch.Tensor, **kwargs: Any) -> torch.Tensor:
        """Compute the log-probability of actions that :meth:`sample` has drawn, (...)."""
        pairs, asked = value[..., : self.n**2], value[..., self.n**2 :]
        assignment = (pairs @ self.flags.flatten(1).mT).argmax(-1)
        question = asked.argmax(-1, keepdim=True)
        likely = self.assigned.gather(-1, assignment[..., None]) + self._of(assignment).gather(-1, question)
        return likely[..., 0]

    def entropy(self) -> torch.Tensor:
        """Compute the entropy of assignment and question, (...)."""
        own, of_questions = (-(x.exp() * x).sum(-1) for x in (self.assigned, self.asked))
        asked = (self.assigned.exp() * of_questions).sum(-1) if self.query == "own" else of_questions
        return own + asked

    def kl(self, other: Any) -> torch.Tensor:
        """Compute KL(self || other), (...)."""
        own = (self.assigned.exp() * (self.assigned - other.assigned)).sum(-1)
        asked = (self.asked.exp() * (self.asked - other.asked)).sum(-1)
        return cast(torch.Tensor, own + ((self.assigned.exp() * asked).sum(-1) if self.query == "own" else asked))

    def to_deterministic(self) -> TorchDeterministic:
        """Return the most likely assignment, and its most likely question."""
        assignment = self.assigned.argmax(-1)
        return TorchDeterministic(loc=self._action(assignment, self._of(assignment).argmax(-1)))

    @staticmethod
    def required_input_dim(space: Any, **kwargs: Any) -> int:
        """Refuse to guess: the number of parameters does not follow from the Box."""
        raise NotImplementedError("n! + n n parameters, of the module's own network")


def _drawn(log_probabilities: torch.Tensor) -> torch.Tensor:
    """Draw numbers (...) with log-probabilities (..., k)."""
    drawn: torch.Tensor = torch.distributions.Categorical(logits=log_probabilities, validate_args=False).sample()  # type: ignore[no-untyped-call]
    return drawn


@cache
def asking(n: int, query: str) -> type[Asking]:
    """Make the class of distributions of games with n agents and a query mode."""
    return type("Asking", (Asking,), {"n": n, "query": query})


class AllocatorActor(nn.Module):
    """The allocator's network on observations."""

    memory: None = None

    def __init__(self, network: AllocatorNet, columns: Mapping[str, slice]) -> None:
        """Keep the network; ``columns`` says where answers, their numbers and the round stand in an observation."""
        super().__init__()
        self.network, self._columns = network, columns

    def known(self, seen: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Select mean answers and their numbers, (R, n, n), and completed rounds (R,), of what is seen, (..., d)."""
        rows, n = seen.reshape(-1, seen.shape[-1]), self.network.criterion.n
        tables = (rows[:, self._columns[name]].reshape(-1, n, n) for name in ("estimates", "counts"))
        estimates, counts = tables
        return estimates, counts, rows[:, self._columns["round"]][:, 0]

    def forward(self, seen: torch.Tensor) -> torch.Tensor:
        """Compute the parameters of :class:`Asking`, (..., n! + n n), of what is seen, (..., d)."""
        log_policy, questions = self.network(*self.known(seen))
        return torch.cat([log_policy, questions.flatten(1)], -1).reshape(*seen.shape[:-1], -1)


class AllocatorCritic(AllocatorActor):
    """The value of what is known, by a network of the same kind; 0 at the start, and in units of a round's regret."""

    def __init__(self, network: AllocatorNet, columns: Mapping[str, slice]) -> None:
        """Build the last layer."""
        super().__init__(network, columns)
        self.last = nn.Linear(network.sharpness.in_features, 1)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)

    def forward(self, seen: torch.Tensor) -> torch.Tensor:
        """Compute values (...) of what is seen, (..., d)."""
        estimates, counts, done = self.known(seen)
        _, pooled = self.network.hidden(self.network.known(estimates, counts), counts, done)
        return cast(torch.Tensor, self.last(pooled)).reshape(seen.shape[:-1])


class AllocatorModule(CriticModule):
    """A mechanism of online_allocation that draws an assignment and a question, with a critic of its own.

    ``model_config``: ``columns`` of the observation, ``criterion`` (name, n, entitlements), ``query``, ``rounds`` and
    ``hidden``, the layers of both networks.
    """

    def setup(self) -> None:
        """Build actor and critic."""
        at = self.model_config
        criterion = Criterion(*at["criterion"])
        size: tuple[Criterion, str, int, Sequence[int]] = (criterion, at["query"], at["rounds"], at["hidden"])
        self.actor = AllocatorActor(AllocatorNet(*size), at["columns"])
        self.critic = AllocatorCritic(AllocatorNet(*size), at["columns"])
        self._distribution = asking(criterion.n, at["query"])

    def dist_inputs(self, seen: torch.Tensor, obs: torch.Tensor) -> torch.Tensor:
        """Compute the parameters of the distribution, (..., n! + n n)."""
        return cast(torch.Tensor, self.actor(seen))

    def get_inference_action_dist_cls(self) -> type[TorchDistribution]:
        """Return the distribution to act, to explore and to train with."""
        return self._distribution
