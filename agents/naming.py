"""Names of a mechanism's rule: its parameters by name, and their formula."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from lawgiver.envs.core.game import Game
from lawgiver.envs.core.policy import Policy


def rule_of(game: Game[Any], mechanism: Policy) -> dict[str, Any] | None:
    """Name the rule that a mechanism announces at the start of a game, as plain data.

    Args:
        game: the game.
        mechanism: mechanism of the game; the mean of its distribution is reported.

    Returns:
        ``formula``, one line, and ``parameters`` by name; where the rule depends on the endowments ``by_condition``
        instead of the latter, each with its ``endowments`` and ``parameters``. A mechanism with a method
        ``rule_parameters`` names them itself. None if the mechanism announces no rule.
    """
    formula = game.rule_formula
    if formula is None:
        return None
    own = getattr(mechanism, "rule_parameters", None)
    if own is not None:
        return {"formula": formula, "parameters": own()}
    states = list(game.initial_states_by_condition(1, np.random.default_rng(0)).values())
    if any(game.phase(state) != "mechanism" for state in states):
        return None
    first, *others = found = [_announced(game, mechanism, state) for state in states]
    if all(other == first for other in others):
        return {"formula": formula, "parameters": first}
    by_condition = [
        {"endowments": [int(e) if e.is_integer() else e for e in state.endowments[0].tolist()], "parameters": told}
        for state, told in zip(states, found, strict=True)
    ]
    return {"formula": formula, "by_condition": by_condition}


def rule_text(rule: Mapping[str, Any], *, formula: bool = True) -> str:
    """Write a rule on one line, ``p = 2.87, q = 0.57 (w_i = ...)``; a condition's parameters after its endowments."""
    if "by_condition" in rule:
        told = "; ".join(f"{tuple(each['endowments'])}: {_listed(each['parameters'])}" for each in rule["by_condition"])
    else:
        told = _listed(rule["parameters"])
    return f"{told} ({rule['formula']})" if formula else told


def _listed(parameters: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} = {_number(value)}" for name, value in parameters.items())


def _number(value: Any) -> str:
    """Write a number, or an estimate over several seeds: their mean with the least and the greatest."""
    values = getattr(value, "values", None)  # trainers.statistics.Estimate, which stands above the agents
    if values is not None:
        ends = f" [{min(values):.3g} to {max(values):.3g} by seed]" if min(values) < max(values) else ""
        return f"{value.mean:.3g}{ends}"
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _announced(game: Game[Any], mechanism: Policy, state: Any) -> dict[str, float]:
    memory = mechanism.initial_state(1, np.random.default_rng(0))
    moments, _ = mechanism.distribution(game.observe(state, "mechanism"), None, memory)
    space: Any = game.action_space("mechanism")
    sent = np.clip(np.asarray(moments, float)[0, 0, 0], space.low, space.high)
    return dict(zip(game.rule_names, map(float, sent), strict=True))
