"""The trainer ``exact_designer``: a mechanism by gradient ascent through the participants' exact equilibrium."""

from lawgiver.trainers.mechanism_design.exact.settings import ExactConfig
from lawgiver.trainers.runs.trainer import Deferred, Trainer

trainer = Trainer(
    config=ExactConfig,
    train=Deferred("lawgiver.trainers.mechanism_design.exact.train:train"),
)
