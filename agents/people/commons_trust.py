"""People of the common-pool trust game, calibrated to humans under three rules (Koster, Pislar et al. 2025).

They observe offers, returns and the pool, but not the rule. Their behaviour is set by :class:`Traits`; the values by
default were fitted by ``benchmarks/calibrate_commons.py``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

from lawgiver.agents.population import Trustees
from lawgiver.agents.returned_fractions import ReturnedFraction
from lawgiver.envs.commons_trust.game import SMALLEST_OFFER, CommonsTrust
from lawgiver.envs.core.arrays import Array, Rng, evolve, floats, namespace, total, uniform


@dataclass(frozen=True)
class Traits:
    """Parameters of a population; the numbers are those of its average member.

    Returns are thought of as fractions of the offer, offers as multiples of an equal share of all offers.

    Attributes:
        propensity: fraction aimed at by somebody who is not selfish and has seen nothing yet (of what they are trusted
            with people return 0.37 on average: Johnson and Mislin 2011, a meta-analysis of trust games).
        spread: half-width of the differences between people's propensities, drawn uniformly.
        selfish: share of people whose own inclination is to return nothing, and who do not follow others (30 % in
            Fischbacher, Gächter and Fehr 2001).
        conformity: pull towards the fraction that the others returned together (conditional cooperation, Fischbacher
            et al. 2001); drawn uniformly between 0 and twice as much.
        response: how strongly the fraction follows what returning is believed to bring (people give more where
            those who give less are sanctioned or left out: Fehr and Gächter 2000; Cinyabuguma, Page and Putterman
            2005); drawn uniformly between 0 and twice as much, of selfish people too.
        doubt: how much has to be seen before people believe that offers follow returns, as a sum of squared fractions.
        recency: weight of evidence that is a round older; 1 for perfect memory.
        noise: standard deviation of the fraction around its aim.
        lapse: how often a return is made with no aim at all, any legal one alike.
    """

    propensity: float
    spread: float
    selfish: float
    conformity: float
    response: float
    doubt: float
    recency: float
    noise: float
    lapse: float


INTERVALS: Mapping[str, str] = {
    "propensity": "[0, 2]",
    "spread": "[0, 2]",
    "selfish": "[0, 1]",
    "conformity": "[0, 0.5]",
    "response": "[0, 5]",
    "doubt": "(0, 100]",
    "recency": "[0, 1]",
    "noise": "[0.02, 2]",
    "lapse": "(0, 1]",
}
"""The range of each trait."""


@dataclass(frozen=True)
class CommonsMemory:
    """The people's traits and memory.

    Attributes:
        inclination: fraction that one aims at by oneself, (B, n).
        conformity: pull towards what the others returned, (B, n).
        response: response to what returning is believed to bring, (B, n).
        evidence: weighted sums of x^2 and x y over all who could return something in the rounds seen, (B, n, 2): x is
            how much more than the average of them somebody returned, as a fraction of the offer, and y what it was
            offered next beyond an equal share, in equal shares.
    """

    inclination: Array
    conformity: Array
    response: Array
    evidence: Array


class CommonsPeople(Trustees[CommonsMemory]):
    """People, some of them selfish, who follow others and learn how far offers follow returns."""

    kind: ClassVar[str] = "simulated_people"
    traits_type: ClassVar[type[Traits]] = Traits
    intervals: ClassVar[Mapping[str, str]] = INTERVALS

    def __init__(self, game: CommonsTrust, traits: Traits) -> None:
        """Keep the game's columns and the traits."""
        super().__init__(game)
        self.traits = traits

    @property
    def settings(self) -> dict[str, Any]:
        """The traits, and the kind of population they belong to."""
        return {"policy": self.kind, **asdict(self.traits)}

    def initial_state(self, batch: int, rng: Rng) -> CommonsMemory:
        """Return ``batch`` groups of people drawn from the population."""
        attitude, conformity, response, kind = (uniform(rng, (batch, self._n)) for _ in range(4))
        traits = self.traits
        willing = floats(kind >= traits.selfish, attitude)
        return CommonsMemory(
            inclination=willing * (traits.propensity + traits.spread * (2 * attitude - 1)),
            conformity=willing * 2 * traits.conformity * conformity,
            response=2 * traits.response * response,
            evidence=_unseen(attitude),
        )

    def next_game(self, memory: CommonsMemory) -> CommonsMemory:
        """Return the memory that the same people carry to another game: who they are."""
        return evolve(memory, evidence=_unseen(memory.inclination))

    def fractions(self, obs: Array, state: CommonsMemory) -> tuple[ReturnedFraction, CommonsMemory]:
        """Compute the distributions (B, n) of the fractions that are returned, and the new memory."""
        xp, at, traits = namespace(obs), self._columns, self.traits
        offers, past, returns = (obs[..., at[name]] for name in ("offers", "last_offers", "returns"))
        evidence = traits.recency * state.evidence + self._seen(offers, past, returns)
        others, known = _fraction(total(returns[..., 1:]), total(past[..., 1:]))
        pull = state.conformity * xp.where(known, others - state.inclination, xp.zeros_like(others))
        aim = state.inclination + pull + state.response * self.believed_return(evidence)
        nothing = xp.zeros_like(aim)
        weights = [nothing, nothing, nothing + traits.lapse, nothing + (1 - traits.lapse)]
        found = ReturnedFraction(xp.stack(weights, axis=-1), aim[..., None], (nothing + traits.noise)[..., None])
        return found, evolve(state, evidence=evidence)

    def believed_return(self, evidence: Array) -> Array:
        """Compute what each person believes that returning all, not nothing, brings, in equal shares of offers, (B, n).

        The slope of a regression of next offers on returned fractions, shrunk towards 0 by ``doubt``. It is 0 under
        offers that do not depend on returns, and 1 / (mean fraction) under proportional offers of equal last offers.
        """
        return evidence[..., 1] / (evidence[..., 0] + self.traits.doubt)

    def _seen(self, offers: Array, past: Array, returns: Array) -> Array:
        """Compute the contribution of the last round and these offers, each (B, n, n), to the evidence, (B, n, 2)."""
        xp = namespace(offers)
        fractions, known = _fraction(returns, past)
        could, sums = floats(known, offers), total(offers)[..., None]
        count = xp.sum(could, axis=-1, keepdims=True)
        mean = xp.sum(fractions, axis=-1, keepdims=True) / xp.maximum(count, xp.ones_like(count))
        x = could * (fractions - mean)
        y = xp.where(sums > 0, self._n * offers / xp.where(sums > 0, sums, 1.0) - 1, xp.zeros_like(offers))
        return xp.stack([total(x * x), total(x * y)], axis=-1)


def _fraction(returned: Array, offered: Array) -> tuple[Array, Array]:
    """Divide what was returned by what was offered, 0 where that was less than a point; and where it was not."""
    xp = namespace(offered)
    enough = offered >= SMALLEST_OFFER
    return xp.where(enough, returned / xp.where(enough, offered, 1.0), xp.zeros_like(offered)), enough


def _unseen(like: Array) -> Array:
    """Make the evidence (B, n, 2) of people (B, n) who have seen nothing."""
    xp = namespace(like)
    return xp.stack([xp.zeros_like(like), xp.zeros_like(like)], axis=-1)
