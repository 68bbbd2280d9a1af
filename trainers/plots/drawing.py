"""Whether figures can be drawn; nothing that a command computes depends on them."""

from __future__ import annotations

import logging

from lawgiver.envs.core.errors import MissingExtraError


def can_draw() -> bool:
    """Say whether matplotlib is installed; if not, log one line: no figures were drawn, and how to get them."""
    try:
        import lawgiver.trainers.plots.curves  # noqa: F401  # it says what to install where matplotlib is missing
    except MissingExtraError as missing:
        logging.getLogger("lawgiver").warning("no figures were drawn: %s", missing)
        return False
    return True
