"""The people's part of an election between two turns of a mechanism: choices, memory, new games and votes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lawgiver.envs.core.arrays import Array, evolve, floats, namespace, sample_index, select, total, where_games
from lawgiver.envs.core.game import Draws
from lawgiver.envs.election.experience import require_probabilities
from lawgiver.envs.election.state import ElectionState

if TYPE_CHECKING:
    from lawgiver.envs.election.game import Election


def advance_to_mechanism(election: Election, state: ElectionState, draws: Draws, index: int) -> ElectionState:
    """Play participants' phases, and start new games, until a mechanism acts or all is over.

    ``index`` counts the phases since the last turn, each of which has random numbers of its own.
    """
    while True:
        if _round_is_over(election, state):
            state = _remember_round(election, state)
        if state.turn and state.turn % len(election.schedule) == 0:
            if state.turn == len(election.turns):
                return state
            state = _next_game(election, state)
        if election.turns[state.turn] == "mechanism":
            return state
        state = _choose(election, state, draws, index)
        index += 1


def _round_is_over(election: Election, state: ElectionState) -> bool:
    """Check whether a round is to be remembered before anybody acts again.

    People see it as it was only until the next one begins: a mechanism that moves first then changes what they see.
    """
    if election.turns[: state.turn].count("participant") == len(state.experience):
        return False
    ended = state.turn % len(election.schedule) == 0
    return ended or state.base.turn == 0 or election.turns[state.turn] == "participant"


def _choose(election: Election, state: ElectionState, draws: Draws, index: int) -> ElectionState:
    """Update people's memory, and draw their choices."""
    seen = election.game.observe(state.base, "participant")
    legal = election.game.legal_actions(state.base, "participant")
    logs, memory = election.people.distribution(seen, legal, state.memory)
    require_probabilities(f"participants of {election.name}", logs, (seen.shape[0], election.n, election.n_choices))
    xp = namespace(logs)
    if not election.game.horizon_known:
        memory = where_games(~state.over, memory, state.memory)
    choice = sample_index(logs, draws[f"choice {index}"])
    picked = xp.arange(logs.shape[-1], device=logs.device) == choice[..., None]
    likelihood = total(xp.sum(xp.where(picked, logs, xp.zeros_like(logs)), axis=-1))
    likelihood = state.log_likelihood + xp.where(state.over, xp.zeros_like(likelihood), likelihood)
    state = evolve(state, memory=memory, log_likelihood=likelihood, counts=~state.over)
    return play_phase(election, state, election.game.outcome(state.base, choice), draws, index)


def play_phase(election: Election, state: ElectionState, outcome: Array, draws: Draws, index: int) -> ElectionState:
    """Play one phase of the base game; where it has ended nothing counts."""
    own = {name: draws[f"{name} {index}"] for name in election.base_draws}
    after, rewards, terminated, truncated = election.game.advance(state.base, outcome, own)
    paid = rewards["participant"]
    xp = namespace(paid)
    if not election.game.horizon_known:
        paid = xp.where(state.over[:, None], xp.zeros_like(paid), paid)
        after = where_games(~state.over, after, state.base)
    mine = election.acts(state, "mechanism")[..., None]
    return evolve(
        state,
        turn=state.turn + 1,
        base=after,
        over=state.over | terminated | truncated,
        payoffs=state.payoffs + paid,
        earned=state.earned + xp.where(mine, paid[:, None, :], xp.zeros_like(paid)[:, None, :]),
    )


def _remember_round(election: Election, state: ElectionState) -> ElectionState:
    """Append observations and payoffs since the last choice to the people's experience."""
    seen = election.game.observe(state.base, "participant")
    xp = namespace(seen)
    payoffs = floats(select(state.payoffs, election.own_first), seen)
    experience = xp.concat([seen, payoffs, xp.ones_like(seen[..., :1])], axis=-1)
    if not election.game.horizon_known:
        experience = xp.where(state.counts[:, None, None], experience, xp.zeros_like(experience))
    return evolve(state, experience=(*state.experience, experience), payoffs=xp.zeros_like(state.payoffs))


def _next_game(election: Election, state: ElectionState) -> ElectionState:
    """Start the base game again with the same people."""
    remembered = getattr(election.people, "next_game", None)
    memory = state.initial_memory if remembered is None else remembered(state.memory)
    return evolve(state, base=state.opening, over=state.order[:, 0] < 0, memory=memory)


def vote(election: Election, state: ElectionState, level: Array) -> ElectionState:
    """Draw everyone's vote by their experience."""
    logs = election.voting.log_probabilities(election.experience(state))
    require_probabilities(
        f"voters of {election.name}", logs, (state.payoffs.shape[0], election.n, election.n_mechanisms)
    )
    xp = namespace(logs)
    return evolve(state, vote_probabilities=xp.exp(logs), votes=sample_index(logs, level))
