"""Play whole reporting games with given types and reports, for audits, tests and comparisons."""

from __future__ import annotations

from dataclasses import dataclass

from lawgiver.envs.core.arrays import Array, Rng, fixed_rng
from lawgiver.envs.core.checks import check_policy
from lawgiver.envs.core.policy import Memory, Policy
from lawgiver.envs.core.rollout import rollout
from lawgiver.envs.families.reporting_game import ReportingGame, ReportingState


@dataclass(frozen=True)
class FixedReports:
    """Participants with fixed reports.

    Attributes:
        reports: (B, n, k); they are applied as they are, without a check.
    """

    reports: Array

    def initial_state(self, batch: int, rng: Rng) -> Memory:
        """Return None."""
        return None

    def distribution(self, obs: Array, mask: Array | None, state: Memory) -> tuple[Array, Memory]:
        """Unused: the policy gives its outcome."""
        raise NotImplementedError

    def act(self, obs: Array, mask: Array | None, state: Memory, rng: Rng) -> tuple[Array, Memory]:
        """Return the reports."""
        return self.reports, state

    outcome = act


def play_out(
    game: ReportingGame, mechanism: Policy, types: Array, reports: Array, rng: Rng | None = None
) -> ReportingState:
    """Check a mechanism, and play whole games with given types and reports; see :func:`final_state`."""
    check_policy(game, "mechanism", mechanism, playable=False)
    return final_state(game, mechanism, types, reports, rng)


def final_state(
    game: ReportingGame, mechanism: Policy, types: Array, reports: Array, rng: Rng | None = None
) -> ReportingState:
    """Return the last state of whole games with given types and reports, (B, n, k) each, on their backend.

    Args:
        game: the game.
        mechanism: mechanism of the game, checked by the caller.
        types: types of the participants.
        reports: their reports, not checked.
        rng: generator for a mechanism that draws at random; None for one of seed 0.
    """
    policies = {"mechanism": mechanism, "participant": FixedReports(reports)}
    *_, last = rollout(game, policies, game.initial_state_from(types), fixed_rng(types) if rng is None else rng)
    return last.after
