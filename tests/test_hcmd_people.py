"""HCMD-zero that learns from people: it stops for them, and learns what it would have from the same choices."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from played_study import PlayedStudy, as_recorded, missing, written
from safetensors.numpy import load_file

from lawgiver.agents.learned import save_policy
from lawgiver.envs.core.make import make_game, make_policy
from lawgiver.trainers.cli import main
from lawgiver.trainers.elections.records.readers import read_records
from lawgiver.trainers.hcmd_zero import people
from lawgiver.trainers.hcmd_zero.people import waiting_study
from lawgiver.trainers.hcmd_zero.train import Loop
from lawgiver.trainers.people.bots import Bot, Tally, all_take_part, filled
from lawgiver.trainers.people.http_client import Client
from lawgiver.trainers.people.study import read_study
from lawgiver.trainers.runs import launch
from lawgiver.trainers.runs.atomic_files import RunError
from lawgiver.trainers.runs.ray_cluster import REPRODUCIBLE

QUICK = (
    "game.n_rounds=3",
    "trainer.acquire.groups=[12,12]",
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
    "trainer.evaluation.rivals=[libertarian]",
    "trainer.evaluation.populations={}",
    "agents.mechanism.n_units=4",
)
PEOPLE = """\
people: 4
autoplay: simulated_people
access: open
texts: {consent: consent.md, contact: nobody}
"""


@pytest.fixture
def ended(monkeypatch, capsys):
    """Run a command; return its exit code, and the last line of what it says."""
    for key, value in REPRODUCIBLE.items():
        monkeypatch.setenv(key, value)

    def run(*arguments: str) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["lawgiver", *arguments])
        with pytest.raises(SystemExit) as stop:
            main()
        said = capsys.readouterr()
        return int(stop.value.code or 0), (said.err if stop.value.code else said.out).splitlines()[-1]

    return run


@dataclass
class Recorded:
    """A person who does what is recorded of their group and seat; in the game after the vote, they give nothing."""

    records: Any

    def decide(self, page: Any) -> dict[str, Any]:
        """Return the fields of a decision."""
        episode, played = page["episode"], page["view"]["round"] - 1
        after_vote = episode == self.records.contributions.shape[1]
        given = 0 if after_vote else self.records.contributions[page["group"], episode, played, page["seat"]]
        return filled(page["view"]["form"], given)

    def vote(self, page: Any) -> int:
        """Return the episode of a vote."""
        return int(self.records.votes[page["group"], page["seat"]])


def serve_bots(run: Path, records: Any) -> None:
    """Serve the study that waits in a run to bots who do what is recorded, until it is complete."""
    command = [sys.executable, "-m", "lawgiver", "experiment", "serve", str(run), "--port", "0", "--until-complete"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        port = int(server.stdout.readline().rpartition("/join")[0].rpartition(":")[2])
        study, tally = read_study(waiting_study(run)), Tally()
        seats = records.endowments.size
        bots = [Bot(study, Client("127.0.0.1", port, tally.log), Recorded(records), tally) for _ in range(seats)]
        try:
            assert asyncio.run(all_take_part(bots)) == []
            assert tally.ends == {"done": seats} and tally.refused == 0
            assert server.wait(60) == 0
        finally:
            server.kill()  # else one that is not complete would be waited for


@pytest.fixture(scope="module")
def simulated(tmp_path_factory) -> Path:
    """A run of two iterations that learns from simulated people."""
    folder = tmp_path_factory.mktemp("simulated") / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(launch, "_draw", lambda run, summary: None)
        launch.train("hcmd_zero_quick", [*QUICK, f"run_dir={folder}"])
    return folder


def simulated_records(simulated: Path, iteration: int) -> Any:
    return read_records(simulated / f"iterations/{iteration}/acquire/records.parquet", votes="required")


def test_what_people_teach_is_what_the_same_choices_of_simulated_people_do(simulated, tmp_path, undrawn, ended):
    study, run = written(tmp_path, PEOPLE), tmp_path / "run"
    resume = f"lawgiver experiment serve {run}, then lawgiver train --resume {run}"
    done = ended("train", "hcmd_zero_quick", *QUICK, f"trainer.acquire.people={study}", f"run_dir={run}")
    assert done == (3, f"lawgiver: iteration 1 waits for 12 groups: {resume}")
    assert ended("train", "--resume", str(run)) == done, "nobody has played yet"
    study.unlink()  # what the iteration needs is in the run
    serve_bots(run, simulated_records(simulated, 1))
    (tmp_path / "study.yaml").write_text(PEOPLE)
    done = ended("train", "--resume", str(run))
    assert done == (3, f"lawgiver: iteration 2 waits for 12 groups: {resume}")
    serve_bots(run, simulated_records(simulated, 2))
    assert ended("train", "--resume", str(run)) == (0, f"run: {run}")
    for iteration in (1, 2):
        found, expected = (
            pq.read_table(each / f"iterations/{iteration}/acquire/records.parquet") for each in (run, simulated)
        )
        assert found.equals(expected)
        weights, same = (
            load_file(each / f"iterations/{iteration}/optimise/mechanism/weights.safetensors")
            for each in (run, simulated)
        )
        assert list(weights) == list(same) and all(np.array_equal(weights[name], same[name]) for name in weights)
    summary, expected = (json.loads((each / "summary.json").read_text()) for each in (run, simulated))
    told = summary["acquired"]["1"]
    assert told["groups_begun"] == 12 and told["study_hash"] != summary["acquired"]["2"]["study_hash"]
    assert summary["population_hash"] != expected["population_hash"]
    for key in ("vote_share", "meta_game", "convergence", "cross_entropy", "virtual_participants"):
        assert summary[key] == expected[key], key
    with pytest.raises(RunError, match="no iteration waits for people"):
        waiting_study(run)


def test_a_run_goes_on_with_fewer_groups_if_they_are_enough(simulated, tmp_path, undrawn, ended):
    study, run = written(tmp_path, PEOPLE), tmp_path / "a run"
    assert ended("train", "hcmd_zero_quick", *QUICK, f"trainer.acquire.people={study}", f"run_dir={run}")[0] == 3
    assert waiting_study(run) == run / "iterations/1/people/study.yaml"
    with PlayedStudy(read_study(waiting_study(run))) as played:
        played.play(0, as_recorded(simulated_records(simulated, 1), 0))
    begin = "lawgiver: iteration 1: 1 of 1 groups are valid, allowed: 12 valid ones or more; go on with lawgiver"
    code, told = ended("train", "--resume", str(run))
    assert (code, told) == (2, f"{begin} experiment serve '{run}', then lawgiver train --resume '{run}'")
    with PlayedStudy(read_study(waiting_study(run))) as played:
        for number in (1, 2):
            played.play(number, as_recorded(simulated_records(simulated, 1), number))
        played.play(3, lambda group: None)
    code, told = ended("train", "--resume", str(run))
    assert code == 2 and told.startswith(
        "lawgiver: iteration 1: 3 of 4 groups are valid (1 in_play), allowed: 12 valid"
    )
    assert told.endswith(f", or lawgiver train --resume '{run}' trainer.acquire.enough=3")
    code, told = ended("train", "--resume", str(run), "trainer.acquire.enough=3")
    assert code == 3 and told.startswith("lawgiver: iteration 2 waits for 3 groups: ")
    assert len(read_records(run / "iterations/1/acquire/records.parquet")) == 3


def test_a_run_that_waits_looks_for_people_until_there_are_enough(simulated, tmp_path, undrawn, monkeypatch, caplog):
    study, run, looks = written(tmp_path, PEOPLE), tmp_path / "run", []

    def sleep(seconds: float) -> None:
        """Let one more group play in each pause; the third one is not valid."""
        looks.append(seconds)
        with PlayedStudy(read_study(waiting_study(run))) as played:
            number = len(looks) - 1
            act = as_recorded(simulated_records(simulated, 1), number)
            played.play(number, missing(0, "play.0.2", act) if number == 2 else act)
        if len(looks) == 4:
            monkeypatch.setattr(people.time, "sleep", lambda seconds: pytest.fail("there are three valid groups"))

    monkeypatch.setattr(people.time, "sleep", sleep)
    monkeypatch.setattr(Loop, "_model", lambda loop, folder, iteration: 1 / 0)  # the next step
    settings = [f"trainer.acquire.people={study}", "trainer.acquire.wait=true", "trainer.acquire.enough=3"]
    with caplog.at_level("INFO", "lawgiver"), pytest.raises(ZeroDivisionError):
        launch.train("hcmd_zero_quick", [*QUICK, *settings, f"run_dir={run}"])
    assert looks == [10.0] * 4
    assert f"iteration 1 waits for 3 groups: lawgiver experiment serve {run}" in caplog.text
    assert len(read_records(run / "iterations/1/acquire/records.parquet")) == 3


def test_data_without_votes_teach_nothing_of_what_people_vote_for(simulated, tmp_path, undrawn, ended):
    study, run = written(tmp_path, PEOPLE + "valid: {need_votes: false}\n"), tmp_path / "run"
    given = (f"trainer.acquire.people={study}", "trainer.acquire.enough=2")
    assert ended("train", "hcmd_zero_quick", *QUICK, *given, f"run_dir={run}")[0] == 3
    with PlayedStudy(read_study(waiting_study(run))) as played:
        for number in range(2):
            act = as_recorded(simulated_records(simulated, 1), number)
            played.play(number, lambda group, act=act: group.expire(group.at) if group.stage == "vote" else act(group))
    code, told = ended("train", "--resume", str(run))
    assert code == 2 and "study.sqlite: somebody has voted in 0 groups so far, allowed: at least 2" in told


def test_a_study_in_a_run_needs_no_file_but_policies_beside_it(tmp_path):
    """Texts are copied into the run, a policy's folder beside the user's file is named by its whole path."""
    game = make_game("public_investment")
    rule = make_policy(game, "mechanism", "graph_network")
    (tmp_path / "lab").mkdir()
    save_policy(tmp_path / "lab/mine", rule)
    file = written(tmp_path / "lab", PEOPLE + "practice: {rounds: 1, mechanism: mine}\n")
    study = people.study_of_people(file, {"name": "public_investment"}, 7, 3, "random")
    people.write_study(tmp_path / "run", study, rule)
    (tmp_path / "lab/consent.md").unlink()
    found = read_study(tmp_path / "run/study.yaml")
    assert found.texts.sources == {"consent": "Do you agree?"} and found.config.groups == 7 and found.config.seed == 3
    assert found.config.practice.mechanism == str(tmp_path / "lab/mine")
    assert found.orders == (("mechanism", "mechanism"),) and found.database == tmp_path / "run/study.sqlite"


@pytest.mark.parametrize(
    ("file", "given", "told"),
    [
        (PEOPLE, ["trainer.acquire.source=."], "source and people are both given, allowed: one of them"),
        (None, ["trainer.acquire.wait=true"], "wait is given without people, allowed: with it"),
        (None, ["trainer.acquire.enough=3"], "enough is given without people, allowed: with it"),
        (PEOPLE + "seed: 3\n", [], "study.yaml has 'seed', allowed in trainer.acquire.people: all keys of a study but"),
        (PEOPLE + "game: {name: lanes}\n", [], "study.yaml has 'game', allowed"),
        (PEOPLE + "database: other.sqlite\n", [], "database is 'other.sqlite', allowed: study.sqlite, in the run's"),
        (PEOPLE.replace("people: 4", "people: 5"), [], "people is 5, allowed: up to 4"),
        (PEOPLE.replace("consent.md", "missing.md"), [], "missing.md"),
        (PEOPLE + "colour: red\n", [], "colour"),
        (PEOPLE, ["trainer.acquire.people=nowhere.yaml"], "nowhere.yaml"),
    ],
)
def test_what_cannot_be_learned_from_people_is_said_before_anything_is_trained(tmp_path, ended, file, given, told):
    settings = [] if file is None else [f"trainer.acquire.people={written(tmp_path, file)}"]
    by_key = {setting.partition("=")[0]: setting for setting in (*settings, *given)}
    code, said = ended("train", "hcmd_zero_quick", *QUICK, *by_key.values(), f"run_dir={tmp_path / 'run'}")
    assert code == 2 and told in said and not (tmp_path / "run").exists()


def test_a_study_that_was_changed_in_the_run_is_refused(tmp_path, undrawn, ended):
    study, run = written(tmp_path, PEOPLE), tmp_path / "run"
    assert ended("train", "hcmd_zero_quick", *QUICK, f"trainer.acquire.people={study}", f"run_dir={run}")[0] == 3
    with (run / "iterations/1/people/study.yaml").open("a") as file:
        file.write("intake_per_min: 3\n")
    code, told = ended("train", "--resume", str(run))
    assert code == 2 and told.endswith("study.yaml is damaged: its content is not what was written")


def test_a_study_of_people_who_would_be_others_in_the_middle_of_a_run_is_refused(tmp_path, undrawn, ended):
    study, run = written(tmp_path, PEOPLE), tmp_path / "run"
    assert ended("train", "hcmd_zero_quick", *QUICK, f"trainer.acquire.people={study}", f"run_dir={run}")[0] == 3
    written(tmp_path, PEOPLE, pay='{per_point: "0.02"}')
    code, told = ended("train", "--resume", str(run))
    assert code == 2 and "was begun with other people" in told
