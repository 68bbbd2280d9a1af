"""Judgement of a run's bidders on fresh draws, beside the equilibrium where it is known."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from lawgiver.agents.auctions import truth_columns
from lawgiver.agents.bidders import LearnedBidders
from lawgiver.envs.core.errors import NoSolution
from lawgiver.envs.core.make import make_policy
from lawgiver.envs.families.auction_game import AuctionGame
from lawgiver.envs.families.mechanism_game import MechanismGame
from lawgiver.trainers.bidding.judge import BidFunction, Judgement, judge
from lawgiver.trainers.evaluation.announcement import announcement
from lawgiver.trainers.runs.config import validate
from lawgiver.trainers.runs.loading import load
from lawgiver.trainers.runs.run import Run
from lawgiver.trainers.statistics.streams import BIDDING


def evaluate_run(run: Run, games: int, seed: Sequence[int]) -> dict[str, Any]:
    """Judge a run's bidders on fresh draws, as many as its config asks for; see :func:`judged`."""
    game: Any = run.game()
    draws = validate(run.settings).trainer.evaluation.draws
    bidders = load(run.path, role="participant")
    return {"bidders": judged(game, announced_rule(run, game), bidders, draws, seed).data()}


def announced_rule(run: Run, game: MechanismGame) -> np.ndarray:
    """Return the w (D,) under which a run's bidders have learned."""
    return announcement(game, make_policy(game, "mechanism", **run.settings["agents"]["mechanism"]["given"]))


def judged(
    game: MechanismGame, parameters: np.ndarray, bidders: LearnedBidders, draws: int, seed: Sequence[int]
) -> Judgement:
    """Judge bidders on draws of a stream of their own, beside the equilibrium where it is known."""
    known = equilibrium_bids(game, parameters)
    groups = bidders.settings["groups"]
    return judge(game, parameters, bidders, equilibrium=known, groups=groups, draws=draws, seed=[BIDDING, *seed])


def equilibrium_bids(game: MechanismGame, parameters: np.ndarray) -> Callable[[int], BidFunction | NoSolution]:
    """Return a function from seats to their bids in equilibrium under w (D,), by what they see of their types."""

    def by_seat(seat: int) -> BidFunction | NoSolution:
        """Return the bid function of a seat, or why it is not known."""
        if not isinstance(game, AuctionGame):
            return NoSolution(f"{game.name} is no auction")
        bids, values = game.equilibrium_bids(parameters, seat), truth_columns(game.type_layout())
        return bids if isinstance(bids, NoSolution) else lambda seen: np.asarray(bids(seen[:, values]))

    return by_seat
