"""The trainer ``hcmd_zero``: Acquire, Model, Optimize, over and over (Balaguer et al. 2022, section 3.2).

In iteration s people play two games under the mechanism of iteration s - 1 and vote; virtual participants are fitted to
all data so far; the mechanism learns in self-play before them. The first mechanism is a network with random weights.
What a run leaves under ``iterations/<s>/``: ``acquire/records.parquet``, ``model/`` (the virtual participants and
voters), ``optimise/mechanism`` and ``meta_game/tournament.json``; the first mechanism is in ``iterations/0/``.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from lawgiver.agents.graph_network import LearnedGraphMechanism, graph_network
from lawgiver.agents.learned import load_policy, save_policy
from lawgiver.agents.people import population_hash
from lawgiver.envs.core.errors import UnsupportedGameError
from lawgiver.envs.core.registry import extras
from lawgiver.envs.election.game import Election
from lawgiver.envs.public_investment.game import PublicInvestment
from lawgiver.trainers.elections.gradients.joint_table import require_tabulable
from lawgiver.trainers.elections.records.provided import check_source, counts_of, require_votes
from lawgiver.trainers.elections.records.readers import read_records
from lawgiver.trainers.elections.records.records import Records, concatenate
from lawgiver.trainers.elections.records.table import write_table
from lawgiver.trainers.elections.tournament import round_robin
from lawgiver.trainers.elections.virtual_people.losses import DivergedError, cross_entropy
from lawgiver.trainers.evaluation.vote_shares import held_evenly
from lawgiver.trainers.hcmd_zero.acquire import acquire, provided
from lawgiver.trainers.hcmd_zero.convergence import convergence
from lawgiver.trainers.hcmd_zero.evaluation import evaluate
from lawgiver.trainers.hcmd_zero.judges import Judges
from lawgiver.trainers.hcmd_zero.model import FittedParticipants, fit
from lawgiver.trainers.hcmd_zero.optimise import games_each, optimise
from lawgiver.trainers.hcmd_zero.people import DATABASE, collect, study_of_people, write_study
from lawgiver.trainers.hcmd_zero.settings import HcmdConfig
from lawgiver.trainers.runs.atomic_files import RunError, write_folder, write_json
from lawgiver.trainers.runs.ray_cluster import start_ray
from lawgiver.trainers.runs.steps import Steps
from lawgiver.trainers.runs.training_run import TrainingRun
from lawgiver.trainers.statistics.streams import torch_seed

if TYPE_CHECKING:
    from lawgiver.trainers.people.study import Study

RECORDS = "records.parquet"


def train(config: HcmdConfig, run: TrainingRun) -> dict[str, Any]:
    """Carry out the loop in the run's folder; return the summary.

    Returns:
        ``vote_share`` of the last mechanism (rival -> population -> condition or ``pooled`` -> [share, low, high]),
        ``meta_game`` (the last iteration's: names, shares, errors and its solution), ``convergence`` by iteration,
        ``acquired`` by iteration (how many groups and votes, and how many without),
        ``cross_entropy`` of every model on every data set, ``virtual_participants`` by iteration (what was chosen),
        ``population_hash`` and ``timing`` by phase.

    Raises:
        UnsupportedGameError: if the game is not public investment in allocate mode.
        RunError: if the user's data of an iteration are not there yet; WaitingError if people have yet to play.
        LawgiverError: if data are broken, or a model or the mechanism diverges; what is finished is kept.
    """
    loop = Loop(config, run)
    for iteration in range(1, loop.iterations + 1):
        loop.iterate(iteration)
    return loop.conclude()


class Loop:
    """One run of HCMD-zero: its game, its people, and the steps it has taken."""

    def __init__(self, config: HcmdConfig, run: TrainingRun) -> None:
        """Check everything that can be wrong before the first step, and make the first mechanism."""
        game = config.game.make()
        if not isinstance(game, PublicInvestment) or game.announces:
            raise UnsupportedGameError(
                f"trainer 'hcmd_zero' needs public_investment with mechanism_mode='allocate', not {game.name}"
                f"{' in announce mode' if isinstance(game, PublicInvestment) else ''}"
            )
        self.config, self.run, self.game, self.settings = config, run, game, config.trainer
        self.iterations = len(self.settings.acquire.groups)
        if self.settings.acquire.source is not None:
            check_source(self.settings.acquire.source, self.iterations, "trainer.acquire.groups with one number")
        self.judges = Judges.of(config, game)
        self.election = next(iter(self.judges.elections.values()))
        games_each(self.settings.optimise.batch, game, config.resources.num_learners)
        require_tabulable(game)
        with extras("trainer 'hcmd_zero'"):
            import nashpy  # noqa: F401  # fail now rather than after hours
        config.resources.torch_device()
        if config.resources.num_learners:
            start_ray(config.resources)
        self.hash = self._population_hash()
        self.steps = Steps(run)
        self.steps.require_same_people(0, "optimise", self.hash)
        self.records: list[Records] = []
        self.models: list[FittedParticipants] = []
        self.results: dict[str, list[dict[str, Any]]] = {"acquire": [], "model": [], "optimise": [], "meta_game": []}
        first, _ = self.steps.do(0, "optimise", self._first)
        self.mechanisms = [first / "mechanism"]

    def _population_hash(self) -> str:
        """Compute the hash of the people from whom data are acquired; of real people, that of the study."""
        if self.settings.acquire.people is None:
            return population_hash(self.election.people, self.election.voting)
        return self._study(self.settings.acquire.people, 1).study_hash

    def _study(self, file: Path, iteration: int) -> Study:
        """Make the study of an iteration, but for its mechanism."""
        groups, seed = self.settings.acquire.groups[iteration - 1], torch_seed(*self._seed(iteration, 0), bits=31)
        return study_of_people(file, self.config.game.model_dump(mode="json"), groups, seed, "random")

    def _seed(self, iteration: int, step: int) -> tuple[int, ...]:
        return self.config.seed, iteration, step

    def _first(self, folder: Path) -> dict[str, Any]:
        mechanism = graph_network(self.game, n_units=self.config.agents.mechanism.n_units, seed=self.config.seed)
        assert isinstance(mechanism, LearnedGraphMechanism)
        save_policy(folder / "mechanism", mechanism)
        return {"population_hash": self.hash}

    def mechanism(self, iteration: int) -> LearnedGraphMechanism:
        """Load the mechanism at the end of an iteration; 0 for the first."""
        loaded = load_policy(self.mechanisms[iteration], self.game)
        assert isinstance(loaded, LearnedGraphMechanism)
        return loaded

    # -- the steps of an iteration ----------------------------------------------------------------------------------

    def iterate(self, iteration: int) -> None:
        """Acquire, model, optimise, and let all mechanisms so far compete."""
        acquired, result = self.steps.do(iteration, "acquire", lambda folder: self._acquire(folder, iteration))
        self.results["acquire"].append(result)
        self.records.append(read_records(acquired / RECORDS, participants=self.game.n))
        modelled, result = self.steps.do(iteration, "model", lambda folder: self._model(folder, iteration))
        self.results["model"].append(result)
        self.models.append(self._load_model(modelled, result))
        optimised, result = self.steps.do(iteration, "optimise", lambda folder: self._optimise(folder, iteration))
        self.results["optimise"].append(result)
        self.mechanisms.append(optimised / "mechanism")
        _, result = self.steps.do(iteration, "meta_game", lambda folder: self._meta_game(folder, iteration))
        self.results["meta_game"].append(result)

    def _acquire(self, folder: Path, iteration: int) -> dict[str, Any]:
        settings, facts = self.settings.acquire, dict[str, Any]()
        if settings.source is not None:
            records = provided(settings.source, iteration, self.game, self.mechanisms[-1])
            require_votes([*self.records, records], settings.source)
        elif settings.people is not None:
            records, facts = self._people(settings.people, iteration)
        else:
            groups, seed = settings.groups[iteration - 1], self._seed(iteration, 0)
            records = acquire(self.election, self.game, self.mechanism(iteration - 1), groups, seed)
        write_table(folder / RECORDS, records, f"theta_{iteration - 1}")
        return counts_of(records) | facts

    def _people(self, file: Path, iteration: int) -> tuple[Records, dict[str, Any]]:
        """Let people play, or collect what they did; see :func:`collect`."""
        folder, settings = self.steps.folder / str(iteration) / "people", self.settings.acquire
        if not folder.exists():
            write_study(folder, self._study(file, iteration), self.mechanism(iteration - 1))
        needed = settings.groups[iteration - 1] if settings.enough is None else settings.enough
        records, facts = collect(self.run.path, iteration, folder, needed, settings.wait)
        require_votes([*self.records, records], folder / DATABASE)
        return records, facts

    def _model(self, folder: Path, iteration: int) -> dict[str, Any]:
        records, seed = concatenate(self.records), torch_seed(*self._seed(iteration, 1), bits=31)
        fitted = fit(records, self.game, settings=self.settings.model, seed=seed)
        save_policy(folder / "participants", fitted.participants)
        save_policy(folder / "voters", fitted.voters)
        return fitted.report

    def _load_model(self, folder: Path, result: dict[str, Any]) -> FittedParticipants:
        participants: Any = load_policy(folder / "participants", self.game)
        return FittedParticipants(participants, load_policy(folder / "voters", self.game, "voters"), result)

    def _optimise(self, folder: Path, iteration: int) -> dict[str, Any]:
        settings, last = self.settings.optimise, iteration == self.iterations
        updates = settings.last_updates if last else settings.updates
        mechanism, model = self.mechanism(iteration - 1), self.models[-1]
        curve: list[dict[str, float]] = []
        with self.run.progress(updates, f"optimise {iteration}/{self.iterations}") as show:

            def report(update: int, measured: dict[str, float]) -> None:
                curve.append({"update": update, **measured})
                show(update, ", ".join(f"{name} {value:.4g}" for name, value in measured.items()))

            try:
                optimise(
                    mechanism,
                    model.participants,
                    model.voters,
                    self.game,
                    updates=updates,
                    batch=settings.batch,
                    learning_rate=settings.learning_rate,
                    seed=torch_seed(*self._seed(iteration, 2), bits=31),
                    resources=self.config.resources,
                    report=report,
                )
            except DivergedError as error:
                good = folder.with_name("last_good")  # beside the step's own folder, which goes
                write_folder(good, lambda inner: save_policy(inner / "mechanism", mechanism))
                raise DivergedError(f"{error}; it is in {good / 'mechanism'}") from error
        save_policy(folder / "mechanism", mechanism)
        return {"updates": updates, "curve": curve}

    def _meta_game(self, folder: Path, iteration: int) -> dict[str, Any]:
        settings, model = self.settings.meta_game, self.models[-1]
        election = Election(base=self.config.game.model_dump(), participants=model.participants, voters=model.voters)
        mechanisms = {f"theta_{s}": self.mechanism(s) for s in range(iteration + 1)}
        held = round_robin(election, mechanisms, settings.games, self._seed(iteration, 3))
        *earlier, previous, newest = mechanisms

        def play(games: int) -> np.ndarray:
            rng, pair = np.random.default_rng(self._seed(iteration, 5)), [mechanisms[newest], mechanisms[previous]]
            return held_evenly(election, pair, games, rng)

        against = {name: held.pair(newest, name) for name in (*earlier, previous)}
        found = convergence(against, settings.worthwhile_gain, settings.most_games, play)
        result = held.data() | held.solved(self.config.seed) | {"convergence": found.data()}
        write_json(folder / "tournament.json", result)
        return result

    # -- the end ----------------------------------------------------------------------------------------------------

    def conclude(self) -> dict[str, Any]:
        """Save the last mechanism and evaluate it; return the summary."""
        mechanism = self.mechanism(self.iterations)
        self.run.save_policy("mechanism", mechanism)
        self.run.save_policy("participant", self.models[-1].participants)
        self.run.save_policy("voters", self.models[-1].voters)
        _, judged = self.steps.do(
            self.iterations,
            "evaluation",
            lambda folder: evaluate(
                folder,
                self.judges,
                self.game,
                mechanism,
                self.settings.evaluation.games,
                self._seed(self.iterations, 4),
            ),
            self.settings.evaluation.model_dump(mode="json"),
        )
        if self._population_hash() != self.hash:
            raise RunError("the people that data were acquired from have changed during the run")
        meta_games = self.results["meta_game"]
        updates = sum(result["updates"] for result in self.results["optimise"])
        return {
            "vote_share": judged["vote_share"],
            "groups": judged["groups"],
            "meta_game": {key: value for key, value in meta_games[-1].items() if key != "convergence"},
            "convergence": {f"{s}": result["convergence"] for s, result in enumerate(meta_games, start=1)},
            "acquired": {f"{s}": result for s, result in enumerate(self.results["acquire"], start=1)},
            "cross_entropy": self._cross_entropies(),
            "virtual_participants": {
                f"{s}": _chosen(result) for s, result in enumerate(self.results["model"], start=1)
            },
            "population_hash": self.hash,
            "updates": updates,
            "timing": {
                **self.steps.timing(),
                "updates_per_s": updates / self.steps.seconds["optimise"],
            },
        }

    def _cross_entropies(self) -> dict[str, list[list[float | None]]]:
        """Compute the cross-entropy of each iteration's model (rows) on each one's data (columns)."""

        def of_votes(model: FittedParticipants, data: Records) -> float | None:
            return cross_entropy(model.voters, data) if (data.votes >= 0).any() else None

        with torch.no_grad():
            return {
                "contributions": [[cross_entropy(m.participants, data) for data in self.records] for m in self.models],
                "votes": [[of_votes(m, data) for data in self.records] for m in self.models],
            }


def _chosen(result: dict[str, Any]) -> dict[str, Any]:
    return {kind: {key: value for key, value in found.items() if key != "grid"} for kind, found in result.items()}
