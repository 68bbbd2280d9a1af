"""The trainer ``commons_iterative``: people, clones of them, a planner before the clones, people under it, and so on.

In the first iteration people play under given rules, in every later one under the planner of the iteration before;
clones are fitted to all games so far; the planner learns on before them, and plays with clones and with people. What a
run leaves under ``iterations/<s>/``: ``acquire/<mechanism>.parquet``, ``model/participants`` (the clones),
``optimise/mechanism`` (the planner), and the results of each step.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lawgiver.agents.clones import Clones
from lawgiver.agents.commons import FamilyOffers
from lawgiver.agents.learned import load_policy, save_policy
from lawgiver.agents.people import population_hash
from lawgiver.agents.planner import LearnedPlanner, planner
from lawgiver.envs.core.errors import UnsupportedGameError
from lawgiver.envs.core.policy import Policy
from lawgiver.envs.election.game import Election
from lawgiver.trainers.commons.evaluation import RULES, base_of, judged, people_of, played, voters_of
from lawgiver.trainers.commons.learner import on_the_continuum
from lawgiver.trainers.commons.plays import Plays
from lawgiver.trainers.commons.train import planned_game
from lawgiver.trainers.commons_iterative.acquire import acquire, plays_of, provided, read
from lawgiver.trainers.commons_iterative.model import closed_loop, fit, measured
from lawgiver.trainers.commons_iterative.optimise import optimise
from lawgiver.trainers.commons_iterative.settings import IterativeConfig
from lawgiver.trainers.elections.records.provided import check_source
from lawgiver.trainers.elections.records.records import Records
from lawgiver.trainers.runs.steps import Steps
from lawgiver.trainers.runs.training_run import TrainingRun
from lawgiver.trainers.settings.base import keyed
from lawgiver.trainers.statistics.streams import torch_seed

PROVIDED = "provided"
"""The mechanisms of a user's first games, whichever they were."""
LOGGED = 10
"""Updates of a planner whose mean is a point of its learning curve."""
ACQUIRE, MODEL, OPTIMISE, COMPARE, JUDGE = range(5)
"""Streams of the steps."""


def train(config: IterativeConfig, run: TrainingRun) -> dict[str, Any]:
    """Carry out the loop in the run's folder; return the summary.

    Returns:
        What :func:`lawgiver.trainers.commons.evaluation.judged` finds of the last planner among people; by iteration
        ``planners``, what each planner comes to among ``clones`` and among ``people``, ``closed_loop``, clones beside
        people by mechanism, ``clones``, what was chosen and its cross-entropy, and ``acquired``, how many groups;
        ``population_hash`` and ``timing`` by step.

    Raises:
        UnsupportedGameError: if the game is not commons_trust in allocate mode with returns in whole points.
        RunError: if the user's data of an iteration are not there yet.
        LawgiverError: if data are broken or of another game, or clones or a planner diverge; what is finished is kept.
    """
    loop = Loop(config, run)
    for iteration in range(1, config.trainer.iterations + 1):
        loop.iterate(iteration)
    return loop.conclude()


class Loop:
    """One run: its game, its people, and the steps it has taken."""

    def __init__(self, config: IterativeConfig, run: TrainingRun) -> None:
        """Check everything that can be wrong before the first step."""
        self.config, self.run, self.settings = config, run, config.trainer
        self.game = planned_game(config)
        if not self.game.integer_returns:
            raise UnsupportedGameError(
                "trainer 'commons_iterative' fits clones to returns in whole points: game.integer_returns is False,"
                " allowed: True"
            )
        self.source = self.settings.acquire.source
        if self.source is not None:
            check_source(self.source, self.settings.iterations, "trainer.iterations=1")
        self.people = people_of(config, self.game)
        self.device = config.resources.torch_device()
        election = Election(base=base_of(self.game), participants=self.people, voters=voters_of(config))
        self.hash = population_hash(election.people, election.voting)
        self.steps = Steps(run)
        self.steps.require_same_people(1, "acquire", self.hash)
        self.records: dict[str, tuple[Records, ...]] = {}
        self.planners: dict[str, LearnedPlanner] = {}
        self.results: dict[str, dict[str, dict[str, Any]]] = {}

    @property
    def mechanisms(self) -> dict[str, Policy]:
        """The canonical rules and the planners so far, by name."""
        rules: dict[str, Policy] = {name: FamilyOffers(self.game, parameters) for name, parameters in RULES.items()}
        return {**rules, **self.planners}

    def _do(self, iteration: int, name: str, work: Any, settings: dict[str, Any] | None = None) -> Path:
        """Carry out a step, and keep its result."""
        folder, result = self.steps.do(iteration, name, lambda folder: work(folder, iteration), settings)
        self.results.setdefault(name, {})[f"{iteration}"] = result
        return folder

    def _seed(self, iteration: int, step: int) -> tuple[int, ...]:
        return self.config.seed, iteration, step

    # -- the steps of an iteration ----------------------------------------------------------------------------------

    def iterate(self, iteration: int) -> None:
        """Acquire, model, optimise, and let the planner play with clones and with people."""
        acquired = self._do(iteration, "acquire", self._acquire)
        self.records |= {path.stem: read(path, self.game).records for path in sorted(acquired.glob("*.parquet"))}
        self.clones = self._do(iteration, "model", self._model) / "participants"
        self.newest = self._do(iteration, "optimise", self._optimise) / "mechanism"
        newest = load_policy(self.newest, self.game)
        assert isinstance(newest, LearnedPlanner)
        self.planners[f"planner_{iteration}"] = newest
        self._do(iteration, "compare", self._compare)

    def _acquire(self, folder: Path, iteration: int) -> dict[str, Any]:
        newest = f"planner_{iteration - 1}"
        if self.source is None:
            acquired = self.settings.acquire
            names: tuple[str, ...] = acquired.rules if iteration == 1 else (newest,)
            under = {name: self.mechanisms[name] for name in names}
            seed = self._seed(iteration, ACQUIRE)
            found = acquire(folder, self.game, self.people, under, acquired.groups, seed)
        elif iteration == 1:
            found = provided(folder, self.game, self.source, 1, PROVIDED, "rules of your own")
        else:
            shown = f"the mechanism in {self.newest}"
            found = provided(folder, self.game, self.source, iteration, newest, shown)
        return {**found, "population_hash": self.hash}

    def _model(self, folder: Path, iteration: int) -> dict[str, Any]:
        mechanisms, seed = self.mechanisms, torch_seed(*self._seed(iteration, MODEL), bits=31)
        clones, report = fit(self.records, mechanisms, self.game, self.settings.model, seed)
        save_policy(folder / "participants", clones)
        compared = closed_loop(
            self.game,
            clones,
            mechanisms,
            self._games_of_people(mechanisms),
            tuple(self.records),
            self.settings.games,
            self._seed(iteration, MODEL),
        )
        return {**report, "closed_loop": compared}

    def _games_of_people(self, mechanisms: dict[str, Policy]) -> dict[str, Plays]:
        """Collect games of people under mechanisms: those that a user has brought, or new ones, the same every time."""
        if self.source is not None:
            return {name: plays_of(self.records[name], self.game) for name in mechanisms if name in self.records}
        games, seed = self.settings.games, [self.config.seed, COMPARE]
        return {name: played(self.game, each, self.people, games, seed) for name, each in mechanisms.items()}

    def _optimise(self, folder: Path, iteration: int) -> dict[str, Any]:
        settings, smooth = self.settings.optimise, on_the_continuum(self.game)
        seed, clones = self._seed(iteration, OPTIMISE), load_policy(self.clones, self.game)
        if iteration == 1:
            with keyed("agents.mechanism", self.config.agents.mechanism) as network:
                learning: Policy = planner(self.game, **network, seed=torch_seed(*seed, bits=31))
        else:
            learning = load_policy(self.newest, self.game)
        assert isinstance(learning, LearnedPlanner) and isinstance(clones, Clones)
        recent: list[Mapping[str, float]] = []
        curve: list[dict[str, float]] = []
        with self.run.progress(settings.updates, f"planner {iteration}/{self.settings.iterations}") as show:

            def report(update: int, found: Mapping[str, float]) -> None:
                recent.append(found)
                if update % LOGGED == 0 or update == settings.updates:
                    curve.append({"update": update, **_means(recent)})
                    recent.clear()
                    show(update, f"surplus {curve[-1]['surplus']:.2f}")

            optimise(learning, clones, smooth, settings, self.device, seed, report)
        save_policy(folder / "mechanism", learning)
        return {"updates": settings.updates, "curve": curve}

    def _compare(self, folder: Path, iteration: int) -> dict[str, Any]:
        """Play the planner of an iteration with clones and with people."""
        newest, games, seed = self.planners[f"planner_{iteration}"], self.settings.games, [self.config.seed, COMPARE]
        clones = load_policy(self.clones, self.game)
        return {
            who: measured(played(self.game, newest, players, games, seed))
            for who, players in (("clones", clones), ("people", self.people))
        }

    # -- the end ----------------------------------------------------------------------------------------------------

    def conclude(self) -> dict[str, Any]:
        """Save the last planner and clones, and judge the planner among people; return the summary."""
        last = self.settings.iterations
        final = self.planners[f"planner_{last}"]
        self.run.save_policy("mechanism", final)
        self.run.save_policy("participant", load_policy(self.clones, self.game))
        evaluation = self.settings.evaluation

        def judge(folder: Path, iteration: int) -> dict[str, Any]:
            seed = [self.config.seed]
            return judged(self.game, final, self.people, voters_of(self.config), evaluation, seed)

        self._do(last, "evaluation", judge, evaluation.model_dump(mode="json"))
        models = self.results["model"]
        updates = sum(result["updates"] for result in self.results["optimise"].values())
        return {
            **self.results["evaluation"][f"{last}"],
            "planners": self.results["compare"],
            "closed_loop": {s: result["closed_loop"] for s, result in models.items()},
            "clones": {s: {k: v for k, v in result.items() if k != "closed_loop"} for s, result in models.items()},
            "acquired": {
                s: {k: v for k, v in result.items() if k != "population_hash"}
                for s, result in self.results["acquire"].items()
            },
            "population_hash": self.hash,
            "updates": updates,
            "timing": {**self.steps.timing(), "updates_per_s": updates / self.steps.seconds["optimise"]},
        }


def _means(rows: Sequence[Mapping[str, float]]) -> dict[str, float]:
    return {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}
