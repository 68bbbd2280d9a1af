"""Aggregation of annotators' rewards without payments: how much welfare truthfulness costs, where nobody is charged.

The question is this library's own; what it is held against are rules that others have proposed, and the payments of
MOSAIC (Soumalias, Curry and Seuken 2024), with which nothing has to be given up.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from lawgiver.agents.reporting import named_rule
from lawgiver.envs.files.json_text import plain
from lawgiver.envs.files.reading import read_json
from lawgiver.envs.preference_aggregation.game import PreferenceAggregation
from lawgiver.trainers.aggregation.evaluation import LEARNED, REFERENCE, judge, judged
from lawgiver.trainers.aggregation.settings import Evaluation
from lawgiver.trainers.reproduce.runs import finished_in_time, saved
from lawgiver.trainers.reproduce.table import Cell, Reproduction, Row
from lawgiver.trainers.runs.atomic_files import write_json
from lawgiver.trainers.runs.loading import load
from lawgiver.trainers.runs.run import Run
from lawgiver.trainers.statistics.estimate import Estimate, confidence, mean_of, with_estimates
from lawgiver.trainers.statistics.streams import AGGREGATION

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CONFIG = "aggregation"
TARGETS = (0.01, 0.002, 0.001)
"""Upper bounds of the mean gain that are asked for."""
KNOWN = ("mean", "trimmed_mean", "median", "bradley_terry", "borda", "random_dictator", "plurality")
SLOW = ("nash_lottery",)
"""Known rules, which are judged once for each seed; those that are iterations, on fewer profiles."""
SIZES = ((3, 3), (9, 3), (5, 5), (9, 5))
"""Annotators and replies of games that no network was trained on."""
PROFILES, AUDITED, FEWER = 2_000, 100, 40
ALONE = (
    *(f"trainer.evaluation.profiles={PROFILES}", f"trainer.evaluation.audited={AUDITED}"),
    *("trainer.evaluation.rules=[]", "trainer.evaluation.charges=[]"),
)
"""Of every training: known rules are judged apart."""
TITLE = "Learned aggregators: what truthfulness costs where nobody is charged"
HEADING = "preference_aggregation-v0: networks without payments, beside known rules and MOSAIC"
NOTES = (
    "Rewards are uniform in [0, 1], the reference is uniform, tau is 0.1. The objective is regularised welfare,"
    " mean_i <p, r_i> - tau KL(p || q), if all tell the truth; what a rule gives up is how far it is below the rule"
    " mean, which is best for it. The share kept is of what the mean adds to the reference, which ignores reports.",
    "A gain is what the best misreport brings to an annotator while the others tell the truth, averaged over annotators"
    " and profiles, in units of reward: a lower bound, by an audit of fresh profiles. Networks search misreports"
    " in training more briefly, so that they may miss their target here. Misreports are searched on"
    f" {AUDITED} profiles a seed, under the Nash lottery, which is solved for every report, on {FEWER}.",
    f"In square brackets stands the {confidence()} interval over seeds, each of which has its own profiles.",
    "The truthful mixture is the best of dictators in a ball of divergence and majorities between pairs of replies;"
    " nobody gains under it by any misreport. No claim is made that it is the best truthful rule.",
)


def reproduce(folder: Path, n_seeds: int, jobs: int) -> Reproduction:
    """Make the tables and the figure; see :func:`lawgiver.trainers.reproduce.reproduce`."""
    wanted = [
        (folder / f"target_{target:g}" / f"s{seed}", CONFIG, (f"trainer.target={target}", f"seed={seed}", *ALONE))
        for target in TARGETS
        for seed in range(n_seeds)
    ]
    runs, times = finished_in_time(wanted, jobs)
    by_target = {target: runs[k * n_seeds : (k + 1) * n_seeds] for k, target in enumerate(TARGETS)}
    first = [_beside(run, seed) for seed, run in enumerate(by_target[TARGETS[0]])]
    learned = {target: [_numbers(run)["rules"] for run in of] for target, of in by_target.items()}
    known = {name: [numbers["rules"] for numbers in first] for name in first[0]["rules"] if name != LEARNED}
    paid = {share: [numbers["charged"] for numbers in first] for share in first[0]["charged"]}
    of_rules = [
        *(_compared(f"learned, target {target:g}", rules, LEARNED, rules) for target, rules in learned.items()),
        *(_compared(name.replace("_", " "), rules, name, rules) for name, rules in known.items()),
    ]
    of_payments = [
        {
            **_compared(f"mean, {share} of MOSAIC's payments", charged, share, known["mean"]),
            "revenue": _over_seeds([each[share].get("revenue", 0.0) for each in charged]),
        }
        for share, charged in paid.items()
    ]
    middle = by_target[TARGETS[1]]
    comparisons = {
        "Without payments": of_rules,
        "With payments": of_payments,
        f"The networks of target {TARGETS[1]:g}, trained on 5 annotators and 3 replies, elsewhere": _elsewhere(middle),
    }
    mixtures = [numbers["mixture"] for numbers in first]
    rows = tuple(
        Row(f"{what}, in the best truthful mixture", _over_seeds([mixture[key] for mixture in mixtures]))
        for key, what in (("spent", "nats that a dictator spends"), ("pairs", "share of pairs"))
    )
    figures = tuple(saved(folder, _figures(learned, known, paid)))
    return Reproduction(TITLE, {"The truthful mixture": rows, "Time": times}, NOTES, figures, comparisons=comparisons)


def _beside(run: Run, seed: int) -> Mapping[str, Any]:
    """Judge all rules on the profiles that a run was judged on, and keep what is found in its folder."""
    known = _judged(run, seed, "known.json", Evaluation(profiles=PROFILES, audited=AUDITED, rules=KNOWN))
    slow = _judged(run, seed, "slow.json", Evaluation(profiles=PROFILES, audited=FEWER, rules=SLOW, charges=()))
    return {**known, "rules": {**{name: slow["rules"][name] for name in SLOW}, **known["rules"]}}


def _judged(run: Run, seed: int, name: str, evaluation: Evaluation) -> Mapping[str, Any]:
    file = run.path / name
    if not file.exists():
        game = cast(PreferenceAggregation, run.game())
        write_json(file, plain(judge(game, run.load("mechanism"), evaluation, [seed])))
    kept: Mapping[str, Any] = with_estimates(read_json(file))
    return kept


def _numbers(run: Run) -> Mapping[str, Any]:
    return run.summary.data


def _over_seeds(values: Sequence[Any]) -> Estimate:
    return Estimate.of_seeds([mean_of(value) for value in values])


def _compared(
    label: str, results: Sequence[Mapping[str, Any]], name: str, beside: Sequence[Mapping[str, Any]]
) -> dict[str, Cell]:
    """Make the row of a rule: what it gives up and keeps, and the gains of misreports.

    Args:
        label: of the row.
        results: by seed, the results of rules by name.
        name: of the rule in these.
        beside: by seed, the results among which the mean and the reference are.
    """
    worth = [mean_of(each["mean"]["value"]) - mean_of(each[REFERENCE]["value"]) for each in beside]
    own = [each[name] for each in results]
    given_up = [mean_of(each["given_up"]) for each in own]
    return {
        "rule": label,
        "given up": _over_seeds(given_up),
        "share kept": _over_seeds([1 - lost / all_ for lost, all_ in zip(given_up, worth, strict=True)]),
        "mean gain": _over_seeds([each["gain"] for each in own]),
        "greatest gain": float(max(each["greatest_gain"] for each in own)),
    }


def _elsewhere(runs: Sequence[Run]) -> list[dict[str, Cell]]:
    """Judge networks in games of other sizes, beside the mean there."""
    rows: list[dict[str, Cell]] = []
    for n, replies in SIZES:
        found: dict[str, list[Any]] = {"mean": [], LEARNED: []}
        for seed, run in enumerate(runs):
            game = replace(cast(PreferenceAggregation, run.game()), n=n, replies=replies)
            types = game.initial_state(PROFILES, np.random.default_rng([AGGREGATION, seed, n, replies])).types
            rules = {"mean": named_rule(game, "mean"), LEARNED: load(run.path, role="mechanism", game=game)}
            for name, rule in rules.items():
                found[name].append(judged(game, rule, types, FEWER, 1, seed))
        best = [each.value for each in found["mean"]]
        lost = [float((most - each.value).mean()) for most, each in zip(best, found[LEARNED], strict=True)]
        rows.append(
            {
                "annotators, replies": f"{n}, {replies}",
                "given up": _over_seeds(lost),
                "mean gain": _over_seeds([each.gains.mean() for each in found[LEARNED]]),
                "mean gain under the mean": _over_seeds([each.gains.mean() for each in found["mean"]]),
            }
        )
    return rows


def _figures(
    learned: Mapping[float, Sequence[Mapping[str, Any]]],
    known: Mapping[str, Sequence[Mapping[str, Any]]],
    paid: Mapping[str, Sequence[Mapping[str, Any]]],
) -> Iterator[tuple[str, str, Figure]]:
    """Yield the frontier, over seeds."""
    from lawgiver.trainers.aggregation.figures import frontier

    def over_seeds(results: Sequence[Mapping[str, Any]], name: str) -> dict[str, Estimate]:
        return {key: _over_seeds([each[name][key] for each in results]) for key in ("given_up", "gain")}

    networks = {"learned, by target": [over_seeds(rules, LEARNED) for rules in learned.values()]}
    others = {
        "rules": {name: over_seeds(rules, name) for name, rules in known.items() if name != "plurality"},
        "charged": {share: over_seeds(charged, share) for share, charged in paid.items()},
    }
    yield "frontier.png", HEADING, frontier(networks, others, (), "regularised welfare")
