"""The trainer ``menu``: the numbers of a menu that serve an objective best, judged without smoothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from lawgiver.envs.core.errors import ParameterError, UnsupportedGameError
from lawgiver.envs.multi_item_auction.game import MultiItemAuction
from lawgiver.trainers.evaluation.item_auctions import measured
from lawgiver.trainers.menu.evaluation import compared
from lawgiver.trainers.menu.learner import Learner
from lawgiver.trainers.menu.settings import MenuConfig
from lawgiver.trainers.runs import loop
from lawgiver.trainers.runs.compatibility import require_own_objective
from lawgiver.trainers.runs.training_run import TrainingRun
from lawgiver.trainers.statistics.streams import MENUS

EARLY = (1, 10, 20, 30, 50)
"""Updates that are logged whatever ``log_every`` is: most is learned then."""
PROBE = 1
"""Stream of the profiles that every line of metrics is measured on."""


def train(config: MenuConfig, run: TrainingRun) -> dict[str, Any]:
    """Train a menu in the run's folder; return its objective beside those of named auctions.

    Returns:
        what :func:`lawgiver.trainers.menu.evaluation.compared` does, and the number of numbers that are learned.

    Raises:
        UnsupportedGameError: if the game sells no items, or announces a menu.
        ParameterError: if the config gives entries twice, of the menu and of what the game announces.
        RunError: if a gradient is not finite; the last checkpoint is then the last good state.
    """
    game, settings = config.game.make(), config.trainer
    if not isinstance(game, MultiItemAuction):
        raise UnsupportedGameError(
            f"trainer 'menu' sells several items by reported values, as in multi_item_auction, not {game.name}"
        )
    if game.announces:
        raise UnsupportedGameError(
            "trainer 'menu' learns the same menu in either mode, and needs game.mechanism_mode='allocate'; once learned"
            " it is announced wherever it plays a game with mechanism_mode='announce' and entries enough"
        )
    if "entries" in config.game.parameters:
        raise ParameterError(
            f"game.entries is {game.entries}: it bounds menus that are announced, not the one that is learned; allowed:"
            " agents.mechanism.entries"
        )
    require_own_objective(game, "menu")
    learner = Learner(game, config.agents.mechanism, settings, config.seed, config.resources.torch_device())
    probe = np.random.default_rng([MENUS, config.seed, PROBE])
    loop.train(
        run,
        Training(learner, game, game.initial_state(settings.evaluation.probe, probe).types),
        updates=settings.updates,
        log_every=settings.log_every,
        checkpoint_every=settings.checkpoint_every,
        early=EARLY,
    )
    run.save_policy("mechanism", learner.menu(game))
    trained = run.wall_s
    found = compared(game, learner.menu(game), settings.evaluation.profiles, [config.seed])
    return {
        **found,
        "parameters": learner.size,
        "updates": settings.updates,
        "timing": {"training_s": trained, "evaluation_s": run.wall_s - trained},
    }


@dataclass
class Training:
    """A learner whose menu is measured on the same profiles for each line of metrics.

    Attributes:
        learner: of the numbers.
        game: the game.
        probe: types of the profiles, (P, n, m).
    """

    learner: Learner
    game: MultiItemAuction
    probe: np.ndarray

    def update(self, number: int) -> Mapping[str, float]:
        """Take one step."""
        return self.learner.update(number)

    def report(self, numbers: Mapping[str, float]) -> loop.Report:
        """Report the objective of the exact menu on the probe."""
        reached = float(measured(self.game, self.learner.menu(self.game), self.probe).mean())
        return loop.Report({"objective": reached, **numbers}, f"{self.game.objective} {reached:.4f}")

    def state(self) -> dict[str, Any]:
        """Collect the learner's state."""
        return self.learner.state()

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from what :meth:`state` returned."""
        self.learner.restore(state)
