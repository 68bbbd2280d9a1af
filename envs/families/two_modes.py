"""Games whose mechanism announces a rule, or decides the outcome itself."""

from __future__ import annotations

from functools import cached_property
from typing import Literal

from lawgiver.envs.core.errors import choice
from lawgiver.envs.core.game import Game, StateT

MODES = ("announce", "allocate")


class TwoModes(Game[StateT]):
    """A game whose mechanism announces a rule before the participants act, or decides round by round.

    A game of this family is a dataclass with these two fields:

        mechanism_mode: ``announce``, the mechanism moves first, or ``allocate``, it decides itself: after the
            participants, unless its decision is what they have to choose from.
        objective: the mechanism's reward.
    """

    mechanism_mode: Literal["announce", "allocate"]
    objective: str

    def check_choices(self) -> None:
        """Raise ParameterError or UnknownNameError if the mode or the objective is unknown."""
        choice("mechanism_mode", self.mechanism_mode, MODES)
        self.check_objective()

    @cached_property
    def announces(self) -> bool:
        """Whether the mechanism announces a rule."""
        return self.mechanism_mode == "announce"
