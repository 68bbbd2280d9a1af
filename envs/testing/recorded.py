"""The check of what a game declares to be recorded of its participants' behaviour, on NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np

from lawgiver.envs.core.game import Game
from lawgiver.envs.core.recorded import RecordedColumns, recorded_columns, round_is_over
from lawgiver.envs.testing.play import random_steps, require

ROUNDING = 1e-9
"""Largest error of payoffs, relative to their size."""


def check_recorded(game: Game[Any], batch: int = 64, seed: int = 10) -> None:
    """Of what is declared to be recorded, participants give 0 to the endowment and earn what they keep and are paid."""
    declared = game.recorded
    if declared is None:
        return
    fields = {field.name for field in game.observation_layout("participant")}
    paid = () if declared.payouts is None else (declared.payouts,)
    strangers = {declared.endowments, declared.contributions, *paid, *declared.shared} - fields
    require(not strangers, game, f"recorded names {sorted(strangers)}, which are no fields of participants")
    at = recorded_columns(game, "checks of records")
    earned = acted = endowments = None
    for step in random_steps(game, batch, np.random.default_rng(seed)):
        if step.role == "participant":
            endowments = game.observe(step.state, "participant")[..., at.endowments]
            _check_choices(game, step.state, endowments[..., 0], step.alive)
            _check_shared(game, at, step.state, step.alive)
            earned, acted = np.zeros(endowments.shape[:2]), step.alive
        if earned is None:
            continue
        earned = earned + step.rewards["participant"]
        if round_is_over(game, step.after):
            seen = game.observe(step.after, "participant")
            same = (seen[..., at.endowments] == endowments)[acted].all()
            require(same, game, f"after step {step.index} the endowments of the round cannot be seen any more")
            payouts = 0.0 if at.payouts is None else seen[..., at.payouts][..., 0]
            expected = seen[..., at.endowments][..., 0] - seen[..., at.contributions][..., 0] + payouts
            off = np.abs(earned - expected)[acted].max(initial=0.0)
            fits = off <= ROUNDING * (1 + np.abs(earned).max())
            told = f"endowment - contribution + payout is off by {off:.3g} from what participants earn"
            require(fits, game, f"after step {step.index} {told}")
            earned = None


def _check_choices(game: Game[Any], state: Any, own: np.ndarray, alive: np.ndarray) -> None:
    """Legal are 0 to the endowment."""
    mask, most = game.legal_actions(state, "participant"), game.action_layout("participant")
    assert isinstance(most, int)  # refused otherwise
    choices = np.arange(most)
    legal = np.broadcast_to(True, (*own.shape, most)) if mask is None else mask
    fits = (legal == (choices <= own[..., None]))[alive].all()
    require(fits, game, "its legal actions are not 0 to the endowment that is recorded")


def _check_shared(game: Game[Any], at: RecordedColumns, state: Any, alive: np.ndarray) -> None:
    """All participants see the same number of the group."""
    seen = game.observe(state, "participant")
    for name, column in at.shared.items():
        require(column.stop - column.start == 1, game, f"the recorded field {name!r} is not one number")
        shown = seen[alive][..., column.start]
        require((shown == shown[:, :1]).all(), game, f"participants see different numbers as {name!r}")
