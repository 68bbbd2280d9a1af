"""Models of every config: game, agents, trainer, resources and seeds.

The sections ``agents`` and ``trainer`` belong to the trainer that ``trainer.name`` names: its ``config``
(:class:`lawgiver.trainers.runs.trainer.Trainer`) is a ``Config[MyAgents, MyTrainer]`` of its own models.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, ClassVar, Generic, Literal, Protocol, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from lawgiver.envs.core.errors import ParameterError
from lawgiver.envs.core.game import Game
from lawgiver.envs.core.make import make_game

Seed = Annotated[int, Field(ge=0, lt=2**31)]
Count = Annotated[int, Field(ge=0)]
Natural = Annotated[int, Field(ge=1)]


def _distinct(seeds: tuple[int, ...]) -> tuple[int, ...]:
    if len(set(seeds)) < len(seeds):
        raise ValueError("each seed may be there once")
    return seeds


class Settings(BaseModel):
    """Base of every settings model: frozen, and a key that it does not have is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


@contextmanager
def keyed(key: str, settings: Settings) -> Iterator[dict[str, Any]]:
    """Give settings as keyword arguments; where one is refused, name it by its path in the config.

    Args:
        key: of the config that the settings are under, as ``agents.mechanism``.
        settings: of what is made.
    """
    given = settings.model_dump()
    with _by_path(key, given):
        yield given


@contextmanager
def _by_path(key: str, names: Container[str]) -> Iterator[None]:
    """Prefix a parameter among ``names`` with a key of the config where it is refused."""
    try:
        yield
    except ParameterError as error:
        what = re.match(r"((?:one of |the sum of )?)(\w+)(.*)", str(error), re.DOTALL)
        if what is None or what[2] not in names:
            raise
        raise type(error)(f"{what[1]}{key}.{what[2]}{what[3]}") from None


class EquilibriumAnchor(Settings):
    """Anchor of participants at the logit equilibrium under a given mechanism."""

    mechanism: str | dict[str, Any]
    """A mechanism's name, a run's folder, or ``{policy: NAME, ...}`` with the policy's parameters."""
    inverse_temperature: Annotated[float, Field(ge=0)] = 1.0


Anchor = Literal["uniform"] | EquilibriumAnchor
"""Prior policy of participants: uniform over the legal actions, or an equilibrium."""


class Anchored(Protocol):
    """Settings of participants of bounded rationality."""

    @property
    def anchor(self) -> Anchor:
        """Their prior policy."""


def anchor_of(participants: Anchored) -> str | dict[str, Any]:
    """Write the anchor as plain data, as :func:`lawgiver.agents.anchor.make_anchor` takes it."""
    return participants.anchor if isinstance(participants.anchor, str) else participants.anchor.model_dump()


class TrainerSettings(Settings):
    """Base of every trainer's settings."""

    length: ClassVar[str | None] = "updates"
    """The key of the training's length, which may grow when a run is resumed; None for a trainer that cannot resume."""
    changeable: ClassVar[tuple[str, ...]] = ()
    """Further keys that may change when a run is resumed."""
    name: str
    """The trainer, a name of the entry-point group ``lawgiver.trainers``."""


class GameConfig(BaseModel):
    """A game's name and its parameters, which the game itself validates."""

    model_config = ConfigDict(extra="allow", frozen=True)

    name: str

    @property
    def parameters(self) -> dict[str, Any]:
        """The game's parameters, without its name."""
        return dict(self.model_extra or {})

    def make(self) -> Game[Any]:
        """Make the game; raises as :func:`make_game` does, and a parameter is named by its full path, ``game.n``."""
        with _by_path("game", self.parameters):
            return make_game(self.name, **self.parameters)


class Resources(Settings):
    """Resources that a training run uses. The default is one local process.

    The same resources give the same numbers. Another ``runner``, device or number of sampling or learning processes
    changes random numbers and minibatches: results then differ as they do between seeds. ``address`` and
    ``concurrent_seeds`` change the computing time alone.
    """

    runner: Literal["batched", "stock"] = "batched"
    """``batched`` steps many games at once; ``stock`` is RLlib's own, for other PettingZoo environments."""
    num_env_runners: Count = 0
    """Remote sampling processes; 0 samples in the main process."""
    num_envs_per_env_runner: Annotated[int, Field(ge=1)] | None = None
    """Games that a runner plays at once; None leaves it to the trainer."""
    num_learners: Count = 0
    """Remote learning processes; 0 learns in the main process."""
    num_gpus_per_learner: Annotated[float, Field(ge=0)] = 0
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Of torch; ``auto`` takes a GPU where there is one."""
    address: str | None = None
    """Of a running Ray cluster; None starts a local one where one is needed."""
    concurrent_seeds: Annotated[int, Field(ge=1)] = 1
    """How many of ``seeds`` train at once; more than one makes each a Ray task."""

    def torch_device(self) -> str:
        """Choose the device, ``cpu`` or ``cuda``.

        Raises:
            ParameterError: if ``cuda`` is asked for and there is none.
        """
        import torch

        available = torch.cuda.is_available()
        if self.device == "cuda" and not available:
            raise ParameterError("resources.device is 'cuda', but torch sees no GPU: allowed here: auto, cpu")
        return "cuda" if available and self.device != "cpu" else "cpu"


AgentsT = TypeVar("AgentsT", bound=BaseModel)
TrainerT = TypeVar("TrainerT", bound=TrainerSettings)


class Config(Settings, Generic[AgentsT, TrainerT]):
    """An experiment: game, agents, trainer, resources and seeds."""

    game: GameConfig
    agents: AgentsT
    trainer: TrainerT
    resources: Resources = Resources()
    seed: Seed = 0
    seeds: Annotated[tuple[Seed, ...], Field(min_length=1), AfterValidator(_distinct)] | None = None
    """Several seeds: one run each in place of ``seed``, and an aggregate over them."""
    run_dir: Path | None = None
    """The run's folder; None for a new one under ``runs/``."""

    @model_validator(mode="before")
    @classmethod
    def _agents_by_default(cls, data: Any) -> Any:
        """Default ``agents`` to an empty section, whose model then names missing keys."""
        return {"agents": {}, **data} if isinstance(data, dict) else data


AnyConfig = Config[Any, Any]
