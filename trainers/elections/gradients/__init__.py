"""The trainer ``election_designer``: a mechanism that learns to win votes, through people who can be differentiated.

Gradients of vote shares in torch: exact, or of low variance.
"""

from lawgiver.trainers.elections.gradients.settings import DesignerConfig
from lawgiver.trainers.runs.trainer import Deferred, Trainer

trainer = Trainer(
    config=DesignerConfig,
    train=Deferred("lawgiver.trainers.elections.gradients.election_designer:train"),
    figures=Deferred("lawgiver.trainers.elections.training_figures:figures_of"),
)
