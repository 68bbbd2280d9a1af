"""Deadlines of a group, as times that do not move once they are set."""

from __future__ import annotations

from dataclasses import dataclass

from lawgiver.envs.core.errors import number

FIRST_ROUNDS = 2
"""Rounds at the beginning of a game in which there is more time."""
LEAST_AFTER_OUTAGE_S = 20.0
"""Time that everybody has at least when the server is back, in seconds."""


@dataclass(frozen=True)
class Times:
    """Time that people have, in seconds, > 0.

    Attributes:
        decide_s: for a decision.
        first_s: for a decision in the first two rounds of a game.
        vote_s: for the vote.

    Raises:
        ParameterError: if a time is outside its range.
    """

    decide_s: float = 30.0
    first_s: float = 60.0
    vote_s: float = 60.0

    def __post_init__(self) -> None:
        """Check every time."""
        for name in ("decide_s", "first_s", "vote_s"):
            number(name, getattr(self, name), "(0, inf)")

    def allowed_s(self, stage: str, played: int) -> float | None:
        """Find the time for a turn; None in a stage in which nobody is waited for.

        Args:
            stage: of the group.
            played: rounds of the current game that are over.
        """
        if stage == "vote":
            return self.vote_s
        if stage != "play":
            return None
        return self.first_s if played < FIRST_ROUNDS else self.decide_s


class Deadlines:
    """The deadline of the position that is open in a group.

    Args:
        times: that people have.

    Attributes:
        at: the position for which the deadline is; empty before the first.
        until: the deadline, in the seconds of whoever gives the time; None where nobody is waited for.
    """

    def __init__(self, times: Times) -> None:
        self.times = times
        self.at = ""
        self.until: float | None = None

    def deadline(self, at: str, played: int, now: float) -> float | None:
        """Set the deadline of a position when it opens, and find it afterwards; asking again does not extend it.

        Args:
            at: the position, ``stage.episode.step``.
            played: rounds of the current game that are over.
            now: when it opens.
        """
        if at != self.at:
            allowed = self.times.allowed_s(at.partition(".")[0], played)
            self.at, self.until = at, None if allowed is None else now + allowed
        return self.until

    def expired(self, now: float) -> bool:
        """Check whether the deadline has passed."""
        return self.until is not None and now >= self.until

    def after_outage(self, outage_s: float, now: float) -> float | None:
        """Extend an open deadline by the time in which the server was away, so that 20 s are left at least."""
        if self.until is not None:
            self.until = max(self.until + max(0.0, outage_s), now + LEAST_AFTER_OUTAGE_S)
        return self.until
