"""What the exact designer reaches at (10, 4, 4, 4), and what its rules are worth to other people.

    python benchmarks/exact_designer.py            prints docs/results/exact.md's tables (Markdown)

Everything is scored in the participants' exact logit equilibrium; nothing is sampled. One thread.
"""

from __future__ import annotations

import platform
import time
from typing import Any

import torch

from lawgiver.envs.core.errors import NoSolution
from lawgiver.envs.core.make import make_game, make_policy
from lawgiver.envs.core.policy import Policy
from lawgiver.envs.public_investment.endowments import CONDITIONS
from lawgiver.envs.public_investment.game import PublicInvestment
from lawgiver.trainers.evaluation.ascent import Ascent
from lawgiver.trainers.evaluation.equilibrium_gradient import rounds, value
from lawgiver.trainers.evaluation.reachable import reachable
from lawgiver.trainers.evaluation.score_table import CANONICAL, ScoreTable, ceiling_scores, low_anchor, robustness
from lawgiver.trainers.mechanism_design.exact.settings import Mechanism
from lawgiver.trainers.mechanism_design.exact.train import make_mechanism
from lawgiver.trainers.tables.markdown import header, row

ENDOWMENTS = (10, 4, 4, 4)
BARS = {1.0: 0.60, 2.0: 0.78, 5.0: 0.85}
KINDS = {"graph network": ("allocate", 8e-3, 600), "rule (p, q)": ("announce", 0.05, 200)}


def designed(game: PublicInvestment, level: float, rate: float, updates: int) -> Policy:
    torch.manual_seed(0)
    policy, sends = make_mechanism(game, Mechanism())
    conditions = rounds(game)

    def objective(at_level: float) -> torch.Tensor:
        return torch.stack([value(at, sends, at_level) for at in conditions]).mean()

    parameters = policy.network.parameters()
    ascent = Ascent(parameters, objective, inverse_temperature=level, updates=updates, learning_rate=rate)
    for update in range(1, updates + 1):
        ascent.update(update)
    return policy


def shares(game: PublicInvestment, level: float, found: Any) -> tuple[float, float, float]:
    """Return the objective, the best canonical one and the share of the way from there to the ceiling."""
    scores = {
        name: game.exact_scores(make_policy(game, "mechanism", name), inverse_temperature=level) for name in CANONICAL
    }
    table = ScoreTable(game.objective, scores | {"learned": found, "ceiling": ceiling_scores(game)})
    learned, best, closed = table.value("learned", game.objective), table.best_canonical(), table.gap_closed("ceiling")
    assert learned is not None and best is not None and closed is not None
    return learned, best, closed


def designer_table() -> dict[str, Policy]:
    kept: dict[str, Policy] = {}
    columns = ("log Nash welfare", "best canonical", "share of the gap", "bar", "s", "CPU s")
    header("inverse temperature", "designed", *columns)
    for level, bar in BARS.items():
        allocating = make_game("public_investment", endowments=ENDOWMENTS)
        wall, cpu = time.perf_counter(), time.process_time()
        table = reachable(allocating, level)
        spent = (time.perf_counter() - wall, time.process_time() - cpu)
        row(level, "free table", *shares(allocating, level, table), bar, *spent)
        for kind, (mode, rate, updates) in KINDS.items():
            game = make_game("public_investment", endowments=ENDOWMENTS, mechanism_mode=mode)
            wall, cpu = time.perf_counter(), time.process_time()
            policy = designed(game, level, rate, updates)
            spent = (time.perf_counter() - wall, time.process_time() - cpu)
            row(level, kind, *shares(game, level, game.exact_scores(policy, inverse_temperature=level)), bar, *spent)
            if mode == "allocate":
                kept[f"graph network designed at {level:g}"] = policy
    return kept


def other_people(kept: dict[str, Policy]) -> None:
    game = make_game("public_investment", endowments=ENDOWMENTS)
    levels = (0.5, 1.0, 2.0, 5.0, 20.0)
    header("log Nash welfare at inverse temperature", *(f"{level:g}" for level in levels), "1, used to giving little")
    low = low_anchor(game)
    canonical = {name: make_policy(game, "mechanism", name) for name in CANONICAL}
    for name, policy in (canonical | kept).items():
        uniform = robustness(game, policy, inverse_temperatures=levels)
        anchored = robustness(game, policy, inverse_temperatures=(1.0,), anchor=low)
        row(name, *(uniform[level]["learned"] for level in levels), anchored[1.0]["learned"])


def five_conditions() -> None:
    game = make_game("public_investment", endowments=CONDITIONS)
    wall, cpu = time.perf_counter(), time.process_time()
    found = reachable(game, 1.0)
    assert not isinstance(found, NoSolution)
    print(
        f"\nAll five conditions: {time.perf_counter() - wall:.1f} s, {time.process_time() - cpu:.1f} s of them CPU.\n"
    )
    header("endowments", "reachable at 1", "ceiling")
    for scored, best in zip(found["by_condition"], game.ceiling_scores(), strict=True):
        row(scored["endowments"], scored["log_nash_welfare"], best["log_nash_welfare"])
    row("mean", found["log_nash_welfare"], game.ceiling())


def main() -> None:
    torch.set_num_threads(1)
    print(f"{platform.machine()}, Python {platform.python_version()}, torch {torch.__version__}, one thread\n")
    kept = designer_table()
    print()
    other_people(kept)
    five_conditions()


if __name__ == "__main__":
    main()
