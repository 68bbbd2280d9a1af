"""The repeated prisoner's dilemma with a taxing mechanism."""

from lawgiver.envs.taxed_dilemma.game import TaxedDilemma, TaxedDilemmaState

__all__ = ["TaxedDilemma", "TaxedDilemmaState"]
