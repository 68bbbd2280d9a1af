"""The figures of a finished run, drawn from what its folder holds."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from lawgiver.agents.anchor import make_anchor
from lawgiver.agents.reporting import AffineMaximiser
from lawgiver.envs.core.make import make_policy
from lawgiver.envs.core.policy import Policy
from lawgiver.envs.election.game import Election
from lawgiver.envs.families.mdp_game import MDPGame
from lawgiver.envs.families.mechanism_game import MechanismGame
from lawgiver.envs.goal_collection import GoalCollection
from lawgiver.envs.lanes.game import Lanes
from lawgiver.envs.lanes.solutions import optimal_threshold
from lawgiver.envs.payment_free_allocation.game import PaymentFreeAllocation
from lawgiver.envs.public_investment.game import PublicInvestment
from lawgiver.envs.repeated_allocation.game import RepeatedAllocation
from lawgiver.trainers.affine_maximiser import figures as affine_figures
from lawgiver.trainers.plots import curves as figures
from lawgiver.trainers.plots.wording import words
from lawgiver.trainers.rllib.closed_form import beside_closed_form
from lawgiver.trainers.runs.headings import heading
from lawgiver.trainers.runs.run import Run, load

LARGEST_PANELS = 200_000
"""Joint contributions up to which a beach plot is drawn."""


def draw(run: Run, summary: Mapping[str, Any]) -> None:
    """Draw what can be drawn of a run into its ``figures/``.

    Args:
        run: whose metrics and policies are complete.
        summary: what summary.json holds or will hold, the table of scores included.

    Raises:
        MissingExtraError: without matplotlib.
    """
    game = run.game()
    if isinstance(game, MechanismGame):
        _draw_design(run, game, summary)
        return
    if isinstance(game, PublicInvestment) and "meta_game" in summary:
        from lawgiver.trainers.hcmd_zero.report import draw as draw_loop

        draw_loop(run, game, summary)
        return
    if isinstance(game, Election):
        _draw_election(run, game, summary)
        return
    if isinstance(game, MDPGame):
        _draw_process(run, game, summary)
        return
    if isinstance(game, GoalCollection):
        _draw_follower(run, summary)
        return
    if isinstance(game, PaymentFreeAllocation) and "exploitability" in summary:
        _draw_shares(run, summary)
        return
    policies = load(run.path)
    objective = str(getattr(game, "objective", "score"))
    scores = _column(summary, objective)
    references = {name: value for name, value in scores.items() if name != "learned"}
    panels = _panels(objective, game.roles["participant"])
    if isinstance(game, RepeatedAllocation):  # a choice is a place in a menu: its mean says nothing
        del panels[1]
    curves = figures.curves(panels, _flat(run), references)
    if curves.axes:
        figures.save(curves, run.figures / "curves.png", heading(run, summary))
    if isinstance(summary.get("menu"), Mapping):
        drawn = figures.menu(summary["menu"], "What participants report under the learned rule")
        figures.save(drawn, run.figures / "misreports.png", heading(run, summary))
    inequality = _column(summary, "gini")
    if inequality and any(value is not None for value in scores.values()):
        both = {objective: scores, "gini": inequality}
        figures.save(
            figures.welfare_equality(both, objective), run.figures / "welfare_equality.png", heading(run, summary)
        )
    given = run.settings["agents"].get("mechanism")
    if isinstance(given, Mapping) and isinstance(given.get("given"), Mapping):
        policies = {**policies, "mechanism": make_policy(game, "mechanism", **given["given"])}
    if not isinstance(game, PublicInvestment) or "mechanism" not in policies:
        return
    if max(math.prod(e + 1 for e in endowments) for endowments in game.conditions) <= LARGEST_PANELS:
        weights = figures.weights_of(game, policies["mechanism"])
        figures.save(figures.beach_plot(game.conditions, weights), run.figures / "beach.png", heading(run, summary))
    if "participant" in policies:
        _draw_contributions(run, game, summary, policies["mechanism"], policies["participant"])


def _draw_election(run: Run, game: Election, summary: Mapping[str, Any]) -> None:
    """Draw how a mechanism in self-play has come to its votes, and what it does."""
    against_first = "league/vote_share_against_first"
    panels = [
        ("Against the first snapshot, in fresh elections and in training", "share of votes", ["score", against_first]),
        ("Against the league", "share of elections won", ["league/win_rate"]),
        ("Update", "KL (nats)", ["mechanism/kl"]),
    ]
    curves = figures.curves(panels, _flat(run), {})
    if curves.axes:
        figures.save(curves, run.figures / "curves.png", heading(run, summary))
    base, policies = game.game, load(run.path)
    if isinstance(base, PublicInvestment) and "mechanism" in policies:
        weights = figures.weights_of(base, policies["mechanism"])
        figures.save(figures.beach_plot(base.conditions, weights), run.figures / "beach.png", heading(run, summary))


def _draw_process(run: Run, game: MDPGame, summary: Mapping[str, Any]) -> None:
    """Draw how an affine maximiser came to its weights and boosts, and what these amount to."""
    objective = words(game.objective)
    panels = [
        (f"The exact mechanism: expected {objective}, on the same profiles", objective, ["objective"]),
        ("Gradient", "norm", ["gradient_norm"]),
    ]
    curves = figures.curves(panels, _flat(run), {"VCG": summary.get("vcg"), "limit": summary.get("limit")})
    if curves.axes:
        figures.save(curves, run.figures / "curves.png", heading(run, summary))
    mechanism = load(run.path).get("mechanism")
    meaning = affine_figures.meaning(game, mechanism) if isinstance(mechanism, AffineMaximiser) else None
    if meaning is not None:
        figures.save(meaning, run.figures / "boosts.png", heading(run, summary))


def _draw_follower(run: Run, summary: Mapping[str, Any]) -> None:
    """Draw how a follower has learned, and how near its walks come to the best ones, beside rules of thumb."""
    panels = [
        ("What arriving at goals is worth: error in Bellman's equation", "share, rms", ["bellman_error"]),
        ("Gradient, before it is clipped", "norm", ["gradient_norm"]),
    ]
    curves = figures.curves(panels, _flat(run), {})
    for axis in curves.axes:
        axis.set_yscale("log")
    if curves.axes:
        figures.save(curves, run.figures / "curves.png", heading(run, summary))
    found = {name.removesuffix("_ratio"): ratio for name, ratio in summary.items() if name.endswith("_ratio")}
    known = {name: (ratio["min"], ratio["mean"]) for name, ratio in found.items() if ratio is not None}
    if known:
        what = "affine welfare of the walk, as a share of the best walk's"
        figures.save(figures.ratios(known, what), run.figures / "ratios.png", heading(run, summary))


def _draw_shares(run: Run, summary: Mapping[str, Any]) -> None:
    """Draw how a network that shares without payments has learned, and where it stands between the baselines."""
    from lawgiver.trainers.payment_free.figures import learning, standing

    history, baselines = _flat(run), summary.get("baselines")
    curves = learning(history, baselines or {})
    if curves.axes:
        figures.save(curves, run.figures / "curves.png", heading(run, summary))
    if history and baselines:
        figures.save(standing(summary, history), run.figures / "standing.png", heading(run, summary))


def _draw_design(run: Run, game: MechanismGame, summary: Mapping[str, Any]) -> None:
    """Draw how a mechanism that announces its parameters, and those who live under it, came to what they are."""
    history, welfare = _flat(run), _column(summary, game.objective)
    last = history[-1] if history else {}
    behaviour = [key for key in last if key.startswith(("behaviour/", "closed_form/"))]
    gap = summary.get("reply_gap")
    settled = f", in training; {gap:.2g} once they have settled" if _is_number(gap) else ""
    panels = [
        ("Welfare, as participants play and in their equilibrium", "welfare a round", ["score", "exact_score"]),
        ("Mechanism: coefficients", "utility", [key for key in last if key.startswith("coefficients/")]),
        ("Participants: what they do", "units of the game", behaviour),
        (f"Participants: distance from the exact reply to current play{settled}", "reply gap", ["reply_gap"]),
    ]
    references = {name: welfare.get(name) for name in ("start", "best_in_box", "optimum", "first_best")}
    curves = figures.curves(panels, history, references)
    if curves.axes:
        curves.axes[-1].set_xscale("log")  # shared by all: most is learned in the first iterations
        figures.save(curves, run.figures / "curves.png", heading(run, summary))
    if isinstance(game, Lanes):
        parameters = [_column(summary.get("parameters"), f"w_{j + 1}") for j in range(game.degree)]
        paid = {name: [column.get(name) for column in parameters] for name in ("start", "learned", "best_in_box")}
        complete = {name: np.array(w, float) for name, w in paid.items() if None not in w}
        if "learned" in complete:
            thresholds = {} if game.payment_on == "u" else _column(summary, "threshold")
            _draw_payments(run, game, summary, complete, thresholds)


def _draw_payments(
    run: Run,
    game: Lanes,
    summary: Mapping[str, Any],
    coefficients: Mapping[str, np.ndarray],
    thresholds: Mapping[str, float | None],
) -> None:
    base, end = {
        "xT": ("terminal position", game.length),
        "x0": ("start", game.half),
        "u": ("move", game.half),
    }[game.payment_on]
    places = np.linspace(0, end, 201)
    curves = {name: np.asarray(game.payment(places, w)) for name, w in coefficients.items()}
    known: dict[str, float | None] = (
        {"optimum of rational participants": optimal_threshold(game.setting)} if thresholds else {}
    )
    shown = {f"threshold, {words(k)}": v for k, v in {**thresholds, **known}.items() if v is not None}
    figures.save(
        figures.payments(places, curves, shown, f"{base} (units of length)"),
        run.figures / "payments.png",
        heading(run, summary),
    )


def _column(table: Any, measure: str) -> dict[str, float | None]:
    """Return a measure by mechanism; nothing where another's trainer means something else by that name."""
    found = table.get(measure) if isinstance(table, Mapping) else None
    return {k: v for k, v in found.items() if v is None or _is_number(v)} if isinstance(found, Mapping) else {}


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _panels(objective: str, participants: int) -> list[tuple[str, str, list[str]]]:
    named = words(objective)
    return [
        (
            f"Mechanism: {named} a round, played and at the exact equilibrium of its mean",
            named,
            ["score", "exact_score"],
        ),
        (
            "Participants: mean action",
            "points",
            [f"participant/action/participant_{i}" for i in range(participants)],
        ),
        ("Participants: divergence from the anchor", "KL (nats)", ["participant/anchor_kl"]),
        ("Participants: distance from the logit reply to current play", "share of the largest action", ["reply_gap"]),
    ]


def _flat(run: Run) -> list[dict[str, Any]]:
    """Return the metrics that are numbers, nested keys joined by slashes."""

    def flatten(metrics: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
        flat: dict[str, Any] = {}
        for key, value in metrics.items():
            if isinstance(value, Mapping):
                flat |= flatten(value, f"{prefix}{key}/")
            elif _is_number(value):
                flat[prefix + key] = value
        return flat

    return [flatten(entry) for entry in run.metrics()]


def _draw_contributions(
    run: Run, game: PublicInvestment, summary: Mapping[str, Any], mechanism: Policy, participants: Policy
) -> None:
    """Draw the trained participants beside the equilibrium under the mechanism, condition by condition."""
    given = run.settings["agents"].get("participants")
    if not isinstance(given, Mapping) or not _is_number(given.get("inverse_temperature")):
        return  # there is no equilibrium to compare with
    anchor, level = make_anchor(game, given.get("anchor", "uniform")), float(given["inverse_temperature"])
    for found in beside_closed_form(game, mechanism, participants, level, anchor):
        figure = figures.contributions(found.endowments, found.learned, found.exact)
        name = f"contributions_{'-'.join(map(str, found.endowments))}.png"
        figures.save(figure, run.figures / name, heading(run, summary))
