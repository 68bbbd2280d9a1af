"""The trainer ``commons_iterative``: clones, planners before them, resuming anywhere, and data that users bring."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

import lawgiver
from lawgiver.agents.commons import FamilyOffers
from lawgiver.envs.core.errors import LawgiverError, ParameterError
from lawgiver.envs.core.make import make_game, make_policy
from lawgiver.envs.files.json_text import plain
from lawgiver.trainers.commons.evaluation import RULES
from lawgiver.trainers.commons.learner import Learner
from lawgiver.trainers.commons.plays import play
from lawgiver.trainers.commons_iterative.acquire import acquire, check_rules, plays_of, read
from lawgiver.trainers.commons_iterative.model import closed_loop, difference
from lawgiver.trainers.commons_iterative.train import Loop
from lawgiver.trainers.elections.records.recording import recorded_games
from lawgiver.trainers.elections.records.records import RecordsError
from lawgiver.trainers.elections.records.table import write_table
from lawgiver.trainers.elections.virtual_people.losses import cross_entropy
from lawgiver.trainers.runs import launch
from lawgiver.trainers.runs.atomic_files import RunError
from lawgiver.trainers.runs.run import Run
from lawgiver.trainers.statistics.estimate import Estimate

GAME: Any = make_game("commons_trust", n_rounds=6)
PEOPLE: Any = make_policy(GAME, "participant", "simulated_people")
TINY = ("game.n_rounds=6", "trainer.acquire.rules=[equal,proportional]", "trainer.acquire.groups=6",
        "trainer.model.n_hidden=4", "trainer.model.epochs=2", "trainer.optimise.updates=3", "trainer.optimise.batch=8",
        "trainer.games=10", "trainer.evaluation={games: 20, elections: 8}")  # fmt: skip


@pytest.fixture(autouse=True)
def undrawn(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """Leave out the figures, but of tests of them."""
    if "figures" not in request.node.name:
        monkeypatch.setattr(launch, "_draw", lambda run, summary: None)


def timeless(summary: Any) -> str:
    """What must be the same whenever it is run."""
    return json.dumps(plain({k: v for k, v in summary.items() if k not in ("timing", "commit")}), sort_keys=True)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run without its figures."""
    run = tmp_path_factory.mktemp("runs") / "whole"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(launch, "_draw", lambda run, summary: None)
        launch.train("commons_iterative", [*TINY, f"run_dir={run}"])
    return run


def test_a_summary_has_every_iteration(whole: Path) -> None:
    summary = Run.open(whole).summary
    assert set(summary["surplus"]) == {*RULES, "learned", "distilled", "ceiling"}
    assert set(summary["planners"]) == set(summary["closed_loop"]) == set(summary["clones"]) == {"1", "2"}
    for s, more in (("1", set()), ("2", {"planner_1"})):
        compared = summary["closed_loop"][s]
        assert set(compared) == {*RULES, *more}
        fitted = {name for name, found in compared.items() if found["fitted"]}
        assert fitted == {"equal", "proportional", *more}
        for found in compared.values():
            assert found["surplus_error"].mean == pytest.approx(
                found["clones"]["surplus"].mean - found["people"]["surplus"].mean
            )
    assert summary["acquired"]["1"]["groups"] == 12 and summary["acquired"]["2"]["groups"] == 6
    ours, theirs = (summary["planners"]["2"][who]["surplus"] for who in ("clones", "people"))
    assert ours.n == theirs.n == 10 and ours.mean != theirs.mean


def test_clones_are_those_who_were_fitted_to_all_games_so_far(whole: Path) -> None:
    folder, summary = whole / "iterations", Run.open(whole).summary
    first = [read(path, GAME).records[0] for path in sorted((folder / "1" / "acquire").glob("*.parquet"))]
    (second,) = read(folder / "2" / "acquire" / "planner_1.parquet", GAME).records
    assert [len(each) for each in (*first, second)] == [6, 6, 6]
    clones = lawgiver.load(whole, role="participant")
    free = [int((each.endowments >= 1).sum()) for each in (*first, second)]
    losses = [cross_entropy(clones, each) for each in (*first, second)]
    assert np.average(losses, weights=free) == pytest.approx(summary["clones"]["2"]["fitted"], rel=1e-5)
    for records in (*first, second):
        check_rules(records, GAME)


def test_a_planner_learns_on_from_the_one_before(whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(whole, tmp_path / "run")
    for step in ("optimise", "compare", "evaluation"):
        shutil.rmtree(tmp_path / "run" / "iterations" / "2" / step)
    (tmp_path / "run" / "summary.json").unlink()
    monkeypatch.setattr(Learner, "update", lambda self, number: {"surplus": 0.0})
    launch.resume(tmp_path / "run")
    first, second = (
        load_file(tmp_path / "run" / "iterations" / s / "optimise" / "mechanism" / "weights.safetensors") for s in "12"
    )
    assert all((first[name] == second[name]).all() for name in first)


@pytest.mark.parametrize("step", ["1/acquire", "1/optimise", "2/model", "2/evaluation"])
def test_a_run_resumed_at_a_step_equals_an_uninterrupted_one(whole: Path, tmp_path: Path, step: str) -> None:
    parts, summary = tmp_path / "parts", Run.open(whole).summary
    shutil.copytree(whole, parts)
    (parts / "summary.json").unlink()
    order = ["acquire", "model", "optimise", "compare", "evaluation"]
    iteration, name = step.split("/")
    for path in (parts / "iterations").glob("*/*"):
        if (path.parent.name, order.index(path.name)) >= (iteration, order.index(name)):
            shutil.rmtree(path)
    _, resumed = launch.resume(parts)
    assert timeless(resumed) == timeless(summary)


def test_a_run_killed_within_a_step_equals_an_uninterrupted_one(
    whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compare: Callable[..., Any] = Loop._compare

    def killed(self: Loop, folder: Path, iteration: int) -> dict[str, Any]:
        (folder / "half").write_text("written")
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Loop, "_compare", killed)
        launch.train("commons_iterative", [*TINY, f"run_dir={tmp_path / 'parts'}"])
    assert Loop._compare is compare
    _, resumed = launch.resume(tmp_path / "parts")
    assert timeless(resumed) == timeless(Run.open(whole).summary)


def test_what_a_planner_refuses_is_named_by_its_path(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match=r"^agents\.mechanism\.n_units is 2000000000000000000, allowed: "):
        launch.train(
            "commons_iterative", [*TINY, f"agents.mechanism.n_units={2 * 10**18}", f"run_dir={tmp_path / 'run'}"]
        )


def test_a_longer_run_goes_on_where_a_shorter_one_ended(whole: Path, tmp_path: Path) -> None:
    one = [*TINY, "trainer.iterations=1", f"run_dir={tmp_path / 'run'}"]
    launch.train("commons_iterative", one)
    _, longer = launch.resume(tmp_path / "run", ["trainer.iterations=2"])
    assert timeless(longer) == timeless(Run.open(whole).summary)


def test_a_run_is_judged_anew_and_draws_its_figures(whole: Path, tmp_path: Path) -> None:
    assert lawgiver.evaluate(whole, games=15)["surplus"]["learned"].n == 15
    launch.train("commons_iterative", [*TINY, "trainer.iterations=1", f"run_dir={tmp_path / 'run'}"])
    drawn = {path.name for path in (tmp_path / "run" / "figures").glob("*.png")}
    assert drawn == {"iterations.png", "clones.png", "pools.png", "offers.png", "exclusions.png", "surplus_gini.png"}


def test_planners_can_learn_before_the_clones_of_a_run(whole: Path, tmp_path: Path) -> None:
    changes = [f"agents.participants.policy={whole}", "game.n_rounds=6", "trainer.updates=2", "trainer.batch=8"]
    evaluation = "trainer.evaluation={games: 20, elections: 8}"
    _, summary = launch.train("commons_quick", [*changes, evaluation, f"run_dir={tmp_path / 'run'}"])
    assert summary["updates"] == 2


# ---- the steps


def test_games_of_records_are_the_games_that_were_played() -> None:
    game = replace(GAME, continuation=0.6, min_rounds=2, n_rounds=9)
    mechanism, rng = FamilyOffers(game, RULES["mixed"]), np.random.default_rng(4)
    records = recorded_games(game, PEOPLE, mechanism, game.initial_state(30, rng), rng)
    assert len(records) > 2
    found = plays_of(records, game)
    rng = np.random.default_rng(4)
    again = recorded_games(game, PEOPLE, mechanism, game.initial_state(30, rng), rng)
    kept = np.concatenate([each.payoffs[:, 0].mean(1) for each in again])
    np.testing.assert_allclose(found.kept, kept)
    last = [(each.shared["pool"], each.endowments.sum(-1), each.contributions.sum(-1)) for each in again]
    left = [np.minimum(200, (pool - offered + 1.4 * back)[:, 0, -1]) for pool, offered, back in last]
    np.testing.assert_allclose(found.final_pool, np.concatenate(left), atol=1e-9)


def test_people_compared_with_themselves_differ_by_chance_alone() -> None:
    mechanisms: Any = {name: FamilyOffers(GAME, RULES[name]) for name in ("equal", "proportional")}
    of_people = {name: play(GAME, each, PEOPLE, 400, np.random.default_rng(1)) for name, each in mechanisms.items()}
    found = closed_loop(GAME, PEOPLE, mechanisms, of_people, ["equal"], 400, [5])
    for name in mechanisms:
        error = found[name]["surplus_error"]
        assert abs(error.mean) < 4 * error.standard_error
        assert found[name]["fitted"] is (name == "equal")
    del of_people["equal"]
    assert set(closed_loop(GAME, PEOPLE, mechanisms, of_people, [], 400, [5])) == {"proportional"}


def test_intervals_of_differences_cover_them() -> None:
    rng = np.random.default_rng(0)
    drawn = [difference(rng.normal(1.0, 2.0, 40), rng.normal(0.5, 0.5, 90)) for _ in range(2_000)]
    inside = np.mean([e.low <= 0.5 <= e.high for e in drawn if e.low is not None and e.high is not None])
    assert 0.92 < inside < 0.965
    assert isinstance(drawn[0], Estimate) and drawn[0].n == 40


# ---- data that users bring


def brought(folder: Path, iteration: int, mechanism: Any, game: Any = GAME) -> None:
    folder.mkdir(exist_ok=True)
    rng = np.random.default_rng(iteration)
    write_table(
        folder / f"D{iteration}.parquet", recorded_games(game, PEOPLE, mechanism, game.initial_state(8, rng), rng)
    )


def test_data_of_a_user_take_the_place_of_simulated_games(tmp_path: Path) -> None:
    data, run = tmp_path / "data", tmp_path / "run"
    brought(data, 1, FamilyOffers(GAME, RULES["mixed"]))
    with pytest.raises(RunError, match=r"no data of iteration 2: let people play under the mechanism in .*1/optimise"):
        launch.train("commons_iterative", [*TINY, f"trainer.acquire.source={data}", f"run_dir={run}"])
    planner = lawgiver.load(run / "iterations" / "1" / "optimise" / "mechanism", role="mechanism", game=GAME)
    brought(data, 2, planner)
    _, summary = launch.resume(run)
    assert summary["closed_loop"]["1"] == {} and set(summary["closed_loop"]["2"]) == {"planner_1"}
    assert summary["closed_loop"]["2"]["planner_1"]["people"]["surplus"].n == 8
    assert summary["acquired"]["2"]["groups"] == 8 and summary["acquired"]["2"]["groups_left_out"] == 0


def test_data_of_another_game_are_refused(tmp_path: Path) -> None:
    investment: Any = make_game("public_investment")
    rng = np.random.default_rng(0)
    equal = make_policy(investment, "mechanism", "strict_egalitarian")
    people = make_policy(investment, "participant", "simulated_people")
    write_table(
        tmp_path / "a.parquet", recorded_games(investment, people, equal, investment.initial_state(4, rng), rng)
    )
    other = replace(GAME, growth=1.6)
    brought(tmp_path, 1, FamilyOffers(other, RULES["equal"]), other)
    for file, words in (("a.parquet", "pool"), ("D1.parquet", "pool of group 0, .*by the rules of the game")):
        source = [f"trainer.acquire.source={tmp_path / file}", "trainer.iterations=1"]
        with pytest.raises(LawgiverError, match=words) as caught:
            launch.train("commons_iterative", [*TINY, *source, f"run_dir={tmp_path / 'run'}"])
        assert "\n" not in str(caught.value)
        shutil.rmtree(tmp_path / "run", ignore_errors=True)


def test_offers_above_the_pool_are_refused(tmp_path: Path) -> None:
    acquire(tmp_path, GAME, PEOPLE, {"mixed": FamilyOffers(GAME, RULES["mixed"])}, 3, [0])
    (records,) = read(tmp_path / "mixed.parquet", GAME).records
    offers = records.endowments.copy()
    offers[1, 0, -1] += 80
    with pytest.raises(RecordsError, match=r"pool of group 1, episode 0, round 5: is .* or more, which are offered"):
        check_rules(replace(records, endowments=offers), GAME)


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["game.mechanism_mode=announce"], "trainer 'commons_iterative' .*mechanism_mode='allocate'"),
        (["game.integer_returns=false"], "whole points"),
        (["game.name=public_investment"], "commons_trust"),
        (["trainer.acquire.rules=[]"], "rules"),
        (["trainer.acquire.rules=[fair]"], "equal"),
        (["trainer.iterations=0"], "iterations"),
        (["trainer.acquire.source=/nowhere/at/all"], "does not exist"),
        (["agents.participants=nobody"], "nobody"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_line(tmp_path: Path, overrides: list[str], words: str) -> None:
    with pytest.raises(LawgiverError, match=words) as caught:
        launch.train("commons_iterative", [*TINY, *overrides, f"run_dir={tmp_path / 'run'}"])
    assert "\n" not in str(caught.value)


def test_one_file_is_not_enough_for_two_iterations(tmp_path: Path) -> None:
    brought(tmp_path, 1, FamilyOffers(GAME, RULES["mixed"]))
    source = f"trainer.acquire.source={tmp_path / 'D1.parquet'}"
    with pytest.raises(LawgiverError, match=r"one file for 2 iterations, .*trainer.iterations=1"):
        launch.train("commons_iterative", [*TINY, source, f"run_dir={tmp_path / 'run'}"])


def test_other_people_than_before_are_refused(whole: Path, tmp_path: Path) -> None:
    shutil.copytree(whole, tmp_path / "run")
    manifest = tmp_path / "run" / "iterations" / "1" / "acquire" / "manifest.json"
    told = json.loads(manifest.read_text())
    told["told"]["population_hash"] = "0" * 64
    manifest.write_text(json.dumps(told))
    (tmp_path / "run" / "summary.json").unlink()
    with pytest.raises(RunError, match="was begun with other people"):
        launch.resume(tmp_path / "run")
