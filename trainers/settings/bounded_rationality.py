"""Settings shared by trainers: bounded rationality of participants, and the start of the mechanism."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Self

import numpy as np
from pydantic import Field, model_validator

from lawgiver.envs.core.errors import ParameterError, UnsupportedGameError, allowed, counted
from lawgiver.envs.core.fields import Layout, width
from lawgiver.envs.core.game import Game
from lawgiver.envs.core.policy import Policy
from lawgiver.envs.families.mechanism_game import MechanismGame
from lawgiver.envs.solvers.equilibrium.subgame_equilibrium import inverse_temperature_of_budget
from lawgiver.trainers.settings.base import Anchor, Settings

Start = tuple[float, ...]


class BoundedRationality(Settings):
    """Bounded rationality of participants: a price of, or a budget for, divergence from a prior policy (the anchor)."""

    inverse_temperature: Annotated[float, Field(ge=0)] | None = None
    """Per unit of payoff: reward less KL(pi || pi_0) / inverse_temperature. 0 stays at pi_0; .inf is rational."""
    kl_budget: Annotated[float, Field(ge=0)] | None = None
    """In place of it: the KL(pi || pi_0), in nats over a game, of their equilibrium under the mechanism's start."""
    anchor: Anchor = "uniform"
    """pi_0: uniform over the legal actions, or an equilibrium under another mechanism."""

    @model_validator(mode="before")
    @classmethod
    def _default(cls, given: Any) -> Any:
        """Default to an inverse temperature of 1."""
        unsaid = isinstance(given, Mapping) and not {"inverse_temperature", "kl_budget"} & given.keys()
        return {**given, "inverse_temperature": 1.0} if unsaid else given

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        if (self.inverse_temperature is None) == (self.kl_budget is None):
            raise ValueError("exactly one of inverse_temperature and kl_budget is needed, the other is null")
        return self

    def inverse_temperature_in(
        self, game: Game[Any], anchor: Policy | None, start: str | Sequence[float] | None
    ) -> float:
        """Compute the inverse temperature, in [0, inf]; given a budget, the one at which the budget is spent in a game.

        Args:
            game: the game.
            anchor: pi_0 in that game, None for uniform.
            start: start of the mechanism, as :func:`start_of` takes it.

        Raises:
            UnsupportedGameError: if there is a budget, but no equilibrium to solve it in.
        """
        if self.inverse_temperature is not None:
            return self.inverse_temperature
        assert self.kl_budget is not None
        if not isinstance(game, MechanismGame):
            raise UnsupportedGameError(
                "agents.participants.kl_budget is solved in games whose mechanism announces its parameters once, not in"
                f" {game.name}: give inverse_temperature"
            )
        parameters = np.array(start_of(game.action_layout("mechanism"), game.members, start))
        return inverse_temperature_of_budget(game, parameters, self.kl_budget, anchor)


def start_of(
    layout: Layout | int,
    members: Mapping[str, Start],
    start: str | Sequence[float] | None,
    key: str = "agents.mechanism.start",
) -> Start:
    """Choose the initial mean of a Box action, (k,): mid-Box for None; empty for a Discrete action.

    Args:
        layout: of the action, or the number of choices of a Discrete one.
        members: actions that announce canonical rules, by name.
        start: a rule's name, or an action; None for the middle of the Box.
        key: of the config, which errors name.

    Raises:
        ParameterError: if the family of rules has no member of that name, or the numbers do not fit.
    """
    if isinstance(layout, int):
        return ()
    fields = [field for field in layout for _ in range(field.size)]
    if start is None:
        return tuple((field.low + field.high) / 2 for field in fields)
    if isinstance(start, str):
        fitting = [name for name, rule in members.items() if len(rule) == width(layout)]
        if start not in fitting:
            choices = f"{allowed(start, fitting)}, or a list of {counted(width(layout), 'number')}"
            raise ParameterError(f"{key} is {start!r}: {choices}")
        return members[start]
    if len(start) != len(fields):
        raise ParameterError(f"{key} has {counted(len(start), 'number')}, allowed: {len(fields)}")
    for place, (value, field) in enumerate(zip(start, fields, strict=True), 1):
        if not field.low <= value <= field.high:  # false for NaN
            bounds = f"[{field.low:g}, {field.high:g}]"
            which = field.name if field.size == 1 else f"number {place} ({field.name})"
            raise ParameterError(f"{key} has {which} = {value!r}, allowed: a number in {bounds}")
    return tuple(start)
