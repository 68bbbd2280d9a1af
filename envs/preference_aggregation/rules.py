"""Rules: policies (B, K) by what n annotators' rewards (B, n, K) are read as, at a temperature.

Each makes one reward of all and tilts the reference by it, but for the Nash lottery, maxmin and the random dictator,
which make a policy at once. Rewards are means over annotators, or what is on a scale of its own: shares of favourites,
shares of the replies that one is ranked above, fitted rewards. One temperature is therefore not as hot for all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from lawgiver.envs.core.arrays import Array, floats, namespace
from lawgiver.envs.solvers.preference_aggregation import maxmin as worst_off
from lawgiver.envs.solvers.preference_aggregation import nash_lottery as nash
from lawgiver.envs.solvers.preference_aggregation.bradley_terry import fitted, preferences
from lawgiver.envs.solvers.preference_aggregation.tilting import tilted
from lawgiver.envs.solvers.preference_aggregation.trimming import trimmed_mean
from lawgiver.envs.solvers.social_choice.profiles import positions

TRIM = 0.25
"""Share that the rule ``trimmed_mean`` leaves out at either end."""


@dataclass(frozen=True)
class Setting:
    """Constants of a rule.

    Attributes:
        log_reference: log q, (K,), with the backend of the rewards.
        tau: temperature.
        sharpness: beta of annotators who compare.
        ranked: whether rewards are rankings, so that comparisons have no errors.
    """

    log_reference: Array
    tau: float
    sharpness: float
    ranked: bool

    def tilted(self, rewards: Array) -> Array:
        """Compute the policy (..., K) for a reward (..., K)."""
        return tilted(self.log_reference, rewards, self.tau)


def preferred(rewards: Array, at: Setting) -> Array:
    """Compute the share of comparisons that each reply wins against each other, (B, K, K), 1/2 on the diagonal."""
    xp = namespace(rewards)
    if not at.ranked:
        return xp.mean(preferences(rewards, at.sharpness), axis=1)
    above = xp.sign(rewards[..., :, None] - rewards[..., None, :])
    return xp.mean(0.5 + 0.5 * above, axis=1)


def mean(rewards: Array, at: Setting) -> Array:
    """Tilt by the mean reward: what is best for regularised welfare, if everybody tells the truth."""
    return at.tilted(namespace(rewards).mean(rewards, axis=1))


def median(rewards: Array, at: Setting) -> Array:
    """Tilt by the median reward of each reply."""
    return at.tilted(trimmed_mean(rewards, 0.5))


def trimmed(rewards: Array, at: Setting) -> Array:
    """Tilt by the mean reward of each reply without a quarter of the annotators at either end."""
    return at.tilted(trimmed_mean(rewards, TRIM))


def bradley_terry(rewards: Array, at: Setting) -> Array:
    """Tilt by the reward that is fitted to everybody's comparisons, as RLHF and DPO do.

    Of rankings, whose comparisons may be unanimous, one annotator more is counted who is indifferent.
    """
    shares, n = preferred(rewards, at), rewards.shape[1]
    if at.ranked:
        shares = (n * shares + 0.5) / (n + 1)
    return at.tilted(fitted(shares) if rewards.shape[-1] > 1 else 0 * rewards[:, 0])


def borda(rewards: Array, at: Setting) -> Array:
    """Tilt by the mean share of the other replies that a reply is ranked above."""
    places = floats(positions(rewards), rewards)
    return at.tilted(1 - namespace(rewards).mean(places, axis=1) / max(rewards.shape[-1] - 1, 1))


def plurality(rewards: Array, at: Setting) -> Array:
    """Tilt by the share of annotators whose favourite a reply is."""
    return at.tilted(namespace(rewards).mean(floats(positions(rewards) == 0, rewards), axis=1))


def nash_lottery(rewards: Array, at: Setting) -> Array:
    """Compute the policy that no other is preferred to."""
    return nash.nash_lottery(preferred(rewards, at), at.log_reference, at.tau)


def maxmin(rewards: Array, at: Setting) -> Array:
    """Compute the policy that is best for whoever is worst off."""
    return worst_off.maxmin(rewards, at.log_reference, at.tau)


def random_dictator(rewards: Array, at: Setting) -> Array:
    """Average the policies that each annotator's own reward makes."""
    return namespace(rewards).mean(at.tilted(rewards), axis=1)


RULES: Mapping[str, Callable[[Array, Setting], Array]] = {
    "mean": mean,
    "median": median,
    "trimmed_mean": trimmed,
    "bradley_terry": bradley_terry,
    "borda": borda,
    "nash_lottery": nash_lottery,
    "maxmin": maxmin,
    "random_dictator": random_dictator,
    "plurality": plurality,
}
"""The rules by name, all without payments."""
