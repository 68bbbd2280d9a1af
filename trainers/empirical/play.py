"""Play of strategies against each other, on common random numbers, and the table of what they earn.

All joint choices are played in the same games: with the same types and the same draws of the rules, which come from a
generator of their own, and each strategy with draws of its own that are the same whoever it meets. Differences between
cells have small errors for it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

from lawgiver.envs.core.checks import check_game, check_policy
from lawgiver.envs.core.errors import ParameterError, UnsupportedGameError, integer, seed_number
from lawgiver.envs.core.game import Game
from lawgiver.envs.core.make import make_game
from lawgiver.envs.core.policy import OutcomePolicy, Policy, PolicyLike
from lawgiver.envs.core.rollout import choose, kept_waiting
from lawgiver.envs.solvers.normal_form.forms import profiles
from lawgiver.trainers.empirical.strategies import Population, populations
from lawgiver.trainers.empirical.table import EmpiricalTable
from lawgiver.trainers.runs.overrides import game_settings
from lawgiver.trainers.statistics.streams import EMPIRICAL

GROUPS = 100
"""Groups of games whose means a table keeps: enough to resample, and few enough to save."""
NUMBERS = 2_000_000
"""Numbers that a table keeps, of fewer groups where it is large."""
CELLS = 20_000
"""Joint choices that are played."""
DOUBT = 5.0
"""Standard errors by which exchangeable participants may differ."""


def table(
    game: str | Mapping[str, Any] | Game[Any],
    strategies: Sequence[PolicyLike | int] | Mapping[str, Any] | None = None,
    mechanism: PolicyLike | None = None,
    games: int = 1_000,
    seed: int = 0,
    symmetric: bool = False,
) -> EmpiricalTable:
    """Play every joint choice of strategies, and tabulate what each earns on average in a game.

    Args:
        game: by name, as ``{"name": NAME, **parameters}``, or itself.
        strategies: of every participant: names of policies, folders of runs, ``{"policy": NAME, **parameters}``,
            numbers of actions or of rows of a menu of reports, and ``menu`` for all of those; in a mapping policies by
            names of one's own. Or ``{"participant": ..., "mechanism": ...}``: a mechanism with several strategies is a
            player. By default the menu, and ``truthful`` where participants report.
        mechanism: the only strategy of the mechanism.
        games: of each cell, >= 2.
        seed: of the games.
        symmetric: whether seats of participants are exchangeable, so that payoffs depend on how many play each strategy
            alone, C(n + A - 1, n) cells, each played once a seat in turn; it is checked where all play the same.

    Raises:
        ParameterError: if an argument is wrong, or participants are not exchangeable.
        UnsupportedGameError: if there are more than ``CELLS`` cells.
        LawgiverError: if there is no such game or policy, or it plays another game.
    """
    return Cast.of(game, strategies, mechanism).table(games, seed, symmetric)


@dataclass(frozen=True)
class Cast:
    """A game and the strategies of its populations, ready to be played.

    Attributes:
        game: the game.
        populations: all that play; those of the mechanism last.
    """

    game: Game[Any]
    populations: tuple[Population, ...]

    @classmethod
    def of(cls, game: str | Mapping[str, Any] | Game[Any], strategies: Any, mechanism: Any) -> Cast:
        """Make the strategies, and check that they play the game; arguments are those of :func:`table`."""
        made = game if isinstance(game, Game) else make_game(**game_settings(game))
        check_game(made)
        found = populations(made, strategies, mechanism)
        for player in found:
            for policy in player.strategies.values() if player.seat == 0 else ():
                check_policy(made, player.role, policy)
        return cls(made, found)

    @property
    def players(self) -> tuple[Population, ...]:
        """Those who have something to choose from, if only a participant its single strategy."""
        return tuple(one for one in self.populations if one.role != "mechanism" or len(one.strategies) > 1)

    def table(self, games: int, seed: int, symmetric: bool) -> EmpiricalTable:
        """Play; see :func:`table`."""
        games, seed = integer("games", games, 2), seed_number("seed", seed)
        if not isinstance(symmetric, bool):
            raise ParameterError(f"symmetric is {symmetric!r}, allowed: true or false")
        play = _symmetric if symmetric else _whole
        return play(self.game, self.populations, self.players, games, seed)


def _whole(
    game: Game[Any], players: tuple[Population, ...], moving: tuple[Population, ...], games: int, seed: int
) -> EmpiricalTable:
    sizes = [len(player.strategies) for player in players]
    _check_cells(math.prod(sizes), symmetric=False)
    groups = _groups(games, math.prod(sizes) * len(moving))
    cells = [
        _grouped(_earned(game, players, cell, games, seed), groups)[:, : len(moving)]
        for cell in product(*map(range, sizes))
    ]
    samples = np.stack(cells, axis=-1).reshape(groups, len(moving), *(len(player.strategies) for player in moving))
    return EmpiricalTable(
        players=tuple(player.name for player in moving),
        names=tuple(tuple(player.strategies) for player in moving),
        samples=samples,
        games=games,
        unit=game.payoff_unit,
    )


def _symmetric(
    game: Game[Any], players: tuple[Population, ...], moving: tuple[Population, ...], games: int, seed: int
) -> EmpiricalTable:
    names = {tuple(player.strategies) for player in moving}
    if any(player.role == "mechanism" for player in moving) or len(names) > 1 or len(moving) < 2:
        raise UnsupportedGameError(
            f"{game.name} has no symmetric table: allowed: two or more participants with the same strategies, under one"
            " mechanism"
        )
    (strategies,) = names
    n, size = len(moving), len(strategies)
    _check_cells(math.comb(n + size - 1, n), symmetric=True)
    counts = profiles(n, size)
    groups = _groups(games, size * len(counts))
    samples = np.zeros((groups, size, len(counts)))
    for column, count in enumerate(counts):
        first, alike = np.repeat(np.arange(size), count), count.max() == n
        turns = [first] if alike else [np.roll(first, turn) for turn in range(n)]
        for chosen in turns:  # everybody plays every strategy in every game, so that seats are the same in all cells
            cell = (*chosen.tolist(), *[0] * (len(players) - n))
            earned = _grouped(_earned(game, players, cell, games, seed), groups)[:, :n]
            if alike:
                _check_exchangeable(earned, strategies[first[0]], moving)
            for strategy in np.flatnonzero(count):
                samples[:, strategy, column] += earned[:, chosen == strategy].mean(axis=1) / len(turns)
    return EmpiricalTable(
        players=tuple(player.name for player in moving),
        names=(strategies,),
        samples=samples,
        games=games,
        unit=game.payoff_unit,
    )


def _check_cells(count: int, symmetric: bool) -> None:
    if count > CELLS:
        told = "" if symmetric else "; fewer with symmetric=true where seats are exchangeable"
        raise UnsupportedGameError(f"{count:,} joint choices to play, allowed: {CELLS:,}{told}")


def _check_exchangeable(earned: np.ndarray, strategy: str, moving: tuple[Population, ...]) -> None:
    """Check that seats earn the same where all play the same, (E, n)."""
    apart = earned - earned[:, :1]
    error = apart.std(axis=0, ddof=1) / np.sqrt(len(apart))
    far = np.abs(apart.mean(axis=0)) > DOUBT * error + 1e-9 * np.abs(earned).max()
    if far.any():
        other = int(np.argmax(far))
        means = earned.mean(axis=0)
        raise ParameterError(
            f"participants are not exchangeable: where all play {strategy!r}, {moving[0].name} earns {means[0]:.4g} and"
            f" {moving[other].name} {means[other]:.4g}, allowed: symmetric=false"
        )


def _groups(games: int, numbers: int) -> int:
    return min(games, GROUPS, max(20, NUMBERS // numbers))


def _grouped(values: np.ndarray, groups: int) -> np.ndarray:
    """Average values (G, ...) over groups of nearly as many games each, (E, ...)."""
    return np.stack([part.mean(axis=0) for part in np.array_split(values, groups)])


def _earned(game: Game[Any], players: tuple[Population, ...], cell: Sequence[int], games: int, seed: int) -> np.ndarray:
    """Play a cell; return what each population earns in each game, (G, populations)."""
    rules = np.random.default_rng([seed, EMPIRICAL])
    state = game.initial_state(games, rules)
    casts = {role: _Seats(players, role, cell, games, seed) for role in game.roles}
    totals = {role: np.zeros((games, count)) for role, count in game.roles.items()}
    alive = np.ones(games, bool)
    while alive.any():
        role = game.phase(state)
        outcome = casts[role].outcome(game, state)
        state, rewards, terminated, truncated = game.advance(state, outcome, game.draw(games, rules))
        for earner, total in totals.items():
            total += np.where(alive[:, None], np.asarray(rewards[earner]), 0.0)
        alive &= ~np.asarray(terminated | truncated)
    return np.stack([totals[player.role][:, player.seat] for player in players], axis=1)


class _Seats:
    """The policies of a role's seats, with the memory and the generator of each."""

    def __init__(self, players: tuple[Population, ...], role: str, cell: Sequence[int], games: int, seed: int) -> None:
        self.seats: dict[int, list[int]] = {}
        self.policies: dict[int, Policy] = {}
        for player, choice in zip(players, cell, strict=True):
            if player.role == role:
                policy = list(player.strategies.values())[choice]
                self.seats.setdefault(id(policy), []).append(player.seat)
                self.policies[id(policy)] = policy
        kinds = [policy for player in players if player.role == role for policy in player.strategies.values()]
        place = {id(policy): at for at, policy in reversed(list(enumerate(kinds)))}  # the first time that it is there
        self.luck = {key: np.random.default_rng([seed, EMPIRICAL, 1 + place[key]]) for key in self.policies}
        self.memory = {key: policy.initial_state(games, self.luck[key]) for key, policy in self.policies.items()}

    def outcome(self, game: Game[Any], state: Any) -> np.ndarray:
        """Ask everybody, and return the outcome of what they do."""
        role = game.phase(state)
        obs, mask = game.observe(state, role), game.legal_actions(state, role)
        if len(self.policies) == 1:
            ((key, policy),) = self.policies.items()
            _, outcome, self.memory[key] = choose(game, policy, state, obs, mask, self.memory[key], self.luck[key])
            return np.asarray(outcome)
        actions: np.ndarray | None = None
        for key, policy in self.policies.items():
            if isinstance(policy, OutcomePolicy):
                raise UnsupportedGameError(f"{role} {policy!r} decides for all seats of its role, allowed: alone")
            own, after = policy.act(obs, mask, self.memory[key], self.luck[key])
            self.memory[key] = kept_waiting(game, policy, state, self.memory[key], after)
            actions = np.array(own) if actions is None else actions
            actions[:, self.seats[key]] = np.asarray(own)[:, self.seats[key]]
        assert actions is not None, "every role has seats"
        return np.asarray(game.outcome(state, actions))
