"""HCMD-zero end to end, tiny: what it leaves, that it can be interrupted anywhere, and what users may get wrong."""

import json
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

import lawgiver
from lawgiver.agents.learned import load_policy
from lawgiver.envs.core.errors import LawgiverError, MissingExtraError, ParameterError
from lawgiver.envs.core.make import make_game
from lawgiver.envs.files.json_text import plain
from lawgiver.trainers.elections.records.readers import read_records
from lawgiver.trainers.elections.records.records import Records, select
from lawgiver.trainers.elections.records.table import write_table
from lawgiver.trainers.elections.virtual_people.losses import cross_entropy
from lawgiver.trainers.evaluation.evaluate import evaluate
from lawgiver.trainers.hcmd_zero.acquire import provided
from lawgiver.trainers.hcmd_zero.judges import rivals
from lawgiver.trainers.runs import launch
from lawgiver.trainers.runs.atomic_files import RunError
from lawgiver.trainers.runs.config import load_config
from lawgiver.trainers.runs.run import Run

TINY = (
    "game.n_rounds=3",
    "game.endowments=[[10,2,2,2],[10,8,8,8]]",
    "trainer.acquire.groups=[12,10]",
    "trainer.model.sizes=[[4,2]]",
    "trainer.model.contribution_l2=[0.01]",
    "trainer.model.vote_l2=[0.3]",
    "trainer.model.epochs=3",
    "trainer.optimise.updates=3",
    "trainer.optimise.last_updates=4",
    "trainer.optimise.batch=20",
    "trainer.meta_game.games=10",
    "trainer.meta_game.most_games=60",
    "trainer.evaluation.games=4",
    "trainer.evaluation.rivals=[liberal_egalitarian,libertarian]",
    "trainer.evaluation.populations={coin: {voters: random}}",
    "agents.mechanism.n_units=4",
)
STEPS = ("0/optimise", "1/acquire", "1/model", "1/optimise", "2/evaluation")


def timeless(summary):
    """Return what must be the same whenever it is run; the source may change while the tests run."""
    return json.dumps(plain({k: v for k, v in summary.items() if k not in ("timing", "commit")}), sort_keys=True)


def game_of(run):
    return Run.open(run).game()


@pytest.fixture(scope="module")
def done(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("hcmd") / "run"
    launch.train("hcmd_zero", [*TINY, f"run_dir={folder}"])
    return folder


def test_summary_tells_what_was_found(done):
    summary = json.loads((done / "summary.json").read_text())
    conditions = {"10-2-2-2", "10-8-8-8", "pooled"}
    assert set(summary["vote_share"]) == {"liberal_egalitarian", "libertarian"}
    for by_population in summary["vote_share"].values():
        assert list(by_population) == ["simulated_people", "coin"]
        for by_condition in by_population.values():
            assert set(by_condition) == conditions
            assert all(0 <= told["low"] <= told["mean"] <= told["high"] <= 1 for told in by_condition.values())
    shares = np.array(summary["meta_game"]["shares"])
    assert shares.shape == (3, 3) and shares + shares.T == pytest.approx(1)
    assert sum(told["mean"] for told in summary["meta_game"]["nash"].values()) == pytest.approx(1)
    assert set(summary["meta_game"]["nash"]) == {"theta_0", "theta_1", "theta_2"}
    for told in summary["convergence"].values():
        assert told["converged"] == (told["verdict"] == "converged")
        assert told["edge"]["low"] <= told["edge"]["mean"] <= told["edge"]["high"] and told["edge"]["n"] <= 60
    assert np.shape(summary["cross_entropy"]["contributions"]) == np.shape(summary["cross_entropy"]["votes"]) == (2, 2)
    assert len(summary["population_hash"]) == 64 and summary["updates"] == 7
    assert {"wall_s", "updates_per_s", "acquire_s", "model_s", "optimise_s"} <= set(summary["timing"])
    entries = [json.loads(line) for line in (done / "metrics.jsonl").read_text().splitlines()]
    steps = [f"{entry['iteration_of_the_loop']}/{entry['step']}" for entry in entries]
    assert steps[:2] == ["0/optimise", "1/acquire"] and steps[-1] == "2/evaluation" and len(steps) == 10
    drawn = {path.name for path in (done / "figures").glob("*.png")}
    assert {"beach.png", "contributions.png", "cross_entropy.png", "meta_game.png"} <= drawn


def test_learned_mechanism_plays_and_competes(done):
    mechanism = lawgiver.load(done, role="mechanism")
    game = make_game("public_investment", endowments=(10, 4, 4, 4))
    state = game.initial_state_from(np.array([[10.0, 4, 4, 4]]))
    weights, _ = mechanism.outcome(game.observe(state, "mechanism"), None, None, None)
    assert weights.sum() == pytest.approx(1)


def test_people_play_twice_under_the_newest_mechanism(done):
    records = read_records(done / "iterations/1/acquire/records.parquet", votes="required", participants=4)
    assert records.contributions.shape == (12, 2, 3, 4)
    assert {tuple(row) for row in records.endowments.tolist()} == {(10, k, k, k) for k in (2, 8)}
    assert records.payouts.sum(axis=-1) == pytest.approx(1.6 * records.contributions.sum(axis=-1))


@pytest.mark.parametrize("last", STEPS)
def test_goes_on_from_the_last_finished_step(done, tmp_path, undrawn, last):
    """What a kill leaves is the steps that were finished, in their order, and perhaps half a folder beside them."""
    folder = tmp_path / "run"
    shutil.copytree(done, folder)
    entries = [json.loads(line) for line in (done / "metrics.jsonl").read_text().splitlines()]
    order = [f"{entry['iteration_of_the_loop']}/{entry['step']}" for entry in entries]
    for step in order[order.index(last) + 1 :]:
        shutil.rmtree(folder / "iterations" / step)
    (folder / "iterations" / f".{last.partition('/')[2]}.tmp").mkdir(exist_ok=True)
    (folder / "summary.json").unlink()
    before = {path: path.stat().st_mtime_ns for path in folder.glob("iterations/*/*/manifest.json")}
    _, summary = launch.resume(folder)
    assert timeless(summary) == timeless(json.loads((done / "summary.json").read_text()))
    assert all(path.stat().st_mtime_ns == time for path, time in before.items()), "nothing finished is done again"
    logged = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    assert [{k: v for k, v in e.items() if k != "timing"} for e in logged] == [
        {k: v for k, v in e.items() if k != "timing"} for e in entries
    ]


def test_same_seed_same_summary(done, tmp_path, undrawn):
    _, summary = launch.train("hcmd_zero", [*TINY, f"run_dir={tmp_path / 'again'}"])
    assert timeless(summary) == timeless(json.loads((done / "summary.json").read_text()))


def test_data_of_the_user_take_the_place_of_simulated_people(done, tmp_path, undrawn):
    data = tmp_path / "data"
    data.mkdir()
    first = read_records(done / "iterations/1/acquire/records.parquet")
    write_table(data / "D1.parquet", select(first, slice(0, 11)))
    run = tmp_path / "run"
    with pytest.raises(RunError, match=r"no data of iteration 2.*optimise/mechanism.*D2\.parquet.*--resume"):
        launch.train("hcmd_zero", [*TINY, f"trainer.acquire.source={data}", f"run_dir={run}"])
    write_table(data / "D2.parquet", select(first, slice(2, 12)))
    _, summary = launch.resume(run)
    entries = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert [entry["groups"] for entry in entries if entry["step"] == "acquire"] == [11, 10]
    assert "liberal_egalitarian" in summary["vote_share"]


def test_groups_without_votes_say_what_people_contribute(done, tmp_path, undrawn):
    """One blank vote, three groups without, and a table without the column: rows are used, votes that are there too."""
    records = read_records(done / "iterations/1/acquire/records.parquet")
    votes = np.maximum(records.votes, 0)
    votes[0, 0], votes[3:6] = -1, -1
    data = tmp_path / "data"
    data.mkdir()
    write_table(data / "D1.parquet", replace(records, votes=votes))
    none = replace(records, votes=np.full_like(votes, -1))
    write_table(data / "D2.parquet", none)
    run = tmp_path / "run"
    _, summary = launch.train("hcmd_zero", [*TINY, f"trainer.acquire.source={data}", f"run_dir={run}"])
    first, second = summary["acquired"]["1"], summary["acquired"]["2"]
    assert (first["groups"], first["groups_without_votes"], first["votes"], first["votes_missing"]) == (12, 3, 35, 13)
    assert (second["groups"], second["groups_without_votes"], second["votes"]) == (12, 12, 0)
    assert summary["cross_entropy"]["votes"][0][1] is None and summary["cross_entropy"]["votes"][1][0] > 0
    assert np.isfinite(summary["cross_entropy"]["contributions"]).all()


def test_data_without_any_votes_or_of_other_games_are_refused(done, tmp_path):
    records = read_records(done / "iterations/1/acquire/records.parquet")
    file, run = tmp_path / "D.csv", tmp_path / "a"
    rows = ["group,episode,round,participant,endowment,contribution,payout,vote"]
    for g, e, t, i in np.ndindex(*records.contributions.shape):
        given, paid = records.contributions[g, e, t, i], records.payouts[g, e, t, i]
        rows.append(f"{g},{e},{t},{i},{records.endowments[g, i]},{given},{paid},")
    file.write_text("\n".join(rows) + "\n")
    one = ["trainer.acquire.groups=[12]", f"trainer.acquire.source={file}"]
    with pytest.raises(LawgiverError, match="somebody has voted in 0 groups so far, allowed: at least 2"):
        launch.train("hcmd_zero", [*TINY, *one, f"run_dir={run}"])
    assert not (run / "iterations/1/acquire").exists(), "the file can be mended, and the run resumed"
    file.write_text("\n".join(row + "0" if index else row for index, row in enumerate(rows)) + "\n")
    with pytest.raises(LawgiverError, match="rounds"):
        launch.train("hcmd_zero", [*TINY, *one, "game.n_rounds=4", f"run_dir={tmp_path / 'b'}"])


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("trainer.acquire.source=/nowhere/at/all", "does not exist"),
        ("trainer.acquire.groups=[1]", "acquire.groups"),
        ("trainer.optimise.batch=21", "batch is 21"),
        ("game.mechanism_mode=announce", "allocate"),
        ("game.name=taxed_dilemma", "taxed_dilemma"),
        ("agents.participants=nobody", "nobody"),
        ("trainer.evaluation.rivals=[nobody]", "nobody"),
        ("trainer.evaluation.rivals=[libertarian,libertarian]", "'libertarian' twice"),
        ("trainer.evaluation.populations={some: {voters: nobody}}", "nobody"),
        ("trainer.evaluation.populations={simulated_people: {voters: random}}", "called from whom data are acquired"),
        ("game.endowments=[[40,40,40,40]]", "joint contributions"),
    ],
)
def test_wrong_settings_are_named_before_the_first_step(override, message, tmp_path):
    run = tmp_path / "run"
    run.mkdir()
    with pytest.raises(LawgiverError, match=message):
        launch.train("hcmd_zero", [*TINY, override, f"run_dir={run}"])
    assert not (run / "iterations").exists()


def test_without_nashpy_nothing_is_begun(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "nashpy", None)
    with pytest.raises(MissingExtraError, match="nashpy"):
        launch.train("hcmd_zero", [*TINY, f"run_dir={tmp_path / 'run'}"])
    assert not (tmp_path / "run").exists()


def test_runs_as_rivals_are_called_by_their_folders(done, tmp_path):
    game = make_game("public_investment", n_rounds=3, endowments=((10, 2, 2, 2), (10, 8, 8, 8)))
    same, own = tmp_path / "other/run", tmp_path / "hcmd_zero"
    shutil.copytree(done, same)
    shutil.copytree(done, own)
    assert list(rivals(["libertarian", str(done), str(same), str(own)], game)) == [
        "libertarian", "run", "run_2", "hcmd_zero_2",
    ]  # fmt: skip
    with pytest.raises(ParameterError, match="twice"):
        rivals([str(done), f"{done}/../run"], game)
    _, summary = launch.train(
        "hcmd_zero", [*TINY, f"trainer.evaluation.rivals=[{done},libertarian]", f"run_dir={tmp_path / 'new'}"]
    )
    assert list(summary["vote_share"]) == ["run", "libertarian"]
    drawn = {path.name for path in (tmp_path / "new/figures").glob("votes_*.png")}
    assert drawn == {"votes_run.png", "votes_libertarian.png"}


def test_groups_of_another_condition_are_refused(done, tmp_path):
    records = read_records(done / "iterations/1/acquire/records.parquet")
    other = records.endowments.copy()
    other[3] = 10, 9, 9, 9
    file, run = tmp_path / "D.parquet", tmp_path / "run"
    write_table(file, replace(records, endowments=other))
    own = ["trainer.acquire.groups=[12]", f"trainer.acquire.source={file}", f"run_dir={run}"]
    with pytest.raises(RunError, match=r"D\.parquet: endowments of group 3 are \(10, 9, 9, 9\), no condition"):
        launch.train("hcmd_zero", [*TINY, *own])
    seated = records.endowments[:, ::-1], records.contributions[..., ::-1], records.payouts[..., ::-1]
    turned = Records(*seated, records.votes[:, ::-1])
    write_table(file, turned)
    assert (provided(file, 1, game_of(done), tmp_path).endowments == turned.endowments).all(), "seats are as they are"


def test_rows_of_cross_entropies_are_models_and_columns_data(done):
    found, game = json.loads((done / "summary.json").read_text())["cross_entropy"], game_of(done)
    steps = [done / "iterations" / f"{s}" for s in (1, 2)]
    data = [read_records(step / "acquire/records.parquet", votes="required") for step in steps]
    models = {
        "contributions": [load_policy(step / "model/participants", game) for step in steps],
        "votes": [load_policy(step / "model/voters", game) for step in steps],
    }
    for kind, of_kind in models.items():
        first_on_second, second_on_first = cross_entropy(of_kind[0], data[1]), cross_entropy(of_kind[1], data[0])
        assert first_on_second != pytest.approx(second_on_first, rel=1e-3)
        assert found[kind][0][1] == pytest.approx(first_on_second)
        assert found[kind][1][0] == pytest.approx(second_on_first)


def test_evaluate_judges_the_whole_table_before_other_groups(done):
    found, summary = evaluate(done, games=400), Run.open(done).summary
    for rival, by_population in summary["vote_share"].items():
        assert found["vote_share"][rival].keys() == by_population.keys()
        for population, by_condition in by_population.items():
            anew = found["vote_share"][rival][population]
            assert anew.keys() == by_condition.keys() and anew != by_condition
            assert 0 < anew["pooled"].half < by_condition["pooled"].half, "400 elections say more than 8"
    lot = found["vote_share"]["libertarian"]["coin"]["pooled"]
    assert lot.mean == pytest.approx(0.5, abs=0.05), "who tosses a coin prefers nobody"
    assert set(found["groups"]["contributed"]) == {"hcmd_zero", "liberal_egalitarian"}


def test_killed_in_mid_step_a_run_ends_as_if_it_had_not_been(tmp_path, undrawn):
    killed = tmp_path / "killed"
    half = killed / "iterations/1/.model.tmp"
    code = f"""
import os, signal, sys
from lawgiver.trainers.runs import launch
from lawgiver.trainers.hcmd_zero.train import train
sys.modules[train.__module__].fit = lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL)
launch.train("hcmd_zero", {[*TINY, f"run_dir={killed}"]!r})
"""
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert process.returncode == -signal.SIGKILL, process.stderr
    assert half.exists() and not half.with_name("model").exists() and not (killed / "summary.json").exists()
    _, resumed = launch.resume(killed)
    _, whole = launch.train("hcmd_zero", [*TINY, f"run_dir={tmp_path / 'whole'}"])
    assert timeless(resumed) == timeless(whole)
    assert not half.exists()


def test_one_file_for_many_iterations_is_refused(done, tmp_path):
    file = done / "iterations/1/acquire/records.parquet"
    with pytest.raises(ParameterError, match="one file for 2 iterations"):
        launch.train("hcmd_zero", [*TINY, f"trainer.acquire.source={file}", f"run_dir={tmp_path / 'run'}"])


def test_a_mechanism_that_diverges_stops_the_run_and_keeps_what_was_finished(tmp_path):
    run = tmp_path / "run"
    kept = run / "iterations/1/last_good/mechanism"
    with pytest.raises(LawgiverError, match=f"diverged.*it is in {kept}"):
        launch.train("hcmd_zero", [*TINY, "trainer.optimise.learning_rate=1.0e38", f"run_dir={run}"])
    weights = [load_file(folder / "weights.safetensors") for folder in (kept, run / "iterations/0/optimise/mechanism")]
    assert weights[0].keys() == weights[1].keys()
    assert all(np.array_equal(weights[0][key], weights[1][key]) for key in weights[0])
    assert (run / "iterations/1/model").is_dir() and not (run / "iterations/1/optimise").exists()


def copied(done, folder):
    shutil.copytree(done, folder)
    return folder


def amend(file, change):
    """Change what a manifest says."""
    told = json.loads(file.read_text())
    change(told)
    file.write_text(json.dumps(told))


def test_a_run_is_not_continued_before_other_people(done, tmp_path, undrawn):
    run = copied(done, tmp_path / "run")
    amend(run / "iterations/0/optimise/manifest.json", lambda said: said["told"].update(population_hash="0" * 64))
    with pytest.raises(RunError, match=f"other people: their hash was {'0' * 64}"):
        launch.resume(run)
    assert (run / "metrics.jsonl").read_bytes() == (done / "metrics.jsonl").read_bytes()


def test_a_finished_run_is_judged_again_without_being_trained_again(done, tmp_path, undrawn):
    run = copied(done, tmp_path / "run")
    before = {path: path.stat().st_mtime_ns for path in run.glob("iterations/*/*/manifest.json")}
    judged = run / "iterations/2/evaluation/manifest.json"
    old = Run.open(done).summary
    _, summary = launch.resume(run, ["trainer.evaluation.populations={lot: {voters: random}}"])
    assert list(summary["vote_share"]["libertarian"]) == ["simulated_people", "lot"]
    people = [found["vote_share"]["libertarian"]["simulated_people"] for found in (old, summary)]
    assert people[0] == people[1]
    redone = [path for path, time in before.items() if path.stat().st_mtime_ns != time]
    assert redone == [judged]
    amend(judged, lambda said: said.pop("settings"))  # as runs left it that did not keep them
    amend(judged, lambda said: said["told"].update(vote_share={}))
    assert timeless(launch.resume(run)[1]) == timeless(summary)
    with pytest.raises(ParameterError, match=r"'trainer\.model\.epochs' cannot.*trainer\.evaluation\.\*"):
        launch.resume(run, ["trainer.model.epochs=4"])


def test_configs_of_runs_that_named_workers_are_read(done, tmp_path, undrawn):
    run = copied(done, tmp_path / "run")
    config = run / "config.yaml"
    config.write_text(config.read_text().replace("  optimise:\n", "  optimise:\n    workers: 0\n"))
    assert timeless(launch.resume(run)[1]) == timeless(json.loads((done / "summary.json").read_text()))
    with pytest.raises(ParameterError, match="workers"):
        launch.train("hcmd_zero", [*TINY, "trainer.optimise.workers=2", f"run_dir={tmp_path / 'new'}"])


def test_configs_of_runs_that_named_a_margin_are_read():
    found = load_config("hcmd_zero", ["trainer.meta_game.margin=0.02"])
    assert found.trainer.meta_game.worthwhile_gain == 0.02
    with pytest.raises(ParameterError, match="worthwhile_gain"):
        load_config("hcmd_zero", ["trainer.meta_game.worthwhile_gain=0"])


def test_learning_processes_share_the_batch(tmp_path):
    with pytest.raises(ParameterError, match="batch is 20, allowed: a multiple of 6, 2 conditions times 3 learning"):
        launch.train("hcmd_zero", [*TINY, "resources.num_learners=3", f"run_dir={tmp_path / 'a'}"])
    with pytest.raises(ParameterError, match="no Ray cluster there"):
        where = ["resources.num_learners=2", "resources.address=127.0.0.1:1"]
        launch.train("hcmd_zero", [*TINY, *where, f"run_dir={tmp_path / 'b'}"])


def test_time_is_that_of_all_processes_and_of_all_that_they_did(done, tmp_path, undrawn):
    timing = json.loads((done / "summary.json").read_text())["timing"]
    steps = sum(timing[f"{name}_s"] for name in ("acquire", "model", "optimise", "meta_game", "evaluation"))
    assert steps < timing["wall_s"]
    run = copied(done, tmp_path / "run")
    amend(run / "iterations/1/model/manifest.json", lambda said: said["clock"].update(wall_s=1e6))
    assert 1e6 < launch.resume(run)[1]["timing"]["wall_s"] < 2e6  # counted once


def test_a_relative_source_is_kept_in_full(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = load_config("hcmd_zero", ["trainer.acquire.source=data"])
    assert config.trainer.acquire.source == tmp_path / "data"
