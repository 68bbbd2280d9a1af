"""RLlib with the batched runner beside RLlib's own, tuned: ratios of what is measured side by side in one run.

    OMP_NUM_THREADS=1 PYTHONHASHSEED=0 python benchmarks/rllib_throughput.py

About four minutes, nearly all of them in RLlib's own runner.
"""

from __future__ import annotations

import argparse

from lawgiver.trainers.rllib import benchmark


def show(what: str, rates: dict[str, float], target: float) -> None:
    """Print one comparison."""
    ratio = rates["batched"] / rates["stock"]
    print(
        f"{what:<46} {rates['batched']:>10,.0f} {rates['stock']:>8,.0f} {ratio:>7.1f}x  (target {target:g}x)",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5, help="timed calls of each, interleaved; the median counts")
    repeats = parser.parse_args().repeats
    print(f"{'environment steps a second':<46} {'batched':>10} {'own':>8} {'ratio':>8}")
    show("sampling", benchmark.sampling(repeats), 50)
    show("whole PPO iterations, 4,000 steps by 512", benchmark.iterations(4000, 512, repeats), 3.5)
    show("whole PPO iterations, 40,000 steps by 4,096", benchmark.iterations(40_000, 4096, max(2, repeats // 2)), 8)
    for runner, found in benchmark.returns().items():
        print(f"return of a game with the same weights, {runner}: {found.mean:.2f} ± {found.standard_error:.2f}")


if __name__ == "__main__":
    main()
