"""Round robin: every mechanism against every other, before the same people; and what the meta-game amounts to."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import Field, ValidationError

from lawgiver.envs.core.errors import ParameterError
from lawgiver.envs.core.make import make_policy
from lawgiver.envs.core.policy import Policy
from lawgiver.envs.core.policy_check import check_policy
from lawgiver.envs.core.registry import POLICIES, game_name, names, require_extras
from lawgiver.envs.election.game import Election
from lawgiver.trainers.elections.meta_game import (
    binomial_errors,
    condorcet_cycle,
    condorcet_winner,
    fictitious_play,
    nash,
)
from lawgiver.trainers.elections.standings import Standings, resampled, unanimous
from lawgiver.trainers.evaluation.elections import held_evenly
from lawgiver.trainers.plots.drawing import can_draw
from lawgiver.trainers.runs.atomic_files import write_json
from lawgiver.trainers.runs.config import GameConfig, Natural, Seed, Settings, apply_overrides, described
from lawgiver.trainers.runs.config_errors import complaint
from lawgiver.trainers.runs.run import game_of
from lawgiver.trainers.statistics.seeds import LEVEL

ROUNDS = 10_000
"""Of fictitious play, where there is a cycle."""


@dataclass(frozen=True, eq=False)
class Tournament:
    """What a round robin has shown.

    Attributes:
        names: of the mechanisms, s of them, the newest last.
        groups: share of the votes of the first of each pair, P = s (s - 1) / 2 pairs in the order of
            ``itertools.combinations``, in each of E elections of each of C conditions, (P, C, E).
    """

    names: tuple[str, ...]
    groups: np.ndarray

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
        """Return the first one's share of the votes against the second in each election, (C, E)."""
        i, j = self.names.index(first), self.names.index(second)
        place = list(itertools.combinations(range(len(self.names)), 2)).index((min(i, j), max(i, j)))
        return np.asarray(self.groups[place] if i < j else 1 - self.groups[place])

    def solved(self, seed: int = 0) -> dict[str, Any]:
        """Return the equilibrium of the meta-game, who is dominant, who beats all others, a cycle of wins, and ties.

        Returns:
            ``nash`` (name -> weight in an equilibrium of the estimated shares) and ``nash_interval`` (name -> that as
            ``mean``, and ``low`` and ``high`` over games as other groups might have made them); ``dominance`` (name ->
            ``strict``, ``weak``, ``none``, or ``open`` where the elections do not tell), ``dominant``, the names of the
            first two kinds; ``condorcet_winner``; ``cycle``; ``ties``, the pairs that are not told apart;
            ``exploitability``, what the best reply to the equilibrium wins beyond one half over the same games
            (``mean``, ``low``, ``high``). With a cycle also what ``fictitious_play`` comes to, for then no mechanism
            is simply the best. All at the level of 95 %.
        """
        rng = np.random.default_rng(seed)
        standings = Standings(resampled(self.groups, rng))
        mixture, cycle = nash(self.shares), condorcet_cycle(standings.beats)
        winner = condorcet_winner(standings.beats)
        dominance = {name: standings.dominance(index) for index, name in enumerate(self.names)}
        lost = (standings.drawn @ mixture).max(axis=1) - 0.5
        (low, high), (least, most) = standings.weights, np.quantile(lost, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
        found: dict[str, Any] = {
            "nash": self._named(mixture),
            "nash_interval": {
                name: {"mean": float(mixture[at]), "low": float(low[at]), "high": float(high[at])}
                for at, name in enumerate(self.names)
            },
            "dominance": dominance,
            "dominant": [name for name, kind in dominance.items() if kind in ("strict", "weak")],
            "exploitability": {"mean": float(lost.mean()), "low": float(least), "high": float(most)},
            "condorcet_winner": None if winner is None else self.names[winner],
            "cycle": None if cycle is None else [self.names[index] for index in cycle],
            "ties": [[self.names[i], self.names[j]] for i, j in standings.ties],
        }
        if cycle is not None:
            found["fictitious_play"] = self._named(fictitious_play(self.shares, ROUNDS, rng))
        return found

    def data(self) -> dict[str, Any]:
        """Return everything as plain data."""
        plain = {"names": list(self.names), "shares": self.shares.tolist(), "errors": self.errors.tolist()}
        return {**plain, "games": self.games}

    def _named(self, mixture: np.ndarray) -> dict[str, float]:
        return {name: float(weight) for name, weight in zip(self.names, mixture, strict=True)}


def _matrix(size: int, of_pairs: np.ndarray, turned: Callable[[np.ndarray], np.ndarray], own: float) -> np.ndarray:
    """Return a matrix (s, s) of what is known of pairs (P,), ``turned`` for the second against the first."""
    matrix = np.full((size, size), own)
    first, second = np.triu_indices(size, 1)
    matrix[first, second], matrix[second, first] = of_pairs, turned(of_pairs)
    return matrix


def round_robin(
    election: Election, mechanisms: Mapping[str, Policy], games: int, seed: int | Sequence[int]
) -> Tournament:
    """Return what every pair of mechanisms gets of the votes.

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
    """What a tournament on the command line is about."""

    game: GameConfig = GameConfig(name="public_investment")
    """The base game that every mechanism rules."""
    participants: str | dict[str, Any] = "simulated_people"
    """Who plays it: a name, a run's folder, or ``{policy: NAME, ...}``."""
    voters: str | dict[str, Any] = "experience"
    """How they vote."""
    games: Annotated[Natural, Field(ge=2)] = 1_000
    """Elections a pair."""
    seed: Seed = 0


def hold_tournament(contestants: Sequence[str], overrides: Sequence[str]) -> tuple[TournamentSettings, Tournament]:
    """Return the tournament of mechanisms that are given by registered names, as run folders, or with parameters.

    Args:
        contestants: each a name, a folder, or YAML of the form ``{policy: NAME, ...}``.
        overrides: ``key=value``, of :class:`TournamentSettings`.

    Raises:
        ParameterError: if there are fewer than two of them, one is given twice, or an override is wrong.
        LawgiverError: if one is unknown or plays another game.
    """
    if len(contestants) < 2:
        raise ParameterError(f"a tournament of {len(contestants)}: allowed are two mechanisms or more, names or runs")
    identities = [str(Path(name).resolve()) if Path(name).is_dir() else name for name in contestants]
    twice = [name for index, name in enumerate(contestants) if identities[index] in identities[:index]]
    if twice:
        raise ParameterError(f"{twice[0]!r} is there twice: each mechanism takes part once")
    learned = ("torch",) if any(map(_is_folder, contestants)) else ()
    require_extras("a tournament", *learned, "solve")  # told of before anything is played
    data = apply_overrides({"game": _meant(contestants, overrides)}, overrides)
    try:
        settings = TournamentSettings.model_validate(data)
    except ValidationError as error:
        raise ParameterError(complaint(TournamentSettings, data, error)) from None
    game = settings.game.make()
    election = Election(
        base=settings.game.model_dump(),
        participants=settings.participants,
        voters=settings.voters,
    )
    mechanisms = {name: make_policy(game, "mechanism", described(name)) for name in contestants}
    labels = {name: Path(name).name if Path(name).is_dir() else name for name in contestants}
    unique = len(set(labels.values())) == len(labels)
    named = {labels[name] if unique else name: policy for name, policy in mechanisms.items()}
    return settings, round_robin(election, named, settings.games, settings.seed)


def _is_folder(contestant: str) -> bool:
    return contestant not in names(POLICIES["mechanism"]) and Path(contestant).is_dir()


def _meant(contestants: Sequence[str], overrides: Sequence[str]) -> dict[str, Any]:
    """Return the game that a tournament is about, as its config: that of the runs that take part, if it is one game.

    What participants see is left to the people who vote here, who are not those that a run has trained.

    Raises:
        ParameterError: if the runs are of several games, and none is named.
    """
    folders = [name for name in contestants if _is_folder(name)]
    named = next((text.partition("=")[2] for text in overrides if text.startswith("game.name=")), None)
    found: list[dict[str, Any]] = []
    for folder in folders:
        game = {key: value for key, value in (game_of(folder) or {}).items() if key != "participant_observation"}
        if game and game not in found and (named is None or game_name(game["name"]) == game_name(named)):
            found.append(game)
    if len(found) > 1 and not any(text.startswith(("game.", "game=")) for text in overrides):
        told = " and ".join(", ".join(f"{key} {value}" for key, value in game.items()) for game in found)
        raise ParameterError(
            f"these runs were trained on several games: {told}; say which: game.name=NAME game.KEY=VALUE"
        )
    if len(found) == 1:
        return found[0]
    return {"name": "public_investment"}


def keep(folder: Path, settings: TournamentSettings, held: Tournament, solved: Mapping[str, Any]) -> list[Path]:
    """Write tournament.json and, where matplotlib is installed, the picture of the payoffs; return what was written.

    ``folder`` is there already.

    Raises:
        RunError: if they cannot be written.
    """
    file = folder / "tournament.json"
    write_json(file, {"settings": settings.model_dump(mode="json"), **held.data(), **solved})
    if not can_draw():
        return [file]
    from lawgiver.trainers.elections.figures import payoff_matrix
    from lawgiver.trainers.plots.curves import save

    picture = folder / "payoffs.png"
    save(payoff_matrix(held.shares, held.names, held.errors), picture)
    return [file, picture]
