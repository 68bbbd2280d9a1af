"""``lawgiver experiment serve``: a study on the web."""

from __future__ import annotations

import ipaddress
import os
import secrets
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager

from starlette.types import ASGIApp

from lawgiver.envs.core.errors import ParameterError, integer
from lawgiver.trainers.people.experiment import Experiment
from lawgiver.trainers.people.monitor import expected_pay
from lawgiver.trainers.people.monitor_page import beside, monitor_address, monitor_application
from lawgiver.trainers.people.restoring import restored
from lawgiver.trainers.people.serve import LOCAL, Server, listening, serve
from lawgiver.trainers.people.server import OWN_HOSTS, make_application
from lawgiver.trainers.people.store import open_study
from lawgiver.trainers.people.study import Study, read_study
from lawgiver.trainers.people.study_routes import study_routes


@contextmanager
def opened_study(study: Study, until_complete: bool = False) -> Iterator[Experiment]:
    """Open the database of a study, and take up what it holds.

    Raises:
        StoreError: if it cannot be used, is in use, or was begun for another study.
    """
    with closing(open_study(study)) as store:
        yield restored(study, store, until_complete=until_complete)


def serve_study(
    path: str | os.PathLike[str],
    host: str = LOCAL,
    port: int = 8000,
    behind_proxy: bool = False,
    until_complete: bool = False,
    monitor_port: int | None = None,
) -> None:
    """Serve a study until interrupted.

    Args:
        path: its YAML file.
        host: the address of this machine to listen at, in digits.
        port: its number; 0 for a free one.
        behind_proxy: whether people come through a proxy on this machine, which encrypts.
        until_complete: whether to end once enough groups are valid and everybody has ended.
        monitor_port: of this machine, for the page of the experimenter; 0 for a free one, None for no such page.

    Raises:
        ParameterError: if a setting is wrong, a port is taken, or other machines would reach a study that has
            placeholders or is open to everybody.
        StoreError: if the database cannot be used.
        LedgerError: if something could not be written.
        KeyboardInterrupt: if interrupted.
    """
    integer("port", port, 0, 65535)
    if monitor_port is not None:
        integer("monitor_port", monitor_port, 0, 65535)
    study = read_study(path)
    require_ready(study, host, behind_proxy)
    pay = None if monitor_port is None else expected_pay(study)  # takes seconds, in which nobody is to lose time
    with ExitStack() as stack:
        experiment = stack.enter_context(opened_study(study, until_complete))
        sockets = [stack.enter_context(listening(port, host))]
        address, number = sockets[0].getsockname()[:2]
        hosts = OWN_HOSTS if not is_public(host, behind_proxy) else ("*",)
        application: ASGIApp = make_application(experiment, study_routes(), hosts)
        if monitor_port is not None and pay is not None:
            sockets.append(stack.enter_context(listening(monitor_port)))
            token, own = secrets.token_urlsafe(24), sockets[1].getsockname()
            application = beside(application, monitor_application(experiment, pay, token, own[1]), own)
            print(f"monitor at {monitor_address(own[1], token)}", flush=True)
        print(f"study at http://{address}:{number}/join; stop with Ctrl-C", flush=True)
        serve(Server(experiment, application, behind_proxy), *sockets)


def is_public(host: str, behind_proxy: bool) -> bool:
    """Check whether other machines reach a server.

    Raises:
        ParameterError: if the address is none.
    """
    try:
        return behind_proxy or not ipaddress.IPv4Address(host).is_loopback
    except ValueError as error:
        raise ParameterError(f"host is {host!r}, allowed: an address such as 127.0.0.1 or 0.0.0.0") from error


def require_ready(study: Study, host: str, behind_proxy: bool) -> None:
    """Refuse to let other machines reach a study that is not ready for people.

    Raises:
        ParameterError: naming what is still to be written, or an access that is open.
    """
    if not is_public(host, behind_proxy):
        return
    if study.config.access == "open":
        raise ParameterError("access is 'open', allowed on a public host: prolific or codes")
    left = study.placeholders()
    if left:
        raise ParameterError(f"{', '.join(left)}: still placeholders, allowed on a public host: texts of your own")
