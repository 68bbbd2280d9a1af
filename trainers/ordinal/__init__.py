"""The trainer ``ordinal``: rules of voting and of matching, between their objective and what untrue reports bring."""

from lawgiver.trainers.ordinal.settings import OrdinalConfig
from lawgiver.trainers.ordinal.tables import MEANINGS, tables_of
from lawgiver.trainers.runs.trainer import Deferred, Trainer

trainer = Trainer(
    config=OrdinalConfig,
    train=Deferred("lawgiver.trainers.ordinal.train:train"),
    evaluate=Deferred("lawgiver.trainers.ordinal.evaluation:evaluate_run"),
    figures=Deferred("lawgiver.trainers.ordinal.figures:figures_of"),
    tables=tables_of,
    meanings=MEANINGS,
)
