"""The frontier of welfare against manipulability: the best of all voting rules, by linear programming.

Rules are lotteries over alternatives at one profile of each orbit (:mod:`~.orbits`), as :mod:`~.regret_frontier` takes
them. Restricting rules to those that treat voters alike and alternatives alike loses nothing: welfare is linear and
regret convex, so that the mean of a rule over all names is as good. At regret 0 these are the rules that are truthful
for every utility function, among them random dictatorship and the majority between a random pair (Gibbard 1977,
Econometrica 45).

    >>> frontier = Frontier(3, 3)
    >>> [round(frontier.best(regret).objective, 5) for regret in (0.0, 0.01, None)]
    [0.58333, 0.59571, 0.625]
"""

from __future__ import annotations

from lawgiver.envs.solvers.social_choice.orbits import Orbits, orbits
from lawgiver.envs.solvers.social_choice.regret_frontier import RegretFrontier


class Frontier(RegretFrontier):
    """The frontier of n voters and m alternatives, whose objective is the expected mean utility.

    Args:
        n: number of voters, >= 1.
        m: number of alternatives, >= 2.

    Attributes:
        orbits: the profiles.

    Raises:
        ParameterError: if there are too many profiles.
        MissingExtraError: without scipy, by either method.
    """

    def __init__(self, n: int, m: int) -> None:
        self.orbits: Orbits = orbits(n, m)
        super().__init__(self.orbits, "voting rules", loss=False, method="highs-ds")
