"""Games whose mechanism announces a rule before they act, or allocates after them."""

from __future__ import annotations

from functools import cached_property
from typing import Literal

from lawgiver.envs.core.errors import choice
from lawgiver.envs.core.game import Game, StateT

MODES = ("announce", "allocate")


class TwoModes(Game[StateT]):
    """A game whose mechanism moves before or after the participants.

    A game of this family is a dataclass with these two fields:

        mechanism_mode: ``announce``, the mechanism moves first, or ``allocate``, it moves last.
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
        """Whether the mechanism moves first."""
        return self.mechanism_mode == "announce"
