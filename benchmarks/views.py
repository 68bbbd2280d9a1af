"""Print how fast every view of every registered game is on this machine.

    OMP_NUM_THREADS=1 python benchmarks/views.py

The same figures, and RLlib's, come from ``lawgiver bench``, which explains what is counted.
"""

from lawgiver.envs.core.registry import GAMES, names
from lawgiver.trainers.bench import machine, measure_game


def main() -> None:
    """Measure one game after the other."""
    print(machine())
    for name in names(GAMES):
        for key, rate in measure_game(name).items():
            print(f"{key:70} {rate:14,.0f}")


if __name__ == "__main__":
    main()
