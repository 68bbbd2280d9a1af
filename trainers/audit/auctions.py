"""Audits of auctions: a bid is a report, and the truth is to bid one's own worth.

Two questions are asked about what bidders play. *Ex post*: what would the best bid have gained of one who knew all
bids? That is 0 for the truth under VCG, second-price and McAfee's rules, and above 0 under a first price, in every
equilibrium too: whoever wins could have won for less. *Ex interim*: what would it have gained on average over the
others' types, of one who knows only its own? That is 0 in every equilibrium, and else what bidders lose.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TypeAlias

import numpy as np

from lawgiver.envs.core.arrays import Array, constant, evolve, namespace
from lawgiver.envs.core.checks import check_policy
from lawgiver.envs.core.errors import ParameterError, integer
from lawgiver.envs.core.policy import Policy
from lawgiver.envs.families.auction_game import AuctionGame
from lawgiver.envs.families.mechanism_game import MechanismState
from lawgiver.trainers.audit.core import CHUNK, EFFORT, announced, audit, gamed
from lawgiver.trainers.audit.ex_interim import RIVALS, best_replies
from lawgiver.trainers.audit.result import Audit
from lawgiver.trainers.audit.trials import Response, bounds
from lawgiver.trainers.statistics.streams import AUDIT

Bidding: TypeAlias = Callable[[np.ndarray], np.ndarray]
"""What everybody bids: types (B, n, q) to bids (B, n, k)."""


def audit_auction(
    game: AuctionGame,
    mechanism: Policy,
    types: np.ndarray,
    *,
    participants: Policy | None = None,
    rivals: int = RIVALS,
    effort: int = EFFORT,
    seed: int = 0,
    chunk: int = CHUNK,
    gradient: bool = True,
) -> Audit:
    """Audit an auction under the rule that a mechanism announces, ex post and ex interim.

    Worths are expected ones given all signals, see :meth:`AuctionGame.expected_types`. Deviations are bids within the
    Box; bids of participants outside it are played as the nearest in it.

    Args:
        game: an auction whose bids are a Box.
        mechanism: it is asked once for the rule, which binds it, also where it draws it at random (from seed 0).
        types: of P >= 2 profiles, (P, n, q).
        participants: who bids; None for bidders who bid their worth.
        rivals: draws of the others' types in each of two samples, for ex interim gains, >= 2; 0 for ex post ones alone.
        effort: length of the search, as of :func:`lawgiver.trainers.audit.audit`.
        seed: seed of the search, of the draws of the others' types, and of participants who draw at random.
        chunk: maximum number of auctions held in parallel.
        gradient: whether gradients are used, of ex post gains.

    Raises:
        ParameterError: if an argument is outside its range, or a policy does not play the game.
        UnsupportedGameError: if bids are levels, or the others' types given one's own are not known.
    """
    if integer("rivals", rivals, 0) == 1:
        raise ParameterError("rivals is 1, allowed: 0 for gains ex post alone, or an integer >= 2")
    layout = game.bid_layout()
    check_policy(game, "mechanism", mechanism, playable=False)
    if participants is not None:
        check_policy(game, "participant", participants, playable=False)
    rule = announced(game, mechanism)
    response = response_of_auction(game, rule)
    bidding = bidding_of(game, rule, participants, np.random.default_rng([AUDIT, seed, 2]))
    types = np.asarray(types, float)
    found = audit(
        response,
        layout,
        game.expected_types(types),
        effort=effort,
        seed=seed,
        chunk=chunk,
        gradient=gradient,
        reports=bidding(types),
    )
    if rivals:
        found = replace(found, ex_interim=best_replies(game, response, bidding, types, found, rivals, chunk))
    if game.objective == "revenue":
        found = gamed(found, response, chunk)
    seen = np.asarray(game.see_types(_waiting(game, rule, types)))
    return replace(found, types=seen, type_layout=game.type_layout(), truthful=participants is None)


def response_of_auction(game: AuctionGame, rule: np.ndarray) -> Response:
    """Convert an auction under w (D,) to a function of types (B, n, q) and bids (B, n, k), on NumPy or torch.

    Utilities are those that bidders maximise (:meth:`AuctionGame.attributed`), before payments.
    """

    def response(types: Array, reports: Array) -> tuple[Array, Array]:
        xp, w = namespace(reports), constant(rule, reports)
        parameters = xp.broadcast_to(w, (reports.shape[0], *w.shape))
        allocations = game.allocate(types, game.announcements(reports), parameters)
        utilities = game.attributed(types, allocations, game.utility(types, allocations))
        return utilities, -game.transfer(types, allocations, parameters)

    return response


def bidding_of(game: AuctionGame, rule: np.ndarray, participants: Policy | None, rng: np.random.Generator) -> Bidding:
    """Convert participants under w (D,) to a function of types; None are those who bid their worth."""
    low, high = bounds(game.bid_layout())

    def bidding(types: np.ndarray) -> np.ndarray:
        if participants is None:
            bids = game.truthful_bids(types)
        else:
            state = _waiting(game, rule, types)
            obs, mask = game.observe(state, "participant"), game.legal_actions(state, "participant")
            bids = participants.act(obs, mask, participants.initial_state(len(types), rng), rng)[0]
        clipped: np.ndarray = np.clip(np.asarray(bids, float), low, high)
        return clipped

    return bidding


def _waiting(game: AuctionGame, rule: np.ndarray, types: np.ndarray) -> MechanismState:
    """Make games (B,) with types (B, n, q) in which w (D,) has been announced."""
    state = game.initial_state(len(types), np.random.default_rng(0))
    w = np.broadcast_to(rule, (len(types), len(rule)))
    return evolve(state, turn=1, types=types, parameters=w)
