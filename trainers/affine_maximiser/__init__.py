"""The trainer ``affine_maximiser``: the weights and boosts of a dynamic affine maximiser that serve an objective best.

Affine maximisers are truthful for all weights and boosts, so that participants need not be learned.
"""

from lawgiver.trainers.affine_maximiser.settings import AffineConfig
from lawgiver.trainers.affine_maximiser.tables import MEANINGS
from lawgiver.trainers.runs.trainer import Deferred, Trainer

trainer = Trainer(
    config=AffineConfig,
    train=Deferred("lawgiver.trainers.affine_maximiser.train:train"),
    evaluate=Deferred("lawgiver.trainers.affine_maximiser.evaluation:evaluate_run"),
    figures=Deferred("lawgiver.trainers.affine_maximiser.figures:figures_of"),
    meanings=MEANINGS,
)
