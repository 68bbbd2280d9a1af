"""The benchmark: its tasks and their scale, its report and what it says of uncertainty, other people's algorithms."""

from __future__ import annotations

import importlib
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import trim_mean

import lawgiver
from lawgiver.envs.core.errors import LawgiverError, ParameterError, UnknownNameError, UnsupportedGameError
from lawgiver.envs.core.registry import _entries
from lawgiver.trainers.benchmark import campaign
from lawgiver.trainers.benchmark.campaign import benchmark
from lawgiver.trainers.benchmark.entries import OWN, algorithms, make_entry
from lawgiver.trainers.benchmark.metrics import measure
from lawgiver.trainers.benchmark.report import Report, compare, improvement, interquartile_mean
from lawgiver.trainers.benchmark.scores import score_policy
from lawgiver.trainers.benchmark.task import POPULATIONS, SIZES, given_policy, read_task, task_names
from lawgiver.trainers.runs.atomic_files import RunError

pytest.importorskip("torch")
TASKS = task_names()
EXACT = [name for name in TASKS if read_task(name).metric == "equilibrium"]

THIRD_PARTY = """
from typing import Literal

from lawgiver.api import Config, LearnedMechanism, Learners, StepsTrainer, TrainingRun


class Middle(StepsTrainer):
    name: Literal["middle"]


def train(config: Config[Learners, Middle], run: TrainingRun) -> dict:
    game = config.game.make()
    space = game.action_space("mechanism")
    middle = ((space.low + space.high) / 2).tolist()
    run.save_policy("mechanism", LearnedMechanism(game, start=middle, hidden=None))
    return {"steps": config.trainer.steps}
"""


@pytest.mark.parametrize("name", TASKS)
def test_own_algorithm_of_a_task_is_a_config(name):
    task = read_task(name)
    for size in SIZES:
        entry = make_entry(task, OWN, size)
        own, theirs = entry.config.game.make(), task.game_of("training")
        assert set(own.base_game.roles) == set(theirs.base_game.roles)
    assert task.small.steps < task.full.steps


def test_there_is_a_task_of_every_kind():
    tasks = [read_task(name) for name in TASKS]
    assert 12 <= len(tasks) <= 20
    assert {task.metric for task in tasks} == {"reward", "seat", "regret", "equilibrium", "vote_share"}
    assert {task.learns for task in tasks} == {("mechanism",), ("participant",), ("mechanism", "participant")}


@pytest.mark.parametrize("population", POPULATIONS)
@pytest.mark.parametrize("name", TASKS)
def test_random_policy_scores_about_0(name, population):
    task = read_task(name)
    given = task.baseline.policy

    def of(seed):
        return measure(task, population, lambda game: given_policy(game, task.role, given), 400, [seed])

    found, baseline = of(1), of(2)
    assert abs(found.mean - baseline.mean) <= 5 * np.hypot(found.standard_error, baseline.standard_error) + 1e-12


@pytest.mark.parametrize("name", TASKS)
def test_optimum_is_above_the_baseline(name):
    task = read_task(name)
    task = task.model_copy(update={"small": task.small.model_copy(update={"games": 400})})
    scores = score_policy(task, lambda game: given_policy(game, task.role, task.baseline.policy), "small", 3)
    assert all(score.value == 0 and score.optimum.mean > score.baseline.mean for score in scores.values())


@pytest.mark.parametrize("name", EXACT)
def test_exact_designer_scores_about_1(name, tmp_path, undrawn):
    report = benchmark(["exact_search"], [name], seeds=1, out=tmp_path)
    assert report.scores("exact_search", "training")[name] == pytest.approx(1.0, abs=2e-3)


@pytest.mark.parametrize(
    ("name", "population", "known"),
    [
        ("reserve_price", "training", 5 / 12),  # Myerson 1981, two values uniform on [0, 1]
        ("reserve_price", "held_out", 0.8 * 5 / 12),
        ("first_price_bids", "training", 1 / 6),  # Krishna 2009: bids of half the value win v / 2 with probability v
        ("first_price_bids", "held_out", 1 / 12),  # a bid b beats a uniform one with probability b: v^2 / 4 on average
        ("second_price_bids", "training", 1 / 6),
        ("second_price_bids", "held_out", 1 / 6),
        ("voting_rule", "training", "largest welfare of rules that see rankings: Borda"),
        ("sequential_sales", "training", "Myerson's revenue"),
        ("sequential_sales", "held_out", "Myerson's revenue"),
        ("tolls", "training", "most welfare of n agents who play the same policy"),
    ],
)
def test_optimum_is_the_known_one(name, population, known):
    task = read_task(name)
    if isinstance(known, str):
        solutions = task.game_of(population).known_solutions()
        known = next(each for each in solutions if each.name.startswith(known)).value()
    optimum = task.optimum_of(population)
    if optimum.policy is None:
        assert optimum.value == pytest.approx(known, abs=1e-6)
        return
    found = measure(task, population, lambda game: given_policy(game, task.role, optimum.policy), 2_000, [5])
    assert abs(found.mean - known) <= 4 * found.standard_error


def test_best_rules_of_the_lanes_and_of_redistribution_cannot_be_bettered_nearby():
    for name, apart in (("lanes", 0.05), ("redistribution", 0.05)):
        task = read_task(name)
        for population in POPULATIONS:
            best = task.optimum_of(population).policy.model_dump()
            game = task.game_of(population)
            low, high = game.action_bounds("mechanism")

            def of(rule, best=best, population=population, task=task):
                made = {**best, "parameters": rule.tolist()}
                return measure(task, population, lambda where: lawgiver.make_policy(where, "mechanism", **made), 1, [0])

            rule = np.array(best["parameters"])
            near = [np.clip(rule + apart * step, low, high) for step in (*np.eye(2), *-np.eye(2))]
            assert max(of(each).mean for each in near) <= of(rule).mean + 1e-9


def test_seats_take_turns_at_the_learned_policy():
    task = read_task("second_price_bids")

    class Nothing:
        def initial_state(self, batch, rng):
            return None

        def distribution(self, obs, mask, state):
            raise NotImplementedError

        def act(self, obs, mask, state, rng):
            return np.zeros((*obs.shape[:2], 1)), state

    found = measure(task, "training", lambda game: Nothing(), 64, [0])
    assert found.mean == 0, "one who bids nothing wins nothing, whatever the other does"


# -- uncertainty ---------------------------------------------------------------------------------------------------


def test_interquartile_mean_is_covered_as_often_as_is_said():
    tasks, seeds = len(TASKS), 3
    rng = np.random.default_rng(0)
    level = rng.uniform(0, 1, tasks)
    true = trim_mean((level[:, None] + 0.1 * rng.standard_normal((tasks, 20_000))).ravel(), 0.25)
    hits = []
    for trial in range(600):
        runs = list(level[:, None] + 0.1 * rng.standard_normal((tasks, seeds)))
        found = interquartile_mean(runs, np.random.default_rng(trial), draws=300)
        hits.append(found.low <= true <= found.high)
    assert 0.915 <= np.mean(hits) <= 0.98, "0.87 without the widening for few seeds"


def test_improvement_is_the_share_of_pairs_that_are_won():
    one, other = {"a": np.array([1.0, 2.0]), "b": np.array([0.0])}, {"a": np.array([1.0, 0.0]), "c": np.array([9.0])}
    assert improvement(one, other).mean == (0.5 + 1 + 1 + 1) / 4
    assert improvement(one, {"c": np.array([1.0])}) is None


def test_a_single_seed_has_no_interval():
    found = interquartile_mean([np.array([0.5]), np.array([1.0])], np.random.default_rng(0))
    assert found.low is None and found.mean == 0.75


# -- campaigns -----------------------------------------------------------------------------------------------------


@pytest.fixture
def third_party(tmp_path, monkeypatch):
    site = tmp_path / "site"
    info = site / "middle-1.0.dist-info"
    info.mkdir(parents=True)
    (site / "third_party_middle.py").write_text(THIRD_PARTY)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: middle\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[lawgiver.trainers]\nmiddle = third_party_middle:train\n")
    monkeypatch.syspath_prepend(str(site))
    importlib.invalidate_caches()
    _entries.cache_clear()
    yield
    _entries.cache_clear()


def test_third_partys_algorithm_stands_beside_ours(third_party, tmp_path, undrawn):
    assert "middle" in algorithms()
    report = benchmark(["exact_search", "middle"], ["lanes", "reserve_price"], seeds=2, out=tmp_path / "out")
    text = report.markdown()
    assert "| task | exact_search | middle |" in text
    assert "| lanes | 1.000" in text and "- exact_search on reserve_price: " in text
    middle = report.scores("middle", "training")["reserve_price"]
    assert middle == pytest.approx(1.0, abs=1e-9), "half way is Myerson's reserve"
    assert (tmp_path / "out/scores.png").exists() and (tmp_path / "out/profiles.png").exists()


def test_what_is_finished_is_not_trained_again(tmp_path, undrawn, monkeypatch):
    first = benchmark(["exact_search"], ["lanes"], seeds=1, out=tmp_path)
    monkeypatch.setattr("lawgiver.trainers.runs.launch.train", None)
    monkeypatch.setattr(campaign, "score_run", None)
    again = benchmark(["exact_search"], ["lanes"], seeds=1, out=tmp_path)
    assert again.rows == first.rows
    monkeypatch.setattr("lawgiver.trainers.benchmark.entries.commit", lambda: "another")
    with pytest.raises(TypeError):  # it is trained anew, which is taken away here
        benchmark(["exact_search"], ["lanes"], seeds=1, out=tmp_path)


def test_an_algorithm_that_does_not_fit_is_not_applicable(tmp_path, undrawn):
    report = benchmark(["evolution", "bayesian"], ["lanes", "walks"], seeds=1, out=tmp_path)
    assert not any(row["algorithm"] == "bayesian" for row in report.rows)
    assert "participants who are given" in report.reasons["lanes", "evolution"]
    assert "Box" in report.reasons["walks", "bayesian"]


@pytest.mark.parametrize(
    ("given", "error", "told"),
    [
        ({"tasks": ["laness"]}, UnknownNameError, "unknown task 'laness': did you mean 'lanes'"),
        ({"algorithms": ["evolutoin"]}, UnknownNameError, "did you mean 'evolution'"),
        ({"algorithms": ["menu"]}, ParameterError, "takes no part in the benchmark"),
        ({"size": "tiny"}, ParameterError, "allowed: "),
        ({"seeds": 0}, ParameterError, "seeds is 0, allowed: "),
        ({"jobs": 0}, ParameterError, "jobs is 0, allowed: "),
    ],
)
def test_wrong_input_is_one_line(given, error, told, tmp_path):
    with pytest.raises(error, match=told) as caught:
        benchmark(**{"tasks": ["lanes"], "out": tmp_path, **given})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("metric: profit", "metric is 'profit': allowed"),
        ("small: {steps: 0}", "small.steps is 0: input should be greater than or equal to 1"),
        ("optimum: {source: nowhere}", "either a value or a policy"),
    ],
)
def test_a_task_of_ones_own_is_checked(change, told, tmp_path):
    key = change.partition(":")[0]
    lines = Path("configs/benchmark/second_price_bids.yaml").read_text().splitlines()
    file = tmp_path / "mine.yaml"
    file.write_text("\n".join([change if line.startswith(f"{key}:") else line for line in lines]))
    with pytest.raises(ParameterError, match=told):
        read_task(str(file))


def test_a_folder_of_another_version_is_refused(tmp_path):
    (tmp_path / "benchmark.json").write_text('{"version": "lawgiver-bench-v0", "lawgiver": "0.0"}')
    with pytest.raises(
        RunError, match=r"was written by lawgiver-bench-v0 of lawgiver 0\.0, allowed: lawgiver-bench-v1"
    ):
        benchmark(["exact_search"], ["lanes"], out=tmp_path)


def test_reports_are_compared(tmp_path):
    task = read_task("lanes")
    for name, score in (("a", 0.2), ("b", 0.6)):
        rows = [
            {"task": "lanes", "algorithm": "x", "seed": seed, **{p: {"score": score + seed / 100} for p in POPULATIONS}}
            for seed in range(3)
        ]
        (tmp_path / name).mkdir()
        Report("small", 3, (task,), ("x",), tuple(rows), {}).save(tmp_path / name)
    text = compare(tmp_path / "a", tmp_path / "b")
    assert "| x | 1 | 0.210 " in text and "| 1.000 [1.000, 1.000] |" in text
    with pytest.raises(RunError, match="is no report of a benchmark"):
        compare(tmp_path, tmp_path / "b")


# -- algorithms ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("trainer", "changes"),
    [
        ("evolution", ["trainer.games=4", "trainer.population=4", "trainer.steps=256", "trainer.checkpoint_every=2"]),
        ("bayesian", ["trainer.evaluations=8", "trainer.steps=128", "trainer.checkpoint_every=2"]),
    ],
)
def test_search_goes_on_as_if_it_had_not_been_stopped(trainer, changes, tmp_path, undrawn, interrupted_and_whole):
    config = tmp_path / "config.yaml"
    config.write_text(
        "game: {name: sealed_bid, n: 2, pricing: first, announced: [reserve], objective: revenue}\n"
        f"agents: {{participants: {{given: equilibrium}}}}\ntrainer: {{name: {trainer}, steps: 256}}\n"
    )
    owner = {"evolution": "cma_es.Evolution", "bayesian": "gaussian_process.Search"}[trainer].split(".")
    learner = getattr(importlib.import_module(f"lawgiver.trainers.black_box.{owner[0]}"), owner[1])
    _, logged = interrupted_and_whole(str(config), changes, before=(learner, "update", 6))
    assert logged == [1, 2, 3, 4, 5, 6, 7, 8]
    both = [lawgiver.load(tmp_path / part, "mechanism").state() for part in ("whole", "parts")]
    assert all(np.array_equal(both[0][name], both[1][name]) for name in both[0])


def test_evolution_learns_to_vote(tmp_path, undrawn):
    config = tmp_path / "config.yaml"
    config.write_text(
        "game: {name: voting, n: 3, m: 3, ballot: ranking}\nagents: {participants: {given: truthful}}\n"
        "trainer: {name: evolution, steps: 60000, hidden: []}\n"
    )
    lawgiver.train(config, run_dir=tmp_path / "run")
    task = read_task("voting_rule").model_copy(
        update={"game": read_task("voting_rule").game.model_copy(update={"n": 3})}
    )
    scores = score_policy(task, lambda game: lawgiver.load(tmp_path / "run", "mechanism", game), "small", 0)
    assert scores["training"].value > 0.6


@pytest.mark.parametrize("separate", [False, True])
def test_actors_keep_to_what_is_legal_and_are_saved(separate, tmp_path):
    from lawgiver.agents.actors import ParticipantActor
    from lawgiver.agents.learned import load_policy, save_policy

    game = lawgiver.make_game("public_investment", endowments=(10, 4, 4, 4))
    actor = ParticipantActor(game, hidden=[8], separate=separate)
    rng = np.random.default_rng(0)
    actor.restore({name: rng.standard_normal(array.shape) for name, array in actor.state().items()})
    state = game.initial_state(200, rng)
    seen, mask = game.observe(state, "participant"), game.legal_actions(state, "participant")
    actions, _ = actor.act(seen, mask, None, rng)
    assert np.take_along_axis(mask, actions[..., None], -1).all()
    save_policy(tmp_path / "actor", actor)
    again = load_policy(tmp_path / "actor", game, "participant")
    assert np.array_equal(again.distribution(seen, mask, None)[0], actor.distribution(seen, mask, None)[0])
    if separate:
        first = np.broadcast_to(seen[:, 1:2], seen.shape).copy()
        logits = actor.distribution(first, None, None)[0]
        assert not np.allclose(logits[:, 0], logits[:, 1]), "each seat has a network of its own"


def test_searches_refuse_what_they_cannot_search(tmp_path):
    for trainer, agents, told in (
        ("evolution", "{}", "participants who are given"),
        ("exact_search", "{participants: {given: truthful}}", "both learn"),
    ):
        config = tmp_path / f"{trainer}.yaml"
        config.write_text(f"game: {{name: voting}}\nagents: {agents}\ntrainer: {{name: {trainer}, steps: 100}}\n")
        with pytest.raises(UnsupportedGameError, match=told):
            lawgiver.train(config, run_dir=tmp_path / trainer)
    assert issubclass(UnsupportedGameError, LawgiverError)
