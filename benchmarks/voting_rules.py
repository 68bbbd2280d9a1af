"""Voting rules on sampled elections: welfare, majorities, and what lies bring, with intervals.

    OMP_NUM_THREADS=1 PYTHONHASHSEED=0 python benchmarks/voting_rules.py                   prints the tables (Markdown)
    OMP_NUM_THREADS=1 PYTHONHASHSEED=0 python benchmarks/voting_rules.py --profiles 50     fewer elections, in less time

Every rule decides the same elections, and in each every voter tries every ballot while the others tell the truth. What
comes of voters who all compromise is left out where each election has candidates of its own, which takes hours.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from lawgiver.envs.core.make import make_game, make_policy
from lawgiver.envs.families.choice_game import condorcet_winner, lottery_of
from lawgiver.envs.families.play_out import play_out
from lawgiver.envs.voting import Voting
from lawgiver.trainers.audit import audit_game
from lawgiver.trainers.statistics.estimate import Estimate

CULTURES: dict[str, dict[str, Any]] = {
    "impartial": {},
    "euclidean": {"dimensions": 2},
    "mallows": {"phi": 0.8},
    "urn": {"alpha": 0.1},
}
HEADS = (
    "rule",
    "welfare",
    "less than Borda",
    "Condorcet winner chosen",
    "regret",
    "voters who gain",
    "elections in which some gain",
    "welfare, all compromise",
)


def written(found: Estimate, digits: int = 4) -> str:
    """Write a mean with the ends of its interval."""
    return f"{found.mean:.{digits}f} [{found.low:.{digits}f}, {found.high:.{digits}f}]"


def compromised(game: Voting, name: str, types: np.ndarray) -> np.ndarray:
    """Compute the welfare (P,) where everybody casts the ballot that is best against truthful others."""
    voters = make_policy(game, "participant", {"policy": "compromise", "rule": name})
    seen = game.observe(game.initial_state_from(types), "participant")
    ballots, _ = voters.act(seen, None, None, None)
    return np.asarray(game.measure(play_out(game, make_policy(game, "mechanism", name), types, ballots)))


def rows(game: Voting, types: np.ndarray) -> list[list[str]]:
    """Measure every rule of a game on types (P, n, m + p)."""
    winners = condorcet_winner(game.private(types))
    some = winners.any(-1)
    borda = np.asarray(game.measure(play_out(game, make_policy(game, "mechanism", "borda"), types, types)))
    found = []
    for name in game.direct_rules:
        rule = make_policy(game, "mechanism", name)
        done = play_out(game, rule, types, types)
        welfare = np.asarray(game.measure(done))
        audit = audit_game(game, rule, types)
        told = audit.data()["ordinal"]
        found.append(
            [
                f"`{name}`",
                written(Estimate.of_samples(welfare)),
                written(Estimate.of_samples(borda - welfare)),
                written(Estimate.of_samples((winners * lottery_of(done)).sum(-1)[some]), 3),
                written(told["regret"]["mean"]),
                written(told["who_gain"]["participants"], 3),
                written(told["who_gain"]["profiles"], 3),
                "-" if game.public_layout() else written(Estimate.of_samples(compromised(game, name, types))),
            ]
        )
    return found


def main(given: Sequence[str] | None = None) -> None:
    """Print a table for each culture."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=25)
    parser.add_argument("--m", type=int, default=5)
    parser.add_argument("--profiles", type=int, default=400)
    parser.add_argument("--cultures", nargs="*", default=list(CULTURES), choices=list(CULTURES))
    asked = parser.parse_args(given)
    for culture in asked.cultures:
        start = time.perf_counter()
        game = make_game("voting", n=asked.n, m=asked.m, culture=culture, **CULTURES[culture])
        assert isinstance(game, Voting)
        types = game.initial_state(asked.profiles, np.random.default_rng(0)).types
        exist = Estimate.of_samples(condorcet_winner(game.private(types)).any(-1).astype(float))
        params = "".join(f", {key} {value}" for key, value in CULTURES[culture].items())
        print(
            f"\n{culture}{params}: n = {asked.n}, m = {asked.m}, {asked.profiles} elections, with a Condorcet winner in"
        )
        print(f"{written(exist, 3)} of them.\n")
        print(f"| {' | '.join(HEADS)} |")
        print(f"|{'---|' * len(HEADS)}")
        for row in rows(game, types):
            print(f"| {' | '.join(row)} |")
        print(f"\n{time.perf_counter() - start:.0f} s.")


if __name__ == "__main__":
    main()
