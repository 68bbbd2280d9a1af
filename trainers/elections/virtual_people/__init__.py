"""Virtual participants and voters, fitted to records of behaviour."""

from typing import Literal

Unit = Literal["largest_endowment", "own_endowment"]
"""Unit in which voters measure amounts."""
