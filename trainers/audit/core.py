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
from lawgiver.trainers.audit.exhaustive import Cases
from lawgiver.trainers.audit.result import Audit, Regret, scale_of
from lawgiver.trainers.audit.search import JOINT, Search
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
    played = _profiles("types", types, layout) if reports is None else _profiles("reports", reports, layout)
    search = Search(layout, played, gradient, seed)
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


def _profiles(what: str, given: Sequence[object] | np.ndarray, layout: Layout) -> np.ndarray:
    """Return profiles (P, n, k) in float64; raises ParameterError unless they fit into the fields."""
    profiles = np.array(given, float)
    if profiles.ndim != 3 or len(profiles) < 2 or profiles.shape[2] != width(layout) or not profiles.shape[1]:
        raise ParameterError(
            f"{what} have shape {profiles.shape}, allowed: (P, n, {width(layout)}) of 2 profiles or more"
        )
    low, high = bounds(layout)
    if not within(profiles, low, high).all():  # false for NaN
        raise ParameterError(f"some {what} lie outside their fields {', '.join(field.name for field in layout)}")
    clipped: np.ndarray = np.clip(profiles, low, high)
    return clipped


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

    Where the game has a menu of all reports, every participant of every profile tries all of it: the audit is exact,
    and ``effort`` and ``gradient`` do not matter. Else misreports are searched, within the game's layout of types. See
    :func:`audit` for the arguments and errors.
    """
    check_policy(game, "mechanism", mechanism, playable=False)
    rule = _bound(game, mechanism)
    if game.menu() is None:
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
            reports=_told(game, np.asarray(types, float)),
        )
        found = replace(found, inexact_because=game.menu_absence, type_layout=_seen_layout(game))
    else:
        found = _exhausted(game, mechanism, types, effort=effort, seed=seed, chunk=chunk)
    found = gamed(found, response_of(game, mechanism), chunk) if game.objective == "revenue" else found
    parts = (found.types[start : start + chunk] for start in range(0, len(found.types), chunk))
    envy = [each for part in parts if (each := game.envy(final_state(game, rule, part, part))) is not None]
    return replace(found, envy=np.concatenate(envy)) if envy else found


def _told(game: ReportingGame, types: np.ndarray) -> np.ndarray | None:
    """Return the truth (P, n, k) of types (P, n, k + p) where a part of these is public; else None."""
    return np.asarray(game.private(types)) if game.public_layout() else None


def _seen_layout(game: ReportingGame) -> Layout | None:
    """Return the layout of types where a part of these is public; else None, as it is that of reports."""
    return (*game.type_layout(), *game.public_layout()) if game.public_layout() else None


def _exhausted(
    game: ReportingGame, mechanism: Policy, types: np.ndarray, *, effort: int, seed: int, chunk: int
) -> Audit:
    """Audit a mechanism by all reports of the game's menu."""
    effort, chunk = integer("effort", effort, 1), integer("chunk", chunk, 1)
    integer("seed", seed, 0)
    menu, layout, rule = game.menu(), game.type_layout(), _bound(game, mechanism)
    assert menu is not None
    types = _profiles("types", types, (*layout, *game.public_layout()))
    utilities, payments = truth(response_of(game, mechanism), types, chunk)
    regret, ordinal = Cases(game, rule, menu, types, utilities - payments).regrets(chunk)
    return Audit(
        layout,
        types,
        utilities,
        payments,
        {layout[0].name if len(layout) == 1 else JOINT: regret},
        effort,
        seed,
        False,
        game.relative_floor,
        played=_told(game, types),
        type_layout=_seen_layout(game),
        menu_size=len(menu),
        menu_noun=game.menu_noun,
        ordinal=ordinal,
    )


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
        done = game.settle(state, game.decide_for(every, game.decided_by(reports, types), seats))
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
