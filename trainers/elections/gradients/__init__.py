"""The trainer ``election_designer``: a mechanism that learns to win votes, through people who can be differentiated.

Gradients of vote shares in torch: exact, or of low variance.
"""

from lawgiver.trainers.elections.gradients.settings import DesignerConfig
from lawgiver.trainers.runs.trainer import Trainer, deferred

trainer = Trainer(
    config=DesignerConfig,
    train=deferred("lawgiver.trainers.elections.gradients.election_designer:train"),
    figures=deferred("lawgiver.trainers.elections.run_figures:figures_of"),
)
