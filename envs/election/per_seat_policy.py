"""Several mechanisms of a base game as one policy for the mechanisms of an election."""

from __future__ import annotations

from dataclasses import dataclass

from lawgiver.envs.core.arrays import Array, Rng, namespace, where_games
from lawgiver.envs.core.policy import Memory, Policy


@dataclass(frozen=True)
class PerSeatPolicy:
    """Mechanism j of the election is ``policies[j]``, a mechanism of the base game with a memory of its own."""

    policies: tuple[Policy, ...]

    def initial_state(self, batch: int, rng: Rng) -> Memory:
        """Return the memories of all seats."""
        return tuple(policy.initial_state(batch, rng) for policy in self.policies)

    def distribution(self, obs: Array, mask: Array | None, state: Memory) -> tuple[Array, Memory]:
        """Return the parameters of the seats' distributions, (B, k, 2, d), and the memories."""
        made = [p.distribution(seen, None, memory) for p, seen, memory in self._each(obs, state)]
        return namespace(obs).concat([parameters for parameters, _ in made], axis=1), tuple(m for _, m in made)

    def act(self, obs: Array, mask: Array | None, state: Memory, rng: Rng) -> tuple[Array, Memory]:
        """Return the seats' actions, (B, k, d), and the memories."""
        made = [p.act(seen, None, memory, rng) for p, seen, memory in self._each(obs, state)]
        return namespace(obs).concat([actions for actions, _ in made], axis=1), tuple(m for _, m in made)

    def keep_waiting(self, acts: Array, before: Memory, after: Memory) -> Memory:
        """Return the memories after a phase in which the seats ``acts`` (B, k) acted and the others saw nothing."""
        return tuple(
            now if now is None else where_games(acts[:, seat], now, past)
            for seat, (past, now) in enumerate(zip(before, after, strict=True))
        )

    def _each(self, obs: Array, state: Memory) -> list[tuple[Policy, Array, Memory]]:
        return [(policy, obs[:, seat : seat + 1], state[seat]) for seat, policy in enumerate(self.policies)]
