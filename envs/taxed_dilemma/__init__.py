"""The repeated prisoner's dilemma with a taxing mechanism."""

from lawgiver.envs.taxed_dilemma.game import TaxedDilemma

__all__ = ["TaxedDilemma"]
