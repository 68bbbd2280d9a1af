"""Policies that a training leaves behind, and the folder they are kept in: policy.json and weights.safetensors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import gymnasium
import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from lawgiver.agents.anchor import make_anchor
from lawgiver.agents.exs_net import LearnedExSNet
from lawgiver.agents.follower import LearnedFollower
from lawgiver.agents.mechanisms import Weights
from lawgiver.agents.naming import rule_of, rule_text
from lawgiver.agents.networks import CategoricalNet, GaussianNet, GraphNetwork, evaluated
from lawgiver.agents.policies import DiscretePolicy, RulePolicy
from lawgiver.agents.reporting import AffineMaximiser
from lawgiver.agents.rpf_net import LearnedRPFNet
from lawgiver.agents.tables import TablePolicy
from lawgiver.agents.virtual import VirtualParticipants, VirtualVoters
from lawgiver.envs.core.arrays import Array, log_softmax
from lawgiver.envs.core.errors import LawgiverError, UnsupportedGameError, allowed, integer
from lawgiver.envs.core.game import Game
from lawgiver.envs.core.policy import Memory, Policy
from lawgiver.envs.families.mechanism_game import MechanismGame
from lawgiver.envs.files.json_text import to_json
from lawgiver.envs.files.reading import open_regular, read_json
from lawgiver.envs.public_investment.game import PublicInvestment
from lawgiver.envs.solvers.equilibrium.prior import log_prior
from lawgiver.envs.solvers.equilibrium.subgame import uniform_prior

FORMAT = 1


class PolicyFileError(LawgiverError):
    """A saved policy is missing, corrupt or of another format."""


class LearnedParticipants(DiscretePolicy):
    """Participants whose policy is the anchor's times the exponential of a network's logits."""

    kind: ClassVar[str] = "participants"

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


class LearnedTable(TablePolicy):
    """Participants who play a learned table of the agents' subgame, log-probabilities (T, S, A); None for uniform."""

    kind: ClassVar[str] = "table"

    def __init__(self, game: Game[Any], log_policy: np.ndarray | None = None) -> None:
        """Keep a copy of the table, which the module to be saved and loaded shares."""
        if not isinstance(game, MechanismGame) or not isinstance(game.announcement_layout(), int):
            raise UnsupportedGameError(
                f"a table of participants needs a game of finitely many announcements, not {game.name}"
            )
        self.settings: dict[str, Any] = {}
        super().__init__(game, np.array(uniform_prior(game.subgame) if log_policy is None else log_policy))
        self.network = nn.Module()
        self.network.register_buffer("log_policy", torch.from_numpy(self.log_policy))


class LearnedMechanism(RulePolicy):
    """A mechanism that sends the mean of its learned distribution."""

    kind: ClassVar[str] = "mechanism"

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


class LearnedGraphMechanism(Weights):
    """The graph network as a learned mechanism of the public investment game in allocate mode."""

    kind: ClassVar[str] = "graph_mechanism"

    def __init__(self, game: Game[Any], *, n_units: int = 32) -> None:
        """Build the network."""
        if not isinstance(game, PublicInvestment) or game.announces:
            raise UnsupportedGameError(
                "mechanism 'graph_network' shares a fund after the contributions: it plays public_investment with "
                f"mechanism_mode='allocate', not {game!r}"
            )
        n_units = integer("n_units", n_units, 1)
        self.settings = {"n_units": n_units}
        super().__init__(game)
        self.network = GraphNetwork(game.largest_endowment, n_units)

    def weights(self, endowments: Array, contributions: Array) -> Array:
        """Return the softmax of the network's logits, on the backend of the endowments."""

        def shares(*seen: torch.Tensor) -> torch.Tensor:
            logits: torch.Tensor = self.network(*seen)
            return logits.softmax(-1)

        return evaluated(self.network, shares, endowments, contributions)


def graph_network(game: Game[Any], *, n_units: int = 32, seed: int = 0) -> Policy:
    """Return the graph network as a mechanism with random weights, drawn from ``seed`` (allocate mode)."""
    seed = integer("seed", seed, 0, 2**63 - 1)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return LearnedGraphMechanism(game, n_units=n_units)


MECHANISMS = (LearnedMechanism, LearnedGraphMechanism, AffineMaximiser, LearnedFollower, LearnedExSNet, LearnedRPFNet)
PARTICIPANTS = (LearnedParticipants, LearnedTable, VirtualParticipants)
ROLES: dict[str, dict[str, Any]] = {
    "mechanism": {cls.kind: cls for cls in MECHANISMS},
    "participant": {cls.kind: cls for cls in PARTICIPANTS},
    "voters": {VirtualVoters.kind: VirtualVoters},
}
"""What can be kept in a folder, by role and kind."""
LearnedPolicy = (
    LearnedParticipants
    | LearnedTable
    | LearnedMechanism
    | LearnedGraphMechanism
    | AffineMaximiser
    | LearnedFollower
    | LearnedExSNet
    | LearnedRPFNet
    | VirtualParticipants
)


def save_policy(folder: Path, policy: LearnedPolicy | VirtualVoters) -> None:
    """Write the description and weights of a policy, or of voters, into ``folder``, which is made."""
    folder.mkdir(parents=True, exist_ok=True)
    save_file({name: t.contiguous() for name, t in policy.network.state_dict().items()}, folder / "weights.safetensors")
    description = {"format": FORMAT, "kind": policy.kind, "settings": policy.settings}
    (folder / "policy.json").write_text(to_json(description, indent=2) + "\n", encoding="utf-8")


def load_policy(folder: Path, game: Game[Any], role: str | None = None) -> Policy:
    """Return the policy kept in ``folder``, to play ``game``.

    Args:
        folder: that :func:`save_policy` wrote.
        game: that is played.
        role: ``mechanism`` or ``participant``; None for whichever it is.

    Raises:
        PolicyFileError: if a file is missing, corrupt, of another format, or holds a policy of another role or weights
            for another game.
        UnsupportedGameError: if a policy of this kind does not apply to the game.
        ParameterError: if its settings do not.
    """
    kinds = ROLES["mechanism"] | ROLES["participant"] if role is None else ROLES[role]
    policy: Policy = _load(folder, game, kinds, role or "policy")
    return policy


def load_voters(folder: Path, game: Game[Any]) -> VirtualVoters:
    """Return the voters kept in ``folder``, who have played ``game``; raises what :func:`load_policy` does."""
    voters: VirtualVoters = _load(folder, game, ROLES["voters"], "voters")
    return voters


def kept_kind(folder: Path) -> tuple[str, dict[str, Any]]:
    """Return the kind of what is kept in ``folder``, and its settings.

    Raises:
        PolicyFileError: if nothing is, or it is corrupt or of another format.
    """
    path = folder / "policy.json"
    try:
        description = read_json(path)
        kind, settings, version = description["kind"], description["settings"], description["format"]
    except FileNotFoundError:
        raise PolicyFileError(f"{path} is missing: no policy is kept there") from None
    except OSError as error:
        raise PolicyFileError(f"{path} cannot be read: {error.strerror or error}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise PolicyFileError(f"{path} is corrupt: {error}") from error
    if not isinstance(kind, str) or not isinstance(settings, dict):
        raise PolicyFileError(f"{path} is corrupt: kind has to be a string, and settings a mapping")
    if version != FORMAT:
        raise PolicyFileError(f"{path} has format {version!r}, allowed: {FORMAT}")
    return kind, settings


def _load(folder: Path, game: Game[Any], kinds: Mapping[str, Any], what: str) -> Any:
    kind, settings = kept_kind(folder)
    if kind not in kinds:
        path = folder / "policy.json"
        raise PolicyFileError(f"{path} holds something of kind {kind!r}, no {what}: {allowed(str(kind), kinds)}")
    weights = folder / "weights.safetensors"
    try:
        policy = kinds[kind](game, **settings)
        open_regular(weights).close()  # a FIFO would wait for ever
        policy.network.load_state_dict(load_file(weights))
    except (SafetensorError, RuntimeError, TypeError, OSError) as error:  # corrupt, other shapes, other settings, gone
        raise PolicyFileError(f"{weights} does not fit {game.name} with these parameters: {error}") from error
    return policy
