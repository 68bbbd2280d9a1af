"""The trainer ``self_play``: a mechanism learns to win elections against frozen copies of itself."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from ray.rllib.algorithms.algorithm import Algorithm
from ray.rllib.algorithms.ppo import PPOConfig
from ray.rllib.core.rl_module.rl_module import RLModuleSpec

from lawgiver.agents.graph_network import LearnedGraphMechanism
from lawgiver.envs.core.errors import ParameterError, UnsupportedGameError
from lawgiver.envs.core.fields import columns
from lawgiver.envs.core.game import Game
from lawgiver.envs.election.game import Election
from lawgiver.trainers.evaluation.score_table import mechanisms
from lawgiver.trainers.evaluation.vote_shares import FIRST, POOLED, against, vote_share
from lawgiver.trainers.rllib import session
from lawgiver.trainers.rllib.algorithm import batched, common_config, stock
from lawgiver.trainers.rllib.modules import GraphMechanismModule
from lawgiver.trainers.rllib.play import RolloutSetup, make_rollout_setup
from lawgiver.trainers.rllib.results import Weights, actor_weights, averaged, learner_metrics
from lawgiver.trainers.rllib.runner import AGAINST
from lawgiver.trainers.rllib.self_play.league import League, LeagueMapping, Member
from lawgiver.trainers.rllib.settings import GraphMechanism, SelfPlayConfig
from lawgiver.trainers.rllib.snapshots import freeze, seat
from lawgiver.trainers.runs import loop
from lawgiver.trainers.runs.training_run import TrainingRun
from lawgiver.trainers.statistics.streams import FINAL_ELECTIONS, SCORED_ELECTIONS

LEARNER = "mechanism"


@dataclass
class Progress:
    """Everything beside the Algorithm that changes from one iteration to the next.

    Attributes:
        league: the frozen copies.
        iteration: completed iterations.
        elections: held so far in training.
        latest: the network's weights after each of the last iterations.
    """

    league: League
    iteration: int = 0
    elections: int = 0
    latest: deque[Weights] = field(default_factory=deque)

    def state(self) -> dict[str, Any]:
        """Collect everything but what follows from the config."""
        members = {name: vars(member) for name, member in self.league.members.items()}
        return vars(self) | {"league": members, "latest": list(self.latest)}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from what :meth:`state` returned."""
        self.league.members = {name: Member(**member) for name, member in state["league"].items()}
        self.iteration, self.elections, self.latest = state["iteration"], state["elections"], deque(state["latest"])


def train(config: SelfPlayConfig, run: TrainingRun) -> dict[str, Any]:
    """Train the mechanism that the config describes in the run's folder; return the summary.

    Raises:
        LawgiverError: if the config does not fit the game, or the training goes wrong.
    """
    election = _checked(config)

    def work(algorithm: Algorithm) -> dict[str, Any]:
        learner, settings = Training(algorithm, Progress(_league(config)), config, election), config.trainer
        loop.train(run, learner, updates=settings.iterations, checkpoint_every=settings.checkpoint_every)
        return learner.conclude(run)

    return session.train(run, config.resources, lambda: algorithm_config(config), work)


@dataclass
class Training(session.Iterations):
    """The iterations of an Algorithm in self-play.

    Attributes:
        config: of the experiment.
        election: between a mechanism and its frozen copies.
    """

    progress: Progress
    config: SelfPlayConfig
    election: Election

    def update(self, number: int) -> dict[str, float]:
        """Train for one iteration, and admit a copy to the league where one is due."""
        progress, settings, league = self.progress, self.config.trainer, self.progress.league
        if not league.members:
            self._add_copy()
        started, before = time.perf_counter(), progress.elections
        metrics = self._iteration()
        seconds = time.perf_counter() - started
        rates = {"iteration_s": seconds, "elections_per_s": (progress.elections - before) / seconds}
        if number % settings.score_every == 0:
            rng = np.random.default_rng([SCORED_ELECTIONS, self.config.seed, progress.iteration])
            found = vote_share(self.election, [self.learned(), self.first()], settings.score_elections, rng)
            metrics |= {"score": found[POOLED].mean, "vote_share": found}
        if number % settings.league.every == 0 and number < settings.iterations:
            self._add_copy()
        else:
            seat(self.algorithm, self.mapping())
        self.latest = loop.Report(metrics, f"{league.members[league.first].vote_share:.1%} against the first", rates)
        return {}

    def mapping(self) -> LeagueMapping:
        """Map seats to the learner and the copies of the league."""
        return self.progress.league.mapping(self.election.n_mechanisms)

    def _add_copy(self) -> None:
        name = self.progress.league.admit(self.progress.iteration)
        freeze(self.algorithm, LEARNER, name, self.mapping())

    def _iteration(self) -> dict[str, Any]:
        """Train for one iteration; return its metrics."""
        progress, module = self.progress, self.algorithm.get_module
        sampled, learned = session.iterate(self.algorithm)
        progress.iteration += 1
        progress.elections += int(sampled["num_episodes"])
        league, even = progress.league, 1 / self.election.n_mechanisms
        met, won, returned = ({name: float(x) for name, x in sampled[key].items()} for key in AGAINST)
        league.observe(met, won, {name: returned[name] + even * met[name] for name in met})
        progress.latest.append(actor_weights(module(LEARNER)))
        while len(progress.latest) > self.config.agents.mechanism.average_over:
            progress.latest.popleft()
        first = league.members[league.first]
        return {
            "elections": progress.elections,
            "weights_seq_no": float(sampled["weights_seq_no"]),  # of the weights that were sampled with
            "league": {
                "copies": len(league.members),
                "win_rate": league.win_rate,
                "win_rate_against_first": first.win_rate,
                "vote_share_against_first": first.vote_share,
                "vote_share": sum(returned.values()) / sum(met.values()) + even,
            },
            LEARNER: {
                **learner_metrics(learned[LEARNER]),
                "kl": float(learned[LEARNER]["mean_kl_loss"]),
                "std": float(module(LEARNER).actor.log_std.exp()),
            },
        }

    def _policy(self, weights: Weights) -> LearnedGraphMechanism:
        """Make the mechanism that shares by a network of these weights, without exploration."""
        learning = self.config.agents.mechanism
        policy = LearnedGraphMechanism(self.election.game, n_units=learning.n_units, memory=learning.memory)
        own = {name.removeprefix("network."): x for name, x in weights.items() if name.startswith("network.")}
        policy.network.load_state_dict(own)
        return policy

    def learned(self) -> LearnedGraphMechanism:
        """Make the mechanism of the mean weights of the last iterations."""
        return self._policy(averaged(self.progress.latest))

    def first(self) -> LearnedGraphMechanism:
        """Make the mechanism of the first frozen copy."""
        return self._policy(actor_weights(self.algorithm.get_module(self.progress.league.first)))

    def conclude(self, run: TrainingRun) -> dict[str, Any]:
        """Save the mechanism and the first copy; return the summary."""
        progress, learned, first = self.progress, self.learned(), self.first()
        run.save_policy(LEARNER, learned)
        run.save_policy(FIRST, first)
        rivals = dict(mechanisms(self.election.game, first, FIRST))
        seed = [FINAL_ELECTIONS, self.config.seed]
        return {
            **against(self.election, learned, rivals, self.config.trainer.final_elections, seed),
            "snapshots": {
                name: {"iteration": member.made, "win_rate": member.win_rate, "vote_share": member.vote_share}
                for name, member in progress.league.members.items()
            },
            "iterations": progress.iteration,
            "elections": progress.elections,
        }


def _checked(config: SelfPlayConfig) -> Election:
    """Make the election, and check that a graph network can take part in it.

    Raises:
        UnsupportedGameError: if the game is no election, or the graph network cannot rule its base game.
        ParameterError: if the resources do not fit.
    """
    election = config.game.make()
    if not isinstance(election, Election) or election.n_mechanisms != 2:
        raise UnsupportedGameError(f"trainer 'self_play' plays elections between two mechanisms, not {election}")
    LearnedGraphMechanism(election.game, n_units=config.agents.mechanism.n_units)
    if config.resources.runner == "stock":
        raise ParameterError("resources.runner is 'stock', allowed for trainer 'self_play': batched")
    return election


def algorithm_config(config: SelfPlayConfig) -> PPOConfig:
    """Return RLlib's config for an election; with the stock runner for comparison, as it keeps no league."""
    given = {"game": config.game.name, "params": config.game.parameters}
    table = make_rollout_setup(given)
    game = table.game
    assert isinstance(game, Election)
    steps = config.trainer.elections_per_iteration * game.max_steps
    modules = {LEARNER: graph_module(table, game.game, config.agents.mechanism)}
    mapping = _league(config).mapping(game.n_mechanisms)
    common = common_config(config, modules, given, mapping, steps)
    common.training(use_kl_loss=True, kl_coeff=0.0)  # weighs nothing, but is reported
    if config.resources.runner == "stock":
        return stock(common, config.resources, game.max_steps)
    return batched(common, config.resources)


def graph_module(table: RolloutSetup, base: Game[Any], learning: GraphMechanism) -> RLModuleSpec:
    """Return the spec of a graph network with exploration and critic, for the mechanisms of a table."""
    at = {
        "columns": columns(base.observation_layout(LEARNER)),
        "largest_endowment": base.largest_endowment,  # type: ignore[attr-defined]
        "n_units": learning.n_units,
        "std": learning.std.start,
        "learn_std": False,
        "memory": learning.memory,
        "critic": list(learning.critic),
    }
    return RLModuleSpec(
        module_class=GraphMechanismModule,
        observation_space=table.observation_space(LEARNER),
        action_space=table.game.action_space(LEARNER),
        model_config=at,
    )


def _league(config: SelfPlayConfig) -> League:
    settings = config.trainer.league
    return League(LEARNER, settings.largest, settings.power, settings.memory)
