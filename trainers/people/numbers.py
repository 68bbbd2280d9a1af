"""Numbers as people read them."""

from __future__ import annotations

import math


def number(value: float) -> str:
    """Write a number with two decimals at most, small ones with three digits; a minus sign is a real one.

    Example:
        >>> number(6.4), number(3.2000000000000006), number(-12), number(0.00456)
        ('6.4', '3.2', '\u221212', '0.00456')
    """
    if not math.isfinite(value):
        return "\N{INFINITY}" if value > 0 else "\N{MINUS SIGN}\N{INFINITY}" if value < 0 else "?"
    small = 0 < abs(value) < 0.1
    text = f"{value:.3g}" if small and abs(value) >= 1e-4 else f"{value:.2f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text == "-0" else text.replace("-", "\N{MINUS SIGN}")
