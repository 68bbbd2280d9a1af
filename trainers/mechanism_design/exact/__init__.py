"""The trainer ``exact_designer``: a mechanism by gradient ascent through the participants' exact equilibrium."""

from lawgiver.trainers.mechanism_design.exact.settings import ExactConfig
from lawgiver.trainers.runs.trainer import Trainer, deferred

trainer = Trainer(
    config=ExactConfig,
    train=deferred("lawgiver.trainers.mechanism_design.exact.train:train"),
)
