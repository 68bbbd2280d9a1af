"""Published violations of learned rules of matching, four and four (Ravindranath et al. 2021, arXiv 2107.03427).

Their loss is lambda times the violation of stability and 1 - lambda times that of strategyproofness, trained for 50,000
updates of 1,024 markets. A weight w of the latter beside the former is lambda = 1 / (1 + w).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain

LAMBDAS = (0.1, 0.2, 0.3, 0.5, 0.7, 0.9, 1.0)
LEARNED: Mapping[float, Mapping[str, tuple[tuple[float, float], ...]]] = {
    0.0: {
        "CNN": (
            *((0.0608, 0.0017), (0.0347, 0.0054), (0.0221, 0.0087), (0.0021, 0.0108)),
            *((0.0018, 0.0126), (0.0013, 0.0155), (0.0005, 0.0670)),
        ),
        "MLP": (
            *((0.1031, 0.0), (0.1030, 0.0), (0.1031, 0.0), (0.0170, 0.0184)),
            *((0.0033, 0.0283), (0.0012, 0.0348), (0.0001, 0.0626)),
        ),
    },
    0.75: {
        "CNN": (
            *((0.0224, 0.0023), (0.0110, 0.0037), (0.0003, 0.0019), (0.0003, 0.0026)),
            *((0.0003, 0.0024), (0.0001, 0.0047), (0.0005, 0.0202)),
        ),
        "MLP": (
            *((0.0933, 0.0), (0.0292, 0.0040), (0.0171, 0.0055), (0.0055, 0.0074)),
            *((0.0434, 0.0050), (0.0002, 0.0089), (0.0001, 0.0181)),
        ),
    },
}
"""Violations of stability and of strategyproofness, by correlation, network and lambda."""
KNOWN: Mapping[float, Mapping[str, tuple[float, float]]] = {
    0.0: {
        "deferred_acceptance": (0.0, 0.056),
        "top_trading_cycles": (0.023, 0.021),
        "random_priority": (0.081, 0.0),
    },
    0.75: {},
}
"""Those of known rules, read off a figure."""


def published_rows() -> Iterator[dict[str, str]]:
    """Tabulate the published violations of learned rules."""
    for at, lambda_ in enumerate(LAMBDAS):
        by_kind = ((correlation, name) for correlation, found in LEARNED.items() for name in found)
        cells = (
            ((f"{name}, {correlation:g}: stability", stability), (f"{name}, {correlation:g}: truthfulness", truthful))
            for correlation, name in by_kind
            for stability, truthful in [LEARNED[correlation][name][at]]
        )
        yield {"lambda": f"{lambda_:g}", **{heading: f"{value:.4f}" for heading, value in chain.from_iterable(cells)}}
