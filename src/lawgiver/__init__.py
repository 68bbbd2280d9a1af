"""lawgiver: environments in which the rules of the game are learned together with the people who live under them.

``import lawgiver`` registers every installed game with Gymnasium and PettingZoo; it imports neither torch nor ray.
Every command of the command line has its function here, which is imported when it is first used.
"""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from lawgiver.envs.core.errors import LawgiverError
from lawgiver.envs.core.make import load_policy as load
from lawgiver.envs.core.make import make_game, make_policy, make_voter
from lawgiver.envs.views.registration import register_views
from lawgiver.lazy import lazily

if TYPE_CHECKING:
    from lawgiver import api, rllib, testing
    from lawgiver.names import (
        list_configs,
        list_games,
        list_language_models,
        list_mechanisms,
        list_objectives,
        list_participants,
        list_policies,
        list_trainers,
        list_voters,
    )
    from lawgiver.trainers.audit.named import audit
    from lawgiver.trainers.elections.tournament import tournament
    from lawgiver.trainers.empirical.solve import solve
    from lawgiver.trainers.evaluation.evaluate import evaluate
    from lawgiver.trainers.people.play import play
    from lawgiver.trainers.reproduce import reproduce
    from lawgiver.trainers.runs.run import Run, open_run
    from lawgiver.trainers.runs.train import resume, train
    from lawgiver.trainers.tuning.search import tune

    __version__: str

__all__ = [
    "LawgiverError",
    "Run",
    "__version__",
    "api",
    "audit",
    "evaluate",
    "list_configs",
    "list_games",
    "list_language_models",
    "list_mechanisms",
    "list_objectives",
    "list_participants",
    "list_policies",
    "list_trainers",
    "list_voters",
    "load",
    "make_game",
    "make_policy",
    "make_voter",
    "open_run",
    "play",
    "reproduce",
    "resume",
    "rllib",
    "solve",
    "testing",
    "tournament",
    "train",
    "tune",
]

_later = lazily(globals())


def __getattr__(name: str) -> Any:
    return version("lawgiver") if name == "__version__" else _later(name)


def __dir__() -> list[str]:
    return __all__


register_views()
