"""Setting of a policy that plays a role in place of a learned one."""

from __future__ import annotations

from pydantic import ConfigDict

from lawgiver.trainers.settings.base import Settings


class Given(Settings):
    """A policy by name that plays a role in place of a learned one; its parameters stand beside the name."""

    model_config = ConfigDict(extra="allow", frozen=True)

    policy: str
    """A registered name, or a run's folder."""
