"""The public investment game: who contributes to a common fund, and how the mechanism shares it out."""

from lawgiver.envs.public_investment.game import PublicInvestment
from lawgiver.envs.public_investment.state import PublicInvestmentState

__all__ = ["PublicInvestment", "PublicInvestmentState"]
