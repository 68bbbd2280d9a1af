"""Network policies for any game: participants over Discrete actions or a Box, mechanisms over a Box."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import gymnasium
import torch

from lawgiver.agents.anchor import make_anchor
from lawgiver.agents.memory import memory_setting
from lawgiver.agents.naming import rule_of, rule_text
from lawgiver.agents.networks import BoxNet, CategoricalNet, GaussianNet, Networked, Remembering, evaluated
from lawgiver.agents.policies import DiscretePolicy, Memoryless, RulePolicy
from lawgiver.agents.truncated_gaussian import TruncatedGaussian
from lawgiver.envs.core.arrays import Array, Rng, fixed_rng, log_softmax, uniform, zeros
from lawgiver.envs.core.errors import ParameterError, UnsupportedGameError
from lawgiver.envs.core.fields import bounds
from lawgiver.envs.core.game import Game
from lawgiver.envs.core.policy import Memory
from lawgiver.envs.solvers.equilibrium.prior import log_prior


class RecurrentPolicy(Networked):
    """A policy by a network that may remember what the agent saw at its earlier decisions in a game."""

    network: Remembering
    role: ClassVar[str]
    n: int

    def initial_state(self, batch: int, rng: Rng) -> Memory:
        """Return zeros (B, n_role, h), on the backend of ``rng``; None without a memory."""
        memory = self.network.memory
        return None if memory is None else zeros(rng, (batch, self.n, memory.units))

    def recall(self, obs: Array, state: Memory) -> tuple[Array, Memory]:
        """Compute the input of the network, the observations and the state of its memory, and the new memory.

        Args:
            obs: (B, n_role, d).
            state: as :meth:`initial_state` makes it; None stands for the start of a game.
        """
        if self.network.memory is None:
            return obs, None
        state = self.initial_state(obs.shape[0], fixed_rng(obs)) if state is None else state
        seen, state = evaluated(self.network, self.network.recall, obs, state)
        return seen, state


class LearnedParticipants(RecurrentPolicy, DiscretePolicy):
    """Participants whose policy is the anchor's times the exponential of a network's logits.

    Args:
        game: the game.
        hidden: layers of the network.
        anchor: as :func:`lawgiver.agents.anchor.make_anchor` takes it.
        memory: units of memory, 0 for none.
    """

    kind: ClassVar[str] = "participants"
    role: ClassVar[str] = "participant"

    def __init__(
        self, game: Game[Any], *, hidden: Sequence[int], anchor: str | dict[str, Any] = "uniform", memory: int = 0
    ) -> None:
        """Build the network with zero logits: the policy is the anchor."""
        space, actions = game.observation_space("participant"), game.action_space("participant")
        if not isinstance(actions, gymnasium.spaces.Discrete) or not isinstance(space, gymnasium.spaces.Box):
            raise UnsupportedGameError(
                f"learned participants need Discrete actions; those of {game.name} are {actions}"
            )
        self.settings = {"hidden": list(hidden), "anchor": anchor} | memory_setting(memory)
        self.n, self.n_actions = game.roles[self.role], int(actions.n)
        self.network: CategoricalNet = CategoricalNet(space, self.n_actions, hidden, memory)
        self._anchor = make_anchor(game, anchor)

    def distribution(self, obs: Array, mask: Array | None, state: Memory) -> tuple[Array, Memory]:
        """Return log-probabilities (B, n_role, n_actions) and the memory."""
        prior = log_prior(self._anchor, obs, mask, self.n_actions)
        seen, state = self.recall(obs, state)
        return log_softmax(prior + evaluated(self.network, self.network, seen)), state


class LearnedBoxParticipants(RecurrentPolicy, Memoryless):
    """Participants who choose from a Box by a Gaussian that is truncated to it.

    Its location depends on the observation through a network, its scale on nothing. The density is positive on the
    whole Box and nowhere else, so that its divergence from pi_0, uniform over the Box, is finite and is 0 in the limit
    of a large scale. Where payoffs are quadratic in the action, the logit choice has this form exactly.

    Args:
        game: the game.
        start: the action at which the location begins, (k,); None for the middle of the Box.
        hidden: layers of the network.
        std: scale at the start, as a share of the width of the Box.
        memory: units of memory, 0 for none.

    Raises:
        UnsupportedGameError: if the participants of the game do not choose from a Box.
        ParameterError: if ``start`` has another length, or a component of the Box no width.
    """

    kind: ClassVar[str] = "box_participants"
    role: ClassVar[str] = "participant"

    def __init__(
        self,
        game: Game[Any],
        *,
        hidden: Sequence[int],
        start: Sequence[float] | None = None,
        std: float = 1.0,
        memory: int = 0,
    ) -> None:
        """Build the network with its location at ``start``."""
        space, layout = game.observation_space("participant"), game.action_layout("participant")
        if isinstance(layout, int) or not isinstance(space, gymnasium.spaces.Box):
            raise UnsupportedGameError(
                f"learned participants of this kind choose from a Box; those of {game.name} have {layout} choices"
            )
        low, high = bounds(layout)
        begin = [float(x) for x in ((low + high) / 2 if start is None else start)]
        self.settings = {"hidden": list(hidden), "start": begin, "std": float(std)} | memory_setting(memory)
        self.n = game.roles[self.role]
        self.network: BoxNet = BoxNet(space, layout, begin, hidden, std, memory)

    def distribution(self, obs: Array, mask: Array | None, state: Memory) -> tuple[Array, Memory]:
        """Compute mean and standard deviation of each component, (B, n_role, 2, k), and the memory."""

        def moments(seen: torch.Tensor) -> torch.Tensor:
            mean, std = self._gaussian(seen).moments()
            return torch.stack([self.network.to_action(mean), std * self.network.width], dim=-2)

        seen, state = self.recall(obs, state)
        return evaluated(self.network, moments, seen), state

    def act(self, obs: Array, mask: Array | None, state: Memory, rng: Rng) -> tuple[Array, Memory]:
        """Draw actions (B, n_role, k); return them and the memory."""

        def drawn(seen: torch.Tensor, levels: torch.Tensor) -> torch.Tensor:
            return self.network.to_action(self._gaussian(seen).draw(levels))

        levels = uniform(rng, (*obs.shape[:2], self.network.low.numel()))
        seen, state = self.recall(obs, state)
        return evaluated(self.network, drawn, seen, levels), state

    def log_density(self, obs: Array, actions: Array) -> Array:
        """Compute log-densities (..., A) of actions relative to pi_0, uniform, for observations (..., d).

        Actions are (A, k), or (..., A, k) where they differ between observations.
        """

        def density(seen: torch.Tensor, tried: torch.Tensor) -> torch.Tensor:
            return self._gaussian(seen[..., None, :]).log_density(self.network.to_share(tried))

        return evaluated(self.network, density, obs, actions)

    def _gaussian(self, obs: torch.Tensor) -> TruncatedGaussian:
        return TruncatedGaussian(*self.network(obs))


class LearnedMechanism(RecurrentPolicy, RulePolicy):
    """A mechanism that sends the mean of its learned distribution.

    Args:
        game: the game.
        start: the action at which the mean begins, (k,).
        hidden: layers through which the mean depends on what is observed; None for a mean that does not.
        memory: units of memory, 0 for none; it needs ``hidden``.
    """

    kind: ClassVar[str] = "mechanism"
    role: ClassVar[str] = "mechanism"

    def __init__(
        self, game: Game[Any], *, start: Sequence[float], hidden: Sequence[int] | None, memory: int = 0
    ) -> None:
        """Build the network with its mean at ``start``."""
        space, layout = game.observation_space("mechanism"), game.action_layout("mechanism")
        if isinstance(layout, int) or not isinstance(space, gymnasium.spaces.Box):
            raise UnsupportedGameError(f"learned mechanisms act in a Box; that of {game.name} has {layout} choices")
        if memory and hidden is None:
            raise ParameterError(f"memory is {memory}, allowed with hidden=None, where nothing observed matters: 0")
        sizes = {"hidden": None if hidden is None else list(hidden), **memory_setting(memory)}
        self.settings = {"start": [float(x) for x in start], **sizes}
        self.game, self.n = game, game.roles[self.role]
        self.network: GaussianNet = GaussianNet(space, layout, start, hidden, 1.0, memory)

    def __repr__(self) -> str:
        """Name the rule that is announced, or the size of the network that allocates."""
        rule = rule_of(self.game, self)
        hidden = self.settings["hidden"]
        sent = rule_text(rule) if rule is not None else f"{len(self.game.rule_names)} numbers"
        units = f" and {self.settings['memory']} units of memory" if "memory" in self.settings else ""
        by = f"by a network of {hidden} hidden units{units}: " if hidden else ""
        return f"LearnedMechanism({self.game.name}: {by}{sent})"

    def next_action(self, obs: Array, state: Memory) -> tuple[Array, Memory]:
        """Compute the mean action (B, 1, k) and the new memory."""
        seen, state = self.recall(obs, state)
        return evaluated(self.network, self.network.mean_action, seen), state

    def action(self, obs: Array) -> Array:
        """Compute the mean action (B, 1, k), of a first decision where there is a memory."""
        return self.next_action(obs, None)[0]


NetworkPolicy = LearnedParticipants | LearnedBoxParticipants | LearnedMechanism
"""What the trainers of networks for any game make."""
