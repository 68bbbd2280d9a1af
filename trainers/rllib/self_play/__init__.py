"""The trainer ``self_play``: a mechanism learns to win elections against frozen copies of itself."""

from lawgiver.trainers.rllib.settings import SelfPlayConfig
from lawgiver.trainers.runs.trainer import Deferred, Trainer

trainer = Trainer(
    config=SelfPlayConfig,
    train=Deferred("lawgiver.trainers.rllib.self_play.train:train"),
    figures=Deferred("lawgiver.trainers.elections.training_figures:figures_of"),
)
