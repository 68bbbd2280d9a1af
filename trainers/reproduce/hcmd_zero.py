"""Balaguer et al. 2022, HCMD-zero (arXiv 2202.10122): figures 2, 3 and 4, and the numbers in the text.

People are simulated here, so that a share of the votes is no replication of the paper's: it says what the method makes
of people who are known to the last parameter, and, unlike the paper's, how much of what can be reached that is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lawgiver.trainers.evaluation.vote_shares import POOLED
from lawgiver.trainers.reproduce.table import Reproduction, Row, over_seeds
from lawgiver.trainers.runs import launch
from lawgiver.trainers.statistics.estimate import Estimate, confidence
from lawgiver.trainers.tables.wording import words

RIVAL = "liberal_egalitarian"
PEOPLE = "simulated_people"
LEARNED = "hcmd_zero"

TITLE = "HCMD-zero: learning value aligned mechanisms from data (Balaguer et al. 2022): figures 2, 3 and 4"
NOTES = (
    "The paper's people were human, ours are simulated ones, calibrated to how humans contribute (Koster et al. 2022);"
    " how they vote is no part of those data. Rows named after other sensitivities say what hangs on it.",
    "Votes are counted as what is beyond one half, in percentage points: the paper's 54.3 % is 4.3.",
    "The known limit is the best that was found by optimising on the very people who judge, against that rival"
    " (config election_designer, one seed, a gradient estimator without bias); HCMD-zero sees of them what they did."
    " The same method before the very people is self-play with that gradient: what is left of the gap once the virtual"
    " participants are perfect, since self-play does not look at this rival.",
    "One thing of the simulated people's votes is among what the model may choose: that amounts are measured in one's"
    " own endowment rather than in the largest. Held-out groups choose; the paper does not name its unit.",
    "The paper plots shares by endowment without numbers: at least half the votes at every one.",
    "learning_automata are built otherwise than the simulated people, and vote otherwise; nothing was fitted to them or"
    " trained on them.",
    "Cross-entropies are divided by the diagonal as in the paper, which is of data that the model has seen; what lies"
    " above it is of data that it has not, and would be above 1 without any change of behaviour. benchmarks/placebo.py"
    " prints what two halves of the same data set give.",
)


def reproduce(folder: Path, n_seeds: int, jobs: int) -> Reproduction:
    """Train what is needed, or take what is there, and make the tables; figures are those of the first seed's run."""
    runs = [folder / f"seed-{seed}" for seed in range(n_seeds)]
    *summaries, best, mirror = launch.ensure_all(
        [
            *((run, "hcmd_zero", (f"seed={seed}",)) for seed, run in enumerate(runs)),
            (folder / "attainable", "election_designer", ()),
            (folder / "self_play", "election_designer", ("agents.mechanism.against=self",)),
        ],
        jobs,
    )
    attainable = best["vote_share"][RIVAL]
    level = confidence(share for each in summaries for share in each["vote_share"][RIVAL][PEOPLE].values())
    sections = {
        f"Votes beyond one half against {words(RIVAL)}, percentage points (figure 2)": (
            *_votes(summaries, attainable),
            Row(
                "the same method before the very people, all conditions",
                _points(mirror["vote_share"][RIVAL][POOLED].mean),
                limit=_points(attainable[POOLED].mean),
            ),
        ),
        f"The same of each seed, with {level} intervals over groups": _by_seed(summaries),
        "All conditions, by rival and by who judges": _judges(summaries),
        "Groups: what they give, earn and how equally (figure 2)": _groups(summaries),
        "Meta-game: votes beyond one half of the last mechanism against earlier ones (figure 3)": _meta_game(summaries),
        "Meta-game: has the loop converged?": _convergence(summaries),
        "Virtual participants: cross-entropy of the first model on the last data, by the last model's (figure 3)": (
            _models(summaries)
        ),
    }
    return Reproduction(TITLE, sections, NOTES, tuple(sorted((runs[0] / "figures").glob("*.png"))))


def _points(share: float) -> float:
    return 100 * (share - 0.5)


def _named(condition: str) -> str:
    return "all conditions" if condition == POOLED else f"endowments {condition}"


def _conditions(shares: Mapping[str, Any]) -> list[str]:
    return sorted(shares, key=lambda name: name != POOLED)


def _votes(summaries: Sequence[Mapping[str, Any]], attainable: Mapping[str, Estimate]) -> tuple[Row, ...]:
    found = [summary["vote_share"][RIVAL][PEOPLE] for summary in summaries]
    return tuple(
        over_seeds(
            _named(condition),
            [_points(shares[condition].mean) for shares in found],
            _points(attainable[condition].mean),
            "4.3, p < .06" if condition == POOLED else "at least 0",
        )
        for condition in _conditions(found[0])
    )


def _by_seed(summaries: Sequence[Mapping[str, Any]]) -> tuple[Row, ...]:
    rows = []
    for summary in summaries:
        shares = summary["vote_share"][RIVAL][PEOPLE]
        for condition in _conditions(shares):
            found = shares[condition]
            low, high = map(_points, found.ends)
            paper = "4.3" if condition == POOLED else "at least 0"
            quantity = f"seed {summary['seed']}, {_named(condition)} [{low:.1f}, {high:.1f}]"
            rows.append(Row(quantity, _points(found.mean), paper=paper))
    return tuple(rows)


def _judges(summaries: Sequence[Mapping[str, Any]]) -> tuple[Row, ...]:
    first = summaries[0]["vote_share"]
    return tuple(
        over_seeds(
            f"against {words(rival)}, {words(judges)}",
            [_points(summary["vote_share"][rival][judges][POOLED].mean) for summary in summaries],
        )
        for rival in first
        for judges in first[rival]
        if (rival, judges) != (RIVAL, PEOPLE)
    )


def _groups(summaries: Sequence[Mapping[str, Any]]) -> tuple[Row, ...]:
    names = {"contributed": "fraction contributed", "log_reward": "sum of log rewards of a game", "gini": "Gini"}
    papers = {LEARNED: f"as under {words(RIVAL)}", RIVAL: "plotted without numbers"}
    return tuple(
        over_seeds(
            f"{meaning}, {'learned mechanism' if name == LEARNED else words(name)}",
            [summary["groups"][measure][name] for summary in summaries],
            paper=paper,
        )
        for measure, meaning in names.items()
        for name, paper in papers.items()
    )


def _meta_game(summaries: Sequence[Mapping[str, Any]]) -> tuple[Row, ...]:
    names = summaries[0]["meta_game"]["names"]
    return tuple(
        over_seeds(
            f"against {name}",
            [_points(summary["meta_game"]["shares"][-1][index]) for summary in summaries],
            paper="above 0, the less so the later",
        )
        for index, name in enumerate(names[:-1])
    )


def _convergence(summaries: Sequence[Mapping[str, Any]]) -> tuple[Row, ...]:
    iterations = list(summaries[0]["convergence"])
    return tuple(
        over_seeds(
            f"iteration {iteration}: edge over the one before, points; {_verdicts(summaries, iteration)}",
            [100 * summary["convergence"][iteration]["edge"].mean for summary in summaries],
            paper="converged" if iteration == iterations[-1] else "improves",
        )
        for iteration in iterations
    )


def _verdicts(summaries: Sequence[Mapping[str, Any]], iteration: str) -> str:
    """Count the verdicts on an iteration over seeds: ``converged 2, not told apart 1``."""
    said = Counter(summary["convergence"][iteration]["verdict"] for summary in summaries)
    return ", ".join(f"{verdict} {count}" for verdict, count in said.items())


def _models(summaries: Sequence[Mapping[str, Any]]) -> tuple[Row, ...]:
    kinds = {kind: [summary["cross_entropy"][kind] for summary in summaries] for kind in ("contributions", "votes")}
    return tuple(
        over_seeds(kind, [matrix[0][-1] / matrix[-1][-1] for matrix in matrices], paper="above 1")
        for kind, matrices in kinds.items()
    )
