"""The trainer ``rllib``: participants of bounded rationality and a mechanism, on two timescales."""

from lawgiver.trainers.rllib.settings import RLlibConfig
from lawgiver.trainers.rllib.tables import MEANINGS, tables_of
from lawgiver.trainers.runs.trainer import Deferred, Trainer

trainer = Trainer(
    config=RLlibConfig,
    train=Deferred("lawgiver.trainers.rllib.train:train"),
    evaluate=Deferred("lawgiver.trainers.rllib.evaluation:evaluate_run"),
    figures=Deferred("lawgiver.trainers.rllib.figures:figures_of"),
    tables=tables_of,
    meanings=MEANINGS,
)
