"""Printed tables of studies with real people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lawgiver.trainers.cli.printing import new_table, say, show
from lawgiver.trainers.people.forecast import QUESTION_S, SHARE, TAIL, WORDS_PER_MIN, Forecast

if TYPE_CHECKING:
    from lawgiver.trainers.people.load_test import LoadTest
    from lawgiver.trainers.people.study import Study


def show_forecast(study: Study, found: Forecast) -> None:
    """Print what a study costs, how long it takes, and what is earned in an hour."""
    config, pay = study.config, study.config.pay
    people = config.groups * config.people
    say(f"{config.groups} groups of {config.people} people in {study.game.name}, study {study.study_hash[:12]}")
    say(f"{len(study.conditions)} conditions, {len(study.orders)} orders of play; played with programs")
    say("")
    costs = new_table(f"cost in {pay.currency}")
    costs.add_column(f"{people} people", justify="right")
    costs.add_column("a person", justify="right")
    low, high = (f"{100 * share:.0f} % quantile" for share in (TAIL, 1 - TAIL))
    lines = {"mean": found.mean, low: found.low, high: found.high}
    for name, amount in lines.items():
        costs.add_row(name, f"{amount:,.2f}", f"{amount / people:,.2f}")
    worst = ("no bound", "pay.cap is null") if found.worst is None else (found.worst, found.worst / people)
    costs.add_row("worst case", *(each if isinstance(each, str) else f"{each:,.2f}" for each in worst))
    show(costs)
    waits = float(pay.waiting_per_min) * max(config.time.wait_min, 1)
    say(f"besides: up to {waits:.2f} for each who waits and gets no group; groups that are not valid")
    say("")
    minutes = new_table("minutes of a person")
    minutes.add_column("expected", justify="right")
    minutes.add_column("at most", justify="right")
    for stage in found.stages:
        minutes.add_row(stage.name, f"{stage.expected:.1f}", "" if stage.longest is None else f"{stage.longest:.1f}")
    longest = sum(stage.longest or 0 for stage in found.stages)
    minutes.add_row("together", f"{found.minutes:.1f}", f"{longest:.1f}")
    show(minutes)
    say(
        f"expected: {WORDS_PER_MIN} words read a minute, {QUESTION_S} s for a question, {SHARE:.0%} of each deadline"
        " and of the wait before leaving"
    )
    say("")
    say(f"median person: {found.points:.5g} points, {found.paid:.2f} {pay.currency}, {found.wage:.2f} an hour")


def show_load_test(found: LoadTest) -> None:
    """Print what programs did in a study, and how fast its server answered them."""
    tally, table = found.tally, new_table("programs in place of people")
    table.add_column("value", justify="right")
    lines = {
        "groups that ended": str(found.groups),
        "decisions": str(tally.decisions),
        "errors": str(len(found.errors)),
    }
    lines |= {f"people: {end}": str(count) for end, count in sorted(tally.ends.items())}
    lines |= {"requests sent again": str(tally.log.retries), "seconds": f"{found.seconds:.1f}"}
    for method in tally.log.seconds:
        for share, seconds in found.latency(method).items():
            lines[f"{method}, {100 * share:.0f} % of answers within, ms"] = f"{1000 * seconds:.1f}"
    if found.cpu_s is not None and found.memory_mb is not None:
        lines["server: ms of the processor a decision"] = f"{1000 * found.cpu_s / max(1, tally.decisions):.2f}"
        lines["server: share of a core, %"] = f"{100 * found.cpu_s / found.seconds:.0f}"
        lines["server: memory at most, MB"] = f"{found.memory_mb:.0f}"
    for name, value in lines.items():
        table.add_row(name, value)
    show(table)
    for error in dict.fromkeys(found.errors):
        say(f"error: {error}")
