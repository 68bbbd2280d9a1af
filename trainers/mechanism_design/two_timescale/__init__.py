"""The trainer ``two_timescale``: participants who learn fast under a mechanism that moves slowly."""

from lawgiver.trainers.mechanism_design.two_timescale.settings import TwoTimescaleConfig
from lawgiver.trainers.runs.trainer import Trainer, deferred

trainer = Trainer(
    config=TwoTimescaleConfig,
    train=deferred("lawgiver.trainers.mechanism_design.two_timescale.train:train"),
    figures=deferred("lawgiver.trainers.mechanism_design.figures:figures_of"),
)
