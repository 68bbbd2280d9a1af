"""Voting rules by name, and voters who vote for what they think they can get.

A rule by name is whatever a game knows under it: among what its mechanism can announce, or else what decides by the
reports (see :func:`lawgiver.agents.reporting.named_rule`).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np

from lawgiver.agents.policies import RulePolicy
from lawgiver.agents.reporting import FromMenu, rule_by_name
from lawgiver.envs.core.arrays import Array, as_numpy, constant
from lawgiver.envs.core.errors import UnsupportedGameError, allowed, brief, integer
from lawgiver.envs.core.game import Game
from lawgiver.envs.core.policy import Policy
from lawgiver.envs.repeated import RepeatedGame
from lawgiver.envs.voting.game import Voting

SAMPLES = 256
"""Elections by which a compromising voter judges its ballots."""
CLOSE = 1e-9
"""Differences of expected utility up to which the truth is preferred."""


def _chooses(name: str, told: str) -> Callable[[Game[Any]], Policy]:
    """Make the factory of the mechanism of one voting rule."""
    return rule_by_name(name, f"the rule that chooses {told}")


plurality = _chooses("plurality", "what is the favourite of most")
anti_plurality = _chooses("anti_plurality", "what is the last choice of fewest")
borda = _chooses("borda", "what has the best mean rank (Borda 1781)")
approval = _chooses("approval", "what is approved by most")
score = _chooses("score", "what has the highest mean score")
copeland = _chooses("copeland", "what wins most majorities")
minimax = _chooses("minimax", "what loses least against whatever beats it most")
black = _chooses("black", "the Condorcet winner, else Borda's (Black 1958)")
schulze = _chooses("schulze", "what is not beaten by widest paths of majorities (Schulze 2011)")
ranked_pairs = _chooses("ranked_pairs", "the top of majorities locked from the largest down (Tideman 1987)")
kemeny = _chooses("kemeny", "the top of the ranking that most pairs agree with (Kemeny 1959)")
plurality_runoff = _chooses("plurality_runoff", "the majority's choice of the two with most first places")
irv = _chooses("irv", "what is left when the one with fewest first places goes out, again and again")
random_dictator = _chooses("random_dictator", "a random voter's favourite: truthful (Gibbard 1977)")
random_pair_majority = _chooses("random_pair_majority", "the majority's choice of a random pair: truthful")
maximal_lottery = _chooses("maximal_lottery", "a lottery that a majority prefers no alternative to (Fishburn 1984)")
median = _chooses("median", "the median favourite, alternatives on a line by number (Moulin 1980)")


class Compromise(RulePolicy):
    """Voters who cast the ballot with the highest expected utility, if the others are drawn anew and tell the truth.

    Where the truth is as good as any ballot they tell it.

    Args:
        game: the election.
        rule: name of the rule that they expect; None for the one that is announced.
        samples: elections by which they judge.
    """

    def __init__(self, game: Voting, rule: str | None, samples: int) -> None:
        """See the class."""
        found = game.menu()
        if found is None:
            why = game.menu_absence or f"those of scores have no end (ballot={game.ballot!r})"
            raise UnsupportedGameError(f"participant 'compromise' tries all ballots of {game.name}: {why}")
        self.game, self.rule, self.samples, self._menu = game, rule, samples, found

    def action(self, obs: Array) -> Array:
        """Return the ballots (B, n, m) for observations (B, n, d)."""
        return constant(self._menu[self.rows(as_numpy(obs).astype(float))], obs)

    def rows(self, obs: np.ndarray) -> np.ndarray:
        """Return the rows (B, n) of the menu that are best for observations (B, n, d) of a game."""
        utilities = obs[..., : self.game.m]
        worth = utilities @ self._lotteries(obs[:, 0, self.game.m :]).transpose(0, 2, 1)
        honest = np.asarray(self.game.honest_choice(utilities))
        truthful = np.take_along_axis(worth, honest[..., None], axis=-1)[..., 0]
        rows: np.ndarray = np.where(worth.max(-1) > truthful + CLOSE, worth.argmax(-1), honest)
        return rows

    def _lotteries(self, common: np.ndarray) -> np.ndarray:
        """Compute the mean lottery of each ballot, (B, A, m), for what all voters see, (B, d - m)."""
        different, index = np.unique(common, axis=0, return_inverse=True)
        found = np.stack([self._lottery_of(row) for row in different])
        return found[index.reshape(-1)]

    def _lottery_of(self, common: np.ndarray) -> np.ndarray:
        """Compute the mean lottery of each ballot, (A, m), where all see the same, (d - m,)."""
        game, size = self.game, len(self._menu)
        public = sum(field.size for field in game.public_layout())
        others = self._others if not public else self._voters(common[:public])
        ballots = np.broadcast_to(self._menu[:, None, None], (size, self.samples, 1, game.m))
        rest = np.broadcast_to(others, (size, *others.shape))
        reports = np.concatenate([ballots, rest], axis=2).reshape(-1, game.n, game.m)
        if self.rule is None:
            parameters = np.broadcast_to(common[public:], (len(reports), len(common) - public))
            decided = game.decide(parameters, reports)
        else:
            decided = game.direct_rules[self.rule](reports)
        mean: np.ndarray = game.split_decision(decided)[0].reshape(size, self.samples, game.m).mean(1)
        return mean

    @cached_property
    def _draws(self) -> np.ndarray:
        return np.asarray(self.game.draw_initial(self.samples, np.random.default_rng(0))["types"])

    @cached_property
    def _others(self) -> np.ndarray:
        return self._told(self.game.types_of(self._draws))

    def _voters(self, places: np.ndarray) -> np.ndarray:
        """Return the ballots of others who see candidates at the same places."""
        candidates = np.repeat(places.reshape(1, self.game.m, -1), self.samples, axis=0)
        return self._told(self.game.types_near(candidates, self._draws))

    def _told(self, types: np.ndarray) -> np.ndarray:
        told: np.ndarray = self.game.read(self.game.private(types))[:, 1:]
        return told


def compromise(game: Game[Any], *, rule: str | None = None, samples: int = SAMPLES) -> Policy:
    """Return voters who give up what cannot win: each casts the best ballot against others who are drawn anew.

    Args:
        game: an election with a menu of ballots, or one after the other.
        rule: name of the rule that they expect, where none is announced.
        samples: elections by which they judge each ballot.

    Raises:
        UnsupportedGameError: if the game is no election, has too many ballots, or announces no rule and none is named.
        ParameterError: if there are too few samples.
    """
    if isinstance(game, RepeatedGame):
        return FromMenu(game, compromise(game.one_shot, rule=rule, samples=samples))
    if not isinstance(game, Voting):
        raise UnsupportedGameError(f"participant 'compromise' casts a ballot; those of {game.name} cast none")
    who = "participant 'compromise'"
    if game.announces and rule is not None:
        raise UnsupportedGameError(f"{who} sees the rule that {game.name} announces; leave rule={brief(rule)} out")
    if not game.announces and (not isinstance(rule, str) or rule not in game.direct_rules):
        known = allowed(rule if isinstance(rule, str) else "", game.direct_rules)
        raise UnsupportedGameError(
            f"{who} needs the name of the rule that it expects, as {game.name} announces none: rule is {brief(rule)}:"
            f" {known}"
        )
    return Compromise(game, rule, integer("samples", samples, 1, 1_000_000))
