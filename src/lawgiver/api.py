"""Everything that the author of a game, policy, objective, voter or trainer imports.

    from lawgiver.api import Field, Game, ParameterError

Importing it needs neither torch nor ray; names of trainers and networks are imported on first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lawgiver.envs.core.arrays import (
    Array,
    Rng,
    constant,
    detached,
    evolve,
    fixed_rng,
    floats,
    integers,
    largest,
    log_softmax,
    map_arrays,
    namespace,
    sample_index,
    select,
    softmax,
    take_games,
    total,
    uniform,
    where_games,
    zeros,
)
from lawgiver.envs.core.errors import (
    ActionError,
    ConvergenceError,
    LawgiverError,
    MissingExtraError,
    NoSolution,
    ParameterError,
    PluginError,
    UnknownNameError,
    UnsupportedGameError,
    allowed,
    brief,
    choice,
    distribution,
    integer,
    number,
)
from lawgiver.envs.core.fields import Field, Layout, bounds, box, columns, component_names, width, within
from lawgiver.envs.core.game import Draws, Game, KnownSolution, Rewards
from lawgiver.envs.core.language import CandidateSets, LanguageModel, Reply, candidate_sets, make_language_model
from lawgiver.envs.core.make import make_game, make_policy, make_voter
from lawgiver.envs.core.objectives import gini, log_nash_welfare, rawlsian, surplus, welfare
from lawgiver.envs.core.policy import Memory, OutcomePolicy, Policy, PolicyLike
from lawgiver.envs.core.recorded import Recorded
from lawgiver.envs.core.rollout import Step, rollout
from lawgiver.envs.core.wording import Question, Wording
from lawgiver.lazy import lazily

if TYPE_CHECKING:
    from lawgiver.agents.learned import LearnedPolicy, save_policy
    from lawgiver.agents.mechanisms import Announcement, Weights
    from lawgiver.agents.network_policies import LearnedMechanism, LearnedParticipants, NetworkPolicy
    from lawgiver.agents.networks import Networked, ValueNet, evaluated
    from lawgiver.agents.policies import DiscretePolicy, Memoryless, RulePolicy, draw_discrete, require_field
    from lawgiver.envs.election.experience import Voter
    from lawgiver.envs.families.congestion_game import CongestionMechanism
    from lawgiver.envs.families.mdp_game import MDPGame
    from lawgiver.envs.families.mechanism_game import MechanismGame, MechanismState
    from lawgiver.envs.families.reporting_game import ReportingGame, ReportingState
    from lawgiver.envs.families.taxed_game import TaxedGame, TaxedState
    from lawgiver.envs.public_investment import PublicInvestment
    from lawgiver.envs.public_investment.rule_families import normalised
    from lawgiver.envs.solvers.equilibrium.prior import log_prior
    from lawgiver.testing import GameCheckError, check_game
    from lawgiver.trainers.plots.curves import curves
    from lawgiver.trainers.plots.run_figures import figures_of
    from lawgiver.trainers.plots.style import new_figure
    from lawgiver.trainers.runs import loop
    from lawgiver.trainers.runs.atomic_files import RunError
    from lawgiver.trainers.runs.loop import Learner, Report
    from lawgiver.trainers.runs.run import Run
    from lawgiver.trainers.runs.trainer import Deferred, Trainer
    from lawgiver.trainers.runs.training_run import TrainingRun
    from lawgiver.trainers.settings.base import Config, Count, Natural, Seed, Settings, TrainerSettings
    from lawgiver.trainers.settings.bounded_rationality import BoundedRationality, start_of
    from lawgiver.trainers.settings.learners import Learners, StepsTrainer
    from lawgiver.trainers.statistics.estimate import Estimate
    from lawgiver.trainers.tables.cells import Table, cell
    from lawgiver.trainers.tables.mechanism_tables import tables_of

__all__ = [
    "ActionError",
    "Announcement",
    "Array",
    "BoundedRationality",
    "CandidateSets",
    "Config",
    "CongestionMechanism",
    "ConvergenceError",
    "Count",
    "Deferred",
    "DiscretePolicy",
    "Draws",
    "Estimate",
    "Field",
    "Game",
    "GameCheckError",
    "KnownSolution",
    "LanguageModel",
    "LawgiverError",
    "Layout",
    "LearnedMechanism",
    "LearnedParticipants",
    "LearnedPolicy",
    "Learner",
    "Learners",
    "MDPGame",
    "MechanismGame",
    "MechanismState",
    "Memory",
    "Memoryless",
    "MissingExtraError",
    "Natural",
    "NetworkPolicy",
    "Networked",
    "NoSolution",
    "OutcomePolicy",
    "ParameterError",
    "PluginError",
    "Policy",
    "PolicyLike",
    "PublicInvestment",
    "Question",
    "Recorded",
    "Reply",
    "Report",
    "ReportingGame",
    "ReportingState",
    "Rewards",
    "Rng",
    "RulePolicy",
    "Run",
    "RunError",
    "Seed",
    "Settings",
    "Step",
    "StepsTrainer",
    "Table",
    "TaxedGame",
    "TaxedState",
    "Trainer",
    "TrainerSettings",
    "TrainingRun",
    "UnknownNameError",
    "UnsupportedGameError",
    "ValueNet",
    "Voter",
    "Weights",
    "Wording",
    "allowed",
    "bounds",
    "box",
    "brief",
    "candidate_sets",
    "cell",
    "check_game",
    "choice",
    "columns",
    "component_names",
    "constant",
    "curves",
    "detached",
    "distribution",
    "draw_discrete",
    "evaluated",
    "evolve",
    "figures_of",
    "fixed_rng",
    "floats",
    "gini",
    "integer",
    "integers",
    "largest",
    "log_nash_welfare",
    "log_prior",
    "log_softmax",
    "loop",
    "make_game",
    "make_language_model",
    "make_policy",
    "make_voter",
    "map_arrays",
    "namespace",
    "new_figure",
    "normalised",
    "number",
    "rawlsian",
    "require_field",
    "rollout",
    "sample_index",
    "save_policy",
    "select",
    "softmax",
    "start_of",
    "surplus",
    "tables_of",
    "take_games",
    "total",
    "uniform",
    "welfare",
    "where_games",
    "width",
    "within",
    "zeros",
]

__getattr__ = lazily(globals())


def __dir__() -> list[str]:
    return __all__
