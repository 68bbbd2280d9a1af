"""Limits of how often something may be asked for."""

from __future__ import annotations


class BusyError(Exception):
    """Somebody asks more often than is allowed."""


class Allowance:
    """A number of requests at once, which fills up again in the course of time.

    Args:
        most: at once.
        per_s: that come back in a second.
    """

    def __init__(self, most: float, per_s: float) -> None:
        self._most, self._per_s = most, per_s
        self._left, self._at = most, 0.0

    def take(self, now: float) -> None:
        """Use one up.

        Raises:
            BusyError: if none is left.
        """
        self._left = min(self._most, self._left + max(0.0, now - self._at) * self._per_s)
        self._at = now
        if self._left < 1:
            raise BusyError
        self._left -= 1
