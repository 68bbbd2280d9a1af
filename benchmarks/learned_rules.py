"""The learned rules beside the known optimum: the main job, its controls, and the two timescales in one figure.

    python benchmarks/learned_rules.py [FOLDER]

trains into FOLDER (default runs/learned_rules_study), prints the tables of docs/results/learned_rules.md and draws
FOLDER/two_timescales.png. A run that is there already is not trained again; one that was interrupted goes on.
"""

from __future__ import annotations

import sys
from pathlib import Path
from statistics import median
from typing import Any

from lawgiver.trainers.evaluation.score_table import CANONICAL
from lawgiver.trainers.plots import curves as run_curves
from lawgiver.trainers.plots import style
from lawgiver.trainers.runs.launch import ensure
from lawgiver.trainers.runs.run import Run
from lawgiver.trainers.statistics.estimate import confidence
from lawgiver.trainers.tables.markdown import header, row

SEEDS = (0, 1, 2)


def learned(summaries: dict[int, dict[str, Any]]) -> None:
    """Print what each seed has learned, and the medians."""
    measures = ("log Nash welfare", "best canonical", "margin", "gap closed", "reachable gap closed")
    header("seed", *measures, "online - exact", "s")
    for seed, summary in summaries.items():
        welfare = summary["log_nash_welfare"]
        best = max(welfare[name] for name in CANONICAL)
        closed = summary["gap_closed"], summary["reachable_gap_closed"], summary["online_minus_exact"]
        row(seed, welfare["learned"], best, welfare["learned"] - best, *closed, summary["timing"]["wall_s"])
    shares = (median(s[key] for s in summaries.values()) for key in ("gap_closed", "reachable_gap_closed"))
    row("median", median(s["log_nash_welfare"]["learned"] for s in summaries.values()), "", "", *shares, "", "")
    print()


def by_mechanism(title: str, table: dict[str, Any]) -> None:
    """Print surplus, log Nash welfare and Gini by mechanism."""
    print(f"{title}\n")
    header("mechanism", "surplus", "log Nash welfare", "Gini")
    for name in table["log_nash_welfare"]:
        row(name, *(table[measure][name] for measure in ("surplus", "log_nash_welfare", "gini")))
    print()


def populations(robustness: dict[str, dict[str, float]]) -> None:
    """Print log Nash welfare by population, uniform anchors and the low one."""
    header("log Nash welfare at inverse temperature", *robustness)
    for name in next(iter(robustness.values())):
        row(name, *(values[name] for values in robustness.values()))
    print()


def two_timescales(right: Path, reversed_: Path, to: Path) -> None:
    """Draw the exact score over iterations with the timescales in the right and in the reversed order."""
    curves: dict[int, dict[str, Any]] = {}
    for name, folder in (("participants faster", right), ("mechanism faster (reversed)", reversed_)):
        for entry in Run.open(folder).lines():
            at = curves.setdefault(entry["iteration"], {"iteration": entry["iteration"]})
            at[f"{name}: played"] = entry["score"]
            at[f"{name}: exact equilibrium"] = entry.get("exact_score")
    names = [key for key in curves[max(curves)] if key != "iteration"]
    welfare = Run.open(right).summary["log_nash_welfare"]
    references = {name: welfare[name] for name in (*CANONICAL, "reachable", "ceiling")}
    panel = ("Two timescales: log Nash welfare a round", "log Nash welfare", names)
    style.save(run_curves.curves([panel], [curves[i] for i in sorted(curves)], references), to)


def main(folder: Path) -> None:
    """Train what is missing, print the tables and draw the figure."""
    for level in (1, 2):
        override = f"agents.participants.inverse_temperature={level}.0"
        runs = {s: ensure(folder / f"main-{level}-s{s}", "public_investment", override, f"seed={s}") for s in SEEDS}
        print(f"## Learned at inverse temperature {level}\n")
        learned(runs)
        if level == 1:
            first = runs[SEEDS[0]]
            by_mechanism("Seed 0, endowments (10, 4, 4, 4), at the exact equilibrium:", first)
            for condition in first["all_conditions"]:
                closed = f"gap closed {condition['gap_closed']:.3f}, reachable {condition['reachable_gap_closed']:.3f}"
                by_mechanism(f"The same rule at {tuple(condition['endowments'])}; {closed}:", condition)
            print("The trained participants beside the exact equilibrium (seed 0):\n")
            played = first["trained_participants"]
            header("measure", "played", f"half {confidence(played['played'].values())} interval", "equilibrium")
            for name, value in played["played"].items():
                row(name, value.mean, value.half, played["equilibrium"][name])
            print()
            for seed, summary in runs.items():
                print(f"The rule of seed {seed} on other populations:\n")
                populations(summary["robustness"])
    control = "public_investment_negative_control"
    print("## The negative control: a mechanism that acts after the contributions\n")
    learned({s: ensure(folder / f"control-s{s}", control, f"seed={s}") for s in SEEDS})
    print("## The timescales reversed\n")
    learned({0: ensure(folder / "reversed-s0", "public_investment_reversed", "seed=0")})
    two_timescales(folder / "main-1-s0", folder / "reversed-s0", folder / "two_timescales.png")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "runs/learned_rules_study"))
