"""Round robin tournaments between mechanisms before the same people, and the solution of their meta-game."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, TypedDict, Unpack

import numpy as np
from pydantic import Field

from lawgiver.envs.core.checks import check_policy
from lawgiver.envs.core.errors import ParameterError, brief
from lawgiver.envs.core.game import Game
from lawgiver.envs.core.make import make_policy
from lawgiver.envs.core.policy import Policy, PolicyLike
from lawgiver.envs.core.registry import ROLES, game_name, names, require_extras
from lawgiver.envs.election.game import Election
from lawgiver.trainers.elections.meta_game import (
    binomial_errors,
    condorcet_cycle,
    condorcet_winner,
    fictitious_play,
    nash,
)
from lawgiver.trainers.elections.standings import Standings, ends, resampled, unanimous
from lawgiver.trainers.evaluation.vote_shares import held_evenly
from lawgiver.trainers.plots.drawing import can_draw
from lawgiver.trainers.runs.atomic_files import made_folder, write_json
from lawgiver.trainers.runs.config import checked
from lawgiver.trainers.runs.loading import game_of
from lawgiver.trainers.runs.overrides import apply_overrides, described, game_settings, label
from lawgiver.trainers.settings.base import GameConfig, Natural, Seed, Settings
from lawgiver.trainers.statistics.estimate import Estimate

ROUNDS = 10_000
"""Of fictitious play, where there is a cycle."""


@dataclass(frozen=True, eq=False)
class Tournament:
    """The result of a round robin.

    Attributes:
        names: of the s mechanisms, the newest last.
        groups: vote share of the first of each pair, P = s (s - 1) / 2 pairs in the order of
            ``itertools.combinations``, in each of E elections of each of C conditions, (P, C, E).
        settings: of a tournament that was asked for by name.
    """

    names: tuple[str, ...]
    groups: np.ndarray
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def games(self) -> int:
        """Elections a pair."""
        return int(np.prod(self.groups.shape[1:]))

    @cached_property
    def shares(self) -> np.ndarray:
        """Shares of the votes, row against column, (s, s), pooled over conditions; 1/2 on the diagonal."""
        return _matrix(len(self.names), self.groups.mean(axis=(1, 2)), lambda share: 1 - share, 0.5)

    @cached_property
    def errors(self) -> np.ndarray:
        """Standard errors of the shares over groups, conditions being fixed, (s, s)."""
        _, conditions, each = self.groups.shape
        found = np.sqrt(self.groups.var(axis=2, ddof=1).mean(axis=1) / (conditions * each))
        careful = binomial_errors(self.shares, self.games)[np.triu_indices(len(self.names), 1)]
        found = np.where(unanimous(self.groups), careful, found)  # all groups voted the same: that is not certainty
        return _matrix(len(self.names), found, lambda error: error, 0.0)

    def pair(self, first: str, second: str) -> np.ndarray:
        """Select the first one's vote share against the second in each election, (C, E)."""
        i, j = self.names.index(first), self.names.index(second)
        place = list(itertools.combinations(range(len(self.names)), 2)).index((min(i, j), max(i, j)))
        return np.asarray(self.groups[place] if i < j else 1 - self.groups[place])

    def solved(self, seed: int | None = None) -> dict[str, Any]:
        """Solve the meta-game: equilibrium, dominance, Condorcet winner, a cycle of wins, and ties.

        Args:
            seed: of the resampled elections; that of the tournament by default.

        Returns:
            ``nash`` (name -> weight in an equilibrium of the estimated shares, with its interval over games as other
            groups might have made them); ``dominance`` (name -> ``strict``, ``weak``, ``none``, or ``open`` where the
            elections do not tell), ``dominant``, the names of the first two kinds; ``condorcet_winner``; ``cycle``;
            ``ties``, the pairs that are not told apart; ``exploitability``, what the best reply to the equilibrium wins
            beyond one half over the same games. With a cycle also what ``fictitious_play`` comes to, for then no
            mechanism is simply the best. All at the level ``LEVEL``.
        """
        rng = np.random.default_rng(self.settings.get("seed", 0) if seed is None else seed)
        standings = Standings(resampled(self.groups, rng))
        mixture, cycle = nash(self.shares), condorcet_cycle(standings.beats)
        winner = condorcet_winner(standings.beats)
        dominance = {name: standings.dominance(index) for index, name in enumerate(self.names)}
        lost = (standings.drawn @ mixture).max(axis=1) - 0.5
        weights = zip(mixture, standings.mixtures.T, strict=True)
        found: dict[str, Any] = {
            "nash": {name: self._redrawn(mean, drawn) for name, (mean, drawn) in zip(self.names, weights, strict=True)},
            "dominance": dominance,
            "dominant": [name for name, kind in dominance.items() if kind in ("strict", "weak")],
            "exploitability": self._redrawn(lost.mean(), lost),
            "condorcet_winner": None if winner is None else self.names[winner],
            "cycle": None if cycle is None else [self.names[index] for index in cycle],
            "ties": [[self.names[i], self.names[j]] for i, j in standings.ties],
        }
        if cycle is not None:
            found["fictitious_play"] = self._named(fictitious_play(self.shares, ROUNDS, rng))
        return found

    def data(self) -> dict[str, Any]:
        """Convert to plain data."""
        plain = {"names": list(self.names), "shares": self.shares.tolist(), "errors": self.errors.tolist()}
        return {**plain, "games": self.games}

    def save(self, folder: str | Path) -> list[Path]:
        """Write tournament.json and, where matplotlib is installed, the picture of payoffs; return what was written.

        Args:
            folder: made if it is not there.

        Raises:
            RunError: if they cannot be written.
        """
        folder = made_folder(folder)
        write_json(folder / "tournament.json", {"settings": self.settings, **self.data(), **self.solved()})
        if not can_draw():
            return [folder / "tournament.json"]
        from lawgiver.trainers.elections.figures import payoff_matrix
        from lawgiver.trainers.plots.style import save

        save(payoff_matrix(self.shares, self.names, self.errors), folder / "payoffs.png")
        return [folder / "tournament.json", folder / "payoffs.png"]

    def _redrawn(self, mean: float, drawn: np.ndarray) -> Estimate:
        """Make the estimate of a mean from its bootstrap draws (D,)."""
        low, high = ends(drawn)
        return Estimate(float(mean), float(drawn.std()), float(low), float(high), self.games, "meta-game bootstrap")

    def _named(self, mixture: np.ndarray) -> dict[str, float]:
        return {name: float(weight) for name, weight in zip(self.names, mixture, strict=True)}


def _matrix(size: int, of_pairs: np.ndarray, turned: Callable[[np.ndarray], np.ndarray], own: float) -> np.ndarray:
    """Fill a matrix (s, s) from values of pairs (P,), ``turned`` for the second against the first."""
    matrix = np.full((size, size), own)
    first, second = np.triu_indices(size, 1)
    matrix[first, second], matrix[second, first] = of_pairs, turned(of_pairs)
    return matrix


def round_robin(
    election: Election, mechanisms: Mapping[str, Policy], games: int, seed: int | Sequence[int]
) -> Tournament:
    """Hold elections between every pair of mechanisms.

    Args:
        election: the rules, between two mechanisms, with the people and how they vote.
        mechanisms: of the base game, by name, two or more.
        games: elections a pair, at least; split evenly over the base game's conditions and both orders.
        seed: the same people for every pair, unless a mechanism draws at random itself.
    """
    if len(mechanisms) < 2:
        raise ParameterError(f"a tournament of {len(mechanisms)}: allowed are two mechanisms or more")
    for mechanism in mechanisms.values():
        check_policy(election.game, "mechanism", mechanism)
    held = [
        held_evenly(election, pair, games, np.random.default_rng(seed))
        for pair in itertools.combinations(mechanisms.values(), 2)
    ]
    return Tournament(tuple(mechanisms), np.stack(held))


class TournamentSettings(Settings):
    """Settings of a tournament of named mechanisms."""

    game: GameConfig = GameConfig(name="public_investment")
    """The base game that every mechanism rules."""
    participants: str | dict[str, Any] = "simulated_people"
    """Who plays it: a name, a run's folder, or ``{policy: NAME, ...}``."""
    voters: str | dict[str, Any] = "experience"
    """How they vote."""
    games: Annotated[Natural, Field(ge=2)] = 1_000
    """Elections a pair."""
    seed: Seed = 0


class TournamentOptions(TypedDict, total=False):
    """Keyword arguments of :func:`tournament`."""

    game: str | Mapping[str, Any] | Game[Any]
    participants: PolicyLike
    voters: Any
    games: int
    seed: int


def tournament(
    mechanisms: Sequence[PolicyLike] | Mapping[str, PolicyLike], **settings: Unpack[TournamentOptions]
) -> Tournament:
    """Hold elections between every two mechanisms, before the same people.

    Args:
        mechanisms: two or more, each a registered name, ``{"policy": NAME, **parameters}``, a run, or the folder of a
            run or of a saved policy; in a mapping, by names of one's own, policies too.
        settings: ``game`` (the base game, by name, as ``{"name": NAME, **parameters}``, or itself; by default that of
            the runs which take part, or public_investment; parameters without a name change that one),
            ``participants`` (who plays it, 'simulated_people' by default), ``voters`` (how they vote, 'experience'),
            ``games`` (elections a pair, >= 2; 1000) and ``seed`` (0). A key such as ``game.n_rounds`` changes one
            parameter of the game.

    Returns:
        the tournament: ``.shares`` of the votes (s, s) and their ``.errors``; ``.solved()`` is the equilibrium of the
        meta-game with dominance, cycles and ties, ``.save(folder)`` writes tournament.json and the picture.

    Raises:
        ParameterError: if there are fewer than two of them, one is given twice, or a setting is wrong.
        LawgiverError: if one is unknown or plays another game.

    Example:
        >>> import lawgiver
        >>> held = lawgiver.tournament(["libertarian", "strict_egalitarian"], games=20)
        >>> held.names
        ('libertarian', 'strict_egalitarian')
    """
    given = _labelled(mechanisms)
    options: dict[str, Any] = dict(settings)
    folders = [policy for policy in given.values() if _is_folder(policy)]
    require_extras("a tournament", *(("torch",) if folders else ()), "solve")  # before anything is played
    base = _meant(folders, options)
    options.pop("game", None)
    people = {key: options[key] for key in ("participants", "voters") if key in options}
    options |= {key: label(policy) for key, policy in people.items() if not isinstance(policy, os.PathLike)}
    asked = checked(TournamentSettings, apply_overrides({"game": base}, options))
    game = asked.game.make()
    made = {name: make_policy(game, "mechanism", described(policy)) for name, policy in given.items()}
    election = Election(
        base=asked.game.model_dump(),
        participants=people.get("participants", asked.participants),
        voters=people.get("voters", asked.voters),
    )
    held = round_robin(election, made, asked.games, asked.seed)
    return replace(held, settings=asked.model_dump(mode="json"))


def _labelled(mechanisms: Sequence[PolicyLike] | Mapping[str, PolicyLike]) -> dict[str, Any]:
    """Label the mechanisms: by their own names, or folders by their last part where that is unique.

    Raises:
        ParameterError: if there are fewer than two, one is there twice, or one has no name.
    """
    if isinstance(mechanisms, str) or not isinstance(mechanisms, (Sequence, Mapping)):
        raise ParameterError(f"mechanisms are {brief(mechanisms)}, allowed: a list of two or more, names or runs")
    if len(mechanisms) < 2:
        raise ParameterError(f"a tournament of {len(mechanisms)}: allowed are two mechanisms or more, names or runs")
    if isinstance(mechanisms, Mapping):
        return {str(name): _plainly(policy) for name, policy in mechanisms.items()}
    given = [_plainly(policy) for policy in mechanisms]
    for policy in given:
        if not isinstance(policy, (str, Mapping)):
            raise ParameterError(f"mechanism {brief(policy)} has no name, allowed: a mapping {{NAME: mechanism}}")
    texts = [policy if isinstance(policy, str) else _flow(policy) for policy in given]
    identities = [str(Path(text).resolve()) if Path(text).is_dir() else text for text in texts]
    twice = [text for index, text in enumerate(texts) if identities[index] in identities[:index]]
    if twice:
        raise ParameterError(f"{twice[0]!r} is there twice: each mechanism takes part once")
    labels = [Path(text).name if Path(text).is_dir() else text for text in texts]
    return dict(zip(labels if len(set(labels)) == len(labels) else texts, given, strict=True))


def _plainly(policy: Any) -> Any:
    """Convert the folder of a path or run to text; return everything else unchanged."""
    return os.fspath(policy) if isinstance(policy, os.PathLike) else policy


def _flow(policy: Mapping[Any, Any]) -> str:
    """Write a policy with parameters as on the command line: ``{policy: manifold, w: 1}``."""
    return f"{{{', '.join(f'{key}: {value}' for key, value in policy.items())}}}"


def _is_folder(policy: Any) -> bool:
    return isinstance(policy, str) and policy not in names(ROLES["mechanism"]) and Path(policy).is_dir()


def _meant(folders: Sequence[str], options: Mapping[str, Any]) -> dict[str, Any]:
    """Find the config of a tournament's game: that of the runs that take part, if it is one game.

    The participants' observation is that of the people who vote here rather than of those that a run has trained.

    Raises:
        ParameterError: if the runs are of several games, and none is named.
    """
    asked = game_settings(options["game"]) if "game" in options else {}
    named = options.get("game.name", asked.get("name"))
    found: list[dict[str, Any]] = []
    for folder in folders:
        game = {key: value for key, value in (game_of(folder) or {}).items() if key != "participant_observation"}
        if game and game not in found and (named is None or game_name(game["name"]) == game_name(named)):
            found.append(game)
    if len(found) > 1 and not any(key == "game" or key.startswith("game.") for key in options):
        games = " and ".join(", ".join(f"{key} {value}" for key, value in game.items()) for game in found)
        raise ParameterError(
            f"these runs were trained on several games: {games}; say which: game.name=NAME game.KEY=VALUE"
        )
    return {**(found[0] if len(found) == 1 else {"name": "public_investment"}), **asked}
