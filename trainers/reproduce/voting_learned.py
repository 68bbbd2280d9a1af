"""Learned voting rules on all profiles of a few voters, and on sampled profiles of many."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lawgiver.agents.ordinal_net import LearnedOrdinal
from lawgiver.envs.core.make import make_game
from lawgiver.envs.solvers.social_choice.frontier import Frontier
from lawgiver.envs.solvers.social_choice.orbits import orbits
from lawgiver.envs.voting.game import Voting
from lawgiver.trainers.ordinal.voting import LEARNED, counted, exactly, measured, named, ranked_rules
from lawgiver.trainers.reproduce.payment_free_points import Point, better, clear
from lawgiver.trainers.reproduce.runs import kept
from lawgiver.trainers.reproduce.table import Cell
from lawgiver.trainers.runs.loading import load
from lawgiver.trainers.runs.run import Run
from lawgiver.trainers.statistics.estimate import Estimate

PLAYED = (3, 5, 7, 9, 11)
"""Numbers of voters with which rules that are learned with seven are played."""
BOUNDS = (0.0, 0.005, 0.01, 0.02, 0.03, None)
"""Regrets at which the frontier is tabulated."""
FRONTIERS = ((3, 3), (5, 3), (7, 3), (3, 4))
"""Voters and alternatives for which it is."""
PROFILES, DEVIATORS, SEED = 4_000, 4, 1_001
"""Fresh profiles of many voters, the same for all rules, and voters of each who try every ballot."""


@dataclass(frozen=True)
class Kind:
    """Common part of the trainings of several seeds.

    Attributes:
        name: of them, such as ``weight 0.5``.
        overrides: of the config ``voting``.
        runs: one a seed.
    """

    name: str
    overrides: tuple[str, ...]
    runs: tuple[Run, ...] = ()


def frontier_rows() -> Iterator[dict[str, Cell]]:
    """Tabulate the greatest welfare by regret, and the least regret at the greatest of all."""
    for n, m in FRONTIERS:
        frontier = Frontier(n, m)
        found = {bound: frontier.best(bound).objective for bound in BOUNDS}
        yield {
            "voters, alternatives": f"{n}, {m}",
            "truthful": _digits(found[0.0]),
            **{f"regret {bound:g}": _digits(found[bound]) for bound in BOUNDS if bound},
            "any regret": _digits(found[None]),
            "least regret at that": _digits(frontier.least_regret(found[None]).regret),
        }


def corner_rows(frontier: Frontier) -> Iterator[dict[str, Cell]]:
    """Tabulate the corners of the frontier, and what a unit of regret is worth up to the next."""
    corners = frontier.corners()
    for corner, after in zip(corners, [*corners[1:], None], strict=True):
        price = None if after is None else (after.objective - corner.objective) / (after.regret - corner.regret)
        yield {
            "corner": f"regret {_digits(corner.regret)}",
            "welfare": _digits(corner.objective),
            "welfare for a unit of regret, from here on": "-" if price is None else f"{price:.3f}",
        }


def standing_rows(kinds: Sequence[Kind]) -> Iterator[dict[str, Cell]]:
    """Tabulate known rules and each seed's, with all profiles of the runs' game, beside the frontier."""
    rules = kinds[0].runs[0].summary["rules"]
    yield from (_standing(name.replace("_", " "), rules[name]) for name in rules if name != LEARNED)
    for kind in kinds:
        for seed, run in enumerate(kind.runs):
            yield _standing(f"learned, {kind.name}, seed {seed}", run.summary["rules"][LEARNED])


def _standing(name: str, found: Mapping[str, float]) -> dict[str, Cell]:
    return {
        "rule": name,
        **{key: _digits(found[key]) for key in ("welfare", "regret", "frontier")},
        "below it": f"{max(found['below'], 0.0):.1e}" if abs(found["below"]) >= 5e-7 else "0",
    }


def played_rows(kind: Kind, folder: Path) -> Iterator[dict[str, Cell]]:
    """Tabulate rules that were learned with one number of voters where they are played with others."""
    for n in PLAYED:
        for seed, run in enumerate(kind.runs):
            file = run.path / f"played_{n}.json"
            found = kept(file, {"n": n}, lambda run=run, n=n: exactly(orbits(n, 3), {LEARNED: _rule(run)}))  # type: ignore[misc]
            yield {"voters": str(n), **_standing(f"learned, seed {seed}", found["rules"][LEARNED])}
        known = kept(
            folder / f"minimax_{n}.json",
            {"n": n},
            lambda n=n: exactly(orbits(n, 3), {"minimax": named("minimax", 3, "share")}),  # type: ignore[misc]
        )
        yield {"voters": str(n), **_standing("minimax", known["rules"]["minimax"])}


def _rule(run: Run) -> Callable[[np.ndarray], np.ndarray]:
    mechanism: LearnedOrdinal = load(run.path, role="mechanism")
    return counted(mechanism)


def judged(kinds: Sequence[Kind], folder: Path) -> tuple[list[Point], list[Point]]:
    """Judge known and learned rules on the same fresh profiles of many voters; each is kept in a file.

    Returns:
        a point for each known rule, and for each kind of learned ones.
    """
    game: Any = kinds[0].runs[0].game()

    def of_known(name: str) -> Point:
        found = _judged(folder / f"{name}.json", game, lambda: named(name, game.m, "share"))
        return Point(name.replace("_", " "), *(np.array([found[key]]) for key in ("welfare", "regret")))

    def of_kind(kind: Kind) -> Point:
        each = [_judged(run.path / "judged.json", game, lambda run=run: _rule(run)) for run in kind.runs]  # type: ignore[misc]
        return Point(f"learned, {kind.name}", *(np.array([one[key] for one in each]) for key in ("welfare", "regret")))

    return [of_known(name) for name in ranked_rules(game)], [of_kind(kind) for kind in kinds]


def _judged(file: Path, game: Voting, rule: Callable[[], Callable[[np.ndarray], np.ndarray]]) -> dict[str, Any]:
    task = {"n": game.n, "m": game.m, "profiles": PROFILES, "deviators": DEVIATORS, "seed": SEED}

    def work() -> dict[str, Any]:
        rng = np.random.default_rng(SEED)
        types = make_game("voting", n=game.n, m=game.m).initial_state(PROFILES, rng).types
        return measured(types, {"": rule()}, DEVIATORS, rng)[""]

    return kept(file, task, work)


def large_rows(known: Sequence[Point], learned: Sequence[Point]) -> Iterator[dict[str, Cell]]:
    """Tabulate welfare and regret with intervals."""
    for point in (*known, *learned):
        yield {"rule": point.name, "welfare": _interval(point.y), "regret": _interval(point.x)}


def better_rows(known: Sequence[Point], learned: Sequence[Point]) -> Iterator[dict[str, Cell]]:
    """Tabulate by how much learned rules have more welfare, and less regret, than known ones on the same profiles."""
    for point in learned:
        for other in known:
            less, more = better(point, other)
            worse = [each.ends[1] < 0 for each in (less, more)]
            if clear(less) and clear(more):
                verdict = "better in both"
            elif all(worse):
                verdict = "worse in both"
            else:
                verdict = "trades one for the other" if any(map(clear, (less, more))) and any(worse) else "not clear"
            yield {
                "learned": point.name.removeprefix("learned, "),
                "known": other.name,
                "more welfare": _interval(more),
                "less regret": _interval(less),
                "the learned rule is": verdict,
            }


def _interval(found: Estimate) -> str:
    low, high = found.ends
    return f"{found.mean:.5f} [{low:.5f}, {high:.5f}]"


def _digits(value: float) -> str:
    return f"{round(value, 5) + 0.0:.5f}"
