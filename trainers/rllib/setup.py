"""Setup of a training with RLlib, checked against the game."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf
from typing import Any

from lawgiver.agents.allocator_net import LearnedAllocator
from lawgiver.agents.network_policies import (
    LearnedBoxParticipants,
    LearnedMechanism,
    LearnedParticipants,
    NetworkPolicy,
)
from lawgiver.agents.planner import LearnedPlanner
from lawgiver.envs.core.errors import ParameterError
from lawgiver.envs.core.game import Game
from lawgiver.envs.core.policy import Policy
from lawgiver.envs.families.mechanism_game import MechanismGame
from lawgiver.envs.solvers.equilibrium.subgame_equilibrium import Best, best_in_box
from lawgiver.trainers.online_allocation.game import asking_one
from lawgiver.trainers.rllib.algorithm import env_config, require_memoryless
from lawgiver.trainers.rllib.play import RolloutSetup, make_rollout_setup
from lawgiver.trainers.rllib.settings import Mechanism, RLlibAgents, RLlibConfig, Schedule
from lawgiver.trainers.settings.base import anchor_of
from lawgiver.trainers.settings.bounded_rationality import start_of

Trained = NetworkPolicy | LearnedPlanner | LearnedAllocator
"""Policies that come out of a training."""


@dataclass(frozen=True)
class Setup:
    """Everything that stays the same in a training.

    Attributes:
        config: of the experiment, a budget of divergence replaced by the inverse temperature at which it is spent.
        table: the game, the participants' anchor and the policies that do not learn.
        inverse_temperature: of the participants, in [0, inf].
        best: the best mechanism of the box, None where the game has no parameters to announce or a policy is given.
    """

    config: RLlibConfig
    table: RolloutSetup
    inverse_temperature: float
    best: Best | None = None

    @property
    def game(self) -> Game[Any]:
        """The game that is played."""
        return self.table.game

    @property
    def agents(self) -> RLlibAgents:
        """Learning of participants and mechanism."""
        return self.config.agents

    @property
    def anchor(self) -> Policy | None:
        """The participants' prior policy, None for uniform."""
        return self.table.anchors.get("participant")

    def mechanism(self, weights: Mapping[str, Any]) -> LearnedMechanism | LearnedPlanner | LearnedAllocator:
        """Make the mechanism that sends the mean action of a network of these weights."""
        learning = self.agents.mechanism
        if learning.network != "gaussian":
            made: LearnedPlanner | LearnedAllocator
            if learning.network == "planner":
                made = LearnedPlanner(self.game, memory=learning.memory)
            else:
                made = LearnedAllocator(self.game, hidden=learning.hidden or ())
            own = {name.removeprefix("network."): x for name, x in weights.items() if name.startswith("network.")}
            made.network.load_state_dict(own)
            return made
        start = start_of(self.game.action_layout("mechanism"), self.game.members, learning.start)
        policy = LearnedMechanism(self.game, start=start, hidden=learning.hidden, memory=learning.memory)
        policy.network.load_state_dict(weights)
        return policy

    def participants(self, weights: Mapping[str, Any]) -> LearnedParticipants | LearnedBoxParticipants:
        """Make the participants who act by a network of these weights."""
        learning, layout = self.agents.participants, self.game.action_layout("participant")
        policy: LearnedParticipants | LearnedBoxParticipants
        if isinstance(layout, int):
            anchor = anchor_of(learning)
            policy = LearnedParticipants(self.game, hidden=learning.hidden, anchor=anchor, memory=learning.memory)
        else:
            start, memory = learning.start, learning.memory
            policy = LearnedBoxParticipants(self.game, hidden=learning.hidden, start=start, memory=memory)
        policy.network.load_state_dict(weights)
        return policy


def prepare(config: RLlibConfig) -> Setup:
    """Make the game and its policies once, and check that the config fits them.

    Raises:
        UnsupportedGameError: if there is a budget of divergence, but no equilibrium to solve it in.
        ParameterError: naming the key that does not fit the game or the other keys.
    """
    _check_anchor(config)
    table = make_rollout_setup(env_config(config))
    _check(config, table)
    anchor, people = table.anchors.get("participant"), config.agents.participants
    inverse_temperature = people.inverse_temperature_in(table.game, anchor, config.agents.mechanism.start)
    people = people.model_copy(update={"inverse_temperature": inverse_temperature, "kl_budget": None})
    config = config.model_copy(update={"agents": config.agents.model_copy(update={"participants": people})})
    best = None
    if isinstance(table.game, MechanismGame) and not table.given:
        best = best_in_box(table.game, inverse_temperature, anchor)
    return Setup(config, table, inverse_temperature, best)


def _check_anchor(config: RLlibConfig) -> None:
    anchor = anchor_of(config.agents.participants)
    if anchor == "uniform":
        return
    game = config.game.make()
    if "participant" in game.roles and not isinstance(game.action_layout("participant"), int):
        raise ParameterError(
            f"agents.participants.anchor is {anchor!r}, but participants of {game.name} choose from a Box: allowed:"
            " uniform"
        )


def _check(config: RLlibConfig, table: RolloutSetup) -> None:
    if set(table.game.roles) != {"participant", "mechanism"}:
        raise ParameterError(f"trainer 'rllib' plays games of participants and a mechanism, not {table.game.name}")
    if "participant" in table.learned:
        _check_participants(config, table)
    if config.agents.mechanism.network == "planner":
        _check_planner(config, table.game)
    if config.agents.mechanism.network == "allocator":
        _check_allocator(config, table.game)
    if not table.learned:
        raise ParameterError("agents.participants.given and agents.mechanism.given leave nobody to train: drop one")
    if table.given and config.resources.runner == "stock":
        raise ParameterError(f"agents.*.given ({', '.join(table.given)}) needs resources.runner=batched")
    if "mechanism" in table.given and config.agents.mechanism.snapshot_every:
        raise ParameterError(
            "agents.mechanism.snapshot_every needs a mechanism that learns: drop agents.mechanism.given"
        )
    _check_memory(config, table.game)
    if config.resources.runner == "stock" and config.trainer.steps_per_iteration < table.game.max_steps:
        raise ParameterError(f"trainer.steps_per_iteration must be at least a game's {table.game.max_steps} steps")


def _check_planner(config: RLlibConfig, game: Game[Any]) -> None:
    """Check that the game has a pool to divide, and refuse settings that a planner would ignore."""
    learning = config.agents.mechanism
    LearnedPlanner(game, memory=learning.memory)
    for name in ("start", "hidden"):
        value, needed = getattr(learning, name), "null" if name == "start" else "layers of the critic"
        if (value is None) != (name == "start"):
            raise ParameterError(
                f"agents.mechanism.{name} is {value!r}, allowed with agents.mechanism.network = planner: {needed}"
            )


def _check_allocator(config: RLlibConfig, game: Game[Any]) -> None:
    """Check that the game asks one question a round without payments, and refuse settings that an allocator ignores."""
    learning = config.agents.mechanism
    asking_one(game, "rllib")
    LearnedAllocator(game, hidden=learning.hidden or ())
    for name in ("start", "std", "memory"):
        default = Mechanism.model_fields[name].default if name != "memory" else 0
        if getattr(learning, name) != default:
            raise ParameterError(
                f"agents.mechanism.{name} is {getattr(learning, name)!r}, which an allocator does not have: drop it"
            )


def _check_memory(config: RLlibConfig, game: Game[Any]) -> None:
    """Refuse a memory where there is nothing to remember, or nothing that could use it."""
    agents = config.agents
    if config.resources.runner == "stock":
        require_memoryless(agents)
    if agents.mechanism.memory and agents.mechanism.hidden is None:
        raise ParameterError(
            f"agents.mechanism.memory is {agents.mechanism.memory}, but with agents.mechanism.hidden = null its mean"
            " depends on nothing that is observed: allowed: 0, or hidden layers"
        )
    for name in ("participants", "mechanism"):
        memory = getattr(agents, name).memory
        if memory and isinstance(game, MechanismGame):
            raise ParameterError(
                f"agents.{name}.memory is {memory}, but the mechanism of {game.name} decides once a game, and what its"
                " participants do is tabulated by round and state: allowed: 0"
            )


def _check_participants(config: RLlibConfig, table: RolloutSetup) -> None:
    game, people = table.game, config.agents.participants
    in_a_box = not isinstance(game.action_layout("participant"), int)
    fields = type(people).model_fields
    own = {
        name for name in ("start", "std") if getattr(people, name) != fields[name].default
    }  # a stored config has all
    if own and not in_a_box:
        raise ParameterError(
            f"agents.participants.{min(own)} belongs to participants who choose from a Box; those of {game.name} choose"
            f" among {game.action_layout('participant')} actions: drop it"
        )
    if in_a_box:
        _check_box(config, table)
    if isinstance(game, MechanismGame) and game.horizon > 1 and people.gamma != 1:
        raise ParameterError(
            f"agents.participants.gamma is {people.gamma:g}, but participants of {game.name} look ahead over its"
            f" {game.horizon} rounds: allowed: 1"
        )


def _check_box(config: RLlibConfig, table: RolloutSetup) -> None:
    """Check settings that mean something else, or nothing, for participants who choose from a Box."""
    game, people, mechanism = table.game, config.agents.participants, config.agents.mechanism
    if isinstance(people.std, Schedule) and people.inverse_temperature != inf:
        raise ParameterError(
            "agents.participants.std is a schedule, but the spread of participants of bounded rationality follows from"
            f" agents.participants.inverse_temperature = {people.inverse_temperature}: allowed: {{initial: ...}}, or an"
            " inverse temperature of .inf"
        )
    start_of(game.action_layout("participant"), {}, people.start, "agents.participants.start")
    if not table.given and mechanism.gate is not None and not isinstance(game, MechanismGame):
        raise ParameterError(
            f"agents.mechanism.gate is {mechanism.gate:g}, but the logit reply of participants of {game.name}, who"
            " choose from a Box, is not known: allowed: null"
        )
