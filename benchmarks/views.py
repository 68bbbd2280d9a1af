"""Print how fast every view of every registered game is on this machine.

    OMP_NUM_THREADS=1 python benchmarks/views.py

The same figures, and RLlib's, come from ``lawgiver bench``, which explains what is counted. Beside them stands what
built-in participants cost in the vector view: its rate with them as a share of that with ready-made actions, both
measured in turns so that other work on the machine slows down both.
"""

import statistics

from lawgiver.envs.core.make import make_game
from lawgiver.envs.core.registry import GAMES, names
from lawgiver.trainers.cli.throughput import Fixed, machine, measure_game, vector_rounds

PARTICIPANTS = {
    "public_investment": ("random", "free_rider", "conditional_cooperators"),
    "taxed_dilemma": ("random", "free_rider"),
    "sequential_sales": ("random", "truthful"),
}
"""Participants by the game in whose vector view they are timed."""
TURNS = 5


def main() -> None:
    """Measure one game after the other."""
    print(machine())
    for name in names(GAMES):
        for key, rate in measure_game(name).items():
            print(f"{key:70} {rate:14,.0f}")
    for name, participants in PARTICIPANTS.items():
        game = make_game(name)
        shares: dict[str, list[float]] = {who: [] for who in participants}
        for _ in range(TURNS):
            ready = vector_rounds(game, Fixed(game))
            for who, found in shares.items():
                found.append(vector_rounds(game, who) / ready)
        for who, found in shares.items():
            print(f"{f'{name}.vector.{who}, share of ready-made actions':70} {statistics.median(found):14.2f}")


if __name__ == "__main__":
    main()
