"""The trainer ``rllib``: participants of bounded rationality and a mechanism, on two timescales."""

from lawgiver.trainers.rllib.settings import RLlibConfig
from lawgiver.trainers.runs.trainer import Trainer, deferred

trainer = Trainer(
    config=RLlibConfig,
    train=deferred("lawgiver.trainers.rllib.train:train"),
    figures=deferred("lawgiver.trainers.rllib.figures:figures_of"),
)
