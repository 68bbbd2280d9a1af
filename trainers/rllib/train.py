"""The trainer ``rllib``: participants of bounded rationality and a mechanism, on two timescales."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from ray.rllib.algorithms.algorithm import Algorithm

from lawgiver.agents.allocator_net import LearnedAllocator
from lawgiver.envs.core.errors import NoSolution
from lawgiver.envs.core.objectives import objective_of
from lawgiver.envs.families.mechanism_game import MechanismGame
from lawgiver.envs.solvers.equilibrium.subgame_equilibrium import mean_parameters
from lawgiver.trainers.rllib import results, session
from lawgiver.trainers.rllib.algorithm import algorithm_config, role_mapping
from lawgiver.trainers.rllib.evaluation import judged_allocator, judged_planner
from lawgiver.trainers.rllib.gate import exact_reply_gap, reply_gap
from lawgiver.trainers.rllib.mapping import RoleMapping
from lawgiver.trainers.rllib.play import RolloutSetup
from lawgiver.trainers.rllib.results import Weights
from lawgiver.trainers.rllib.settings import RLlibConfig
from lawgiver.trainers.rllib.setup import Setup, Trained, prepare
from lawgiver.trainers.rllib.snapshots import add_snapshot
from lawgiver.trainers.runs import loop
from lawgiver.trainers.runs.training_run import TrainingRun

log = logging.getLogger("lawgiver")


@dataclass
class Progress:
    """Everything beside the Algorithm that changes from one iteration to the next.

    Attributes:
        average_over: number of updates whose weights are averaged in the end.
        iteration: completed iterations.
        env_steps: phases played so far, over all games.
        scores: online score a round of the last iterations.
        means: the mechanism's weights after each of its last updates.
        updates: how often each module has been trained.
        gap: participants' distance from the logit reply to current play, None where there is no gate.
        snapshots: ids of the frozen copies of the mechanism.
        suspicious: whether the last exact score looked wrong beside the online one.
        alarms: one sentence for each score that looked wrong twice running, or at the end.
    """

    average_over: int
    iteration: int = 0
    env_steps: int = 0
    scores: deque[float] = field(default_factory=deque)
    means: deque[Weights] = field(default_factory=deque)
    updates: dict[str, int] = field(default_factory=dict)
    gap: float | None = None
    snapshots: tuple[str, ...] = ()
    suspicious: bool = False
    alarms: list[str] = field(default_factory=list)

    def state(self) -> dict[str, Any]:
        """Collect everything but what follows from the config."""
        kept = {name: value for name, value in vars(self).items() if name != "average_over"}
        return kept | {"scores": list(self.scores), "means": list(self.means)}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from what :meth:`state` returned."""
        for name in self.state():
            setattr(self, name, state[name])
        self.scores, self.means = deque(self.scores), deque(self.means)

    def remember(self, score: float, weights: Weights | None) -> None:
        """Add an iteration's score and, if the mechanism has been trained, its weights."""
        self.scores.append(score)
        if weights is not None:
            self.means.append(weights)
        for kept in (self.scores, self.means):
            while len(kept) > self.average_over:
                kept.popleft()


def train(config: RLlibConfig, run: TrainingRun) -> dict[str, Any]:
    """Train what the config describes in the run's folder; return the summary.

    Raises:
        LawgiverError: if the config does not fit the game, or the training goes wrong.
    """
    setup, settings = prepare(config), config.trainer

    def work(algorithm: Algorithm) -> dict[str, Any]:
        learner = Training(algorithm, Progress(config.agents.mechanism.average_over), setup)
        loop.train(run, learner, updates=settings.iterations, checkpoint_every=settings.checkpoint_every)
        return learner.conclude(run)

    return session.train(run, config.resources, lambda: algorithm_config(setup.config), work)


@dataclass
class Training(session.Iterations):
    """The iterations of an Algorithm on two timescales.

    Attributes:
        setup: of the training.
    """

    progress: Progress
    setup: Setup

    def update(self, number: int) -> dict[str, float]:
        """Train for one iteration, and add a snapshot of the mechanism where one is due."""
        setup, progress = self.setup, self.progress
        started, before = time.perf_counter(), progress.env_steps
        metrics = self._iteration()
        seconds = time.perf_counter() - started
        rates = {"iteration_s": seconds, "env_steps_per_s": (progress.env_steps - before) / seconds}
        self.latest = loop.Report(metrics, f"{objective_of(setup.game)} {progress.scores[-1]:.3f}", rates)
        every = setup.agents.mechanism.snapshot_every
        if every and number % every == 0 and number < setup.config.trainer.iterations:
            progress.snapshots += (add_snapshot(self.algorithm, "mechanism"),)
        return {}

    def mapping(self) -> RoleMapping:
        """Map agents to the modules of their roles, or to snapshots of these."""
        return role_mapping(self.setup.config, self.progress.snapshots)

    def _iteration(self) -> dict[str, Any]:
        """Train for one iteration; return its metrics."""
        config, table, algorithm, progress = self.setup.config, self.setup.table, self.algorithm, self.progress
        gate = config.agents.mechanism.gate if not table.given else None
        held = gate is not None and progress.gap is not None and progress.gap > gate
        session.hold(algorithm, ["mechanism"] if held else [])
        sampled, learned = session.iterate(algorithm)
        progress.iteration += 1
        progress.env_steps += int(sampled["num_env_steps_sampled"])
        metrics: dict[str, Any] = {
            "env_steps": progress.env_steps,
            "weights_seq_no": float(sampled["weights_seq_no"]),  # of the weights that were sampled with
            **_of_play(table, sampled, config.resources.runner == "stock"),
        }
        for role in table.game.roles:
            metrics[role] |= results.learner_metrics(learned.get(role, {}))
        updates = {role: int(metrics[role].get("updates", 0)) for role in table.learned}
        trained = updates.get("mechanism", 0) > progress.updates.get("mechanism", 0)
        progress.updates = updates
        progress.remember(metrics["score"], self.weights("mechanism") if trained else None)
        if "mechanism" in table.learned:
            actor = algorithm.get_module("mechanism").actor
            metrics["mechanism"]["held"] = int(held)
            if config.agents.mechanism.network != "allocator":
                metrics["mechanism"]["std"] = actor.log_std.exp().tolist()
            if config.agents.mechanism.hidden is None:  # the mean does not depend on the observation
                metrics["mechanism"]["mean"] = actor.mean_action(torch.empty(0)).tolist()
        if gate is not None:
            progress.gap = metrics["reply_gap"] = self._gap()
        if progress.iteration % config.trainer.score_every == 0:
            metrics |= self._exact()
        return metrics

    def weights(self, role: str) -> Weights:
        """Copy the weights with which a role's module acts."""
        return results.actor_weights(self.algorithm.get_module(role))

    def _gap(self) -> float:
        setup, game = self.setup, self.setup.game
        if isinstance(game, MechanismGame):
            parameters = mean_parameters(game, setup.mechanism(self.weights("mechanism")))
            people = setup.participants(self.weights("participant"))
            return exact_reply_gap(game, people, parameters, setup.inverse_temperature, setup.anchor)
        modules = {role: self.algorithm.get_module(role) for role in game.roles}
        rng = np.random.default_rng([setup.config.seed, self.progress.iteration])
        return reply_gap(setup.table, modules, setup.inverse_temperature, rng)

    def _exact(self) -> dict[str, Any]:
        """Score the mechanism's current mean exactly, and raise the alarm if the online score is above that.

        Where one of the two is given there is nothing to compare, as a score is that of a rule and of those who adapt.
        """
        setup, progress = self.setup, self.progress
        if setup.table.given:
            return {}
        config, policy = setup.config, setup.mechanism(self.weights("mechanism"))
        exact = results.exact_score(setup, policy)
        if isinstance(exact, NoSolution):
            return {}
        if progress.iteration > config.agents.mechanism.warmup:
            online = float(np.mean(list(progress.scores)[-config.trainer.score_every :]))
            found = results.alarms(setup.game, config.agents.participants, online, exact, progress.iteration)
            if progress.suspicious:  # participants who are still learning their response look the same, but once
                _raise(progress, found)
            progress.suspicious = bool(found)
        if setup.best is None:
            return {"exact_score": exact}
        people = setup.participants(self.weights("participant"))
        return {"exact_score": exact} | results.distances(setup, policy, people)

    def conclude(self, run: TrainingRun) -> dict[str, Any]:
        """Save the policies; return the summary."""
        setup, progress, table = self.setup, self.progress, self.setup.table
        learned: dict[str, Trained] = {}
        if "mechanism" in table.learned:
            learned["mechanism"] = setup.mechanism(results.averaged(progress.means or [self.weights("mechanism")]))
        if "participant" in table.learned:
            learned["participant"] = setup.participants(self.weights("participant"))
        for role, policy in learned.items():
            run.save_policy(role, policy)
        bounded = {} if "participant" in table.given else {"inverse_temperature": setup.inverse_temperature}
        counts: dict[str, Any] = {
            **bounded,
            "iterations": progress.iteration,
            "env_steps": progress.env_steps,
            "updates": progress.updates,
        }
        online = float(np.mean(progress.scores))
        if isinstance(learned.get("mechanism"), LearnedAllocator):
            found = judged_allocator(table.game, learned["mechanism"], [setup.config.seed])
            return {**found, **counts, "online_score": online}
        if "mechanism" in learned and setup.agents.mechanism.network == "planner":
            people = table.given.get("participant") or learned["participant"]
            found = judged_planner(table.game, learned["mechanism"], people, [setup.config.seed])
            return {**found, **counts, "online_score": online}
        if table.given:
            return {**results.beside(setup, learned), **counts, "online_score": online, "given": sorted(table.given)}
        exact = results.exact_score(setup, learned["mechanism"])
        known = None if isinstance(exact, NoSolution) else exact
        if known is not None:
            _raise(progress, results.alarms(setup.game, setup.agents.participants, online, known, progress.iteration))
        return {
            **results.scores(setup, learned),
            **counts,
            "online_score": online,
            "exact_score": known,
            "online_minus_exact": None if known is None else online - known,
            "alarms": progress.alarms,
        }


def _of_play(table: RolloutSetup, sampled: dict[str, Any], stock: bool) -> dict[str, Any]:
    """Compute the online score a round, and what the participants earned and did."""
    game = table.game
    always = "mechanism" if game.seats_take_turns else "participant_0"  # acts in every round
    rounds = float(sampled["num_agent_steps_sampled"][always]) / float(sampled["num_episodes"])
    if stock and game.phase(game.initial_state(1, np.random.default_rng(0))) != "participant":
        rounds -= 1  # RLlib's own runner counts what is seen at the end of a game as a step, but not at its beginning
    returns = {agent: float(value) / rounds for agent, value in sampled["agent_episode_returns_mean"].items()}
    seats = game.agents_of("participant")
    actions = sampled.get("agent_actions_mean", {})
    return {
        "score": returns["mechanism"],
        "participant": {
            "payoff": {seat: returns[seat] for seat in seats},
            "action": {seat: float(actions[seat]) for seat in seats if seat in actions},
        },
        "mechanism": {},
    }


def _raise(progress: Progress, alarms: list[str]) -> None:
    progress.alarms += alarms
    for alarm in alarms:
        log.warning(alarm)
