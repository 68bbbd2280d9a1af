"""Rules of matching by name, and a random order where all orders are too many.

A rule by name is whatever a game knows under it: among what its mechanism can announce, or else what decides by the
lists (see :func:`lawgiver.agents.reporting.named_rule`).
"""

from __future__ import annotations

from typing import Any

from lawgiver.agents.reporting import OutcomeRule, named_rule, rule_by_name
from lawgiver.envs.core.arrays import Array, fixed_rng, uniform
from lawgiver.envs.core.game import Game
from lawgiver.envs.core.policy import Memory, Policy
from lawgiver.envs.matching.game import Matching
from lawgiver.envs.solvers.matching.preferences import shares
from lawgiver.envs.solvers.matching.serial import LARGEST_ORDERED
from lawgiver.envs.solvers.matching.serial import serial_dictatorship as chosen_in_order
from lawgiver.envs.solvers.social_choice.profiles import positions

deferred_acceptance = rule_by_name(
    "deferred_acceptance", "deferred acceptance, rows propose: stable, and truthful for rows (Gale and Shapley 1962)"
)
columns_propose = rule_by_name(
    "columns_propose", "deferred acceptance, columns propose: the stable matching that they like best"
)
top_trading_cycles = rule_by_name(
    "top_trading_cycles", "top trading cycles: efficient and truthful for rows (Shapley and Scarf 1974)"
)
immediate_acceptance = rule_by_name(
    "immediate_acceptance", "immediate acceptance, the Boston mechanism, which invites lies"
)
serial_dictatorship = rule_by_name(
    "serial_dictatorship", "the rule that lets rows choose in the order of their numbers"
)
probabilistic_serial = rule_by_name(
    "probabilistic_serial",
    "probabilistic serial: rows eat shares of the best that is left (Bogomolnaia and Moulin 2001)",
)
max_weight = rule_by_name("max_weight", "the matching of acceptable pairs with the greatest sum of what is reported")
least_rank = rule_by_name("least_rank", "the matching of acceptable pairs with the least sum of rows' ranks")


class RandomOrder(OutcomeRule):
    """Lets rows choose in an order that is drawn anew in each game."""

    game: Matching

    def outcome(self, obs: Array, mask: Array | None, state: Memory, rng: Any) -> tuple[Array, Memory]:
        """Return the shares (B, r c), of 0 and 1, and the memory."""
        values, _ = self.game.both_sides(self.game.seen_reports(obs))
        drawn = uniform(fixed_rng(values) if rng is None else rng, tuple(values.shape[:2]))
        matching = chosen_in_order(values, positions(drawn), self.game.seats.tolist())
        return self.game.joined(shares(matching, self.game.columns, values)), state

    def act(self, obs: Array, mask: Array | None, state: Memory, rng: Any) -> tuple[Array, Memory]:
        """Return the outcome as an action (B, 1, r c), and the memory."""
        decided, state = self.outcome(obs, mask, state, rng)
        return decided[:, None], state


def random_priority(game: Game[Any]) -> Policy:
    """Return random priority: rows choose in a random order, by exact chances up to 6 rows, else one order a game."""
    if isinstance(game, Matching) and not game.announces and game.rows > LARGEST_ORDERED:
        return RandomOrder(game)
    return named_rule(game, "random_priority")
