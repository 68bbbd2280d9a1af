"""Who has to move fast? The same mechanism under participants who move faster, as fast, and ever more slowly than it.

    python benchmarks/timescales.py [FOLDER]     trains into FOLDER (default runs/timescales), prints the table of
                                                 docs/results/timescales.md, draws timescales.png and
                                                 timescales_curves.png into FOLDER

The config ``lanes`` with the paper's estimator, one evaluation an iteration, and the config's schedule of the
mechanism, 8 n^-0.6, throughout. What differs is the participants' steps: 0.8 n^-0.51 (fast: the conditions of
convergence hold), 0.8 n^-0.6 (matched), 0.8 n^-0.9 (reversed), each of them one step an evaluation; 0.04 n^-0.6,
matched as well, but twenty times slower; and the config's own 50 fast steps an evaluation. From (0, -1), where payments
do something, and from no payment, where nobody moves and welfare is flat. A run that is there is not trained again.
"""

from __future__ import annotations

import sys
from pathlib import Path
from statistics import median

import numpy as np

from lawgiver.trainers.mechanism_design import figures as design
from lawgiver.trainers.plots import style
from lawgiver.trainers.runs import launch
from lawgiver.trainers.runs.run import Run
from lawgiver.trainers.tables.markdown import header, row

SEEDS = range(8)
ITERATIONS = 4000
STARTS = {"(0, -1)": "[0.0, -1.0]", "no payment": "no_mechanism"}
ARMS = {
    "fast, 50 steps": ("two_timescale", 0.8, 0.51, 50),
    "fast": ("two_timescale", 0.8, 0.51, 1),
    "matched": ("matched", 0.8, 0.6, 1),
    "matched, 20 times slower": ("matched", 0.04, 0.6, 1),
    "reversed": ("reversed", 0.8, 0.9, 1),
}
"""By name: trainer.timescale, the participants' first step and its exponent, and their steps an evaluation."""


def trained(folder: Path, arm: str, start: str) -> list[Run]:
    """Return the finished runs of an arm, one a seed."""
    timescale, initial, exponent, updates = ARMS[arm]
    shared = (
        "agents.mechanism.optimiser=one_point",
        f"agents.mechanism.start={STARTS[start]}",
        f"agents.participants.updates_per_evaluation={updates}",
        f"trainer.timescale={timescale}",
        f"trainer.agents_step={{initial: {initial}, exponent: {exponent}}}",
        "trainer.mechanism_step={initial: 8.0, exponent: 0.6}",
        f"trainer.iterations={ITERATIONS}",
    )
    runs = []
    for seed in SEEDS:
        path = folder / f"{arm} from {start}".replace(", ", "_").replace(" ", "_") / f"s{seed}"
        launch.ensure(path, "lanes", *shared, f"seed={seed}")
        runs.append(Run.open(path))
    return runs


def tell(start: str, arm: str, runs: list[Run]) -> None:
    """Print one line: learned payments in equilibrium, then what participants do in the last iteration.

    The summary's own reply gap is that of participants who were given time to settle at the end.
    """
    summaries, last = [run.summary for run in runs], [run.lines()[-1] for run in runs]
    learned = [summary["welfare"]["learned"] for summary in summaries]
    closed = median(summary["gap_closed"] for summary in summaries)
    played, gap = (median(line[metric] for line in last) for metric in ("score", "reply_gap"))
    row(start, arm, median(learned), min(learned), max(learned), closed, played, gap)


def curve(runs: list[Run]) -> design.Band:
    """Return the median over seeds of the equilibrium's welfare by iteration."""
    lines = [run.lines() for run in runs]
    time = np.array([line["iteration"] for line in lines[0]])
    return design.Band(time, np.median([[line["exact_score"] for line in each] for each in lines], axis=0))


def main(folder: Path) -> None:
    """Train what is missing, print the table and draw the figures."""
    kinds = {(start, arm): trained(folder, arm, start) for start in STARTS for arm in ARMS}
    summaries = {kind: [run.summary for run in runs] for kind, runs in kinds.items()}
    header("from", "participants", "median", "worst", "best", "median gap closed", "median as played", "reply gap")
    for kind, runs in kinds.items():
        tell(*kind, runs)
    welfare = next(iter(summaries.values()))[0]["welfare"]
    known = {name: welfare[name] for name in ("no_mechanism", "best_in_box", "optimum")}
    reached = {
        f"{arm}; from {s}": [one["welfare"]["learned"] for one in found] for (s, arm), found in summaries.items()
    }
    label = "welfare of a game of 5, in equilibrium under the payment"
    style.save(design.dots(reached, {}, known, label), folder / "timescales.png")
    panels = [
        design.Panel(f"from {start}: median of {len(SEEDS)} seeds", {a: curve(kinds[start, a]) for a in ARMS}, known)
        for start in STARTS
    ]
    style.save(design.losses(panels, "iterations", "welfare"), folder / "timescales_curves.png")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "runs/timescales"))
