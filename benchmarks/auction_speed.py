"""Speed of the auctions' rules, of their views, and of what solves and judges them.

    OMP_NUM_THREADS=1 python benchmarks/auction_speed.py

Rules are timed through each game's own ``allocate``, ties shared, on drawn bids, float32 and one thread. Beside one
item stands what a user would write without this library: the winner by argmax and the second bid by topk on torch,
without ties, reserve or a check of anything. bnelearn, the reference library of learned bidding, is on no package
index; its whole mechanism was measured once from its source, on a machine of the same kind, at 1.6 to 2.6 million
auctions a second at 262,144. All run in one process, interleaved, each the median of 7 rates by the clock.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch

from lawgiver.envs.core.make import make_game
from lawgiver.envs.families.auction_game import AuctionGame
from lawgiver.envs.solvers.equilibrium.subgame import uniform_prior
from lawgiver.envs.solvers.equilibrium.subgame_equilibrium import solve
from lawgiver.trainers.cli.throughput import FULL, Fixed, Sizes, machine, parallel_steps, vector_rounds

REPEATS = 7
LEAST = 0.1
"""Seconds of one measurement, at least."""
BATCHES = (4_096, 262_144)
VECTOR = Sizes(vector_games=65_536)


def rates(runs: Mapping[str, Callable[[], Any]], count: int) -> dict[str, float]:
    """Measure how many of ``count`` things a call are done in a second, by name: medians, the calls interleaved."""
    times: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(1 + REPEATS):
        for name, run in runs.items():
            calls, start = 0, time.perf_counter()
            while time.perf_counter() - start < LEAST or not calls:
                run()
                calls += 1
            times[name].append((time.perf_counter() - start) / calls)
    return {name: count / statistics.median(took[1:]) for name, took in times.items()}


def drawn(game: AuctionGame, batch: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw types, truthful bids of 65 levels, so that some tie, and the first canonical rule."""
    rng = np.random.default_rng(0)
    types = game.initial_types(rng.random((batch, game.n, game.type_size), dtype=np.float32))
    bids = np.round(64 * game.announcements(game.truthful_bids(types))) / 64
    w = np.array(next(iter(game.members.values())), np.float32)
    return types, bids.astype(np.float32), np.broadcast_to(w, (batch, len(w)))


def allocating(game: AuctionGame, batch: int) -> dict[str, Callable[[], Any]]:
    """Prepare a game's own rule on NumPy and on torch."""
    arrays = drawn(game, batch)
    tensors = tuple(torch.as_tensor(np.ascontiguousarray(x)) for x in arrays)
    return {"NumPy": lambda: game.allocate(*arrays), "torch": lambda: game.allocate(*tensors)}


def by_hand(batch: int, n: int, first: bool) -> Callable[[], Any]:
    """Prepare a first- or second-price auction as one would write it in torch: no ties, no reserve."""
    bids = torch.rand(batch, n)

    def run() -> tuple[torch.Tensor, torch.Tensor]:
        best, order = bids.topk(2, dim=-1)
        shares, payments = torch.zeros_like(bids), torch.zeros_like(bids)
        shares.scatter_(1, order[:, :1], 1.0)
        payments.scatter_(1, order[:, :1], best[:, :1] if first else best[:, 1:])
        return shares, payments

    return run


def rules() -> None:
    """Print the rates of the rules, in millions a second."""
    one_item = {
        "first price": {"n": 3},
        "second price": {"n": 3, "pricing": "next"},
        "all-pay": {"n": 3, "pricing": "all_pay"},
    }
    slots = {"GSP, 2 slots": {"preset": "gsp"}, "VCG, 2 slots": {"n": 3, "pricing": "vcg", "slots": (1.0, 0.5)}}
    ten = {"VCG, 10 slots, n = 12": {"n": 12, "pricing": "vcg", "slots": tuple(np.linspace(1, 0.1, 10).tolist())}}
    print("auctions a second through allocate, millions        batch    NumPy    torch   by hand   best / by hand")
    for name, params in {**one_item, **slots, **ten}.items():
        for batch in BATCHES:
            runs = allocating(make_game("sealed_bid", **params), batch)
            if name in one_item:
                runs["by hand"] = by_hand(batch, 3, name != "second price")
            found = rates(runs, batch)
            line = f"{name:48} {batch:>8,} {found['NumPy'] / 1e6:8.1f} {found['torch'] / 1e6:8.1f}"
            if "by hand" in found:
                ratio = max(found["NumPy"], found["torch"]) / found["by hand"]
                line += f" {found['by hand'] / 1e6:9.1f} {ratio:16.1f}"
            print(line)
    for name, params in {"LLG, nearest VCG": {"preset": "llg"}, "LLLLGG, VCG": {"preset": "llllgg"}}.items():
        found = rates(allocating(make_game("combinatorial_auction", **params), 4_096), 4_096)
        print(f"{name:48} {4_096:>8,} {found['NumPy'] / 1e6:8.2f} {found['torch'] / 1e6:8.2f}")
    for n in (1, 10):
        game = make_game("double_auction", n=2 * n, sellers=n)
        found = rates(allocating(game, 4_096), 4_096)
        print(f"{f'double auction, {n} x {n}':48} {4_096:>8,} {found['NumPy'] / 1e6:8.2f} {found['torch'] / 1e6:8.2f}")


def views() -> None:
    """Print the rates of the views of a first-price auction."""
    game = make_game("sealed_bid")
    steps = vector_rounds(game, Fixed(game, VECTOR.vector_games), VECTOR)
    print(f"vector env, 65,536 auctions, mechanism learns: {steps / 1e6:.2f} M auctions/s")
    print(f"PettingZoo parallel env: {parallel_steps(game, FULL):,.0f} steps/s")


def solvers() -> None:
    """Print the processor seconds of exact logit equilibria."""
    for n in (2, 3, 5):
        for pricing in ("first", "next", "all_pay"):
            game = make_game("sealed_bid", n=n, pricing=pricing, n_bids=65)
            start = time.process_time()
            solve(game.subgame, np.zeros(1), 1_000.0, uniform_prior(game.subgame))
            took = time.process_time() - start
            print(f"logit equilibrium, {pricing}, n = {n}, 65 bids, lambda 1,000: {took:.2f} s")


def payments() -> None:
    """Print the processor seconds in which agents learn under all 64 pairs of payments."""
    for stage in ("second_price", "first_price", "prisoners_dilemma"):
        bids = {} if stage == "prisoners_dilemma" else {"n_bids": 51}
        game = make_game("payment_policies", stage=stage, rounds=8_000, learning_rate=0.05, **bids)
        start = time.process_time()
        game.subgame.tables(np.zeros(1), np.zeros(1))
        print(f"payments, {stage}, 64 pairs, 8,000 rounds of hedge: {time.process_time() - start:.2f} s")


if __name__ == "__main__":
    torch.set_num_threads(1)
    print(machine())
    rules()
    views()
    solvers()
    payments()
