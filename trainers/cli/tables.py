"""What the command line prints: tables of summaries and rates."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, TypeGuard

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markdown import Markdown
from rich.table import Column, Table

from lawgiver.agents.naming import rule_text
from lawgiver.trainers.cli.cells import ERRORS, cell, has_error
from lawgiver.trainers.cli.glossary import ROWS, defined, meanings, mechanism_words, words
from lawgiver.trainers.cli.mechanism_tables import mechanism_tables

if TYPE_CHECKING:
    from lawgiver.trainers.tournament import Tournament

Columns = Mapping[str, Mapping[str, Any]]


def show(table: Table) -> None:
    """Print a table."""
    Console().print(table)


def show_markdown(text: str) -> None:
    """Print Markdown: laid out on a terminal, as it is into a file."""
    console = Console()
    console.print(Markdown(text) if console.is_terminal else text, markup=False, highlight=False, soft_wrap=True)


def show_rates(rates: Mapping[str, float], machine: Mapping[str, Any]) -> None:
    """Print throughputs, and the machine they were measured on."""
    table = _table("measured", ", ".join(f"{key} {value}" for key, value in machine.items()))
    table.add_column("value", justify="right")
    for key, rate in rates.items():
        table.add_row(key, f"{rate:,.0f}" if rate >= 100 else f"{rate:.3g}")
    show(table)


def show_tournament(held: Tournament, solved: Mapping[str, Any]) -> None:
    """Print who takes which share of the votes from whom, and what that amounts to."""
    table = _table("% of the votes of", f"{held.games:,} elections a pair; ± standard error over groups")
    for column in range(len(held.names)):
        table.add_column(f"against {column + 1}", justify="right")
    table.add_column("Nash % [95 %]", justify="right", no_wrap=True)
    for row, name in enumerate(held.names):
        cells = [
            "" if row == column else f"{100 * held.shares[row, column]:.1f} ±{100 * held.errors[row, column]:.1f}"
            for column in range(len(held.names))
        ]
        table.add_row(f"{row + 1} {name}", *cells, _nash(solved["nash_interval"][name]))
    show(table)
    for line in _verdicts(solved):
        Console().print(line, markup=False, highlight=False, soft_wrap=True)


def _nash(weight: Any) -> str:
    """Return a weight in the equilibrium with its interval; in words where it is anything from nothing to all."""
    if not isinstance(weight, Mapping) or weight["low"] is None:
        return _percent(weight)
    mean, low, high = (100 * weight[key] for key in ("mean", "low", "high"))
    return "tied [0, 100]" if high - low > 99.9 else f"{mean:.0f} [{low:.0f}, {high:.0f}]"


def _verdicts(solved: Mapping[str, Any]) -> Iterator[str]:
    """Yield what a meta-game amounts to, a line each."""
    kinds = solved["dominance"]
    shown = [f"{name} ({kind}ly)" for name, kind in kinds.items() if kind in ("strict", "weak")]
    open_ = [name for name, kind in kinds.items() if kind == "open"]
    yield f"dominant: {', '.join(shown) or 'none'}" + (f"; not told: {', '.join(open_)}" if open_ else "")
    yield f"beats every other by more than chance: {solved['condorcet_winner'] or 'none'}"
    if solved["cycle"]:
        yield f"cycle: {' beats '.join([*solved['cycle'], solved['cycle'][0]])}"
    if solved["ties"]:
        yield f"not told apart: {'; '.join(' and '.join(pair) for pair in solved['ties'])}"


def show_payoffs(solved: Mapping[str, Any]) -> None:
    """Print dominance, equilibria and fictitious play of a table of payoffs."""
    for player, kinds in solved["dominance"].items():
        if player == "column" and solved["symmetric"]:
            continue
        table = _table("strategy", "either player's" if solved["symmetric"] else f"the {player} player's")
        table.add_column("dominance")
        for number in range(1, len(solved["equilibria"]) + 1):
            table.add_column(f"Nash {number}" + (" row, column" if solved["symmetric"] else ""), justify="right")
        table.add_column("fictitious play", justify="right")
        for name, kind in kinds.items():
            both = ("row", "column") if solved["symmetric"] else (player,)
            cells = [
                ", ".join(_percent(found[one][name]) for one in both)
                for found in (*solved["equilibria"], solved["fictitious_play"])
            ]
            table.add_row(name, kind, *cells)
        show(table)
    lines = [
        f"Nash {number}: payoffs {found['row_payoff']:.4g}, {found['column_payoff']:.4g}; regret {found['regret']:.1g}"
        for number, found in enumerate(solved["equilibria"], 1)
    ]
    play = solved["fictitious_play"]
    lines.append(f"fictitious play: {play['rounds']:,} rounds, regret {play['regret']:.1g}; all mixtures in %")
    for line in lines:
        Console().print(line, markup=False, highlight=False, soft_wrap=True)


def show_audit(found: Mapping[str, Any]) -> None:
    """Print what an audit has found, as :meth:`lawgiver.trainers.audit.Audit.data` tells it."""
    games = f"{found['profiles']:,} profiles of {found['participants']} participants, effort {found['effort']}"
    added = "added: how much of the relative gain the last doubling of the effort has found"
    table = _table("misreporting", f"{games}; ± standard error; {added}")
    for column in ("mean gain", "largest", "relative", "largest", "added"):
        table.add_column(column, justify="right", no_wrap=True)
    for name, group in found["groups"].items():
        cells = [
            cell
            for gains in (group["absolute"], group["relative"])
            for cell in (f"{gains['mean']:.3g} ±{gains['se']:.1g}", f"{gains['max']:.3g}")
        ]
        table.add_row(name, *cells, f"{group['doubling']['relative']:.1g}")
    show(table)
    payoff, rational = found["truthful_payoff"], found["individual_rationality"]
    budget, payments = found["budget"], found["payments"]
    told = _table("if all tell the truth")
    told.add_column("")
    told.add_row("payoff", f"{payoff['mean']:.4g} ±{payoff['se']:.1g}, from {payoff['min']:.4g} to {payoff['max']:.4g}")
    told.add_row("payoffs below 0", f"{rational['share']:.1%}, mean violation {rational['mean_violation']:.4g}")
    told.add_row("taken by the mechanism a game", f"{budget['mean']:.4g}, standard deviation {budget['sd']:.4g}")
    told.add_row("games with a deficit", f"{budget['deficit_share']:.1%}")
    told.add_row("payment", f"{payments['mean']:.4g}, from {payments['min']:.4g} to {payments['max']:.4g}")
    told.add_row("payment by participant", ", ".join(f"{paid:.4g}" for paid in payments["by_participant"]))
    if found["envy"] is not None:
        envy = found["envy"]
        told.add_row("envy", f"{envy['mean']:.4g} ±{envy['se']:.1g}, up to {envy['max']:.4g}; {envy['share']:.1%} envy")
    show(told)
    say(_verdict(found))
    if not find_spec("torch"):
        say(
            "torch is not installed: no slopes were climbed, so that gains may be larger: pip install 'lawgiver[torch]'"
        )


def _verdict(found: Mapping[str, Any]) -> str:
    """Return whether any misreport that was tried pays, and the one that pays most."""
    worst = max((group["worst"] for group in found["groups"].values()), key=lambda example: float(example["gain"]))
    if worst["gain"] <= found["profitable_above"]:
        none = f"{found['profitable_above']:.2g} (1e-6 of the scale of payoffs)"
        return f"no profitable misreport above {none} among {found['misreports_tried']:,} tried"
    seat = worst["participant"]

    def fields(numbers: Mapping[str, list[Any]]) -> str:
        return ", ".join(f"{name} {' '.join(f'{x:.4g}' for x in values)}" for name, values in numbers.items())

    others = [
        fields({name: values[other] for name, values in worst["types"].items()})
        for other in range(found["participants"])
        if other != seat
    ]
    own = fields({name: values[seat] for name, values in worst["types"].items()})
    return (
        f"worst example: participant_{seat} of {own} gains {worst['gain']:.4g} on {worst['truthful_payoff']:.4g} by"
        f" reporting {fields(worst['report'])}; the others are of {'; '.join(others) or 'none'}"
        f" ({found['misreports_tried']:,} misreports tried)"
    )


def show_summary(summary: Mapping[str, Any]) -> None:
    """Print a summary, also one over seeds: the learned rule, tables with titles, single numbers, and alarms."""
    numbers = summary.get("aggregate", summary)
    if isinstance(numbers.get("rule"), Mapping):
        say(f"learned rule: {rule_text(numbers['rule'])}")
    seeds = len(summary["runs"]) if "aggregate" in summary and "runs" in summary else None
    of = f"; means over {seeds} seeds" if seeds else ""
    told = {"rule", "populations", "reasons", "robustness", "all_conditions", "by_condition", "updates", *ALONE}
    for table in mechanism_tables(numbers):
        if table.rows:
            _show_cells(table.rows, table.title + of, table.caption)
        told |= set(table.told)
    told -= {"updates"} if not isinstance(numbers.get("updates"), Mapping) or _is_value(numbers["updates"]) else set()
    left = {key: value for key, value in numbers.items() if key not in told}
    _show_columns({key: value for key, value in left.items() if key != "timing" and _is_column(value)}, of=of)
    for name, value in left.items():
        if name in OWN_TABLES and isinstance(value, Mapping):
            OWN_TABLES[name](value)
        elif name != "timing" and _is_table(value):
            _show_columns(value, words(name), of=of)
    _show_conditions(numbers.get("by_condition") or [])
    _show_singles(left, numbers, of)
    for line in _elsewhere(numbers):
        say(line)
    for line in _alarms(summary.get("alarms")):
        say(line)


ALONE = ("config", "seed", "commit", "versions", "alarms", "runs", "interval")
"""What the title of the last table tells, or a line of its own."""


def say(line: str) -> None:
    """Print a line as it is."""
    Console().print(line, markup=False, highlight=False, soft_wrap=True)


def _alarms(alarms: Any) -> Iterator[str]:
    """Yield a line an alarm, of one run (a list) or of several seeds (lists by seed)."""
    by_seed = alarms if isinstance(alarms, Mapping) else {None: alarms or []}
    for seed, found in by_seed.items():
        of = "" if seed is None else f" (seed {seed})"
        yield from (f"alarm{of}: {alarm}" for alarm in found)


def _show_conditions(conditions: Sequence[Mapping[str, Any]]) -> None:
    """Print what several conditions come to, a row each."""
    if len(conditions) < 2:
        return
    objective = next(iter(key for key, value in conditions[0].items() if isinstance(value, Mapping)), None)
    if objective is None:
        return
    rows = {
        ", ".join(map(str, condition.get("endowments", ()))): {
            mechanism_words(name): cell(value) for name, value in condition[objective].items()
        }
        | {words(key): cell(condition[key]) for key in ("gap_closed", "reachable_gap_closed") if key in condition}
        for condition in conditions
    }
    _show_cells(rows, f"{words(objective)} a round, by endowments (points)".capitalize(), defined([objective]))


def _elsewhere(numbers: Mapping[str, Any]) -> Iterator[str]:
    """Yield what is not known and why, and where else the learned mechanism is ahead: other people and endowments."""
    where = "in summary.json"
    yield from (f"not known: {name}: {reason}" for name, reason in (numbers.get("reasons") or {}).items())
    others = numbers.get("robustness")
    if isinstance(others, Mapping) and any(by.get("learned") is not None for by in others.values()):
        lost = [name for name, by in others.items() if not _ahead(by)]
        but = f", not: {'; '.join(lost)}" if lost else ""
        found = f"{len(others) - len(lost)} of {len(others)} populations{but}"
        yield f"other people: ahead of every canonical rule in {found} (robustness {where})"
    conditions = numbers.get("all_conditions") or []
    if conditions:
        objective = next(key for key, value in conditions[0].items() if isinstance(value, Mapping))
        ahead = sum(_ahead(condition[objective]) for condition in conditions)
        found = f"{ahead} of {len(conditions)} sets of endowments"
        yield f"other endowments: ahead of every canonical rule under {found} (all_conditions {where})"


def _ahead(by: Mapping[str, Any]) -> bool:
    """Say whether the learned mechanism is above those that are neither learned, best nor bounds."""
    known = {name: value["mean"] if isinstance(value, Mapping) else value for name, value in by.items()}
    rivals = [value for name, value in known.items() if name not in ("learned", *ROWS) and value is not None]
    return known.get("learned") is not None and all(known["learned"] > rival for rival in rivals)


def _unknown(key: str, value: Any, numbers: Mapping[str, Any]) -> bool:
    """Say whether a number is missing for a reason that is told in a line of its own."""
    return value is None and bool(numbers.get("reasons")) and key != "inverse_temperature"


def _show_singles(left: Mapping[str, Any], numbers: Mapping[str, Any], of: str) -> None:
    """Print single numbers, each with what it means."""
    meaning = meanings(numbers)
    shown = {"config": numbers.get("config"), "seed": numbers.get("seed"), "commit": numbers.get("commit")}
    parts = [
        f"{key} {str(value)[: 9 if key == 'commit' else None]}" for key, value in shown.items() if value is not None
    ]
    singles = _table("", f"This run{': ' if parts else ''}{', '.join(parts)}{of}")
    singles.add_column("value", justify="right", no_wrap=True)
    singles.add_column("meaning")
    found = [(key, value) for key, value in _singles(left) if key != "updates" and not _unknown(key, value, numbers)]
    if isinstance(numbers.get("updates"), Mapping) and not _is_value(numbers["updates"]):
        found += [(f"updates of {role}s", count) for role, count in numbers["updates"].items()]
    elif "updates" in numbers:
        found.append(("updates", numbers["updates"]))
    for key, value in found:
        singles.add_row(key, cell(value), meaning.get(key, ""))
    if any(has_error(value) for _, value in found):
        singles.caption = ERRORS
    if singles.row_count:
        show(singles)


def _table(first: str, title: str | None = None) -> Table:
    column = Column(first, no_wrap=True)
    return Table(
        column,
        title=title,
        title_justify="left",
        caption_justify="left",
        box=SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
    )


def _show_columns(columns: Columns, title: str = "", of: str = "") -> None:
    """Print columns of named values, those with the same names side by side."""
    groups: dict[tuple[str, ...], list[str]] = {}
    for key, column in columns.items():
        groups.setdefault(tuple(column), []).append(key)
    for rows, keys in groups.items():
        named = title or ", ".join(map(words, keys))
        _show_cells({name: {key: cell(columns[key][name]) for key in keys} for name in rows}, named + of, defined(keys))


def _show_cells(cells: Mapping[str, Mapping[str, str]], title: str, caption: str | None = None) -> None:
    """Print cells by row and column, turned where they are too wide otherwise, and below them what a ± says."""
    if any("±" in text for line in cells.values() for text in line.values()):
        caption = f"{caption}; {ERRORS}" if caption else ERRORS
    across = {column: {row: line[column] for row, line in cells.items()} for column in next(iter(cells.values()))}
    console = Console()
    unbounded = console.options.update(max_width=10_000)
    upright, turned = _laid_out(cells), _laid_out(across)
    width, other = (console.measure(table, options=unbounded).maximum for table in (upright, turned))
    if title:
        say(title)
    console.print(turned if other < width > console.width else upright)
    if caption:
        say(caption)
    say("")


def _laid_out(cells: Mapping[str, Mapping[str, str]], title: str = "") -> Table:
    """Return a table of cells by row and column."""
    table = _table("", title or None)
    for column in next(iter(cells.values())):
        widest = max(len(line[column]) for line in cells.values())
        table.add_column(column, justify="right", min_width=widest)  # headings may be broken, numbers not
    for name, line in cells.items():
        table.add_row(name, *line.values())
    return table


def _show_vote_share(shares: Mapping[str, Mapping[str, Any]]) -> None:
    """Print shares of the votes: a table a rival if they are by rival, population and condition, else one for all."""
    if not all(_is_share(share) for by in shares.values() for share in by.values()):
        for rival, by_population in shares.items():
            _show_shares(by_population, f"% of the votes against {rival} [95 %]")
    elif shares:
        _show_shares(shares, "% of the votes against [95 %]")


def _show_shares(shares: Mapping[str, Mapping[str, Any]], title: str) -> None:
    """Print shares by row and condition; not every row need have every condition."""
    conditions = list(dict.fromkeys(condition for by in shares.values() for condition in by))
    cells = {
        row: {condition: _percent(by[condition]) if condition in by else "-" for condition in conditions}
        for row, by in shares.items()
    }
    _show_cells(cells, title)


def _show_meta_game(game: Mapping[str, Any]) -> None:
    """Print which share of the votes the mechanisms of a run take from each other, numbered."""
    if not {"names", "shares", "errors"} <= game.keys():  # over seeds that had others, or another number of them
        return
    error = 100 * max(max(row) for row in game["errors"])
    numbered = [f"{place} {name}" for place, name in enumerate(game["names"], 1)]
    cells = {
        name: {str(other + 1): "" if row == other else f"{100 * share:.1f}" for other, share in enumerate(shares)}
        | {"Nash [95 %]": _nash((game.get("nash_interval") or game["nash"])[game["names"][row]])}
        for row, (name, shares) in enumerate(zip(numbered, game["shares"], strict=True))
    }
    show(_laid_out(cells, f"meta_game: % of the votes of row against column; standard errors up to {error:.1f}"))


def _show_convergence(found: Mapping[str, Mapping[str, Any]]) -> None:
    """Print whether each iteration was the last that was needed; seeds that do not agree are shown as -."""
    words = {True: "yes", False: "no"}
    rows = {
        iteration: {
            "converged": told.get("verdict") or words.get(told.get("converged"), "-"),  # type: ignore[arg-type]
            "edge (% of the votes) [95 %]": _edge(told),
            "reason": told.get("reason", "-"),
        }
        for iteration, told in found.items()
    }
    _show_iterations(rows, "convergence")


def _edge(told: Mapping[str, Any]) -> str:
    """Return an edge with its interval over groups, or over seeds where there are several."""
    edge = told.get("edge")
    return _percent([edge, told["low"], told["high"]] if isinstance(edge, float) and "low" in told else edge)


def _show_virtual_participants(found: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> None:
    """Print the sizes and penalties that were chosen in each iteration."""
    rows = {
        iteration: {
            kind: ", ".join(
                f"{key} {_chosen(value)}" for key, value in told.items() if key not in ("held_out", "fitted")
            )
            for kind, told in kinds.items()
        }
        for iteration, kinds in found.items()
    }
    _show_iterations(rows, "virtual_participants")


def _show_iterations(rows: Mapping[str, Mapping[str, str]], title: str) -> None:
    table = _table("iteration", title)
    for column in next(iter(rows.values()), ()):
        table.add_column(column)
    for iteration, cells in rows.items():
        table.add_row(iteration, *cells.values())
    show(table)


def _show_exploitability(found: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> None:
    """Print what the best misreports found gain, a row for each group of fields that is misreported."""
    rows = {
        group: {f"{kind}, {key}": cell(value) for kind, told in kinds.items() for key, value in told.items()}
        for group, kinds in found.items()
    }
    _show_cells(rows, "exploitability: gains of the best misreport found")


OWN_TABLES: dict[str, Callable[[Any], None]] = {
    "exploitability": _show_exploitability,
    "vote_share": _show_vote_share,
    "meta_game": _show_meta_game,
    "convergence": _show_convergence,
    "virtual_participants": _show_virtual_participants,
}
"""How that is printed which is no table of numbers by mechanism."""


def _singles(numbers: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for key, value in numbers.items():
        if key == "timing":
            yield from ((f"{key}.{name}", item) for name, item in value.items())
        elif _is_value(value) or isinstance(value, str):
            yield key, value


def _is_table(value: Any) -> TypeGuard[Columns]:
    return isinstance(value, Mapping) and bool(value) and all(map(_is_column, value.values()))


def _is_column(value: Any) -> bool:
    return isinstance(value, Mapping) and not _is_value(value) and bool(value) and all(map(_is_value, value.values()))


def _is_value(value: Any) -> bool:
    """Return whether ``value`` is a number, unknown, or a number with an interval."""
    if isinstance(value, Mapping):
        return {"mean", "low", "high"} <= value.keys()
    return value is None or (isinstance(value, (int, float)) and not isinstance(value, bool))


def _is_share(value: Any) -> bool:
    """Return whether ``value`` is [share, low, high], or that of several seeds."""
    return isinstance(value, list) or _is_value(value)


def _percent(value: Any) -> str:
    """Return a share as a percentage, with its interval if it has one: ``54.2 [52.9, 55.4]``."""
    if value is None:
        return "-"
    if isinstance(value, Mapping):
        value = [value["mean"], value["low"], value["high"]]
    share, *bounds = value if isinstance(value, list) else [value]
    interval = f" [{', '.join(f'{100 * bound:.1f}' for bound in bounds)}]" if bounds and None not in bounds else ""
    return f"{100 * share:.1f}{interval}"


def _chosen(value: Any) -> str:
    """Return what was chosen; by several seeds, the choices of each unless they are all the same."""
    values = value["values"] if isinstance(value, Mapping) else [value]
    return "|".join(map(cell, values[:1] if all(item == values[0] for item in values) else values))
