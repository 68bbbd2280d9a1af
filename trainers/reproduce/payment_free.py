"""Zeng, Bhatt et al. 2023 and 2025, payment-free allocation with ExS-Net and RPF-Net: the frontier, with its baselines.

Both papers trade Nash welfare against exploitability, the gain from the best misreport. Every rule here, known or
learned, is audited in the same way on the same fresh instances.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lawgiver.trainers.reproduce.payment_free_judged import EFFORT, INSTANCES, SEED, Task, judged_all
from lawgiver.trainers.reproduce.payment_free_tables import (
    BASELINES,
    Board,
    Learned,
    Network,
    Size,
    rows,
    standing_rows,
    verdict_notes,
    verdicts,
)
from lawgiver.trainers.reproduce.runs import finished_in_time, saved
from lawgiver.trainers.reproduce.table import Reproduction
from lawgiver.trainers.statistics.estimate import confidence

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BRIEF = ("trainer.evaluation={instances: 2, effort: 1, compared: 0}",)
"""Of every training: all rules are judged here, alike, and more thoroughly."""


def _budget(exs_net: int, rpf_net: int) -> dict[str, tuple[str, ...]]:
    """List the overrides of a training by network, given each network's number of updates."""
    updates = {"exs_net": exs_net, "rpf_net": rpf_net}
    return {
        name: (f"trainer.updates={n}", f"trainer.log_every={max(n // 5, 1)}", *BRIEF) for name, n in updates.items()
    }


def _weights(*weights: float) -> dict[str, tuple[str, ...]]:
    """List the overrides of trainings by weight of the gain in the objective."""
    return {f"weight {weight:g}": (f"trainer.weight={weight}",) for weight in weights}


SIZES = (
    Size(2, 2, networks=200, fair=150, partial=150, training=_budget(1_000, 120)),
    Size(5, 3, networks=128, fair=64, partial=48, training=_budget(300, 120)),
    Size(10, 3, networks=64, fair=32, partial=32, training=_budget(200, 60)),
)
"""With what all trainings and audits of three seeds take about an hour on two cores."""
NETWORKS = (
    Network("ExS-Net", "exs_net", {**_weights(0.3, 1.0, 3.0), "target 0.01": ("trainer.target=0.01",)}),
    Network("RPF-Net", "rpf_net", _weights(1.0)),
)
"""Between water filling and proportional fairness welfare rises by 0.3 to 1 for a unit of gain: weights are of that
order, for much greater ones lead to water filling, and much less to proportional fairness."""

TITLE = (
    "Learning Payment-Free Resource Allocation Mechanisms (Zeng, Bhatt et al. 2023) and RPF-Net (2025): the frontier"
)
HEADING = "payment_free_allocation-v0: networks that share without payments, beside known rules"
"""Mechanisms and game of the figures."""
NOTES = (
    "The bodies of both papers are not public here: no number of theirs stands beside ours. Their abstracts claim that"
    " ExS-Net trades Nash welfare for honesty better than proportional fairness and partial allocation do, and RPF-Net"
    " better still, at the price of speed.",
    "Values and demands are uniform in [0.1, 1], half a unit of each resource a participant. A gain is what the best"
    " misreport found brings, as a share of what the truth brings, a lower bound; misreported values and demands lie"
    " in [0, 1]. What doubling the search added says how loose it is, in the same unit.",
    f"In square brackets stands the {confidence()} interval of the mean. It adds in quadrature what the instances leave"
    " open and, where something is learned, what the seeds differ by (Student's t). Differences are taken instance by"
    " instance. Each interval is of one point alone: among many points one may be clear by chance.",
    "The segment joins water filling, under which nobody gains, and proportional fairness. A stronger test are the"
    " mixes, (1 - s) proportional fairness + s water filling of the same reports, and partial allocation's family, in"
    " which everybody keeps the c-th power of what it would keep. Above them means greater Nash welfare at the learned"
    " point's own exploitability; - where all of the family is more exploitable.",
    "A baseline may dominate a point that is not clearly better in at least one of the two.",
    "The greatest gain is of the games audited, as many as the last column says, and grows with them: it compares only"
    " rules that were audited equally often. Seconds are those of the clock, while other rules are judged beside.",
)


def reproduce(folder: Path, n_seeds: int, jobs: int) -> Reproduction:
    """Make the tables and figures; see :func:`lawgiver.trainers.reproduce.reproduce`."""
    asked = [(size, network, name) for size in SIZES for network in NETWORKS for name in network.asked]
    wanted = [
        (folder / size.folder / network.config / _slug(name) / f"s{seed}", network.config, overrides)
        for size, network, name in asked
        for seed in range(n_seeds)
        for overrides in [(*_game(size), *size.training[network.config], *network.asked[name], f"seed={seed}")]
    ]
    runs, times = finished_in_time(wanted, jobs)
    of_runs = [(run.path / "judgement.json", run, *asked[i // n_seeds]) for i, run in enumerate(runs)]
    tasks = [
        *((file, _task(size, None, network.config)) for file, _, size, network, _ in of_runs),
        *(
            (folder / size.folder / "known" / f"{_slug(name)}.json", _task(size, rule, name))
            for size in SIZES
            for name, rule in BASELINES.items()
        ),
    ]
    judged = dict(zip([file for file, _ in tasks], judged_all(tasks, jobs), strict=True))
    boards = []
    for size in SIZES:
        known = {name: judged[folder / size.folder / "known" / f"{_slug(name)}.json"] for name in BASELINES}
        learned = tuple(
            Learned(network, name, tuple(judged[file] for file, *_ in of_runs[i * n_seeds : (i + 1) * n_seeds]))
            for i, (of, network, name) in enumerate(asked)
            if of is size
        )
        boards.append(Board(size, known, learned))
    comparisons = {}
    for board in boards:
        comparisons[f"{board.size.name}: what every rule does"] = tuple(rows(board))
        comparisons[f"{board.size.name}: the learned rules among the known"] = tuple(standing_rows(board))
    sections = {
        "Of how many learned rules it holds": tuple(row for board in boards for row in verdicts(board)),
        "Time": times,
    }
    notes = (*NOTES, _thoroughness(), *(note for board in boards for note in verdict_notes(board)))
    return Reproduction(TITLE, sections, notes, tuple(saved(folder, _figures(boards))), comparisons=comparisons)


def _game(size: Size) -> tuple[str, ...]:
    return (f"game.n={size.n}", f"game.m={size.m}")


def _slug(name: str) -> str:
    return name.replace(", ", "_").replace(" = ", "").replace(" ", "_")


def _task(size: Size, rule: Any, name: str) -> Task:
    return Task(size.n, size.m, rule, size.audited(name), INSTANCES, EFFORT, SEED)


def _figures(boards: Sequence[Board]) -> Iterator[tuple[str, str, Figure]]:
    """Yield the frontier of every size, with file name and heading."""
    from lawgiver.trainers.reproduce.payment_free_chart import chart

    for board in boards:
        yield f"frontier_{board.size.folder}.png", HEADING, chart(board)


def _thoroughness() -> str:
    sizes = "; ".join(
        f"{size.name}: {size.networks} (networks and closed forms), {size.fair} (proportional fairness is solved),"
        f" {size.partial} (partial allocation and its family)"
        for size in SIZES
    )
    return (
        f"Welfare and efficiency are of {INSTANCES:,} instances a size. Audits, of effort {EFFORT}, are of as many of"
        f" the first of these as time allows. {sizes}."
    )
