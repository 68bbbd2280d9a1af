"""The trainer ``self_play``: a mechanism learns to win elections against frozen copies of itself."""

from lawgiver.trainers.rllib.settings import SelfPlayConfig
from lawgiver.trainers.runs.trainer import Trainer, deferred

trainer = Trainer(
    config=SelfPlayConfig,
    train=deferred("lawgiver.trainers.rllib.self_play.train:train"),
    figures=deferred("lawgiver.trainers.elections.run_figures:figures_of"),
)
