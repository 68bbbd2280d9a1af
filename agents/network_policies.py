"""Network policies for any game: participants over Discrete actions or a Box, mechanisms over a Box."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import gymnasium
import torch
from torch import nn

from lawgiver.agents.anchor import make_anchor
from lawgiver.agents.naming import rule_of, rule_text
from lawgiver.agents.networks import BoxNet, CategoricalNet, GaussianNet, Networked, evaluated
from lawgiver.agents.policies import DiscretePolicy, Memoryless, RulePolicy
from lawgiver.agents.truncated_gaussian import TruncatedGaussian
from lawgiver.envs.core.arrays import Array, Rng, log_softmax, uniform
from lawgiver.envs.core.errors import UnsupportedGameError
from lawgiver.envs.core.fields import bounds
from lawgiver.envs.core.game import Game
from lawgiver.envs.core.policy import Memory
from lawgiver.envs.solvers.equilibrium.prior import log_prior


class LearnedParticipants(Networked, DiscretePolicy):
    """Participants whose policy is the anchor's times the exponential of a network's logits."""

    kind: ClassVar[str] = "participants"
    role: ClassVar[str] = "participant"

    def __init__(self, game: Game[Any], *, hidden: Sequence[int], anchor: str | dict[str, Any] = "uniform") -> None:
        """Build the network with zero logits: the policy is the anchor."""
        space, actions = game.observation_space("participant"), game.action_space("participant")
        if not isinstance(actions, gymnasium.spaces.Discrete) or not isinstance(space, gymnasium.spaces.Box):
            raise UnsupportedGameError(
                f"learned participants need Discrete actions; those of {game.name} are {actions}"
            )
        self.settings = {"hidden": list(hidden), "anchor": anchor}
        self.n_actions = int(actions.n)
        self.network: nn.Module = CategoricalNet(space, self.n_actions, hidden)
        self._anchor = make_anchor(game, anchor)

    def distribution(self, obs: Array, mask: Array | None, state: Memory) -> tuple[Array, Memory]:
        """Return log-probabilities (B, n_role, n_actions) and the memory."""
        prior = log_prior(self._anchor, obs, mask, self.n_actions)
        return log_softmax(prior + evaluated(self.network, self.network, obs)), state


class LearnedBoxParticipants(Networked, Memoryless):
    """Participants who choose from a Box by a Gaussian that is truncated to it.

    Its location depends on the observation through a network, its scale on nothing. The density is positive on the
    whole Box and nowhere else, so that its divergence from pi_0, uniform over the Box, is finite and is 0 in the limit
    of a large scale. Where payoffs are quadratic in the action, the logit choice has this form exactly.

    Args:
        game: the game.
        start: the action at which the location begins, (k,); None for the middle of the Box.
        hidden: layers of the network.
        std: scale at the start, as a share of the width of the Box.

    Raises:
        UnsupportedGameError: if the participants of the game do not choose from a Box.
        ParameterError: if ``start`` has another length, or a component of the Box no width.
    """

    kind: ClassVar[str] = "box_participants"
    role: ClassVar[str] = "participant"

    def __init__(
        self, game: Game[Any], *, hidden: Sequence[int], start: Sequence[float] | None = None, std: float = 1.0
    ) -> None:
        """Build the network with its location at ``start``."""
        space, layout = game.observation_space("participant"), game.action_layout("participant")
        if isinstance(layout, int) or not isinstance(space, gymnasium.spaces.Box):
            raise UnsupportedGameError(
                f"learned participants of this kind choose from a Box; those of {game.name} have {layout} choices"
            )
        low, high = bounds(layout)
        begin = [float(x) for x in ((low + high) / 2 if start is None else start)]
        self.settings = {"hidden": list(hidden), "start": begin, "std": float(std)}
        self.network: BoxNet = BoxNet(space, layout, begin, hidden, std)

    def distribution(self, obs: Array, mask: Array | None, state: Memory) -> tuple[Array, Memory]:
        """Compute mean and standard deviation of each component, (B, n_role, 2, k), and the memory."""

        def moments(seen: torch.Tensor) -> torch.Tensor:
            mean, std = self._gaussian(seen).moments()
            return torch.stack([self.network.to_action(mean), std * self.network.width], dim=-2)

        return evaluated(self.network, moments, obs), state

    def act(self, obs: Array, mask: Array | None, state: Memory, rng: Rng) -> tuple[Array, Memory]:
        """Draw actions (B, n_role, k); return them and the memory."""

        def drawn(seen: torch.Tensor, levels: torch.Tensor) -> torch.Tensor:
            return self.network.to_action(self._gaussian(seen).draw(levels))

        levels = uniform(rng, (*obs.shape[:2], self.network.low.numel()))
        return evaluated(self.network, drawn, obs, levels), state

    def log_density(self, obs: Array, actions: Array) -> Array:
        """Compute log-densities (..., A) of actions relative to pi_0, uniform, for observations (..., d).

        Actions are (A, k), or (..., A, k) where they differ between observations.
        """

        def density(seen: torch.Tensor, tried: torch.Tensor) -> torch.Tensor:
            return self._gaussian(seen[..., None, :]).log_density(self.network.to_share(tried))

        return evaluated(self.network, density, obs, actions)

    def _gaussian(self, obs: torch.Tensor) -> TruncatedGaussian:
        return TruncatedGaussian(*self.network(obs))


class LearnedMechanism(Networked, RulePolicy):
    """A mechanism that sends the mean of its learned distribution."""

    kind: ClassVar[str] = "mechanism"
    role: ClassVar[str] = "mechanism"

    def __init__(self, game: Game[Any], *, start: Sequence[float], hidden: Sequence[int] | None) -> None:
        """Build the network with its mean at ``start``."""
        space, layout = game.observation_space("mechanism"), game.action_layout("mechanism")
        if isinstance(layout, int) or not isinstance(space, gymnasium.spaces.Box):
            raise UnsupportedGameError(f"learned mechanisms act in a Box; that of {game.name} has {layout} choices")
        self.settings = {"start": [float(x) for x in start], "hidden": None if hidden is None else list(hidden)}
        self.game = game
        self.network: GaussianNet = GaussianNet(space, layout, start, hidden, std=1.0)

    def __repr__(self) -> str:
        """Name the rule that is announced, or the size of the network that allocates."""
        rule = rule_of(self.game, self)
        hidden = self.settings["hidden"]
        sent = rule_text(rule) if rule is not None else f"{len(self.game.rule_names)} numbers"
        by = f"by a network of {hidden} hidden units: " if hidden else ""
        return f"LearnedMechanism({self.game.name}: {by}{sent})"

    def action(self, obs: Array) -> Array:
        """Return the mean action (B, 1, k)."""
        return evaluated(self.network, self.network.mean_action, obs)


NetworkPolicy = LearnedParticipants | LearnedBoxParticipants | LearnedMechanism
"""What the trainers of networks for any game make."""
