"""The trainer ``q_learning``: sessions of Q-learners, and a mechanism that is given or learns what to announce."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from lawgiver.agents.q_tables import require_repeated
from lawgiver.envs.core.game import Game
from lawgiver.envs.core.make import make_policy
from lawgiver.envs.core.objectives import objective_of
from lawgiver.trainers.evaluation.announcement import announcement
from lawgiver.trainers.mechanism_design.optimisers import Optimiser, make_optimiser
from lawgiver.trainers.q_learning.grid import best_of_grid, grid_of
from lawgiver.trainers.q_learning.sessions import Rule, Sessions, one_of, require_tables, rule_of
from lawgiver.trainers.q_learning.settings import BLOCK, Announcing, QLearningConfig, Regulator
from lawgiver.trainers.q_learning.stage import Stage, require_joint, require_stage, stage_of
from lawgiver.trainers.q_learning.summary import BASELINE, conclude
from lawgiver.trainers.runs import loop
from lawgiver.trainers.runs.training_run import TrainingRun
from lawgiver.trainers.settings.bounded_rationality import start_of

BEGIN, REGULATE, PLAY, JUDGE = 0, 1, 2, 3
"""Streams of random numbers: the first joint actions, and each update's or block's by its number."""
EARLY = (1, 2, 3, 5, 10, 20, 30)
"""Updates that are logged whatever ``log_every`` is."""
KEPT = ("parameters", "levels", "measured", "settling")
"""Attributes that a checkpoint stores as they are."""


def train(config: QLearningConfig, run: TrainingRun) -> dict[str, Any]:
    """Train Q-learners, and a mechanism if it learns, in the run's folder; return the summary.

    Returns:
        What :func:`lawgiver.trainers.q_learning.summary.conclude` tells.

    Raises:
        LawgiverError: if the config does not fit the game.
    """
    settings, training = config.trainer, Training.begin(config)
    loop.train(
        run,
        training,
        updates=training.iterations + training.stages * settings.updates,
        log_every=settings.log_every,
        checkpoint_every=settings.checkpoint_every,
        early=EARLY,
        finished=training.finished,
    )
    return conclude(training, run)


@dataclass
class Training:
    """Everything that changes in a training.

    Attributes:
        config: of the experiment.
        game: that is played.
        rule: by which participants learn.
        optimiser: of the mechanism; None for a given one.
        parameters: w of the mechanisms that are played, (M, D): in the end what was learned, what it is compared with,
            and a grid.
        sessions: under them.
        levels: mean of the objective in the last block that each session has played, (S,).
        measured: mean of the objective in the last block, in the end that of the first mechanism alone.
        settling: whether the mechanisms stay as they are.
        judged: fresh sessions under the best of the grid, once all others are done; None before.
    """

    config: QLearningConfig
    game: Game[Any]
    rule: Rule
    optimiser: Optimiser | None
    parameters: np.ndarray
    sessions: Sessions
    levels: np.ndarray
    measured: float = 0.0
    settling: bool = False
    judged: Sessions | None = None

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
            announced = 2 + len(grid_of(game, mechanism.grid))  # all that is played in the end: too late to refuse then
            joint = require_joint(actions, n, announced)
            require_tables(announced * config.trainer.sessions, n, joint if rule.memory else 1, actions)
        sessions = _sessions(config, game, rule, w[None])
        levels = np.zeros(len(sessions.states))
        return cls(config, game, rule, optimiser, w[None], sessions, levels, settling=optimiser is None)

    @property
    def iterations(self) -> int:
        """Number of updates in which the mechanism learns."""
        mechanism = self.config.agents.mechanism
        return mechanism.iterations if isinstance(mechanism, Regulator) else 0

    @property
    def stages(self) -> int:
        """Number of times that sessions are given ``trainer.updates`` to converge."""
        mechanism = self.config.agents.mechanism
        return 2 if isinstance(mechanism, Regulator) and mechanism.grid else 1

    def finished(self) -> bool:
        """Test whether all sessions are done, under mechanisms that stay as they are."""
        last = self.sessions if self.stages == 1 else self.judged
        return self.settling and last is not None and self._done(self.sessions) and self._done(last)

    def _done(self, sessions: Sessions) -> bool:
        """Test whether sessions have converged, or have had their time."""
        return not sessions.active.any() or sessions.periods >= self.config.trainer.updates * BLOCK

    def update(self, number: int) -> dict[str, float]:
        """Let the mechanism take one step, or participants learn for a block; return the mean objective."""
        if number <= self.iterations:
            self._regulate(number)
        else:
            if not self.settling:
                self._announce()
            if self._done(self.sessions):
                self._judge()
            else:
                self._settle()
        return {objective_of(self.game): self.measured}

    def _settle(self) -> None:
        """Play a block under the mechanisms that are announced in the end, and measure the first of them."""
        sessions, on = self.sessions, self.sessions.active.copy()
        self._play(sessions, PLAY)
        self.levels[on] = sessions.stage.objective[sessions.mechanisms[on], sessions.played].mean(axis=0)
        self.measured = float(self.levels[sessions.mechanisms == 0].mean())
        self.judged = None  # what was judged before is not, if more updates are given

    def _judge(self) -> None:
        """Play a block of fresh sessions under the best of the grid.

        The sessions by which it was chosen would flatter it: the largest of noisy means is too large on average.
        """
        if self.judged is None:
            best = np.full(self.config.trainer.sessions, best_of_grid(self.sessions))
            rng = np.random.default_rng([self.config.seed, JUDGE])
            self.judged = Sessions.begin(self.sessions.stage, self.rule, best, rng)
        self._play(self.judged, JUDGE)

    def _play(self, sessions: Sessions, stream: int) -> None:
        """Play a block of periods in the sessions that have not converged."""
        block = sessions.periods // BLOCK + 1
        sessions.play(self._exploration(sessions), np.random.default_rng([self.config.seed, stream, block]))
        sessions.retire(self.config.trainer.stable_for)

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
        grid = grid_of(self.game, self.config.agents.mechanism.grid)
        none = self.game.members.get(BASELINE, self.optimiser.start)
        self.parameters = np.concatenate([[self.optimiser.coefficients], [none], grid])
        self.sessions = _sessions(self.config, self.game, self.rule, self.parameters)
        self.levels = np.zeros(len(self.sessions.states))
        self.settling = True

    def report(self, numbers: Mapping[str, float]) -> loop.Report:
        """Report on the given or the learned mechanism and its participants, and how far its comparison is."""
        sessions, game = self.sessions if self.judged is None else self.judged, self.game
        metrics: dict[str, Any] = {}
        if not self.settling:
            assert self.optimiser is not None
            parameters = dict(zip(game.rule_names, self.optimiser.coefficients.tolist(), strict=True))
            metrics = {**numbers, "active": int(sessions.active.sum()), "parameters": parameters}
            return loop.Report(metrics, f"{objective_of(game)} {self.measured:.4g}")
        own, count = sessions.mechanisms == 0, int(sessions.active.sum())
        if own.any():
            decay = self.config.agents.participants.exploration_decay
            metrics = {**numbers, "active": int(sessions.active[own].sum()), "periods": sessions.periods}
            metrics["exploration"] = float(np.exp(-decay * sessions.periods))
        if not own.all():
            metrics["comparison"] = {"active": int(sessions.active[~own].sum()), "periods": sessions.periods}
        return loop.Report(metrics, f"{count} of {len(sessions.active)} sessions still learn")

    def state(self) -> dict[str, Any]:
        """Collect everything that a checkpoint stores."""
        optimiser = None if self.optimiser is None else self.optimiser.state()
        judged = None if self.judged is None else self.judged.state()
        kept = {name: getattr(self, name) for name in KEPT}
        return {"optimiser": optimiser, "sessions": self.sessions.state(), "judged": judged, **kept}

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from what :meth:`state` returned."""
        if self.optimiser is not None:
            self.optimiser.restore(state["optimiser"])
        for name in KEPT:
            setattr(self, name, state[name])
        stage = stage_of(self.game, self.parameters)
        self.sessions = Sessions(stage, self.rule, **state["sessions"])
        self.judged = None if state["judged"] is None else Sessions(stage, self.rule, **state["judged"])


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
