"""Settings of the trainers ``rllib`` and ``self_play``: the keys ``agents`` and ``trainer`` of a config."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from lawgiver.trainers.settings.base import Config, Count, Natural, Settings, TrainerSettings
from lawgiver.trainers.settings.bounded_rationality import BoundedRationality, Start
from lawgiver.trainers.settings.given import Given

Positive = Annotated[float, Field(gt=0)]
Share = Annotated[float, Field(ge=0, le=1)]
Hidden = tuple[Natural, ...]


class Learning(Settings):
    """PPO's settings of one module."""

    given: Given | None = None
    """Plays this role instead of a module; nothing of the role is trained then."""
    lr: Positive
    """Adam's learning rate."""
    epochs: Natural
    """Passes over the data of an iteration."""
    minibatch_size: Natural
    """Agents' turns a gradient step."""
    update_every: Natural = 1
    """Trained in every that many iterations: the second of the two timescales, beside the rate."""
    warmup: Annotated[int, Field(ge=0)] = 0
    """Iterations at the start in which the module is not trained."""
    gamma: Share = 0.0
    """Discount a turn of the agent's own; 0 for rounds that do not hang together."""
    gae_lambda: Share = 1.0
    clip: Positive = 0.2
    """PPO's clipping of the probability ratio."""
    entropy_bonus: Annotated[float, Field(ge=0)] = 0.0
    grad_clip: Positive | None = None
    """Largest global norm of a gradient; None for no clipping."""
    memory: Count = 0
    """Units of a GRU over what an agent observes at its own decisions, from zeros in every game; 0 for no memory.
    Minibatches are then of whole games, through which gradients go back to the beginning."""


class Schedule(Settings):
    """A standard deviation that shrinks geometrically."""

    start: Positive = 0.4
    end: Positive = 0.1
    iterations: Natural = 300
    """Over so many iterations; it stays at ``end`` afterwards."""


class LearnedStd(Settings):
    """A standard deviation that is learned; bounded rationality or an ``entropy_bonus`` keeps it from collapsing."""

    initial: Positive = 0.4


class Participants(Learning, BoundedRationality):
    """Participants of bounded rationality, trained on raw advantages.

    An inverse temperature of 0 is never trained; .inf is plain PPO. Those who choose from a Box do so by a Gaussian
    that is truncated to it; ``start`` and ``std`` are theirs alone.
    """

    hidden: Hidden = (32, 32)
    start: Start | None = None
    """Action at which the location of the Gaussian begins, in a Box; None for mid-Box."""
    std: Schedule | LearnedStd = LearnedStd(initial=1.0)
    """Scale of the Gaussian, in a Box, as a share of its width; at 1 it is all but uniform."""
    lr: Positive = 3e-3
    epochs: Natural = 4
    minibatch_size: Natural = 1000


class Mechanism(Learning):
    """A mechanism that explores in the space of its actions (their logarithm where they are log-scaled)."""

    start: str | Start | None = None
    """Where the mean begins: a canonical rule of the game's family by name, an action, or None for mid-Box."""
    network: Literal["gaussian", "planner", "allocator"] = "gaussian"
    """``planner``: that of the trainer ``commons``, for commons_trust in allocate mode. It explores about the logarithm
    of each offer, begins at equal shares of the pool, and ``memory`` units are for each participant. ``allocator``:
    that of the trainer ``online_allocation``, which draws an assignment and a question; it has neither ``start`` nor
    ``std``."""
    hidden: Hidden | None = (32, 32)
    """Layers through which the mean depends on what is observed, and of the critic; None for a mean that does not. A
    planner has them in its critic alone, an allocator in both of its networks."""
    std: Schedule | LearnedStd = Schedule()
    gate: Positive | None = 0.05
    """Held while participants are further than this from the logit reply to current play: on average over seats, as a
    share of their largest action; or, in games that are solved in tables, as the probability with which they act
    otherwise. None for no gate."""
    average_over: Natural = 50
    """The final rule is the mean's average over so many last updates."""
    snapshot_every: Natural | None = None
    """Iterations between two frozen copies of the mechanism that join the games; None for none."""
    snapshot_share: Annotated[float, Field(gt=0, lt=1)] = 0.5
    """Of the games that are played by one of the copies, drawn evenly, once there are any."""
    lr: Positive = 0.03
    epochs: Natural = 1
    minibatch_size: Natural = 1000
    warmup: Annotated[int, Field(ge=0)] = 20


class RLlibAgents(Settings):
    """Participants and mechanism."""

    participants: Participants = Participants()
    mechanism: Mechanism = Mechanism()


class RLlibTrainer(TrainerSettings):
    """PPO by RLlib, on two timescales."""

    length: ClassVar = "iterations"
    name: Literal["rllib"]
    iterations: Natural = 300
    steps_per_iteration: Natural = 2000
    """Steps of the game (phases), over all games of an iteration; games are played to their end."""
    checkpoint_every: Natural = 25
    """Iterations."""
    score_every: Natural = 10
    """Iterations between two exact scores of the mean rule, where the game can be solved."""


class GraphMechanism(Learning):
    """A mechanism that shares the fund by a graph network, exploring about its logits, trained by self-play.

    What it is paid comes at the end of an election: nothing is discounted, and advantages are what the election
    brought less what it was expected to at that round.
    """

    n_units: Natural = 32
    """Width of the graph network; ``memory`` units are for each participant."""
    critic: Hidden = (32, 32)
    """Layers of the critic, which sees endowments and contributions."""
    std: Schedule = Schedule(start=1.0, end=0.3, iterations=300)
    """Of each logit, in nats."""
    lr: Positive = 3e-3
    epochs: Natural = 1
    minibatch_size: Natural = 5000
    gamma: Share = 1.0
    average_over: Natural = 25
    """The final mechanism is the network's average over so many last iterations."""


class SelfPlayAgents(Settings):
    """The mechanism; participants and voters belong to the election."""

    mechanism: GraphMechanism = GraphMechanism()


class LeagueSettings(Settings):
    """The frozen copies that the mechanism plays against. The first, made before any training, stays for ever."""

    every: Natural = 25
    """Iterations between two copies."""
    largest: Annotated[int, Field(ge=2)] = 10
    """Number of copies; then a new one takes the place of the one that is beaten most often."""
    power: Annotated[float, Field(ge=0)] = 2.0
    """A copy is met in proportion to (1 - win rate against it) to this power; 0 meets all alike."""
    memory: Share = 0.8
    """How much an election counts for the win rate an iteration later."""


class SelfPlayTrainer(TrainerSettings):
    """PPO by RLlib against frozen copies."""

    length: ClassVar = "iterations"
    name: Literal["self_play"]
    iterations: Natural = 300
    elections_per_iteration: Natural = 2000
    league: LeagueSettings = LeagueSettings()
    checkpoint_every: Natural = 25
    """Iterations."""
    score_every: Natural = 25
    """Iterations between two measurements of the mean mechanism's vote share against the first copy."""
    score_elections: Natural = 100
    """Of each condition, in these."""
    final_elections: Natural = 400
    """Of each condition, against every rival at the end."""


RLlibConfig = Config[RLlibAgents, RLlibTrainer]
SelfPlayConfig = Config[SelfPlayAgents, SelfPlayTrainer]
