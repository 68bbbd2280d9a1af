"""The trainer ``affine_maximiser``: the weights and boosts of a dynamic affine maximiser that serve an objective best.

Affine maximisers are truthful for all weights and boosts, so that participants need not be learned.
"""

from lawgiver.trainers.affine_maximiser.settings import AffineConfig
from lawgiver.trainers.runs.trainer import Deferred, Trainer

trainer = Trainer(
    config=AffineConfig,
    train=Deferred("lawgiver.trainers.affine_maximiser.train:train"),
    evaluate=Deferred("lawgiver.trainers.affine_maximiser.evaluation:evaluate_run"),
    figures=Deferred("lawgiver.trainers.affine_maximiser.figures:figures_of"),
    meanings={
        "objective": "of the learned mechanism, on fresh profiles",
        "vcg": "objective of VCG on the same profiles",
        "limit": "known bound of the objective",
        "ratio_to_limit": "objective by that bound",
    },
)
