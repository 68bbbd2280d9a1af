"""The assignment of modules to agents, drawn once a game from the id of the episode."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from lawgiver.envs.core.game import Game


class EpisodeId(NamedTuple):
    """Stand-in for an episode that is not played yet, as mappings take it."""

    id_: str


def role_of(agent: str) -> str:
    """Extract the role from an agent's id: ``participant_3`` is a participant."""
    name, _, seat = agent.rpartition("_")
    return name if seat.isdigit() else agent


@dataclass(frozen=True)
class RoleMapping:
    """Plays each role by the module of its name, or by one of its snapshots in a share of the games.

    The draw is a checksum of the episode's id, so that it is the same in every process (Python's own hash is not).

    Attributes:
        snapshots: modules that stand in for a role, by role.
        share: of the games in which a role that has snapshots is played by one of them, in [0, 1].
    """

    snapshots: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    share: float = 0.5

    def __call__(self, agent_id: str, episode: Any, **kwargs: Any) -> str:
        """Choose the module of an agent in an episode."""
        role = role_of(agent_id)
        candidates = self.snapshots.get(role, ())
        if not candidates:
            return role
        draw = zlib.crc32(f"{role}/{episode.id_}".encode()) / 2**32
        return candidates[int(draw / self.share * len(candidates))] if draw < self.share else role


def assign(mapping: Any, game: Game[Any], episodes: list[str]) -> dict[str, np.ndarray]:
    """Assign modules to agents: by role, ids (B, n_role)."""
    modules = {}
    for role, count in game.roles.items():
        if isinstance(mapping, RoleMapping) and not mapping.snapshots.get(role):
            modules[role] = np.full((len(episodes), count), role, dtype=object)
            continue
        rows = [[mapping(agent, EpisodeId(id_)) for agent in game.agents_of(role)] for id_ in episodes]
        modules[role] = np.array(rows, dtype=object)
    return modules
