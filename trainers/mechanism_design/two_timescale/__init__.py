"""The trainer ``two_timescale``: participants who learn fast under a mechanism that moves slowly."""

from lawgiver.trainers.mechanism_design.two_timescale.settings import TwoTimescaleConfig
from lawgiver.trainers.mechanism_design.two_timescale.tables import MEANINGS
from lawgiver.trainers.runs.trainer import Deferred, Trainer

trainer = Trainer(
    config=TwoTimescaleConfig,
    train=Deferred("lawgiver.trainers.mechanism_design.two_timescale.train:train"),
    figures=Deferred("lawgiver.trainers.mechanism_design.figures:figures_of"),
    meanings=MEANINGS,
)
