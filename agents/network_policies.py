"""Network policies for any game: participants over Discrete actions, mechanisms over a Box."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import gymnasium
from torch import nn

from lawgiver.agents.anchor import make_anchor
from lawgiver.agents.naming import rule_of, rule_text
from lawgiver.agents.networks import CategoricalNet, GaussianNet, Networked, evaluated
from lawgiver.agents.policies import DiscretePolicy, RulePolicy
from lawgiver.envs.core.arrays import Array, log_softmax
from lawgiver.envs.core.errors import UnsupportedGameError
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


NetworkPolicy = LearnedParticipants | LearnedMechanism
"""What the trainers of networks for any game make."""
