"""Speed of Q-learners in the game price_competition: session-periods a second of the processor, one thread.

    OMP_NUM_THREADS=1 python benchmarks/q_learning_speed.py

A session-period is one period of one session: both firms choose, are paid, and update a number of their tables. Blocks
of 1,000 periods include the random numbers; early on firms explore, later on they hardly do. Each rate is the median of
5 blocks after one that is not counted.
"""

from __future__ import annotations

import statistics
import time

import numpy as np

from lawgiver.envs.core.make import make_game
from lawgiver.trainers.cli.throughput import machine
from lawgiver.trainers.q_learning.sessions import Rule, Sessions
from lawgiver.trainers.q_learning.settings import BLOCK
from lawgiver.trainers.q_learning.stage import stage_of

BLOCKS = 5
SESSIONS = (1, 10, 100, 1_000)
EXPLORING, SETTLED = 0.5, 1e-3
"""Probability of exploring."""


def rate(sessions: int, exploration: float, n: int = 2) -> float:
    """Measure session-periods a second."""
    game = make_game("price_competition", n=n)
    stage = stage_of(game, np.array([game.members["no_mechanism"]]))
    rng = np.random.default_rng(0)
    played = Sessions.begin(stage, Rule(0.15, 0.95, True, "rival_uniform"), np.zeros(sessions, int), rng)
    seconds = []
    for _ in range(1 + BLOCKS):
        start = time.process_time()
        played.play(np.full(BLOCK, exploration), rng)
        seconds.append(time.process_time() - start)
    return sessions * BLOCK / statistics.median(seconds[1:])


if __name__ == "__main__":
    print(machine())
    print("session-periods a second, millions   sessions   exploring    settled")
    for sessions in SESSIONS:
        print(f"two firms {sessions:34,} {rate(sessions, EXPLORING) / 1e6:11.2f} {rate(sessions, SETTLED) / 1e6:10.2f}")
    print(f"three firms {100:32,} {rate(100, EXPLORING, 3) / 1e6:11.2f} {rate(100, SETTLED, 3) / 1e6:10.2f}")
