"""The tables of a run of HCMD-zero: votes, the meta-game, convergence, and the models of each iteration."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from lawgiver.trainers.statistics.estimate import Estimate, confidence
from lawgiver.trainers.tables.cells import Table, cell, percent
from lawgiver.trainers.tables.votes import nash_weight, vote_shares


def tables_of(numbers: Mapping[str, Any]) -> Iterator[Table]:
    """Tabulate the summary or the evaluation of a run of HCMD-zero, except plain numbers."""
    yield from vote_shares(numbers)
    for key, table in {"meta_game": meta_game, "convergence": convergence, "virtual_participants": chosen}.items():
        if isinstance(numbers.get(key), Mapping):
            yield table(numbers[key])


def meta_game(game: Mapping[str, Any]) -> Table:
    """Tabulate the vote shares of a run's mechanisms against each other, numbered."""
    if not {"names", "shares", "errors"} <= game.keys():  # over seeds that had others, or another number of them
        return Table("meta_game", {}, ("meta_game",))
    error = 100 * max(max(row) for row in game["errors"])
    numbered = [f"{place} {name}" for place, name in enumerate(game["names"], 1)]
    level = confidence(game["nash"].values())
    rows = {
        name: {str(other + 1): "" if row == other else f"{100 * share:.1f}" for other, share in enumerate(shares)}
        | {f"Nash [{level}]": nash_weight(game["nash"][game["names"][row]])}
        for row, (name, shares) in enumerate(zip(numbered, game["shares"], strict=True))
    }
    title = f"meta_game: % of the votes of row against column; standard errors up to {error:.1f}"
    return Table(title, rows, ("meta_game",))


def convergence(found: Mapping[str, Mapping[str, Any]]) -> Table:
    """Tabulate the convergence of each iteration; - where seeds disagree."""
    answers: dict[Any, str] = {True: "yes", False: "no"}
    edges = f"edge (% of the votes) [{confidence(each.get('edge') for each in found.values())}]"
    rows = {
        f"iteration {iteration}": {
            "converged": each.get("verdict") or answers.get(each.get("converged"), "-"),
            edges: percent(each.get("edge")),
            "reason": each.get("reason", "-"),
        }
        for iteration, each in found.items()
    }
    return Table("convergence", rows, ("convergence",))


def chosen(found: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> Table:
    """Tabulate the sizes and penalties of virtual participants that were chosen in each iteration."""
    rows = {
        f"iteration {iteration}": {
            kind: ", ".join(
                f"{key} {_choice(value)}" for key, value in each.items() if key not in ("held_out", "fitted")
            )
            for kind, each in kinds.items()
        }
        for iteration, kinds in found.items()
    }
    return Table("virtual_participants", rows, ("virtual_participants",))


def _choice(value: Any) -> str:
    """Format a choice; over several seeds, those of each unless all are the same."""
    values = value.values or () if isinstance(value, Estimate) else [value]
    return "|".join(map(cell, values[:1] if all(item == values[0] for item in values) else values))
