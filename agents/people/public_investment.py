"""People of the public investment game, calibrated to human contributions (Koster et al. 2022).

They observe endowments, contributions and payouts, but not the mechanism. Their behaviour is set by
:class:`Traits`; the values by default were fitted by ``benchmarks/calibrate_people.py`` to agents/data.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np

from lawgiver.agents.population import Population
from lawgiver.envs.core.arrays import Array, Rng, constant, evolve, floats, namespace, softmax, uniform
from lawgiver.envs.core.game import Game


@dataclass(frozen=True)
class Traits:
    """Parameters of a population; the numbers are those of its average member.

    Contributions are thought of as fractions of one's endowment, amounts of points as multiples of it.

    Attributes:
        propensity: fraction aimed at by somebody of average endowment who has seen nothing yet.
        wealth: how much less of it the well endowed aim at, per unit of log(endowment / mean of the group): shares
            given fall with endowment (Buckley and Croson 2006).
        spread: half-width of the differences between people's propensities, drawn uniformly.
        response: how strongly the fraction follows what giving is believed to bring; drawn from an exponential
            distribution: many hardly react, a few strongly (learning from payoffs, Erev and Roth 1998).
        doubt: how much has to be seen before people believe that a point given does not just bring one back.
        social: weight of what others gave and received, beside own experience, as evidence of that (Bandura 1977).
        similarity: how fast that weight falls as endowments differ (comparison with one's like, Festinger 1954).
        recency: weight of evidence that is a round older; 1 for perfect memory.
        conformity: pull towards what the others gave on average (Fischbacher et al. 2001); drawn uniformly between 0
            and twice as much.
        standing: more given by those who gain more from the fund than the others, less by those who gain less
            (inequity aversion, Fehr and Schmidt 1999; reciprocity).
        coins: how far others' contributions are taken as points, against fractions of their endowments.
        noise: standard deviation of the fraction around its aim.
        lapse: how often a contribution is made with no aim at all, any legal one alike.
        carry: weight of the evidence of one game when another begins. No data fix it.
    """

    propensity: float
    wealth: float
    spread: float
    response: float
    doubt: float
    social: float
    similarity: float
    recency: float
    conformity: float
    coins: float
    standing: float
    noise: float
    lapse: float
    carry: float


INTERVALS: Mapping[str, str] = {
    "propensity": "[0, 2]",
    "wealth": "[-1, 1]",
    "spread": "[0, 2]",
    "response": "[0, 5]",
    "doubt": "(0, 100]",
    "social": "[0, 1]",
    "similarity": "[0, 10]",
    "recency": "[0, 1]",
    "conformity": "[0, 0.5]",
    "coins": "[0, 1]",
    "standing": "[0, 2]",
    "noise": "[0.05, 2]",
    "lapse": "(0, 1]",
    "carry": "[0, 1]",
}
"""The range of each trait."""


@dataclass(frozen=True)
class PeopleMemory:
    """The people's traits and memory.

    Attributes:
        attitude: how much more than others one is inclined to give, (B, n).
        response: response to what giving is believed to bring, (B, n).
        conformity: pull towards what others gave, (B, n).
        evidence: weighted sums of 1, x, y, x^2 and x y over (contribution, payout) pairs seen, each in multiples of
            one's own endowment, (B, n, 5).
    """

    attitude: Array
    response: Array
    conformity: Array
    evidence: Array


class SimulatedPeople(Population[PeopleMemory]):
    """People with individual propensities to give, who learn the return of giving and follow others."""

    kind: ClassVar[str] = "simulated_people"
    traits_type: ClassVar[type[Traits]] = Traits
    intervals: ClassVar[Mapping[str, str]] = INTERVALS

    def __init__(self, game: Game[Any], traits: Traits) -> None:
        """Read the last round's columns of the observation."""
        super().__init__(game)
        self.traits = traits

    @property
    def settings(self) -> dict[str, Any]:
        """The traits, and the kind of population they belong to."""
        return {"policy": self.kind, **asdict(self.traits)}

    def initial_state(self, batch: int, rng: Rng) -> PeopleMemory:
        """Return ``batch`` groups of people drawn from the population, without experience."""
        attitude, response, conformity = (uniform(rng, (batch, self._n)) for _ in range(3))
        xp, traits = namespace(attitude), self.traits
        return PeopleMemory(
            attitude=traits.spread * (2 * attitude - 1),
            response=-traits.response * xp.log(1 - response),
            conformity=2 * traits.conformity * conformity,
            evidence=xp.zeros_like(attitude)[..., None] * constant(np.zeros(5), attitude),
        )

    def next_game(self, memory: PeopleMemory) -> PeopleMemory:
        """Return the memory that the same people carry to another game: traits, and part of what they learned."""
        return evolve(memory, evidence=self.traits.carry * memory.evidence)

    def distribution(self, obs: Array, mask: Array | None, state: PeopleMemory) -> tuple[Array, PeopleMemory]:
        """Return log-probabilities (B, n, A) of contributions, minus infinity where illegal, and the new memory."""
        xp, traits = namespace(obs), self.traits
        endowments = obs[..., self._columns["endowments"]]
        own = endowments[..., :1]
        given = obs[..., self._columns["contributions"]] / own
        received = obs[..., self._columns["payouts"]] / own
        begun = obs[..., self._columns["round"]] > 0  # (B, n, 1): there is a last round to look back at
        seen = traits.recency * state.evidence + self._seen(given, received, endowments)
        evidence = xp.where(begun, seen, state.evidence)
        rank = xp.log(own / xp.mean(endowments, axis=-1, keepdims=True))[..., 0]
        base = traits.propensity + state.attitude - traits.wealth * rank
        gains = received - given  # zeros before the first round
        ahead = xp.tanh(gains[..., 0] - xp.mean(gains[..., 1:], axis=-1))
        others = xp.mean((traits.coins + (1 - traits.coins) * own / endowments)[..., 1:] * given[..., 1:], axis=-1)
        pull = xp.where(begun[..., 0], state.conformity * (others - base), xp.zeros_like(base))
        learned = state.response * xp.tanh(self.believed_return(evidence) - 1)
        aim = base + learned + traits.standing * ahead + pull
        fractions = constant(np.arange(self._n_actions), obs) / own
        legal = fractions <= 1 if mask is None else mask
        deviation = (fractions - aim[..., None]) / traits.noise
        aimed = softmax(xp.where(legal, -0.5 * deviation**2, constant(-np.inf, obs)))
        probabilities = (1 - traits.lapse) * aimed + traits.lapse / xp.sum(floats(legal, aimed), axis=-1, keepdims=True)
        log_probabilities = xp.where(legal, xp.log(probabilities), constant(-np.inf, obs))
        return log_probabilities, evolve(state, evidence=evidence)

    def believed_return(self, evidence: Array) -> Array:
        """Compute the return that each person believes one more contributed point to have, in points, (B, n).

        The slope of a regression of payouts on contributions, shrunk towards 1 by ``doubt``.
        """
        xp = namespace(evidence)
        one, x, y, xx, xy = (evidence[..., k] for k in range(5))
        weight = xp.where(one > 0, one, xp.ones_like(one))
        doubt = self.traits.doubt
        return (xy - x * y / weight + doubt) / (xx - x * x / weight + doubt)

    def _seen(self, given: Array, received: Array, endowments: Array) -> Array:
        """Compute the last round's contribution to the evidence, (B, n, 5)."""
        xp, traits = namespace(given), self.traits
        ratio = endowments / endowments[..., :1]
        alike = xp.minimum(ratio, 1 / ratio) ** traits.similarity
        is_own = constant(np.arange(self._n) == 0, given)
        weight = is_own + (1 - is_own) * traits.social * alike
        moments = [xp.ones_like(given), given, received, given**2, given * received]
        return xp.stack([xp.sum(weight * moment, axis=-1) for moment in moments], axis=-1)
