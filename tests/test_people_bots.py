"""People who are programs, over HTTP: they get what simulated people got, whatever happens to the server meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from played_study import written
from typer.testing import CliRunner

from lawgiver.envs.core.errors import LawgiverError
from lawgiver.envs.election.game import Election
from lawgiver.trainers.cli import app
from lawgiver.trainers.elections.records.recording import recorded_election
from lawgiver.trainers.elections.records.records import Records
from lawgiver.trainers.elections.records.table import write_table
from lawgiver.trainers.evaluation.vote_shares import hold
from lawgiver.trainers.hcmd_zero.acquire import acquire
from lawgiver.trainers.people.bots import Bot, Page, Tally, all_take_part
from lawgiver.trainers.people.export import write_recording
from lawgiver.trainers.people.http_client import Client
from lawgiver.trainers.people.load_test import ServerProcess, load_test, study_for_bots
from lawgiver.trainers.people.recorded import Recording, read_recording
from lawgiver.trainers.people.store import reading, rows
from lawgiver.trainers.people.tables import DECISION, EVENT, PERSON, VOTE

PATIENT = {"decide_s": 3600, "first_s": 3600, "vote_s": 3600, "ready_s": 600, "present_s": 600, "wait_min": 60}
"""Times that nobody runs out of."""


def study_file(folder: Path, mechanism: str, rounds: int, third_game: bool = False) -> Path:
    """Write a study in five conditions."""
    endowments = "[[10, 2, 2, 2], [10, 4, 4, 4], [10, 6, 6, 6], [10, 8, 8, 8], [10, 10, 10, 10]]"
    game = f"{{name: public_investment, n_rounds: {rounds}, endowments: {endowments}}}"
    return written(folder, game=game, mechanisms=f"[{mechanism}]", third_game=str(third_game).lower())


@dataclass(frozen=True)
class Simulated:
    """What simulated people did, and what they saw before each decision, (B, n, E, T, d)."""

    records: Records
    seen: np.ndarray


def simulated(path: Path, mechanism: str, groups: int) -> Simulated:
    """Let simulated people play the study."""
    study = study_for_bots(path, {})
    game, policy = study.game, study.mechanisms[mechanism]
    election = Election(base=study.config.game.model_dump())
    opening = game.initial_state_from(np.array(game.conditions, float)[np.arange(groups) % len(game.conditions)])
    in_turn = np.tile(np.arange(2), (groups, 1))
    state = hold(election, [policy, policy], opening, np.random.default_rng(3), in_turn)
    (records,) = recorded_election(election, state)
    assert np.array_equal(records.contributions, acquire(election, game, policy, groups, (3,)).contributions)
    first = game.observe(opening, "participant")
    after = election.experience(state)[..., : first.shape[-1]]
    before = np.broadcast_to(first[:, :, None, None], (*after.shape[:3], 1, first.shape[-1]))
    return Simulated(records, np.concatenate([before, after[:, :, :, :-1]], axis=3))


@dataclass
class AsSimulated:
    """Decides what somebody simulated did, and in a game after the vote by seat and round; compares what is seen."""

    simulated: Simulated
    differences: list[Page]

    def decide(self, page: Page) -> dict[str, int]:
        group, seat, episode, view = page["group"], page["seat"], page["episode"], page["view"]
        if episode >= self.simulated.records.contributions.shape[1]:
            return {"choice": (seat + view["round"]) % 3}
        if view["observation"] != self.simulated.seen[group, seat, episode, view["round"] - 1].tolist():
            self.differences.append(page)
        return {"choice": int(self.simulated.records.contributions[group, episode, view["round"] - 1, seat])}

    def vote(self, page: Page) -> int:
        return int(self.simulated.records.votes[page["group"], page["seat"]])


def let_play(study: Any, expected: Simulated, port: int, tally: Tally) -> list[Page]:
    """Let as many bots take part as there are people in the simulation; return what they saw otherwise than these."""
    groups, n = expected.records.votes.shape
    differences: list[Page] = []
    bots = [
        Bot(
            study,
            Client("127.0.0.1", port, tally.log),
            AsSimulated(expected, differences),
            tally,
            f"?PROLIFIC_PID={number:024x}",
        )
        for number in range(groups * n)
    ]
    assert asyncio.run(all_take_part(bots)) == []
    assert tally.ends == {"done": groups * n}
    return differences


def recording_of(path: Path, changed: dict[str, Any]) -> Recording:
    study = study_for_bots(path, changed)
    with reading(study.database) as engine:
        return read_recording(study, engine)


def assert_recorded_as_simulated(path: Path, changed: dict[str, Any], expected: Simulated, mechanism: str) -> None:
    """Compare the exported table with that of the simulation, bit for bit."""
    folder = path.parent / "out"
    folder.mkdir()
    found = write_recording(recording_of(path, changed), folder)
    assert found.valid == len(expected.records.votes)
    write_table(path.parent / "simulated.parquet", expected.records, mechanism)
    simulated_table = pq.read_table(path.parent / "simulated.parquet")
    assert pq.read_table(folder / "records.parquet").select(simulated_table.column_names).equals(simulated_table)


@pytest.mark.parametrize(("mechanism", "groups", "rounds"), [("libertarian", 100, 2), ("graph_network", 5, 3)])
def test_bots_get_what_simulated_people_got(tmp_path: Path, mechanism: str, groups: int, rounds: int) -> None:
    """Every observation that is served, and the table that is exported, are those of the simulation bit for bit."""
    path = study_file(tmp_path, mechanism, rounds)
    changed = {"database": str(tmp_path / "bots.sqlite"), "groups": groups, "time": PATIENT}
    expected, tally = simulated(path, mechanism, groups), Tally()
    server = ServerProcess(path, changed)
    try:
        differences = let_play(study_for_bots(path, changed), expected, server.port, tally)
        server.stop()
    finally:
        server.kill()
    assert differences == [] and tally.decisions == groups * 4 * 2 * rounds
    assert_recorded_as_simulated(path, changed, expected, mechanism)


class Fatal(list[float]):
    """A list of times of answers, which kills the server and starts it again when it has grown to some lengths."""

    def __init__(self, moments: list[int], kill: Callable[[], None]) -> None:
        super().__init__()
        self.moments, self.kill = sorted(moments, reverse=True), kill

    def append(self, taken: float) -> None:
        super().append(taken)
        while self.moments and len(self) >= self.moments[-1]:
            self.moments.pop()
            self.kill()


def survive(path: Path, database: str, groups: int, kills: int) -> None:
    """Let bots play while their server is killed at random moments, and compare what is recorded."""
    changed = {"database": database, "groups": groups, "time": PATIENT}
    rounds = study_for_bots(path, changed).game.n_rounds
    expected, tally = simulated(path, "libertarian", groups), Tally()
    servers = [ServerProcess(path, changed)]
    port = servers[0].port

    def kill() -> None:
        servers[-1].kill()
        servers.append(ServerProcess(path, changed, port))

    decisions = groups * 4 * 3 * rounds  # beside them are pages to be read: moments are spread over everything
    moments = np.random.default_rng(kills).choice(decisions + groups * 4 * 8, kills, replace=False).tolist()
    tally.log.seconds["POST"] = killed = Fatal(moments, kill)
    try:
        differences = let_play(study_for_bots(path, changed), expected, port, tally)
        servers[-1].stop()
    finally:
        servers[-1].kill()
    assert killed.moments == [] and len(servers) == kills + 1, "the moments lie within the session"
    assert differences == [] and tally.log.retries > 0
    assert_recorded_as_simulated(path, changed, expected, "libertarian")
    with reading(study_for_bots(path, changed).database) as engine:
        people, made, votes = rows(engine, PERSON), rows(engine, DECISION), rows(engine, VOTE)
        joined = [row.person_id for row in rows(engine, EVENT) if row.what == "joined"]
    assert len(people) == len(joined) == groups * 4, "who joined again came back"
    assert len({(row.group_id, row.seat) for row in people}) == groups * 4, "everybody is in one group, in one seat"
    assert sum(row.role == "participant" for row in made) == decisions and {row.source for row in votes} == {"person"}


def test_nothing_is_lost_or_counted_twice_when_the_server_is_killed(tmp_path: Path) -> None:
    survive(study_file(tmp_path, "libertarian", 3, third_game=True), str(tmp_path / "bots.sqlite"), groups=25, kills=20)


def test_nothing_is_lost_on_postgres_when_the_server_is_killed(tmp_path: Path, postgres: Callable[[], str]) -> None:
    survive(study_file(tmp_path, "libertarian", 3, third_game=True), postgres(), groups=8, kills=3)


# -- the command ------------------------------------------------------------------------------------------------------


def test_the_command_serves_a_study_to_bots_and_leaves_its_own_data_alone(tmp_path: Path) -> None:
    path = study_file(tmp_path, "libertarian", 2, third_game=True)
    printed = CliRunner().invoke(app, ["experiment", "bots", str(path), "--groups", "2"])
    assert printed.exit_code == 0, printed.output
    lines = {line.rpartition("  ")[0].strip(): line.split()[-1] for line in printed.output.splitlines() if line}
    assert (lines["groups that ended"], lines["decisions"], lines["errors"]) == ("2", "48", "0")
    assert not (tmp_path / "study.sqlite").exists()


def test_other_games_are_played_too(tmp_path: Path) -> None:
    path = written(tmp_path, game="{name: taxed_dilemma, continuation: 0.5}", people="2", autoplay="random")
    found = load_test(path, groups=2, people="random")
    assert (found.groups, found.errors, found.tally.refused) == (2, (), 0)


def test_a_group_goes_on_without_bots_that_vanish(tmp_path: Path) -> None:
    path = written(tmp_path, time="{decide_s: 0.2, first_s: 0.2, vote_s: 0.2}", dropout="{end_group_at: 4}")
    found = load_test(path, groups=1, vanish=1.0, seed=1)
    assert found.tally.ends == {"vanished": 4}


BAD = [
    ({"groups": 0}, "groups is 0"),
    ({"think_s": -1.0}, "think is -1, allowed: seconds, 0 or more"),
    ({"vanish": 1.5}, "vanish is 1.5, allowed: a share from 0 to 1"),
    ({"people": "nobody"}, "nobody"),
    ({"address": "http://example.org:8000"}, "allowed: one of this machine, such as http://127"),
    ({"address": "https://127.0.0.1:8000"}, "allowed: one of this machine"),
    ({"address": "127.0.0.1:8000"}, "allowed: one of this machine"),
    ({"address": "http://127.0.0.1:1"}, "where nobody answers: Connection refused"),
]


@pytest.mark.parametrize(("settings", "told"), BAD)
def test_bad_input_is_refused(tmp_path: Path, settings: dict[str, Any], told: str) -> None:
    with pytest.raises(LawgiverError, match=told) as error:
        load_test(study_file(tmp_path, "libertarian", 2), **settings)
    assert "\n" not in str(error.value)
