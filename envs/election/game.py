"""The election game: the same people play under several mechanisms in turn, and vote."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Literal

import numpy as np

from lawgiver.envs.core.arrays import (
    Array,
    Rng,
    floats,
    namespace,
    total,
    uniform,
    where_games,
    zeros,
)
from lawgiver.envs.core.errors import ParameterError, UnsupportedGameError, brief, integer
from lawgiver.envs.core.fields import Layout, width
from lawgiver.envs.core.game import Draws, Game, KnownSolution, Rewards
from lawgiver.envs.core.make import make_game, make_policy, make_voter
from lawgiver.envs.core.policy import Policy, PolicyLike
from lawgiver.envs.core.registry import game_name
from lawgiver.envs.election.between_turns import advance_to_mechanism, play_phase, vote
from lawgiver.envs.election.experience import Voter, by_mechanism, experience_layout
from lawgiver.envs.election.per_seat_policy import PerSeatPolicy
from lawgiver.envs.election.state import ElectionState, phases

LARGEST_BALLOT = 100
"""Largest number of mechanisms in an election: all people play each of them before the vote."""


@dataclass(frozen=True)
class Election(Game[ElectionState]):
    """Mechanisms compete for the votes of the people they rule.

    The players are k mechanisms. The same people play the base game once under each, one game after the other, all
    from the same initial state, in a random order. In its own game a mechanism observes and acts as in the base game;
    while another rules it observes the initial state, and its actions are ignored. At the end everyone votes for one
    mechanism, and mechanism j is rewarded with its share of the votes less 1/k.

    The people are policies of the base game, queried for their ``distribution``. ``next_game`` returns the memory they
    carry to the next game; without it every game begins with the memory from before the first. Memory is updated when
    people choose, so a game's last round affects the vote only. A base game may end early in some elections of a
    batch: its remaining phases pass without effect.

    Infos hold ``order`` (k,; who rules first, second and so on), ``earned`` (k, n: each person's payoffs under each
    mechanism so far, in the order of their seats), ``group_earned`` (k,), ``votes`` (n,; the mechanism, -1 until
    they vote) and ``vote_share`` (k,; zeros until they vote).

    Args:
        base: a game with one mechanism and Discrete participants: its name, or ``{"name": NAME, **parameters}``.
        n_mechanisms: k, at least 2.
        participants: policy of the people: a registered name, a run's folder, ``{"policy": NAME, **parameters}``
            or a policy of the base game.
        voters: the people's voting rule: a registered name, ``{"policy": NAME, **parameters}`` or a
            :class:`~lawgiver.envs.election.experience.Voter`.

    Raises:
        ParameterError, UnknownNameError: if a parameter is outside its range or a name unknown.
        UnsupportedGameError: if the base game has no single mechanism, or participants without Discrete actions.
        ActionError: from ``step``, if people or voters give no probabilities.
    """

    base: str | Mapping[str, Any] = "public_investment"
    n_mechanisms: int = 2
    participants: PolicyLike = "simulated_people"
    voters: Any = "experience"

    name: ClassVar[str] = "election-v0"
    summary: ClassVar[str] = "compete for the votes of those whom they rule"
    reference: ClassVar[str] = "Balaguer et al. 2022, arXiv 2202.10122, 3.1 to 3.5"
    sum_type: ClassVar[Literal["general", "constant", "identical"]] = "constant"
    players: ClassVar[str] = "mechanism"
    seats_take_turns: ClassVar[bool] = True
    budget_balanced: ClassVar[bool] = False
    horizon_known: ClassVar[bool] = True
    reward_meaning: ClassVar[Mapping[str, str]] = {
        "mechanism": "its share of the votes less 1/k, once everyone has voted; 0 until then"
    }
    nested: ClassVar[Mapping[str, str]] = {"base": "public_investment"}
    variants: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "taxed_dilemma": {"base": "taxed_dilemma", "participants": "random"},
    }

    def __post_init__(self) -> None:
        """Check every parameter."""
        object.__setattr__(self, "n_mechanisms", integer("n_mechanisms", self.n_mechanisms, 2, LARGEST_BALLOT))
        if set(self.game.roles) != {"participant", "mechanism"} or self.game.roles["mechanism"] != 1:
            raise UnsupportedGameError(
                f"an election needs a base game with participants and one mechanism; {self.game.name} has"
                f" {dict(self.game.roles)}"
            )
        if not isinstance(self.game.action_layout("participant"), int):
            raise UnsupportedGameError(f"an election needs Discrete participants; those of {self.game.name} are not")
        _ = self.people, self.voting  # made here, so that a bad one is refused at once

    @cached_property
    def game(self) -> Game[Any]:
        """The base game."""
        if isinstance(self.base, Mapping) and "name" in self.base:
            parameters = {str(key): value for key, value in self.base.items()}
            return make_game(parameters.pop("name"), **parameters)
        if not isinstance(self.base, str):
            told = f"base is {brief(self.base)}"
            raise ParameterError(f"{told}, allowed: a game's name, or {{'name': NAME, **parameters}}")
        return make_game(game_name(self.base))

    @property
    def base_game(self) -> Game[Any]:
        """The base game, for which mechanisms and participants are made."""
        return self.game

    @cached_property
    def people(self) -> Policy:
        """The participants' policy in the base game."""
        return make_policy(self.game, "participant", self.participants)

    @cached_property
    def voting(self) -> Voter:
        """The voters."""
        made: Voter = make_voter(self.game, self.voters)
        return made

    @cached_property
    def n(self) -> int:
        """Number of people."""
        return self.game.roles["participant"]

    @cached_property
    def schedule(self) -> tuple[str, ...]:
        """Roles that act in each phase of the longest possible base game."""
        return phases(self.game)

    @cached_property
    def n_rounds(self) -> int:
        """T: how often people act in a base game."""
        return self.schedule.count("participant")

    @cached_property
    def turns(self) -> tuple[str, ...]:
        """Roles that act in each phase of all base games, one after the other."""
        return self.schedule * self.n_mechanisms

    @cached_property
    def n_choices(self) -> int:
        """Number of actions of a participant."""
        choices = self.game.action_layout("participant")
        assert isinstance(choices, int)  # refused otherwise when the election was made
        return choices

    @cached_property
    def base_draws(self) -> tuple[str, ...]:
        """Names of the random numbers of a phase of the base game."""
        return tuple(self.game.draw(1, np.random.default_rng(0)))

    @cached_property
    def own_first(self) -> np.ndarray:
        """Order in which each person sees all payoffs, own first, (n, n)."""
        return np.array([[seat, *(other for other in range(self.n) if other != seat)] for seat in range(self.n)])

    # -- the contract -------------------------------------------------------------------------------------------

    @property
    def roles(self) -> Mapping[str, int]:
        """The mechanisms."""
        return {"mechanism": self.n_mechanisms}

    @property
    def max_steps(self) -> int:
        """Every phase of the mechanism in every base game."""
        return self.turns.count("mechanism")

    def phase(self, state: ElectionState) -> str:
        """Return ``mechanism``: people act in between."""
        return "mechanism"

    def acts(self, state: ElectionState, role: str) -> Array:
        """Flag the mechanism whose game is running, bool (B, k)."""
        xp = namespace(state.order)
        seats = xp.arange(self.n_mechanisms, device=state.order.device)
        return self._ruling(state)[:, None] == seats

    def _ruling(self, state: ElectionState) -> Array:
        """Return the mechanism whose game is running, (B,)."""
        return state.order[:, min(state.turn // len(self.schedule), self.n_mechanisms - 1)]

    def policy_for_role(self, role: str, make: Callable[[Game[Any]], Policy]) -> Policy:
        """Return mechanisms of the base game, one a seat."""
        return PerSeatPolicy(tuple(make(self.game.base_game_of(role)) for _ in range(self.n_mechanisms)))

    def observation_layout(self, role: str) -> Layout:
        """Return the fields that a mechanism of the base game sees."""
        self.check_role(role)
        return self.game.observation_layout(role)

    def action_layout(self, role: str) -> Layout | int:
        """Return the action layout of the base game's mechanism."""
        self.check_role(role)
        return self.game.action_layout(role)

    def observe(self, state: ElectionState, role: str) -> Array:
        """Compute the mechanisms' observations (B, k, d): of their game while it runs, else of its initial state."""
        self.check_role(role)
        now, before = self.game.observe(state.base, role), self.game.observe(state.opening, role)
        return namespace(now).where(self.acts(state, role)[..., None], now, before)

    def draw(self, batch: int, rng: Rng) -> Draws:
        """Draw the uniform numbers of choices, of the base game's phases and of votes."""
        draws: Draws = {"vote": uniform(rng, (batch, self.n))}
        for index in range(self._longest):
            draws[f"choice {index}"] = uniform(rng, (batch, self.n))
            for name, value in self.game.draw(batch, rng).items():
                draws[f"{name} {index}"] = value
        return draws

    @cached_property
    def _longest(self) -> int:
        """Most phases of base games in one step."""
        stops = [-1, *(at for at, role in enumerate(self.turns) if role == "mechanism"), len(self.turns)]
        return max(later - earlier for earlier, later in itertools.pairwise(stops))

    def draw_initial(self, batch: int, rng: Rng) -> Draws:
        """Draw the order in which the mechanisms rule."""
        return {"order": uniform(rng, (batch, self.n_mechanisms))}

    def initial_state(self, batch: int, rng: Rng) -> ElectionState:
        """Return ``batch`` elections at the first turn of a mechanism."""
        lots = self.draw_initial(batch, rng)["order"]
        return self.initial_state_from(namespace(lots).argsort(lots, axis=-1), self.game.initial_state(batch, rng), rng)

    def initial_state_from(self, order: Array, base: Any, rng: Rng) -> ElectionState:
        """Return elections at the first turn of a mechanism.

        Args:
            order: the seats that rule first, second and so on, a permutation of 0 to k - 1 in each row, (B, k).
            base: the base game before its first phase, which every mechanism's game begins with.
            rng: generator of the people and of their actions before the first turn.
        """
        batch, k, n = order.shape[0], self.n_mechanisms, self.n
        memory = self.people.initial_state(batch, rng)
        nothing = zeros(rng, (batch, n))
        xp = namespace(nothing)
        state = ElectionState(
            turn=0,
            base=base,
            opening=base,
            order=order,
            over=order[:, 0] < 0,
            counts=order[:, 0] >= 0,
            memory=memory,
            initial_memory=memory,
            experience=(),
            payoffs=nothing,
            earned=zeros(rng, (batch, k, n)),
            log_likelihood=nothing[:, 0],
            vote_probabilities=zeros(rng, (batch, n, k)) + 1 / k,
            votes=xp.astype(nothing, xp.int64) - 1,
        )
        return advance_to_mechanism(self, state, self.draw(batch, rng), 0)

    def outcome(self, state: ElectionState, actions: Array) -> Array:
        """Convert each mechanism's action to its outcome in the current game, (B, k, ...)."""
        each = [self.game.outcome(state.base, actions[:, seat : seat + 1]) for seat in range(self.n_mechanisms)]
        return namespace(actions).stack(each, axis=1)

    def outcome_error(self, state: ElectionState, outcome: np.ndarray) -> str | None:
        """Every mechanism's outcome is one that the base game allows."""
        for seat in range(self.n_mechanisms):
            fault = self.game.outcome_error(state.base, outcome[:, seat])
            if fault is not None:
                return f"of mechanism_{seat} {fault}"
        return None

    def advance(
        self, state: ElectionState, outcome: Array, draws: Draws
    ) -> tuple[ElectionState, Rewards, Array, Array]:
        """Apply the ruling mechanism's outcome, and play on to the next turn of a mechanism, or to the votes."""
        xp = namespace(state.payoffs)
        ruling = self._ruling(state)
        chosen = outcome[:, 0]
        for seat in range(1, self.n_mechanisms):
            chosen = where_games(ruling == seat, outcome[:, seat], chosen)
        state = advance_to_mechanism(self, play_phase(self, state, chosen, draws, 0), draws, 1)
        done = state.turn == len(self.turns)
        if done:
            state = vote(self, state, draws["vote"])
        paid = self.vote_shares(state) - 1 / self.n_mechanisms if done else xp.zeros_like(state.earned[:, :, 0])
        never = state.order[:, 0] < 0
        return state, {"mechanism": paid}, ~never if done else never, never

    def experience(self, state: ElectionState) -> Array:
        """Return the experience that voters judge by, (B, n, k, T, f), once all games are over."""
        return by_mechanism(state.experience, state.order, self.n_rounds)

    def vote_shares(self, state: ElectionState) -> Array:
        """Return each mechanism's share of the votes, (B, k); zeros before the vote."""
        xp = namespace(state.payoffs)
        seats = xp.arange(self.n_mechanisms, device=state.votes.device)
        return total(floats(xp.permute_dims(state.votes[..., None] == seats, (0, 2, 1)), state.payoffs)) / self.n

    # -- display and exact solutions ----------------------------------------------------------------------------

    def infos(self, state: ElectionState) -> Mapping[str, Array]:
        """Return the order of mechanisms, payoffs by mechanism and votes; see the class."""
        return {
            "order": state.order,
            "earned": state.earned,
            "group_earned": total(state.earned),
            "votes": state.votes,
            "vote_share": self.vote_shares(state),
        }

    def picture(self, state: ElectionState, index: int) -> dict[str, np.ndarray]:
        """Return each person's payoffs under each mechanism, in points, and their votes."""
        earned = {f"earned under {seat} (points)": np.asarray(row) for seat, row in enumerate(state.earned[index])}
        shares = self.vote_shares(state)[index]
        told = {f"votes for {seat}": np.asarray(shares[seat : seat + 1]) for seat in range(self.n_mechanisms)}
        return {
            "rules now": np.asarray(self._ruling(state)[index : index + 1]),
            **told,
            **earned,
            "vote": np.asarray(state.votes[index]),
        }

    def known_solutions(self) -> tuple[KnownSolution, ...]:
        """Zero expected reward of every mechanism under voters who are indifferent between them."""
        return (
            KnownSolution(
                name="expected reward of every mechanism when voters are indifferent",
                source="symmetry",
                value=lambda: 0.0,
                residual=self._tie,
                tolerance=1e-12,
            ),
        )

    def _tie(self) -> float:
        """Compute the largest deviation of votes on equal experiences from a tie."""
        experience = np.ones((1, self.n, self.n_mechanisms, self.n_rounds, width(experience_layout(self.game))))
        return float(np.abs(np.exp(self.voting.log_probabilities(experience)) - 1 / self.n_mechanisms).max())
