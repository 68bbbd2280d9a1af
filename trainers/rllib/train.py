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

from lawgiver.agents.anchor import make_anchor
from lawgiver.agents.network_policies import NetworkPolicy
from lawgiver.envs.core.errors import NoSolution, ParameterError
from lawgiver.envs.core.game import Game
from lawgiver.envs.core.policy import Policy
from lawgiver.envs.families.mechanism_game import MechanismGame
from lawgiver.envs.solvers.equilibrium.subgame_equilibrium import Best, best_in_box, mean_parameters
from lawgiver.trainers.rllib import results, session
from lawgiver.trainers.rllib.algorithm import algorithm_config, env_config, role_mapping
from lawgiver.trainers.rllib.gate import exact_reply_gap, reply_gap
from lawgiver.trainers.rllib.play import Table, make_table
from lawgiver.trainers.rllib.results import Weights
from lawgiver.trainers.rllib.settings import RLlibConfig
from lawgiver.trainers.rllib.snapshots import add_snapshot
from lawgiver.trainers.runs import loop
from lawgiver.trainers.runs.config import anchor_of
from lawgiver.trainers.runs.run import Run

log = logging.getLogger("lawgiver")


@dataclass
class Progress:
    """What the loop remembers from one iteration to the next, beside the Algorithm.

    Attributes:
        iteration: completed iterations.
        env_steps: phases played so far, over all games.
        scores: online score a round of the last iterations.
        means: the mechanism's weights after each of its last updates.
        updates: how often each module has been trained.
        gap: participants' distance from the logit reply to current play, None where there is no gate.
        best: of the mechanism's box, where it announces its parameters once for a game.
        snapshots: ids of the frozen copies of the mechanism.
        suspicious: whether the last exact score looked wrong beside the online one.
        alarms: what looked wrong twice running, or at the end, in words.
    """

    average_over: int
    iteration: int = 0
    env_steps: int = 0
    scores: deque[float] = field(default_factory=deque)
    means: deque[Weights] = field(default_factory=deque)
    updates: dict[str, int] = field(default_factory=dict)
    gap: float | None = None
    best: Best | None = None
    snapshots: tuple[str, ...] = ()
    suspicious: bool = False
    alarms: list[str] = field(default_factory=list)

    def state(self) -> dict[str, Any]:
        """Return what a checkpoint keeps: all but what follows from the config."""
        kept = {name: value for name, value in vars(self).items() if name not in ("average_over", "best")}
        return kept | {"scores": list(self.scores), "means": list(self.means)}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from what :meth:`state` returned."""
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


def train(config: RLlibConfig, run: Run) -> dict[str, Any]:
    """Train what the config describes in the run's folder; return the summary.

    Raises:
        LawgiverError: if the config does not fit the game, or the training goes wrong.
    """
    table = make_table(env_config(config))
    _check(config, table)
    config = _solved(config, table)
    with session.training(run, config.resources, lambda: algorithm_config(config)) as algorithm:
        progress = Progress(config.agents.mechanism.average_over, best=_best(config, table))
        learner = Training(config, table, algorithm, progress)
        settings = config.trainer
        loop.train(run, learner, updates=settings.iterations, checkpoint_every=settings.checkpoint_every)
        return _conclude(config, run, table, algorithm, progress)


@dataclass
class Training:
    """The iterations of an Algorithm.

    Attributes:
        config: the whole.
        table: the game, and who plays.
        algorithm: of RLlib.
        progress: so far.
        told: of the last iteration.
    """

    config: RLlibConfig
    table: Table
    algorithm: Algorithm
    progress: Progress
    told: loop.Report = field(default_factory=lambda: loop.Report({}))

    def update(self, number: int) -> dict[str, float]:
        """Train for one iteration, and add a snapshot of the mechanism where one is due."""
        config, progress = self.config, self.progress
        started, before = time.perf_counter(), progress.env_steps
        metrics = _iteration(config, self.table, self.algorithm, progress)
        seconds = time.perf_counter() - started
        rates = {"iteration_s": seconds, "env_steps_per_s": (progress.env_steps - before) / seconds}
        self.told = loop.Report(metrics, f"{results.objective(self.table.game)} {progress.scores[-1]:.3f}", rates)
        every = config.agents.mechanism.snapshot_every
        if every and number % every == 0 and number < config.trainer.iterations:
            progress.snapshots += (add_snapshot(self.algorithm, "mechanism"),)
        return {}  # the learners themselves stop where a loss is not finite

    def report(self, told: Mapping[str, float]) -> loop.Report:
        """Report what RLlib tells of the last iteration, and the exact scores."""
        return self.told

    def state(self) -> dict[str, Any]:
        """Return the state of learners and progress."""
        return {"learner": session.learner_state(self.algorithm), "progress": self.progress.state()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from what :meth:`state` returned."""
        self.progress.restore(state["progress"])
        mapping = role_mapping(self.config, self.progress.snapshots)
        session.restore(self.algorithm, state["learner"], mapping)


def _check(config: RLlibConfig, table: Table) -> None:
    if set(table.game.roles) != {"participant", "mechanism"}:
        raise ParameterError(f"trainer 'rllib' plays games of participants and a mechanism, not {table.game.name}")
    if "participant" in table.learned:
        _check_participants(config, table.game)
    if not table.learned:
        raise ParameterError("agents.participants.given and agents.mechanism.given leave nobody to train: drop one")
    if table.given and config.resources.runner == "stock":
        raise ParameterError(f"agents.*.given ({', '.join(table.given)}) needs resources.runner=batched")
    if "mechanism" in table.given and config.agents.mechanism.snapshot_every:
        raise ParameterError(
            "agents.mechanism.snapshot_every needs a mechanism that learns: drop agents.mechanism.given"
        )
    if config.resources.runner == "stock" and config.trainer.steps_per_iteration < table.game.max_steps:
        raise ParameterError(f"trainer.steps_per_iteration must be at least a game's {table.game.max_steps} steps")


def _check_participants(config: RLlibConfig, game: Game[Any]) -> None:
    if not isinstance(game.action_layout("participant"), int):
        raise ParameterError(
            "trainer 'rllib' trains participants of bounded rationality, who choose among finitely many actions; those"
            f" of {game.name} choose from a Box: give the game a number of actions (lanes: game.n_moves=101)"
        )
    gamma = config.agents.participants.gamma
    if isinstance(game, MechanismGame) and game.horizon > 1 and gamma != 1:
        raise ParameterError(
            f"agents.participants.gamma is {gamma:g}, but participants of {game.name} look ahead over its"
            f" {game.horizon} rounds: allowed: 1"
        )


def _solved(config: RLlibConfig, table: Table) -> RLlibConfig:
    """Return the config with the inverse temperature at which the participants' budget is spent, if it gives one."""
    participants = config.agents.participants.solved(table.game, config.agents.mechanism.start)
    return config.model_copy(update={"agents": config.agents.model_copy(update={"participants": participants})})


def _best(config: RLlibConfig, table: Table) -> Best | None:
    """Return the best mechanism of the box, if what is learned is to be held against it."""
    if table.given or not isinstance(table.game, MechanismGame):
        return None
    participants = config.agents.participants
    return best_in_box(table.game, participants.level, make_anchor(table.game, anchor_of(participants)))


def _iteration(config: RLlibConfig, table: Table, algorithm: Algorithm, progress: Progress) -> dict[str, Any]:
    """Train for one iteration; return its metrics."""
    gate = config.agents.mechanism.gate if not table.given else None
    held = gate is not None and progress.gap is not None and progress.gap > gate
    session.hold(algorithm, ["mechanism"] if held else [])
    sampled, learned = session.iterate(algorithm)
    progress.iteration += 1
    progress.env_steps += int(sampled["num_env_steps_sampled"])
    stock = config.resources.runner == "stock"
    metrics: dict[str, Any] = {
        "env_steps": progress.env_steps,
        "weights_seq_no": float(sampled["weights_seq_no"]),  # of the weights that were sampled with
        **_of_play(table, sampled, stock),
    }
    for role in table.game.roles:
        metrics[role] |= results.learner_metrics(learned.get(role, {}))
    updates = {role: int(metrics[role].get("updates", 0)) for role in table.learned}
    trained = updates.get("mechanism", 0) > progress.updates.get("mechanism", 0)
    progress.updates = updates
    progress.remember(metrics["score"], _weights(algorithm, "mechanism") if trained else None)
    if "mechanism" in table.learned:
        actor = algorithm.get_module("mechanism").actor
        metrics["mechanism"] |= {"held": int(held), "std": actor.log_std.exp().tolist()}
        if config.agents.mechanism.hidden is None:  # it sends the same whatever it sees
            metrics["mechanism"]["mean"] = actor.mean_action(torch.empty(0)).tolist()
    if gate is not None:
        progress.gap = _gap(config, table, algorithm, progress.iteration)
        metrics["reply_gap"] = progress.gap
    if progress.iteration % config.trainer.score_every == 0:
        metrics |= _exact(config, table, algorithm, progress)
    return metrics


def _of_play(table: Table, sampled: dict[str, Any], stock: bool) -> dict[str, Any]:
    """Return the online score a round, and what the participants earned and did."""
    rounds = float(sampled["num_agent_steps_sampled"]["participant_0"]) / float(sampled["num_episodes"])
    if stock:
        rounds -= 1  # RLlib's own runner counts what is seen at the end of a game as a step
    returns = {agent: float(value) / rounds for agent, value in sampled["agent_episode_returns_mean"].items()}
    seats = table.game.agents_of("participant")
    did = sampled.get("agent_actions_mean", {})
    return {
        "score": returns["mechanism"],
        "participant": {
            "payoff": {seat: returns[seat] for seat in seats},
            "action": {seat: float(did[seat]) for seat in seats if seat in did},
        },
        "mechanism": {},
    }


def _gap(config: RLlibConfig, table: Table, algorithm: Algorithm, iteration: int) -> float:
    game, agents = table.game, config.agents
    if isinstance(game, MechanismGame):
        mechanism = results.mechanism_policy(game, agents.mechanism, _weights(algorithm, "mechanism"))
        people = results.participants_policy(game, agents.participants, _weights(algorithm, "participant"))
        anchor = table.anchors.get("participant")
        return exact_reply_gap(game, people, mean_parameters(game, mechanism), agents.participants.level, anchor)
    modules = {role: algorithm.get_module(role) for role in game.roles}
    rng = np.random.default_rng([config.seed, iteration])
    return reply_gap(table, modules, agents.participants.level, rng)


def _weights(algorithm: Algorithm, role: str) -> Weights:
    return results.actor_weights(algorithm.get_module(role))


def _exact(config: RLlibConfig, table: Table, algorithm: Algorithm, progress: Progress) -> dict[str, Any]:
    """Return the exact score of the mechanism's current mean, and raise the alarm if the online score is above it.

    Where one of the two is given there is nothing to compare, as a score is that of a rule and of those who adapt.
    """
    if table.given:
        return {}
    policy = results.mechanism_policy(table.game, config.agents.mechanism, _weights(algorithm, "mechanism"))
    exact = results.exact_score(table.game, policy, config.agents.participants)
    if isinstance(exact, NoSolution):
        return {}
    if progress.iteration > config.agents.mechanism.warmup:
        online = float(np.mean(list(progress.scores)[-config.trainer.score_every :]))
        found = results.alarms(table.game, config.agents.participants, online, exact, progress.iteration)
        if progress.suspicious:  # participants who are still on their way to their reply look the same, but once
            _raise(progress, found)
        progress.suspicious = bool(found)
    return {"exact_score": exact} | _shown(config, table, algorithm, progress, policy)


def _shown(
    config: RLlibConfig, table: Table, algorithm: Algorithm, progress: Progress, mechanism: Policy
) -> dict[str, Any]:
    """Return how far mechanism and participants are from what is known, in a game that is solved in tables."""
    game, agents = table.game, config.agents
    if not isinstance(game, MechanismGame):
        return {}
    assert progress.best is not None
    people = results.participants_policy(game, agents.participants, _weights(algorithm, "participant"))
    return results.distances(game, mechanism, people, agents, progress.best)


def _raise(progress: Progress, alarms: list[str]) -> None:
    progress.alarms += alarms
    for alarm in alarms:
        log.warning(alarm)


def _conclude(config: RLlibConfig, run: Run, table: Table, algorithm: Algorithm, progress: Progress) -> dict[str, Any]:
    """Save the policies and return the summary."""
    game, agents = table.game, config.agents
    learned: dict[str, NetworkPolicy] = {}
    if "mechanism" in table.learned:
        means = progress.means or [_weights(algorithm, "mechanism")]
        learned["mechanism"] = results.mechanism_policy(game, agents.mechanism, results.averaged(means))
    if "participant" in table.learned:
        weights = _weights(algorithm, "participant")
        learned["participant"] = results.participants_policy(game, agents.participants, weights)
    for role, policy in learned.items():
        run.save_policy(role, policy)
    counts: dict[str, Any] = {
        "inverse_temperature": agents.participants.level,
        "iterations": progress.iteration,
        "env_steps": progress.env_steps,
        "updates": progress.updates,
    }
    online = float(np.mean(progress.scores))
    if table.given:
        told = results.beside(game, table.given, learned, agents, config.seed)
        return {**told, **counts, "online_score": online, "given": sorted(table.given)}
    exact = results.exact_score(game, learned["mechanism"], agents.participants)
    if not isinstance(exact, NoSolution):
        _raise(progress, results.alarms(game, agents.participants, online, exact, progress.iteration))
    return {
        **results.scores(game, learned, agents, config.seed, progress.best),
        **counts,
        "online_score": online,
        "exact_score": None if isinstance(exact, NoSolution) else exact,
        "online_minus_exact": None if isinstance(exact, NoSolution) else online - exact,
        "alarms": progress.alarms,
    }
