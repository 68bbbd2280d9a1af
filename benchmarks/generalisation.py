"""Generalisation of ExS-Net: few samples, other distributions, untruthful samples.

    OMP_NUM_THREADS=1 python benchmarks/generalisation.py [FOLDER]

trains into FOLDER (default runs/generalisation), prints the tables of docs/results/generalisation.md and draws
FOLDER/gaps.png. Three participants share two resources; the weight of the mean relative gain is 1/2. A run that is
there is not trained again; one that was interrupted goes on. What is in the tables about given rules is judged anew.
"""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from lawgiver.envs.core.make import make_policy
from lawgiver.envs.payment_free_allocation import PaymentFreeAllocation
from lawgiver.trainers.payment_free import frontier_figure as allocation_figures
from lawgiver.trainers.payment_free.evaluation import judge, welfare
from lawgiver.trainers.payment_free.learner import Learner
from lawgiver.trainers.plots import style
from lawgiver.trainers.runs.config import validate
from lawgiver.trainers.runs.launch import ensure
from lawgiver.trainers.runs.loading import load
from lawgiver.trainers.runs.run import Run
from lawgiver.trainers.statistics.estimate import Estimate
from lawgiver.trainers.statistics.streams import torch_generator
from lawgiver.trainers.tables import markdown
from lawgiver.trainers.tables.markdown import header

row = partial(markdown.row, number=".4f")
N, M = 3, 2
SEEDS = (0, 1, 2)
SIZES = tuple(2**power for power in (6, 8, 10, 12))
ARCHITECTURES = ("plain", "equivariant")
UPDATES = 300
AUDITED, EFFORT, JUDGED = 64, 1, 7_000
"""Instances of an audit, its rounds, and the seed of both: the same instances for all rules of a game."""
FRESH = 1_000
"""Stream of the fresh profiles, one that no training draws from."""
COMPARED = 1_000
"""Profiles trained on, and fresh ones, on which both sides of the objective are compared, at most."""
SHIFTS: dict[str, dict[str, Any]] = {
    "none": {},
    "values Beta(2, 5): mostly low": {"value_beta": [2, 5]},
    "demands there with probability 0.5": {"present": 0.5},
    "supply 0.3 n": {"supply": 0.3 * N},
    "supply 0.7 n": {"supply": 0.7 * N},
}
"""What tests differ in from the training, on values and demands uniform in [0.1, 1] and a supply of n / 2."""
UNTRUTHFUL = (0.0, 0.3)
STORED = 4_096
"""Profiles of trainings with untruthful participants, whose misreports take a search each."""


def spread(values: Any) -> str:
    """Write a mean over seeds with its interval, ``0.0225 [0.0187, 0.0263]``."""
    found = Estimate.of_seeds([float(value) for value in values])
    low, high = found.ends
    return f"{found.mean:.4f} [{low:.4f}, {high:.4f}]"


def trained(place: Path, *overrides: str, compared: int = 0) -> dict[str, Any]:
    """Return the summary of a training, which is finished if it is not."""
    told = f"trainer.evaluation={{instances: 2, effort: 1, compared: {compared}}}"
    fixed = (f"game.n={N}", f"game.m={M}", f"trainer.updates={UPDATES}", "trainer.weight=0.5", "trainer.log_every=200")
    return ensure(place, "exs_net", *fixed, told, *overrides)


def judged(game: PaymentFreeAllocation, policy: Any) -> tuple[float, float]:
    """Return Nash welfare by that of proportional fairness, and the mean relative gain of joint misreports."""
    mechanism = make_policy(game, "mechanism", policy)
    found = judge(game, mechanism, AUDITED, EFFORT, JUDGED)
    return found["nash_welfare_ratio_to_pf"].mean, found["exploitability"]["joint"]["relative"]["mean"].mean


def gap(place: Path, told: dict[str, Any]) -> tuple[float, float, float, float]:
    """Return by how much fresh profiles are worse than those trained on, and the gains of misreports on either.

    The welfare is told as a share of that of proportional fairness on the same profiles: of some, nobody gets much.
    """
    run = Run.open(place)
    game, config = PaymentFreeAllocation(n=N, m=M), validate(run.settings)
    mechanism = load(place, "mechanism")
    learner = Learner(game, mechanism.network, config.trainer, config.seed, "cpu")
    fresh = learner.truthful(COMPARED, torch_generator("cpu", config.seed, FRESH))
    assert learner.stored is not None
    train, other = (
        welfare(game, mechanism, types.double().numpy())["nash_welfare_ratio_to_pf"]
        for types in (learner.stored.types[:COMPARED], fresh)
    )
    gains = [told["gap"][side]["relative_gain"] for side in ("train", "fresh")]
    return train - other, gains[1] - gains[0], gains[0], gains[1]


def by_samples(folder: Path) -> None:
    """Print and draw how much worse fresh profiles are than L that were trained on."""
    print(f"## Few samples: {UPDATES} updates on L profiles, fresh ones less those\n")
    measures = ("Nash welfare ratio, worse by", "mean relative gain, worse by")
    header("network", "L", *measures, "gain, trained on", "gain, fresh")
    found: dict[str, dict[str, np.ndarray]] = {title: {} for title in measures}
    for architecture in ARCHITECTURES:
        gaps = []
        for size in SIZES:
            places = [folder / "samples" / f"{architecture}-{size}" / f"s{seed}" for seed in SEEDS]
            kind = (f"agents.mechanism.architecture={architecture}", f"trainer.samples={size}")
            gaps.append(
                [
                    gap(place, trained(place, *kind, f"seed={seed}", compared=COMPARED))
                    for place, seed in zip(places, SEEDS, strict=True)
                ]
            )
            row(architecture, size, *(spread(values) for values in np.transpose(gaps[-1])))
        worse = np.array(gaps)  # (L, S, 4)
        for at, title in enumerate(measures):
            found[title][architecture] = worse[..., at]
    fall = (SIZES[0] / SIZES[-1]) ** 0.5
    print(f"\nFrom the least L to the greatest L^-1/2 falls to {fall:.4f} of what it was; the mean gaps fell to\n")
    for title, curves in found.items():
        for name, values in curves.items():
            means = values.mean(1)
            print(f"- {title}, {name}: {means[-1] / means[0]:.4f}")
    style.save(allocation_figures.gaps(found, SIZES), folder / "gaps.png")


def by_shift(folder: Path) -> None:
    """Print what networks do on other distributions than their own, beside one trained there, and given rules."""
    runs = [folder / "samples" / f"equivariant-{SIZES[-1]}" / f"s{seed}" for seed in SEEDS]
    print("\n## Other distributions: Nash welfare ratio, and mean relative gain\n")
    header(
        "tested on", "water filling", "gain, proportional fairness", "trained on none", "gain", "trained there", "gain"
    )
    for place, (name, changes) in enumerate(SHIFTS.items()):
        game = PaymentFreeAllocation(n=N, m=M, **changes)
        there = runs
        if changes:
            overrides = [f"game.{key}={value}" for key, value in changes.items()]
            there = [folder / "shifts" / f"{place}" / f"s{SEEDS[0]}"]
            trained(there[0], *overrides, f"trainer.samples={SIZES[-1]}", f"seed={SEEDS[0]}")
        (filled, _), (_, gain) = (judged(game, rule) for rule in ("water_filling", "proportional_fairness"))
        moved = np.transpose([judged(game, load(run, "mechanism", game)) for run in runs])
        own = np.transpose([judged(game, load(run, "mechanism", game)) for run in there])
        row(name, filled, gain, *map(spread, moved), *(float(values.mean()) for values in own))


def by_truthfulness(folder: Path) -> None:
    """Print what becomes of networks whose training profiles hold best misreports under proportional fairness."""
    print("\n## Untruthful samples: a share of the participants trained on misreports, tests are truthful\n")
    header("share", "Nash welfare ratio", "mean relative gain")
    game = PaymentFreeAllocation(n=N, m=M)
    for share in UNTRUTHFUL:
        runs = [folder / "untruthful" / f"{share}" / f"s{seed}" for seed in SEEDS]
        for seed, run in zip(SEEDS, runs, strict=True):
            trained(run, f"trainer.untruthful={share}", f"trainer.samples={STORED}", f"seed={seed}")
        row(f"{share:g}", *map(spread, np.transpose([judged(game, load(run, "mechanism", game)) for run in runs])))


def main(folder: Path) -> None:
    """Train what is missing, print the tables and draw the figure."""
    by_samples(folder)
    by_shift(folder)
    by_truthfulness(folder)


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "runs/generalisation"))
