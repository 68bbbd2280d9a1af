"""The trainer orchard_ascent: climbs the slope of the objective through the rules of the game."""

import os
import signal
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

import numpy as np
import torch
from matplotlib.figure import Figure

import lawgiver
from lawgiver.api import Config, Game, Natural, Run, Settings, Trainer, TrainerSettings, TrainingRun, loop
from orchard.policies import BasketNetwork, PickingHabit


class Mechanism(Settings):
    width: Natural = 8


class Agents(Settings):
    mechanism: Mechanism = Mechanism()


class Ascent(TrainerSettings):
    name: Literal["orchard_ascent", "orchard_plain"]
    updates: Natural = 12
    batch: Natural = 32
    learning_rate: float = 0.05


OrchardConfig = Config[Agents, Ascent]


def value(game: Game[Any], mechanism: BasketNetwork, batch: int, rng: torch.Generator) -> torch.Tensor:
    """Return the objective of one round, (B,), where pickers pick at random, or claim what they need."""
    state = game.initial_state(batch, rng)
    if hasattr(state, "types"):
        sent = state.types
    else:
        sent = torch.randint(0, 2, (batch, game.roles["participant"]), generator=rng)
    state = game.step(state, sent, {})[0]
    logits = mechanism.logits(game.observe(state, "mechanism"))
    return game.measure(game.step(state, logits, {})[0])


class Climber:
    """A network, and what climbs."""

    def __init__(self, config: OrchardConfig, game: Game[Any]) -> None:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(config.seed)
            self.mechanism = BasketNetwork(game, width=config.agents.mechanism.width)
        self.config, self.game = config, game
        self.adam = torch.optim.Adam(self.mechanism.network.parameters(), config.trainer.learning_rate)

    def update(self, number: int) -> dict[str, float]:
        rng = torch.Generator().manual_seed(10_000 * self.config.seed + number)
        mean = value(self.game, self.mechanism, self.config.trainer.batch, rng).mean()
        self.adam.zero_grad()
        (-mean).backward()
        self.adam.step()
        if os.environ.get("ORCHARD_KILLED_AT") == str(number):
            os.kill(os.getpid(), signal.SIGKILL)
        return {"harvest": mean.item()}

    def report(self, told: Mapping[str, float]) -> loop.Report:
        size = sum(float(p.detach().abs().sum()) for p in self.mechanism.network.parameters())
        return loop.Report({"harvest": told["harvest"], "network": {"size": size}})

    def state(self) -> dict[str, Any]:
        return {"network": dict(self.mechanism.network.state_dict()), "adam": self.adam.state_dict()}

    def restore(self, state: dict[str, Any]) -> None:
        self.mechanism.network.load_state_dict(state["network"])
        self.adam.load_state_dict(state["adam"])


def train(config: OrchardConfig, run: TrainingRun) -> dict[str, Any]:
    game = config.game.make()
    climber = Climber(config, game)
    loop.train(run, climber, updates=config.trainer.updates, checkpoint_every=4)
    run.save_policy("mechanism", climber.mechanism)
    if game.action_layout("participant") == 2:
        run.save_policy("participant", PickingHabit(game, rate=0.75))
    return {"harvest": _score(game, climber.mechanism, 1_000, [0])}


def train_plainly(config: OrchardConfig, run: TrainingRun) -> dict[str, Any]:
    """Train in the same way, as a function."""
    return train(config, run)


def _score(game: Game[Any], mechanism: BasketNetwork, games: int, entropy: Sequence[int]) -> float:
    seed = int(np.random.default_rng(list(entropy)).integers(2**31))
    with torch.no_grad():
        return float(value(game, mechanism, games, torch.Generator().manual_seed(seed)).mean())


def evaluate(run: Run, games: int, entropy: Sequence[int]) -> dict[str, Any]:
    return {"harvest": _score(run.game(), lawgiver.load(run.path, role="mechanism"), games, entropy), "games": games}


def figures(run: Run, summary: Mapping[str, Any]) -> Iterator[tuple[str, Figure]]:
    figure = Figure()
    axis = figure.subplots()
    axis.plot(run.metrics["harvest"])
    axis.axhline(summary["harvest"])
    axis.set_title("What the orchard yields")
    yield "harvest.png", figure


trainer = Trainer(config=OrchardConfig, train=train, evaluate=evaluate, figures=figures)
