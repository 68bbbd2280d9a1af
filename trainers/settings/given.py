"""Setting of a policy that plays a role in place of a learned one."""

from __future__ import annotations

from typing import Any

from pydantic import ConfigDict, model_validator

from lawgiver.trainers.settings.base import Settings


class Given(Settings):
    """A policy that plays a role in place of a learned one: its name, or ``policy`` and its parameters beside it."""

    model_config = ConfigDict(extra="allow", frozen=True)

    policy: str
    """A registered name, or a run's folder."""

    @model_validator(mode="before")
    @classmethod
    def _from_name(cls, given: Any) -> Any:
        return {"policy": given} if isinstance(given, str) else given
