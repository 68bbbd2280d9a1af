"""Exact scores of a learned mechanism and its references, for games whose mechanism announces parameters w once.

Everything is scored in the participants' exact equilibrium
(:mod:`lawgiver.envs.solvers.equilibrium.subgame_equilibrium`), whoever trained it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from lawgiver.agents.tables import tabulate
from lawgiver.envs.core.errors import NoSolution, UnsupportedGameError
from lawgiver.envs.core.policy import Policy
from lawgiver.envs.families.mechanism_game import MechanismGame
from lawgiver.envs.solvers.equilibrium.incentives import incentives
from lawgiver.envs.solvers.equilibrium.subgame_equilibrium import Best, best_in_box, per_round, scores

MEASURES = ("kl", "ir_violation", "expected_budget", "regret", "misreport_regret")
"""The incentive report's columns."""


def design_summary(
    game: MechanismGame,
    *,
    start: np.ndarray,
    learned: np.ndarray,
    inverse_temperature: float,
    anchor: Policy | None = None,
    participants: Policy | None = None,
    best: Best | None = None,
) -> dict[str, Any]:
    """Compute the tables of a training as summary.json holds them, the objective first.

    Args:
        game: the game.
        start: initial parameters w, (D,).
        learned: final parameters w, (D,).
        inverse_temperature: that of the participants.
        anchor: their prior policy; None for uniform.
        participants: trained participants; None where they are in equilibrium by construction.
        best: best parameters in the box, if the search has been done already.

    Returns:
        Each of the game's own objectives a round (``welfare``, ``revenue``): of the game's baselines, ``start``,
        ``learned`` and ``best_in_box`` (in equilibrium), and the references that are known of rational participants
        (``optimum``, ``first_best``); ``gap_closed`` of the way from start to best in box, by the objective;
        ``incentives`` by measure and mechanism; ``parameters``, each announced one by its name and mechanism; and for
        each kind of behaviour (``threshold``) what participants have ``learned`` beside the ``closed_form`` of the
        logit reply under the learned mechanism.

    Raises:
        UnsupportedGameError: if there is no equilibrium to score a mechanism in.
    """
    best = best or best_in_box(game, inverse_temperature, anchor)
    mechanisms = {
        **{name: np.array(game.members[name], float) for name in game.baselines},
        "start": start,
        "learned": learned,
        "best_in_box": best.parameters,
    }
    found = {name: _scores(game, w, inverse_temperature, anchor) for name, w in mechanisms.items()}
    objective, references = game.subgame.objective_name, game.references()
    paid = {
        measure: {name: score[measure] for name, score in found.items()} | _a_round(game, references.get(measure, {}))
        for measure in (objective, *(name for name in game.objectives if name != objective))
    }
    behaviour = [name for name in found["learned"] if name not in (*paid, *MEASURES)]
    trained = found["learned"] if participants is None else _trained(game, learned, participants)
    return {
        **paid,
        "gap_closed": gap_closed(paid[objective]) if game.objective == objective else None,
        "incentives": {measure: {name: score[measure] for name, score in found.items()} for measure in MEASURES},
        **{name: {"learned": trained[name], "closed_form": found["learned"][name]} for name in behaviour},
        "parameters": {
            parameter: {name: float(w[j]) for name, w in mechanisms.items()}
            for j, parameter in enumerate(game.rule_names)
        },
        "trained_participants": {
            measure: {"trained": trained[measure], "equilibrium": found["learned"][measure]}
            for measure in (*paid, *MEASURES[1:])
        },
    }


def _a_round(game: MechanismGame, known: Mapping[str, float | None]) -> dict[str, float | None]:
    return {name: None if value is None else value / game.horizon for name, value in known.items()}


def gap_closed(values: Mapping[str, float | None]) -> float | None:
    """Compute (learned - start) / (best in box - start), None where the start is as good as the best."""
    start, learned, best = (values[name] for name in ("start", "learned", "best_in_box"))
    if start is None or learned is None or best is None or best - start <= 1e-9 * abs(best):
        return None
    return (learned - start) / (best - start)


def _scores(game: MechanismGame, w: np.ndarray, inverse_temperature: float, anchor: Policy | None) -> dict[str, Any]:
    found = scores(game, w, inverse_temperature, anchor)
    if isinstance(found, NoSolution):
        raise UnsupportedGameError(f"{game.name}: {found}")
    return found


def _trained(game: MechanismGame, w: np.ndarray, participants: Policy) -> dict[str, float]:
    """Compute the exact behaviour and incentives of trained participants under w."""
    policy = np.exp(tabulate(game, participants, w))
    return {
        **per_round(game, w, policy),
        **incentives(game, w, policy),
        **game.subgame.behaviour(policy),
    }
