"""Printed tables of studies with real people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lawgiver.trainers.cli.printing import new_table, say, show
from lawgiver.trainers.people.forecast import QUESTION_S, SHARE, TAIL, WORDS_PER_MIN, Forecast

if TYPE_CHECKING:
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
