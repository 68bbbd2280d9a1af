"""What lies bring an agent in online allocation, and what they do if all lie.

    OMP_NUM_THREADS=1 PYTHONHASHSEED=0 python benchmarks/online_lies.py            prints tables (Markdown)
    OMP_NUM_THREADS=1 PYTHONHASHSEED=0 python benchmarks/online_lies.py --quick    few games, in seconds

Four agents, values drawn from U[0, 1], one question a round. One agent lies, game after game in another seat, and the
others answer what they experience; with and without its lie the values and the noise of a game are the same. Gains are
shares of what the truth earns. The best lie by experience is chosen on half of the games and measured on the others.
"""

from __future__ import annotations

import argparse
import time

import numpy as np

import lawgiver
from lawgiver.envs.core.make import make_policy
from lawgiver.envs.online_allocation import OnlineAllocation
from lawgiver.trainers.online_allocation.lies import LIES, answering, gains
from lawgiver.trainers.online_allocation.plays import totals
from lawgiver.trainers.statistics.estimate import Estimate
from lawgiver.trainers.tables.markdown import header, row

RULES = (
    ("dueling", "max_min", "own"),
    ("dueling", "envy", "any_pair"),
    ("dueling", "sum", "own"),
    ("dueling", "nash", "own"),
    ("explore_then_commit", "max_min", "own"),
    ("explore_then_commit", "sum", "own"),
    ("serial", "max_min", "own"),
    ("money_burning", "sum", "own"),
)
SEED = (0,)
SOLVED = {
    "truthful": "truthful",
    "own_values": "own_values",
    "understate": {"policy": "answers", **LIES["understate"]},
    "best_only": "best_only",
}
"""Strategies of the game in which all choose how to answer."""


def game_of(rule: str, criterion: str, query: str, rounds: int, n: int = 4) -> OnlineAllocation:
    """Make the game that a rule plays."""
    paying = rule == "money_burning"
    return OnlineAllocation(n=n, rounds=rounds, criterion=criterion, query=query, payments=paying)  # type: ignore[arg-type]


def percent(values: np.ndarray, scale: float) -> str:
    """Write a mean as a percentage with half of its interval."""
    found = Estimate.of_samples(100 * values / scale)
    return f"{found.mean:+.1f} ± {found.half:.1f}"


def alone(rounds: int, games: int) -> None:
    """Print what one liar gains under each rule."""
    print(f"\nGain of one liar, % of what the truth earns, {rounds:,} rounds, {games:,} games\n")
    ways = (*LIES, "best_only", "own_values")
    header("rule, criterion, query", *ways, "best by experience", "`best_only` beside `own_values`")
    for rule, criterion, query in RULES:
        game = game_of(rule, criterion, query, rounds)
        found = gains(game, rule, games, SEED)
        people = answering(game, "truthful")
        earned = totals(game, make_policy(game, "mechanism", rule), people, games, SEED).payoffs.mean() / rounds
        half = games // 2
        best = max(LIES, key=lambda name: found[name][:half].mean())
        told = f"{best} {percent(found[best][half:], earned)}"
        known = percent(found["best_only"] - found["own_values"], earned)
        row(f"`{rule}`, {criterion}, {query}", *(percent(found[way], earned) for way in ways), told, known)


def together(rounds: int, games: int) -> None:
    """Print payoffs, regret and what is burnt where all agents answer in one way."""
    print(f"\nAll answer alike: payoff a round and agent, regret a round, burnt a round and agent, {rounds:,} rounds\n")
    header("rule, criterion", "answers", "payoff", "regret", "burnt")
    for rule, criterion, query in RULES:
        if query != "own":
            continue
        game = game_of(rule, criterion, query, rounds)
        mechanism = make_policy(game, "mechanism", rule)
        for name in SOLVED:
            played = totals(game, mechanism, answering(game, name), games, SEED)
            parts = (played.payoffs.mean(1), played.regret, played.burnt / game.n)
            ends = (Estimate.of_samples(part / rounds) for part in parts)
            row(f"`{rule}`, {criterion}", name, *(f"{end.mean:.3f} ± {end.half:.3f}" for end in ends))


def equilibria(rounds: int, games: int) -> None:
    """Print an equilibrium of the game of three agents who choose how to answer, and its regret in the table."""
    print(f"\nThree agents choose how to answer: replicator dynamics on the table of payoffs, {rounds:,} rounds\n")
    header("rule, criterion", *(f"{name}, mean share" for name in SOLVED), "regret of the mixtures, a round")
    for rule, criterion, query in RULES:
        if query != "own" or criterion == "nash":
            continue
        game = game_of(rule, criterion, query, rounds, n=3)
        alike = rule != "serial"  # where agents choose in an order, they are not
        found = lawgiver.solve(
            game, "replicator", strategies=SOLVED, mechanism=rule, games=games, seed=1, symmetric=alike
        ).solutions[0]
        shares = {name: np.mean([mixture[name] for mixture in found.mixtures.values()]) for name in SOLVED}
        regret = max(found.regret.values()) if isinstance(found.regret, dict) else found.regret
        row(f"`{rule}`, {criterion}", *(f"{share:.2f}" for share in shares.values()), f"{regret / rounds:.1e}")


def main() -> None:
    """Print all tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="short and few games")
    quick = parser.parse_args().quick
    rounds, games = (60, 40) if quick else (300, 600)
    started = time.process_time()
    alone(rounds, games)
    together(rounds, games // 2)
    equilibria(60 if quick else 100, 20 if quick else 400)
    print(f"\n{time.process_time() - started:.0f} CPU seconds")


if __name__ == "__main__":
    main()
