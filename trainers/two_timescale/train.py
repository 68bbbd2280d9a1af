"""The trainer ``two_timescale``: participants who learn fast under a mechanism that moves slowly.

In iteration n = 1, 2, ... the optimiser proposes mechanisms; a copy of the participants learns under each of them for
a few steps of size eta_n; their welfare is measured, divided by the game's scale, and told to the optimiser, which
moves w by a step of size xi_n; the population goes on as the mean of its copies. With xi_n / eta_n -> 0 the
participants see a mechanism that all but stands still, and the mechanism sees participants who have all but settled
(Mguni and Tomczak, section 4; the prose there, not the listing, has the rates the right way round).

How far participants go within an evaluation counts twice: a perturbed mechanism tells only of that share
1 - (1 - eta_n)^k of its effect which k steps let through. With k = 1 the mechanism's effective step would be
xi_n eta_n, whose sum is finite: the welfare's gradient is then seen too dimly for w ever to arrive.
"""

from __future__ import annotations

import math
import pickle
import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lawgiver.agents.anchor import make_anchor
from lawgiver.agents.learned import LearnedMechanism, LearnedTable
from lawgiver.envs.core.arrays import log_softmax
from lawgiver.envs.core.equilibrium import best_in_box, equilibrium_welfare, prior_table, temperature_of_budget
from lawgiver.envs.core.errors import ParameterError, UnsupportedGameError, allowed
from lawgiver.envs.core.fields import width
from lawgiver.envs.core.mechanism_game import MechanismGame
from lawgiver.envs.core.policy import Policy
from lawgiver.envs.core.registry import extras
from lawgiver.trainers.config import Config, anchor_of
from lawgiver.trainers.design import design_summary, gap_closed
from lawgiver.trainers.designers import Optimiser, check_timescales, make_optimiser
from lawgiver.trainers.runs import Run
from lawgiver.trainers.two_timescale.evaluation import welfare_of
from lawgiver.trainers.two_timescale.participants import Learners, play
from lawgiver.trainers.two_timescale.settings import Mechanism, TwoTimescaleAgents, TwoTimescaleTrainer

TwoTimescaleConfig = Config[TwoTimescaleAgents, TwoTimescaleTrainer]
STATE = "state.pkl"
"""The file of a checkpoint."""


@dataclass
class Progress:
    """Everything that changes in a training, as a checkpoint keeps it.

    Attributes:
        optimiser: of the mechanism.
        logits: theta of the population, (T, S, A).
        rng: of perturbations and games.
        recent: the last w, at most ``average_over``.
        iteration: completed ones.
        agent_updates: steps that tables of participants have taken; an equilibrium counts as one.
        evaluations: mechanisms whose welfare was measured.
    """

    optimiser: Optimiser
    logits: np.ndarray
    rng: np.random.Generator
    recent: deque[np.ndarray]
    iteration: int = 0
    agent_updates: int = 0
    evaluations: int = 0

    @property
    def mechanism(self) -> np.ndarray:
        """W (D,) that would be announced now."""
        return np.asarray(np.mean(self.recent, axis=0) if self.recent else self.optimiser.coefficients)


@dataclass(frozen=True)
class Setup:
    """What stays the same in a training.

    Attributes:
        config: the whole.
        game: that is played.
        anchor: the participants' prior policy, None for uniform.
        learners: how participants change.
        start: w (D,) where the mechanism begins.
        known: ``welfare`` a round of ``start`` and ``best_in_box`` in equilibrium.
    """

    config: TwoTimescaleConfig
    game: MechanismGame
    anchor: Policy | None
    learners: Learners
    start: np.ndarray
    known: dict[str, float]

    def exact(self, parameters: np.ndarray) -> float:
        """Return the welfare a round in equilibrium under w (D,)."""
        whole = equilibrium_welfare(self.game, parameters, self.learners.inverse_temperature, self.anchor)
        return whole / self.game.horizon


def train(config: TwoTimescaleConfig, run: Run) -> dict[str, Any]:
    """Train what the config describes in the run's folder; return the summary.

    Returns:
        What :func:`lawgiver.trainers.design.design_summary` tells, ``inverse_temperature``, ``iterations``,
        ``agent_updates``, ``evaluations``, ``reply_gap`` and ``alarms``.

    Raises:
        LawgiverError: if the config does not fit the game, or the steps violate the conditions of their timescale.
    """
    setup = prepare(config)
    progress = _begin(setup, run)
    _loop(setup, run, progress)
    return _conclude(setup, run, progress)


# -- before -----------------------------------------------------------------------------------------------------------


def prepare(config: TwoTimescaleConfig) -> Setup:
    """Return everything that a training begins with, checked."""
    settings, participants = config.trainer, config.agents.participants
    game = config.game.make()
    if not isinstance(game, MechanismGame):
        raise UnsupportedGameError(f"trainer 'two_timescale' needs a mechanism that announces w once, not {game.name}")
    if not isinstance(game.announcement_layout(), int):
        raise UnsupportedGameError(
            f"trainer 'two_timescale' learns tables of finitely many actions, those of {game.name} are a Box"
        )
    perturbed = config.agents.mechanism.optimiser in ("one_point", "two_point", "score_function")
    radius = settings.radius if perturbed else None
    check_timescales(settings.timescale, settings.agents_step, settings.mechanism_step, radius)
    if settings.agents_step.initial > 1:
        raise ParameterError(
            f"trainer.agents_step.initial is {settings.agents_step.initial:g}, a share of the way to the exact reply: "
            "allowed: a number in (0, 1]"
        )
    anchor = make_anchor(game, anchor_of(participants))
    start = starting_point(game, config.agents.mechanism)
    level = participants.inverse_temperature
    if level is None:
        assert participants.kl_budget is not None
        level = temperature_of_budget(game, start, participants.kl_budget, anchor)
    prior = prior_table(game, anchor, start)
    exact = participants.learning == "equilibrium"
    learners = Learners(game.subgame, prior, level, participants.updates_per_evaluation, exact)
    whole = {
        "start": equilibrium_welfare(game, start, level, anchor),
        "best_in_box": best_in_box(game, level, anchor).welfare,
    }
    known = {name: value / game.horizon for name, value in whole.items()}
    return Setup(config, game, anchor, learners, start, known)


def starting_point(game: MechanismGame, mechanism: Mechanism) -> np.ndarray:
    """Return w (D,) where the mechanism begins.

    Raises:
        ParameterError: if there is no mechanism of that name, it does not have one number for each parameter of the
            game's mechanism, or it lies outside the box.
    """
    given, size = mechanism.start, width(game.parameter_layout())
    if isinstance(given, str):
        if given not in game.members:
            raise ParameterError(
                f"agents.mechanism.start is {given!r}: {allowed(given, game.members)}, or {size} numbers"
            )
        given = game.members[given]
    if len(given) != size:
        raise ParameterError(
            f"agents.mechanism.start is {list(given)}, allowed: {size} numbers, one for each parameter of {game.name}"
        )
    box: Any = game.action_space("mechanism")
    for value, low, high in zip(given, box.low, box.high, strict=True):
        if not low <= value <= high:
            raise ParameterError(
                f"agents.mechanism.start is {list(given)}, but {value:g} lies outside the box: "
                f"allowed: a number in [{low:g}, {high:g}]"
            )
    return np.asarray(given, float)


def _begin(setup: Setup, run: Run) -> Progress:
    """Return the newest checkpoint's progress, or that of a new training."""
    found = run.latest_checkpoint() if run.resumed else None
    if run.resumed:
        run.rewind(found[0] if found else 0)
    if found is not None:
        kept: Progress = pickle.loads((found[1] / STATE).read_bytes())
        return kept
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
    return Progress(optimiser, setup.learners.prior.copy(), rng, deque(maxlen=mechanism.average_over))


# -- while ------------------------------------------------------------------------------------------------------------


def _loop(setup: Setup, run: Run, progress: Progress) -> None:
    settings, total = setup.config.trainer, setup.config.trainer.iterations
    started, before = time.perf_counter(), progress.iteration
    with run.progress(total, run.name, progress.iteration) as show:
        while progress.iteration < total:
            measured = iterate(setup, progress)
            n = progress.iteration
            if n % settings.log_every == 0 or n == total:
                metrics = _metrics(setup, progress, measured)
                rate = (n - before) / (time.perf_counter() - started)
                run.log(n, metrics, {"iterations_per_s": rate})
                show(n, _note(setup, metrics))
            if n % settings.checkpoint_every == 0 or n == total:
                run.save_checkpoint(n, lambda folder: _keep(folder, progress))


def iterate(setup: Setup, progress: Progress) -> float:
    """Carry out one iteration; return the mean welfare a round of the mechanisms that were tried."""
    optimiser, game, learners = progress.optimiser, setup.game, setup.learners
    tried = optimiser.ask(progress.rng)
    step = setup.config.trainer.agents_step.at(progress.iteration + 1)
    copies = learners.respond(progress.logits, tried, step)
    welfare = welfare_of(game, tried, copies, setup.config.agents.mechanism.games_per_evaluation, progress.rng)
    gradient = _gradients(setup, tried) / game.welfare_scale if optimiser.uses_gradient else None
    optimiser.tell(welfare / game.welfare_scale, gradient)
    progress.logits = copies.mean(axis=0)
    progress.recent.append(optimiser.coefficients)
    progress.iteration += 1
    progress.agent_updates += len(tried) * learners.updates_of_one
    progress.evaluations += len(tried)
    return float(welfare.mean()) / game.horizon


def _gradients(setup: Setup, tried: np.ndarray) -> np.ndarray:
    """Return the slope of equilibrium welfare at each mechanism, (k, D), by implicit differentiation."""
    with extras("optimiser 'implicit_gradient'"):
        from lawgiver.trainers.differentiable.subgame_gradient import welfare_and_gradient
    learners = setup.learners
    return np.stack([welfare_and_gradient(setup.game, w, learners.level, learners.prior)[1] for w in tried])


def _metrics(setup: Setup, progress: Progress, measured: float) -> dict[str, Any]:
    """Return a line of metrics; ``score`` is what participants make of w now, ``exact_score`` their equilibrium."""
    game, learners, settings = setup.game, setup.learners, setup.config.trainer
    w, n = progress.mechanism, progress.iteration
    policy, exact = play(progress.logits), setup.exact(w)
    return {
        "score": float(game.subgame.welfare(policy)) / game.horizon,
        "exact_score": exact,
        "measured": measured,
        "gap_closed": gap_closed({**setup.known, "learned": exact}),
        "reply_gap": learners.reply_gap(progress.logits, w),
        "coefficients": {f"w_{j + 1}": float(value) for j, value in enumerate(w)},
        "behaviour": game.subgame.behaviour(policy),
        "agent_updates": progress.agent_updates,
        "evaluations": progress.evaluations,
        "step": {
            "agents": settings.agents_step.at(n),
            "mechanism": settings.mechanism_step.at(n),
            "radius": settings.radius.at(n),
        },
    }


def _note(setup: Setup, metrics: dict[str, Any]) -> str:
    return (
        f"welfare {metrics['exact_score']:.4g} of {setup.known['best_in_box']:.4g} best, "
        f"reply gap {metrics['reply_gap']:.2g}"
    )


def _keep(folder: Path, progress: Progress) -> None:
    (folder / STATE).write_bytes(pickle.dumps(progress))


# -- after ------------------------------------------------------------------------------------------------------------


def _conclude(setup: Setup, run: Run, progress: Progress) -> dict[str, Any]:
    """Announce the mechanism, let the participants respond to it once more, keep both and score them."""
    game, learners, learned = setup.game, setup.learners, progress.mechanism
    step = setup.config.trainer.agents_step.at(progress.iteration)
    logits = learners.respond(progress.logits, learned[None], step)[0]
    participants = LearnedTable(game, np.asarray(log_softmax(logits)))
    run.save_policy("mechanism", LearnedMechanism(game, start=learned.tolist(), hidden=None))
    run.save_policy("participant", participants)
    summary = design_summary(
        game,
        start=setup.start,
        learned=learned,
        inverse_temperature=learners.inverse_temperature,
        anchor=setup.anchor,
        participants=participants,
    )
    gap = learners.reply_gap(logits, learned)
    level = learners.inverse_temperature
    return summary | {
        "inverse_temperature": level if math.isfinite(level) else None,
        "iterations": progress.iteration,
        "agent_updates": progress.agent_updates + learners.updates_of_one,
        "evaluations": progress.evaluations,
        "reply_gap": gap,
        "alarms": alarms(summary, gap),
    }


def alarms(summary: dict[str, Any], reply_gap: float) -> list[str]:
    """Return what a reader of the summary should not overlook, in words."""
    welfare, found = summary["welfare"], []
    if welfare["learned"] < welfare["start"]:
        found.append(
            f"the learned mechanism ({welfare['learned']:.4g}) is worse than the start ({welfare['start']:.4g})"
        )
    if reply_gap > LARGEST_REPLY_GAP:
        found.append(
            f"the trained participants act otherwise than their exact reply with probability {reply_gap:.2g}: "
            "more agents.participants.updates_per_evaluation or larger trainer.agents_step would bring them there"
        )
    return found


LARGEST_REPLY_GAP = 0.1
"""Distance of trained participants from their exact reply above which it is an alarm."""
