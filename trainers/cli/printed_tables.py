"""Printed tables of summaries, audits and rates."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from typing import Any, TypeGuard

from lawgiver.agents.naming import rule_text
from lawgiver.envs.core.errors import counted
from lawgiver.envs.core.game import Game
from lawgiver.trainers.audit.result import PROFITABLE
from lawgiver.trainers.cli.printing import new_table, say, show, show_cells
from lawgiver.trainers.runs.trainer import Trainer
from lawgiver.trainers.statistics.estimate import Estimate, confidence, mean_of
from lawgiver.trainers.tables.cells import ERRORS, cell, has_error, is_value, rounded
from lawgiver.trainers.tables.glossary import ROWS, defined, meanings
from lawgiver.trainers.tables.mechanism_tables import tables_of
from lawgiver.trainers.tables.wording import words

Columns = Mapping[str, Mapping[str, Any]]
WHO_GAIN = ("who gain", "profiles with some")
"""Columns of an exact audit: the share of participants who gain, and of the profiles in which somebody does."""

LISTED = 20
"""Participants whose payments are printed one by one."""


def show_rates(rates: Mapping[str, float], machine: Mapping[str, Any]) -> None:
    """Print throughputs, and the machine they were measured on."""
    table = new_table("measured", ", ".join(f"{key} {value}" for key, value in machine.items()))
    table.add_column("value", justify="right")
    for key, rate in rates.items():
        table.add_row(key, f"{rate:,.0f}" if rate >= 100 else f"{rate:.3g}")
    show(table)


def show_audit(found: Mapping[str, Any]) -> None:
    """Print the results of an audit, given as :meth:`lawgiver.trainers.audit.Audit.data`."""
    seats = counted(found["participants"], "participant")
    games = f"{found['profiles']:,} profiles of {seats}"
    if found["exact"]:
        told = (
            "all {size:,} {noun} of every participant were tried, so that there is nothing to search; shares of 0 and 1"
            " with the end of their {level} interval"
        ).format(**found["menu"], level=confidence())
    else:
        told = (
            f"effort {found['effort']}; added: how much of the relative gain the last doubling of the effort has found"
        )
    table = new_table("misreporting", f"ex post: {games}; {told}; ± standard error")
    gained = WHO_GAIN if found["exact"] else ("added",)
    for column in ("mean gain", "largest", "relative", "largest", *gained):
        table.add_column(column, justify="right", no_wrap=True)
    payoffs = found["profitable_above"] / PROFITABLE
    for name, group in found["groups"].items():
        cells = [
            cell
            for gains, scale in ((group["absolute"], payoffs), (group["relative"], 1.0))
            for cell in (_with_error(gains["mean"], 3, scale), f"{rounded(gains['max'], scale):.3g}")
        ]
        more = _who_gain(group) if found["exact"] else [f"{group['doubling']['relative']:.1g}"]
        table.add_row(name, *cells, *more)
    show(table)
    if found["ordinal"] is not None:
        _show_ordinal(found["ordinal"])
    interim = found["ex_interim"]
    if interim is not None:
        _show_ex_interim(interim)
    payoff, rational = found["payoff"], found["individual_rationality"]
    budget, payments = found["budget"], found["payments"]
    truth = found["played"] == "truth"
    truthful = new_table("ex post, if all tell the truth" if truth else "ex post, by the bids of these participants")
    truthful.add_column("")
    truthful.add_row("payoff", f"{_with_error(payoff['mean'])}, from {payoff['min']:.4g} to {payoff['max']:.4g}")
    truthful.add_row("payoffs below 0", f"{rational['share']:.1%}, mean violation {rational['mean_violation']:.4g}")
    if payments["min"] or payments["max"]:
        truthful.add_row(
            "taken by the mechanism a game", f"{budget['mean'].mean:.4g}, standard deviation {budget['sd']:.4g}"
        )
        truthful.add_row("games with a deficit", f"{budget['deficit_share']:.1%}")
        truthful.add_row("payment", f"{payments['mean']:.4g}, from {payments['min']:.4g} to {payments['max']:.4g}")
        each = payments["by_participant"]
        rest = f" and of {len(each) - LISTED:,} more" if len(each) > LISTED else ""
        paid = ", ".join(f"{mean:.4g}" for mean in each[:LISTED])
        truthful.add_row("payment by participant", f"{paid}{rest}")
    else:
        truthful.add_row("payments", "none")
    if found["envy"] is not None:
        envy = found["envy"]
        truthful.add_row("envy", f"{_with_error(envy['mean'])}, up to {envy['max']:.4g}; {envy['share']:.1%} envy")
    show(truthful)
    if found["revenue"] is not None:
        _show_revenue(found)
    say(f"ex post: {_verdict(found)}")
    if found["ordinal"] is not None and found["ordinal"]["regret"]["max"] <= PROFITABLE:
        say(
            "ordinal: no utility function with these rankings gains by any of the {size:,} {noun}, for any participant"
            " in {profiles:,} profiles (regret up to {none:.2g} counts as none)".format(
                **found["menu"], profiles=found["profiles"], none=PROFITABLE
            )
        )
    if found["inexact_because"]:
        say(f"searched, not exact: {found['inexact_because']}")
    if interim is not None:
        say(f"ex interim: {_interim_verdict(interim)}")
    if not find_spec("torch") and not found["exact"]:
        say(
            "torch is not installed: no slopes were climbed, so that gains may be larger: pip install 'lawgiver[torch]'"
        )


def _who_gain(group: Mapping[str, Any]) -> list[str]:
    """Format the share of participants who gain, and of the profiles in which somebody does.

    Where nobody gains, or everybody, the standard error is 0 and says nothing: the interval of the share of profiles
    bounds both shares.
    """
    shares = group["who_gain"]
    low, high = shares["profiles"].ends
    bounds = {0.0: f"0, up to {high:.2g}", 1.0: f"1, at least {low:.2g}"}
    each = (shares[key] for key in ("participants", "profiles"))
    return [bounds.get(share.mean) or _with_error(share, 3) for share in each]


def _show_ordinal(found: Mapping[str, Any]) -> None:
    """Print regret in the sense of dominance, which is of another kind than gains in payoffs."""
    told = (
        "the most by which a misreport raises the probability of one's best k, k = 1, 2, ...: what somebody gains whose"
        " utilities from 0 to 1 are of the same ranking, whatever they are; not to be compared with gains in payoffs"
    )
    table = new_table("dominance", f"ordinal: {told}")
    for column in ("mean regret", "largest", *WHO_GAIN):
        table.add_column(column, justify="right", no_wrap=True)
    regret = found["regret"]
    table.add_row(
        "ranking", _with_error(regret["mean"], 3, 1.0), f"{rounded(regret['max'], 1.0):.3g}", *_who_gain(found)
    )
    show(table)


def _show_ex_interim(found: Mapping[str, Any]) -> None:
    """Print the gains of those who know only their own types."""
    drawn = f"the others drawn {found['rivals']:,} times to choose a misreport, and again for its mean gain"
    table = new_table("misreporting", f"ex interim: own type known, {drawn}; ± standard error")
    for column in ("mean gain", f"{confidence()} interval", "when chosen", "of the payoff", "at most"):
        table.add_column(column, justify="right", no_wrap=True)
    for name, group in found["groups"].items():
        gain, share = group["absolute"]["mean"], group["share_of_payoff"]
        low, high = gain.ends
        shares = ["-" if share[key] is None else f"{share[key]:.2%}" for key in ("mean", "high")]
        by_first = f"{group['absolute']['in_sample'].mean:.3g}"
        table.add_row(name, _with_error(gain, 3), f"[{low:.2g}, {high:.2g}]", by_first, *shares)
    show(table)


def _show_revenue(found: Mapping[str, Any]) -> None:
    """Print revenue as it is played, and where everybody plays the best misreport found against that."""
    table = new_table("revenue a game", "gamed: everybody reports the best misreport found, all at once")
    table.add_column("mean", justify="right", no_wrap=True)
    table.add_column(f"{confidence()} interval", justify="right", no_wrap=True)
    interim = found["ex_interim"]
    played = "if all tell the truth" if found["played"] == "truth" else "by the bids of these participants"
    rows = {played: found["revenue"], "gamed, ex post": found["revenue_gamed"]}
    if interim is not None:
        rows["gamed, ex interim"] = interim["revenue_gamed"]
    for name, value in rows.items():
        low, high = value.ends
        table.add_row(name, _with_error(value), f"[{low:.4g}, {high:.4g}]")
    show(table)


def _interim_verdict(found: Mapping[str, Any]) -> str:
    """Describe what the best bids found bring on average."""
    name, group = max(found["groups"].items(), key=lambda item: float(item[1]["absolute"]["mean"].mean))
    gain, payoff = group["absolute"]["mean"], found["payoff"]["mean"]
    low, high = gain.ends
    told = f"of an expected payoff of {payoff.mean:.4g} ({found['misreports_tried']:,} misreports tried)"
    if low <= 0:
        return f"no gain told from 0, {high:.2g} at most, {told}"
    worst = group["worst"]
    fields = {key: ", ".join(_fields(worst[key])) for key in ("type", "played", "report")}
    return (
        f"the best misreports of {name} gain {gain.mean:.3g}, between {low:.3g} and {high:.3g}, {told}; participant_"
        f"{worst['participant']} of {fields['type']} gains {worst['gain']:.3g} by {fields['report']} in place of"
        f" {fields['played']}"
    )


def _fields(numbers: Mapping[str, list[Any]]) -> Iterator[str]:
    yield from (f"{name} {' '.join(f'{x:.4g}' for x in values)}" for name, values in numbers.items())


def _with_error(value: Estimate, digits: int = 4, scale: float = 0.0) -> str:
    return f"{rounded(value.mean, scale):.{digits}g} ±{rounded(value.standard_error or 0.0, scale):.1g}"


def _verdict(found: Mapping[str, Any]) -> str:
    """Describe the most profitable misreport, or that none was found."""
    worst = max((group["worst"] for group in found["groups"].values()), key=lambda example: float(example["gain"]))
    if worst["gain"] <= found["profitable_above"]:
        none = f"{found['profitable_above']:.2g} (1e-6 of the scale of payoffs)"
        if found["exact"]:
            menu = "all {size:,} {noun}".format(**found["menu"])
            return (
                f"no profitable misreport exists among {menu}, for any participant in {found['profiles']:,} profiles"
                f" (gains up to {none} count as none)"
            )
        return f"no profitable misreport above {none} among {found['misreports_tried']:,} tried"
    seat = worst["participant"]

    def of(other: int) -> str:
        """Describe the type of a participant, and what it plays where that is not its type."""
        shown = {**worst["types"], **worst.get("played", {})}
        return ", ".join(_fields({name: values[other] for name, values in shown.items()}))

    others = [of(other) for other in range(found["participants"]) if other != seat]
    payoff = worst["truthful_payoff" if "truthful_payoff" in worst else "payoff"]
    return (
        f"worst example: participant_{seat} of {of(seat)} gains {worst['gain']:.4g} on {payoff:.4g} by"
        f" reporting {', '.join(_fields(worst['report']))}; the others are of {'; '.join(others) or 'none'}"
        f" ({found['misreports_tried']:,} misreports tried)"
    )


def show_summary(summary: Mapping[str, Any], trainer: Trainer | None = None, game: Game[Any] | None = None) -> None:
    """Print a summary, also one over seeds: the learned rule, tables with titles, single numbers, and alarms.

    Args:
        summary: summary of a run, or results of its evaluation.
        trainer: trainer of the run, with its own tables and meanings of numbers; None for the defaults.
        game: game of the run, in whose units measures are defined; None where it is not known.
    """
    numbers = summary.get("aggregate", summary)
    if isinstance(numbers.get("rule"), Mapping):
        say(f"learned rule: {rule_text(numbers['rule'])}")
    seeds = len(summary["runs"]) if "aggregate" in summary and "runs" in summary else None
    of = f"; means over {seeds} seeds" if seeds else ""
    shown = {"rule", "populations", "reasons", "robustness", "all_conditions", "by_condition", "updates", *ALONE}
    for table in tables_of(numbers) if trainer is None else trainer.tables(numbers):
        if table.rows:
            caption = "; ".join(filter(None, (table.caption, defined(table.measures, game)))) or None
            show_cells(table.rows, table.title + of, caption)
        shown |= set(table.keys)
    shown -= {"updates"} if not isinstance(numbers.get("updates"), Mapping) or is_value(numbers["updates"]) else set()
    left = {key: value for key, value in numbers.items() if key not in shown}
    _show_columns({key: value for key, value in left.items() if key != "timing" and _is_column(value)}, game, of=of)
    for name, value in left.items():
        if name != "timing" and _is_table(value):
            _show_columns(value, game, words(name), of=of)
    _show_singles(left, numbers, of, {} if trainer is None else trainer.meanings)
    for line in _elsewhere(numbers):
        say(line)
    for line in _alarms(summary.get("alarms")):
        say(line)


ALONE = ("format", "config", "seed", "commit", "versions", "alarms", "runs")
"""Keys that the title of the last table shows, or a line of its own."""


def _alarms(alarms: Any) -> Iterator[str]:
    """Yield a line an alarm, of one run (a list) or of several seeds (lists by seed)."""
    by_seed = alarms if isinstance(alarms, Mapping) else {None: alarms or []}
    for seed, found in by_seed.items():
        of = "" if seed is None else f" (seed {seed})"
        yield from (f"alarm{of}: {alarm}" for alarm in found)


def _elsewhere(numbers: Mapping[str, Any]) -> Iterator[str]:
    """Yield the reasons for missing numbers, and a comparison with canonical rules on other people and endowments."""
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
    """Check whether the learned mechanism is ahead of all others that are neither best found nor bounds."""
    known = {name: mean_of(value) for name, value in by.items() if value is not None}
    rivals = [value for name, value in known.items() if name not in ("learned", *ROWS)]
    return "learned" in known and all(known["learned"] > rival for rival in rivals)


def _unknown(key: str, value: Any, numbers: Mapping[str, Any]) -> bool:
    """Check whether a number is missing for a reason that has a line of its own."""
    return value is None and bool(numbers.get("reasons")) and key != "inverse_temperature"


def _show_singles(
    left: Mapping[str, Any], numbers: Mapping[str, Any], of: str, own_meanings: Mapping[str, str]
) -> None:
    """Print single numbers, each with what it means."""
    meaning = {**meanings(numbers), **own_meanings}
    shown = {"config": numbers.get("config"), "seed": numbers.get("seed"), "commit": numbers.get("commit")}
    parts = [
        f"{key} {str(value)[: 9 if key == 'commit' else None]}" for key, value in shown.items() if value is not None
    ]
    singles = new_table("", f"This run{': ' if parts else ''}{', '.join(parts)}{of}")
    singles.add_column("value", justify="right", no_wrap=True)
    singles.add_column("meaning")
    found = [(key, value) for key, value in _singles(left) if key != "updates" and not _unknown(key, value, numbers)]
    if isinstance(numbers.get("updates"), Mapping) and not is_value(numbers["updates"]):
        found += [(f"updates of {role}s", count) for role, count in numbers["updates"].items()]
    elif "updates" in numbers:
        found.append(("updates", numbers["updates"]))
    for key, value in found:
        singles.add_row(key, cell(value), meaning.get(key, ""))
    if any(has_error(value) for _, value in found):
        singles.caption = ERRORS
    if singles.row_count:
        show(singles)


def _show_columns(columns: Columns, game: Game[Any] | None, title: str = "", of: str = "") -> None:
    """Print columns of named values, those with the same names side by side."""
    groups: dict[tuple[str, ...], list[str]] = {}
    for key, column in columns.items():
        groups.setdefault(tuple(column), []).append(key)
    for rows, keys in groups.items():
        named = title or ", ".join(map(words, keys))
        show_cells(
            {name: {key: cell(columns[key][name]) for key in keys} for name in rows}, named + of, defined(keys, game)
        )


def _singles(numbers: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for key, value in numbers.items():
        if key == "timing":
            yield from ((f"{key}.{name}", item) for name, item in value.items())
        elif is_value(value) or isinstance(value, str):
            yield key, value


def _is_table(value: Any) -> TypeGuard[Columns]:
    return isinstance(value, Mapping) and bool(value) and all(map(_is_column, value.values()))


def _is_column(value: Any) -> bool:
    return isinstance(value, Mapping) and not is_value(value) and bool(value) and all(map(is_value, value.values()))
