"""Load of the server of a study: processor time of a decision, latency, memory, and how long it takes up a database.

    OMP_NUM_THREADS=1 python benchmarks/people_server.py

Programs take part over HTTP in a study of public investment, four in each group, from consent to the last question: a
game under each of two mechanisms, a vote, and a third game. They read JSON. `with pages` asks, after every answer that
is sent, for the page in HTML as well, as a browser does. Processor time is that of the server alone, over everything
from the first request to the last, divided by the decisions; the programs run in a process of their own on the same
machine, whose load average is printed, because wall-clock times depend on it. SQLite writes to the disk, synced.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lawgiver.trainers.cli.throughput import machine
from lawgiver.trainers.people.bots import Bot, PolicyChooser, Tally, all_take_part
from lawgiver.trainers.people.http_client import Answer, Client
from lawgiver.trainers.people.load_test import LoadTest, ServerProcess, study_for_bots

STUDY = """\
game: {name: public_investment, endowments: [[10, 2, 2, 2], [10, 4, 4, 4], [10, 10, 10, 10]]}
mechanisms: [libertarian, strict_egalitarian]
people: 4
autoplay: simulated_people
groups: 1
access: open
texts: {consent: consent.md, contact: nobody}
"""
PATIENT = {"decide_s": 3600, "first_s": 3600, "vote_s": 3600, "ready_s": 600, "present_s": 600, "wait_min": 60}
ROW = "{:34} {:>6} {:>9} {:>8} {:>7} {:>7} {:>7} {:>7} {:>6} {:>5} {:>5}"


@dataclass
class Browser(Client):
    """A client that also looks at the page after each answer."""

    async def ask(
        self,
        method: str,
        path: str,
        fields: Mapping[str, Any] | None = None,
        timed: bool = True,
        accept: str = "application/json",
    ) -> Answer:
        """Send a request, and after an answer that is sent ask for the page as people see it."""
        answer = await super().ask(method, path, fields, timed, accept)
        if method == "POST":
            page = await super().ask("GET", path, accept="text/html")
            assert page.status == 200 and page.body.startswith(b"<!doctype html>"), page
        return answer


def measure(folder: Path, groups: int, rounds: int, think_s: float, kind: type[Client] = Client) -> dict[str, Any]:
    """Let groups play a study; return the settings with which its database can be opened again."""
    (folder / "consent.md").write_text("Do you agree?")
    path = folder / "study.yaml"
    path.write_text(STUDY)
    game = {"name": "public_investment", "n_rounds": rounds, "endowments": [[10, 2, 2, 2], [10, 4, 4, 4]]}
    database = str(folder / f"{kind.__name__}_{groups}_{rounds}.sqlite")
    changed = {"game": game, "groups": groups, "time": PATIENT, "database": database}
    study, tally = study_for_bots(path, changed), Tally()
    server = ServerProcess(path, changed)

    def bot(number: int) -> Bot:
        rng = np.random.default_rng(number)
        client = kind("127.0.0.1", server.port, tally.log)
        chooser = PolicyChooser(study.game, study.autoplay, rng)
        return Bot(study, client, chooser, tally, f"?PROLIFIC_PID={number:024x}", think_s, None, rng)

    try:
        begun = time.perf_counter()
        errors = asyncio.run(all_take_part([bot(number) for number in range(4 * groups)]))
        seconds = time.perf_counter() - begun
        cpu_s, memory_mb = server.stop()
    finally:
        server.kill()
    assert not errors and tally.ends == {"done": 4 * groups}, (errors[:3], tally.ends)
    found = LoadTest(groups, tally, (), seconds, cpu_s, memory_mb)
    post, get = ([f"{1000 * value:.0f}" for value in found.latency(method).values()] for method in ("POST", "GET"))
    label = f"{groups} groups, {think_s:g} s to think{', with pages' if kind is Browser else ''}"
    cpu = f"{1000 * cpu_s / tally.decisions:.2f}"
    load = f"{os.getloadavg()[0]:.1f}"
    share = f"{100 * cpu_s / seconds:.0f} %"
    print(ROW.format(label, tally.decisions, cpu, share, *post[:2], *get[:2], f"{memory_mb:.0f}", load, len(errors)))
    return changed


def main() -> None:
    print(machine())
    cells = ("CPU ms/dec", "a core", "POST 50", "95 %", "GET 50", "95 %", "MB", "load", "faults")
    print(ROW.format("", "decis.", *cells))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        changed = measure(folder, 100, 10, 0.0)
        again = ServerProcess(folder / "study.yaml", changed)
        again.stop()
        print(f"the first database, of 12,000 decisions, is taken up again in {again.cpu_s:.2f} s of the processor")
        measure(folder, 10, 10, 0.0, Browser)
        measure(folder, 100, 4, 5.0)


if __name__ == "__main__":
    main()
