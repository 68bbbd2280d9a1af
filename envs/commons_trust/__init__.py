"""The common-pool trust game: a mechanism entrusts a common pool to participants, who may return what makes it grow."""

from lawgiver.envs.commons_trust.game import CommonsTrust
from lawgiver.envs.commons_trust.state import CommonsTrustState

__all__ = ["CommonsTrust", "CommonsTrustState"]
