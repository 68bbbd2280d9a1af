"""The trainer ``two_timescale``: participants who learn fast under a mechanism that moves slowly.

In iteration n = 1, 2, ... the optimiser proposes mechanisms; a copy of the participants learns under each of them for
a few steps; the mechanism's objective (welfare, revenue) is measured, divided by the game's scale, and told to the
optimiser, which moves w by a step of size xi_n; the population goes on as the mean of its copies. Relaxed logits take
steps of size eta_n: with xi_n / eta_n -> 0 the participants see a mechanism that all but stands still, and the
mechanism sees participants who have all but settled (Mguni and Tomczak, section 4; the prose there, not the listing,
has the rates the right way round).

The steps within an evaluation, k of them, decide how much of a perturbation the objective tells of: participants that
set out from a reply to w have gone the share 1 - (1 - eta_n)^k of the way to that to the perturbed w, and so has the
estimate's mean. That share tends to k eta_n. So the mechanism's effective steps are k xi_n eta_n in the long run, and
their sum is finite: the conditions on xi and eta, which the literature asks for and a run is held to, do not by
themselves carry w all the way. With k = 1 it comes to rest half-way; with k = 50 the share is still 0.98 after 100
iterations and 0.70 after 1,000, by which time it has arrived. Rules that begin their steps anew with every announcement
(fictitious play, dual averaging) go the same share in every iteration.

Where a parameter pays only once participants have reacted to it, that share decides by itself: the reserve price of a
first-price auction at first loses the bids below it, and gains as bidders raise theirs. Bidders who have gone half of
the way by the time that they are measured drive it to nothing.

What is announced in the end is the last w: beside it, averages over the last 100 or 1,000 change nothing, as the steps
are small by then.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from lawgiver.agents.network_policies import LearnedMechanism
from lawgiver.agents.tables import LearnedTable
from lawgiver.envs.core.arrays import log_softmax
from lawgiver.envs.core.registry import extras
from lawgiver.trainers.evaluation.mechanism_summary import design_summary
from lawgiver.trainers.mechanism_design.optimisers import Optimiser, make_optimiser
from lawgiver.trainers.mechanism_design.two_timescale.learning import play
from lawgiver.trainers.mechanism_design.two_timescale.measurement import values_of
from lawgiver.trainers.mechanism_design.two_timescale.settings import TwoTimescaleConfig
from lawgiver.trainers.mechanism_design.two_timescale.setup import Setup, prepare
from lawgiver.trainers.runs import loop
from lawgiver.trainers.runs.training_run import TrainingRun

SETTLING = 10
"""Evaluations' worth of steps that participants take under the mechanism that is announced in the end."""
EARLY = (1, 2, 3, 5, 7, 10, 14, 20, 28, 40)
"""Iterations that are logged whatever ``log_every`` is: most is learned then."""
LARGEST_REPLY_GAP = 0.2
"""Distance of trained participants from their exact reply above which it is an alarm."""


def train(config: TwoTimescaleConfig, run: TrainingRun) -> dict[str, Any]:
    """Train a mechanism and its participants in the run's folder; return the summary.

    Returns:
        What :func:`lawgiver.trainers.evaluation.mechanism_summary.design_summary` tells, and ``inverse_temperature``,
        ``iterations``, ``agent_updates`` and ``evaluations`` until the mechanism is announced, the ``reply_gap`` of the
        participants who are kept, once they have settled under it, ``reply_gap_in_training`` and ``score_in_training``
        of those who were trained, before, as the last line of metrics and the curves have them, and ``alarms``.

    Raises:
        LawgiverError: if the config does not fit the game, or the steps violate the conditions of their timescale.
    """
    before = time.process_time()
    setup = prepare(config)
    settings, training = config.trainer, begin(setup)
    loop.train(
        run,
        training,
        updates=settings.iterations,
        log_every=settings.log_every,
        checkpoint_every=settings.checkpoint_every,
        early=EARLY,
    )
    summary = _conclude(training, run)
    return summary | {"timing": {"cpu_s": time.process_time() - before}}  # of this process, where others are at work


def begin(setup: Setup) -> Training:
    """Start a training, in which participants play their prior."""
    mechanism, settings = setup.config.agents.mechanism, setup.config.trainer
    box: Any = setup.game.action_space("mechanism")
    optimiser = make_optimiser(
        mechanism.optimiser,
        low=box.low,
        high=box.high,
        start=setup.start,
        step=settings.mechanism_step,
        radius=settings.radius,
        **({"draws": mechanism.draws} if mechanism.optimiser == "score_function" else {}),
    )
    rng = np.random.default_rng(setup.config.seed)
    return Training(setup, optimiser, setup.learners.beginning, rng)


def _gradients(setup: Setup, tried: np.ndarray) -> np.ndarray:
    """Compute the gradient of the equilibrium objective at each mechanism, (k, D), by implicit differentiation."""
    with extras("optimiser 'implicit_gradient'"):
        from lawgiver.trainers.mechanism_design.two_timescale.subgame_gradient import objective_and_gradient
    learners = setup.learners
    temperature, prior = learners.inverse_temperature, learners.prior
    return np.stack([objective_and_gradient(setup.game, w, temperature, prior)[1] for w in tried])


@dataclass
class Training:
    """Everything that changes in a training, and the setup, which does not.

    Attributes:
        setup: of the training.
        optimiser: of the mechanism.
        population: what the participants have learned, as their rule keeps it.
        rng: of perturbations and games.
        iteration: completed ones.
        agent_updates: steps that tables of participants have taken; an equilibrium counts as one.
        evaluations: mechanisms whose objective was measured.
        measured: objective of each game of the last iteration under each mechanism that was tried, (k, games).
    """

    setup: Setup
    optimiser: Optimiser
    population: np.ndarray
    rng: np.random.Generator
    iteration: int = 0
    agent_updates: int = 0
    evaluations: int = 0
    measured: np.ndarray = field(default_factory=lambda: np.zeros((0, 0)))

    def update(self, number: int) -> dict[str, float]:
        """Carry out one iteration; return the mean objective of a game under the mechanisms that were tried."""
        setup, optimiser, game, learners = self.setup, self.optimiser, self.setup.game, self.setup.learners
        tried = optimiser.ask(self.rng)
        step = setup.config.trainer.agents_step.at(self.iteration + 1)
        copies = learners.respond(self.population, tried, step)
        games = setup.config.agents.mechanism.games_per_evaluation
        self.measured = values_of(game, tried, learners.logits(copies, tried), games, self.rng)
        gradient = _gradients(setup, tried) / game.welfare_scale if optimiser.uses_gradient else None
        optimiser.tell(self.measured.mean(axis=1) / game.welfare_scale, gradient)
        self.population = copies.mean(axis=0) if len(copies) > 1 else copies[0]
        self.iteration += 1
        self.agent_updates += len(tried) * learners.updates_of_one
        self.evaluations += len(tried)
        return {game.subgame.objective_name: float(self.measured.mean())}

    def report(self, metrics: Mapping[str, float]) -> loop.Report:
        """Report exact scores, and the distance of participants from their best response."""
        scores, game = _metrics(self), self.setup.game
        best = self.setup.best.value / game.horizon
        reached = f"{game.subgame.objective_name} {scores['exact_score']:.4g} of {best:.4g} best"
        return loop.Report(scores, f"{reached}, reply gap {scores['reply_gap']:.2g}")

    @property
    def logits(self) -> np.ndarray:
        """Logits (T, S, A) of the population's play under the current mechanism."""
        tables = self.setup.learners.logits(self.population[None], self.optimiser.coefficients[None])
        return np.asarray(tables[0])

    def state(self) -> dict[str, Any]:
        """Collect everything that a checkpoint stores."""
        kept = {name: getattr(self, name) for name in ("population", "iteration", "agent_updates", "evaluations")}
        return {"optimiser": self.optimiser.state(), "rng": self.rng.bit_generator.state, **kept}

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from what :meth:`state` returned."""
        self.optimiser.restore(state["optimiser"])
        self.rng.bit_generator.state = state["rng"]
        self.population, self.iteration = state["population"], state["iteration"]
        self.agent_updates, self.evaluations = state["agent_updates"], state["evaluations"]


def _metrics(progress: Training) -> dict[str, Any]:
    """Compute a line of metrics.

    ``score`` is the expected objective a round of the participants' current play, ``exact_score`` that in equilibrium
    under w, ``measured`` and ``measured_sd`` mean and standard deviation over this iteration's games under all
    mechanisms that were tried; ``closed_form`` is the behaviour of the best response under w to current play.
    """
    setup, measured = progress.setup, progress.measured
    game, settings = setup.game, setup.config.trainer
    w, n, logits = progress.optimiser.coefficients, progress.iteration, progress.logits
    policy = play(logits)
    exact = setup.exact(w)
    return {
        "score": float(game.subgame.objective(w, policy)) / game.horizon,
        "exact_score": exact,
        "measured": float(measured.mean()) / game.horizon,
        "measured_sd": float(measured.std()) / game.horizon,
        "gap_closed": setup.gap_closed(exact),
        "reply_gap": setup.learners.reply_gap(logits, w),
        "coefficients": dict(zip(game.rule_names, w.tolist(), strict=True)),
        "behaviour": game.subgame.behaviour(policy),
        "closed_form": game.subgame.behaviour(play(setup.learners.best_response(logits, w))),
        "agent_updates": progress.agent_updates,
        "evaluations": progress.evaluations,
        "step": {
            "agents": settings.agents_step.at(n),
            "mechanism": settings.mechanism_step.at(n),
            "radius": settings.radius.at(n),
        },
    }


def _conclude(progress: Training, run: TrainingRun) -> dict[str, Any]:
    """Announce the mechanism, let the participants settle under it, save both and score them."""
    setup, learned = progress.setup, progress.optimiser.coefficients
    game, learners = setup.game, setup.learners
    step = setup.config.trainer.agents_step.at(progress.iteration)
    trained, population = progress.logits, progress.population
    for _ in range(SETTLING):  # they have last met a mechanism that was tried, which is not the one that is announced
        population = learners.respond(population, learned[None], step)[0]
    logits = learners.logits(population[None], learned[None])[0]
    participants = LearnedTable(game, log_softmax(logits))
    run.save_policy("mechanism", LearnedMechanism(game, start=learned.tolist(), hidden=None))
    run.save_policy("participant", participants)
    before = learners.reply_gap(trained, learned)
    score = float(game.subgame.objective(learned, play(trained))) / game.horizon
    gap = learners.reply_gap(logits, learned)
    summary = design_summary(
        game,
        start=setup.start,
        learned=learned,
        inverse_temperature=setup.inverse_temperature,
        anchor=setup.anchor,
        participants=participants,
        best=setup.best,
    )
    return summary | {
        "inverse_temperature": setup.inverse_temperature,
        "iterations": progress.iteration,
        "agent_updates": progress.agent_updates,
        "evaluations": progress.evaluations,
        "reply_gap": gap,
        "reply_gap_in_training": before,
        "score_in_training": score,
        "alarms": [*alarms(summary[game.subgame.objective_name], gap), *_unbound(setup)],
    }


def _unbound(setup: Setup) -> list[str]:
    """Describe a budget of divergence that exceeds what even rational participants spend."""
    budget = setup.config.agents.participants.kl_budget
    if budget is None or math.isfinite(setup.inverse_temperature):
        return []
    return [f"agents.participants.kl_budget, {budget:g} nats, is more than participants can use: they were rational"]


def alarms(values: dict[str, float], reply_gap: float) -> list[str]:
    """Describe results that a reader of the summary should not overlook, one sentence each."""
    found = []
    if values["learned"] < values["start"]:
        found.append(
            f"the learned mechanism is worse than the start: {values['learned']:.4g} against {values['start']:.4g}"
        )
    if reply_gap > LARGEST_REPLY_GAP:
        found.append(
            f"the trained participants act otherwise than their exact reply with probability {reply_gap:.2g}: give "
            "them more agents.participants.updates_per_evaluation, a larger trainer.agents_step if they are slow, or "
            "another agents.participants.learning if they run after one another"
        )
    return found
