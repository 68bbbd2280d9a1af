"""Options that several commands have."""

from __future__ import annotations

from typing import Annotated

import typer

Jobs = Annotated[
    int,
    typer.Option(
        metavar="J",
        help="Maximum number of parallel trainings; more than one use Ray, on the cluster RAY_ADDRESS if set.",
    ),
]
