"""The trainer ``q_learning``: sessions of Q-learners, and a mechanism that is given or learns what to announce."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from lawgiver.agents.network_policies import LearnedMechanism
from lawgiver.agents.q_tables import LearnedQTables, require_repeated
from lawgiver.envs.core.errors import ParameterError
from lawgiver.envs.core.game import Game
from lawgiver.envs.core.make import make_policy
from lawgiver.envs.core.objectives import objective_of
from lawgiver.trainers.evaluation.announcement import announcement
from lawgiver.trainers.mechanism_design.optimisers import Optimiser, make_optimiser
from lawgiver.trainers.q_learning.evaluation import measured
from lawgiver.trainers.q_learning.outcome import outcome_of
from lawgiver.trainers.q_learning.sessions import Rule, Sessions, one_of, require_tables, rule_of
from lawgiver.trainers.q_learning.settings import BLOCK, Announcing, QLearningConfig, Regulator
from lawgiver.trainers.q_learning.stage import Stage, require_joint, require_stage, stage_of
from lawgiver.trainers.runs import loop
from lawgiver.trainers.runs.training_run import TrainingRun
from lawgiver.trainers.settings.bounded_rationality import start_of
from lawgiver.trainers.statistics.estimate import Estimate

BEGIN, REGULATE, PLAY = 0, 1, 2
"""Streams of random numbers, each by the number of the update."""
EARLY = (1, 2, 3, 5, 10, 20, 30)
"""Updates that are logged whatever ``log_every`` is."""
BASELINE = "no_mechanism"
"""Canonical mechanism beside which a learned one is shown; the start, of games that have none of this name."""
LARGEST_GRID = 4_096
"""Mechanisms of a grid."""


def train(config: QLearningConfig, run: TrainingRun) -> dict[str, Any]:
    """Train Q-learners, and a mechanism if it learns, in the run's folder; return the summary.

    Returns:
        What :func:`lawgiver.trainers.q_learning.evaluation.measured` tells of the mechanism that is ``given``; or of
        the one that was ``learned``, of ``no_mechanism`` and of the ``best_of_grid``. Besides, by mechanism, the share
        of sessions that ``converged`` and the ``periods`` that they took; what is announced, ``parameters``; the whole
        ``grid``; and ``alarms``.

    Raises:
        LawgiverError: if the config does not fit the game.
    """
    settings, training = config.trainer, Training.begin(config)
    loop.train(
        run,
        training,
        updates=training.iterations + settings.updates,
        log_every=settings.log_every,
        checkpoint_every=settings.checkpoint_every,
        early=EARLY,
        finished=training.finished,
    )
    return _conclude(training, run)


@dataclass
class Training:
    """Everything that changes in a training.

    Attributes:
        config: of the experiment.
        game: that is played.
        rule: by which participants learn.
        optimiser: of the mechanism; None for a given one.
        parameters: w of the mechanisms that are played, (M, D).
        sessions: under them.
        measured: mean of the objective in the last block.
        settling: whether the mechanisms stay as they are.
    """

    config: QLearningConfig
    game: Game[Any]
    rule: Rule
    optimiser: Optimiser | None
    parameters: np.ndarray
    sessions: Sessions
    measured: float = field(default=0.0)
    settling: bool = field(default=False)

    @classmethod
    def begin(cls, config: QLearningConfig) -> Training:
        """Start a training.

        Raises:
            LawgiverError: if the config does not fit the game.
        """
        game, mechanism = config.game.make(), config.agents.mechanism
        actions, n = require_stage(game), game.roles["participant"]
        if config.agents.participants.memory:
            require_repeated(game)
        rule = rule_of(game, config.agents.participants)
        if isinstance(mechanism, Announcing):
            w = announcement(game, make_policy(game, "mechanism", **mechanism.given.model_dump()))
            optimiser = None
        else:
            w = np.array(start_of(game.action_layout("mechanism"), game.members, mechanism.start))
            optimiser = _optimiser(game, mechanism, w)
            announced = 2 + len(_grid(game, mechanism.grid))  # all that is played in the end: too late to refuse then
            joint = require_joint(actions, n, announced)
            require_tables(announced * config.trainer.sessions, n, joint if rule.memory else 1, actions)
        sessions = _sessions(config, game, rule, w[None])
        return cls(config, game, rule, optimiser, w[None], sessions, settling=optimiser is None)

    @property
    def iterations(self) -> int:
        """Number of updates in which the mechanism learns."""
        mechanism = self.config.agents.mechanism
        return mechanism.iterations if isinstance(mechanism, Regulator) else 0

    def finished(self) -> bool:
        """Test whether all sessions have converged, under mechanisms that stay as they are."""
        return self.settling and not self.sessions.active.any()

    def update(self, number: int) -> dict[str, float]:
        """Let the mechanism take one step, or participants learn for a block; return the mean objective."""
        if number <= self.iterations:
            self._regulate(number)
        else:
            if not self.settling:
                self._announce()
            self._play(number)
        return {objective_of(self.game): self.measured}

    def _play(self, number: int) -> None:
        """Play a block of periods in the sessions that have not converged."""
        sessions, settings = self.sessions, self.config.trainer
        on = sessions.active.copy()
        sessions.play(self._exploration(sessions), np.random.default_rng([self.config.seed, PLAY, number]))
        sessions.retire(settings.stable_for)
        self.measured = float(sessions.stage.objective[sessions.mechanisms[on], sessions.played].mean())

    def _exploration(self, sessions: Sessions) -> np.ndarray:
        """Compute the probability of exploring in each period of the next block, (BLOCK,)."""
        mechanism = self.config.agents.mechanism
        if not self.settling and isinstance(mechanism, Regulator) and mechanism.exploration is not None:
            return np.full(BLOCK, mechanism.exploration)
        periods = sessions.periods + np.arange(1, BLOCK + 1)
        return np.asarray(np.exp(-self.config.agents.participants.exploration_decay * periods))

    def _regulate(self, number: int) -> None:
        """Let a copy of every session learn on under each mechanism that is tried, and move w.

        All copies of a session have the same random numbers, so that what one mechanism is worth more than another is
        not lost in what one session is worth more than another. The session goes on as one of its copies, drawn.
        """
        mechanism, sessions, optimiser = self.config.agents.mechanism, self.sessions, self.optimiser
        assert isinstance(mechanism, Regulator) and optimiser is not None
        rng = np.random.default_rng([self.config.seed, REGULATE, number])
        tried = optimiser.ask(rng)
        stage, common = stage_of(self.game, tried), int(rng.integers(2**63))
        copies = [
            sessions.under(stage, k) if mechanism.exploration is not None else self._anew(stage, k, common)
            for k in range(len(tried))
        ]
        for copy in copies:
            draws = np.random.default_rng(common)
            for _ in range(mechanism.updates_per_evaluation):
                copy.play(self._exploration(copy), draws)
        values = [float(stage.objective[k, copy.played].mean()) for k, copy in enumerate(copies)]
        optimiser.tell(values)
        self.parameters, self.measured = tried, float(np.mean(values))
        self.sessions = one_of(copies, rng)

    def _anew(self, stage: Stage, number: int, seed: int) -> Sessions:
        """Start all sessions under one mechanism of a stage."""
        mechanisms = np.full(self.config.trainer.sessions, number)
        return Sessions.begin(stage, self.rule, mechanisms, np.random.default_rng([seed, BEGIN]))

    def _announce(self) -> None:
        """Let participants learn anew: under the learned mechanism, under none, and under those of a grid."""
        assert isinstance(self.config.agents.mechanism, Regulator) and self.optimiser is not None
        grid = _grid(self.game, self.config.agents.mechanism.grid)
        none = self.game.members.get(BASELINE, self.optimiser.start)
        self.parameters = np.concatenate([[self.optimiser.coefficients], [none], grid])
        self.sessions = _sessions(self.config, self.game, self.rule, self.parameters)
        self.settling = True

    def report(self, numbers: Mapping[str, float]) -> loop.Report:
        """Report measures of the last block, and how far participants and mechanism have come."""
        sessions, game = self.sessions, self.game
        metrics: dict[str, Any] = {**numbers, "active": int(sessions.active.sum())}
        if not self.settling:
            assert self.optimiser is not None
            metrics["parameters"] = dict(zip(game.rule_names, self.optimiser.coefficients.tolist(), strict=True))
            return loop.Report(metrics, f"{objective_of(game)} {self.measured:.4g}")
        metrics["periods"] = sessions.periods
        metrics["exploration"] = float(np.exp(-self.config.agents.participants.exploration_decay * sessions.periods))
        note = f"{metrics['active']} of {len(sessions.active)} sessions still learn"
        return loop.Report(metrics, note)

    def state(self) -> dict[str, Any]:
        """Collect everything that a checkpoint stores."""
        optimiser = None if self.optimiser is None else self.optimiser.state()
        kept = {name: getattr(self, name) for name in ("parameters", "measured", "settling")}
        return {"optimiser": optimiser, "sessions": self.sessions.state(), **kept}

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from what :meth:`state` returned."""
        if self.optimiser is not None:
            self.optimiser.restore(state["optimiser"])
        self.parameters, self.measured, self.settling = (state[x] for x in ("parameters", "measured", "settling"))
        self.sessions = Sessions(stage_of(self.game, self.parameters), self.rule, **state["sessions"])


def _optimiser(game: Game[Any], mechanism: Regulator, start: np.ndarray) -> Optimiser:
    low, high = game.action_bounds("mechanism")
    return make_optimiser(
        mechanism.optimiser,
        low=low,
        high=high,
        start=np.clip(start, low, high),
        step=mechanism.step,
        radius=mechanism.radius,
    )


def _sessions(config: QLearningConfig, game: Game[Any], rule: Rule, parameters: np.ndarray) -> Sessions:
    """Start as many sessions as the config asks for under each mechanism."""
    numbers = np.repeat(np.arange(len(parameters)), config.trainer.sessions)
    rng = np.random.default_rng([config.seed, BEGIN])
    return Sessions.begin(stage_of(game, parameters), rule, numbers, rng)


def _grid(game: Game[Any], count: int) -> np.ndarray:
    """Lay a grid of ``count`` values of each parameter over the box, (count^D, D); empty for 0."""
    low, high = game.action_bounds("mechanism")
    if count ** len(low) > LARGEST_GRID:
        raise ParameterError(
            f"agents.mechanism.grid is {count}, {count ** len(low):,} mechanisms of {len(low)} parameters, allowed: up"
            f" to {LARGEST_GRID:,}"
        )
    axes = np.linspace(low, high, count) if count > 1 else (low + high)[None] / 2 * np.ones((count, 1))
    return np.array(list(itertools.product(*axes.T))).reshape(-1, len(low))


def _conclude(training: Training, run: TrainingRun) -> dict[str, Any]:
    """Save the policies, and measure what they have come to."""
    game, sessions, settings = training.game, training.sessions, training.config.trainer
    objective = objective_of(game)
    outcome = outcome_of(sessions)
    names = {"given": 0}
    grid: dict[str, Any] = {}
    if training.optimiser is not None:
        names = {"learned": 0, BASELINE if BASELINE in game.members else "start": 1}
        numbers = range(2, len(training.parameters))
        worth = outcome.occupation * sessions.stage.objective[sessions.mechanisms]
        reached = [Estimate.of_samples(worth[sessions.mechanisms == m].sum(axis=1)) for m in numbers]
        if reached:
            names["best_of_grid"] = 2 + int(np.argmax([each.mean for each in reached]))
            grid = {"grid": {"parameters": training.parameters[2:].tolist(), objective: reached}}
        run.save_policy("mechanism", LearnedMechanism(game, start=training.parameters[0].tolist(), hidden=None))
    participants = LearnedQTables(game, sessions=settings.sessions, memory=training.rule.memory)
    first = sessions.mechanisms == 0
    participants.restore({"tables": sessions.tables[first], "last_joint": sessions.states[first]})
    run.save_policy("participant", participants)
    found = measured(game, outcome, sessions, names)
    if game.ceiling() is not None:
        found[objective]["ceiling"] = game.ceiling()
    by_name = {name: sessions.mechanisms == number for name, number in names.items()}
    parameters = dict(zip(game.rule_names, training.parameters.T, strict=True))
    return {
        **found,
        "converged": {name: float((~sessions.active[on]).mean()) for name, on in by_name.items()},
        "periods": {name: Estimate.of_samples(sessions.changed[on]) for name, on in by_name.items()},
        "parameters": {
            key: {name: float(column[number]) for name, number in names.items()} for key, column in parameters.items()
        },
        **grid,
        "alarms": _alarms(found[objective], sessions),
    }


def _alarms(values: Mapping[str, Any], sessions: Sessions) -> list[str]:
    """Describe results that a reader of the summary should not overlook, one sentence each."""
    found = []
    if sessions.active.any():
        found.append(
            f"{int(sessions.active.sum())} of {len(sessions.active)} sessions have not converged: give them more"
            " trainer.updates"
        )
    if BASELINE in values and values["learned"].ends[1] < values[BASELINE].ends[0]:
        found.append(
            f"the learned mechanism is worse than none: {values['learned'].mean:.4g} against"
            f" {values[BASELINE].mean:.4g}; participants may need more agents.mechanism.updates_per_evaluation"
        )
    return found
