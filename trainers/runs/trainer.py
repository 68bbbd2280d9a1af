"""A trainer as an object: the model of its config, how it trains, and how its runs are evaluated, drawn and tabulated.

Trainers are registered under the entry-point group ``lawgiver.trainers``. An entry points to a :class:`Trainer`, or to
a plain function ``train(config, run)``, whose annotation of ``config`` is the model, and which takes every default.
"""

from __future__ import annotations

import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint
from typing import TYPE_CHECKING, Any

from lawgiver.envs.core.errors import ParameterError
from lawgiver.envs.core.registry import TRAINERS, lookup, names
from lawgiver.trainers.settings.base import AnyConfig, Config
from lawgiver.trainers.tables.cells import Table
from lawgiver.trainers.tables.mechanism_tables import tables_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from lawgiver.trainers.runs.run import Run


@dataclass(frozen=True)
class Deferred:
    """A function that is imported when it is called: a trainer declares its config without torch, Ray or matplotlib.

    Attributes:
        place: ``module:name``, as in an entry point.
    """

    place: str

    def load(self) -> Callable[..., Any]:
        """Import the function."""
        function: Callable[..., Any] = EntryPoint("deferred", self.place, "").load()
        return function

    def __call__(self, *args: Any, **params: Any) -> Any:
        """Import the function and call it."""
        return self.load()(*args, **params)


IN_GAMES = Deferred("lawgiver.trainers.evaluation.in_games:evaluate_run")
EVERY_METRIC = Deferred("lawgiver.trainers.plots.run_figures:figures_of")


@dataclass(frozen=True)
class Trainer:
    """A training method and everything specific to its runs.

    Attributes:
        config: model of the whole config, a ``Config[Agents, Trainer]``.
        train: trains a config in the run's folder; returns the summary, without ``timing.wall_s``.
        evaluate: evaluates the learned policies of a run, given a number of games (or elections), used where its config
            has none, and the entropy of all random draws. By default the policies play their game, or stand for
            election, beside the canonical mechanisms, and are scored in the participants' exact equilibrium.
        figures: yields the figures of a finished run, each with its file name, given the summary. By default curves of
            every logged metric, welfare against equality, and the shares of a public fund.
        tables: yields formatted tables of a summary (of several seeds, of their aggregate) or of an evaluation. By
            default those of the default ``evaluate``. All other numbers are printed as plain tables.
        meanings: explanation of single numbers of a summary, one line each, by key.
    """

    config: type[AnyConfig]
    train: Callable[[Any, Run], dict[str, Any]]
    evaluate: Callable[[Run, int, Sequence[int]], dict[str, Any]] = IN_GAMES
    figures: Callable[[Run, Mapping[str, Any]], Iterable[tuple[str, Figure]]] = EVERY_METRIC
    tables: Callable[[Mapping[str, Any]], Iterable[Table]] = tables_of
    meanings: Mapping[str, str] = field(default_factory=dict)


def find_trainer(name: str) -> Trainer:
    """Find a trainer by name, to train with it.

    Raises:
        UnknownNameError: if there is no such trainer.
        MissingExtraError: if it needs a package that is not installed.
        ParameterError: if it is a function that does not say which config it takes.
    """
    return _trainer(name, lookup(TRAINERS, name))


def trainer_of(run: Run) -> Trainer:
    """Find the trainer of a run, to evaluate or show it; the defaults if it is no longer installed.

    Packages that only its training needs may be missing.

    Raises:
        LawgiverError: if the trainer is installed but cannot be imported.
    """
    name = run.settings["trainer"]["name"]
    if name not in names(TRAINERS):
        return Trainer(Config, lambda config, run: find_trainer(name).train(config, run))
    return _trainer(name, lookup(TRAINERS, name, complete=False))


def _trainer(name: str, found: Any) -> Trainer:
    """Wrap a plain function in a trainer with every default."""
    if isinstance(found, Trainer):
        return found
    model = typing.get_type_hints(found).get("config") if callable(found) else None
    if not (isinstance(model, type) and issubclass(model, Config)):
        raise ParameterError(
            f"trainer {name!r} does not say which config it takes: annotate its parameter `config` with"
            " lawgiver.trainers.settings.base.Config[Agents, Trainer]"
        )
    return Trainer(model, found)
