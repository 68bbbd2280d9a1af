"""Round robin: every mechanism against every other, before the same people; and what the meta-game amounts to."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import Field, ValidationError

from lawgiver.envs.core.errors import ParameterError
from lawgiver.envs.core.policy import Policy
from lawgiver.envs.core.policy_check import check_policy
from lawgiver.envs.core.registry import POLICIES, extras, game_name, make_policy, names
from lawgiver.envs.election.game import Election
from lawgiver.trainers.complaints import complaint
from lawgiver.trainers.config import GameConfig, Natural, Seed, Settings, apply_overrides, described
from lawgiver.trainers.elections import shares
from lawgiver.trainers.files import write_json
from lawgiver.trainers.meta_game import (
    binomial_errors,
    condorcet_cycle,
    condorcet_winner,
    converged,
    dominant,
    exploitability,
    fictitious_play,
    nash,
)
from lawgiver.trainers.runs import game_of

ROUNDS = 10_000
"""Of fictitious play, where there is a cycle."""


@dataclass(frozen=True)
class Tournament:
    """What a round robin has shown.

    Attributes:
        names: of the mechanisms, s of them.
        shares: of the votes, row against column, (s, s), pooled over conditions; 1/2 on the diagonal.
        errors: their standard errors over groups, (s, s).
        games: elections a pair.
    """

    names: tuple[str, ...]
    shares: np.ndarray
    errors: np.ndarray
    games: int

    def solved(self, seed: int = 0) -> dict[str, Any]:
        """Return the equilibrium of the meta-game, who is dominant, who beats all others, and a cycle of wins if any.

        With a cycle also what fictitious play comes to, for then no mechanism is simply the best.
        """
        mixture, cycle = nash(self.shares), condorcet_cycle(self.shares, self.errors)
        winner = condorcet_winner(self.shares, self.errors)
        found: dict[str, Any] = {
            "nash": self._named(mixture),
            "dominant": [name for index, name in enumerate(self.names) if self._dominant(index)],
            "exploitability": exploitability(self.shares, mixture),
            "condorcet_winner": None if winner is None else self.names[winner],
            "cycle": None if cycle is None else [self.names[index] for index in cycle],
        }
        if cycle is not None:
            found["fictitious_play"] = self._named(fictitious_play(self.shares, ROUNDS, np.random.default_rng(seed)))
        return found

    def convergence(self, margin: float) -> dict[str, Any]:
        """Return whether the newest, which is the last, has ceased to improve on the earlier ones, and why."""
        result = converged(self.shares, self.errors, margin)
        newest = self._dominant(len(self.names) - 1)
        stop = result.converged or not newest
        return {"converged": stop, "reason": result.reason, "edge": result.edge, "dominant": newest}

    def data(self) -> dict[str, Any]:
        """Return everything as plain data."""
        plain = {"names": list(self.names), "shares": self.shares.tolist(), "errors": self.errors.tolist()}
        return {**plain, "games": self.games}

    def _dominant(self, index: int) -> bool:
        """Return whether a mechanism is a dominant strategy."""
        last = [*(other for other in range(len(self.names)) if other != index), index]
        return dominant(self.shares[np.ix_(last, last)], self.errors[np.ix_(last, last)])

    def _named(self, mixture: np.ndarray) -> dict[str, float]:
        return {name: float(weight) for name, weight in zip(self.names, mixture, strict=True)}


def round_robin(
    election: Election, mechanisms: Mapping[str, Policy], games: int, seed: int | Sequence[int]
) -> Tournament:
    """Return what every pair of mechanisms gets of the votes.

    Args:
        election: the rules, between two mechanisms, with the people and how they vote.
        mechanisms: of the base game, by name.
        games: elections a pair, at least; split evenly over the base game's conditions and both orders.
        seed: the same people for every pair, unless a mechanism draws at random itself.
    """
    names = tuple(mechanisms)
    for mechanism in mechanisms.values():
        check_policy(election.game, "mechanism", mechanism)
    conditions = len(election.game.openings(1, np.random.default_rng(0)))
    each = -(-games // conditions)
    matrix, errors, held = np.full((len(names),) * 2, 0.5), np.zeros((len(names),) * 2), each * conditions
    for i, j in itertools.combinations(range(len(names)), 2):
        found = shares(election, [mechanisms[names[i]], mechanisms[names[j]]], each, np.random.default_rng(seed))
        groups = np.concatenate(list(found.values()))
        matrix[i, j] = groups.mean()
        matrix[j, i] = 1 - matrix[i, j]
        errors[i, j] = errors[j, i] = groups.std(ddof=1) / np.sqrt(len(groups))
        held = len(groups)
    alike = (errors == 0) & ~np.eye(len(names), dtype=bool)  # all groups voted the same: that is not certainty
    errors = np.where(alike, binomial_errors(matrix, held), errors)
    return Tournament(names, matrix, errors, held)


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
    with extras("a tournament"):
        import nashpy  # noqa: F401  # missing, it is told of before anything is played
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


def _meant(contestants: Sequence[str], overrides: Sequence[str]) -> dict[str, Any]:
    """Return the game that a tournament is about, as its config: that of the runs that take part, if it is one game.

    What participants see is left to the people who vote here, who are not those that a run has trained.

    Raises:
        ParameterError: if the runs are of several games, and none is named.
    """
    folders = [name for name in contestants if name not in names(POLICIES["mechanism"]) and Path(name).is_dir()]
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
    if not find_spec("matplotlib"):
        return [file]
    from lawgiver.trainers.election_figures import payoff_matrix
    from lawgiver.trainers.figures import save

    picture = folder / "payoffs.png"
    save(payoff_matrix(held.shares, held.names), picture)
    return [file, picture]
