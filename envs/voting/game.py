"""Voting: voters with utilities of m alternatives cast ballots, and a rule chooses an alternative, or a lottery.

A ballot tells the rule a part of what a voter reports: a ranking, what it approves, its favourite, or all of the
numbers. For rankings no rule is beyond lies that pay unless chance or a dictator decides (Gibbard 1977): what a
mechanism gains in welfare it loses in truthfulness, and how much of the one costs how much of the other is known
exactly for few voters and alternatives.

In ``allocate`` mode the mechanism sees the ballots and decides. In ``announce`` mode it announces before, by how many
points each place of a ranking counts, and the share of elections in which a random voter decides alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, ClassVar, Literal

import numpy as np

from lawgiver.envs.core.arrays import Array, floats, namespace
from lawgiver.envs.core.errors import ParameterError, choice, integer, number, one_each
from lawgiver.envs.core.fields import Field, Layout
from lawgiver.envs.core.game import KnownSolution
from lawgiver.envs.families.choice_game import ChoiceGame
from lawgiver.envs.families.reporting_game import ReportingState
from lawgiver.envs.files.profiles import types_path
from lawgiver.envs.files.vote_files import read_votes
from lawgiver.envs.files.votes import Votes
from lawgiver.envs.solvers.social_choice.profiles import positions
from lawgiver.envs.solvers.social_choice.rules import LARGEST_KEMENY, REVEALS, RULES, TIES, lottery, positional
from lawgiver.envs.voting import cultures
from lawgiver.envs.voting.ballots import BALLOTS, LARGEST_MENU, all_ballots, read_as
from lawgiver.envs.voting.solutions import known, truthful_optimum

LARGEST_N = 1_000
"""Voters."""
LARGEST_M = 100
"""Alternatives."""
LARGEST_PROFILE = 10_000
"""Voters times alternatives."""
CULTURES = ("impartial", "mallows", "plackett_luce", "euclidean", "single_peaked", "urn", "dichotomous", "table")
STEP = 0.5
"""Difference of the log weights of neighbours, unless they are given."""
ANNOUNCED = ("ranking", "score")
"""Ballots that tell enough for points by place."""


@dataclass(frozen=True)
class Voting(ChoiceGame):
    """Voters cast ballots on m alternatives, and a mechanism chooses one, or a lottery.

    Args:
        n: number of voters, 1 to 1,000.
        m: number of alternatives, 2 to 100; of a table, as many as its file has.
        ballot: what the mechanism reads of a report: its ``ranking`` (of equal numbers the first alternative is
            higher), ``approval`` of what has more than 1/2, all of its numbers (``score``), or the favourite
            (``plurality``).
        culture: where utilities come from: ``impartial``, independent and uniform; ``mallows``, rankings near one;
            ``plackett_luce``, rankings by weights; ``euclidean``, nearness of voters and candidates, all uniform in a
            cube; ``single_peaked``, the same on a line, with candidates numbered from left to right; ``urn``, rankings
            that spread (Polya); ``dichotomous``, 1 or 0; ``table``, votes of a file. Where a culture makes rankings,
            sorted uniform numbers are laid on them.
        phi: of ``mallows``, in [0, 1]: probability of a ranking at distance d from 1, 2, ..., m is as phi^d.
        log_weights: of ``plackett_luce``, m numbers from -20 to 20; None for 0, -1/2, -1 and so on.
        dimensions: of ``euclidean``, 1 to 10.
        alpha: of ``urn``, at least 0: how many more of its kind go back with a ranking, in units of m!.
        approving: of ``dichotomous``, probability that a voter approves an alternative.
        votes_file: of ``table``, a PrefLib file (.soc, .soi, .toc, .toi, .cat) or a Pabulib file (.pb): voters are
            drawn from it independently, by how many cast each vote.
        ties: ``share``, tied winners have the same probability, or ``first``, the lowest number wins.
        objective: what the mechanism is paid: ``welfare``, the mean utility; ``least``, the least; ``nash``, the
            geometric mean; ``agreement``, the probability of the Condorcet winner, and 1 where there is none.
        mechanism_mode: ``allocate`` (logits of a lottery, after the ballots) or ``announce`` (points by place, and the
            share of a random voter, before).

    Raises:
        ParameterError: if a parameter is outside its range, or the file does not hold what it should.
    """

    n: int = 5
    m: int = 3
    ballot: str = "ranking"
    culture: str = "impartial"
    phi: float = 0.5
    log_weights: Sequence[float] | None = None
    dimensions: int = 2
    alpha: float = 0.1
    approving: float = 0.5
    votes_file: str | None = None
    ties: str = "share"
    objective: str = "welfare"
    mechanism_mode: Literal["announce", "allocate"] = "allocate"

    name: ClassVar[str] = "voting-v0"
    summary: ClassVar[str] = "chooses an alternative by ballots"
    reference: ClassVar[str] = (
        "Gibbard 1973, Manipulation of Voting Schemes; Satterthwaite 1975; Gibbard 1977, Manipulation of Schemes that"
        " Mix Voting with Chance"
    )
    menu_noun: ClassVar[str] = "ballots"
    reward_meaning: ClassVar[Mapping[str, str]] = {
        "participant": "the lottery's expected utility under the true type, when the game is over",
        "mechanism": ChoiceGame.reward_meaning["mechanism"],
    }
    # Nobody pays, and what is worst to a voter may be worth next to 0; to turn a tie of a file then gains some 1 %.
    relative_floor: ClassVar[float] = 100 * cultures.APART
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "frontier": {"n": 7, "m": 3},
        "large": {"n": 25, "m": 5},
        "on_a_line": {"n": 9, "m": 5, "culture": "single_peaked"},
        "approval": {"n": 9, "m": 4, "ballot": "approval", "culture": "dichotomous"},
    }
    variants: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "announce": {"mechanism_mode": "announce"},
        "single_peaked": {"culture": "single_peaked"},
        "score": {"ballot": "score"},
    }

    def __post_init__(self) -> None:
        """Check the parameters, and read the file."""
        object.__setattr__(self, "n", integer("n", self.n, 1, LARGEST_N))
        object.__setattr__(self, "m", integer("m", self.m, 2, LARGEST_M))
        if self.n * self.m > LARGEST_PROFILE:
            raise ParameterError(
                f"{self.n:,} voters and {self.m:,} alternatives make {self.n * self.m:,} numbers, allowed:"
                f" {LARGEST_PROFILE:,}; take m up to {LARGEST_PROFILE // self.n:,}, or fewer voters"
            )
        self.check_choices()
        for name, options in {"ballot": BALLOTS, "culture": CULTURES, "ties": TIES}.items():
            choice(name, getattr(self, name), options)
        if self.announces and self.ballot not in ANNOUNCED:
            raise ParameterError(
                f"mechanism_mode is 'announce', and {self.ballot} ballots do not tell the places that its points are"
                f" for, allowed: ballot of {' or '.join(ANNOUNCED)}, or mechanism_mode='allocate'"
            )
        for name, interval in {"phi": "[0, 1]", "alpha": "[0, 1e6]", "approving": "[0, 1]"}.items():
            object.__setattr__(self, name, number(name, getattr(self, name), interval))
        object.__setattr__(self, "dimensions", integer("dimensions", self.dimensions, 1, 10))
        if self.log_weights is not None:
            weights = one_each("log_weights", self.log_weights, self.m, "[-20, 20]", "for each alternative")
            object.__setattr__(self, "log_weights", weights)
        self._check_votes()

    def _check_votes(self) -> None:
        object.__setattr__(self, "votes_file", types_path(self.votes_file, "votes_file", "a .soc or another file"))
        if (self.votes_file is None) == (self.culture == "table"):
            given = "None" if self.votes_file is None else repr(self.votes_file)
            needed = "the path of a file" if self.votes_file is None else "None, or culture='table'"
            raise ParameterError(f"votes_file is {given} and culture is {self.culture!r}, allowed: {needed}")
        if self.votes is not None and len(self.votes.alternatives) != self.m:
            found = len(self.votes.alternatives)
            raise ParameterError(f"m is {self.m}, but {self.votes_file!r} has {found} alternatives, allowed: m={found}")

    @cached_property
    def votes(self) -> Votes | None:
        """The votes of the file, None without one."""
        return None if self.votes_file is None else read_votes(self.votes_file)

    # -- types --------------------------------------------------------------------------------------------------

    @property
    def _space(self) -> int:
        """Dimensions of the space that candidates have public places in; 0 where there is none."""
        return {"euclidean": self.dimensions, "single_peaked": 1}.get(self.culture, 0)

    def public_layout(self) -> Layout:
        """Return the candidates' places, where there are any."""
        if not self._space:
            return ()
        meaning = "of the candidates, coordinates of each side by side"
        return (Field("places", self.m * self._space, 0.0, 1.0, "side of the cube", meaning),)

    @property
    def _coordinates(self) -> list[str]:
        """Names of the candidates' coordinates, m d."""
        several = self._space > 1
        return [f"{j}{f', coordinate {k}' * several}" for j in range(1, self.m + 1) for k in range(1, self._space + 1)]

    @property
    def draw_size(self) -> int:
        """Number of uniform numbers that make a type."""
        if self._space:
            return self._space * (1 + self.m)
        return {"mallows": 2 * self.m, "urn": 2 * self.m + 1, "table": 2 * self.m + 1}.get(self.culture, self.m)

    def types_of(self, draws: Array) -> Array:
        """Return utilities, and the candidates' places behind, (B, n, m + p), for uniform numbers (B, n, d)."""
        if self._space:
            candidates = cultures.candidates(draws, self.m, self._space, ordered=self.culture == "single_peaked")
            return self.types_near(candidates, draws)
        if self.culture == "mallows":
            return cultures.mallows(draws, self.phi)
        if self.culture == "plackett_luce":
            weights = self.log_weights or tuple(-STEP * j for j in range(self.m))
            return cultures.plackett_luce(draws, weights)
        if self.culture == "urn":
            return cultures.urn(draws, self.alpha)
        if self.culture == "dichotomous":
            return cultures.dichotomous(draws, self.approving)
        if self.votes is None:
            return draws
        # Approvals that no ballot has to order are 1 and 0: told apart, they would leave voters something to gain.
        apart = self.ballot in ("ranking", "plurality") or not self.votes.approvals
        return cultures.table(draws, self.votes, apart=apart)

    def types_near(self, candidates: Array, draws: Array) -> Array:
        """Return types (B, n, m + p) of voters among candidates at given places (B, m, d), for numbers (B, n, ...)."""
        xp = namespace(draws)
        utilities = cultures.nearness(draws[..., : self._space], candidates)
        places = xp.reshape(candidates, (candidates.shape[0], 1, -1))
        return xp.concat([utilities, places + 0 * utilities[..., :1]], axis=-1)

    # -- ballots ------------------------------------------------------------------------------------------------

    def read(self, reports: Array) -> Array:
        """Reduce reports (..., m) to the part that the ballot tells."""
        return read_as(self.ballot, reports)

    def menu(self) -> np.ndarray | None:
        """List all ballots, (A, m), where there are few."""
        return self._menu

    @cached_property
    def _menu(self) -> np.ndarray | None:
        return all_ballots(self.ballot, self.m)

    @property
    def menu_absence(self) -> str:
        """Why not all ballots are tried."""
        if self.ballot not in LARGEST_MENU or self.m <= LARGEST_MENU[self.ballot]:
            return ""
        count = f"{self.m}!" if self.ballot == "ranking" else f"2^{self.m}"
        return f"there are {count} ballots, all of which are tried for m up to {LARGEST_MENU[self.ballot]}"

    @property
    def ordinal_menu(self) -> bool:
        """Whether ballots are rankings."""
        return self.ballot == "ranking"

    # -- rules --------------------------------------------------------------------------------------------------

    def rule_layout(self) -> Layout:
        """Return the ratios of neighbouring places' points, and the share of a random voter."""
        share = Field("dictator", 1, 0.0, 1.0, "share", "of elections in which a random voter decides alone")
        if self.m == 2:
            return (share,)
        meaning = "points of each place but the first and the last as a share of those of the place before"
        return (Field("ratio", self.m - 2, 0.0, 1.0, "share", meaning), share)

    @property
    def rule_formula(self) -> str | None:
        """Formula of the announced numbers."""
        text = "dictator x a random voter's favourite + (1 - dictator) x most points, of places 1, r_1, r_1 r_2, ..., 0"
        return text if self.announces else None

    @property
    def members(self) -> Mapping[str, tuple[float, ...]]:
        """The known rules of the family."""
        if not self.announces:
            return {}
        steps = [(self.m - j - 1) / (self.m - j) for j in range(1, self.m - 1)]
        inner = {"plurality": [0.0] * (self.m - 2), "borda": steps, "anti_plurality": [1.0] * (self.m - 2)}
        known = {name: (*ratios, 0.0) for name, ratios in inner.items()}
        return known | {"random_dictator": (*inner["plurality"], 1.0)}

    def decide(self, parameters: Array, reports: Array) -> Array:
        """Return the lottery (B, m) of the rule with ratios of points and the share of a random voter (B, m - 1)."""
        xp = namespace(parameters)
        one = xp.ones_like(parameters[:, :1])
        points = xp.concat([one, xp.cumulative_prod(parameters[:, :-1], axis=-1), 0 * one], axis=-1)
        chosen = positional(positions(reports), points, parameters[:, -1], ties=self.ties)
        return self.joined(floats(chosen, reports))

    @cached_property
    def direct_rules(self) -> Mapping[str, Callable[[Array], Array]]:
        """Voting rules that decide by what the ballot tells."""
        return {name: partial(self._ruled, name) for name in RULES if name not in self.inapplicable_rules}

    def _ruled(self, name: str, reports: Array) -> Array:
        reads = RULES[name].reads
        if reads == "approval":
            ballots = read_as("approval", reports)
        else:
            ballots = reports if reads == "score" else positions(reports)
        return self.joined(floats(lottery(name, ballots, ties=self.ties), reports))

    @cached_property
    def inapplicable_rules(self) -> Mapping[str, str]:
        """Voting rules that need more than the ballot tells, or cannot be announced, or rank too many."""
        found = {}
        for name, rule in RULES.items():
            if rule.reads not in REVEALS[self.ballot]:
                needed = "favourites" if rule.reads == "plurality" else f"{rule.reads}s"
                found[name] = f"with ballot={self.ballot!r}, which does not tell {needed}"
            elif self.announces and name not in self.members:
                found[name] = "with mechanism_mode='announce', which gives points by place"
            elif name == "kemeny" and self.m > LARGEST_KEMENY:
                found[name] = f"with m={self.m}, more than the {LARGEST_KEMENY} alternatives that it can rank"
        return found

    def limit(self) -> float | None:
        """Return the largest welfare of rules under which the truth is best, where it is known.

        That is for few voters of the impartial culture, whose ballots tell rankings, or less.
        """
        ordinal = self.ballot in ("ranking", "plurality")
        if self.objective != "welfare" or self.culture != "impartial" or not ordinal:
            return None
        return truthful_optimum(self.n, self.m)

    def known_solutions(self) -> tuple[KnownSolution, ...]:
        """Welfare of truthful rules, and of the best rule, for few impartial voters whose ballots are rankings."""
        return tuple(known(self.n, self.m)) if self.culture == "impartial" and self.ballot == "ranking" else ()

    # -- for people ---------------------------------------------------------------------------------------------

    def picture(self, state: ReportingState, index: int) -> dict[str, np.ndarray]:
        """Return utilities, ballots, probabilities and candidates' places of one game."""
        shown = super().picture(state, index)
        if self._space:
            places = np.asarray(state.types[index, 0, self.m :])
            shown |= {f"candidate {name}": places[j : j + 1] for j, name in enumerate(self._coordinates)}
        return shown
