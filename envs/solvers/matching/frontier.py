"""The frontier of stability against manipulability: the best of all rules for two small sides, by linear programming.

Rules are lotteries over matchings at one market of each orbit (:mod:`~.orbits`), as
:mod:`lawgiver.envs.solvers.social_choice.regret_frontier` takes them. Lists are complete, independent and uniform, and
reports are complete lists. The expected number of blocking pairs is linear in the lottery and regret convex, so that
rules that treat rows, columns and sides alike are as good as any.

With two on each side deferred acceptance is without regret. With three no rule is stable and without regret, none that
is stable has less regret than deferred acceptance, and of those without regret for either side some have 17/72 expected
blocking pairs, about a third of random priority's 2/3.

    >>> frontier = Frontier(2)
    >>> [round(frontier.best(regret).objective, 5) + 0.0 for regret in (0.0, None)]
    [0.0, 0.0]
"""

from __future__ import annotations

from lawgiver.envs.solvers.matching.orbits import Orbits, orbits
from lawgiver.envs.solvers.social_choice.regret_frontier import RegretFrontier


class Frontier(RegretFrontier):
    """The frontier of n rows and n columns, whose objective is the expected number of blocking pairs, a loss.

    Args:
        n: agents of each side, 2 or 3.

    Attributes:
        orbits: the markets.

    Raises:
        ParameterError: for other numbers of agents.
        MissingExtraError: without scipy, by either method.
    """

    def __init__(self, n: int) -> None:
        self.orbits: Orbits = orbits(n)
        super().__init__(self.orbits, "rules of matching", loss=True, method="highs-ipm")
