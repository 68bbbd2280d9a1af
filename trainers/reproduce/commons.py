"""Koster, Pislar et al. 2025: a planner that keeps a common pool alive among people, and the rule that explains it.

The humans of the paper stand beside the simulated people that are fitted to them. Planners are trained among these, and
judged also among people that none of them has seen, learning automata.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lawgiver.envs.core.make import make_policy
from lawgiver.trainers.calibration.commons_trust import RULES, human_figures
from lawgiver.trainers.commons.evaluation import (
    CEILING,
    DISTILLED,
    LEARNED,
    MEASURES,
    PROPORTIONAL,
    mechanisms_of_run,
    people_of,
    played,
)
from lawgiver.trainers.commons.exclusion import LITTLE, exclusions
from lawgiver.trainers.reproduce.runs import finished_in_time, saved, slug
from lawgiver.trainers.reproduce.table import Cell, Reproduction
from lawgiver.trainers.runs.config import validate
from lawgiver.trainers.runs.run import Run
from lawgiver.trainers.statistics.estimate import Estimate, mean_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TITLE = "Koster, Pislar et al. 2025: a common pool, its planner and the rule that explains it"
KINDS: Mapping[str, tuple[str, ...]] = {
    "planner": (),
    "planner with memory": ("agents.mechanism.memory=16",),
    "planner of the surplus alone": ("trainer.fairness=0",),
}
"""Kinds of planners that are trained: overrides of the config ``commons``, by name."""
UNSEEN = "learning_automata"
"""People among whom nobody was trained."""
GAMES = 2_000
"""Games among them, and those in which exclusions are counted, with each mechanism."""
LONG = 5
"""Rounds beyond which an exclusion is long."""
PEOPLE = "A. People and humans: Experiment 1"
KNOWN = "B. Among the people that planners were trained among"
OTHERS = "C. Among learning automata, whom no planner has seen"
RULE = "D. The rule distilled from each planner"
VOTES = "E. Share of the votes"
NOTES = (
    "A: humans are 40 groups a rule, ± half of the paper's interval; survival is of eight groups. People were fitted to"
    " these nine numbers.",
    "Surplus: points that a participant keeps a round, over all 40 rounds. Gini coefficient of what participants keep"
    " over a game. Sustained: games whose pool holds more than a point in the end. Excluded: share of rounds and"
    " participants with an offer below a point.",
    "B, C: of planners and their rules, means over seeds; in square brackets an interval, of rules of thumb over"
    f" {GAMES:,} games. After little: share of those who returned less than {LITTLE:g} of an offer who are excluded in"
    f" the next round; lasting: share of exclusions of more than one, and of more than {LONG}, rounds, while the pool"
    " holds a point for everybody. Ceiling: a planner who dictates returns too.",
    "D: weight, exponent and floor of max(floor, weight (R / 200)^exponent), fitted to the planner's offers on its own"
    " games; advantage kept: share of the planner's advantage over proportional offers in surplus.",
)


def reproduce(folder: Path, n_seeds: int, jobs: int) -> Reproduction:
    """Make the tables and the figures; see :func:`lawgiver.trainers.reproduce.reproduce`."""
    wanted = {
        (kind, seed): (folder / slug(kind) / f"s{seed}", "commons", (*overrides, f"seed={seed}"))
        for kind, overrides in KINDS.items()
        for seed in range(n_seeds)
    }
    runs, times = finished_in_time(list(wanted.values()), jobs)
    by_kind: dict[str, list[Run]] = {}
    for (kind, _), run in zip(wanted, runs, strict=True):
        by_kind.setdefault(kind, []).append(run)
    first = runs[0]
    comparisons: dict[str, Sequence[Mapping[str, Cell]]] = {
        PEOPLE: tuple(_people(first)),
        KNOWN: tuple(_known(by_kind)),
        OTHERS: tuple(_unseen(by_kind)),
        RULE: tuple(_rules(by_kind)),
        VOTES: tuple(_votes(by_kind)),
    }
    drawn = tuple(saved(folder, _figures(first)))
    return Reproduction(TITLE, {"Time": times}, NOTES, drawn, comparisons=comparisons)


def _people(run: Run) -> Iterator[dict[str, Cell]]:
    for rule, known, bars in zip(RULES, *human_figures(), strict=True):
        name = rule.removesuffix("_offers")
        surplus, gini, sustained = (run.summary[measure][name] for measure in ("surplus", "gini", "sustained"))
        yield {
            "rule": name,
            "surplus": surplus,
            "humans'": f"{known[0]:g} ± {bars[0]:g}",
            "Gini": gini,
            "humans' Gini": float(known[1]),
            "sustained": sustained,
            "humans' pools": float(known[2]),
        }


def _known(runs: Mapping[str, Sequence[Run]]) -> Iterator[dict[str, Cell]]:
    first = next(iter(runs.values()))[0]
    yield from (
        {"mechanism": name, **_row([first], name), **_excluded([first], name)}
        for name in first.summary["gini"]
        if name not in (LEARNED, DISTILLED)
    )
    for kind, each in runs.items():
        for which, name in ((LEARNED, kind), (DISTILLED, f"rule of the {kind}")):
            yield {"mechanism": name, **_row(each, which), **_excluded(each, which)}
    nothing = dict.fromkeys(("by proportional", *MEASURES[1:], "after little", "lasting > 1", f"lasting > {LONG}"))
    yield {"mechanism": "ceiling", "surplus": first.summary["surplus"][CEILING], **nothing}


def _row(runs: Sequence[Run], name: str) -> dict[str, Cell]:
    """Put the measures of a mechanism side by side: over seeds where there are several runs."""
    found = {measure: _together([run.summary[measure][name] for run in runs]) for measure in MEASURES}
    ratios = [mean_of(run.summary["surplus"][name]) / mean_of(run.summary["surplus"][PROPORTIONAL]) for run in runs]
    return {"surplus": found.pop("surplus"), "by proportional": _over_seeds(ratios), **found}


def _excluded(runs: Sequence[Run], name: str) -> dict[str, Cell]:
    """Count exclusions of a mechanism in each run, among its people, in games of its evaluation."""
    found = []
    for run in runs:
        game: Any = run.game()
        people = people_of(validate(run.settings), game)
        found.append(exclusions(played(game, mechanisms_of_run(run)[name], people, GAMES, [run.settings["seed"]])))
    return {
        "after little": _over_seeds([each.after_little for each in found]),
        "lasting > 1": _over_seeds([float(each.lasting[1]) for each in found]),
        f"lasting > {LONG}": _over_seeds([float(each.lasting[LONG]) for each in found]),
    }


def _unseen(runs: Mapping[str, Sequence[Run]]) -> Iterator[dict[str, Cell]]:
    first = next(iter(runs.values()))[0]
    game: Any = first.game()
    people = make_policy(game, "participant", UNSEEN)

    def measured(run: Run, name: str) -> dict[str, Estimate]:
        plays = played(game, mechanisms_of_run(run)[name], people, GAMES, [run.settings["seed"]])
        return {measure: Estimate.of_samples(values) for measure, values in plays.measures().items()}

    for name in first.summary["gini"]:
        if name not in (LEARNED, DISTILLED):
            yield {"mechanism": name, **measured(first, name)}
    for kind, each in runs.items():
        for which, name in ((LEARNED, kind), (DISTILLED, f"rule of the {kind}")):
            seeds = [measured(run, which) for run in each]
            yield {"mechanism": name, **{m: _together([one[m] for one in seeds]) for m in MEASURES}}


def _rules(runs: Mapping[str, Sequence[Run]]) -> Iterator[dict[str, Cell]]:
    for kind, each in runs.items():
        for run in each:
            found = run.summary["distillation"]
            yield {"planner": f"{kind}, seed {run.settings['seed']}", **{key: found[key] for key in found}}


def _votes(runs: Mapping[str, Sequence[Run]]) -> Iterator[dict[str, Cell]]:
    for kind, each in runs.items():
        for who, key in ((kind, "vote_share"), (f"rule of the {kind}", "vote_share_distilled")):
            for rival in each[0].summary[key]:
                against = _together([run.summary[key][rival] for run in each])
                yield {"mechanism": who, "against": "its rule" if rival == DISTILLED else rival, "votes": against}


def _together(estimates: Sequence[Any]) -> Estimate:
    """Join the estimates of several seeds to one over seeds; a single one stays as it is."""
    alone: Estimate = estimates[0]
    return alone if len(estimates) == 1 else Estimate.of_seeds([mean_of(each) for each in estimates])


def _over_seeds(values: Sequence[float]) -> Cell:
    """Join numbers of several seeds; None where one is not known, as how long exclusions last if there are none."""
    if not np.isfinite(values).all():
        return None
    return values[0] if len(values) == 1 else Estimate.of_seeds(values)


def _figures(run: Run) -> Iterator[tuple[str, str, Figure]]:
    from lawgiver.trainers.commons.figures import figures_of

    heading = "commons_trust-v0: a planner, its rule, and rules of thumb"
    drawn = itertools.filterfalse(lambda each: each[0] == "curves.png", figures_of(run, run.summary))
    yield from ((f"commons_{name}", heading, figure) for name, figure in drawn)
