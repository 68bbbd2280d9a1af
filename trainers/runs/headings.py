"""Headings of a run's tables and figures: learned rule, participants, and game."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from lawgiver.agents.naming import rule_of, rule_text
from lawgiver.envs.core.game import Game

if TYPE_CHECKING:
    from lawgiver.trainers.runs.run import Run

MECHANISM = "mechanism"


def learned_rule(run: Run) -> dict[str, Any] | None:
    """Name the rule that a run has learned, see :func:`lawgiver.agents.naming.rule_of`; None if it announces none."""
    if not (run.policies / MECHANISM / "policy.json").exists():
        return None
    game = run.game().base_game
    if game.rule_formula is None:
        return None
    return rule_of(game, run.load(MECHANISM))


def equilibrium_people(settings: Mapping[str, Any], inverse_temperature: Any = None) -> str | None:
    """Describe the participants of exact scores by inverse temperature and anchor.

    Args:
        settings: the run's config as plain data.
        inverse_temperature: solved inverse temperature, where the config gives a budget instead.

    Returns:
        One line; None where the config gives no inverse temperature or budget.
    """
    participants = settings.get("agents", {}).get("participants")
    if not isinstance(participants, Mapping) or not {"inverse_temperature", "kl_budget"} & participants.keys():
        return None
    known = participants.get("inverse_temperature") if inverse_temperature is None else inverse_temperature
    exact = math.inf if known is None else float(known)
    rational = "rational participants" if math.isinf(exact) else f"participants of inverse temperature {exact:g}"
    return f"{rational}, anchor {_anchor(participants.get('anchor', 'uniform'))}, in their exact equilibrium"


def _anchor(anchor: Any) -> str:
    if not isinstance(anchor, Mapping):
        return str(anchor)
    name = anchor.get("policy", "logit_equilibrium")
    return f"{name} ({', '.join(f'{key} {value}' for key, value in anchor.items() if key != 'policy')})"


def game_line(game: Game[Any]) -> str:
    """Describe the game of a figure: its name, its endowments where there is one set of them, and its mode."""
    base = game.base_game
    conditions: Sequence[Sequence[int]] = getattr(base, "conditions", ())
    who = f", endowments {tuple(conditions[0])}" if len(conditions) == 1 else ""
    mode = getattr(base, "mechanism_mode", None)
    return f"{game.name}{who}{f', {mode} mode' if mode else ''}"


def heading(run: Run, summary: Mapping[str, Any]) -> str:
    """Write the title of a run's figures: config, seed, game, and the learned rule where it has a name."""
    first = f"{run.name}, seed {run.settings.get('seed', 0)}: {game_line(run.game())}"
    rule, mechanism = summary.get("rule"), run.settings["agents"].get("mechanism")
    if isinstance(mechanism, Mapping) and isinstance(mechanism.get("given"), Mapping):
        return f"{first}\ngiven mechanism: {mechanism['given'].get('policy')}"
    if not isinstance(rule, Mapping):
        return first
    text = rule_text(rule, formula=False)
    return f"{first}\nlearned rule: {text if len(text) <= 110 else f'{text[:107]}...'}"
