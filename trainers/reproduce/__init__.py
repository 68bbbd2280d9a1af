"""Reproductions of papers' tables and figures: one module a paper, with ``reproduce(folder, n_seeds, jobs)``."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path

from lawgiver.envs.core.errors import UnknownNameError, allowed, integer
from lawgiver.envs.core.registry import require_extras
from lawgiver.trainers.reproduce.table import Reproduction
from lawgiver.trainers.runs.atomic_files import write_json

PAPERS = {
    "affine_maximisers": ("torch",),
    "auctions": ("torch", "solve", "bo", "rllib"),
    "commons": ("torch", "solve"),
    "dynamics": ("solve",),
    "hcmd_zero": ("torch", "solve"),
    "learned_aggregators": ("torch",),
    "overoptimisation": (),
    "payment_free": ("torch",),
    "preference_aggregation": ("solve",),
    "rmd": ("torch", "solve"),
    "two_sided_matching": ("torch", "solve"),
    "voting": ("torch", "solve"),
}
"""The modules of this package that reproduce a paper, by name, with the extras that they need."""


def find(name: str, *more: str) -> Callable[[Path, int, int], Reproduction]:
    """Find the function that reproduces a paper.

    Args:
        name: one of ``PAPERS``.
        more: extras that are needed besides the paper's own.

    Raises:
        UnknownNameError: if there is no such paper.
        MissingExtraError: naming all that is not installed and needed.
    """
    if name not in PAPERS:
        raise UnknownNameError(f"unknown paper {name!r}: {allowed(name, PAPERS)}")
    require_extras(f"reproduce {name}", *dict.fromkeys((*PAPERS[name], *more)))
    function: Callable[[Path, int, int], Reproduction] = import_module(f"{__name__}.{name}").reproduce
    return function


def reproduce(name: str, folder: str | Path | None = None, seeds: int = 3, jobs: int = 1) -> Reproduction:
    """Reproduce a paper's tables and figures; write table.json and the figures into a folder.

    Finished runs in the folder are reused, interrupted ones resumed.

    Args:
        name: one of ``PAPERS``.
        folder: of the runs and of what is made of them; None for ``runs/reproduce/<name>``.
        seeds: trainings of each kind, >= 1; standard errors over seeds need two.
        jobs: trainings at once, >= 1; more than one need Ray.

    Returns:
        the tables: ``.markdown()`` prints them, ``.sections`` are their rows, ``.figures`` the files that were drawn.

    Raises:
        LawgiverError: if the name or a number is wrong, or something cannot be written.
        Interrupted: if the user stops a training.

    Example:
        >>> import lawgiver
        >>> print(lawgiver.reproduce("payment_free", seeds=1).markdown())  # doctest: +SKIP
    """
    seeds, jobs = integer("seeds", seeds, 1), integer("jobs", jobs, 1)
    function = find(name, *(["rllib"] if jobs > 1 else []))
    folder = Path(folder or Path("runs/reproduce") / name)
    made = function(folder, seeds, jobs)
    write_json(folder / "table.json", made.data())
    return made
