"""Settings of the trainer ``menu``: the keys ``agents`` and ``trainer`` of a config."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from lawgiver.envs.core.errors import LawgiverError
from lawgiver.envs.multi_item_auction.game import MultiItemAuction
from lawgiver.trainers.settings.annealing import AnnealOver, Temperature
from lawgiver.trainers.settings.base import Config, Natural, Settings, TrainerSettings

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]

ONE_BIDDER, SEVERAL = Temperature(start=0.01, end=0.001), Temperature(start=0.02, end=0.002)
"""Temperatures by default. With one bidder, a warmer start ends in the menu that sells two items together alone."""


class Mechanism(Settings):
    """The menu."""

    entries: Natural = 64
    """Besides the one that gives nothing."""
    weights: Literal["learned", "fixed"] = "learned"
    """Whether the bidders' weights are learned beside the entries, or stay 1; those of one bidder stay."""
    start: Literal["random", "item_myerson"] = "random"
    """Entries at the start: random lotteries with boosts from -1/2 units to 0, or what Myerson's rule, item by item,
    allocates in drawn profiles, with boosts of minus the reserve prices."""


class MenuAgents(Settings):
    """Who plays: bidders report truthfully, as it pays to whatever the menu is."""

    mechanism: Mechanism = Mechanism()


class Evaluation(Settings):
    """Measurement of the result, under the exact menu."""

    profiles: Annotated[int, Field(ge=2)] = 200_000
    """In the end, the same for the menu and for what it is compared with."""
    probe: Annotated[int, Field(ge=2)] = 10_000
    """For each line of metrics; always the same ones."""


class MenuTrainer(TrainerSettings):
    """Ascent of smoothed revenue by Adam, on fresh profiles."""

    name: Literal["menu"]
    updates: Natural = 1_500
    anneal_over: AnnealOver = None
    """Updates over which temperature and learning rates fall; None for ``updates``. A run that is prolonged stays at
    the end of both."""
    batch: Natural = 512
    """Profiles an update."""
    learning_rate: Positive = 0.1
    """Of the logits of shares; falls to 0 along a cosine."""
    boost_learning_rate: Positive = 3e-3
    """Of boosts, in units, and log weights, likewise; faster, they run off together and the menu ends worse."""
    temperature: Temperature | None = None
    """Of the smoothed choice among entries, in units of the greatest welfare; None for 0.02 to 0.002, or for half as
    much if there is one bidder."""
    log_every: Natural = 100
    checkpoint_every: Natural = 250
    evaluation: Evaluation = Evaluation()


class MenuConfig(Config[MenuAgents, MenuTrainer]):
    """A config whose temperatures are made explicit, so that a run keeps them if defaults change."""

    @model_validator(mode="after")
    def spelled_out(self) -> Self:
        """Replace None by the temperatures for the game."""
        try:
            game = self.game.make()
        except LawgiverError:  # making the game raises it again, once everything else is checked
            return self
        if self.trainer.temperature is not None or not isinstance(game, MultiItemAuction):
            return self
        temperature = ONE_BIDDER if game.n == 1 else SEVERAL
        return self.model_copy(update={"trainer": self.trainer.model_copy(update={"temperature": temperature})})
