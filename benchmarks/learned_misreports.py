"""Welfare losses from learned misreports, and the path of a mechanism that learns beside them.

    python benchmarks/learned_misreports.py [FOLDER]

trains into FOLDER (default runs/learned_misreports), prints the tables of docs/results/learned_misreports.md and draws
FOLDER/learned_misreports.png. A run that is there already is not trained again; one that was interrupted goes on.

The Nash welfare ratio is to what proportional fairness makes of the truth, on the same types. What participants
have learned is held against honesty, against the best reply to honest others that depends on the class of the own type
alone, against the logit equilibrium on the menu (classes too, at the participants' own inverse temperature), and
against what an audit finds that knows everybody's type and may report anything.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lawgiver.agents.allocation import partial_allocation
from lawgiver.envs.core.arrays import evolve, sample_index
from lawgiver.envs.core.policy import Policy
from lawgiver.envs.families.repeated_reports import RepeatedState
from lawgiver.envs.repeated_allocation import RepeatedAllocation
from lawgiver.envs.repeated_allocation.solutions import (
    Classes,
    Equilibrium,
    announced,
    apply_rule,
    deviations,
    equilibria_on_grid,
    equilibrium,
    payoff_table,
    round_results,
    sample_types,
)
from lawgiver.trainers.audit import audit_game
from lawgiver.trainers.plots import style
from lawgiver.trainers.runs.config import load_config
from lawgiver.trainers.runs.launch import ensure
from lawgiver.trainers.runs.loading import load
from lawgiver.trainers.runs.run import Run
from lawgiver.trainers.tables.markdown import header, row
from lawgiver.trainers.tables.wording import words

SEEDS, SEEDS_OF_BOTH = (0, 1), (0, 1, 2)
CONFIG = "repeated_allocation"
GIVEN = {"proportional_fairness": (0.0, 0.0), "partial_allocation": (1.0, 0.0), "water_filling": (0.0, 1.0)}
LEVELS = (0.0, 0.25, 0.5, 0.75, 1.0)
"""Of burning and of sharing, on the grid of rules."""
SMALL, LARGE, AUDITED = 64, 1_000, 50
"""Profiles of types: under every joint choice; under lies of one or of all; of the audit."""
TYPES, REPLIES, DRAWN = 101, 102, 103
"""Seeds of what is measured on, apart from those of trainings."""


@dataclass(frozen=True)
class Measured:
    """Misreports of trained participants under a rule. Utilities are those of a round; shares are of the honest one.

    Attributes:
        honest: Nash welfare ratio if all tell the truth, to that of proportional fairness.
        played: as all have learned to report, likewise.
        alone: what one gains by what it has learned over honesty, others being honest, as a share.
        among: the same among others who do as they have learned.
        reply: what the best reply of one's class gains over honesty, others being honest.
        asks: probability of asking for more than is of use.
        bends: probability of bending values.
    """

    honest: float
    played: float
    alone: float
    among: float
    reply: float
    asks: float
    bends: float


@dataclass(frozen=True)
class Way:
    """Where a mechanism went that learned.

    Attributes:
        means: of the rule that it announced, burning and sharing, (iterations, 2).
        learned: the rule that it ends with, their mean over the last iterations.
    """

    means: np.ndarray
    learned: tuple[float, float]


def probabilities(game: RepeatedAllocation, people: Policy, types: np.ndarray, rule: tuple[float, float]) -> np.ndarray:
    """Return the probability of each choice, (N, n, A), of participants with types (N, n, k) who are told a rule."""
    count = len(types)
    now = evolve(game.one_shot.initial_state_from(types), turn=1, parameters=np.broadcast_to(rule, (count, 2)))
    state = RepeatedState(round=np.arange(count) % game.rounds * 1.0, now=now)
    return np.asarray(np.exp(people.distribution(game.observe(state, "participant"), None, None)[0]))


@dataclass(frozen=True)
class Ground:
    """A rule on fresh types, before anybody learns.

    Attributes:
        rule: burning and sharing.
        types: (N, n, k).
        truth: utilities of the truth, (N, n).
        lies: what each choice gains over honesty, others being honest, (N, n, A).
        reply: what the best choice of one's class gains so, on average; chosen on other types.
        honest: Nash welfare ratio of the truth, to that of proportional fairness.
    """

    rule: tuple[float, float]
    types: np.ndarray
    truth: np.ndarray
    lies: np.ndarray
    reply: float
    honest: float


def ground(game: RepeatedAllocation, rule: tuple[float, float]) -> Ground:
    """Compute the measures of a rule under the truth and under single misreports."""
    decide, types, others = announced(game, *rule), sample_types(game, LARGE, TYPES), sample_types(game, LARGE, REPLIES)
    truth, welfare = round_results(game, types, types, apply_rule(decide, types))
    lies, elsewhere = (
        found - found[..., game.honest, None]
        for found in (deviations(game, decide, types), deviations(game, decide, others))
    )
    classes = Classes.of(game, others)
    best = np.array([elsewhere[classes(others) == one].mean(axis=0).argmax() for one in range(4)])
    reply = np.take_along_axis(lies, best[classes(types)][..., None], axis=-1).mean()
    honest = np.exp(welfare.mean() - fair_welfare(game, types))
    return Ground(rule, types, truth, lies, float(reply), float(honest))


def measure(game: RepeatedAllocation, people: Policy, known: Ground) -> Measured:
    """Measure the misreports of trained participants under a rule."""
    types, decide = known.types, announced(game, *known.rule)
    learned = probabilities(game, people, types, known.rule)
    levels = np.random.default_rng(DRAWN).random(learned.shape[:2])
    choices = sample_index(np.log(np.maximum(learned, np.finfo(float).tiny)), levels)

    def paid(chosen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        reports = game.reports_of(types, chosen)
        return round_results(game, types, reports, apply_rule(decide, reports))

    utilities, welfare = paid(choices)
    among = []
    for seat in range(game.one_shot.n):
        back = choices.copy()
        back[:, seat] = game.honest
        among.append((utilities - paid(back)[0])[:, seat].mean())
    scale = float(known.truth.mean())
    return Measured(
        honest=known.honest,
        played=float(np.exp(welfare.mean() - fair_welfare(game, types))),
        alone=float((learned * known.lies).sum(-1).mean()) / scale,
        among=float(np.mean(among)) / scale,
        reply=known.reply / scale,
        asks=float(learned[..., game.menu[:, 1] > 1].sum(-1).mean()),
        bends=float(learned[..., game.menu[:, 0] != 1].sum(-1).mean()),
    )


def fair_welfare(game: RepeatedAllocation, types: np.ndarray) -> float:
    """Return the mean log utility of types (N, n, k) under proportional fairness and the truth."""
    amounts = apply_rule(announced(game, *GIVEN["proportional_fairness"]), types)
    return float(round_results(game, types, types, amounts)[1].mean())


def audited(game: RepeatedAllocation, rule: tuple[float, float]) -> float:
    """Return the mean gain by the best misreports that an audit finds, as a share of the mean utility."""
    found = audit_game(
        game.one_shot,
        partial_allocation(game.one_shot, burning=rule[0], sharing=rule[1]),
        sample_types(game, AUDITED, TYPES),
    )
    gains = list(found.regrets.values())[-1].gains
    return float(gains.mean() / found.payoffs.mean())


def given_rules(
    folder: Path, game: RepeatedAllocation, grid: Mapping[tuple[float, float], Equilibrium], best: float
) -> dict[str, list[Measured]]:
    """Train participants under each named rule; print what they make of it."""
    header(
        "mechanism", "seed", "honest", "as learned", "menu equilibrium", "gain alone", "gain among liars",
        "best reply of the class", "audit", "asks for more", "bends values", "s",
    )  # fmt: skip
    measured: dict[str, list[Measured]] = {}
    for name, rule in GIVEN.items():
        found, known = audited(game, rule), ground(game, rule)
        for seed in SEEDS:
            path = folder / f"{name}-s{seed}"
            summary = ensure(
                path, CONFIG, f"agents.mechanism.given={{policy: {name}}}", "trainer.iterations=150", f"seed={seed}"
            )
            one = measure(game, load(path, role="participant"), known)
            measured.setdefault(name, []).append(one)
            at = float(np.exp(grid[rule].welfare - best))
            gains = one.alone, one.among, one.reply, found
            row(words(name), seed, one.honest, one.played, at, *gains, one.asks, one.bends,
                f"{summary['timing']['wall_s']:.0f}")  # fmt: skip
    print()
    return measured


def both_learn(
    folder: Path,
    game: RepeatedAllocation,
    types: np.ndarray,
    grid: Mapping[tuple[float, float], Equilibrium],
    inverse_temperature: float,
) -> list[Way]:
    """Train both sides; print where the mechanism went; return its way of each seed."""
    best = fair_welfare(game, types)
    top = max(grid, key=lambda rule: grid[rule].welfare)
    header(
        "seed", "burning", "sharing", "as learned", "menu equilibrium", "best on the grid", "gap closed",
        "asks for more", "bends values", "s",
    )  # fmt: skip
    ways = []
    for seed in SEEDS_OF_BOTH:
        path = folder / f"both-s{seed}"
        summary = ensure(path, CONFIG, f"seed={seed}")
        learned = load(path)
        seen = game.observe(game.initial_state(1, np.random.default_rng(0)), "mechanism")
        burning, sharing = (float(x) for x in np.asarray(learned["mechanism"].action(seen))[0, 0])
        means = np.array([line["mechanism"]["mean"] for line in Run.open(path).lines()])
        ways.append(Way(means, (burning, sharing)))
        people = measure(game, learned["participant"], ground(game, (burning, sharing)))
        table = payoff_table(game, announced(game, burning, sharing), types)
        found = equilibrium(table, Classes.of(game, types), inverse_temperature)
        began = grid[GIVEN["partial_allocation"]].welfare
        closed = (found.welfare - began) / (grid[top].welfare - began)
        row(
            seed, burning, sharing, people.played, float(np.exp(found.welfare - best)),
            f"{np.exp(grid[top].welfare - best):.3f} at {top}", closed, people.asks, people.bends,
            f"{summary['timing']['wall_s']:.0f}",
        )  # fmt: skip
    print()
    return ways


def draw(
    measured: Mapping[str, list[Measured]],
    grid: Mapping[tuple[float, float], Equilibrium],
    best: float,
    ways: list[Way],
    to: Path,
) -> None:
    """Draw what lies cost under each rule, and the way of the mechanism over the welfare of all rules."""
    figure = style.new_figure(12.5, 4.4)
    left, right = figure.subplots(1, 2)
    kinds = {"all honest": "s", "equilibrium on the menu": "D", "as learned, seed by seed": "o"}
    for place, (name, each) in enumerate(measured.items()):
        found = [each[0].honest], [float(np.exp(grid[GIVEN[name]].welfare - best))], [one.played for one in each]
        for offset, ((label, marker), heights) in enumerate(zip(kinds.items(), found, strict=True)):
            at = [place + 0.18 * (offset - 1)] * len(heights)
            left.plot(at, heights, marker, color=style.CYCLE[offset], label=None if place else label)
    left.set_xticks(range(len(measured)), [words(name).replace(" ", "\n") for name in measured])
    left.set_xlim(-0.5, len(measured) - 0.5)
    left.set_ylabel("Nash welfare ratio, to honest proportional fairness")
    left.set_title("What lies leave of three rules", fontsize=10, loc="left")
    left.grid(axis="y", alpha=0.3)
    style.legend_beside(left)
    values = np.array([[np.exp(grid[c, s].welfare - best) for c in LEVELS] for s in LEVELS])
    filled = right.contourf(LEVELS, LEVELS, values, levels=12, cmap="cividis")
    figure.colorbar(filled, ax=right, label="Nash welfare ratio in the menu's equilibrium")
    for seed, way in enumerate(ways):
        colour = ("#D55E00", "#CC79A7", "#FFFFFF")[seed % 3]
        right.plot(*way.means.T, color=colour, linewidth=1.4, label=f"seed {seed}")
        right.plot(*way.learned, "o", color=colour, markeredgecolor="#000000", markersize=8)
    right.set_xlim(-0.03, 1.03)
    right.set_ylim(-0.03, 1.03)
    right.set_xlabel("burning c")
    right.set_ylabel("sharing by demand alone s")
    right.set_title("Both learn: the way of the rule, from (1, 0)", fontsize=10, loc="left")
    right.legend(facecolor="#BBBBBB", fontsize=8, loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=3)
    style.save(figure, to)


def main(folder: Path) -> None:
    """Train what is missing, print the tables and draw the figure."""
    config = load_config(CONFIG)
    game, level = config.game.make(), config.agents.participants.inverse_temperature
    assert isinstance(game, RepeatedAllocation)
    types = sample_types(game, SMALL, TYPES)
    grid = equilibria_on_grid(game, types, LEVELS, level)
    best = fair_welfare(game, types)
    print("Nash welfare ratio in equilibrium on the menu, by burning (columns) and sharing (rows)\n")
    header("", *(f"{burning:g}" for burning in LEVELS))
    for sharing in LEVELS:
        row(f"{sharing:g}", *(float(np.exp(grid[burning, sharing].welfare - best)) for burning in LEVELS))
    print(f"\nlargest average regret in any: {max(one.regret for one in grid.values()):.2g} of utility\n")
    measured = given_rules(folder, game, grid, best)
    ways = both_learn(folder, game, types, grid, level)
    draw(measured, grid, best, ways, folder / "learned_misreports.png")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "runs/learned_misreports"))
