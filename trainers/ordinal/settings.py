"""Settings of the trainer ``ordinal``: the keys ``agents`` and ``trainer`` of a config."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from lawgiver.trainers.misreports.settings import Lagrangian, Positive
from lawgiver.trainers.settings.annealing import AnnealOver
from lawgiver.trainers.settings.base import Config, Count, Natural, Settings, TrainerSettings


class OrdinalNetwork(Settings):
    """See :class:`lawgiver.agents.ordinal_net.LearnedOrdinal`, and with matching
    :class:`lawgiver.agents.matching_net.LearnedMatching`, whose width is even."""

    width: Natural = 32
    rounds: Count = 3


class OrdinalAgents(Settings):
    """The mechanism; participants report whatever the objective fears."""

    mechanism: OrdinalNetwork = OrdinalNetwork()


class Evaluation(Settings):
    """The final evaluation, beside the known rules."""

    voters: tuple[Natural, ...] = ()
    """Other numbers of voters with which the rule is evaluated as well."""
    sides: tuple[Natural, ...] = ()
    """Other numbers of participants of a side with which a rule of matching is evaluated beside known ones as well."""
    profiles: Annotated[int, Field(ge=2)] = 1_000
    """Fresh profiles, the same for all rules; not used where all profiles are listed. Fewer markets where more than
    1,100,000 lists would be tried in them, as with five on each side: 337."""


class OrdinalTrainer(TrainerSettings):
    """Welfare of votes, or stability of matchings, against the regret of telling the truth, by Adam; with
    matching, maps between layers by Muon."""

    name: Literal["ordinal"]
    updates: Natural = 1_500
    anneal_over: AnnealOver = None
    """Updates over which the learning rate falls; None for ``updates``. A run that is prolonged stays at its end."""
    profiles: Literal["all", "sampled"] = "all"
    """Of an update: all of the impartial culture, with every ballot of every voter, so that nothing is left to chance;
    or fresh ones of any culture, with every ballot of some voters. Matching has fresh markets alone."""
    batch: Natural = 32
    """Sampled profiles an update."""
    deviators: Natural = 4
    """Voters of a sampled profile who try every ballot, each alone; all where there are no more. With matching,
    participants of a market who hold every list in turn, and may report every other."""
    learning_rate: Annotated[float, Field(gt=0, le=1)] = 3e-3
    """Falls to nothing along a cosine."""
    weight: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.5
    """Of the mean regret, beside the mean utility or the violation of stability; not used with a ``target``."""
    first_weight: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    """Weight of the regret at first, from which it moves to ``weight`` over the first third of the schedule; None for
    ``weight`` throughout. Not used with a ``target``. Matchings that begin with little regret become stable later;
    those that begin stable end next to deferred acceptance."""
    target: Positive | None = None
    """Upper bound of the mean regret; None to weigh it."""
    lagrangian: Lagrangian = Lagrangian(multiplier=1.5, penalty=100.0, growth=1.0, every=25)
    """That keeps the target. The multiplier begins above what a unit of regret is worth on the frontier, with a stiff
    penalty: from too much regret there is no way back, as lotteries near certainty have next to no gradient."""
    log_every: Natural = 50
    checkpoint_every: Natural = 250
    evaluation: Evaluation = Evaluation()


OrdinalConfig = Config[OrdinalAgents, OrdinalTrainer]
