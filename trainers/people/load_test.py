"""``lawgiver experiment bots``: a study with programs in place of people, and how fast its server answers them."""

from __future__ import annotations

import asyncio
import ipaddress
import multiprocessing
import resource
import socket
import tempfile
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from lawgiver.envs.core.errors import ParameterError, integer
from lawgiver.envs.core.make import make_policy
from lawgiver.trainers.people.bots import Bot, PolicyChooser, Tally, all_take_part
from lawgiver.trainers.people.http_client import Client
from lawgiver.trainers.people.serve import Server, listening
from lawgiver.trainers.people.serve_study import opened_study
from lawgiver.trainers.people.server import make_application
from lawgiver.trainers.people.settings import StudyConfig
from lawgiver.trainers.people.study import Study, make_study, read_study
from lawgiver.trainers.people.study_routes import study_routes
from lawgiver.trainers.runs.config import checked, read_mapping

QUANTILES = (0.5, 0.95, 0.99)
NO_LIMIT = 10**6
"""People who may come in within a minute."""


@dataclass(frozen=True)
class LoadTest:
    """The course of a study with programs.

    Attributes:
        groups: that ended.
        tally: what the bots did.
        errors: of bots that could not go on.
        seconds: that it took.
        cpu_s: of the server's processor; None for a server that was not started for it.
        memory_mb: the most that the server had, likewise.
    """

    groups: int
    tally: Tally
    errors: tuple[str, ...]
    seconds: float
    cpu_s: float | None
    memory_mb: float | None

    def latency(self, method: str) -> dict[float, float]:
        """Compute the ``QUANTILES`` of the seconds until an answer to ``GET`` or ``POST``; none if none was sent."""
        taken = self.tally.log.seconds[method]
        return dict(zip(QUANTILES, np.quantile(taken, QUANTILES).tolist(), strict=True)) if taken else {}


def load_test(
    path: str | Path,
    groups: int = 100,
    think_s: float = 0.0,
    people: str | None = None,
    vanish: float = 0.0,
    address: str | None = None,
    seed: int = 0,
) -> LoadTest:
    """Let programs take part in a study.

    Args:
        path: the study's YAML file.
        groups: number of groups.
        think_s: mean time before each answer, in seconds; it is uniform between half and one and a half of it.
        people: their policy; ``autoplay`` of the study by default.
        vanish: share of them who close the page at some decision of the first game, in [0, 1].
        address: of a server of this machine that serves the study; None to serve it from one that is thrown away.
        seed: of everything that the programs draw.

    Raises:
        ParameterError: if a setting is wrong, the address is one of another machine, or nobody answers there.
        LawgiverError: if the study or the policy cannot be made.
    """
    integer("groups", groups, 1)
    if not think_s >= 0:
        raise ParameterError(f"think is {think_s:g}, allowed: seconds, 0 or more")
    if not 0 <= vanish <= 1:
        raise ParameterError(f"vanish is {vanish:g}, allowed: a share from 0 to 1")
    study = read_study(path)
    policy = study.autoplay if people is None else make_policy(study.game, "participant", people)
    rng, tally, count = np.random.default_rng(seed), Tally(), groups * study.config.people
    first = max(2, study.game.max_steps // len(study.game.roles))

    def bot(number: int, host: str, port: int) -> Bot:
        own = np.random.default_rng([seed, number])
        vanishes = int(rng.integers(first)) if rng.random() < vanish else None
        chooser = PolicyChooser(study.game, policy, own)
        return Bot(study, Client(host, port, tally.log), chooser, tally, _link(number), think_s, vanishes, own)

    async def run(host: str, port: int) -> list[str]:
        return await all_take_part([bot(number, host, port) for number in range(count)])

    begun, cpu_s, memory_mb = time.perf_counter(), None, None
    if address is not None:
        errors = asyncio.run(run(*_loopback(address)))
        seconds = time.perf_counter() - begun
    else:
        with tempfile.TemporaryDirectory(prefix="bots") as folder:
            server = ServerProcess(path, {"database": str(Path(folder) / "study.sqlite"), "groups": groups})
            try:
                begun = time.perf_counter()
                errors = asyncio.run(run("127.0.0.1", server.port))
                seconds = time.perf_counter() - begun
                cpu_s, memory_mb = server.stop()
            finally:
                server.kill()
    ended = tally.ends["done"] // study.config.people
    return LoadTest(ended, tally, tuple(errors), seconds, cpu_s, memory_mb)


def _link(number: int) -> str:
    """Write what stands behind the address of a study for one who comes from Prolific."""
    return f"?PROLIFIC_PID={number:024x}"


def _loopback(address: str) -> tuple[str, int]:
    """Read the address of a server of this machine, which has to answer."""
    told = f"address is {address!r}, allowed: one of this machine, such as http://127.0.0.1:8000"
    try:
        found = urlsplit(address)
        host, port = found.hostname or "", found.port or 80
        own = found.scheme == "http" and ipaddress.ip_address("127.0.0.1" if host == "localhost" else host).is_loopback
    except ValueError as error:
        raise ParameterError(told) from error
    if not own:
        raise ParameterError(told)
    try:
        socket.create_connection((host, port)).close()
    except OSError as error:  # bots would ask again and again
        raise ParameterError(f"address is {address!r}, where nobody answers: {error.strerror}") from error
    return host, port


# -- a server of one's own --------------------------------------------------------------------------------------------

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload([__name__])


class ServerProcess:
    """A server of a study in a process of its own, to which programs may come.

    Args:
        path: the study's YAML file.
        changed: settings that are others, by key; ``database`` has to be among them.
        port: of 127.0.0.1; 0 for a free one.

    Attributes:
        port: of 127.0.0.1.
        cpu_s: seconds of the processor that it took to take up what the database holds.
    """

    def __init__(self, path: str | Path, changed: Mapping[str, Any], port: int = 0) -> None:
        self._pipe, its = _CONTEXT.Pipe()
        self._process = _CONTEXT.Process(target=_serve, args=(str(path), dict(changed), port, its), daemon=True)
        self._process.start()
        its.close()
        self.port, self.cpu_s = self._pipe.recv()

    def stop(self) -> tuple[float, float]:
        """Stop it; return the seconds of the processor since it began to serve, and the most memory, in MB."""
        self._pipe.send("stop")
        taken: tuple[float, float] = self._pipe.recv()
        self._process.join()
        return taken

    def kill(self) -> None:
        """Kill it at once, whatever it is doing."""
        self._process.kill()
        self._process.join()


def study_for_bots(path: str | Path, changed: Mapping[str, Any]) -> Study:
    """Read a study, with settings that let programs come in; others are changed as given."""
    ends = {"done": "D", "no_group": "N", "failed_quiz": "F", "left": "L", "full": "U", "broken": "B"}
    own = {"access": "prolific", "prolific": {"codes": ends}, "intake_per_min": NO_LIMIT, **changed}
    return make_study(checked(StudyConfig, {**read_mapping(Path(path), StudyConfig), **own}), Path(path))


def _serve(path: str, changed: Mapping[str, Any], port: int, pipe: Connection) -> None:
    """Serve until told to stop; tell the numbers that :class:`ServerProcess` returns."""
    study, begun = study_for_bots(path, changed), time.process_time()
    with opened_study(study) as experiment, listening(port) as own:
        server = Server(experiment, make_application(experiment, study_routes()))

        def stop() -> None:
            pipe.recv()
            server.should_exit = True

        threading.Thread(target=stop, daemon=True).start()
        pipe.send((own.getsockname()[1], time.process_time() - begun))
        begun = time.process_time()
        server.run([own])
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        pipe.send((time.process_time() - begun, memory))
