"""The learner: numbers of a menu, which climb the smoothed objective on fresh profiles by Adam."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from lawgiver.agents.direct_auctions import LearnedMenu
from lawgiver.agents.reporting import named_rule
from lawgiver.envs.core.game import Game
from lawgiver.envs.families.play_out import play_out
from lawgiver.envs.multi_item_auction import menus
from lawgiver.envs.multi_item_auction.game import MultiItemAuction, sold_shares
from lawgiver.trainers.menu.objective import smoothed
from lawgiver.trainers.menu.settings import Mechanism, MenuTrainer
from lawgiver.trainers.settings.annealing import Temperature, cosine, stage
from lawgiver.trainers.statistics.streams import torch_generator

UNIT = 4_096
"""Profiles by which the unit of temperatures and boosts is measured."""
SPREAD = 3.0
"""Standard deviation of random logits at the start."""
LOWEST = 0.5
"""Random boosts at the start lie between minus this and 0, in units."""
SHARP, NOISE = 3.0, 0.5
"""Logit of who is given an item in an entry of Myerson's, and standard deviation of what is added to every logit."""
PROFILES_PER_ENTRY = 10
"""Profiles in which Myerson's allocations are looked for, an entry."""
UPDATES, START = range(2)
"""Streams of random numbers."""


class Learner:
    """Numbers of a menu in units of the greatest welfare, and their optimiser.

    Args:
        game: the game.
        mechanism: size of the menu, and its start.
        settings: of the trainer.
        seed: of all that is drawn.
        device: of torch.
    """

    def __init__(
        self, game: MultiItemAuction, mechanism: Mechanism, settings: MenuTrainer, seed: int, device: str
    ) -> None:
        """Draw the start."""
        self.game, self.settings = game, settings
        self.rng = torch_generator(device, seed, UPDATES)
        start = np.random.default_rng([seed, START])
        self.unit = unit_of(game, game.initial_state(UNIT, start).types)
        if mechanism.start == "random":
            logits, boosts = random_start(game, mechanism.entries, start)
        else:
            logits, boosts = myerson_start(game, mechanism.entries, self.unit, start)
        self.logits, self.boosts, self.log_weights = (
            torch.tensor(each, dtype=torch.float32, device=device).requires_grad_()
            for each in (logits, boosts, np.zeros(game.n))
        )
        slow = [self.boosts] + ([self.log_weights] if game.n > 1 and mechanism.weights == "learned" else [])
        self.rates = (settings.learning_rate, settings.boost_learning_rate)
        self.optimiser = torch.optim.Adam([{"params": [self.logits]}, {"params": slow}])

    @property
    def temperature(self) -> Temperature:
        """The temperatures, which a checked config has spelled out."""
        assert self.settings.temperature is not None
        return self.settings.temperature

    @property
    def shares(self) -> torch.Tensor:
        """Shares of the entries, (J, n, m)."""
        shares: torch.Tensor = self.game.of_use(menus.shares_of(self.logits))
        return shares

    @property
    def size(self) -> int:
        """Count of numbers that are learned."""
        return sum(each.numel() for group in self.optimiser.param_groups for each in group["params"])

    def update(self, number: int) -> dict[str, float]:
        """Draw fresh profiles, and take one step."""
        settings = self.settings
        at, over = stage(number, settings)
        temperature = self.temperature.at((at - 1) / max(over - 1, 1))
        slower = cosine(number, settings)
        for group, rate in zip(self.optimiser.param_groups, self.rates, strict=True):
            group["lr"] = rate * slower
        values = self.game.types_of(self.game.draw_initial(settings.batch, self.rng)["types"]) / self.unit
        weights, objective = self.log_weights.exp(), self.game.objective
        reached = smoothed(values, self.shares, self.boosts, weights, temperature, objective)
        self.optimiser.zero_grad()
        (-reached).backward()  # type: ignore[no-untyped-call]
        moved = [each for group in self.optimiser.param_groups for each in group["params"]]
        squares = sum(float(each.grad.square().sum()) for each in moved if each.grad is not None)
        self.optimiser.step()
        return {
            "smooth_objective": float(reached.detach()) * self.unit,
            "temperature": temperature,
            "gradient_norm": squares**0.5,
        }

    @torch.no_grad()
    def menu(self, game: Game[Any]) -> LearnedMenu:
        """Make the menu as it is, in the game's units."""
        shares, boosts, log_weights = (
            each.detach().double().cpu().numpy() for each in (self.shares, self.boosts * self.unit, self.log_weights)
        )
        return LearnedMenu(game, shares=shares, boosts=boosts, log_weights=log_weights)

    def state(self) -> dict[str, Any]:
        """Collect all that the next update depends on."""
        numbers = {name: getattr(self, name).detach() for name in ("logits", "boosts", "log_weights")}
        return {**numbers, "optimiser": self.optimiser.state_dict(), "rng": self.rng.get_state()}

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from what :meth:`state` returned."""
        with torch.no_grad():
            for name in ("logits", "boosts", "log_weights"):
                getattr(self, name).copy_(state[name])
        self.optimiser.load_state_dict(state["optimiser"])
        self.rng.set_state(state["rng"])


def unit_of(game: MultiItemAuction, values: np.ndarray) -> float:
    """Compute the mean of the greatest welfare of values (B, n, m); of unit demand, of a bound of it."""
    by_item = values.max(1).sum(-1)
    if game.demand == "unit":
        by_item = np.minimum(by_item, values.max(2).sum(-1))
    return float(by_item.mean())


def random_start(game: MultiItemAuction, entries: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Draw logits (J, n + 1, m), and boosts (J,) in units."""
    return rng.normal(0, SPREAD, (entries, game.n + 1, game.m)), rng.uniform(-LOWEST, 0, entries)


def myerson_start(
    game: MultiItemAuction, entries: int, unit: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Compute logits (J, n + 1, m), and boosts (J,) in units, of what Myerson's rule, item by item, allocates.

    Different allocations of drawn profiles come first; a menu with more entries than there are has some again.

    Raises:
        UnsupportedGameError: if items cannot be sold one by one.
    """
    types = game.initial_state(PROFILES_PER_ENTRY * entries, rng).types
    given = sold_shares(play_out(game, named_rule(game, "item_myerson"), types, types))
    found = rng.permutation(np.unique(given.reshape(len(given), -1), axis=0))
    shares = found[np.arange(entries) % len(found)].reshape(entries, game.n, game.m)
    full = np.concatenate([shares, 1 - shares.sum(1, keepdims=True)], 1)
    reserves = np.array([[float(each.critical(np.zeros(1))[0]) for each in row] for row in game.distributions])
    logits = SHARP * full + rng.normal(0, NOISE, full.shape)
    return logits, -(shares * reserves).sum((1, 2)) / unit
