"""State of games of online allocation."""

from __future__ import annotations

from dataclasses import dataclass

from lawgiver.envs.core.arrays import Array


@dataclass(frozen=True)
class OnlineState:
    """State of B games with P participants: n agents and, in two-sided games, n items after them.

    Attributes:
        turn: 0 before the mechanism has assigned and asked, 1 before the participants have answered.
        round: completed rounds, (B,).
        values: true means of what items are worth, mu_i(k) in [0, 1], (B, P, n).
        optimum: value of the best assignment by them, (B,).
        sums: sums of the answers about each pair, (B, P, n).
        counts: their numbers, (B, P, n).
        matched: the item of each agent in this round (before the assignment: in the last), and the agent of each item,
            integers (B, P).
        asked: the item that each participant is asked about, integers (B, P), -1 for none.
        experience: what each who is asked has experienced, 0 or 1, (B, P); 0 for the others.
        payoffs: true means of what each participant had in the last completed round, less what was burnt, (B, P).
        burnt: what is burnt of each participant's value in this round, (B, P); 0 of items, and without payments.
        regret: value of the best assignment less that of the assignment, in the last completed round, (B,).
    """

    turn: int
    round: Array
    values: Array
    optimum: Array
    sums: Array
    counts: Array
    matched: Array
    asked: Array
    experience: Array
    payoffs: Array
    burnt: Array
    regret: Array
