"""What misreports gain under affine maximisers, random ones and learned ones, in the three games of the paper.

    OMP_NUM_THREADS=1 PYTHONHASHSEED=0 python benchmarks/truthfulness.py            prints the tables (Markdown)

Random rules have weights around 1 and boosts around 0; a learned one is what `lawgiver train affine_maximiser` finds in
100 updates. Every participant of every profile is searched while the others tell the truth: misreports by rule, drawn
anywhere, uphill where there is a slope, and from many places at once. The last column is a control: what the same
search finds where everybody pays what it says (no affine maximiser), so that gains are there to be found. The second
table is the resolution of the search: how often it finds an interval of a single number, anywhere in its range, that
alone pays.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import array_api_compat
import numpy as np

from lawgiver.agents.reporting import AffineMaximiser, pay_as_bid
from lawgiver.envs.core.fields import Field
from lawgiver.envs.core.make import make_game, make_policy
from lawgiver.envs.families.mdp_game import MDPGame
from lawgiver.trainers.audit import Audit, audit, response_of
from lawgiver.trainers.runs import launch
from lawgiver.trainers.statistics.estimate import Estimate

GAMES: dict[str, dict[str, Any]] = {
    "sequential_sales": {"n": 3, "m": 2, "high": "1/i"},
    "task_scheduling": {"n": 2, "m": 4},
    "gridworld": {"n": 2, "m": 3},
}
BOOSTS = (0.1, 0.3, 1.0)
"""Largest boosts of the rules, as shares of the greatest private number: the larger, the less reports matter."""
RULES, PROFILES, EFFORT = 6, 20, 1
UPDATES = 100
"""Of a training."""
WINDOWS = (0.1, 0.01, 0.001)
"""Lengths of intervals that pay, as shares of the range; ``PLACES`` of each are searched for."""
PLACES = 20


def made(name: str, **params: Any) -> MDPGame:
    game = make_game(name, **GAMES[name], **params)
    assert isinstance(game, MDPGame)
    return game


def drawn_rule(game: MDPGame, rng: np.random.Generator, size: float) -> AffineMaximiser:
    """Return the affine maximiser with weights around 1, log-normal, and boosts uniform in an interval around 0."""
    bound = size * game.type_range[1]
    boosts = rng.uniform(-bound, bound, (game.mdp.n_states, game.mdp.n_actions))
    return AffineMaximiser(game, log_weights=0.5 * rng.standard_normal(game.n), boosts=boosts)


def learned_rule(name: str, game: MDPGame, folder: Path) -> Any:
    """Return the affine maximiser that a short training finds."""
    game_words = [f"game.name={name}", *(f"game.{key}={value}" for key, value in GAMES[name].items())]
    launch.ensure(
        folder / name, "affine_maximiser", *game_words, f"trainer.updates={UPDATES}", "trainer.evaluation.profiles=2000"
    )
    return make_policy(game, "mechanism", folder / name)


def searched(game: MDPGame, mechanism: Any, seed: int) -> Audit:
    types = game.initial_state(PROFILES, np.random.default_rng([1, seed])).types
    return audit(response_of(game, mechanism), game.type_layout(), types, effort=EFFORT, seed=seed)


def resolution(length: float, effort: int) -> Estimate:
    """Estimate the share of participants outside of an interval who find it, over places."""
    layout = (Field("value", 1, 0, 1, "money", "any number"),)
    rng = np.random.default_rng(0)
    shares = []
    for seed in range(PLACES):
        low = rng.random() * (1 - length)

        def pays(types: Any, reports: Any, low: float = low) -> tuple[Any, Any]:
            told = reports[..., 0]
            inside = (told > low) & (told < low + length)
            return array_api_compat.array_namespace(told).astype(inside, told.dtype), 0 * told

        found = audit(pays, layout, rng.random((PROFILES, 3, 1)), effort=effort, seed=seed)
        shares.append((found.joint.gains > 0)[found.payoffs == 0].mean())
    return Estimate.of_samples(np.array(shares))


def main() -> None:
    print("| game | rules | profiles each | misreports tried | largest gain | control: mean gain |")
    print("|---|---|---|---|---|---|")
    tried = 0
    with tempfile.TemporaryDirectory() as folder:
        for name, params in GAMES.items():
            game = made(name)
            rng = np.random.default_rng(0)
            rules = {
                f"{RULES} random": [drawn_rule(game, rng, BOOSTS[k % len(BOOSTS)]) for k in range(RULES)],
                "1 learned": [learned_rule(name, game, Path(folder))],
            }
            open_to_gain = made(name, mechanism_mode="allocate")
            groups = searched(open_to_gain, pay_as_bid(open_to_gain), 0).data()["groups"]
            gain = list(groups.values())[-1]["absolute"]["mean"]
            label = f"{name} {', '.join(f'{key}={value}' for key, value in params.items())}"
            for which, some in rules.items():
                found = [searched(game, rule, k) for k, rule in enumerate(some)]
                largest, count = max(each.largest_gain for each in found), sum(each.tried for each in found)
                tried += count
                control = f"{gain.mean:.3f} ± {gain.standard_error:.3f}"
                print(f"| {label} | {which} | {PROFILES} | {count:,} | {largest:.1e} | {control} |")
    print(f"\n{tried:,} misreports tried in all")
    print("\n| an interval of | found at effort 1 | at effort 3 |\n|---|---|---|")
    for length in WINDOWS:
        cells = " | ".join(
            f"{found.mean:.0%} ± {100 * found.standard_error:.1f}"
            for found in (resolution(length, effort) for effort in (1, 3))
        )
        print(f"| {length:g} of the range | {cells} |")


if __name__ == "__main__":
    main()
