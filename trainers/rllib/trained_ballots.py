"""Ballots of trained participants in a repeated vote: what their lies bring, beside the truth and the equilibrium."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import numpy as np

from lawgiver.agents.mechanisms import Announcement
from lawgiver.envs.core.arrays import evolve
from lawgiver.envs.core.errors import ConvergenceError, UnsupportedGameError
from lawgiver.envs.core.policy import Policy
from lawgiver.envs.families.choice_game import ChoiceGame
from lawgiver.envs.families.repeated_reports import RepeatedState
from lawgiver.envs.repeated.ballot_payoffs import BallotPayoffs
from lawgiver.envs.repeated.game import RepeatedGame
from lawgiver.trainers.audit.core import announced, response_of
from lawgiver.trainers.audit.trials import truth

PROFILES = 4_000
"""Profiles of types on which ballots are judged."""
STREAM = 12
"""Seed of these profiles."""
LARGEST = 2_000
"""Joint ballots up to which they are."""
CAST = 6
"""Largest menu whose ballots are listed one by one."""


def ballots(game: RepeatedGame, mechanism: Policy, participants: Policy, inverse_temperature: float) -> dict[str, Any]:
    """Measure trained participants' ballots and what they bring, on the same profiles of types.

    Args:
        game: of the training.
        mechanism: which they were trained under, or that was trained with them.
        participants: the trained ones, memoryless.
        inverse_temperature: of the equilibrium.

    Returns:
        ``ballots``: by quantity what holds where all tell the ``truth``, where all give their ``best_reply`` to it, of
        the ``trained`` and in ``equilibrium`` (None where it is not found); ``cast``: of up to 6 ballots, how probable
        each is of trained participants, by true ballot. Nothing where something is public, the mechanism draws at
        random, there are more than 2,000 joint ballots, or the stage chooses no lottery.
    """
    stage = game.one_shot
    small = isinstance(stage, ChoiceGame) and not stage.public_layout() and game.choices**stage.n <= LARGEST
    if not small:
        return {}
    assert isinstance(stage, ChoiceGame)
    rule: Policy = Announcement(announced(stage, mechanism).tolist()) if stage.announces else mechanism
    with suppress(UnsupportedGameError):
        some = np.asarray(stage.initial_state(64, np.random.default_rng(STREAM)).types)
        truth(response_of(stage, rule), some, len(some) * 2)
        payoffs = BallotPayoffs.of(stage, rule, PROFILES, STREAM)
        return _measured(game, rule, participants, payoffs, inverse_temperature)
    return {}  # who decides by luck has no table


def _measured(
    game: RepeatedGame, rule: Policy, participants: Policy, payoffs: BallotPayoffs, inverse_temperature: float
) -> dict[str, Any]:
    told = payoffs.truth
    played: dict[str, np.ndarray | None] = {
        "truth": told,
        "best_reply": payoffs.best_reply(told),
        "trained": _probabilities(game, rule, participants, payoffs.types),
        "equilibrium": None,
    }
    if np.isfinite(inverse_temperature):
        with suppress(ConvergenceError):  # a cell says "-" then
            played["equilibrium"] = payoffs.equilibrium(inverse_temperature)
    columns = {who: None if p is None else _rows(payoffs, p) for who, p in played.items()}
    names = list(_rows(payoffs, told))
    found = {name: {who: None if rows is None else rows[name] for who, rows in columns.items()} for name in names}
    trained = played["trained"]
    if trained is None or game.choices > CAST:
        return {"ballots": found}
    labels = [_label(row) for row in game.menu]
    shares = payoffs.by_true_ballot(trained).mean(0)
    by_truth = {
        f"true {label}": dict(zip(labels, row.tolist(), strict=True)) for label, row in zip(labels, shares, strict=True)
    }
    return {"ballots": found, "cast": by_truth}


def _rows(payoffs: BallotPayoffs, played: np.ndarray) -> Mapping[str, float]:
    """Measure probabilities (N, n, A) of ballots that all play."""
    expected = payoffs.expected(played)

    def paid(own: np.ndarray) -> float:
        """Compute the mean payoff of own ballots (N, n, A) while the others play on."""
        return float((expected * own).sum(-1).mean())

    return {
        "ballots that are untrue (share)": float(1 - (payoffs.truth * played).sum(-1).mean()),
        "payoff of a participant, a round": paid(played),
        "gain over the truth, while the others play on": paid(played) - paid(payoffs.truth),
        "gain by the best ballot, while the others play on": float(expected.max(-1).mean()) - paid(played),
    }


def _label(row: np.ndarray) -> str:
    """Write a row of the menu: its ranking where it is one, else its numbers."""
    if len(set(row.tolist())) == len(row):
        return " > ".join(str(1 + j) for j in np.argsort(-row))
    return " ".join(f"{x:.3g}" for x in row)


def _probabilities(game: RepeatedGame, rule: Policy, participants: Policy, types: np.ndarray) -> np.ndarray:
    """Compute the probability of each ballot, (N, n, A), of participants with types (N, n, m) under a rule."""
    count, rng = len(types), np.random.default_rng(STREAM)
    now = game.one_shot.initial_state_from(types)
    if game.announces:
        action, _ = rule.act(game.one_shot.observe(now, "mechanism"), None, rule.initial_state(count, rng), rng)
        now = evolve(now, turn=1, parameters=np.asarray(action, float)[:, 0])
    state = RepeatedState(round=np.arange(count) % game.rounds * 1.0, now=now)
    memory = participants.initial_state(count, rng)
    return np.asarray(np.exp(participants.distribution(game.observe(state, "participant"), None, memory)[0]))
