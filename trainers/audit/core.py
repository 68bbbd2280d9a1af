"""The audit of any rule that takes reports."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from lawgiver.agents.mechanisms import Announcement
from lawgiver.agents.reporting import AnnouncedRule
from lawgiver.envs.core.arrays import Array, constant, evolve, namespace
from lawgiver.envs.core.checks import check_policy
from lawgiver.envs.core.errors import ParameterError, integer, number
from lawgiver.envs.core.fields import Layout, width, within
from lawgiver.envs.core.game import Game
from lawgiver.envs.core.policy import Policy
from lawgiver.envs.core.rollout import rollout
from lawgiver.envs.families.play_out import final_state
from lawgiver.envs.families.reporting_game import ReportingGame
from lawgiver.trainers.audit.result import Audit, Regret, scale_of
from lawgiver.trainers.audit.search import Search
from lawgiver.trainers.audit.trials import Own, Response, bounds, own_of, truth

EFFORT = 2
CHUNK = 4_096


def audit(
    response: Response,
    layout: Layout,
    types: Sequence[object] | np.ndarray,
    *,
    effort: int = EFFORT,
    seed: int = 0,
    chunk: int = CHUNK,
    gradient: bool = True,
    floor: float = ReportingGame.relative_floor,
    own: Own | None = None,
    reports: np.ndarray | None = None,
) -> Audit:
    """Audit a rule: search for misreports that pay, and measure the outcome of truthful reports.

    Every participant of every profile is searched for its own best report while the others tell the truth, so that
    gains are ex post. They are lower bounds: what was not found may still be there.

    Args:
        response: the rule.
        layout: of a report (and a type, unless ``reports`` are given), with finite bounds; misreports stay within them.
        types: of P >= 2 profiles, (P, n, k), within the bounds.
        effort: length of the search, in pairs of rounds, >= 1; more never finds less, at the same ``seed``.
        seed: seed of the search, >= 0.
        chunk: maximum number of games played in parallel.
        gradient: whether the rule runs on torch too, so that gradients are used where torch is installed.
        floor: lower bound of the payoff in relative gains, as a share of the scale of payoffs, > 0.
        own: payoff of one participant under the same rule, where that is cheaper than all payoffs; else None.
        reports: what everybody plays in place of its type, (P, n, k) within the bounds; gains are over what it brings.
            Types may then be any numbers (P, n, q). None for the truth.

    Raises:
        ParameterError: if an argument is outside its range, or the rule does not return what it should.
        UnsupportedGameError: if the rule is random; or if it does not run on torch and ``gradient`` is true.
    """
    effort, chunk = integer("effort", effort, 1), integer("chunk", chunk, 1)
    integer("seed", seed, 0)
    floor = number("floor", floor, "(0, inf)")
    what, played = ("types", types) if reports is None else ("reports", reports)
    played = np.array(played, float)
    if played.ndim != 3 or len(played) < 2 or played.shape[2] != width(layout) or not played.shape[1]:
        raise ParameterError(
            f"{what} have shape {played.shape}, allowed: (P, n, {width(layout)}) of 2 profiles or more"
        )
    low, high = bounds(layout)
    fits = within(played, low, high).all()  # false for NaN
    played = np.clip(played, low, high)
    search = Search(layout, played, gradient, seed)
    if not fits:
        raise ParameterError(f"some {what} lie outside their fields {', '.join(field.name for field in layout)}")
    found = played if reports is None else np.array(types, float)
    if found.shape[:2] != played.shape[:2]:
        raise ParameterError(f"types have shape {found.shape}, allowed: (*{played.shape[:2]}, q), as there are reports")
    utilities, payments = truth(response, found, chunk, played)
    scale = scale_of(utilities, payments)
    regrets = search.run(own or own_of(response), found, utilities - payments, scale, effort, chunk)
    return Audit(
        layout,
        found,
        utilities,
        payments,
        regrets,
        effort,
        seed,
        search.differentiable,
        floor,
        played=None if reports is None else played,
    )


def audit_game(
    game: ReportingGame,
    mechanism: Policy,
    types: np.ndarray,
    *,
    effort: int = EFFORT,
    seed: int = 0,
    chunk: int = CHUNK,
    gradient: bool = True,
) -> Audit:
    """Audit a mechanism of a reporting game, with the game's own floor of relative gains and its envy.

    See :func:`audit` for the arguments and errors; misreports are those that the game's layout of types allows.
    """
    check_policy(game, "mechanism", mechanism, playable=False)
    rule = _bound(game, mechanism)
    found = audit(
        response_of(game, mechanism),
        game.type_layout(),
        types,
        effort=effort,
        seed=seed,
        chunk=chunk,
        gradient=gradient,
        floor=game.relative_floor,
        own=own_of_game(game, mechanism),
    )
    found = gamed(found, response_of(game, mechanism), chunk) if game.objective == "revenue" else found
    parts = (found.types[start : start + chunk] for start in range(0, len(found.types), chunk))
    envy = [each for part in parts if (each := game.envy(final_state(game, rule, part, part))) is not None]
    return replace(found, envy=np.concatenate(envy)) if envy else found


def gamed(found: Audit, response: Response, chunk: int) -> Audit:
    """Let everybody report its best reply under the rule that was audited, ex post and, where known, ex interim."""
    interim = found.ex_interim

    def paid(regret: Regret) -> np.ndarray:
        """Compute the payments (P, n) where all play the best reports found."""
        return truth(response, found.types, chunk, found.best_replies(regret))[1]

    if interim is not None:
        interim = replace(interim, gamed=paid(interim.joint))
    return replace(found, gamed=paid(found.joint), ex_interim=interim)


def response_of(game: ReportingGame, mechanism: Policy) -> Response:
    """Convert a mechanism of a reporting game to a function of types and reports, on NumPy or torch.

    A rule that is announced binds: it is asked for once, also where the mechanism draws it at random (from seed 0).
    """
    check_policy(game, "mechanism", mechanism, playable=False)
    rule = _bound(game, mechanism)

    def response(types: Array, reports: Array) -> tuple[Array, Array]:
        played = final_state(game, rule, types, reports)
        return played.utilities, played.payments

    return response


def own_of_game(game: ReportingGame, mechanism: Policy) -> Own | None:
    """Make the payoff of one participant alone, for rules of the game's family, where that is cheaper; else None."""
    if not game.announces and not isinstance(mechanism, AnnouncedRule):
        return None
    rule = mechanism.parameters if isinstance(mechanism, AnnouncedRule) else announced(game, mechanism)

    def own(types: Array, reports: Array, seats: Array) -> Array:
        xp, parameters = namespace(reports), constant(rule, reports)
        every = xp.broadcast_to(parameters, (reports.shape[0], *parameters.shape))
        reports = game.read(reports)
        state = evolve(game.initial_state_from(types), reports=reports)
        done = game.settle(state, game.decide_for(every, reports, seats))
        return (done.utilities - done.payments)[xp.arange(seats.shape[0]), seats]

    return own


def _bound(game: ReportingGame, mechanism: Policy) -> Policy:
    """Bind a mechanism that announces to its first announcement; leave any other as it is."""
    return Announcement(announced(game, mechanism).tolist()) if game.announces else mechanism


def announced(game: Game[Any], mechanism: Policy) -> np.ndarray:
    """Ask a mechanism for one announcement, (D,)."""
    rng = np.random.default_rng(0)
    first = next(rollout(game, {"mechanism": mechanism}, game.initial_state(1, rng), rng))
    announced: np.ndarray = np.array(first.outcome)[0]
    return announced
