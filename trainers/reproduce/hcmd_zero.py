"""Balaguer et al. 2022, HCMD-zero (arXiv 2202.10122): figures 2, 3 and 4, and the numbers in the text.

People are simulated here, so that a share of the votes is no replication of the paper's: it says what the method makes
of people who are known to the last parameter, and, unlike the paper's, how much of what can be reached that is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lawgiver.trainers import launch
from lawgiver.trainers.elections import POOLED
from lawgiver.trainers.reproduce.table import Reproduction, Row, over_seeds

RIVAL = "liberal_egalitarian"
PEOPLE = "simulated_people"
LEARNED = "hcmd_zero"

TITLE = "HCMD-zero: learning value aligned mechanisms from data (Balaguer et al. 2022): figures 2, 3 and 4"
NOTES = (
    "The paper's people were human, ours are simulated ones, calibrated to how humans contribute (Koster et al. 2022);"
    " how they vote is no part of those data. Rows named after other sensitivities say what hangs on it.",
    "The known limit of a share is that of a mechanism optimised by the exact gradient on the very people who judge it,"
    " against that rival (config election_designer); HCMD-zero sees nothing of them but what they did.",
    "The paper gives 54.3 % with p < .06 (54.5 % for its predecessor) and plots the shares by endowment without"
    " numbers: at least half the votes at every one.",
    "learning_automata are built otherwise than the simulated people; nothing was fitted to them or trained on them.",
)
PAPER = {POOLED: "54.3 %, p < .06"}
"""What the paper prints of the votes against liberal egalitarian; of every single condition only the following."""
BY_CONDITION = "at least 50 %"


def reproduce(folder: Path, n_seeds: int) -> Reproduction:
    """Train what is needed, or take what is there, and make the tables; figures are those of the first seed's run."""
    runs = [folder / f"seed-{seed}" for seed in range(n_seeds)]
    summaries = [launch.ensure(run, "hcmd_zero", f"seed={seed}") for seed, run in enumerate(runs)]
    attainable = launch.ensure(folder / "attainable", "election_designer")["vote_share"][RIVAL]
    sections = {
        f"Share of the votes against {_words(RIVAL)} (figure 2, bottom left)": _votes(summaries, attainable),
        "Share of the votes, all conditions, by rival and by who judges": _judges(summaries),
        "Groups: what they give, earn and how equally (figure 2)": _groups(summaries),
        "Meta-game: votes of the last mechanism against earlier ones (figure 3)": _meta_game(summaries),
        "Virtual participants: cross-entropy of the first model on the last data, by the last model's (figure 3)": (
            _models(summaries)
        ),
    }
    return Reproduction(TITLE, sections, NOTES, tuple(sorted((runs[0] / "figures").glob("*.png"))))


def _words(name: str) -> str:
    return name.replace("_", " ")


def _votes(summaries: Sequence[Mapping[str, Any]], attainable: Mapping[str, Sequence[float]]) -> tuple[Row, ...]:
    found = [summary["vote_share"][RIVAL][PEOPLE] for summary in summaries]
    return tuple(
        over_seeds(
            "all conditions" if condition == POOLED else f"endowments {condition}",
            [shares[condition][0] for shares in found],
            attainable[condition][0],
            PAPER.get(condition, BY_CONDITION),
        )
        for condition in sorted(found[0], key=lambda name: name != POOLED)
    )


def _judges(summaries: Sequence[Mapping[str, Any]]) -> tuple[Row, ...]:
    first = summaries[0]["vote_share"]
    return tuple(
        over_seeds(
            f"against {_words(rival)}, {_words(judges)}",
            [summary["vote_share"][rival][judges][POOLED][0] for summary in summaries],
        )
        for rival in first
        for judges in first[rival]
        if (rival, judges) != (RIVAL, PEOPLE)
    )


def _groups(summaries: Sequence[Mapping[str, Any]]) -> tuple[Row, ...]:
    names = {"contributed": "fraction contributed", "log_reward": "sum of log rewards of a game", "gini": "Gini"}
    return tuple(
        over_seeds(
            f"{meaning}, under the learned mechanism",
            [summary["groups"][measure][LEARNED] for summary in summaries],
            sum(summary["groups"][measure][RIVAL] for summary in summaries) / len(summaries),
            "as under liberal egalitarian (the limit here)",
        )
        for measure, meaning in names.items()
    )


def _meta_game(summaries: Sequence[Mapping[str, Any]]) -> tuple[Row, ...]:
    names = summaries[0]["meta_game"]["names"]
    return tuple(
        over_seeds(
            f"against {name}",
            [summary["meta_game"]["shares"][-1][index] for summary in summaries],
            paper="above 50 %, the less so the later" if index else "above 50 %",
        )
        for index, name in enumerate(names[:-1])
    )


def _models(summaries: Sequence[Mapping[str, Any]]) -> tuple[Row, ...]:
    rows = []
    for kind in ("contributions", "votes"):
        matrices = [summary["cross_entropy"][kind] for summary in summaries]
        ratios = [matrix[0][-1] / matrix[-1][-1] for matrix in matrices]
        rows.append(over_seeds(kind, ratios, paper="above 1"))
    return tuple(rows)
