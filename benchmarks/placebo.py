"""Cross-entropy matrices of HCMD-zero without any change of behaviour: a control for its figure 3.

    OMP_NUM_THREADS=1 PYTHONHASHSEED=0 python benchmarks/placebo.py RUN [RUN ...]

Figure 3 divides the cross-entropy of an early model on later data by that of the later model on the same data. The
later model has seen them, the early one has not, so that the ratio is above 1 even if people behave as ever. Here the
groups of a run's largest data set are split into halves A and B, people of the same iteration, under one mechanism.
A model of A on B, divided by a model of A and B on B, is what the ratio comes to without any change of behaviour.
Beside it are the run's own ratios, of each model on the next data set.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from lawgiver.trainers.elections.records.readers import read_records
from lawgiver.trainers.elections.records.records import select
from lawgiver.trainers.elections.virtual_people.losses import cross_entropy
from lawgiver.trainers.hcmd_zero.model import fit
from lawgiver.trainers.hcmd_zero.settings import ModelSettings
from lawgiver.trainers.runs.run import Run

SPLITS = 3


def placebo(run: Run) -> dict[str, list[float]]:
    settings = ModelSettings.model_validate(run.settings["trainer"]["model"])
    groups = run.settings["trainer"]["acquire"]["groups"]
    largest = int(np.argmax(groups)) + 1
    records, game = read_records(run.path / "iterations" / str(largest) / "acquire" / "records.parquet"), run.game()
    whole = fit(records, game, settings=settings, seed=0)
    ratios: dict[str, list[float]] = {"contributions": [], "votes": []}
    for split in range(SPLITS):
        shuffled = np.random.default_rng(split).permutation(len(records))
        a, b = (select(records, half) for half in np.array_split(shuffled, 2))
        half = fit(a, game, settings=settings, seed=0)
        for kind, early, late in (
            ("contributions", half.participants, whole.participants),
            ("votes", half.voters, whole.voters),
        ):
            ratios[kind].append(cross_entropy(early, b) / cross_entropy(late, b))
    return ratios


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", type=Path)
    for path in parser.parse_args().runs:
        run = Run.open(path)
        matrices = run.summary["cross_entropy"]
        for kind, ratios in placebo(run).items():
            matrix = np.array(matrices[kind])
            following = [matrix[i, i + 1] / matrix[i + 1, i + 1] for i in range(len(matrix) - 1)]
            print(
                f"{path.name}, {kind}: nothing changed {np.mean(ratios):.3f} ({', '.join(f'{r:.3f}' for r in ratios)})"
            )
            print(f"    each model on the next data set: {', '.join(f'{ratio:.3f}' for ratio in following)}")
            print(f"    first model on the last data set: {matrix[0, -1] / matrix[-1, -1]:.3f}", flush=True)


if __name__ == "__main__":
    main()
